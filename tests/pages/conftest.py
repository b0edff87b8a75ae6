"""Visitors of the real service: a citizen with a letter, a caseworker, an auditor, and Chromium."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.demo_city import RunningCity

CHROMIUM_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


LiveSite = RunningCity


def person_with(site: LiveSite, role: str) -> dict[str, Any]:
    """First member of the demo city's staff with a role."""
    return next(person for person in site.access["staff"] if role in person["roles"])


@pytest.fixture
def live_site(demo_city: RunningCity) -> LiveSite:
    """The real service with the demo city; tests may add to it."""
    return demo_city


@pytest.fixture
def visitor(live_site: LiveSite) -> Iterator[httpx.Client]:
    """A browser without scripts: keeps cookies, does not follow redirects by itself."""
    with httpx.Client(base_url=live_site.base_url, headers={"Accept-Language": "de"}, trust_env=False) as client:
        yield client


@pytest.fixture
def subject(live_site: LiveSite, visitor: httpx.Client) -> httpx.Client:
    """A visitor in the session of a person whose application was refused."""
    letter = live_site.letter(outcome="refused", decided_by_rule=False, status="decided", departed=False)
    visitor.post("/de/why", data={"reference": letter["reference"], "code": letter["access_code"]})
    return visitor


@pytest.fixture
def caseworker(live_site: LiveSite, visitor: httpx.Client) -> httpx.Client:
    return _signed_in(visitor, person_with(live_site, "caseworker"))


@pytest.fixture
def auditor(live_site: LiveSite, visitor: httpx.Client) -> httpx.Client:
    return _signed_in(visitor, person_with(live_site, "auditor"))


def _signed_in(visitor: httpx.Client, person: dict[str, Any]) -> httpx.Client:
    visitor.post("/de/staff/sign-in", data={"user": person["user"], "password": person["password"]})
    return visitor


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests; the machine's own, or the one that Playwright installed."""
    playwright = pytest.importorskip("playwright.sync_api")
    names = ("chromium", "chromium-browser", "google-chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium on this machine; `make test` tries to install one")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield browser
        browser.close()
