"""Diagnostics against the definitions: whole hat matrices, rows left out, other packages."""

from typing import Any

import inference_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from problems import problem, three_classes
from scipy import sparse, stats
from scipy.special import expit

import fastlogit
from fastlogit import calibration, fit, infer
from fastlogit.inference.calibration import groups_of

pytestmark = pytest.mark.jit


def diagnosed(X: Any, y: Any, **options: Any) -> Any:
    given = {key: options[key] for key in ("sample_weight", "offset") if key in options}
    return infer(fit(X, y, C=np.inf, **given), X, y, **options).diagnostics()


def without_each(exact: oracle.Exact) -> Any:
    """The coefficients less those of one Newton step without each row, from the definition."""
    moves = []
    for row in range(len(exact.Z)):
        kept = np.arange(len(exact.Z)) != row
        information = (exact.Z[kept].T * exact.curvature[kept]) @ exact.Z[kept]
        moves.append(np.linalg.solve(information, exact.Z[kept].T @ exact.residual[kept]))
    return np.array(moves)


@pytest.mark.parametrize("n_features", [3, 11])
def test_leaving_out_each_row(n_features: int) -> None:
    X, y = problem(160, n_features)[:2]
    found, exact = diagnosed(X, y), oracle.optimum(X, y)
    moves, errors = without_each(exact), np.sqrt(np.diag(np.linalg.inv(exact.information)))
    np.testing.assert_allclose(found.leverage, oracle.hat_values(exact), rtol=1e-8)
    np.testing.assert_allclose(found.dfbetas, moves / errors, rtol=1e-6, atol=1e-9)
    cook = np.einsum("ij,jk,ik->i", moves, exact.information, moves) / (n_features + 1)
    np.testing.assert_allclose(found.cooks_distance, cook, rtol=1e-6)
    assert found.leverage.sum() == pytest.approx(n_features + 1)


def test_residuals() -> None:
    X, y = problem(200, 4)[:2]
    found, exact = diagnosed(X, y), oracle.optimum(X, y)
    p = expit(exact.Z @ exact.coef)
    rest = np.sqrt(1.0 - oracle.hat_values(exact))
    pearson = (y - p) / np.sqrt(p * (1.0 - p))
    deviance = np.sign(y - p) * np.sqrt(-2.0 * np.where(y == 1, np.log(p), np.log1p(-p)))
    np.testing.assert_allclose(found.probability, p, rtol=1e-8)
    np.testing.assert_allclose(found.pearson, pearson, rtol=1e-7)
    np.testing.assert_allclose(found.deviance, deviance, rtol=1e-7)
    np.testing.assert_allclose(found.standardized_pearson, pearson / rest, rtol=1e-7)
    np.testing.assert_allclose(found.standardized_deviance, deviance / rest, rtol=1e-7)
    frame = found.to_frame()
    assert list(frame.columns) == [
        "probability", "pearson", "deviance", "standardized_pearson", "standardized_deviance",
        "studentized", "leverage", "cooks_distance",
    ]  # fmt: skip
    assert len(frame) == 200
    assert found.dfbetas_frame().columns.tolist() == ["intercept", "x0", "x1", "x2", "x3"]


def test_against_statsmodels() -> None:
    from statsmodels.api import GLM, add_constant, families

    X, y = problem(300, 5)[:2]
    theirs = GLM(y, add_constant(X), family=families.Binomial()).fit(tol=1e-14).get_influence()
    found = diagnosed(X, y)
    np.testing.assert_allclose(found.leverage, theirs.hat_matrix_diag, rtol=1e-7)
    np.testing.assert_allclose(found.cooks_distance, theirs.cooks_distance[0], rtol=1e-6)
    np.testing.assert_allclose(found.standardized_pearson, theirs.resid_studentized, rtol=1e-7)
    np.testing.assert_allclose(found.dfbetas, theirs.dfbetas, rtol=1e-5, atol=1e-9)


