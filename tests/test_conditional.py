"""Matched sets: the exact conditional likelihood against all choices, R and statsmodels."""

import functools
import itertools
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import TWO_THREADS
from scipy.special import logsumexp

import fastlogit
from fastlogit import BatchSource, conditional_logit
from fastlogit.kernels.conditional import sums_of_strata
from fastlogit.kernels.simd import LANES
from fastlogit.relatives.conditional import score_statistic
from fastlogit.relatives.maximum import bound_on_lack, maximise
from fastlogit.relatives.strata import MatchedRows

pytestmark = pytest.mark.jit

PUBLISHED = json.loads((Path(__file__).parent / "published/conditional.json").read_text())
WOMEN = pd.DataFrame(
    {
        name: PUBLISHED[name]
        for name in (
            "case", "spontaneous", "induced", "age", "parity", "stratum", "pooled.stratum",
            "education",
        )
    }
)  # fmt: skip


# ------------------------------------------------------------------------------------------------
# Oracles


@functools.cache
def choices_of(n_rows: int, n_cases: int) -> Any:
    """All sets of so many rows, as rows of 0 and 1."""
    found = np.zeros((math.comb(n_rows, n_cases), n_rows))
    for number, each in enumerate(itertools.combinations(range(n_rows), n_cases)):
        found[number, list(each)] = 1.0
    return found


def by_enumeration(X: Any, y: Any, coef: Any, offset: Any = 0.0) -> tuple[float, Any, Any]:
    """Log-likelihood, slope and information of a stratum: over all choices of as many rows."""
    choices = choices_of(len(y), int(np.sum(y)))
    sums, raw = choices @ X, choices @ (X @ coef + offset)
    proba = np.exp(raw - logsumexp(raw))
    mean = proba @ sums
    away = sums - mean
    found = y @ (X @ coef + offset) - logsumexp(raw)
    return float(found), y @ X - mean, away.T @ (proba[:, None] * away)


def log_sum_of_choices(raw: Any, n_cases: int) -> float:
    """log e_m(exp(raw)) by the recursion over rows, in logarithms."""
    state = np.full(n_cases + 1, -np.inf)
    state[0] = 0.0
    for each in raw:
        state[1:] = np.logaddexp(state[1:], state[:-1] + each)
    return float(state[n_cases])


def log_likelihood(X: Any, y: Any, strata: Any, coef: Any) -> float:
    total = 0.0
    for label in np.unique(strata):
        own = strata == label
        raw = X[own] @ coef
        total += y[own] @ raw - log_sum_of_choices(raw, int(y[own].sum()))
    return total


def fit_by_enumeration(X: Any, y: Any, strata: Any, offset: Any = None, weight: Any = None) -> Any:
    """Newton's method over `by_enumeration`: coefficients, covariance, log-likelihood, scores."""
    offset = np.zeros(len(y)) if offset is None else offset
    weight = np.ones(len(y)) if weight is None else weight
    coef = np.zeros(X.shape[1])
    for _ in range(9):
        parts, times = [], []
        for label in np.unique(strata):
            own = (strata == label) & (weight > 0)
            if own.any():
                parts.append(by_enumeration(X[own], y[own], coef, offset[own]))
                times.append(weight[own][0])
        score = sum(t * part[1] for t, part in zip(times, parts, strict=True))
        information = sum(t * part[2] for t, part in zip(times, parts, strict=True))
        coef = coef + np.linalg.solve(information, score)
    found = sum(t * part[0] for t, part in zip(times, parts, strict=True))
    return coef, np.linalg.inv(information), found, np.array([part[1] for part in parts])


def matched(
    seed: int, sizes: Any, n_features: int = 2, n_cases: Any = 1, scale: float = 0.7
) -> tuple[Any, Any, Any]:
    """Rows of strata of given sizes, in any order; cases are drawn from a model."""
    rng = np.random.default_rng(seed)
    strata = np.repeat(np.arange(len(sizes)), sizes)
    X = rng.normal(size=(len(strata), n_features)) + rng.normal(size=(len(sizes), 1))[strata]
    raw = scale * X.sum(axis=1) + rng.gumbel(size=len(strata))
    y = np.zeros(len(strata))
    for number, chosen in enumerate(np.broadcast_to(n_cases, len(sizes))):
        own = np.flatnonzero(strata == number)
        y[own[np.argsort(-raw[own])[:chosen]]] = 1.0
    order = rng.permutation(len(strata))
    return X[order], y[order], strata[order]


