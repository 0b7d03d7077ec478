"""A whole certified fit from Parquet beside a scan of the columns, an epoch of SGD, and others.

`python -m benchmarks.parquet ROWS` writes ROWS x 20 float64 (20,000,000 by default, 3.2 GB
decoded) into files of 2,000,000 rows, and runs each way in a process of its own: wall and
processor seconds, and the peak of memory above the state before. The fit may take a third of the
decoded size.

Each answer is checked before its seconds count: the fit by the bound that it proves, the others by
what their cost is above the least one, `fastlogit.cost` over the same files. `--ways` chooses among
them. `--dask-ml PYTHON` says which interpreter has dask-ml. `--json FILE` keeps what was found,
beside what it has of other numbers of rows, and `--write PAGE` puts the table of all of it there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import fastlogit

from .fresh import run
from .markers import Place
from .memory import peak_above
from .tables import Line, about, table

COLUMNS = 20
ROWS, FILE_ROWS, PART_ROWS = 20_000_000, 2_000_000, 250_000
NAMES = [f"x{place}" for place in range(COLUMNS)]
TOL = 1e-8
PLACE = Place("parquet")
HOW = (
    "Each way once, in a process of its own; peaks above the state before. Without a penalty; the "
    "fit within a third of the decoded size, proven to 1e-8, scikit-learn and dask-ml as they are "
    "by default, dask-ml from persisted partitions, whose reading is not counted."
)
DASK_ML = Path(__file__).with_name("parquet_dask_ml.py")
# What a way's cost may be above the least one, relative; None where it is only told.
LACKS = {"fit": 2 * TOL, "lbfgs": 1e-4, "dask-ml admm": None, "dask-ml lbfgs": 1e-3, "sgd": None}


def write(folder: Path, n_rows: int) -> None:
    """Write normal columns, and labels of a logistic model of them."""
    coef = np.random.default_rng(0).normal(size=COLUMNS) / 2.0
    for start in range(0, n_rows, FILE_ROWS):
        stop = min(start + FILE_ROWS, n_rows)
        writer = None
        for first in range(start, stop, PART_ROWS):
            rng = np.random.default_rng(first)
            size = min(PART_ROWS, stop - first)
            X = rng.normal(size=(size, COLUMNS))
            y = (X @ coef + rng.logistic(size=size) > 0.0).astype(np.int8)
            table = pa.table({**dict(zip(NAMES, X.T, strict=True)), "y": y})
            if writer is None:
                # Normal numbers do not repeat: dictionaries of them would be given up anyway.
                writer = pq.ParquetWriter(
                    folder / f"part-{start:09}.parquet", table.schema, use_dictionary=False
                )
            writer.write_table(table)
        assert writer is not None
        writer.close()


def rows_in(folder: Path) -> int:
    """Return how many rows there are."""
    return sum(fragment.count_rows() for fragment in ds.dataset(folder).get_fragments())


def limit_of(folder: Path) -> int:
    """Return the memory that a fit may take: a third of the decoded size."""
    return rows_in(folder) * COLUMNS * 8 // 3


def batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Go over the rows with pyarrow's own read-ahead."""
    return ds.dataset(folder, format="parquet").scanner(columns=[*NAMES, "y"]).to_batches()


def scan(folder: Path) -> dict[str, Any]:
    """Decode all columns once."""
    n_rows = sum(batch.num_rows for batch in batches(folder))
    assert n_rows == rows_in(folder)
    return {"said": f"{n_rows:,} rows"}


def stream(folder: Path) -> dict[str, Any]:
    """Decode them batch by batch in one thread, which takes least memory and processor time."""
    n_rows = 0
    for file in sorted(folder.iterdir()):
        with pq.ParquetFile(file) as opened:
            parts = opened.iter_batches(columns=[*NAMES, "y"], use_threads=False)
            n_rows += sum(batch.num_rows for batch in parts)
    assert n_rows == rows_in(folder)
    return {"said": f"{n_rows:,} rows"}


