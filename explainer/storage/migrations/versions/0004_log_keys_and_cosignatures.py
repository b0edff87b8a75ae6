"""The log's keys with the tree sizes they sign, and what witnesses signed.

Revision: 0004
After: 0003
"""

import sqlalchemy as sa
from alembic import op

from explainer.storage.column_types import SEQUENCE_NUMBER

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables; the key in use is listed by the start that follows."""
    op.create_table(
        "log_key",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("from_size", SEQUENCE_NUMBER, nullable=False),
        sa.Column("to_size", SEQUENCE_NUMBER, nullable=True),
        sa.CheckConstraint("to_size IS NULL OR to_size >= from_size", name=op.f("ck_log_key_ends_after_it_begins")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_log_key")),
        sa.UniqueConstraint("vkey", name=op.f("uq_log_key_vkey")),
    )
    op.create_table(
        "log_cosignature",
        sa.Column("size", SEQUENCE_NUMBER, autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["size"],
            ["log_checkpoint.size"],
            name=op.f("fk_log_cosignature_size_log_checkpoint"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("size", "witness", name=op.f("pk_log_cosignature")),
    )


def downgrade() -> None:
    """Refuse: it would be forgotten which keys have signed the log."""
    raise NotImplementedError("This cannot be taken back: it would be forgotten which keys have signed the log")
