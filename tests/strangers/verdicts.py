"""Asks verifiers that share no code with ours; usable on our own trees and on what a running service serves.

The ``strangers`` fixture (``conftest.py``) must have set up their environment.
"""

import json
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ENVIRONMENT = Path(__file__).parents[2] / "var" / "strangers"
_SCRIPT = Path(__file__).with_name("ask_strangers.py")


def stranger_accepts(checkpoint_text: str, vkey: str, leaf: bytes, index: int, proof: Sequence[bytes]) -> bool:
    """Whether a stranger believes the checkpoint's signature and that the entry is in its tree."""
    return _ask(
        about="inclusion", checkpoint=checkpoint_text, vkey=vkey, leaf=_text(leaf), index=index, proof=_texts(proof)
    )


def stranger_accepts_growth(old_checkpoint: str, checkpoint: str, vkey: str, proof: Sequence[bytes]) -> bool:
    """Whether a stranger believes that the newer checkpoint's tree begins with the older one's."""
    return _ask(about="growth", old_checkpoint=old_checkpoint, checkpoint=checkpoint, vkey=vkey, proof=_texts(proof))


def stranger_accepts_tiles(folder: Path, vkey: str, *, every: int = 1) -> bool:
    """Whether a stranger finds the signed root, and a proof for every n-th entry, in the files of a folder."""
    return _ask(about="tiles", folder=str(folder), vkey=vkey, every=every)


def _ask(**question: Any) -> bool:
    answer = subprocess.run(
        [ENVIRONMENT / "bin" / "python", "-I", str(_SCRIPT)],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return bool(json.loads(answer.stdout)["accepted"])


def _text(value: bytes) -> str:
    return b64encode(value).decode()


def _texts(values: Sequence[bytes]) -> list[str]:
    return [_text(value) for value in values]
