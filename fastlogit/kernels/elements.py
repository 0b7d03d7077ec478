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

__all__ = ["Elements", "Lines", "elements_of", "item_bytes", "read_lines"]

# Codes of number types; 16 more where the bytes are in the other order.
FLOAT64, FLOAT32, INT64, INT32, INT8, UINT8, INT16, UINT16, UINT32, UINT64 = range(10)
SWAPPED = 16
_CODES = {
    "f8": FLOAT64, "f4": FLOAT32, "i8": INT64, "i4": INT32, "i1": INT8, "u1": UINT8, "b1": UINT8,
    "i2": INT16, "u2": UINT16, "u4": UINT32, "u8": UINT64,
}  # fmt: skip


class Elements(NamedTuple):
    """Where the numbers of a matrix lie, and what they are.

    `X` are the bytes of the first one, read-only; `stride` and `column_stride` the bytes from one
    row or column to the next; `kind` is a code of this module.
    """

    X: Any
    stride: int
    column_stride: int
    kind: int


class Lines(NamedTuple):
    """Rows or columns of a matrix: `n_lines` of `n_numbers` each.

    The first begins `at` bytes on, each other `to_line` bytes after the one before; `step` bytes
    lie between the numbers of a line.
    """

    at: int
    to_line: int
    n_lines: int
    step: int
    n_numbers: int


def elements_of(X: Any) -> Elements:
    """Return where the numbers of a two-dimensional array lie; it is to outlive the answer."""
    first = X[:1, :1].reshape(-1).view(np.uint8, np.ndarray)
    first.flags.writeable = False
    kind = _CODES[X.dtype.str[1:]] + (0 if X.dtype.isnative else SWAPPED)
    to_row, to_column = X.strides
    return Elements(first, to_row, to_column, kind)


def _reader(name: str) -> Any:
    """Return the function of bytes, a place, k and a step that reads the k-th number from there."""
    dtype = np.dtype(name)

    def plain(first: Any, place: int, k: int, step: int) -> Any:
        # A stride of any sign leads to the place from the first byte.
        lines = np.lib.stride_tricks.as_strided(first, (2, dtype.itemsize), (place + k * step, 1))
        return lines[1].view(dtype)[0]

    def typed(typing_context: Any, first: Any, place: Any, k: Any, step: Any) -> Any:
        kind = from_dtype(dtype)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
            # Of numba's own sums and products LLVM is told that they do not overflow. Then it makes
            # a loop of vectors for steps of one byte, and none for other steps.
            _, place, k, step = arguments
            pointer = builder.gep(data, [builder.add(place, builder.mul(k, step))])
            native = context.get_value_type(kind)
            return builder.load(builder.bitcast(pointer, ir.PointerType(native)), align=1)

        return kind(first, types.intp, types.intp, types.intp), generate

    typed.__name__ = typed.__qualname__ = f"read_{name}"
    return plain if config.DISABLE_JIT else intrinsic(typed)


_float64, _float32 = _reader("f8"), _reader("f4")
_int64, _int32, _int16, _int8 = (_reader(f"i{size}") for size in (8, 4, 2, 1))
_uint64, _uint32, _uint16, _uint8 = (_reader(f"u{size}") for size in (8, 4, 2, 1))


def _reader_of_lines(read: Any, size: int) -> Callable[..., Any]:
    @part
    def read_numbers(
        first: Any, lines: Lines, middles: Any, centred: bool, out: Any, to: int, width: int
    ) -> None:
        at, to_line, n_lines, step, count = lines
        for line in range(n_lines):
            # Numbers without sign need no check for an index from the end.
            place, start = at + line * to_line, np.uint64(to + line * width)
            middle = middles[line] if centred else 0.0
            if step == size:
                for k in range(count):
                    out[start + np.uint64(k)] = read(first, place, k, size) - middle
            else:
                for k in range(count):
                    out[start + np.uint64(k)] = read(first, place, k, step) - middle

    return read_numbers


_float64_lines, _float32_lines = _reader_of_lines(_float64, 8), _reader_of_lines(_float32, 4)
_int64_lines, _int32_lines = _reader_of_lines(_int64, 8), _reader_of_lines(_int32, 4)
_int8_lines, _uint8_lines = _reader_of_lines(_int8, 1), _reader_of_lines(_uint8, 1)


@part
def read_rare(first: Any, kind: int, place: int, k: int, step: int) -> float:
    """Read a number of a type that few have."""
    if kind == INT16:
        return float(_int16(first, place, k, step))
    if kind == UINT16:
        return float(_uint16(first, place, k, step))
    if kind == UINT32:
        return float(_uint32(first, place, k, step))
    if kind == UINT64:
        return float(_uint64(first, place, k, step))
    if kind == SWAPPED + FLOAT64:
        return float(byteswap(_float64(first, place, k, step)))
    if kind == SWAPPED + FLOAT32:
        return float(byteswap(_float32(first, place, k, step)))
    if kind == SWAPPED + INT64:
        return float(byteswap(_int64(first, place, k, step)))
    if kind == SWAPPED + INT32:
        return float(byteswap(_int32(first, place, k, step)))
    if kind == SWAPPED + INT16:
        return float(byteswap(_int16(first, place, k, step)))
    if kind == SWAPPED + UINT16:
        return float(byteswap(_uint16(first, place, k, step)))
    if kind == SWAPPED + UINT32:
        return float(byteswap(_uint32(first, place, k, step)))
    return float(byteswap(_uint64(first, place, k, step)))


@part
def read_lines(
    rows: Any, lines: Lines, middles: Any, centred: bool, out: Any, to: int, width: int
) -> None:
    """Write lines of numbers to `out[to:]`, each `width` places after the one before.

    `rows` has the fields of `Elements`. Where they are to be `centred`, each line is less its own
    of `middles`.
    """
    first, kind = rows.X, rows.kind
    if kind == FLOAT64:
        _float64_lines(first, lines, middles, centred, out, to, width)
    elif kind == FLOAT32:
        _float32_lines(first, lines, middles, centred, out, to, width)
    elif kind == INT64:
        _int64_lines(first, lines, middles, centred, out, to, width)
    elif kind == INT32:
        _int32_lines(first, lines, middles, centred, out, to, width)
    elif kind == INT8:
        _int8_lines(first, lines, middles, centred, out, to, width)
    elif kind == UINT8:
        _uint8_lines(first, lines, middles, centred, out, to, width)
    else:
        at, to_line, n_lines, step, count = lines
        for line in range(n_lines):
            place, start = at + line * to_line, to + line * width
            middle = middles[line] if centred else 0.0
            for k in range(count):
                out[np.uint64(start + k)] = read_rare(first, kind, place, k, step) - middle


@part
def item_bytes(kind: int) -> int:
    """Return how many bytes a number takes."""
    code = kind % SWAPPED
    if code in (FLOAT64, INT64, UINT64):
        return 8
    if code in (FLOAT32, INT32, UINT32):
        return 4
    return 2 if code in (INT16, UINT16) else 1
