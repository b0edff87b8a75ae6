"""Every table of the service, as SQLAlchemy Core tables; columns are named like the fields of the records they keep.

Nothing here holds personal data in clear: what is personal arrives sealed (``sealed`` columns). Three tables of the log
are for ever: triggers (see ``migrations``) refuse UPDATE and DELETE on ``log_entry``, ``log_tile`` and
``log_checkpoint``. What the law wants deleted one day lies beside them: ``log_leaf`` (prunable) and ``log_sealed``
(erasable).

Foreign keys are checked at COMMIT, so that a use case may write its rows in any order, and still no decision or
explanation can be kept whose log entry is missing.
"""

import sqlalchemy as sa

from explainer.decisions.decision import DecisionStatus
from explainer.storage.column_types import SEQUENCE_NUMBER, StorableText, UtcDateTime

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)


def _refers_to(column: str) -> sa.ForeignKey:
    return sa.ForeignKey(column, deferrable=True, initially="DEFERRED")


log_entry = sa.Table(
    "log_entry",
    metadata,
    sa.Column("seq", SEQUENCE_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("entry_id", StorableText, nullable=False, unique=True),
    sa.Column("event", StorableText, nullable=False),
    sa.Column("system", StorableText),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("length(leaf_hash) = 32", name="leaf_hash_is_sha256"),
    sa.CheckConstraint("seq >= 0", name="seq_counts_from_zero"),
    sa.Index(None, "event", "system", "seq"),
)

log_leaf = sa.Table(
    "log_leaf",
    metadata,
    sa.Column("seq", SEQUENCE_NUMBER, _refers_to("log_entry.seq"), primary_key=True, autoincrement=False),
    sa.Column("leaf", sa.LargeBinary, nullable=False),
)

log_sealed = sa.Table(
    "log_sealed",
    metadata,
    sa.Column("entry_id", StorableText, _refers_to("log_entry.entry_id"), primary_key=True),
    sa.Column("key_id", StorableText, nullable=False, index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)

log_tile = sa.Table(
    "log_tile",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n", SEQUENCE_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("length(hashes) = 8192", name="only_full_tiles"),
    sa.CheckConstraint("length(root) = 32", name="root_is_sha256"),
)

log_checkpoint = sa.Table(
    "log_checkpoint",
    metadata,
    sa.Column("size", SEQUENCE_NUMBER, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", StorableText, nullable=False),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.CheckConstraint("length(root) = 32", name="root_is_sha256"),
)

decision = sa.Table(
    "decision",
    metadata,
    sa.Column("reference", StorableText, primary_key=True),
    sa.Column("model_slug", StorableText, nullable=False),
    sa.Column("model_version", StorableText, nullable=False),
    sa.Column("model_sha256", StorableText, nullable=False),
    sa.Column("register_version", sa.Integer, nullable=False),
    sa.Column(
        "status",
        sa.Enum(
            DecisionStatus,
            native_enum=False,
            length=32,
            values_callable=lambda statuses: [status.value for status in statuses],
        ),
        nullable=False,
    ),
    sa.Column("role", StorableText, nullable=False),
    sa.Column("decided_by", StorableText),
    sa.Column("model_outcome", StorableText, nullable=False),
    sa.Column("outcome", StorableText),
    sa.Column("diverted", sa.Boolean, nullable=False),
    sa.Column("decided_at", UtcDateTime),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Column("supersedes", StorableText, _refers_to("decision.reference"), unique=True),
    sa.Column("access_code_digest", sa.LargeBinary, nullable=False),
    sa.Column("key_id", StorableText, nullable=False),
    sa.Column("subject_id", StorableText, index=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Column("sealed_numbers", sa.LargeBinary),
    sa.Column("log_entry_id", StorableText, _refers_to("log_entry.entry_id"), nullable=False),
    sa.Column("issued_by", StorableText, nullable=False),
    sa.Index(None, "key_id"),
    sa.Index(None, "recorded_at", "reference"),
    sa.Index(None, "model_slug", "recorded_at", "reference"),
)

kept_document = sa.Table(
    "kept_document",
    metadata,
    sa.Column("id", StorableText, primary_key=True),
    sa.Column("decision_reference", StorableText, _refers_to("decision.reference"), nullable=False),
    sa.Column("audience", StorableText, nullable=False),
    sa.Column("language", StorableText, nullable=False),
    sa.Column("made_at", UtcDateTime, nullable=False),
    sa.Column("key_id", StorableText, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
    sa.Index(None, "decision_reference", "audience", "language", "made_at"),
)

explanation = sa.Table(
    "explanation",
    metadata,
    sa.Column("id", StorableText, primary_key=True),
    sa.Column("decision_reference", StorableText, _refers_to("decision.reference")),
    sa.Column("model_slug", StorableText, nullable=False),
    sa.Column("audience", StorableText, nullable=False),
    sa.Column("language", StorableText, nullable=False),
    sa.Column("produced_at", UtcDateTime, nullable=False),
    sa.Column("key_id", StorableText, nullable=False),
    sa.Column("sealed", sa.LargeBinary),
    sa.Column("kept_id", StorableText, _refers_to("kept_document.id")),
    sa.Column("said_day", StorableText),
    sa.Column("said_time", StorableText),
    sa.Column("log_entry_id", StorableText, _refers_to("log_entry.entry_id"), nullable=False),
    sa.Column("asked_by", StorableText, nullable=False),
    sa.CheckConstraint("(sealed IS NULL) <> (kept_id IS NULL)", name="kept_as_bytes_or_as_document"),
    sa.Index(None, "decision_reference", "produced_at"),
    sa.Index(None, "model_slug", "audience"),
)

api_key = sa.Table(
    "api_key",
    metadata,
    sa.Column("id", StorableText, primary_key=True),
    sa.Column("name", StorableText, nullable=False),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("revoked_at", UtcDateTime),
)

staff = sa.Table(
    "staff",
    metadata,
    sa.Column("id", StorableText, primary_key=True),
    sa.Column("user", StorableText, nullable=False, unique=True),
    sa.Column("password_hash", StorableText, nullable=False),
    sa.Column("roles", sa.JSON, nullable=False),
    sa.Column("token_digest", sa.LargeBinary, unique=True),
    sa.Column("active", sa.Boolean, nullable=False),
)

session = sa.Table(
    "session",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("kind", StorableText, nullable=False),
    sa.Column("belongs_to", StorableText, nullable=False),
    sa.Column("csrf", StorableText, nullable=False),
    sa.Column("expires_at", UtcDateTime, nullable=False),
)

noted_reading = sa.Table(
    "noted_reading",
    metadata,
    sa.Column("mark", sa.LargeBinary, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
)

answer = sa.Table(
    "answer",
    metadata,
    sa.Column("caller", StorableText, primary_key=True),
    sa.Column("key_digest", sa.LargeBinary, primary_key=True),
    sa.Column("body_digest", StorableText, nullable=False),
    sa.Column("reference", StorableText, nullable=False),
    sa.Column("sealed_answer", sa.LargeBinary, nullable=False),
    sa.Column("sealed_code", sa.LargeBinary),
    sa.Column("key_id", StorableText, nullable=False, index=True),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index(None, "created_at"),
)

erased_key = sa.Table(
    "erased_key",
    metadata,
    sa.Column("key_id", StorableText, primary_key=True),
    sa.Column("erased_at", UtcDateTime, nullable=False),
    sa.Column("basis", StorableText, nullable=False),
)

task = sa.Table(
    "task",
    metadata,
    sa.Column("id", StorableText, primary_key=True),
    sa.Column("kind", StorableText, nullable=False),
    sa.Column("decision_reference", StorableText, _refers_to("decision.reference"), nullable=False),
    sa.Column("opened_at", UtcDateTime, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("done_at", UtcDateTime),
    sa.Index(None, "decision_reference", "opened_at"),
    sa.Index(None, "done_at", "due_at"),
)

publication = sa.Table(
    "publication",
    metadata,
    sa.Column("slug", StorableText, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("published_at", UtcDateTime, nullable=False),
    sa.Column("sha256", StorableText, nullable=False),
    sa.Column("content", sa.LargeBinary, nullable=False),
)
