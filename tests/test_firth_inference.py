"""Inference of fits of reduced bias: errors, penalised tests, profile intervals, tables."""

from typing import Any

import firthmodels
import numpy as np
import pytest
from scipy import optimize, stats
from test_firth import X12, Y12, R, all_of, columns, random_rows

from fastlogit import compare_models, fit, infer, reference
from fastlogit.bias_reduction import profile
from fastlogit.inference.bias_reduced import BiasReducedInference
from fastlogit.model_file import Model, load_model, save_model

pytestmark = pytest.mark.jit

HALF = 0.5 * stats.chi2.ppf(0.95, 1)


def least_cost(X: Any, y: Any, place: int, value: float, weight: Any, offset: Any) -> float:
    """Least cost of Firth with one coefficient held, by the oracle; not that of the intercept."""
    fixed = (np.zeros(len(X)) if offset is None else offset) + value * X[:, place - 1]
    return reference.firth(X, y, weight, fixed, held=place - 1)[2]


def profile_end(X: Any, y: Any, place: int, side: int, weight: Any, offset: Any) -> float:
    """The end of a profile interval by brentq over fits of the oracle."""
    coef, _, least = reference.firth(X, y, weight, offset)
    inner = coef[place - 1]
    outer = inner + side
    while least_cost(X, y, place, outer, weight, offset) < least + HALF:
        outer = inner + 2.0 * (outer - inner)
    return float(
        optimize.brentq(
            lambda t: least_cost(X, y, place, t, weight, offset) - least - HALF,
            inner, outer, xtol=1e-12, rtol=1e-12,
        )
    )  # fmt: skip


def test_twelve_rows() -> None:
    found = infer(fit(X12, Y12, penalty="firth"), X12, Y12)
    known = [[-0.2045632822, 3.3606151628], [-1.3384457647, 3.9699464738]]
    np.testing.assert_allclose(found.conf_int()[1:], known, atol=2e-9)
    np.testing.assert_allclose(found.p_values[1:], [0.1096630267, 0.3515203257], atol=6e-11)
    assert isinstance(found, BiasReducedInference)
    assert found.penalized_log_likelihood == pytest.approx(-4.8028757232, abs=6e-11)


def test_endometrial_cancer_as_logistf_prints() -> None:
    """Heinze and Schemper (2002), Table II: the interval of NV from 0.61 to 7.85, P = 0.009."""
    X, y = columns("endometrial", "NV", "PI", "EH"), R["endometrial_HG"]
    found = infer(fit(X, y, penalty="firth"), X, y)
    np.testing.assert_allclose(found.conf_int()[1], [0.61, 7.85], atol=0.006)
    assert found.p_values[1] == pytest.approx(0.009, abs=5e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_intervals_and_tests_of_the_oracle(seed: int) -> None:
    X, y, weight, offset = random_rows(seed, n=40, p=3)
    known = {"sample_weight": weight, "offset": offset}
    found = infer(fit(X, y, penalty="firth", **known), X, y, weights="frequency", **known)
    ends = found.conf_int()
    least = reference.firth(X, y, weight, offset)[2]
    for place in (1, 2, 3):
        expected = [profile_end(X, y, place, side, weight, offset) for side in (-1, 1)]
        np.testing.assert_allclose(ends[place], expected, rtol=1e-7, atol=1e-9)
        at_zero = reference.firth(X, y, weight, offset, held=place - 1)[2]
        p = stats.chi2.sf(2.0 * (at_zero - least), 1)
        assert found.p_values[place] == pytest.approx(p, rel=1e-7)


def test_an_interval_ends_where_the_test_says_so() -> None:
    """Of the intercept too, for any level, without intercept, and of FLAC."""
    X, y, weight, _ = random_rows(2, n=50, p=3)
    known: dict[str, Any] = {"sample_weight": weight}
    for options in ({"bias_reduction": "mean"}, {"bias_reduction": "flac"},
                    {"bias_reduction": "mean", "intercept": None}):  # fmt: skip
        result = fit(X, y, **options, **known)
        found = infer(result, X, y, weights="frequency", **known)
        for level in (0.5, 0.95, 0.999):
            for name, ends in zip(found.names, found.conf_int(level), strict=True):
                for end in ends:
                    test = found.likelihood_ratio_test(f"{name} = {float(end)!r}")
                    assert test.p_value == pytest.approx(1.0 - level, rel=1e-7)


def test_bisection_finds_the_same_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    found = infer(fit(X12, Y12, penalty="firth"), X12, Y12)
    expected = found.conf_int()
    monkeypatch.setattr(profile, "_newton", lambda *_: None)
    other = infer(fit(X12, Y12, penalty="firth"), X12, Y12)
    np.testing.assert_allclose(other.conf_int(), expected, rtol=1e-7)


def test_separated_classes_have_finite_intervals() -> None:
    x = np.arange(12.0)[:, None]
    y = (x[:, 0] > 5.5).astype(int)
    found = infer(fit(x, y, penalty="firth"), x, y)
    low, high = found.conf_int()[1]
    assert low == pytest.approx(profile_end(x, y, 1, -1, None, None), rel=1e-7)
    assert high == pytest.approx(profile_end(x, y, 1, 1, None, None), rel=1e-7)


def test_firthmodels_agrees() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(150, 4))
    y = (X @ [0.5, -1.0, 0.0, 0.3] + rng.logistic(size=150) > 0).astype(int)
    peer = firthmodels.FirthLogisticRegression(gtol=1e-10, xtol=1e-10, max_iter=200).fit(X, y)
    found = infer(fit(X, y, penalty="firth"), X, y)
    np.testing.assert_allclose(found.coef[1:], peer.coef_, rtol=1e-7)
    peer.lrt()
    np.testing.assert_allclose(found.p_values[1:], peer.lrt_pvalues_[:4], rtol=1e-5)
    ends = peer.conf_int(method="pl", tol=1e-9, max_iter=100)
    np.testing.assert_allclose(found.conf_int()[1:], ends[:4], rtol=1e-5, atol=1e-6)
    # Its errors are of rows weighted by 1 + leverage, the other convention.
    other = found.with_covariance("augmented")
    np.testing.assert_allclose(other.standard_errors[1:], peer.bse_[:4], rtol=1e-6)
    assert (other.standard_errors < found.standard_errors).all()


