"""Caseworkers' tasks in SQL."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.errors import NotFoundError
from explainer.storage.column_types import UtcDateTime
from explainer.storage.rows import refusing_duplicates, row_from
from explainer.storage.tables import task
from explainer.use_cases.records import TaskRecord


class SqlTaskStore:
    """Keeps caseworkers' tasks; see ``use_cases.stores.TaskStore``.

    Args:
        connection: The unit of work's connection.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: TaskRecord) -> None:
        """Insert a task.

        Args:
            record: The task; its decision must exist when the unit of work commits.

        Raises:
            ConflictError: The id exists.
        """
        with refusing_duplicates(self._connection, f"A task with the id {record.id} exists already"):
            self._connection.execute(sa.insert(task), row_from(record))

    def open_tasks(self, *, limit: int) -> Sequence[TaskRecord]:
        """Tasks not done, due first."""
        query = sa.select(task).where(task.c.done_at.is_(None)).order_by(task.c.due_at, task.c.id).limit(limit)
        return [TaskRecord(**row) for row in self._connection.execute(query).mappings()]

    def for_decision(self, reference: str) -> Sequence[TaskRecord]:
        """All tasks of one decision, oldest first."""
        query = sa.select(task).where(task.c.decision_reference == reference).order_by(task.c.opened_at, task.c.id)
        return [TaskRecord(**row) for row in self._connection.execute(query).mappings()]

    def finish(self, task_id: str, *, at: datetime) -> None:
        """Mark a task as done; a task that is done keeps the moment it was first done.

        Args:
            task_id: Which task.
            at: When it was done.

        Raises:
            NotFoundError: No task has this id.
        """
        first_done = sa.func.coalesce(task.c.done_at, sa.literal(at, UtcDateTime))
        changed = self._connection.execute(sa.update(task).where(task.c.id == task_id).values(done_at=first_done))
        if changed.rowcount == 0:
            raise NotFoundError(f"There is no task with the id {task_id}")
