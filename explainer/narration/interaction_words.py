"""What two details did together beyond what each did alone: for caseworkers and auditors."""

from collections.abc import Sequence

from explainer.explanations.document import InteractionPart, NoInteractionsPart
from explainer.explanations.interactions import Interaction
from explainer.narration.narrator import ADDITIVE_DECIMALS, Narrator


def interaction_parts(narrator: Narrator) -> tuple[InteractionPart, ...] | None:
    """The interactions with their sentences, strongest first; None where they were not computed or nobody asked."""
    found = narrator.facts.interactions
    if found is None or found.none_because not in (None, "none_noticeable"):
        return None
    return tuple(_part(narrator, one) for one in found.noticeable)


def no_interactions_part(narrator: Narrator) -> NoInteractionsPart | None:
    """Why none is named; None where some are, or nobody asked."""
    found = narrator.facts.interactions
    if found is None or found.none_because is None:
        return None
    return NoInteractionsPart(reason=found.none_because, sentence=narrator.say(f"interactions.{found.none_because}"))


def interaction_paragraphs(
    narrator: Narrator, told: Sequence[InteractionPart] | None, none: NoInteractionsPart | None
) -> tuple[str, ...]:
    """The same in paragraphs.

    Args:
        narrator: Tells it.
        told: The interactions.
        none: Why none is named.

    Returns:
        One sentence for each interaction and what the numbers mean, or the reason; nothing where nobody asked.
    """
    if none is not None:
        return (none.sentence,)
    if not told:
        return ()
    return (*(part.sentence for part in told), narrator.say("interactions.half_in_each"))


def _part(narrator: Narrator, one: Interaction) -> InteractionPart:
    first, second = (narrator.label(narrator.feature(name)) for name in one.features)
    strength = one.strength
    if strength == "negligible":
        raise RuntimeError("interactions check themselves that none of them is negligible")
    return InteractionPart(
        features=one.features,
        labels=(first, second),
        value=one.value,
        strength=strength,
        sentence=narrator.say(
            f"interactions.{strength}_{'raised' if one.value > 0 else 'lowered'}",
            one=first,
            other=second,
            value=narrator.numbers.signed(one.value, ADDITIVE_DECIMALS),
            unit=narrator.additive_unit,
        ),
    )
