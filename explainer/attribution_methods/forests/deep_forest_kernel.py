"""Walks one explained row through the trees together with all background rows; compiled, see :mod:`deep_forest`.

For a row x, a background row z and a node, let A be the players on the path at whose nodes x goes along the path and z
leaves it, and B those where z goes along and x leaves it. A leaf of value v counts for z if no player leaves the path
for both; it then adds v (|A|-1)! |B|! / (|A|+|B|)! to each player of A and takes v |A|! (|B|-1)! / (|A|+|B|)! from each
of B (interventional TreeSHAP, Lundberg et al. 2020). Background rows for which it can still count are *alive*. What
makes this quick for all background rows at once:

* All rows alive at a node have the same B: the players where x left so far. Only |A| differs, a byte per row.
* From the root of a subtree follow x to its leaf, a *chain*: all alive rows stay alive. At each node only the rows
  matter that *part* from x here. They get this player into A on x's side; on the other side a chain of these rows alone
  begins, with this player in B. Where no row parts, which is at most nodes deep down, nothing is done.
* Where the player is already in B, x has no say: the alive rows divide between the sides.
* Lists of rows are short, and where a loop over one ends is a guess of the processor that is often wrong. So lists are
  filled up to fours with a row that weighs nothing, and loops take four rows at once.
* Sums are passed upwards instead of being given to each player at each leaf. A finished subtree has left, for each
  alive row, what each player of A gets from it (*gains*), and, summed over the rows, what each player of B loses
  (*loss*). The node at which rows parted gives its player the gains of x's side minus the loss of the other side.
"""

from typing import Any

import numpy as np

from explainer.attribution_methods.forests.deep_forest_state import (
    ALONG,
    APART,
    FOUR,
    LEFT,
    ONE,
    RIGHT,
    TWO,
    WORD_MASK,
    WORD_SHIFT,
    ZERO,
    Array,
    Chain,
    Nodes,
    Walk,
    behind,
    list_members,
)
from explainer.compiled import compiled, inlined


@inlined
def _goes_left(row: Array, nodes: Nodes, node: Any) -> Any:
    value = row[np.uint64(nodes.feature[node])]
    if np.isnan(value):
        return nodes.missing_left[node]
    return value <= nodes.threshold[node]


