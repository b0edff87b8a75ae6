"""Runs inside the strangers' own environment: JSON question on standard input, JSON verdict on standard output.

Imports nothing of ours. ``metamorphic_log`` (Rust) judges signatures and proofs, ``tlog_scales`` (Python) reads tiles.
"""

import json
import sys
from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import metamorphic_log
from tlog_scales.reader import TilesReader


class Folder:
    """The files of a log, as tlog_scales asks for them."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def get(self, *parts: str) -> bytes | None:
        file = self._path.joinpath(*parts)
        return file.read_bytes() if file.is_file() else None


def judge_inclusion(question: dict[str, Any]) -> None:
    leaf_hash = sha256(b"\x00" + b64decode(question["leaf"])).digest()
    proof = [b64decode(value) for value in question["proof"]]
    metamorphic_log.checkpoint_verify_inclusion(
        question["checkpoint"], [question["vkey"]], question["index"], leaf_hash, proof
    )


def judge_growth(question: dict[str, Any]) -> None:
    proof = [b64decode(value) for value in question["proof"]]
    metamorphic_log.checkpoint_verify_consistency(
        question["old_checkpoint"], question["checkpoint"], [question["vkey"]], proof
    )


def judge_tiles(question: dict[str, Any]) -> None:
    reader = TilesReader(Folder(question["folder"]))
    checkpoint = reader.get_checkpoint()
    metamorphic_log.checkpoint_verify(checkpoint.serialize(), [question["vkey"]])
    if reader.calculate_root_hash() != checkpoint.root_hash:
        raise ValueError("the tiles do not add up to the signed root hash")
    for index in range(0, checkpoint.size, question["every"]):
        leaf_hash = sha256(b"\x00" + reader.get_entry(index)).digest()
        reader.get_inclusion_proof(index, checkpoint.size).check(leaf_hash, checkpoint.root_hash)


JUDGES = {"inclusion": judge_inclusion, "growth": judge_growth, "tiles": judge_tiles}


def main() -> None:
    question = json.load(sys.stdin)
    try:
        JUDGES[question["about"]](question)
    except Exception as error:  # noqa: BLE001 - strangers raise what they like; any of it is a refusal
        verdict = {"accepted": False, "reason": f"{type(error).__name__}: {error}"}
    else:
        verdict = {"accepted": True, "reason": ""}
    json.dump(verdict, sys.stdout)


if __name__ == "__main__":
    main()
