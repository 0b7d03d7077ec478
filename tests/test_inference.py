"""`infer`: standard errors and the likelihood, against published figures and 50 digits."""

import warnings
from typing import Any

import inference_oracle as oracle
import mpmath
import numpy as np
import pandas as pd
import pytest
from problems import problem, real
from scipy import sparse, stats
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import LogisticRegression, fit, infer

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

# Twelve rows of which R and NumPy give the same nine digits.
TWELVE_X = np.array([0.5, 1.2, -0.3, 2.1, 0.8, -1.1, 1.7, 0.2, -0.6, 1.4, -1.8, 0.9])
TWELVE_D = np.array([1.0, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0])
TWELVE = np.column_stack([TWELVE_X, TWELVE_D])
TWELVE_Y = np.array([1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1])

# Spector and Mazzeo (1980, Journal of Economic Education 11), as statsmodels ships them: GPA, TUCE,
# PSI and whether the grade improved.
SPECTOR = """
2.66 20 0 0; 2.89 22 0 0; 3.28 24 0 0; 2.92 12 0 0; 4.00 21 0 1; 2.86 17 0 0; 2.76 17 0 0;
2.87 21 0 0; 3.03 25 0 0; 3.92 29 0 1; 2.63 20 0 0; 3.32 23 0 0; 3.57 23 0 0; 3.26 25 0 1;
3.53 26 0 0; 2.74 19 0 0; 2.75 25 0 0; 2.83 19 0 0; 3.12 23 1 0; 3.16 25 1 1; 2.06 22 1 0;
3.62 28 1 1; 2.89 14 1 0; 3.51 26 1 0; 3.54 24 1 1; 2.83 27 1 1; 3.39 17 1 1; 2.67 24 1 0;
3.65 21 1 1; 4.00 23 1 1; 3.10 21 1 0; 2.39 19 1 1
"""


def spector() -> tuple[Any, Any]:
    table = np.array([row.split() for row in SPECTOR.replace("\n", " ").split(";")], dtype=float)
    frame = pd.DataFrame(table[:, :3], columns=["GPA", "TUCE", "PSI"])
    return frame, table[:, 3].astype(int)


def rows(n_samples: int, n_features: int) -> tuple[Any, Any]:
    return problem(n_samples, n_features)[:2]


def unpenalised(X: Any, y: Any, **options: Any) -> Any:
    return fit(X, y, C=np.inf, **options)


def test_twelve_rows() -> None:
    found = infer(unpenalised(TWELVE, TWELVE_Y), TWELVE, TWELVE_Y)
    np.testing.assert_allclose(
        found.coef, [-1.7719794038, 1.7775750673, 1.7687905440], rtol=0, atol=6e-11
    )
    np.testing.assert_allclose(
        found.standard_errors, [1.5324400848, 1.2371974820, 1.6544930548], rtol=0, atol=6e-11
    )
    assert found.log_likelihood == pytest.approx(-4.724470357, abs=6e-10)
    assert found.names == ["intercept", "x0", "x1"]
    np.testing.assert_allclose(found.statistics, found.coef / found.standard_errors)
    np.testing.assert_allclose(found.p_values, 2.0 * stats.norm.sf(np.abs(found.statistics)))
    half = stats.norm.ppf(0.95) * found.standard_errors
    np.testing.assert_allclose(found.conf_int(0.9)[:, 0], found.coef - half)
    np.testing.assert_allclose(found.odds_ratio_intervals(0.9)[:, 1], np.exp(found.coef + half))
    np.testing.assert_allclose(found.odds_ratios, np.exp(found.coef))
    for name, p_value in (("x0", 0.0474077577), ("x1", 0.2618002398)):
        test = found.likelihood_ratio_test(name)
        assert test.p_value == pytest.approx(p_value, abs=6e-11)


