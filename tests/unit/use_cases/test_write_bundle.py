"""A bundle is the log itself, is checked without us, and hides no change."""

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from explainer.app import build_service
from explainer.demo.run_demo import demo_settings
from explainer.errors import LogIntegrityError, LogTileNotFoundError
from explainer.transparency_log import verify
from explainer.use_cases import write_bundle as module
from explainer.use_cases.browse_log import browse_log
from explainer.use_cases.callers import CaseSystem, Staff
from explainer.use_cases.finding_aid import LogFilter
from explainer.use_cases.record_decision import record_decision
from explainer.use_cases.service import Service
from explainer.use_cases.write_bundle import write_bundle
from tests.api.test_record_decision import a_request

AUDITOR = Staff("staff-9", "auditor", frozenset({"auditor"}))
CASE_SYSTEM = CaseSystem("case-system", "Fachverfahren")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    service = build_service(demo_settings(tmp_path / "city", port=8000))
    for _ in range(3):
        record_decision(service, CASE_SYSTEM, a_request())
    yield service
    service.database.dispose()


@pytest.fixture
def decision(service: Service) -> int:
    return browse_log(service, AUDITOR, LogFilter(event="decision.recorded")).entries[0].index


def names_in(file: Path) -> list[str]:
    with zipfile.ZipFile(file) as bundle:
        return bundle.namelist()


def content_of(file: Path, name: str) -> bytes:
    with zipfile.ZipFile(file) as bundle:
        return bundle.read(name)


def changed(file: Path, changes: dict[str, Callable[[bytes], bytes]], *, with_sums: bool = False) -> Path:
    """Write a bundle anew as a forger would, checksums and all where wanted."""
    target = file.with_name("changed.zip")
    with zipfile.ZipFile(file) as before:
        contents = {name: before.read(name) for name in before.namelist()}
    for name, change in changes.items():
        after = change(contents[name])
        assert after != contents[name], name
        contents[name] = after
    if with_sums:
        listed = [name for name in contents if name != "SHA256SUMS"]
        contents["SHA256SUMS"] = "".join(f"{sha256(contents[n]).hexdigest()}  {n}\n" for n in listed).encode()
    with zipfile.ZipFile(target, "w") as after_zip:
        for name, content in contents.items():
            after_zip.writestr(name, content)
    return target


def accepts(file: Path, service: Service) -> bool:
    return verify.main([str(file), service.log_vkey]) == 0


def test_a_bundle_is_verified_zipped_and_unpacked_and_holds_its_own_making(
    service: Service, tmp_path: Path, decision: int
) -> None:
    out = tmp_path / "bundle.zip"
    written = write_bundle(service, out, disclose=[decision, decision])
    assert accepts(out, service)
    with zipfile.ZipFile(out) as bundle:
        bundle.extractall(tmp_path / "unpacked")
        assert bundle.testzip() is None
    assert accepts(tmp_path / "unpacked", service)
    assert written.files == len(names_in(out))
    assert written.disclosed == (decision,)
    last = json.loads(content_of(out, "entries.ndjson").splitlines()[-1])
    assert (last["leaf"]["t"], last["leaf"]["outcome"]) == ("log.read", "bundle")
    assert out.stat().st_mode & 0o077 == 0


def test_the_lists_say_the_same_as_the_entries(service: Service, tmp_path: Path) -> None:
    out = tmp_path / "bundle.zip"
    size = write_bundle(service, out).tree_size
    lines = [json.loads(line) for line in content_of(out, "entries.ndjson").splitlines()]
    table = pq.read_table(io.BytesIO(content_of(out, "entries.parquet"))).to_pylist()
    sheet = list(csv.DictReader(io.StringIO(content_of(out, "entries.csv").decode())))
    assert len(lines) == len(table) == len(sheet) == size
    for line, row, cells in zip(lines, table, sheet, strict=True):
        leaf = line["leaf"]
        assert row["index"] == line["index"] == int(cells["index"])
        assert (row["event"], row["outcome"]) == (leaf["t"], leaf["outcome"])
        assert row["ts_milliseconds"].strftime("%Y-%m-%dT%H:%MZ") == leaf["ts"] == cells["ts"]
        assert row["model_version"] == (leaf["model"] or {}).get("version")
        assert row["commitment_actor"] == leaf["c"].get("actor")
        assert row["leaf_hash"] == line["leaf_hash"] == cells["leaf_hash"]
        assert {
            name: "" if value is None else value
            for name, value in row.items()
            if name not in ("index", "ts_milliseconds")
        } == {name: value for name, value in cells.items() if name not in ("index", "ts_milliseconds")}


