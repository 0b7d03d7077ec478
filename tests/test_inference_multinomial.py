"""`infer` of a softmax: every contrast of classes, against the formulas."""

from typing import Any

import inference_oracle as oracle
import numpy as np
import pytest
from problems import three_classes
from scipy import sparse

from fastlogit import LogisticRegression, fit, infer

pytestmark = pytest.mark.jit


def softmax(X: Any, y: Any, **options: Any) -> Any:
    return infer(fit(X, y, C=np.inf, multi_class="multinomial"), X, y, **options)


@pytest.mark.parametrize("reference", [0, 1, 2])
def test_every_reference(reference: int) -> None:
    X, codes = three_classes(400, 4)
    found = softmax(X, codes, reference=reference)
    coef, information, slopes = oracle.softmax_optimum(X, codes, 3, reference)
    np.testing.assert_allclose(found.coef, coef.ravel(), rtol=1e-8)
    inverse = np.linalg.inv(information)
    np.testing.assert_allclose(found.covariance, inverse, rtol=1e-7, atol=1e-11)
    hc0 = inverse @ (slopes.T @ slopes) @ inverse
    np.testing.assert_allclose(found.with_covariance("HC0").covariance, hc0, rtol=1e-6, atol=1e-11)
    clusters = np.arange(400) % 23
    sums = np.array([slopes[clusters == g].sum(axis=0) for g in range(23)])
    own = found.with_covariance("CR1", clusters)
    np.testing.assert_allclose(
        own.covariance, 23.0 / 22.0 * inverse @ (sums.T @ sums) @ inverse, rtol=1e-6, atol=1e-11
    )
    assert found.reference == reference


def test_contrasts_do_not_depend_on_the_reference() -> None:
    X, codes = three_classes(400, 3)
    labels = np.array(["low", "middle", "high"])[codes]
    model = LogisticRegression(C=np.inf).fit(X, labels)
    one, other = model.inference(X, labels), model.inference(X, labels, reference="middle")
    assert one.names[:2] == ["low:intercept", "low:x0"]  # "high" is first by sorting
    assert other.names[:2] == ["high:intercept", "high:x0"]
    by_one = one.wald_test("low:x1 = middle:x1")
    by_other = other.wald_test("low:x1 = 0")
    assert by_one.statistic == pytest.approx(by_other.statistic, rel=1e-8)
    for name in ("wald_test", "score_test", "likelihood_ratio_test"):
        tests = [getattr(each, name)("x1") for each in (one, other)]
        assert tests[0].df == 2  # of both classes
        assert tests[0].statistic == pytest.approx(tests[1].statistic, rel=1e-7)
    assert one.log_likelihood == pytest.approx(other.log_likelihood)
    assert "tjur" not in one.pseudo_r2
    assert "relative-risk ratio" in str(one.summary())


@pytest.mark.parametrize(("kind", "power"), [("HC2", 0.5), ("HC3", 1.0)])
def test_leverages_of_rows_are_matrices(kind: str, power: float) -> None:
    """Each row is a cluster of its classes: McCaffrey's symmetric root, or the inverse."""
    X, codes = three_classes(150, 3)
    W, errors = oracle.softmax_whitened(X, codes, 3, 1)
    wanted, _ = oracle.bias_reduced_of(W, errors, np.repeat(np.arange(150), 2), power)
    found = softmax(X, codes, reference=1, cov_type=kind)
    np.testing.assert_allclose(found.covariance, wanted, rtol=1e-7, atol=1e-11)
    by_cluster = found.with_covariance(kind.replace("HC", "CR"), np.arange(150))
    np.testing.assert_allclose(by_cluster.covariance, wanted, rtol=1e-6, atol=1e-11)


@pytest.mark.parametrize(("kind", "power"), [("CR2", 0.5), ("CR3", 1.0)])
def test_bias_reduced_clusters(kind: str, power: float, rng: Any) -> None:
    X, codes = three_classes(160, 2)
    clusters = rng.integers(0, 14, 160)
    W, errors = oracle.softmax_whitened(X, codes, 3)
    covariance, df = oracle.bias_reduced_of(W, errors, np.repeat(clusters, 2), power)
    found = softmax(X, codes, cov_type=kind, clusters=clusters)
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(found.degrees_of_freedom, df, rtol=1e-6)
    test = found.wald_test("x1")
    eta = oracle.hotelling(W, np.repeat(clusters, 2), power, np.eye(6)[[2, 5]])
    assert test.distribution == "F"
    assert (test.df, test.df_denominator) == (2, pytest.approx(eta - 1.0, rel=1e-6))


def test_robust_softmax_by_weights_and_sparse_rows(rng: Any) -> None:
    """A frequency is as many rows, a weight of 0 none, and a sparse X the same rows."""
    X, codes = three_classes(120, 3)
    X[np.abs(X) < 0.4] = 0.0
    counts, clusters = rng.integers(0, 3, 120), np.arange(120) // 7
    rows = np.repeat(np.arange(120), counts)
    long = softmax(X[rows], codes[rows])
    options = {"C": np.inf, "multi_class": "multinomial", "sample_weight": counts}
    for given in (X, sparse.csr_array(X)):
        short = infer(
            fit(given, codes, **options), given, codes, sample_weight=counts, weights="frequency"
        )
        for kind in ("HC2", "HC3"):
            np.testing.assert_allclose(
                short.with_covariance(kind).covariance, long.with_covariance(kind).covariance,
                rtol=1e-6, atol=1e-10,
            )  # fmt: skip
        one, other = (
            short.with_covariance("CR2", clusters),
            long.with_covariance("CR2", clusters[rows]),
        )
        np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-6, atol=1e-10)
        np.testing.assert_allclose(one.degrees_of_freedom, other.degrees_of_freedom, rtol=1e-6)


def test_what_a_softmax_has_not_is_refused() -> None:
    X, codes = three_classes(200, 3)
    found = softmax(X, codes)
    with pytest.raises(ValueError, match=r"reference must be one of the classes \[0, 1, 2\]"):
        softmax(X, codes, reference=7)
    with pytest.raises(ValueError, match=r"CR2 is for one way of clusters"):
        found.with_covariance("CR2", (np.arange(200) % 10, np.arange(200) % 7))


def test_a_softmax_without_an_optimum_is_refused() -> None:
    X, codes = three_classes(200, 3)
    X = np.column_stack([X, codes == 2]).astype(float)
    with pytest.warns(UserWarning, match="separable"):
        result = fit(X, codes, C=np.inf, multi_class="multinomial")
    with pytest.raises(ValueError, match=r"separable: .*columns? x3"):
        infer(result, X, codes)
    X[:, 3] = 2.0 * X[:, 1]
    with pytest.raises(ValueError, match="coefficients of x3"):
        infer(fit(X, codes, C=np.inf, multi_class="multinomial"), X, codes)