@pytest.mark.parametrize(
    ("l1_reg", "l2_reg", "wanted"),
    [
        # The mean loss with 0.08 (0.5 |coef| + 0.25 coef^2), and with 0.1 (0.5 |x| + 1.5 |d|).
        (0.04, 0.04, [-0.65224668, 1.02394876, 0.40159655]),
        ([0.05, 0.15], 0.0, [-0.61603779, 1.29778731, 0.0]),
    ],
)
def test_twelve_rows_with_an_elastic_net(l1_reg: Any, l2_reg: float, wanted: Any) -> None:
    result = fit(TWELVE, TWELVE_Y, l1_reg=l1_reg, l2_reg=l2_reg)
    np.testing.assert_allclose([result.intercept, *result.coef], wanted, rtol=0, atol=2e-7)
    if wanted[2] == 0.0:
        assert result.coef[1] == 0.0


@pytest.mark.parametrize("labels", [(False, True), ("no", "yes")])
def test_the_second_level_is_what_is_modelled(labels: Any) -> None:
    y = np.array(labels)[TWELVE_Y]
    found = infer(unpenalised(TWELVE, y), TWELVE, y)
    assert found.coef[1] == pytest.approx(1.7775750673, abs=6e-11)


def test_spector_and_mazzeo() -> None:
    """Greene, Econometric Analysis, table 21.1; Stata's logit; log-likelihood -12.8896."""
    X, y = spector()
    found = infer(LogisticRegression(C=np.inf).fit(X, y), X, y)
    assert found.names == ["intercept", "GPA", "TUCE", "PSI"]
    np.testing.assert_allclose(found.coef, [-13.0213, 2.8261, 0.0952, 2.3787], atol=6e-5)
    np.testing.assert_allclose(found.standard_errors, [4.9313, 1.2629, 0.1416, 1.0646], atol=6e-5)
    likelihood = found.likelihood
    assert likelihood.log_likelihood == pytest.approx(-12.8896, abs=6e-5)
    assert likelihood.null_log_likelihood == pytest.approx(-20.5917, abs=6e-5)
    assert likelihood.mcfadden == pytest.approx(0.3740, abs=6e-5)
    assert likelihood.aic == pytest.approx(2.0 * 12.8896 + 8.0, abs=2e-4)
    assert likelihood.bic == pytest.approx(2.0 * 12.8896 + 4.0 * np.log(32.0), abs=2e-4)


def statsmodels_data(name: str) -> tuple[Any, Any]:
    """Data that statsmodels ships, with a constant and as its documentation fits them."""
    from statsmodels import datasets

    frame = getattr(datasets, name).load_pandas()
    if name == "fair":
        return frame.data.drop(columns="affairs"), (frame.data["affairs"] > 0).astype(int)
    return frame.exog, frame.endog


@pytest.mark.parametrize("name", ["fair", "spector"])
def test_statsmodels_logit_on_its_own_data(name: str) -> None:
    from statsmodels.api import Logit, add_constant

    X, y = statsmodels_data(name)
    found = infer(unpenalised(X, y), X, y)
    theirs = Logit(y, add_constant(X)).fit(disp=False, tol=1e-14)
    np.testing.assert_allclose(found.coef, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(found.standard_errors, theirs.bse, rtol=1e-6)
    np.testing.assert_allclose(found.covariance, theirs.cov_params(), rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.p_values, theirs.pvalues, rtol=1e-6)
    np.testing.assert_allclose(found.conf_int(), theirs.conf_int(), rtol=1e-6)
    assert found.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)
    assert found.likelihood.null_log_likelihood == pytest.approx(theirs.llnull, rel=1e-9)
    assert found.aic == pytest.approx(theirs.aic, rel=1e-12)
    assert found.bic == pytest.approx(theirs.bic, rel=1e-12)


def test_fairs_affairs() -> None:
    """The figures of statsmodels' documentation of discrete choice models (6,366 rows)."""
    X, y = statsmodels_data("fair")
    X = X[["occupation", "educ", "occupation_husb", "rate_marriage", "age", "yrs_married",
           "children", "religious"]]  # fmt: skip
    found = infer(unpenalised(X, y), X, y)
    published = [
        (3.7257, 0.299), (0.1602, 0.034), (-0.0392, 0.015), (0.0124, 0.023), (-0.7161, 0.031),
        (-0.0605, 0.010), (0.1100, 0.011), (-0.0042, 0.032), (-0.3752, 0.035),
    ]  # fmt: skip
    np.testing.assert_allclose(found.coef, [coef for coef, _ in published], atol=6e-5)
    np.testing.assert_allclose(found.standard_errors, [error for _, error in published], atol=6e-4)
    assert found.log_likelihood == pytest.approx(-3471.5, abs=0.06)


