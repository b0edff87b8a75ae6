"""The root of every error of the product, and the errors of scoring models.

::

    KlarbescheidError              has a stable ``code``; never an HTTP status, never translated text
    ├─ InvalidInputError           the caller can mend it; carries every problem at once
    ├─ ModelNotFoundError          no model of this name or version is installed
    └─ ModelUnusableError          the city's data officer can mend it; this model rests, the others go on
       ├─ ModelFileChangedError    a file is not the one the manifest names
       ├─ ModelScoresDifferError   runtime, tree reader and original model do not agree
       ├─ MethodsDisagreeError     two ways to compute contributions give different ones
       ├─ ModelFeaturesMismatchError  card, model, background and reference do not have the same features
       ├─ MalformedPackageError    a file of the package cannot be read or contradicts itself; InstalledTwiceError
       └─ UnsupportedModelError    a kind of model that is not yet supported, named

The tree continues in ``explainer/errors.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class KlarbescheidError(Exception):
    """Root of everything this product raises on purpose.

    Attributes:
        code: Stable slug that programs may rely on; sentences may change, codes do not.
    """

    code: ClassVar[str] = "error"


@dataclass(frozen=True)
class InputProblem:
    """One thing that is wrong with what a caller sent.

    Attributes:
        pointer: JSON pointer (RFC 6901) to the value, e.g. ``/inputs/income_eur_month``.
        code: Stable slug such as ``missing`` or ``out_of_range``.
        detail: English sentence that says what is wrong and how to mend it.
    """

    pointer: str
    code: str
    detail: str


class InvalidInputError(KlarbescheidError):
    """What the caller sent cannot be used; every problem is listed, not only the first.

    Attributes:
        problems: All problems found, in the order of the card's features; never empty.
    """

    code: ClassVar[str] = "invalid_input"

    def __init__(self, problems: Sequence[InputProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(problem.detail for problem in self.problems))


class ModelNotFoundError(KlarbescheidError):
    """No model with this name, or none in this version, is installed here."""

    code: ClassVar[str] = "model_not_found"


class ModelUnusableError(KlarbescheidError):
    """A model is installed but must not be used; the sentence says why.

    Attributes:
        slug: Name of the model or of its folder; empty while it is not yet known.
    """

    code: ClassVar[str] = "model_unusable"

    def __init__(self, message: str, *, slug: str = "") -> None:
        self.slug = slug
        super().__init__(message)


class ModelFileChangedError(ModelUnusableError):
    """A file of the package is missing, added or not the one whose SHA-256 the manifest names."""

    code: ClassVar[str] = "model_file_changed"


class ModelScoresDifferError(ModelUnusableError):
    """The runtime, our own reading of the trees and the original model give different scores."""

    code: ClassVar[str] = "model_scores_differ"


class MethodsDisagreeError(ModelUnusableError):
    """Two independent ways to compute this model's contributions give different ones, so at least one is wrong."""

    code: ClassVar[str] = "methods_disagree"


class ModelFeaturesMismatchError(ModelUnusableError):
    """The card, the model, the background or the reference rows do not have the same features."""

    code: ClassVar[str] = "model_features_mismatch"


class MalformedPackageError(ModelUnusableError):
    """A file of the package cannot be read or contradicts itself.

    Attributes:
        problems: Every problem found, one sentence each.
    """

    code: ClassVar[str] = "malformed_package"

    def __init__(self, message: str, *, problems: Sequence[str] = (), slug: str = "") -> None:
        self.problems = tuple(problems) or (message,)
        super().__init__(message, slug=slug)


class InstalledTwiceError(MalformedPackageError):
    """Two packages have the same name and version place, so that neither can be meant."""

    code: ClassVar[str] = "installed_twice"


class UnsupportedModelError(ModelUnusableError):
    """The model is of a kind that this version cannot read exactly, so it is not read at all."""

    code: ClassVar[str] = "model_not_supported"


class RowsOfPeopleError(MalformedPackageError):
    """A package would hold rows of single people, or rows from which they could be recognised."""

    code: ClassVar[str] = "rows_of_people"
