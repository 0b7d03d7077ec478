"""Kernels lowered in short ways do what plain Python does."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numba
import numpy as np
import pytest

from fastlogit import threads
from fastlogit.kernels import policy

pytestmark = pytest.mark.skipif(
    bool(policy.numba_setting("DISABLE_JIT")) or policy.LEAN is None, reason="compiled code"
)


def loops(start: int, stop: int, step: int, out: Any) -> int:
    """Note all numbers of several loops, one after the other; the last number of one is kept."""
    place, last = 0, -99
    for k in range(stop):
        out[place] = k
        place += 1
    for k in range(start, stop):
        last = k
        out[place] = k
        place += 1
    for k in range(start, stop, 3):
        if k == 4:
            break
        out[place] = k
        place += 1
        for inner in range(k, k + 16, 8):
            out[place] = inner
            place += 1
    for k in range(stop, start, -2):
        out[place] = k
        place += 1
    for k in range(start, stop, step):
        out[place] = k
        place += 1
    return 1000 * place + last


def unsigned(stop: Any, out: Any) -> int:
    place = 0
    for k in range(np.uint64(stop)):
        out[k] = 2.0
        place += 1
    return place


def items(x: Any, table: Any, marks: Any, out: Any) -> float:
    """Read and write items from both ends, of tables of any layout and arrays of other types."""
    total = x[-1] + 10.0 * x[0] + table[-1, 0] + 100.0 * table[0, -2]
    for i in range(table.shape[0]):
        for j in range(table.shape[1]):
            total += (i + 1) * (j + 2) * table[i, np.uint64(j)]
    out[-1] = 7
    out[1] = x[2]
    marks[0] = not marks[1]
    marks[-1] = marks[0]
    out[0] += 2.5
    return total


def compiled(func: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function as a part, and what calls it from Python."""
    inner = policy.part(func)
    if func is loops:
        return policy.entry(lambda a, b, c, out: inner(a, b, c, out)).serial
    if func is unsigned:
        return policy.entry(lambda stop, out: inner(stop, out)).serial
    return policy.entry(lambda x, table, marks, out: inner(x, table, marks, out)).serial


def test_loops_meet_the_numbers_that_python_meets() -> None:
    fast = compiled(loops)
    bounds = [(0, 0, 1), (-2, 9, 4), (1, 8, -1), (9, 3, -2), (9, 3, 2), (-5, 0, 7), (3, 4, 1)]
    for start, stop, step in bounds:
        slow_out, fast_out = np.full(200, -7), np.full(200, -7)
        assert fast(start, stop, step, fast_out) == loops(start, stop, step, slow_out)
        np.testing.assert_array_equal(fast_out, slow_out)
    with pytest.raises(ValueError, match="must not be zero"):
        fast(0, 5, 0, np.zeros(99, dtype=np.int64))


def test_loops_over_numbers_without_sign() -> None:
    out = np.zeros(5)
    assert compiled(unsigned)(3, out) == 3
    np.testing.assert_array_equal(out, [2.0, 2.0, 2.0, 0.0, 0.0])


@pytest.mark.parametrize("layout", "CFA")
def test_items_are_those_of_python(layout: str) -> None:
    table = np.random.default_rng(0).standard_normal((4, 6))
    table = {"C": table, "F": np.asfortranarray(table), "A": table[::2, ::-1]}[layout]
    found = []
    for function in (items, compiled(items)):
        x, marks, out = np.arange(1.0, 6.0), np.array([True, False, False]), np.zeros(4, "float32")
        value = function(x, table, marks, out)
        found.append((value, marks.tolist(), out.tolist()))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-14)
    assert found[1][1:] == found[0][1:] == ([True, False, True], [2.5, 3.0, 0.0, 7.0])


def test_constants_compile_no_second_copy() -> None:
    double = policy.part(lambda a, b: a + 2 * b)

    @numba.njit
    def users_own(value: int) -> int:
        return double(value, 1) + double(1, value) + double(3, 4)

    assert users_own(5) == 7 + 11 + 11
    assert len(double.dispatcher.overloads) == 1


def test_parallel_loops_are_parts_of_their_function() -> None:
    @policy.kernel
    def squares(first: int, x: Any) -> float:
        room = np.empty(3)
        for k in range(3):
            room[k] = x[first + k] * x[first + k]
        return room[0] + room[1] + room[2]

    def sums(x: Any, out: Any) -> None:
        for k in numba.prange(out.shape[0]):
            out[k] = squares(3 * k, x)
        for k in numba.prange(out.shape[0]):
            out[k] += 1.0

    x, out = np.arange(30.0), np.empty(10)
    twins = policy.entry(sums)
    with threads.team(2, 1e9):
        twins.parallel(x, out)
    np.testing.assert_array_equal(out, 1.0 + (x * x).reshape(10, 3).sum(axis=1))


def test_bounds_checks_go_numbas_way() -> None:
    from fastlogit.kernels.lean_lowering import lean_context

    context = SimpleNamespace(enable_boundscheck=True)
    assert lean_context(context) is context
