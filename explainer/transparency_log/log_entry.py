"""Log entries: what stands in the log for ever, and nothing else can be signed in.

A leaf is RFC 8785 JSON with a closed list of keys. Everything personal is a salted commitment (``c``); what opens the
commitments is sealed outside the log and can be erased. Free text has no place to go: every public value is a short
slug, a hash, a random id or a minute.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from typing import Any, TypeAlias

from explainer.errors import MalformedLeafError
from explainer.transparency_log.canonical_json import JsonValue, canonical_bytes, parse_canonical
from explainer.transparency_log.commitment import Commitment, commit

VERSION = 1
"""Version of the leaf format, key ``v``."""

COMMITTED_FIELDS = ("actor", "subject", "decision", "explanation", "purpose")
"""The only fields a leaf may commit to."""

PrivateFields: TypeAlias = Mapping[str, tuple[bytes, JsonValue]]
"""What opens the commitments of one entry: field to (32-byte salt, value). It is sealed, never published."""

_ID_BYTES = 16
_MINUTE = "%Y-%m-%dT%H:%MZ"
# Seven digits in a row could be a case number, so no slug may hold them.
_SLUG = re.compile(r"(?![^\n]*[0-9]{7})[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*", re.ASCII)
_VERSION_TEXT = re.compile(r"[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*", re.ASCII)
_HEX_16 = re.compile(r"[0-9a-f]{32}", re.ASCII)
_HEX_32 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MINUTE_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}Z", re.ASCII)
_MAX_SLUG = 64
_SLUG_FIELDS = ("system", "role", "basis", "outcome")


class LogEvent(StrEnum):
    """What an entry records."""

    DECISION_RECORDED = "decision.recorded"
    DECISION_SUPERSEDED = "decision.superseded"
    DECISION_READ = "decision.read"
    DECISION_SCORE_MISMATCH = "decision.score_mismatch"
    EXPLANATION_REQUESTED = "explanation.requested"
    EXPLANATION_DELIVERED = "explanation.delivered"
    EXPLANATION_REFUSED = "explanation.refused"
    EXPLANATION_READ = "explanation.read"
    BATCH_EXPLAINED = "batch.explained"
    REVIEW_OPENED = "review.opened"
    REVIEW_ANSWERED = "review.answered"
    MODEL_REGISTERED = "model.registered"
    MODEL_REFUSED = "model.refused"
    REGISTER_PUBLISHED = "register.published"
    STAFF_SIGNED_IN = "staff.signed_in"
    POLICY_CHANGED = "policy.changed"
    KEY_ROTATED = "key.rotated"
    ERASURE_APPLIED = "erasure.applied"
    LOG_READ = "log.read"
    LOG_RESTORED = "log.restored"


@dataclass(frozen=True, kw_only=True)
class ModelFacts:
    """Which model an entry is about.

    Attributes:
        version: Version of the model package.
        sha256: SHA-256 of the package's manifest, 64 hexadecimal digits.
    """

    version: str
    sha256: str

    def problems(self) -> list[str]:
        """Sentences that say what is wrong; none when all is well."""
        found = []
        if not _is_text(self.version, _VERSION_TEXT, _MAX_SLUG):
            found.append("The model version must be up to 64 letters, digits and the signs . _ + - between them.")
        if not _is_text(self.sha256, _HEX_32):
            found.append("The SHA-256 of the model must be 64 hexadecimal digits.")
        return found


@dataclass(frozen=True, kw_only=True)
class LogEntry:
    """One entry. The attributes are the keys of the leaf.

    Attributes:
        v: Version of the format.
        t: What happened.
        id: 128 random bits, hexadecimal; names the entry before it has an index.
        ts: When, UTC to the minute: exact times would single people out.
        system: Name of the register entry concerned.
        model: Model version concerned.
        role: The program's role in the procedure.
        basis: Legal basis, such as ``ai-act-86``.
        outcome: Outcome of what happened.
        trace_id: W3C trace id that links other systems' logs, hexadecimal.
        c: Field to commitment, hexadecimal; fields are among :data:`COMMITTED_FIELDS`.
    """

    t: LogEvent
    id: str
    ts: str
    c: Mapping[str, str]
    system: str | None = None
    model: ModelFacts | None = None
    role: str | None = None
    basis: str | None = None
    outcome: str | None = None
    trace_id: str | None = None
    v: int = VERSION

    def __post_init__(self) -> None:
        problems = self._problems()
        if problems:
            raise MalformedLeafError("This cannot stand in the log. " + " ".join(problems))
        object.__setattr__(self, "c", MappingProxyType(dict(self.c)))

    def _problems(self) -> list[str]:
        found = [
            f"{name} must be up to {_MAX_SLUG} small letters and digits, with the signs . _ - between them."
            for name in _SLUG_FIELDS
            if getattr(self, name) is not None and not _is_slug(getattr(self, name))
        ]
        if self.v != VERSION or isinstance(self.v, bool):
            found.append(f"v must be {VERSION}.")
        if not _is_text(self.id, _HEX_16):
            found.append("id must be 32 hexadecimal digits.")
        if self.trace_id is not None and not _is_text(self.trace_id, _HEX_16):
            found.append("trace_id must be 32 hexadecimal digits.")
        if not _is_minute(self.ts):
            found.append("ts must be a UTC minute such as 2026-11-23T03:45Z.")
        if self.model is not None:
            found += self.model.problems()
        return found + self._commitment_problems()

    def _commitment_problems(self) -> list[str]:
        unknown = sorted(self.c.keys() - COMMITTED_FIELDS)
        found = [f"c must not hold {name!r}; it may hold {', '.join(COMMITTED_FIELDS)}." for name in unknown]
        if not all(_is_text(digest, _HEX_32) for digest in self.c.values()):
            found.append("Every commitment in c must be 64 hexadecimal digits.")
        return found

    def leaf_bytes(self) -> bytes:
        """The RFC 8785 bytes that are hashed into the tree."""
        return canonical_bytes(
            {
                "v": self.v,
                "t": self.t.value,
                "id": self.id,
                "ts": self.ts,
                "system": self.system,
                "model": None if self.model is None else {"version": self.model.version, "sha256": self.model.sha256},
                "role": self.role,
                "basis": self.basis,
                "outcome": self.outcome,
                "trace_id": self.trace_id,
                "c": dict(self.c),
            }
        )

    def verify_private(self, private: PrivateFields) -> None:
        """Check disclosed values against this entry's commitments.

        Args:
            private: The disclosed fields; not all need be disclosed.

        Raises:
            VerificationError: If the entry does not commit to a field, or commits to another value.
        """
        for field, (salt, value) in private.items():
            if field not in self.c:
                raise MalformedLeafError(f"This log entry does not commit to {field}.")
            Commitment(field, value, salt).verify(bytes.fromhex(self.c[field]))


_LEAF_KEYS = frozenset({"v", "t", "id", "ts", "system", "model", "role", "basis", "outcome", "trace_id", "c"})
_MODEL_KEYS = frozenset({"version", "sha256"})


def build_entry(
    event: LogEvent,
    *,
    at: datetime,
    random_bytes: Callable[[int], bytes],
    private: Mapping[str, JsonValue],
    system: str | None = None,
    model: ModelFacts | None = None,
    role: str | None = None,
    basis: str | None = None,
    outcome: str | None = None,
    trace_id: str | None = None,
) -> tuple[LogEntry, PrivateFields]:
    """Make the entry for something that happened.

    Args:
        event: What happened.
        at: When, with a time zone; cut to the UTC minute.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.
        private: Values to commit to, among :data:`COMMITTED_FIELDS`.
        system: Name of the register entry concerned.
        model: Model version concerned.
        role: The program's role in the procedure.
        basis: Legal basis slug.
        outcome: Outcome slug.
        trace_id: W3C trace id, 32 hexadecimal digits.

    Returns:
        The entry, and what opens its commitments: seal it, never publish it.

    Raises:
        MalformedLeafError: If something cannot stand in the log; all problems at once.
    """
    if at.tzinfo is None:
        raise MalformedLeafError("The time of a log entry needs a time zone.")
    commitments = {field: commit(field, value, random_bytes) for field, value in private.items()}
    entry = LogEntry(
        t=event,
        id=random_bytes(_ID_BYTES).hex(),
        ts=f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='minutes')}Z",
        c={field: commitment.digest.hex() for field, commitment in commitments.items()},
        system=system,
        model=model,
        role=role,
        basis=basis,
        outcome=outcome,
        trace_id=trace_id,
    )
    return entry, {field: (commitment.salt, commitment.value) for field, commitment in commitments.items()}


def parse_leaf(leaf: bytes) -> LogEntry:
    """Read a leaf back, refusing anything that :meth:`LogEntry.leaf_bytes` would not have written.

    Args:
        leaf: The bytes of a log entry.

    Returns:
        The entry; its ``leaf_bytes()`` are the bytes given.

    Raises:
        MalformedLeafError: If these are not the bytes of one of our log entries.
    """
    content = _object_with_keys(parse_canonical(leaf), _LEAF_KEYS, "A log entry")
    try:
        event = LogEvent(content["t"])
    except ValueError as error:
        raise MalformedLeafError("t names no event of this log.") from error
    model = content["model"]
    if not isinstance(content["c"], dict):
        raise MalformedLeafError("c must be an object.")
    return LogEntry(
        **{name: content[name] for name in ("v", "id", "ts", "c", "trace_id", *_SLUG_FIELDS)},
        t=event,
        model=None if model is None else ModelFacts(**_object_with_keys(model, _MODEL_KEYS, "model")),
    )


def _object_with_keys(value: JsonValue, keys: frozenset[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() != keys:
        raise MalformedLeafError(f"{what} must have exactly the keys {', '.join(sorted(keys))}.")
    return value


def _is_text(value: object, pattern: re.Pattern[str], longest: int = 64) -> bool:
    return isinstance(value, str) and len(value) <= longest and pattern.fullmatch(value) is not None


def _is_slug(value: object) -> bool:
    return isinstance(value, str) and _is_slug_text(value)


@lru_cache(maxsize=1024)
def _is_slug_text(text: str) -> bool:
    # Names of systems, roles and outcomes are few and public.
    return _is_text(text, _SLUG, _MAX_SLUG)


def _is_minute(value: object) -> bool:
    return _is_text(value, _MINUTE_TEXT) and _is_minute_of_the_calendar(str(value))


@lru_cache(maxsize=64)
def _is_minute_of_the_calendar(text: str) -> bool:
    # Entries of the same minute come one after the other, and parsing dates is slow.
    try:
        datetime.strptime(text, _MINUTE).replace(tzinfo=UTC)
    except ValueError:
        return False
    return True
