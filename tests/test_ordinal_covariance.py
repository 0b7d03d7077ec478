"""Sandwiches and the score test of an ordinal model, against R, SAS's figures and differences."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from test_ordinal import ORDER, drawn, housing

from fastlogit import ordinal_logit
from fastlogit.relatives.ordinal_losses import LINKS

pytestmark = pytest.mark.jit
PUBLISHED = json.loads((Path(__file__).parent / "published/ordinal.json").read_text("utf-8"))


# ------------------------------------------------------------------------------------------------
# Oracles, of one row at a time or by differences


def log_proba(link, X, y, coef, cuts, offset=0.0):
    """Logarithm of each row's probability; `coef` may differ by threshold, (n_cuts, n_columns)."""
    each = np.broadcast_to(coef, (len(cuts), X.shape[1]))
    ends = cuts - X @ each.T - np.reshape(offset, (-1, 1))
    above = {  # of a class higher than the threshold's
        "logit": lambda q: 1 / (1 + np.exp(q)),
        "probit": lambda q: np.vectorize(_normal)(-q),
        "cloglog": lambda q: np.exp(-np.exp(q)),
    }[link](ends)
    whole = np.column_stack([np.ones(len(y)), above, np.zeros(len(y))])
    rows = np.arange(len(y))
    return np.log(whole[rows, y] - whole[rows, y + 1])


def _normal(q):
    from math import erfc, sqrt

    return 0.5 * erfc(-q / sqrt(2.0))


def slopes_of_rows(link, X, y, found, offset=0.0, step=1e-5):
    """Scores of the rows by central differences, (n_samples, n_parameters)."""
    theta, p = found.parameters, X.shape[1]

    def at(theta):
        return log_proba(link, X, y, theta[:p], theta[p:], offset)

    moves = np.diag(step * np.maximum(1.0, np.abs(theta)) * found.standard_errors)
    return np.column_stack([(at(theta + e) - at(theta - e)) / (2 * e.sum()) for e in moves])


def sandwich(found, sums):
    plain = found.with_covariance("nonrobust").covariance
    return plain @ (sums.T @ sums) @ plain


def by_cluster(scores, clusters):
    return np.array([scores[clusters == each].sum(axis=0) for each in np.unique(clusters)])


# ------------------------------------------------------------------------------------------------
# Sandwiches


@pytest.mark.parametrize("link", LINKS)
def test_sandwiches_are_those_of_r(link) -> None:
    X, y, freq = housing()
    known = {"order": ORDER, "link": link, "sample_weight": freq, "weights": "frequency"}
    found = ordinal_logit(X, y, **known)
    cell = [f"{a}{b}{c}" for a, b, c in zip(X["Infl"], X["Type"], X["Cont"], strict=True)]
    for cov_type in ("HC0", "HC1", "CR0", "CR1", "CR1S"):
        clusters = cell if cov_type.startswith("C") else None
        other = found.with_covariance(cov_type, clusters)
        np.testing.assert_allclose(
            other.standard_errors, PUBLISHED[f"{link}_{cov_type}"], rtol=1e-9
        )
    fitted = ordinal_logit(X, y, **known, cov_type="CR1S", clusters=cell)
    np.testing.assert_array_equal(fitted.covariance, other.covariance)
    assert fitted.n_clusters == 24
    assert "clusters, CR1S (24 clusters)" in str(fitted)


@pytest.mark.parametrize("link", LINKS)
def test_sandwiches_by_differences(link) -> None:
    X, y, rng = drawn(250, 4, link)
    offset, weight = 0.3 * rng.normal(size=250), rng.integers(0, 4, 250)
    one, other = rng.integers(0, 12, 250), rng.integers(0, 9, 250)
    known = {"link": link, "offset": offset, "sample_weight": weight, "weights": "probability"}
    found = ordinal_logit(X, y, **known, cov_type="HC0")
    scores = slopes_of_rows(link, X, y, found, offset) * weight[:, None]
    # Sampling weights have no covariance of the model: that of precisions is one but for a factor.
    precise = ordinal_logit(X, y, **{**known, "weights": "analytic"})
    plain = precise.covariance * (np.count_nonzero(weight) / weight.sum())
    np.testing.assert_allclose(found.covariance, plain @ scores.T @ scores @ plain, rtol=1e-5)
    np.testing.assert_allclose(found.parameters, precise.parameters, rtol=1e-9)
    two = found.with_covariance("CR0", (one, other))
    meat = sum(
        sign * by_cluster(scores, each).T @ by_cluster(scores, each)
        for each, sign in ((one, 1), (other, 1), (one * 100 + other, -1))
    )
    np.testing.assert_allclose(two.covariance, plain @ meat @ plain, rtol=1e-4, atol=1e-12)
    assert two.n_clusters == 9


