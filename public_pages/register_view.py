"""What several pages take from a model's card."""

from explainer.explanations.document import Language
from models.card import ModelCard
from public_pages.page_frame import ContactPoint


def contact_of(card: ModelCard, language: Language) -> ContactPoint:
    """Office that uses a program, and how it is reached.

    Args:
        card: The program's card.
        language: Language of the name.

    Returns:
        The office.
    """
    return ContactPoint(
        name=card.department(language),
        phone=card.contact.phone,
        email=card.contact.email,
        postal_address=card.contact.postal_address,
    )
