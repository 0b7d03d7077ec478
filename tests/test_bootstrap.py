"""`bootstrap` against a plain loop over `fit` with the weights of each replicate."""

import importlib
import pickle
import signal
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from mlxtend.data import autompg_data
from problems import TWO_THREADS
from sklearn.datasets import load_breast_cancer, load_iris

import fastlogit
from fastlogit import BatchSource, BootstrapDistribution, BootstrapResult, GroupStatus, bootstrap
from fastlogit.clock import Clock
from fastlogit.resampling import bootstrap as module
from fastlogit.resampling import refits

# Hundreds of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

# Both are within 1e-12 of the optimum: the root of that in standard deviations of the estimate.
NEAR = 1e-5
N = 12


def make_rows(n_samples: int = 150) -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n_samples, 3)) * [1.0, 5.0, 0.1] + [0.0, 20.0, 1.0]
    z = (X - [0.0, 20.0, 1.0]) @ [0.8, -0.1, 5.0]
    return X, (z + rng.logistic(size=n_samples) > 0.0).astype(int)


X, Y = make_rows()
RNG = np.random.default_rng(5)
WEIGHT = RNG.integers(0, 4, len(Y)).astype(float)
OFFSET = RNG.standard_normal(len(Y))
CLUSTERS = RNG.integers(0, 30, len(Y))


