"""While a key is replaced both sign; nobody who knows one of them is left behind, and no process goes on with one."""

import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from explainer.app import build_service, log_key_holder
from explainer.demo.run_demo import demo_settings
from explainer.errors import BadSignatureError, ConflictError, MalformedLeafError, SettingsError
from explainer.settings import Settings
from explainer.transparency_log.checkpoint import open_checkpoint
from explainer.transparency_log.log_entry import LogEvent, build_entry, parse_leaf
from explainer.transparency_log.log_key import LogKeyFiles
from explainer.transparency_log.signed_note import NoteVerifier
from explainer.transparency_log.signer_process import SignerServer, SignerSocket
from explainer.transparency_log.verify import verify_log
from explainer.use_cases.log_writing import write_log_entry
from explainer.use_cases.read_log import checkpoint, published_keys, tile
from explainer.use_cases.rotate_log_key import begin_key_rotation, end_key_rotation
from explainer.use_cases.service import Service

Start = Callable[..., Service]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return demo_settings(tmp_path / "city", port=8000).model_copy(update={"load_models": "when_needed"})


@pytest.fixture
def start(settings: Settings) -> Iterator[Start]:
    started: list[Service] = []

    def start(**changed: object) -> Service:
        started.append(build_service(settings.model_copy(update=changed)))
        return started[-1]

    yield start
    for service in started:
        service.database.dispose()


def grow(service: Service) -> str:
    with service.database.writing() as work:
        write_log_entry(service, work, LogEvent.POLICY_CHANGED, caller=None)
    return checkpoint(service)


def signed_by(note: str, vkey: str) -> bool:
    try:
        open_checkpoint(note, [NoteVerifier.from_vkey(vkey)])
    except BadSignatureError:
        return False
    return True


def rotate(service: Service) -> str:
    return begin_key_rotation(service, log_key_holder(service.settings))


def test_both_keys_sign_during_the_overlap_and_the_new_one_alone_afterwards(start: Start) -> None:
    service = start()
    old = service.log_vkey
    before = checkpoint(service)
    new = rotate(service)
    assert old != new == service.log_vkey
    assert not signed_by(before, new)
    for note in (checkpoint(service), grow(service)):
        assert signed_by(note, old)
        assert signed_by(note, new)
    assert end_key_rotation(service) == old
    for note in (checkpoint(service), grow(service)):
        assert not signed_by(note, old)
        assert signed_by(note, new)


def test_another_process_signs_with_the_new_key_from_its_next_entry_on(start: Start) -> None:
    first, second = start(), start()
    old = grow(second) and second.log_vkey
    new = rotate(first)
    assert signed_by(grow(second), new)
    end_key_rotation(first)
    note = grow(second)
    assert signed_by(note, new)
    assert not signed_by(note, old)


def test_keys_are_published_with_the_tree_sizes_they_sign(start: Start) -> None:
    service = start()
    old = service.log_vkey
    sizes = [int(checkpoint(service).splitlines()[1])]
    new = rotate(service)
    sizes.append(int(grow(service).splitlines()[1]))
    assert published_keys(service) == {
        "keys": [
            {"vkey": new, "from_size": sizes[0] + 1, "to_size": None},
            {"vkey": old, "from_size": 0, "to_size": None},
        ],
        "earlier": [],
    }
    end_key_rotation(service)
    assert published_keys(service)["keys"][1] == {"vkey": old, "from_size": 0, "to_size": sizes[1]}


def test_the_log_itself_names_the_keys_that_came_and_went(start: Start) -> None:
    service = start()
    old = service.log_vkey
    new = rotate(service)
    end_key_rotation(service)
    with service.database.reading() as work:
        entries = [parse_leaf(record.leaf) for record in work.log.newest(limit=2, event="key.rotated")]
    assert [(entry.outcome, entry.key) for entry in entries] == [("retired", old), ("added", new)]


def test_an_outsider_with_either_key_verifies_and_with_an_older_checkpoint_of_the_other(start: Start) -> None:
    service = start()
    old, before = service.log_vkey, checkpoint(service)
    new = rotate(service)

    def fetch(path: str) -> bytes:
        return checkpoint(service).encode() if path == "checkpoint" else tile(service, None, path)

    for vkey in (old, new):
        assert verify_log(fetch, vkey).tree_size > 0
    end_key_rotation(service)
    assert verify_log(fetch, f"{old} {new}", before.encode()).tree_size > 0


