"""Rows read from disk block by block: the answers of rows in memory, and manners to the host."""

import multiprocessing
import signal
import threading
import time
from concurrent.futures import CancelledError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from problems import (
    TWO_THREADS,
    as_type,
    binomial_targets,
    force_twin,
    objective_over,
    problem,
    readonly,
    sized,
    softmax_targets,
    three_classes,
)

import fastlogit
from fastlogit.design.base import Columns
from fastlogit.design.blockwise import SlicedDesign
from fastlogit.design.dense import DenseDesign
from fastlogit.design.streamed import StreamedDesign, _Reader, is_streamable
from fastlogit.fitting.fit import SOLVERS
from fastlogit.inputs.opening import open_design
from fastlogit.kernels.descent import CONVERGED, DIVERGED, RUNNING, Penalty, start_state
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.multinomial import Multinomial
from fastlogit.objective.objective import Objective
from fastlogit.objective.row_state import RowCurvature
from fastlogit.solvers.gradient_descent import Options, gradient_descent

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

# Of 700 rows: none divides them; one row over; all but one; one block alone.
BLOCK_ROWS = [97, 256, 699, 1000]
N_SAMPLES = 700


class FileRows:
    """Rows of an .npy file that are read when they are asked for, as h5py and zarr do it."""

    def __init__(self, X: Any, path: Path) -> None:
        np.save(path, X)
        self.path, self.header = path, path.stat().st_size - X.nbytes
        self.shape, self.dtype = X.shape, X.dtype
        self.asked: list[tuple[int, int]] = []

    def __getitem__(self, rows: slice) -> Any:
        self.asked.append((rows.start, rows.stop))
        return self.read(rows.start, rows.stop)

    def read(self, start: int, stop: int) -> Any:
        n_features = self.shape[1]
        offset = self.header + start * n_features * self.dtype.itemsize
        values = np.fromfile(self.path, self.dtype, (stop - start) * n_features, offset=offset)
        return values.reshape(-1, n_features)


class ListRows(FileRows):
    """The same, but each slice is a list of lists."""

    def read(self, start: int, stop: int) -> Any:
        return super().read(start, stop).tolist()


class FaultyRows(FileRows):
    """Calls `fault` for the block that starts at row 200; what it returns is the block."""

    fault: Any = None

    def read(self, start: int, stop: int) -> Any:
        block = super().read(start, stop)
        return self.fault(block) if start == 200 and self.fault else block


def mapped(X: Any, path: Path, mode: Any = "r", order: Any = "C", offset: int = 0) -> Any:
    path.write_bytes(bytes(offset) + X.tobytes(order))
    return np.memmap(path, dtype=X.dtype, mode=mode, shape=X.shape, order=order, offset=offset)


def npy_map(X: Any, path: Path) -> Any:
    np.save(path, X)
    return np.load(path, mmap_mode="r")


# The same rows, in the places and layouts that a streamed design meets.
SOURCES = {
    "memmap": npy_map,
    "file": FileRows,
    "lists": ListRows,
    "memmap, F-order": lambda X, path: mapped(X, path, order="F"),
    "memmap, big-endian": lambda X, path: mapped(X.astype(">f8"), path),
    "memmap, unaligned": lambda X, path: mapped(X, path, offset=3),
    "memmap, first columns": lambda X, path: npy_map(np.hstack([X, X]), path)[:, : X.shape[1]],
    "memmap, every second row": lambda X, path: npy_map(np.repeat(X, 2, axis=0), path)[::2],
    "memmap, from the end": lambda X, path: npy_map(X[::-1], path)[::-1],
    "view of a memmap in the file's middle": lambda X, path: npy_map(
        np.vstack([X[:5], X, X[:9]]), path
    )[5:-9],
    "file of foreign byte order": lambda X, path: FileRows(X.astype(">f8"), path),
}