def sums(X: Any, y: Any, sizes: Any, coef: Any) -> tuple[float, Any, Any]:
    """What the kernel says of strata that lie one after the other."""
    n_features = X.shape[1]
    scores, width = np.empty((len(sizes), n_features)), -(-n_features // LANES) * LANES
    information = np.zeros(n_features * width)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    found = sums_of_strata.serial(
        X, y.astype(np.uint8), np.empty(0), starts, np.ones(len(sizes)), coef, scores, information
    )
    lower = np.tril(information.reshape(n_features, width)[:, :n_features])
    return found, scores, lower + np.tril(lower, -1).T


# ------------------------------------------------------------------------------------------------
# The recursion


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 10).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1))),
    st.integers(1, 11), st.integers(0, 10_000), st.sampled_from([0.0, 0.5, 4.0, 40.0, 400.0]),
)  # fmt: skip
def test_a_stratum_is_the_sum_over_all_choices(shape, n_features, seed, scale) -> None:
    n_rows, n_cases = shape
    rng = np.random.default_rng(seed)
    X, coef = rng.normal(size=(n_rows, n_features)), scale * rng.normal(size=n_features)
    y = np.zeros(n_rows)
    y[rng.permutation(n_rows)[:n_cases]] = 1.0
    found, score, information = sums(X, y, [n_rows], coef)
    right = by_enumeration(X, y, coef)
    assert found == pytest.approx(right[0], rel=1e-12, abs=1e-12)
    np.testing.assert_allclose(score[0], right[1], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(information, right[2], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n_rows", "n_cases"), [(300, 150), (300, 7), (301, 290), (700, 333)])
def test_a_large_stratum(n_rows, n_cases) -> None:
    """Log-likelihood by the recursion in logarithms, slopes and information by differences."""
    rng = np.random.default_rng(n_rows + n_cases)
    X, coef = rng.normal(size=(n_rows, 2)), np.array([0.8, -0.5])
    y = np.zeros(n_rows)
    y[np.argsort(X @ coef + rng.logistic(size=n_rows))[-n_cases:]] = 1.0
    found, scores, information = sums(X, y, [n_rows], coef)
    one = np.zeros(n_rows)
    assert found == pytest.approx(log_likelihood(X, y, one, coef), rel=1e-12)
    h = 1e-4
    for column, step in enumerate(h * np.eye(2)):
        ends = [log_likelihood(X, y, one, coef + sign * step) for sign in (1, -1)]
        assert scores[0, column] == pytest.approx((ends[0] - ends[1]) / (2 * h), abs=1e-4)
        slopes = [sums(X, y, [n_rows], coef + sign * step)[1][0] for sign in (1, -1)]
        np.testing.assert_allclose(
            information[column], (slopes[1] - slopes[0]) / (2 * h), rtol=1e-6, atol=1e-5
        )


def test_the_middle_of_thousands_of_equal_rows_is_known() -> None:
    """At coefficients 0 all choices are alike: a hypergeometric sum has known moments."""
    n_rows, n_cases = 4_000, 1_500
    X = np.random.default_rng(0).normal(size=(n_rows, 1))
    y = (np.arange(n_rows) < n_cases).astype(float)
    found, scores, information = sums(X, y, [n_rows], np.zeros(1))
    choices = math.lgamma(n_rows + 1) - math.lgamma(n_cases + 1) - math.lgamma(n_rows - n_cases + 1)
    assert found == pytest.approx(-choices, rel=1e-12)
    assert scores[0, 0] == pytest.approx(float(y @ X[:, 0] - n_cases * X.mean()), rel=1e-9)
    right = n_cases * (n_rows - n_cases) / (n_rows - 1) * X.var()
    assert information[0, 0] == pytest.approx(right, rel=1e-10)


# ------------------------------------------------------------------------------------------------
# Fits


@pytest.mark.parametrize(
    ("name", "columns", "strata"),
    [
        ("sets", ["spontaneous", "induced"], "stratum"),
        ("pooled", ["spontaneous", "induced"], "pooled.stratum"),
        ("schools", ["spontaneous", "induced", "age", "parity"], "education"),
    ],
)
def test_infertile_women_as_in_r(name, columns, strata) -> None:
    found = conditional_logit(WOMEN[columns], WOMEN["case"], WOMEN[strata])
    np.testing.assert_allclose(found.coef, PUBLISHED[f"{name}_coef"], rtol=1e-9)
    covariance = np.reshape(PUBLISHED[f"{name}_covariance"], (len(columns), -1))
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    null, fitted = PUBLISHED[f"{name}_loglik"]
    assert found.null_log_likelihood == pytest.approx(null, rel=1e-12)
    assert found.log_likelihood == pytest.approx(fitted, rel=1e-12)
    tests = (
        found.likelihood_ratio_test(), found.wald_test(", ".join(columns)), found.score_test
    )  # fmt: skip
    # R prints the statistic of Wald's test with two digits.
    for test, right, digits in zip(
        tests, PUBLISHED[f"{name}_tests"], (1e-9, 5e-3, 1e-8), strict=True
    ):
        assert test.statistic == pytest.approx(right, rel=digits)
        assert test.df == len(columns)
    assert [found.aic, found.bic] == pytest.approx(PUBLISHED[f"{name}_aic_bic"], rel=1e-12)
    assert found.decrement < 1e-10
    assert found.suboptimality < 1e-15


def test_the_sandwich_is_that_of_r() -> None:
    columns = ["spontaneous", "induced"]
    found = conditional_logit(WOMEN[columns], WOMEN["case"], WOMEN["stratum"], cov_type="CR0")
    right = np.reshape(PUBLISHED["robust_covariance"], (2, 2))
    np.testing.assert_allclose(found.covariance, right, rtol=1e-8)
    more = conditional_logit(WOMEN[columns], WOMEN["case"], WOMEN["stratum"], cov_type="CR1")
    np.testing.assert_allclose(more.covariance, right * 83 / 82, rtol=1e-8)


def test_the_published_estimates_of_trichopoulos() -> None:
    """As R's page of `infert` has them: 1.9859 (0.3524) and 1.4090 (0.3607)."""
    found = conditional_logit(
        WOMEN[["spontaneous", "induced"]], WOMEN["case"], WOMEN["stratum"].astype(str)
    )
    assert found.coef.round(4).tolist() == [1.9859, 1.4090]
    assert found.standard_errors.round(4).tolist() == [0.3524, 0.3607]
    text = str(found)
    assert "1.9859" in text
    assert "7.2854" in text
    assert "83" in text


@pytest.mark.filterwarnings("ignore")  # statsmodels' own
def test_statsmodels_agrees() -> None:
    from statsmodels.discrete.conditional_models import ConditionalLogit

    X, y, strata = matched(1, [6] * 30, 3, 2)
    found = conditional_logit(X, y, strata)
    peer = ConditionalLogit(y, X, groups=strata)
    assert found.log_likelihood == pytest.approx(peer.loglike(found.coef), rel=1e-12)
    np.testing.assert_allclose(peer.score(found.coef), 0.0, atol=1e-9)
    # Its Hessian is made of differences, and its own fit ends 3e-5 away.
    right = np.linalg.inv(-peer.hessian(found.coef))
    np.testing.assert_allclose(found.covariance, right, rtol=1e-4)
    np.testing.assert_allclose(peer.fit(disp=False).params, found.coef, rtol=1e-3)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 7), max_size=8), st.integers(0, 1000))
