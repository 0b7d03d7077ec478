"""Functions that stay calls."""

import numba
import pytest

from fastlogit.kernels.inlining import keep_apart
from fastlogit.kernels.policy import part


@part
def apart(a: float, b: float) -> float:
    keep_apart()
    return a * b


@pytest.mark.jit
def test_a_function_that_is_kept_apart_stays_a_call() -> None:
    @numba.njit
    def twice(a: float) -> float:
        return apart(a, a) + apart(a, 2.0)

    assert twice(3.0) == 15.0
    (code,) = twice.inspect_llvm().values()
    (made,) = apart.overloads.values()
    calls = [line for line in code.splitlines() if made.fndesc.mangled_name in line]
    assert sum(" call " in line for line in calls) >= 2


def test_plain_python_goes_on() -> None:
    if numba.config.DISABLE_JIT:
        assert apart(3.0, 2.0) == 6.0