def models(X: Any, seed: int = 0) -> dict[str, Any]:
    """Two models with their own targets, weights and penalties, and an offset."""
    rng = np.random.default_rng(seed)
    n_samples, n_features = X.shape
    return {
        "codes": readonly(rng.integers(0, 2, (2, n_samples)).astype(np.uint8)),
        "positive": [1, 0],
        "weights": readonly(rng.uniform(0.0, 2.0, (2, n_samples))),
        "loss": Binomial(),
        "penalty": rng.uniform(0.01, 0.1, (2, n_features)),
        "offset": readonly(0.3 * rng.standard_normal(n_samples)),
    }


def one_model(X: Any, y: Any, l2_reg: float = 0.05) -> dict[str, Any]:
    codes = readonly(np.asarray(y).astype(np.uint8))
    return {
        "loss": Binomial(), "codes": codes, "positive": [1], "weights": np.empty(0),
        "penalty": l2_reg,
    }  # fmt: skip


def answers(objective: Objective, theta: Any, direction: Any) -> dict[str, Any]:
    """Everything that a solver may ask of an objective, on standardised columns."""
    means = objective.rows.column_means()
    assert objective.standardize()
    design, columns = objective.design, objective.design.columns
    curvature = objective.curvature(theta)
    at = objective.at(theta)
    return {
        "center": columns.center,
        "inverse scale": columns.inverse_scale,
        "column means": means,
        "cost": at.cost,
        "gradient": at.gradient,
        "curvature": curvature.values,
        "hessian": objective.rows.hessian(curvature[0], 0),
        "hessian product": objective.hessian_product(curvature, direction),
        "hessian product, no weights": objective.hessian_product(
            RowCurvature(np.empty((0, design.shape[0]))), direction
        ),
        "curvature bound": objective.curvature_bound(),
        "largest row": design.largest_row(columns.center**2 + 1.0, 0.5 * columns.inverse_scale),
        "raw prediction": design.raw_prediction(theta[:, :-1].copy(), theta[:, -1].copy()),
        "passes": design.n_passes,
    }


def assert_same_answers(X: Any, source: Any, given: dict[str, Any], **options: Any) -> None:
    rng = np.random.default_rng(5)
    size = (len(given["positive"]), X.shape[1] + 1)
    theta, direction = 0.3 * rng.standard_normal(size), rng.standard_normal(size)
    design = StreamedDesign(source, **options)
    found = answers(objective_over(design, **given), theta, direction)
    expected = answers(objective_over(DenseDesign(X), **given), theta, direction)
    assert found["passes"] == expected["passes"]
    for name, wanted in expected.items():
        limit = 1e-12 * np.abs(wanted).max()
        np.testing.assert_allclose(found[name], wanted, rtol=0.0, atol=limit, err_msg=name)


# ------------------------------------------------------------------------------------------------
# The answers


@pytest.mark.parametrize("n_features", [5, 12])
@pytest.mark.parametrize("block_rows", BLOCK_ROWS)
def test_a_solver_gets_the_answers_of_memory(block_rows, n_features, tmp_path) -> None:
    X = 3.0 * problem(N_SAMPLES, n_features).X + 20.0
    source = npy_map(X, tmp_path / "X.npy")
    assert_same_answers(X, source, models(X), block_rows=block_rows)
    assert_same_answers(X, source, models(X) | {"fit_intercept": False}, block_rows=block_rows)


@pytest.mark.parametrize("kind", SOURCES)
def test_whatever_the_rows_come_from(kind, tmp_path) -> None:
    X = problem(N_SAMPLES, 12).X
    source = SOURCES[kind](X, tmp_path / "X.npy")
    assert_same_answers(X, source, models(X), block_rows=150)


@pytest.mark.parametrize("dtype", ["f4", ">f4", "i8", ">i4", "bool"])
@pytest.mark.parametrize("kind", ["memmap", "file"])
def test_whatever_their_number_type(kind, dtype, tmp_path) -> None:
    X = as_type(problem(N_SAMPLES, 12).X, dtype)
    assert_same_answers(X, SOURCES[kind](X, tmp_path / "X.npy"), models(X), block_rows=150)


def test_without_weights_and_with_those_of_one_set(tmp_path) -> None:
    X, y, _, _, weight = problem(N_SAMPLES, 12)
    source = npy_map(X, tmp_path / "X.npy")
    given = one_model(X, y)
    assert_same_answers(X, source, given, block_rows=150)
    assert_same_answers(X, source, given | {"weights": readonly(weight)}, block_rows=150)
    many = given | {"positive": [0, 1, 0], "weights": readonly(weight)}
    assert_same_answers(X, source, many, block_rows=150)