def fifty_digits(X: Any, y: Any) -> tuple[Any, Any]:
    """Coefficients and standard errors by Newton's method in mpmath."""
    with mpmath.workdps(50):
        rows = [[mpmath.mpf(1), *(mpmath.mpf(float(v)) for v in row)] for row in X]
        size = len(rows[0])
        beta = mpmath.matrix(size, 1)
        for _ in range(40):
            gradient, information = mpmath.matrix(size, 1), mpmath.matrix(size, size)
            for row, label in zip(rows, y, strict=True):
                z = mpmath.fsum(a * b for a, b in zip(row, beta, strict=True))
                p = 1 / (1 + mpmath.exp(-z))
                for i in range(size):
                    gradient[i] += (p - int(label)) * row[i]
                    for j in range(size):
                        information[i, j] += p * (1 - p) * row[i] * row[j]
            step = mpmath.lu_solve(information, gradient)
            beta -= step
            if mpmath.norm(step) < mpmath.mpf(10) ** -40:
                break
        inverse = information**-1
        coef = [float(value) for value in beta]
        return coef, [float(mpmath.sqrt(inverse[i, i])) for i in range(size)]


@pytest.mark.parametrize("name", ["twelve", "spector", "far"])
def test_ten_digits_of_fifty(name: str) -> None:
    """The last data have columns of unlike scales, far from 0."""
    X, y = (TWELVE, TWELVE_Y) if name == "twelve" else spector()
    X = np.asarray(X)
    if name == "far":
        X = X * [1e4, 1e-3, 1.0] + [1e6, 5.0, 0.0]
    found = infer(unpenalised(X, y), X, y)
    coef, errors = fifty_digits(X, y)
    np.testing.assert_allclose(found.coef, coef, rtol=1e-10)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-10)


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_a_loose_fit_is_refined(solver: str) -> None:
    X, y = rows(400, 6)
    exact = oracle.optimum(X, y)
    loose = unpenalised(X, y, solver=solver, tol=1e-5)
    assert np.abs(loose.coef / exact.coef[1:] - 1.0).max() > 1e-9
    found = infer(loose, X, y)
    np.testing.assert_allclose(found.coef, exact.coef, rtol=1e-10)
    np.testing.assert_allclose(
        found.standard_errors, np.sqrt(np.diag(np.linalg.inv(exact.information))), rtol=1e-10
    )


def test_an_unfinished_fit_is_refused() -> None:
    X, y = rows(400, 6)
    with pytest.warns(ConvergenceWarning):
        early = unpenalised(X, y, max_iter=0)
    with pytest.raises(ValueError, match=r"not at its optimum.*standard errors"):
        infer(early, X, y)
    with pytest.raises(ValueError, match=r"not at its optimum.*offset of the fit"):
        infer(unpenalised(X, y), X, y, offset=np.linspace(-2.0, 2.0, 400))


def test_many_rows_take_their_scale_from_some(rng: Any) -> None:
    X, y = rows(70_000, 5)
    X[:, 0] += 1e4
    X[:, 1] = 0.0
    X[rng.choice(70_000, 40, replace=False), 1] = 1.0  # not among every fourth row for sure
    found = infer(unpenalised(X, y), X, y)
    exact = oracle.optimum(X - [1e4, 0, 0, 0, 0], y)
    np.testing.assert_allclose(found.coef[1:], exact.coef[1:], rtol=1e-8)
    errors = np.sqrt(np.diag(np.linalg.inv(exact.information)))
    np.testing.assert_allclose(found.standard_errors[1:], errors[1:], rtol=1e-8)


