"""Slices of rows from the batches of a factory, and what they refuse."""

import signal
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from problems import TWO_THREADS, binomial_targets, problem, sized

from fastlogit.design.base import Columns
from fastlogit.design.batched import BatchRows, epoch
from fastlogit.design.dense import DenseDesign
from fastlogit.design.streamed import StreamedDesign, is_streamable
from fastlogit.kernels.descent import start_state

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

N_SAMPLES = 700
X, Y = problem(N_SAMPLES, 5)[:2]
WEIGHT = np.linspace(0.5, 1.5, N_SAMPLES)


def cut(sizes: list[int], X: Any = X, y: Any = Y, weight: Any = None) -> Iterator[Any]:
    """Batches of the given numbers of rows, over and over."""
    start, turn = 0, 0
    while start < len(X):
        part = slice(start, start + sizes[turn % len(sizes)])
        yield (X[part], y[part]) if weight is None else (X[part], y[part], weight[part])
        start, turn = part.stop, turn + 1


def rows_of(*epochs: Any, weights: Any = None) -> BatchRows:
    """Rows whose later epochs are the given ones, the last of them again and again."""
    left = list(epochs)

    def factory() -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    return BatchRows(factory, X.shape, X.dtype, None, Y, weights, [])


# Alone, none divides the rows, together they do, some are empty, one holds all.
SIZES = [[1], [97], [100], [3, 0, 250, 0, 0], [700], [10_000]]


@pytest.mark.parametrize("sizes", SIZES, ids=str)
@pytest.mark.parametrize("step", [1, 64, 100, 700])
def test_slices_are_those_of_the_whole(sizes, step) -> None:
    rows = BatchRows(lambda: cut(sizes), X.shape, X.dtype, None, Y, None, [])
    for _ in range(2):
        for start in range(0, N_SAMPLES, step):
            np.testing.assert_array_equal(rows[start : start + step], X[start : start + step])


def test_slices_anywhere() -> None:
    rows = BatchRows(lambda: cut([64]), X.shape, X.dtype, None, Y, None, [])
    for start, stop in [(5, 9), (9, 300), (640, 641), (641, 642), (642, 700), (0, 1), (699, 700)]:
        np.testing.assert_array_equal(rows[start:stop], X[start:stop])


def test_batches_are_asked_for_once_each_pass_and_none_too_many() -> None:
    drawn = []

    def factory() -> Iterator[Any]:
        for index, batch in enumerate(cut([50])):
            drawn.append(index)
            yield batch

    rows = BatchRows(factory, X.shape, X.dtype, None, Y, None, [])
    assert len(rows[0:100]) == 100
    assert drawn == [0, 1]
    assert len(rows[350:400]) == 50
    assert drawn == list(range(8))
    assert len(rows[400:700]) == 300
    assert drawn == list(range(14))


def test_a_factory_may_use_its_memory_again() -> None:
    def factory() -> Iterator[Any]:
        memory, labels = np.empty((70, 5)), np.empty(70, dtype=Y.dtype)
        for start in range(0, N_SAMPLES, 70):
            memory[...], labels[...] = X[start : start + 70], Y[start : start + 70]
            yield memory, labels

    rows = BatchRows(factory, X.shape, X.dtype, None, Y, None, [])
    design = StreamedDesign(rows, block_rows=35)
    raw = design.raw_prediction(np.ones((1, 5)), np.zeros(1))[0]
    np.testing.assert_allclose(raw, X.sum(axis=1), rtol=1e-12, atol=1e-13)
    np.testing.assert_array_equal(design.column(3), X[:, 3])
    for start, stop in ((0, 35), (35, 90), (90, 700)):
        part = rows[start:stop].copy()
        np.testing.assert_array_equal(part, X[start:stop])


def test_a_design_over_batches_gives_the_answers_of_memory() -> None:
    rows = BatchRows(lambda: cut([97, 3]), X.shape, X.dtype, None, Y, None, [])
    assert is_streamable(rows)
    columns = Columns(X.mean(axis=0), 1.0 / X.std(axis=0))
    found = StreamedDesign(rows, columns=columns, block_rows=150)
    expected = DenseDesign(X, columns=columns)
    coef, intercept = np.full((1, 5), 0.3), np.array([0.1])
    targets = binomial_targets(Y, weight=WEIGHT)
    for one, other in zip(
        found.value_gradient(targets, coef, intercept),
        expected.value_gradient(targets, coef, intercept),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found.gram(WEIGHT), expected.gram(WEIGHT), rtol=1e-11, atol=1e-9)
    part = found.subsample(61)
    assert type(part) is DenseDesign
    np.testing.assert_array_equal(part._X, X[::61])
    assert found.n_passes <= 3.0
    assert found.largest_row(np.ones(5), np.zeros(5)) == pytest.approx(
        expected.largest_row(np.ones(5), np.zeros(5)), rel=1e-12
    )


def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, y, coef, intercept, _ = problem(sized(60_000, 700), 12)
    found = set()
    for n_threads in (1, TWO_THREADS, None):
        for sizes in ([1000], [7, 999]):
            rows = BatchRows(
                lambda sizes=sizes: cut(sizes, X, y), X.shape, X.dtype, None, y, None, []
            )
            design = StreamedDesign(rows, n_threads=n_threads, block_rows=sized(25_000, 300))
            state = start_state(coef[None, :], np.array([intercept]))
            found.add(
                b"".join(
                    part.tobytes()
                    for part in design.value_gradient(
                        binomial_targets(y), state.coef, state.intercept
                    )
                )
            )
    assert len(found) == 1