@pytest.mark.parametrize("shape", [(1, 1), (1, 12), (3, 300), (257, 8)])
def test_few_rows(shape, tmp_path) -> None:
    X = 1.0 + problem(*shape).X
    design = StreamedDesign(npy_map(X, tmp_path / "X.npy"))
    targets = binomial_targets(np.arange(len(X)) % 2)
    coef, intercept = np.full((1, shape[1]), 0.1), np.array([0.2])
    found = design.value_gradient(targets, coef, intercept)
    expected = DenseDesign(X).value_gradient(targets, coef, intercept)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


@pytest.mark.jit  # NumPy warns in the kernels' plain twins
def test_values_that_are_not_finite_come_through_without_a_warning(tmp_path) -> None:
    X = problem(N_SAMPLES, 12).X
    X[300, 4], X[301, 5], X[302, 6], X[303, 6] = np.nan, np.inf, 1e308, 1e308
    found = StreamedDesign(npy_map(X, tmp_path / "X.npy"), block_rows=100)
    one, other = (
        design.column_means(np.empty(0), float(N_SAMPLES)) for design in (found, DenseDesign(X))
    )
    np.testing.assert_array_equal(np.isfinite(one), np.isfinite(other))


@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize(("block_rows", "dtype"), [(97, "f8"), (256, "f4"), (1000, "f8")])
def test_whole_fits_are_those_of_memory(block_rows, dtype, momentum, tmp_path) -> None:
    X, y = problem(N_SAMPLES, 9)[:2]
    X = (X * np.logspace(-2, 2, 9) + 5.0).astype(dtype)
    assert_same_fits(X, one_model(X, y, 0.01), block_rows, momentum, tmp_path)


def test_fits_of_several_models_are_those_of_memory(tmp_path) -> None:
    X, codes = three_classes(N_SAMPLES, 9)
    given = one_model(X, codes) | {"positive": [0, 1, 2]}
    assert_same_fits(X, given, 150, True, tmp_path)


def softmax_answers(design: Any, X: Any, fit_intercept: bool) -> dict[str, Any]:
    """Everything that a solver asks of two softmax models with an offset for each class."""
    rng = np.random.default_rng(6)
    n_samples, n_features = X.shape
    objective = objective_over(
        design, Multinomial(3), readonly((np.arange(n_samples) % 3).astype(np.uint8)),
        [0, 1, 2] * 2,
        readonly(rng.uniform(0.0, 2.0, (2, n_samples))),
        np.repeat(rng.uniform(0.01, 0.1, (2, n_features)), 3, axis=0),
        readonly(rng.standard_normal((3, n_samples))), fit_intercept, [0, 0, 0, 1, 1, 1],
    )  # fmt: skip
    objective.standardize()
    theta = 0.3 * rng.standard_normal((2, 3 * (n_features + 1)))
    curvature = objective.curvature(theta)
    return {
        "evaluation": np.column_stack(objective.at(theta)),
        "curvature": curvature.values,
        "hessian": objective.rows.hessian(curvature[1], 1),
        "product": objective.hessian_product(curvature, theta[:, ::-1].copy()),
        "curvature bound": objective.curvature_bound(),
        "passes": objective.design.n_passes,
    }


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_features", [5, 12])
@pytest.mark.parametrize("block_rows", BLOCK_ROWS)
def test_softmax_answers_are_those_of_memory(
    block_rows, n_features, fit_intercept, tmp_path
) -> None:
    X = 3.0 * problem(N_SAMPLES, n_features).X + 20.0
    source = npy_map(X, tmp_path / "X.npy")
    found, expected = (
        softmax_answers(design, X, fit_intercept)
        for design in (StreamedDesign(source, block_rows=block_rows), DenseDesign(X))
    )
    assert found["passes"] == expected["passes"]
    for name, wanted in expected.items():
        limit = 1e-11 * np.abs(wanted).max()
        np.testing.assert_allclose(found[name], wanted, rtol=0.0, atol=limit, err_msg=name)


