"""The files below ``static/``: whether all are there, and addresses that change whenever a file changes.

What lies in ``static/vendor`` is fetched by ``build_assets.py`` and never committed, so it can be missing. That is
found out when the service starts, with the command that mends it, and not by the first citizen who sees a page without
style.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar

from explainer.errors import SettingsError

STATIC_FOLDER = Path(__file__).resolve().parent / "static"
STATIC_ADDRESS = "/static"

_MANIFEST = "vendor/assets.json"
_HASH_DIGITS = 8
_REMEDY = "Run `make assets`; without make: python -m build_assets. An installed package must be installed anew."


class MissingAssetsError(SettingsError):
    """Front-end files are missing or changed; the sentence names them and the command that fetches them.

    Attributes:
        paths: Every such file, relative to ``static/``.
    """

    code: ClassVar[str] = "missing_assets"

    def __init__(self, paths: tuple[str, ...], fault: str) -> None:
        self.paths = paths
        super().__init__(f"Front-end files {fault}: {', '.join(paths)}. {_REMEDY}")


class UnknownAssetError(SettingsError):
    """A page asks for a file that is not below ``static/``."""

    code: ClassVar[str] = "unknown_asset"


def required_vendor_files(folder: Path = STATIC_FOLDER) -> Mapping[str, str]:
    """List what the asset build has put in place, as its manifest records it.

    Args:
        folder: The static folder.

    Returns:
        Path relative to ``folder`` -> SHA-256 of its bytes in hex.

    Raises:
        MissingAssetsError: If there is no manifest, because the files were never fetched, or it cannot be read.
    """
    try:
        files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
        recorded = {f"vendor/{name}": str(digest) for name, digest in files.items()}
    except OSError as error:
        raise MissingAssetsError((_MANIFEST,), "were not fetched yet") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MissingAssetsError((_MANIFEST,), "cannot be checked, their list is damaged") from error
    return MappingProxyType(recorded)


@dataclass(frozen=True)
class StaticAssets:
    """The static files of a running service, hashed once at start.

    Attributes:
        digests: Path relative to ``static/`` -> SHA-256 of its bytes in hex.
    """

    digests: Mapping[str, str]

    @classmethod
    def load(cls, folder: Path = STATIC_FOLDER) -> "StaticAssets":
        """Hash every static file, and make sure that those from other makers are complete and unchanged.

        Args:
            folder: The static folder.

        Returns:
            The files with their hashes.

        Raises:
            MissingAssetsError: If a vendored file is missing or is not the one that was fetched.
        """
        required = required_vendor_files(folder)
        digests = {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        missing = tuple(name for name in required if name not in digests)
        if missing:
            raise MissingAssetsError(missing, "are missing")
        changed = tuple(name for name, digest in required.items() if digests[name] != digest)
        if changed:
            raise MissingAssetsError(changed, "are not the ones that were fetched")
        return cls(MappingProxyType(digests))

    def static_url(self, path: str) -> str:
        """Give the address of a static file; it changes with the file's bytes, so browsers may keep it for ever.

        Args:
            path: Path relative to ``static/``, such as ``vendor/kern.min.css``.

        Returns:
            ``/static/<path>?v=<first 8 hex digits of the SHA-256>``.

        Raises:
            UnknownAssetError: If there was no such file when the service started.
        """
        digest = self.digests.get(path)
        if digest is None:
            raise UnknownAssetError(f"There is no static file {path!r}; the page that asks for it must be corrected.")
        return f"{STATIC_ADDRESS}/{path}?v={digest[:_HASH_DIGITS]}"
