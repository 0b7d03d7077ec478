"""Fits from batches: those of the same rows in memory, and one clear error for bad batches."""

import itertools
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from problems import EACH_SOLVER, TWO_THREADS, bits, fit_by, problem, real, sized, three_classes
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV
from fastlogit.clock import activity
from fastlogit.inputs.batches import first_look
from fastlogit.inputs.opening import open_design

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

ROWS, LABELS = problem(60, 4)[:2]


def source(X: Any, y: Any, *sizes: int, weight: Any = None) -> BatchSource:
    """The rows in batches of the given sizes, over and over."""

    def factory() -> Iterator[Any]:
        start, turn = 0, 0
        while start < len(X):
            part = slice(start, start + sizes[turn % len(sizes)])
            yield (X[part], y[part]) if weight is None else (X[part], y[part], weight[part])
            start, turn = part.stop, turn + 1

    return BatchSource(factory)


def assert_same_fit(found: Any, expected: Any, tol: float = 1e-12) -> None:
    """Both are proven to be at the optimum: they differ by what the proof leaves open."""
    assert found.converged
    assert expected.converged
    assert np.max(found.suboptimality) <= tol
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_allclose(found.history[-1], expected.history[-1], rtol=10.0 * tol)
    size = np.abs(expected.coef).max()
    np.testing.assert_allclose(found.coef, expected.coef, rtol=0, atol=10.0 * np.sqrt(tol) * size)


@pytest.mark.parametrize("solver", EACH_SOLVER)
@pytest.mark.parametrize("name", ["cancer", "wine"])
def test_the_optimum_of_memory_by_every_solver(solver, name) -> None:
    X, y = real(name)
    options = {"C": 1.0, "tol": 1e-9}
    found = fit_by(solver, source(X, y, 97, 0, 3), None, **options)
    assert_same_fit(found, fit_by(solver, X, y, **options), 1e-9)


@pytest.mark.parametrize("sizes", [(1,), (64,), (1000, 1), (100_000,)], ids=str)
def test_whatever_the_batches(sizes) -> None:
    X, y, _, _, weight = problem(sized(20_000, 300), 7)
    found = fastlogit.fit(source(X, y, *sizes, weight=weight), C=0.5)
    expected = fastlogit.fit(X, y, C=0.5, sample_weight=weight)
    assert_same_fit(found, expected)
    assert found.n_passes >= expected.n_passes + 1.0


def test_the_first_epoch_counts_as_a_pass() -> None:
    epochs = []

    def factory() -> Any:
        epochs.append(None)
        return [(ROWS, LABELS)]

    design = open_design(first_look(BatchSource(factory), None, None)[0], None)
    assert len(epochs) == design.n_passes == 1
    design.column_means(np.empty(0), 1.0)
    assert len(epochs) == design.n_passes == 2


def test_any_number_of_threads_gives_the_same_bits() -> None:
    X, codes = three_classes(sized(50_000, 300), 6)
    found = {
        bits(fastlogit.fit(source(X, codes, *sizes), C=1.0, n_threads=n_threads))
        for n_threads in (1, TWO_THREADS, None)
        for sizes in ((1000,), (4567, 11))
    }
    assert len(found) == 1


def test_text_labels_offsets_and_weights_of_the_call() -> None:
    X, y, _, _, weight = problem(300, 4)
    labels = np.where(y == 1, "spam", "ham")
    options = {"C": 2.0, "sample_weight": weight, "offset": 0.1 * weight}
    found = fastlogit.fit(source(X, labels, 70), **options)
    assert list(found.classes) == ["ham", "spam"]
    assert_same_fit(found, fastlogit.fit(X, labels, **options))


def test_batches_of_several_number_types() -> None:
    X, y = problem(300, 4)[:2]
    X = np.round(3.0 * X)
    parts = [X[:100].astype(np.float32), X[100:200].astype(np.int16), X[200:]]

    def factory() -> Iterator[Any]:
        for turn, part in enumerate(parts):
            yield part, list(y[100 * turn : 100 * turn + 100])

    rows = first_look(BatchSource(factory), None, None)[0]
    assert rows.dtype == np.float64
    assert_same_fit(fastlogit.fit(BatchSource(factory), C=1.0), fastlogit.fit(X, y, C=1.0))


