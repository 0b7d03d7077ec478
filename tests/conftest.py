"""For all tests: no windows, seeded random numbers, a report of how numba runs."""

import os

os.environ.setdefault("MPLBACKEND", "Agg")  # before anything imports matplotlib

import numba
import numpy as np
import pytest


def pytest_report_header() -> str:
    """Say how numba is set up: the passes of .ci/run differ only in this."""
    config = numba.config
    return (
        f"numba {numba.__version__}, numpy {np.__version__}, "
        f"jit {'off' if config.DISABLE_JIT else 'on'}, "
        f"boundscheck {'on' if config.BOUNDSCHECK else 'off'}, "
        f"threads {config.NUMBA_NUM_THREADS}, layer {config.THREADING_LAYER}"
    )


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator that starts at the same state in every test."""
    return np.random.default_rng(20260101)