def test_offset_and_no_intercept() -> None:
    X, y = rows(300, 4)
    offset = np.linspace(-1.0, 1.0, 300)
    found = infer(unpenalised(X, y, offset=offset), X, y, offset=offset)
    exact = oracle.optimum(X, y, offset=offset)
    np.testing.assert_allclose(found.coef, exact.coef, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(exact.information), rtol=1e-8)
    null = oracle.optimum(np.empty((300, 0)), y, offset=offset)
    p = 1.0 / (1.0 + np.exp(-null.coef[0] - offset))
    assert found.likelihood.null_log_likelihood == pytest.approx(stats.bernoulli.logpmf(y, p).sum())
    found = infer(unpenalised(X, y, intercept=None), X, y)
    exact = oracle.optimum(X, y, intercept=False)
    assert found.names == ["x0", "x1", "x2", "x3"]
    np.testing.assert_allclose(found.coef, exact.coef, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(exact.information), rtol=1e-8)
    assert found.likelihood.null_log_likelihood == pytest.approx(-300.0 * np.log(2.0))


def test_pseudo_r2_from_their_definitions() -> None:
    X, y = rows(300, 4)
    found = infer(unpenalised(X, y), X, y)
    exact = oracle.optimum(X, y)
    p = 1.0 / (1.0 + np.exp(-exact.Z @ exact.coef))
    ll, null = stats.bernoulli.logpmf(y, p).sum(), stats.bernoulli.logpmf(y, y.mean()).sum()
    cox_snell = 1.0 - np.exp(null - ll) ** (2.0 / 300.0)
    wanted = {
        "mcfadden": 1.0 - ll / null,
        "cox_snell": cox_snell,
        "nagelkerke": cox_snell / (1.0 - np.exp(null) ** (2.0 / 300.0)),
        "tjur": p[y == 1].mean() - p[y == 0].mean(),
    }
    assert found.pseudo_r2 == pytest.approx(wanted, rel=1e-9)
    assert found.likelihood.pearson_chi2 == pytest.approx(((y - p) ** 2 / (p * (1.0 - p))).sum())
    assert found.likelihood.deviance == pytest.approx(-2.0 * ll)
    assert found.likelihood.df_residual == 295.0


def test_frequencies_are_repetition(rng: Any) -> None:
    X, y = rows(120, 3)
    counts = rng.integers(0, 4, 120)
    clusters = rng.integers(0, 9, 120)
    weighted = unpenalised(X, y, sample_weight=counts)
    long_X, long_y = np.repeat(X, counts, axis=0), np.repeat(y, counts)
    for cov_type in ("nonrobust", "HC0", "HC1", "HC2", "HC3", "CR0", "CR1", "CR1S", "CR2", "CR3"):
        by_cluster = cov_type.startswith("CR")
        found = infer(
            weighted, X, y, sample_weight=counts, weights="frequency", cov_type=cov_type,
            clusters=clusters if by_cluster else None,
        )  # fmt: skip
        repeated = infer(
            unpenalised(long_X, long_y), long_X, long_y, cov_type=cov_type,
            clusters=np.repeat(clusters, counts) if by_cluster else None,
        )  # fmt: skip
        np.testing.assert_allclose(found.coef, repeated.coef, rtol=1e-9)
        np.testing.assert_allclose(found.covariance, repeated.covariance, rtol=1e-7, atol=1e-12)
        assert found.n_samples == repeated.n_samples == counts.sum()
        assert found.bic == pytest.approx(repeated.bic)
        assert found.pseudo_r2 == pytest.approx(repeated.pseudo_r2)
        assert found.likelihood.pearson_chi2 == pytest.approx(repeated.likelihood.pearson_chi2)
        if found.degrees_of_freedom is not None:
            np.testing.assert_allclose(
                found.degrees_of_freedom, repeated.degrees_of_freedom, rtol=1e-7
            )


@pytest.mark.parametrize("cov_type", ["nonrobust", "HC1", "HC3", "CR1S", "CR2"])
@pytest.mark.parametrize("kind", ["frequency", "probability", "analytic"])
def test_rows_of_weight_zero_are_not_there(cov_type: str, kind: str, rng: Any) -> None:
    if (cov_type, kind) == ("nonrobust", "probability"):
        return
    X, y = rows(120, 3)
    weights = rng.integers(0, 3, 120).astype(float)
    clusters = np.arange(120) // 10
    weights[clusters == 4] = 0.0
    used = weights > 0.0
    by_cluster = cov_type.startswith("CR")

    def inferred(some: Any) -> Any:
        own = weights[some]
        return infer(
            unpenalised(X[some], y[some], sample_weight=own), X[some], y[some], sample_weight=own,
            weights=kind, cov_type=cov_type, clusters=clusters[some] if by_cluster else None,
        )  # fmt: skip

    found, removed = inferred(np.ones(120, dtype=bool)), inferred(used)
    np.testing.assert_allclose(found.covariance, removed.covariance, rtol=1e-8, atol=1e-13)
    assert found.n_samples == removed.n_samples
    assert found.n_clusters == removed.n_clusters
    assert found.log_likelihood == pytest.approx(removed.log_likelihood)


