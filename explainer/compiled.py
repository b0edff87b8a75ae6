"""The one place that says how functions are compiled to machine code; importing it loads numba.

numba keeps machine code beside the source and takes it as valid while the file of the compiled function is unchanged,
even if what it is made of in other files has changed. So the fingerprint of all files it could be made of is part of
the name.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from llvmlite import ir

from explainer.numba_alone import intrinsic, numba, types

P = ParamSpec("P")
R = TypeVar("R")

njit: Any = numba.njit
"""Untyped, because the option ``_nrt`` is not in numba's types."""


def sources_fingerprint(folder: Path) -> str:
    """Fingerprint of the sources that machine code could be made of: code made of others must not be used.

    Args:
        folder: Folder of the compiled function. Of a folder within this program its whole room counts: everything below
            the same folder of ``explainer``.

    Returns:
        Twelve hexadecimal digits.
    """
    ours = Path(__file__).parent
    room = ours / folder.relative_to(ours).parts[0] if folder != ours and folder.is_relative_to(ours) else folder
    whole = sha256()
    for path in (*sorted(ours.glob("compiled*.py")), *sorted(room.rglob("*.py"))):
        whole.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function on its first call and keep the machine code on disk beside its source.

    The compiled function does not hold the interpreter's lock, so threads run it side by side. It may not make arrays
    (``_nrt=False``): without counting references to its arguments it is several times faster.

    Args:
        function: In the subset of Python that numba reads.

    Returns:
        The compiled function.
    """
    function.__qualname__ += f"_{sources_fingerprint(Path(function.__code__.co_filename).parent)}"
    try:
        kept: Callable[P, R] = njit(cache=True, nogil=True, _nrt=False)(function)
    except RuntimeError:
        # Neither the source folder nor the user's cache folder can be written to: compile at each start instead.
        kept = njit(nogil=True, _nrt=False)(function)
    return kept


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Make a part of a compiled function, at no cost of a call.

    Args:
        function: In the subset of Python that numba reads.

    Returns:
        A function for compiled functions to call.
    """
    part: Callable[P, R] = njit(nogil=True, forceinline=True, _nrt=False)(function)
    return part


def _lowest_bit(_typing_context: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word, flag = ir.IntType(64), ir.IntType(1)
        count = builder.module.declare_intrinsic("llvm.cttz", [word], ir.FunctionType(word, [word, flag]))
        return builder.call(count, [arguments[0], ir.Constant(flag, 0)])

    return types.uint64(types.uint64), generate


def _number_of_bits(_typing_context: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.call(builder.module.declare_intrinsic("llvm.ctpop", [ir.IntType(64)]), [arguments[0]])

    return types.uint64(types.uint64), generate


def _low_half(_typing_context: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.sext(builder.trunc(arguments[0], ir.IntType(32)), ir.IntType(64))

    return types.int64(types.uint64), generate


def _single_of_low_half(_typing_context: Any, _word: Any) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.trunc(arguments[0], ir.IntType(32)), ir.FloatType())

    return types.float32(types.uint64), generate


def _fetch_soon(_typing_context: Any, array: Any, _position: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        to_read, keep_near, as_data = ir.Constant(number, 0), ir.Constant(number, 3), ir.Constant(number, 1)
        builder.call(
            builder.module.declare_intrinsic("llvm.prefetch", [byte], kind), [address, to_read, keep_near, as_data]
        )
        return context.get_dummy_value()

    return types.void(array, types.int64), generate


lowest_bit: Callable[[np.uint64], np.uint64] = intrinsic(_lowest_bit)
"""In compiled functions only: position of the lowest bit that is set; 64 if none is."""

number_of_bits: Callable[[np.uint64], np.uint64] = intrinsic(_number_of_bits)
"""In compiled functions only: how many bits are set."""

low_half: Callable[[np.uint64], np.int64] = intrinsic(_low_half)
"""In compiled functions only: the lower 32 bits as a signed number."""

single_of_low_half: Callable[[np.uint64], np.float32] = intrinsic(_single_of_low_half)
"""In compiled functions only: the lower 32 bits as a floating-point number of single precision."""

fetch_soon: Callable[[Any, int], None] = intrinsic(_fetch_soon)
"""In compiled functions only: ask for a place of a one-dimensional array before it is read; any position is safe."""
