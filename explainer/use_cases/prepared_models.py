"""Models ready to explain, each verified and prepared once: at the start, or when a number is first needed."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from models.errors import ModelUnusableError
from models.listed_package import ListedPackage

if TYPE_CHECKING:
    from explainer.use_cases.explained_model import ExplainedModel

ModelVersionKey = tuple[str, str]
"""Slug and SHA-256 of a package."""


class PreparedModels(Mapping[ModelVersionKey, "ExplainedModel"]):
    """Every installed version of every model by slug and SHA-256; looking one up prepares it, once.

    Threads may share it: while one prepares a model, others that need one wait.

    Args:
        packages: The listed packages.
        table_folder: Folder of prepared tables that later starts read instead of making them.
        refused: Gets the reason of each package that does not pass its verification; it is not tried again.
        on_refusal: Called after a package was refused.
    """

    def __init__(
        self,
        packages: Mapping[ModelVersionKey, ListedPackage],
        table_folder: Path,
        refused: dict[ModelVersionKey, ModelUnusableError],
        on_refusal: Callable[[], None] = lambda: None,
    ) -> None:
        self._packages = packages
        self._table_folder = table_folder
        self._refused = refused
        self._prepared: dict[ModelVersionKey, ExplainedModel] = {}
        self._one_at_a_time = Lock()
        self.on_refusal = on_refusal

    def __getitem__(self, key: ModelVersionKey) -> "ExplainedModel":
        """Give a model, verified and prepared.

        Raises:
            KeyError: If no such version is installed.
            ModelUnusableError: If it did not pass its verification, now or before.
        """
        prepared = self._prepared.get(key)
        return self._prepare(key) if prepared is None else prepared

    def __iter__(self) -> Iterator[ModelVersionKey]:
        return iter(self._packages)

    def __len__(self) -> int:
        return len(self._packages)

    def _prepare(self, key: ModelVersionKey) -> "ExplainedModel":
        with self._one_at_a_time:
            if key in self._refused:
                # Without the traceback of the last time: it would grow with every request that meets it.
                raise self._refused[key].with_traceback(None)
            if key not in self._prepared:
                try:
                    self._prepared[key] = _verified_and_prepared(self._packages[key], self._table_folder)
                except ModelUnusableError as error:
                    self._refused[key] = error
            if key in self._prepared:
                return self._prepared[key]
        self.on_refusal()
        raise self._refused[key]


def _verified_and_prepared(package: ListedPackage, table_folder: Path) -> "ExplainedModel":
    # Runtime and compiler are loaded here and nowhere before.
    from explainer.attribution_methods.table_cache import TableCache  # noqa: PLC0415
    from explainer.use_cases.explained_model import ExplainedModel  # noqa: PLC0415

    return ExplainedModel.prepare(package.verified(), TableCache(table_folder))