def test_a_count_is_as_many_rows(rng: Any) -> None:
    X, y = problem(120, 3)[:2]
    counts = rng.integers(0, 4, 120)
    rows = np.repeat(np.arange(120), counts)
    short = diagnosed(X, y, sample_weight=counts, weights="frequency")
    long = diagnosed(X[rows], y[rows])
    for name in ("leverage", "pearson", "deviance", "studentized", "cooks_distance", "dfbetas"):
        own = getattr(short, name)
        np.testing.assert_allclose(own[rows], getattr(long, name), rtol=1e-7, atol=1e-10)
        assert np.isnan(own[counts == 0]).all()
    assert short.to_frame().index.tolist() == np.flatnonzero(counts).tolist()
    one, other = short.hosmer_lemeshow(5), long.hosmer_lemeshow(5)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-8)
    np.testing.assert_allclose(one.to_frame(), other.to_frame(), rtol=1e-9)
    here, there = short.calibration(6), long.calibration(6)
    np.testing.assert_allclose(here.to_frame(), there.to_frame(), rtol=1e-9)
    for name in ("slope_error", "intercept_error", "brier", "brier_of_mean"):
        assert getattr(here, name) == pytest.approx(getattr(there, name), rel=1e-8)
    assert short.link_test().p_value == pytest.approx(long.link_test().p_value, rel=1e-7)
    assert short.condition_number == pytest.approx(long.condition_number, rel=1e-8)


def test_analytic_weights_and_an_offset(rng: Any) -> None:
    X, y = problem(150, 3)[:2]
    weights, offset = rng.uniform(0.2, 2.0, 150), rng.standard_normal(150)
    found = diagnosed(X, y, sample_weight=weights, offset=offset, weights="analytic")
    weights = weights / weights.mean()
    exact = oracle.optimum(X, y, weights, offset)
    p = expit(exact.Z @ exact.coef + offset)
    pearson = np.sqrt(weights) * (y - p) / np.sqrt(p * (1.0 - p))
    hat = oracle.hat_values(exact)
    np.testing.assert_allclose(found.pearson, pearson, rtol=1e-7)
    np.testing.assert_allclose(
        found.cooks_distance, (pearson / (1.0 - hat)) ** 2 * hat / 4.0, rtol=1e-6
    )
    errors = np.sqrt(np.diag(np.linalg.inv(exact.information)))
    np.testing.assert_allclose(found.dfbetas, without_each(exact) / errors, rtol=1e-6, atol=1e-9)
    with pytest.raises(ValueError, match="counts observations; with weights='analytic'"):
        found.hosmer_lemeshow()


def test_any_design(rng: Any) -> None:
    """Sparse rows, other layouts, and categorical columns have the numbers of dense ones."""
    X, y = problem(240, 4)[:2]
    X[np.abs(X) < 0.5] = 0.0
    kinds = pd.Categorical(rng.choice(list("abc"), 240))
    frame = pd.DataFrame(X, columns=list("wxyz")).assign(kind=kinds)
    indicators = np.column_stack([X, kinds == "b", kinds == "c"])
    for given, dense in (
        (sparse.csr_array(X), X), (sparse.csc_array(X), X), (np.asfortranarray(X), X),
        (frame, indicators),
    ):  # fmt: skip
        found, wanted = diagnosed(given, y), diagnosed(dense, y)
        for name in ("leverage", "cooks_distance", "dfbetas", "deviance", "condition_number"):
            np.testing.assert_allclose(
                getattr(found, name), getattr(wanted, name), rtol=1e-6, atol=1e-9
            )
    single = diagnosed(X.astype(np.float32), y)
    np.testing.assert_allclose(single.leverage, diagnosed(X, y).leverage, rtol=1e-4)


def test_a_softmax_without_each_row() -> None:
    X, codes = three_classes(120, 2)
    _, information, slopes = oracle.softmax_optimum(X, codes, 3)
    W, _ = oracle.softmax_whitened(X, codes, 3)
    found = infer(fit(X, codes, C=np.inf, multi_class="multinomial"), X, codes).diagnostics()
    moves = []
    for row in range(120):
        own = W[2 * row : 2 * row + 2]
        moves.append(np.linalg.solve(information - own.T @ own, -slopes[row]))
    moves = np.array(moves)
    hat = np.diag(W @ np.linalg.inv(information) @ W.T).reshape(-1, 2).sum(axis=1)
    np.testing.assert_allclose(found.leverage, hat, rtol=1e-7)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(found.dfbetas, moves / errors, rtol=1e-6, atol=1e-9)
    cook = np.einsum("ij,jk,ik->i", moves, information, moves) / 6.0
    np.testing.assert_allclose(found.cooks_distance, cook, rtol=1e-6)
    assert found.leverage.sum() == pytest.approx(6.0)
    frame = found.to_frame()
    assert list(frame.columns)[:2] == ["probability[0]", "probability[1]"]
    np.testing.assert_allclose(frame.iloc[:, :3].sum(axis=1), 1.0)