def test_one_replacement_at_a_time(start: Start) -> None:
    service = start()
    with pytest.raises(ConflictError, match="No key is being replaced"):
        end_key_rotation(service)
    rotate(service)
    with pytest.raises(ConflictError, match="already"):
        rotate(service)


def test_a_replacement_that_is_rolled_back_leaves_no_key_that_signs(start: Start) -> None:
    service = start()
    lost = log_key_holder(service.settings).new(service.settings.origin)

    def add_then_fail() -> None:
        with service.database.writing() as work:
            write_log_entry(service, work, LogEvent.KEY_ROTATED, caller=None, outcome="added", log_key=lost.vkey)
            work.log.add_key(lost.vkey)
            work.log.integrate_pending(at=service.clock())  # type: ignore[attr-defined] -- signs, as the commit would
            raise KeyError

    with pytest.raises(KeyError):
        add_then_fail()
    new = rotate(service)
    note = grow(service)
    assert signed_by(note, new)
    assert not signed_by(note, lost.vkey)
    assert len(note.rstrip().splitlines()) == 6, "origin, size, root, an empty line and two signatures"


def test_a_key_whose_file_is_gone_is_not_left_out_of_the_signatures(start: Start, settings: Settings) -> None:
    rotate(start())
    (added,) = settings.data_folder.glob("log-*.key")
    assert added.stat().st_mode & 0o777 == 0o600
    added.unlink()
    with pytest.raises(SettingsError, match="another key"):
        start()


def test_key_and_checkpoint_stand_only_in_the_entries_they_are_for() -> None:
    misplaced = {"key": "a+b+c"}
    for event, named in ((LogEvent.KEY_ROTATED, {}), (LogEvent.LOG_READ, misplaced), (LogEvent.LOG_RESTORED, {})):
        with pytest.raises(MalformedLeafError):
            build_entry(
                event,
                at=demo_time(),
                random_bytes=secrets.token_bytes,
                private={},
                **named,  # type: ignore[arg-type]
            )


def demo_time() -> object:
    from datetime import UTC, datetime

    return datetime(2026, 11, 25, tzinfo=UTC)


@contextmanager
def signer_process(folder: Path) -> Iterator[Path]:
    path = folder / "signer.sock"
    server = SignerServer(path, LogKeyFiles(folder / "keys elsewhere", secrets.token_bytes))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield path
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_signer_process_signs_and_the_service_never_has_a_private_key(
    start: Start, settings: Settings, tmp_path: Path
) -> None:
    with signer_process(tmp_path) as path:
        assert path.stat().st_mode & 0o077 == 0
        service = start(log_signer_socket=path)
        old = service.log_vkey
        new = begin_key_rotation(service, SignerSocket(path))
        note = grow(service)
        assert signed_by(note, old)
        assert signed_by(note, new)
        assert list(settings.data_folder.glob("log*.key")) == []
        again = start(log_signer_socket=path)
        assert signed_by(grow(again), new)


def test_without_its_signer_process_nothing_is_appended(start: Start, tmp_path: Path) -> None:
    with signer_process(tmp_path) as path:
        service = start(log_signer_socket=path)
        before = checkpoint(service)
    with pytest.raises(SettingsError, match="does not answer"):
        grow(service)
    assert checkpoint(service) == before


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            {"do": "sign", "text": f"other.example/log\n0\n{'A' * 43}=\n"},
            "of log.example",
        ),
        ({"do": "sign", "text": "I owe you a million euros\n"}, "line each"),
        ({"do": "sign"}, "no request"),
        ({"do": "export"}, "nothing else"),
        ({"do": "sign", "vkey": "x"}, "no request|verifier key"),
    ],
)
def test_a_signer_process_signs_nothing_but_checkpoints_of_its_log(
    tmp_path: Path, request_: dict[str, str], said: str
) -> None:
    with signer_process(tmp_path) as path:
        signer = SignerSocket(path)
        vkey = signer.first("log.example/city").vkey
        with pytest.raises(SettingsError, match=said):
            signer.ask({"vkey": vkey, **request_})
