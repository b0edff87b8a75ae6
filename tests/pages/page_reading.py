"""Reads HTML the way the page tests need it."""

from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class ReadPage(HTMLParser):
    """One page, read from its HTML.

    Attributes:
        html: The whole page.
    """

    html: str
    tags: Counter[str] = field(default_factory=Counter)
    attributes: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    texts: dict[str, str] = field(default_factory=dict)
    ids: Counter[str] = field(default_factory=Counter)
    headings: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.unclosed: list[str] = []
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.tags[tag] += 1
        self.attributes.append((tag, known))
        if "id" in known:
            self.ids[known["id"]] += 1
        if len(tag) == 2 and tag[0] == "h" and tag[1].isdigit():
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.unclosed.append(tag)
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        for tag in self._open:
            self.texts[tag] = self.texts.get(tag, "") + data

    def text(self, tag: str) -> str:
        """All text inside elements of this name, blanks collapsed."""
        return " ".join(self.texts.get(tag, "").split())

    def values(self, tag: str, attribute: str) -> list[str]:
        """All values of an attribute on elements of this name."""
        return [known[attribute] for name, known in self.attributes if name == tag and attribute in known]

    def csrf(self) -> str:
        """The token that the page's forms carry."""
        return next(known["value"] for name, known in self.attributes if known.get("name") == "csrf")


def read(answer: Any) -> ReadPage:
    """Read an HTTP answer."""
    return ReadPage(answer.text)