def assert_as_fit(result: BootstrapResult, rows: Any, y: Any, **options: Any) -> None:
    """Each replicate is what `fit` finds with its weights."""
    for replicate in range(len(result)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            options["sample_weight"] = result.replicate_weights(replicate)
            wanted = fastlogit.fit(rows, y, **options)
        near = {"rtol": NEAR, "atol": NEAR}
        np.testing.assert_allclose(result.coef[replicate], wanted.coef, **near)
        np.testing.assert_allclose(result.intercept[replicate], wanted.intercept, **near)


OPTIONS: dict[str, dict[str, Any]] = {
    "no penalty": {},
    "C": {"C": 0.5},
    "l2_reg of each column": {"l2_reg": [0.1, 0.0, 0.3]},
    "weights and offset": {"C": 2.0, "sample_weight": WEIGHT, "offset": OFFSET},
    "penalty_factor": {"C": 0.1, "penalty_factor": [0.0, 1.0, 4.0]},
    "held intercept": {"C": 1.0, "intercept": 0.25, "sample_weight": WEIGHT},
    "no intercept": {"l2_reg": 0.01, "intercept": None, "offset": OFFSET},
}
DRAWN: dict[str, dict[str, Any]] = {
    "rows": {},
    "clusters": {"groups": CLUSTERS},
    "strata": {"stratify": True},
    "bayesian": {"weights": "bayesian"},
    "bayesian clusters": {"weights": "bayesian", "groups": CLUSTERS},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("drawn", DRAWN.values(), ids=DRAWN)
def test_each_replicate_is_what_fit_finds(drawn: dict[str, Any], options: dict[str, Any]) -> None:
    result = bootstrap(X, Y, N, random_state=1, **drawn, **options)
    assert result.converged.all()
    assert (result.suboptimality <= 1e-12).all()
    assert_as_fit(result, X, Y, **options)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize(
    "options",
    [{"C": 1.0}, {"l2_reg": 0.02}, {"l2_reg": [0.02, 0.0, 0.01, 0.1]},
     {"C": 1.0, "intercept": None}, {"C": 1.0, "intercept": 0.5}],
    ids=str,
)  # fmt: skip
def test_more_classes(multi_class: str, options: dict[str, Any]) -> None:
    rows, y = load_iris(return_X_y=True)
    weight = np.random.default_rng(0).integers(0, 3, len(y)).astype(float)
    options = {**options, "multi_class": multi_class, "sample_weight": weight}
    result = bootstrap(rows, y, 10, random_state=2, **options)
    assert result.converged.all()
    assert result.coef.shape == (10, 4, 3)
    assert_as_fit(result, rows, y, **options)
    assert result.standard_errors.shape == (5, 3)
    # Batches of other sizes have the same bits.
    fewer = bootstrap(rows, y, 3, random_state=2, n_threads=1, **options)
    np.testing.assert_array_equal(fewer.coef, result.coef[:3])


def test_offsets_and_weights_of_classes() -> None:
    rows, y = load_iris(return_X_y=True)
    offset = np.random.default_rng(1).standard_normal((len(y), 3))
    for multi_class in ("ovr", "multinomial"):
        options: dict[str, Any] = {"C": 1.0, "offset": offset, "multi_class": multi_class}
        result = bootstrap(rows, y, 4, random_state=0, **options)
        assert_as_fit(result, rows, y, **options)
    with pytest.raises(ValueError, match="one sample_weight for each row"):
        bootstrap(rows, y, C=1.0, sample_weight=np.ones((len(y), 3)))


def cars() -> tuple[Any, Any, Any]:
    """Weight and horsepower of cars, whether they go 25 miles with a gallon, and their years."""
    rows, mpg = autompg_data()
    return rows[:, [3, 2]], (mpg >= 25.0).astype(int), rows[:, 5].astype(int)


def test_real_clusters_are_drawn_whole() -> None:
    rows, y, year = cars()
    result = bootstrap(rows, y, 40, groups=year, random_state=0)
    assert result.n_units == len(np.unique(year))
    for replicate in range(40):
        weights = result.replicate_weights(replicate)
        counts = {float(weights[year == each].mean()) for each in np.unique(year)}
        assert all(np.ptp(weights[year == each]) == 0.0 for each in np.unique(year))
        assert counts <= {float(k) for k in range(14)}
        assert sum(weights[year == each][0] for each in np.unique(year)) == result.n_units
    used = result.converged
    for replicate in np.flatnonzero(used)[:10]:
        wanted = fastlogit.fit(rows, y, sample_weight=result.replicate_weights(replicate))
        np.testing.assert_allclose(result.coef[replicate], wanted.coef, rtol=1e-4)


def test_real_data_has_errors_near_those_of_theory() -> None:
    data = load_breast_cancer()
    rows = data.data[:, [1, 4, 8]]
    rows = (rows - rows.mean(axis=0)) / rows.std(axis=0)
    result = bootstrap(rows, data.target, 600, random_state=0)
    theory = fastlogit.fit_groups(rows, data.target, np.zeros(len(rows), int)).standard_errors[0]
    np.testing.assert_allclose(result.standard_errors, theory, rtol=0.25)
    np.testing.assert_allclose(result.bias, 0.0, atol=theory.max())


# ------------------------------------------------------------------------------------------------
# What is drawn


def test_rows_are_drawn_as_many_as_there_are() -> None:
    result = bootstrap(X, Y, 30, random_state=4)
    weights = np.array([result.replicate_weights(k) for k in range(30)])
    assert (weights.sum(axis=1) == len(Y)).all()
    assert (weights == np.floor(weights)).all()
    # About 1 / e of the rows are out of the bag.
    assert 0.3 < (weights == 0.0).mean() < 0.44
    of_strata = bootstrap(X, Y, 30, stratify=True, random_state=4)
    for k in range(30):
        assert of_strata.replicate_weights(k)[Y == 1].sum() == Y.sum()
    bayes = bootstrap(X, Y, 5, weights="bayesian", random_state=4).replicate_weights(3)
    assert bayes.min() > 0.0
    assert bayes.sum() == pytest.approx(len(Y))
    assert bayes.std() == pytest.approx(1.0, abs=0.3)


def test_each_replicate_has_a_stream_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bootstrap(X, Y, 20, random_state=7, n_threads=TWO_THREADS)
    for nanoseconds in (1.0, 1e5):
        monkeypatch.setattr(module, "CHUNK_NS", nanoseconds)
        some = bootstrap(X, Y, 9, random_state=7, n_threads=1)
        np.testing.assert_array_equal(some.coef, whole.coef[:9])
        np.testing.assert_array_equal(some.intercept, whole.intercept[:9])
        np.testing.assert_array_equal(some.suboptimality, whole.suboptimality[:9])
    assert len(np.unique(whole.coef[:, 0])) == 20


@pytest.mark.parametrize(
    "make",
    [lambda: 5, lambda: np.int64(5), lambda: np.random.SeedSequence(5),
     lambda: np.random.default_rng(5), lambda: np.random.RandomState(5)],
)  # fmt: skip
def test_seeds_of_any_kind(make: Any) -> None:
    found = [bootstrap(X, Y, 3, random_state=make()).coef for _ in range(2)]
    np.testing.assert_array_equal(found[0], found[1])


def test_a_generator_goes_on_and_no_seed_differs() -> None:
    rng = np.random.default_rng(0)
    for seed in (rng, None):
        found = [bootstrap(X, Y, 3, random_state=seed).coef for _ in range(2)]
        assert (found[0] != found[1]).all()


def test_rows_without_weight_are_absent() -> None:
    used = WEIGHT > 0.0
    options: dict[str, Any] = {"C": 1.0, "random_state": 3}
    found = bootstrap(X, Y, 5, sample_weight=WEIGHT, groups=CLUSTERS, **options)
    wanted = bootstrap(
        X[used], Y[used], 5, sample_weight=WEIGHT[used], groups=CLUSTERS[used], **options
    )
    np.testing.assert_array_equal(found.coef, wanted.coef)
    assert (found.replicate_weights(2)[~used] == 0.0).all()


# ------------------------------------------------------------------------------------------------
# How fits end


def assert_every_nan_has_its_reason(result: BootstrapResult) -> None:
    missing = np.isnan(result.coef).any(axis=tuple(range(1, result.coef.ndim)))
    missing |= np.isnan(result.intercept.reshape(len(result), -1)).any(axis=1)
    np.testing.assert_array_equal(missing, result.status >= GroupStatus.SEPARABLE)
    assert np.isinf(result.suboptimality[missing]).all()


def test_no_replicate_stops_the_others_and_each_says_how_it_ended() -> None:
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.standard_normal(14), np.arange(14) < 2])
    y = (rows[:, 0] + 1.5 * rng.standard_normal(14) > 0.5).astype(int)
    y[:2] = 0, 1
    result = bootstrap(rows, y, 300, random_state=0)
    assert_every_nan_has_its_reason(result)
    seen = {GroupStatus(each) for each in np.unique(result.status)}
    assert {GroupStatus.CONVERGED, GroupStatus.SEPARABLE} <= seen
    assert GroupStatus.CONSTANT_COLUMN in seen
    for replicate in range(60):
        weights = result.replicate_weights(replicate)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            if np.ptp(y[weights > 0.0]) == 0:
                assert result.status[replicate] == GroupStatus.ONE_CLASS
                continue
            wanted = fastlogit.fit(rows, y, sample_weight=weights)
        if any(each.category is fastlogit.SeparationWarning for each in said):
            assert result.status[replicate] in (GroupStatus.SEPARABLE, GroupStatus.TOO_FEW_ROWS)
        else:
            assert result.status[replicate] < GroupStatus.SEPARABLE
            np.testing.assert_allclose(result.coef[replicate], wanted.coef, rtol=1e-4, atol=1e-4)
    # With a penalty only those of one class have none.
    held = bootstrap(rows, y, 300, C=1.0, random_state=0)
    assert set(np.unique(held.status)) <= {GroupStatus.CONVERGED, GroupStatus.ONE_CLASS}
    assert "converged" in held.status_text


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_a_class_that_a_replicate_lacks(multi_class: str) -> None:
    rows, y = load_iris(return_X_y=True)
    some = np.r_[0:2, 50:70, 100:120]
    result = bootstrap(rows[some], y[some], 40, C=1.0, multi_class=multi_class, random_state=0)
    lacking = [
        (np.bincount(y[some], result.replicate_weights(k), 3) == 0.0).any() for k in range(40)
    ]
    assert 0 < sum(lacking) < 40
    np.testing.assert_array_equal(result.status == GroupStatus.ONE_CLASS, lacking)
    assert_every_nan_has_its_reason(result)


