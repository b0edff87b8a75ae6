"""What every page has in common, on the real service, in both languages."""

from collections.abc import Callable

import httpx
import pytest

from tests.pages.conftest import LiveSite
from tests.pages.page_reading import ReadPage, read

PUBLIC = (
    "/",
    "/why",
    "/register",
    "/register/wohngeld",
    "/about",
    "/privacy",
    "/accessibility",
    "/staff/sign-in",
    "/no-such",
)
STAFF = ("/staff/decisions", "/audit", "/audit/entries/0", "/audit/entries/5")
LANGUAGES = ("de", "en")


def assert_well_made(page: ReadPage, language: str) -> None:
    assert page.values("html", "lang") == [language]
    assert page.tags["h1"] == 1
    assert page.text("h1")
    assert page.tags["main"] == page.tags["header"] == page.tags["footer"] == 1
    assert page.text("h1") in page.text("title") or page.text("title").endswith("Musterstadt")
    assert len(page.text("title")) > len("Musterstadt") + 4
    assert "#content" in page.values("a", "href")
    assert page.ids["content"] == 1
    assert [name for name, count in page.ids.items() if count > 1] == []
    assert page.unclosed == []
    assert page.headings[0] == 1
    steps = zip(page.headings, page.headings[1:], strict=False)
    assert all(after <= before + 1 for before, after in steps), page.headings
    assert_languages_linked(page)
    assert_nothing_inline_or_foreign(page)


def assert_languages_linked(page: ReadPage) -> None:
    links = [known for name, known in page.attributes if name == "a" and known.get("hreflang")]
    for language in LANGUAGES:
        assert any(
            known["hreflang"] == known["lang"] == language and known["href"].startswith(f"/{language}/")
            for known in links
        )


def assert_nothing_inline_or_foreign(page: ReadPage) -> None:
    for tag, known in page.attributes:
        assert "style" not in known, tag
        assert not [name for name in known if name.startswith(("on", "hx-on"))], tag
        for name in ("src", "action", "srcset", "data"):
            assert known.get(name, "/").startswith("/"), (tag, known)
        if tag == "link":
            assert known["href"].startswith("/")
    assert page.tags["style"] == 0
    assert len(page.values("script", "src")) == page.tags["script"]
    assert page.tags["iframe"] == page.tags["object"] == 0


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", PUBLIC)
def test_public_pages_are_well_made(visitor: httpx.Client, path: str, language: str) -> None:
    answer = visitor.get(f"/{language}{path}")
    assert answer.status_code == (404 if path == "/no-such" else 200)
    assert answer.headers["content-language"] == language
    assert_well_made(read(answer), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_explanations_are_well_made_whatever_was_decided(
    live_site: LiveSite, visitor: httpx.Client, language: str
) -> None:
    kinds: list[dict[str, object]] = [
        {"outcome": "refused", "decided_by_rule": False, "status": "decided"},
        {"decided_by_rule": True},
        {"departed": True},
        {"status": "diverted"},
        {"status": "awaiting_person"},
    ]
    for kind in kinds:
        letter = live_site.letter(**kind)
        visitor.post("/why", data={"reference": letter["reference"], "code": letter["access_code"]})
        page = read(visitor.get(f"/{language}/why/explanation"))
        assert_well_made(page, language)
        assert letter["reference"] in page.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("path", STAFF)
def test_staff_pages_are_well_made(caseworker: httpx.Client, path: str, language: str) -> None:
    assert_well_made(read(caseworker.get(f"/{language}{path}")), language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_case_page_is_well_made_with_and_without_explanation(
    live_site: LiveSite, caseworker: httpx.Client, language: str
) -> None:
    reference = live_site.letter(departed=True)["reference"]
    case = read(caseworker.get(f"/{language}/staff/decisions/{reference}"))
    assert_well_made(case, language)
    answer = caseworker.post(
        f"/{language}/staff/decisions/{reference}/explanation",
        data={"csrf": case.csrf(), "purpose": "objection", "legal_basis": "§ 35 SGB X", "previews": "yes"},
    )
    explained = read(answer)
    assert_well_made(explained, language)
    assert explained.ids["preview-de"] == explained.ids["preview-en"] == 1
    assert explained.tags["rect"] == len(live_site.service.catalogue.get("wohngeld").card.features)


@pytest.mark.parametrize(
    "break_page",
    [
        lambda html: html.replace("<h1", "<h2", 1).replace("</h1>", "</h2>", 1),
        lambda html: html.replace('lang="de"', "", 1),
        lambda html: html.replace('<main id="content"', "<main", 1),
        lambda html: html.replace("<main", '<main style="color:red"', 1),
        lambda html: html.replace("/static/", "https://cdn.example/", 1),
        lambda html: html.replace("</main>", "", 1),
        lambda html: html.replace("</body>", "<script>1</script></body>", 1),
    ],
)
def test_the_checks_above_catch_a_page_that_is_broken(visitor: httpx.Client, break_page: Callable[[str], str]) -> None:
    html = visitor.get("/de/").text
    with pytest.raises(AssertionError):
        assert_well_made(ReadPage(break_page(html)), "de")


def test_page_without_language_follows_the_browser(visitor: httpx.Client) -> None:
    german = visitor.get("/register", headers={"Accept-Language": "fr, de;q=0.8, en;q=0.5"})
    english = visitor.get("/register", headers={"Accept-Language": "en-GB,en;q=0.9,de;q=0.1"})
    assert (german.headers["content-language"], english.headers["content-language"]) == ("de", "en")
    assert "Accept-Language" in german.headers["vary"]
    assert "vary" not in visitor.get("/de/register").headers