def whole_fit(folder: Path) -> dict[str, Any]:
    """Fit to a proven bound, within a third of the decoded size."""
    result = fastlogit.fit(folder, target="y", tol=TOL, memory_limit=limit_of(folder))
    assert result.suboptimality <= TOL
    said = f"{result.n_passes:.1f} passes, suboptimality <= {result.suboptimality:.0e}"
    return {"said": said, "point": [*result.coef, result.intercept]}


def cross_validation(folder: Path) -> dict[str, Any]:
    """Choose among five C by five folds, and fit, within the same memory."""
    source = fastlogit.ParquetSource(folder, target="y", memory_limit=limit_of(folder))
    model = fastlogit.LogisticRegressionCV(
        Cs=np.logspace(-5, -1, 5), cv=fastlogit.HashKFold(5), l1_ratios=(0,), tol=1e-4,
        scoring="neg_log_loss", use_legacy_attributes=False,
    ).fit(source)  # fmt: skip
    assert model.grid_.converged.all()
    passes = model.grid_.n_passes + model.result_.n_passes
    return {"said": f"25 fits of folds and the last one, {passes:.1f} passes"}


def one_epoch(folder: Path) -> dict[str, Any]:
    """One epoch of scikit-learn's SGD from the same batches."""
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", random_state=0)
    for batch in batches(folder):
        X = np.column_stack([batch[name].to_numpy() for name in NAMES])
        model.partial_fit(X, batch["y"].to_numpy(), classes=[0, 1])
    return {"said": "one epoch", "point": [*model.coef_[0], model.intercept_[0]]}


def in_memory(folder: Path) -> dict[str, Any]:
    """pandas reads all files, and scikit-learn's lbfgs fits the frame."""
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    frame = pd.read_parquet(folder)
    model = LogisticRegression(C=np.inf).fit(frame[NAMES], frame["y"])
    said = f"{int(model.n_iter_[0])} iterations"
    return {"said": said, "point": [*model.coef_[0], model.intercept_[0]]}


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "scan": scan, "stream": stream, "fit": whole_fit, "sgd": one_epoch, "lbfgs": in_memory,
    "cv": cross_validation,
}  # fmt: skip
SAYS = {
    "scan": "one scan by pyarrow", "stream": "one scan, one thread", "fit": "fit, certified",
    "sgd": "SGDClassifier", "lbfgs": "pandas, lbfgs", "cv": "cross-validation",
    "limit": "memory_limit",
}  # fmt: skip


def measure(way: str, folder: Path) -> dict[str, Any]:
    """Run one way in this process, what it compiles apart."""
    few = folder / "few"
    if way == "fit":
        fastlogit.fit(few, target="y", tol=TOL, spool="disk")
    elif way == "cv":
        cross_validation(few)
    told: dict[str, Any] = {}

    def call() -> None:
        wall, busy = time.perf_counter(), time.process_time()
        told.update(WAYS[way](folder / "all"))
        told["wall"], told["busy"] = time.perf_counter() - wall, time.process_time() - busy

    told["peak"] = peak_above(call)
    return told


def of_dask_ml(python: str, solver: str, folder: Path) -> dict[str, Any]:
    """Run dask-ml in its own interpreter."""
    command = [python, "-P", str(DASK_ML), str(folder / "all"), solver, *NAMES]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"dask-ml failed:\n{ended.stderr}")
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


def lack(way: str, point: list[float], best: list[list[float]], folder: Path) -> float:
    """Return what the cost of a way is above the least one, relative; raises where it is much."""
    source = fastlogit.ParquetSource(folder, target="y", memory_limit=limit_of(folder))
    points = np.array([point, *best])
    costs = np.asarray(fastlogit.cost(source, None, points[:, :-1].T, points[:, -1]))
    above = float(costs[0] / costs[1:].min() - 1.0)
    most = LACKS[way]
    if most is not None and above > most:
        raise RuntimeError(f"the cost of {way} is {above:.1e} above the least one: no speed counts")
    return above


class Target(NamedTuple):
    """What a way's figure may be, times that of another: at most, or the other way at least."""

    way: str
    other: str
    figure: str
    goal: float
    is_speed: bool = False


