"""Gradient descent: its path, how it ends, and what is kept when it is stopped."""

import itertools
import json
import re
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
from problems import problem, sized, three_classes
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import reference

MOMENTA = ["none", "nesterov"]


def unfinished(X, y, **options):
    """Fit where the end of max_iter or time_limit is meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return fastlogit.gradient_descent(X, y, **options)


def slope_at(result, X, y, l2_reg=0.0, weight=None):
    _, gradient, last = reference.cost_gradient(X, y, result.coef, result.intercept, l2_reg, weight)
    return max(np.abs(gradient).max(), abs(last))


# ------------------------------------------------------------------------------------------------
# The path


@pytest.mark.parametrize("n_features", [1, 5, 12])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_a_number_is_the_alpha_of_the_textbook(n_features, momentum) -> None:
    X, y, _, _, weight = problem(80, n_features)
    for n_iter in (1, 2, 3, 30):
        result = unfinished(
            X, y, step_size=0.2, momentum=momentum, max_iter=n_iter, tol=0.0, standardize=False,
            l2_reg=0.1, sample_weight=weight,
        )  # fmt: skip
        coef, intercept, history = reference.gradient_descent(
            X, y, 0.2, n_iter, momentum, 0.1, weight
        )
        assert result.n_iter == n_iter
        np.testing.assert_allclose(result.coef, coef, rtol=1e-11, atol=1e-14)
        assert result.intercept == pytest.approx(intercept, rel=1e-11)
        np.testing.assert_allclose(result.history, history, rtol=1e-13)


def test_standardised_the_path_is_that_of_the_scaled_columns() -> None:
    X, y = problem(80, 5)[:2]
    X = X * [1.0, 10.0, 100.0, 0.1, 1.0] + 3.0
    result = unfinished(X, y, step_size=0.5, max_iter=20, tol=0.0)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    coef, intercept, history = reference.gradient_descent(scaled, y, 0.5, 20)
    np.testing.assert_allclose(result.history, history, rtol=1e-12)
    np.testing.assert_allclose(result.coef, coef / X.std(axis=0), rtol=1e-11)
    assert result.intercept == pytest.approx(intercept - X.mean(axis=0) @ result.coef, rel=1e-11)


def test_one_vs_all_path_is_that_of_the_oracle() -> None:
    X, codes = three_classes(90, 4)
    result = unfinished(
        X, codes, step_size=0.2, max_iter=15, tol=0.0, standardize=False, l2_reg=0.1
    )
    coef, intercept, history = reference.one_vs_all(X, codes, 3, 0.2, 15, 0.1)
    np.testing.assert_allclose(result.coef, coef, rtol=1e-11, atol=1e-14)
    np.testing.assert_allclose(result.intercept, intercept, rtol=1e-11)
    np.testing.assert_allclose(result.history, history, rtol=1e-13)


def test_the_cost_of_plain_descent_never_grows() -> None:
    X, y = problem(80, 5)[:2]
    history = fastlogit.gradient_descent(X, y).history
    assert (np.diff(history) <= 1e-13 * history[:-1]).all()


# ------------------------------------------------------------------------------------------------
# The end


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("momentum", MOMENTA)
def test_it_ends_at_the_optimum(momentum, standardize) -> None:
    X, y, _, _, weight = problem(200, 6)
    result = fastlogit.gradient_descent(
        X, y, momentum=momentum, standardize=standardize, tol=1e-10, l2_reg=0.05,
        sample_weight=weight,
    )  # fmt: skip
    assert result.converged
    assert result.message.startswith("converged")
    assert "tol=1e-10" in result.message
    slope = slope_at(result, X, y, 0.05, weight)
    assert slope < 1e-9
    assert result.gradient_norm == pytest.approx(slope, abs=1e-14)
    assert result.history[-1] == pytest.approx(
        reference.cost(X, y, result.coef, result.intercept, 0.05, weight), rel=1e-13
    )
    assert len(result.history) == result.n_iter + 1


@pytest.mark.parametrize("momentum", MOMENTA)
def test_without_tolerance_it_ends_where_literally_nothing_moves(momentum) -> None:
    X, y = problem(80, 3)[:2]
    result = fastlogit.gradient_descent(
        X, y, momentum=momentum, tol=0.0, standardize=False, step_size=1.0
    )
    assert result.converged
    again = fastlogit.gradient_descent(
        X, y, tol=0.0, standardize=False, step_size=1.0, start=result
    )
    assert again.n_iter == 1
    assert again.coef.tobytes() == result.coef.tobytes()
    assert again.intercept == result.intercept
    assert slope_at(result, X, y) < 1e-15


def test_many_models_come_to_rest_together() -> None:
    # Their momenta restart at different steps.
    rng = np.random.default_rng(0)
    codes = np.arange(sized(300, 60)) % 8
    X = rng.standard_normal((8, 5))[codes] + rng.standard_normal((codes.size, 5))
    result = fastlogit.gradient_descent(X, codes, momentum="nesterov", l2_reg=0.05, max_iter=2000)
    assert result.converged
    assert result.n_iter < 300


def test_the_end_of_max_iter_warns_in_the_users_file() -> None:
    X, y = problem(80, 5)[:2]
    with pytest.warns(ConvergenceWarning, match=r"max_iter=3 .* raise max_iter or tol") as record:
        result = fastlogit.gradient_descent(X, y, max_iter=3)
    assert record[0].filename == __file__
    assert not result.converged
    assert result.n_iter == 3
    assert result.message == str(record[0].message)
    for momentum, advised in (("none", True), ("nesterov", False)):
        with pytest.warns(ConvergenceWarning) as record:
            fastlogit.gradient_descent(X, y, max_iter=3, momentum=momentum)
        assert ("momentum='nesterov'" in str(record[0].message)) == advised


def test_the_end_of_the_time_limit_warns_in_the_users_file() -> None:
    X, y = problem(20, 1)[:2]
    began = time.perf_counter()
    with pytest.warns(ConvergenceWarning, match=r"time_limit=0\.2 s .* raise time_limit") as record:
        result = fastlogit.gradient_descent(
            X, y, tol=0.0, step_size=1e-9, max_iter=10**9, time_limit=0.2
        )
    assert 0.15 < time.perf_counter() - began < sized(1, 10)
    assert record[0].filename == __file__
    assert not result.converged
    assert result.history[-1] <= result.history.min()


def test_separable_classes_are_said_to_be_so_at_the_end() -> None:
    X, y = endless()
    with pytest.warns(fastlogit.SeparationWarning, match="column 0 alone does") as record:
        result = fastlogit.gradient_descent(X, y, tol=0.0, max_iter=300)
    assert record[0].filename == __file__
    assert not result.converged
    assert result.history[-1] == result.history.min()


def test_a_fit_from_the_best_point_takes_fewer_steps() -> None:
    X, y = problem(200, 6)[:2]
    cold = fastlogit.gradient_descent(X, y, tol=1e-8)
    for start in (cold, (cold.coef, cold.intercept), (list(cold.coef), cold.intercept)):
        warm = fastlogit.gradient_descent(X, y, tol=1e-8, start=start)
        assert warm.n_iter <= 2 < cold.n_iter
        np.testing.assert_allclose(warm.coef, cold.coef, rtol=1e-6)
    somewhere = fastlogit.gradient_descent(X, y, tol=1e-8, start=(cold.coef + 0.01, 0.0))
    np.testing.assert_allclose(somewhere.coef, cold.coef, rtol=1e-5)


def test_a_start_for_several_classes() -> None:
    X, codes = three_classes(90, 4)
    cold = fastlogit.gradient_descent(X, codes, tol=1e-8, l2_reg=0.1)
    warm = fastlogit.gradient_descent(X, codes, tol=1e-8, l2_reg=0.1, start=cold)
    assert warm.n_iter <= 2 < cold.n_iter


def test_a_start_on_a_column_that_does_not_vary_goes_to_the_intercept() -> None:
    X, y = problem(80, 3)[:2]
    X[:, 1] = 2.0
    result = fastlogit.gradient_descent(X, y, start=([0.0, 5.0, 0.0], 1.0), tol=1e-9)
    cold = fastlogit.gradient_descent(X, y, tol=1e-9)
    np.testing.assert_allclose(result.coef, cold.coef, atol=1e-6)
    assert result.coef[1] == 0.0
    assert result.intercept == pytest.approx(cold.intercept, abs=1e-6)


# ------------------------------------------------------------------------------------------------
# Divergence


@pytest.mark.jit
@pytest.mark.parametrize("momentum", MOMENTA)
@pytest.mark.parametrize("standardize", [True, False])
def test_divergence_names_a_step_size_that_works(momentum, standardize) -> None:
    X, y = problem(sized(120, 40), 5)[:2]
    X = X * sized(20, 5) + 5.0
    options = {"momentum": momentum, "standardize": standardize, "l2_reg": 0.5, "max_iter": 200_000}
    with pytest.raises(
        fastlogit.DivergenceError, match=r"the cost grew at iteration \d+"
    ) as caught:
        fastlogit.gradient_descent(X, y, step_size=1e4, **options)
    assert "step_size=10000" in str(caught.value)
    best = caught.value.result
    assert not best.converged
    assert best.history[-1] == best.history.min()
    assert best.history[-1] == pytest.approx(
        reference.cost(X, y, best.coef, best.intercept, 0.5), rel=1e-12
    )
    named = float(re.search(r"a step size of (\S+) is stable", str(caught.value))[1])
    assert fastlogit.gradient_descent(X, y, step_size=named, **options).converged


def test_divergence_after_progress_keeps_the_best_point() -> None:
    X, y = problem(120, 5)[:2]
    first = reference.cost(X, y, np.zeros(5))
    with pytest.raises(fastlogit.DivergenceError) as caught:
        fastlogit.gradient_descent(X, y, step_size=15.0, standardize=False, l2_reg=0.01, tol=0.0)
    best = caught.value.result
    assert best.history[-1] == best.history.min() < first


def test_an_automatic_step_does_not_diverge() -> None:
    rng = np.random.default_rng(5)
    for n_features in (2, 15, 40):
        X = rng.standard_t(1.5, (60, n_features)) * np.exp(rng.normal(0.0, 3.0, n_features))
        y = rng.integers(0, 2, 60)
        for standardize in (True, False):
            result = unfinished(
                X, y, max_iter=60, standardize=standardize, momentum="nesterov", l2_reg=1e-12
            )
            assert result.history[-1] <= result.history[0]


def test_a_start_of_infinite_cost_is_refused() -> None:
    X, y = problem(40, 3)[:2]
    start = (np.full(3, 1e308), 0.0)
    with (
        np.errstate(all="ignore"),  # for plain Python under NUMBA_DISABLE_JIT
        pytest.raises(ValueError, match="cost at the start is not finite; start from smaller"),
    ):
        fastlogit.gradient_descent(X * 10.0, y, start=start)


def test_rows_too_large_for_their_squares_are_refused() -> None:
    X, y = problem(40, 3)[:2]
    X[:, 1] *= 1e200
    with np.errstate(all="ignore"):
        with pytest.raises(ValueError, match=r"column 1 so large .* overflows; divide the column"):
            fastlogit.gradient_descent(X * [1.0, 1e105, 1.0], y)
        with pytest.raises(
            ValueError, match="curvature of the cost overflows; keep standardize=True"
        ):
            fastlogit.gradient_descent(X, y, standardize=False)


# ------------------------------------------------------------------------------------------------
# Callback


def endless():
    """Rows whose fit goes on until something stops it."""
    X = np.arange(20.0)[:, None] - 9.5
    return X, X[:, 0] > 0.0


def test_the_callback_sees_progress_and_can_stop() -> None:
    seen = []

    def watch(progress):
        seen.append(progress)
        return len(seen) == 4

    result = fastlogit.gradient_descent(*endless(), tol=0.0, max_iter=10**9, callback=watch)
    assert len(seen) == 4
    assert all(isinstance(progress, fastlogit.Progress) for progress in seen)
    assert [progress.n_iter for progress in seen] == sorted({progress.n_iter for progress in seen})
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(seen))
    assert all(a.cost > b.cost for a, b in itertools.pairwise(seen))
    assert result.n_iter == seen[-1].n_iter
    assert not result.converged
    assert result.message.startswith(f"stopped after {result.n_iter} iterations by the callback; ")


def test_only_true_stops() -> None:
    X, y = problem(80, 5)[:2]
    for answer in (None, 1, "yes", False):
        assert fastlogit.gradient_descent(X, y, callback=lambda _, a=answer: a).converged


def test_an_error_in_the_callback_comes_out() -> None:
    def fail(progress):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        fastlogit.gradient_descent(*endless(), tol=0.0, max_iter=10**9, callback=fail)


# ------------------------------------------------------------------------------------------------
# Ctrl-C, in a process of its own

INTERRUPTED = """
import json, signal, sys
import numpy as np
import fastlogit

