"""Seals the personal part of decisions, explanations and log entries, and opens it again.

Every record has a data key of its own, wrapped by the key of the decision it belongs to. Destroying that one key erases
everything about the decision, in every backup of the database. A person is erased by destroying the keys of all their
decisions at once; what is recorded later has a new key.
"""

import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from hashlib import sha256
from typing import Any

from explainer.decisions.decision import PrivatePart, Provenance, Remedy
from explainer.errors import ErasedError
from explainer.transparency_log.key_store import KeyStore
from explainer.transparency_log.log_entry import PrivateFields
from explainer.transparency_log.sealing import SealedRecord, seal, unseal

_KEY_ID_SIZE = 16

SERVICE_KEY_ID = "service"
"""Key for sealed log parts that are about no person, such as a model that was registered."""


class OpenKey:
    """One key, read for one request: what is sealed or opened with it needs no further look into the key store.

    It must not outlive the request: a key that was destroyed would go on opening records.

    Args:
        key: 32 bytes.
        random_bytes: Source of randomness.
    """

    def __init__(self, key: bytes, random_bytes: Callable[[int], bytes]) -> None:
        self._key = key
        self._random_bytes = random_bytes

    def seal(self, plaintext: bytes, *, context: str) -> bytes:
        """Seal bytes; see :meth:`Vault.seal`."""
        return seal(plaintext, subject_key=self._key, context=context, random_bytes=self._random_bytes).to_bytes()

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Open sealed bytes; see :meth:`Vault.open`."""
        return unseal(SealedRecord.from_bytes(sealed), subject_key=self._key, context=context)

    def seal_log_part(self, private: PrivateFields, *, entry_id: str) -> bytes:
        """Seal what a log entry commits to: salts and values, so that it can be disclosed later."""
        fields = {name: [salt.hex(), value] for name, (salt, value) in private.items()}
        return self.seal(json.dumps(fields).encode(), context=f"log:{entry_id}")

    def open_log_part(self, sealed: bytes, *, entry_id: str) -> PrivateFields:
        """Open what :meth:`seal_log_part` sealed."""
        fields = json.loads(self.open(sealed, context=f"log:{entry_id}"))
        return {name: (bytes.fromhex(salt), value) for name, (salt, value) in fields.items()}


class Vault:
    """Seals and opens bytes under named keys.

    Args:
        key_store: Where the keys live, apart from the database.
        index_key: 32 bytes; turns a subject's pseudonym into a tag that says nothing.
        random_bytes: Source of randomness.
        erased_at: Says when a key was erased, or None where nobody noted it.
    """

    def __init__(
        self,
        key_store: KeyStore,
        index_key: bytes,
        random_bytes: Callable[[int], bytes],
        *,
        erased_at: Callable[[str], datetime | None] = lambda _key_id: None,
    ) -> None:
        self._key_store = key_store
        self._index_key = index_key
        self._random_bytes = random_bytes
        self._erased_at = erased_at

    def subject_id_for(self, subject_reference: str | None, *, owner: str) -> str | None:
        """Tag that the decisions of one person share, so that they can be found and erased together.

        Args:
            subject_reference: The case system's pseudonym of the person, or None.
            owner: Whose pseudonym it is: two case systems may give the same one to two persons.

        Returns:
            A tag from which neither can be read without the server key; None where nobody is known.
        """
        if subject_reference is None:
            return None
        known = f"subject\n{owner}\n{subject_reference}"
        return hmac.new(self._index_key, known.encode(), sha256).hexdigest()[:32]

    def new_key_id(self) -> str:
        """Name for a new key: random, so that it says nothing and was never used before."""
        return self._random_bytes(_KEY_ID_SIZE).hex()

    def seal(self, plaintext: bytes, *, key_id: str, context: str) -> bytes:
        """Seal bytes under a key that is durable before this returns.

        Args:
            plaintext: What to seal.
            key_id: Name of the key; it is created when it does not exist.
            context: What the bytes are and whose; opening them in another context fails.

        Returns:
            Sealed bytes.

        Raises:
            ErasedError: If this key was destroyed: nothing new is sealed about an erased person under it.
        """
        return self.key_for_sealing(key_id).seal(plaintext, context=context)

    def open(self, sealed: bytes, *, key_id: str, context: str) -> bytes:
        """Open sealed bytes.

        Args:
            sealed: As returned by :meth:`seal`.
            key_id: Name of the key.
            context: As given when sealing.

        Returns:
            The plaintext.

        Raises:
            ErasedError: If the key was destroyed.
            SealingError: If the bytes were changed or belong to another context.
        """
        return self.key(key_id).open(sealed, context=context)

    def key(self, key_id: str) -> OpenKey:
        """Read a key for one request.

        Args:
            key_id: Name of the key.

        Returns:
            The key.

        Raises:
            ErasedError: If it was destroyed or never existed.
        """
        try:
            return OpenKey(self._key_store.get(key_id), self._random_bytes)
        except ErasedError as error:
            erased_at = self._erased_at(key_id)
            if erased_at is None:
                raise
            raise ErasedError.on(erased_at) from error

    def destroy(self, key_ids: Sequence[str]) -> int:
        """Destroy keys for good, all or none.

        Returns:
            How many of them were not destroyed before.
        """
        return self._key_store.destroy(key_ids)

    def key_for_sealing(self, key_id: str) -> OpenKey:
        """Read a key for one request, made where there is none; errors as :meth:`seal`."""
        return OpenKey(self._key_store.get_or_create(key_id), self._random_bytes)

    async def new_key(self, key_id: str) -> OpenKey:
        """Make a key for one request, durable together with others of this moment; errors as :meth:`seal`."""
        return OpenKey(await self._key_store.get_or_create_together(key_id), self._random_bytes)

    def seal_private_part(self, private: PrivatePart, *, reference: str, key_id: str) -> bytes:
        """Seal the personal part of a decision."""
        return self.seal(_private_to_json(private), key_id=key_id, context=f"decision:{reference}")

    def open_private_part(self, sealed: bytes, *, reference: str, key_id: str) -> PrivatePart:
        """Open the personal part of a decision."""
        return _private_from_json(self.open(sealed, key_id=key_id, context=f"decision:{reference}"))


def _private_to_json(private: PrivatePart) -> bytes:
    remedy = private.remedy
    content: Mapping[str, Any] = {
        "case_reference": private.case_reference,
        "subject_reference": private.subject_reference,
        "inputs": dict(private.inputs),
        "sources": {
            name: {"source": origin.source, "as_of": origin.as_of.isoformat() if origin.as_of else None}
            for name, origin in private.sources.items()
        },
        "unused_inputs": list(private.unused_inputs),
        "reasons": private.reasons,
        "special_circumstances": private.special_circumstances,
        "remedy": None
        if remedy is None
        else {"kind": remedy.kind, "text": remedy.text, "until": remedy.until.isoformat() if remedy.until else None},
        "score": private.score,
        "fired_rule": private.fired_rule,
        "near_threshold": private.near_threshold,
    }
    return json.dumps(content, ensure_ascii=False).encode()


def _private_from_json(raw: bytes) -> PrivatePart:
    content = json.loads(raw)
    remedy = content["remedy"]
    return PrivatePart(
        case_reference=content["case_reference"],
        subject_reference=content["subject_reference"],
        inputs=content["inputs"],
        sources={
            name: Provenance(source=origin["source"], as_of=_date(origin["as_of"]))
            for name, origin in content["sources"].items()
        },
        unused_inputs=tuple(content["unused_inputs"]),
        reasons=content["reasons"],
        special_circumstances=content["special_circumstances"],
        remedy=remedy and Remedy(kind=remedy["kind"], text=remedy["text"], until=_date(remedy["until"])),
        score=content["score"],
        # Missing in what earlier versions sealed.
        fired_rule=content.get("fired_rule"),
        near_threshold=content.get("near_threshold", False),
    )


def _date(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
