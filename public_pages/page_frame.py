"""What every page has: its frame, and the parts that forms and contacts are made of."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from explainer.explanations.document import Language


@dataclass(frozen=True, kw_only=True)
class Page:
    """What the frame around every page needs.

    Attributes:
        language: Language of the page.
        other_language: The language it can be switched to.
        path: Path without the language, such as ``/register``.
        query: Query with its question mark that the other language keeps, or empty.
        city_name: Name of the city.
        csrf: Token that forms of this session carry; None without a session.
        session: Kind of session this page belongs to, or None for pages that need none.
        roles: Roles of the member of staff; empty for everybody else.
        demo: Whether this is the demo city, so that nobody takes it for a real one.
    """

    language: Language
    other_language: Language
    path: str
    query: str = ""
    city_name: str
    csrf: str | None = None
    session: Literal["subject", "staff"] | None = None
    roles: frozenset[str] = frozenset()
    demo: bool = False

    def url(self, path: str) -> str:
        """Address of another page in the same language."""
        return f"/{self.language}{path}"

    @property
    def other_language_url(self) -> str:
        """Address of this page in the other language."""
        return f"/{self.other_language}{self.path}{self.query}"

    def is_at(self, path: str) -> bool:
        """Whether this page is the one named, or below it."""
        return self.path == path or (path != "/" and self.path.startswith(f"{path}/"))


@dataclass(frozen=True, kw_only=True)
class TemplateContext:
    """Base of all contexts.

    Attributes:
        page: What the frame needs.
    """

    template: ClassVar[str]

    page: Page


@dataclass(frozen=True, kw_only=True)
class FieldProblem:
    """One thing a form has to say about one field.

    Attributes:
        field: Id of the field that the message links to.
        sentence: Translated sentence.
    """

    field: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class ContactPoint:
    """An office and how it is reached.

    Attributes:
        name: Its name.
        phone: With country code.
        email: Its address; empty where it has none.
        postal_address: In one line.
    """

    name: str
    phone: str
    email: str
    postal_address: str
