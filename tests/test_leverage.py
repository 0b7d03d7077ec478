"""Leave-one-out without the fits, against the fits."""

from typing import Any

import numpy as np
import pytest
from problems import TWO_THREADS, memory_mapped, problem, real, sized
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier

import fastlogit
from fastlogit import leave_one_out
from fastlogit.inference import leave_one_out as leverage_steps
from fastlogit.inputs.class_weights import row_weights

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit


def standardised(name: str, step: int = 1) -> tuple[Any, Any]:
    X, y = real(name)
    X, y = X[::step], y[::step]
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def refits(X: Any, y: Any, start: Any, weight: Any = None, **options: Any) -> Any:
    """Raw predictions of each row by a fit to the others."""
    raw = []
    for row in range(len(y)):
        others = np.arange(len(y)) != row
        if weight is not None:
            options["sample_weight"] = weight[others]
        fit = fastlogit.fit(X[others], y[others], start=start, tol=1e-10, **options)
        raw.append(X[row] @ fit.coef + fit.intercept)
    return np.array(raw)


def scores(raw: Any, y: Any, multi_class: str, weight: Any = None) -> tuple[float, float]:
    """Log-loss and accuracy of raw predictions, for labels 0, 1, ..."""
    if raw.ndim == 1:
        raw = np.column_stack([np.zeros_like(raw), raw])
    elif multi_class == "ovr":
        raw = -np.logaddexp(0.0, -raw)
    losses = np.log(np.exp(raw).sum(axis=1)) - raw[np.arange(len(y)), y]
    correct = raw.argmax(axis=1) == y
    return np.average(losses, weights=weight), np.average(correct, weights=weight)


def assert_near(found: Any, exact: Any, inside: Any, share: float) -> None:
    """Of what leaving a row out changes, all but a share is found, in the mean over the rows."""
    missed = np.abs(found.raw_prediction - exact).mean()
    assert missed <= share * np.abs(inside - exact).mean()


@pytest.mark.jit
def test_breast_cancer_against_569_fits() -> None:
    X, y = standardised("cancer")
    fitted = fastlogit.fit(X, y, C=1.0)
    found = leave_one_out(fitted, X, y)
    exact = refits(X, y, fitted, C=1.0)
    log_loss, accuracy = scores(exact, y, "ovr")
    inside = X @ fitted.coef + fitted.intercept
    assert found.log_loss == pytest.approx(log_loss, rel=0.01)
    assert scores(inside, y, "ovr")[0] < 0.75 * log_loss
    assert found.accuracy == accuracy
    assert_near(found, exact, inside, 0.05)
    assert (found.log_loss, found.accuracy) == pytest.approx(scores(found.raw_prediction, y, "ovr"))
    assert 10.0 < found.leverage.sum() < 31.0


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("C", [0.01, 1.0])
def test_several_classes_against_their_fits(multi_class, C) -> None:
    X, y = standardised("iris", sized(1, 5))
    options = {"C": C, "multi_class": multi_class}
    fitted = fastlogit.fit(X, y, **options)
    found = leave_one_out(fitted, X, y)
    exact = refits(X, y, fitted, **options)
    log_loss, accuracy = scores(exact, y, multi_class)
    assert found.raw_prediction.shape == (len(y), 3)
    assert found.leverage.shape == ((len(y), 3) if multi_class == "ovr" else (len(y),))
    assert found.log_loss == pytest.approx(log_loss, rel=0.01)
    assert found.accuracy == pytest.approx(accuracy, abs=1.01 / len(y))
    assert_near(found, exact, X @ fitted.coef + fitted.intercept, 0.05)


@pytest.mark.parametrize("multi_class", ["two classes", "ovr", "multinomial"])
def test_against_scikit_learn(multi_class) -> None:
    X, y = standardised("wine", sized(4, 8))
    model: Any = LogisticRegression(C=0.1, tol=1e-10, solver="newton-cholesky")
    if multi_class == "two classes":
        y = np.minimum(y, 1)
    elif multi_class == "ovr":
        model = OneVsRestClassifier(model)
    name = "ovr" if multi_class == "two classes" else multi_class
    fitted = fastlogit.fit(X, y, C=0.1, multi_class=name)
    found = leave_one_out(fitted, X, y)
    proba = cross_val_predict(model, X, y, cv=LeaveOneOut(), method="predict_proba")
    losses = -np.log(proba[np.arange(len(y)), y])
    assert found.log_loss == pytest.approx(losses.mean(), rel=0.01)
    assert found.accuracy == pytest.approx((proba.argmax(axis=1) == y).mean(), abs=1.01 / len(y))


