"""Documents kept with their decision; an explanation either has bytes of its own or names the document it was made of.

Revision: 0002
After: 0001
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of kept documents and let explanations refer to it."""
    op.create_table(
        "kept_document",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("decision_reference", sa.Text(), nullable=False),
        sa.Column("audience", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_reference"],
            ["decision.reference"],
            name=op.f("fk_kept_document_decision_reference_decision"),
            initially="DEFERRED",
            deferrable=True,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_document")),
    )
    op.create_index(
        op.f("ix_kept_document_decision_reference_audience_language_made_at"),
        "kept_document",
        ["decision_reference", "audience", "language", "made_at"],
    )
    # SQLite cannot alter a column: there the table is written anew, rows and all, within the same transaction.
    with op.batch_alter_table("explanation") as explanation:
        explanation.alter_column("sealed", existing_type=sa.LargeBinary(), nullable=True)
        explanation.add_column(sa.Column("kept_id", sa.Text(), nullable=True))
        explanation.add_column(sa.Column("said_day", sa.Text(), nullable=True))
        explanation.add_column(sa.Column("said_time", sa.Text(), nullable=True))
        explanation.create_foreign_key(
            op.f("fk_explanation_kept_id_kept_document"),
            "kept_document",
            ["kept_id"],
            ["id"],
            deferrable=True,
            initially="DEFERRED",
        )
        explanation.create_check_constraint(
            op.f("ck_explanation_kept_as_bytes_or_as_document"), "(sealed IS NULL) <> (kept_id IS NULL)"
        )


def downgrade() -> None:
    """Refuse: explanations that refer to a kept document would be lost."""
    raise NotImplementedError("This cannot be taken back: explanations that refer to a kept document would be lost")
