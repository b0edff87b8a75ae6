"""What a caller gets to hold against the log: which entry, which leaf, where."""

from dataclasses import dataclass
from typing import Any, Literal

from explainer.use_cases.records import LogRecord


@dataclass(frozen=True, kw_only=True)
class LogReceipt:
    """Position of one log entry.

    Attributes:
        entry_id: Random id of the entry.
        leaf_hash: RFC 6962 leaf hash, hex.
        status: ``integrated`` once it is in the tree under a checkpoint.
        index: Position in the log, or None while pending.
    """

    entry_id: str
    leaf_hash: str
    status: Literal["pending", "integrated"]
    index: int | None

    def as_json(self) -> dict[str, Any]:
        """The receipt as the API writes it."""
        return {
            "entry_id": self.entry_id,
            "leaf_hash": self.leaf_hash,
            "status": self.status,
            "index": self.index,
        }


def receipt_of(record: LogRecord) -> LogReceipt:
    """Receipt of an entry; the checkpoint that covers it commits together with the entry."""
    return LogReceipt(
        entry_id=record.entry_id, leaf_hash=record.leaf_hash.hex(), status="integrated", index=record.index
    )