def changed(row: int, label: Any) -> Any:
    labels = np.array(Y, dtype=object)
    labels[row] = label
    return labels


# What a later epoch does -> the error.
FAULTS = {
    "fewer rows": (
        lambda: cut([100], X[:650], Y[:650]),
        "batches of this epoch have 650 rows, those of the first one had 700",
    ),
    "more rows, in the last batch": (
        lambda: cut([100], np.vstack([X, X[:50]]), np.append(Y, Y[:50])),
        "first epoch had 700 rows, and this one has more, in batch 7",
    ),
    "a last batch that is too long": (
        lambda: cut([100, 300], np.vstack([X, X[:50]]), np.append(Y, Y[:50])),
        "batch 3 ends at row 750 of this epoch, but the first one had 700",
    ),
    "other columns": (
        lambda: cut([100], X[:, :4]),
        r"batch 0 has shape \(100, 4\), but in the first epoch batches had 5 columns",
    ),
    "a new label": (
        lambda: cut([100], X, changed(250, 7)),
        r"y of batch 2 has a label that was not in the first epoch: 7 \(row 50\)",
    ),
    "shuffled rows": (
        lambda: cut([100], X, Y[::-1]),
        r"y of batch \d differs from the first epoch: [01] \(row \d+\)",
    ),
    "labels of another number": (
        lambda: ((X[i : i + 70], Y[i : i + 69]) for i in range(0, 700, 70)),
        r"y of batch 0 has shape \(69,\), but its X has 70 rows",
    ),
    "weights where there were none": (
        lambda: cut([100], weight=WEIGHT),
        "sample_weight of batch 0 has values not in the first epoch",
    ),
}


@pytest.mark.parametrize("case", FAULTS)
def test_another_epoch_is_refused(case) -> None:
    fault, text = FAULTS[case]
    rows = rows_of(cut([100]), fault(), cut([100]))
    design = StreamedDesign(rows, block_rows=150)
    before = threading.active_count()
    design.column_means(np.empty(0), 1.0)
    with pytest.raises(ValueError, match=text):
        design.column_means(np.empty(0), 1.0)
    assert threading.active_count() == before
    np.testing.assert_allclose(
        design.column_means(np.empty(0), float(N_SAMPLES)), X.mean(axis=0), atol=1e-13
    )


def test_other_weights_are_refused() -> None:
    other = WEIGHT.copy()
    other[420] = 3.0
    rows = rows_of(cut([100], weight=WEIGHT), cut([100], weight=other), cut([100]), weights=WEIGHT)
    assert len(rows[0:700]) == 700
    with pytest.raises(ValueError, match=r"sample_weight of batch 4 differs .* 3.0 \(row 20\)"):
        rows[0:700]
    with pytest.raises(ValueError, match="batch 0 is missing, but had values in the first epoch"):
        rows[0:700]


def test_an_iterator_that_is_used_up_is_named() -> None:
    once = cut([100])
    rows = BatchRows(lambda: once, X.shape, X.dtype, None, Y, None, once)
    with pytest.raises(ValueError, match="same iterator again, which is used up"):
        rows[0:10]
    batches = list(cut([100]))
    again = BatchRows(lambda: batches, X.shape, X.dtype, None, Y, None, batches)
    for _ in range(2):
        np.testing.assert_array_equal(again[0:700], X)


@pytest.mark.parametrize(
    ("batch", "text"),
    [
        (X, "batch 0 must be a tuple .*, got ndarray"),
        ([X, Y], "got list"),
        ((X,), "got tuple of 1"),
        ((X, Y, WEIGHT, None), "got tuple of 4"),
    ],
)
def test_what_a_batch_is_not(batch, text) -> None:
    with pytest.raises(TypeError, match=text):
        list(epoch([batch]))


def test_errors_of_the_factory_s_own_come_through_and_name_the_rows() -> None:
    def broken() -> Iterator[Any]:
        yield X[:300], Y[:300]
        raise OSError(5, "the server has had enough")

    rows = rows_of(broken(), cut([100]))
    design = StreamedDesign(rows, block_rows=200)
    with pytest.raises(OSError, match="had enough") as caught:
        design.column_means(np.empty(0), 1.0)
    assert caught.value.__notes__ == ["while rows 200 to 399 of X were read"]
    np.testing.assert_array_equal(design.column(0), X[:, 0])


def test_ctrl_c_leaves_no_thread_and_usable_rows() -> None:
    pressed: list[bool] = []

    def factory() -> Iterator[Any]:
        for index, batch in enumerate(cut([50])):
            if index == 5 and not pressed:
                pressed.append(True)
                signal.raise_signal(signal.SIGINT)
            yield batch

    rows = BatchRows(factory, X.shape, X.dtype, None, Y, None, [])
    design = StreamedDesign(rows, block_rows=100)
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        design.column_means(np.empty(0), 1.0)
    assert threading.active_count() == before
    np.testing.assert_allclose(
        design.column_means(np.empty(0), float(N_SAMPLES)), X.mean(axis=0), atol=1e-13
    )
