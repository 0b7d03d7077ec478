"""`fit` on small data: one compiled call, with all that the general way gives."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import LogisticRegression, SeparationWarning
from fastlogit.fitting import small
from fastlogit.kernels.policy import Twins
from fastlogit.kernels.small import binomial, softmax_cg
from fastlogit.kernels.small import l1 as small_l1
from fastlogit.kernels.small.softmax import fit_small_softmax
from fastlogit.solvers import newton_cg

pytestmark = pytest.mark.jit

ROWS = 250
rng = np.random.default_rng(31)
X0 = rng.standard_normal((ROWS, 5)) * np.geomspace(0.1, 50.0, 5) + np.linspace(-2.0, 9.0, 5)
Z0 = (X0 - X0.mean(axis=0)) / X0.std(axis=0) @ np.linspace(1.0, -0.7, 5)
Y2 = (Z0 + rng.logistic(size=ROWS) > 0.0).astype(int)
Y3 = np.digitize(Z0 + rng.logistic(size=ROWS), [-1.0, 1.0])
WEIGHT = rng.exponential(size=ROWS) * (rng.random(ROWS) < 0.9)
OFFSET, OFFSET3 = rng.standard_normal(ROWS), rng.standard_normal((ROWS, 3))
WEIGHT3 = rng.exponential(size=(ROWS, 3))
FACTOR = np.array([0.0, 1.0, 2.0, 0.5, 3.0])
FRAME = pd.DataFrame(X0, columns=list("abcde"))
CONSTANT = np.column_stack([X0, np.full(ROWS, 7.0)])
START = (np.ones(5) / 50.0, -1.0)


def fitted(X: Any = X0, y: Any = Y2, **options: Any) -> Any:
    return fastlogit.fit(X, y, **{"C": 1.0, **options})


def softmax(X: Any = X0, y: Any = Y3, **options: Any) -> Any:
    return fitted(X, y, multi_class="multinomial", **options)


XM, YM = rng.standard_normal((400, 14)), np.arange(400) % 9
XM += 0.7 * rng.standard_normal((9, 14))[YM]
OFFSETM = rng.standard_normal((400, 9))


def of_many(X: Any = XM, y: Any = YM, **options: Any) -> Any:
    """A softmax of 120 parameters: conjugate gradients."""
    return softmax(X, y, **options)


BOX = (np.array([0.0, -np.inf, -0.02, 0.1, -1.0]), np.array([np.inf, 0.05, 0.02, 0.2, 0.0]))


def l1(X: Any = X0, y: Any = Y2, **options: Any) -> Any:
    return fitted(X, y, **{"C": 0.1, "l1_ratio": 1.0, **options})


CASES: dict[str, Callable[[], Any]] = {
    "plain": fitted,
    "no penalty": lambda: fitted(C=None),
    "l2_reg": lambda: fitted(C=None, l2_reg=0.01 * FACTOR),
    "factor": lambda: fitted(penalty_factor=FACTOR),
    "weights": lambda: fitted(sample_weight=WEIGHT),
    "large weights": lambda: fitted(sample_weight=1e200 * WEIGHT),
    "offset": lambda: fitted(offset=OFFSET),
    "no intercept": lambda: fitted(intercept=None),
    "fixed intercept": lambda: fitted(intercept=-0.5),
    "start": lambda: fitted(start=START),
    "float32": lambda: fitted(X0.astype(np.float32)),
    "columns": lambda: fitted(np.asfortranarray(X0)),
    "integers": lambda: fitted(np.round(X0).astype(np.int32)),
    "booleans": lambda: fitted(X0 > X0.mean(axis=0)),
    "frame": lambda: fitted(FRAME),
    "text labels": lambda: fitted(y=np.array(["no", "yes"])[Y2]),
    "constant column": lambda: fitted(CONSTANT),
    "loose": lambda: fitted(tol=1e-4),
    "one-vs-all": lambda: fitted(y=Y3),
    "one-vs-all, all at once": lambda: fitted(
        y=Y3, sample_weight=WEIGHT3, offset=OFFSET3, penalty_factor=FACTOR, intercept=0.3
    ),
    "one-vs-all, one weight": lambda: fitted(y=Y3, sample_weight=WEIGHT, offset=OFFSET),
    "one-vs-all, l2_reg": lambda: fitted(y=Y3, C=None, l2_reg=0.01 * FACTOR),
    "one-vs-all, start": lambda: fitted(y=Y3, start=(np.ones((5, 3)) / 50.0, np.zeros(3))),
    "softmax": lambda: softmax(),
    "softmax, no penalty": lambda: softmax(C=None),
    "softmax, factor": lambda: softmax(penalty_factor=FACTOR),
    "softmax, weights": lambda: softmax(sample_weight=WEIGHT),
    "softmax, offset": lambda: softmax(offset=OFFSET3),
    "softmax, no intercept": lambda: softmax(intercept=None),
    "softmax, fixed intercept": lambda: softmax(intercept=-0.5, offset=OFFSET3),
    "softmax, start": lambda: softmax(start=(np.ones((5, 3)) / 50.0, np.arange(3.0))),
    "softmax, float32": lambda: softmax(X0.astype(np.float32)),
    "softmax, frame": lambda: softmax(FRAME),
    "softmax, text labels": lambda: softmax(y=np.array(["a", "b", "c"])[Y3]),
    "softmax, constant column": lambda: softmax(CONSTANT),
    "softmax, estimator": lambda: LogisticRegression(tol=1e-6).fit(X0, Y3).result_,
    "many parameters": lambda: of_many(),
    "many parameters, factor": lambda: of_many(penalty_factor=np.linspace(0.1, 2.0, 14)),
    "many parameters, weights": lambda: of_many(sample_weight=np.tile(WEIGHT, 2)[:400]),
    "many parameters, offset": lambda: of_many(offset=OFFSETM),
    "many parameters, no intercept": lambda: of_many(intercept=None),
    "many parameters, fixed intercept": lambda: of_many(intercept=2.0),
    "many parameters, start": lambda: of_many(start=(np.ones((14, 9)), np.arange(9.0))),
    "many parameters, float32": lambda: of_many(XM.astype(np.float32)),
    "many parameters, estimator": lambda: LogisticRegression(tol=1e-6).fit(XM, YM).result_,
    "two classes, multinomial": lambda: fitted(multi_class="multinomial"),
    "estimator": lambda: LogisticRegression().fit(X0, Y2).result_,
    "time limit": lambda: fitted(time_limit=10.0),
    "L1": l1,
    "L1, strengths": lambda: l1(C=None, l1_ratio=None, l1_reg=0.02 * FACTOR, l2_reg=0.01),
    "L1, elastic net": lambda: l1(l1_ratio=0.4, penalty_factor=FACTOR),
    "L1, weights": lambda: l1(sample_weight=WEIGHT),
    "L1, offset": lambda: l1(offset=OFFSET),
    "L1, no intercept": lambda: l1(intercept=None),
    "L1, fixed intercept": lambda: l1(intercept=-0.5),
    "L1, start": lambda: l1(start=START),
    "L1, float32": lambda: l1(X0.astype(np.float32)),
    "L1, frame": lambda: l1(FRAME),
    "L1, text labels": lambda: l1(y=np.array(["no", "yes"])[Y2]),
    "L1, constant column": lambda: l1(CONSTANT),
    "L1, loose": lambda: l1(tol=1e-4),
    "L1, bounds": lambda: l1(coef_bounds=BOX),
    "bounds": lambda: fitted(coef_bounds=BOX),
    "bounds, no penalty": lambda: fitted(C=None, coef_bounds=BOX),
    "L1, one-vs-all": lambda: l1(y=Y3, coef_bounds=(-0.5, None)),
    "L1, one-vs-all, all at once": lambda: l1(
        y=Y3, sample_weight=WEIGHT3, offset=OFFSET3, penalty_factor=FACTOR, intercept=0.3
    ),
    "L1, estimator": lambda: LogisticRegression(l1_ratio=1.0, tol=1e-6).fit(X0, Y2).result_,
    "L1, by its name": lambda: l1(solver="proximal-newton"),
}
ARRAYS = ("l2_reg", "l1_reg", "coef_bounds", "classes")


@pytest.mark.parametrize("name", CASES)
def test_as_the_general_way(name, monkeypatch) -> None:
    found = CASES[name]()
    assert "one compiled call" in found.message
    monkeypatch.setattr(small, "MOST_NUMBERS", 0)
    # Each way has the accuracy of an iteration that suits it; with the same one they take the same.
    monkeypatch.setattr(newton_cg, "ACCURACY", softmax_cg.ACCURACY)
    wanted = CASES[name]()
    assert "one compiled call" not in wanted.message
    loose = name in ("loose", "L1, loose", "estimator")
    has_corners = wanted.solver == "proximal-newton"
    for key, value in vars(wanted).items():
        ours = getattr(found, key)
        if key in ("coef", "intercept"):
            # Conjugate gradients leave both short of the optimum, within the tolerance; under L1
            # the general way takes no step once it is near.
            rough = found.solver == "newton-cg" or has_corners
            rtol, atol = (1e-5, 1e-6) if rough else (1e-9, 1e-12)
            if has_corners and not loose:
                np.testing.assert_array_equal(np.asarray(ours) == 0.0, np.asarray(value) == 0.0)
            of_loose = 0.05 if has_corners else 3e-5
            np.testing.assert_allclose(ours, value, rtol=of_loose if loose else rtol, atol=atol)
            assert type(ours) is type(value)
        elif key in ("history", "bounds", "suboptimality", "passes", "times"):
            assert np.shape(ours)[1:] == np.shape(value)[1:]
            assert type(ours) is type(value)
        elif key in ARRAYS:
            np.testing.assert_array_equal(ours, value)
            assert type(ours) is type(value)
        elif key not in ("message", "n_iter", "n_passes", "gradient_norm", "seconds"):
            assert ours == value, key
    assert found.message.partition("; ")[2] == wanted.message.partition("; ")[2]
    assert found.classes.dtype == wanted.classes.dtype
    assert abs(found.n_iter - wanted.n_iter) <= 1
    costs = np.asarray(wanted.history)[-1]
    np.testing.assert_allclose(found.history[-1], costs, rtol=1e-6 if loose else 1e-12)
    assert (np.asarray(found.suboptimality) <= (1e-4 if loose else 1e-12)).all()
    assert found.history.shape == found.bounds.shape
    assert found.passes.shape == found.times.shape == (found.n_iter + 1,)
    assert (np.diff(found.passes) > 0.0).all()
    assert found.passes[-1] == found.n_passes
    assert 0.5 < found.n_passes / wanted.n_passes < 2.0


KINDS = {
    "two classes": (X0, Y2, "ovr"),
    "one-vs-all": (X0, Y3, "ovr"),
    "softmax": (X0, Y3, "multinomial"),
    "many parameters": (XM, YM, "multinomial"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_watching_changes_no_bit(kind) -> None:
    X, y, multi_class = KINDS[kind]
    plain, seen = fitted(X, y, multi_class=multi_class), []
    watched = fitted(X, y, multi_class=multi_class, callback=seen.append)
    np.testing.assert_array_equal(watched.coef, plain.coef)
    assert watched.message == plain.message
    assert [each.n_iter for each in seen] == list(range(1, plain.n_iter + 1))
    np.testing.assert_allclose([s.cost for s in seen], np.mean(plain.history[1:].T.reshape(
        -1, plain.n_iter), axis=0), rtol=1e-14)  # fmt: skip
    np.testing.assert_array_equal(seen[-1].coef, plain.coef)
    assert seen[0].coef.shape == plain.coef.shape
    assert not np.array_equal(seen[0].coef, plain.coef)
    assert seen[0].n_fits == (3 if kind == "one-vs-all" else 1)
    assert (np.diff([s.seconds for s in seen]) > 0.0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_callback_ends_the_fit(kind) -> None:
    X, y, multi_class = KINDS[kind]
    seen = []

    def stop(progress: Any) -> bool:
        seen.append(progress)
        return len(seen) == 2

    found = fitted(X, y, multi_class=multi_class, callback=stop)
    assert (found.n_iter, len(seen), found.converged) == (2, 2, False)
    assert "stopped after 2 iterations by newton" in found.message
    assert "by the callback" in found.message
    np.testing.assert_array_equal(found.coef, seen[-1].coef)


def test_ctrl_c_carries_the_result(monkeypatch) -> None:
    def interrupt(progress: Any) -> None:
        raise KeyboardInterrupt

    plain = fitted()
    with pytest.raises(KeyboardInterrupt, match="interrupted") as caught:
        fitted(callback=interrupt)
    np.testing.assert_array_equal(caught.value.result.coef, plain.coef)
    assert not caught.value.result.converged
    # While the kernel runs nothing is heard; then the fit is there.
    calls, serial = [], binomial.fit_small.serial

    def late(*arguments: Any) -> Any:
        calls.append(serial(*arguments))
        if len(calls) == 1:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(binomial, "fit_small", Twins(late, late))
    with pytest.raises(KeyboardInterrupt) as caught:
        fitted()
    np.testing.assert_array_equal(caught.value.result.coef, plain.coef)


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_callback_writes_reaches_no_result(kind) -> None:
    X, y, multi_class = KINDS[kind]

    def spoil(progress: Any) -> None:
        progress.coef[:] = 0.0

    spoiled = fitted(X, y, multi_class=multi_class, callback=spoil)
    np.testing.assert_array_equal(spoiled.coef, fitted(X, y, multi_class=multi_class).coef)


def test_what_the_kernel_does_not_prove_goes_the_general_way() -> None:
    with pytest.warns(SeparationWarning, match="column 0 alone"):
        separable = fastlogit.fit(Z0[:, None], Z0 > 0.0)
    assert not separable.converged
    with pytest.warns(ConvergenceWarning, match="max_iter=1 before"):
        fitted(max_iter=1)
    assert "cheap" in fitted(tol=0.0).message  # which goes on until rounding ends it
    twice = fitted(np.column_stack([X0, X0[:, 0]]), C=None)  # the least of all solutions
    assert "cheap" in twice.message
    np.testing.assert_allclose(twice.history[-1], fitted(C=None).history[-1], rtol=1e-12)
    with pytest.warns(UserWarning, match="no row of"):
        softmax(sample_weight=(Y3 != 1) * 1.0)
    with pytest.warns(SeparationWarning, match="columns 0"):
        softmax(Z0[:, None], np.digitize(Z0, [-0.5, 0.5]), C=None)
    assert "cheap" in softmax(tol=0.0).message
    calls: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted(tol=0.0, callback=lambda progress: calls.append(progress.n_iter))
    assert calls == list(range(1, len(calls) + 1))  # each iteration is told once


def test_under_l1_too() -> None:
    columns = np.column_stack([Z0, X0[:, 0]])
    with pytest.warns(SeparationWarning, match="column 0 alone"):
        separable = l1(columns, Z0 > 0.0, penalty_factor=[0.0, 1.0])
    assert not separable.converged
    with pytest.warns(ConvergenceWarning, match="max_iter=1 before"):
        l1(max_iter=1)
    twice = l1(np.column_stack([X0, X0[:, 0]]), C=10.0)  # where both may have the coefficient
    assert "one compiled call" not in twice.message
    np.testing.assert_allclose(twice.history[-1], l1(C=10.0).history[-1], rtol=1e-12)
    with pytest.raises(ValueError, match="column 5 of X does not vary"):
        l1(CONSTANT, coef_bounds=(0.1, None))
    groups = l1(penalty_groups=np.array([0, 0, 1, 1, 2]))
    assert "groups are not 0" in groups.message
    assert "one compiled call" not in groups.message
    assert "one compiled call" not in l1(y=Y3, multi_class="multinomial").message


def test_watching_a_fit_with_l1() -> None:
    plain, seen = l1(), []
    watched = l1(callback=seen.append)
    np.testing.assert_array_equal(watched.coef, plain.coef)
    assert [each.n_iter for each in seen] == list(range(1, plain.n_iter + 1))
    np.testing.assert_allclose([each.cost for each in seen], plain.history[1:], rtol=1e-14)
    stopped = l1(callback=lambda progress: True)
    assert (stopped.n_iter, stopped.converged) == (1, False)
    assert "stopped after 1 iterations by proximal-newton" in stopped.message


def test_bad_values_are_named() -> None:
    X = X0.copy()
    X[17, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN in column 3 \(row 17\)"):
        fitted(X)
    with pytest.raises(ValueError, match="n_threads"):
        fitted(n_threads=0)
    with pytest.raises(ValueError, match="overflows"):
        fitted(C=1e-320)


def test_what_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastlogit.fitting.small.SHORTEST_LIMIT", 1e4)  # which no fit here needs
    X, y = load_breast_cancer(return_X_y=True)
    assert "one compiled call" in LogisticRegression(max_iter=10_000).fit(X, y).result_.message
    assert "one compiled call" in fastlogit.fit(*load_iris(return_X_y=True), C=1.0).message
    assert (
        "one compiled call" in LogisticRegression().fit(*load_iris(return_X_y=True)).result_.message
    )
    larger = [
        fitted(np.tile(X0, 80), Y2),  # columns
        fitted(np.repeat(X0, 300, axis=0), np.repeat(Y2, 300)),
        fitted(rng.standard_normal((6_000, 60)), np.arange(6_000) % 2),
        fitted(time_limit=1e3),
        fitted(solver="lbfgs"),
        softmax(solver="newton-cg"),
        of_many(C=None),
        softmax(np.repeat(X0, 3, axis=0), np.arange(750) % 257, tol=1e-4),
        of_many(solver="newton-cg"),
        of_many(time_limit=1e3),
        softmax(np.tile(X0, 21)),  # columns
        softmax(np.repeat(X0, 300, axis=0), np.repeat(Y3, 300)),
    ]
    assert not any("one compiled call" in each.message for each in larger)


def test_the_kernel_is_compiled_for_one_kind_of_arrays() -> None:
    fitted()
    softmax()
    of_many()
    l1()
    every = (
        binomial.fit_small.serial, fit_small_softmax.serial,
        softmax_cg.fit_small_softmax_cg.serial, small_l1.fit_small_l1.serial,
    )  # fmt: skip
    before = [list(each.signatures) for each in every]
    for case in CASES.values():
        case()
    assert [each.signatures for each in every] == before


def test_results_do_not_share_memory() -> None:
    first = fitted()
    kept = first.coef.copy(), first.history.copy(), first.l2_reg.copy()
    second = fitted(C=0.01)
    second.coef[:] = second.history[:] = second.l2_reg[:] = np.nan
    np.testing.assert_array_equal(first.coef, kept[0])
    np.testing.assert_array_equal(first.history, kept[1])
    np.testing.assert_array_equal(first.l2_reg, kept[2])
    assert not np.shares_memory(first.coef, X0)


INTERRUPTED = """
import sys
import numpy as np
import fastlogit

def interrupt(frame, event, _):
    if event == "call" and frame.f_code.co_name == "_numba_unpickle":
        raise KeyboardInterrupt

X = np.random.default_rng(0).standard_normal((90, 3))
options = {"C": 1.0, "multi_class": "multinomial"}
for y in (X[:, 0] > X[:, 1] ** 2, np.arange(90) % 3):
    wanted = fastlogit.fit(X, y, **options).coef
    sys.setprofile(interrupt)  # as Ctrl-C while the kernel runs: heard where Python goes on
    try:
        fastlogit.fit(X, y, **options)
    except KeyboardInterrupt:
        print("interrupted")
    sys.setprofile(None)
    assert np.array_equal(fastlogit.fit(X, y, **options).coef, wanted)
"""


def test_ctrl_c_while_a_kernel_gives_back_its_tuple_is_no_crash() -> None:
    """numba's own wrapper calls a null pointer then."""
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["interrupted"] * 2