def test_columns_that_depend_on_each_other() -> None:
    rows = np.column_stack([X, 2.0 * X[:, 0]])
    result = bootstrap(rows, Y, 3, random_state=0)
    assert set(result.status_text) == {"collinear"}
    assert np.isfinite(result.coef).all()
    with pytest.raises(ValueError, match="replicates that converged: 0,"):
        result.standard_errors  # noqa: B018
    assert "3 collinear" in result._repr_html_()
    held = bootstrap(rows, Y, 3, C=1.0, random_state=0)
    assert_as_fit(held, rows, Y, C=1.0)


def test_a_constant_column_is_nothing() -> None:
    rows = np.column_stack([X, np.full(len(Y), 3.0)])
    result, plain = (bootstrap(each, Y, 5, random_state=0) for each in (rows, X))
    np.testing.assert_array_equal(result.coef[:, 3], 0.0)
    np.testing.assert_allclose(result.coef[:, :3], plain.coef, rtol=1e-9)
    assert result.confidence_intervals(method="bca")[3] == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize("C", [None, 1.0])
def test_the_general_ways_give_the_same(C: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"C": C, "random_state": 1, "offset": OFFSET}
    wanted = bootstrap(X, Y, 5, **options)
    with monkeypatch.context() as patch:
        patch.setattr(module, "MOST_NUMBERS", 0)  # passes that replicates share
        shared = bootstrap(X, Y, 5, **options)
    monkeypatch.setattr(refits.kernels, "prepare", SimpleNamespace(serial=lambda *_: (5, 0)))
    with monkeypatch.context() as patch:
        patch.setattr(module.Refits, "_by_small_kernel", lambda *_: (None, False))
        alone = bootstrap(X, Y, 5, **options)
    small = bootstrap(X, Y, 5, **options)
    for found in (shared, alone, small):
        assert found.converged.all()
        np.testing.assert_allclose(found.coef, wanted.coef, rtol=NEAR, atol=NEAR)
        np.testing.assert_allclose(found.intercept, wanted.intercept, rtol=NEAR, atol=NEAR)


