"""Static files at start: complete and unchanged, or a sentence that says what to run."""

import hashlib
import json
from pathlib import Path

import pytest

from public_pages.static_assets import MissingAssetsError, StaticAssets, UnknownAssetError, required_vendor_files


@pytest.fixture
def static_folder(tmp_path: Path) -> Path:
    """One file of ours, two from other makers."""
    (tmp_path / "vendor").mkdir()
    (tmp_path / "app.css").write_text("body {}", encoding="utf-8")
    files = {"a.css": "a {}", "b.js": "b();"}
    for name, text in files.items():
        (tmp_path / "vendor" / name).write_text(text, encoding="utf-8")
    digests = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    (tmp_path / "vendor" / "assets.json").write_text(json.dumps({"files": digests}), encoding="utf-8")
    return tmp_path


def test_address_changes_with_the_bytes_of_the_file(static_folder: Path) -> None:
    before = StaticAssets.load(static_folder).static_url("app.css")
    assert before == f"/static/app.css?v={hashlib.sha256(b'body {}').hexdigest()[:8]}"
    (static_folder / "app.css").write_text("body { color: black }", encoding="utf-8")
    after = StaticAssets.load(static_folder).static_url("app.css")
    assert after.split("?")[0] == "/static/app.css"
    assert after != before


def test_all_missing_files_are_named_with_the_command_that_fetches_them(static_folder: Path) -> None:
    (static_folder / "vendor" / "a.css").unlink()
    (static_folder / "vendor" / "b.js").unlink()
    with pytest.raises(MissingAssetsError, match="make assets") as caught:
        StaticAssets.load(static_folder)
    assert caught.value.paths == ("vendor/a.css", "vendor/b.js")
    assert caught.value.code == "missing_assets"


def test_files_that_were_never_fetched_stop_the_start(tmp_path: Path) -> None:
    with pytest.raises(MissingAssetsError, match=r"not fetched yet.*make assets"):
        StaticAssets.load(tmp_path)


def test_file_that_somebody_changed_stops_the_start(static_folder: Path) -> None:
    (static_folder / "vendor" / "b.js").write_text("c();", encoding="utf-8")
    with pytest.raises(MissingAssetsError, match=r"not the ones that were fetched: vendor/b\.js"):
        StaticAssets.load(static_folder)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": []}', "\x00"])
def test_damaged_list_of_files_stops_the_start(static_folder: Path, text: str) -> None:
    (static_folder / "vendor" / "assets.json").write_text(text, encoding="utf-8")
    with pytest.raises(MissingAssetsError, match="damaged"):
        required_vendor_files(static_folder)


def test_page_that_asks_for_an_unknown_file_is_refused(static_folder: Path) -> None:
    with pytest.raises(UnknownAssetError, match="logo"):
        StaticAssets.load(static_folder).static_url("logo.svg")


def test_the_files_the_pages_need_are_here() -> None:
    assets = StaticAssets.load()
    fonts = [f"vendor/fonts/fira-sans-{s}-{w}.woff2" for s in ("latin", "latin-ext") for w in (400, 500, 600, 700)]
    for name in ("vendor/kern.min.css", "vendor/htmx.min.js", "vendor/THIRD-PARTY.txt", *fonts):
        assert assets.static_url(name).startswith(f"/static/{name}?v=")