def test_frequencies_repeat_rows_in_sandwiches() -> None:
    X, y, rng = drawn(200)
    weight, clusters = rng.integers(0, 3, 200), rng.integers(0, 15, 200)
    rows = np.repeat(np.arange(200), weight)
    found = ordinal_logit(X, y, sample_weight=weight, weights="frequency")
    wanted = ordinal_logit(X[rows], y[rows])
    for cov_type, own, of_rows in (
        ("HC1", None, None), ("CR1S", clusters, clusters[rows]),
    ):  # fmt: skip
        np.testing.assert_allclose(
            found.with_covariance(cov_type, own).covariance,
            wanted.with_covariance(cov_type, of_rows).covariance, rtol=1e-8,
        )  # fmt: skip


def test_sampling_weights_make_no_likelihood() -> None:
    X, y, rng = drawn(200)
    known = {"sample_weight": rng.uniform(0.5, 2.0, 200), "weights": "probability"}
    with pytest.raises(ValueError, match="cov_type='HC1'"):
        ordinal_logit(X, y, **known)
    found = ordinal_logit(X, y, **known, cov_type="HC1")
    assert np.isnan(found.aic)
    assert np.isnan(found.bic)
    assert "pseudo-log-likelihood" in str(found)
    assert "AIC" not in str(found)
    for test in (found.likelihood_ratio_test, found.brant_test, found.parallel_lines_test):
        with pytest.raises(ValueError, match="no likelihood, and so not"):
            test()
    assert found.wald_test("x0 = 0, x1 = 0").df == 2


def test_wald_tests_of_columns_and_thresholds() -> None:
    X, y, freq = housing()
    found = ordinal_logit(X, y, order=ORDER, sample_weight=freq, weights="frequency")
    kind = found.wald_test("Type")
    part, own = found.coef[2:5], found.covariance[2:5, 2:5]
    assert kind.statistic == pytest.approx(part @ np.linalg.solve(own, part), rel=1e-9)
    assert kind.df == 3
    assert found.wald_test("`Low|Medium` = -0.5").p_value > 0.9


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"cov_type": "HC3"}, "cov_type must be one of"),
        ({"cov_type": "CR1"}, "needs clusters"),
        ({"cov_type": "HC0", "clusters": np.arange(40)}, "leave clusters out"),
        ({"cov_type": "CR1", "clusters": np.zeros(40)}, "one cluster only"),
        ({"cov_type": "CR1", "clusters": np.zeros(4)}, "clusters has 4 values"),
    ],
)
def test_bad_covariances(options, match) -> None:
    X, y, _ = drawn(40)
    with pytest.raises(ValueError, match=match):
        ordinal_logit(X, y, **options)
    with pytest.raises(ValueError, match=match):
        ordinal_logit(X, y).with_covariance(**options)


def test_hc1_takes_more_rows_than_parameters() -> None:
    found = ordinal_logit([[0.0], [2.0], [1.0]], [0, 1, 2])
    with pytest.raises(ValueError, match=r"3 observations\s+for 3 coefficients"):
        found.with_covariance("HC1")


# ------------------------------------------------------------------------------------------------
# The score test of proportional odds


def cheese():
    """Tastes of four cheeses from 1 to 9: McCullagh and Nelder (1989), section 5.6.1."""
    counts = [
        [0, 0, 1, 7, 8, 8, 19, 8, 1], [6, 9, 12, 11, 7, 6, 1, 0, 0],
        [1, 1, 6, 8, 23, 7, 5, 1, 0], [0, 0, 0, 1, 3, 7, 14, 16, 11],
    ]  # fmt: skip
    X = pd.DataFrame({"additive": pd.Categorical(np.repeat(list("1234"), 9))})
    return X, np.tile(np.arange(1, 10), 4), np.ravel(counts)


