"""The key store: keys are durable, shared by threads and processes, and gone when they are destroyed."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from explainer.errors import ErasedError, SealingError, SettingsError
from explainer.transparency_log.key_store import FileKeyStore, KeyStore
from tests.event_loops import in_a_loop_of_its_own

MASTER = bytes(range(32))


def open_store(path: Path, master_key: bytes = MASTER) -> FileKeyStore:
    return FileKeyStore(path, master_key=master_key, random_bytes=os.urandom)


def wrapped_keys(path: Path) -> dict[str, bytes]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT key_id, wrapped FROM subject_key WHERE wrapped IS NOT NULL"))


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "subject-keys.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[KeyStore]:
    return open_store(path)


def test_a_key_is_made_once_and_stays_the_same(store: KeyStore, path: Path) -> None:
    key = store.get_or_create("a")
    assert len(key) == 32
    assert store.get_or_create("a") == store.get("a") == open_store(path).get("a") == key
    assert store.get_or_create("b") != key


def test_a_destroyed_key_is_gone_for_good(store: KeyStore, path: Path) -> None:
    store.get_or_create("a")
    other = store.get_or_create("b")
    store.destroy(["a"])
    store.destroy(["a"])
    for opened in (store, open_store(path)):
        with pytest.raises(ErasedError):
            opened.get("a")
        with pytest.raises(ErasedError):
            opened.get_or_create("a")
        assert opened.get("b") == other


def test_a_key_that_never_existed_reads_as_erased(store: KeyStore) -> None:
    with pytest.raises(ErasedError):
        store.get("never")


def test_a_name_can_be_barred_before_it_has_a_key(store: KeyStore) -> None:
    store.destroy(["later"])
    with pytest.raises(ErasedError):
        store.get_or_create("later")


def test_after_destroying_neither_key_nor_wrapped_key_is_in_any_file_of_the_folder(store: KeyStore, path: Path) -> None:
    dice = random.Random(7)  # noqa: S311 - a shuffle, not a secret
    names = [f"{dice.getrandbits(128):032x}" for _ in range(300)]
    keys = {name: store.get_or_create(name) for name in names}
    wrapped = wrapped_keys(path)
    doomed = dice.sample(names, 100)
    assert all(wrapped[name] in all_bytes(path.parent) for name in names), "the search must be able to find them"
    for name in doomed:
        store.destroy([name])
    for number in range(50):
        store.get_or_create(f"later {number}")
    left = all_bytes(path.parent)
    for name in doomed:
        assert keys[name] not in left
        assert wrapped[name] not in left
        assert wrapped[name][12:28] not in left
    for name in set(names) - set(doomed):
        assert store.get(name) == keys[name]
    assert [file.name for file in path.parent.iterdir()] == [path.name], "no journal may be left behind"


def test_the_search_for_destroyed_keys_finds_what_an_ordinary_delete_leaves(store: KeyStore, path: Path) -> None:
    """The broken twin: without secure_delete the bytes stay in the file."""
    store.get_or_create("a")
    wrapped = wrapped_keys(path)["a"]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA secure_delete = OFF").fetchall()
        connection.execute("DELETE FROM subject_key WHERE key_id = 'a'")
    assert wrapped[:16] in all_bytes(path.parent) or wrapped[16:] in all_bytes(path.parent)


def test_no_key_stands_in_the_file_unwrapped(store: KeyStore, path: Path) -> None:
    key = store.get_or_create("a")
    assert key not in all_bytes(path.parent)
    assert MASTER not in all_bytes(path.parent)


def test_the_file_is_for_its_owner_alone(store: KeyStore, path: Path) -> None:
    store.get_or_create("a")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(store: KeyStore, path: Path, mode: int) -> None:
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        open_store(path)


def test_another_master_key_is_refused_at_the_start(store: KeyStore, path: Path) -> None:
    with pytest.raises(SettingsError, match="another master key"):
        open_store(path, bytes(32))
    with pytest.raises(SettingsError, match="32 bytes"):
        open_store(path, b"short")


def test_swapping_two_rows_does_not_swap_two_keys(store: KeyStore, path: Path) -> None:
    store.get_or_create("a")
    store.get_or_create("b")
    wrapped = wrapped_keys(path)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE subject_key SET wrapped = ? WHERE key_id = 'b'", (wrapped["a"],))
    with pytest.raises(SealingError):
        store.get("b")


def test_a_file_that_is_no_key_store_gives_our_error(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    path.write_bytes(b"this is not a database, but it is long enough to be looked at" * 20)
    path.chmod(0o600)
    with pytest.raises(SealingError):
        open_store(path)


def test_threads_that_ask_for_one_key_at_once_all_get_the_same(store: KeyStore) -> None:
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda number: (number % 5, store.get_or_create(f"k{number % 5}")), range(80)))
    assert len(set(keys)) == 5


ASK = """
import os, sys
from pathlib import Path
from explainer.transparency_log.key_store import FileKeyStore
store = FileKeyStore(Path(sys.argv[1]), master_key=bytes(range(32)), random_bytes=os.urandom)
print([store.get_or_create(f"k{number}").hex() for number in range(20)])
"""


def test_processes_that_start_at_once_share_one_store(path: Path) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", ASK, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    answers = [process.communicate(timeout=120)[0] for process in processes]
    assert all(process.returncode == 0 for process in processes)
    assert len(set(answers)) == 1
    assert len(answers[0]) > 20 * 64


DESTROY = """
import os, sys
from pathlib import Path
from explainer.transparency_log.key_store import FileKeyStore
FileKeyStore(Path(sys.argv[1]), master_key=bytes(range(32)), random_bytes=os.urandom).destroy(["a"])
"""


def test_a_key_that_another_process_destroys_is_gone_at_once_over_kept_connections(store: KeyStore, path: Path) -> None:
    with ThreadPoolExecutor(1) as other_thread:
        key = store.get_or_create("a")
        assert other_thread.submit(store.get, "a").result() == key
        subprocess.run([sys.executable, "-c", DESTROY, str(path)], check=True, timeout=120)
        for ask in (store.get, store.get_or_create):
            with pytest.raises(ErasedError):
                ask("a")
            with pytest.raises(ErasedError):
                other_thread.submit(ask, "a").result()


def test_a_store_that_was_replaced_is_read_and_not_the_one_before(store: KeyStore, path: Path) -> None:
    store.get_or_create("a")
    restored = path.with_name("restored.sqlite")
    other = open_store(restored)
    key = other.get_or_create("b")
    restored.replace(path)
    assert store.get("b") == key
    with pytest.raises(ErasedError):
        store.get("a")


FORK = """
import os, sys
from pathlib import Path
from explainer.transparency_log.key_store import FileKeyStore
store = FileKeyStore(Path(sys.argv[1]), master_key=bytes(range(32)), random_bytes=os.urandom)
key = store.get_or_create("a")
child = os.fork()
if child == 0:
    os._exit(0 if store.get("a") == key and store.get_or_create("made by the child") else 1)
assert os.waitpid(child, 0)[1] == 0
assert store.get("a") == key and store.get("made by the child")
"""


def test_a_forked_process_opens_a_connection_of_its_own(store: KeyStore, path: Path) -> None:
    # In a process of its own: forking one that has threads is asking for trouble.
    subprocess.run([sys.executable, "-c", FORK, str(path)], check=True, timeout=120)
    assert store.get("made by the child")


def test_an_unreadable_key_store_is_our_error_and_does_not_last(store: KeyStore, path: Path) -> None:
    key = store.get_or_create("a")
    hidden = path.rename(path.with_name("hidden"))
    with pytest.raises(SealingError):
        store.get("a")
    hidden.rename(path)
    assert store.get("a") == key


def test_keys_asked_for_together_are_made_together_and_a_destroyed_one_fails_alone(store: KeyStore) -> None:
    store.destroy(["gone"])

    async def together() -> list[bytes | BaseException]:
        names = ["one", "gone", "two", "one"]
        return await asyncio.gather(*map(store.get_or_create_together, names), return_exceptions=True)

    first, gone, second, again = in_a_loop_of_its_own(together())
    assert isinstance(gone, ErasedError)
    assert first == again == store.get("one")
    assert second == store.get("two")
