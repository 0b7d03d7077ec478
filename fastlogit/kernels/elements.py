"""Numbers of any type in any layout, read by where they lie: one compiled kernel for all of them.

An array's number type and layout are parts of its type to numba, which compiles a kernel anew for
each: of the fourteen kinds of X that users bring that took six times as long as of one. Kernels
that gather rows read them in two places alone. There X is where its first number lies, how many
bytes lie between rows and between columns, and a code for the type of the numbers (`Elements`).

The first number's bytes are an array of their own, beyond which the kernels read: who hands it on
keeps X alive, and never takes a copy of it (a pickle would be one).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import config, from_dtype, types
from numba.extending import intrinsic

from .policy import part
from .simd import byteswap

__all__ = ["Elements", "elements_of", "item_bytes", "read_line"]

# Codes of number types; 16 more where the bytes are in the other order.
FLOAT64, FLOAT32, INT64, INT32, INT8, UINT8, INT16, UINT16, UINT32, UINT64 = range(10)
SWAPPED = 16
_CODES = {
    "f8": FLOAT64, "f4": FLOAT32, "i8": INT64, "i4": INT32, "i1": INT8, "u1": UINT8, "b1": UINT8,
    "i2": INT16, "u2": UINT16, "u4": UINT32, "u8": UINT64,
}  # fmt: skip


class Elements(NamedTuple):
    """Where the numbers of a matrix lie, and what they are.

    `first` are the bytes of the first one, read-only; `to_row` and `to_column` the bytes from one
    row or column to the next; `kind` is a code of this module.
    """

    first: Any
    to_row: int
    to_column: int
    kind: int


def elements_of(X: Any) -> Elements:
    """Return where the numbers of a two-dimensional array lie; it is to outlive the answer."""
    first = X[:1, :1].reshape(-1).view(np.uint8, np.ndarray)
    first.flags.writeable = False
    kind = _CODES[X.dtype.str[1:]] + (0 if X.dtype.isnative else SWAPPED)
    return Elements(first, *X.strides, kind)


def _reader(name: str) -> Any:
    """Return the function of bytes and a place that reads the number there."""
    dtype = np.dtype(name)

    def plain(first: Any, place: int) -> Any:
        # A stride of any sign leads to the place from the first byte.
        lines = np.lib.stride_tricks.as_strided(first, (2, dtype.itemsize), (place, 1))
        return lines[1].view(dtype)[0]

    def typed(typing_context: Any, first: Any, place: Any) -> Any:
        kind = from_dtype(dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            pointer = builder.gep(data, [arguments[1]])
            native = context.get_value_type(kind)
            return builder.load(builder.bitcast(pointer, ir.PointerType(native)), align=1)

        return kind(first, types.intp), generate

    typed.__name__ = typed.__qualname__ = f"read_{name}"
    return plain if config.DISABLE_JIT else intrinsic(typed)


_float64, _float32 = _reader("f8"), _reader("f4")
_int64, _int32, _int16, _int8 = (_reader(f"i{size}") for size in (8, 4, 2, 1))
_uint64, _uint32, _uint16, _uint8 = (_reader(f"u{size}") for size in (8, 4, 2, 1))


def _line_reader(read: Any, size: int) -> Callable[..., Any]:
    @part
    def read_numbers(
        first: Any, at: int, step: int, count: int, middle: float, out: Any, to: int
    ) -> None:
        """Set `out[to:]` to numbers, less `middle`."""
        # Numbers without sign need no check for an index from the end.
        start = np.uint64(to)
        if step == size:
            for k in range(count):
                out[start + np.uint64(k)] = read(first, at + k * size) - middle
        else:
            place = at
            for k in range(count):
                out[start + np.uint64(k)] = read(first, place) - middle
                place += step

    return read_numbers


_float64_line, _float32_line = _line_reader(_float64, 8), _line_reader(_float32, 4)
_int64_line, _int32_line = _line_reader(_int64, 8), _line_reader(_int32, 4)
_int8_line, _uint8_line = _line_reader(_int8, 1), _line_reader(_uint8, 1)


@part
def read_rare(first: Any, place: int, kind: int) -> float:
    """Read a number of a type that few have."""
    if kind == INT16:
        return float(_int16(first, place))
    if kind == UINT16:
        return float(_uint16(first, place))
    if kind == UINT32:
        return float(_uint32(first, place))
    if kind == UINT64:
        return float(_uint64(first, place))
    if kind == SWAPPED + FLOAT64:
        return float(byteswap(_float64(first, place)))
    if kind == SWAPPED + FLOAT32:
        return float(byteswap(_float32(first, place)))
    if kind == SWAPPED + INT64:
        return float(byteswap(_int64(first, place)))
    if kind == SWAPPED + INT32:
        return float(byteswap(_int32(first, place)))
    if kind == SWAPPED + INT16:
        return float(byteswap(_int16(first, place)))
    if kind == SWAPPED + UINT16:
        return float(byteswap(_uint16(first, place)))
    if kind == SWAPPED + UINT32:
        return float(byteswap(_uint32(first, place)))
    return float(byteswap(_uint64(first, place)))


@part
def read_line(
    first: Any, kind: int, at: int, step: int, count: int, middle: float, out: Any, to: int
) -> None:
    """Set `out[to:]` to `count` numbers, the first of them `at` bytes on, less `middle`."""
    if kind == FLOAT64:
        _float64_line(first, at, step, count, middle, out, to)
    elif kind == FLOAT32:
        _float32_line(first, at, step, count, middle, out, to)
    elif kind == INT64:
        _int64_line(first, at, step, count, middle, out, to)
    elif kind == INT32:
        _int32_line(first, at, step, count, middle, out, to)
    elif kind == INT8:
        _int8_line(first, at, step, count, middle, out, to)
    elif kind == UINT8:
        _uint8_line(first, at, step, count, middle, out, to)
    else:
        for k in range(count):
            out[np.uint64(to + k)] = read_rare(first, at + k * step, kind) - middle


@part
def item_bytes(kind: int) -> int:
    """Return how many bytes a number takes."""
    code = kind % SWAPPED
    if code == FLOAT64 or code == INT64 or code == UINT64:
        return 8
    if code == FLOAT32 or code == INT32 or code == UINT32:
        return 4
    return 2 if code == INT16 or code == UINT16 else 1
