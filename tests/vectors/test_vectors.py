"""Known answers from outside; README.md names the source of each."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from explainer.errors import BadSignatureError, MalformedNoteError, MalformedProofError
from explainer.transparency_log.commitment import Commitment
from explainer.transparency_log.log_entry import parse_leaf
from explainer.transparency_log.merkle import (
    EMPTY_ROOT,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from explainer.transparency_log.proof_file import ProofFile
from explainer.transparency_log.sealing import SealedRecord, unseal
from explainer.transparency_log.signed_note import NoteSigner, NoteVerifier, open_note, sign_note
from explainer.transparency_log.tiles import TilePath, hash_tile_paths
from tests.unit.transparency_log.memory_log import MemoryLog

FOLDER = Path(__file__).parent


def read(name: str) -> Any:
    return json.loads((FOLDER / name).read_text(encoding="utf-8"))


TREE = read("rfc6962_tree.json")
LEAVES = [bytes.fromhex(leaf) for leaf in TREE["leaves"]]
ROOTS = [bytes.fromhex(root) for root in TREE["roots"]]
NOTE = read("signed_note.json")
PROOFS = read("tlog_proof.json")
OURS = read("our_formats.json")


def hashes(hexadecimal: list[str]) -> list[bytes]:
    return [bytes.fromhex(value) for value in hexadecimal]


@pytest.mark.parametrize("size", range(9))
def test_root_hashes_are_those_of_the_reference_tree(size: int) -> None:
    assert root_of([leaf_hash(leaf) for leaf in LEAVES[:size]]) == ROOTS[size]
    assert MemoryLog(LEAVES[:size]).tree().root() == ROOTS[size]
    assert ROOTS[0] == EMPTY_ROOT


def test_a_tree_that_hashes_leaves_without_their_prefix_is_caught_by_the_vectors() -> None:
    wrong = [sha256(leaf).digest() for leaf in LEAVES]
    assert all(root_of(wrong[:size]) != ROOTS[size] for size in range(1, 9))


def test_a_tree_that_repeats_an_odd_last_hash_is_caught_by_the_vectors() -> None:
    a, b, c = (leaf_hash(leaf) for leaf in LEAVES[:3])
    assert node_hash(node_hash(a, b), node_hash(c, c)) != ROOTS[3]


@pytest.mark.parametrize("case", TREE["inclusion"])
def test_inclusion_proofs_are_those_of_the_reference_tree(case: dict[str, Any]) -> None:
    index, size, proof = case["index"], case["tree_size"], hashes(case["proof"])
    assert MemoryLog(LEAVES).tree(size).inclusion_proof(index) == proof
    verify_inclusion(leaf_hash(LEAVES[index]), index, size, proof, ROOTS[size])


@pytest.mark.parametrize("case", TREE["consistency"])
def test_consistency_proofs_are_those_of_the_reference_tree(case: dict[str, Any]) -> None:
    old, new, proof = case["old_size"], case["new_size"], hashes(case["proof"])
    assert MemoryLog(LEAVES).tree(new).consistency_proof(old) == proof
    verify_consistency(old, ROOTS[old], new, ROOTS[new], proof)


def test_our_signature_of_a_known_note_is_the_known_signature() -> None:
    name = NOTE["vkeys"][0].split("+")[0]
    signer = NoteSigner(name, Ed25519PrivateKey.from_private_bytes(bytes.fromhex(NOTE["private_key_seed"])))
    assert signer.vkey == NOTE["vkeys"][0]
    assert sign_note(NOTE["text"], [signer]) == NOTE["text"] + "\n" + NOTE["signature_lines"][0]


@pytest.mark.parametrize("trusted", [[0], [1], [0, 1]])
def test_a_known_note_opens_with_either_key_or_both(trusted: list[int]) -> None:
    verifiers = [NoteVerifier.from_vkey(NOTE["vkeys"][i]) for i in trusted]
    opened = open_note(NOTE["text"] + "\n" + "".join(NOTE["signature_lines"]), verifiers)
    assert opened.text == NOTE["text"]
    assert opened.key_names == {verifier.name for verifier in verifiers}


def test_a_known_note_signed_by_unknown_keys_only_is_refused() -> None:
    with pytest.raises(BadSignatureError):
        open_note(NOTE["text"] + "\n" + NOTE["signature_lines"][1], [NoteVerifier.from_vkey(NOTE["vkeys"][0])])


@pytest.mark.parametrize("vkey", NOTE["refused_vkeys"])
def test_known_bad_verifier_keys_are_refused(vkey: str) -> None:
    with pytest.raises(MalformedNoteError):
        NoteVerifier.from_vkey(vkey)


def test_no_part_of_a_known_verifier_key_and_no_key_with_one_letter_changed_is_a_verifier_key() -> None:
    vkey = NOTE["vkeys"][0]
    mangled = {vkey[i:j] for i in range(len(vkey) + 1) for j in range(i + 1, len(vkey) + 1)} - {vkey}
    mangled |= {vkey[:i] + chr(ord(vkey[i]) + 1) + vkey[i + 1 :] for i in range(len(vkey))}
    for text in mangled:
        with pytest.raises(MalformedNoteError):
            NoteVerifier.from_vkey(text)


@pytest.mark.parametrize("case", PROOFS["files"])
def test_known_proof_files_are_read_and_written_to_the_byte(case: dict[str, Any]) -> None:
    parsed = ProofFile.parse(case["text"])
    assert parsed.index == case["index"]
    assert parsed.proof == tuple(sha256(text.encode()).digest() for text in case["hashed"])
    assert (parsed.checkpoint, parsed.extra) == (case["checkpoint"], case["extra"].encode())
    assert parsed.format() == case["text"]


@pytest.mark.parametrize("text", PROOFS["refused"])
def test_known_bad_proof_files_are_refused(text: str) -> None:
    with pytest.raises(MalformedProofError):
        ProofFile.parse(text)


def test_tile_numbers_are_spelt_as_in_the_specification() -> None:
    for number, spelling in read("tile_paths.json")["numbers"].items():
        assert str(TilePath(0, int(number))) == f"tile/0/{spelling}"


def test_trees_have_the_tiles_that_the_specification_counts() -> None:
    for size, levels in read("tile_paths.json")["sizes"].items():
        paths = list(hash_tile_paths(int(size)))
        counted = {
            str(level): [
                sum(path.is_full for path in paths if path.level == level),
                sum(path.width for path in paths if path.level == level and not path.is_full),
            ]
            for level in sorted({path.level for path in paths})
        }
        assert counted == levels


def test_the_key_wrap_is_the_one_of_rfc_3394() -> None:
    case = read("key_wrap.json")
    assert aes_key_wrap(bytes.fromhex(case["wrapping_key"]), bytes.fromhex(case["key"])).hex() == case["wrapped"]


def test_version_1_of_our_leaf_is_still_read_and_written_to_the_byte() -> None:
    leaf = OURS["leaf"]["bytes"].encode()
    assert parse_leaf(leaf).leaf_bytes() == leaf
    assert leaf_hash(leaf).hex() == OURS["leaf"]["leaf_hash"]


def test_version_1_of_our_commitment_is_what_plain_hashing_gives() -> None:
    case = OURS["commitment"]
    salt = bytes.fromhex(case["salt"])
    by_hand = sha256(b"klarbescheid/v1 commit\0" + salt + b"decision" + b"\0" + case["canonical"].encode())
    assert by_hand.hexdigest() == case["digest"]
    assert Commitment("decision", case["value"], salt).digest.hex() == case["digest"]


def test_version_1_of_our_sealed_record_still_opens() -> None:
    case = OURS["sealed"]
    record = SealedRecord.from_bytes(bytes.fromhex(case["bytes"]))
    plaintext = unseal(record, subject_key=bytes.fromhex(case["subject_key"]), context=case["context"])
    assert plaintext.decode() == case["plaintext"]