@pytest.mark.parametrize("kind", ["pandas", "pyarrow table", "pyarrow batches"])
def test_data_frames_with_their_column_names(kind) -> None:
    X, y = problem(300, 3)[:2]
    frame = pd.DataFrame(X, columns=["age", "height", "weight"])
    table = pa.table(dict(frame))

    def factory() -> Iterator[Any]:
        for start in range(0, 300, 100):
            part = {
                "pandas": frame.iloc[start : start + 100],
                "pyarrow table": table.slice(start, 100),
                "pyarrow batches": table.slice(start, 100).to_batches()[0],
            }[kind]
            yield part, pd.Series(y[start : start + 100])

    rows = first_look(BatchSource(factory), None, None)[0]
    assert rows.columns == ["age", "height", "weight"]
    assert_same_fit(fastlogit.fit(BatchSource(factory), C=1.0), fastlogit.fit(X, y, C=1.0))


def test_gradient_descent_takes_them_too() -> None:
    X, y = problem(300, 3)[:2]
    options = {"l2_reg": 0.1, "tol": 1e-3}
    found = fastlogit.gradient_descent(source(X, y, 77), None, **options)
    expected = fastlogit.gradient_descent(X, y, **options)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-10)


def test_separable_columns_are_named() -> None:
    X, y = problem(300, 3)[:2]
    X[:, 1] = np.where(y == 1, 1.0, -1.0) * (1.0 + np.abs(X[:, 1]))
    with pytest.warns(fastlogit.SeparationWarning, match="column 1 alone"):
        fastlogit.fit(source(X, y, 50))


@pytest.mark.parametrize("interrupted", range(5, 12))
def test_ctrl_c_during_a_fit_keeps_the_best_point(interrupted: int) -> None:
    X, y = problem(300, 5)[:2]
    epochs = []

    def factory() -> Iterator[Any]:
        epochs.append(None)
        if len(epochs) == interrupted:
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.1)  # still reading when the main thread has left the pass
        yield X, y

    with pytest.raises(KeyboardInterrupt) as caught:
        fastlogit.fit(BatchSource(factory), C=1.0, solver="newton", tol=0.0)
    result = caught.value.result
    assert result.n_iter >= (interrupted >= 9)
    assert (np.diff(result.history) < 0.0).all()
    assert "interrupted" in result.message


# ------------------------------------------------------------------------------------------------
# Bad batches


def with_value(row: int, column: int, value: float) -> Any:
    X = ROWS.copy()
    X[row, column] = value
    return X


