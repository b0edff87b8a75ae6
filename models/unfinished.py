"""Marks in a drafted card that a person has to replace."""

from collections.abc import Iterator

import yaml

from models.yaml_document import YamlDocument

TO_FILL_IN = "TO FILL IN"
"""Stands in a drafted card where only a person knows what to write."""


def unfinished_places(document: YamlDocument) -> dict[tuple[int | str, ...], int]:
    """Find every mark.

    Args:
        document: A card.

    Returns:
        Location of each mark to its line, counted from 1, in the order of the file.
    """
    return dict(_marks(document.root, ()))


def _marks(node: yaml.Node, location: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], int]]:
    if isinstance(node, yaml.ScalarNode) and str(node.value).strip() == TO_FILL_IN:
        yield location, int(node.start_mark.line) + 1
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _marks(value, (*location, str(key.value)))
    elif isinstance(node, yaml.SequenceNode):
        for position, value in enumerate(node.value):
            yield from _marks(value, (*location, position))
