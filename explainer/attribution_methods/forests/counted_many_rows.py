"""The walk that counts, for a background of more than 128 rows: a set is a multiple of eight words.

See :mod:`counted_forest` for what is computed and :mod:`counted_few_rows` for why it is written as it is.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from explainer.attribution_methods.forests.counted_forest_state import (
    ASKED_ABOVE_SHIFT,
    EIGHT,
    FOUR,
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
from explainer.compiled import compiled, inlined, low_half
from explainer.compiled_lanes import (
    add,
    as_numbers,
    both,
    counts,
    either,
    load,
    multiply,
    multiply_add,
    some,
    spread,
    store,
    total,
    without,
)


@cache
def walk_with_sets_of(n_words: int) -> Callable[[Array, Walk, Array], None]:  # noqa: C901, PLR0915 -- holds its parts
    """Make the walk for sets of so many words; a size known to the compiler makes it a third quicker.

    Args:
        n_words: Words of a set, a multiple of eight.

    Returns:
        A compiled function like :func:`counted_few_rows.add_contributions`.
    """
    words = np.uint64(n_words)

    @inlined
    def divide(node_at: Any, height: Any, space: Space, parting: Array) -> Any:
        """The player is in B already, x has no say; say whether rows part, and whether rows stay."""
        parted, stayed = spread(ZERO), spread(ZERO)
        for word in range(ZERO, words, EIGHT):
            alive = load(space.alive, word)
            rows = both(alive, load(parting, node_at + word))
            store(space.parted, height * words + word, rows)
            parted, stayed = either(parted, rows), either(stayed, without(alive, rows))
        return some(parted), some(stayed)

    @inlined
    def part(node_at: Any, player: Any, asked_above: Any, height: Any, walk: Walk) -> Any:
        """Write which rows part here and did not part before for the same player; say whether there are any."""
        parting, space = walk.background.parting, walk.space
        at, parted = height * words, spread(ZERO)
        for word in range(ZERO, words, EIGHT):
            rows = both(load(space.alive, word), load(parting, node_at + word))
            store(space.parted, at + word, rows)
            parted = either(parted, rows)
        if asked_above:
            parted = spread(ZERO)
            for word in range(ZERO, words, EIGHT):
                rows = load(space.parted, at + word)
                for waiting in range(height):
                    same = spread(ZERO - (ONE if space.player[waiting] == player else ZERO))
                    rows = without(rows, both(load(space.parted, waiting * words + word), same))
                store(space.parted, at + word, rows)
                parted = either(parted, rows)
        return some(parted)

    @inlined
    def count_one_more(height: Any, level: Any, most: Any, space: Space, stride: Any) -> Any:
        """The rows that part get one player more into A; returns the largest |A| now."""
        before, after, last = level * stride, (level + ONE) * stride, spread(ZERO)
        for word in range(ZERO, words, EIGHT):
            rows, lower = load(space.parted, height * words + word), spread(~ZERO)
            for at in range(word, most * words + word, words):
                same = load(space.at_least, before + at)
                store(space.at_least, after + at, either(same, both(lower, rows)))
                lower = same
            highest = both(lower, rows)
            store(space.at_least, after + most * words + word, highest)
            last = either(last, highest)
        return most + some(last)

    @inlined
    def reach_leaf(value: Any, place: Place, walk: Walk) -> None:
        """All alive rows reach a leaf: the players of A gain, those of B lose; four steps of |A| at once."""
        _, background, space = walk
        height, level, most, n_failed = place
        steps_at, number = n_failed * background.stride, spread(ZERO)
        for word in range(ZERO, words, EIGHT):
            number = add(number, counts(load(space.alive, word)))
        losses, worth = multiply(as_numbers(number), spread(background.loss_alone[n_failed])), spread(value)
        for first in range(ZERO, most, FOUR):
            # Beyond the largest |A| stand other sets; they count nothing.
            second, third, fourth = first + ONE < most, first + TWO < most, first + THREE < most
            one, two, three, four = spread(ZERO), spread(ZERO), spread(ZERO), spread(ZERO)
            for word in range(ZERO, words, EIGHT):
                at, alive = level * background.set_stride + first * words + word, load(space.alive, word)
                rows = both(load(space.at_least, at), alive)
                store(space.counted, word, rows)
                one = add(one, counts(rows))
                rows = both(load(space.at_least, at + words), alive)
                store(space.counted, words + word, rows)
                two = add(two, counts(rows))
                rows = both(load(space.at_least, at + TWO * words), alive)
                store(space.counted, TWO * words + word, rows)
                three = add(three, counts(rows))
                rows = both(load(space.at_least, at + THREE * words), alive)
                store(space.counted, THREE * words + word, rows)
                four = add(four, counts(rows))
            at, step = steps_at + first, background.loss_step
            losses = multiply_add(as_numbers(one), spread(step[at]), losses)
            losses = multiply_add(as_numbers(two), spread(step[at + ONE] if second else 0.0), losses)
            losses = multiply_add(as_numbers(three), spread(step[at + TWO] if third else 0.0), losses)
            losses = multiply_add(as_numbers(four), spread(step[at + THREE] if fourth else 0.0), losses)
            step = background.gain_step
            of_one, of_two = spread(step[at]), spread(step[at + ONE] if second else 0.0)
            of_three, of_four = spread(step[at + TWO] if third else 0.0), spread(step[at + THREE] if fourth else 0.0)
            for waiting in range(height):
                one, two, three, four = spread(ZERO), spread(ZERO), spread(ZERO), spread(ZERO)
                for word in range(ZERO, words, EIGHT):
                    rows = load(space.parted, waiting * words + word)
                    one = add(one, counts(both(rows, load(space.counted, word))))
                    two = add(two, counts(both(rows, load(space.counted, words + word))))
                    three = add(three, counts(both(rows, load(space.counted, TWO * words + word))))
                    four = add(four, counts(both(rows, load(space.counted, THREE * words + word))))
                gains = multiply(as_numbers(one), of_one)
                gains = multiply_add(as_numbers(two), of_two, gains)
                gains = multiply_add(as_numbers(three), of_three, gains)
                gains = multiply_add(as_numbers(four), of_four, gains)
                store(space.gain, waiting * EIGHT, multiply_add(gains, worth, load(space.gain, waiting * EIGHT)))
        lose(value * total(losses), n_failed, space)

    @inlined
    def walk_tree(root: Any, first: Any, walk: Walk, found: Array) -> None:  # noqa: C901 -- a call costs
        trees, background, space = walk
        directed, parting, nobody = space.directed, background.parting, background.nobody
        node, level, height, most, n_failed, failed = root, ZERO, ZERO, ZERO, ZERO, ZERO
        for word in range(ZERO, words, EIGHT):
            store(space.alive, word, load(background.everyone, word))
        while True:
            while node >= 0:
                at = (np.uint64(node) - first) * TWO
                children, about = directed[at], directed[at + ONE]
                node_at = (about >> HALF) * words
                slot, player = (about >> SLOT_SHIFT) & SLOT_BITS, about & PLAYER_BITS
                if (failed >> slot) & ONE:
                    parted, stayed = divide(node_at, height, space, parting)
                    if stayed == ZERO:
                        node = low_half(children >> HALF)
                        continue
                    node = low_half(children)
                    if parted:
                        for word in range(ZERO, words, EIGHT):
                            rows = load(space.parted, height * words + word)
                            store(space.alive, word, without(load(space.alive, word), rows))
                        space.player[height] = nobody
                        space.place[height] = place_of(children >> HALF, n_failed, most, level)
                        space.failed[height] = failed
                        height += ONE
                    continue
                parts = part(node_at, player, (about >> ASKED_ABOVE_SHIFT) & ONE, height, walk)
                node = low_half(children)
                space.player[height] = player
                space.place[height] = place_of(children >> HALF, n_failed + ONE, most, level)
                space.failed[height] = failed | (ONE << slot)
                most = count_one_more(height, level, most, space, background.set_stride)
                height += parts
                level += parts
            reach_leaf(trees.leaf_value[np.uint64(~node)], Place(height, level, most, n_failed), walk)
            if height == ZERO:
                break
            height -= ONE
            node, n_failed, most, level = read_place(space.place[height])
            failed, player = space.failed[height], space.player[height]
            for word in range(ZERO, words, EIGHT):
                store(space.alive, word, load(space.parted, height * words + word))
            if player != nobody:
                found[player] += total(load(space.gain, height * EIGHT))
                fail(player, n_failed, space, found)
            store(space.gain, height * EIGHT, spread(0.0))
        settle(space, found)

    def add_contributions(rows: Array, walk: Walk, contributions: Array) -> None:
        trees = walk.trees
        for number in range(len(rows)):
            row, found = rows[number], contributions[number]
            for tree in range(len(trees.root)):
                first = trees.first_node[tree]
                direct_nodes(row, first, trees.first_node[tree + 1], walk)
                walk_tree(trees.root[tree], first, walk, found)

    add_contributions.__qualname__ = f"add_contributions_with_sets_of_{n_words}"
    return compiled(add_contributions)
