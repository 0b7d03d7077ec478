"""Python processes that start from nothing: what an import and a first call cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import fastlogit

ROOT = Path(__file__).resolve().parents[1]

IMPORT_NUMPY = "import numpy"
IMPORT_FASTLOGIT = "import numpy, fastlogit"

# Prints the seconds from the import to the end of the first call.
FIRST_CALL = """
import sys, time
import numpy as np
X, y = np.load(sys.argv[1]), np.load(sys.argv[2])
start = time.perf_counter()
import fastlogit
{call}
print(time.perf_counter() - start)
"""
# With some L2 strength: the tumours are separable, and without it they have no optimum.
FIRST_CALLS = {
    "sigmoid": "fastlogit.sigmoid(X)",
    "cost_gradient": "fastlogit.cost_gradient(X, y, np.zeros(X.shape[1]))",
    "fit": "fastlogit.fit(X, y, l2_reg=0.01)",
}


def environment(compile_cache: Path | None = None) -> dict[str, str]:
    """Let a child find this very package and these benchmarks, whatever its working directory."""
    package = Path(fastlogit.__file__).resolve().parents[1]
    child = dict(os.environ, PYTHONPATH=os.pathsep.join([str(package), str(ROOT)]))
    # Installed packages have their byte code: reading sources takes a warm first fit 0.25 s more.
    child.pop("PYTHONDONTWRITEBYTECODE", None)
    if compile_cache is not None:
        child["NUMBA_CACHE_DIR"] = str(compile_cache)
    return child


def run(*arguments: str, compile_cache: Path | None = None) -> tuple[float, str]:
    """Run Python with these arguments; return its wall seconds and what it printed."""
    # -P: the working directory must not come before the package under test.
    command = [sys.executable, "-P", "-W", "ignore", *arguments]
    start = time.perf_counter()
    done = subprocess.run(
        command, env=environment(compile_cache), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
    return seconds, done.stdout


def first_call(
    name: str, X_file: Path, y_file: Path, compile_cache: Path | None = None
) -> tuple[float, float]:
    """Return the seconds of the whole process, and those from `import fastlogit` to the result."""
    code = FIRST_CALL.format(call=FIRST_CALLS[name])
    whole, printed = run("-c", code, str(X_file), str(y_file), compile_cache=compile_cache)
    return whole, float(printed)
