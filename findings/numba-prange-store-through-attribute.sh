#!/usr/bin/env bash
# numba 0.68.1, llvmlite 0.50, Python 3.11.
#
# A NamedTuple holds an array, and a function compiled with parallel=True stores into it by the
# field's name straight in the body of a loop of `prange`: `state.total[i] = ...`. It compiles, it
# runs, nothing is said - and the array is what it was before. The stores are gone, also with +=,
# with slices, through a name given inside the loop (`total = state.total`), and for a tuple that
# the function makes itself. Without parallel=True, or in a loop of `range`, the same function stores.
#
# One would have guessed that a field by name and a field by number are the same array: `state[0][i]`
# stores. So does the field when it gets a name before the loop, or is handed to another compiled
# function inside of it.
#
# Way out: give arrays of tuples names of their own before the loop.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet numba==0.68.1 numpy==2.4.*
cat >"$folder/stores.py" <<'PY'
from typing import NamedTuple

import numpy as np
from numba import njit, prange


class State(NamedTuple):
    total: np.ndarray


@njit
def put(state, i):
    state.total[i] = i + 1.0


def by_name(state, n):
    for i in prange(n):
        state.total[i] = i + 1.0


def added_by_name(state, n):
    for i in prange(n):
        state.total[i] += i + 1.0


def named_inside(state, n):
    for i in prange(n):
        total = state.total
        total[i] = i + 1.0


def made_here(state, n):
    own = State(state.total)
    for i in prange(n):
        own.total[i] = i + 1.0


def by_number(state, n):
    for i in prange(n):
        state[0][i] = i + 1.0


def named_before(state, n):
    total = state.total
    for i in prange(n):
        total[i] = i + 1.0


def by_a_callee(state, n):
    for i in prange(n):
        put(state, i)


LOST = (by_name, added_by_name, named_inside, made_here)
KEPT = (by_number, named_before, by_a_callee)
stored = [1.0, 2.0, 3.0]
for function in LOST + KEPT:
    for parallel in (False, True):
        state = State(np.zeros(3))
        njit(parallel=parallel)(function)(state, 3)
        print(function.__name__, parallel, state.total.tolist())
        wanted = [0.0] * 3 if parallel and function in LOST else stored
        assert state.total.tolist() == wanted, (function.__name__, parallel)
PY
"$folder/venv/bin/python" "$folder/stores.py"
# Seen:
#   by_name False [1.0, 2.0, 3.0]
#   by_name True [0.0, 0.0, 0.0]
#   added_by_name True [0.0, 0.0, 0.0]
#   named_inside True [0.0, 0.0, 0.0]
#   made_here True [0.0, 0.0, 0.0]
#   by_number True [1.0, 2.0, 3.0]
#   named_before True [1.0, 2.0, 3.0]
#   by_a_callee True [1.0, 2.0, 3.0]
