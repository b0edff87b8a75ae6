"""The comparison group as a document refers to it: by name, size and fingerprint."""

from typing import TYPE_CHECKING

from explainer.explanations.document import BackgroundRef

if TYPE_CHECKING:
    from models.package import ModelPackage


def background_ref_of(package: "ModelPackage") -> BackgroundRef:
    """Refer to a package's background.

    Args:
        package: A verified package.

    Returns:
        Name, number of rows, sum of weights and fingerprint.
    """
    background = package.background
    return BackgroundRef(
        name=background.name,
        rows=len(background.rows),
        total_weight=float(background.weights.sum()),
        sha256=background.sha256,
    )
