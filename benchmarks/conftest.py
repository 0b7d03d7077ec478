"""pytest's settings for `checked/`: it finds the package `benchmarks`, and runs on 1 and 2 threads.

asv imports this module as it does all others here, hence no import of pytest.
"""

import sys
from pathlib import Path
from typing import Any

import numba

ROOT = str(Path(__file__).resolve().parents[1])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)

from benchmarks.problems import FULL, SHAPES, THREADS  # noqa: E402


def pytest_report_header() -> str:
    return f"benchmark shapes {SHAPES}" + ("" if FULL else " (large ones: FASTLOGIT_BENCH_FULL=1)")


def pytest_generate_tests(metafunc: Any) -> None:
    if "n_threads" in metafunc.fixturenames:
        possible = [count for count in THREADS if count <= numba.config.NUMBA_NUM_THREADS]
        metafunc.parametrize("n_threads", possible, ids=[f"{count} threads" for count in possible])
