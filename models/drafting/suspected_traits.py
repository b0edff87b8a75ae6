"""Asks whether a column is a protected trait, or stands for one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

STRONG_ASSOCIATION = 0.5
"""From this Cramér's V on, columns are said to go together."""

_SLICES = 5
_LISTS = Path(__file__).with_name("suspected_traits.yaml")


@dataclass(frozen=True)
class Suspicion:
    """Why a column should be looked at.

    Attributes:
        kind: ``protected`` or ``proxies``.
        reason: In plain words.
    """

    kind: str
    reason: str


def suspicions_of(columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Suspicion]]:
    """Look at the names of columns, and at how columns go together with those whose names are suspect.

    Args:
        columns: Column name to values.

    Returns:
        Column name to suspicions; columns without any are left out.
    """
    by_name = {name: found for name in columns if (found := _by_name(name))}
    traits = [name for name, found in by_name.items() if any(one.kind == "protected" for one in found)]
    slices = {name: _sliced(values) for name, values in columns.items()}
    result = {name: list(found) for name, found in by_name.items()}
    for name in columns:
        for trait in traits:
            strength = cramers_v(slices[name], slices[trait]) if name != trait else 0.0
            if strength >= STRONG_ASSOCIATION:
                reason = f"goes together with '{trait}' (Cramér's V {strength:.2f})"
                result.setdefault(name, []).append(Suspicion("proxies", reason))
    return result


def cramers_v(first: NDArray[np.int64], second: NDArray[np.int64]) -> float:
    """Say how far two columns go together: 0 not at all, 1 completely (Cramér 1946, from chi-squared).

    Args:
        first: Number of each row's group, shape (n,).
        second: The same for the other column.

    Returns:
        Cramér's V; 0 where a column has one group only.
    """
    table = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(table, (first, second), 1.0)
    smaller = min(table.shape) - 1
    if smaller == 0:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    chi_squared = float(((table - expected) ** 2 / expected).sum())
    return float(np.sqrt(chi_squared / (table.sum() * smaller)))


def _by_name(name: str) -> list[Suspicion]:
    # Short words count only where they stand alone: "age" is not in "wage" or "mileage".
    words = "_" + "".join(sign if sign.isalnum() else "_" for sign in name.lower()) + "_"
    return [
        Suspicion(kind, f"its name sounds like {trait}")
        for kind, traits in _lists().items()
        for trait, parts in traits.items()
        if any(f"_{part}" in words if len(part) > 3 else f"_{part}_" in words for part in parts)  # noqa: PLR2004
    ]


def _sliced(values: Sequence[Any]) -> NDArray[np.int64]:
    """Number groups of equal values; numbers with many values are cut into five slices of equal size."""
    texts = np.array(["" if value is None else str(value) for value in values])
    different, group = np.unique(texts, return_inverse=True)
    if len(different) > 2 * _SLICES:
        try:
            numbers = np.array([float(text or "nan") for text in texts])
        except ValueError:
            return group.astype(np.int64)
        cuts = np.nanquantile(numbers, np.linspace(0, 1, _SLICES + 1)[1:-1])
        slices = np.where(np.isnan(numbers), _SLICES, np.searchsorted(cuts, numbers, side="right"))
        return np.unique(slices, return_inverse=True)[1].astype(np.int64)
    return group.astype(np.int64)


@cache
def _lists() -> Mapping[str, Mapping[str, Sequence[str]]]:
    loaded: Mapping[str, Mapping[str, Sequence[str]]] = yaml.safe_load(_LISTS.read_text(encoding="utf-8"))
    return loaded
