"""Signed notes: who signed is believed only when a key we know did."""

import pytest

from explainer.errors import BadSignatureError, MalformedNoteError
from explainer.transparency_log.signed_note import NoteSigner, NoteVerifier, open_note, parse_note, sign_note
from tests.unit.transparency_log.memory_log import ORIGIN, signer

TEXT = "first line\n\nthird line\n"
CITY, WITNESS = signer(1), signer(2, "witness.example")


def test_a_note_opens_with_its_key_and_keeps_empty_lines_in_the_text() -> None:
    opened = open_note(sign_note(TEXT, [CITY]).encode(), [NoteVerifier.from_vkey(CITY.vkey)])
    assert (opened.text, opened.key_names) == (TEXT, {ORIGIN})


def test_signatures_of_unknown_keys_are_ignored() -> None:
    note = sign_note(TEXT, [WITNESS, CITY])
    assert open_note(note, [CITY.verifier]).key_names == {ORIGIN}
    assert open_note(note, [CITY.verifier, WITNESS.verifier]).key_names == {ORIGIN, "witness.example"}


def test_a_broken_signature_of_an_unknown_key_does_not_spoil_the_note() -> None:
    broken = f"— {WITNESS.name} {'A' * 96}\n"
    assert open_note(sign_note(TEXT, [CITY]) + broken, [CITY.verifier]).text == TEXT


def test_a_note_signed_by_strangers_only_is_refused() -> None:
    with pytest.raises(BadSignatureError):
        open_note(sign_note(TEXT, [WITNESS]), [CITY.verifier])
    with pytest.raises(BadSignatureError):
        open_note(sign_note(TEXT, [CITY]), [])


def test_another_key_of_the_same_name_is_a_stranger() -> None:
    with pytest.raises(BadSignatureError):
        open_note(sign_note(TEXT, [signer(3)]), [CITY.verifier])


def test_one_false_signature_of_a_known_key_spoils_the_note_even_beside_a_good_one() -> None:
    other_text = sign_note("another text\n", [CITY]).rsplit("\n\n", 1)[1]
    with pytest.raises(BadSignatureError, match=ORIGIN):
        open_note(sign_note(TEXT, [CITY]) + other_text, [CITY.verifier])


def test_every_change_to_the_text_is_noticed() -> None:
    note = sign_note(TEXT, [CITY])
    for position in range(len(TEXT)):
        changed = note[:position] + "#" + note[position + 1 :]
        with pytest.raises((BadSignatureError, MalformedNoteError)):
            open_note(changed, [CITY.verifier])


def test_a_witness_that_signs_under_the_name_of_the_log_is_not_the_log() -> None:
    impostor = NoteSigner(ORIGIN, signer(9)._private_key)
    assert impostor.key_id != CITY.key_id
    with pytest.raises(BadSignatureError):
        open_note(sign_note(TEXT, [impostor]), [CITY.verifier])


GOOD_LINE = sign_note(TEXT, [CITY]).rsplit("\n\n", 1)[1]


@pytest.mark.parametrize(
    "note",
    [
        "", "\n", "\n\n", TEXT, TEXT + "\n", TEXT + "\n" + GOOD_LINE[:-1], TEXT + GOOD_LINE,
        TEXT + "\n" + GOOD_LINE + "one more line\n", TEXT + "\n" + GOOD_LINE + "\n",
        TEXT + "\n" + GOOD_LINE.replace("— ", "- "), TEXT + "\n" + GOOD_LINE.replace("— ", "—"),
        TEXT + "\n" + GOOD_LINE.replace("\n", " \n"), TEXT + "\n" + GOOD_LINE.replace("\n", "\r\n"),
        "tab\there\n\n" + GOOD_LINE, "nul\x00\n\n" + GOOD_LINE, "\ud800\n\n" + GOOD_LINE,
        TEXT + "\n— two words " + GOOD_LINE.split(" ")[2], TEXT + "\n— a+b " + GOOD_LINE.split(" ")[2],
        TEXT + "\n—  " + GOOD_LINE.split(" ")[2], TEXT + "\n— name AAAA\n", TEXT + "\n— name AAAAAA=\n",
        TEXT + "\n— name AAAAAAA\n", TEXT + "\n— name AAAAAAB=\n", TEXT + "\n— name AAA_AAA=\n", TEXT + "\n— name\n",
        TEXT + "\n" + GOOD_LINE * 101, "x" * 1_000_001,
    ],
)  # fmt: skip
def test_what_is_not_a_note_is_refused(note: str) -> None:
    with pytest.raises(MalformedNoteError):
        parse_note(note)


def test_bytes_that_are_not_utf8_are_no_note() -> None:
    with pytest.raises(MalformedNoteError):
        parse_note(b"\xff\n\n" + GOOD_LINE.encode())


def test_sixteen_signatures_are_read() -> None:
    note = sign_note(TEXT, [signer(number, f"key{number}.example") for number in range(1, 17)])
    assert len(parse_note(note).signatures) == 16
    assert str(parse_note(note)) == note


@pytest.mark.parametrize(
    "name", ["", "two words", "plus+sign", "no\u00a0break", "line\nbreak", "tab\t", "a\u2028b", "\ud800"]
)
def test_a_name_that_cannot_stand_in_a_signature_line_names_no_key(name: str) -> None:
    with pytest.raises(MalformedNoteError):
        signer(1, name)


@pytest.mark.parametrize("text", ["", "no newline at the end", "tab\t\n", "text\n\u2014", "half\ud800\n"])
def test_a_text_that_would_not_read_back_is_not_signed(text: str) -> None:
    with pytest.raises(MalformedNoteError):
        sign_note(text, [CITY])


def test_a_note_without_signers_is_not_made() -> None:
    with pytest.raises(MalformedNoteError):
        sign_note(TEXT, [])


@pytest.mark.parametrize("vkey", ["", "a", "a+b", "a+b+c", "a+00000000+AAAA", CITY.vkey + "\n", CITY.vkey.upper()])
def test_what_is_not_a_verifier_key_is_refused(vkey: str) -> None:
    with pytest.raises(MalformedNoteError):
        NoteVerifier.from_vkey(vkey)
