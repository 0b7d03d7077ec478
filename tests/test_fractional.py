"""Fractional responses: weighted duplicates without a copy, and the quasi-likelihood of them."""

import warnings

import mpmath
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from exact import _solve, numbers

import fastlogit
from fastlogit.model_file import Model, load_model, save_model
from fastlogit.objective.links import link_loss

pytestmark = pytest.mark.jit
LINKS = ["logit", "probit", "cloglog"]
STATSMODELS = {
    "logit": sm.families.links.Logit(), "probit": sm.families.links.Probit(),
    "cloglog": sm.families.links.CLogLog(),
}  # fmt: skip


def drawn(n=500, seed=1):
    """Shares, a few of them 0 and 1."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    mean = 1.0 / (1.0 + np.exp(-(0.3 + X @ [0.8, -0.4, 0.0])))
    y = rng.beta(2.0 * mean, 2.0 * (1.0 - mean))
    y[:20], y[20:40] = 0.0, 1.0
    return X, y, rng


def twice(X, y, weight):
    """Each row once of either class, with weights y and 1 - y."""
    labels = np.r_[np.ones(len(y)), np.zeros(len(y))]
    return np.vstack([X, X]), labels, np.r_[weight * y, weight * (1.0 - y)]


@pytest.mark.parametrize("options", [{}, {"C": 0.1}, {"intercept": None}], ids=str)
@pytest.mark.parametrize("link", LINKS)
def test_a_share_is_a_weighted_row_of_either_class(link, options) -> None:
    X, y, rng = drawn()
    weight, offset = rng.integers(0, 3, len(y)).astype(float), 0.2 * rng.normal(size=len(y))
    found = fastlogit.fit(
        X, y, fractional=True, link=link, sample_weight=weight, offset=offset, **options
    )
    X2, y2, weight2 = twice(X, y, weight)
    wanted = fastlogit.fit(
        X2, y2, link=link, sample_weight=weight2, offset=np.r_[offset, offset], **options
    )
    assert found.converged
    assert found.suboptimality <= 1e-12
    assert found.history[-1] == pytest.approx(wanted.history[-1], rel=2e-12)
    np.testing.assert_allclose(found.coef, wanted.coef, atol=2e-6)
    assert found.intercept == pytest.approx(wanted.intercept, abs=2e-6)
    assert found.classes.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("level", [5.0, -20.0, 28.0])
def test_shares_near_an_end_lose_no_digits(level) -> None:
    """Costs of 1e-10 are no difference of large numbers, and bounds are not below the truth."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 2))
    y = 1.0 / (1.0 + np.exp(-(level + X[:, 0] + rng.normal(size=40))))
    found = fastlogit.fit(X, y, fractional=True, tol=1e-10)
    with mpmath.workdps(60):
        rows, shares = numbers(np.column_stack([X, np.ones(40)])), numbers(y)

        def cost(theta):
            raw = rows @ theta
            return sum(
                mpmath.log1p(mpmath.exp(z)) - s * z for z, s in zip(raw, shares, strict=True)
            )

        there = numbers(np.append(found.coef, found.intercept))
        least = there
        for _ in range(6):
            proba = np.array([1 / (1 + mpmath.exp(-z)) for z in rows @ least], dtype=object)
            hessian = rows.T @ (rows * (proba * (1 - proba))[:, None])
            least = least - _solve(hessian, rows.T @ (proba - shares))
        lacks = (cost(there) - cost(least)) / cost(least)
    assert found.converged
    assert lacks <= found.suboptimality
    assert found.suboptimality <= 1e-10
    assert lacks <= 1e-15


@pytest.mark.parametrize("solver", ["newton", "lbfgs", "newton-cg", "gradient_descent"])
def test_every_solver_proves_it(solver) -> None:
    X, y, _ = drawn()
    best = fastlogit.fit(X, y, fractional=True, l2_reg=0.01, tol=1e-15).history[-1]
    for n_iter in (0, 1, 3, 5000):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = fastlogit.fit(
                X, y, fractional=True, l2_reg=0.01, solver=solver, max_iter=n_iter
            )
        assert found.history[-1] / best - 1.0 <= found.suboptimality + 1e-14
    assert found.converged


def test_a_start_from_a_subsample_knows_the_shares() -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(20_000, 8))
    y = 1.0 / (1.0 + np.exp(-X @ rng.normal(size=8) - rng.normal(size=20_000)))
    found = fastlogit.fit(X, y, fractional=True)
    assert found.converged
    exact = fastlogit.fit(X, y, fractional=True, solver="newton")
    np.testing.assert_allclose(found.coef, exact.coef, atol=1e-5)


