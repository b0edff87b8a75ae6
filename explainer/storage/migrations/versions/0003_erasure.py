"""Every decision has a key of its own, what is erased is noted, and nothing is left in clear to hold a guess against.

Revision: 0003
After: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Tag decisions by person, note erased keys, and drop what is kept sealed elsewhere."""
    op.add_column("decision", sa.Column("subject_id", sa.Text(), nullable=True))
    # Until now the name of a person's key was this tag.
    op.execute("UPDATE decision SET subject_id = key_id")
    op.create_index(op.f("ix_decision_subject_id"), "decision", ["subject_id"])
    op.create_index(op.f("ix_decision_key_id"), "decision", ["key_id"])
    op.create_index(op.f("ix_log_sealed_key_id"), "log_sealed", ["key_id"])
    op.create_index(op.f("ix_answer_key_id"), "answer", ["key_id"])
    op.drop_column("decision", "fired_rule")
    op.drop_column("decision", "near_threshold")
    # The digest stands in the sealed part of the entry that records the delivery.
    op.drop_column("explanation", "sha256")
    op.create_table(
        "erased_key",
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_erased_key")),
    )


def downgrade() -> None:
    """Refuse: what was erased would be forgotten to be so."""
    raise NotImplementedError("This cannot be taken back: it would be forgotten what was erased")
