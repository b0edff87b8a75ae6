"""Receipts that prove one entry without asking the log."""

import pytest

from explainer.errors import BadInclusionProofError, BadSignatureError, MalformedProofError, VerificationError
from explainer.transparency_log.proof_file import HEADER, ProofFile
from explainer.transparency_log.strict_base64 import encode_base64
from explainer.transparency_log.verify import NotVerifiedError, verify_receipt
from tests.unit.transparency_log.memory_log import MemoryLog, leaves, signer

CITY = signer(1)
LOG = MemoryLog(leaves(300))
RECEIPT = ProofFile(17, tuple(LOG.tree().inclusion_proof(17)), LOG.checkpoint()).format()
HASH = encode_base64(bytes(32))


def test_a_receipt_proves_its_entry_and_no_other() -> None:
    assert verify_receipt(LOG.leaves[17], RECEIPT, CITY.vkey).tree_size == 300
    for other in (16, 18, 299):
        with pytest.raises(NotVerifiedError, match="not in the tree"):
            verify_receipt(LOG.leaves[other], RECEIPT, CITY.vkey)
        with pytest.raises(BadInclusionProofError):
            ProofFile.parse(RECEIPT).verify(LOG.leaves[other], [CITY.verifier])


def test_a_receipt_of_an_unknown_log_proves_nothing() -> None:
    with pytest.raises(NotVerifiedError, match="No key that you trust"):
        verify_receipt(LOG.leaves[17], RECEIPT, signer(2).vkey)
    with pytest.raises(BadSignatureError):
        ProofFile.parse(RECEIPT).verify(LOG.leaves[17], [signer(2).verifier])


def test_a_receipt_is_accepted_by_either_key_while_keys_are_replaced() -> None:
    assert verify_receipt(LOG.leaves[17], RECEIPT, f"{signer(2).vkey} {CITY.vkey}").tree_size == 300


def test_the_only_entry_of_a_log_is_proven_by_no_hashes() -> None:
    log = MemoryLog(leaves(1))
    receipt = ProofFile(0, (), log.checkpoint()).format()
    assert receipt.startswith(f"{HEADER}\nindex 0\n\n")
    assert verify_receipt(b"entry 0", receipt, CITY.vkey).tree_size == 1


def test_every_single_changed_character_of_a_receipt_is_noticed() -> None:
    signed_part = RECEIPT.encode()
    for position in range(len(signed_part)):
        changed = signed_part[:position] + bytes([signed_part[position] ^ 1]) + signed_part[position + 1 :]
        with pytest.raises(NotVerifiedError):
            verify_receipt(LOG.leaves[17], changed, CITY.vkey)
        with pytest.raises(VerificationError):
            ProofFile.parse(changed).verify(LOG.leaves[17], [CITY.verifier])


def test_extra_data_is_kept_and_reads_back() -> None:
    with_extra = ProofFile(3, (bytes(32),), "checkpoint\n", b"salts")
    assert ProofFile.parse(with_extra.format()) == with_extra
    assert ProofFile.parse(with_extra.format().encode()) == with_extra


@pytest.mark.parametrize(
    "text",
    [
        "", HEADER, f"{HEADER}\n\nx\n", f"{HEADER}\nindex 1\n{HASH}\n", f"{HEADER}\nindex 01\n\nx\n",
        f"{HEADER}\nindex 1 \n\nx\n", f"{HEADER}\nindex\n\nx\n", f"{HEADER}\nindex {2**63}\n\nx\n",
        f"{HEADER}\nextra \nindex 1\n\nx\n", f"{HEADER}\nextra AA==\nextra AA==\nindex 1\n\nx\n",
        f"{HEADER}\nindex 1\nextra AA==\n\nx\n", f"{HEADER}\nindex 1\nindex 1\n\nx\n", f" {HEADER}\nindex 1\n\nx\n",
        f"{HEADER}\nindex 1\n{HASH[:-1]}\n\nx\n", f"{HEADER}\nindex 1\n{HASH}\n" + f"{HASH}\n" * 63 + "\nx\n",
        f"{HEADER}\r\nindex 1\r\n\r\nx\r\n", "x" * 2_000_001,
    ],
)  # fmt: skip
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(MalformedProofError):
        ProofFile.parse(text)


def test_bytes_that_are_not_utf8_are_no_receipt() -> None:
    with pytest.raises(MalformedProofError):
        ProofFile.parse(b"\xff\xfe")
