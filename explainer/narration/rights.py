"""What a person can do next: correct, talk, challenge, complain; always with a way that needs no internet."""

from explainer.narration.narrator import Narrator


def rights(narrator: Narrator) -> tuple[str, ...]:
    """The section's paragraphs. Remedies are quoted as the case system gave them and never worked out here."""
    card = narrator.facts.card
    said = [
        narrator.say("can_do.correction"),
        narrator.say("can_do.human_review"),
        narrator.say(
            "can_do.contact",
            phone=card.contact.phone,
            hours=narrator.words(card.contact.hours),
            postal_address=card.contact.postal_address,
        ),
    ]
    if card.contact.room is not None:
        said.append(narrator.say("can_do.contact_room", room=narrator.words(card.contact.room)))
    said.append(narrator.say("can_do.email", email=card.contact.email))
    said += _remedy(narrator)
    authorities = [("can_do.data_protection", card.data_protection_authority)]
    if card.is_ai:
        authorities.append(("can_do.market_surveillance", card.market_surveillance))
    said += [
        narrator.say(
            phrase,
            name=narrator.words(authority.name),
            postal_address=authority.postal_address,
            phone=authority.phone,
        )
        for phrase, authority in authorities
    ]
    return (*said, narrator.say("can_do.free_of_charge"), narrator.say("can_do.help"))


def _remedy(narrator: Narrator) -> list[str]:
    decision = narrator.facts.decision
    if decision is None:
        return []
    if narrator.superseded_by is not None:
        return [narrator.say("can_do.remedy_superseded")]
    if decision.outcome is None:
        return [narrator.say("can_do.remedy_waiting")]
    remedy = decision.private.remedy
    if remedy is None:
        return [narrator.say("can_do.remedy_in_letter")]
    said = narrator.say("can_do.remedy_quoted", text=remedy.text)
    if remedy.until is not None:
        key = "can_do.remedy_ended" if narrator.is_past(remedy.until) else "can_do.remedy_until"
        said += " " + narrator.say(key, until=narrator.numbers.date(remedy.until))
    return [said]
