"""Batches seen once: how near they come to the optimum of all rows, and what state they leave."""

import copy
import pickle
import signal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from problems import TWO_THREADS, problem, real, sized, three_classes

import fastlogit
from fastlogit.design import compressed
from fastlogit.design.base import Columns
from fastlogit.design.compressed import CompressedRows
from fastlogit.design.sparse import SparseDesign
from fastlogit.fitting import online, online_hessian
from fastlogit.fitting.online import OnlineLogistic
from fastlogit.inputs.sparse import compressed_rows

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit


def stream(X: Any, y: Any, size: int, weight: Any = None, **options: Any) -> OnlineLogistic:
    """Learn from batches of `size` rows."""
    model = OnlineLogistic(X.shape[1], np.unique(y), **options)
    for start in range(0, len(X), size):
        part = slice(start, start + size)
        model.update(X[part], y[part], None if weight is None else weight[part])
    return model


def log_loss(model: Any, X: Any, y: Any, weight: Any = None, multi_class: str = "ovr") -> Any:
    """Weighted mean loss of coefficients; of each class's own model for one-vs-all."""
    labels = np.unique(y)
    raw = X @ model.coef + model.intercept
    if labels.size == 2:
        losses = np.logaddexp(0.0, raw) - (y == labels[1]) * raw
    elif multi_class == "ovr":
        losses = np.logaddexp(0.0, raw) - (y[:, None] == labels) * raw
    else:
        highest = raw.max(axis=1)
        own = raw[np.arange(len(y)), np.searchsorted(labels, y)]
        losses = np.log(np.exp(raw - highest[:, None]).sum(axis=1)) + highest - own
    return np.average(losses, axis=0, weights=weight)


def excess(model: Any, X: Any, y: Any, C: float = 1.0, multi_class: str = "multinomial") -> float:
    """How far the log-loss of the rows lies above that of the optimum, relative to it."""
    best = fastlogit.fit(X, y, C=C, multi_class=multi_class, tol=1e-10)
    lowest = log_loss(best, X, y, None, multi_class)
    return float(np.max(log_loss(model, X, y, None, multi_class) / lowest - 1.0))


def overlapping(n_samples: int, n_features: int) -> tuple[Any, Any]:
    """Rows of three classes that are drawn with the probabilities of a softmax model."""
    rng = np.random.default_rng([n_samples, n_features])
    X = rng.standard_normal((n_samples, n_features))
    raw = X @ rng.standard_normal((n_features, 3)) * 2.0 / np.sqrt(n_features)
    return X, np.argmax(raw + rng.gumbel(size=raw.shape), axis=1)


def shuffled(name: str) -> tuple[Any, Any]:
    X, y = real(name)
    order = np.random.default_rng(1).permutation(len(y))
    return X[order], y[order]


def bits(model: OnlineLogistic) -> bytes:
    return np.asarray(model.coef).tobytes() + np.asarray(model.intercept).tobytes()


# ------------------------------------------------------------------------------------------------
# How near it comes


@pytest.mark.jit
@pytest.mark.parametrize("size", [7, 200, 569])
def test_rows_that_fit_into_the_window_give_the_optimum(size) -> None:
    X, y = shuffled("cancer")
    model = stream(X, y, size)
    assert model._past is None
    best = fastlogit.fit(X, y, C=1.0)
    assert abs(excess(model, X, y)) < 1e-3
    scale = X.std(axis=0)
    np.testing.assert_allclose(model.coef * scale, best.coef * scale, rtol=0.02, atol=0.01)


@pytest.mark.jit
@pytest.mark.parametrize("window_rows", [0, 100, 200])
def test_a_real_stream_that_is_mostly_past(window_rows) -> None:
    X, y = shuffled("cancer")
    assert excess(stream(X, y, 100, window_rows=window_rows), X, y) < 0.05


@pytest.mark.jit
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_digits(multi_class) -> None:
    X, y = shuffled("digits")
    model = stream(X, y, 200, C=1e-3, multi_class=multi_class)
    assert abs(excess(model, X, y, 1e-3, multi_class)) < 0.01


