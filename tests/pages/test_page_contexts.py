"""A template sees exactly what its context documents."""

import re
from dataclasses import fields, is_dataclass
from inspect import getdoc

import pytest
from jinja2 import Environment, meta
from jinja2.ext import i18n

from public_pages import audit_page_contexts, page_contexts, page_frame, staff_page_contexts
from public_pages.page_contexts import CONTEXTS
from public_pages.page_formats import filters
from public_pages.page_frame import TemplateContext
from public_pages.rendering import TEMPLATES_FOLDER

GLOBALS = {"_", "gettext", "ngettext", "static_url", "range", "dict", "caller"}


def sources(name: str) -> str:
    """A template with everything it extends and imports."""
    text = (TEMPLATES_FOLDER / name).read_text(encoding="utf-8")
    others = re.findall(r"{%\s*(?:extends|import)\s+\"([^\"]+)\"", text)
    return text + "".join(sources(other) for other in others)


def undeclared(name: str) -> set[str]:
    environment = Environment(extensions=[i18n], autoescape=True)
    environment.filters.update({**filters("en"), "label": str})
    return meta.find_undeclared_variables(environment.parse((TEMPLATES_FOLDER / name).read_text(encoding="utf-8")))


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.__name__)
def test_every_field_is_used_by_its_template(context: type[TemplateContext]) -> None:
    text = sources(context.template)
    unused = [field.name for field in fields(context) if not re.search(rf"\b{field.name}\b", text)]
    assert unused == []


@pytest.mark.parametrize("context", CONTEXTS, ids=lambda context: context.__name__)
def test_template_sees_nothing_but_its_context(context: type[TemplateContext]) -> None:
    own = re.findall(r"{%\s*(?:import\s+\"[^\"]+\"\s+as|set)\s+(\w+)", sources(context.template))
    known = {field.name for field in fields(context)} | GLOBALS | set(own)
    assert undeclared(context.template) <= known


def test_every_template_has_a_context() -> None:
    pages = {path.name for path in TEMPLATES_FOLDER.glob("*.html")} - {"base.html"}
    assert pages == {context.template for context in CONTEXTS}


def test_every_field_is_documented() -> None:
    undocumented = [
        f"{kind.__name__}.{field.name}"
        for module in (page_contexts, page_frame, staff_page_contexts, audit_page_contexts)
        for kind in vars(module).values()
        if isinstance(kind, type) and is_dataclass(kind) and kind.__module__ == module.__name__
        for field in fields(kind)
        if field.name in kind.__annotations__ and not re.search(rf"(?m)^\s+{field.name}: \S", getdoc(kind) or "")
    ]
    assert undocumented == []
