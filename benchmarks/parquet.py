"""A whole certified fit from Parquet beside one scan of the same columns, and one epoch of SGD.

`python -m benchmarks.parquet ROWS` writes ROWS x 20 float64 (20,000,000 by default, 3.2 GB
decoded) into files of 2,000,000 rows, and runs each way in a process of its own: wall and
processor seconds, and the peak of memory above the state before. The fit may take a third of the
decoded size. Its answer is checked: the bound that it proves.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

import fastlogit

from .fresh import run
from .memory import peak_above

COLUMNS = 20
ROWS, FILE_ROWS, PART_ROWS = 20_000_000, 2_000_000, 250_000
NAMES = [f"x{place}" for place in range(COLUMNS)]
TOL = 1e-8


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


def batches(folder: Path) -> Iterator[pa.RecordBatch]:
    """Go over the rows with pyarrow's own read-ahead."""
    return ds.dataset(folder, format="parquet").scanner(columns=[*NAMES, "y"]).to_batches()


def scan(folder: Path) -> str:
    """Decode all columns once."""
    return f"{sum(batch.num_rows for batch in batches(folder)):,} rows"


def whole_fit(folder: Path) -> str:
    """Fit to a proven bound, within a third of the decoded size."""
    n_rows = sum(fragment.count_rows() for fragment in ds.dataset(folder).get_fragments())
    limit = n_rows * COLUMNS * 8 // 3
    result = fastlogit.fit(folder, target="y", tol=TOL, memory_limit=limit)
    assert result.suboptimality <= TOL
    return f"{result.n_passes:.1f} passes, suboptimality <= {result.suboptimality:.0e}"


def one_epoch(folder: Path) -> str:
    """One epoch of scikit-learn's SGD from the same batches; how far it is from the optimum."""
    from sklearn.linear_model import SGDClassifier

    model = SGDClassifier(loss="log_loss", alpha=1e-9, random_state=0)
    for batch in batches(folder):
        X = np.column_stack([batch[name].to_numpy() for name in NAMES])
        model.partial_fit(X, batch["y"].to_numpy(), classes=[0, 1])
    return "one epoch"


WAYS: dict[str, Callable[[Path], str]] = {
    "one scan by pyarrow": scan, "fit, certified": whole_fit, "SGDClassifier": one_epoch,
}  # fmt: skip


def measure(way: str, folder: Path) -> dict[str, object]:
    """Run one way in this process, what it compiles apart."""
    few = folder / "few"
    if way == "fit, certified":
        fastlogit.fit(few, target="y", tol=TOL, spool="disk")
    told: dict[str, object] = {}

    def call() -> None:
        wall, busy = time.perf_counter(), time.process_time()
        told["said"] = WAYS[way](folder / "all")
        told["wall"], told["busy"] = time.perf_counter() - wall, time.process_time() - busy

    told["peak"] = peak_above(call)
    return told


def main(n_rows: int) -> None:
    """Print a line for each way."""
    with tempfile.TemporaryDirectory() as name:
        for part, size in (("few", 100_000), ("all", n_rows)):
            (Path(name) / part).mkdir()
            write(Path(name) / part, size)
        print(f"{n_rows:,} x {COLUMNS} float64, {n_rows * COLUMNS * 8 / 1e9:.2f} GB decoded")
        for way in WAYS:
            _, printed = run("-m", "benchmarks.parquet", way, name)
            found = json.loads(printed)
            print(
                f"{way:22} {found['wall']:7.2f} s  {found['busy']:7.2f} s of processors  "
                f"peak {found['peak'] / 1e6:7.0f} MB  {found['said']}"
            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS)
