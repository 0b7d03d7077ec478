"""How fits are stopped: callback, limits and Ctrl-C keep the best point and its certificate."""

import itertools
import json
import subprocess
import sys
import time

import numpy as np
import pytest
from problems import EACH_SOLVER, objective_of, problem, sized, three_classes, unfinished
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference
from fastlogit.fitting.fit import SOLVERS
from fastlogit.solvers.trace import Limits, Point, Trace, progress_of

ROWS = sized(400, 60)
DESCENT = "gradient_descent"
# Gradient descent calls back about every 50 ms: it is kept busy by a step that is too short.
BUSY = {DESCENT: {"step_size": 1e-9, "max_iter": 10**8}}
LBFGS_ROWS = sized(20_000, 60)


def busy(solver):
    return {"solver": solver, **BUSY.get(solver, {})}


def assert_best_point(result, X, y, **options):
    """The result is no worse than the start, and its certificate holds."""
    cost = reference.cost(X, y, result.coef, result.intercept, options.get("l2_reg", 0.0))
    assert result.history[-1] == pytest.approx(cost, rel=1e-12)
    assert result.history[-1] <= result.history[0]
    assert len(result.history) == result.n_iter + 1
    lowest = reference.newton(X, y, **options)[2]
    assert (cost - lowest) / lowest <= result.suboptimality + 1e-14
    assert not result.converged


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_the_callback_sees_progress_and_can_stop(solver) -> None:
    X, y = problem(ROWS, 6)[:2]
    seen = []

    def trace(progress):
        seen.append(progress)
        return len(seen) == 2

    result = fastlogit.fit(X, y, callback=trace, **busy(solver))
    assert len(seen) == 2
    assert all(isinstance(progress, fastlogit.Progress) for progress in seen)
    assert [progress.n_iter for progress in seen] == sorted({progress.n_iter for progress in seen})
    assert all(a.seconds <= b.seconds for a, b in itertools.pairwise(seen))
    assert all(a.cost >= b.cost for a, b in itertools.pairwise(seen))
    assert result.n_iter == seen[-1].n_iter
    assert f"stopped after {result.n_iter} iterations" in result.message
    assert "by the callback" in result.message
    assert_best_point(result, X, y)


def test_a_callback_is_called_after_each_iteration() -> None:
    X, y = problem(ROWS, 6)[:2]
    for solver in SOLVERS[:-1]:
        seen = []
        result = fastlogit.fit(X, y, callback=seen.append, solver=solver)
        assert [progress.n_iter for progress in seen] == list(range(1, result.n_iter + 1))
        np.testing.assert_array_equal([progress.cost for progress in seen], result.history[1:])


def test_the_progress_of_several_models_is_their_mean() -> None:
    X, codes = three_classes(90, 4)
    seen = []
    result = fastlogit.fit(X, codes, l2_reg=0.1, callback=seen.append)
    assert [progress.cost for progress in seen] == pytest.approx(list(result.history[1:].mean(1)))


@pytest.mark.parametrize("solver", SOLVERS[:-1])
def test_only_true_stops(solver) -> None:
    X, y = problem(ROWS, 4)[:2]
    for answer in (None, 1, "yes", False):
        assert fastlogit.fit(X, y, callback=lambda _, a=answer: a, solver=solver).converged


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_an_error_in_the_callback_comes_out(solver) -> None:
    X, y = problem(ROWS, 4)[:2]

    def fail(progress):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fastlogit.fit(X, y, callback=fail, **busy(solver))


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("l2_reg", [0.0, 0.01])
def test_the_time_limit_keeps_the_best_point(solver, l2_reg) -> None:
    X, y = problem(LBFGS_ROWS if solver == "lbfgs" else ROWS, 6)[:2]
    with pytest.warns(ConvergenceWarning, match=r"time_limit=1e-09 s .* raise time_limit") as seen:
        result = fastlogit.fit(X, y, time_limit=1e-9, l2_reg=l2_reg, **busy(solver))
    assert seen[0].filename == __file__
    assert result.message == str(seen[0].message)
    assert_best_point(result, X, y, l2_reg=l2_reg)


@pytest.mark.parametrize("solver", EACH_SOLVER)
def test_a_longer_time_limit_is_kept_roughly(solver) -> None:
    X, y = problem(ROWS, 4)[:2]

    def slow(progress):
        time.sleep(0.02)

    began = time.perf_counter()
    options = busy(solver) | {"tol": 1e-300}
    result = unfinished(X, y, time_limit=0.05, callback=slow, **options)
    assert time.perf_counter() - began < 5.0
    assert "time_limit=0.05" in result.message


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("n_iter", [1, 2])
def test_the_end_of_max_iter_warns_in_the_users_file(solver, n_iter) -> None:
    X, y = problem(ROWS, 6)[:2]
    with pytest.warns(ConvergenceWarning, match=r"max_iter=\d .* raise max_iter or tol") as seen:
        result = fastlogit.fit(X, y, max_iter=n_iter, solver=solver)
    assert seen[0].filename == __file__
    assert result.message == str(seen[0].message)
    assert f"max_iter={n_iter} before it converged" in result.message
    assert result.n_iter == n_iter
    assert_best_point(result, X, y)


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("l2_reg", [0.0, 0.01])
def test_ctrl_c_keeps_the_best_point_and_a_certificate(solver, l2_reg) -> None:
    X, y = problem(ROWS, 6)[:2]

    def interrupt(progress):
        if progress.n_iter >= 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        fastlogit.fit(X, y, callback=interrupt, l2_reg=l2_reg, **busy(solver))
    result = caught.value.result
    assert result.message == str(caught.value)
    assert result.message.startswith("interrupted, stopped after")
    assert_best_point(result, X, y, l2_reg=l2_reg)