@pytest.mark.jit
@pytest.mark.parametrize("solver", SOLVERS)
def test_softmax_fits_of_rows_on_disk(solver, tmp_path) -> None:
    X, codes = three_classes(N_SAMPLES, 9)
    source = npy_map(X, tmp_path / "X.npy")
    offset = np.random.default_rng(0).standard_normal((N_SAMPLES, 3))
    options = {"multi_class": "multinomial", "l2_reg": 0.01, "offset": offset, "solver": solver}
    found, expected = (fastlogit.fit(rows, codes, **options) for rows in (source, X))
    assert found.converged
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.intercept, expected.intercept, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        found.predict_proba(source), expected.predict_proba(X), rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("accelerate", [False, True])
def test_softmax_descent_of_rows_on_disk(accelerate, tmp_path) -> None:
    X, codes = three_classes(N_SAMPLES, 5)
    targets, penalty = softmax_targets(codes, 3), Penalty(np.full((1, 5), 0.01), True)
    ends = []
    for design in (StreamedDesign(npy_map(X, tmp_path / "X.npy")), DenseDesign(X)):
        state = start_state(np.zeros((3, 5)), np.zeros(3))
        design.evaluate(targets, penalty, state)
        history = np.full((7, 3), -1.0)
        ended = design.descend(targets, penalty, 0.1, accelerate, 0.0, state, history)
        ends.append((*ended, design.n_passes, history, state))
    assert ends[0][:3] == ends[1][:3] == (7, RUNNING, 8)
    np.testing.assert_allclose(ends[0][3], ends[1][3], rtol=1e-12)
    for name, one, other in zip(state._fields, ends[0][4], ends[1][4], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13, err_msg=name)


def assert_same_fits(X, given, block_rows, momentum, folder) -> None:
    options = Options(
        step_size=None,
        accelerate=momentum,
        tol=1e-7,
        max_iter=sized(500, 3),
        callback=None,
        time_limit=None,
    )
    source = npy_map(X, folder / "X.npy")
    outcomes, passes = [], []
    for design in (StreamedDesign(source, block_rows=block_rows), DenseDesign(X)):
        objective = objective_over(design, **given)
        objective.standardize()
        start = np.zeros((objective.n_models, X.shape[1])), np.zeros(objective.n_models)
        outcomes.append(gradient_descent(objective, start, options, time.perf_counter()))
        passes.append(objective.design.n_passes)
    found, expected = outcomes
    assert (found.n_iter, found.reason) == (expected.n_iter, expected.reason)
    assert expected.reason == ("converged" if sized(1, 0) else "max_iter")
    assert passes[0] == passes[1]
    for name in ("coef", "intercept", "history", "step_size"):
        one, other = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("step_size", "tol", "n_steps", "expected"),
    [(0.3, 0.0, 7, RUNNING), (0.3, 0.05, 200, CONVERGED), (5e3, 0.0, 50, DIVERGED)],
)
def test_a_descent_steps_stops_and_counts_as_in_memory(
    step_size, tol, n_steps, expected, tmp_path
) -> None:
    X, y = problem(N_SAMPLES, 5)[:2]
    targets, penalty = binomial_targets(y), Penalty(np.full((1, 5), 0.01), True)
    ends = []
    for design in (StreamedDesign(npy_map(X, tmp_path / "X.npy")), DenseDesign(X)):
        state = start_state(np.zeros((1, 5)), np.zeros(1))
        design.evaluate(targets, penalty, state)
        history = np.full((n_steps, 1), -1.0)
        steps, status = design.descend(targets, penalty, step_size, True, tol, state, history)
        ends.append((steps, status, design.n_passes, history, state))
    assert ends[0][:3] == ends[1][:3]
    assert ends[0][1] == expected
    np.testing.assert_allclose(ends[0][3], ends[1][3], rtol=1e-12)
    for name, one, other in zip(state._fields, ends[0][4], ends[1][4], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-13, err_msg=name)