def test_a_held_intercept_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NUMBERS", 0)
    for options in ({"C": 1.0, "intercept": 0.5}, {"l2_reg": 0.1, "intercept": None}):
        result = bootstrap(X, Y, 3, random_state=1, **options)
        assert_as_fit(result, X, Y, **options)
        with pytest.raises(ValueError, match="256 MB"):
            result.confidence_intervals(method="bca")


def test_what_fit_refuses_is_a_status_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("no such rows")

    monkeypatch.setattr(refits.kernels, "prepare", SimpleNamespace(serial=lambda *_: (5, 0)))
    monkeypatch.setattr(module.Refits, "_by_small_kernel", lambda *_: (None, False))
    monkeypatch.setattr(refits, "fit_quietly", refuse)
    result = bootstrap(X, Y, 3, C=1.0, random_state=0)
    assert set(result.status_text) == {"failed"}
    assert result.failures == dict.fromkeys(range(3), "no such rows")
    assert_every_nan_has_its_reason(result)


def test_no_tolerance_is_met_as_by_fit() -> None:
    result = bootstrap(X, Y, 3, C=1.0, tol=0.0, random_state=0)
    wanted = bootstrap(X, Y, 3, C=1.0, random_state=0)
    np.testing.assert_allclose(result.coef, wanted.coef, rtol=NEAR)
    assert_every_nan_has_its_reason(result)


# ------------------------------------------------------------------------------------------------
# Intervals


