"""dask-ml's LogisticRegression over a folder of Parquet files, in an interpreter of its own.

`PYTHON benchmarks/parquet_dask_ml.py FOLDER SOLVER COLUMN...` needs dask-ml, and no fastlogit: the
frame is persisted, as a user who has the memory would, and its seconds are not counted. It prints
JSON with seconds, memory and coefficients, the intercept last.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

STATUS, RESET_PEAK = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def status_bytes(name: str) -> int:
    """Return a size of the process's memory."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def main(folder: str, solver: str, names: list[str]) -> None:
    """Fit, and print what was found."""
    warnings.simplefilter("ignore")
    import dask
    import dask.dataframe as dd
    import dask_ml
    from dask_ml.linear_model import LogisticRegression

    before = status_bytes("VmRSS")
    RESET_PEAK.write_text("5")
    frame = dd.read_parquet(folder).persist()
    X, y = frame[names].to_dask_array(lengths=True), frame["y"].to_dask_array(lengths=True)
    wall, busy = time.perf_counter(), time.process_time()
    model = LogisticRegression(solver=solver, C=1e6).fit(X, y)
    print(
        json.dumps(
            {
                "wall": time.perf_counter() - wall,
                "busy": time.process_time() - busy,
                "peak": status_bytes("VmHWM") - before,
                "said": f"dask-ml {dask_ml.__version__}, dask {dask.__version__}",
                "point": [*map(float, model.coef_), float(model.intercept_)],
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
