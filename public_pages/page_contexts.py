"""What each template sees: one documented frozen dataclass per template, and nothing else.

A template's variables are exactly the fields of its context. A test holds both to each other. Pages for staff have
theirs in ``staff_page_contexts`` and ``audit_page_contexts``.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar

from explainer.explanations.document import ExplanationDocument
from explainer.use_cases.log_receipt import LogReceipt
from explainer.use_cases.read_register import PublishedEntry, PublishedVersion
from public_pages.audit_page_contexts import AuditPage, LogEntryPage
from public_pages.explanation_view import FactorBar
from public_pages.page_frame import ContactPoint, FieldProblem, TemplateContext
from public_pages.register_view import WhatWeighs
from public_pages.staff_page_contexts import DecisionCasePage, DecisionListPage, SignInPage


@dataclass(frozen=True, kw_only=True)
class HomePage(TemplateContext):
    """Start page with its three doors."""

    template: ClassVar[str] = "home.html"


@dataclass(frozen=True, kw_only=True)
class LookupPage(TemplateContext):
    """Form for reference and access code.

    Attributes:
        reference: What was typed, to be shown again.
        code: What was typed, to be shown again.
        problems: What is wrong with it; empty at first.
        ended: Whether a session has just ended.
    """

    template: ClassVar[str] = "lookup.html"

    reference: str = ""
    code: str = ""
    problems: tuple[FieldProblem, ...] = ()
    ended: bool = False


@dataclass(frozen=True, kw_only=True)
class SubjectExplanationPage(TemplateContext):
    """The citizen's explanation.

    Attributes:
        document: The delivered explanation.
        bars: Factors that are worth a sentence, strongest first.
        factor_intro: Sentences before the factors.
        factor_notes: Sentences after the factors.
        data_notes: Sentences around the table of data.
        small_print: Sentences before the list of numbers and fingerprints.
        program_name: What people call the program.
        sha256: SHA-256 (hex) of the delivered bytes.
        receipt: Where the log recorded the delivery.
        session_ends_at: When the session ends (UTC).
    """

    template: ClassVar[str] = "explanation.html"

    document: ExplanationDocument
    bars: tuple[FactorBar, ...]
    factor_intro: tuple[str, ...]
    factor_notes: tuple[str, ...]
    data_notes: tuple[str, ...]
    small_print: tuple[str, ...]
    program_name: str
    sha256: str
    receipt: LogReceipt
    session_ends_at: datetime


@dataclass(frozen=True, kw_only=True)
class RegisterListPage(TemplateContext):
    """All algorithms the city uses.

    Attributes:
        entries: Newest published version of each entry.
    """

    template: ClassVar[str] = "register_list.html"

    entries: tuple[PublishedEntry, ...]


@dataclass(frozen=True, kw_only=True)
class RegisterEntryPage(TemplateContext):
    """One register entry.

    Attributes:
        published: The version shown.
        history: All versions, newest first.
        weighs: What weighs most in the program; None where this version does not say.
    """

    template: ClassVar[str] = "register_entry.html"

    published: PublishedEntry
    history: tuple[PublishedVersion, ...]
    weighs: WhatWeighs | None


@dataclass(frozen=True, kw_only=True)
class AboutPage(TemplateContext):
    """What this service is and how it can be checked."""

    template: ClassVar[str] = "about.html"


@dataclass(frozen=True, kw_only=True)
class PrivacyPage(TemplateContext):
    """What happens with personal data."""

    template: ClassVar[str] = "privacy.html"


@dataclass(frozen=True, kw_only=True)
class AccessibilityPage(TemplateContext):
    """Accessibility statement with ways to report a barrier.

    Attributes:
        contacts: Offices that take reports.
    """

    template: ClassVar[str] = "accessibility.html"

    contacts: tuple[ContactPoint, ...]


@dataclass(frozen=True, kw_only=True)
class ErrorPage(TemplateContext):
    """Something did not work.

    Attributes:
        title: Translated heading.
        sentences: Translated sentences: what happened and what to do.
        contact: Office that answers instead, or None.
        answer_by: Until when it answers, or None.
        erased_at: When the data were erased, or None.
        way_on: Path of the page that helps on.
        way_on_label: Translated text of the link there.
    """

    template: ClassVar[str] = "error.html"

    title: str
    sentences: tuple[str, ...]
    contact: ContactPoint | None = None
    answer_by: date | None = None
    erased_at: datetime | None = None
    way_on: str = "/"
    way_on_label: str = ""


CONTEXTS: tuple[type[TemplateContext], ...] = (
    HomePage,
    LookupPage,
    SubjectExplanationPage,
    RegisterListPage,
    RegisterEntryPage,
    SignInPage,
    DecisionListPage,
    DecisionCasePage,
    AuditPage,
    LogEntryPage,
    AboutPage,
    PrivacyPage,
    AccessibilityPage,
    ErrorPage,
)
"""Every page there is."""