def test_any_strata(sizes, seed) -> None:
    sizes = [*sizes, *[3] * 20]  # enough of them that none is separable
    n_cases = np.random.default_rng(seed).integers(0, np.array(sizes) + 1)
    n_cases[-20:] = 1
    X, y, strata = matched(seed, sizes, 2, n_cases, 0.2)
    found = conditional_logit(X, y, strata)
    coef, covariance, best, _ = fit_by_enumeration(X, y, strata)
    np.testing.assert_allclose(found.coef, coef, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-7)
    assert found.log_likelihood == pytest.approx(best, rel=1e-11)
    assert found.n_strata == ((n_cases > 0) & (n_cases < sizes)).sum()
    assert found.n_without_cases == (n_cases == 0).sum()
    assert found.n_without_controls == (n_cases == np.array(sizes)).sum()


def test_pairs_are_a_logistic_regression_of_differences() -> None:
    X, y, strata = matched(3, [2] * 60)
    found = conditional_logit(X, y, strata)
    order = np.lexsort((y, strata))
    differences = X[order][1::2] - X[order][::2]
    signs = np.where(np.arange(60) % 2, 1, -1)
    fitted = fastlogit.fit(
        differences * signs[:, None], signs > 0, C=np.inf, intercept=None, tol=1e-15
    )
    np.testing.assert_allclose(found.coef, fitted.coef, rtol=1e-6)


