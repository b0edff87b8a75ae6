"""Every piece of data the program read, with its value, its source and its date."""

from explainer.explanations.document import DataItem
from explainer.narration.narrator import Narrator


def data_items(narrator: Narrator) -> tuple[DataItem, ...]:
    """One item for each feature of the card; ``used`` is false for what a deciding rule did not read."""
    facts = narrator.facts
    rule = facts.deciding_rule
    sources = facts.decision.private.sources if facts.decision else {}
    items = []
    for feature in facts.card.features:
        provenance = sources.get(feature.name)
        items.append(
            DataItem(
                feature=feature.name,
                label=narrator.label(feature),
                value_text=narrator.value(feature),
                source=provenance.source if provenance else narrator.source(feature),
                as_of=provenance.as_of if provenance else None,
                used=rule is None or feature.name in rule.feature_names,
            )
        )
    return tuple(items)


def unused_inputs(narrator: Narrator) -> tuple[str, ...]:
    """Names of data that were submitted and not used, as the case system names them."""
    return narrator.facts.decision.private.unused_inputs if narrator.facts.decision else ()


def data_paragraphs(narrator: Narrator, items: tuple[DataItem, ...]) -> tuple[str, ...]:
    """The section's paragraphs; each item is one."""
    said = [narrator.say_count("data.intro", sum(1 for item in items if item.used))]
    said += [_item(narrator, item) for item in items]
    said.append(narrator.words(narrator.facts.card.not_used))
    names = unused_inputs(narrator)
    if names:
        said.append(narrator.say("data.unused_inputs", names=narrator.numbers.listed(names)))
    said.append(narrator.say("data.wrong"))
    return tuple(said)


def _item(narrator: Narrator, item: DataItem) -> str:
    return narrator.say(
        f"data.item{'' if item.used else '_unused'}{'' if item.as_of is None else '_dated'}",
        label=item.label,
        value=item.value_text,
        source=item.source,
        date=narrator.numbers.date(item.as_of) if item.as_of else "",
    )
