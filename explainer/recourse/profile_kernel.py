"""Looks at the demands of all leaves; compiled. See :mod:`score_profile` for what they mean and who calls this."""

from typing import Any, NamedTuple

import numpy as np

from explainer.compiled import compiled, inlined, lowest_bit, number_of_bits

Array = Any
"""numpy array; numba infers element types."""

ONE_UNMET = 2.0**32
ONE_UNMET_AS_WHOLE = 1 << 32


class Demands(NamedTuple):
    """The arrays of a :class:`explainer.recourse.forest_cells.ForestCells` that are walked."""

    low_by_leaf: Array
    high_by_leaf: Array
    feature_by_leaf: Array
    first_by_leaf: Array
    first_cell: Array
    value: Array


class Entries(NamedTuple):
    """The columns of a :class:`explainer.recourse.moves.MoveTable` that are walked."""

    position: Array
    first: Array
    last: Array
    cell: Array
    by_cell: Array
    up: Array
    down: Array
    per_unit: Array
    flat_cost: Array


class Person(NamedTuple):
    """A row, shape (n_features,), and the numbers of its cells, same shape."""

    row: Array
    own_cells: Array


class Wanted(NamedTuple):
    """Scores are enough up to the limit if the sign is 1, from it on if it is -1; within the tolerance nobody knows."""

    sign: float
    limit: float
    tolerance: float


class Nearest(NamedTuple):
    """What is written: cost and value of each feature's nearest move, each shape (n_features,)."""

    cost: Array
    value: Array


class Room(NamedTuple):
    """What is written: the masks of a row, shape (n_entries,), and scores, shape (n_cells,), which begin as zeros."""

    chosen: Array
    scores: Array


@inlined
def add_up(score: float, first_cell: Array, scores: Array) -> None:
    """Turn differences between neighbouring cells into the scores of the cells, feature by feature."""
    for number in range(len(first_cell) - 1):
        running, cell, end = score, first_cell[number], first_cell[number + 1]
        # Four at a time, because each sum must wait for the one before it.
        while cell + 4 <= end:
            two = scores[cell] + scores[cell + 1]
            three = two + scores[cell + 2]
            four = three + scores[cell + 3]
            scores[cell] += running
            scores[cell + 1] = running + two
            scores[cell + 2] = running + three
            running += four
            scores[cell + 3] = running
            cell += 4
        while cell < end:
            running += scores[cell]
            scores[cell] = running
            cell += 1


@compiled
def find_cells(values: Array, all_splits: Array, first_split: Array, cells: Array) -> None:
    """Find the cell in which each value of a row lies, within its feature; arrays as in ``ForestCells``.

    Args:
        values: Shape (n_features,), as 32-bit numbers.
        all_splits: Thresholds of all features.
        first_split: Shape (n_features + 1,).
        cells: Shape (n_features,); becomes the cells.
    """
    for feature in range(len(values)):
        low, high = first_split[feature], first_split[feature + 1]
        while low < high:
            middle = (low + high) // 2
            if all_splits[middle] >= values[feature]:
                high = middle
            else:
                low = middle + 1
        cells[feature] = low - first_split[feature]


@compiled
def count_unmet(own_cells: Array, demands: Demands, unmet: Array) -> None:
    """Count for each leaf what a row does not meet.

    Args:
        own_cells: Shape (n_features,), the row's cells.
        demands: The forest.
        unmet: Shape (n_leaves,); becomes what :class:`explainer.recourse.score_profile.ForestProfile` describes.
    """
    for leaf in range(len(unmet)):
        total = 0
        for place in range(demands.first_by_leaf[leaf], demands.first_by_leaf[leaf + 1]):
            own = own_cells[demands.feature_by_leaf[place]]
            # Without a branch: half of all demands are unmet, and no processor can guess which.
            missed = (own < demands.low_by_leaf[place]) | (own > demands.high_by_leaf[place])
            total += missed * (ONE_UNMET_AS_WHOLE + place)
        unmet[leaf] = total


