"""Eight words or numbers at once, as values in compiled functions: sets of rows are compared and counted by eights.

LLVM writes these operations with the widest registers the processor has, or with several narrower ones. They exist
because it does not find them in loops by itself. Nothing here can be called outside compiled functions.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from explainer.numba_alone import extending, intrinsic, types

LANES = 8

_WORD, _NUMBER, _INDEX = ir.IntType(64), ir.DoubleType(), ir.IntType(32)
_WORDS, _NUMBERS, _PAIR = (ir.VectorType(*kind) for kind in ((_WORD, LANES), (_NUMBER, LANES), (_WORD, 2)))
_FLAGS = ir.VectorType(ir.IntType(1), LANES)

Typed = tuple[Any, Any]
"""What numba asks of an operation: its signature, and what generates it."""


_EightWords: Any = type("_EightWords", (types.Type,), {})
_EightNumbers: Any = type("_EightNumbers", (types.Type,), {})
EIGHT_WORDS, EIGHT_NUMBERS = _EightWords("EightWords"), _EightNumbers("EightNumbers")


def _kept_as(vector: ir.VectorType) -> Any:
    primitive = extending.models.PrimitiveModel

    def keep_as(self: Any, manager: Any, kind: Any) -> None:
        primitive.__init__(self, manager, kind, vector)

    return type("_Model", (primitive,), {"__init__": keep_as})


extending.register_model(_EightWords)(_kept_as(_WORDS))
extending.register_model(_EightNumbers)(_kept_as(_NUMBERS))


def _vector_of(kind: Any) -> ir.VectorType:
    return _WORDS if kind == EIGHT_WORDS else _NUMBERS


def _place(context: Any, builder: Any, signature: Any, arguments: Any, vector: ir.VectorType) -> Any:
    data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.bitcast(builder.gep(data, [arguments[1]]), vector.as_pointer())


def _shuffled(builder: Any, one: Any, other: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_INDEX, len(places)), places))


def _operation(builder: Any, name: str, arguments: Any, result: ir.VectorType) -> Any:
    """Call an operation of LLVM itself on vectors, whose names the module cannot spell."""
    declared = builder.module.globals
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = declared[name] if name in declared else ir.Function(builder.module, kind, name)
    return builder.call(function, arguments)


def _in_all_lanes(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_INDEX, 0))
    return _shuffled(builder, first, ir.Constant(vector, ir.Undefined), [0] * LANES)


def _load(_context: Any, array: Any, _at: Any) -> Typed:
    kind = EIGHT_WORDS if array.dtype == types.uint64 else EIGHT_NUMBERS

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, signature, arguments, _vector_of(kind)), align=8)

    return kind(array, types.uint64), generate


def _load_pair(_context: Any, array: Any, _at: Any) -> Typed:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        pair = builder.load(_place(context, builder, signature, arguments, _PAIR), align=8)
        return _shuffled(builder, pair, ir.Constant(_PAIR, ir.Undefined), [0, 1] * 4)

    return EIGHT_WORDS(array, types.uint64), generate


def _store(_context: Any, array: Any, _at: Any, value: Any) -> Typed:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _place(context, builder, signature, arguments, _vector_of(value)), align=8)
        return context.get_dummy_value()

    return types.void(array, types.uint64, value), generate


def _spread(_context: Any, value: Any) -> Typed:
    kind = EIGHT_NUMBERS if isinstance(value, types.Float) else EIGHT_WORDS
    scalar = types.float64 if kind == EIGHT_NUMBERS else types.uint64

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _in_all_lanes(builder, arguments[0], _vector_of(kind))

    return kind(scalar), generate


def _of_two_words(operation: Callable[[Any, Any, Any], Any]) -> Callable[..., Typed]:
    def typed(_context: Any, _one: Any, _other: Any) -> Typed:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return operation(builder, *arguments)

        return EIGHT_WORDS(EIGHT_WORDS, EIGHT_WORDS), generate

    return typed


def _counts(_context: Any, _words: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _operation(builder, "llvm.ctpop.v8i64", arguments, _WORDS)

    return EIGHT_WORDS(EIGHT_WORDS), generate


def _as_numbers(_context: Any, _words: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.uitofp(arguments[0], _NUMBERS)

    return EIGHT_NUMBERS(EIGHT_WORDS), generate


def _multiply(_context: Any, _one: Any, _other: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fmul(*arguments)

    return EIGHT_NUMBERS(EIGHT_NUMBERS, EIGHT_NUMBERS), generate


def _multiply_add(_context: Any, _one: Any, _other: Any, _added: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _operation(builder, "llvm.fmuladd.v8f64", arguments, _NUMBERS)

    return EIGHT_NUMBERS(EIGHT_NUMBERS, EIGHT_NUMBERS, EIGHT_NUMBERS), generate


def _total(_context: Any, _numbers: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        halves = [_shuffled(builder, arguments[0], arguments[0], places) for places in ([0, 1, 2, 3], [4, 5, 6, 7])]
        fours = builder.fadd(*halves)
        twos = builder.fadd(*(_shuffled(builder, fours, fours, places) for places in ([0, 1], [2, 3])))
        return builder.fadd(*(builder.extract_element(twos, ir.Constant(_INDEX, place)) for place in (0, 1)))

    return types.float64(EIGHT_NUMBERS), generate


def _some(_context: Any, _words: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        flags = builder.icmp_unsigned("!=", arguments[0], ir.Constant(_WORDS, [0] * LANES))
        byte = builder.bitcast(flags, ir.IntType(LANES))
        return builder.zext(builder.icmp_unsigned("!=", byte, ir.Constant(ir.IntType(LANES), 0)), _WORD)

    return types.uint64(EIGHT_WORDS), generate


def _lanes_where(comparison: str, places: list[int]) -> Callable[..., Typed]:
    def typed(_context: Any, _number: Any) -> Typed:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            number = _in_all_lanes(builder, arguments[0], _WORDS)
            return builder.sext(builder.icmp_unsigned(comparison, ir.Constant(_WORDS, places), number), _WORDS)

        return EIGHT_WORDS(types.uint64), generate

    return typed


def _equal(builder: Any, one: Any, other: Any) -> Any:
    return builder.sext(builder.icmp_unsigned("==", one, other), _WORDS)


def _masked(*, opposite: bool) -> Callable[..., Typed]:
    def typed(_context: Any, _numbers: Any, _lanes: Any) -> Typed:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            numbers, lanes = builder.bitcast(arguments[0], _WORDS), arguments[1]
            return builder.bitcast(builder.and_(numbers, builder.not_(lanes) if opposite else lanes), _NUMBERS)

        return EIGHT_NUMBERS(EIGHT_NUMBERS, EIGHT_WORDS), generate

    return typed


def _repeat_pair(_context: Any, _words: Any, position: Any) -> Typed:
    first = 2 * position.literal_value

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _shuffled(builder, arguments[0], arguments[0], [first, first + 1] * 4)

    return EIGHT_WORDS(EIGHT_WORDS, position), generate


def _join_pairs(_context: Any, _words: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        words = arguments[0]
        for places in ([4, 5, 6, 7, 0, 1, 2, 3], [2, 3, 0, 1, 6, 7, 4, 5]):
            words = builder.or_(words, _shuffled(builder, words, words, places))
        return words

    return EIGHT_WORDS(EIGHT_WORDS), generate


def _word_of(_context: Any, _words: Any, position: Any) -> Typed:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], ir.Constant(_INDEX, position.literal_value))

    return types.uint64(EIGHT_WORDS, position), generate


_with_literal: Any = intrinsic(prefer_literal=True)

load: Callable[[Any, Any], Any] = intrinsic(_load)
"""Eight places of an array of words or numbers, from a position on."""

load_pair: Callable[[Any, Any], Any] = intrinsic(_load_pair)
"""Two words of an array, four times side by side."""

store: Callable[[Any, Any, Any], None] = intrinsic(_store)
"""Write eight words or numbers into an array, from a position on."""

spread: Callable[[Any], Any] = intrinsic(_spread)
"""One word or number in all lanes."""

both: Callable[[Any, Any], Any] = intrinsic(_of_two_words(lambda builder, one, other: builder.and_(one, other)))
"""Bits that are in both."""

either: Callable[[Any, Any], Any] = intrinsic(_of_two_words(lambda builder, one, other: builder.or_(one, other)))
"""Bits that are in one or the other."""

without: Callable[[Any, Any], Any] = intrinsic(
    _of_two_words(lambda builder, one, other: builder.and_(one, builder.not_(other)))
)
"""Bits of the first that are not in the second."""

add: Callable[[Any, Any], Any] = intrinsic(_of_two_words(lambda builder, one, other: builder.add(one, other)))
"""Sums of whole numbers, lane by lane."""

equal: Callable[[Any, Any], Any] = intrinsic(_of_two_words(_equal))
"""All bits in the lanes whose words are the same, none in the others."""

counts: Callable[[Any], Any] = intrinsic(_counts)
"""How many bits each word has, as whole numbers."""

as_numbers: Callable[[Any], Any] = intrinsic(_as_numbers)
"""Whole numbers as floating-point numbers."""

multiply: Callable[[Any, Any], Any] = intrinsic(_multiply)
"""Products, lane by lane."""

multiply_add: Callable[[Any, Any, Any], Any] = intrinsic(_multiply_add)
"""First times second plus third, lane by lane."""

total: Callable[[Any], Any] = intrinsic(_total)
"""Sum of all eight numbers, always in the same order."""

some: Callable[[Any], Any] = intrinsic(_some)
"""1 if any bit is set in any lane, else 0."""

one_lane: Callable[[Any], Any] = intrinsic(_lanes_where("==", [*range(LANES)]))
"""All bits in the lane of that number."""

pair_of_lanes: Callable[[Any], Any] = intrinsic(_lanes_where("==", [lane // 2 for lane in range(LANES)]))
"""All bits in both lanes of the pair of that number."""

lanes_below: Callable[[Any], Any] = intrinsic(_lanes_where("<", [*range(LANES)]))
"""All bits in the lanes before that number."""

keep: Callable[[Any, Any], Any] = intrinsic(_masked(opposite=False))
"""Numbers in the lanes given, zero in the others."""

clear: Callable[[Any, Any], Any] = intrinsic(_masked(opposite=True))
"""Zero in the lanes given, numbers in the others."""

push_pair: Callable[[Any, Any], Any] = intrinsic(
    _of_two_words(lambda builder, before, words: _shuffled(builder, before, words, [6, 7, 8, 9, 10, 11, 12, 13]))
)
"""Words moved up by a pair; the last pair of what stands before them comes first."""

repeat_pair: Callable[[Any, int], Any] = _with_literal(_repeat_pair)
"""One of four pairs, four times side by side."""

join_pairs: Callable[[Any], Any] = intrinsic(_join_pairs)
"""Bits that are in any of the four pairs, four times side by side."""

word_of: Callable[[Any, int], Any] = _with_literal(_word_of)
"""One lane's word."""
