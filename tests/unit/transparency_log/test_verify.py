"""Outside verification: an honest log passes, and every way of cheating that we know is noticed."""

import ast
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from explainer.transparency_log import verify
from explainer.transparency_log.checkpoint import Checkpoint, sign_checkpoint
from explainer.transparency_log.merkle import EMPTY_ROOT, leaf_hash, root_of
from explainer.transparency_log.strict_base64 import encode_base64
from explainer.transparency_log.tiles import decode_entries, encode_entries, encode_hashes
from explainer.transparency_log.verify import (
    Fetch,
    NotVerifiedError,
    file_fetcher,
    folder_opener,
    main,
    url_fetcher,
    verify_log,
)
from tests.unit.transparency_log.memory_log import ORIGIN, MemoryLog, leaves, signer

CITY = signer(1)
SIZE = 600
LOG = MemoryLog(leaves(SIZE))
Files = dict[str, bytes]


def fetcher(files: Files) -> Fetch:
    def fetch(path: str) -> bytes:
        if path not in files:
            raise FileNotFoundError(f"no file {path}")
        return files[path]

    return fetch


def write(files: Files, folder: Path) -> Path:
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def change_entries(files: Files, path: str, change: Callable[[list[bytes]], list[bytes]], width: int = 256) -> None:
    files[path] = encode_entries(change(decode_entries(files[path], width)))


