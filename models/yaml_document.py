"""YAML as cards need it: plain data with line numbers, and nothing of YAML that surprises."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from models.errors import MalformedPackageError

MAX_BYTES = 1_000_000
"""Larger files are refused."""

MAX_DEPTH = 100
"""Deeper nested files are refused."""

SAFE_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml, where PyYAML was built with it: ten times as fast as PyYAML's own reader."""

_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


@dataclass(frozen=True)
class YamlDocument:
    """Parsed data that still knows on which line each part stood.

    Attributes:
        data: Dicts, lists, strings, numbers, dates.
        root: The node tree it was made from.
    """

    data: Any
    root: yaml.Node

    def line_of(self, location: Sequence[int | str]) -> int:
        """Give the line, counted from 1, of the deepest part of ``location`` that exists."""
        node = self.root
        for part in location:
            found = _child(node, part)
            if found is None:
                break
            node = found
        return int(node.start_mark.line) + 1


def read_yaml(content: bytes, name: str) -> YamlDocument:
    """Parse YAML strictly: no aliases, no keys twice, no tags that make objects.

    Args:
        content: UTF-8 bytes.
        name: What error sentences call the file.

    Returns:
        The document.

    Raises:
        MalformedPackageError: If the bytes are not such YAML.
    """
    if len(content) > MAX_BYTES:
        raise MalformedPackageError(f"{name} is larger than {MAX_BYTES} bytes.")
    try:
        text = content.decode("utf-8")
        _refuse_surprises(text, name)
        root = yaml.compose(text, SAFE_LOADER)
        data = None if root is None else yaml.SafeLoader("").construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = 1 if error.problem_mark is None else error.problem_mark.line + 1
        raise MalformedPackageError(f"{name} is not valid YAML, line {line}: {error.problem}.") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise MalformedPackageError(f"{name} is not valid YAML: {_first_line(error)}.") from error
    if root is None:
        raise MalformedPackageError(f"{name} is empty.")
    twice = sorted(_keys_given_twice(root))
    if twice:
        problems = [f"line {line}: '{key}' is given twice." for line, key in twice]
        raise MalformedPackageError(f"{name}: " + " ".join(problems), problems=problems)
    return YamlDocument(data=data, root=root)


def _refuse_surprises(text: str, name: str) -> None:
    depth = 0
    for token in yaml.scan(text, SAFE_LOADER):
        if isinstance(token, yaml.AliasToken):
            # A few lines of aliases can stand for billions of values; a card has no use for them.
            raise MalformedPackageError(f"{name} uses a YAML alias: write the text out instead.")
        if isinstance(token, _OPENING):
            depth += 1
        elif isinstance(token, _CLOSING):
            depth -= 1
        if depth > MAX_DEPTH:
            raise MalformedPackageError(f"{name} is nested more than {MAX_DEPTH} deep.")


def _child(node: yaml.Node, part: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        entry: yaml.Node = node.value[part]
        return entry
    return None


def _keys_given_twice(root: yaml.Node) -> set[tuple[int, str]]:
    twice = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting.extend(node.value)
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                waiting.append(value)
                if str(key.value) in seen:
                    twice.add((key.start_mark.line + 1, str(key.value)))
                seen.add(str(key.value))
    return twice


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["it cannot be read"])[0].rstrip(".")
