"""Keeps the finding aid on disk between starts, so that a start need not read a million entries again.

The file says which tree it was made of: size and root hash. It is used only where the log still has that root at that
size. Whoever can write it can also write the database beside it; bundles and verifiers use neither.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.uint32]
_NUMBERS = np.dtype("<u4")


@dataclass(frozen=True, kw_only=True)
class EntryKind:
    """What many entries have in common; the attributes are keys of the leaf, ``version`` is that of its model."""

    event: str
    system: str | None = None
    version: str | None = None
    role: str | None = None
    outcome: str | None = None


@dataclass(frozen=True, kw_only=True)
class KeptColumns:
    """What is kept of the first entries of a log.

    Attributes:
        kinds: Every kind of entry there is.
        kind_of: Number of each entry's kind.
        minute_of: Minute of each entry, since 1970.
        root: 32-byte root hash of the tree of these entries.
    """

    kinds: tuple[EntryKind, ...]
    kind_of: Column
    minute_of: Column
    root: bytes

    def __post_init__(self) -> None:
        if self.kind_of.shape != self.minute_of.shape or self.kind_of.ndim != 1:
            raise ValueError("the two columns differ in length")
        if self.kind_of.dtype != np.uint32 or self.minute_of.dtype != np.uint32:
            raise ValueError("the columns are not of 32-bit numbers")
        if len(self.kind_of) and int(self.kind_of.max()) >= len(self.kinds):
            raise ValueError("an entry is of a kind that is not there")


def read_columns(file: Path, root_at: Callable[[int], bytes]) -> KeptColumns | None:
    """Read what was kept, if it belongs to this log.

    Args:
        file: Where it was kept.
        root_at: Root hash of the log's first entries, of which it has at least so many; raises ValueError where not.

    Returns:
        The columns, or None where there is no file, it is damaged, or it is of another log or an older copy of it.
    """
    try:
        digest, _, content = file.read_bytes().partition(b"\n")
        if digest != sha256(content).hexdigest().encode():
            return None
        head, _, body = content.partition(b"\n")
        about = json.loads(head)
        kind_of, minute_of = np.frombuffer(body, _NUMBERS).reshape(2, about["size"])
        kinds = tuple(EntryKind(**kind) for kind in about["kinds"])
        kept = KeptColumns(kinds=kinds, kind_of=kind_of, minute_of=minute_of, root=bytes.fromhex(about["root"]))
        return kept if root_at(len(kind_of)) == kept.root else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_columns(file: Path, kept: KeptColumns) -> None:
    """Write the file anew; it appears as a whole or not at all.

    Args:
        file: Where it is kept.
        kept: What to keep.
    """
    about = {"size": len(kept.kind_of), "root": kept.root.hex(), "kinds": [asdict(kind) for kind in kept.kinds]}
    columns = np.stack([kept.kind_of, kept.minute_of]).astype(_NUMBERS).tobytes()
    content = json.dumps(about).encode() + b"\n" + columns
    part = file.with_name(f"{file.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(sha256(content).hexdigest().encode() + b"\n" + content)
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
