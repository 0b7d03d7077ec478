"""Standard errors of rows in dask partitions: those of the same rows in memory."""

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fastlogit

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402
import pandas as pd  # noqa: E402
from dask_cluster import MARKS, client_of_threads  # noqa: E402

import fastlogit.dask as of_dask  # noqa: E402

pytestmark = MARKS

COLUMNS = ["a", "b", "shop"]


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Workers in the threads of this process."""
    with client_of_threads() as client:
        yield client


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    """1,200 rows of three kinds; 40 groups, of which those below 20 lie in one partition each."""
    rng = np.random.default_rng(8)
    n = 1200
    shop = pd.Categorical(rng.choice(["p", "q", "r"], n))
    found = pd.DataFrame({"a": rng.normal(size=n), "b": 9.0 * rng.normal(size=n), "shop": shop})
    raw = found.a - 0.1 * found.b + (shop == "q") + rng.logistic(size=n)
    found["y"] = np.where(raw > 0.2, "yes", "no")
    found["kind"] = np.digitize(raw, [-1.0, 1.0])
    alone = np.arange(n) // (n // 20)
    found["group"] = np.where(rng.random(n) < 0.5, alone, 20 + rng.integers(0, 20, n))
    found["times"] = rng.integers(0, 3, n).astype(float)
    found["share"] = rng.uniform(0.2, 3.0, n)
    found["base"] = rng.normal(size=n)
    return found


@pytest.fixture(scope="module")
def ddf(frame) -> Any:
    """Three partitions, and one without rows; divisions are not known."""
    whole = dd.from_pandas(frame, npartitions=4, sort=False).clear_divisions()
    return whole.map_partitions(lambda part: part[(part.index < 900)])


@pytest.fixture(scope="module")
def kept(frame) -> pd.DataFrame:
    return frame[frame.index < 900]


def both(
    client: Any, ddf: Any, kept: Any, y: str, fit: dict[str, Any], asked: dict[str, Any]
) -> tuple[Any, Any]:
    """The inference of partitions, and of the same rows in memory; text is the name of a column."""
    given = {name: value for name, value in fit.items() if name in ("sample_weight", "offset")}
    rows = {n: kept[value] if n in BESIDE else value for n, value in {**asked, **given}.items()}
    result = of_dask.fit(ddf, target=y, features=COLUMNS, C=np.inf, **fit)
    of_memory = {n: kept[value] if n in BESIDE else value for n, value in fit.items()}
    wanted = fastlogit.fit(kept[COLUMNS], kept[y], C=np.inf, **of_memory)
    return (
        of_dask.infer(result, ddf, target=y, **asked, **given),
        fastlogit.infer(wanted, kept[COLUMNS], kept[y], **rows),
    )


BESIDE = ("sample_weight", "offset", "clusters")


def alike(found: Any, wanted: Any) -> None:
    assert found.names == wanted.names
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.covariance, wanted.covariance, rtol=1e-9, atol=1e-15)
    for name in ("log_likelihood", "null_log_likelihood", "n_samples", "pearson_chi2", "tjur"):
        ours, theirs = (getattr(each.likelihood, name) for each in (found, wanted))
        np.testing.assert_allclose(ours, theirs, rtol=1e-11)
    assert (found.n_clusters, found.weights) == (wanted.n_clusters, wanted.weights)


def test_covariances_are_those_of_the_rows_in_memory(client, ddf, kept) -> None:
    found, wanted = both(client, ddf, kept, "y", {}, {"cov_type": "HC2"})
    alike(found, wanted)
    for cov_type in ("nonrobust", "HC0", "HC1", "HC3"):
        alike(found.with_covariance(cov_type), wanted.with_covariance(cov_type))


def test_clusters_lie_in_one_partition_or_several(client, ddf, kept) -> None:
    found, wanted = both(client, ddf, kept, "y", {}, {"cov_type": "CR1", "clusters": "group"})
    alike(found, wanted)
    for cov_type in ("CR0", "CR1S"):
        alike(found.with_covariance(cov_type), wanted.with_covariance(cov_type))


@pytest.mark.parametrize(
    ("kind", "column", "cov_type"),
    [("frequency", "times", "HC3"), ("probability", "share", "HC2"), ("frequency", "times", "CR1")],
)
def test_weights_are_what_they_are_called(client, ddf, kept, kind, column, cov_type) -> None:
    # Clusters may be of a column of the fit.
    clusters = {"clusters": "shop"} if cov_type == "CR1" else {}
    asked = {"weights": kind, "cov_type": cov_type, **clusters}
    alike(*both(client, ddf, kept, "y", {"sample_weight": column}, asked))


def test_a_softmax(client, ddf, kept) -> None:
    asked = {"cov_type": "CR1", "clusters": "group", "reference": 1}
    found, wanted = both(client, ddf, kept, "kind", {"multi_class": "multinomial"}, asked)
    alike(found, wanted)
    assert found.reference == wanted.reference
    alike(found.with_covariance("HC3"), wanted.with_covariance("HC3"))


def test_tests_and_intervals_go_over_the_partitions(client, ddf, kept) -> None:
    found, wanted = both(client, ddf, kept, "y", {"offset": "base"}, {})
    alike(found, wanted)
    for name in ("wald_test", "score_test", "likelihood_ratio_test"):
        ours, theirs = (getattr(each, name)("shop") for each in (found, wanted))
        assert ours.statistic == pytest.approx(theirs.statistic, rel=1e-10)
    ends = [each.conf_int(method="profile", coefficients="b") for each in (found, wanted)]
    np.testing.assert_allclose(*ends, rtol=1e-9)
    alike(found.with_covariance("HC3"), wanted.with_covariance("HC3"))
    assert str(found) == str(wanted)


def test_class_weights_of_an_estimator(client, ddf, kept) -> None:
    options = {"C": np.inf, "class_weight": "balanced"}
    model = of_dask.LogisticRegression(**options).fit(ddf, target="y", features=COLUMNS)
    other = fastlogit.LogisticRegression(**options).fit(kept[COLUMNS], kept.y)
    asked = {"weights": "probability", "cov_type": "HC0"}
    found = model.inference(ddf, target="y", **asked)
    alike(found, other.inference(kept[COLUMNS], kept.y, **asked))


def test_what_rows_say_one_by_one_is_refused(client, ddf, kept) -> None:
    result = of_dask.fit(ddf, target="y", features=COLUMNS, C=np.inf)
    found = of_dask.infer(result, ddf, target="y")
    group = kept.group.to_numpy()
    for ask in (
        lambda: found.diagnostics().leverage,
        lambda: found.marginal_effects(),
        lambda: found.with_covariance("CR1", clusters=group),
    ):
        with pytest.raises(NotImplementedError, match="stay"):
            ask()
    with pytest.raises(NotImplementedError, match="adjusts each cluster by its rows"):
        of_dask.infer(result, ddf, target="y", cov_type="CR2", clusters="group")
    with pytest.raises(NotImplementedError, match="two-way clusters"):
        of_dask.infer(result, ddf, target="y", cov_type="CR1", clusters=("group", "shop"))
    with pytest.raises(ValueError, match="cov_type='CR1' needs clusters"):
        of_dask.infer(result, ddf, target="y", cov_type="CR1")
    with pytest.raises(ValueError, match="say what they are"):
        of_dask.infer(result, ddf, target="y", sample_weight="share")
    with pytest.raises(ValueError, match="no whole numbers"):
        of_dask.infer(result, ddf, target="y", sample_weight="share", weights="frequency")
    with pytest.raises(ValueError, match="the fit has a penalty"):
        of_dask.infer(fastlogit.fit(kept[COLUMNS], kept.y, C=1.0), ddf, target="y")
    with pytest.raises(ValueError, match="y has the label 0, which the fit did not have"):
        of_dask.infer(result, ddf.assign(y=0), target="y")


def test_what_holds_partitions_says_that_it_cannot_be_pickled(client, ddf) -> None:
    result = of_dask.fit(ddf, target="y", features=COLUMNS, C=np.inf)
    inferred = of_dask.infer(pickle.loads(pickle.dumps(result)), ddf, target="y")
    with pytest.raises(TypeError, match=r"lie in the workers .* cannot be pickled"):
        pickle.dumps(inferred)


def test_what_is_wrong_with_a_partition_is_told_with_its_number(client) -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(300, 1))
    y = (X[:, 0] + rng.logistic(size=300) > 0).astype(int)
    group = np.repeat(np.arange(30.0), 10)
    group[210] = np.nan
    X, y, group = (da.from_array(each, chunks=(100, *each.shape[1:])) for each in (X, y, group))
    result = of_dask.fit(X, y, C=np.inf)
    with pytest.raises(ValueError, match=r"partition 2: clusters contains nan \(row 10\)"):
        of_dask.infer(result, X, y, cov_type="CR1", clusters=group)
