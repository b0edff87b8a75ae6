"""The anchor file remembers released checkpoints, survives a write that was cut off, and is missed when it has gone."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from explainer.errors import AnchorError, SettingsError
from explainer.transparency_log import anchor_file
from explainer.transparency_log.anchor_file import AnchorFile
from explainer.transparency_log.checkpoint import Checkpoint, sign_checkpoint
from tests.unit.transparency_log.memory_log import MemoryLog, leaves, signer

LOG = MemoryLog(leaves(40))


@pytest.fixture
def anchors(tmp_path: Path) -> AnchorFile:
    begun = AnchorFile(tmp_path / "anchors" / "checkpoints.jsonl")
    begun.begin(LOG.checkpoint(size=0))
    return begun


def sizes(anchors: AnchorFile) -> list[int]:
    notes = [json.loads(line)["note"] for line in anchors.path.read_text().splitlines()]
    return [int(note.splitlines()[1]) for note in notes]


def test_what_is_remembered_is_read_back_by_another_process_object(anchors: AnchorFile) -> None:
    for size in (1, 5, 40):
        anchors.remember(LOG.checkpoint(size=size))
    assert sizes(anchors) == [0, 1, 5, 40]
    assert AnchorFile(anchors.path).newest().note == LOG.checkpoint()
    assert anchors.path.stat().st_mode & 0o777 == 0o600


def test_a_checkpoint_that_a_later_one_covers_needs_no_line(anchors: AnchorFile) -> None:
    for size in (5, 3, 5):
        anchors.remember(LOG.checkpoint(size=size))
    assert sizes(anchors) == [0, 5]


def test_a_new_origin_begins_below_the_old_one(anchors: AnchorFile) -> None:
    anchors.remember(LOG.checkpoint(size=5))
    renamed = signer(1, "log.example/city/2")
    anchors.remember(sign_checkpoint(Checkpoint(renamed.name, 1, LOG.tree(1).root()), [renamed]))
    assert sizes(anchors) == [0, 5, 1]


def test_several_objects_never_lose_or_repeat_a_line(anchors: AnchorFile) -> None:
    def remember(size: int) -> None:
        AnchorFile(anchors.path).remember(LOG.checkpoint(size=size))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(remember, range(1, 41)))
    found = sizes(anchors)
    assert found == sorted(set(found))
    assert found[-1] == 40


@pytest.mark.parametrize("kept", [1, 30, -1])
def test_a_line_that_a_power_cut_left_unfinished_is_written_anew(anchors: AnchorFile, kept: int) -> None:
    anchors.remember(LOG.checkpoint(size=5))
    whole = anchors.path.read_bytes()
    anchors.remember(LOG.checkpoint(size=6))
    unfinished = anchors.path.read_bytes()[len(whole) :][:kept]
    anchors.path.write_bytes(whole + unfinished)
    reopened = AnchorFile(anchors.path)
    assert reopened.newest().checkpoint.tree_size == 5
    reopened.remember(LOG.checkpoint(size=7))
    assert sizes(anchors) == [0, 5, 7]


def test_a_file_that_has_gone_is_missed_and_not_begun_anew(anchors: AnchorFile) -> None:
    anchors.path.unlink()
    with pytest.raises(AnchorError, match="No such file"):
        anchors.remember(LOG.checkpoint(size=5))
    with pytest.raises(AnchorError, match="No such file"):
        anchors.newest()
    assert not anchors.path.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"{}\n", b'{"note": 7}\n', b'{"note": "x"}\n', b"\xff\xff\n", b"no line"]
)
def test_a_damaged_file_is_told_in_a_sentence(anchors: AnchorFile, content: bytes) -> None:
    anchors.path.write_bytes(content)
    with pytest.raises(AnchorError, match=r"damaged|holds no"):
        AnchorFile(anchors.path).newest()


def test_a_file_that_others_can_read_is_refused(anchors: AnchorFile) -> None:
    anchors.path.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        AnchorFile(anchors.path).newest()


@pytest.mark.parametrize("call", ["pwrite", "fdatasync"])
@pytest.mark.parametrize("persisted", [False, True])
def test_a_write_that_fails_before_or_after_it_persisted_is_told_and_made_good(
    anchors: AnchorFile, monkeypatch: pytest.MonkeyPatch, call: str, persisted: bool
) -> None:
    real = getattr(os, call)

    def failing(*arguments: object) -> None:
        if persisted:
            real(*arguments)
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(anchor_file.os, call, failing)
        with pytest.raises(AnchorError, match="No space left"):
            anchors.remember(LOG.checkpoint(size=5))
    anchors.remember(LOG.checkpoint(size=6))
    found = sizes(anchors)
    assert found in ([0, 6], [0, 5, 6])
    assert AnchorFile(anchors.path).newest().checkpoint.tree_size == 6


def test_half_a_write_is_taken_back_by_the_next(anchors: AnchorFile, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwrite
    with monkeypatch.context() as patched:
        patched.setattr(anchor_file.os, "pwrite", lambda file, data, place: real(file, data[:50], place))
        with pytest.raises(AnchorError, match="disk is full"):
            anchors.remember(LOG.checkpoint(size=5))
    assert anchors.newest().checkpoint.tree_size == 0
    anchors.remember(LOG.checkpoint(size=6))
    assert sizes(anchors) == [0, 6]