def test_the_same_checkpoint_gives_the_same_bytes(service: Service, tmp_path: Path, decision: int) -> None:
    for name in ("one.zip", "two.zip"):
        module._write(service, tmp_path / name, [decision], lambda _done, _total: None)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_what_is_disclosed_opens_the_commitments_of_its_entry_and_nothing_else_is(
    service: Service, tmp_path: Path, decision: int
) -> None:
    out = tmp_path / "bundle.zip"
    write_bundle(service, out, disclose=[decision])
    disclosed = [name for name in names_in(out) if name.startswith("disclosed/")]
    assert {name.split("/")[1] for name in disclosed} == {str(decision)}
    entry = content_of(out, f"disclosed/{decision}/entry.json")
    fields = {verify.verify_disclosure(entry, content_of(out, name)) for name in disclosed if "disclosed-" in name}
    assert fields == set(json.loads(entry)["c"])
    actor = json.loads(content_of(out, f"disclosed/{decision}/disclosed-actor.json"))
    assert actor["canonical_value"] == '"case_system:Fachverfahren"'
    plain = tmp_path / "plain.zip"
    write_bundle(service, plain)
    assert not [name for name in names_in(plain) if name.startswith("disclosed/")]
    with zipfile.ZipFile(plain) as bundle:
        assert not [name for name in bundle.namelist() if b"Fachverfahren" in bundle.read(name)]


def granted_to_refused(content: bytes) -> bytes:
    return content.replace(b'"granted"', b'"refused"', 1)


def replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda content: content.replace(old, new)


def test_every_change_is_noticed_even_with_fresh_checksums(
    service: Service, tmp_path: Path, decision: int, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle.zip"
    write_bundle(service, out, disclose=[decision])
    folder = f"disclosed/{decision}"
    [entries] = [name for name in names_in(out) if name.startswith("tile/entries/")]
    [hashes] = [name for name in names_in(out) if name.startswith("tile/0/")]
    forgeries: list[dict[str, Callable[[bytes], bytes]]] = [
        {entries: granted_to_refused},
        {hashes: lambda content: content[::-1]},
        {"checkpoint": replaced(b"\n\n", b"\nmore\n\n")},
        {"entries.ndjson": granted_to_refused},
        {"entries.ndjson": lambda content: content.split(b"\n", 1)[1]},
        {f"{folder}/entry.json": granted_to_refused},
        {f"{folder}/receipt.tlog-proof": replaced(f"index {decision}".encode(), b"index 0")},
        {f"{folder}/disclosed-actor.json": replaced(b"Fachverfahren", b"Anderes")},
    ]
    for forgery in forgeries:
        assert not accepts(changed(out, forgery), service), forgery
        assert not accepts(changed(out, forgery, with_sums=True), service), forgery
    for name in ("entries.csv", "entries.parquet", "how-to-verify.de.md", "verify.py"):
        assert not accepts(changed(out, {name: lambda content: content[:-5] + b"12345"}), service), name
    capsys.readouterr()


def test_a_damaged_or_missing_file_is_one_sentence_and_no_trace(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bundle.zip"
    write_bundle(service, out)
    content = out.read_bytes()
    for damaged in (content[: len(content) // 2], b"PK\x03\x04", content[:200] + bytes(40) + content[240:], b""):
        out.write_bytes(damaged)
        assert not accepts(out, service)
        assert capsys.readouterr().err.startswith("NOT VERIFIED: ")


@pytest.mark.parametrize("index", [-1, 10**6])
def test_disclosing_what_is_not_there_writes_no_file(service: Service, tmp_path: Path, index: int) -> None:
    with pytest.raises(LogTileNotFoundError):
        write_bundle(service, tmp_path / "bundle.zip", disclose=[index])
    assert list(tmp_path.glob("bundle*")) == []


def test_progress_goes_up_to_all_there_is(service: Service, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    write_bundle(service, tmp_path / "bundle.zip", progress=lambda done, total: told.append((done, total)))
    assert told == sorted(told)
    assert told[-1][0] == told[-1][1]


def test_a_log_that_lost_an_entry_gives_no_bundle(service: Service, tmp_path: Path) -> None:
    [file] = (tmp_path / "city").glob("*.db")
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM log_leaf WHERE seq = 1")
    connection.close()
    with pytest.raises(LogIntegrityError, match="entries 0 to"):
        write_bundle(service, tmp_path / "bundle.zip")
    assert list(tmp_path.glob("bundle*")) == []
