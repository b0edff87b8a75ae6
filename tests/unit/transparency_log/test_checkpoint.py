"""Checkpoints: one spelling, one log, one signature that counts."""

import pytest

from explainer.errors import BadSignatureError, MalformedCheckpointError
from explainer.transparency_log.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from explainer.transparency_log.merkle import EMPTY_ROOT
from explainer.transparency_log.signed_note import sign_note
from explainer.transparency_log.strict_base64 import encode_base64
from tests.unit.transparency_log.memory_log import ORIGIN, signer

CITY = signer(1)
ROOT = bytes(range(32))
CHECKPOINT = Checkpoint(ORIGIN, 20_852_163, ROOT)
ROOT_LINE = encode_base64(ROOT)


def test_a_signed_checkpoint_opens_as_the_same_checkpoint() -> None:
    assert open_checkpoint(sign_checkpoint(CHECKPOINT, [CITY]), [CITY.verifier]) == CHECKPOINT


def test_the_text_has_three_lines() -> None:
    assert CHECKPOINT.format() == f"{ORIGIN}\n20852163\n{ROOT_LINE}\n"


def test_the_empty_log_has_a_checkpoint() -> None:
    assert Checkpoint.parse(f"{ORIGIN}\n0\n{encode_base64(EMPTY_ROOT)}\n") == Checkpoint(ORIGIN, 0, EMPTY_ROOT)


def test_lines_that_other_logs_add_are_kept() -> None:
    text = CHECKPOINT.format() + "extension\n"
    assert Checkpoint.parse(text).extension_lines == ("extension",)
    assert Checkpoint.parse(text).format() == text


def test_while_a_key_is_replaced_either_key_opens_the_checkpoint() -> None:
    both = sign_checkpoint(CHECKPOINT, [CITY, signer(2)])
    for known in (CITY, signer(2)):
        assert open_checkpoint(both, [known.verifier]) == CHECKPOINT


def test_a_checkpoint_of_another_log_is_refused_even_with_a_trusted_signature() -> None:
    other = Checkpoint("other.example/log", 5, ROOT)
    note = sign_note(other.format(), [CITY])
    with pytest.raises(BadSignatureError, match=r"other\.example/log"):
        open_checkpoint(note, [CITY.verifier])


def test_a_key_does_not_sign_for_another_log() -> None:
    with pytest.raises(MalformedCheckpointError):
        sign_checkpoint(Checkpoint("other.example/log", 5, ROOT), [CITY])
    with pytest.raises(MalformedCheckpointError):
        sign_checkpoint(CHECKPOINT, [])


@pytest.mark.parametrize(
    "text",
    [
        "", "\n", "a\n1\n", f"a\n1\n{ROOT_LINE}", f"\n1\n{ROOT_LINE}\n", f"a\n1\n{ROOT_LINE}\n\n",
        f"a\n01\n{ROOT_LINE}\n", f"a\n+1\n{ROOT_LINE}\n", f"a\n-1\n{ROOT_LINE}\n", f"a\n 1\n{ROOT_LINE}\n",
        f"a\n1_000\n{ROOT_LINE}\n", f"a\n1.0\n{ROOT_LINE}\n", f"a\n\n{ROOT_LINE}\n", f"a\n٣\n{ROOT_LINE}\n",
        f"a\n9223372036854775808\n{ROOT_LINE}\n", f"a\n{'9' * 5000}\n{ROOT_LINE}\n",
        f"a\n1\n{ROOT_LINE[:-1]}\n", f"a\n1\n{ROOT_LINE} \n", f"a\n1\n{encode_base64(ROOT[:31])}\n",
        f"a\n1\n{encode_base64(ROOT + ROOT)}\n", f"a\n1\n{ROOT_LINE[:-2]}9=\n", "a\n1\n\n", "a\n1\né\n",
    ],
)  # fmt: skip
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(MalformedCheckpointError):
        Checkpoint.parse(text)


@pytest.mark.parametrize(
    ("origin", "size", "root", "more"),
    [("", 1, ROOT, ()), ("a\n9", 1, ROOT, ()), ("a", -1, ROOT, ()), ("a", 1, ROOT[1:], ()), ("a", 2**63, ROOT, ()),
     ("a", 1, ROOT, ("",)), ("a", 1, ROOT, ("b\nc",))],
)  # fmt: skip
def test_a_checkpoint_that_would_read_back_as_another_cannot_be_made(
    origin: str, size: int, root: bytes, more: tuple[str, ...]
) -> None:
    with pytest.raises(MalformedCheckpointError):
        Checkpoint(origin, size, root, more)