def test_cheese_as_sas_prints_it() -> None:
    """SAS/STAT User's Guide, PROC LOGISTIC, ordinal example: 17.2866 with 21 df, p = 0.6936.

    Its intercepts and slopes are those of the fourth cheese as reference, signs turned.
    """
    X, y, count = cheese()
    found = ordinal_logit(X, y, sample_weight=count, weights="frequency")
    np.testing.assert_allclose(found.coef[2], 1.6128, atol=5e-5)
    np.testing.assert_allclose(found.coef[2] - found.coef[:2], [4.9645, 3.3227], atol=2e-4)
    test = found.parallel_lines_test().whole
    assert test.statistic == pytest.approx(17.2866, abs=5e-4)
    assert test.df == 21
    assert round(test.p_value, 4) == 0.6936


@pytest.mark.parametrize("link", LINKS)
def test_the_score_test_by_differences(link) -> None:
    X, y, rng = drawn(150, 4, link, seed=3)
    X, offset, weight = X[:, :2] - [0.0, 20.0], 0.3 * rng.normal(size=150), rng.integers(0, 3, 150)
    known = {"link": link, "offset": offset, "sample_weight": weight, "weights": "frequency"}
    found = ordinal_logit(X, y, **known)
    theta = np.concatenate([found.thresholds, np.tile(found.coef, 3)])

    def at(theta, y):
        return log_proba(link, X, y, theta[3:].reshape(3, 2), theta[:3], offset)

    def slopes(theta, y):
        return np.column_stack(
            [(at(theta + e, y) - at(theta - e, y)) / 2e-5 for e in 1e-5 * np.eye(9)]
        )

    score = weight @ slopes(theta, y)
    observed = -np.array([
        weight @ (slopes(theta + e, y) - slopes(theta - e, y)) / 2e-3 for e in 1e-3 * np.eye(9)
    ])  # fmt: skip
    expected = np.zeros((9, 9))
    for label in range(4):
        own = np.full(150, label)
        each = slopes(theta, own)
        expected += (each.T * (weight * np.exp(at(theta, own)))) @ each
    # Coefficients of the first column by threshold, one for all of the second.
    first = np.zeros((7, 9))
    first[:3, :3] = np.eye(3)
    first[[3, 4, 5], [3, 5, 7]] = 1.0
    first[6, [4, 6, 8]] = 1.0
    for kind, matrix, digits in (("observed", observed, 1e-4), ("expected", expected, 1e-6)):
        test = found.parallel_lines_test(kind)
        wanted = score @ np.linalg.solve(matrix, score)
        assert test.whole.statistic == pytest.approx(wanted, rel=digits)
        assert test.whole.df == 4
        part = first @ score
        wanted = part @ np.linalg.solve(first @ matrix @ first.T, part)
        assert test.of_columns["x0"].statistic == pytest.approx(wanted, rel=digits)
        assert test.of_columns["x0"].df == 2


def test_the_score_test_finds_unequal_odds() -> None:
    rng = np.random.default_rng(5)
    X = rng.normal(size=(2000, 2))
    first = rng.logistic(size=2000) + X[:, 0] > 0.0
    second = first & (rng.logistic(size=2000) - 1.0 * X[:, 0] > 0.0)
    test = ordinal_logit(X, first.astype(int) + second).parallel_lines_test()
    assert test.of_columns["x0"].p_value < 1e-10
    assert test.of_columns["x1"].p_value > 0.001
    assert str(test).startswith("score test of proportional odds: chi2(2) = ")


def test_two_classes_have_no_lines_to_compare() -> None:
    X, y, _ = drawn(60, 2)
    with pytest.raises(ValueError, match="one threshold"):
        ordinal_logit(X, y).parallel_lines_test()
    with pytest.raises(ValueError, match="information must be one of"):
        ordinal_logit(X, y).parallel_lines_test("exact")
