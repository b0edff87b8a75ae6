"""Fields of public work, as Eurocities' Algorithmic Transparency Standard 0.3.1 names them."""

from typing import Annotated

from pydantic import AfterValidator

DOMAINS = frozenset(
    {
        "taxes",
        "housing, living and living environment",
        "culture, sports and leisure",
        "defence",
        "economy and entrepreneurship",
        "family, youth and households",
        "finance",
        "generic",
        "health and health care",
        "immigration and integration",
        "international collaboration and development aid",
        "agriculture, nature and food",
        "environment, spacial planning and water",
        "education and science",
        "public safety",
        "government",
        "justice",
        "travel, living and working abroad",
        "subsidies, benefits and allowances",
        "traffic and transportation",
        "work and career",
    }
)
"""The 21 values of its field "domain"; "spacial" is the standard's spelling."""


def _check_domain(domain: str) -> str:
    if domain not in DOMAINS:
        raise ValueError(f"'{domain}' is no domain of the Algorithmic Transparency Standard 0.3.1")
    return domain


Domain = Annotated[str, AfterValidator(_check_domain)]
"""One of :data:`DOMAINS`."""