def test_four_digits_of_mcnemar() -> None:
    """Of pairs and one binary exposure: log(b / c), and its score test (b - c)^2 / (b + c)."""
    b, c, ties = 21, 9, 12
    exposed = np.repeat([[1, 0], [0, 1], [1, 1]], [b, c, ties], axis=0).reshape(-1, 1)
    y, strata = np.tile([1, 0], b + c + ties), np.repeat(np.arange(b + c + ties), 2)
    found = conditional_logit(exposed, y, strata)
    assert found.coef[0] == pytest.approx(np.log(b / c), rel=1e-12)
    assert found.standard_errors[0] == pytest.approx(np.sqrt(1 / b + 1 / c), rel=1e-12)
    assert found.score_test.statistic == pytest.approx((b - c) ** 2 / (b + c), rel=1e-12)


def test_offsets_and_weights() -> None:
    X, y, strata = matched(5, [4] * 40, 2, [1, 2] * 20)
    rng = np.random.default_rng(0)
    offset, times = rng.normal(size=len(y)), rng.integers(0, 3, 40)[strata]
    found = conditional_logit(X, y, strata, offset=offset, sample_weight=times, weights="frequency")
    coef, covariance, best, scores = fit_by_enumeration(X, y, strata, offset, times)
    np.testing.assert_allclose(found.coef, coef, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-8)
    assert found.log_likelihood == pytest.approx(best, rel=1e-11)
    again = np.repeat(np.arange(len(y)), times)
    copy = np.concatenate([np.arange(n) for n in times])
    repeated = conditional_logit(
        X[again], y[again], strata[again] * 10 + copy, offset=offset[again], cov_type="CR1"
    )
    weighted = conditional_logit(
        X, y, strata, offset=offset, sample_weight=times, weights="frequency", cov_type="CR1"
    )
    np.testing.assert_allclose(weighted.covariance, repeated.covariance, rtol=1e-8)
    assert weighted.n_strata == repeated.n_strata
    assert weighted.n_samples == repeated.n_samples
    assert weighted.n_cases == repeated.n_cases
    sampling = conditional_logit(
        X, y, strata, offset=offset, sample_weight=times, weights="probability", cov_type="CR0"
    )
    own = np.array([times[strata == label][0] for label in np.unique(strata)])
    own = own[own > 0]
    meat = (scores * own[:, None] ** 2).T @ scores
    np.testing.assert_allclose(sampling.covariance, covariance @ meat @ covariance, rtol=1e-6)
    assert np.isnan(sampling.aic)
    assert np.isnan(sampling.bic)
    assert "pseudo-log-likelihood" in str(sampling)
    with pytest.raises(ValueError, match="no likelihood"):
        sampling.likelihood_ratio_test()


def test_rows_of_weight_0_are_not_there() -> None:
    X, y, strata = matched(6, [5] * 30)
    keeps = np.random.default_rng(1).random(len(y)) < 0.8
    found = conditional_logit(X, y, strata, sample_weight=keeps)
    fewer = conditional_logit(X[keeps], y[keeps], strata[keeps])
    np.testing.assert_allclose(found.coef, fewer.coef, rtol=1e-12)
    assert found.n_without_cases == fewer.n_without_cases > 0