def test_every_design_gives_the_same() -> None:
    X, y, rng = drawn()
    level = rng.choice(["a", "b", "c"], len(y))
    frame = pd.DataFrame(X, columns=["u", "v", "w"]).assign(level=pd.Categorical(level))
    wide = np.column_stack([X, level == "b", level == "c"]).astype(float)
    dense = fastlogit.fit(wide, y, fractional=True)
    for other in (np.asfortranarray(wide), sp.csr_matrix(wide), frame):
        np.testing.assert_allclose(
            fastlogit.fit(other, y, fractional=True).coef, dense.coef, atol=1e-6
        )


@pytest.mark.parametrize("link", LINKS)
def test_inference_is_robust_by_default_and_that_of_statsmodels(link) -> None:
    X, y, _ = drawn()
    result = fastlogit.fit(X, y, fractional=True, link=link)
    found = fastlogit.infer(result, X, y)
    assert found.cov_type == "HC0"
    Z = np.column_stack([np.ones(len(y)), X])
    model = sm.GLM(y, Z, sm.families.Binomial(STATSMODELS[link]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = model.fit(tol=1e-14, maxiter=200)
    np.testing.assert_allclose(found.coef, other.params, atol=1e-9)
    # statsmodels' sandwich has expected information where links are not canonical: from its parts.
    bread = np.linalg.inv(-model.hessian(other.params, observed=True))
    scores = model.score_obs(other.params)
    np.testing.assert_allclose(found.covariance, bread @ (scores.T @ scores) @ bread, rtol=1e-6)
    if link == "logit":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            robust = model.fit(tol=1e-14, cov_type="HC0")
        np.testing.assert_allclose(found.standard_errors, robust.bse, rtol=1e-7)
    np.testing.assert_allclose(
        fastlogit.infer(result, X, y, cov_type="nonrobust").covariance, bread, rtol=1e-7
    )
    fitted = link_loss(link).probabilities(Z @ found.coef)[:, 1] if link != "logit" else other.mu
    chi2 = ((y - fitted) ** 2 / (fitted * (1.0 - fitted))).sum()
    assert found.likelihood.pearson_chi2 == pytest.approx(chi2, rel=1e-8)
    tjur = (y @ fitted) / y.sum() - ((1.0 - y) @ fitted) / (1.0 - y).sum()
    assert found.likelihood.tjur == pytest.approx(tjur, abs=1e-9)
    assert np.isnan(found.aic)
    assert "Fractional" in str(found.summary())
    assert "pseudo-log-likelihood" in str(found.summary())
    for test in (found.likelihood_ratio_test, found.score_test):
        with pytest.raises(ValueError, match="of shares that are no counts there is no likelihood"):
            test("x0")
    assert found.wald_test("x2").p_value > 0.01


def test_counts_are_a_likelihood() -> None:
    """Successes out of trials, as R's cbind(successes, failures): frequencies of single rows."""
    X, _, rng = drawn(60)
    trials = rng.integers(1, 9, 60)
    hits = rng.binomial(trials, 0.4)
    result = fastlogit.fit(X, hits / trials, fractional=True, sample_weight=trials)
    found = fastlogit.infer(result, X, hits / trials, sample_weight=trials, weights="frequency")
    rows = np.repeat(np.arange(60), trials)
    first = np.arange(60).repeat(trials)
    labels = np.concatenate([np.arange(n) < k for n, k in zip(trials, hits, strict=True)])
    single = fastlogit.infer(fastlogit.fit(X[rows], labels), X[first], labels)
    assert found.cov_type == "nonrobust"
    np.testing.assert_allclose(found.covariance, single.covariance, rtol=1e-8)
    assert found.n_samples == trials.sum()
    assert found.aic == pytest.approx(single.aic, rel=1e-12)
    assert found.likelihood.tjur == pytest.approx(single.likelihood.tjur, abs=1e-9)
    chi2 = single.likelihood.pearson_chi2
    assert found.likelihood.pearson_chi2 == pytest.approx(chi2, rel=1e-8)
    test, other = found.likelihood_ratio_test("x0"), single.likelihood_ratio_test("x0")
    assert test.statistic == pytest.approx(other.statistic, rel=1e-8)
    for cov_type in ("HC0", "HC1", "HC2", "HC3"):
        both = [each.with_covariance(cov_type).covariance for each in (found, single)]
        np.testing.assert_allclose(*both, rtol=1e-7)


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_sandwiches_of_counts_are_of_single_events(link) -> None:
    X, _, rng = drawn(60)
    trials = rng.integers(1, 9, 60)
    hits = rng.binomial(trials, 0.4)
    share, level = hits / trials, 0.1 * X[:, 0]
    given = {"sample_weight": trials, "offset": level}
    result = fastlogit.fit(X, share, fractional=True, link=link, C=np.inf, **given)
    found = fastlogit.infer(result, X, share, weights="frequency", cov_type="HC1", **given)
    both, labels = np.vstack([X, X]), np.repeat([1, 0], 60)
    given = {"sample_weight": np.concatenate([hits, trials - hits]), "offset": np.tile(level, 2)}
    result = fastlogit.fit(both, labels, link=link, C=np.inf, **given)
    other = fastlogit.infer(result, both, labels, weights="frequency", cov_type="HC1", **given)
    np.testing.assert_allclose(found.covariance, other.covariance, rtol=1e-7)
    chi2 = other.likelihood.pearson_chi2
    assert found.likelihood.pearson_chi2 == pytest.approx(chi2, rel=1e-8)
    with pytest.raises(ValueError, match="HC3 of counts as shares is for link='logit'"):
        found.with_covariance("HC3")


def test_nested_models_have_the_same_shares() -> None:
    X, _, rng = drawn(60)
    trials = rng.integers(1, 9, 60)
    share = rng.binomial(trials, 0.4) / trials
    order = np.lexsort([rng.random(60), trials])
    swapped = share.copy()
    pair = order[:2] if trials[order[0]] == trials[order[1]] else order[1:3]
    swapped[pair] = np.array([0.0, 1.0])
    share[pair] = np.array([1.0, 0.0])  # the same sum of events, at other rows

    def of(columns: int, y: np.ndarray) -> fastlogit.Inference:
        part = X[:, :columns]
        result = fastlogit.fit(part, y, fractional=True, sample_weight=trials, C=np.inf)
        return fastlogit.infer(result, part, y, sample_weight=trials, weights="frequency")

    whole = of(2, share)
    assert whole.likelihood_ratio_test(of(1, share)).df == 1
    with pytest.raises(ValueError, match="stand beside other labels"):
        whole.likelihood_ratio_test(of(1, swapped))


def test_separation_needs_the_rows_of_both_classes_to_stay() -> None:
    X = np.arange(20.0)[:, None]
    y = (X[:, 0] > 9.5).astype(float)
    with pytest.warns(fastlogit.SeparationWarning):
        fastlogit.fit(X, y, fractional=True)
    y[3] = 0.5  # this row would be pushed to an end
    found = fastlogit.fit(X, y, fractional=True)
    assert found.converged
    two = np.column_stack([X, X[:, 0] == 19.0])
    y = 1.0 / (1.0 + np.exp(0.3 * (X[:, 0] - 9.0)))
    y[19] = 1.0  # the second column tells this one row, and no other moves with it
    with pytest.warns(fastlogit.SeparationWarning):
        result = fastlogit.fit(two, y, fractional=True)
    with pytest.raises(ValueError, match="quasi-completely separable: column x1 alone"):
        fastlogit.infer(result, two, y)


def test_a_model_file_keeps_it(tmp_path) -> None:
    X, y, _ = drawn()
    result = fastlogit.fit(X, y, fractional=True, link="probit")
    save_model(Model(result, ("a", "b", "c"), "y", {}, fastlogit.__version__), tmp_path / "m.npz")
    back = load_model(tmp_path / "m.npz").result
    assert back.fractional
    assert back.link == "probit"
    np.testing.assert_array_equal(back.predict_proba(X), result.predict_proba(X))
    assert fastlogit.infer(back, X, y).cov_type == "HC0"


def test_bad_shares() -> None:
    X, y, _ = drawn(30)
    wrong = y.copy()
    wrong[7] = 1.2
    for match, bad in (
        (r"shares from 0 to 1 as y, found 1.2 \(row 7\); of counts give", wrong),
        (r"y contains nan \(row 2\)", np.where(np.arange(30) == 2, np.nan, y)),
        ("y is 0 in every row", np.zeros(30)),
        ("y is 1 in every row", np.ones(30)),
        ("y has 29 values", y[:29]),
    ):
        with pytest.raises(ValueError, match=match):
            fastlogit.fit(X, bad, fractional=True)
    with pytest.raises(TypeError, match="leave fractional out for labels"):
        fastlogit.fit(X, np.array(["a", "b"] * 15), fractional=True)
    with pytest.raises(TypeError, match="fractional must be True or False"):
        fastlogit.fit(X, y, fractional=1)
    with pytest.raises(ValueError, match="the logistic loss of labels only: leave out l1_reg"):
        fastlogit.fit(X, y, fractional=True, l1_reg=0.1)
    with pytest.raises(ValueError, match="leave out multi_class"):
        fastlogit.fit(X, y, fractional=True, multi_class="multinomial")
    with pytest.raises(ValueError, match="y is 0 in every row of positive weight"):
        fastlogit.fit(X, y, fractional=True, sample_weight=(y == 0.0).astype(float))
    with pytest.raises(ValueError, match="is for labels, not for fractional=True"):
        fastlogit.fit(X, y, fractional=True, penalty="firth")
    result = fastlogit.fit(X, y, fractional=True)
    with pytest.raises(ValueError, match="has fractional=True: its rows have shares"):
        fastlogit.prior_correction(result, y, prevalence=0.1)
    with pytest.raises(ValueError, match="leave_one_out is for logistic regression of labels"):
        fastlogit.leave_one_out(result, X, y)
