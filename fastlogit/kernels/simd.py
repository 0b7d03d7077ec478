"""An 8-lane float64 vector for the row kernels.

LLVM's loop vectoriser splits a dot product only under ``reassoc``, and then as it likes: the order
of the sum, and so its bits, would change with the vector width of the machine and with the caller
into which a kernel is inlined. Eight explicit lanes fix the order, let LLVM use whatever registers
the machine has (two AVX2 registers, one AVX-512, four NEON), and need no fast-math at all.

Each operation is an intrinsic; under ``NUMBA_DISABLE_JIT=1`` a plain NumPy twin of the same name
takes its place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

__all__ = [
    "HAS_WIDE_REGISTERS",
    "LANES",
    "add",
    "add_totals",
    "aligned",
    "broadcast",
    "byteswap",
    "divide",
    "load",
    "maximum",
    "multiply_add",
    "prefetch",
    "prefetch_l2",
    "splat",
    "store",
    "store_totals",
    "subtract",
    "total",
]

LANES = 8
# Bytes of a vector, and of a cache line.
BYTES = 64
# Whether a vector is one register, of 32: then tiles may be larger, of the same sums.
HAS_WIDE_REGISTERS = bool(binding.get_host_cpu_features().get("avx512f"))


def _plain_load(array: Any, offset: int) -> Any:
    return array[offset : offset + LANES].astype(np.float64)


def _plain_store(array: Any, offset: int, vector: Any) -> None:
    array[offset : offset + LANES] = vector


def _plain_splat(value: float) -> Any:
    return np.full(LANES, value, dtype=np.float64)


def _plain_broadcast(array: Any, offset: int) -> Any:
    return np.full(LANES, array[offset], dtype=np.float64)


def _plain_multiply_add(a: Any, b: Any, c: Any) -> Any:
    return a * b + c


def _plain_add(a: Any, b: Any) -> Any:
    return a + b


def _plain_subtract(a: Any, b: Any) -> Any:
    return a - b


def _plain_divide(a: Any, b: Any) -> Any:
    return a / b


def _plain_maximum(a: Any, b: Any) -> Any:
    return np.where(a > b, a, b)


def _plain_total(vector: Any) -> Any:
    halves = vector
    while len(halves) > 1:
        middle = len(halves) // 2
        halves = halves[:middle] + halves[middle:]
    return halves[0]


def _plain_store_totals(
    array: Any, offset: int, a: Any, b: Any, c: Any, d: Any, shift: float
) -> None:
    """Store the totals of four vectors, plus `shift`, next to each other."""
    array[offset : offset + 4] = [_plain_total(each) + shift for each in (a, b, c, d)]


def _plain_add_totals(array: Any, offset: int, width: int, a: Any, b: Any, c: Any, d: Any) -> None:
    """Add the totals of two vectors to neighbours, and of two to those `width` numbers further."""
    array[offset : offset + 2] += [_plain_total(a), _plain_total(b)]
    array[offset + width : offset + width + 2] += [_plain_total(c), _plain_total(d)]


def _plain_aligned(array: Any) -> int:
    """First index of a float64 array where a vector does not cross cache lines."""
    return int(-array.ctypes.data % BYTES) // 8


def _plain_prefetch(array: Any, offset: int) -> None:
    """Do nothing: a prefetch has no effect that Python could see."""


_plain_prefetch_l2 = _plain_prefetch


def _plain_byteswap(value: Any) -> Any:
    return np.asarray(value).byteswap()[()]


class Float64x8(types.Type):  # type: ignore[misc]
    """Numba's type of a vector of eight float64."""

    def __init__(self) -> None:
        super().__init__(name="Float64x8")


float64x8 = Float64x8()
_DOUBLE = ir.DoubleType()
_VECTOR = ir.VectorType(_DOUBLE, LANES)
_FLOAT_VECTOR = ir.VectorType(ir.FloatType(), LANES)
_INT32 = ir.IntType(32)


@register_model(Float64x8)
class _Float64x8Model(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)


