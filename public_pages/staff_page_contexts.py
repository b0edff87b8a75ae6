"""What the templates of staff pages see; see ``page_contexts`` for the rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import ClassVar

from explainer.decisions.decision import Decision
from explainer.explanations.document import ExplanationDocument
from explainer.use_cases.log_receipt import LogReceipt
from explainer.use_cases.read_decisions import DecisionPage
from explainer.use_cases.records import TaskRecord
from models.card import ModelCard
from public_pages.explanation_view import FactorBar
from public_pages.page_frame import FieldProblem, TemplateContext


@dataclass(frozen=True, kw_only=True)
class SignInPage(TemplateContext):
    """Form for user name and password.

    Attributes:
        user: What was typed, to be shown again.
        problems: What is wrong with it; empty at first.
        ended: Whether a session has just ended.
    """

    template: ClassVar[str] = "sign_in.html"

    user: str = ""
    problems: tuple[FieldProblem, ...] = ()
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
class ChosenDecisions:
    """What was chosen in the filter form, as text; empty means any.

    Attributes:
        model: Slug of a model.
        outcome: Outcome id.
        status: Status of the decision.
        departed: ``yes`` or ``no``.
        reference: A reference.
    """

    model: str = ""
    outcome: str = ""
    status: str = ""
    departed: str = ""
    reference: str = ""


@dataclass(frozen=True, kw_only=True)
class DecisionListPage(TemplateContext):
    """Decisions for caseworkers and auditors.

    Attributes:
        decisions: One page of decisions.
        chosen: What the filter form holds.
        model_names: Slug to name of every model there is, in the page's language.
        outcome_names: Outcome id to its noun, in the page's language.
        statuses: Every status a decision can have.
        tasks: What is left to do, due first; empty for auditors.
        previous_url: Address of the page before, or None.
        next_url: Address of the page after, or None.
    """

    template: ClassVar[str] = "decision_list.html"

    decisions: DecisionPage
    chosen: ChosenDecisions
    model_names: Mapping[str, str]
    outcome_names: Mapping[str, str]
    statuses: tuple[str, ...]
    tasks: tuple[TaskRecord, ...]
    previous_url: str | None
    next_url: str | None


@dataclass(frozen=True, kw_only=True)
class DecisionDataRow:
    """One value of a decision as the caseworker sees it.

    Attributes:
        label: Name of the feature in the page's language.
        name: Its technical name.
        value: The value as the case system sent it.
        source: Where it comes from.
        as_of: As of when, or None.
    """

    label: str
    name: str
    value: str
    source: str
    as_of: date | None


@dataclass(frozen=True, kw_only=True)
class StaffExplanation:
    """An explanation as staff see it.

    Attributes:
        document: The delivered explanation.
        bars: Every feature's contribution, strongest first.
        sha256: SHA-256 (hex) of the delivered bytes.
        receipt: Where the log recorded the delivery.
        previews: The person's text in each language, if it was asked for.
    """

    document: ExplanationDocument
    bars: tuple[FactorBar, ...]
    sha256: str
    receipt: LogReceipt
    previews: tuple[ExplanationDocument, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DecisionCasePage(TemplateContext):
    """One decision for staff.

    Attributes:
        decision: The decision with its private part.
        superseded_by: Reference of its successor, or None.
        card: Card of the model; None where the model is no longer installed.
        outcome_names: Outcome id to its noun, in the page's language.
        data_rows: The values the program used.
        explanation: The explanation that was asked for, or None.
        purpose: What was typed, to be shown again.
        legal_basis: What was typed, to be shown again.
        with_previews: Whether the person's text is asked for too.
        problems: What is wrong with the form; empty at first.
    """

    template: ClassVar[str] = "decision_case.html"

    decision: Decision
    superseded_by: str | None
    card: ModelCard | None
    outcome_names: Mapping[str, str]
    data_rows: tuple[DecisionDataRow, ...]
    explanation: StaffExplanation | None = None
    purpose: str = ""
    legal_basis: str = ""
    with_previews: bool = True
    problems: tuple[FieldProblem, ...] = ()
