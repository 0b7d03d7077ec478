"""One regression for each of many columns, beside plink2 and loops: `python -m benchmarks.scan`.

10,000 rows x 8 covariates and 20,000 genotype columns, by `scan`, by plink2 (a Debian package, of
which the whole run is timed, as its users wait for it: reading 50 MB of packed genotypes is a small
part), and by loops over scikit-learn and statsmodels over the first columns. Calls take turns; a
figure is the median. Each answer is checked before it is timed, against the oracle; plink2's, in
float32, to the digits that it prints. What is not installed is left out. `--write PAGE` puts the
table into a page, as the other scripts do.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from sklearn.linear_model import LogisticRegression

import fastlogit
from fastlogit import reference

from .markers import Place
from .tables import Line, about, in_order, table

PLACE = Place("scan")
# What was asked for: times plink2 without and with Firth's penalty, times one thread.
FASTER, FASTER_FIRTH, SPEEDUP = 8.0, 15.0, 1.8
N_ROWS, N_COVARIATES, N_COLUMNS, N_PEERS, N_CHECKED = 10_000, 8, 20_000, 50, 10
TURNS = 3
# How far a coefficient may be from the oracle's, in standard errors, and plink2's.
NEAR, NEAR_FLOAT32 = 1e-6, 2e-3


def make_columns(n_rows: int, n_columns: int) -> tuple[Any, Any, Any]:
    """Covariates, genotypes in columns (Fortran order), and labels that a few of them change."""
    rng = np.random.default_rng([n_rows, n_columns])
    X = rng.standard_normal((n_rows, N_COVARIATES))
    columns = np.empty((n_columns, n_rows), dtype=np.int8)
    for column, frequency in zip(columns, rng.uniform(0.02, 0.5, n_columns), strict=True):
        column[:] = rng.binomial(2, frequency, n_rows)
    z = X @ rng.normal(0.0, 0.3, N_COVARIATES) + 0.1 * columns[:10].sum(axis=0)
    return X, columns.T, (z - 1.0 + rng.logistic(size=n_rows) > 0.0).astype(np.uint8)


# ------------------------------------------------------------------------------------------------
# plink2


class Plink:
    """A study on disk, and plink2's regressions of it."""

    def __init__(self, folder: Path, X: Any, columns: Any, y: Any, n_threads: int) -> None:
        self.folder, self.n_threads = folder, n_threads
        self._write(X, columns, y)
        self.run("--bfile", "study", "--make-pgen", "--out", "study")

    def _write(self, X: Any, columns: Any, y: Any) -> None:
        n_rows, n_columns = columns.shape
        codes = np.zeros((n_columns, (n_rows + 3) // 4 * 4), dtype=np.uint8)
        codes[:, :n_rows] = np.array([3, 2, 0], dtype=np.uint8)[columns.T]
        fours = codes.reshape(n_columns, -1, 4)
        packed = fours[:, :, 0] | fours[:, :, 1] << 2 | fours[:, :, 2] << 4 | fours[:, :, 3] << 6
        path = self.folder / "study"
        path.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + packed.tobytes())
        path.with_suffix(".fam").write_text(
            "".join(f"p{i} p{i} 0 0 1 {label + 1}\n" for i, label in enumerate(y.tolist()))
        )
        path.with_suffix(".bim").write_text(
            "".join(f"1 v{j} 0 {j + 1} B A\n" for j in range(n_columns))
        )
        head = "FID IID " + " ".join(f"C{k}" for k in range(X.shape[1]))
        lines = [f"p{i} p{i} " + " ".join(f"{x:.17g}" for x in row) for i, row in enumerate(X)]
        path.with_suffix(".cov").write_text("\n".join([head, *lines]) + "\n")

    def run(self, *arguments: str) -> None:
        subprocess.run(
            ["plink2", *arguments, "--threads", str(self.n_threads)],
            cwd=self.folder, check=True, capture_output=True, text=True,
        )  # fmt: skip

    def glm(self, firth: str) -> None:
        self.run(
            "--pfile", "study", "--covar", "study.cov", "--glm", firth, "hide-covar",
            "cols=test,nobs,beta,se,p", "--out", "found",
        )  # fmt: skip

    def answers(self) -> Any:
        """Coefficients and standard errors of the last run, (n_columns, 2)."""
        (path,) = self.folder.glob("found.PHENO1.glm.*")
        with path.open() as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        found = np.array([[row["BETA"], row["SE"]] for row in rows]).astype(float)
        path.unlink()
        return found


# ------------------------------------------------------------------------------------------------
# Loops


def sklearn_loop(X: Any, columns: Any, y: Any) -> Any:
    """Coefficients; standard errors it has none."""
    model = LogisticRegression(solver="newton-cholesky", C=np.inf, tol=1e-8)
    rows = np.column_stack([X, np.zeros(len(X))])
    found = []
    for column in columns.T:
        rows[:, -1] = column
        found.append([model.fit(rows, y).coef_[0, -1], np.nan])
    return np.array(found)


def statsmodels_loop(X: Any, columns: Any, y: Any) -> Any:
    from statsmodels.api import Logit

    rows = np.column_stack([X, np.zeros(len(X)), np.ones(len(X))])
    found = []
    for column in columns.T:
        rows[:, -2] = column
        result = Logit(y, rows).fit(disp=0, method="newton", tol=1e-8)
        found.append([result.params[-2], result.bse[-2]])
    return np.array(found)


def loops() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {"scikit-learn": sklearn_loop}
    if importlib.util.find_spec("statsmodels") is not None:
        found["statsmodels"] = statsmodels_loop
    return found


# ------------------------------------------------------------------------------------------------
# Checks and times


def oracle(X: Any, column: Any, y: Any, firth: bool) -> tuple[float, float]:
    rows = np.column_stack([X, column]).astype(float)
    if firth:
        coef, intercept, _ = reference.firth(rows, y)
    else:
        coef, intercept, _ = reference.newton(rows, y)
    information = len(y) * reference.hessian(rows, coef, intercept)
    return coef[-1], float(np.sqrt(np.linalg.inv(information)[-2, -2]))


def check(name: str, found: Any, X: Any, columns: Any, y: Any, near: float, firth: bool) -> None:
    """Raise unless the first coefficients and standard errors are those of the oracle."""
    for (coef, error), column in zip(found[:N_CHECKED], columns.T, strict=False):
        best, spread = oracle(X, column, y, firth)
        # plink2 counts the other allele.
        away = min(abs(coef - best), abs(coef + best)) / spread
        if not away <= near or abs(error / spread - 1.0) > near:  # no error is NaN
            raise AssertionError(f"{name}: {away:.2g} standard errors away, error {error}")


def answers(result: fastlogit.ScanResult) -> Any:
    assert result.converged.all(), result
    return np.column_stack([result.coef, result.standard_errors])


def compare(n_rows: int, n_columns: int, turns: int) -> str:
    """Measure, and return what a page says of it."""
    X, columns, y = make_columns(n_rows, n_columns)
    n_threads = min(2, numba.config.NUMBA_NUM_THREADS)
    print(f"{n_rows:,} rows x {N_COVARIATES}, {n_columns:,} int8 columns, {n_threads} threads")
    few = columns[:, :N_PEERS]
    calls: dict[str, tuple[Callable[[], Any], int]] = {}
    for firth in (False, True):
        kind = "firth" if firth else "no-firth"
        for n in sorted({1, n_threads}):
            name = f"scan, {kind}, threads: {n}"
            ours = partial(fastlogit.scan, X, columns, y, firth=firth, n_threads=n)
            check(name, answers(ours()), X, columns, y, NEAR, firth)
            calls[name] = ours, n_columns
    for name, loop in loops().items():
        calls[f"a loop over {name}, no-firth"] = partial(loop, X, few, y), few.shape[1]
        check(name, loop(X, few[:, :N_CHECKED], y), X, columns, y, NEAR, False)
    with tempfile.TemporaryDirectory() as folder:
        if shutil.which("plink2"):
            plink = Plink(Path(folder), X, columns, y, n_threads)
            for kind in ("no-firth", "firth"):
                plink.glm(kind)
                check("plink2", plink.answers(), X, columns, y, NEAR_FLOAT32, kind == "firth")
                calls[f"plink2, {kind}"] = partial(plink.glm, kind), n_columns
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(turns):
            for name, (call, count) in calls.items():
                began = time.perf_counter()
                call()
                times[name].append(1e6 * (time.perf_counter() - began) / count)
    medians = {name: float(np.median(each)) for name, each in times.items()}
    print("| | us a column | s for all |\n| --- | --- | --- |")
    for name, value in medians.items():
        print(f"| {name} | {value:.0f} | {1e-6 * value * n_columns:.2f} |")
    return section(medians, n_rows, n_columns, n_threads)


def section(found: dict[str, float], n_rows: int, n_columns: int, n_threads: int) -> str:
    """Return what a page says of the medians, in microseconds a column."""
    said = about(
        "scan",
        "Median times a column of calls that take turns in one run. plink2 computes in float32, is "
        "timed as a process of the same number of threads, and gives Wald's test alone; the loops "
        "fit some of the columns.",
    )
    setting = (
        f"{n_rows:,} rows x {N_COVARIATES} covariates, {n_columns:,} int8 columns, "
        f"{n_threads} threads"
    )
    times = in_order(found, 1.0)
    ours = {kind: found[f"scan, {kind}, threads: {n_threads}"] for kind in ("no-firth", "firth")}
    rows = []
    for kind, limit in (("no-firth", FASTER), ("firth", FASTER_FIRTH)):
        if f"plink2, {kind}" in found:
            rows.append((f"plink2 --glm {kind}", limit, found[f"plink2, {kind}"] / ours[kind]))
    for name, value in found.items():
        if name.startswith("a loop"):
            rows.append((name.partition(",")[0], FASTER, value / ours["no-firth"]))
    rows.append(("on 1 thread", SPEEDUP, found["scan, no-firth, threads: 1"] / ours["no-firth"]))
    return table(
        said,
        [
            Line("scan", "scan", setting, against, value, limit, times)
            for against, limit, value in rows
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--columns", type=int, default=N_COLUMNS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        said = compare(arguments.rows, arguments.columns, arguments.turns)
    if arguments.write is not None:
        PLACE.write(arguments.write, said)