FAULTS = {
    "NaN": (
        lambda: [(ROWS, LABELS), (with_value(17, 3, np.nan), LABELS)],
        ValueError,
        r"batch 1: X contains NaN in column 3 \(row 17\)",
    ),
    "infinity": (
        lambda: [(with_value(0, 1, np.inf), LABELS)],
        ValueError,
        r"batch 0: X contains infinity in column 1 \(row 0\)",
    ),
    "columns": (
        lambda: [(ROWS, LABELS), (ROWS[:, :2], LABELS)],
        ValueError,
        "batch 1: X has 2 columns, but batches before had 4",
    ),
    "names": (
        lambda: [(pd.DataFrame(ROWS), LABELS), (ROWS, LABELS)],
        ValueError,
        "batch 1: X has the columns None",
    ),
    "labels": (
        lambda: [(ROWS, LABELS[:-1])],
        ValueError,
        r"batch 0: y has shape \(59,\), but X has 60 rows",
    ),
    "label types": (
        lambda: [(ROWS, LABELS), (ROWS, LABELS.astype(str))],
        TypeError,
        "batch 1: y has dtype .*, but batches before had int64",
    ),
    "text": (lambda: [(ROWS.astype(str), LABELS)], TypeError, "batch 0: X has dtype <U"),
    "weights of some": (
        lambda: [(ROWS, LABELS), (ROWS, LABELS, np.ones(60))],
        ValueError,
        "batch 1: either all batches have sample weights or none",
    ),
    "weights' shape": (
        lambda: [(ROWS, LABELS, np.ones(3))],
        ValueError,
        r"batch 0: sample_weight has shape \(3,\)",
    ),
    "negative weights": (
        lambda: [(ROWS, LABELS, -np.ones(60))],
        ValueError,
        "sample_weight is negative",
    ),
    "none": (list, ValueError, "BatchSource has no batches"),
    "none with rows": (lambda: [(ROWS[:0], LABELS[:0])], ValueError, "no batches, or none with"),
    "one class": (lambda: [(ROWS, 0 * LABELS)], ValueError, "y has one class only"),
    "dense after sparse": (
        lambda: [(csr_array(ROWS), LABELS), (ROWS, LABELS)],
        TypeError,
        r"batch 1: X is dense, but batches before were sparse; use one kind for all: X\.toarray",
    ),
    "sparse after dense": (
        lambda: [(ROWS, LABELS), (csr_array(ROWS[:0]), LABELS[:0]), (csr_array(ROWS), LABELS)],
        TypeError,
        "batch 2: X is sparse, but batches before were dense",
    ),
    "sparse NaN": (
        lambda: [(csr_array(ROWS), LABELS), (csr_array(with_value(17, 3, np.nan)), LABELS)],
        ValueError,
        r"batch 1: X contains NaN in column 3 \(row 17\)",
    ),
    "sparse columns": (
        lambda: [(csr_array(ROWS), LABELS), (csr_array(ROWS[:, :2]), LABELS)],
        ValueError,
        "batch 1: X has 2 columns, but batches before had 4",
    ),
    "not batches": (lambda: [ROWS], TypeError, "batch 0 must be a tuple"),
    "nothing to iterate": (lambda: None, TypeError, "not iterable"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_bad_batches_get_one_clear_error(case) -> None:
    factory, kind, text = FAULTS[case]
    with pytest.raises(kind, match=text):
        fastlogit.fit(BatchSource(factory), C=1.0)


def test_an_iterator_that_is_used_up_is_named() -> None:
    once = iter([(ROWS, LABELS)])
    with pytest.raises(ValueError, match="same iterator again, which is used up"):
        fastlogit.fit(BatchSource(lambda: once), C=1.0)


def test_a_factory_that_shuffles_is_refused(rng) -> None:
    def factory() -> Iterator[Any]:
        order = rng.permutation(60)
        yield ROWS[order], LABELS[order]

    with pytest.raises(ValueError, match="same rows in the same order"):
        fastlogit.fit(BatchSource(factory), C=1.0)


def test_what_is_no_factory_or_given_twice() -> None:
    batches = [(ROWS, LABELS)]
    with pytest.raises(TypeError, match=r"got list; for a list of them: BatchSource\(lambda"):
        BatchSource(batches)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="y must be left out"):
        fastlogit.fit(BatchSource(lambda: batches), LABELS)
    with pytest.raises(TypeError, match="y is missing"):
        fastlogit.fit(ROWS)
    weighted = BatchSource(lambda: [(ROWS, LABELS, np.ones(60))])
    with pytest.raises(TypeError, match="sample_weight is given twice"):
        fastlogit.fit(weighted, sample_weight=np.ones(60))


@pytest.mark.jit
@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton", "newton-cg", "gradient_descent"])
@pytest.mark.parametrize("n_samples", [300, 20_000])
def test_every_solver_and_the_shortest_limit(n_samples, solver) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 3))
    y = (X[:, 0] + rng.logistic(size=n_samples) > 0) * 1
    rows = range(0, n_samples, 100)
    source = fastlogit.BatchSource(lambda: iter([(X[i : i + 100], y[i : i + 100]) for i in rows]))
    result = fastlogit.fit(source, C=1.0, solver=solver)
    np.testing.assert_allclose(result.coef, fastlogit.fit(X, y, C=1.0).coef, rtol=1e-5)
    # A fast machine reads three batches in 0.1 ms.
    with pytest.raises(TimeoutError, match=r"time_limit=1e-09 s passed during the first look"):
        fastlogit.fit(source, C=1.0, solver=solver, time_limit=1e-9)
    epochs = itertools.count()

    def slow_later() -> Any:
        if next(epochs):
            time.sleep(0.35)
        return [(X, y)]

    with pytest.warns(ConvergenceWarning, match="time_limit"):
        fastlogit.fit(BatchSource(slow_later), C=1.0, solver=solver, time_limit=0.3)


