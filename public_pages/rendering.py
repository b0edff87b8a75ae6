"""Turns a page context into HTML: one Jinja environment per language, undefined names are errors."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from explainer.explanations.document import Language
from explainer.settings import Settings
from explainer.use_cases.callers import Staff
from explainer.use_cases.open_session import ActiveSession
from public_pages.labels import label_of
from public_pages.language_negotiation import LANGUAGES, language_in_path, language_of, without_language
from public_pages.page_formats import filters
from public_pages.page_frame import Page, TemplateContext
from public_pages.static_assets import StaticAssets
from public_pages.translations import PageTranslations, load_translations

TEMPLATES_FOLDER = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class PageRenderer:
    """Renders pages of one installation.

    Attributes:
        settings: Its settings.
        translations: Language to the pages' sentences.
        environments: Language to its templates.
    """

    settings: Settings
    translations: Mapping[Language, PageTranslations]
    environments: Mapping[Language, Environment]

    def html(self, context: TemplateContext) -> str:
        """Render a page.

        Args:
            context: Everything its template sees.

        Returns:
            The whole page.
        """
        variables = {field.name: getattr(context, field.name) for field in fields(context)}
        return self.environments[context.page.language].get_template(context.template).render(variables)

    def language(self, request: Request) -> Language:
        """Language of the page a request asks for."""
        return language_of(request, self.settings.default_language)

    def words(self, request: Request) -> PageTranslations:
        """The pages' sentences in the language of a request."""
        return self.translations[self.language(request)]

    def page(self, request: Request, session: ActiveSession | None = None) -> Page:
        """What the frame around a page needs.

        Args:
            request: The request.
            session: The session this page belongs to, if it needs one.

        Returns:
            The base of the page's context.
        """
        language = self.language(request)
        staff = session.caller if session and isinstance(session.caller, Staff) else None
        return Page(
            language=language,
            other_language="en" if language == "de" else "de",
            # A form's answer has no page of its own to switch to; its form does.
            path=_page_path(request),
            query=f"?{request.url.query}" if request.url.query and request.method == "GET" else "",
            city_name=self.settings.city_name,
            csrf=session.csrf if session else None,
            session=None if session is None else "staff" if staff else "subject",
            roles=staff.roles if staff else frozenset(),
            demo=self.settings.demo,
        )

    def response(self, request: Request, context: TemplateContext, status: int = 200) -> HTMLResponse:
        """Render a page as an answer.

        Args:
            request: The request.
            context: Everything its template sees.
            status: HTTP status.

        Returns:
            The answer; where the browser's wish chose the language, ``Vary`` says so.
        """
        headers: dict[str, str] = {"Content-Language": context.page.language}
        if language_in_path(request.url.path) is None:
            headers["Vary"] = "Accept-Language"
        return HTMLResponse(self.html(context), status_code=status, headers=headers)


def make_renderer(settings: Settings) -> PageRenderer:
    """Load templates and translations.

    Args:
        settings: Settings of the installation.

    Returns:
        The renderer.

    Raises:
        MissingAssetsError: If style sheet, fonts or htmx were not fetched.
    """
    translations = load_translations()
    assets = StaticAssets.load()
    return PageRenderer(
        settings=settings,
        translations=translations,
        environments={language: make_environment(translations[language], assets) for language in LANGUAGES},
    )


def make_environment(translations: PageTranslations, assets: StaticAssets) -> Environment:
    """Make the Jinja environment of one language; everything is escaped.

    Args:
        translations: The language's sentences.
        assets: The static files with their addresses.

    Returns:
        The environment.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the i18n extension adds it
    environment.install_gettext_translations(translations, newstyle=True)  # type: ignore[attr-defined]  # ditto

    def label(value: object, group: str) -> str:
        return translations.gettext(label_of(group, value))

    environment.filters.update(filters(translations.language))
    environment.filters["label"] = label
    environment.globals["static_url"] = assets.static_url
    return environment


_FORM_PATHS: Mapping[str, str] = {"/audit/verify": "/audit", "/why/extend": "/why/explanation", "/why/end": "/why"}


def _page_path(request: Request) -> str:
    path = without_language(request.url.path)
    if path.startswith("/audit/entries/"):
        return path.removesuffix("/verify")
    return _FORM_PATHS.get(path, path.removesuffix("/explanation") if path.startswith("/staff/") else path)
