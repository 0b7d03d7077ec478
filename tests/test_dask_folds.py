"""Cross-validation of rows in dask partitions: the scores and the choice of the rows in memory."""

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

pytestmark = [pytest.mark.usefixtures("the_general_way"), *MARKS]

CUTS = (300, 100, 450, 350)
GRID: dict[str, Any] = {
    "Cs": [0.01, 1.0, 100.0], "l1_ratios": (0,), "use_legacy_attributes": False,
    "scoring": "neg_log_loss",
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Workers in the threads of this process."""
    with client_of_threads() as client:
        yield client


@pytest.fixture(scope="module")
def table() -> tuple[Any, ...]:
    """X, labels of two and of three kinds, weights, groups, and folds of which -1 is none."""
    rng = np.random.default_rng(12)
    X = rng.normal(size=(1200, 4)) * [1.0, 20.0, 0.3, 1.0]
    raw = X @ [1.0, 0.03, -2.0, 0.1] + rng.logistic(size=1200)
    kinds = np.digitize(raw, [-1.0, 1.5])
    weights = rng.integers(0, 4, 1200).astype(float)
    return X, (raw > 0.3).astype(int), kinds, weights, rng.integers(0, 60, 1200), (
        rng.integers(-1, 3, 1200)
    )  # fmt: skip


def blocks(array: Any) -> Any:
    return da.from_array(array, chunks=(CUTS, *(-1,) * (array.ndim - 1)))


def alike(found: Any, wanted: Any, tol: float = 1e-10) -> None:
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=0, atol=tol)
    np.testing.assert_allclose(found.coefs_paths_, wanted.coefs_paths_, rtol=0, atol=tol)
    np.testing.assert_array_equal(found.C_, wanted.C_)
    np.testing.assert_allclose(found.coef_, wanted.coef_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.intercept_, wanted.intercept_, rtol=0, atol=1e-10)
    assert found.grid_.converged.all()
    assert found.grid_.suboptimality.max() <= 1e-12


def test_folds_by_the_number_of_a_row(client, table) -> None:
    X, y, kinds, *_ = table
    of_memory = fastlogit.HashKFold(5)
    found = of_dask.LogisticRegressionCV(**GRID).fit(blocks(X), blocks(y))
    wanted = fastlogit.LogisticRegressionCV(**GRID, cv=of_memory).fit(X, y)
    alike(found, wanted)
    assert found.grid_.n_passes <= wanted.grid_.n_passes + 1.0
    assert found.result_.n_passes < found.grid_.n_passes  # counted anew
    assert found.score(blocks(X), blocks(y)) == pytest.approx(wanted.score(X, y), rel=1e-13)
    # A softmax goes from C to C, and ends where its tolerance is proven.
    options = {**GRID, "scoring": None, "Cs": [0.01, 1.0]}
    found = of_dask.LogisticRegressionCV(**options).fit(blocks(X), blocks(kinds))
    wanted = fastlogit.LogisticRegressionCV(**options, cv=of_memory).fit(X, kinds)
    alike(found, wanted, 1e-5)


def test_folds_by_groups_with_weights_of_rows_and_classes(client, table) -> None:
    X, _, kinds, weights, groups, _ = table
    cv = fastlogit.HashKFold(3, seed=4)
    options = {**GRID, "multi_class": "ovr", "class_weight": "balanced"}
    found = of_dask.LogisticRegressionCV(**options, cv=cv)
    found.fit(blocks(X), blocks(kinds), blocks(weights), groups=blocks(groups))
    splits = list(cv.split(X, kinds, groups))
    alike(found, fastlogit.LogisticRegressionCV(**options, cv=splits).fit(X, kinds, weights))


def test_folds_that_a_column_holds(client, table) -> None:
    X, y, *_, folds = table
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=y, fold=folds)
    ddf = dd.from_pandas(frame, npartitions=3, sort=False).clear_divisions()
    found = of_dask.LogisticRegressionCV(**GRID, refit=False).fit(ddf, target="y", folds="fold")
    splits = [(np.flatnonzero(folds != k), np.flatnonzero(folds == k)) for k in range(3)]
    wanted = fastlogit.LogisticRegressionCV(**GRID, cv=splits, refit=False).fit(X, y)
    alike(found, wanted)
    assert found.feature_names_in_.tolist() == list("abcd")
    proba = found.predict_proba(ddf).compute()
    np.testing.assert_allclose(proba, wanted.predict_proba(X), rtol=1e-10)


def test_what_is_not_there_is_told_before_work(client, table) -> None:
    X, y, *_, folds = table
    rows = blocks(X), blocks(y)
    for options, kind, what in (
        ({"scoring": "roc_auc"}, NotImplementedError, "scoring='roc_auc' is not there"),
        ({"relax": True}, NotImplementedError, "relax=True is not there for dask partitions"),
        ({"cv": [(folds, folds)]}, TypeError, r"or a fastlogit\.HashKFold, got list"),
    ):
        with pytest.raises(kind, match=what):
            of_dask.LogisticRegressionCV(**{**GRID, **options}).fit(*rows)
    model = of_dask.LogisticRegressionCV(**GRID)
    with pytest.raises(ValueError, match="partition 0: folds must hold the fold of each row"):
        model.fit(*rows, folds=blocks(0.5 + folds))
    with pytest.raises(ValueError, match=r"training rows of fold \d lack class 1"):
        model.fit(rows[0], blocks((np.arange(1200) == 5).astype(int)))
    with pytest.raises(ValueError, match="leave cv and groups out"):
        model.fit(*rows, folds=rows[1], groups=rows[1])