@pytest.mark.jit
@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize("size", [100, 1000])
def test_several_classes_that_are_mostly_past(multi_class, size) -> None:
    X, y = overlapping(sized(20_000, 600), 5)
    window_rows = sized(1000, 200)
    model = stream(X, y, size, multi_class=multi_class, window_rows=window_rows)
    assert model._past is not None
    assert abs(excess(model, X, y, multi_class=multi_class)) < sized(1, 10) * 1e-3


@pytest.mark.jit
@pytest.mark.parametrize("size", [1000, 10_000])
def test_one_epoch_of_a_stream(size) -> None:
    X, y = problem(100_000, 20)[:2]
    assert abs(excess(stream(X, y, size), X, y)) < 1e-3


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("size", [1000, 10_000])
def test_one_epoch_of_a_million_rows_ends_within_a_percent_of_the_optimum(size) -> None:
    X, y = problem(1_000_000, 20)[:2]
    assert abs(excess(stream(X, y, size), X, y)) < 1e-3
    assert excess(stream(X, y, size, window_rows=0), X, y) < 0.01


@pytest.mark.parametrize("window_rows", [50, 100_000])
def test_badly_scaled_columns(window_rows) -> None:
    X, y = problem(sized(5000, 500), 6)[:2]
    scale = np.logspace(-6, 6, 6)
    model = stream(X * scale + 1e4 * scale, y, 100, C=np.inf, window_rows=window_rows)
    plain = stream(X, y, 100, C=np.inf, window_rows=window_rows)
    np.testing.assert_allclose(model.coef * scale, plain.coef, rtol=1e-4, atol=1e-6)
    assert excess(model, X * scale + 1e4 * scale, y, np.inf) < sized(1, 5) * 0.01


def test_the_penalty_is_that_of_all_rows_seen() -> None:
    X, y = problem(600, 4)[:2]
    C = 1e-3
    model = stream(X, y, 150, C=C, window_rows=0)
    best = fastlogit.fit(X, y, C=C)
    assert np.linalg.norm(best.coef) < 0.5 * np.linalg.norm(fastlogit.fit(X, y).coef)
    np.testing.assert_allclose(model.coef, best.coef, rtol=0.01, atol=0.002)


def test_weights_are_repetitions() -> None:
    X, y = problem(300, 4)[:2]
    weight = np.random.default_rng(3).integers(0, 4, len(X))
    weighted = stream(X, y, 50, weight)
    repeated = stream(np.repeat(X, weight, axis=0), np.repeat(y, weight), 1000)
    np.testing.assert_allclose(weighted.coef, repeated.coef, rtol=0.02, atol=2e-3)
    np.testing.assert_allclose(
        weighted.coef, fastlogit.fit(X, y, C=1.0, sample_weight=weight).coef, rtol=0.02, atol=2e-3
    )


def test_without_an_intercept() -> None:
    X, y = problem(400, 4)[:2]
    for window_rows in (50, 1000):
        model = stream(X + 1.0, y, 50, fit_intercept=False, window_rows=window_rows)
        best = fastlogit.fit(X + 1.0, y, C=1.0, intercept=None)
        assert model.intercept == 0.0
        np.testing.assert_allclose(model.coef, best.coef, rtol=0.1, atol=0.02)


# ------------------------------------------------------------------------------------------------
# Poor beginnings


