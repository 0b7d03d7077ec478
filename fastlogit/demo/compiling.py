"""Compiling before the studies, so that their times are theirs."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator

from fastlogit import threads
from fastlogit.clock import activity
from fastlogit.demo.data import N_THREADS, split, tumours
from fastlogit.fitting.fit import fit, gradient_descent
from fastlogit.kernels.policy import cache_folder, numba_setting
from fastlogit.objective.penalties import L2

#: Rows of fewer than eight columns and of more have kernels of their own.
KINDS: dict[str, tuple[str, ...]] = {"narrow": ("mean radius",), "wide": ()}


def compile_kernels() -> None:
    """Fit and predict, so that no study's time includes that of the compiler.

    From an empty cache another process compiles for wide rows at the same time: numba's compiler
    holds a lock, so that threads would wait for each other.
    """
    before = activity().n_compiled
    with _process_that_compiles("wide") as helper:
        compile_kind("narrow")
        if helper is not None and activity().n_compiled > before:
            helper.wait()  # else all is on the disk, also what the other process looks for
    compile_kind("wide")


def compile_kind(kind: str) -> None:
    """Call what the studies call, on rows of one kind, in one thread.

    Small data have a kernel of their own, the same for both kinds; digits take the other way, as
    fits with a penalty that is an object do.
    """
    data = split(*tumours(*KINDS[kind]))
    gradient_descent(data.X, data.y, tol=1.0, n_threads=N_THREADS)
    penalty = L2(1.0, data.X.shape[1]) if kind == "wide" else None
    fitted = fit(data.X, data.y, penalty=penalty, solver="newton", n_threads=N_THREADS)
    fitted.predict_proba(data.X, n_threads=N_THREADS)


# What the other process runs: it finds this very package, whatever its own path would be.
_COMPILE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from fastlogit.demo.compiling import compile_kind; compile_kind(sys.argv[2])"
)


@contextlib.contextmanager
def _process_that_compiles(kind: str) -> Iterator[subprocess.Popen[bytes] | None]:
    """Start a process that fills the cache on the disk, for the block; None where it is of no use.

    If it fails, this process compiles what it did not.
    """
    folder = cache_folder()
    helper = None
    if sys.executable and folder is not None and threads.usable_cpus() > 1:
        settings = dict(os.environ)
        if numba_setting("CACHE_DIR"):
            settings["NUMBA_CACHE_DIR"] = str(numba_setting("CACHE_DIR"))
        command = [sys.executable, "-c", _COMPILE, json.dumps(sys.path), kind]
        silent = subprocess.DEVNULL
        with contextlib.suppress(OSError):
            helper = subprocess.Popen(
                command, env=settings, stdin=silent, stdout=silent, stderr=silent
            )
    try:
        yield helper
    finally:  # Ctrl-C too
        if helper is not None:
            helper.kill()
            helper.wait()
