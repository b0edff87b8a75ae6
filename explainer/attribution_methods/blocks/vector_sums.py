"""One step of compiled sums that numba does not make vector instructions of by itself."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from explainer.attribution_methods.blocks.background_blocks import N_BLOCKS
from explainer.numba_alone import intrinsic, types

Array = Any
"""numpy array; numba infers element types."""

LANES = N_BLOCKS
"""Numbers that are added at once."""


def _add_scaled(_typing_context: Any, sums: Any, _row: Any, numbers: Any, _line: Any, _unit: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        of_sums, of_numbers = signature.args[0], signature.args[2]
        single, short = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.IntType(16), LANES)
        sum_data = context.make_array(of_sums)(context, builder, arguments[0]).data
        number_data = context.make_array(of_numbers)(context, builder, arguments[2]).data
        width = ir.Constant(ir.IntType(64), LANES)
        to = builder.bitcast(builder.gep(sum_data, [builder.mul(arguments[1], width)]), single.as_pointer())
        read = builder.bitcast(builder.gep(number_data, [builder.mul(arguments[3], width)]), short.as_pointer())
        factor = ir.Constant(single, ir.Undefined)
        for lane in range(LANES):
            factor = builder.insert_element(factor, arguments[4], ir.Constant(ir.IntType(32), lane))
        scaled = builder.fmul(builder.sitofp(builder.load(read, align=2), single), factor)
        builder.store(builder.fadd(builder.load(to, align=4), scaled), to, align=4)

    return types.void(sums, types.int64, numbers, types.int64, types.float32), generate


add_scaled: Callable[[Array, int, Array, int, float], None] = intrinsic(_add_scaled)
"""In compiled functions only: ``sums[row] += unit * numbers[line]`` for lines of one number per block that lie one
behind the other; float32 sums, int16 numbers, positions as int64, the unit as float32."""
