"""Tables of rows in a package: the background explanations compare with, and the reference rows of the original."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from models.errors import MalformedPackageError, ModelFeaturesMismatchError
from models.scoring_model import Rows, Scores
from models.words import Words

MAX_UNPACKED_BYTES = 2_000_000_000
"""Archives that unpack to more are refused."""


@dataclass(frozen=True)
class Background:
    """The rows that "expected" refers to; never rows of real people.

    Attributes:
        rows: Raw rows, shape (m, n_features), float64; NaN where a value is missing.
        weights: How many cases of the population each row stands for, shape (m,), positive.
        name: What it is called within the package.
        origin: Where the rows come from, in plain words.
        mean_score_gap: Weighted mean score of the rows minus the population's, in the score unit.
        sha256: SHA-256 (hex) of the file it was read from.
    """

    rows: Rows
    weights: Scores
    name: str
    origin: Words
    mean_score_gap: float
    sha256: str

    def __post_init__(self) -> None:
        _check_table(self.rows, self.weights, "background.npz", "weights")
        if self.weights.ndim != 1 or np.any(self.weights <= 0):
            raise MalformedPackageError("background.npz: every row needs one weight greater than 0.")
        if not np.isfinite(self.mean_score_gap):
            raise MalformedPackageError("background.npz: 'mean_score_gap' must be a number.")
        self.rows.flags.writeable = False
        self.weights.flags.writeable = False

    @cached_property
    def has_missing(self) -> NDArray[np.bool_]:
        """Of which features a value is missing somewhere, shape (n_features,)."""
        return np.asarray(np.isnan(self.rows).any(axis=0), dtype=np.bool_)

    @cached_property
    def lowest_values(self) -> Scores:
        """The lowest value of each feature, shape (n_features,); infinite where all are missing."""
        return np.asarray(np.where(np.isnan(self.rows), np.inf, self.rows).min(axis=0), dtype=np.float64)

    @cached_property
    def highest_values(self) -> Scores:
        """The highest value of each feature, shape (n_features,); minus infinite where all are missing."""
        return np.asarray(np.where(np.isnan(self.rows), -np.inf, self.rows).max(axis=0), dtype=np.float64)


@dataclass(frozen=True)
class Reference:
    """Rows with the scores that the original model gave them before it was converted.

    Attributes:
        rows: Raw rows, shape (r, n_features), float64; NaN where a value is missing.
        scores: In the score unit, shape (r,), or (r, n_classes) for several classes.
        classes: For several classes the outcome ids of the columns of the scores, as the original model orders them.
    """

    rows: Rows
    scores: Scores
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.scores.ndim == 0 or self.scores.shape[1:] != ((len(self.classes),) if self.classes else ()):
            raise MalformedPackageError(
                "reference.npz: several classes need scores of shape (n, classes) and an array 'classes' that names "
                "their outcomes in the order of the columns; one score for each row needs neither."
            )
        _check_table(self.rows, self.scores, "reference.npz", "scores")
        self.rows.flags.writeable = False
        self.scores.flags.writeable = False


def parse_background(content: bytes) -> Background:
    """Read ``background.npz``: arrays rows, weights, name, origin_de, origin_en, mean_score_gap.

    Args:
        content: Bytes of the file.

    Returns:
        The background.

    Raises:
        MalformedPackageError: If it is not such an archive.
    """
    name = "background.npz"
    arrays = read_arrays(content, name)
    try:
        origin = Words(de=_text_of(arrays, "origin_de", name), en=_text_of(arrays, "origin_en", name))
    except ValidationError as error:
        raise MalformedPackageError(f"{name}: the origin must be given in German and English.") from error
    gap = _numbers_of(arrays, "mean_score_gap", name)
    if gap.shape != ():
        raise MalformedPackageError(f"{name}: 'mean_score_gap' must be one number.")
    return Background(
        rows=_numbers_of(arrays, "rows", name),
        weights=_numbers_of(arrays, "weights", name),
        name=_text_of(arrays, "name", name),
        origin=origin,
        mean_score_gap=float(gap),
        sha256=sha256(content).hexdigest(),
    )


def parse_reference(content: bytes) -> Reference:
    """Read ``reference.npz``: arrays rows, scores and, for several classes, classes; see :func:`parse_background`."""
    arrays, name = read_arrays(content, "reference.npz"), "reference.npz"
    return Reference(
        rows=_numbers_of(arrays, "rows", name),
        scores=_numbers_of(arrays, "scores", name),
        classes=_texts_of(arrays, "classes", name) if "classes" in arrays else (),
    )


def check_columns(rows: Rows, n_features: int, name: str) -> None:
    """Refuse a table whose rows are not the card's.

    Args:
        rows: Raw rows.
        n_features: Features the card lists.
        name: File the rows come from.

    Raises:
        ModelFeaturesMismatchError: If the numbers differ.
    """
    if rows.shape[1] != n_features:
        raise ModelFeaturesMismatchError(f"{name} has {rows.shape[1]} columns, the card lists {n_features} features.")


def read_arrays(content: bytes, name: str) -> Mapping[str, np.ndarray[Any, Any]]:
    """Read a NumPy archive of plain arrays, without ever unpickling.

    Args:
        content: Bytes of the file.
        name: What error sentences call it.

    Returns:
        Name to array.

    Raises:
        MalformedPackageError: If it is no such archive, or unpacks to too much.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise MalformedPackageError(f"{name} unpacks to more than {MAX_UNPACKED_BYTES} bytes.")
        # allow_pickle stays off: an array of Python objects could run code.
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            return {key: np.asarray(arrays[key]) for key in arrays.files}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise MalformedPackageError(f"{name} is not a NumPy archive of plain arrays.") from error


def _numbers_of(arrays: Mapping[str, np.ndarray[Any, Any]], key: str, name: str) -> Rows:
    array = arrays.get(key)
    if array is None or array.dtype.kind not in "fiu":
        raise MalformedPackageError(f"{name} needs an array of numbers called '{key}'.")
    return array.astype(np.float64)


def _text_of(arrays: Mapping[str, np.ndarray[Any, Any]], key: str, name: str) -> str:
    array = arrays.get(key)
    if array is None or array.dtype.kind != "U" or array.shape != ():
        raise MalformedPackageError(f"{name} needs a text called '{key}'.")
    return str(array)


def _texts_of(arrays: Mapping[str, np.ndarray[Any, Any]], key: str, name: str) -> tuple[str, ...]:
    array = arrays[key]
    if array.dtype.kind != "U" or array.ndim != 1 or len(array) == 0:
        raise MalformedPackageError(f"{name} needs a list of texts called '{key}'.")
    return tuple(str(text) for text in array)


def _check_table(rows: Rows, numbers: Scores, name: str, what: str) -> None:
    matrix_rank = 2
    if rows.ndim != matrix_rank or numbers.shape[:1] != rows.shape[:1] or len(rows) == 0:
        raise MalformedPackageError(f"{name} needs rows of shape (n, features) and {what} of shape (n,), n at least 1.")
    # Which features may be missing stands in the card; :mod:`models.missing_values` looks there.
    if np.any(np.isinf(rows)) or not np.all(np.isfinite(numbers)):
        raise MalformedPackageError(f"{name}: every number must be finite.")