signal.signal(signal.SIGINT, signal.default_int_handler)
n_samples = int(sys.argv[1])
rng = np.random.default_rng(0)
X = rng.standard_normal((n_samples, 10))
y = X @ rng.standard_normal(10) > 0.0  # separable: endless
fastlogit.gradient_descent(X, y, callback=lambda progress: True)  # compile
print("ready", flush=True)
try:
    fastlogit.gradient_descent(X, y, tol=0.0, max_iter=10**9)
except KeyboardInterrupt as interrupt:
    result = interrupt.result
    print(json.dumps({
        "message": str(interrupt),
        "same_message": result.message == str(interrupt),
        "history": [result.history[0], result.history.min(), result.history[-1]],
        "cost": fastlogit.cost(X, y, result.coef, result.intercept),
        "n_iter": result.n_iter,
        "length": len(result.history),
        "converged": result.converged,
    }), flush=True)
"""


@pytest.mark.parametrize("n_samples", [sized(300_000, 60), sized(300, 20)])
def test_ctrl_c_answers_at_once_and_keeps_the_best_point(n_samples) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(n_samples)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.7)
        began = time.perf_counter()
        process.send_signal(signal.SIGINT)
        output = process.communicate(timeout=60)[0]
        assert time.perf_counter() - began < 1.5
    finally:
        process.kill()
        process.wait()
    found = json.loads(output)
    assert process.returncode == 0
    assert found["message"].startswith("interrupted, stopped after")
    assert found["same_message"]
    assert not found["converged"]
    assert found["n_iter"] > 0
    assert found["length"] == found["n_iter"] + 1
    first, least, last = found["history"]
    assert np.isfinite(last)
    assert last == least < first
    assert found["cost"] == pytest.approx(last, rel=1e-12)


def test_every_pass_over_x_is_counted() -> None:
    X, y = problem(80, 5)[:2]
    options = {"step_size": 0.5, "standardize": False, "l2_reg": 0.1}
    ended = fastlogit.gradient_descent(X, y, **options)
    # The look at the column means, the start, and after each step but the last; then the end and
    # its proof: row curvatures, the column means that they weight, and the largest row.
    assert ended.converged
    assert ended.n_passes == 1 + 1 + (ended.n_iter - 1) + 1 + 3
    with pytest.warns(ConvergenceWarning):
        cut_off = fastlogit.gradient_descent(X, y, max_iter=3, **options)
    assert cut_off.n_passes >= 1 + 1 + 3 + 1 + 3


@pytest.mark.parametrize("max_iter", [0, 10])
@pytest.mark.parametrize("standardize", [True, False])
def test_no_time_at_all_gives_the_start(standardize, max_iter) -> None:
    X, y = problem(50, 2)[:2]
    options = {"standardize": standardize, "max_iter": max_iter, "time_limit": 1e-9}
    assert not unfinished(X, y, **options).converged
    X = np.array(X)
    X[7, 1] = np.nan
    with pytest.raises(ValueError, match="X contains NaN in column 1"):
        fastlogit.gradient_descent(X, y, **options)
