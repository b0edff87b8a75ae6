"""Witnesses cosign what grows, raise the alarm where the log shrank or was rewritten, and never hold up an answer."""

import base64
import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.errors import SettingsError, VerificationError
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEvent
from explainer.transparency_log.merkle import verify_consistency
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.witness_policy import read_witness_policy
from explainer.use_cases.ask_witnesses import COSIGNED, ask_witnesses
from explainer.use_cases.check_health import readiness
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.read_log import checkpoint
from explainer.use_cases.service import Service

KEY = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
NAME = "witness.example"
ENCODED = b"\x04" + KEY.public_key().public_bytes_raw()
KEY_ID = hashlib.sha256(NAME.encode() + b"\n" + ENCODED).digest()[:4]
VKEY = f"{NAME}+{KEY_ID.hex()}+{base64.b64encode(ENCODED).decode()}"
MOMENT = 1_764_000_000


class TestWitness:
    """A witness as C2SP tlog-witness describes it, with a memory that tests may change."""

    __test__ = False

    def __init__(self, vkey: str) -> None:
        self.verifier = NoteVerifier.from_vkey(vkey)
        self.size, self.root = 0, b""
        self.asked = 0
        self.spoils_signatures = False

    def answer(self, body: str) -> tuple[int, str]:
        self.asked += 1
        head, _, note = body.partition("\n\n")
        first, *proof = head.split("\n")
        seen = open_checkpoint(note, [self.verifier])
        old = int(first.removeprefix("old "))
        if old != self.size:
            return 409, f"{self.size}\n"
        try:
            if old:
                hashes = [base64.b64decode(line) for line in proof]
                verify_consistency(old, self.root, seen.tree_size, seen.root_hash, hashes)
        except VerificationError:
            return 422, ""
        self.size, self.root = seen.tree_size, seen.root_hash
        text = note.rpartition("\n\n")[0] + "\n"
        signature = KEY.sign(f"cosignature/v1\ntime {MOMENT}\n{text}".encode())
        if self.spoils_signatures:
            signature = bytes(64)
        line = base64.b64encode(KEY_ID + MOMENT.to_bytes(8) + signature).decode()
        return 200, f"— {NAME} {line}\n"


@contextmanager
def listening(witness: TestWitness) -> Iterator[str]:
    class Requests(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status, content = witness.answer(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(status)
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 -- the library's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Requests)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    built = build_service(demo_settings(tmp_path / "city", port=8000))
    yield built
    built.database.dispose()


@pytest.fixture
def witness(service: Service) -> TestWitness:
    return TestWitness(service.log_vkey)


def policy_file(folder: Path, address: str, *more: str) -> Path:
    path = folder / "policy"
    path.write_text("\n".join([f"witness neighbour {VKEY} {address}", *more]) + "\n")
    return path


def grow(service: Service, number: int = 1) -> None:
    for _ in range(number):
        with service.database.writing() as work:
            write_log_entry(service, work, LogEvent.POLICY_CHANGED, caller=None)


def asked(service: Service, witness: TestWitness, folder: Path, *more: str) -> dict[str, str]:
    with listening(witness) as address:
        return dict(ask_witnesses(service, read_witness_policy(policy_file(folder, address, *more))))


def test_what_a_witness_signed_is_served_with_the_checkpoint_and_still_verifies(
    service: Service, witness: TestWitness, tmp_path: Path
) -> None:
    for _ in range(3):
        grow(service, 5)
        assert asked(service, witness, tmp_path) == {"neighbour": COSIGNED}
        note = checkpoint(service)
        assert f"\n— {NAME} " in note
        assert open_checkpoint(note, [NoteVerifier.from_vkey(service.log_vkey)]).tree_size == witness.size
    grow(service)
    assert NAME not in checkpoint(service)


def test_nobody_is_asked_twice_for_the_same_checkpoint(service: Service, witness: TestWitness, tmp_path: Path) -> None:
    for _ in range(2):
        assert asked(service, witness, tmp_path) == {"neighbour": COSIGNED}
    assert witness.asked == 1


def test_a_witness_that_knows_an_earlier_size_of_this_log_is_asked_from_there(
    service: Service, witness: TestWitness, tmp_path: Path
) -> None:
    seen = open_checkpoint(checkpoint(service), [NoteVerifier.from_vkey(service.log_vkey)])
    witness.size, witness.root = seen.tree_size, seen.root_hash
    grow(service)
    assert asked(service, witness, tmp_path) == {"neighbour": COSIGNED}
    assert witness.asked == 2


def test_a_log_that_shrank_or_was_rewritten_is_an_alarm(
    service: Service, witness: TestWitness, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    witness.size, witness.root = 10_000, bytes(32)
    shrank = asked(service, witness, tmp_path)["neighbour"]
    witness.size = 1
    rewritten = asked(service, witness, tmp_path)["neighbour"]
    assert "ALARM" in shrank
    assert "it shrank" in shrank
    assert "ALARM" in rewritten
    assert "does not continue" in rewritten
    assert sum(record.levelno == logging.CRITICAL for record in caplog.records) == 2
    assert NAME not in checkpoint(service)


def test_a_signature_that_does_not_hold_is_not_kept(service: Service, witness: TestWitness, tmp_path: Path) -> None:
    witness.spoils_signatures = True
    assert "does not hold" in asked(service, witness, tmp_path)["neighbour"]
    assert NAME not in checkpoint(service)


def test_a_witness_that_is_not_there_changes_nothing_but_what_readiness_says(service: Service, tmp_path: Path) -> None:
    policy = read_witness_policy(policy_file(tmp_path, "http://127.0.0.1:9", "quorum neighbour"))
    service.witness_states.update(ask_witnesses(service, policy))
    grow(service)
    found = readiness(service)
    assert found.ready
    assert "has not cosigned" in found.witnesses["neighbour"]
    assert found.witnesses["quorum"] == "not met"


def test_a_quorum_counts_witnesses_and_groups(tmp_path: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes([8]) * 32)
    encoded = b"\x04" + other.public_key().public_bytes_raw()
    key_id = hashlib.sha256(b"w2\n" + encoded).digest()[:4].hex()
    policy = read_witness_policy(
        policy_file(
            tmp_path,
            "http://127.0.0.1:9",
            "# two of them",
            f"witness second w2+{key_id}+{base64.b64encode(encoded).decode()} https://w2.example/",
            "group either any neighbour second",
            "group both all neighbour second",
            "group nested 2 either both",
            "quorum nested",
        )
    )
    assert policy.is_met({"neighbour", "second"})
    assert not policy.is_met({"neighbour"})
    assert read_witness_policy(policy_file(tmp_path, "http://127.0.0.1:9")).is_met(set())


@pytest.mark.parametrize(
    "line",
    [
        "witness neighbour",
        "quorum nobody",
        "group g 3 neighbour",
        "group g all stranger",
        f"witness w {VKEY[:-4]}AAA= https://w.example",
        f"witness w {VKEY} ftp://w.example",
        "surprise",
    ],
)
def test_a_policy_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match="witness"):
        read_witness_policy(policy_file(tmp_path, "http://127.0.0.1:9", line))
