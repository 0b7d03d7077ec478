"""`high_dimensional`: published constants, the equations by other means, and simulations."""

from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

import fastlogit
from fastlogit import fit, high_dimensional, infer
from fastlogit.inference.state_evolution import prox, state_of_rows, state_of_signal

pytestmark = pytest.mark.jit


def simulate(
    n: int, p: int, gamma: float, theta: float, seed: int, correlation: float = 0.5
) -> tuple[Any, Any, Any]:
    """Normal columns of an autoregression, a quarter of them with an effect."""
    rng = np.random.default_rng(seed)
    covariance = correlation ** np.abs(np.subtract.outer(np.arange(p), np.arange(p)))
    X = rng.normal(size=(n, p)) @ np.linalg.cholesky(covariance).T
    coef = np.zeros(p)
    coef[: p // 4] = rng.choice([-1.0, 1.0], p // 4)
    coef *= gamma / np.sqrt(coef @ covariance @ coef)
    y = (rng.random(n) < special.expit(theta + X @ coef)).astype(int)
    return X, y, coef


# ---- the equations


def test_published_constants() -> None:
    """Sur and Candes (2019): kappa = 0.2, gamma^2 = 5, of maximum likelihood without intercept."""
    state = state_of_signal(0.2, np.sqrt(5.0))
    assert state is not None
    np.testing.assert_allclose(
        [state.mu, state.sigma, state.b], [1.4994, 4.7436, 3.0269], atol=6e-5
    )


def test_of_few_columns_the_usual_theory_holds() -> None:
    gamma = 1.5
    state = state_of_signal(1e-3, gamma)
    assert state is not None
    curvature = integrate.quad(
        lambda z: special.expit(gamma * z) * special.expit(-gamma * z) * stats.norm.pdf(z), -9, 9
    )[0]
    np.testing.assert_allclose(state.mu, 1.0, atol=3e-3)
    np.testing.assert_allclose(state.sigma**2, 1.0 / curvature, rtol=1e-2)
    np.testing.assert_allclose(state.b, 1e-3 / curvature, rtol=1e-2)
    np.testing.assert_allclose(1e-3 * state.sigma**2 / state.b, 1.0, rtol=3e-3)


def test_equations_by_random_numbers() -> None:
    """The four equations of a model with an intercept and drawn labels, averaged over draws."""
    kappa, alpha = 0.4, 0.7
    state = state_of_signal(kappa, 1.2, alpha, 0.6)
    assert state is not None
    rng = np.random.default_rng(0)
    signal, noise = rng.normal(size=(2, 400_000))
    y = rng.random(400_000) < special.expit(0.6 + 1.2 * signal)
    target = np.where(y, 0.5 + 0.5 * alpha, 0.5 - 0.5 * alpha)
    raw = state.level + state.mu * 1.2 * signal + np.sqrt(kappa) * state.sigma * noise
    near = prox(state.b, raw + state.b * target)
    np.testing.assert_allclose(near + state.b * special.expit(near), raw + state.b * target)
    residual = target - special.expit(near)
    curved = special.expit(near) * special.expit(-near)
    np.testing.assert_allclose((residual * signal).mean(), 0.0, atol=3e-3)
    np.testing.assert_allclose(residual.mean(), 0.0, atol=3e-3)
    np.testing.assert_allclose((1.0 / (1.0 + state.b * curved)).mean(), 1.0 - kappa, atol=3e-3)
    np.testing.assert_allclose(
        np.sqrt((residual**2).mean()) * state.b / kappa, state.sigma, rtol=5e-3
    )


@pytest.mark.parametrize(
    ("kappa", "gamma", "alpha", "theta"),
    [
        (0.01, 1.0, 1.0, None),
        (0.2, 2.0, 1.0, 0.5),
        (0.5, 2.0, 0.6, None),
        (0.7, 1.0, 0.6, -0.5),
    ],
)
def test_moments_of_the_rows_tell_the_signal(
    kappa: float, gamma: float, alpha: float, theta: Any
) -> None:
    state = state_of_signal(kappa, gamma, alpha, theta)
    assert state is not None
    spread = np.sqrt(state.mu**2 * gamma**2 + kappa * state.sigma**2)
    agreement = integrate.quad(
        lambda z: z * special.expit((theta or 0.0) + gamma * z) * stats.norm.pdf(z), -9, 9
    )[0]
    found = state_of_rows(
        kappa, None if theta is None else state.level, alpha, spread=spread,
        agreement=state.mu * gamma * agreement,
    )  # fmt: skip
    assert found is not None
    np.testing.assert_allclose(found, state, rtol=1e-5, atol=1e-6)


def test_beyond_the_phase_transition_there_is_no_maximum_likelihood() -> None:
    assert state_of_signal(0.45, np.sqrt(5.0)) is None
    assert state_of_signal(0.45, np.sqrt(5.0), alpha=1.0 / 1.45) is not None


# ---- simulations


def test_maximum_likelihood_is_corrected() -> None:
    inside, plain, wide, slopes = [], [], [], []
    for seed in range(3):
        X, y, coef = simulate(1_500, 300, np.sqrt(5.0), 0.0, seed, correlation=0.0)
        found = high_dimensional(X, y, alpha=1.0)
        low, high = found.conf_int().T
        inside.append((low <= coef) & (coef <= high))
        half = stats.norm.ppf(0.975) * found.uncorrected_errors
        plain.append(np.abs(found.uncorrected - coef) <= half)
        wide.append(np.abs((found.coef - coef) / found.standard_errors))
        slopes.append(coef @ found.coef / (coef @ coef))
        assert abs(found.mu - 1.4994) < 0.12
        assert abs(found.gamma - np.sqrt(5.0)) < 0.3
    assert abs(np.mean(inside) - 0.95) < 0.02
    assert np.mean(plain) < 0.87
    assert abs(np.mean(slopes) - 1.0) < 0.06
    assert abs(np.sqrt(np.mean(np.square(wide))) - 1.0) < 0.06


def test_correlated_columns_and_an_intercept() -> None:
    X, y, coef = simulate(2_000, 300, 1.5, 0.8, 4)
    found = high_dimensional(X + 2.0, y, alpha=1.0)
    assert abs(np.mean(np.abs(found.coef - coef) < 1.96 * found.standard_errors) - 0.95) < 0.03
    # The intercept is that of columns whose mean is 2.
    np.testing.assert_allclose(found.intercept + 2.0 * found.coef.sum(), 0.8, atol=0.25)


def test_drawn_labels_where_there_is_no_maximum_likelihood() -> None:
    X, y, coef = simulate(600, 300, 2.0, 0.3, 0)
    with pytest.raises(ValueError, match=r"completely separable.*high_dimensional\(X, y, alpha="):
        high_dimensional(X, y, alpha=1.0)
    found = high_dimensional(X, y)
    assert found.alpha == 1.0 / 1.5
    assert abs(np.mean(np.abs(found.coef - coef) < 1.96 * found.standard_errors) - 0.95) < 0.03
    assert abs(coef @ found.coef / (coef @ coef) - 1.0) < 0.25


def test_likelihood_ratios_are_rescaled() -> None:
    X, y, _ = simulate(1_000, 200, 1.5, 0.0, 7, correlation=0.0)
    for alpha in (1.0, 0.8):
        found = high_dimensional(X, y, alpha=alpha)
        statistics = [
            found.likelihood_ratio_test(f"x{place}").statistic for place in range(50, 200, 6)
        ]
        assert abs(np.mean(statistics) - 1.0) < 0.5
        waited = (found.statistics[50:200:6]) ** 2
        assert np.corrcoef(statistics, waited)[0, 1] > 0.99
    test = found.likelihood_ratio_test(["x60", "x61"])
    assert (test.kind, test.hypothesis, test.df) == ("likelihood ratio", "x60, x61", 2.0)
    np.testing.assert_allclose(test.p_value, stats.chi2.sf(test.statistic, 2), rtol=1e-9)


# ---- against plain formulas


def test_the_fit_and_the_covariance() -> None:
    X, y, _ = simulate(300, 20, 1.0, 0.2, 1)
    alpha = 0.9
    found = high_dimensional(X, y, alpha=alpha)
    Z = np.column_stack([np.ones(300), X])
    target = alpha * y + 0.5 * (1.0 - alpha)

    def cost(b: Any) -> tuple[float, Any]:
        raw = Z @ b
        value = (np.logaddexp(0.0, raw) - target * raw).sum()
        return float(value), Z.T @ (special.expit(raw) - target)

    right = optimize.minimize(cost, np.zeros(21), jac=True, options={"gtol": 1e-9}).x
    np.testing.assert_allclose(found.uncorrected, right[1:], atol=1e-6)
    np.testing.assert_allclose(found.coef, found.uncorrected / found.mu, rtol=1e-12)
    p = special.expit(Z @ right)
    inverse = np.linalg.inv(Z.T @ (Z * (p * (1.0 - p))[:, None]))
    np.testing.assert_allclose(found.uncorrected_errors, np.sqrt(np.diag(inverse))[1:], rtol=1e-5)
    h = np.einsum("ij,jk,ik->i", Z, inverse, Z)
    others = Z @ right - h * (target - p) / (1.0 - h * p * (1.0 - p))
    agreement = np.cov(others, y, ddof=0)[0, 1]
    state = state_of_rows(20 / 300, others.mean(), alpha, spread=others.std(), agreement=agreement)
    assert state is not None
    right = [state.mu, state.sigma, state.gamma]
    np.testing.assert_allclose([found.mu, found.sigma, found.gamma], right, rtol=1e-4)
    # tau_j^2: the residual variance of a column on the others.
    residual = (
        X[:, 3] - np.delete(Z, 4, axis=1) @ np.linalg.lstsq(np.delete(Z, 4, axis=1), X[:, 3])[0]
    )
    tau = np.sqrt(residual @ residual / (300 - 20))
    np.testing.assert_allclose(
        found.standard_errors[3], found.sigma / (np.sqrt(300) * tau * found.mu), rtol=1e-8
    )


def test_infer_corrects_a_fit() -> None:
    X, y, _ = simulate(600, 60, 1.0, 0.2, 2)
    right = high_dimensional(X, y, alpha=1.0)
    result = fit(X, y, C=np.inf)
    found = infer(result, X, y, correction="high-dimensional")
    np.testing.assert_allclose(found.coef, right.coef, rtol=1e-7)
    np.testing.assert_allclose(found.covariance, right.covariance, rtol=1e-6)
    model = fastlogit.LogisticRegression(C=np.inf).fit(X, y)
    other = model.inference(X, y, correction="high-dimensional")
    np.testing.assert_allclose(other.coef, right.coef, rtol=1e-7)
    assert "60 columns, 600 rows" in str(found)
    assert "and 20 more" in str(found)
    with pytest.raises(ValueError, match="has a covariance of its own"):
        infer(result, X, y, correction="high-dimensional", cov_type="HC0")
    with pytest.raises(ValueError, match="knows no offset"):
        infer(result, X, y, correction="high-dimensional", offset=np.zeros(600) + 0.1)
    with pytest.raises(ValueError, match="correction must be one of 'high-dimensional'"):
        infer(result, X, y, correction="bartlett")


def test_rows_of_weight_0_are_left_out() -> None:
    X, y, _ = simulate(400, 20, 1.0, 0.2, 3)
    weight = (np.arange(400) % 5 > 0).astype(float)
    kept = weight > 0.0
    found = high_dimensional(X, y, sample_weight=weight)
    right = high_dimensional(X[kept], y[kept])
    assert found.n_samples == 320
    np.testing.assert_allclose(found.coef, right.coef, rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors, right.standard_errors, rtol=1e-6)
    np.testing.assert_allclose(found.intercept, right.intercept, rtol=1e-5)


def test_refusals() -> None:
    X, y, _ = simulate(100, 5, 1.0, 0.0, 0)
    with pytest.raises(ValueError, match="knows no weights"):
        high_dimensional(X, y, sample_weight=np.linspace(1.0, 2.0, 100))
    with pytest.raises(ValueError, match="3 classes"):
        high_dimensional(X, np.arange(100) % 3)
    with pytest.raises(ValueError, match="100 columns and 100 rows: the theory needs more rows"):
        high_dimensional(np.random.default_rng(0).normal(size=(100, 100)), y)
    with pytest.raises(ValueError, match="coefficients of x5"):
        high_dimensional(np.column_stack([X, X[:, 0] + X[:, 1]]), y)
    with pytest.raises(ValueError, match="alpha must be finite"):
        high_dimensional(X, y, alpha=1.5)
    with pytest.raises(ValueError, match="takes names of columns"):
        high_dimensional(X, y).likelihood_ratio_test("age")


@pytest.mark.parametrize("alpha", ["auto", 1.0])
def test_labels_that_no_column_tells(alpha: Any) -> None:
    """By chance rows are predicted worse than without a signal in half of all samples."""
    covered, weak = [], 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        X, y = rng.normal(size=(400, 40)), rng.random(400) < 0.4
        found = high_dimensional(X, y, alpha=alpha)
        weak += found.gamma < 0.011
        low, high = found.conf_int().T
        covered.append(np.mean((low < 0.0) & (high > 0.0)))
    assert 0 < weak < 8
    assert 0.91 < np.mean(covered) < 0.98


def test_counts_as_weights_are_refused() -> None:
    X, y, _ = simulate(200, 20, 1.0, 0.0, 0)
    with pytest.raises(ValueError, match="knows no weights"):
        infer(
            fit(X, y, C=np.inf), X, y, sample_weight=np.full(200, 2.0), weights="frequency",
            correction="high-dimensional",
        )  # fmt: skip
