"""The walk that counts, for a background of at most 128 rows: a set is two words, four sets lie side by side.

See :mod:`counted_forest` for what is computed. Sets are read and written by fours, always whole: a processor waits long
for what it reads in other portions than it has just written. Wrong guesses are the other half of the time, so what
happens at most nodes happens without a condition, and is written where it will be overwritten if it was not wanted.
"""

from typing import Any

import numpy as np

from explainer.attribution_methods.forests.counted_forest_state import (
    ASKED_ABOVE_SHIFT,
    EIGHT,
    HALF,
    ONE,
    PLAYER_BITS,
    SLOT_BITS,
    SLOT_SHIFT,
    THREE,
    TWO,
    ZERO,
    Array,
    Place,
    Space,
    Walk,
    direct_nodes,
    fail,
    lose,
    place_of,
    read_place,
    settle,
)
from explainer.compiled import compiled, inlined, low_half, number_of_bits
from explainer.compiled_lanes import (
    as_numbers,
    both,
    clear,
    counts,
    either,
    equal,
    join_pairs,
    load,
    load_pair,
    multiply,
    multiply_add,
    pair_of_lanes,
    push_pair,
    repeat_pair,
    spread,
    store,
    total,
    without,
    word_of,
)

_SIXTEEN = np.uint64(16)


@inlined
def _four_holding(height: Any) -> Any:
    """Where the four sets begin among which a subtree's is."""
    return (height >> TWO) << THREE


@inlined
def _keep_waiting(height: Any, rows: Any, player: Any, space: Space) -> None:
    """Write which rows will walk a subtree, and for whose sake."""
    at, here = _four_holding(height), pair_of_lanes(height & THREE)
    store(space.parted, at, either(load(space.parted, at), both(rows, here)))
    store(space.player, at, either(without(load(space.player, at), here), both(spread(player), here)))


@inlined
def _parted_before(player: Any, height: Any, space: Space) -> Any:
    """Rows that parted at a node above for the same player, as a set four times side by side."""
    wanted = spread(player)
    rows = either(
        both(load(space.parted, ZERO), equal(load(space.player, ZERO), wanted)),
        both(load(space.parted, EIGHT), equal(load(space.player, EIGHT), wanted)),
    )
    for at in range(_SIXTEEN, height * TWO, EIGHT):
        rows = either(rows, both(load(space.parted, at), equal(load(space.player, at), wanted)))
    return join_pairs(rows)


@inlined
def _count_one_more(rows: Any, level: Any, most: Any, stride: Any, at_least: Array) -> Any:
    """These rows get one player more into A; returns the largest |A| now.

    Who has at least j players afterwards had them before, or had at least j-1 and is among these rows.
    """
    before, after = level * stride, (level + ONE) * stride
    one_to_four, five_to_eight = load(at_least, before), load(at_least, before + EIGHT)
    store(at_least, after, either(one_to_four, both(push_pair(spread(~ZERO), one_to_four), rows)))
    store(at_least, after + EIGHT, either(five_to_eight, both(push_pair(one_to_four, five_to_eight), rows)))
    if most >= EIGHT - ONE:
        lower, at = five_to_eight, _SIXTEEN
        while at < most * TWO + TWO:
            four = load(at_least, before + at)
            store(at_least, after + at, either(four, both(push_pair(lower, four), rows)))
            lower = four
            at += EIGHT
        store(at_least, after + at, spread(ZERO))
    more = at_least[after + most * TWO] | at_least[after + most * TWO + ONE]
    return most + (ONE if more != ZERO else ZERO)


@inlined
def _gains_of_four(four: Any, counted: Any, gain_step: Array, step_at: Any, gains: Any) -> Any:
    """Add to four players' gains the parts of four steps of |A|."""
    for_one = as_numbers(counts(both(four, repeat_pair(counted, 0))))
    gains = multiply_add(for_one, spread(gain_step[step_at]), gains)
    for_two = as_numbers(counts(both(four, repeat_pair(counted, 1))))
    gains = multiply_add(for_two, spread(gain_step[step_at + TWO]), gains)
    for_three = as_numbers(counts(both(four, repeat_pair(counted, 2))))
    gains = multiply_add(for_three, spread(gain_step[step_at + TWO + TWO]), gains)
    for_four = as_numbers(counts(both(four, repeat_pair(counted, 3))))
    return multiply_add(for_four, spread(gain_step[step_at + TWO + TWO + TWO]), gains)


