"""The packages of an installation while it runs: new ones are noticed and become current once verified."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from models.catalogue import Catalogue, package_places
from models.errors import ModelUnusableError
from models.listed_package import ListedPackage
from models.manifest import MANIFEST

Key = TypeVar("Key")
Value = TypeVar("Value")


class _Exchanged(Mapping[Key, Value]):
    """A mapping whose content is exchanged as a whole, so that threads that read it never see half of a change."""

    def __init__(self, content: Mapping[Key, Value]) -> None:
        self._content = dict(content)

    def exchange(self, content: Mapping[Key, Value]) -> None:
        self._content = dict(content)

    def __getitem__(self, key: Key) -> Value:
        return self._content[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


class GrowingCatalogue:
    """A catalogue that can be asked to look again.

    Args:
        folders: Folders of packages, as for :meth:`models.catalogue.Catalogue.load`.

    Attributes:
        catalogue: What is installed now; the same object all the time, whose content changes.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._seen = self._signature()
        found = Catalogue.load(self._folders)
        self._packages = _Exchanged(found.packages)
        self._failures: _Exchanged[str, ModelUnusableError] = _Exchanged(found.failures)
        self._versions = _Exchanged(found.versions)
        self.catalogue = Catalogue(self._packages, self._failures, self._versions)

    def newcomers(self) -> list[ListedPackage]:
        """Look for packages that were added since the last look.

        Every version found can be named by its identity from now on. None of them is current yet: that is for
        :meth:`make_current`, once it is verified.

        Returns:
            Packages in the place of the current version that are not the current version.
        """
        signature = self._signature()
        if signature == self._seen:
            return []
        found = Catalogue.load(self._folders)
        self._seen = signature
        # What was there stays known: decisions made with it are explained with it, from memory if need be.
        self._versions.exchange({**self._versions, **found.versions})
        self._failures.exchange(
            {
                name if name not in self._packages else f"{name} that was added": error
                for name, error in found.failures.items()
            }
        )
        current = {slug: package.sha256 for slug, package in self._packages.items()}
        return [package for slug, package in found.packages.items() if current.get(slug) != package.sha256]

    def make_current(self, package: ListedPackage) -> None:
        """Let a package score new cases from now on; the caller has verified it."""
        self._packages.exchange({**self._packages, package.card.slug: package})

    def _signature(self) -> frozenset[tuple[str, int]]:
        """When which manifest was written: cheap to look at, and no package changes without it."""
        marks = set()
        for place in package_places(self._folders):
            try:
                marks.add((str(place), (place / MANIFEST).stat().st_mtime_ns))
            except OSError:
                marks.add((str(place), 0))
        return frozenset(marks)
