"""Which language a reader gets: the address decides, then the browser's wish (RFC 9110 §12.5.4), then the city."""

from starlette.requests import Request

from explainer.explanations.document import Language

LANGUAGES: tuple[Language, ...] = ("de", "en")
"""Languages every page exists in; each is also the first part of its address."""


def language_in_path(path: str) -> Language | None:
    """Language that an address names, or None.

    Args:
        path: Path of the request, such as ``/de/register``.

    Returns:
        ``de`` or ``en``, or None where the address leaves it open.
    """
    first = path.split("/", 2)[1] if path.startswith("/") else ""
    return next((language for language in LANGUAGES if language == first), None)


def without_language(path: str) -> str:
    """Path of the same page without its language, such as ``/register``."""
    language = language_in_path(path)
    return path if language is None else path[len(f"/{language}") :] or "/"


def wished_language(accept_language: str, default: Language) -> Language:
    """Choose among our languages by an Accept-Language header.

    Args:
        accept_language: Value of the header; nonsense in it is skipped.
        default: Language where nothing fits.

    Returns:
        The language with the highest weight; of equal ones the first named.
    """
    best: Language = default
    best_weight = 0.0
    for part in accept_language.split(","):
        tag, _, parameter = part.strip().partition(";")
        weight = _weight(parameter)
        for language in LANGUAGES:
            if tag.strip().lower().split("-", 1)[0] == language and weight > best_weight:
                best, best_weight = language, weight
    return best


def language_of(request: Request, default: Language) -> Language:
    """Language of the page a request asks for."""
    named = language_in_path(request.url.path)
    return named or wished_language(request.headers.get("accept-language", ""), default)


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(max(float(value), 0.0), 1.0)
    except ValueError:
        return 0.0