def test_clusters_of_strata() -> None:
    X, y, strata = matched(7, [4] * 50)
    person = strata // 3
    found = conditional_logit(X, y, strata, cov_type="CR0", clusters=person)
    _, covariance, _, scores = fit_by_enumeration(X, y, strata)
    sums = np.array([scores[np.arange(50) // 3 == each].sum(axis=0) for each in range(17)])
    right = covariance @ sums.T @ sums @ covariance
    np.testing.assert_allclose(found.covariance, right, rtol=1e-7)
    assert found.n_clusters == 17
    assert "17 clusters" in str(found)


def test_what_carries_the_columns_changes_nothing() -> None:
    from scipy.sparse import csc_matrix, csr_array

    X, y, strata = matched(8, [5] * 40, 3)
    X = np.where(np.abs(X) < 0.5, 0.0, X).astype(np.float32)
    right = conditional_logit(X.astype(float), y, strata)
    labels = np.array(["no", "yes"])[y.astype(int)]
    for given_X in (X, csr_array(X), csc_matrix(X), pd.DataFrame(X), np.asfortranarray(X)):
        found = conditional_logit(given_X, labels, [f"set {label}" for label in strata])
        np.testing.assert_allclose(found.coef, right.coef, rtol=1e-12)
        np.testing.assert_allclose(found.covariance, right.covariance, rtol=1e-12)


def test_categorical_columns() -> None:
    rng = np.random.default_rng(2)
    X, y, strata = matched(9, [4] * 80, 1)
    kind = rng.choice(["a", "b", "c"], len(y))
    frame = pd.DataFrame({"x": X[:, 0], "kind": pd.Categorical(kind)})
    found = conditional_logit(frame, y, strata)
    plain = conditional_logit(np.column_stack([X, kind == "b", kind == "c"]), y, strata)
    assert found.names == ["x", "kind[b]", "kind[c]"]
    np.testing.assert_allclose(found.coef, plain.coef, rtol=1e-10)
    test, right = found.likelihood_ratio_test("kind"), plain.likelihood_ratio_test("x1, x2")
    assert test.df == right.df == 2
    assert test.statistic == pytest.approx(right.statistic, rel=1e-9)
    without = conditional_logit(frame[["x"]], y, strata)
    nested = found.likelihood_ratio_test(without)
    assert nested.statistic == pytest.approx(test.statistic, rel=1e-9)
    assert nested.hypothesis == "kind[b], kind[c]"
    assert found.wald_test("kind").df == 2


def test_restrictions_with_values() -> None:
    X, y, strata = matched(10, [4] * 60)
    found = conditional_logit(X, y, strata)
    test = found.likelihood_ratio_test("x0 = 0.5")
    fixed = conditional_logit(X[:, 1:], y, strata, offset=0.5 * X[:, 0])
    right = 2.0 * (found.log_likelihood - fixed.log_likelihood)
    assert test.statistic == pytest.approx(right, rel=1e-9)
    both = found.likelihood_ratio_test(([[1, 0], [0, 1]], [0.5, 0.5]))
    right = 2.0 * (found.log_likelihood - log_likelihood(X, y, strata, np.array([0.5, 0.5])))
    assert both.statistic == pytest.approx(right, rel=1e-9)


def test_a_hypothesis_whose_fit_is_not_found_has_no_figure() -> None:
    X, y, strata = matched(10, [4] * 60)
    found = conditional_logit(X, y, strata)
    near, far = (found.likelihood_ratio_test(f"x0 = {k}").statistic for k in (100, 1000))
    # Far out the likelihood falls in proportion to the distance.
    assert far / near == pytest.approx(10.0, rel=0.02)
    for value in (1e4, 1e6, 1e300):
        with pytest.raises(ValueError, match=r"under x0 = .* was not found.* use wald_test"):
            found.likelihood_ratio_test(f"x0 = {value!r}")


def test_a_score_test_without_information_is_nan() -> None:
    X, y, strata = matched(10, [4] * 60)
    null = conditional_logit(X, y, strata)._rows.at(np.zeros(2))
    flat = null._replace(information=np.zeros((2, 2)))
    assert np.isnan(score_statistic(flat))
    alike = null._replace(information=np.ones((2, 2)))
    assert np.isnan(score_statistic(alike))


def test_units_of_columns_do_not_matter() -> None:
    X, y, strata = matched(11, [5] * 50)
    found = conditional_logit(X, y, strata)
    factor, shift = np.array([1e8, 1e-8]), np.array([1e9, 3.0])
    other = conditional_logit(X * factor + shift, y, strata)
    np.testing.assert_allclose(other.coef * factor, found.coef, rtol=1e-5)
    moved = conditional_logit(
        X + 1e3 * np.random.default_rng(0).normal(size=50)[strata][:, None], y, strata
    )
    np.testing.assert_allclose(moved.coef, found.coef, rtol=1e-9)


def test_threads_and_blocks_change_no_bit(monkeypatch) -> None:
    from fastlogit.relatives import strata as room

    X, y, strata = matched(12, [3, 6] * 150, 3, [1, 3] * 150)
    monkeypatch.setattr(room, "BLOCK_NUMBERS", 256)
    one, two = (
        conditional_logit(X, y, strata, n_threads=n, cov_type="CR0") for n in (1, TWO_THREADS)
    )
    assert one.coef.tobytes() == two.coef.tobytes()
    assert one.covariance.tobytes() == two.covariance.tobytes()
    monkeypatch.setattr(room, "KEPT_BYTES", 0)
    again = conditional_logit(X, y, strata, cov_type="CR0")
    assert again.coef.tobytes() == one.coef.tobytes()


# ------------------------------------------------------------------------------------------------
# The proof


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_holds_wherever_it_is_finite(seed) -> None:
    X, y, strata = matched(20 + seed, [4, 6] * 25, 2, [1, 2] * 25)
    best = conditional_logit(X, y, strata)
    rows: MatchedRows = best._rows
    rng = np.random.default_rng(seed)
    proven = 0
    for size in (1e-3, 1e-2, 0.1, 0.5, 3.0):
        start = (
            best.coef * rows.scale + size * rng.normal(size=2) * best.standard_errors * rows.scale
        )
        there = maximise(rows, 0, rows.at(start))
        lack = best.log_likelihood - there.point.log_likelihood
        assert lack <= there.lack * (1.0 + 1e-9) + 1e-12
        if np.isfinite(there.lack) and size <= 1e-2:
            proven += 1
            assert there.lack <= 2.0 * lack + 1e-12
    assert proven


def test_the_bound_by_numbers() -> None:
    assert bound_on_lack(0.0, 5.0) == 0.0
    assert bound_on_lack(1e-6, 10.0) == pytest.approx(0.5e-12, rel=1e-4)
    assert bound_on_lack(0.1, 10.0) == np.inf
    assert bound_on_lack(0.1, np.nan) == np.inf
    assert bound_on_lack(0.09, 10.0) > bound_on_lack(0.09, 1.0) > 0.5 * 0.09**2


# ------------------------------------------------------------------------------------------------
# What is refused


def test_separable_strata_are_named() -> None:
    X, y, strata = matched(30, [4] * 30)
    complete = np.column_stack([X, y + 0.01 * X[:, 0]])
    with pytest.raises(ValueError, match=r"completely separable: .*x2"):
        conditional_logit(complete, y, strata)
    rare = np.column_stack([X, np.zeros(len(y))])
    rare[np.flatnonzero(y == 1)[:3], 2] = 1.0
    with pytest.raises(ValueError, match="quasi-completely separable: column x2 alone does"):
        conditional_logit(rare, y, strata)
    with pytest.raises(ValueError, match="separable"):
        conditional_logit(rare, 1 - y, strata)


def test_separable_strata_of_several_cases() -> None:
    X, y, strata = matched(31, [8] * 10, 2, 3)
    quasi = np.column_stack([X, np.zeros(len(y))])
    quasi[np.flatnonzero(y == 1)[:2], 2] = 1.0
    with pytest.raises(ValueError, match="quasi-completely separable: column x2 alone does"):
        conditional_logit(quasi, y, strata)


def test_nothing_is_said_of_a_likelihood_that_is_flat(monkeypatch) -> None:
    """Also where the linear programme came to no answer."""
    from fastlogit.relatives import conditional as room

    monkeypatch.setattr(room, "separated_sets", lambda rows: None)
    X, y, strata = matched(30, [4] * 30)
    with pytest.raises(ValueError, match=r"flat in some direction|larger max_iter"):
        conditional_logit(np.column_stack([X, y]), y, strata, max_iter=200)
    with pytest.raises(ValueError, match=r"flat in some direction|larger max_iter"):
        conditional_logit(np.column_stack([X, y]), y, strata, max_iter=20)


def test_large_but_finite_coefficients_are_found() -> None:
    """One stratum in 400 goes against the rest: no separation."""
    strata = np.repeat(np.arange(400), 2)
    X = np.tile([1.0, 0.0], 400)[:, None]
    y = np.tile([1, 0], 400)
    y[:2] = [0, 1]
    found = conditional_logit(X, y, strata)
    assert found.coef[0] == pytest.approx(np.log(399.0), rel=1e-10)


def test_what_does_not_vary_within_strata() -> None:
    X, y, strata = matched(32, [4] * 30)
    of_stratum = np.random.default_rng(0).normal(size=30)[strata]
    with pytest.raises(ValueError, match="x2 does not vary within any stratum"):
        conditional_logit(np.column_stack([X, of_stratum]), y, strata)
    conditional_logit(np.column_stack([X, of_stratum * X[:, 0]]), y, strata)
    with pytest.raises(ValueError, match=r"do not tell the coefficients of x2: .*a combination"):
        conditional_logit(np.column_stack([X, X.sum(axis=1) + of_stratum]), y, strata)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"strata": [0, 0, 1]}, ValueError, "strata has 3 values"),
        ({"strata": [0, 0, 1, 1, None, 2]}, ValueError, "strata contains None"),
        ({"strata": [0, 1, 2, 3, 4, 5]}, ValueError, "no stratum has both a case and a control"),
        ({"y": [0, 1, 2, 0, 1, 0]}, ValueError, "two classes"),
        ({"X": [[np.nan], [1], [2], [3], [4], [5]]}, ValueError, "NaN"),
        ({"sample_weight": [1, 2, 1, 1, 1, 1], "weights": "frequency"}, ValueError, "of a stratum"),
        ({"sample_weight": [2, 2, 1, 1, 1, 1]}, ValueError, "say what they are"),
        ({"weights": "analytic"}, ValueError, "weights must be one of"),
        (
            {"sample_weight": [2.5, 2.5, 1, 1, 1, 1], "weights": "probability"},
            ValueError, "cov_type='CR1'",
        ),
        ({"cov_type": "HC3"}, ValueError, "cov_type must be one of"),
        ({"clusters": [0, 0, 1, 1, 2, 2]}, ValueError, "leave clusters out"),
        ({"clusters": [0, 1, 1, 1, 2, 2], "cov_type": "CR1"}, ValueError, "whole strata"),
        ({"clusters": [0] * 6, "cov_type": "CR1"}, ValueError, "one cluster only"),
        ({"clusters": [0] * 5, "cov_type": "CR1"}, ValueError, "clusters has 5 values"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"interactions": [("a", "b")]}, ValueError, "no categorical columns"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"X": BatchSource(lambda: iter([]))}, TypeError, "reads rows in memory"),
    ],
)  # fmt: skip
def test_bad_input(change, error, words) -> None:
    given_: dict[str, Any] = {
        "X": [[0.0], [1.0], [2.0], [0.5], [1.0], [0.0]], "y": [0, 1, 0, 1, 0, 1],
        "strata": [0, 0, 1, 1, 2, 2],
    }  # fmt: skip
    with pytest.raises(error, match=words):
        conditional_logit(**{**given_, **change})


