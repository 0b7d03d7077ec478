"""Arithmetic of numbers, and of vectors and columns by where they begin in the work array."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..inlining import keep_apart
from ..policy import part
from ..simd import LANES, load, multiply_add, splat, store, total

# Clears the last 27 bits of a float64.
UPPER_BITS = np.int64(-(2**27))


@part
def smaller(a: Any, b: Any) -> Any:
    """The smaller of two numbers."""
    # Built-in min and max take a tenth of a second to compile for each type.
    return a if a < b else b


@part
def larger(a: Any, b: Any) -> Any:
    """The larger of two numbers."""
    return a if a > b else b


@part
def dot(work: Any, a: int, b: int, count: int) -> float:
    """Product of two vectors of `count` numbers, whole vectors."""
    partial = splat(0.0)
    for k in range(0, count, LANES):
        partial = multiply_add(load(work, a + k), load(work, b + k), partial)
    return total(partial)


@part
def largest(work: Any, a: int, size: int) -> float:
    """Largest absolute value; NaN where there is one."""
    found = 0.0
    for k in range(size):
        value = abs(work[a + k])
        if not value <= found:
            found = value
    return found


@part
def absolute_sum(work: Any, a: int, size: int) -> float:
    """Sum of absolute values."""
    found = 0.0
    for k in range(size):
        found += abs(work[a + k])
    return found


@part
def step_to(work: Any, start: int, step: float, direction: int, to: int, count: int) -> None:
    """Put ``start + step * direction`` into `count` numbers, whole vectors, from `to` on."""
    factor = splat(step)
    for k in range(0, count, LANES):
        moved = multiply_add(load(work, direction + k), factor, load(work, start + k))
        store(work, to + k, moved)


@part
def clear(work: Any, begin: int, end: int) -> None:
    """Put 0 everywhere from `begin` to `end`."""
    for k in range(begin, end):
        work[k] = 0.0


@part
def upper_half(value: float) -> float:
    """A number of 26 bits that leaves 27 of `value`."""
    return np.int64(np.float64(value).view(np.int64) & UPPER_BITS).view(np.float64)


@part
def level_less_products(
    level: float, sign: float, work: Any, slopes: int, center: int, count: int
) -> float:
    """``level - sign * (slopes @ center)``, rounded about once: with the errors of all sums."""
    keep_apart()
    high, low = level, 0.0
    for k in range(count):
        slope, middle = -sign * work[slopes + k], work[center + k]
        for part_of_product in range(4):
            # Products of halves are exact, so that it does not matter if LLVM merges them into
            # the sums, as it does also where it may not.
            a, b = upper_half(slope), upper_half(middle)
            a = a if part_of_product < 2 else slope - a
            b = b if part_of_product % 2 == 0 else middle - b
            product = a * b
            both = high + product
            back = both - high
            low += (high - (both - back)) + (product - back)
            high = both
    # Where a product overflows its error is no number.
    return high + low if low == low else high