@pytest.mark.jit
@pytest.mark.parametrize("at", range(0, 12, 2))
def test_ctrl_c_in_any_pass_of_the_subsample_path(at, monkeypatch) -> None:
    """Also where the subsample is being solved, which the user does not see."""
    from fastlogit.objective.objective import Objective

    X, y = problem(20_000, 6)[:2]
    passes, evaluate = itertools.count(), Objective.evaluate

    def strike(self, *arguments):
        if next(passes) == at:
            raise KeyboardInterrupt
        return evaluate(self, *arguments)

    monkeypatch.setattr(Objective, "evaluate", strike)
    with pytest.raises(KeyboardInterrupt) as caught:
        fastlogit.fit(X, y, solver="lbfgs")
    assert np.isfinite(caught.value.result.coef).all()
    assert len(caught.value.result.history) == caught.value.result.n_iter + 1


SIGNALS = """
import json, os, signal, sys
import numpy as np
import fastlogit
from fastlogit.fitting.fit import SOLVERS

signal.signal(signal.SIGINT, signal.default_int_handler)
rng = np.random.default_rng(0)
X = rng.standard_normal((int(sys.argv[1]), 5))
y = X @ rng.standard_normal(5) + rng.logistic(size=len(X)) > 0.0
found = {}
for solver in SOLVERS:
    options = {"step_size": 1e-9, "max_iter": 10**8} if solver == "gradient_descent" else {}
    try:
        fastlogit.fit(
            X, y, solver=solver, callback=lambda _: os.kill(os.getpid(), signal.SIGINT), **options
        )
    except KeyboardInterrupt as interrupt:
        result = interrupt.result
        found[solver] = [
            str(interrupt),
            fastlogit.cost(X, y, result.coef, result.intercept) - result.history.min(),
            bool(fastlogit.fit(X, y, solver="newton").converged),
        ]
print(json.dumps(found))
"""


def test_a_signal_in_a_process_of_its_own() -> None:
    output = subprocess.run(
        [sys.executable, "-c", SIGNALS, str(sized(20_000, 60))],
        capture_output=True, text=True, timeout=300, check=True,
    ).stdout  # fmt: skip
    found = json.loads(output)
    assert list(found) == list(SOLVERS)
    for message, above_best, converged_after in found.values():
        assert message.startswith("interrupted, stopped after")
        assert abs(above_best) <= 1e-12
        assert converged_after


def test_the_watch() -> None:
    objective = objective_of(np.arange(6.0).reshape(3, 2), [0, 1, 0])

    def watch_with(**limits):
        return Trace(Limits(**({"tol": 0.1, "max_iter": 3} | limits)), began, objective)

    def point(cost):
        return Point(np.zeros((1, 3)), np.array([cost]), np.zeros((1, 3)))

    began = time.perf_counter()
    trace = watch_with()
    trace.begin(point(4.0))
    trace.begin(point(9.0))  # where one solver takes over from another
    objective.curvature(np.zeros((1, 3)))
    assert [trace.note(point(cost)) for cost in (3.0, 2.0, 1.0)] == [
        None, None, "max_iter",
    ]  # fmt: skip
    assert (trace.n_iter, np.ravel(trace.history).tolist()) == (3, [4.0, 3.0, 2.0, 1.0])
    assert trace.passes == [0.0, 1.0, 1.0, 1.0]
    assert 0.0 <= trace.times[0] <= trace.times[-1] <= time.perf_counter() - began
    trace.prove(np.array([1e-3]))
    assert np.ravel(trace.bounds).tolist() == [np.inf, np.inf, np.inf, 1e-3]
    assert trace.steps.tolist() == [0]
    assert not trace.is_late()
    assert watch_with(time_limit=1e-12).note(point(1.0)) == "time_limit"
    assert watch_with(callback=lambda _: True).note(point(1.0)) == "callback"
    assert watch_with(callback=lambda _: 1).note(point(1.0)) is None


def test_progress_has_the_coefficients_of_its_point() -> None:
    X, y, coef, intercept, _ = problem(60, 3)
    objective = objective_of(10.0 * X + 3.0, y)
    objective.standardize()
    theta = objective.join(*objective.from_user(coef[None], np.array([intercept])))
    progress = progress_of(objective, 5, Point(theta, np.array([0.5]), None), 1.5)
    assert (progress.n_iter, progress.cost, progress.seconds) == (5, 0.5, 1.5)
    np.testing.assert_allclose(progress.coef, coef, rtol=1e-13)
    assert progress.intercept == pytest.approx(intercept, abs=1e-12)
