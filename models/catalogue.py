"""Which model packages this installation has, which of them may be used, and why the others are not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from models.errors import InstalledTwiceError, MalformedPackageError, ModelNotFoundError, ModelUnusableError
from models.listed_package import ListedPackage, list_package
from models.manifest import COMMON_FILES, MANIFEST, MODEL_FILES


def bundled_packages_folder() -> Path:
    """Give the folder of the packages that come with the product."""
    return Path(__file__).parent / "packages"


@dataclass(frozen=True)
class Catalogue:
    """All packages of an installation; one that is broken never stops the others.

    A package lies in a folder named after its slug; older versions lie beside it as ``<slug>@<version>`` so that
    decisions made with them stay explainable.

    Attributes:
        packages: Slug to the current package; it is verified before it first scores anything.
        failures: Slug or folder name to the reason why a package cannot be used.
        versions: Every such package, current or older, by slug and identity.
    """

    packages: Mapping[str, ListedPackage]
    failures: Mapping[str, ModelUnusableError]
    versions: Mapping[tuple[str, str], ListedPackage]

    @classmethod
    def load(cls, folders: Sequence[Path]) -> "Catalogue":
        """List every package: its files are the approved ones and its card can be read.

        Args:
            folders: Folders of packages; a folder that is itself a package counts as one.

        Returns:
            The catalogue.
        """
        packages: dict[str, ListedPackage] = {}
        failures: dict[str, ModelUnusableError] = {}
        versions: dict[tuple[str, str], ListedPackage] = {}
        for folder in folders:
            for package_folder in package_places([folder]):
                slug, _, older_version = package_folder.name.partition("@")
                try:
                    package = list_package(package_folder)
                    _check_place(package, slug, older_version, packages)
                except InstalledTwiceError as error:
                    # Which of the two is meant cannot be told, so neither is used.
                    failures[package_folder.name] = error
                    packages.pop(package_folder.name, None)
                    continue
                except ModelUnusableError as error:
                    # A broken copy must not hide the usable one of the same name.
                    name = package_folder.name
                    failures[name if name not in packages else f"{name} in another folder"] = error
                    continue
                versions[slug, package.sha256] = package
                if not older_version:
                    packages[slug] = package
                    if slug in failures:
                        failures[f"{slug} in another folder"] = failures.pop(slug)
        return cls(MappingProxyType(packages), MappingProxyType(failures), MappingProxyType(versions))

    def get(self, slug: str) -> ListedPackage:
        """Give the current package of a model.

        Args:
            slug: Name of the model.

        Returns:
            The package.

        Raises:
            ModelUnusableError: If it is installed but did not pass its verification: the stored reason.
            ModelNotFoundError: If it is not installed.
        """
        if slug in self.failures:
            # Without the traceback of the last time: it would grow with every request that meets it.
            raise self.failures[slug].with_traceback(None)
        if slug not in self.packages:
            known = ", ".join(sorted({*self.packages, *self.failures})) or "none"
            raise ModelNotFoundError(f"There is no model called {slug[:80]!a}. Installed are: {known}.")
        return self.packages[slug]

    def get_version(self, slug: str, sha256: str) -> ListedPackage:
        """Give exactly the package a decision was made with, never another version in its place.

        Args:
            slug: Name of the model.
            sha256: Identity of the package.

        Returns:
            The package.

        Raises:
            ModelUnusableError: If it is not among the usable ones and the model's current package is broken.
            ModelNotFoundError: If this version is not installed.
        """
        found = self.versions.get((slug, sha256))
        if found is not None:
            return found
        self.get(slug)
        raise ModelNotFoundError(f"The model {slug[:80]!a} is installed, but not in the version {sha256[:16]}….")


def package_places(folders: Sequence[Path]) -> list[Path]:
    """Give the places of all packages in some folders, usable or not.

    Args:
        folders: Folders of packages; a folder that is itself a package counts as one.

    Returns:
        The packages' folders, sorted within each folder.
    """
    return [place for folder in folders for place in _places_in(folder)]


def _places_in(folder: Path) -> list[Path]:
    if _is_package(folder):
        return [folder]
    if not folder.is_dir():
        return []
    return sorted(child for child in folder.iterdir() if child.is_dir() and _is_package(child))


def _is_package(folder: Path) -> bool:
    # Any one file is enough: a package that lost its manifest must be reported, not overlooked.
    return any((folder / name).exists() for name in (MANIFEST, *COMMON_FILES, *MODEL_FILES))


def _check_place(package: ListedPackage, slug: str, older_version: str, known: Mapping[str, ListedPackage]) -> None:
    card = package.card
    if card.slug != slug:
        raise MalformedPackageError(f"The folder '{slug}' holds the model '{card.slug}': rename the folder.", slug=slug)
    if older_version and older_version != card.version:
        raise MalformedPackageError(
            f"The folder '{slug}@{older_version}' holds version {card.version}: rename the folder.", slug=slug
        )
    if not older_version and slug in known:
        raise InstalledTwiceError(f"The model '{slug}' is installed twice: keep one.", slug=slug)
