"""Conditional likelihood of matched sets: which m of a stratum's n rows are the cases.

With u_i = exp(raw prediction) the likelihood of a stratum is the product of u over its cases, over
the sum of such products over all sets of m rows, the elementary symmetric polynomial e_m(u) (Gail,
Lubin and Rubinstein, 1981, Biometrika 68: a recursion over the rows). Of one case it is a softmax.

Of more, weights p_i = u_i t / (1 + u_i t) with t such that they sum to m make e_m(u) the
probability, times known numbers, that m of n independent events happen: all numbers of the
recursion are probabilities, none over- or underflows that matters, and what is added up has one
sign. The recursion once from each end gives the probability of each state (i rows seen, k of them
cases). The information is a sum over states: let M(i, k) be the mean sum of x over the cases among
the first i rows, if these are k. With the row i a case in this state with probability q, and
d = x_i + M(i - 1, k - 1) - M(i - 1, k), the variance of the sum over all cases is the sum over
states of P(i, k) q (1 - q) d d' (the law of total variance, row after row). It needs n m numbers
for probabilities, and n m d^2 / 2 multiply-adds at the most: states that are not met do not count.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .elementwise import _log1p_exp64 as log1p_exp
from .elementwise import _sigmoid64 as sigmoid
from .elementwise import exp_nonpositive
from .policy import entry, kernel, part
from .simd import LANES, add, load, multiply_add, splat, store, subtract

__all__ = ["sums_of_strata"]

# States of a lower probability are left out, of millions: nothing in float64.
NEVER = 1e-30
# Smaller numbers of the recursion are taken for 0: arithmetic with denormal ones is slow.
LEAST = 1e-290
# How near to m the weights sum, relative; t changes rounding errors only.
NEAR = 1e-6
MOST_HALVINGS = 100


@part
def padded(size: int) -> int:
    """Return the size with which numbers fill whole vectors."""
    return (size + LANES - 1) // LANES * LANES


@part
def predict_rows(X: Any, coef: Any, offset: Any, first: int, last: int, raw_out: Any) -> None:
    """Raw predictions of the rows of a stratum, into the beginning of `raw_out`."""
    for row in range(first, last):
        total = offset[row] if offset.size else 0.0
        for column in range(coef.size):
            total += X[row, column] * coef[column]
        raw_out[row - first] = total


@part
def add_square(vector: Any, at: int, size: int, factor: float, matrix_out: Any) -> None:
    """Add factor v v' to the lower triangle of a matrix, of v = vector[at : at + size].

    Rows of the matrix are as long as vectors of numbers fill: what is beyond is added up too.
    """
    width = padded(size)
    for row in range(size):
        times, to = splat(factor * vector[at + row]), row * width
        for place in range(0, row + 1, LANES):
            more = multiply_add(load(vector, at + place), times, load(matrix_out, to + place))
            store(matrix_out, to + place, more)


@part
def softmax_of_stratum(
    X: Any, first: int, raw: Any, n_rows: int, weight: float, mean: Any, proba_out: Any,
    information_out: Any,
) -> float:  # fmt: skip
    """Probabilities of each row to be the only one; returns the logarithm of the sum of u."""
    largest = raw[0]
    for row in range(1, n_rows):
        largest = max(largest, raw[row])
    total = 0.0
    for row in range(n_rows):
        proba_out[row] = exp_nonpositive(raw[row] - largest)
        total += proba_out[row]
    for row in range(n_rows):
        proba_out[row] /= total
    n_features = X.shape[1]
    away = padded(n_features)
    for column in range(n_features):
        mean[column] = 0.0
    for row in range(n_rows):
        for column in range(n_features):
            mean[column] += proba_out[row] * X[first + row, column]
    for row in range(n_rows):
        for column in range(n_features):
            mean[away + column] = X[first + row, column] - mean[column]
        add_square(mean, away, n_features, weight * proba_out[row], information_out)
    return largest + math.log(total)


@part
def tilt_of(raw: Any, n_rows: int, n_cases: int) -> float:
    """Return log t with sigmoid(raw + log t) of all rows summing to the cases, nearly."""
    lowest = highest = raw[0]
    for row in range(1, n_rows):
        lowest, highest = min(lowest, raw[row]), max(highest, raw[row])
    even = math.log(n_cases / (n_rows - n_cases))
    low, high = even - highest, even - lowest
    tilt = 0.5 * (low + high)
    for _ in range(MOST_HALVINGS):
        lacking, slope = -float(n_cases), 0.0
        for row in range(n_rows):
            share = sigmoid(raw[row] + tilt)
            lacking += share
            slope += share * (1.0 - share)
        if abs(lacking) <= NEAR * n_cases:
            break
        if lacking > 0.0:
            high = tilt
        else:
            low = tilt
        tilt = tilt - lacking / slope if slope > 0.0 else low
        if not (low < tilt and tilt < high):
            tilt = 0.5 * (low + high)
    return tilt


@part
def step_back(
    chance: float, rest: float, source: Any, at: int, out: Any, to: int, top: int
) -> None:
    """One row more in the recursion from the last row: probabilities of 0 to `top` cases."""
    for k in range(top, 0, -1):
        found = rest * source[at + k] + chance * source[at + k - 1]
        out[to + k] = found if found > LEAST else 0.0
    found = rest * source[at]
    out[to] = found if found > LEAST else 0.0


@part
def from_the_end(
    chances: Any, rests: Any, n_rows: int, n_cases: int, span: int, state: Any, marks_out: Any
) -> float:
    """Run the recursion from the last row, and keep what it is before each `span`-th row.

    Returns the probability that all rows have as many cases as there are.
    """
    width = n_cases + 1
    state[:width] = 0.0
    state[0] = 1.0
    for row in range(n_rows - 1, -1, -1):
        step_back(chances[row], rests[row], state, 0, state, 0, min(n_cases, n_rows - row))
        if row % span == 0:
            place = row // span * width
            marks_out[place : place + width] = state[:width]
    return float(state[n_cases])


@part
def unfold(
    chances: Any, rests: Any, shape: Any, begin: int, end: int, span: int, marks: Any, tail_out: Any
) -> None:
    """Fill in the recursion from the end for the rows from `begin` to before `end`."""
    n_rows, n_cases = shape
    width = n_cases + 1
    last = (end - begin) * width
    if end < n_rows:
        place = end // span * width
        tail_out[last : last + width] = marks[place : place + width]
    else:
        tail_out[last : last + width] = 0.0
        tail_out[last] = 1.0
    for row in range(end - 1, begin, -1):
        at = (row + 1 - begin) * width
        tail_out[at - width : at] = 0.0
        top = min(n_cases, n_rows - row)
        step_back(chances[row], rests[row], tail_out, at, tail_out, at - width, top)


@part
def add_row(
    x: Any, size: int, chance: float, rest: float, ends: Any, tail: Any, at: int, state: Any,
    means: Any, spreads_out: Any,
) -> float:  # fmt: skip
    """Take one row into the recursion from the first one; return its probability to be a case.

    `ends` are the least and the most cases so far that can still become all, and all; tail[at + j]
    is the probability of j cases after this row, over that of all cases among all rows. `means` and
    `x` are padded; the squares of changes of means are added to `spreads_out`.
    """
    bottom, top, n_cases = ends
    width = padded(size)
    work = (n_cases + 1) * width
    proba = 0.0
    for k in range(top, max(bottom, 1) - 1, -1):
        taken, left = chance * state[k - 1], rest * state[k]
        total = taken + left
        if total < LEAST:
            state[k] = 0.0
            continue
        state[k] = total
        met = total * tail[at + n_cases - k]
        if met < NEVER:
            continue
        share = taken / total
        proba += met * share
        times, here = splat(share), k * width
        for place in range(0, width, LANES):
            own = load(means, here + place)
            change = subtract(add(load(x, place), load(means, here - width + place)), own)
            store(means, work + place, change)
            store(means, here + place, multiply_add(change, times, own))
        spread = met * share * (left / total)
        if spread > 0.0:
            add_square(means, work, size, spread, spreads_out)
    state[0] = rest * state[0] if bottom == 0 else 0.0
    return proba


@kernel
def subsets_of_stratum(
    X: Any, first: int, raw: Any, n_rows: int, n_cases: int, weight: float, sign: float,
    proba_out: Any, information_out: Any,
) -> float:  # fmt: skip
    """Probabilities of each row to be among the cases; returns log e_m(u)."""
    n_features, width = X.shape[1], n_cases + 1
    tilt = tilt_of(raw, n_rows, n_cases)
    chances, rests, constant = np.empty(n_rows), np.empty(n_rows), 0.0
    for row in range(n_rows):
        chances[row], rests[row] = sigmoid(raw[row] + tilt), sigmoid(-raw[row] - tilt)
        constant += log1p_exp(raw[row] + tilt)
    span = int(math.sqrt(n_rows)) + 1
    state, marks = np.empty(width), np.empty((n_rows // span + 1) * width)
    all_cases = from_the_end(chances, rests, n_rows, n_cases, span, state, marks)
    tail = np.empty((span + 1) * width)
    means, x = np.zeros((width + 1) * padded(n_features)), np.zeros(padded(n_features))
    spreads = np.zeros(information_out.size)
    state[:] = 0.0
    state[0] = 1.0
    for begin in range(0, n_rows, span):
        end = min(begin + span, n_rows)
        unfold(chances, rests, (n_rows, n_cases), begin, end, span, marks, tail)
        for place in range(width, (end - begin + 1) * width):
            tail[place] /= all_cases
        for row in range(begin, end):
            for column in range(n_features):
                x[column] = sign * X[first + row, column]
            ends = (max(0, n_cases - (n_rows - 1 - row)), min(row + 1, n_cases), n_cases)
            proba_out[row] = add_row(
                x, n_features, chances[row], rests[row], ends, tail, (row + 1 - begin) * width,
                state, means, spreads,
            )  # fmt: skip
    for place in range(spreads.size):
        information_out[place] += weight * spreads[place]
    return math.log(all_cases) - n_cases * tilt + constant


def _sums_of_strata(
    X: Any, is_case: Any, offset: Any, starts: Any, weights: Any, coef: Any, scores_out: Any,
    information_out: Any,
) -> float:  # fmt: skip
    n_features, total = coef.size, 0.0
    longest = 0
    for stratum in range(weights.size):
        longest = max(longest, starts[stratum + 1] - starts[stratum])
    raw, proba, mean = np.empty(longest), np.empty(longest), np.zeros(2 * padded(n_features))
    for stratum in range(weights.size):
        first, last = starts[stratum], starts[stratum + 1]
        n_rows, n_cases, weight = last - first, 0, weights[stratum]
        for row in range(first, last):
            n_cases += is_case[row]
        predict_rows(X, coef, offset, first, last, raw)
        # The fewer are chosen: controls are the cases of the opposite sign.
        sign, chosen = 1.0, 1
        if 2 * n_cases > n_rows:
            sign, chosen, n_cases = -1.0, 0, n_rows - n_cases
        found = 0.0
        for row in range(n_rows):
            raw[row] *= sign
            if is_case[first + row] == chosen:
                found += raw[row]
        if n_cases == 1:
            found -= softmax_of_stratum(X, first, raw, n_rows, weight, mean, proba, information_out)
        else:
            found -= subsets_of_stratum(
                X, first, raw, n_rows, n_cases, weight, sign, proba, information_out
            )
        total += weight * found
        for column in range(n_features):
            scores_out[stratum, column] = 0.0
        for row in range(n_rows):
            residual = sign * ((is_case[first + row] == chosen) - proba[row])
            for column in range(n_features):
                scores_out[stratum, column] += residual * X[first + row, column]
    return total


# sums_of_strata(X, is_case, offset, starts, weights, coef, scores_out, information_out) -> weighted
# log-likelihood. Rows X (n_rows, n_features), float64, in the order of their strata; is_case uint8;
# offset (n_rows,) or empty; starts (n_strata + 1,) int64; each stratum has cases and controls. The
# slope of each stratum's log-likelihood, without its weight, goes to scores_out (n_strata,
# n_features); the weighted information is added to the lower triangle of information_out: flat,
# n_features rows padded to whole vectors, of which what is above the diagonal means nothing.
sums_of_strata = entry(_sums_of_strata)
