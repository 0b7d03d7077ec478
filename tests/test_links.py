"""Probit and complementary log-log links: formulas, fits with proof, inference, files."""

import warnings

import mpmath
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from problems import problem

import fastlogit
from fastlogit import reference
from fastlogit.certificates.binomial import LOCAL, gain_bound, gain_near
from fastlogit.model_file import Model, load_model, save_model
from fastlogit.objective.links import CLogLog, Probit, link_loss

pytestmark = pytest.mark.jit
LINKS = ["probit", "cloglog"]
STATSMODELS = {"probit": sm.families.links.Probit(), "cloglog": sm.families.links.CLogLog()}


def exact(link, is_positive):
    """Minus the log-likelihood of a row, and its first two derivatives, in many digits."""
    if link == "probit":

        def loss(z):
            return -mpmath.log(mpmath.erfc((-z if is_positive else z) / mpmath.sqrt(2)) / 2)

        def slope(z):
            t = z if is_positive else -z
            return (
                (-1 if is_positive else 1) * mpmath.npdf(t) / (mpmath.erfc(-t / mpmath.sqrt(2)) / 2)
            )

        def curvature(z):
            t = z if is_positive else -z
            ratio = mpmath.npdf(t) / (mpmath.erfc(-t / mpmath.sqrt(2)) / 2)
            return ratio * (ratio + t)

        return loss, slope, curvature
    if not is_positive:
        return mpmath.exp, mpmath.exp, mpmath.exp

    def shrink(z):
        return mpmath.exp(z) / mpmath.expm1(mpmath.exp(z))

    return (
        lambda z: -mpmath.log(-mpmath.expm1(-mpmath.exp(z))),
        lambda z: -shrink(z),
        lambda z: shrink(z) * (shrink(z) + mpmath.exp(z) - 1),
    )


@pytest.mark.parametrize("is_positive", [True, False])
@pytest.mark.parametrize("link", LINKS)
def test_rows_are_right_in_the_tails(link, is_positive) -> None:
    margins = np.r_[-300.0, -40.0, -12.0, -5.0001, -4.9999, -3.0, -1.0, -0.69, -1e-3]
    margins = np.r_[margins, 0.0, 1e-8, 0.7, 1.0, 2.0, 5.0, 8.0, 20.0]
    if link == "cloglog":
        margins = margins[(margins < 6.0) & (margins > -50.0)]
    found = link_loss(link).rows(margins, np.full(margins.size, is_positive))
    with mpmath.workdps(150):
        for part, function in zip(found, exact(link, is_positive), strict=True):
            for z, value in zip(margins, part, strict=True):
                wanted = function(mpmath.mpf(z))
                # What is nearly 0 changes by so many times the rounding of z itself.
                loose = 1.0 + (z * z if link == "probit" else np.exp(z))
                assert abs(value - wanted) <= 2e-15 * loose * abs(wanted) + 1e-300, (z, value)


@pytest.mark.parametrize("link", LINKS)
def test_rows_far_out_are_limits_and_never_nan(link) -> None:
    raw = np.array([-1e300, -1e10, -1e4, 1e4, 1e10, 1e300])
    for is_positive in (True, False):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parts = link_loss(link).rows(raw, np.full(6, is_positive))
        assert not any(np.isnan(part).any() for part in parts)
    proba = link_loss(link).probabilities(raw)
    np.testing.assert_allclose(proba[:, 1], [0, 0, 0, 1, 1, 1])


def test_the_constants_near_a_point_are_true() -> None:
    """|l'''| <= M l'', by differences of l'' of a fine grid."""
    for loss, highest in ((Probit(), 8.0), (CLogLog(), 4.0)):
        for is_positive in (True, False):
            sign = 1.0 if is_positive or isinstance(loss, CLogLog) else -1.0
            for middle in np.linspace(-12.0, highest - 1.0, 40):
                raw = sign * np.linspace(middle - 1.0, middle + 1.0, 2001)
                curvature = loss.rows(raw, np.full(raw.size, is_positive))[2]
                ratio = np.abs(np.diff(np.log(curvature)) / np.diff(raw)).max()
                most = max(
                    1.0,
                    loss.concordance_near(sign * np.array([middle]), np.array([is_positive]), 1.0),
                )
                assert ratio <= most * (1.0 + 1e-6)


def test_a_local_bound_is_infinite_where_its_minimum_may_be_out_of_reach() -> None:
    assert gain_near(0.1, LOCAL / 0.1, True) == gain_bound(0.1, LOCAL / 0.1)
    assert gain_near(0.1, 1.01 * LOCAL / 0.1, True) == np.inf
    assert gain_near(0.1, 1.01 * LOCAL / 0.1, False) < np.inf
    assert -np.log1p(-LOCAL) <= 1.0


