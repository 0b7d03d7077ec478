"""What a call costs besides its arithmetic, layer by layer: `python -m benchmarks.overhead`.

Small problems, whose compiled part takes a microsecond or two: cost and gradient of 100 x 5, and
the probability of one row of 30. Calls take turns, so that a busy machine slows all of them alike;
the least of many is shown. Each answer is checked before its time counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from sklearn.linear_model import LogisticRegression as Theirs

import fastlogit
from fastlogit import compiled

Call = Callable[[], Any]

ROUNDS, CALLS = 30, 200
# A call from a loop of compiled code is measured by so many in one call.
COMPILED, REPEATS = "`compiled.cost_gradient`, from compiled code", 100


def numpy_cost_gradient(X: Any, y: Any, theta: Any, l2_reg: float) -> tuple[float, Any]:
    """The textbook's lines."""
    z = X @ theta[:-1] + theta[-1]
    residual = 1.0 / (1.0 + np.exp(-z)) - y
    cost = np.mean(np.logaddexp(0.0, z) - y * z) + 0.5 * l2_reg * theta[:-1] @ theta[:-1]
    gradient = np.append(X.T @ residual / len(y) + l2_reg * theta[:-1], residual.mean())
    return float(cost), gradient


def costs() -> dict[str, tuple[Call, Call]]:
    """Cost and gradient of 100 x 5: the call, and its answer as one vector."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100, 5))
    y = (X[:, 0] + rng.logistic(size=100) > 0.0).astype(np.int64)
    theta, l2_reg = 0.3 * rng.standard_normal(6), 0.01
    coef, intercept = theta[:5].copy(), float(theta[5])
    problem = fastlogit.Problem(X, y, l2_reg=l2_reg)
    none, strengths = np.empty(0), np.full(5, l2_reg)
    work, gradient = np.empty(200), np.empty(6)

    @numba.njit
    def loop(cost_gradient: Any, l2_reg: Any, work: Any, gradient: Any) -> float:
        cost = 0.0
        for _ in range(REPEATS):
            cost = cost_gradient(X, y, 1, none, none, l2_reg, coef, intercept, work, gradient)
        return cost

    def from_compiled() -> float:
        return compiled.cost_gradient(
            X, y, 1, none, none, strengths, coef, intercept, work, gradient
        )  # type: ignore[no-any-return]  # a float

    calls: dict[str, Call] = {
        "NumPy": lambda: numpy_cost_gradient(X, y, theta, l2_reg),
        "`cost_gradient(X, y, coef, intercept)`": lambda: fastlogit.cost_gradient(
            X, y, coef, intercept, l2_reg=l2_reg
        ),
        "`Problem.cost_gradient(theta)`": lambda: problem.cost_gradient(theta),
        "`compiled.cost_gradient`, from Python": from_compiled,
        COMPILED: lambda: loop(compiled.cost_gradient, strengths, work, gradient),
    }
    answers = dict.fromkeys(calls, lambda found: np.hstack(found))
    for name in ("`compiled.cost_gradient`, from Python", COMPILED):
        answers[name] = lambda cost: np.append(cost, gradient)
    return {name: (call, lambda n=name, c=call: answers[n](c())) for name, call in calls.items()}


def probabilities() -> dict[str, tuple[Call, Call]]:
    """The probability of one row of 30: the call, and its answer as one vector."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((600, 30))
    y = (X[:, 0] + rng.logistic(size=600) > 0.0).astype(np.int64)
    model = fastlogit.LogisticRegression().fit(X, y)
    theirs = Theirs(max_iter=1000).fit(X, y)
    theirs.coef_, theirs.intercept_ = model.coef_, model.intercept_
    result = model.result_
    predictor, rows = result.predictor(), X[:1].copy()
    row, listed, coef, level = rows[0], rows[0].tolist(), result.coef, result.intercept
    calls: dict[str, Call] = {
        "NumPy": lambda: 1.0 / (1.0 + np.exp(-(rows @ coef + level))),
        "scikit-learn's `predict_proba(rows)`": lambda: theirs.predict_proba(rows)[:, 1],
        "`LogisticRegression.predict_proba(rows)`": lambda: model.predict_proba(rows)[:, 1],
        "`result.predict_proba(rows)`": lambda: result.predict_proba(rows)[:, 1],
        "`result.predictor()`, an array": lambda: predictor(row),
        "`result.predictor()`, a list": lambda: predictor(listed),
    }
    return {name: (call, lambda c=call: np.atleast_1d(c())) for name, call in calls.items()}


def microseconds(calls: dict[str, tuple[Call, Call]], rounds: int = ROUNDS) -> dict[str, float]:
    """Check all answers against the first, then return the least time of each call."""
    wanted = next(iter(calls.values()))[1]()
    for name, (_, answer) in calls.items():
        np.testing.assert_allclose(answer(), wanted, rtol=1e-9, atol=1e-12, err_msg=name)
    least = dict.fromkeys(calls, np.inf)
    for _ in range(rounds):
        for name, (call, _) in calls.items():
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            least[name] = min(least[name], 1e6 * (time.perf_counter() - began) / CALLS)
    return {name: us / (REPEATS if name == COMPILED else 1) for name, us in least.items()}


def table(rounds: int = ROUNDS) -> str:
    """Return all times as a table in Markdown."""
    lines = ["| call | us |", "| --- | --- |"]
    for title, calls in (
        ("cost and gradient, 100 x 5", costs()), ("probability of one row of 30", probabilities()),
    ):  # fmt: skip
        found = microseconds(calls, rounds)
        lines += [f"| {title}: {name} | {value:.1f} |" for name, value in found.items()]
    return "\n".join(lines)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="turns of each call")
    print(table(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