TARGETS = (
    Target("fit", "scan", "wall", 2.5), Target("fit", "stream", "wall", 2.5),
    Target("fit", "sgd", "wall", 1.5),
    Target("fit", "dask-ml admm", "wall", 20.0, is_speed=True),
    Target("fit", "lbfgs", "wall", 5.0, is_speed=True), Target("fit", "lbfgs", "peak", 0.1),
    Target("fit", "limit", "peak", 1.1), Target("cv", "limit", "peak", 1.1),
)  # fmt: skip


def lines_of(found: dict[str, dict[str, Any]]) -> list[Line]:
    """Return a line for each target that was measured, of each number of rows."""
    lines = []
    for rows, ways in found.items():
        limit = {"peak": int(rows) * COLUMNS * 8 // 3}
        for way, other, figure, goal, is_speed in TARGETS:
            against = limit if other == "limit" else ways.get(other)
            if way not in ways or against is None:
                continue
            ratio = ways[way][figure] / against[figure]
            if figure == "wall":
                both = [(way, ways[way]), (other, against)]
                times = ", ".join(
                    f"{name} {each['wall']:.3g} s ({each['busy']:.3g} of processors)"
                    for name, each in both
                )
            else:
                times = (
                    f"{way} {ways[way]['peak'] / 1e6:.0f} MB, {other} {against['peak'] / 1e6:.0f}"
                )
            lines.append(
                Line(
                    SAYS[way],
                    {"wall": "seconds", "peak": "peak of memory"}[figure],
                    f"{int(rows):,} x {COLUMNS} float64",
                    SAYS.get(other, other),
                    1.0 / ratio if is_speed else ratio,
                    goal if is_speed else -goal,
                    times,
                    "times faster" if is_speed else "times",
                )
            )
    return lines


def kept(path: str, rows: int, found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Put what was found beside what a file has of other runs; return all of it."""
    file = Path(path)
    known = json.loads(file.read_text("utf-8")) if file.exists() else {}
    known.setdefault(str(rows), {}).update(found)
    known = {rows: known[rows] for rows in sorted(known, key=int)}
    file.write_text(json.dumps(known, indent=1), "utf-8")
    return known


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", type=int, nargs="?", default=ROWS)
    parser.add_argument(
        "--ways", nargs="*", choices=list(WAYS), default=["scan", "stream", "fit", "sgd"]
    )
    parser.add_argument("--dask-ml", metavar="PYTHON")
    parser.add_argument("--solvers", nargs="*", default=["admm", "lbfgs"])
    parser.add_argument("--json")
    parser.add_argument("--write", type=Path)
    asked = parser.parse_args(arguments)
    all_found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, size in (("few", 100_000), ("all", asked.rows)):
            (folder / part).mkdir()
            write(folder / part, size)
        size = asked.rows * COLUMNS * 8 / 1e9
        print(f"{asked.rows:,} x {COLUMNS} float64, {size:.2f} GB decoded", flush=True)
        best: list[list[float]] = []
        for way in asked.ways:
            _, printed = run("-m", "benchmarks.parquet", "--way", way, name)
            found = json.loads(printed)
            if way == "fit":
                best = [found["point"]]
            tell(way, found, best, folder)
            all_found[way] = found
        for solver in asked.solvers if asked.dask_ml else []:
            all_found[way := f"dask-ml {solver}"] = of_dask_ml(asked.dask_ml, solver, folder)
            tell(way, all_found[way], best, folder)
    known = {str(asked.rows): all_found}
    if asked.json:
        known = kept(asked.json, asked.rows, all_found)
    if asked.write:
        PLACE.write(asked.write, table(about("parquet", HOW), lines_of(known)))


def tell(way: str, found: dict[str, Any], best: list[list[float]], folder: Path) -> None:
    """Print what a way took, once its answer is checked."""
    said = found["said"]
    if way in LACKS:
        above = lack(way, found["point"], best, folder / "all")
        said += f", cost {above:.1e} above the least"
    print(
        f"{SAYS.get(way, way):22} {found['wall']:7.2f} s  {found['busy']:7.2f} s of processors  "
        f"peak {found['peak'] / 1e6:7.0f} MB  {said}",
        flush=True,
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--way"]:
        print(json.dumps(measure(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