@inlined
def _reach_leaf(value: Any, alive: Any, n_alive: Any, place: Place, walk: Walk) -> None:
    """All alive rows reach a leaf: the players of A gain, those of B lose."""
    _, background, space = walk
    height, level, most, n_failed = place
    steps_at, sets_at = n_failed * background.stride, level * background.set_stride
    worth = spread(value)
    counted = both(load(space.at_least, sets_at), alive)
    losses = multiply(as_numbers(counts(counted)), load(background.loss_step, steps_at))
    first_four, next_four = load(space.parted, ZERO), load(space.parted, EIGHT)
    first_gains = _gains_of_four(first_four, counted, background.gain_step, steps_at, spread(0.0))
    next_gains = _gains_of_four(next_four, counted, background.gain_step, steps_at, spread(0.0))
    for step in range(EIGHT, most * TWO, EIGHT):
        counted = both(load(space.at_least, sets_at + step), alive)
        losses = multiply_add(as_numbers(counts(counted)), load(background.loss_step, steps_at + step), losses)
        first_gains = _gains_of_four(first_four, counted, background.gain_step, steps_at + step, first_gains)
        next_gains = _gains_of_four(next_four, counted, background.gain_step, steps_at + step, next_gains)
    store(space.gain, ZERO, multiply_add(first_gains, worth, load(space.gain, ZERO)))
    store(space.gain, EIGHT, multiply_add(next_gains, worth, load(space.gain, EIGHT)))
    for at in range(_SIXTEEN, height * TWO, EIGHT):
        four, gains = load(space.parted, at), spread(0.0)
        for step in range(ZERO, most * TWO, EIGHT):
            counted = both(load(space.at_least, sets_at + step), alive)
            gains = _gains_of_four(four, counted, background.gain_step, steps_at + step, gains)
        store(space.gain, at, multiply_add(gains, worth, load(space.gain, at)))
    lose(value * (total(losses) + background.loss_alone[n_failed] * np.float64(n_alive)), n_failed, space)


@inlined
def _walk_tree(root: Any, first: Any, walk: Walk, found: Array) -> None:  # noqa: PLR0915 -- a call costs
    _, background, space = walk
    directed, parting, nobody = space.directed, background.parting, background.nobody
    node, level, height, most, n_failed, failed = root, ZERO, ZERO, ZERO, ZERO, ZERO
    low, high, alive = background.everyone[0], background.everyone[1], load_pair(background.everyone, ZERO)
    while True:
        while node >= 0:
            at = (np.uint64(node) - first) * TWO
            children, about = directed[at], directed[at + ONE]
            question = (about >> HALF) * TWO
            low_parting, high_parting = low & parting[question], high & parting[question + ONE]
            rows = both(alive, load_pair(parting, question))
            slot, player = (about >> SLOT_SHIFT) & SLOT_BITS, about & PLAYER_BITS
            if (failed >> slot) & ONE:
                # The player is in B already, x has no say: each row goes its own way.
                if (low & ~low_parting) | (high & ~high_parting) == ZERO:
                    node = low_half(children >> HALF)
                    continue
                node = low_half(children)
                if low_parting | high_parting:
                    low, high, alive = low & ~low_parting, high & ~high_parting, without(alive, rows)
                    _keep_waiting(height, rows, nobody, space)
                    space.place[height] = place_of(children >> HALF, n_failed, most, level)
                    space.failed[height] = failed
                    height += ONE
                continue
            if (about >> ASKED_ABOVE_SHIFT) & ONE:
                before = _parted_before(player, height, space)
                rows = without(rows, before)
                low_parting &= ~word_of(before, 0)
                high_parting &= ~word_of(before, 1)
            node = low_half(children)
            _keep_waiting(height, rows, player, space)
            space.place[height] = place_of(children >> HALF, n_failed + ONE, most, level)
            space.failed[height] = failed | (ONE << slot)
            most = _count_one_more(rows, level, most, background.set_stride, space.at_least)
            parts = ONE if low_parting | high_parting != ZERO else ZERO
            height += parts
            level += parts
        value = walk.trees.leaf_value[np.uint64(~node)]
        n_alive = number_of_bits(low) + number_of_bits(high)
        _reach_leaf(value, alive, n_alive, Place(height, level, most, n_failed), walk)
        if height == ZERO:
            break
        height -= ONE
        node, n_failed, most, level = read_place(space.place[height])
        failed, player = space.failed[height], space.player[height * TWO]
        low, high = space.parted[height * TWO], space.parted[height * TWO + ONE]
        alive = load_pair(space.parted, height * TWO)
        at, here = _four_holding(height), pair_of_lanes(height & THREE)
        store(space.parted, at, without(load(space.parted, at), here))
        if player != nobody:
            found[player] += space.gain[height * TWO] + space.gain[height * TWO + ONE]
            fail(player, n_failed, space, found)
        store(space.gain, at, clear(load(space.gain, at), here))
    settle(space, found)


@compiled
def add_contributions(rows: Array, walk: Walk, contributions: Array) -> None:
    """Add to each row's contributions what all trees give, summed over the background rows.

    Args:
        rows: Explained rows, float32, shape (n_rows, n_columns).
        walk: Forest, background, and working memory that no other thread uses.
        contributions: Float64, shape (n_rows, n_players + 1); changed. The last player is nobody.
    """
    trees = walk.trees
    for number in range(len(rows)):
        row, found = rows[number], contributions[number]
        for tree in range(len(trees.root)):
            first = trees.first_node[tree]
            direct_nodes(row, first, trees.first_node[tree + 1], walk)
            _walk_tree(trees.root[tree], first, walk, found)
