"""Pages in Chromium: accessibility, small screens, scripts on and off, keyboard."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import LiveSite, person_with

pytestmark = pytest.mark.browser

AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }
}
LANGUAGES = ("de", "en")
SCHEMES = ("light", "dark")
PUBLIC = (
    "/",
    "/why",
    "/register",
    "/register/wohngeld",
    "/about",
    "/privacy",
    "/accessibility",
    "/staff/sign-in",
    "/x",
)

Visit = Callable[[Any, str], None]


@contextmanager
def tab(chromium: Any, site: LiveSite, **options: Any) -> Iterator[Any]:
    """A fresh tab that fails the test on any script error or breach of the content security policy."""
    context = chromium.new_context(base_url=site.base_url, **options)
    page = context.new_page()
    troubles: list[str] = []
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "console",
        lambda said: troubles.append(said.text) if "Content Security Policy" in said.text else None,
    )
    yield page
    context.close()
    assert troubles == []


def open_letter(page: Any, letter: dict[str, Any], language: str) -> None:
    page.goto(f"/{language}/why")
    page.fill("#reference", letter["reference"])
    page.fill("#code", letter["access_code"])
    page.click("#lookup button")
    page.wait_for_selector("#in_short")


def sign_in(page: Any, person: dict[str, Any], language: str) -> None:
    page.goto(f"/{language}/staff/sign-in")
    page.fill("#user", person["user"])
    page.fill("#password", person["password"])
    page.click("main form button")
    page.wait_for_selector("table")


def request_explanation(page: Any) -> None:
    page.fill("#purpose", "Widerspruch")
    page.fill("#legal_basis", "§ 35 SGB X")
    page.click("form[action$='/explanation'] button")
    page.wait_for_selector("#explanation-part")


def unfold(page: Any) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")


def every_page(site: LiveSite, page: Any, language: str) -> Iterator[str]:
    """Open every kind of page there is, one after the other."""
    for path in PUBLIC:
        page.goto(f"/{language}{path}")
        yield path
    page.goto(f"/{language}/why")
    page.click("#lookup button")
    page.wait_for_selector("#error-summary")
    yield "form with errors"
    for kind in ({"outcome": "refused", "decided_by_rule": False}, {"decided_by_rule": True}, {"status": "diverted"}):
        open_letter(page, site.letter(**kind), language)
        unfold(page)
        yield f"explanation {kind}"
    sign_in(page, person_with(site, "caseworker"), language)
    yield "list of decisions"
    page.goto(f"/{language}/staff/decisions/{site.letter(departed=True)['reference']}")
    request_explanation(page)
    unfold(page)
    yield "one decision"
    page.goto(f"/{language}/audit")
    page.click("form[action$='/verify'] button")
    page.wait_for_selector("#verification-result")
    unfold(page)
    yield "log"
    page.goto(f"/{language}/audit?event=decision.recorded&since=2026-99-99")
    unfold(page)
    yield "log with a wrong day"
    page.click("#log-entries a")
    page.wait_for_selector("#checkpoint")
    with site.client() as client:
        page.fill("#checkpoint", client.get("/log/checkpoint").text)
    page.click("form[action*='/verify'] button")
    page.wait_for_selector("#own-result")
    yield "entry of the log"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_axe_finds_nothing_on_any_page(live_site: LiveSite, chromium: Any, language: str, scheme: str) -> None:
    axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
    axe = axe_module.Axe()
    found = {}
    with tab(chromium, live_site, color_scheme=scheme, bypass_csp=True) as page:
        for name in every_page(live_site, page, language):
            results = axe.run(page, options=AXE)
            assert results.response["passes"], name
            if results.violations_count:
                found[name] = results.generate_report()
    assert found == {}


def test_axe_would_notice_a_broken_page(live_site: LiveSite, chromium: Any) -> None:
    axe_module = pytest.importorskip("axe_playwright_python.sync_playwright")
    with tab(chromium, live_site, bypass_csp=True) as page:
        page.goto("/de/why")
        page.evaluate("document.querySelector('label[for=code]').remove()")
        page.evaluate("document.querySelector('h1').style.color = '#ddd'")
        broken = {one["id"] for one in axe_module.Axe().run(page, options=AXE).response["violations"]}
    assert {"label", "color-contrast"} <= broken


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_scrolls_sideways_at_320_pixels(live_site: LiveSite, chromium: Any, language: str) -> None:
    with tab(chromium, live_site, viewport={"width": 320, "height": 640}) as page:
        too_wide = [
            name
            for name in every_page(live_site, page, language)
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        ]
    assert too_wide == []


def test_targets_are_at_least_24_pixels_high(live_site: LiveSite, chromium: Any) -> None:
    small = []
    with tab(chromium, live_site, viewport={"width": 320, "height": 640}) as page:
        for name in every_page(live_site, page, "de"):
            for target in page.query_selector_all("nav a, header a, button, summary, input:not([type=hidden]), select"):
                box = target.bounding_box()
                if box and box["width"] > 1 and min(box["height"], box["width"]) < 24:
                    small.append((name, target.inner_text(), box))
    assert small == []


def test_every_bar_has_a_size_and_longest_is_strongest(live_site: LiveSite, chromium: Any) -> None:
    with tab(chromium, live_site) as page:
        open_letter(page, live_site.letter(outcome="refused", decided_by_rule=False), "de")
        boxes = [bar.bounding_box() for bar in page.query_selector_all(".factor .bar__fill")]
        fills = {
            page.evaluate("(bar) => getComputedStyle(bar).fill", bar) for bar in page.query_selector_all(".bar__fill")
        }
    assert boxes
    assert all(box and box["height"] >= 8 and box["width"] >= 1 for box in boxes)
    widths = [box["width"] for box in boxes]
    assert widths == sorted(widths, reverse=True)
    assert not fills & {"none", "rgba(0, 0, 0, 0)", "rgb(0, 0, 0)"}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_bars_stand_out_from_the_page(live_site: LiveSite, chromium: Any, scheme: str) -> None:
    with tab(chromium, live_site, color_scheme=scheme) as page:
        page.goto("/de/")
        colours = page.evaluate(
            """() => ["--bar-raised", "--bar-lowered", "--kern-color-layout-background-default"].map((name) => {
                 const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
                 canvas.fillStyle = getComputedStyle(document.body).getPropertyValue(name);
                 canvas.fillRect(0, 0, 1, 1);
                 return Array.from(canvas.getImageData(0, 0, 1, 1).data.slice(0, 3));
               })"""
        )
    raised, lowered, background = map(luminance, colours)
    assert contrast(raised, background) >= 3
    assert contrast(lowered, background) >= 3


def luminance(colour: list[int]) -> float:
    """Relative luminance (WCAG 2.2, definition)."""
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: float, other: float) -> float:
    """Contrast ratio (WCAG 2.2, definition)."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_works_without_scripts(live_site: LiveSite, chromium: Any, language: str) -> None:
    with tab(chromium, live_site, java_script_enabled=False) as page:
        names = list(every_page(live_site, page, language))
        assert len(names) == len(PUBLIC) + 9
        open_letter(page, live_site.letter(outcome="granted"), language)
        page.click("#extend button")
        page.wait_for_selector("#in_short")
        page.click("form[action$='/why/end'] button")
        page.wait_for_selector("#lookup")
        assert "ended=1" in page.url


