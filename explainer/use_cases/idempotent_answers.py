"""Answers to repeatable requests: the same Idempotency-Key with the same body gets the first answer again."""

import hmac
import json
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from explainer.errors import IdempotencyConflictError
from explainer.use_cases.records import AnswerRecord
from explainer.use_cases.service import Service
from explainer.use_cases.stores import UnitOfWork
from models.errors import InputProblem, InvalidInputError

REPLAY_TIME = timedelta(hours=24)
"""How long an answer is kept with its access code."""

MAX_KEY_LENGTH = 200


@dataclass(frozen=True, kw_only=True)
class RepeatableRequest:
    """A request that may come twice.

    Attributes:
        caller: The case system: another system's equal Idempotency-Key is another request.
        key_digest: HMAC-SHA256 of the Idempotency-Key.
        body_digest: HMAC-SHA256 (hex) of the request's canonical body.
    """

    caller: str
    key_digest: bytes
    body_digest: str


def repeatable_request(service: Service, caller: str, idempotency_key: str, body: object) -> RepeatableRequest:
    """Identify a repeatable request.

    Args:
        service: The installation.
        caller: The case system.
        idempotency_key: As sent.
        body: Parsed JSON.

    Returns:
        Its identity, which holds nothing of the body in clear.

    Raises:
        InvalidInputError: If the key is empty or too long.
    """
    if not 1 <= len(idempotency_key) <= MAX_KEY_LENGTH:
        detail = f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} characters."
        raise InvalidInputError([InputProblem("", "bad_idempotency_key", detail)])
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    return RepeatableRequest(
        caller=caller,
        # Keyed, as the body is: case numbers make good keys, and a plain hash of one could be guessed.
        key_digest=hmac.new(service.server_key, b"idempotency key\n" + idempotency_key.encode(), sha256).digest(),
        # Keyed, because a plain hash of somebody's values could be guessed after their data were erased.
        body_digest=hmac.new(service.server_key, b"idempotency\n" + canonical, sha256).hexdigest(),
    )


def kept_answer(service: Service, request: RepeatableRequest) -> dict[str, Any] | None:
    """The answer given before, if there is one.

    Args:
        service: The installation.
        request: Identity of the request.

    Returns:
        The first answer with ``replayed`` set; after 24 hours without the access code.

    Raises:
        IdempotencyConflictError: If the key came before with another body.
        ErasedError: If the person's data were erased since.
    """
    with service.database.reading() as work:
        kept = work.answers.get(request.caller, request.key_digest)
    if kept is None:
        return None
    if kept.body_digest != request.body_digest:
        raise IdempotencyConflictError("This Idempotency-Key came before with another body; use a new key.")
    answer = _opened(service, kept)
    if service.clock() - kept.created_at > REPLAY_TIME:
        answer["access_code"] = None
    answer["replayed"] = True
    return answer


def keep_answer(
    service: Service, work: UnitOfWork, request: RepeatableRequest, answer: dict[str, Any], *, key_id: str
) -> None:
    """Keep an answer, sealed under the key of the person it is about, in the unit of work of the request itself.

    Codes of answers older than a day are forgotten on the way.

    Args:
        service: The installation.
        work: The request's unit of work.
        request: Identity of the request.
        answer: The answer with its access code.
        key_id: Key of the person.
    """
    now = service.clock()
    work.answers.forget_codes_before(now - REPLAY_TIME)
    context = f"answer:{answer['reference']}"
    without_code = json.dumps(answer | {"access_code": None}).encode()
    code = str(answer["access_code"]).encode()
    work.answers.add(
        AnswerRecord(
            caller=request.caller,
            key_digest=request.key_digest,
            body_digest=request.body_digest,
            reference=answer["reference"],
            sealed_answer=service.vault.seal(without_code, key_id=key_id, context=context),
            sealed_code=service.vault.seal(code, key_id=key_id, context=f"{context}:code"),
            key_id=key_id,
            created_at=now,
        )
    )


def _opened(service: Service, kept: AnswerRecord) -> dict[str, Any]:
    context = f"answer:{kept.reference}"
    answer: dict[str, Any] = json.loads(service.vault.open(kept.sealed_answer, key_id=kept.key_id, context=context))
    if kept.sealed_code is not None:
        code = service.vault.open(kept.sealed_code, key_id=kept.key_id, context=f"{context}:code")
        answer["access_code"] = code.decode()
    return answer
