#!/usr/bin/env bash
# numba 0.68.1, llvmlite 0.50, Python 3.11 to 3.13.
#
# A NamedTuple that another compiled function returns can be used in a loop of `range`, and in one of
# `prange` while the function is compiled without parallel=True. With parallel=True the very same
# function does not compile: "NameError: name 'Shape' is not defined", although Shape is a class of
# the module and nobody looks it up by name.
#
# One would have guessed that a tuple is a tuple: one that is an argument, or that the function makes
# itself, passes. Only where the parallel function itself never mentions the class does the code that
# is generated for the loop spell it out by name, in a namespace that lacks it.
#
# Way out: make the tuple in the parallel function, or take it as an argument.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet numba==0.68.1 numpy==2.4.*
cat >"$folder/loops.py" <<'PY'
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numba.core.errors import TypingError


class Shape(NamedTuple):
    rows: int
    columns: int


@njit
def shape_of(rows, columns):
    return Shape(rows, columns)


def of_a_callee(out):
    shape = shape_of(3, 4)
    for i in prange(out.size):
        out[i] = shape.rows * shape.columns


def of_its_own(out):
    shape = Shape(3, 4)
    for i in prange(out.size):
        out[i] = shape.rows * shape.columns


def of_an_argument(out, shape):
    for i in prange(out.size):
        out[i] = shape.rows * shape.columns


def outcome(function, parallel):
    given = (np.zeros(3), Shape(3, 4))[: function.__code__.co_argcount]
    try:
        njit(parallel=parallel)(function)(*given)
    except TypingError as error:
        return next(line for line in str(error).splitlines() if "NameError" in line)
    return given[0].tolist()


found = {
    (function.__name__, parallel): outcome(function, parallel)
    for function in (of_a_callee, of_its_own, of_an_argument)
    for parallel in (False, True)
}
for what, answer in found.items():
    print(*what, answer)
twelve = [12.0] * 3
assert found.pop(("of_a_callee", True)) == "NameError: name 'Shape' is not defined"
assert all(answer == twelve for answer in found.values())
PY
"$folder/venv/bin/python" "$folder/loops.py"
# Seen:
#   of_a_callee False [12.0, 12.0, 12.0]
#   of_a_callee True NameError: name 'Shape' is not defined
#   of_its_own False [12.0, 12.0, 12.0]
#   of_its_own True [12.0, 12.0, 12.0]
#   of_an_argument False [12.0, 12.0, 12.0]
#   of_an_argument True [12.0, 12.0, 12.0]
