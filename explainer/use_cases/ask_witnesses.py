"""Have witnesses cosign the newest checkpoint, beside the requests: no answer ever waits for a witness."""

import logging
import threading
from collections.abc import Mapping

from explainer.errors import VerificationError
from explainer.transparency_log.anchor_file import Anchor
from explainer.transparency_log.signed_note import NoteSignature
from explainer.transparency_log.tree import Tree
from explainer.transparency_log.witness_client import WitnessAlarmError, WitnessConflictError, add_checkpoint
from explainer.transparency_log.witness_policy import Witness, WitnessPolicy
from explainer.use_cases.service import Service

_LOGGER = logging.getLogger(__name__)

COSIGNED = "cosigned"


def ask_witnesses(service: Service, policy: WitnessPolicy) -> Mapping[str, str]:
    """Ask every witness that has not cosigned the newest checkpoint yet.

    Args:
        service: The installation.
        policy: The witnesses.

    Returns:
        Witness to ``cosigned``, or to a sentence that says what is wrong. Where a witness says that the log shrank or
        was rewritten, the sentence begins with ALARM and stands in the server's log as well. Where the policy has a
        quorum, ``quorum`` to ``met`` or ``not met``.
    """
    note = service.database.released_checkpoint()
    states = {witness.name: _asked(service, witness, note) for witness in policy.witnesses}
    if policy.quorum is not None:
        met = policy.is_met({name for name, state in states.items() if state == COSIGNED})
        states["quorum"] = "met" if met else "not met"
        if not met:
            _LOGGER.warning("Too few witnesses have cosigned the newest checkpoint: %s is not met.", policy.quorum)
    return states


def keep_asking(service: Service, policy: WitnessPolicy, ended: threading.Event, *, seconds: float) -> None:
    """Ask again and again until the service ends.

    Args:
        service: The installation; ``witness_states`` is kept up to date.
        policy: The witnesses.
        ended: Set when the service ends.
        seconds: Pause between two rounds.
    """
    while not ended.wait(seconds):
        try:
            if service.database.read_only_reason is None:
                service.witness_states.update(ask_witnesses(service, policy))
        except Exception:
            # Whatever it is, the next round may work; answers do not depend on it.
            _LOGGER.exception("The witnesses could not be asked.")


def _asked(service: Service, witness: Witness, note: str) -> str:
    checkpoint = Anchor.of(note).checkpoint
    with service.database.reading() as work:
        last = work.log.last_cosigned(witness.name)
    if last == checkpoint.tree_size:
        return COSIGNED
    try:
        try:
            signature = _sent(service, witness, note, last or 0)
        except WitnessConflictError as conflict:
            if conflict.size > checkpoint.tree_size:
                raise WitnessAlarmError(
                    f"The witness {witness.name} has cosigned {conflict.size} entries, this log has "
                    f"{checkpoint.tree_size}: it shrank."
                ) from conflict
            signature = _sent(service, witness, note, conflict.size)
    except WitnessAlarmError as alarm:
        _LOGGER.critical("ALARM. %s", alarm)
        return f"ALARM. {alarm}"
    except (OSError, VerificationError) as error:
        _LOGGER.warning("The witness %s has not cosigned: %s", witness.name, error)
        return f"The witness {witness.name} has not cosigned: {error}"
    with service.database.writing() as work:
        work.log.add_cosignature(checkpoint.tree_size, witness.name, str(signature), at=service.clock())
    return COSIGNED


def _sent(service: Service, witness: Witness, note: str, old_size: int) -> NoteSignature:
    with service.database.reading() as work:
        proof = Tree(work.log.tiles(), Anchor.of(note).checkpoint.tree_size).consistency_proof(old_size)
    return add_checkpoint(witness, note, old_size=old_size, proof=proof)