def test_intervals_beside_scipy() -> None:
    rows, y = make_rows(60)
    rows = rows[:, :2]
    result = bootstrap(rows, y, 400, C=1.0, random_state=0)
    assert result.converged.all()

    def statistic(some: Any) -> float:
        return float(fastlogit.fit(rows[some], y[some], C=1.0).coef[0])

    drawn = SimpleNamespace(bootstrap_distribution=result.coef[:, 0])
    for method, name in (("percentile", "percentile"), ("basic", "basic"), ("bca", "BCa")):
        wanted = scipy.stats.bootstrap(
            (np.arange(len(y)),), statistic, n_resamples=0, bootstrap_result=drawn, method=name,
            vectorized=False, confidence_level=0.9,
        )  # fmt: skip
        found = result.confidence_intervals(0.9, method)[0]
        # The jackknife of one step moves the places among the replicates by little.
        near = 0.02 * result.standard_errors[0] if method == "bca" else 1e-12
        np.testing.assert_allclose(found, wanted.confidence_interval, atol=near)
        if method != "bca":
            assert result.standard_errors[0] == pytest.approx(wanted.standard_error)
    normal = result.confidence_intervals(0.9, "normal")[0]
    middle, half = result.estimate.coef[0] - result.bias[0], 1.6448536 * result.standard_errors[0]
    assert normal == pytest.approx([middle - half, middle + half])


def test_what_follows_from_coefficients() -> None:
    result = bootstrap(X, Y, 60, groups=CLUSTERS, random_state=0)
    ratio = result.distribution(lambda coef, intercept: np.exp(coef[0]))
    assert ratio.estimate == pytest.approx(np.exp(result.estimate.coef[0]))
    np.testing.assert_allclose(ratio.replicates, np.exp(result.coef[:, 0]))
    for method in ("percentile", "bca"):  # the same ranks
        wanted = np.exp(result.confidence_intervals(method=method)[0])
        np.testing.assert_allclose(ratio.confidence_intervals(method=method), wanted, rtol=0.02)
    proba = result.distribution(
        lambda coef, intercept: fastlogit.predict_proba(X[:4], coef, intercept)[:, 1]
    )
    assert proba.standard_errors.shape == proba.bias.shape == (4,)
    ends = proba.confidence_intervals(0.8, "bca")
    assert ((ends[:, 0] < proba.estimate) & (proba.estimate < ends[:, 1])).all()
    with pytest.raises(TypeError, match="statistic must be callable"):
        result.distribution(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="statistic gave NaN or infinity at coef="):
        result.distribution(lambda coef, intercept: np.nan)
    sizes = iter([1, 1, 1, 2])
    with pytest.raises(ValueError, match=r"of shape \(2,\), and one of \(1,\)"):
        result.distribution(lambda coef, intercept: np.zeros(next(sizes)))


def test_intervals_that_are_none() -> None:
    result = bootstrap(X, Y, 20, random_state=0)
    for options, words in (
        ({"level": 0.0}, "level"), ({"level": 1.0}, "below 1"), ({"level": 95}, "level"),
        ({"method": "bcb"}, "did you mean 'bca'"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=words):
            result.confidence_intervals(**options)  # type: ignore[arg-type]
    bayes = bootstrap(X, Y, 20, weights="bayesian", random_state=0)
    with pytest.raises(ValueError, match="'bca' is for weights='multinomial'"):
        bayes.confidence_intervals(method="bca")
    with pytest.raises(ValueError, match="replicates that converged: 1,"):
        bootstrap(X, Y, 1).bias  # noqa: B018


# ------------------------------------------------------------------------------------------------
# The result


def test_a_result_is_kept_and_shown() -> None:
    frame = pd.DataFrame(X, columns=["age", "dose", "size"])
    result = bootstrap(frame, Y, 30, random_state=0)
    assert repr(result).startswith("BootstrapResult(bootstrap of 150 units, 30 replicates, 3 col")
    assert "30 converged" in repr(result)
    assert "<td>dose</td>" in result._repr_html_()
    again = pickle.loads(pickle.dumps(result))
    for method in ("percentile", "bca"):
        np.testing.assert_array_equal(
            again.confidence_intervals(method=method), result.confidence_intervals(method=method)
        )
    np.testing.assert_array_equal(again.replicate_weights(3), result.replicate_weights(3))
    table = result.to_frame(level=0.9, method="basic")
    assert table["name"].tolist() == ["age", "dose", "size", "intercept"]
    np.testing.assert_array_equal(table["bias"], result.bias)
    ends = result.confidence_intervals(0.9, "basic")
    np.testing.assert_array_equal(table[["lower", "upper"]], ends)
    for library in ("polars", "pyarrow"):
        assert result.to_frame(library).shape == (4, 6)
    with pytest.raises(ValueError, match="library must be one of"):
        result.to_frame("sqlite")
    for replicate in (-1, 30):
        with pytest.raises(IndexError, match="is none of 0 to 29"):
            result.replicate_weights(replicate)


def test_a_table_of_classes() -> None:
    rows, y = load_iris(return_X_y=True)
    result = bootstrap(rows, np.array(["a", "b", "c"])[y], 12, C=1.0, random_state=0)
    table = result.to_frame(method="bca")
    assert table["class"].tolist() == ["a", "b", "c"] * 5
    np.testing.assert_array_equal(
        table["estimate"], np.append(result.estimate.coef.ravel(), result.estimate.intercept)
    )
    softmax = bootstrap(rows, y, 12, C=1.0, multi_class="multinomial", random_state=0)
    with pytest.raises(ValueError, match="two classes and one-vs-all"):
        softmax.confidence_intervals(method="bca")


def test_a_library_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="needs polars"):
        bootstrap(X, Y, 3).to_frame("polars")