def flip(files: Files, path: str, position: int) -> None:
    content = bytearray(files[path])
    content[position] ^= 1
    files[path] = bytes(content)


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 600, 65_535, 65_536, 65_537])
def test_an_honest_log_of_any_size_passes(size: int) -> None:
    log = MemoryLog(leaves(size))
    verified = verify_log(fetcher(log.served()), CITY.vkey, log.checkpoint(size=size // 2).encode())
    assert (verified.tree_size, verified.entries_checked) == (size, size)
    assert verified.root_hash == log.tree().root()


def test_a_log_whose_partial_tiles_were_replaced_by_full_ones_meanwhile_passes() -> None:
    files = MemoryLog(leaves(768)).served()
    files["checkpoint"] = LOG.checkpoint().encode()
    files["tile/1/000.p/2"] = LOG.served()["tile/1/000.p/2"]
    assert not any(".p/88" in path for path in files)
    assert verify_log(fetcher(files), CITY.vkey).tree_size == SIZE


def flip_a_bit_in_an_entry(files: Files) -> None:
    flip(files, "tile/entries/001", 1000)


def reorder_two_entries(files: Files) -> None:
    change_entries(files, "tile/entries/000", lambda entries: [entries[1], entries[0], *entries[2:]])


def delete_an_entry(files: Files) -> None:
    change_entries(files, "tile/entries/000", lambda entries: entries[:-1])


def add_an_entry(files: Files) -> None:
    change_entries(files, "tile/entries/002.p/88", lambda entries: [*entries, b"smuggled in"], 88)


def delete_an_entry_and_move_the_others_up(files: Files) -> None:
    kept = [leaf for number, leaf in enumerate(LOG.leaves) if number != 5]
    forged = MemoryLog([*kept, b"filler"]).served()
    files.update({path: content for path, content in forged.items() if path != "checkpoint"})


def flip_a_bit_in_a_tile_of_leaf_hashes(files: Files) -> None:
    flip(files, "tile/0/001", 77)


def flip_a_bit_in_a_partial_tile(files: Files) -> None:
    flip(files, "tile/0/002.p/88", 0)


def flip_a_bit_in_a_tile_of_the_second_level(files: Files) -> None:
    flip(files, "tile/1/000.p/2", 40)


def cut_a_tile_off(files: Files) -> None:
    files["tile/0/000"] = files["tile/0/000"][:-32]


def leave_a_bundle_out(files: Files) -> None:
    del files["tile/entries/001"]


def leave_a_tile_out(files: Files) -> None:
    del files["tile/1/000.p/2"]


def change_an_entry_and_its_tiles_with_it(files: Files) -> None:
    forged = MemoryLog([*LOG.leaves[:300], b"rewritten", *LOG.leaves[301:]]).served()
    files.update({path: content for path, content in forged.items() if path != "checkpoint"})


def edit_the_tree_size(files: Files) -> None:
    files["checkpoint"] = files["checkpoint"].replace(b"\n600\n", b"\n599\n")


def edit_the_root_hash(files: Files) -> None:
    root = encode_base64(LOG.tree().root()).encode()
    files["checkpoint"] = files["checkpoint"].replace(root, encode_base64(bytes(32)).encode())


def sign_with_an_unknown_key(files: Files) -> None:
    files["checkpoint"] = LOG.checkpoint(signer(2)).encode()


def sign_for_another_log(files: Files) -> None:
    other = signer(1, "other.example/log")
    files["checkpoint"] = sign_checkpoint(Checkpoint(other.name, SIZE, LOG.tree().root()), [other]).encode()


def sign_a_root_that_the_entries_do_not_have(files: Files) -> None:
    files["checkpoint"] = sign_checkpoint(Checkpoint(ORIGIN, SIZE, EMPTY_ROOT), [CITY]).encode()


def sign_a_wrong_root_and_serve_no_tiles(files: Files) -> None:
    sign_a_root_that_the_entries_do_not_have(files)
    for path in [path for path in files if path.startswith("tile/0/")]:
        del files[path]


def sign_more_entries_than_there_are(files: Files) -> None:
    files["checkpoint"] = sign_checkpoint(Checkpoint(ORIGIN, SIZE + 1, LOG.tree().root()), [CITY]).encode()


def serve_no_checkpoint(files: Files) -> None:
    del files["checkpoint"]


def serve_a_web_page_as_checkpoint(files: Files) -> None:
    files["checkpoint"] = b"<!doctype html>\n<title>Wartung</title>\n"


MUTATIONS: list[tuple[Callable[[Files], None], str]] = [
    (flip_a_bit_in_an_entry, r"Entry \d+ is not the entry that was signed"),
    (reorder_two_entries, "Entry 0 is not the entry"),
    (delete_an_entry, "255 entries instead of 256"),
    (add_an_entry, "89 entries instead of 88"),
    (delete_an_entry_and_move_the_others_up, "do not add up"),
    (flip_a_bit_in_a_tile_of_leaf_hashes, "tile/0/001"),
    (flip_a_bit_in_a_partial_tile, r"tile/0/002\.p/88"),
    (flip_a_bit_in_a_tile_of_the_second_level, r"tile/1/000\.p/2"),
    (cut_a_tile_off, "8160"),
    (leave_a_bundle_out, "does not deliver tile/entries/001"),
    (leave_a_tile_out, "does not deliver tile/1/000"),
    (change_an_entry_and_its_tiles_with_it, "do not add up"),
    (edit_the_tree_size, ORIGIN),
    (edit_the_root_hash, ORIGIN),
    (sign_with_an_unknown_key, "No key that you trust"),
    (sign_for_another_log, "No key that you trust"),
    (sign_a_root_that_the_entries_do_not_have, "do not add up"),
    (sign_a_wrong_root_and_serve_no_tiles, "do not add up"),
    (sign_more_entries_than_there_are, "does not deliver"),
    (serve_no_checkpoint, "does not deliver checkpoint"),
    (serve_a_web_page_as_checkpoint, "A checkpoint is text"),
]


@pytest.mark.parametrize(("mutate", "sentence"), MUTATIONS, ids=[case[0].__name__ for case in MUTATIONS])
def test_every_way_of_cheating_is_noticed(mutate: Callable[[Files], None], sentence: str) -> None:
    files = LOG.served()
    verify_log(fetcher(files), CITY.vkey)
    mutate(files)
    with pytest.raises(NotVerifiedError, match=sentence):
        verify_log(fetcher(files), CITY.vkey)


def test_every_single_flipped_byte_of_a_small_log_is_noticed() -> None:
    files = MemoryLog(leaves(3)).served()
    for path, content in files.items():
        for position in range(len(content)):
            changed = dict(files)
            flip(changed, path, position)
            with pytest.raises(NotVerifiedError):
                verify_log(fetcher(changed), CITY.vkey)


def test_a_log_that_was_cut_back_is_noticed_by_who_kept_a_checkpoint() -> None:
    shorter = MemoryLog(leaves(500)).served()
    with pytest.raises(NotVerifiedError, match="shrank from 600 to 500"):
        verify_log(fetcher(shorter), CITY.vkey, LOG.checkpoint().encode())
    assert verify_log(fetcher(shorter), CITY.vkey).tree_size == 500, "without a kept checkpoint nobody can notice"


def test_a_log_that_was_cut_back_and_grew_again_differently_is_noticed() -> None:
    fork = MemoryLog([*leaves(500), *leaves(200, prefix="other history")]).served()
    with pytest.raises(NotVerifiedError, match="rewritten"):
        verify_log(fetcher(fork), CITY.vkey, LOG.checkpoint().encode())


def test_two_logs_of_the_same_size_are_not_the_same_log() -> None:
    fork = MemoryLog([*leaves(599), b"another last entry"]).served()
    with pytest.raises(NotVerifiedError):
        verify_log(fetcher(fork), CITY.vkey, LOG.checkpoint().encode())


def test_an_older_checkpoint_that_is_false_itself_proves_nothing() -> None:
    with pytest.raises(NotVerifiedError):
        verify_log(fetcher(LOG.served()), CITY.vkey, LOG.checkpoint(signer(2), size=10).encode())


def test_a_verifier_that_hashed_without_the_leaf_prefix_would_refuse_an_honest_log() -> None:
    wrong = [leaf_hash(leaf)[::-1] for leaf in LOG.leaves]
    files = LOG.served()
    files["tile/0/000"] = encode_hashes(wrong[:256])
    assert root_of(wrong) != LOG.tree().root()
    with pytest.raises(NotVerifiedError):
        verify_log(fetcher(files), CITY.vkey)


@pytest.mark.parametrize("vkey", ["", " ", "no key", CITY.vkey[:-1]])
def test_without_a_proper_key_nothing_is_verified(vkey: str) -> None:
    with pytest.raises(NotVerifiedError):
        verify_log(fetcher(LOG.served()), vkey)


class SilentFiles(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    write(LOG.served(), tmp_path / "log")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentFiles, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/log"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_log_is_verified_over_http(address: str) -> None:
    assert verify_log(url_fetcher(address, token="auditor"), CITY.vkey).tree_size == SIZE
    with pytest.raises(NotVerifiedError, match="does not deliver checkpoint"):
        verify_log(url_fetcher(address + "/nowhere"), CITY.vkey)


def test_the_command_verifies_an_address(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([address + "/", CITY.vkey]) == 0
    assert "all 600 entries" in capsys.readouterr().out


def test_the_command_verifies_a_folder_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = LOG.served()
    kept = tmp_path / "kept-checkpoint"
    kept.write_text(LOG.checkpoint(size=100))
    assert main([str(write(files, tmp_path / "log")), CITY.vkey, "--old", str(kept)]) == 0
    flip(files, "tile/0/001", 77)
    assert main([str(write(files, tmp_path / "log")), CITY.vkey]) == 1
    assert "NOT VERIFIED: The tile tile/0/001" in capsys.readouterr().err
    assert main([str(tmp_path / "nowhere"), CITY.vkey]) == 1


def test_the_file_runs_alone_with_nothing_of_ours_beside_it(tmp_path: Path) -> None:
    folder = write(LOG.served(), tmp_path / "log")
    alone = tmp_path / "alone" / "verify.py"
    alone.parent.mkdir()
    shutil.copy(verify.__file__, alone)
    # -I: neither this folder nor the environment's paths; the project is installed only through a path file.
    program = f"""
import sys
sys.path = [path for path in sys.path if not __import__("pathlib").Path(path, "explainer").is_dir()]
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder).lower()]
sys.path.insert(0, {str(alone.parent)!r})
import verify
assert "explainer" not in sys.modules and "models" not in sys.modules
sys.exit(verify.main([{str(folder)!r}, {CITY.vkey!r}]))
"""
    ran = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=120, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "all 600 entries" in ran.stdout


def test_the_file_imports_only_the_standard_library_and_cryptography() -> None:
    tree = ast.parse(Path(verify.__file__).read_text(encoding="utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    foreign = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert foreign == {"cryptography"}


def test_the_module_runs_as_a_program(tmp_path: Path) -> None:
    folder = write(LOG.served(), tmp_path / "log")
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-m", "explainer.transparency_log.verify", str(folder), CITY.vkey],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_an_unpacked_folder_is_read_by_path(tmp_path: Path) -> None:
    assert file_fetcher(folder_opener(write({"tile/0/000": b"x"}, tmp_path)))("tile/0/000") == b"x"