def test_weights_of_0_and_1_need_no_name() -> None:
    X, y = rows(120, 3)
    mask = np.arange(120) % 3 > 0
    found = infer(unpenalised(X, y, sample_weight=mask), X, y, sample_weight=mask)
    assert found.n_samples == 80.0
    alone = infer(unpenalised(X[mask], y[mask]), X[mask], y[mask])
    np.testing.assert_allclose(found.covariance, alone.covariance, rtol=1e-9)


def test_analytic_weights_have_no_scale(rng: Any) -> None:
    X, y = rows(120, 3)
    weights = rng.uniform(0.5, 2.0, 120)
    one, other = (
        infer(unpenalised(X, y, sample_weight=w), X, y, sample_weight=w, weights="analytic")
        for w in (weights, 1e3 * weights)
    )
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-9)
    exact = oracle.optimum(X, y, weight=weights / weights.mean())
    np.testing.assert_allclose(one.covariance, np.linalg.inv(exact.information), rtol=1e-8)
    assert one.aic == pytest.approx(other.aic)


def test_probability_weights_are_robust_and_have_no_likelihood(rng: Any) -> None:
    X, y = rows(120, 3)
    weights = rng.uniform(0.5, 2.0, 120)
    result = unpenalised(X, y, sample_weight=weights)
    exact = oracle.optimum(X, y, weight=weights)
    options = {"sample_weight": weights, "weights": "probability"}
    found = infer(result, X, y, cov_type="HC0", **options)
    np.testing.assert_allclose(found.covariance, oracle.sandwich(exact, 0.0), rtol=1e-8)
    assert np.isnan(found.aic)
    assert np.isnan(found.bic)
    assert found.n_samples == 120.0
    with pytest.raises(ValueError, match=r"no likelihood.*use cov_type='HC1'"):
        infer(result, X, y, **options)
    with pytest.raises(ValueError, match="no likelihood, and so not a likelihood-ratio test"):
        found.likelihood_ratio_test("x0")
    assert "pseudo-log-likelihood" in str(found.summary())


def test_every_carrier_gives_the_same(tmp_path: Any) -> None:
    X, y = rows(3000, 12)
    X[np.abs(X) < 1.0] = 0.0
    wanted = infer(unpenalised(X, y), X, y, cov_type="HC3")
    clusters = np.arange(3000) % 40
    by_cluster = wanted.with_covariance("CR2", clusters)
    np.save(tmp_path / "X.npy", X)
    for given in (
        np.asfortranarray(X),
        sparse.csr_matrix(X),
        np.load(tmp_path / "X.npy", mmap_mode="r"),
        pd.DataFrame(X),
    ):
        found = infer(unpenalised(given, y), given, y, cov_type="HC3")
        np.testing.assert_allclose(found.coef, wanted.coef, rtol=1e-9)
        np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-8, atol=1e-13)
        again = found.with_covariance("CR2", clusters)
        np.testing.assert_allclose(again.covariance, by_cluster.covariance, rtol=1e-8, atol=1e-13)


class Slices:
    """Rows that are streamed: shape, dtype and slices."""

    def __init__(self, X: Any) -> None:
        self._X, self.shape, self.dtype = X, X.shape, X.dtype

    def __getitem__(self, rows: Any) -> Any:
        return self._X[rows]


def test_streamed_rows() -> None:
    X, y = rows(3000, 12)
    wanted = infer(unpenalised(X, y), X, y, cov_type="HC2")
    found = infer(unpenalised(Slices(X), y), Slices(X), y, cov_type="HC2")
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-8, atol=1e-13)


