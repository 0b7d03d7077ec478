"""`permutation` against a plain loop over `fit`, and against tests of large samples."""

import pickle
import signal
import warnings
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from mlxtend.data import autompg_data
from problems import TWO_THREADS
from sklearn.datasets import load_breast_cancer

import fastlogit
from fastlogit import GroupStatus, PermutationResult, permutation, reference
from fastlogit.clock import Clock
from fastlogit.resampling import permutation as module
from fastlogit.resampling import refits

# Hundreds of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

N = 10


def make_rows(n_samples: int = 80) -> tuple[Any, Any]:
    rng = np.random.default_rng(8)
    X = rng.standard_normal((n_samples, 3))
    X[:, 1] += 0.7 * X[:, 0]
    X = X * [1.0, 5.0, 0.1] + [0.0, 20.0, 1.0]
    return X, (X[:, 0] + rng.logistic(size=n_samples) > 0.0).astype(int)


X, Y = make_rows()
BLOCKS = np.random.default_rng(1).integers(0, 4, len(Y))


def order_of(seed: int, draw: int, blocks: Any) -> Any:
    """The permutation of a draw, written from its description; rows sorted by block."""
    stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(draw,)))
    uniform, places = stream.random(len(blocks)), np.arange(len(blocks))
    for block in np.unique(blocks):
        begin, end = np.searchsorted(blocks, block), np.searchsorted(blocks, block, "right")
        for row in range(end - 1, begin, -1):
            other = begin + int(uniform[row] * (row - begin + 1))
            places[row], places[other] = places[other], places[row]
    return places


