"""One error shape, and a place in the table for every error we can raise."""

from datetime import date

import pytest

from explainer import errors
from explainer.api.problem_details import problem_of, status_and_title
from models.errors import InputProblem, InvalidInputError, KlarbescheidError
from tests.demo_city import RunningCity


def leaf_errors(error: type[KlarbescheidError] = KlarbescheidError) -> set[type[KlarbescheidError]]:
    children = error.__subclasses__()
    return {error} if not children else set().union(*(leaf_errors(child) for child in children))


@pytest.mark.parametrize("error", sorted(leaf_errors(), key=lambda error: error.__name__))
def test_every_error_has_a_status_a_title_and_a_code_of_its_own(error: type[KlarbescheidError]) -> None:
    status, title = status_and_title(error.__new__(error))
    assert 400 <= status < 600
    assert title.endswith(".")
    assert "code" in error.__dict__ or error.__name__.startswith("_") or error.code != "error"


def test_codes_are_unique() -> None:
    codes = [error.code for error in leaf_errors() if "code" in error.__dict__]
    assert len(codes) == len(set(codes))


def test_a_refusal_says_until_when_a_person_answers() -> None:

    error = errors.AdditivityError("The contributions miss the score.")
    error.answer_by = date(2026, 12, 7)
    assert problem_of(error)["answer_by"] == "2026-12-07"


def test_every_problem_is_listed() -> None:
    problem = problem_of(InvalidInputError([InputProblem("/a", "x", "A."), InputProblem("/b", "y", "B.")]))
    assert [item["pointer"] for item in problem["errors"]] == ["/a", "/b"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1/register/nothing", 404),
        ("GET", "/api/v1/register/wohngeld?version=99", 404),
        ("GET", "/api/v1/register/wohngeld?version=x", 422),
        ("DELETE", "/api/v1/decisions", 405),
        ("GET", "/api/v1/explanations/00", 401),
        ("GET", "/log/tile/9/9", 404),
    ],
)
def test_every_failing_answer_is_problem_details(demo_city: RunningCity, method: str, path: str, status: int) -> None:
    with demo_city.client() as client:
        response = client.request(method, path)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail"} <= set(response.json())
