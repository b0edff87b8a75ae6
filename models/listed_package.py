"""A package whose files are the approved ones and whose card can be read; nothing has been scored with it yet."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models import manifest
from models.card import ModelCard, parse_card
from models.errors import ModelFileChangedError, ModelUnusableError
from models.manifest import read_verified

if TYPE_CHECKING:
    from models.package import ModelPackage


@dataclass(frozen=True, kw_only=True)
class ListedPackage:
    """What the register and the pages need of a package.

    Attributes:
        card: What the register says about the model.
        sha256: Identity: SHA-256 (hex) of the manifest's bytes.
        folder: Where it lies.
    """

    card: ModelCard
    sha256: str
    folder: Path

    def verified(self) -> "ModelPackage":
        """Load the package and verify it; only what this returns may score or explain.

        Returns:
            The package; every file is the manifest's, and runtime, forest and original model agree.

        Raises:
            ModelUnusableError: If it does not pass, or its files are not those that were listed.
        """
        # Verifying needs the model's runtime, which a process that only hands out what was computed never loads.
        from models.package import load_package  # noqa: PLC0415

        package = load_package(self.folder)
        if package.sha256 != self.sha256:
            raise ModelFileChangedError(
                f"The model package '{self.folder.name}' was exchanged while the service was running: start it again.",
                slug=self.card.slug,
            )
        return package


def list_package(folder: Path) -> ListedPackage:
    """Check a package's files against its manifest and read its card.

    Args:
        folder: The package.

    Returns:
        The package as far as it is known without scoring anything.

    Raises:
        ModelUnusableError: One of its subclasses: the sentence names the file.
    """
    try:
        files = read_verified(folder)
        card = parse_card(files.contents[manifest.CARD])
    except ModelUnusableError as error:
        error.slug = error.slug or folder.name
        raise
    return ListedPackage(card=card, sha256=files.sha256, folder=folder)