def test_weights_are_left_out_whole() -> None:
    X, y, _, _, weight = problem(60, 3)
    weight = np.where(np.arange(60) % 7 == 0, 0.0, weight)
    fitted = fastlogit.fit(X, y, C=0.5, sample_weight=weight)
    found = leave_one_out(fitted, X, y, sample_weight=weight)
    exact = refits(X, y, fitted, weight, C=0.5)
    assert_near(found, exact, fitted.raw_prediction(X), 0.1)
    assert found.log_loss == pytest.approx(scores(exact, y, "ovr", weight)[0], rel=0.01)
    absent = weight == 0.0
    np.testing.assert_allclose(
        found.raw_prediction[absent], fitted.raw_prediction(X)[absent], rtol=1e-9
    )
    assert (found.leverage[absent] == 0.0).all()


@pytest.mark.parametrize("intercept", ["fit", None, 0.3])
def test_intercepts_offsets_and_penalties_of_each_column(intercept) -> None:
    X, y, coef, _, _ = problem(80, 3)
    X[:, 2] = 4.0 + X[:, 2]
    offset = 0.3 * X @ coef
    options = {"l2_reg": [0.0, 0.1, 0.01], "intercept": intercept}
    fitted = fastlogit.fit(X, y, offset=offset, **options)
    found = leave_one_out(fitted, X, y, offset=offset)
    exact = []
    for row in range(80):
        others = np.arange(80) != row
        # The penalty stays on the scale of the sum.
        options["l2_reg"] = fitted.l2_reg * 80.0 / 79.0
        fit = fastlogit.fit(X[others], y[others], offset=offset[others], start=fitted, **options)
        exact.append(X[row] @ fit.coef + fit.intercept + offset[row])
    inside = X @ fitted.coef + fitted.intercept + offset
    assert_near(found, np.array(exact), inside, 0.1)


def test_leverages_add_up_to_the_parameters_where_there_is_no_penalty() -> None:
    X, y = problem(100, 4)[:2]
    X = np.column_stack([X, X[:, 0], np.ones(100)])  # a column twice, and one that is constant
    found = leave_one_out(fastlogit.fit(X, y), X, y)
    assert found.leverage.sum() == pytest.approx(5.0, rel=1e-9)
    assert ((found.leverage > 0.0) & (found.leverage < 1.0)).all()