def test_any_number_of_threads_and_both_twins_give_the_same_bits(tmp_path, monkeypatch) -> None:
    X, y, coef, intercept, _ = problem(sized(60_000, 700), 12)
    source = npy_map(X, tmp_path / "X.npy")

    def bits(n_threads: Any) -> bytes:
        design = StreamedDesign(source, n_threads=n_threads, block_rows=sized(25_000, 300))
        objective = objective_over(design, **one_model(X, y))
        objective.standardize()
        theta = np.append(coef, intercept)[None, :]
        return b"".join(part.tobytes() for part in (*objective.at(theta), design.gram(weight)))

    weight = np.linspace(0.0, 1.0, len(X))
    found = {bits(n_threads) for n_threads in (1, TWO_THREADS, None)}
    for parallel in (False, True):
        force_twin(monkeypatch, parallel)
        found.add(bits(None))
    assert len(found) == 1


@pytest.mark.parametrize("kind", ["memmap", "file", "memmap, F-order"])
@pytest.mark.parametrize("stride", [1, 3, 100, 130, 699, 5000])
def test_a_subsample_lies_in_memory_and_shares_the_counter(stride, kind, tmp_path) -> None:
    X = problem(N_SAMPLES, 5).X
    source = SOURCES[kind](X, tmp_path / "X.npy")
    columns = Columns(np.full(5, 0.1), np.full(5, 2.0))
    design = StreamedDesign(source, block_rows=100, columns=columns, n_threads=1)
    part = design.subsample(stride)
    assert type(part) is DenseDesign
    assert type(part._X) is np.ndarray
    np.testing.assert_array_equal(part._X, X[::stride])
    assert (part.columns, part.n_threads) == (columns, 1)
    before = design.n_passes
    assert before <= 1.0
    part.raw_prediction(np.zeros((1, 5)), np.zeros(1))
    assert design.n_passes == pytest.approx(before + len(part._X) / N_SAMPLES)


def test_the_last_subsample_is_collected_once(tmp_path) -> None:
    source = FileRows(problem(N_SAMPLES, 5).X, tmp_path / "X.npy")
    design = StreamedDesign(source, block_rows=300)
    first = design.subsample(7)
    asked = len(source.asked)
    columns = Columns(np.ones(5), np.ones(5))
    again = design.standardized(columns).subsample(7)
    assert again._X is first._X
    assert again.columns is columns
    assert len(source.asked) == asked
    assert len(design.subsample(11)._X) == 64
    assert design.subsample(7)._X is not first._X


@pytest.mark.parametrize("kind", SOURCES)
def test_a_column_as_it_is(kind, tmp_path) -> None:
    X = problem(N_SAMPLES, 5).X
    source = SOURCES[kind](X, tmp_path / "X.npy")
    design = StreamedDesign(source, block_rows=100, columns=Columns(np.ones(5), np.ones(5)))
    for index in (0, 3):
        np.testing.assert_array_equal(design.column(index), X[:, index])
    assert design.n_passes == 2


def test_standardised_on_a_subsample_as_in_memory(tmp_path) -> None:
    X, y = problem(N_SAMPLES, 5)[:2]
    found, expected = (
        objective_over(design, **one_model(X, y))
        for design in (
            StreamedDesign(npy_map(X, tmp_path / "X.npy"), block_rows=97),
            DenseDesign(X),
        )
    )
    assert found.standardize(7)
    assert expected.standardize(7)
    for one, other in zip(found.design.columns, expected.design.columns, strict=True):
        np.testing.assert_array_equal(one, other)
    assert isinstance(found.design, StreamedDesign)
    assert found.design.block_rows == 97


# ------------------------------------------------------------------------------------------------
# Reading


def test_each_row_is_asked_for_once_in_order_in_blocks(tmp_path) -> None:
    X = problem(N_SAMPLES, 5).X
    source = FileRows(X, tmp_path / "X.npy")
    design = StreamedDesign(source, block_rows=300)
    design.raw_prediction(np.zeros((1, 5)), np.zeros(1))
    assert source.asked == [(0, 300), (300, 600), (600, 700)]
    assert design.n_passes == 1


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [
        ((10, 3), "f8", 256),
        ((100_000, 50), "f8", 768),  # 1 % of the rows, in whole chunks
        ((10_000_000, 50), "f8", 41_728),  # 16 MB
        ((10_000_000, 50), "f4", 83_712),
        ((4_000, 50_000), "f8", 256),
    ],
)
def test_the_size_of_a_block(shape, dtype, expected) -> None:
    assert StreamedDesign(SimpleNamespace(shape=shape, dtype=dtype)).block_rows == expected