def test_what_a_softmax_has_not() -> None:
    X, codes = three_classes(90, 2)
    found = infer(fit(X, codes, C=np.inf, multi_class="multinomial"), X, codes).diagnostics()
    for ask, what in (
        (lambda: found.pearson, "a residual"),
        (lambda: found.standardized_deviance, "a residual"),
        (found.hosmer_lemeshow, "a comparison of probabilities"),
        (found.calibration, "a comparison of probabilities"),
        (found.link_test, "a comparison of probabilities"),
        (found.variance_inflation, "variance inflation"),
    ):
        with pytest.raises(ValueError, match=f"{what}.* is for two classes, the fit has 3"):
            ask()


def test_collinear_columns(rng: Any) -> None:
    X, y = problem(400, 3)[:2]
    near = np.column_stack([X, X[:, 0] + 1e-3 * rng.standard_normal(400)])
    found = diagnosed(near, y)
    inflation = found.variance_inflation()
    assert inflation["x0"] > 1e4
    assert inflation["x1"] < 10.0
    assert "x3" in repr(inflation)
    with pytest.raises(KeyError, match="no term 'x9'; there are x0, x1, x2, x3"):
        inflation["x9"]
    Z = np.column_stack([np.ones(400), near])
    assert found.condition_number == pytest.approx(
        np.linalg.cond(Z / np.linalg.norm(Z, axis=0)), rel=1e-6
    )
    # Means far from 0 are nearly the intercept, to the last digit.
    far = X + np.array([0.0, 1e6, 0.0])
    Z = np.column_stack([np.ones(400), far])
    assert diagnosed(far, y).condition_number == pytest.approx(
        np.linalg.cond(Z / np.linalg.norm(Z, axis=0)), rel=1e-6
    )
    model = fastlogit.LogisticRegression(C=np.inf, fit_intercept=False).fit(X, y)
    plain = infer(model, X, y).diagnostics()
    assert plain.condition_number == pytest.approx(np.linalg.cond(X / np.linalg.norm(X, axis=0)))
    assert plain.variance_inflation().factors.shape == (3,)


def test_groups_keep_equal_values_together() -> None:
    values = np.array([0.1, 0.2, 0.2, 0.2, 0.3, 0.4])
    one = np.ones(6)
    assert groups_of(values, one, 3).tolist() == [0, 0, 0, 0, 1, 1]
    assert groups_of(values, one, 6).tolist() == [0, 1, 1, 1, 2, 3]
    assert groups_of(values, np.array([3.0, 1, 1, 1, 3, 3]), 4).tolist() == [0, 1, 1, 1, 2, 3]
    spread = np.arange(10.0)
    assert groups_of(spread, np.ones(10), 5).tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert groups_of(np.full(4, 0.5), np.ones(4), 10).tolist() == [0, 0, 0, 0]


def test_calibration_of_new_rows(rng: Any) -> None:
    """A model of wrong level and slope is found out, with the errors of statsmodels."""
    from statsmodels.api import Logit, add_constant

    eta = 1.5 * rng.standard_normal(3000)
    y = np.where(rng.uniform(size=3000) < expit(0.4 + 0.6 * eta), "yes", "no")
    found = calibration(y, expit(eta), n_bins=20)
    event = (y == "yes").astype(float)
    slope = Logit(event, add_constant(eta)).fit(disp=False, tol=1e-14)
    level = Logit(event, np.ones(3000), offset=eta).fit(disp=False, tol=1e-14)
    assert [found.slope, found.slope_error] == pytest.approx([slope.params[1], slope.bse[1]])
    assert [found.intercept, found.intercept_error] == pytest.approx(
        [level.params[0], level.bse[0]]
    )
    assert found.brier == pytest.approx(np.mean((event - expit(eta)) ** 2))
    assert found.brier_of_mean == pytest.approx(event.mean() * (1.0 - event.mean()))
    assert found.count.tolist() == [150.0] * 20
    groups = np.argsort(np.argsort(eta)) // 150
    np.testing.assert_allclose(found.observed, [event[groups == g].mean() for g in range(20)])
    np.testing.assert_allclose(found.predicted, [expit(eta)[groups == g].mean() for g in range(20)])
    for share, low, high in zip(found.observed, found.low, found.high, strict=True):
        wanted = stats.binomtest(round(150 * share), 150).proportion_ci(method="wilson")
        assert (low, high) == pytest.approx((wanted.low, wanted.high))
    assert "calibration slope" in str(found)
    assert list(found.to_frame().columns) == ["predicted", "observed", "low", "high", "count"]
    both = np.column_stack([1.0 - expit(eta), expit(eta)])
    assert calibration(y, both).slope == pytest.approx(found.slope)
    weighted = calibration(y, expit(eta), sample_weight=np.full(3000, 2.0), weights="frequency")
    assert weighted.slope_error == pytest.approx(found.slope_error / np.sqrt(2.0))
    sampled = calibration(y, expit(eta), sample_weight=np.full(3000, 2.0), weights="probability")
    assert sampled.slope_error == pytest.approx(found.slope_error, rel=0.1)
    np.testing.assert_allclose(sampled.high, calibration(y, expit(eta)).high)