@compiled
def score_cells(unmet: Array, demands: Demands, base_value: float, scores: Array) -> float:
    """Score a row with one feature moved to each of its cells.

    Args:
        unmet: Shape (n_leaves,), as :func:`count_unmet` leaves it.
        demands: The forest.
        base_value: Added to the leaves of every row.
        scores: Shape (n_cells,), zeros; becomes the scores by the number of the cell.

    Returns:
        The score of the row itself.
    """
    score = base_value
    for leaf in range(len(unmet)):
        if unmet[leaf] >= 2 * ONE_UNMET:
            continue
        value = demands.value[leaf]
        if unmet[leaf] == 0:
            score += value
            for place in range(demands.first_by_leaf[leaf], demands.first_by_leaf[leaf + 1]):
                # What depends on a feature counts only in the cells of the demand, and not everywhere as in the score.
                start = demands.first_cell[demands.feature_by_leaf[place]]
                scores[start] -= value
                scores[start + demands.low_by_leaf[place]] += value
                scores[start + demands.high_by_leaf[place] + 1] -= value
        else:
            only = int(unmet[leaf] - ONE_UNMET)
            start = demands.first_cell[demands.feature_by_leaf[only]]
            scores[start + demands.low_by_leaf[only]] += value
            scores[start + demands.high_by_leaf[only] + 1] -= value
    add_up(score, demands.first_cell, scores)
    return score


@compiled
def score_cells_by_masks(own_cells: Array, masks: Array, base_value: float, room: Room) -> float:
    """Score a row with one feature moved to each of its cells, as :func:`score_cells` does, through leaf masks.

    Args:
        own_cells: Shape (n_features,), the row's cells.
        masks: A :class:`explainer.recourse.leaf_masks.LeafMasks`.
        base_value: Added to the leaves of every row.
        room: Its scores become those by the number of the cell.

    Returns:
        The score of the row itself.
    """
    score = base_value
    value, first_cell, chosen, scores = masks.value, masks.first_cell, room.chosen, room.scores
    for tree in range(len(masks.first_leaf) - 1):
        begin, end = masks.first_entry[tree], masks.first_entry[tree + 1]
        some, several = np.uint64(0), np.uint64(0)
        for entry in range(begin, end):
            own = own_cells[masks.feature[entry]]
            place = masks.first_bound[entry] + entry
            for bound in range(masks.first_bound[entry], masks.first_bound[entry + 1]):
                place += masks.bound[bound] <= own
            mask = masks.mask[place]
            chosen[entry] = mask
            several |= some & mask
            some |= mask
        first_leaf = masks.first_leaf[tree]
        reached = lowest_bit(~some)  # the leaves of a tree leave exactly one for each row
        own_value = value[first_leaf + np.int64(reached)]
        score += own_value
        own_bit = np.uint64(1) << reached
        single = some & ~several
        for entry in range(begin, end):
            start = first_cell[masks.feature[entry]]
            asking, first = masks.asking[entry], masks.first_demand[entry]
            if asking & own_bit:
                # What depends on a feature counts only in the cells of the demand, and not everywhere as in the score.
                demand = first + np.int64(number_of_bits(asking & (own_bit - np.uint64(1))))
                scores[start] -= own_value
                scores[start + masks.ends[demand, 0]] += own_value
                scores[start + masks.ends[demand, 1] + 1] -= own_value
            left = chosen[entry] & single
            while left:
                place = lowest_bit(left)
                bit = np.uint64(1) << place
                left ^= bit
                demand = first + np.int64(number_of_bits(asking & (bit - np.uint64(1))))
                gained = value[first_leaf + np.int64(place)]
                scores[start + masks.ends[demand, 0]] += gained
                scores[start + masks.ends[demand, 1] + 1] -= gained
    add_up(score, first_cell, scores)
    return score


@compiled
def nearest_reaching(person: Person, table: Entries, scores: Array, wanted: Wanted, nearest: Nearest) -> bool:
    """Find for each feature the nearest single move whose score is enough, where nothing but the score decides.

    Args:
        person: The person, no value missing.
        table: What may be moved where.
        scores: Additive scores by the number of the cell.
        wanted: Which scores are enough.
        nearest: Costs begin infinite; where a feature has a move that is enough, its nearest one is written there.

    Returns:
        False if a score is too near to the limit; then nothing is found out.
    """
    position, cost = -1, np.inf
    for entry in range(len(table.position)):
        if table.position[entry] != position:
            position, cost = table.position[entry], np.inf
        own = person.row[position]
        distance = table.first[entry] - own
        if table.by_cell[entry]:
            distance = float(table.cell[entry] - person.own_cells[position])
        if not ((distance > 0 and table.up[entry]) or (distance < 0 and table.down[entry])):
            continue
        short = wanted.sign * (scores[table.cell[entry]] - wanted.limit)
        if abs(short) <= wanted.tolerance:
            return False
        if short > 0:
            continue
        value = table.first[entry] if distance > 0 else table.last[entry]
        its_cost = abs(value - own) * table.per_unit[entry] + table.flat_cost[entry]
        # Of equal costs the first one wins.
        if its_cost < cost:
            cost = its_cost
            nearest.cost[position], nearest.value[position] = its_cost, value
    return True
