"""`posterior`: modes, covariances and evidence against plain NumPy, SciPy's optimisers and sums."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from problems import problem
from scipy import integrate, optimize, special, stats
from scipy import sparse as sp

import fastlogit
from fastlogit import GaussianPrior, LogFPrior, StudentPrior, fit, posterior, pseudo_rows

pytestmark = pytest.mark.jit

COVARIANCE = np.array([[1.0, 0.3, 0.0], [0.3, 2.0, -0.4], [0.0, -0.4, 0.5]])
MEAN = np.array([0.5, -0.2, 0.1])


def rows(n: int = 80, p: int = 3, seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p)) * [1.0, 2.0, 0.5][:p] + 0.3
    return X, (rng.random(n) < special.expit(X[:, 0] - 0.4)).astype(int)


def loss(coef: Any, X: Any, y: Any, weight: Any = 1.0, offset: Any = 0.0) -> float:
    raw = coef[0] + X @ coef[1:] + offset
    return float((weight * (np.logaddexp(0.0, raw) - y * raw)).sum())


def hessian(coef: Any, X: Any, weight: Any = 1.0, offset: Any = 0.0) -> Any:
    Z = np.column_stack([np.ones(len(X)), X])
    p = special.expit(Z @ coef + offset)
    return Z.T @ (Z * (weight * p * (1.0 - p) * np.ones(len(X)))[:, None])


def minus_log_density(function: Any, size: int) -> Any:
    found = optimize.minimize(function, np.zeros(size), method="BFGS", options={"gtol": 1e-9})
    found = optimize.minimize(
        function, found.x, method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000},
    )  # fmt: skip
    return found.x


def normal(coef: Any) -> float:
    away = coef[1:] - MEAN
    return 0.5 * float(away @ np.linalg.solve(COVARIANCE, away))


# ---- normal priors


def test_mode_and_covariance() -> None:
    X, y = rows()
    found = posterior(X, y, GaussianPrior(MEAN, COVARIANCE))
    right = minus_log_density(lambda b: loss(b, X, y) + normal(b), 4)
    np.testing.assert_allclose(found.coef, right, atol=2e-7)
    whole = hessian(found.coef, X)
    whole[1:, 1:] += np.linalg.inv(COVARIANCE)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(whole), rtol=1e-9)
    np.testing.assert_allclose(found.log_likelihood, -loss(found.coef, X, y), rtol=1e-12)
    Z = np.column_stack([np.ones(len(X)), X])
    slope = Z.T @ (special.expit(Z @ found.coef) - y)
    slope[1:] += np.linalg.solve(COVARIANCE, found.coef[1:] - MEAN)
    assert np.abs(slope).max() < 1e-9
    assert found.is_proven
    assert 0.0 <= found.suboptimality < 1e-15
    assert found.names == ["intercept", "x0", "x1", "x2"]
    assert found.n_samples == 80


def test_precision_variances_and_numbers_say_the_same() -> None:
    X, y = rows()
    right = posterior(X, y, GaussianPrior(MEAN, COVARIANCE))
    other = posterior(X, y, GaussianPrior(MEAN, precision=np.linalg.inv(COVARIANCE)))
    np.testing.assert_allclose(other.coef, right.coef, rtol=1e-9)
    np.testing.assert_allclose(other.log_evidence, right.log_evidence, rtol=1e-10)
    one, two, three = (
        posterior(X, y, GaussianPrior(0.0, each))
        for each in (2.0, np.full(3, 2.0), 2.0 * np.eye(3))
    )
    np.testing.assert_allclose(one.covariance, two.covariance, rtol=1e-12)
    np.testing.assert_allclose(one.covariance, three.covariance, rtol=1e-12)


def test_it_is_the_l2_fit_where_it_is_one() -> None:
    X, y = problem(300, 6)[:2]
    ridge = fit(X, y, C=0.5)
    found = posterior(X, y, GaussianPrior(0.0, 0.5))
    np.testing.assert_allclose(found.coef, np.append(ridge.intercept, ridge.coef), atol=1e-6)


def test_any_carrier_weights_and_offsets() -> None:
    X, y = rows()
    offset = np.linspace(-1.0, 1.0, len(y))
    weight = np.arange(len(y)) % 3
    prior = GaussianPrior(MEAN, COVARIANCE)
    options = {"sample_weight": weight, "weights": "frequency", "offset": offset}
    found = posterior(X, y, prior, **options)
    right = minus_log_density(lambda b: loss(b, X, y, weight, offset) + normal(b), 4)
    np.testing.assert_allclose(found.coef, right, atol=2e-7)
    assert found.n_samples == weight.sum()
    repeated = posterior(
        np.repeat(X, weight, axis=0), np.repeat(y, weight), prior, offset=np.repeat(offset, weight)
    )
    np.testing.assert_allclose(repeated.covariance, found.covariance, rtol=1e-9)
    np.testing.assert_allclose(repeated.log_evidence, found.log_evidence, rtol=1e-10)
    for carrier in (np.asfortranarray(X), sp.csr_array(X), sp.csc_matrix(X), pd.DataFrame(X)):
        other = posterior(carrier, y, prior, **options)
        np.testing.assert_allclose(other.coef, found.coef, rtol=1e-8)
        np.testing.assert_allclose(other.predict_proba(carrier), found.predict_proba(X), rtol=1e-9)
    single = posterior(X.astype(np.float32), y, prior, **options)
    np.testing.assert_allclose(single.coef, found.coef, atol=1e-5)


def test_levels_have_names_and_new_rows_are_read_like_the_first() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(0, 3, 120)
    frame = pd.DataFrame({"kind": pd.Categorical.from_codes(level, list("abc"))})
    y = np.array(["no", "yes"])[(rng.random(120) < 0.3 + 0.2 * level).astype(int)]
    found = posterior(frame, y, GaussianPrior(0.0, 1.0))
    assert found.names == ["intercept", "kind[a]", "kind[b]", "kind[c]"]
    dense = posterior((level[:, None] == np.arange(3)).astype(float), y, GaussianPrior(0.0, 1.0))
    np.testing.assert_allclose(found.coef, dense.coef, rtol=1e-9)
    proba = found.predict_proba(frame.iloc[:5], method="quadrature")
    few = (level[:5, None] == np.arange(3)).astype(float)
    np.testing.assert_allclose(proba, dense.predict_proba(few, method="quadrature"), rtol=1e-9)
    assert "Posterior of yes against no" in str(found)


def test_without_an_intercept() -> None:
    X, y = rows()
    found = posterior(X, y, GaussianPrior(MEAN, COVARIANCE), fit_intercept=False)
    right = minus_log_density(
        lambda b: loss(np.append(0.0, b), X, y) + normal(np.append(0.0, b)), 3
    )
    np.testing.assert_allclose(found.coef, right, atol=2e-7)
    assert found.names == ["x0", "x1", "x2"]
    assert found.as_prior().with_intercept is False
    mean, deviation = found.raw_moments(X)
    np.testing.assert_allclose(mean, X @ found.coef, rtol=1e-10)
    np.testing.assert_allclose(
        deviation, np.sqrt(np.einsum("ij,jk,ik->i", X, found.covariance, X)), rtol=1e-9
    )


def test_separated_classes_and_constant_columns_have_a_posterior() -> None:
    X = np.column_stack([np.arange(10.0), np.full(10, 7.0)])
    y = (X[:, 0] > 4.5).astype(int)
    found = posterior(X, y, GaussianPrior([0.0, 0.3], [4.0, 0.25]))
    np.testing.assert_allclose(found.coef[2], 0.3, rtol=1e-9)
    np.testing.assert_allclose(found.standard_deviations[2], 0.5, rtol=1e-9)
    assert found.suboptimality < 1e-12
    right = minus_log_density(lambda b: loss(b, X[:, :1], y) + b[1] ** 2 / 8.0, 2)
    np.testing.assert_allclose(found.coef[1], right[1], atol=1e-6)


# ---- evidence, intervals, predictions


def test_evidence_of_one_coefficient_by_quadrature() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 1))
    y = (rng.random(400) < special.expit(0.7 * X[:, 0])).astype(int)
    prior = stats.norm(0.2, 1.5)

    def relative(b: float) -> float:
        return float(np.exp(-loss(np.array([0.0, b]), X, y) + 240.0) * prior.pdf(b))

    right = np.log(integrate.quad(relative, -1.0, 3.0, points=[0.7])[0]) - 240.0
    found = posterior(X, y, GaussianPrior(0.2, 1.5**2), fit_intercept=False)
    assert abs(found.log_evidence - right) < 2e-3
    other = posterior(X, y, LogFPrior(2.0), fit_intercept=False)  # the logistic distribution
    right = np.log(
        integrate.quad(
            lambda b: np.exp(-loss(np.array([0.0, b]), X, y) + 240.0) * stats.logistic.pdf(b),
            -1.0, 3.0, points=[0.7],
        )[0]
    ) - 240.0  # fmt: skip
    assert abs(other.log_evidence - right) < 2e-3
    cauchy = posterior(X, y, StudentPrior(scale=2.5, standardize=False), fit_intercept=False)
    right = np.log(
        integrate.quad(
            lambda b: np.exp(-loss(np.array([0.0, b]), X, y) + 240.0) * stats.cauchy.pdf(b, 0, 2.5),
            -1.0, 3.0, points=[0.7],
        )[0]
    ) - 240.0  # fmt: skip
    assert abs(cauchy.log_evidence - right) < 2e-3


def test_there_is_no_evidence_of_improper_priors() -> None:
    X, y = rows()
    found = posterior(X, y, GaussianPrior(precision=np.diag([1.0, 0.0, 1.0])))
    assert found.log_evidence is None
    assert "log evidence none" in str(found)
    weighted = posterior(
        X, y, GaussianPrior(0.0, 1.0), sample_weight=np.full(80, 0.5), weights="probability"
    )
    assert weighted.log_evidence is None


def test_a_flat_prior_gives_maximum_likelihood() -> None:
    X, y = rows(200)
    found = posterior(X, y, GaussianPrior(precision=0.0))
    right = fastlogit.infer(fit(X, y, C=np.inf), X, y)
    np.testing.assert_allclose(found.coef, right.coef, rtol=1e-8)
    np.testing.assert_allclose(found.covariance, right.covariance, rtol=1e-7)


def test_intervals() -> None:
    X, y = rows()
    found = posterior(X, y, GaussianPrior(MEAN, COVARIANCE))
    half = stats.norm.ppf(0.95) * np.sqrt(np.diag(found.covariance))
    right = np.column_stack([found.coef - half, found.coef + half])
    np.testing.assert_allclose(found.credible_intervals(0.9), right, rtol=1e-9)
    np.testing.assert_allclose(found.odds_ratio_intervals(0.9), np.exp(right), rtol=1e-9)
    np.testing.assert_allclose(found.odds_ratios, np.exp(found.coef))
    Z = np.column_stack([np.ones(80), X])
    deviation = np.sqrt(np.einsum("ij,jk,ik->i", Z, found.covariance, Z))
    raw = Z @ found.coef
    np.testing.assert_allclose(
        found.proba_intervals(X, level=0.9)[:, 1],
        special.expit(raw + stats.norm.ppf(0.95) * deviation), rtol=1e-9,
    )  # fmt: skip
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        found.credible_intervals(95)


@pytest.mark.parametrize("spread", [0.3, 3.0, 30.0])
def test_predictive_probabilities(spread: float) -> None:
    X, y = rows()
    found = posterior(X, y, GaussianPrior(MEAN, COVARIANCE))
    far = spread * X[:6]
    offset = np.linspace(-2.0, 2.0, 6)
    mean, deviation = found.raw_moments(far, offset)
    right = [
        integrate.quad(
            lambda z, m=m, s=s: special.expit(m + s * z) * stats.norm.pdf(z), -9.0, 9.0,
            points=[float(np.clip(-m / s, -8.9, 8.9))], limit=500, epsabs=1e-12,
        )[0]
        for m, s in zip(mean, deviation, strict=True)
    ]  # fmt: skip
    exact = found.predict_proba(far, offset=offset, method="quadrature")
    np.testing.assert_allclose(exact[:, 1], right, atol=2e-8)
    np.testing.assert_allclose(exact.sum(axis=1), 1.0)
    probit = found.predict_proba(far, offset=offset)
    np.testing.assert_allclose(
        probit[:, 1], special.expit(mean / np.sqrt(1.0 + np.pi * deviation**2 / 8.0)), rtol=1e-12
    )
    assert np.abs(probit - exact).max() < 0.02
    mode = found.predict_proba(far, offset=offset, method="mode")
    np.testing.assert_allclose(mode[:, 1], special.expit(mean), rtol=1e-12)


def test_a_posterior_is_the_next_prior() -> None:
    X, y = rows(2_000)
    prior = GaussianPrior(MEAN, COVARIANCE)
    at_once, step_by_step = posterior(X, y, prior), prior
    for part in np.array_split(np.arange(2_000), 4):
        found = posterior(X[part], y[part], step_by_step)
        step_by_step = found.as_prior()
    assert step_by_step.with_intercept is True
    # Laplace's approximation of each part leaves a small error.
    assert np.abs((found.coef - at_once.coef) / at_once.standard_deviations).max() < 0.2
    np.testing.assert_allclose(found.standard_deviations, at_once.standard_deviations, rtol=0.05)
    first = posterior(X[:500], y[:500], prior)
    whole = np.linalg.inv(first.covariance)
    right = minus_log_density(
        lambda b: loss(b, X[500:], y[500:]) + 0.5 * (b - first.coef) @ whole @ (b - first.coef), 4
    )
    second = posterior(X[500:], y[500:], first.as_prior())
    np.testing.assert_allclose(second.coef, right, atol=1e-6)


# ---- log-F


def test_log_f_is_maximum_likelihood_of_augmented_rows() -> None:
    X, y = rows()
    prior = LogFPrior([1.0, 2.0, 5.0], scale=[1.0, 0.5, 2.0])
    found = posterior(X, y, prior)
    data = pseudo_rows(X, y, prior)
    assert data.X.shape == (86, 4)
    whole = fit(data.X, data.y, sample_weight=data.sample_weight, intercept=None)
    np.testing.assert_allclose(whole.coef, found.coef, atol=1e-6)
    p = special.expit(data.X @ found.coef)
    information = data.X.T @ (data.X * (data.sample_weight * p * (1.0 - p))[:, None])
    np.testing.assert_allclose(found.covariance, np.linalg.inv(information), rtol=1e-9)
    # The rows of the prior are none of the data.
    assert found.n_samples == 80
    assert found.is_proven
    assert found.suboptimality < 1e-14
    np.testing.assert_allclose(found.log_likelihood, -loss(found.coef, X, y))


def test_pseudo_rows_of_sparse_and_weighted_data() -> None:
    X, y = rows()
    dense = pseudo_rows(X, y, LogFPrior(2.0), sample_weight=np.arange(80.0))
    thin = pseudo_rows(sp.csr_array(X), y, LogFPrior(2.0), sample_weight=np.arange(80.0))
    np.testing.assert_array_equal(thin.X.toarray(), dense.X)
    np.testing.assert_array_equal(thin.sample_weight, np.append(np.arange(80.0), np.ones(6)))
    np.testing.assert_array_equal(dense.X[-3:, 1:], np.eye(3))
    assert dense.y[-6:].tolist() == [0, 0, 0, 1, 1, 1]


def test_log_f_of_a_separated_table() -> None:
    """No events among the exposed: the odds ratio has a finite mode, by one equation."""
    exposed = np.repeat([0.0, 1.0], [60, 20])[:, None]
    y = np.append(np.arange(60) % 4 == 0, np.zeros(20)).astype(int)
    found = posterior(exposed, y, LogFPrior(1.0))
    level = special.logit(15.0 / 60.0)

    def slope(coef: float) -> float:
        # The exposed pull the intercept: solve for it within.
        inner = optimize.brentq(
            lambda a: 60 * special.expit(a) + 20 * special.expit(a + coef) - 15.0, -20, 20,
            xtol=1e-14,
        )  # fmt: skip
        return float(20 * special.expit(inner + coef) + special.expit(coef) - 0.5)

    np.testing.assert_allclose(found.coef[1], optimize.brentq(slope, -20, 0, xtol=1e-13), atol=1e-9)
    assert abs(found.coef[0] - level) < 0.1


# ---- Student's t


@pytest.mark.parametrize("df", [1.0, 7.0])
def test_student(df: float) -> None:
    X, y = rows()
    prior = StudentPrior(df, scale=[2.5, 1.0, 0.5], intercept_scale=10.0, standardize=False)
    found = posterior(X, y, prior)
    scale = np.array([10.0, 2.5, 1.0, 0.5])

    def whole(b: Any) -> float:
        return loss(b, X, y) - float(stats.t.logpdf(b, df, 0.0, scale).sum())

    np.testing.assert_allclose(found.coef, minus_log_density(whole, 4), atol=1e-6)
    away = found.coef
    wide = df * scale**2
    curved = (df + 1.0) * (wide - away**2) / (wide + away**2) ** 2
    np.testing.assert_allclose(
        found.covariance, np.linalg.inv(hessian(away, X) + np.diag(curved)), rtol=1e-8
    )
    assert not found.is_proven
    assert found.suboptimality < 1e-12


def test_student_scales_as_gelman_does() -> None:
    X, y = rows()
    X = np.column_stack([X, np.where(np.arange(80) % 2, 4.0, 1.0)])
    found = posterior(X, y, StudentPrior())
    scale = 2.5 / np.append(2.0 * X[:, :3].std(axis=0, ddof=1), 3.0)
    own = posterior(X, y, StudentPrior(scale=scale, standardize=False))
    np.testing.assert_allclose(found.coef, own.coef, rtol=1e-9)
    free = posterior(X, y, StudentPrior(intercept_scale=None))
    assert abs(free.coef[0]) > abs(found.coef[0])


def test_student_far_from_its_centre() -> None:
    """A Hessian that is not convex on the way, on separated data with large coefficients."""
    X = np.column_stack([np.arange(20.0), np.arange(20.0) % 3])
    y = (X[:, 0] > 9.5).astype(int)
    prior = StudentPrior(scale=0.01, intercept_scale=0.01, standardize=False)
    found = posterior(X, y, prior)

    def whole(b: Any) -> float:
        return loss(b, X, y) - float(stats.t.logpdf(b, 1.0, 0.0, 0.01).sum())

    near = optimize.minimize(whole, found.coef, method="BFGS", options={"gtol": 1e-8})
    np.testing.assert_allclose(near.x, found.coef, atol=1e-4)
    assert whole(found.coef) <= near.fun + 1e-9


# ---- what is refused


@pytest.mark.parametrize(
    ("prior", "error", "says"),
    [
        (lambda: GaussianPrior(), ValueError, "either a covariance or a precision"),
        (lambda: GaussianPrior(0.0, -1.0), ValueError, "variances must be above 0, got -1"),
        (lambda: GaussianPrior(0.0, [[1.0, 0.5], [0.2, 1.0]]), ValueError, "must be symmetric"),
        (lambda: GaussianPrior(0.0, [[1.0, 1.0], [1.0, 1.0]]), ValueError, "positive eigenvalues"),
        (lambda: GaussianPrior(0.0, np.ones((2, 3))), ValueError, "square matrix, got shape"),
        (lambda: GaussianPrior([0.0, 1.0], np.eye(3)), ValueError, "mean has 2 coefficients, but"),
        (lambda: GaussianPrior(np.nan, 1.0), ValueError, "mean has values that are NaN"),
        (lambda: GaussianPrior("a", 1.0), TypeError, "mean"),
        (lambda: LogFPrior(0.0), ValueError, "m must be a number above 0"),
        (lambda: StudentPrior(-1.0), ValueError, "df must be finite and > 0"),
        (lambda: StudentPrior(standardize=1), TypeError, "standardize must be True or False"),
    ],
)
def test_priors_that_are_none(prior: Any, error: Any, says: str) -> None:
    with pytest.raises(error, match=says):
        prior()


def test_priors_of_other_models() -> None:
    X, y = rows()
    with pytest.raises(
        ValueError, match="of 2 coefficients, but the model has 3 besides the inter"
    ):
        posterior(X, y, GaussianPrior([0.0, 0.0], 1.0))
    with pytest.raises(ValueError, match="has an intercept"):
        posterior(X, y, GaussianPrior(0.0, 1.0, with_intercept=True), fit_intercept=False)
    with pytest.raises(ValueError, match="m of the prior has 2 numbers for 3 columns"):
        posterior(X, y, LogFPrior([1.0, 2.0]))
    with pytest.raises(TypeError, match="prior must be a GaussianPrior"):
        posterior(X, y, 1.0)
    with pytest.raises(ValueError, match="3 classes, and posterior is for two"):
        posterior(X, np.arange(80) % 3, GaussianPrior(0.0, 1.0))
    with pytest.raises(ValueError, match="leave a direction of the coefficients open"):
        posterior(np.column_stack([X, X[:, 0]]), y, GaussianPrior(precision=0.0))
    with pytest.raises(ValueError, match="leave a direction of the coefficients open"):
        posterior(X, (X[:, 0] > 0).astype(int), GaussianPrior(precision=np.diag([0.0, 1.0, 1.0])))
    with pytest.raises(TypeError, match="is worth no rows"):
        pseudo_rows(X, y, StudentPrior())
    with pytest.raises(ValueError, match="X has 2 columns, but the fit had 3"):
        posterior(X, y, GaussianPrior(0.0, 1.0)).predict_proba(X[:, :2])
    with pytest.raises(ValueError, match="method must be one of"):
        posterior(X, y, GaussianPrior(0.0, 1.0)).predict_proba(X, method="exact")


def test_offsets_of_hundreds_are_followed_and_of_thousands_blamed() -> None:
    """Most rows have no curvature in float64 where Newton's method begins."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2))
    y = X[:, 0] + rng.logistic(size=200) > 0.0
    unit, prior = rng.normal(size=200), GaussianPrior(0.0, 4.0)
    for size in (50.0, 300.0):
        found = posterior(X, y, prior, offset=size * unit)

        def lacking(theta: Any, size: float = size) -> Any:
            raw = theta[0] + X @ theta[1:] + size * unit
            of_rows = np.column_stack([np.ones(200), X]).T @ (special.expit(raw) - y)
            return of_rows + np.append(0.0, theta[1:] / 4.0)

        np.testing.assert_allclose(lacking(found.coef), 0.0, atol=1e-7)
        assert found.suboptimality < 1e-10
    with pytest.raises(ValueError, match=r"the offset is between -.* look at its unit"):
        posterior(X, y, prior, offset=1e8 * unit)
    # An offset opens no direction, nor closes one.
    with pytest.raises(ValueError, match="leave a direction of the coefficients open"):
        posterior(np.c_[X, X], y, GaussianPrior(precision=0.0), offset=300.0 * unit)