def drawn(link, n=800, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    raw = 0.2 + X @ [1.0, -0.5, 0.0]
    y = rng.random(n) < link_loss(link).probabilities(raw)[:, 1]
    return X, y.astype(int), rng


@pytest.mark.parametrize("link", LINKS)
def test_fits_are_those_of_the_reference_and_statsmodels(link) -> None:
    X, y, rng = drawn(link)
    weight, offset = rng.integers(0, 4, len(y)), 0.3 * rng.normal(size=len(y))
    result = fastlogit.fit(X, y, link=link, sample_weight=weight, offset=offset)
    assert result.converged
    assert result.suboptimality < 1e-12
    assert result.link == link
    coef, intercept = reference.link_newton(X, y, link, sample_weight=weight, offset=offset)
    np.testing.assert_allclose(result.coef, coef, rtol=0, atol=1e-6)
    assert result.intercept == pytest.approx(intercept, abs=1e-6)
    cost = reference.link_cost(X, y, coef, intercept, link, sample_weight=weight, offset=offset)
    assert result.history[-1] >= cost * (1 - 1e-14)
    family = sm.families.Binomial(STATSMODELS[link])
    kept = weight > 0
    known = {"offset": offset[kept], "freq_weights": weight[kept]}
    other = sm.GLM(y[kept], sm.add_constant(X)[kept], family, **known).fit(tol=1e-14)
    found = fastlogit.infer(result, X, y, sample_weight=weight, offset=offset, weights="frequency")
    np.testing.assert_allclose(found.coef, other.params, atol=1e-9)
    assert found.log_likelihood == pytest.approx(other.llf, rel=1e-12)
    null = sm.GLM(y[kept], np.ones((kept.sum(), 1)), family, **known).fit(tol=1e-14)
    assert found.likelihood.null_log_likelihood == pytest.approx(null.llf, rel=1e-10)
    observed = np.linalg.inv(-other.model.hessian(other.params, observed=True))
    np.testing.assert_allclose(found.covariance, observed, rtol=1e-7)
    assert found.likelihood.pearson_chi2 == pytest.approx(other.pearson_chi2, rel=1e-8)


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "newton-cg"])
@pytest.mark.parametrize("link", LINKS)
def test_the_bound_is_never_below_the_truth(link, solver) -> None:
    X, y, _ = drawn(link, 300)
    best = fastlogit.fit(X, y, link=link, l2_reg=0.02, tol=1e-15).history[-1]
    for n_iter in range(5):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = fastlogit.fit(
                X, y, link=link, l2_reg=0.02, solver=solver, max_iter=n_iter, tol=0.0
            )
        assert found.history[-1] / best - 1.0 <= found.suboptimality + 1e-14


@pytest.mark.parametrize("link", LINKS)
def test_every_design_gives_the_same(link) -> None:
    X, y, rng = drawn(link)
    level = rng.choice(["a", "b", "c"], len(y))
    frame = pd.DataFrame(X, columns=["u", "v", "w"]).assign(level=pd.Categorical(level))
    wide = np.column_stack([X, level == "b", level == "c"]).astype(float)
    dense = fastlogit.fit(wide, y, link=link)
    found = [
        fastlogit.fit(np.asfortranarray(wide), y, link=link),
        fastlogit.fit(sp.csr_matrix(wide), y, link=link),
        fastlogit.fit(frame, y, link=link),
    ]
    for other in found:
        np.testing.assert_allclose(other.coef, dense.coef, atol=1e-6)
    single = fastlogit.fit(wide.astype(np.float32), y, link=link)
    np.testing.assert_allclose(single.coef, dense.coef, atol=1e-4)
    inferred = fastlogit.infer(found[2], frame, y)
    np.testing.assert_allclose(
        inferred.standard_errors, fastlogit.infer(dense, wide, y).standard_errors, rtol=1e-8
    )
    assert set(inferred.terms) == {"u", "v", "w", "level"}


@pytest.mark.parametrize("link", LINKS)
def test_predictions_are_those_of_the_link(link) -> None:
    X, y, _ = drawn(link)
    result = fastlogit.fit(X, y, link=link)
    raw = X @ result.coef + result.intercept
    np.testing.assert_allclose(result.predict_proba(X), link_loss(link).probabilities(raw))
    np.testing.assert_allclose(result.predict_proba(X).sum(axis=1), 1.0)
    assert (result.predict(X) == (result.predict_proba(X)[:, 1] >= 0.5)).all()
    assert (result.predict(X, 0.2) == (result.predict_proba(X)[:, 1] >= 0.2)).all()
    assert f"link={link!r}" in repr(result)