QUIET = {"l1_ratios": (0,), "scoring": "accuracy", "use_legacy_attributes": False}
LONG_LOOKS: dict[str, Any] = {
    "fit": lambda X, **options: fastlogit.fit(X, C=1.0, **options),
    "gradient_descent": lambda X, **options: fastlogit.gradient_descent(X, None, **options),
    "logistic_path": lambda X, **options: fastlogit.logistic_path(X, None, **options),
    "LogisticRegression": lambda X, **options: LogisticRegression(**options).fit(X),
    "LogisticRegressionCV": lambda X, **options: LogisticRegressionCV(cv=2, **QUIET, **options).fit(
        X
    ),
}


def ticking(seconds: float, drawn: list[int]) -> Iterator[Any]:
    """Batches without an end, one after another."""
    for number in itertools.count():
        time.sleep(seconds)
        drawn.append(number)
        yield ROWS, LABELS


@pytest.mark.parametrize("call", LONG_LOOKS)
def test_a_time_limit_holds_for_the_first_look_at_batches(call) -> None:
    drawn: list[int] = []
    began = time.perf_counter()
    with pytest.raises(TimeoutError) as caught:
        LONG_LOOKS[call](BatchSource(lambda: ticking(0.02, drawn)), time_limit=0.2)
    assert 0.2 <= time.perf_counter() - began < 5.0
    n_seen = len(drawn)
    assert str(caught.value).startswith(
        "time_limit=0.2 s passed during the first look at the batches of a BatchSource, which "
        f"finds labels and number of rows: {n_seen} with {60 * n_seen} rows were seen, and there "
        "is no result yet; raise time_limit"
    )
    assert n_seen <= 11  # none is drawn after the limit
    assert activity().work() is None


@pytest.mark.parametrize("call", LONG_LOOKS)
def test_ctrl_c_in_the_first_look_says_that_there_is_no_result(call) -> None:
    def factory() -> Iterator[Any]:
        yield ROWS, LABELS
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"1 with 60 rows were seen, .* no res") as caught:
        LONG_LOOKS[call](BatchSource(factory))
    assert caught.value.result is None


@pytest.mark.parametrize("call", ["LogisticRegression", "LogisticRegressionCV"])
def test_a_long_first_look_says_how_far_it_is(call, capsys) -> None:
    with pytest.raises(TimeoutError):
        LONG_LOOKS[call](BatchSource(lambda: ticking(0.1, [])), time_limit=1.3, verbose=1)
    assert re.search(
        r"\d\.\d s: first look at the batches \(\d+ with \d+ rows so far\), 0\.0 passes",
        capsys.readouterr().out,
    )


def test_nothing_of_a_factory_is_called_but_itself() -> None:
    plain = source(ROWS, LABELS, 16)

    class Table:
        def __call__(self) -> Any:
            return plain.factory()

        def prepare(self) -> list[int]:
            raise AssertionError("this is the user's own")

    found = fastlogit.fit(BatchSource(Table()), C=1.0)
    np.testing.assert_array_equal(found.coef, fastlogit.fit(plain, C=1.0).coef)


def test_bytes_and_text_are_not_mixed() -> None:
    rng = np.random.default_rng(0)
    X, text = rng.normal(size=(20, 2)), np.array(["a", "\u00e4"] * 10)
    batches = [(X, text), (X, np.char.encode(text, "utf-8"))]
    with pytest.raises(TypeError, match=r"batch 1: y has dtype .*S2, but batches before had <U1"):
        fastlogit.fit(BatchSource(lambda: iter(batches)), C=1.0)
