"""Fits over dask collections on real worker processes: the optimum of the fit in memory."""

import os
import pickle
import signal
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit.design.base import as_they_are
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

import dask.array as da  # noqa: E402
import dask.dataframe as dd  # noqa: E402
import pandas as pd  # noqa: E402
import polars as pl  # noqa: E402
import pyarrow as pa  # noqa: E402
import scipy.sparse as sp  # noqa: E402
from dask.delayed import delayed  # noqa: E402
from dask_cluster import CUTS, MARKS, blocks, make_table, quiet_cluster  # noqa: E402

import fastlogit.dask as of_dask  # noqa: E402
from fastlogit.dask import collections, fitting, reading, stamps  # noqa: E402
from fastlogit.dask.rows import STAYING, PartitionedRows  # noqa: E402
from fastlogit.dask.work import View, evaluate  # noqa: E402

pytestmark = MARKS


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two worker processes of one thread each."""
    cluster = quiet_cluster(n_workers=2, threads_per_worker=1)
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any, Any]:
    return make_table()


def alike(found: Any, wanted: Any, tol: float = 1e-10) -> None:
    assert found.converged
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=tol)
    np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=0, atol=tol)
    assert np.max(found.suboptimality) <= 1e-12
    assert found.classes.tolist() == wanted.classes.tolist()


@pytest.mark.parametrize("C", [0.5, np.inf])
def test_newton_gives_the_coefficients_of_the_fit_in_memory(client, table, C) -> None:
    X, y, _ = table
    found = of_dask.fit(blocks(X), blocks(y), C=C, solver="newton")
    wanted = fastlogit.fit(X, y, C=C, solver="newton")
    alike(found, wanted)
    # `fit` standardises and starts from a subsample here too.
    assert found.n_passes <= wanted.n_passes + 1.0
    assert "newton" in found.message


def test_softmax_and_one_against_the_others(client, table) -> None:
    X, _, y = table
    for multi_class in ("multinomial", "ovr"):
        options = {"C": 1.0, "multi_class": multi_class, "solver": "newton"}
        alike(of_dask.fit(blocks(X), blocks(y), **options), fastlogit.fit(X, y, **options))


@pytest.mark.parametrize("solver", ["lbfgs", "newton-cg"])
def test_other_solvers_end_within_their_tolerance(client, table, solver) -> None:
    X, y, _ = table
    found = of_dask.fit(blocks(X), blocks(y), C=1.0, solver=solver)
    alike(found, fastlogit.fit(X, y, C=1.0), 1e-5)
    assert solver in found.message


def test_the_bits_depend_on_the_partitions_alone(client, table) -> None:
    X, y, _ = table
    found = [of_dask.fit(blocks(X), blocks(y), C=1.0)]
    cluster = quiet_cluster(n_workers=1, threads_per_worker=2)
    with cluster, distributed.Client(cluster, set_as_default=False) as other:
        found.append(of_dask.fit(blocks(X), blocks(y), C=1.0, client=other))
    for name in ("coef", "history", "bounds", "n_passes"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_weights_unknown_sizes_and_empty_or_poor_partitions(client) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 3)), columns=["a", "b", "c"])
    frame["y"] = np.where(frame.a + rng.logistic(size=600) > 0, "yes", "no")
    frame["w"] = rng.integers(0, 3, 600).astype(float)
    frame.loc[:99, "y"] = "no"  # one class alone in the first partition
    frame.loc[100:199, "w"] = 0.0  # no weight in the second
    ddf = dd.from_pandas(frame, npartitions=6, sort=False)
    ddf = ddf.map_partitions(lambda part: part[(part.index < 300) | (part.index >= 400)])
    kept = frame.drop(index=range(300, 400))
    X, y, w = kept[["a", "b", "c"]], kept.y.to_numpy(), kept.w
    wanted = fastlogit.fit(X, y, C=1.0, sample_weight=w, solver="newton")
    options = {"C": 1.0, "solver": "newton"}
    by_names = of_dask.fit(ddf, target="y", sample_weight="w", **options)
    alike(by_names, wanted)
    assert by_names.feature_names == ["a", "b", "c"]
    # After a projection to_dask_array(lengths=True) fails; unknown sizes do.
    arrays = ddf[["a", "b", "c"]].to_dask_array(), ddf.y, ddf.w.to_dask_array()
    assert np.isnan(arrays[0].chunks[0]).all()
    alike(of_dask.fit(arrays[0], arrays[1], sample_weight=arrays[2], **options), wanted)


def test_categories_differ_among_partitions(client) -> None:
    rng = np.random.default_rng(1)
    sets = [["b", "a"], ["a", "c"], ["c", "d", "unused"]]
    frames = []
    for levels in sets:
        shop = pd.Categorical(rng.choice(levels[:2], 150), categories=levels)
        price = rng.normal(size=150)
        bought = price + (shop == "a") + rng.logistic(size=150) > 0
        frames.append(pd.DataFrame({"price": price, "shop": shop, "bought": bought}))
    whole = pd.concat([f.assign(shop=f.shop.astype(str)) for f in frames], ignore_index=True)
    whole["shop"] = pd.Categorical(whole.shop, categories=["b", "a", "c", "d"])
    X, y = whole[["price", "shop"]], whole.bought
    parts = [delayed(frame) for frame in frames]
    for C in (1.0, np.inf):
        found = of_dask.fit(parts, target="bought", C=C, solver="newton")
        wanted = fastlogit.fit(X, y, C=C, solver="newton")
        alike(found, wanted)
        assert found.feature_names == wanted.feature_names
    ddf = dd.from_pandas(whole, npartitions=3)
    found = of_dask.fit(ddf, target="bought", C=1.0)
    lazy = of_dask.predict_proba(found, ddf)
    assert isinstance(lazy, da.Array)
    np.testing.assert_allclose(lazy.compute(), found.predict_proba(X), rtol=1e-14)
    with pytest.raises(TypeError, match=r"partition 0: .* column 'city' holds 'x' \(row 0\)"):
        of_dask.fit(ddf.assign(city="x"), target="bought")
    other = [parts[0], delayed(frames[1].assign(shop=frames[1].shop.cat.codes))]
    with pytest.raises(
        TypeError, match=r"partition 1: column 1 \('shop'\) is not categorical, but"
    ):
        of_dask.fit(other, target="bought")


def test_sparse_blocks(client) -> None:
    rng = np.random.default_rng(2)
    X = sp.random(900, 30, density=0.1, random_state=2, format="csr")
    y = (X @ rng.normal(size=30) * 3 + rng.logistic(size=900) > 0).astype(int)
    parts = [delayed((X[k : k + 300], y[k : k + 300])) for k in (0, 300, 600)]
    wanted = fastlogit.fit(X, y, C=1.0, solver="newton")
    alike(of_dask.fit(parts, C=1.0, solver="newton"), wanted)
    array = blocks_of_csr(X, (300, 300, 300))
    labels = da.from_array(y, chunks=300)
    found = of_dask.fit(array, labels, C=1.0, solver="newton")
    alike(found, wanted)
    lazy = of_dask.predict(found, array)
    np.testing.assert_array_equal(lazy.compute(), wanted.predict(X))


def blocks_of_csr(X: Any, sizes: tuple[int, ...]) -> Any:
    """A dask array of CSR matrices."""
    dense = da.from_array(X.toarray(), chunks=(sizes, X.shape[1]))
    return dense.map_blocks(sp.csr_matrix, dtype=np.float64)


def test_estimator(client, table) -> None:
    X, _, y = table
    model = of_dask.LogisticRegression(C=2.0, solver="newton").fit(blocks(X), blocks(y))
    wanted = fastlogit.LogisticRegression(C=2.0, solver="newton").fit(X, y)
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=0, atol=1e-10)
    assert model.n_features_in_ == 5
    for name in ("predict_proba", "predict", "decision_function", "predict_log_proba"):
        lazy = getattr(model, name)(blocks(X))
        assert isinstance(lazy, da.Array)
        assert lazy.chunks[0] == CUTS
        expected = getattr(model, name)(X)
        assert lazy.shape == expected.shape
        np.testing.assert_array_equal(lazy.compute(), expected)
    assert model.score(blocks(X), blocks(y)) == pytest.approx(wanted.score(X, y), rel=1e-14)
    with pytest.raises(NotImplementedError, match="bias_reduction='mean' is not there"):
        of_dask.LogisticRegression(bias_reduction="mean").fit(blocks(X), blocks(y))


@pytest.mark.parametrize("kind", ["pandas", "polars", "pyarrow"])
def test_tables_of_any_library(client, table, kind) -> None:
    X, y, _ = table
    frame = pd.DataFrame(X, columns=list("abcde")).assign(y=y, w=1.0)
    make = {
        "pandas": lambda part: part.rename(columns={"a": 0}),  # a name that is a number
        "polars": pl.from_pandas,
        "pyarrow": lambda part: pa.Table.from_pandas(part, preserve_index=False),
    }[kind]
    parts = [delayed(make(frame[:700])), delayed(make(frame[700:]))]
    found = of_dask.fit(parts, target="y", sample_weight="w", C=1.0, solver="newton")
    alike(found, fastlogit.fit(X, y, C=1.0, solver="newton"))
    proba = of_dask.predict_proba(found, parts)  # of the parts of the fit
    np.testing.assert_allclose(proba.compute(), found.predict_proba(X), rtol=1e-14)
    with pytest.raises(TypeError, match=r"partition 0: .* has no column 'z' \(feature\)"):
        of_dask.fit(parts, target="y", features=["b", "z"], C=1.0)
    with pytest.raises(ValueError, match="X has no column 'b', which the fit had"):
        of_dask.predict_proba(found, [delayed(make(frame[["a", "c"]]))]).compute()
    empty = [parts[0], delayed(make(frame.assign(b=np.nan)))]
    with pytest.raises(ValueError, match=r"partition 1: X contains NaN in column 'b' \(row 0\)"):
        of_dask.predict_proba(found, empty).compute()


def test_names_of_columns_that_are_numbers_or_the_same(client, table) -> None:
    X, y, _ = table
    whole = pd.DataFrame(np.column_stack([X, y]))
    ddf = dd.from_pandas(whole, npartitions=2)
    found = of_dask.fit(ddf, target="5", C=1.0, solver="newton")
    alike(found, fastlogit.fit(X, y, C=1.0, solver="newton"))
    proba = of_dask.predict_proba(found, ddf).compute()
    np.testing.assert_allclose(proba, found.predict_proba(X), rtol=1e-14)
    with pytest.raises(TypeError, match=r"target must be .* as text, got 5 \(int\)"):
        of_dask.fit(ddf, target=5, C=1.0)
    whole.columns = ["a", "a", "b", "c", "d", "y"]
    for X in (dd.from_pandas(whole, npartitions=2), [delayed(whole)]):
        with pytest.raises(ValueError, match=r"X has 2 columns called 'a' \(columns 0, 1"):
            of_dask.fit(X, target="y", C=1.0)


def test_masks_and_large_labels_are_not_lost(table) -> None:
    X, y, _ = table
    asked = collections.Asked({}, None)

    def facts(number: int, rows: Any, **beside: Any) -> Any:
        return reading.facts_of(reading.take(number, rows, beside, asked)).value

    masked = np.ma.masked_array(y * 1.0, mask=np.arange(len(y)) == 5)
    ones = np.ones(len(y))
    for fault in (
        *facts(2, np.ma.masked_array(X, mask=False), y=y),
        *facts(2, X, y=masked),
        *facts(2, X, y=y, sample_weight=masked),
        *facts(2, X, y=y, offset=masked),
    ):
        with pytest.raises(TypeError, match=r"partition 2: .* is a masked array"):
            raise fault.raised()
    large = np.where(y == 1, np.uint64(2**63 + 1), np.uint64(2**63))
    (known,) = reading.merged([facts(0, X, y=y), facts(1, X, y=large)])
    assert known.classes.tolist() == [0, 1, 2**63, 2**63 + 1]
    for other in (-y, ones):
        (fault,) = reading.merged([facts(0, X, y=other), facts(1, X, y=large)])
        with pytest.raises(TypeError, match=r"labels .* are of several number types"):
            raise fault.raised()


def test_clusters_are_of_one_kind_in_all_partitions(table) -> None:
    X, y, _ = table

    def facts(number: int, clusters: Any) -> Any:
        beside = {"y": y, "clusters": clusters}
        asked = collections.Asked({}, None)
        return reading.facts_of(reading.take(number, X, beside, asked)).value

    numbers, text = y % 9, (y % 9).astype(str)
    (fault,) = reading.merged([facts(0, numbers), facts(1, text)])
    with pytest.raises(TypeError, match="partition 1: clusters are of text, but of numbers in p"):
        raise fault.raised()
    for alike in ([numbers, numbers * 1.0], [text, text.astype(object)]):
        (known,) = reading.merged([facts(i, each) for i, each in enumerate(alike)])
        assert known.numbers == [0, 1]


@pytest.mark.parametrize("class_weight", ["balanced", {0: 2.0, 1: 0.5, 2: 1.0}])
def test_class_weights(client, table, class_weight) -> None:
    X, _, y = table
    weights = np.random.default_rng(3).uniform(0.5, 2.0, len(y))
    for multi_class in ("ovr", "multinomial"):
        options = {"class_weight": class_weight, "multi_class": multi_class, "solver": "newton"}
        model = of_dask.LogisticRegression(**options)
        model.fit(blocks(X), blocks(y), blocks(weights))
        wanted = fastlogit.LogisticRegression(**options).fit(X, y, weights)
        np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(model.intercept_, wanted.intercept_, rtol=0, atol=1e-10)
        np.testing.assert_allclose(model.result_.l2_reg, wanted.result_.l2_reg, rtol=1e-13)


def test_an_offset_is_a_column_too(client, table) -> None:
    X, y, many = table
    offset = 3.0 * np.random.default_rng(4).normal(size=len(y)) + 1.0
    frame = pd.DataFrame(X, columns=list("abcde")).assign(y=y, base=offset)
    ddf = dd.from_pandas(frame, npartitions=3)
    options = {"C": 1.0, "solver": "newton"}
    found = of_dask.fit(ddf, target="y", offset="base", **options)
    wanted = fastlogit.fit(frame[list("abcde")], y, offset=offset, **options)
    alike(found, wanted)
    assert found.n_passes <= wanted.n_passes + 1.0
    assert found.feature_names == list("abcde")
    alike(
        of_dask.fit(blocks(X), blocks(many), offset=blocks(offset), **options),
        fastlogit.fit(X, many, offset=offset, **options),
    )
    model = of_dask.LogisticRegression(solver="newton").fit(ddf, target="y", offset="base")
    expected = model.predict_proba(frame[list("abcde")], offset=offset)
    lazy = model.predict_proba(ddf, offset="base")
    np.testing.assert_allclose(lazy.compute(), expected, rtol=1e-12)
    lazy = model.predict_log_proba(ddf[list("abcde")], offset=ddf.base)
    np.testing.assert_allclose(lazy.compute(), np.log(expected), rtol=1e-10)
    score = model.score(ddf, target="y", offset="base")
    assert score == pytest.approx(np.mean((expected[:, 1] > 0.5) == y), rel=1e-14)
    with pytest.raises(ValueError, match="would change no softmax"):
        of_dask.fit(blocks(X), blocks(many), offset=blocks(offset), multi_class="multinomial")
    # A start far away among offsets that are large is cooled down: by rounds here.
    wide = blocks(300.0 * offset)
    alike(
        of_dask.fit(blocks(X), blocks(y), offset=wide, C=1.0),
        fastlogit.fit(X, y, offset=300.0 * offset, C=1.0),
        1e-5,
    )


def test_other_links(client, table) -> None:
    X, y, _ = table
    offset = np.random.default_rng(6).normal(size=len(y))
    for link in ("probit", "cloglog"):
        options = {"link": link, "C": np.inf}
        found = of_dask.fit(blocks(X), blocks(y), offset=blocks(offset), **options)
        wanted = fastlogit.fit(X, y, offset=offset, **options)
        alike(found, wanted)
        assert found.n_passes <= wanted.n_passes + 1.0
    inferred = of_dask.infer(found, blocks(X), blocks(y), offset=blocks(offset), cov_type="HC3")
    known = fastlogit.infer(wanted, X, y, offset=offset, cov_type="HC3")
    np.testing.assert_allclose(inferred.covariance, known.covariance, rtol=1e-9)
    assert inferred.likelihood.tjur == pytest.approx(known.likelihood.tjur, rel=1e-11)


def test_a_warm_start_takes_few_steps(client, table) -> None:
    X, y, _ = table
    model = of_dask.LogisticRegression(warm_start=True, verbose=0).fit(blocks(X), blocks(y))
    cold = model.n_iter_[0]
    again = model.fit(blocks(X), blocks(y))
    assert again.n_iter_[0] < cold
    names = ["p", "q", "r", "s", "t"]
    found = of_dask.fit(blocks(X), blocks(y), C=1.0, start=again.result_, feature_names=names)
    assert found.feature_names == names
    assert found.n_iter < cold


def test_few_rows_come_to_this_process(client, table, monkeypatch) -> None:
    """Nothing is gathered but sums, and the subsample that gives the start."""
    X, y, _ = table
    sizes: list[int] = []
    gather = client.gather

    def watched(futures: Any, **options: Any) -> Any:
        found = gather(futures, **options)
        sizes.append(len(distributed.protocol.pickle.dumps(found)))
        return found

    monkeypatch.setattr(client, "gather", watched)
    kept = [part.persist() for part in (blocks(X), blocks(y))]
    of_dask.fit(*kept, C=1.0, solver="newton", client=client)
    assert len(sizes) > 5
    assert sorted(sizes)[-2] < 3000
    assert max(sizes) < X.nbytes // 6


def test_columns_that_are_alike_have_the_least_coefficients(client, table) -> None:
    X, y, _ = table
    twice = np.column_stack([X, X[:, 0], np.ones(len(X))])
    found = of_dask.fit(blocks(twice), blocks(y), C=np.inf, solver="newton")
    wanted = fastlogit.fit(twice, y, C=np.inf, solver="newton")
    assert found.converged
    raw = twice @ found.coef + found.intercept, twice @ wanted.coef + wanted.intercept
    np.testing.assert_allclose(*raw, atol=1e-8)


def test_softmax_without_a_penalty(client, table) -> None:
    X, _, y = table
    options = {"C": np.inf, "multi_class": "multinomial"}
    found = of_dask.fit(blocks(X), blocks(y), **options)
    alike(found, fastlogit.fit(X, y, **options), 1e-5)


def test_separable_classes_are_told(client) -> None:
    X = np.linspace(-1.0, 1.0, 40)[:, None]
    y = (X[:, 0] > 0.1).astype(int)
    with pytest.warns(fastlogit.SeparationWarning, match="separable"):
        of_dask.fit(da.from_array(X, chunks=(10, 1)), da.from_array(y, chunks=10), C=np.inf)


def test_bad_input_is_one_clear_error(client, table) -> None:
    X, y, _ = table
    with pytest.raises(TypeError, match=r"got a ndarray; what is in memory goes to fastlogit\.fit"):
        of_dask.fit(X, y)
    frame = dd.from_pandas(pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y}), npartitions=2)
    with pytest.raises(TypeError, match="features must be a list of names of columns, got 'a'"):
        of_dask.fit(frame, target="y", features="a", C=1.0)
    with pytest.raises(ValueError, match="features is empty"):
        of_dask.fit(frame, target="y", features=[], C=1.0)
    with pytest.raises(TypeError, match="y must be a dask array or Series"):
        of_dask.fit(blocks(X), y)
    with pytest.raises(ValueError, match="y has 2 partitions, but X has 4"):
        of_dask.fit(blocks(X), da.from_array(y, chunks=900))
    with pytest.raises(ValueError, match="partition 0: y has 600 values, but X has 700 rows"):
        of_dask.fit(blocks(X), da.from_array(y, chunks=((600, 200, 600, 400),)))
    bad = X.copy()
    bad[750, 3] = np.nan
    with pytest.raises(ValueError, match=r"NaN in column 3 \(partition 1, row 50 of it\)"):
        of_dask.fit(blocks(bad), blocks(y), C=1.0)
    cuts = ((X, 0, 0), (X, 0, 90), (bad, 700, 800))
    parts = [delayed((each[a:b], y[a:b])) for each, a, b in cuts]
    with pytest.raises(ValueError, match=r"NaN in column 3 \(partition 2, row 50 of it\)"):
        of_dask.fit(parts, C=1.0)
    with pytest.raises(NotImplementedError, match="fractional: dask partitions do not take"):
        of_dask.fit(blocks(X), blocks(y), C=1.0, fractional=True)
    tiny = blocks(np.full(len(y), 1e-300))
    with pytest.raises(ValueError, match=r"adds up to 1.8e-297.*divide the weights by their mean"):
        of_dask.fit(blocks(X), blocks(y), sample_weight=tiny, C=1.0)
    with pytest.raises(ValueError, match="partition 3: sample_weight is negative"):
        of_dask.fit(blocks(X), blocks(y), sample_weight=blocks(1.0 - (np.arange(1800) // 800)))
    with pytest.raises(ValueError, match="one class"):
        of_dask.fit(blocks(X), blocks(0 * y), C=1.0)
    with pytest.raises(TypeError, match="partition 1: y is of text, but of numbers in partition 0"):
        of_dask.fit([delayed((X[:9], y[:9])), delayed((X[9:20], y[9:20].astype(str)))])


def test_ctrl_c_keeps_the_best_point(client, table, monkeypatch) -> None:
    X, y, _ = table

    def stop(progress: Any) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as interrupt:
        of_dask.fit(blocks(X), blocks(y), C=1.0, callback=stop)
    assert isinstance(interrupt.value.result, fastlogit.FitResult)

    def look(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(fitting, "look", look)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        of_dask.fit(blocks(X), blocks(y), C=1.0)
    assert interrupt.value.result is None  # before there is a point


@pytest.mark.parametrize("solver", ["newton", "newton-cg", "lbfgs"])
def test_futures_that_are_cancelled_leave_the_best_point(client, table, solver) -> None:
    """As a client that is restarted does."""
    X, y, _ = table

    def cancel(progress: Any) -> None:
        if progress.n_iter == 2:
            client.cancel([distributed.Future(key, client) for key in list(client.futures)])

    with pytest.raises(RuntimeError, match="cancelled while it ran: the client") as end:
        of_dask.fit(blocks(X), blocks(y), C=1.0, callback=cancel, solver=solver, tol=1e-15)
    assert end.value.result.n_iter == 2
    np.testing.assert_allclose(end.value.result.coef, fastlogit.fit(X, y, C=1.0).coef, atol=0.3)


def test_futures_are_partitions(client, table) -> None:
    X, y, _ = table
    futures = client.scatter([(X[:700], y[:700]), (X[700:], y[700:])])
    found = of_dask.fit(futures, C=1.0, solver="newton")
    alike(found, fastlogit.fit(X, y, C=1.0, solver="newton"))
    proba = of_dask.predict_proba(found, futures).compute()
    np.testing.assert_allclose(proba, found.predict_proba(X), rtol=1e-14)


def test_a_time_limit_ends_it_before_a_pass_and_nowhere_else(client, table) -> None:
    X, y, _ = table
    rows, offset = (blocks(X), blocks(y)), blocks(X[:, 0])
    with pytest.warns(ConvergenceWarning, match="time_limit=1e-09 s"):
        found = of_dask.fit(*rows, offset=offset, C=1.0, time_limit=1e-9)
    assert not found.converged
    model = of_dask.LogisticRegressionCV(
        Cs=[1.0], l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False, time_limit=1e-9
    )
    with pytest.warns(ConvergenceWarning, match="time_limit=1e-09 s"):
        assert not model.fit(*rows).result_.converged


def test_a_partition_that_comes_back_with_other_rows_is_refused(table) -> None:
    X, y, _ = table
    plan = reading.Plan(None, np.array([0, 1]), Binomial(), (1,), True)
    asked = collections.Asked({}, None)
    first = reading.take(3, X, {"y": y}, asked)
    facts = reading.facts_of(first).value[0]
    other = reading.take(3, X, {"y": y[::-1].copy()}, asked)
    assert reading.build(first, facts.sizes[0], facts.stamps[0], plan).rows.n_models == 1
    with pytest.raises(RuntimeError, match="partition 3 has other rows than before"):
        reading.build(other, facts.sizes[0], facts.stamps[0], plan)
    # Labels of a seed beside rows of none.
    other = reading.take(3, X + 1e-9, {"y": y}, asked)
    with pytest.raises(RuntimeError, match="partition 3 has other rows than before"):
        reading.build(other, facts.sizes[0], facts.stamps[0], plan)


def test_stamps_tell_rows_of_every_kind(table) -> None:
    X, y, _ = table

    def frame(rows: Any, shops: Any) -> Any:
        return pd.DataFrame(rows, columns=list("abcde")).assign(shop=pd.Categorical(shops))

    shops = np.where(y == 1, "here", "there")
    kinds = [
        (X, X.copy(), X[::-1]),
        (X.astype(object), X.astype(object).copy(), X[::-1].astype(object)),
        (sp.csr_array(X), sp.csr_array(X), sp.csr_array(X + 1.0)),
        (sp.csc_matrix(X), sp.csc_matrix(X), sp.csc_matrix(X + 1.0)),
        (sp.coo_array(X), sp.coo_array(X), sp.coo_array(X + 1.0)),
        (sp.lil_array(X), sp.lil_array(X), sp.lil_array(X[::-1])),
        (frame(X, shops), frame(X, shops), frame(X + 1.0, shops)),
        (frame(X, shops), frame(X, shops), frame(X, shops[::-1])),
        (pa.table({"a": X[:, 0]}), pa.table({"a": X[:, 0]}), pa.table({"a": X[:, 1]})),
    ]
    for one, same, other in kinds:
        stamp = stamps.stamp_of_rows(one, 7)
        assert stamps.stamp_of_rows(same, 7) == stamp
        assert stamps.stamp_of_rows(other, 7) != stamp
        assert stamps.stamp_of_rows(one, 8) != stamp


def test_a_partition_takes_its_memory_once_when_it_is_moved(table) -> None:
    X, y, _ = table
    plan = reading.Plan(None, np.array([0, 1]), Binomial(), (1,), True)
    taken = reading.take(0, X, {"y": y}, collections.Asked({}, None))
    place = reading.build(taken, len(y), reading.facts_of(taken).value[0].stamps[0], plan)
    assert X.nbytes < sys.getsizeof(place) < 1.1 * X.nbytes
    assert X.nbytes < len(pickle.dumps(place)) < 1.1 * X.nbytes
    view = View(as_they_are(5), None, np.array([1.0 * len(y)]))
    point = np.full((1, 5), 0.1), np.zeros(1)
    one, other = (
        evaluate(part.as_seen(view), *point) for part in (place, pickle.loads(pickle.dumps(place)))
    )
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_a_client_it_says_how_to_make_one(table, monkeypatch) -> None:
    X, y, _ = table
    monkeypatch.setattr(distributed, "get_client", lambda: (_ for _ in ()).throw(ValueError()))
    with pytest.raises(ValueError, match=r"no dask Client was found.*distributed\.Client\(\)"):
        of_dask.fit(blocks(X), blocks(y))


def test_every_question_to_labelled_rows_is_answered_or_refused() -> None:
    own = {*vars(PartitionedRows)}
    # What asks others, or what is here of rows elsewhere: classes and weights of outputs.
    inherited = {
        "positive", "weight_set", "total_weight", "n_outputs", "n_models", "split", "outputs_of",
        "n_offsets", "family", "shares_of",
    }  # fmt: skip
    public = {name for name in vars(LabelledRows) if not name.startswith("_")}
    assert public - own == inherited
    assert set(STAYING) <= own


@pytest.mark.slow(seconds=10)
def test_a_lost_worker_costs_no_more_than_time(client, table) -> None:
    X, y, _ = table
    killed: list[int] = []

    def kill(progress: Any) -> bool:
        if progress.n_iter == 2 and not killed:
            killed.append(min(other.run(os.getpid).values()))
            os.kill(killed[0], signal.SIGKILL)
        return False

    cluster = quiet_cluster(n_workers=2, threads_per_worker=1)
    with cluster, distributed.Client(cluster, set_as_default=False) as other:
        kept = other.persist([blocks(X), blocks(y)])
        found = of_dask.fit(*kept, C=1.0, client=other, callback=kill)
    wanted = of_dask.fit(blocks(X), blocks(y), C=1.0, client=client)
    assert killed
    np.testing.assert_array_equal(found.coef, wanted.coef)
    np.testing.assert_array_equal(found.history, wanted.history)
    assert found.n_passes == wanted.n_passes
