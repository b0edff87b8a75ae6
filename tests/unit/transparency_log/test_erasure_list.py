"""The list of erasures: whole lines or none, for its owner alone, and a damaged one is never passed over."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from explainer.errors import SettingsError
from explainer.transparency_log.erasure_list import Erasure, ErasureList

FIRST = Erasure(at=datetime(2026, 11, 25, 9, tzinfo=UTC), basis="gdpr-17", key_ids=("ab" * 16, "cd" * 16))
SECOND = Erasure(at=datetime(2026, 11, 26, 9, tzinfo=UTC), basis="ret_decision_default", key_ids=("ef" * 16,))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "anchors" / "erasures.jsonl"


def test_what_was_appended_is_read_in_order(path: Path) -> None:
    assert ErasureList(path).read() == ()
    for erasure in (FIRST, SECOND):
        ErasureList(path).append(erasure)
    assert ErasureList(path).read() == (FIRST, SECOND)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_last_line_that_a_crash_cut_off_is_left_out_and_written_over(path: Path) -> None:
    ErasureList(path).append(FIRST)
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole + whole[:cut].rstrip(b"\n"))
        assert ErasureList(path).read() == (FIRST,)
    ErasureList(path).append(SECOND)
    assert ErasureList(path).read() == (FIRST, SECOND)


@pytest.mark.parametrize(
    "damaged", [b"{}\n", b"nonsense\n", b'{"v":2,"at":"2026-11-25","basis":"x","keys":[]}\n', b"\xff\n"]
)
def test_a_damaged_line_stops_the_start(path: Path, damaged: bytes) -> None:
    ErasureList(path).append(FIRST)
    path.write_bytes(damaged + path.read_bytes())
    with pytest.raises(SettingsError, match="Line 1"):
        ErasureList(path).read()


def test_a_list_that_others_can_read_is_not_added_to(path: Path) -> None:
    ErasureList(path).append(FIRST)
    path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        ErasureList(path).append(SECOND)