def test_categories_are_terms(rng: Any) -> None:
    X, y = rows(600, 2)
    frame = pd.DataFrame(X, columns=["age", "dose"])
    frame["site"] = pd.Categorical(rng.choice(["a", "b", "c"], 600))
    model = LogisticRegression(C=np.inf).fit(frame, y)
    found = model.inference(frame, y)
    assert found.names == ["intercept", "age", "dose", "site[b]", "site[c]"]
    assert found.terms == {"age": [1], "dose": [2], "site": [3, 4]}
    hot = np.column_stack([X, frame["site"] == "b", frame["site"] == "c"]).astype(float)
    wanted = infer(unpenalised(hot, y), hot, y)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-8)
    hc3 = found.with_covariance("HC3").covariance
    np.testing.assert_allclose(hc3, wanted.with_covariance("HC3").covariance, rtol=1e-8)


def test_the_same_bits_at_any_number_of_threads() -> None:
    X, y = rows(30_000, 10)
    clusters = np.arange(30_000) % 501
    result = unpenalised(X, y)
    for cov_type in ("nonrobust", "HC3", "CR2"):
        ways = clusters if cov_type == "CR2" else None
        one, two = (
            infer(result, X, y, cov_type=cov_type, clusters=ways, n_threads=n) for n in (1, 2)
        )
        assert one.covariance.tobytes() == two.covariance.tobytes()
        assert one.coef.tobytes() == two.coef.tobytes()


def test_the_estimator_infers_with_its_own_weights() -> None:
    X, y = rows(300, 4)
    model = LogisticRegression(C=np.inf, class_weight={0: 1.0, 1: 3.0}, n_jobs=1).fit(X, y)
    weights = np.where(y == 1, 3.0, 1.0)
    exact = oracle.optimum(X, y, weight=weights)
    found = model.inference(X, y, weights="probability", cov_type="HC0")
    np.testing.assert_allclose(found.covariance, oracle.sandwich(exact, 0.0), rtol=1e-8)
    with pytest.raises(Exception, match="not fitted"):
        clone(model).inference(X, y)


# ---- what has no standard errors


def test_separated_classes_are_refused() -> None:
    X, y = load_breast_cancer(return_X_y=True)
    with pytest.warns(fastlogit.SeparationWarning):
        result = unpenalised(X, y)
    with pytest.raises(ValueError, match=r"completely separable.*no standard errors.*penalty"):
        infer(result, X, y)


def test_quasi_separated_classes_are_refused() -> None:
    X, y = rows(400, 3)
    X = np.column_stack([X, (np.arange(400) < 8) & (y == 1)]).astype(float)
    with pytest.warns(fastlogit.SeparationWarning):
        result = unpenalised(pd.DataFrame(X, columns=["a", "b", "c", "rare"]), y)
    with pytest.raises(ValueError, match="quasi-completely separable: column rare alone does"):
        infer(result, X, y)


@pytest.mark.parametrize("kind", ["twice", "sum", "constant"])
def test_columns_that_are_combinations_of_others_are_named(kind: str) -> None:
    X, y = rows(400, 3)
    more = {"twice": 2.0 * X[:, 1], "sum": X[:, 0] + X[:, 2], "constant": np.full(400, 3.0)}[kind]
    X = np.column_stack([X, more])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a sum that is rounded
        result = unpenalised(X, y)
    with pytest.raises(ValueError, match="coefficients of x3: it is constant or a combination"):
        infer(result, X, y)


def test_nearly_collinear_columns_have_their_errors() -> None:
    """A Gram matrix holds little of a difference of 1e-6: it comes from products of the rows."""
    X, y = rows(400, 3)
    X[:, 2] = X[:, 0] + 1e-6 * X[:, 2]
    found = infer(unpenalised(X, y), X, y)
    apart = np.column_stack([X[:, :2], (X[:, 2] - X[:, 0]) * 1e6])
    exact = infer(unpenalised(apart, y), apart, y)
    np.testing.assert_allclose(found.standard_errors[3], 1e6 * exact.standard_errors[3], rtol=1e-5)


