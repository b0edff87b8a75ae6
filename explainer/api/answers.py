"""Shapes of answers, for the OpenAPI document."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from explainer.explanations.document import ExplanationDocument


class Problem(BaseModel):
    """Problem details (RFC 9457); ``errors`` lists every problem of a bad request."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, str]] | None = None
    answer_by: str | None = None


class LogReceiptAnswer(BaseModel):
    """Where the log entry stands."""

    entry_id: str
    leaf_hash: str
    status: Literal["pending", "integrated"]
    index: int | None


class ModelAnswer(BaseModel):
    """The model version that was applied."""

    slug: str
    version: str
    sha256: str


class RecordedDecisionAnswer(BaseModel):
    """A recorded decision; ``access_code`` is shown once."""

    reference: str
    model: ModelAnswer
    score: float | None
    outcome: str
    model_outcome: str
    decided_outcome: str | None
    decided_by_rule: str | None
    status: str
    supersedes: str | None
    access_code: str | None
    explanation_url: str
    log: LogReceiptAnswer
    replayed: bool = False


class DecisionAnswer(BaseModel):
    """A decision without what this caller may not see."""

    reference: str
    model: ModelAnswer
    register_version: int
    status: str
    role: str
    decided_by: str | None
    outcome: str
    model_outcome: str
    decided_outcome: str | None
    decided_by_rule: str | None
    departed: bool
    diverted: bool
    decided_at: str | None
    recorded_at: str
    supersedes: str | None
    superseded_by: str | None
    score: float | None = None
    case_reference: str | None = None
    inputs: dict[str, Any] | None = None


class ExplanationAnswer(ExplanationDocument):
    """The explanation document with its log receipt."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    log: LogReceiptAnswer


class RegisterListItem(BaseModel):
    """One algorithm in the register's list."""

    slug: str
    name: dict[str, str]
    purpose: dict[str, str]
    status: str
    role: str
    version: int
    published_at: str
    sha256: str
    url: str


class RegisterAnswer(BaseModel):
    """The register's list."""

    entries: list[RegisterListItem]


class RegisterEntryAnswer(BaseModel):
    """One entry with its version and live numbers."""

    model_config = ConfigDict(populate_by_name=True)

    slug: str
    version: int
    published_at: str
    sha256: str
    running: bool
    live_numbers: dict[str, str]
    versions: list[dict[str, Any]]
    entry: dict[str, Any]


class Health(BaseModel):
    """Whether the process is up, or ready to serve."""

    status: Literal["ok", "not_ready", "read_only"]
    models: dict[str, str] = Field(default_factory=dict)
    log_problem: str | None = None
    witnesses: dict[str, str] = Field(default_factory=dict)


PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": Problem, "content": {"application/problem+json": {}}, "description": text}
    for code, text in (
        (401, "No valid key, token or session."),
        (403, "Not for this caller, or reference or code is wrong."),
        (404, "Not found, or not for this caller."),
        (405, "Not this method."),
        (409, "Contradicts what is recorded."),
        (410, "Erased after its retention time."),
        (413, "The body is too large."),
        (422, "Cannot be used; every problem is listed."),
        (503, "The model or the explanation did not pass its checks."),
    )
}
