"""Margins, predictions, diagnostics and profile intervals of other links, beside statsmodels."""

import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.optimize import brentq, minimize
from test_links import LINKS, STATSMODELS, drawn

import fastlogit
from fastlogit import reference
from fastlogit.objective.links import link_loss

pytestmark = pytest.mark.jit
HALF_CHI2 = 1.920729410347062  # of one degree of freedom, at 0.95


def studied(link, n=300):
    """An inference, its rows with a column of 0 and 1 last, and what statsmodels fits."""
    X, y, rng = drawn(link, n)
    X = np.column_stack([X, rng.random(n) < 0.5])
    found = fastlogit.infer(fastlogit.fit(X, y, link=link, C=np.inf), X, y)
    Z = sm.add_constant(X)
    return found, X, y, Z, sm.GLM(y, Z, sm.families.Binomial(STATSMODELS[link])).fit(tol=1e-14)


@pytest.mark.parametrize("link", LINKS)
def test_slopes_are_derivatives_of_the_probability(link) -> None:
    loss, raw, step = link_loss(link), np.linspace(-9.0, 3.0, 60), 1e-5
    ends = [loss.probabilities(raw + sign * step)[:, 1] for sign in (1, -1)]
    first, second = loss.slopes(raw)
    np.testing.assert_allclose(first, (ends[0] - ends[1]) / (2 * step), atol=1e-10)
    slopes = [loss.slopes(raw + sign * step)[0] for sign in (1, -1)]
    np.testing.assert_allclose(second, (slopes[0] - slopes[1]) / (2 * step), atol=1e-9)
    far = np.array([-1e300, -1e10, -800.0, 800.0, 1e10, 1e300])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(loss.slopes(far), 0.0, atol=1e-300)
        curvature = loss.rows(far, np.ones(6, dtype=bool))[2]
    # Sure events curve nothing; the loss of impossible ones is z^2 / 2, or -z.
    np.testing.assert_allclose(curvature, [link == "probit"] * 3 + [0] * 3, rtol=1e-5)


def test_margins_of_a_probit_are_those_of_statsmodels() -> None:
    found, _, y, Z, _ = studied("probit")
    peer = sm.Probit(y, Z).fit(disp=0, tol=1e-14)
    for own, options in (
        ({}, {}), ({"at": "mean"}, {"at": "mean"}), ({"method": "eyex"}, {"method": "eyex"}),
        ({"discrete": "auto"}, {"dummy": True}),
    ):  # fmt: skip
        margins, wanted = found.marginal_effects(**own), peer.get_margeff(**options)
        np.testing.assert_allclose(margins.estimates, wanted.margeff, rtol=1e-8)
        np.testing.assert_allclose(margins.standard_errors, wanted.margeff_se, rtol=1e-8)


@pytest.mark.parametrize("link", LINKS)
def test_margins_by_differences(link) -> None:
    found, X, _, Z, _ = studied(link)
    loss = link_loss(link)
    set_to = [np.where(np.arange(5) == 4, value, Z) for value in (0.0, 1.0)]

    def margins(coef):
        first, proba = loss.slopes(Z @ coef)[0], loss.probabilities(Z @ coef)[:, 1]
        risks = [loss.probabilities(rows @ coef)[:, 1].mean() for rows in set_to]
        each = (first * coef[1]).mean(), (first / proba * coef[1] * X[:, 0]).mean()
        return np.array([*each, proba.mean(), risks[1] - risks[0], risks[1] / risks[0]])

    moves = 1e-6 * np.eye(5)
    J = np.array([(margins(found.coef + e) - margins(found.coef - e)) / 2e-6 for e in moves]).T
    errors = np.sqrt(np.diag(J @ found.covariance @ J.T))
    for place, own in enumerate((
        found.marginal_effects("x0"), found.marginal_effects("x0", method="eyex"),
        found.average_predictions(), found.comparisons("x3"),
        found.comparisons("x3", measure="ratio"),
    )):  # fmt: skip
        assert own.estimates[0] == pytest.approx(margins(found.coef)[place], rel=1e-9)
        assert own.standard_errors[0] == pytest.approx(errors[place], rel=1e-6)


