"""Whatever bytes come in, parsers answer or raise our own errors, and nothing else escapes."""

import io
import json
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explainer.errors import SealingError, VerificationError
from explainer.transparency_log.checkpoint import Checkpoint, open_checkpoint
from explainer.transparency_log.log_entry import LogEvent, build_entry, parse_leaf
from explainer.transparency_log.proof_file import HEADER, ProofFile
from explainer.transparency_log.sealing import SealedRecord
from explainer.transparency_log.signed_note import NoteVerifier, parse_note
from explainer.transparency_log.tiles import TilePath, decode_entries, decode_hashes
from explainer.transparency_log.verify import (
    Fetch,
    NotVerifiedError,
    verify_bundle,
    verify_disclosure,
    verify_log,
    verify_receipt,
)
from tests.unit.transparency_log.memory_log import MemoryLog, leaves, signer
from tests.unit.transparency_log.test_log_entry import AT

CITY = signer(1)
LOG = MemoryLog(leaves(5))
GOOD = [
    LOG.checkpoint().encode(),
    ProofFile(3, tuple(LOG.tree().inclusion_proof(3)), LOG.checkpoint()).format().encode(),
    CITY.vkey.encode(),
    build_entry(LogEvent.LOG_READ, at=AT, random_bytes=bytes, private={"actor": "x"})[0].leaf_bytes(),
    b"tile/entries/x001/234.p/56",
    f"{HEADER}\nindex 0\n\n".encode(),
]

ENTRY, OPENING = build_entry(LogEvent.LOG_READ, at=AT, random_bytes=bytes, private={"purpose": "a check"})
DISCLOSED = json.dumps(
    {"field": "purpose", "salt": OPENING["purpose"][0].hex(), "canonical_value": '"a check"'}
).encode()
GOOD += [ENTRY.leaf_bytes(), DISCLOSED]


def serving(**changed: bytes) -> Fetch:
    """The files of a good log, some of them replaced."""
    files = {**LOG.served(), **changed}

    def fetch(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(path)
        return files[path]

    return fetch


PARSERS: list[Callable[[bytes], object]] = [
    parse_leaf,
    parse_note,
    lambda data: open_checkpoint(data, [CITY.verifier]),
    ProofFile.parse,
    lambda data: verify_receipt(b"entry 3", data, CITY.vkey),
    lambda data: verify_receipt(b"entry 3", GOOD[1], data.decode("utf-8", "surrogateescape")),
    lambda data: verify_disclosure(ENTRY.leaf_bytes(), data),
    lambda data: verify_disclosure(data, DISCLOSED),
    lambda data: verify_log(serving(checkpoint=data), CITY.vkey),
    lambda data: verify_log(serving(), CITY.vkey, data),
    lambda data: verify_log(serving(**{"tile/entries/000.p/5": data}), CITY.vkey),
    lambda data: verify_log(serving(**{"tile/0/000.p/5": data}), CITY.vkey),
    lambda data: verify_bundle(lambda path: io.BytesIO(serving(SHA256SUMS=data)(path)), CITY.vkey),
    lambda data: decode_entries(data, 3),
    lambda data: decode_hashes(data, 3),
    lambda data: Checkpoint.parse(data.decode("utf-8", "surrogateescape")),
    lambda data: NoteVerifier.from_vkey(data.decode("utf-8", "surrogateescape")),
    lambda data: TilePath.parse(data.decode("utf-8", "surrogateescape")),
    SealedRecord.from_bytes,
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A good input with a piece cut out and another put in."""
    good = draw(st.sampled_from(GOOD))
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(len(good), start + 8)))
    return good[:start] + draw(st.binary(max_size=8)) + good[end:]


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.one_of(st.binary(max_size=400), damaged(), st.text(max_size=100).map(lambda text: text.encode())))
@settings(max_examples=150, deadline=None)
def test_a_parser_lets_nothing_but_our_errors_escape(parse: Callable[[bytes], object], data: bytes) -> None:
    with suppress(VerificationError, SealingError, NotVerifiedError):
        parse(data)


@given(data=damaged())
@settings(max_examples=300, deadline=None)
def test_a_damaged_checkpoint_is_never_believed_to_say_something_else(data: bytes) -> None:
    try:
        opened = open_checkpoint(data, [CITY.verifier])
    except VerificationError:
        return
    assert opened == Checkpoint.parse(parse_note(LOG.checkpoint()).text)


def test_a_disclosed_value_is_believed_only_where_the_entry_committed_to_it() -> None:
    assert verify_disclosure(ENTRY.leaf_bytes(), DISCLOSED) == "purpose"
    for changed in (
        DISCLOSED.replace(b"a check", b"a visit"),
        DISCLOSED.replace(b'"purpose"', b'"actor"'),
        DISCLOSED.replace(b'"salt": "0', b'"salt": "1'),
        DISCLOSED.replace(b'"salt": "00', b'"salt": "'),
    ):
        assert changed != DISCLOSED
        with pytest.raises(NotVerifiedError):
            verify_disclosure(ENTRY.leaf_bytes(), changed)
