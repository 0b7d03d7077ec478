"""Memory of fits of sparse rows, of L1 on them, and of categorical codes, beside that of X.

`python -m benchmarks.sparse_memory [--write docs/benchmarks.md]` prints the table, and writes it
into that page. Each row is measured in a process of its own, which fits fewer rows first: compiled
code and the stacks of threads are no part of a fit's memory. `--case NAME` is such a process.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import fastlogit

from . import fresh
from .markers import Place
from .memory import peak_above
from .tables import Line, about, table
from .workloads import Source, zipf_text

PLACE = Place("sparse-memory")
TOL = 1e-8
# Share of the rows in the fit before the one that is measured.
WARM_UP_SHARE = 0.2
# Rows and categories of each column of the frame.
N_CODED, LEVELS = 2_000_000, (20, 50, 500, 5_000)


def words(form: str) -> Callable[[int], tuple[Any, Any]]:
    """Return what makes rows of words, in a form of SciPy's, and their classes."""

    def made(shrink: int) -> tuple[Any, Any]:
        found = zipf_text(Source(shrink))
        return found.X.asformat(form), found.y

    return made


def coded(shrink: int) -> tuple[Any, Any]:
    """Return a frame of categorical columns, and classes that depend on them."""
    rng, n_samples = np.random.default_rng(5), max(2_000, N_CODED // shrink)
    columns, raw = {}, np.zeros(n_samples)
    for size in LEVELS:
        codes = rng.integers(0, size, n_samples)
        raw += rng.standard_normal(size)[codes]
        columns[f"of{size}"] = pd.Categorical.from_codes(codes, categories=np.arange(size))
    return pd.DataFrame(columns), (raw + rng.logistic(size=n_samples) > 0.0).astype(np.int64)


# What is measured: the name of its rows, what makes them, options of the fit, and the target.
CASES: dict[str, tuple[str, Callable[[int], tuple[Any, Any]], dict[str, float], float]] = {
    "csr": ("CSR", words("csr"), {"C": 1.0}, 1.2),
    "csc": ("CSC, of which a copy is made by rows", words("csc"), {"C": 1.0}, 2.2),
    "csr-l1": ("CSR, L1", words("csr"), {"C": 1.0, "l1_ratio": 1.0}, 2.2),
    "codes": ("categorical codes", coded, {"C": 1.0}, 1.2),
}


def size_of(X: Any) -> int:
    """Return the bytes that X takes."""
    if isinstance(X, pd.DataFrame):
        return int(sum(X[name].cat.codes.to_numpy().nbytes for name in X.columns))
    return int(X.data.nbytes + X.indices.nbytes + X.indptr.nbytes)


def check(X: Any, y: Any, fitted: Any, options: dict[str, float]) -> None:
    """Compare the cost of a fit with what NumPy says of its coefficients, and look at its bound."""
    assert fitted.converged, fitted.message
    coef, ratio = fitted.coef, options.get("l1_ratio", 0.0)
    if isinstance(X, pd.DataFrame):
        value = dict(zip(fitted.feature_names, coef, strict=True))
        raw = np.full(len(X), fitted.intercept)
        for name in X.columns:
            of_level = [value.get(f"{name}[{level}]", 0.0) for level in X[name].cat.categories]
            raw += np.array(of_level)[X[name].cat.codes]
    else:
        raw = X @ coef + fitted.intercept
    loss = np.logaddexp(0.0, np.where(y == 1, -raw, raw)).mean()
    size = ratio * np.abs(coef).sum() + 0.5 * (1.0 - ratio) * np.square(coef).sum()
    expected = loss + size / (options["C"] * len(y))
    np.testing.assert_allclose(fitted.history[-1], expected, rtol=1e-9)


def measure(name: str, shrink: int) -> tuple[int, int, str]:
    """Return the bytes of X, those that a fit takes above it, and the setting; in this process."""
    _, made, options, _ = CASES[name]
    X, y = made(shrink)
    few = slice(0, int(WARM_UP_SHARE * len(y)))
    part = X[few] if isinstance(X, pd.DataFrame) else X.tocsr()[few].asformat(X.format)
    check(part, y[few], fastlogit.fit(part, y[few], tol=TOL, **options), options)
    del part
    if sys.platform == "linux":  # what the fit before has left is no part of this one
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
    setting = " x ".join(f"{size:,}" for size in X.shape)
    if not isinstance(X, pd.DataFrame):
        setting += f", {X.nnz / X.shape[0]:.0f} values a row"
    above = peak_above(lambda: fastlogit.fit(X, y, tol=TOL, **options))
    return size_of(X), above, setting


def line(name: str, shrink: int) -> Line:
    """Measure a row in a process of its own."""
    asked = "-m", "benchmarks.sparse_memory", "--case", name, "--shrink", str(shrink)
    size, above, setting = fresh.run(*asked)[1].strip().split(" ", 2)
    title, _, _, limit = CASES[name]
    whole = (int(size) + int(above)) / int(size)
    times = f"X {int(size) / 1e6:.3g} MB, above it {int(above) / 1e6:.3g} MB"
    return Line("memory", title, setting, "X", whole, -limit, times, "times X")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shrink", type=int, default=1, help="divides rows and words")
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    parser.add_argument("--case", choices=list(CASES), help="measure it here, and print numbers")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    if asked.case:
        print(*measure(asked.case, asked.shrink))
        return
    said = about(
        "sparse_memory",
        f"Peak of the resident set during `fit` with C=1 to {TOL:g}, and X, over X; each in a "
        "process of its own, after a fit of a fifth of the rows. The last cell has no times but "
        "megabytes.",
    )
    text = table(said, [line(name, asked.shrink) for name in asked.only])
    print(text)
    if asked.write:
        PLACE.write(asked.write, text)


if __name__ == "__main__":
    main()
