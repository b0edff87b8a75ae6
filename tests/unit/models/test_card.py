import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.card import ModelCard, load_card, parse_card
from models.errors import MalformedPackageError
from models.words import Words
from tests.unit.models.cards import card_bytes, card_data
from tests.unit.models.tree_models import WOHNGELD

CARD = load_card(WOHNGELD / "card.yaml")


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    data = card_data()
    change(data)
    return card_bytes(data)


def test_score_exactly_at_the_threshold_leads_to_the_upper_outcome() -> None:
    assert CARD.outcome_of_score(CARD.threshold).id == CARD.outcome_at_or_above
    assert CARD.outcome_of_score(CARD.threshold - 1e-12).id == CARD.outcome_below


def test_a_card_survives_json() -> None:
    assert ModelCard.model_validate_json(CARD.model_dump_json()) == CARD


def test_all_problems_are_listed_with_their_lines() -> None:
    content = (WOHNGELD / "card.yaml").read_text("utf-8")
    broken = content.replace("role: sorts", "role: rules").replace("status: pilot", "status: testing")
    with pytest.raises(MalformedPackageError) as caught:
        parse_card(broken.encode())
    lines = content.splitlines()
    expected = {f"line {lines.index(text) + 1}:" for text in ("role: sorts", "status: pilot")}
    assert len(caught.value.problems) == 2
    assert {" ".join(problem.split()[:2]) for problem in caught.value.problems} == expected


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.update(permitting_law={"de": "a", "en": "b"}), "permitting_law"),
        (lambda d: d.update(is_ai=False), "contradict"),
        (lambda d: d.update(outcome_below="granted"), "must name the two outcomes"),
        (lambda d: d["outcomes"][1].update(favourable=True), "exactly one outcome is favourable"),
        (lambda d: d["outcomes"].pop(), "outcomes"),
        (lambda d: d["features"].append(d["features"][0]), "listed twice"),
        (lambda d: d["rules"][0].update(outcome="maybe"), "unknown outcome 'maybe'"),
        (lambda d: d["rules"][0].update(condition={"greater": [{"feature": "age"}, 1]}), "unknown feature 'age'"),
        (lambda d: d["rules"][0].update(condition={"eval": "1"}), "no condition"),
        (lambda d: d.update(threshold=1.0), "threshold"),
        (lambda d: d.update(domain="magic"), "no domain"),
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d.pop("risks"), "risks"),
        (lambda d: d["purpose"].pop("en"), "purpose.en"),
        (lambda d: d.update(slug="../etc"), "slug"),
        (lambda d: d.update(strength_cutoffs={"strong": 0.1, "clear": 0.3, "slight": 0.05}), "cut-offs"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(change: Callable[[dict[str, Any]], object], sentence: str) -> None:
    with pytest.raises(MalformedPackageError, match=re.escape(sentence)):
        parse_card(changed(change))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[1, 2]",
        b"just text",
        b"\xff\xfe",
        b"a: [",
        b"a: 2026-13-45",
        b"a: !!python/object/apply:os.system [echo]",
        b"a: &x [1]\nb: *x",
        b"a: 1\na: 2",
        b"[" * 5000,
        b"a: b: c",
        b"\x00",
        b"? [1]\n: 2",
        b"x" * 1_000_001,
    ],
)
def test_nothing_but_a_malformed_package_error_comes_out_of_bad_bytes(content: bytes) -> None:
    with pytest.raises(MalformedPackageError):
        parse_card(content)


def test_a_missing_card_is_told(tmp_path: Path) -> None:
    with pytest.raises(MalformedPackageError, match=r"card\.yaml"):
        load_card(tmp_path / "card.yaml")


def _all_words(part: object) -> Iterator[Words]:
    if isinstance(part, Words):
        yield part
    elif isinstance(part, tuple):
        for entry in part:
            yield from _all_words(entry)
    elif hasattr(type(part), "model_fields"):
        for name in type(part).model_fields:
            yield from _all_words(getattr(part, name))


@pytest.mark.parametrize(("language", "longest"), [("de", 20), ("en", 25)])
def test_texts_of_the_bundled_card_are_plain(language: str, longest: int) -> None:
    texts = [words(language) for words in _all_words(CARD)]
    assert len(texts) > 50
    for text in texts:
        assert not re.search(r"[()\[\]]|\bz\. ?B\.|\be\.g\.|\bbzw\b|leider|Algorithmus|\bKI\b|\bAI\b", text), text
        for sentence in re.split(r"(?<=[.?!])\s+", text):
            assert len(sentence.split()) <= longest, sentence


EUROS = {
    "unit": {"de": "Euro", "en": "euros"},
    "label": {"de": "Zahl", "en": "number"},
    "meaning": {"de": "a", "en": "b"},
}


def _with_classes(data: dict[str, Any], **changes: Any) -> None:
    for name in ("threshold", "outcome_at_or_above", "outcome_below"):
        del data[name]
    third = {**data["outcomes"][0], "id": "third"}
    data.update(outcomes=[*data["outcomes"], third], additive_unit="class_score")
    data.update({"outcome_of_class": ["third", "granted", "refused"], **changes})


def test_a_card_can_speak_of_any_unit_and_of_several_classes() -> None:
    euros = parse_card(changed(lambda d: d.update(score=EUROS, additive_unit="score", threshold=-1250.5)))
    assert euros.outcome_of_score(-1250.5).id == euros.outcome_at_or_above
    assert (euros.score.unit_name, euros.additive_unit_name) == ("euros", "euros")
    classes = parse_card(changed(_with_classes))
    assert classes.outcome_of_class == ("third", "granted", "refused")
    with pytest.raises(TypeError, match="several classes"):
        classes.outcome_of_score(0.5)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda d: d.update(additive_unit="class_score"), "belongs to several classes"),
        (lambda d: d.update(score=EUROS), "belongs to scores that are probabilities"),
        (lambda d: d.update(additive_unit="log_score"), "belongs to scores with a unit and a threshold above 0"),
        (lambda d: d["score"].update(scale=1), "probabilities have the scale 100"),
        (lambda d: d.update(score={**EUROS, "scale": 100}, additive_unit="score"), "every other unit has the scale 1"),
        (lambda d: d["score"].update(decimals=2), "belong to units in words"),
        (lambda d: d.pop("threshold"), "are needed where no classes are listed"),
        (lambda d: d.update(outcome_of_class=["granted", "refused"]), "not both"),
        (lambda d: d["outcomes"][0].update(rank=1), "'rank' belongs to outcomes of several classes"),
        (lambda d: _with_classes(d, outcome_of_class=["granted", "refused"]), "must name every outcome once"),
        (lambda d: _with_classes(d, outcome_of_class=["granted", "granted", "third"]), "must name every outcome once"),
        (lambda d: (_with_classes(d), d["outcomes"][0].update(rank=1)), "either every outcome has a 'rank' or none"),
        (
            lambda d: (_with_classes(d), [o.update(rank=2 - o["favourable"] * -1) for o in d["outcomes"]]),
            "smaller 'rank'",
        ),
        (lambda d: (_with_classes(d), [o.update(favourable=True) for o in d["outcomes"]]), "at least one is not"),
    ],
)
def test_a_card_whose_number_and_outcomes_do_not_fit_is_refused(
    change: Callable[[dict[str, Any]], object], sentence: str
) -> None:
    with pytest.raises(MalformedPackageError, match=re.escape(sentence)):
        parse_card(changed(change))