def test_one_block_is_read_ahead_and_no_more(tmp_path, monkeypatch) -> None:
    source = FileRows(problem(N_SAMPLES, 5).X, tmp_path / "X.npy")
    predict = DenseDesign.raw_prediction
    seen = []

    def late(block: DenseDesign, *arguments: Any) -> Any:
        wanted = min(len(seen) + 2, 7)
        limit = time.monotonic() + 20.0
        while len(source.asked) < wanted and time.monotonic() < limit:
            time.sleep(0.001)
        time.sleep(0.005)  # for a reader that would go on
        seen.append(len(source.asked))
        return predict(block, *arguments)

    monkeypatch.setattr(DenseDesign, "raw_prediction", late)
    StreamedDesign(source, block_rows=100).raw_prediction(np.zeros((1, 5)), np.zeros(1))
    assert seen == [2, 3, 4, 5, 6, 7, 7]


def test_a_source_may_use_its_memory_again(tmp_path) -> None:
    X = problem(N_SAMPLES, 12).X

    class OneBuffer(FileRows):
        buffer = np.empty((150, 12))

        def read(self, start: int, stop: int) -> Any:
            rows = self.buffer[: stop - start]
            rows[...] = super().read(start, stop)
            return rows

    assert_same_answers(X, OneBuffer(X, tmp_path / "X.npy"), models(X), block_rows=150)


def test_what_was_written_to_a_map_is_kept(tmp_path) -> None:
    X = problem(2000, 12).X
    for mode in ("c", "r+"):
        source = mapped(X, tmp_path / f"{mode}.bin", mode=mode)
        source[:] += 1.0
        for _ in range(2):
            means = StreamedDesign(source).column_means(np.empty(0), 2000.0)
            np.testing.assert_allclose(means, X.mean(axis=0) + 1.0, rtol=1e-12)
        np.testing.assert_array_equal(source, X + 1.0)


def read_error(block: Any) -> Any:
    raise OSError(5, "the disk has had enough")


def masked(block: Any) -> Any:
    return np.ma.masked_less(block, 0.0)


BAD_BLOCKS = {
    "an error of the source": (read_error, OSError, "the disk has had enough"),
    "fewer rows": (lambda block: block[:-1], ValueError, r"X\[200:300\] has shape \(99, 5\)"),
    "other columns": (lambda block: block[:, :4], ValueError, r"has shape \(100, 4\)"),
    "one dimension": (lambda block: block.ravel(), ValueError, r"has shape \(500,\)"),
    "a type that holds more": (lambda block: block * (1 + 0j), TypeError, "Cannot cast"),
    "text": (lambda block: block.astype(str), TypeError, "Cannot cast"),
    "masked values": (masked, ValueError, "masked values"),
}


@pytest.mark.parametrize("case", BAD_BLOCKS)
def test_an_error_names_the_rows_and_leaves_no_thread(case, tmp_path) -> None:
    fault, kind, text = BAD_BLOCKS[case]
    source = FaultyRows(problem(N_SAMPLES, 5).X, tmp_path / "X.npy")
    design = StreamedDesign(source, block_rows=100)
    before = threading.active_count()
    calls = (lambda: design.column_means(np.empty(0), 1.0), lambda: design.subsample(1))
    for call in calls:
        source.fault = fault
        with pytest.raises(kind, match=text) as caught:
            call()
        assert caught.value.__notes__ == ["while rows 200 to 299 of X were read"]
        assert threading.active_count() == before
        source.fault = None
        call()


def test_an_empty_mask_is_no_mask(tmp_path) -> None:
    X = problem(N_SAMPLES, 5).X
    source = FaultyRows(X, tmp_path / "X.npy")
    source.fault = np.ma.asarray
    means = StreamedDesign(source, block_rows=100).column_means(np.empty(0), 1.0)
    np.testing.assert_allclose(means, X.sum(axis=0), atol=1e-12)


