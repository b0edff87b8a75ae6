import io
from typing import Any

import numpy as np
import pytest

from models.errors import MalformedPackageError
from models.row_tables import parse_background, parse_reference

BACKGROUND: dict[str, Any] = {
    "rows": np.zeros((2, 3)),
    "weights": np.array([1.0, 2.0]),
    "name": np.array("made-up"),
    "origin_de": np.array("erfunden"),
    "origin_en": np.array("made up"),
    "mean_score_gap": np.array(0.01),
}


def archive(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def test_a_background_is_read_and_cannot_be_changed() -> None:
    background = parse_background(archive(**BACKGROUND))
    assert (background.name, background.origin("en"), background.mean_score_gap) == ("made-up", "made up", 0.01)
    with pytest.raises(ValueError, match="read-only"):
        background.rows[0, 0] = 1


@pytest.mark.parametrize(
    "changes",
    [
        {"weights": np.array([1.0])},
        {"weights": np.ones((2, 1))},
        {"weights": np.array([1.0, 0.0])},
        {"weights": np.array([1.0, np.nan])},
        {"rows": np.zeros(2)},
        {"rows": np.full((2, 3), np.inf)},
        {"rows": np.array([["a", "b", "c"]] * 2)},
        {"rows": np.zeros((0, 3)), "weights": np.zeros(0)},
        {"origin_en": np.array("")},
        {"name": np.array(["a", "b"])},
        {"mean_score_gap": np.array(np.nan)},
        {"mean_score_gap": np.zeros(2)},
    ],
)
def test_a_background_that_contradicts_itself_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedPackageError):
        parse_background(archive(**{**BACKGROUND, **changes}))


@pytest.mark.parametrize("missing", list(BACKGROUND))
def test_every_part_of_a_background_is_needed(missing: str) -> None:
    with pytest.raises(MalformedPackageError):
        parse_background(archive(**{key: value for key, value in BACKGROUND.items() if key != missing}))


def test_pickled_objects_are_never_opened() -> None:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=True, rows=np.array([{"a": 1}], dtype=object), scores=np.zeros(1))
    with pytest.raises(MalformedPackageError):
        parse_reference(stream.getvalue())


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive"])
def test_bytes_that_are_no_archive_are_refused(content: bytes) -> None:
    with pytest.raises(MalformedPackageError):
        parse_reference(content)


def test_damaged_archives_raise_only_our_error() -> None:
    content = archive(rows=np.zeros((2, 3)), scores=np.zeros(2))
    for position in range(0, len(content), 5):
        damaged = content[:position] + bytes([content[position] ^ 0xFF]) + content[position + 1 :]
        try:
            parse_reference(damaged)
        except MalformedPackageError:
            continue


def test_scores_of_several_classes_name_their_columns() -> None:
    scores, classes = np.array([[0.2, 0.8], [0.5, 0.5]]), np.array(["later", "now"])
    reference = parse_reference(archive(rows=np.zeros((2, 3)), scores=scores, classes=classes))
    assert reference.classes == ("later", "now")
    assert reference.scores.shape == (2, 2)


@pytest.mark.parametrize(
    "arrays",
    [
        {"scores": np.zeros((2, 2))},
        {"scores": np.zeros(2), "classes": np.array(["later", "now"])},
        {"scores": np.zeros((2, 2)), "classes": np.array(["now"])},
        {"scores": np.zeros((2, 2)), "classes": np.array([0, 1])},
        {"scores": np.zeros((2, 2, 1)), "classes": np.array(["later", "now"])},
        {"scores": np.array(0.5)},
        {"scores": np.zeros((3, 2)), "classes": np.array(["later", "now"])},
    ],
)
def test_scores_whose_columns_have_no_name_are_refused(arrays: dict[str, Any]) -> None:
    with pytest.raises(MalformedPackageError):
        parse_reference(archive(rows=np.zeros((2, 3)), **arrays))