@pytest.mark.parametrize("link", LINKS)
def test_predictions_have_intervals_by_the_link(link) -> None:
    found, X, _, Z, _ = studied(link)
    rows, loss = found.predict(X[:7]), link_loss(link)
    errors = np.sqrt(np.einsum("ni,ij,nj->n", Z[:7], found.covariance, Z[:7]))
    raw = Z[:7] @ found.coef
    np.testing.assert_allclose(rows.estimates, loss.probabilities(raw)[:, 1], rtol=1e-10)
    np.testing.assert_allclose(rows.standard_errors, errors * loss.slopes(raw)[0], rtol=1e-7)
    ends = [loss.probabilities(raw + side * 1.959963984540054 * errors)[:, 1] for side in (-1, 1)]
    np.testing.assert_allclose(rows.conf_int().T, ends, rtol=1e-8)
    np.testing.assert_array_equal(rows.conf_int(method=link), rows.conf_int())
    with pytest.raises(ValueError, match="method must be one of"):
        rows.conf_int(method="logit")


@pytest.mark.parametrize("link", LINKS)
def test_residuals_and_leverages_are_those_of_statsmodels(link) -> None:
    found, _, y, _, peer = studied(link)
    own = found.diagnostics()
    for values, wanted in (
        (own.probability, peer.mu), (own.pearson, peer.resid_pearson),
        (own.deviance, peer.resid_deviance), (own.leverage, peer.get_hat_matrix_diag()),
    ):  # fmt: skip
        np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-7)
    assert own.leverage.sum() == pytest.approx(5.0, rel=1e-9)
    expected = np.bincount(np.argsort(np.argsort(peer.mu)) // 30, peer.mu)
    np.testing.assert_allclose(
        np.sort(own.hosmer_lemeshow().expected), np.sort(expected), rtol=0.01
    )
    public = fastlogit.calibration(y, peer.mu)
    assert own.calibration().slope == pytest.approx(public.slope, rel=1e-6)
    with pytest.raises(ValueError, match="link_test fits logistic regressions"):
        own.link_test()
    assert list(own.to_frame().columns)[:2] == ["probability", "pearson"]
    assert set(own.variance_inflation().terms) == {"x0", "x1", "x2", "x3"}


@pytest.mark.parametrize("link", LINKS)
def test_influence_is_one_newton_step(link) -> None:
    found, _, y, Z, _ = studied(link, 80)
    own = found.diagnostics()
    _, residual, curvature = link_loss(link).rows(Z @ found.coef, y == 1)
    H = (Z.T * curvature) @ Z
    moved = np.array([
        np.linalg.solve(H - curvature[row] * np.outer(each, each), each * residual[row])
        for row, each in enumerate(Z)
    ])  # fmt: skip
    np.testing.assert_allclose(own.dfbetas, -moved / found.standard_errors, rtol=1e-6, atol=1e-10)
    distance = np.einsum("ni,ij,nj->n", moved, H, moved) / 5
    np.testing.assert_allclose(own.cooks_distance, distance, rtol=1e-6, atol=1e-12)
    others = np.delete(Z, 1, axis=1) * np.sqrt(curvature)[:, None]
    column = Z[:, 1] * np.sqrt(curvature)
    left = column - others @ np.linalg.lstsq(others, column)[0]
    np.testing.assert_allclose(own.added_variable("x0"), left, atol=1e-8)


@pytest.mark.parametrize("link", LINKS)
def test_frequencies_are_rows_in_diagnostics_and_margins(link) -> None:
    X, y, rng = drawn(link, 150)
    weight = rng.integers(0, 3, 150)
    rows = np.repeat(np.arange(150), weight)
    result = fastlogit.fit(X, y, link=link, C=np.inf, sample_weight=weight)
    known = {"sample_weight": weight, "weights": "frequency"}
    found = fastlogit.infer(result, X, y, **known)
    wanted = fastlogit.infer(result, X[rows], y[rows])
    for name in ("leverage", "pearson", "deviance", "cooks_distance", "studentized"):
        own = getattr(found.diagnostics(), name)
        np.testing.assert_allclose(own[rows], getattr(wanted.diagnostics(), name), rtol=1e-7)
        assert np.isnan(own[weight == 0]).all()
    one, other = found.marginal_effects(), wanted.marginal_effects()
    np.testing.assert_allclose(one.standard_errors, other.standard_errors, rtol=1e-7)


@pytest.mark.parametrize("link", LINKS)
def test_profile_intervals_by_root_finding(link) -> None:
    X, y, _ = drawn(link, 80)
    X = X[:, :2]
    result = fastlogit.fit(X, y, link=link, C=np.inf)
    found = fastlogit.profile_intervals(result, X, y)
    by_inference = fastlogit.infer(result, X, y).conf_int(method="profile")
    np.testing.assert_allclose(found.intervals, by_inference, rtol=1e-10)

    def fall(value):
        def cost(rest):
            offset = value * X[:, 0]
            return 80 * reference.link_cost(X[:, 1:], y, rest[:1], rest[1], link, offset=offset)

        least = minimize(cost, np.zeros(2), method="BFGS", options={"gtol": 1e-6}).fun
        return least + found.log_likelihood - HALF_CHI2

    for end, away in zip(found.intervals[1], (-3.0, 3.0), strict=True):
        assert end == pytest.approx(brentq(fall, found.coef[1], found.coef[1] + away), rel=1e-6)
    assert "odds_low" not in found.to_frame().columns
    with pytest.raises(ValueError, match="has no odds ratios"):
        found.odds_ratio_intervals  # noqa: B018


@pytest.mark.parametrize("link", LINKS)
def test_profile_intervals_of_separable_classes_have_one_end(link) -> None:
    X = np.repeat([[0.0], [1.0]], 5, axis=0)
    y = np.array([0, 1, 0, 1, 0, 1, 1, 1, 1, 1])
    with pytest.warns(fastlogit.SeparationWarning):
        result = fastlogit.fit(X, y, link=link, C=np.inf)
    found = fastlogit.profile_intervals(result, X, y)

    def fall(value):
        def cost(level):
            return 10 * reference.link_cost(X, y, [value], level[0], link)

        least = minimize(cost, np.zeros(1), method="BFGS", options={"gtol": 1e-6}).fun
        return least + found.log_likelihood - HALF_CHI2

    assert found.intervals[1, 0] == pytest.approx(brentq(fall, -2.0, 3.0), rel=1e-6)
    assert found.intervals[1, 1] == np.inf


def test_profile_intervals_of_shares() -> None:
    """Of counts those of single events; of others there is no likelihood; separable are refused."""
    X = np.array([0.0, 0.4, 1.0, 1.7, 2.0])[:, None]
    trials, events = np.array([6, 5, 7, 4, 6]), np.array([1, 2, 3, 3, 5])
    share = events / trials
    known = {"fractional": True, "C": np.inf, "link": "probit"}
    result = fastlogit.fit(X, share, sample_weight=trials, **known)
    found = fastlogit.profile_intervals(result, X, share, sample_weight=trials, weights="frequency")
    rows = np.repeat(X, trials, axis=0)
    y = np.concatenate([np.arange(n) < k for n, k in zip(trials, events, strict=True)])
    single = fastlogit.fit(rows, y, C=np.inf, link="probit")
    wanted = fastlogit.profile_intervals(single, rows, y)
    np.testing.assert_allclose(found.intervals, wanted.intervals, rtol=1e-7)
    plain = fastlogit.fit(X, share, **known)
    with pytest.raises(ValueError, match=r"of shares that are no counts .* no likelihood"):
        fastlogit.profile_intervals(plain, X, share)
    sure = (X[:, 0] > 0.5).astype(float)
    with pytest.warns(fastlogit.SeparationWarning):
        result = fastlogit.fit(X, sure, sample_weight=trials, **known)
    with pytest.raises(ValueError, match="separable"):
        fastlogit.profile_intervals(result, X, sure, sample_weight=trials, weights="frequency")


def test_a_bootstrap_of_another_link_is_refused() -> None:
    found, X, y, _, _ = studied("probit", 80)
    drawn_again = fastlogit.bootstrap(X, y, 4, C=np.inf, random_state=0)
    with pytest.raises(ValueError, match="link='logit', the inference link='probit'"):
        found.marginal_effects(bootstrap=drawn_again)
