"""Which keys sign the log's next checkpoint: one, or two while a key is being replaced."""

from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from explainer.errors import SettingsError
from explainer.storage.tables import log_key
from explainer.transparency_log.log_key import missing_key
from explainer.transparency_log.signed_note import NoteSigner
from explainer.use_cases.records import LogKeyRecord

SignerOf = Callable[[str], NoteSigner]
"""Gives the signer of a vkey; raises SettingsError where this installation does not hold its private key."""

KEY_CHANGES = sa.select(sa.func.count(log_key.c.number) + sa.func.count(log_key.c.to_size)).scalar_subquery()
"""A number that grows with every key that is added or retired, so that keys need not be read for each batch."""

_KEYS = sa.select(log_key).order_by(log_key.c.number)


def log_keys(connection: Connection) -> Sequence[LogKeyRecord]:
    """Every key the log has had, oldest first, with the tree sizes it signs."""
    return [LogKeyRecord(**row) for row in connection.execute(_KEYS).mappings()]


def vkey_origin(vkey: str) -> str:
    """Name of the log a vkey belongs to."""
    return vkey.partition("+")[0]


class LogSigners:
    """Finds the signers of the keys that the database lists.

    Args:
        first: The key in the key file; its name is the origin of the current epoch.
        signer_of: Finds the others.
    """

    def __init__(self, first: NoteSigner, signer_of: SignerOf | None = None) -> None:
        self._first = first
        self._signer_of = signer_of or _refuse
        self._found: dict[str, NoteSigner] = {first.vkey: first}
        self._listed: tuple[int, tuple[LogKeyRecord, ...]] = (-1, ())

    @property
    def origin(self) -> str:
        """Name of the log."""
        return self._first.name

    @property
    def first(self) -> NoteSigner:
        """The key that starts a log."""
        return self._first

    def signing(self, connection: Connection, *, key_changes: int | None, size: int) -> list[NoteSigner]:
        """The signers of a checkpoint.

        Args:
            connection: A connection that holds the log's lock.
            key_changes: :data:`KEY_CHANGES` as it was committed; None where this very transaction changes keys, so that
                nothing is kept of what may be rolled back.
            size: Size of the tree to be signed.

        Returns:
            At least one signer, oldest key first.

        Raises:
            SettingsError: A private key is missing: signing without it would break off what its holders can verify.
        """
        changes, keys = self._listed
        if changes != key_changes:
            keys = tuple(log_keys(connection))
            if key_changes is not None:
                self._listed = (key_changes, keys)
        listed = [key for key in keys if key.signs(size) and vkey_origin(key.vkey) == self.origin]
        if not listed:
            raise SettingsError(f"The database lists no key that may sign the log {self.origin} at {size} entries.")
        return [self.signer(key.vkey) for key in listed]

    def signer(self, vkey: str) -> NoteSigner:
        """The signer of a key.

        Raises:
            SettingsError: If its private key is missing.
        """
        if vkey not in self._found:
            self._found[vkey] = self._signer_of(vkey)
        return self._found[vkey]


def _refuse(vkey: str) -> NoteSigner:
    raise missing_key(vkey)