def _element_pointer(context: Any, builder: Any, array_type: Any, array: Any, offset: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [offset])


def _llvm_load(typing_context: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        pointer = _element_pointer(context, builder, array_type, *arguments)
        if array_type.dtype == types.float32:
            narrow = builder.load(builder.bitcast(pointer, _FLOAT_VECTOR.as_pointer()), align=4)
            return builder.fpext(narrow, _VECTOR)
        return builder.load(builder.bitcast(pointer, _VECTOR.as_pointer()), align=8)

    return float64x8(array, types.intp), generate


def _llvm_store(typing_context: Any, array: Any, offset: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array_type = signature.args[0]
        pointer = _element_pointer(context, builder, array_type, *arguments[:2])
        if array_type.dtype == types.float32:
            narrow = builder.fptrunc(arguments[2], _FLOAT_VECTOR)
            builder.store(narrow, builder.bitcast(pointer, _FLOAT_VECTOR.as_pointer()), align=4)
        else:
            builder.store(arguments[2], builder.bitcast(pointer, _VECTOR.as_pointer()), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, float64x8), generate


def _fill(builder: Any, value: Any) -> Any:
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    first = builder.insert_element(undefined, value, _INT32(0))
    zeros = ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES)
    return builder.shuffle_vector(first, undefined, zeros)


def _llvm_splat(typing_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _fill(builder, arguments[0])

    return float64x8(types.float64), generate


def _llvm_broadcast(typing_context: Any, array: Any, offset: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # Unlike `splat(array[offset])`, without a test for a negative index.
        pointer = _element_pointer(context, builder, signature.args[0], *arguments)
        return _fill(builder, builder.load(pointer))

    return float64x8(array, types.intp), generate


def _llvm_multiply_add(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(_VECTOR, [_VECTOR] * 3),
            f"llvm.fmuladd.v{LANES}f64",
        )
        return builder.call(function, arguments)

    return float64x8(float64x8, float64x8, float64x8), generate


def _llvm_add(typing_context: Any, a: Any, b: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fadd(*arguments)

    return float64x8(float64x8, float64x8), generate


def _llvm_subtract(typing_context: Any, a: Any, b: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fsub(*arguments)

    return float64x8(float64x8, float64x8), generate


def _llvm_divide(typing_context: Any, a: Any, b: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fdiv(*arguments)

    return float64x8(float64x8, float64x8), generate


def _llvm_maximum(typing_context: Any, a: Any, b: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        # b where one is NaN.
        return builder.select(builder.fcmp_ordered(">", *arguments), *arguments)

    return float64x8(float64x8, float64x8), generate


def _llvm_total(typing_context: Any, vector: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        halves, width = arguments[0], LANES
        while width > 1:
            middle = width // 2
            undefined = ir.Constant(ir.VectorType(_DOUBLE, width), ir.Undefined)
            indices = ir.VectorType(_INT32, middle)
            low = ir.Constant(indices, list(range(middle)))
            high = ir.Constant(indices, list(range(middle, width)))
            halves = builder.fadd(
                builder.shuffle_vector(halves, undefined, low),
                builder.shuffle_vector(halves, undefined, high),
            )
            width = middle
        return builder.extract_element(halves, _INT32(0))

    return types.float64(float64x8), generate


def _shuffle(builder: Any, one: Any, other: Any, places: list[int]) -> Any:
    mask = ir.Constant(ir.VectorType(_INT32, len(places)), places)
    return builder.shuffle_vector(one, other, mask)


def _four_totals(builder: Any, vectors: Any) -> Any:
    """Make the additions of `total`, in its order, but of four vectors at once: half as many."""
    low, high = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]
    first, second = (
        builder.fadd(_shuffle(builder, one, other, low), _shuffle(builder, one, other, high))
        for one, other in (vectors[:2], vectors[2:])
    )
    low, high = [0, 1, 4, 5, 8, 9, 12, 13], [2, 3, 6, 7, 10, 11, 14, 15]
    pairs = builder.fadd(
        _shuffle(builder, first, second, low), _shuffle(builder, first, second, high)
    )
    return builder.fadd(
        _shuffle(builder, pairs, pairs, [0, 2, 4, 6]), _shuffle(builder, pairs, pairs, [1, 3, 5, 7])
    )


def _llvm_store_totals(
    typing_context: Any, array: Any, offset: Any, a: Any, b: Any, c: Any, d: Any, shift: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums = _four_totals(builder, arguments[2:6])
        shift_of_each = _fill(builder, arguments[6])
        shifts = _shuffle(builder, shift_of_each, shift_of_each, [0, 1, 2, 3])
        pointer = _element_pointer(context, builder, signature.args[0], *arguments[:2])
        place = builder.bitcast(pointer, ir.VectorType(_DOUBLE, 4).as_pointer())
        builder.store(builder.fadd(sums, shifts), place, align=8)
        return context.get_dummy_value()

    vectors = [float64x8] * 4
    return types.void(array, types.intp, *vectors, types.float64), generate


def _llvm_add_totals(
    typing_context: Any, array: Any, offset: Any, width: Any, a: Any, b: Any, c: Any, d: Any
) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        sums, pair = _four_totals(builder, arguments[3:]), ir.VectorType(_DOUBLE, 2)
        places = arguments[1], builder.add(*arguments[1:3])
        for place, half in zip(places, ([0, 1], [2, 3]), strict=True):
            pointer = _element_pointer(context, builder, signature.args[0], arguments[0], place)
            pointer = builder.bitcast(pointer, pair.as_pointer())
            added = builder.fadd(
                builder.load(pointer, align=8), _shuffle(builder, sums, sums, half)
            )
            builder.store(added, pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, *[float64x8] * 4), generate


def _llvm_aligned(typing_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        index = ir.IntType(64)
        below = builder.neg(builder.ptrtoint(data, index))
        return builder.lshr(builder.and_(below, index(BYTES - 1)), index(3))

    return types.intp(array), generate


def _llvm_prefetch_to(close: int) -> Any:
    """Return the intrinsic that asks for a line: 3 for the first level of the cache, 2 second."""

    def prefetch(typing_context: Any, array: Any, offset: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pointer = _element_pointer(context, builder, signature.args[0], *arguments)
            pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
            function = cgutils.get_or_insert_function(
                builder.module,
                ir.FunctionType(ir.VoidType(), [pointer.type, _INT32, _INT32, _INT32]),
                "llvm.prefetch.p0",
            )
            read, data_cache = _INT32(0), _INT32(1)
            builder.call(function, [pointer, read, _INT32(close), data_cache])
            return context.get_dummy_value()

        return types.void(array, types.intp), generate

    return prefetch


_llvm_prefetch, _llvm_prefetch_l2 = _llvm_prefetch_to(3), _llvm_prefetch_to(2)


def _llvm_byteswap(typing_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        native = context.get_value_type(signature.args[0])
        bits = getattr(signature.args[0], "bitwidth", 8)
        if bits == 8:
            return arguments[0]
        integer = ir.IntType(bits)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(integer, [integer]), f"llvm.bswap.i{bits}"
        )
        swapped = builder.call(function, [builder.bitcast(arguments[0], integer)])
        return builder.bitcast(swapped, native)

    return value(value), generate


def _operation(name: str) -> Any:
    plain, llvm = globals()[f"_plain_{name}"], globals()[f"_llvm_{name}"]
    return plain if config.DISABLE_JIT else intrinsic(llvm)


load = _operation("load")
store = _operation("store")
splat = _operation("splat")
broadcast = _operation("broadcast")
multiply_add = _operation("multiply_add")
add = _operation("add")
aligned = _operation("aligned")
subtract = _operation("subtract")
divide = _operation("divide")
maximum = _operation("maximum")
total = _operation("total")
store_totals = _operation("store_totals")
add_totals = _operation("add_totals")
prefetch = _operation("prefetch")
prefetch_l2 = _operation("prefetch_l2")
byteswap = _operation("byteswap")