@inlined
def _reach_leaf(value: Any, begin: Any, end: Any, n_failed: Any, walk: Walk) -> Any:
    """All alive rows reach a leaf; returns the loss."""
    _, background, space = walk
    gains_at = n_failed * background.row_stride
    factors_at = n_failed * background.factor_stride
    loss = 0.0
    for four in range(begin, end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            factor = factors_at + np.uint64(space.size_of_a[z])
            worth = value * background.weight[z]
            space.gains[gains_at + z] = worth * background.gain_factor[factor]
            loss += worth * background.loss_factor[factor]
    return loss


@inlined
def _divide_between_leaves(node: Any, chain: Chain, walk: Walk) -> Any:
    """The player is in B and both children are leaves; returns the loss."""
    nodes, background, space = walk
    gains_at = chain.n_failed * background.row_stride
    factors_at = chain.n_failed * background.factor_stride
    set_at = node * background.n_words
    left = nodes.leaf_value[np.uint64(~nodes.child[node + node])]
    right = nodes.leaf_value[np.uint64(~nodes.child[node + node + ONE])]
    loss = 0.0
    for four in range(chain.begin, chain.end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            factor = factors_at + np.uint64(space.size_of_a[z])
            bit = (background.goes_left[set_at + (z >> WORD_SHIFT)] >> (z & WORD_MASK)) & ONE
            worth = (left if bit else right) * background.weight[z]
            space.gains[gains_at + z] = worth * background.gain_factor[factor]
            loss += worth * background.loss_factor[factor]
    return loss


@inlined
def _part_between_leaves(node: Any, side: Any, chain: Chain, walk: Walk, found: Array) -> Any:
    """Both children are leaves: rows part without a set being made; returns the loss."""
    nodes, background, space = walk
    gains_at = chain.n_failed * background.row_stride
    factors_at = chain.n_failed * background.factor_stride
    set_at = node * background.n_words
    in_a_at = np.uint64(nodes.slot[node]) * background.n_words
    along = nodes.leaf_value[np.uint64(~nodes.child[node + node + (ONE - side)])]
    apart = nodes.leaf_value[np.uint64(~nodes.child[node + node + side])]
    turned = ZERO - side
    gain = loss = loss_apart = 0.0
    for four in range(chain.begin, chain.end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            word = z >> WORD_SHIFT
            parting = (background.goes_left[set_at + word] ^ turned) & ~space.in_a[in_a_at + word]
            parts = (parting >> (z & WORD_MASK)) & ONE
            factor = factors_at + np.uint64(space.size_of_a[z])
            worth_along = along * background.weight[z]
            worth_apart = apart * background.weight[z] * np.float64(parts)
            gain_along = worth_along * background.gain_factor[factor + parts]
            gain += gain_along * np.float64(parts)
            loss += worth_along * background.loss_factor[factor + parts]
            loss_apart += worth_apart * background.loss_factor[factor + background.factor_stride]
            space.gains[gains_at + z] = (
                gain_along + worth_apart * background.gain_factor[factor + background.factor_stride]
            )
    found[np.uint64(nodes.player[node])] += gain - loss_apart
    return loss + loss_apart


@inlined
def _step_to(node: Any, chain: Chain) -> Chain:
    """The same rows go on to a child."""
    return Chain(
        np.int64(node), chain.alive, chain.begin, chain.end, chain.free, chain.failed, chain.n_failed, chain.height
    )


@inlined
def _divide(node: Any, chain: Chain, walk: Walk) -> Any:
    """The player is already in B: each alive row goes its own way; begin with the left half."""
    nodes, background, space = walk
    n_words = background.n_words
    left, right = nodes.child[node + node], nodes.child[node + node + ONE]
    left_set = (TWO * chain.height + TWO) * n_words
    right_set = left_set + n_words
    for word in range(n_words):
        space.sets[left_set + word] = space.sets[chain.alive + word] & background.goes_left[node * n_words + word]
    left_end = list_members(space.sets, left_set, n_words, space.rows, chain.free)
    n_left, n_alive = left_end - chain.free, chain.end - chain.begin
    if n_left == ZERO or n_left == n_alive:  # noqa: PLR1714, SIM109 -- numba reads no membership tests
        return _step_to(right if n_left == ZERO else left, chain)
    for word in range(n_words):
        space.sets[right_set + word] = space.sets[chain.alive + word] & ~background.goes_left[node * n_words + word]
    right_end = list_members(space.sets, right_set, n_words, space.rows, behind(left_end))
    frame = space.frames[chain.height]
    frame.waits_for, frame.node = LEFT, node
    frame.begin, frame.end, frame.right_end = chain.free, left_end, right_end
    frame.failed, frame.n_failed = chain.failed, chain.n_failed
    return Chain(
        np.int64(left),
        left_set,
        chain.free,
        left_end,
        behind(right_end),
        chain.failed,
        chain.n_failed,
        chain.height + ONE,
    )


@inlined
def _part(node: Any, side: Any, chain: Chain, walk: Walk, found: Array) -> Chain:
    """Rows part from x here, and at most one child is a leaf: go on along x's side, or apart if that is a leaf.

    ``side`` is 1 if x goes left, else 0.
    """
    nodes, background, space = walk
    n_words = background.n_words
    slot = np.uint64(nodes.slot[node])
    along, apart = nodes.child[node + node + (ONE - side)], nodes.child[node + node + side]
    parting_set = (TWO * chain.height + TWO) * n_words
    turned, some = ZERO - side, ZERO
    for word in range(n_words):
        parting = space.sets[chain.alive + word] & (background.goes_left[node * n_words + word] ^ turned)
        parting &= ~space.in_a[slot * n_words + word]
        space.sets[parting_set + word] = parting
        some |= parting
    if some == ZERO:
        return _step_to(along, chain)
    end = list_members(space.sets, parting_set, n_words, space.rows, chain.free)
    frame = space.frames[chain.height]
    frame.node, frame.apart, frame.begin, frame.end = node, np.int64(apart), chain.free, end
    frame.failed, frame.n_failed = chain.failed, chain.n_failed
    if along >= 0:
        for four in range(chain.free, end, FOUR):
            for place in range(four, four + FOUR):
                space.size_of_a[np.uint64(space.rows[place])] += 1
        if nodes.recurs_below[node]:
            for word in range(n_words):
                space.in_a[slot * n_words + word] |= space.sets[parting_set + word]
        frame.waits_for = ALONG
        return Chain(
            np.int64(along),
            chain.alive,
            chain.begin,
            chain.end,
            behind(end),
            chain.failed,
            chain.n_failed,
            chain.height + ONE,
        )
    frame.waits_for = APART
    frame.loss = _reach_leaf_parted(frame, nodes.leaf_value[np.uint64(~along)], chain, walk, found)
    return Chain(
        np.int64(apart),
        parting_set,
        chain.free,
        end,
        behind(end),
        chain.failed | (ONE << slot),
        chain.n_failed + ONE,
        chain.height + ONE,
    )


@inlined
def _reach_leaf_parted(frame: Any, value: Any, chain: Chain, walk: Walk, found: Array) -> Any:
    """A leaf on x's side: all alive rows reach it, those that part with this player in A; returns the loss."""
    nodes, background, space = walk
    gains_at = chain.n_failed * background.row_stride
    factors_at = chain.n_failed * background.factor_stride
    loss = _reach_leaf(value, chain.begin, chain.end, chain.n_failed, walk)
    gain = 0.0
    for four in range(frame.begin, frame.end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            factor = factors_at + np.uint64(space.size_of_a[z])
            worth = value * background.weight[z]
            part = worth * background.gain_factor[factor + ONE]
            gain += part
            loss += worth * (background.loss_factor[factor + ONE] - background.loss_factor[factor])
            space.gains[gains_at + z] = part
    found[np.uint64(nodes.player[frame.node])] += gain
    return loss


@inlined
def _leave_side_along(frame: Any, walk: Walk, found: Array) -> None:
    """Done with x's side: the player gains, and the rows that part are again as they came."""
    nodes, background, space = walk
    node = frame.node
    gains_at = frame.n_failed * background.row_stride
    gain = 0.0
    for four in range(frame.begin, frame.end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            space.size_of_a[z] -= 1
            gain += space.gains[gains_at + z]
    found[np.uint64(nodes.player[node])] += gain


@inlined
def _reach_leaf_apart(frame: Any, value: Any, walk: Walk, found: Array) -> Any:
    """The side x does not take is a leaf: the rows that part reach it with this player in B; returns the loss."""
    nodes, background, space = walk
    gains_at = frame.n_failed * background.row_stride
    factors_at = (frame.n_failed + ONE) * background.factor_stride
    loss = 0.0
    for four in range(frame.begin, frame.end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            factor = factors_at + np.uint64(space.size_of_a[z])
            worth = value * background.weight[z]
            space.gains[gains_at + z] += worth * background.gain_factor[factor]
            loss += worth * background.loss_factor[factor]
    found[np.uint64(nodes.player[frame.node])] -= loss
    return loss


@inlined
def _join_sides(frame: Any, loss_apart: Any, walk: Walk, found: Array) -> None:
    """The side x does not take is done: its gains join those of x's side, its loss is the player's."""
    nodes, background, space = walk
    stride = background.row_stride
    gains_at = frame.n_failed * stride
    for four in range(frame.begin, frame.end, FOUR):
        for place in range(four, four + FOUR):
            z = np.uint64(space.rows[place])
            space.gains[gains_at + z] += space.gains[gains_at + stride + z]
    found[np.uint64(nodes.player[frame.node])] -= loss_apart


@inlined
def _finish(height: Any, loss: Any, walk: Walk, found: Array) -> Any:
    """A subtree is finished: close frames until another subtree must be walked, or none is left (height 0)."""
    nodes, background, space = walk
    n_words = background.n_words
    while height != ZERO:
        top = height - ONE
        frame = space.frames[top]
        node, first_set = frame.node, (TWO * top + TWO) * n_words
        if frame.waits_for == ALONG:
            slot = np.uint64(nodes.slot[node])
            if nodes.recurs_below[node]:
                for word in range(n_words):
                    space.in_a[slot * n_words + word] &= ~space.sets[first_set + word]
            _leave_side_along(frame, walk, found)
            if frame.apart >= 0:
                frame.waits_for, frame.loss = APART, loss
                failed, n_failed = frame.failed | (ONE << slot), frame.n_failed + ONE
                return Chain(
                    frame.apart, first_set, frame.begin, frame.end, behind(frame.end), failed, n_failed, height
                )
            loss += _reach_leaf_apart(frame, nodes.leaf_value[np.uint64(~frame.apart)], walk, found)
        elif frame.waits_for == APART:
            _join_sides(frame, loss, walk, found)
            loss += frame.loss
        elif frame.waits_for == LEFT:
            frame.waits_for, frame.loss = RIGHT, loss
            return Chain(
                np.int64(nodes.child[node + node + ONE]),
                first_set + n_words,
                behind(frame.end),
                frame.right_end,
                behind(frame.right_end),
                frame.failed,
                frame.n_failed,
                height,
            )
        else:
            loss += frame.loss
        height = top
    return Chain(np.int64(0), ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO)


@inlined
def _walk_down(chain: Chain, row: Array, walk: Walk, found: Array) -> Any:
    """Follow chains until a subtree is finished; returns the height of the stack and the subtree's loss."""
    nodes = walk.nodes
    while chain.node >= 0:
        node = np.uint64(chain.node)
        both_leaves = (nodes.child[node + node] & nodes.child[node + node + ONE]) < 0
        if (chain.failed >> np.uint64(nodes.slot[node])) & ONE:
            if both_leaves:
                return chain.height, _divide_between_leaves(node, chain, walk)
            chain = _divide(node, chain, walk)
        else:
            side = np.uint64(_goes_left(row, nodes, node))
            if both_leaves:
                return chain.height, _part_between_leaves(node, side, chain, walk, found)
            chain = _part(node, side, chain, walk, found)
    value = nodes.leaf_value[np.uint64(~chain.node)]
    return chain.height, _reach_leaf(value, chain.begin, chain.end, chain.n_failed, walk)


@compiled
def add_contributions(rows: Array, walk: Walk, contributions: Array) -> None:
    """Add to each row's contributions what all trees give.

    Args:
        rows: Explained rows, float32, shape (n_rows, n_features).
        walk: Forest, background, and working memory that no other thread uses: zero at first, and zero again
            afterwards where it matters.
        contributions: Float64, shape (n_rows, n_players); changed.
    """
    background, space = walk.background, walk.space
    for number in range(len(rows)):
        row, found = rows[number], contributions[number]
        for word in range(background.n_words):
            space.sets[word] = background.everyone[word]
        end = list_members(space.sets, ZERO, background.n_words, space.rows, ZERO)
        for root in walk.nodes.root:
            chain = Chain(np.int64(root), ZERO, ZERO, end, behind(end), ZERO, ZERO, ZERO)
            while True:
                height, loss = _walk_down(chain, row, walk, found)
                chain = _finish(height, loss, walk, found)
                if chain.height == ZERO:
                    break
