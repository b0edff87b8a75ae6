"""The key store: keys of decisions, apart from the database so that destroying one destroys it everywhere.

Backups of the database never hold these keys. Each is wrapped by a master key that the service keeps elsewhere; where
the wrapped keys lie is another matter: :class:`FileKeyStore` serves one machine, :class:`ServiceKeyStore` several.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from explainer.errors import ErasedError, SealingError, SettingsError
from explainer.transparency_log.group_commit import GroupCommit
from explainer.transparency_log.key_file import KeyFile
from explainer.transparency_log.key_service_client import KeyServiceClient
from explainer.transparency_log.sealing import KEY_SIZE

_NONCE_SIZE = 12
_CHECK_NAME = "made with this master key"


class KeyStore(Protocol):
    """Keeps keys. Safe for several threads and processes."""

    def get_or_create(self, key_id: str) -> bytes:
        """The key of this name, made when there was none; durable before this returns.

        Raises:
            ErasedError: If the key was destroyed; a name is never used again.
        """

    async def get_or_create_together(self, key_id: str) -> bytes:
        """The same for an event loop: keys that are asked for at the same moment are made durable together."""

    def get(self, key_id: str) -> bytes:
        """The key of this name.

        Raises:
            ErasedError: If the key was destroyed or never existed.
        """

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Destroy keys for good, all or none; doing it twice, or to a name that has no key, is no error.

        Returns:
            How many of them were not destroyed before.
        """


class WrappedKeys(Protocol):
    """Where wrapped keys lie. Nothing in there can be unwrapped without the master key."""

    @property
    def place(self) -> str:
        """Name for messages."""

    def find(self, key_id: str) -> tuple[bytes | None] | None:
        """The wrapped key of this name, (None,) where it was destroyed, None where there never was one."""

    def keep(self, offered: Mapping[str, bytes]) -> Mapping[str, bytes | None]:
        """Keep wrapped keys under names that have none; durable, and returns what is kept under every name now."""

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Destroy keys, all or none; returns how many of them were not destroyed before."""

    def keep_check(self, offered: bytes) -> bytes:
        """Keep what shows which master key wraps these keys, unless there is one already; returns the one kept."""


class WrappingKeyStore:
    """Keys that are wrapped here and kept elsewhere.

    Names must say nothing about a person: the name of a destroyed key stays.

    Args:
        keys: Where they are kept.
        master_key: 32 bytes, which never go there.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.
    """

    def __init__(self, keys: WrappedKeys, *, master_key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        if len(master_key) != KEY_SIZE:
            raise SettingsError(f"The master key of the key store must have {KEY_SIZE} bytes.")
        self._keys = keys
        self._master = AESGCM(master_key)
        self._random_bytes = random_bytes
        self._group_commit = GroupCommit[str, bytes](self._get_or_create_all)
        self._check_master_key()

    def get_or_create(self, key_id: str) -> bytes:
        """Return the key of this name, making it when there is none; durable before this returns.

        Args:
            key_id: Name of the key; must not say whose it is.

        Returns:
            32 bytes.

        Raises:
            ErasedError: If the key was destroyed.
            SealingError: If the store is damaged or cannot be written.
        """
        # Nearly always there is one already, and reading it needs no lock that others wait for.
        row = self._keys.find(key_id)
        wrapped = self._keys.keep({key_id: self._new(key_id)})[key_id] if row is None else row[0]
        return self._unwrap(key_id, wrapped)

    async def get_or_create_together(self, key_id: str) -> bytes:
        """Return the key of this name, made durable in one transaction with others that are asked for at this moment.

        Args:
            key_id: Name of the key; must not say whose it is.

        Returns:
            32 bytes.

        Raises:
            ErasedError: If the key was destroyed; the other keys are made all the same.
            SealingError: If the store is damaged or cannot be written.
        """
        return await self._group_commit.keep(key_id)

    def get(self, key_id: str) -> bytes:
        """Return the key of this name.

        Args:
            key_id: Name of the key.

        Returns:
            32 bytes.

        Raises:
            ErasedError: If the key was destroyed or never existed.
            SealingError: If the store is damaged or cannot be read.
        """
        row = self._keys.find(key_id)
        return self._unwrap(key_id, row[0] if row is not None else None)

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Destroy keys; records sealed under them can never be opened again.

        Args:
            key_ids: Names of the keys; names without a key are barred from getting one.

        Returns:
            How many of them were not destroyed before.

        Raises:
            SealingError: If the store cannot be written; the keys then still exist.
        """
        return self._keys.destroy(key_ids)

    def _get_or_create_all(self, key_ids: Sequence[str]) -> list[bytes | Exception]:
        kept = self._keys.keep({key_id: self._new(key_id) for key_id in dict.fromkeys(key_ids)})
        return [self._unwrapped_or_refused(key_id, kept[key_id]) for key_id in key_ids]

    def _unwrapped_or_refused(self, key_id: str, wrapped: bytes | None) -> bytes | Exception:
        try:
            return self._unwrap(key_id, wrapped)
        except (ErasedError, SealingError) as error:
            return error

    def _new(self, key_id: str) -> bytes:
        return self._wrap(key_id, self._random_bytes(KEY_SIZE))

    def _wrap(self, name: str, key: bytes) -> bytes:
        nonce = self._random_bytes(_NONCE_SIZE)
        # The name is authenticated, so that swapping two rows does not swap two people's keys.
        return nonce + self._master.encrypt(nonce, key, name.encode())

    def _unwrap(self, name: str, wrapped: bytes | None) -> bytes:
        if wrapped is None:
            raise ErasedError("The key was destroyed: the data is erased, the proof remains.")
        try:
            return self._master.decrypt(wrapped[:_NONCE_SIZE], wrapped[_NONCE_SIZE:], name.encode())
        except (InvalidTag, ValueError) as error:
            raise SealingError("A key in the key store is damaged, or was wrapped by another master key.") from error

    def _check_master_key(self) -> None:
        check = self._keys.keep_check(self._wrap(_CHECK_NAME, bytes(KEY_SIZE)))
        try:
            self._unwrap(_CHECK_NAME, check)
        except SealingError as error:
            raise SettingsError(f"The {self._keys.place} was made with another master key.") from error


class FileKeyStore(WrappingKeyStore):
    """Keys in a file of this machine.

    Args:
        path: The file, mode 0600; made when it is missing.
        master_key: 32 bytes, kept apart from this file.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.
    """

    def __init__(self, path: Path, *, master_key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        super().__init__(KeyFile(path), master_key=master_key, random_bytes=random_bytes)


class ServiceKeyStore(WrappingKeyStore):
    """Keys at a key service, for several machines that serve one city.

    Args:
        url: Address of the key service.
        token: What it knows this city by.
        master_key: 32 bytes, the same on every machine; they never go to the key service.
        random_bytes: Source of cryptographic randomness: number of bytes in, bytes out.
    """

    def __init__(self, url: str, token: str, *, master_key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        super().__init__(KeyServiceClient(url, token), master_key=master_key, random_bytes=random_bytes)
