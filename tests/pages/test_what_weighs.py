"""What the register shows about a program in general, and caseworkers about details that belong together."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest

from explainer.explanations.document import Language
from explainer.narration.readability import readability_problems
from explainer.use_cases.explained_model import ExplainedModel
from explainer.use_cases.read_register import read_entry
from public_pages.page_formats import number, signed
from public_pages.register_view import what_weighs
from tests.pages.conftest import LiveSite
from tests.pages.page_reading import ReadPage
from tests.unit.narration.test_readability import banned_words

LANGUAGES: tuple[Language, ...] = ("de", "en")
PURPOSE = {"purpose": "Widerspruch", "legal_basis": "§ 35 SGB X"}


def section(html: str, heading_id: str) -> ReadPage:
    """One section of a page, read by itself."""
    found = re.search(rf'<section[^>]*aria-labelledby="{heading_id}".*?</section>', html, re.DOTALL)
    assert found
    return ReadPage(found[0])


def entry_page(visitor: httpx.Client, language: Language) -> ReadPage:
    return section(visitor.get(f"/{language}/register/wohngeld").text, "weighs")


def rows_of(page: ReadPage, table: str) -> list[list[str]]:
    """Cells of one table of a page, row by row, blanks collapsed."""
    body = re.search(rf'<table[^>]*id="{table}".*?<tbody[^>]*>(.*?)</tbody>', page.html, re.DOTALL)
    assert body
    rows = re.findall(r"<tr.*?</tr>", body[1], re.DOTALL)
    return [
        [" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


def check_page_shows_the_kernels_numbers(page: ReadPage, model: ExplainedModel, language: Language) -> None:
    """Shares and means on the page, against contributions and scores computed here."""
    background, card = model.package.background, model.package.card
    contributions = np.abs(model.computer.contributions_of(background.rows))
    sizes = np.average(contributions, axis=0, weights=background.weights)
    order = np.argsort(-sizes)
    influences = rows_of(page, "influences")
    assert [row[0] for row in influences] == [card.features[position].label(language) for position in order]
    for row, position in zip(influences, order, strict=True):
        share = number(100 * sizes[position] / sizes.sum(), language)
        assert row[2] == f"{share} {'Prozent' if language == 'de' else 'percent'}"
    strongest = card.features[order[0]]
    curve = rows_of(page, f"curve-{strongest.name}")
    assert len(curve) > 3
    for value, shown, _ in curve:
        everywhere = background.rows.copy()
        digits = value.split()[0].replace("." if language == "de" else ",", "")
        everywhere[:, order[0]] = float(digits)
        mean = 100 * np.average(model.package.model.score(everywhere), weights=background.weights)
        assert float(shown.split()[-1]) == pytest.approx(mean, abs=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_register_page_shows_the_kernels_numbers(
    live_site: LiveSite, visitor: httpx.Client, language: Language
) -> None:
    model = live_site.service.model("wohngeld")
    check_page_shows_the_kernels_numbers(entry_page(visitor, language), model, language)


def swap_two_rows(html: str) -> str:
    rows = re.findall(r"<tr class.*?</tr>", html, re.DOTALL)
    return html.replace(rows[0], "\0", 1).replace(rows[1], rows[0], 1).replace("\0", rows[1], 1)


@pytest.mark.parametrize(
    "break_page",
    [swap_two_rows, lambda html: html.replace("57", "58"), lambda html: re.sub(r"300( Euro)", r"2.300\1", html)],
)
def test_page_with_other_numbers_is_caught(
    live_site: LiveSite, visitor: httpx.Client, break_page: Callable[[str], str]
) -> None:
    page, model = entry_page(visitor, "de"), live_site.service.model("wohngeld")
    broken = break_page(page.html)
    assert broken != page.html
    with pytest.raises(AssertionError):
        check_page_shows_the_kernels_numbers(ReadPage(broken), model, "de")


@pytest.mark.parametrize("language", LANGUAGES)
def test_register_page_speaks_as_people_do(visitor: httpx.Client, language: Language) -> None:
    page = entry_page(visitor, language)
    text = page.text("section")
    assert banned_words(text, language) == []
    assert readability_problems(page.text("p"), language) == []
    assert page.headings == [2, 3, 4, 4, 4]


def test_no_bar_is_without_length_and_all_end_on_the_axis(live_site: LiveSite, visitor: httpx.Client) -> None:
    page = entry_page(visitor, "de")
    bars = [known for name, known in page.attributes if name == "rect" and known["class"] == "bar__fill"]
    assert bars
    assert all(1 <= float(bar["width"]) <= 100 and float(bar["height"]) > 0 for bar in bars)
    weighs = what_weighs(read_entry(live_site.service, "wohngeld").entry, "de")
    assert weighs is not None
    assert (weighs.lowest, weighs.highest, weighs.limit) == (0, 1, "50")
    assert {known["x1"] for name, known in page.attributes if name == "line"} == {str(weighs.limit_place)}


def test_shares_that_are_nought_have_no_bar(visitor: httpx.Client) -> None:
    page = entry_page(visitor, "de")
    nought = next(row for row in re.findall(r"<tr.*?</tr>", page.html, re.DOTALL) if "Ihr Vermögen" in row)
    assert "0 Prozent" in nought
    assert "<svg" not in nought


def test_register_answers_programs_with_the_same_overview(live_site: LiveSite, visitor: httpx.Client) -> None:
    answer = visitor.get("/api/v1/register/wohngeld").json()
    overview = read_entry(live_site.service, "wohngeld").entry.overview
    assert overview is not None
    assert answer["entry"]["overview"] == overview.model_dump(mode="json")


def test_version_without_overview_says_so(live_site: LiveSite) -> None:
    entry = read_entry(live_site.service, "wohngeld").entry
    assert what_weighs(entry.model_copy(update={"overview": None}), "de") is None


def explained(caseworker: httpx.Client, reference: str, language: Language) -> tuple[str, dict[str, Any]]:
    """The case page with its explanation, and the document that a program gets about the same case."""
    csrf = ReadPage(caseworker.get(f"/{language}/staff/decisions/{reference}").text).csrf()
    page = caseworker.post(f"/{language}/staff/decisions/{reference}/explanation", data={"csrf": csrf, **PURPOSE}).text
    answer = caseworker.post(
        f"/api/v1/decisions/{reference}/explanations",
        json={"language": language, **PURPOSE},
        headers={"X-CSRF-Token": csrf},
    )
    assert answer.status_code == 201
    return page, answer.json()


@pytest.mark.parametrize("language", LANGUAGES)
def test_caseworker_reads_which_details_belong_together(
    live_site: LiveSite, caseworker: httpx.Client, language: Language
) -> None:
    page, document = explained(caseworker, live_site.letter(departed=True)["reference"], language)
    assert document["interactions"]
    rows = rows_of(ReadPage(page), "interactions")
    unit = "Log-Odds" if language == "de" else "log odds"
    for row, one in zip(rows, document["interactions"], strict=True):
        assert row[0] == " + ".join(one["labels"])
        assert row[1] == f"{signed(one['value'], language)} {unit}"
        assert one["sentence"] in page


def test_interactions_of_the_case_are_those_of_the_stored_model_and_inputs(
    live_site: LiveSite, caseworker: httpx.Client
) -> None:
    reference = live_site.letter(departed=True)["reference"]
    _, document = explained(caseworker, reference, "en")
    model = live_site.service.model("wohngeld")
    inputs = {one["feature"]: one["value"] for one in document["contributions"]}
    scored = model.numbers_for(inputs).score_numbers
    assert scored is not None
    found = model.interactions_of(inputs, scored)
    assert [one["value"] for one in document["interactions"]] == [
        pytest.approx(one.value, abs=1e-9) for one in found.noticeable
    ]


def test_case_where_nothing_worked_together_says_so(live_site: LiveSite, caseworker: httpx.Client) -> None:
    for letter in live_site.access["letters"]:
        page, document = explained(caseworker, letter["reference"], "de")
        none = document.get("no_interactions")
        if none:
            break
    assert none == {"reason": "none_noticeable", "sentence": "Keine zwei Angaben haben merklich zusammengewirkt."}
    assert none["sentence"] in page
    assert 'id="interactions"' not in page


def test_citizen_gets_no_interactions(live_site: LiveSite) -> None:
    document = live_site.explain(live_site.letter(departed=True)).json()
    assert "interactions" not in document
    assert "no_interactions" not in document
    assert "interactions" not in {one["id"] for one in document["text"]["sections"]}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_register_names_details_without_speaking_to_anybody(visitor: httpx.Client, language: Language) -> None:
    html = visitor.get(f"/{language}/register/wohngeld").text
    tables = " ".join(re.findall(r"<table.*?</table>", html, re.DOTALL))
    assert ("Haushaltseinkommen" if language == "de" else "Household income") in tables
    assert re.findall(r"\b(?:Ihr(?:e[mnrs]?)?|Ihnen|[Yy]ours?|[Yy]ou)\b", re.sub(r"<[^>]+>", " ", tables)) == []
