"""Build hook of hatchling: whoever builds or installs this project gets the front-end files with it."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _load_build_assets(root: Path) -> ModuleType:
    """Load ``build_assets.py`` by its path, because builders do not put the project itself on the import path."""
    name = "klarbescheid_build_assets"
    spec = importlib.util.spec_from_file_location(name, root / "build_assets.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(root / "build_assets.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up here
    spec.loader.exec_module(module)
    return module


class FrontEndAssetsHook(BuildHookInterface[Any]):
    """Puts the vendored front-end files in place before a wheel, an sdist or an editable install is made."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Ask for npm as a wheel, but only where files are to be fetched and no npm is installed.

        Returns:
            Requirements for the build environment.
        """
        root = Path(self.root)
        build_assets = _load_build_assets(root)
        if build_assets.is_fresh(root) or build_assets.find_npm() is not None:
            return []
        return [build_assets.NODE_REQUIREMENT]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files.

        Args:
            version: Kind of build, such as "standard" or "editable"; all need the files.
            build_data: What hatchling collects about the build; nothing is added.
        """
        del version, build_data
        root = Path(self.root)
        _load_build_assets(root).build(root)