def likelihood(rows: Any, y: Any, **options: Any) -> float:
    """Largest log-likelihood, the penalty included."""
    if rows.shape[1] == 0:
        return float(len(y) * (y.mean() * np.log(y.mean()) + (1 - y.mean()) * np.log1p(-y.mean())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = fastlogit.fit(rows, y, **options)
    strength = result.l2_reg
    return float(-len(y) * reference.cost(rows, y, result.coef, result.intercept, strength))


@pytest.mark.parametrize("options", [{}, {"C": 1.0}, {"l2_reg": 0.1}], ids=str)
@pytest.mark.parametrize("groups", [None, BLOCKS], ids=["together", "blocks"])
def test_each_permutation_of_labels_is_what_fit_finds(groups: Any, options: Any) -> None:
    result = permutation(X, Y, n=N, groups=groups, random_state=3, **options)
    blocks = np.zeros(len(Y), int) if groups is None else np.sort(groups)
    order = np.arange(len(Y)) if groups is None else np.argsort(groups, kind="stable")
    rows, y, nothing = X[order], Y[order], X[:, :0]
    without = likelihood(nothing, y)
    wanted = [
        2.0 * (likelihood(rows, y[order_of(3, draw, blocks)], **options) - without)
        for draw in range(N)
    ]
    np.testing.assert_allclose(result.replicates[0], wanted, rtol=1e-6, atol=1e-7)
    observed = 2.0 * (likelihood(X, Y, **options) - without)
    assert result.statistic[0] == pytest.approx(observed, rel=1e-8)
    large = np.sum(np.array(wanted) >= observed)
    assert result.p_value[0] == (1 + large) / (1 + N)
    assert result.tested == ["all columns"]
    assert set(result.status.ravel()) == {GroupStatus.CONVERGED}


@pytest.mark.parametrize("options", [{}, {"C": 1.0, "penalty_factor": [1.0, 2.0, 0.5]}], ids=str)
@pytest.mark.parametrize("groups", [None, BLOCKS], ids=["together", "blocks"])
def test_each_permutation_of_a_residual_is_what_fit_finds(groups: Any, options: Any) -> None:
    result = permutation(X, Y, [1, -1], n=N, groups=groups, random_state=3, **options)
    blocks = np.zeros(len(Y), int) if groups is None else np.sort(groups)
    order = np.arange(len(Y)) if groups is None else np.argsort(groups, kind="stable")
    rows, y = X[order], Y[order]
    assert result.tested == ["1", "2"]
    for place, column in enumerate((1, 2)):
        others = np.delete(rows, column, axis=1)
        design = np.column_stack([others, np.ones(len(y))])
        residual = rows[:, column] - design @ np.linalg.lstsq(design, rows[:, column])[0]
        own, fewer = dict(options), dict(options)
        if options:
            factor = np.array(options["penalty_factor"])
            fewer["penalty_factor"] = np.delete(factor, column)
            own["penalty_factor"] = np.append(fewer["penalty_factor"], factor[column])
        without = likelihood(others, y, **fewer)

        def statistic(moved: Any, others=others, own=own, without=without) -> float:
            return 2.0 * (likelihood(np.column_stack([others, moved]), y, **own) - without)

        wanted = [statistic(residual[order_of(3, draw, blocks)]) for draw in range(N)]
        np.testing.assert_allclose(result.replicates[place], wanted, rtol=1e-6, atol=1e-7)
        if not options:  # the residual spans what the column does
            observed = 2.0 * (likelihood(X, Y) - likelihood(np.delete(X, column, axis=1), Y))
            assert result.statistic[place] == pytest.approx(observed, rel=1e-7)
        large = np.sum(np.array(wanted) >= statistic(residual))
        assert result.p_value[place] == (1 + large) / (1 + N)


def cars() -> tuple[Any, Any]:
    """Weight, horsepower and acceleration of cars; whether they go 25 miles with a gallon."""
    rows, mpg = autompg_data()
    return rows[:, [3, 2, 4]], (mpg >= 25.0).astype(int)


def cancers() -> tuple[Any, Any]:
    data = load_breast_cancer()
    return data.data[:, [1, 4, 9]], data.target


@pytest.mark.parametrize("read", [cars, cancers])
def test_real_data_has_p_values_near_those_of_large_samples(read: Any) -> None:
    rows, y = read()
    result = permutation(rows, y, "each", n=400, random_state=0)
    theory = scipy.stats.chi2.sf(result.statistic, 1)
    assert (np.abs(result.p_value - theory) < 0.08).all()
    whole = permutation(rows, y, n=99, random_state=0)
    assert whole.p_value[0] == 0.01
    noise = np.random.default_rng(0).standard_normal((len(y), 4))
    none = permutation(noise, y, n=400, random_state=0)
    assert none.p_value[0] == pytest.approx(scipy.stats.chi2.sf(none.statistic[0], 4), abs=0.08)


def test_a_level_is_kept() -> None:
    """Under the hypothesis p-values are about uniform, for few rows too."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(200):
        rows, y = rng.standard_normal((25, 2)), np.arange(25) % 2
        result = permutation(rows, y, 0, n=19, C=10.0, random_state=rng)
        found.append(float(result.p_value[0]))
    share = np.mean(np.array(found) <= 0.1)
    assert 0.04 < share < 0.17


# ------------------------------------------------------------------------------------------------
# The same bits


def test_each_permutation_has_a_stream_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for columns in (None, [0, 2]):
        whole = permutation(X, Y, columns, n=20, random_state=7, n_threads=TWO_THREADS)
        for nanoseconds in (1.0, 1e5):
            monkeypatch.setattr(module, "CHUNK_NS", nanoseconds)
            some = permutation(X, Y, columns, n=9, random_state=7, n_threads=1)
            np.testing.assert_array_equal(some.replicates, whole.replicates[:, :9])
        if columns:
            one = permutation(X, Y, 2, n=20, random_state=7)
            np.testing.assert_array_equal(one.replicates[0], whole.replicates[1])


def test_rows_and_columns_of_any_kind() -> None:
    rows = np.asfortranarray(np.round(10.0 * X)).astype(np.float32)
    rows.flags.writeable = False
    frame = pd.DataFrame(rows, columns=["age", "dose", "size"])
    wanted = permutation(rows.astype(np.float64), Y, [1], n=4, random_state=0)
    for given, column in ((rows, 1), (rows, np.int64(-2)), (frame, "dose"), (frame, ["dose"])):
        found = permutation(given, Y, column, n=4, random_state=0)
        np.testing.assert_array_equal(found.replicates, wanted.replicates)
    assert permutation(frame, Y, "each", n=2).tested == ["age", "dose", "size"]
    single = permutation(X[:, :1], Y, 0, n=5, random_state=0)
    # One column given none is that column.
    both = permutation(X[:, :1], Y, n=5, random_state=0)
    assert single.statistic[0] == pytest.approx(both.statistic[0])


# ------------------------------------------------------------------------------------------------
# How fits end


def assert_every_nan_has_its_reason(result: PermutationResult) -> None:
    fitted = np.isin(
        result.status,
        [GroupStatus.CONVERGED, GroupStatus.CONSTANT_COLUMN, GroupStatus.COLLINEAR],
    )
    np.testing.assert_array_equal(np.isnan(result.replicates), ~fitted)


def test_columns_that_add_nothing() -> None:
    rows = np.column_stack([X, 2.0 * X[:, 0], np.full(len(Y), 3.0)])
    result = permutation(rows, Y, [0, 3, 4, 2], n=3, C=1.0, random_state=0)
    assert (result.status[:2] == GroupStatus.COLLINEAR).all()
    assert (result.status[2] == GroupStatus.CONSTANT_COLUMN).all()
    assert result.p_value[:3].tolist() == [1.0] * 3
    assert result.statistic[:3].tolist() == [0.0] * 3
    assert (result.status[3] == GroupStatus.CONVERGED).all()
    plain = permutation(X, Y, [2], n=3, C=1.0, random_state=0)
    assert plain.p_value[0] <= 1.0


@pytest.mark.parametrize("sizes", [[1e200, 1.0, 1e-200], [1e-150, 1e-150, 1e150]], ids=str)
def test_columns_of_any_size(sizes: list[float]) -> None:
    for columns in (None, "each"):
        found = permutation(X * sizes, Y, columns, n=5, random_state=0)
        wanted = permutation(X, Y, columns, n=5, random_state=0)
        np.testing.assert_allclose(found.statistic, wanted.statistic, rtol=1e-6)
        np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-6)


def test_columns_far_from_zero() -> None:
    found = permutation(X + 1e6, Y, "each", n=5, random_state=0)
    wanted = permutation(X, Y, "each", n=5, random_state=0)
    np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-4, atol=1e-6)


def test_permutations_that_separate_count_as_large() -> None:
    rows = np.random.default_rng(4).standard_normal((12, 3))
    y = np.array([0, 1] * 6)
    result = permutation(rows, y, n=200, random_state=0)
    assert_every_nan_has_its_reason(result)
    separable = (result.status == GroupStatus.SEPARABLE).sum()
    assert 0 < separable < 200
    large = (result.replicates[0] >= result.statistic[0]).sum() + separable
    assert result.p_value[0] == (1 + large) / 201
    held = permutation(rows, y, n=200, C=1.0, random_state=0)
    assert (held.status == GroupStatus.CONVERGED).all()


def test_equal_statistics_count_as_large() -> None:
    """Of one yes-or-no column and few rows: a permutation that changes no count is no less."""
    x = np.repeat([0.0, 1.0], 10)[:, None]
    y = np.r_[np.repeat([0, 1], [7, 3]), np.repeat([0, 1], [3, 7])]
    result = permutation(x, y, n=2000, random_state=0)
    exact = scipy.stats.fisher_exact([[7, 3], [3, 7]])[1]
    assert result.p_value[0] == pytest.approx(exact, abs=0.03)
    one = permutation(x, y, 0, n=2000, random_state=0)
    assert one.p_value[0] == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("columns", [None, 1])
@pytest.mark.parametrize("in_general", [False, True])
def test_the_general_ways_give_the_same(
    columns: Any, in_general: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = permutation(X, Y, columns, n=5, random_state=1)
    monkeypatch.setattr(refits.kernels, "prepare", SimpleNamespace(serial=lambda *_: (5, 0)))
    if in_general:
        monkeypatch.setattr(module.Refits, "_by_small_kernel", lambda *_: (None, False))
    found = permutation(X, Y, columns, n=5, random_state=1)
    np.testing.assert_allclose(found.replicates, wanted.replicates, rtol=1e-7, atol=1e-8)


def test_the_data_need_an_optimum() -> None:
    for columns in (None, 0, 2):
        with pytest.raises(ValueError, match="permutation needs an optimum of all rows"):
            permutation(X, X[:, 0] > 0.0, columns)
    assert permutation(X, X[:, 0] > 0.0, n=99, C=1.0, random_state=0).p_value[0] == 0.01


@pytest.mark.parametrize("columns", [None, "each"])
def test_columns_alike_but_for_rounding_are_refused_before_work(columns: Any) -> None:
    rows = np.column_stack([X, X[:, 0] * 2.54 + 0.3 * X[:, 1]])
    with pytest.raises(ValueError, match=r"nothing is proven of the data's own fit.*column"):
        permutation(rows, Y, columns, n=9, random_state=0)
    found = permutation(rows, Y, n=9, C=10.0, random_state=0)  # any penalty settles it
    assert found.p_value[0] == 0.1


# ------------------------------------------------------------------------------------------------
# The result, bad input, limits


def test_a_result_is_kept_and_shown() -> None:
    result = permutation(X, Y, "each", n=19, random_state=0)
    assert repr(result).startswith("PermutationResult(3 columns, 80 rows, 19 permutations, p = ")
    assert "57 converged" in repr(result)
    assert "<td>19</td>" in result._repr_html_()
    again = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(again.p_value, result.p_value)
    table = result.to_frame()
    assert table["tested"].tolist() == ["0", "1", "2"]
    assert table["n_permutations"].tolist() == [19] * 3
    assert result.to_frame("polars").shape == (3, 4)
    assert len(result) == 3
    assert repr(permutation(X, Y, n=2)).startswith("PermutationResult(all columns, 80 rows, 2 ")


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.where(X == X[7, 1], np.nan, X)}, ValueError, "NaN in column 1 .row 7"),
        ({"y": np.arange(len(Y)) % 3}, ValueError, "permutation takes two classes, and y has 3"),
        ({"y": np.zeros(len(Y))}, ValueError, "class"),
        ({"columns": 3}, ValueError, "columns has 3, but X has 3 columns"),
        ({"columns": "dose"}, ValueError, "columns names 'dose', but X has no names"),
        ({"columns": 1.0}, TypeError, "columns must be None, 'each', or places"),
        ({"columns": True}, TypeError, "columns must be"),
        ({"columns": []}, ValueError, "columns is empty"),
        ({"columns": [0, -3]}, ValueError, "names a column twice"),
        ({"n": 0}, ValueError, "n must be at least 1"),
        ({"groups": np.arange(len(Y))}, ValueError, "each row has a group of its own"),
        ({"groups": BLOCKS[:5]}, ValueError, "groups has 5 values, but X has 80 rows"),
        ({"random_state": "a"}, TypeError, "random_state must be None"),
        ({"C": -1.0}, ValueError, "C must be > 0"),
        ({"C": 1.0, "l2_reg": 1.0}, ValueError, "C or l2_reg, not both"),
        ({"tol": "fine"}, TypeError, "tol"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"time_limit": -1.0}, ValueError, "time_limit"),
        ({"callback": 3}, TypeError, "callback"),
    ],
    ids=str,
)
def test_bad_input_is_refused_in_words(change: dict[str, Any], error: Any, words: str) -> None:
    given: dict[str, Any] = {"X": X, "y": Y, "n": 3} | change
    with pytest.raises(error, match=words):
        permutation(given.pop("X"), given.pop("y"), **given)
    frame = pd.DataFrame(X, columns=["age", "dose", "size"])
    with pytest.raises(ValueError, match="X has no column 'weight'; it has age, dose, size"):
        permutation(frame, Y, "weight")


@pytest.fixture
def short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short pieces of work, of which each is told."""
    monkeypatch.setattr("fastlogit.fitting.chunks.STEP_SECONDS", 0.0)
    monkeypatch.setattr(module, "CHUNK_NS", 1.0)


def test_a_callback_sees_how_far_it_is_and_ends_it(short_pieces: None) -> None:
    seen: list[Any] = []

    def tell(progress: Any) -> bool:
        seen.append((progress.n_done, progress.n_fits))
        return progress.n_done >= N + 4

    result = permutation(X, Y, [0, 1, 2], n=N, random_state=0, callback=tell, n_threads=1)
    assert {n_fits for _, n_fits in seen} == {3 * N}
    assert sorted(n_done for n_done, _ in seen) == [n_done for n_done, _ in seen]
    assert result.ended_by == "callback"
    assert (result.status != GroupStatus.NOT_FITTED).sum(axis=1).tolist() == [N, 4, 0]
    assert_every_nan_has_its_reason(result)
    assert np.isnan(result.p_value).tolist() == [False, False, True]
    whole = permutation(X, Y, [0, 1, 2], n=4, random_state=0)
    assert result.p_value[1] == whole.p_value[1]
    assert "16 not fitted" in repr(result)


@pytest.mark.parametrize("ready", [True, False])
def test_a_time_limit_keeps_what_is_finished(
    ready: bool, short_pieces: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimate = fastlogit.fit(X, Y)
    monkeypatch.setattr(module, "fit_whole", lambda *_, **__: estimate)
    if not ready:
        monkeypatch.setattr(module, "MOST_NUMBERS", 0)
    late = iter([False] * 4 + [True] * 1000)
    monkeypatch.setattr(Clock, "is_late", lambda self, ahead=0.0: next(late))
    result = permutation(X, Y, n=N, random_state=0, n_threads=1)
    assert result.ended_by == "time_limit"
    assert 0 < (result.status == GroupStatus.CONVERGED).sum() < N
    assert_every_nan_has_its_reason(result)


def test_ctrl_c_keeps_what_is_finished(short_pieces: None) -> None:
    def press(progress: Any) -> None:
        if progress.n_done >= N + 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        permutation(X, Y, [0, 1], n=N, random_state=0, callback=press, n_threads=TWO_THREADS)
    result = caught.value.result  # type: ignore[attr-defined]
    assert isinstance(result, PermutationResult)
    assert (result.status == GroupStatus.CONVERGED).sum() >= N + 3
    assert_every_nan_has_its_reason(result)
    assert np.isfinite(result.p_value).all()


def test_a_column_as_an_array_of_no_dimension_and_what_is_no_column() -> None:
    X, y = make_rows()
    found = permutation(X, y, np.array(1), n=3, random_state=0)
    assert found.tested == ["1"]
    with pytest.raises(TypeError, match=r"columns must be None, .* got b'a'"):
        permutation(X, y, b"a", n=3)
