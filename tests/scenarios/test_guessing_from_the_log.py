"""Whoever has every public byte of the log and guesses well still finds nothing personal in it."""

import hmac
import itertools
import json
import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.transparency_log.canonical_json import canonical_bytes
from explainer.transparency_log.log_entry import COMMITTED_FIELDS, LogEvent, build_entry, parse_leaf
from explainer.use_cases.callers import CaseSystem, Staff, Subject
from explainer.use_cases.explain_decision import explain_decision, read_explanation
from explainer.use_cases.read_decisions import read_decision
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from explainer.use_cases.supersede_decision import supersede_decision
from tests.api.test_record_decision import a_request
from tests.demo_city import free_port

HOUSING = CaseSystem("key-1", "Wohnen")
STAFF = Staff("s-1", "meier", frozenset({"caseworker"}))
PERSON, CASE = "P-0815", "WG-2026-17"
NO_SALT = bytes(32)
_HEX = re.compile(rb"[0-9a-f]{32,64}")


def a_busy_city(folder: Path) -> tuple[Service, dict[str, Any], list[bytes]]:
    """A city in which one person's case went through everything, and every leaf of its log."""
    settings = demo_settings(folder, port=free_port()).model_copy(update={"load_models": "when_needed"})
    service = build_service(settings)
    request = a_request(subject_reference=PERSON, case_reference=CASE)
    answer = record_decision(service, HOUSING, request)
    reference = answer["reference"]
    told = explain_decision(service, Subject(reference), reference, language="de")
    explain_decision(service, STAFF, reference, language="en", purpose="complaint", legal_basis="SGB X § 25")
    read_decision(service, STAFF, reference)
    read_explanation(service, STAFF, told.id)
    final = {"outcome": answer["model_outcome"], "reasons": "Wir haben alles noch einmal angesehen."}
    supersede_decision(service, STAFF, reference, final)
    with service.database.reading() as work:
        leaves = list(work.log.leaves(0, work.log.tree_size()))
    known = {**request, "reference": reference, "explanation": told.id, "digest": told.sha256}
    return service, known, leaves


def guesses(known: dict[str, Any]) -> list[Any]:
    """What somebody would try: every age, postcode, income and outcome, and what they know of the case already."""
    values: list[Any] = [*range(100_000), *(f"{code:05d}" for code in range(100_000))]
    values += [amount / 2 for amount in range(10_000)]
    values += [*known["inputs"], *known["inputs"].values(), known["inputs"]]
    values += [PERSON, CASE, known["reference"], known["explanation"], known["digest"], STAFF.staff_id, STAFF.user]
    values += ["subject", "service", f"staff:{STAFF.staff_id}", "case_system:Wohnen", "own decision", "complaint"]
    values += [["own decision", "ai-act-86"], ["complaint", "SGB X § 25"], "detailed_check", "short_check", True, False]
    return values


def found_by_guessing(leaves: Iterable[bytes], values: Iterable[Any]) -> set[bytes]:
    """Every hexadecimal string of the leaves that is some digest of a guess, without a salt or with an obvious one."""
    public = {bytes.fromhex(text.decode()) for leaf in leaves for text in _HEX.findall(leaf) if len(text) % 2 == 0}
    fields = [name.encode() for name in COMMITTED_FIELDS]
    found = set()
    for value in values:
        spelt = canonical_bytes(value)
        text = value.encode() if isinstance(value, str) else spelt
        digests = [sha256(spelt).digest(), sha256(text).digest(), sha256(json.dumps(value).encode()).digest()]
        digests += [sha256(NO_SALT + text).digest(), hmac.digest(b"", text, "sha256")]
        for field in fields:
            digests.append(sha256(b"klarbescheid/v1 commit\x00" + field + b"\x00" + spelt).digest())
            digests.append(sha256(b"klarbescheid/v1 commit\x00" + NO_SALT + field + b"\x00" + spelt).digest())
        found |= public.intersection(itertools.chain(digests, (one[:16] for one in digests)))
    return found


def test_guessing_finds_nothing_in_the_public_leaves(tmp_path: Path) -> None:
    service, known, leaves = a_busy_city(tmp_path / "city")
    service.database.dispose()
    events = {parse_leaf(leaf).t for leaf in leaves}
    assert events >= {
        LogEvent.MODEL_REGISTERED,
        LogEvent.REGISTER_PUBLISHED,
        LogEvent.DECISION_RECORDED,
        LogEvent.DECISION_READ,
        LogEvent.DECISION_SUPERSEDED,
        LogEvent.EXPLANATION_REQUESTED,
        LogEvent.EXPLANATION_DELIVERED,
        LogEvent.EXPLANATION_READ,
    }
    assert found_by_guessing(leaves, guesses(known)) == set()
    everything = b"\n".join(leaves)
    for plain in (PERSON, CASE, known["reference"], known["explanation"], known["digest"], STAFF.user, "complaint"):
        assert plain.encode() not in everything


def test_the_same_guessing_opens_commitments_without_salt() -> None:
    """The broken twin: were salts forgotten, every guess would hit."""
    from datetime import UTC, datetime

    def no_salt(size: int) -> bytes:
        return bytes(size)

    known = {"subject": 47, "decision": "KB-7F3K-9QXW-2M", "purpose": ["own decision", "ai-act-86"]}
    entry, _ = build_entry(
        LogEvent.DECISION_RECORDED, at=datetime(2026, 11, 25, tzinfo=UTC), random_bytes=no_salt, private=known
    )
    hits = found_by_guessing([entry.leaf_bytes()], [46, 47, "KB-7F3K-9QXW-2M", ["own decision", "ai-act-86"]])
    assert len(hits) == 3