def test_both_conventions_from_the_formulas() -> None:
    X, y, weight, offset = random_rows(4)
    known = {"sample_weight": weight, "offset": offset}
    result = fit(X, y, penalty="firth", **known)
    Z = np.column_stack([np.ones(len(X)), X])
    p = 1.0 / (1.0 + np.exp(-(Z @ all_of(result) + offset)))
    plain = np.linalg.inv((Z.T * (weight * p * (1.0 - p))) @ Z)
    h = weight * p * (1.0 - p) * np.einsum("ij,jk,ik->i", Z, plain, Z)
    augmented = np.linalg.inv((Z.T * ((weight + h) * p * (1.0 - p))) @ Z)
    for cov_type, expected in (("nonrobust", plain), ("augmented", augmented)):
        found = infer(result, X, y, weights="frequency", cov_type=cov_type, **known)
        np.testing.assert_allclose(found.covariance, expected, rtol=1e-7, atol=1e-12)
        wald = found.wald_test("x0 = 0")
        assert wald.statistic == pytest.approx(found.coef[1] ** 2 / expected[1, 1], rel=1e-7)


def test_errors_of_flac_are_of_its_likelihood_and_those_of_flic_join() -> None:
    X, y, _, _ = random_rows(5)
    firth, flic, flac = (
        infer(fit(X, y, bias_reduction=kind), X, y) for kind in ("mean", "flic", "flac")
    )
    np.testing.assert_allclose(flic.covariance[1:, 1:], firth.covariance[1:, 1:], rtol=1e-9)
    assert np.linalg.eigvalsh(flic.covariance)[0] > 0.0
    np.testing.assert_allclose(flic.conf_int()[1:], firth.conf_int()[1:], rtol=1e-9)
    np.testing.assert_allclose(flic.conf_int()[0], flic.conf_int(method="wald")[0])
    assert np.linalg.eigvalsh(flac.covariance)[0] > 0.0
    assert not np.allclose(flac.standard_errors, firth.standard_errors, rtol=1e-3)


def test_restrictions() -> None:
    X, y, weight, offset = random_rows(6)
    known = {"sample_weight": weight, "offset": offset}
    found = infer(fit(X, y, penalty="firth", **known), X, y, weights="frequency", **known)
    # Equal coefficients are one of the sum: the determinant stays that of all columns.
    test = found.likelihood_ratio_test("x0 = x1, x2 = 0.1")
    assert (test.df, test.distribution) == (2, "chi2")

    def cost(free: Any) -> float:
        coef = np.array([free[0], free[0], 0.1, free[1]])
        return reference.firth_cost(X, y, coef, free[2], weight, offset)

    least = optimize.minimize(cost, np.zeros(3), method="BFGS", options={"gtol": 1e-7}).fun
    whole = reference.firth(X, y, weight, offset)[2]
    assert test.statistic == pytest.approx(2.0 * (least - whole), rel=1e-6)