def test_leverages_of_a_softmax_add_up_too(rng) -> None:
    X, y = rng.standard_normal((90, 2)), rng.permutation(np.arange(90) % 3)
    found = leave_one_out(fastlogit.fit(X, y, multi_class="multinomial"), X, y)
    assert found.leverage.sum() == pytest.approx(6.0, rel=1e-6)
    np.testing.assert_allclose(found.raw_prediction.sum(axis=1), 0.0, atol=1e-10)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_blocks_and_sources_change_nothing(multi_class, monkeypatch, tmp_path) -> None:
    X, y = standardised("wine", sized(1, 3))
    fitted = fastlogit.fit(X, y, C=0.1, multi_class=multi_class)
    whole = leave_one_out(fitted, X, y)
    with monkeypatch.context() as patch:
        patch.setattr("fastlogit.inputs.given.in_place", lambda X: X)
        streamed = leave_one_out(fitted, memory_mapped(X, tmp_path), y)
    monkeypatch.setattr("fastlogit.design.row_sums.BLOCK_NUMBERS", 1000)
    for other in (streamed, leave_one_out(fitted, X, y)):
        np.testing.assert_allclose(other.raw_prediction, whole.raw_prediction, rtol=1e-9)
        np.testing.assert_allclose(other.leverage, whole.leverage, rtol=1e-9)
        assert other.log_loss == pytest.approx(whole.log_loss, rel=1e-12)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, y = problem(sized(20_000, 400), 9)[:2]
    fitted = fastlogit.fit(X, y, C=1.0)
    found = {
        leave_one_out(fitted, X, y, n_threads=n_threads).raw_prediction.tobytes()
        for n_threads in (1, TWO_THREADS, None)
    }
    assert len(found) == 1


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"c0": 3.0, "c1": 1.0, "c2": 0.5}])
def test_an_estimator_and_its_class_weights(multi_class, class_weight) -> None:
    X, y = standardised("iris", sized(2, 6))
    labels = np.array(["c0", "c1", "c2"])[y][3:]
    X, weight = X[3:], np.linspace(0.5, 2.0, len(labels))
    options = {"C": 0.5, "multi_class": multi_class, "class_weight": class_weight}
    estimator = fastlogit.LogisticRegression(**options).fit(X, labels, weight)
    found = leave_one_out(estimator, X, labels, sample_weight=weight)
    row = 4
    others = np.arange(len(labels)) != row
    weights = row_weights(class_weight, multi_class, labels, weight, len(labels))
    exact = fastlogit.fit(
        X[others], labels[others], C=0.5, multi_class=multi_class, sample_weight=weights[others]
    )
    moved = exact.raw_prediction(X[[row]])[0] - estimator.decision_function(X[[row]])[0]
    change = found.raw_prediction[row] - estimator.decision_function(X[[row]])[0]
    np.testing.assert_allclose(change, moved, rtol=0.1, atol=0.1 * np.abs(moved).max())
    scored = scores(found.raw_prediction, y[3:], multi_class, weight)
    assert (found.log_loss, found.accuracy) == pytest.approx(scored)


def test_a_row_with_a_direction_to_itself_is_no_error() -> None:
    X, y = problem(50, 2)[:2]
    X = np.column_stack([X, np.arange(50) == 7])
    fitted = fastlogit.fit(X, y, l2_reg=[0.0, 0.0, 1e-13], tol=1e-6)
    found = leave_one_out(fitted, X, y)
    assert np.isfinite(found.log_loss)
    assert found.leverage.max() <= 1.0 + 1e-9


def test_bad_arguments(monkeypatch) -> None:
    X, y = problem(50, 3)[:2]
    fitted = fastlogit.fit(X, y, C=1.0)
    with pytest.raises(
        TypeError, match="must be a FitResult or a fitted estimator of fastlogit, got numpy"
    ):
        leave_one_out(fitted.coef, X, y)
    with pytest.raises(ValueError, match="X has 2 columns, but the fit had 3"):
        leave_one_out(fitted, X[:, :2], y)
    with pytest.raises(ValueError, match="not among the classes"):
        leave_one_out(fitted, X, y + 1)
    bad = X.copy()
    bad[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"X contains NaN in column 1 \(row 3\)"):
        leave_one_out(fitted, bad, y)
    monkeypatch.setattr("fastlogit.inference.leave_one_out.MAX_SIZE", 3)
    with pytest.raises(ValueError, match="the Hessian would have 4 rows, more than 3"):
        leave_one_out(fitted, X, y)


def test_no_leverage_is_above_one_where_the_hessian_has_no_digits() -> None:
    """Offsets of thousands leave a class without curvature: what divides by it is rounding."""
    raw, weight = np.zeros((2, 1)), np.ones((2, 1))
    labels = np.array([[True], [False]])
    _, leverage = leverage_steps._separate_step(raw, labels, weight, np.full((2, 1, 1, 1), 1e13))
    assert leverage.max() == 1.0
    _, leverage = leverage_steps._softmax_step(raw, labels, weight, np.eye(2)[None, ..., None] * 9)
    assert leverage.max() == 1.0


def test_weights_whose_sums_with_losses_overflow() -> None:
    X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    weight = np.full(20, 8e306)
    fitted = fastlogit.fit(X, y, l2_reg=0.1, sample_weight=weight)
    found = leave_one_out(fitted, X, y, sample_weight=weight).log_loss
    assert found == pytest.approx(leave_one_out(fitted, X, y).log_loss, rel=1e-9)
