"""Sandwiches and clusters, against the formulas with whole hat matrices and R's figures."""

from typing import Any

import inference_oracle as oracle
import numpy as np
import pytest
from problems import problem
from test_inference import TWELVE, TWELVE_Y

from fastlogit import fit, infer
from fastlogit.inference.hat_matrix import leverages

pytestmark = pytest.mark.jit

TWELVE_CLUSTERS = np.repeat(["a", "b", "c", "d"], 3)


def inferred(X: Any, y: Any, **options: Any) -> Any:
    given = {key: options[key] for key in ("sample_weight", "offset") if key in options}
    return infer(fit(X, y, C=np.inf, **given), X, y, **options)


@pytest.mark.parametrize(
    ("cov_type", "errors"),
    [
        # R 4.2.2 with sandwich 3.0-2, and independent NumPy, to nine digits.
        ("HC0", [0.8954428034, 0.5986987554, 1.6797162154]),
        ("HC1", [1.0339682872, 0.6913177752, 1.9395692182]),
        ("HC2", [1.0754946040, 0.7345477136, 1.9873569615]),
        ("HC3", [1.2943415908, 0.9063087299, 2.3608094800]),
        ("CR1", [0.9720188986, 0.3565422970, 2.0317628413]),
        ("CR1S", [1.0746073253, 0.3941723404, 2.2461983358]),
    ],
)
def test_twelve_rows(cov_type: str, errors: Any) -> None:
    clusters = TWELVE_CLUSTERS if cov_type.startswith("CR") else None
    found = inferred(TWELVE, TWELVE_Y, cov_type=cov_type, clusters=clusters)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=0, atol=6e-11)
    assert found.n_clusters == (None if clusters is None else 4)


@pytest.mark.parametrize("n_features", [2, 5, 12, 23])
def test_sandwiches(n_features: int) -> None:
    X, y = problem(700, n_features)[:2]
    found, exact = inferred(X, y), oracle.optimum(X, y)
    np.testing.assert_allclose(leverages(found._optimum), oracle.hat_values(exact), rtol=1e-8)
    assert leverages(found._optimum).sum() == pytest.approx(n_features + 1)
    size = n_features + 1
    for cov_type, power, factor in (
        ("HC0", 0.0, 1.0), ("HC1", 0.0, 700.0 / (700.0 - size)), ("HC2", 1.0, 1.0),
        ("HC3", 2.0, 1.0),
    ):  # fmt: skip
        np.testing.assert_allclose(
            found.with_covariance(cov_type).covariance,
            oracle.sandwich(exact, power, factor),
            rtol=1e-7,
            atol=1e-12,
        )


@pytest.mark.parametrize("kind", ["even", "uneven", "single", "text"])
def test_clusters(kind: str, rng: Any) -> None:
    X, y = problem(300, 4)[:2]
    clusters = {
        "even": np.arange(300) // 20,
        "uneven": np.minimum(rng.geometric(0.1, 300), 25),
        "single": np.arange(300) // 2,
        "text": np.array([f"clinic {i % 7}" for i in range(300)]),
    }[kind]
    found, exact = inferred(X, y), oracle.optimum(X, y)
    count = len(np.unique(clusters))
    for cov_type, factor in (
        ("CR0", 1.0), ("CR1", count / (count - 1.0)),
        ("CR1S", count / (count - 1.0) * 299.0 / 295.0),
    ):  # fmt: skip
        own = found.with_covariance(cov_type, clusters)
        np.testing.assert_allclose(
            own.covariance, oracle.cluster(exact, clusters, factor), rtol=1e-7, atol=1e-12
        )
        assert own.n_clusters == count
        assert own.degrees_of_freedom is None
    for cov_type, power in (("CR2", 0.5), ("CR3", 1.0)):
        own = found.with_covariance(cov_type, clusters)
        covariance, df = oracle.bias_reduced(exact, clusters, power)
        np.testing.assert_allclose(own.covariance, covariance, rtol=1e-6, atol=1e-11)
        np.testing.assert_allclose(own.degrees_of_freedom, df, rtol=1e-6)
        assert (own.degrees_of_freedom < count).all()


