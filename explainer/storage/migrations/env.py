"""Runs migrations over the connection and inside the transaction that ``explainer.storage.schema`` hands over."""

from alembic import context

from explainer.storage.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError(
        "Migrations are run by SqlDatabase.migrate(), which holds the writers' lock; not by alembic alone"
    )

context.configure(
    connection=connection,
    target_metadata=metadata,
    # The transaction is ours: schema, triggers and the checkpoint of the empty log commit together or not at all.
    transactional_ddl=True,
)
context.run_migrations()