def test_letter_code_fills_the_form_and_leaves_the_address(live_site: LiveSite, chromium: Any) -> None:
    letter = live_site.letter(outcome="granted")
    with tab(chromium, live_site, locale="en-GB") as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"/why#v={letter['reference']}&c={letter['access_code']}")
        expect(page.locator("#code")).not_to_have_value("")
        assert page.input_value("#reference") == letter["reference"]
        assert page.input_value("#code") == letter["access_code"]
        assert "#" not in page.url
        assert "Open explanation" in page.inner_text("#filled")
        assert page.query_selector("#in_short") is None, "sending stays with the person"
        assert not [url for url in asked if letter["access_code"] in url]
        page.click("#lookup button")
        page.wait_for_selector("#in_short")


def test_session_is_extended_in_place_and_warned_about(live_site: LiveSite, chromium: Any) -> None:
    with tab(chromium, live_site) as page:
        page.clock.install()
        open_letter(page, live_site.letter(outcome="granted"), "de")
        entry = page.inner_text("#small_print ~ dl")
        page.clock.fast_forward(28 * 60 * 1000 + 5000)
        assert "2 Minuten" in page.inner_text("#session-status")
        # The server's clock did not move: the browser's goes back to it, as if 28 minutes had passed for both.
        page.clock.set_system_time(datetime.now(UTC))
        with page.expect_response("**/why/extend") as extended:
            page.click("#extend button")
        assert extended.value.status == 200
        expect(page.locator("#session-status")).to_have_text("")
        assert page.inner_text("#small_print ~ dl") == entry, "the page was not delivered again"