def means(design: StreamedDesign) -> Any:
    return design.column_means(np.empty(0), 1.0)


@pytest.mark.parametrize("where", ["reading", "working"])
def test_ctrl_c_leaves_no_thread_and_a_usable_design(where, tmp_path, monkeypatch) -> None:
    X, y, coef, intercept, _ = problem(N_SAMPLES, 5)
    source = FaultyRows(X, tmp_path / "X.npy")
    design = StreamedDesign(source, block_rows=100)
    targets = binomial_targets(y)

    def value_gradient() -> bytes:
        found = design.value_gradient(targets, coef[None, :], np.array([intercept]))
        return b"".join(part.tobytes() for part in found)

    def interrupt(value: Any, *_: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        return value

    expected, before = value_gradient(), threading.active_count()
    with monkeypatch.context() as patch:
        if where == "reading":
            source.fault = interrupt
        else:
            patch.setattr(DenseDesign, "evaluate", interrupt)
        with pytest.raises(KeyboardInterrupt):
            value_gradient()
    source.fault = None
    assert threading.active_count() == before
    assert value_gradient() == expected


@pytest.mark.parametrize(
    "answer", [lambda design: design.column(0), lambda design: design.subsample(7)._X.copy(), means]
)
def test_a_pass_waits_for_what_an_abandoned_one_reads(answer, tmp_path) -> None:
    source = FaultyRows(problem(N_SAMPLES, 5).X, tmp_path / "X.npy")
    expected = answer(StreamedDesign(source, block_rows=100))
    design = StreamedDesign(source, block_rows=100)
    reader, is_reading, calls = _Reader(design), threading.Event(), []

    def slowly(block: Any) -> Any:
        calls.append(len(source.asked))
        is_reading.set()
        time.sleep(0.1)
        calls.append(len(source.asked))
        return block

    design._turns.begin(reader)
    source.fault = slowly
    abandoned = threading.Thread(target=reader.bring, args=(2, 200, 300))
    abandoned.start()
    assert is_reading.wait(10.0)
    source.fault = None
    np.testing.assert_array_equal(answer(design), expected)
    abandoned.join()
    assert calls[0] == calls[1]
    asked = len(source.asked)
    with pytest.raises(CancelledError):
        reader.bring(3, 300, 400)
    assert len(source.asked) == asked


def test_ctrl_c_during_a_fit_keeps_the_best_point(tmp_path) -> None:
    X, y = problem(N_SAMPLES, 5)[:2]
    source = FaultyRows(X, tmp_path / "X.npy")
    given = one_model(X, y)
    calls = 0

    def fault(block: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 12:
            signal.raise_signal(signal.SIGINT)
        return block

    source.fault = fault
    objective = objective_over(StreamedDesign(source, block_rows=100), **given)
    start = np.zeros((1, 5)), np.zeros(1)
    options = Options(
        step_size=0.1, accelerate=False, tol=0.0, max_iter=1000, callback=None, time_limit=None
    )
    found = gradient_descent(objective, start, options, time.perf_counter())
    assert found.reason == "interrupted"
    assert 5 <= found.n_iter <= 12
    assert (np.diff(found.history[:, 0]) < 0.0).all()
    again = objective_over(DenseDesign(X), **given).value_gradient(found.coef, found.intercept)
    np.testing.assert_allclose(found.history[-1], again[0], rtol=1e-12)


def child_answers(design: StreamedDesign, targets: Any, answer: Any) -> None:
    answer.put(design.value_gradient(targets, np.full((1, 5), 0.1), np.zeros(1))[0][0])


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_process_streams_too(method, tmp_path) -> None:
    X, y = problem(N_SAMPLES, 5)[:2]
    design = StreamedDesign(FileRows(X, tmp_path / "X.npy"), n_threads=1, block_rows=100)
    targets = binomial_targets(y)
    expected = design.value_gradient(targets, np.full((1, 5), 0.1), np.zeros(1))[0][0]
    context: Any = multiprocessing.get_context(method)
    answer = context.SimpleQueue()
    child = context.Process(target=child_answers, args=(design, targets, answer))
    child.start()
    child.join(60.0)
    assert child.exitcode == 0
    assert answer.get() == expected


def test_passes_are_guessed_to_take_a_disk_s_time(tmp_path) -> None:
    X = problem(N_SAMPLES, 5).X
    design = StreamedDesign(npy_map(X, tmp_path / "X.npy"))
    assert 1 <= design.passes_within(0.05, 1) < DenseDesign(X).passes_within(0.05, 1)
    assert design.passes_within(1e-9, 1) == 1


# ------------------------------------------------------------------------------------------------
# What can be streamed


class Frame:
    """A data frame has a shape and takes slices, but has no one number type."""

    shape = (4, 2)

    def __getitem__(self, rows: Any) -> Any:
        return self


class Tensor(Frame):
    """In memory, with a number type that NumPy does not know."""

    dtype = "tensor.float32"


class Named(Frame):
    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


def test_what_is_streamable(tmp_path) -> None:
    X = problem(20, 5).X
    source = npy_map(X, tmp_path / "X.npy")
    assert is_streamable(source)
    assert is_streamable(source[::2, :3])
    assert is_streamable(FileRows(X, tmp_path / "again.npy"))
    assert is_streamable(Named(dtype=np.dtype("f4")))
    assert is_streamable(Named(dtype="float64"))


@pytest.mark.parametrize(
    "X",
    [
        np.zeros((4, 2)),
        [[1.0, 2.0]],
        None,
        "text",
        scipy.sparse.csr_array(np.eye(3)),
        Frame(),
        Tensor(),
        Named(dtype=None),
        Named(dtype=np.dtype("f4"), shape=(3,)),
        Named(dtype=np.dtype("f4"), shape=3),
        Named(dtype=np.dtype("f4"), __dlpack__=None),
        SimpleNamespace(dtype=np.dtype("f4"), shape=(3, 2)),
        np.ma.zeros((4, 2)),
    ],
    ids=lambda X: type(X).__name__,
)
def test_what_is_not(X) -> None:
    assert not is_streamable(X)


def test_parts_of_a_map_that_are_not_on_disk_are_not(tmp_path) -> None:
    source = npy_map(problem(20, 5).X, tmp_path / "X.npy")
    assert not is_streamable(source[0])
    assert not is_streamable(source.copy())
    assert not is_streamable(np.asarray(source))


@pytest.mark.slow
@pytest.mark.jit
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_fit_of_400_mb_takes_at_most_a_twentieth_of_it(dtype, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    from benchmarks.memory import extra_bytes

    n_samples = 400_000_000 // (50 * np.dtype(dtype).itemsize)
    assert extra_bytes((n_samples, 50), dtype, "disk-passes") <= 0.05 * 400_000_000


def test_a_large_array_in_slices_gives_the_same_fit(monkeypatch) -> None:
    X, y, _, _, weight = problem(sized(20_000, 700), 9)
    whole = fastlogit.fit(X, y, C=1.0, sample_weight=weight)
    monkeypatch.setattr("fastlogit.design.opening.SLICE_BYTES", X.nbytes / 3)
    monkeypatch.setattr("fastlogit.design.blockwise.SLICE_BYTES", X.nbytes / 5.5)
    sliced = fastlogit.fit(X, y, C=1.0, sample_weight=weight)
    assert isinstance(open_design(X, None), SlicedDesign)
    assert len(open_design(X, None)._blocks()) == 6
    np.testing.assert_allclose(sliced.coef, whole.coef, rtol=1e-9)
    assert sliced.n_passes == whole.n_passes
    for solver in SOLVERS:
        fitted = fastlogit.fit(X, y, C=1.0, sample_weight=weight, solver=solver, tol=1e-9)
        np.testing.assert_allclose(fitted.coef, whole.coef, rtol=1e-3)
    raw = fastlogit.raw_prediction(X, whole.coef, whole.intercept)
    np.testing.assert_allclose(raw, X @ whole.coef + whole.intercept, rtol=1e-12, atol=1e-12)