@pytest.mark.parametrize("kind", ["mean", "flic", "flac", "median"])
def test_terms_have_penalised_tests_and_there_is_no_aic(kind: str) -> None:
    X, y, weight, _ = random_rows(6)
    result = fit(X, y, bias_reduction=kind, sample_weight=weight)
    found = infer(result, X, y, sample_weight=weight, weights="frequency")
    tests = found.term_tests()
    assert {test.kind for test in tests.values()} == {
        "Wald" if kind == "median" else "penalised likelihood ratio"
    }
    assert [test.hypothesis for test in tests.values()] == found.names[1:]
    np.testing.assert_allclose(
        [test.p_value for test in tests.values()], found.p_values[1:], rtol=1e-6
    )
    assert np.isnan([found.aic, found.bic, found.likelihood.aic]).all()
    table = str(compare_models([found]))
    assert "it has no AIC and BIC" in table
    assert table.splitlines()[-4].split() == ["BIC"]


def test_the_table() -> None:
    found = infer(fit(X12, Y12, penalty="firth"), X12, Y12)
    text = str(found.summary())
    for part in ("mean bias reduction (Firth)", "information at the estimate", "P>chi2",
                 "penalised likelihood", "-0.2046  3.3606", "0.1097"):  # fmt: skip
        assert part in text
    wald = str(found.summary(intervals="wald"))
    assert "P>|z|" in wald
    assert "Wald" in wald
    assert "-0.2046" not in wald
    frame = found.to_frame()
    np.testing.assert_array_equal(frame["p_value"], found.p_values)
    np.testing.assert_array_equal(frame["statistic"], found.profile_statistics)
    frame = found.to_frame(intervals="wald")
    np.testing.assert_array_equal(frame["p_value"], found.wald_p_values)
    for kind, part in (("median", "Wald"), ("flic", "(intercept: Wald)"), ("flac", "augmented")):
        assert part in str(infer(fit(X12, Y12, bias_reduction=kind), X12, Y12).summary())
    assert "BiasReducedInference(3 coefficients, mean" in repr(found)
    assert "<table" in found._repr_html_()


def test_median_has_walds_intervals() -> None:
    found = infer(fit(X12, Y12, bias_reduction="median"), X12, Y12)
    half = stats.norm.ppf(0.975) * found.standard_errors
    np.testing.assert_allclose(found.conf_int(), np.array([found.coef - half, found.coef + half]).T)
    with pytest.raises(ValueError, match="maximises no likelihood"):
        found.conf_int(method="profile")
    with pytest.raises(ValueError, match="maximises no likelihood"):
        found.likelihood_ratio_test("x0")


def test_refusals() -> None:
    result = fit(X12, Y12, penalty="firth")
    found = infer(result, X12, Y12)
    with pytest.raises(ValueError, match="no score test"):
        found.score_test("x0")
    with pytest.raises(TypeError, match="determinants of two sizes"):
        found.likelihood_ratio_test(found)
    with pytest.raises(ValueError, match="not sandwiches"):
        infer(result, X12, Y12, cov_type="HC3")
    with pytest.raises(ValueError, match="not sandwiches"):
        found.with_covariance("CR1", np.arange(12))
    with pytest.raises(ValueError, match="standard errors"):
        infer(result, X12 + np.arange(24.0).reshape(12, 2), Y12)
    flic = infer(fit(X12, Y12, bias_reduction="flic"), X12, Y12)
    with pytest.raises(ValueError, match="intercept of FLIC"):
        flic.likelihood_ratio_test("intercept")
    weight = np.full(12, 2.0)
    result = fit(X12, Y12, penalty="firth", sample_weight=weight)
    with pytest.raises(ValueError, match="divide them by their mean"):
        infer(result, X12, Y12, sample_weight=weight, weights="analytic")
    with pytest.raises(ValueError, match="make no likelihood"):
        infer(result, X12, Y12, sample_weight=weight, weights="probability")


def test_a_model_file_keeps_the_kind(tmp_path: Any) -> None:
    result = fit(X12, Y12, bias_reduction="flac")
    save_model(Model(result, ("x", "d"), "y", {}, "0"), tmp_path / "m.npz")
    again = load_model(tmp_path / "m.npz").result
    assert again.bias_reduction == "flac"
    np.testing.assert_array_equal(again.coef, result.coef)