def test_keyboard_meets_the_form_in_order_and_focus_is_seen(live_site: LiveSite, chromium: Any) -> None:
    with tab(chromium, live_site) as page:
        page.goto("/de/why")
        met = []
        for _ in range(14):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                """() => {
                     const one = document.activeElement;
                     const style = getComputedStyle(one);
                     return {name: one.id || one.textContent.trim(), outline: style.outlineStyle,
                             width: parseFloat(style.outlineWidth), top: one.getBoundingClientRect().top};
                   }"""
            )
            met.append(focused["name"])
            assert focused["outline"] == "solid", focused
            assert focused["width"] >= 2, focused
            assert focused["top"] >= 0, focused
            if focused["name"] == "Erklärung öffnen":
                break
        assert met[0] == "Zum Inhalt springen"
        assert met[-3:] == ["reference", "code", "Erklärung öffnen"]


def test_enter_in_the_form_sends_it(live_site: LiveSite, chromium: Any) -> None:
    letter = live_site.letter(outcome="granted")
    with tab(chromium, live_site) as page:
        page.goto("/de/why")
        page.fill("#reference", letter["reference"])
        page.fill("#code", letter["access_code"])
        page.press("#code", "Enter")
        page.wait_for_selector("#in_short")


def test_filter_changes_the_list_in_place_and_the_address(live_site: LiveSite, chromium: Any) -> None:
    with tab(chromium, live_site) as page:
        sign_in(page, person_with(live_site, "caseworker"), "de")
        page.evaluate("window.stillHere = true")
        all_of_them = page.inner_text("#result-count")
        page.select_option("#departed", "yes")
        page.click("form.filter button")
        page.wait_for_url("**departed=yes**")
        expect(page.locator("#result-count")).not_to_have_text(all_of_them)
        assert page.evaluate("window.stillHere")
        shown = page.inner_text("#result-count")
        assert page.inner_text("#results").count("anders entschieden.") == int(shown.split()[0])
        page.go_back()
        page.wait_for_selector("#results")


def test_ended_staff_session_leads_to_the_form_even_within_a_page(live_site: LiveSite, chromium: Any) -> None:
    with tab(chromium, live_site) as page:
        sign_in(page, person_with(live_site, "caseworker"), "de")
        page.context.clear_cookies()
        page.click("form.filter button")
        page.wait_for_url("**/de/staff/sign-in?ended=1")


def test_print_shows_closed_sections(live_site: LiveSite, chromium: Any) -> None:
    with tab(chromium, live_site) as page:
        open_letter(page, live_site.letter(outcome="granted"), "de")
        table = page.query_selector("#data-table")
        assert not table.is_visible()
        page.emulate_media(media="print")
        assert page.evaluate("document.getElementById('data-table').getBoundingClientRect().height") > 20
        assert not page.query_selector("#session-box").is_visible()