def test_models_that_are_sure() -> None:
    y, proba = np.tile([0, 1, 1, 0, 1], 20), np.tile([0.0, 1.0, 0.7, 0.6, 0.4], 20)
    found = calibration(y, proba)
    near = calibration(y, np.clip(proba, 1e-16, 1.0 - 2.0**-53))
    assert found.slope == pytest.approx(near.slope, rel=0.02)
    assert found.brier == pytest.approx(np.mean((y - proba) ** 2))


def test_own_rows_are_calibrated(rng: Any) -> None:
    X, y = problem(300, 4)[:2]
    found = diagnosed(X, y).calibration()
    assert [found.intercept, found.slope] == pytest.approx([0.0, 1.0], abs=1e-9)


@pytest.mark.parametrize(
    ("y", "proba", "options", "message"),
    [
        ([0, 1, 2], [0.1, 0.2, 0.3], {}, "labels of two classes, found 3"),
        ([0, 1, 1], [0.1, 0.2], {}, "a probability for each of the 3 labels"),
        ([0, 1, 1], [0.1, 1.5, 0.5], {}, "proba is 1.5 in row 1; .*between 0 and 1"),
        ([0, 1, 1], [0.1, np.nan, 0.5], {}, "proba is nan in row 1"),
        ([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.2], {}, "tell the classes apart"),
        ([0, 1, 1, 0], [0.0, 1.0, 1.0, 0.0], {}, "tell the classes apart"),
        ([0, 1, 1, 0], [0.1, 0.9, 0.8, 0.85], {"n_bins": 0}, "n_bins must be at least 1"),
        ([0, 1, 1], [0.1, 0.2, 0.3], {"sample_weight": [1.0, 2.0]}, "one number for each of the 3"),
        ([0, 1, 1], [0.1, 0.2, 0.3], {"sample_weight": [1.0, -2.0, 1.0]}, "-2.0 in row 1"),
        ([0, 1, 1], [0.1, 0.2, 0.3], {"sample_weight": [1.0, 2.0, 3.0]}, "say what they are"),
    ],
)
def test_bad_calibrations(y: Any, proba: Any, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calibration(y, proba, **options)


def test_few_different_rows() -> None:
    X = np.repeat([[0.0], [1.0]], 40, axis=0)
    y = np.tile([0, 0, 1, 0, 1], 16)
    y[:5] = 1
    found = diagnosed(X, y)
    with pytest.raises(ValueError, match="probabilities make 2 groups"):
        found.hosmer_lemeshow()
    with pytest.raises(ValueError, match="predicts two values only"):
        found.link_test()
    with pytest.raises(ValueError, match="n_groups must be at least 3"):
        found.hosmer_lemeshow(2)


def test_a_wrong_link_is_found(rng: Any) -> None:
    x = rng.standard_normal((2000, 1))
    y = (x[:, 0] ** 2 + x[:, 0] + rng.logistic(size=2000) > 1.0).astype(int)
    found = diagnosed(x, y)
    assert found.link_test().p_value < 1e-6
    assert found.hosmer_lemeshow().p_value < 1e-6
    assert "chi2(8)" in str(found.hosmer_lemeshow())
    assert "square" in str(found.link_test())
    assert found.link_test().to_frame().index.tolist()[1] == "linear_predictor"


def test_everything_is_made_when_asked_for() -> None:
    X, y = problem(100, 2)[:2]
    found = diagnosed(X, y)
    assert found.leverage is found.leverage
    assert "leverage" not in diagnosed(X, y).__dict__
    assert fastlogit.Diagnostics is type(found)