# ------------------------------------------------------------------------------------------------
# Bad input


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.where(X == X[7, 1], np.nan, X)}, ValueError, "NaN in column 1 .row 7"),
        ({"X": X[:9]}, ValueError, "150"),
        ({"X": "rows"}, (TypeError, ValueError), "X"),
        ({"y": np.zeros(len(Y))}, ValueError, "class"),
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"n": 2.5}, TypeError, "n must be a whole number"),
        ({"groups": CLUSTERS[:9]}, ValueError, "groups has 9 values, but X has 150 rows"),
        ({"groups": np.zeros(len(Y))}, ValueError, "draws two units at least, and 1 groups have"),
        ({"groups": CLUSTERS, "stratify": True}, ValueError, "groups of one class each"),
        ({"sample_weight": np.eye(len(Y))[3]}, ValueError, "weight|class"),
        ({"stratify": "y"}, TypeError, "stratify must be True or False"),
        ({"weights": "exponential"}, ValueError, "weights must be one of 'multinomial'"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0"),
        ({"random_state": 1.5}, TypeError, "random_state must be None, a whole number"),
        ({"random_state": True}, TypeError, "random_state"),
        ({"C": 0.0}, ValueError, "C must be > 0"),
        ({"C": 1e-320}, ValueError, "overflows"),
        ({"C": 1.0, "l2_reg": 1.0}, ValueError, "C or l2_reg, not both"),
        ({"l2_reg": -1.0}, ValueError, "l2_reg"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"multi_class": "softmax"}, ValueError, "multi_class"),
        ({"sample_weight": -WEIGHT}, ValueError, "sample_weight"),
        ({"intercept": "free"}, ValueError, "intercept"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"time_limit": 0.0}, ValueError, "time_limit"),
        ({"callback": 3}, TypeError, "callback"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_input_is_refused_in_words(change: dict[str, Any], error: Any, words: str) -> None:
    given: dict[str, Any] = {"X": X, "y": Y, "n": 3} | change
    with pytest.raises(error, match=words):
        bootstrap(given.pop("X"), given.pop("y"), **given)


def test_rows_that_are_not_in_memory_are_refused() -> None:
    class Rows:
        shape, dtype = X.shape, X.dtype

        def __getitem__(self, rows: Any) -> Any:
            return X[rows]

    for source in (Rows(), BatchSource(lambda: iter([(X, Y)]))):
        with pytest.raises(TypeError, match="bootstrap reads rows in memory"):
            bootstrap(source, None if isinstance(source, BatchSource) else Y)


def test_all_rows_need_an_optimum() -> None:
    with pytest.raises(ValueError, match=r"needs an optimum of all rows.*set C or l2_reg"):
        bootstrap(X, X[:, 0] > 0.0)
    assert bootstrap(X, X[:, 0] > 0.0, 5, C=1.0).converged.all()


@pytest.mark.parametrize("dtype", [np.float32, np.int64])
def test_rows_of_any_kind(dtype: Any) -> None:
    rows = np.asfortranarray(np.round(X * 10)).astype(dtype)
    rows.flags.writeable = False
    result = bootstrap(rows, Y, 3, random_state=0)
    wanted = bootstrap(np.ascontiguousarray(rows, np.float64), Y, 3, random_state=0)
    np.testing.assert_array_equal(result.coef, wanted.coef)


# ------------------------------------------------------------------------------------------------
# Limits


@pytest.fixture(params=["kernel", "batches"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Short pieces of work, of which each is told."""
    monkeypatch.setattr("fastlogit.fitting.chunks.STEP_SECONDS", 0.0)
    monkeypatch.setattr(module, "CHUNK_NS", 1.0)
    if request.param == "batches":
        monkeypatch.setattr(module, "MOST_NUMBERS", 0)
    return str(request.param)


def test_a_callback_sees_how_far_it_is_and_ends_it(way: str) -> None:
    seen: list[Any] = []

    def tell(progress: Any) -> bool:
        seen.append((progress.n_done, progress.n_fits, progress.coef.shape))
        return progress.n_done >= 5

    result = bootstrap(X, Y, N, random_state=0, callback=tell, n_threads=1)
    assert {each[1:] for each in seen} == {(N, (N, 3))}
    assert result.ended_by == "callback"
    done = result.converged
    assert done.sum() == (5 if way == "kernel" else 8)
    assert (result.status[~done] == GroupStatus.NOT_FITTED).all()
    np.testing.assert_array_equal(result.coef[done], bootstrap(X, Y, N, random_state=0).coef[done])
    assert_every_nan_has_its_reason(result)


def test_a_time_limit_keeps_what_is_finished(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    estimate = fastlogit.fit(X, Y)
    monkeypatch.setattr(module, "fit_whole", lambda *_: estimate)
    late = iter([False] * (4 if way == "kernel" else 1) + [True] * 1000)
    monkeypatch.setattr(Clock, "is_late", lambda self, ahead=0.0: next(late))
    monkeypatch.setattr(module, "fit_weighed", _weighed_without_clock(module.fit_weighed))
    result = bootstrap(X, Y, N, random_state=0, n_threads=1)
    assert result.ended_by == "time_limit"
    assert 0 < result.converged.sum() < N
    assert_every_nan_has_its_reason(result)


def _weighed_without_clock(call: Any) -> Any:
    """Hide the clock of the test from what reads it for its own end."""

    def weighed(*given: Any) -> Any:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Clock, "is_late", lambda self, ahead=0.0: False)
            return call(*given)

    return weighed


def test_ctrl_c_keeps_what_is_finished(way: str) -> None:
    def press(progress: Any) -> None:
        if progress.n_done >= 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        bootstrap(X, Y, N, random_state=0, callback=press, n_threads=TWO_THREADS)
    result = caught.value.result  # type: ignore[attr-defined]
    assert isinstance(result, BootstrapResult)
    assert result.converged.sum() >= 3
    assert_every_nan_has_its_reason(result)


def test_a_callback_at_the_very_end_ends_nothing() -> None:
    result = bootstrap(X, Y, 3, random_state=0, callback=lambda progress: True)
    assert result.converged.all()
    assert result.ended_by == ""


def test_the_benchmark_checks_and_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    benchmark = importlib.import_module("benchmarks.resampling")
    # The others may be installed or not, and warn of so few rows.
    loop = benchmark.sklearn_loop("newton-cholesky", 1e-6)
    monkeypatch.setattr(benchmark, "peers", lambda: {"scikit-learn": loop})
    monkeypatch.setattr(benchmark, "BLAS_PAUSE", 0.0)
    tasks = [benchmark.bootstrap_of(90, 3, 8), benchmark.permutation_of(80, 2, 8)]
    said = benchmark.compare(tasks, 8, 5, 1)
    assert "| resampling | bootstrap | 8 replicates of 90 x 3 float64" in said
    assert "| resampling | permutation | 8 replicates of 80 x 2 float64" in said
    assert said.startswith("Measured 20")
    assert "| scikit-learn |" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="above the optimum"):
        benchmark.check("far", [np.ones(4)], [tasks[0].rows_of(0)])
    wrong = fastlogit.permutation(tasks[1].X, tasks[1].y, n=8, C=2.0, random_state=0)
    with pytest.raises(AssertionError, match="permutation: "):
        benchmark.check_ours(tasks[1], wrong)


def test_what_is_asked_later_is_of_the_arrays_as_they_were() -> None:
    X, y = make_rows()
    weight, offset = np.ones(len(y)), np.zeros(len(y))
    y = y.astype(np.uint8)
    kept, changed = (
        bootstrap(X, y, 50, sample_weight=weight, offset=offset, random_state=0) for _ in range(2)
    )
    ends, weights = kept.confidence_intervals(method="bca"), kept.replicate_weights(3)
    X[:], y[:], weight[:], offset[:] = 1.0, 0, 5.0, 2.0
    np.testing.assert_array_equal(changed.confidence_intervals(method="bca"), ends)
    np.testing.assert_array_equal(changed.replicate_weights(3), weights)


@pytest.mark.parametrize("scale", [1e-150, 1e150, 1e200])
def test_bca_of_columns_of_any_size(scale: float) -> None:
    X, y = make_rows()
    wanted, found = (
        bootstrap(rows, y, 50, random_state=0).confidence_intervals(0.8, "bca")
        for rows in (X, X * scale)
    )
    np.testing.assert_allclose(found[:3] * scale, wanted[:3], rtol=1e-4)
    np.testing.assert_allclose(found[3], wanted[3], rtol=1e-4)


def test_bca_beyond_the_pole_of_its_correction_is_the_end_of_the_replicates() -> None:
    """One unit is all the skewness, a = 1/6: the quantile of 1 - 1e-10 lies beyond the pole."""
    values = np.arange(100.0)
    left_out = np.append(np.zeros(10_000), -1.0)[:, None]
    found = BootstrapDistribution(
        np.array([49.5]), values[:, None], lambda: left_out, [np.arange(10_001)]
    )
    assert found.confidence_intervals(1.0 - 2e-10, "bca")[0, 1] == 99.0


@pytest.mark.parametrize("method", ["percentile", "normal", "bca"])
def test_levels_that_are_one_in_float64_are_refused(method: str) -> None:
    result = bootstrap(*make_rows(), 5, random_state=0)
    with pytest.raises(ValueError, match="level must be below 1"):
        result.confidence_intervals(1.0 - 1e-16, method)


@pytest.mark.parametrize("replicate", [1.5, "a", None, True])
def test_replicates_are_whole_numbers(replicate: Any) -> None:
    with pytest.raises(TypeError, match="replicate must be a whole number"):
        bootstrap(*make_rows(), 5, random_state=0).replicate_weights(replicate)


def test_statistics_get_coefficients_that_they_may_change() -> None:
    result = bootstrap(*make_rows(), 5, random_state=0)
    before = result.estimate.coef.copy(), result.coef.copy()
    result.distribution(lambda coef, intercept: np.multiply(coef, 0.0, out=coef))
    np.testing.assert_array_equal(result.estimate.coef, before[0])
    np.testing.assert_array_equal(result.coef, before[1])


@pytest.mark.parametrize("make", [lambda: bootstrap(*make_rows(), 5),
                                  lambda: fastlogit.permutation(*make_rows(), n=5)])  # fmt: skip
def test_notebooks_show_tables_without_pandas(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    result = make()
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert "<table" in result._repr_html_()