def test_a_cluster_of_each_row_is_hc(rng: Any) -> None:
    X, y = problem(200, 3)[:2]
    found, rows = inferred(X, y), rng.permutation(200)
    for clustered, robust in (("CR0", "HC0"), ("CR2", "HC2"), ("CR3", "HC3")):
        np.testing.assert_allclose(
            found.with_covariance(clustered, rows).covariance,
            found.with_covariance(robust).covariance,
            rtol=1e-8,
        )


def test_two_ways(rng: Any) -> None:
    X, y = problem(400, 3)[:2]
    one, other = rng.integers(0, 12, 400), rng.choice(list("abcdefgh"), 400)
    exact = oracle.optimum(X, y)
    both = np.array([f"{a}{b}" for a, b in zip(one, other, strict=True)])
    wanted = 0.0
    for clusters, sign in ((one, 1.0), (other, 1.0), (both, -1.0)):
        count = len(np.unique(clusters))
        wanted = wanted + sign * oracle.cluster(exact, clusters, count / (count - 1.0))
    found = inferred(X, y, cov_type="CR1", clusters=(one, other))
    np.testing.assert_allclose(found.covariance, wanted, rtol=1e-7, atol=1e-12)
    assert found.n_clusters == 8


def test_a_column_that_lives_in_one_cluster(rng: Any) -> None:
    """CR2 leaves that part out, as Moore and Penrose do; CR3 has no value."""
    X, y = problem(240, 2)[:2]
    clusters = np.arange(240) // 40
    X = np.column_stack([X, clusters == 2])
    found, exact = inferred(X, y), oracle.optimum(X, y)
    covariance, df = oracle.bias_reduced(exact, clusters, 0.5)
    own = found.with_covariance("CR2", clusters)
    np.testing.assert_allclose(own.covariance, covariance, rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(own.degrees_of_freedom[:3], df[:3], rtol=1e-6)
    with pytest.raises(ValueError, match=r"cluster 2 .*decides a coefficient alone.*use CR2"):
        found.with_covariance("CR3", clusters)


def test_weights_and_offset(rng: Any) -> None:
    X, y = problem(300, 3)[:2]
    weights, offset = rng.uniform(0.0, 2.0, 300), rng.standard_normal(300)
    clusters = np.arange(300) % 17
    found = inferred(
        X, y, sample_weight=weights, offset=offset, weights="probability", cov_type="HC3"
    )
    exact = oracle.optimum(X, y, weight=weights, offset=offset)
    np.testing.assert_allclose(found.covariance, oracle.sandwich(exact, 2.0), rtol=1e-7, atol=1e-12)
    covariance, df = oracle.bias_reduced(exact, clusters, 0.5)
    own = found.with_covariance("CR2", clusters)
    np.testing.assert_allclose(own.covariance, covariance, rtol=1e-6, atol=1e-11)
    np.testing.assert_allclose(own.degrees_of_freedom, df, rtol=1e-6)


def test_clusters_are_kept_for_another_covariance() -> None:
    clusters = TWELVE_CLUSTERS
    found = inferred(TWELVE, TWELVE_Y, cov_type="CR1", clusters=clusters)
    again = found.with_covariance("HC0").with_covariance("CR0", clusters)
    np.testing.assert_allclose(
        found.with_covariance("CR0").covariance, again.covariance, rtol=1e-12
    )
    with pytest.raises(ValueError, match="needs clusters"):
        again.with_covariance("HC0").with_covariance("CR0")


def test_satterthwaite_is_in_intervals_and_p(rng: Any) -> None:
    from scipy import stats

    X, y = problem(300, 3)[:2]
    found = inferred(X, y, cov_type="CR2", clusters=np.arange(300) % 9)
    df = found.degrees_of_freedom
    np.testing.assert_allclose(found.p_values, 2.0 * stats.t.sf(np.abs(found.statistics), df))
    half = stats.t.ppf(0.975, df) * found.standard_errors
    np.testing.assert_allclose(found.conf_int()[:, 1], found.coef + half)