@pytest.mark.parametrize("cov_type", ["CR0", "CR1"])
def test_one_stratum_has_no_sandwich(cov_type) -> None:
    """Its slope is 0 at the maximum; strata of one outcome do not count, nor do frequencies."""
    X, y, strata = matched(33, [30, 3, 3], 2, [12, 0, 3])
    assert conditional_logit(X, y, strata).n_strata == 1
    known = {"sample_weight": np.full(len(y), 5), "weights": "frequency"}
    for more in ({}, known, {"clusters": strata}):
        with pytest.raises(ValueError, match="one alone has cases and controls"):
            conditional_logit(X, y, strata, cov_type=cov_type, **more)


def test_rows_on_disk_are_refused() -> None:
    class OnDisk:
        shape, dtype = (6, 1), np.dtype(float)

        def __getitem__(self, rows: slice) -> Any:
            return np.arange(6.0)[rows, None]

    with pytest.raises(TypeError, match="streamed"):
        conditional_logit(OnDisk(), [0, 1, 0, 1, 0, 1], [0, 0, 1, 1, 2, 2])


def test_other_models_are_not_nested() -> None:
    X, y, strata = matched(40, [4] * 30)
    whole = conditional_logit(X, y, strata)
    one = conditional_logit(X[:, :1], y, strata)
    with pytest.raises(ValueError, match="not nested"):
        one.likelihood_ratio_test(whole)
    fewer = conditional_logit(X[strata > 2, :1], y[strata > 2], strata[strata > 2])
    with pytest.raises(ValueError, match=r"its number of strata is 27\.0, here 30\.0"):
        whole.likelihood_ratio_test(fewer)