@pytest.mark.parametrize("link", LINKS)
def test_tests_and_tables_of_a_link(link) -> None:
    X, y, _ = drawn(link)
    found = fastlogit.infer(fastlogit.fit(X, y, link=link), X, y)
    ratio, score = found.likelihood_ratio_test("x2"), found.score_test("x2")
    smaller = fastlogit.infer(fastlogit.fit(X[:, :2], y, link=link), X[:, :2], y)
    assert ratio.statistic == pytest.approx(
        found.likelihood_ratio_test(smaller).statistic, rel=1e-6
    )
    assert score.statistic == pytest.approx(ratio.statistic, rel=0.2)
    text = str(found.summary())
    assert text.startswith({"probit": "Probit", "cloglog": "Complementary log-log"}[link])
    assert "odds" not in text
    assert "odds_ratio" not in found.to_frame().columns
    with pytest.raises(ValueError, match="has no odds ratios"):
        found.odds_ratios  # noqa: B018
    with pytest.raises(ValueError, match="has no odds ratios"):
        found.odds_ratio_intervals()
    fitted = link_loss(link).probabilities(np.c_[np.ones(len(y)), X] @ found.coef)[:, 1]
    tjur = fitted[y == 1].mean() - fitted[y == 0].mean()
    assert found.pseudo_r2["tjur"] == pytest.approx(tjur, abs=1e-9)


@pytest.mark.parametrize("link", LINKS)
def test_separated_classes_are_named(link) -> None:
    X = np.arange(20.0)[:, None]
    with pytest.warns(fastlogit.SeparationWarning):
        result = fastlogit.fit(X, X[:, 0] > 9.5, link=link)
    with pytest.raises(ValueError, match="completely separable: column x0 alone"):
        fastlogit.infer(result, X, X[:, 0] > 9.5)


@pytest.mark.parametrize(
    ("link", "seed", "top"),
    [("probit", 3, 1), ("probit", 3, 0), ("cloglog", 2, 1), ("cloglog", 4, 1), ("cloglog", 11, 1)],
)
def test_a_level_of_one_class_is_named(link, seed, top) -> None:
    """Curvature along it is soon nothing beside that of the other rows, and all rows are sure."""
    X, y, rng = drawn(link, 200, seed)
    level = (y == top) & (rng.random(200) < 0.3)
    rows = np.column_stack([X, level])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fastlogit.fit(rows, y, link=link, C=np.inf)
    with pytest.raises(ValueError, match="quasi-completely separable: column x3 alone"):
        fastlogit.infer(result, rows, y)


@pytest.mark.parametrize("link", LINKS)
def test_a_model_file_keeps_the_link(link, tmp_path) -> None:
    X, y, _ = drawn(link)
    result = fastlogit.fit(X, y, link=link)
    save_model(Model(result, ("a", "b", "c"), "y", {}, fastlogit.__version__), tmp_path / "m.npz")
    back = load_model(tmp_path / "m.npz").result
    assert back.link == link
    assert not back.fractional
    np.testing.assert_array_equal(back.predict_proba(X), result.predict_proba(X))


def test_what_a_link_does_not_go_with() -> None:
    X, y = problem(60, 3)[:2]
    for match, options in (
        ("link must be one of", {"link": "cauchit"}),
        ("or a loss of your own, not both", {"link": "probit", "loss": Probit()}),
        ("leave out multi_class", {"link": "probit", "multi_class": "multinomial"}),
        ("the logistic loss of labels only", {"link": "probit", "l1_reg": 0.1}),
        ("has no bound", {"link": "cloglog", "solver": "gradient_descent"}),
    ):
        with pytest.raises(ValueError, match=match):
            fastlogit.fit(X, y, **options)
    with pytest.raises(ValueError, match="is for two classes, y has 3"):
        fastlogit.fit(X, np.arange(60) % 3, link="probit")
    result = fastlogit.fit(X, y, link="probit")
    with pytest.raises(ValueError, match="leave_one_out is for logistic regression"):
        fastlogit.leave_one_out(result, X, y)
    with pytest.raises(ValueError, match="use predict_proba"):
        result.predictor()


@pytest.mark.parametrize(
    ("link", "coef", "errors", "deviance"),
    [
        ("logit", [-60.717, 34.270], [5.181, 2.912], 11.23),
        ("probit", [-34.935, 19.728], [2.647, 1.487], 10.12),
        ("cloglog", [-39.572, 22.041], [3.240, 1.799], 3.45),
    ],
)
def test_bliss_as_dobson_prints_it(link, coef, errors, deviance) -> None:
    """Dobson (2002), An Introduction to Generalized Linear Models, tables 7.2 and 7.4.

    Her errors are of expected information, ours of the observed one: the same with the logit.
    """
    dose = np.array([1.6907, 1.7242, 1.7552, 1.7842, 1.8113, 1.8369, 1.8610, 1.8839])[:, None]
    beetles = np.array([59, 60, 62, 56, 63, 59, 62, 60])
    share = np.array([6, 13, 18, 28, 52, 53, 61, 60]) / beetles
    model = fastlogit.fit(dose, share, fractional=True, link=link, sample_weight=beetles)
    found = fastlogit.infer(model, dose, share, sample_weight=beetles, weights="frequency")
    np.testing.assert_allclose(found.coef, coef, atol=6e-4)
    np.testing.assert_allclose(
        found.standard_errors, errors, rtol=2e-4 if link == "logit" else 2e-2
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = share * np.log(share), (1.0 - share) * np.log(1.0 - share)
    saturated = beetles @ np.nansum(parts, axis=0)
    assert 2.0 * (saturated - found.log_likelihood) == pytest.approx(deviance, abs=6e-3)
