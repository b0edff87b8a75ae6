"""What the templates of audit pages see; see ``page_contexts`` for the rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from explainer.use_cases.browse_log import LogOverview
from explainer.use_cases.prove_entry import ProvenEntry
from explainer.use_cases.read_log import LogVerification
from public_pages.page_frame import FieldProblem, TemplateContext


@dataclass(frozen=True, kw_only=True)
class ChosenEntries:
    """What was chosen in the filter form, as text; empty means any.

    Attributes:
        system: Slug of a register entry.
        version: Model version.
        event: Kind of event.
        role: The program's role.
        outcome: Outcome slug.
        since: First day, as typed.
        until: Last day, as typed.
    """

    system: str = ""
    version: str = ""
    event: str = ""
    role: str = ""
    outcome: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, kw_only=True)
class AuditPage(TemplateContext):
    """The accountability log.

    Attributes:
        overview: Size, checkpoint, counts and one page of entries.
        chosen: What the filter form holds.
        problems: What is wrong with it; empty at first.
        model_names: Slug to name of every model there is, in the page's language.
        outcome_names: Outcome id to its noun, in the page's language.
        event_urls: Event to the address of its entries within what was chosen.
        newer_url: Address of newer entries, or None.
        older_url: Address of older entries, or None.
        verification: Result of a check that was just run, or None.
    """

    template: ClassVar[str] = "audit.html"

    overview: LogOverview
    chosen: ChosenEntries
    problems: tuple[FieldProblem, ...]
    model_names: Mapping[str, str]
    outcome_names: Mapping[str, str]
    event_urls: Mapping[str, str]
    newer_url: str | None
    older_url: str | None
    verification: LogVerification | None = None


@dataclass(frozen=True, kw_only=True)
class LogEntryPage(TemplateContext):
    """One entry of the log with its proof.

    Attributes:
        proven: The entry and every step from its bytes to the signed root hash.
        leaf_text: Its bytes as text.
        brought_text: The checkpoint that the reader brought, to be shown again.
        model_names: Slug to name of every model there is, in the page's language.
        outcome_names: Outcome id to its noun, in the page's language.
        newer: Position of the next entry, or None.
        older: Position of the entry before, or None.
    """

    template: ClassVar[str] = "log_entry.html"

    proven: ProvenEntry
    leaf_text: str
    brought_text: str
    model_names: Mapping[str, str]
    outcome_names: Mapping[str, str]
    newer: int | None
    older: int | None