def test_fits_that_are_no_maximum_of_a_likelihood_are_refused() -> None:
    X, y = rows(200, 3)
    for options, words in (
        ({"C": 1.0}, "has a penalty.*C=numpy.inf"),
        ({"l1_reg": 0.01}, "has a penalty"),
        ({"coef_bounds": (0.0, None), "C": np.inf}, "coef_bounds"),
    ):
        with pytest.raises(ValueError, match=words):
            infer(fit(X, y, **options), X, y)
    X, y = real("iris")
    with pytest.raises(ValueError, match="multi_class='multinomial'"):
        infer(fit(X[:, :1], y, C=np.inf, multi_class="ovr"), X[:, :1], y)


def test_bad_arguments_are_named() -> None:
    X, y = rows(200, 3)
    result = unpenalised(X, y)
    weights = np.where(np.arange(200) % 2, 1.0, 0.5)
    weighted = unpenalised(X, y, sample_weight=weights)
    clusters = np.arange(200) // 20
    for options, words in (
        ({"cov_type": "HC4"}, "cov_type must be one of 'nonrobust', 'HC0'"),
        ({"cov_type": "CR1"}, "needs clusters: a label for each row"),
        ({"clusters": clusters}, "cov_type='nonrobust' has no clusters"),
        ({"cov_type": "CR1", "clusters": clusters[:-1]}, "clusters has 199 values"),
        ({"cov_type": "CR1", "clusters": np.zeros(200)}, "one cluster only"),
        ({"cov_type": "CR1", "clusters": (clusters,) * 3}, "tuple of 3"),
        ({"cov_type": "CR2", "clusters": (clusters, clusters)}, "CR2 is for one way"),
        ({"weights": "counts"}, "weights must be one of 'frequency'"),
        ({"reference": 1}, "reference is for more than two classes"),
    ):
        with pytest.raises(ValueError, match=words):
            infer(result, X, y, **options)
    for options, words in (
        ({}, "say what they are"),
        ({"weights": "frequency"}, "are counts, but sample_weight is 0.5 in row 0"),
    ):
        with pytest.raises(ValueError, match=words):
            infer(weighted, X, y, sample_weight=weights, **options)
    with pytest.raises(TypeError, match="fitted must be a FitResult"):
        infer(3, X, y)  # type: ignore[arg-type]
    found = infer(result, X, y)
    for level in (0.0, 1.0, 95):
        with pytest.raises(ValueError, match="level"):
            found.conf_int(level)


def test_tails_are_right_far_out() -> None:
    X, y = rows(20_000, 2)
    found = infer(unpenalised(X, y), X, y)
    place = int(np.abs(found.statistics).argmax())
    assert abs(found.statistics[place]) > 20.0
    with mpmath.workdps(40):
        exact = mpmath.erfc(abs(mpmath.mpf(float(found.statistics[place]))) / mpmath.sqrt(2))
    assert found.p_values[place] == pytest.approx(float(exact), rel=1e-12, abs=0.0)


def test_columns_that_are_nearly_combinations_have_true_errors(rng: Any) -> None:
    """As of the difference in place of the column, whose errors they are made of."""
    X, share = rng.normal(size=(200, 2)), 1e-7
    y = X[:, 0] + rng.logistic(size=200) > 0.0
    near = np.column_stack([X, X[:, 0] + share * rng.normal(size=200)])
    far = np.column_stack([X, (near[:, 2] - near[:, 0]) / share])
    found, other = (infer(fit(each, y, C=np.inf), each, y) for each in (near, far))
    turn = np.eye(4)
    turn[[1, 3], 3] = -1.0 / share, 1.0 / share
    errors = np.sqrt(np.diag(turn @ other.covariance @ turn.T))
    np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-7)
    np.testing.assert_allclose(found.coef / errors, turn @ other.coef / errors, atol=1e-7)


@pytest.mark.parametrize("options", [{"C": np.inf}, {"penalty": "firth"}])
def test_variances_beyond_float64_are_refused(options: Any, rng: Any) -> None:
    X = rng.normal(size=(60, 2)) * [1.0, 1e200]
    y = X[:, 0] + rng.logistic(size=60) > 0.0
    with pytest.raises(ValueError, match=r"coefficient of x1 is too small .* in another unit"):
        infer(fit(X, y, **options), X, y)