def test_too_few_iterations() -> None:
    X, y, strata = matched(41, [4] * 30)
    with pytest.raises(ValueError, match="larger max_iter"):
        conditional_logit(X, y, strata, max_iter=1)


def test_tables_and_pickles() -> None:
    X, y, strata = matched(42, [4] * 30)
    found = conditional_logit(pd.DataFrame(X, columns=["dose", "age"]), y, strata, cov_type="CR1")
    frame = found.to_frame(0.9)
    assert list(frame.index) == ["dose", "age"]
    np.testing.assert_allclose(frame["conf_low"], found.conf_int(0.9)[:, 0])
    np.testing.assert_allclose(found.odds_ratio_intervals(), np.exp(found.conf_int()))
    assert "strata, CR1" in str(found)
    assert found._repr_html_().startswith("<p><b>Conditional logistic regression of 1.0")
    assert "30 strata" in repr(found)
    again = pickle.loads(pickle.dumps(found))
    assert again.coef.tobytes() == found.coef.tobytes()
    assert again.likelihood_ratio_test("dose") == found.likelihood_ratio_test("dose")


# ---- offsets beyond any measure, and columns


def test_offsets_that_are_constant_within_strata_change_nothing() -> None:
    X, case, stratum = WOMEN[["spontaneous", "induced"]], WOMEN["case"], WOMEN["stratum"]
    level = np.random.default_rng(0).normal(size=stratum.max() + 1)[stratum]
    plain = conditional_logit(X, case, stratum)
    for scale in (1e6, 1e300):
        found = conditional_logit(X, case, stratum, offset=scale * level)
        np.testing.assert_array_equal(found.coef, plain.coef)
        assert found.null_log_likelihood == plain.null_log_likelihood


@pytest.mark.parametrize(
    ("scale", "said"),
    [(1e6, "is it on the scale of log-odds"), (1e300, "is it on the scale of log-odds"),
     (1.7e308, "offset within a stratum leave float64")],
)  # fmt: skip
def test_offsets_that_make_all_certain_are_named(scale, said) -> None:
    offset = scale * np.clip(np.random.default_rng(0).normal(size=len(WOMEN)), -1.0, 1.0)
    with pytest.raises(ValueError, match=said):
        conditional_logit(
            WOMEN[["spontaneous", "induced"]], WOMEN["case"], WOMEN["stratum"], offset=offset
        )


def test_columns_whose_squares_leave_float64_are_named() -> None:
    X = WOMEN[["spontaneous", "induced"]] * [1e-200, 1.0]
    with pytest.raises(ValueError, match=r"column spontaneous .* rescale"):
        conditional_logit(X, WOMEN["case"], WOMEN["stratum"])