def test_a_first_batch_of_one_row() -> None:
    X, y = problem(300, 3)[:2]
    model = OnlineLogistic(3, [0, 1])
    for row in range(40):
        model.update(X[row : row + 1], y[row : row + 1])
        assert np.isfinite(model.coef).all()
        assert np.isfinite(model.intercept)
    model.update(X[40:], y[40:])
    np.testing.assert_allclose(model.coef, fastlogit.fit(X, y, C=1.0).coef, rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_one_class_alone_is_predicted_with_the_caution_of_few_rows(C) -> None:
    X = problem(200, 3).X
    seen = []
    model = OnlineLogistic(3, [0, 1], C=C)
    for start in range(0, 200, 50):
        model.update(X[start : start + 50], np.zeros(50))
        seen.append(np.mean(fastlogit.sigmoid(X @ model.coef + model.intercept)))
    assert (np.diff(seen) < 0.0).all()
    assert 0.2 / 200 < seen[-1] < 2.0 / 200


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_classes_that_come_late(multi_class) -> None:
    X, y = overlapping(sized(6000, 600), 4)
    first = y[: len(y) // 2] < 2  # no row of the third class, for half of the stream
    X = np.vstack([X[: len(y) // 2][first], X[len(y) // 2 :]])
    y = np.append(y[: len(y) // 2][first], y[len(y) // 2 :])
    model = stream(X, y, 100, multi_class=multi_class, window_rows=400)
    assert excess(model, X, y, multi_class=multi_class) < 0.1


def test_a_window_of_one_class_is_thinned_and_keeps_its_weight() -> None:
    X, weight = problem(1000, 3).X, problem(1000, 3).weight
    model = OnlineLogistic(3, ["a", "b"], window_rows=100)
    for start in range(0, 900, 90):
        part = slice(start, start + 90)
        model.update(X[part], np.full(90, "a"), weight[part])
        assert len(model._window.X) <= 180
    assert model._past is None
    assert model._window.weights.sum() == pytest.approx(weight[:900].sum(), rel=1e-12)
    assert model.n_rows == 900
    middle = np.average(model._window.X, axis=0, weights=model._window.weights)
    np.testing.assert_allclose(middle, np.average(X[:900], axis=0, weights=weight[:900]), atol=0.6)
    model.update(X[900:], np.full(100, "b"))
    assert model._past is not None
    share = weight[:900].sum() / (weight[:900].sum() + 100.0)
    found = np.average(
        fastlogit.sigmoid(-(X @ model.coef + model.intercept)),
        weights=np.append(weight[:900], np.ones(100)),
    )
    assert found == pytest.approx(share, abs=0.1)


def test_thinning_does_not_lose_a_rare_class() -> None:
    rows = online._Rows(np.arange(101.0)[:, None], np.array([0] * 100 + [1]), np.ones(101))
    thin = rows.thinned(20)
    assert len(thin.X) <= 20
    assert (np.bincount(thin.codes, thin.weights) == [100.0, 1.0]).all()


def test_columns_that_vary_later_are_learnt() -> None:
    X, y = problem(sized(4000, 600), 3)[:2]
    late = X.copy()
    late[: len(X) // 2, 1] = 7.0
    model = stream(late, y, 100, window_rows=100)
    assert excess(model, late, y) < 0.01


def test_separable_classes_without_a_penalty_stay_finite() -> None:
    X, y = problem(200, 3)[:2]
    X[:, 0] = np.where(y == 1, 1.0, -1.0)
    for window_rows in (0, 50, 1000):
        model = stream(X, y, 20, C=np.inf, window_rows=window_rows)
        assert np.isfinite(model.coef).all()
        assert (((X @ model.coef + model.intercept) > 0) == y).mean() > 0.98


# ------------------------------------------------------------------------------------------------
# Wide data


def test_pickles_of_before_find_their_hessians() -> None:
    for name in ("Blocks", "Coupled", "LowRank"):
        old = f"cfastlogit.online\n_{name}\n.".encode()  # the class alone
        assert pickle.loads(old) is getattr(online_hessian, name)


def test_diagonal_and_vectors_serve_as_well_as_the_hessian(monkeypatch) -> None:
    X, y = overlapping(sized(6000, 300), sized(30, 8))
    X[:, 5:20] += 2.0 * X[:, :1]  # correlated columns, which a diagonal alone would not do for
    options = {"multi_class": "ovr", "C": 0.1, "window_rows": sized(500, 200)}
    whole = stream(X, y, 100, **options)
    assert type(whole._past.hessian) is online_hessian.Blocks
    monkeypatch.setattr(online_hessian, "MAX_SIZE", 5)
    monkeypatch.setattr(online_hessian, "RANK", 8)
    for multi_class in ("ovr", "multinomial"):
        model = stream(X, y, 100, **options | {"multi_class": multi_class})
        assert type(model._past.hessian) is online_hessian.LowRank
        assert excess(model, X, y, 0.1, multi_class) < sized(1, 10) * 0.01


def test_softmax_without_what_couples_the_classes(monkeypatch) -> None:
    X, y = overlapping(sized(6000, 500), 6)
    options = {"C": 0.1, "window_rows": sized(500, 200)}
    whole = stream(X, y, 100, **options)
    assert type(whole._past.hessian) is online_hessian.Coupled
    monkeypatch.setattr(online_hessian, "MAX_COUPLED", 10)
    monkeypatch.setattr(online_hessian, "OWN_FACTORS", 3)
    model = stream(X, y, 100, **options)
    assert type(model._past.hessian) is online_hessian.Blocks
    for found in (whole, model):
        assert excess(found, X, y, 0.1) < sized(1, 10) * 0.01


@pytest.mark.parametrize(
    ("multi_class", "form", "changed"),
    [
        ("multinomial", online_hessian.Coupled, {}),
        ("multinomial", online_hessian.Blocks, {"MAX_COUPLED": 1}),
        ("ovr", online_hessian.Blocks, {}),
        ("ovr", online_hessian.LowRank, {"MAX_SIZE": 3, "RANK": 3}),
    ],
)
def test_another_c_changes_the_past_by_the_penalty_and_nothing_else(
    multi_class, form, changed, monkeypatch, rng
) -> None:
    for name, value in changed.items():
        monkeypatch.setattr(online_hessian, name, value)
    X, codes = three_classes(120, 4)
    X = X * [1.0, 10.0, 0.1, 1.0] + 5.0
    model = stream(X, codes, 30, C=2.0, multi_class=multi_class, window_rows=50)
    past, settings = model._past, {"fit_intercept": True, "multi_class": multi_class}
    other = model.with_settings(C=0.25, n_threads=None, **settings)
    assert type(past.hessian) is form
    assert (model.C, other.C) == (2.0, 0.25)
    assert model._past is past  # the one asked is as it was

    def value(of: Any, theta: Any) -> float:
        away = theta - of.anchor
        return float(np.sum((of.slope + 0.5 * of.hessian.product(away)) * away))

    def squares(theta: Any) -> float:
        return float(np.square(theta.reshape(3, -1)[:, :-1] * past.columns.inverse_scale).sum())

    for _ in range(5):
        theta = past.anchor + rng.standard_normal(past.anchor.shape)
        more = 0.5 * (1 / 0.25 - 1 / 2.0) * (squares(theta) - squares(past.anchor))
        found = value(other._past, theta) - value(past, theta)
        assert found == pytest.approx(more, rel=1e-9, abs=1e-9)
    back = other.with_settings(C=2.0, n_threads=None, **settings)
    np.testing.assert_allclose(back._past.slope, past.slope, rtol=1e-9, atol=1e-9)


def test_the_diagonal_of_what_is_kept_is_exact(rng) -> None:
    rows = rng.standard_normal((300, 100)) * np.logspace(-2, 1, 100)
    diagonal, vectors = np.ones(100), np.zeros((0, 100))
    for start in range(0, 300, 100):
        diagonal, vectors = online_hessian._compress(diagonal, vectors, rows[start : start + 100])
    assert vectors.shape == (online_hessian.RANK, 100)
    whole = np.eye(100) + rows.T @ rows
    kept = np.diag(diagonal) + vectors.T @ vectors
    np.testing.assert_allclose(np.diag(kept), np.diag(whole), rtol=1e-12)
    assert np.linalg.norm(kept - whole) < 0.1 * np.linalg.norm(np.diag(np.diag(whole)) - whole)


def test_few_columns_lose_nothing_in_their_vectors(rng) -> None:
    rows = rng.standard_normal((300, 40)) * np.logspace(-2, 1, 40)
    diagonal, vectors = np.ones(40), np.zeros((0, 40))
    for start in range(0, 300, 100):
        diagonal, vectors = online_hessian._compress(diagonal, vectors, rows[start : start + 100])
    kept = np.diag(diagonal) + vectors.T @ vectors
    np.testing.assert_allclose(kept, np.eye(40) + rows.T @ rows, atol=1e-9)


# ------------------------------------------------------------------------------------------------
# State


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_copies_and_pickles_go_on_as_the_original_would(multi_class) -> None:
    X, y = three_classes(400, 4)
    model = stream(X[:300], y[:300], 60, multi_class=multi_class, window_rows=100)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.update(X[300:], y[300:])
    for twin in twins:
        assert bits(twin) != bits(model)
        twin.update(X[300:], y[300:])
        assert bits(twin) == bits(model)


def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, y = three_classes(sized(20_000, 300), 6)
    found = {
        bits(stream(X, y, sized(4000, 100), n_threads=n_threads, window_rows=sized(2000, 150)))
        for n_threads in (1, TWO_THREADS, None)
    }
    assert len(found) == 1


def test_the_user_may_use_the_memory_again() -> None:
    X, y = problem(200, 3)[:2]
    expected = stream(X, y, 50)
    model = OnlineLogistic(3, [0, 1])
    memory, labels = np.empty((50, 3)), np.empty(50)
    for start in range(0, 200, 50):
        memory[...], labels[...] = X[start : start + 50], y[start : start + 50]
        model.update(memory, labels)
    assert bits(model) == bits(expected)


def test_what_is_given_out_is_a_copy() -> None:
    X, y = three_classes(100, 3)
    model = stream(X, y, 50)
    before = bits(model)
    model.coef[...] = 0.0
    model.intercept[...] = 0.0
    assert bits(model) == before


def test_shapes_and_labels() -> None:
    X, y = three_classes(90, 3)
    names = np.array(["x", "yy", "z"])
    model = OnlineLogistic(3, ["z", "x", "yy"])
    assert list(model.classes) == ["x", "yy", "z"]
    assert model.coef.shape == (3, 3)
    assert not model.coef.any()
    assert model.update(pd.DataFrame(X), names[y]) is model
    assert bits(model) == bits(OnlineLogistic(3, [0, 1, 2]).update(X, y))
    two = OnlineLogistic(3, [False, True])
    two.update(X.astype(np.float32), y > 0)
    assert two.coef.shape == (3,)
    assert isinstance(two.intercept, float)
    np.testing.assert_allclose(model.coef.sum(axis=1), 0.0, atol=1e-12)


def test_a_batch_without_weight_changes_nothing() -> None:
    X, y = problem(100, 3)[:2]
    model = stream(X, y, 50)
    before = bits(model)
    assert bits(model.update(X, y, np.zeros(100))) == before
    assert model.n_rows == 100


ROWS, LABELS = problem(30, 3)[:2]


def with_value(value: float) -> Any:
    X = ROWS.copy()
    X[17, 2] = value
    return X


FAULTS = {
    "NaN": ((with_value(np.nan), LABELS), r"X contains NaN in column 2 \(row 17\)"),
    "infinity": ((with_value(-np.inf), LABELS), r"X contains infinity in column 2 \(row 17\)"),
    "overflow": ((ROWS * 1e200, LABELS), "so large"),
    "columns": ((ROWS[:, :2], LABELS), "X has 2 columns, but 3 are expected"),
    "no rows": ((ROWS[:0], LABELS[:0]), "X is empty"),
    "labels": ((ROWS, LABELS[1:]), "y has 29 values, but X has 30 rows"),
    "an unknown label": ((ROWS, LABELS * 2), r"y contains 2 \(row \d+\), which is not among"),
    "text for numbers": ((ROWS, LABELS.astype(str)), "y has dtype <U"),
    "weights": ((ROWS, LABELS, -np.ones(30)), "sample_weight is negative"),
    "weights' shape": ((ROWS, LABELS, np.ones(3)), "sample_weight has 3 values"),
}


@pytest.mark.parametrize("case", FAULTS)
@pytest.mark.parametrize("window_rows", [0, 1000])
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # kernels' plain twins
def test_bad_batches_get_one_clear_error_and_change_nothing(case, window_rows) -> None:
    batch, text = FAULTS[case]
    model = stream(ROWS, LABELS, 15, window_rows=window_rows)
    before = pickle.dumps(model)
    with pytest.raises((TypeError, ValueError), match=text):
        model.update(*batch)
    assert pickle.dumps(model) == before


def test_ctrl_c_changes_nothing(monkeypatch) -> None:
    model = stream(ROWS, LABELS, 15, window_rows=20)
    before = pickle.dumps(model)
    monkeypatch.setattr(
        online, "_conjugate_gradients", lambda *_: signal.raise_signal(signal.SIGINT)
    )
    with pytest.raises(KeyboardInterrupt):
        model.update(ROWS, LABELS)
    assert pickle.dumps(model) == before


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"n_features": 0}, "n_features must be at least 1"),
        ({"classes": [1]}, "one class only"),
        ({"classes": [[0, 1]]}, "1 dimension"),
        ({"C": 0.0}, "C must be > 0 or infinite"),
        ({"multi_class": "crammer"}, "multi_class must be one of"),
        ({"window_rows": -1}, "window_rows must be at least 0"),
    ],
)
def test_bad_arguments(arguments, text) -> None:
    with pytest.raises(ValueError, match=text):
        OnlineLogistic(**({"n_features": 3, "classes": [0, 1]} | arguments))


def test_no_classes_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match="classes is empty; give the labels"):
        OnlineLogistic(3, np.array([], dtype=int))


# ------------------------------------------------------------------------------------------------
# Sparse rows


def counts_of_words(n_samples: int, n_features: int, n_classes: int) -> tuple[Any, Any]:
    rng = np.random.default_rng([n_samples, n_features])
    X = scipy.sparse.random_array((n_samples, n_features), density=0.1, rng=rng, format="csr")
    raw = X @ rng.standard_normal((n_features, n_classes))
    return X, np.argmax(raw + 0.3 * rng.gumbel(size=raw.shape), axis=1)


def mixed_stream(X: Any, y: Any, kinds: list[Any], **options: Any) -> OnlineLogistic:
    """Learn from batches of 100 rows of sparse X, each made by the next of `kinds`."""
    model = OnlineLogistic(X.shape[1], np.unique(y), **options)
    for number, start in enumerate(range(0, len(y), 100)):
        part = slice(start, start + 100)
        model.update(kinds[number % len(kinds)](X[part]), y[part])
    return model


def sparse_frame(X: Any) -> Any:
    return pd.DataFrame.sparse.from_spmatrix(scipy.sparse.csc_matrix(X))


def partly_sparse_frame(X: Any) -> Any:
    frame = sparse_frame(X)
    dense = frame.columns[::3]
    return frame.astype(dict.fromkeys(dense, float))


def dense(X: Any) -> Any:
    return X.toarray()


KINDS: dict[str, list[Any]] = {
    "csr": [scipy.sparse.csr_array],
    "other formats": [scipy.sparse.csc_matrix, scipy.sparse.coo_array, scipy.sparse.lil_matrix],
    "frames": [sparse_frame, partly_sparse_frame],
    "dense first": [dense, scipy.sparse.csr_matrix],
    "sparse first": [scipy.sparse.csr_matrix, dense],
}


def assert_same_model(model: OnlineLogistic, wanted: OnlineLogistic) -> None:
    np.testing.assert_allclose(model.coef, wanted.coef, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(model.intercept, wanted.intercept, rtol=1e-10, atol=1e-10)
    assert model.n_rows == wanted.n_rows


@pytest.mark.parametrize("kinds", KINDS)
@pytest.mark.parametrize("window_rows", [None, 0, 150])
def test_sparse_batches_are_learnt_as_dense_ones(kinds, window_rows) -> None:
    X, y = counts_of_words(450, 20, 3)
    wanted = mixed_stream(X, y, [dense], window_rows=window_rows)
    assert_same_model(mixed_stream(X, y, KINDS[kinds], window_rows=window_rows), wanted)


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
@pytest.mark.parametrize(("n_features", "n_classes"), [(20, 2), (20, 3), (600, 2), (600, 3)])
def test_sparse_streams_of_every_kind_of_hessian(n_features, n_classes, multi_class) -> None:
    X, y = counts_of_words(400, n_features, n_classes)
    options = {"multi_class": multi_class, "window_rows": 150, "C": 10.0}
    for fit_intercept in (True, False):
        wanted = mixed_stream(X, y, [dense], fit_intercept=fit_intercept, **options)
        kinds = KINDS["sparse first"]
        found = mixed_stream(X, y, kinds, fit_intercept=fit_intercept, **options)
        assert_same_model(found, wanted)
        assert wanted._past is not None


def test_columns_of_the_sketch_are_taken_in_parts(monkeypatch, rng) -> None:
    rows, vectors = rng.standard_normal((64, 100)), rng.standard_normal((10, 100))
    whole = online_hessian._compress(np.ones(100), vectors, rows)
    monkeypatch.setattr(online_hessian, "SKETCH_COLUMNS", 33)
    for found, wanted in zip(
        online_hessian._compress(np.ones(100), vectors, rows), whole, strict=True
    ):
        np.testing.assert_allclose(np.abs(found), np.abs(wanted), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("intercept", [1.0, 0.0])
def test_vectors_of_sparse_rows_are_those_of_dense_ones(monkeypatch, rng, intercept) -> None:
    X, _ = counts_of_words(330, 100, 2)
    columns = Columns(rng.uniform(0.0, 0.1, 100), rng.uniform(0.5, 2.0, 100))
    curvature = rng.uniform(0.0, 0.25, 330)
    curvature[64:130] = 0.0
    rows = np.full((330, 101), intercept)
    rows[:, :-1] = (X.toarray() - columns.center) * columns.inverse_scale
    rows *= np.sqrt(curvature)[:, None]
    first = rng.standard_normal((10, 101))
    diagonal, vectors = np.ones(101), first
    for start in range(0, 330, online_hessian.SKETCH_ROWS):
        part = slice(start, start + online_hessian.SKETCH_ROWS)
        diagonal, vectors = online_hessian._compress(diagonal, vectors, rows[part])
    wanted = np.diag(diagonal) + vectors.T @ vectors
    monkeypatch.setattr(CompressedRows, "dense", None)
    design = SparseDesign(compressed_rows(X), columns=columns)
    for size in (
        1024,
        2 * online_hessian.SKETCH_ROWS,
    ):  # a multiple: the same rows are added together
        monkeypatch.setattr(online_hessian, "SPARSE_ROWS", size)
        found = online_hessian._plus_sparse(np.ones(101), first, design, curvature, intercept)
        kept = np.diag(found[0]) + found[1].T @ found[1]
        np.testing.assert_allclose(kept, wanted, rtol=1e-9, atol=1e-9)
        whole = 1.0 + np.square(first).sum(axis=0) + np.square(rows).sum(axis=0)
        np.testing.assert_allclose(np.diag(kept), whole, rtol=1e-12)


def test_windows_of_sparse_rows_of_one_class_are_thinned() -> None:
    X, y = counts_of_words(400, 20, 2)
    order = np.argsort(y, kind="stable")
    weight = np.random.default_rng(1).uniform(0.5, 2.0, 400)
    models = []
    for kind in (dense, scipy.sparse.csr_array):
        model = OnlineLogistic(20, [0, 1], window_rows=60)
        for start in range(0, 400, 50):
            part = order[start : start + 50]
            model.update(kind(X[part]), y[part], weight[part])
        models.append(model)
    assert_same_model(models[1], models[0])


def test_dense_batches_beside_sparse_ones_are_looked_at_in_blocks(monkeypatch) -> None:
    X, y = counts_of_words(300, 20, 2)
    wanted = mixed_stream(X, y, [dense])
    monkeypatch.setattr(compressed, "DENSE_NUMBERS", 64)
    for make in (np.asarray, np.asfortranarray, lambda X: X[::-1][::-1]):
        kinds = [lambda X, make=make: make(X.toarray()), scipy.sparse.csr_array]
        assert_same_model(mixed_stream(X, y, kinds), wanted)


def test_number_types_of_sparse_and_dense_batches() -> None:
    X, y = counts_of_words(300, 20, 2)
    X.data = np.ceil(4.0 * X.data)
    wanted = mixed_stream(X, y, [dense])
    for kinds in (
        [lambda X: X.astype(np.float32)],
        [lambda X: X.astype(np.float32), dense],
        [lambda X: X.toarray().astype(np.int16), lambda X: X.astype(np.int64)],
        [lambda X: X.toarray().astype(np.float16), lambda X: X.astype(np.float32)],
    ):
        assert_same_model(mixed_stream(X, y, kinds), wanted)


@pytest.mark.parametrize(("n_features", "window_rows"), [(20, None), (20, 50), (600, 50)])
def test_rows_of_sparse_batches_are_copied_and_never_dense(
    monkeypatch, n_features, window_rows
) -> None:
    X, y = counts_of_words(200, n_features, 2)
    wanted = mixed_stream(X, y, [scipy.sparse.csr_array], window_rows=window_rows)
    monkeypatch.setattr(CompressedRows, "dense", None)
    model = OnlineLogistic(n_features, [0, 1], window_rows=window_rows)
    for part in (slice(0, 100), slice(100, 200)):
        batch = X[part].copy()
        state = [array.copy() for array in (batch.data, batch.indices, batch.indptr)]
        model.update(batch, y[part])
        for array, before in zip((batch.data, batch.indices, batch.indptr), state, strict=True):
            np.testing.assert_array_equal(array, before)
        batch.data[...], batch.indices[...] = 1e9, 0
    assert bits(model) == bits(wanted)


def test_sparse_streams_go_on_from_copies_and_pickles_with_any_number_of_threads() -> None:
    X, y = counts_of_words(400, 20, 3)
    model = mixed_stream(X[:300], y[:300], [scipy.sparse.csr_array], window_rows=150)
    twins = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.update(X[300:], y[300:])
    for twin, n_threads in zip(twins, (1, TWO_THREADS), strict=True):
        twin.n_threads = n_threads
        assert bits(twin.update(X[300:], y[300:])) == bits(model)


@pytest.mark.parametrize("level", [30.0, 1e5, 1e9])
def test_sparse_columns_far_from_zero_end_where_dense_ones_do(level) -> None:
    X, y = counts_of_words(1000, 4, 2)
    X = X.toarray()
    X[:, 1] += level
    # Nothing of 1e9 plus a number of size 1 is left in a product of two of them.
    known = np.delete(X, 1, axis=1) if level == 1e9 else X
    wanted = log_loss(stream(known, y, 100, window_rows=300), known, y)
    found = mixed_stream(scipy.sparse.csr_array(X), y, [scipy.sparse.csr_array], window_rows=300)
    assert np.isfinite(found.coef).all()
    assert log_loss(found, X, y) < wanted * 1.001


def spoilt(X: Any, **parts: Any) -> Any:
    X = scipy.sparse.csr_array(X)
    for name, (place, value) in parts.items():
        getattr(X, name)[place] = value
    return X


SPARSE_FAULTS = {
    "NaN": (with_value(np.nan), r"X contains NaN in column 2 \(row 17\)"),
    "infinity": (with_value(-np.inf), r"X contains infinity in column 2 \(row 17\)"),
    "overflow": (ROWS * 1e200, "so large"),
    "columns": (ROWS[:, :2], "X has 2 columns, but 3 are expected"),
    "an index": (spoilt(ROWS, indices=(5, 99)), "X is a sparse matrix that is broken"),
    "a pointer": (spoilt(ROWS, indptr=(5, 1)), "X is a sparse matrix that is broken"),
    "complex": (ROWS * 1j, "X must hold real numbers"),
}


@pytest.mark.parametrize("case", SPARSE_FAULTS)
@pytest.mark.parametrize("window_rows", [0, 1000])
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # kernels' plain twins
def test_bad_sparse_batches_get_one_clear_error_and_change_nothing(case, window_rows) -> None:
    X, text = SPARSE_FAULTS[case]
    model, twin = (stream(ROWS, LABELS, 15, window_rows=window_rows) for _ in range(2))
    with pytest.raises((TypeError, ValueError), match=text):
        model.update(scipy.sparse.csr_array(X), LABELS)
    good = scipy.sparse.csr_array(ROWS)
    assert bits(model.update(good, LABELS)) == bits(twin.update(good, LABELS))


@pytest.mark.parametrize(
    ("n_features", "n_classes", "most"), [(10**9, 2, "4,129,775"), (300_000, 20, "206,487")]
)
def test_more_columns_than_can_be_held_are_named(n_features, n_classes, most) -> None:
    words = rf"n_features={n_features:,} columns are too many .* at most {most} are possible"
    with pytest.raises(ValueError, match=words):
        OnlineLogistic(n_features, np.arange(n_classes))
    OnlineLogistic(int(most.replace(",", "")), np.arange(n_classes))
