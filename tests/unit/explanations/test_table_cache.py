"""Tables kept on disk: the same numbers after a restart, and nothing but these numbers."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explainer.attribution_methods.choose import prepare_method
from explainer.attribution_methods.forests import compiled_leaf_tables
from explainer.attribution_methods.forests.compiled_leaf_tables import CompiledLeafTables
from explainer.attribution_methods.table_cache import TableCache, fingerprint_of
from models.forest import Forest
from tests.conformance.small_forests import random_forest, random_rows

KEY = fingerprint_of("test/1", np.arange(3))
NUMBERS = np.arange(12, dtype=np.float32)
FLOAT32 = np.dtype(np.float32)


def kept(folder: Path) -> TableCache:
    cache = TableCache(folder)
    assert cache.keep(KEY, NUMBERS)
    return cache


def trees(seed: int = 1) -> Forest:
    return random_forest(np.random.default_rng(seed), n_features=5, n_trees=6, depth=5)


def with_thresholds_moved(source: Forest) -> Forest:
    moved = tuple(replace(tree, threshold=tree.threshold + np.float32(0.25)) for tree in source.trees)
    return replace(source, trees=moved)


ROWS = random_rows(np.random.default_rng(2), 40, 5, missing=0.1)
ONES = np.ones(40)


def refuse_to_make(*_: object) -> None:
    raise AssertionError("tables are made again")


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    found = kept(tmp_path / "new" / "folder").load(KEY, (3, 4), FLOAT32)
    assert found is not None
    assert np.array_equal(found, NUMBERS.reshape(3, 4))
    assert not found.flags.writeable


def test_nothing_is_found_under_another_key_or_size(tmp_path: Path) -> None:
    cache = kept(tmp_path)
    assert cache.load(fingerprint_of("test/2", np.arange(3)), (12,), FLOAT32) is None
    assert cache.load(KEY, (11,), FLOAT32) is None


@pytest.mark.parametrize("position", [0, 10, 40, 60, -1])
def test_a_file_with_one_wrong_bit_is_not_taken(tmp_path: Path, position: int) -> None:
    cache = kept(tmp_path)
    (path,) = tmp_path.glob("*.tables")
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)
    assert cache.load(KEY, (12,), FLOAT32) is None
    assert cache.keep(KEY, NUMBERS)
    assert cache.load(KEY, (12,), FLOAT32) is not None, "made anew, it is whole again"


@pytest.mark.parametrize("content", [b"", b"something else", b"klarbescheid leaf tables 1\n" + bytes(80)])
def test_a_foreign_or_truncated_file_is_not_taken(tmp_path: Path, content: bytes) -> None:
    cache = kept(tmp_path)
    (path,) = tmp_path.glob("*.tables")
    path.write_bytes(content)
    assert cache.load(KEY, (12,), FLOAT32) is None


def test_a_file_under_the_name_of_another_one_is_not_taken(tmp_path: Path) -> None:
    cache = kept(tmp_path)
    (path,) = tmp_path.glob("*.tables")
    other = fingerprint_of("test/1", np.arange(4))
    path.rename(path.with_stem(other))
    assert cache.load(other, (12,), FLOAT32) is None


def test_a_folder_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = TableCache(tmp_path / "file")
    assert not cache.keep(KEY, NUMBERS)
    assert cache.load(KEY, (12,), FLOAT32) is None


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full_disk)
    assert not TableCache(tmp_path).keep(KEY, NUMBERS)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_behind_is_removed_and_what_others_write_is_not(tmp_path: Path) -> None:
    for name in ("old.partial", "new.partial"):
        (tmp_path / name).write_bytes(b"half")
    os.utime(tmp_path / "old.partial", (1_000, 1_000))
    kept(tmp_path)
    assert [path.name for path in tmp_path.glob("*.partial")] == ["new.partial"]


def test_the_folder_is_for_this_user_alone(tmp_path: Path) -> None:
    kept(tmp_path / "tables")
    assert (tmp_path / "tables").stat().st_mode & 0o077 == 0
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "tables").iterdir())


def test_files_that_were_not_used_for_longest_make_room(tmp_path: Path) -> None:
    cache = TableCache(tmp_path, limit_bytes=2 * (59 + NUMBERS.nbytes))
    keys = [fingerprint_of("test/1", np.arange(number)) for number in range(3)]
    for key in keys[:2]:
        cache.keep(key, NUMBERS)
        os.utime(tmp_path / f"{key}.tables", (1_000, 1_000))
    assert cache.load(keys[0], (12,), FLOAT32) is not None  # used again
    cache.keep(keys[2], NUMBERS)
    assert [cache.load(key, (12,), FLOAT32) is not None for key in keys] == [True, False, True]


def test_a_restart_reads_tables_and_gives_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = CompiledLeafTables(trees(), ROWS, ONES, cache=TableCache(tmp_path))
    monkeypatch.setattr(compiled_leaf_tables, "_make_tables", refuse_to_make)
    after = CompiledLeafTables(trees(), ROWS, ONES, cache=TableCache(tmp_path))
    assert np.array_equal(before.contributions_of(ROWS), after.contributions_of(ROWS))


@pytest.mark.parametrize(
    "changed",
    [
        (trees(2), ROWS, ONES),
        (with_thresholds_moved(trees()), ROWS, ONES),
        (trees(), np.roll(ROWS, 1, axis=1), ONES),
        (trees(), ROWS[:39], ONES[:39]),
        (trees(), ROWS, np.arange(1.0, 41.0)),
    ],
    ids=["trees", "thresholds", "background", "fewer rows", "weights"],
)
def test_tables_of_another_model_background_or_weights_are_made_anew(
    changed: tuple[Forest, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    CompiledLeafTables(trees(), ROWS, ONES, cache=TableCache(tmp_path))
    found = CompiledLeafTables(*changed, cache=TableCache(tmp_path)).contributions_of(ROWS)
    assert np.array_equal(found, CompiledLeafTables(*changed).contributions_of(ROWS))


def test_models_that_differ_only_in_their_leaves_share_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the outputs of a model with several classes do."""
    shared = CompiledLeafTables(trees(), ROWS, ONES, cache=TableCache(tmp_path))
    doubled = replace(trees(), trees=tuple(replace(tree, value=2 * tree.value) for tree in trees().trees))
    monkeypatch.setattr(compiled_leaf_tables, "_make_tables", refuse_to_make)
    other = CompiledLeafTables(doubled, ROWS, ONES, cache=TableCache(tmp_path))
    assert np.array_equal(2 * shared.contributions_of(ROWS), other.contributions_of(ROWS))


def test_preparing_a_method_passes_the_cache_on(tmp_path: Path) -> None:
    prepare_method(trees(), ROWS, ONES, many_rows=True, cache=TableCache(tmp_path))
    assert len(list(tmp_path.glob("*.tables"))) == 1
