"""Measure every row of the speed table in one run: `python -m benchmarks.speed`.

Calls that are compared take turns, each after the other, so that a noisy moment hits all of them;
a figure is made of medians. Every answer is checked against the oracle before it is timed.
`--only ROW` with `--json FILE` measures some rows anew and leaves the other ones in FILE;
`--table --json FILE` measures nothing; `--write docs/benchmarks.md` puts the table into that page.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import scipy
from scipy import special
from sklearn.datasets import load_breast_cancer

import fastlogit
from fastlogit import reference
from fastlogit.threads import thread_count

from . import answers, fresh, memory
from .markers import Place
from .problems import (
    Problem,
    bare_pass_call,
    cost_gradient_call,
    descent_call,
    make_problem,
    read_call,
    stable_step,
    tumours,
)

PLACE = Place("speed")
# After a matrix product OpenBLAS keeps a core busy, waiting for more work, and whoever comes next
# pays for it: two threads were as slow as one 0.1 s later, and at full speed 0.2 s later.
BLAS_PAUSE = 0.25


@dataclass(frozen=True)
class Figure:
    """One line of the table: what was measured, against what, and what it came to."""

    row: str
    what: str
    setting: str
    baseline: str
    target: float
    at_most: bool
    unit: str
    measured: float
    seconds: dict[str, float]
    date: str = ""
    commit: str = ""

    @property
    def met(self) -> bool:
        return self.measured <= self.target if self.at_most else self.measured >= self.target


@dataclass(frozen=True)
class Run:
    """How to measure: rounds, threads, and by what to divide the number of rows."""

    repeat: int
    threads: int
    shrink: int

    def rows(self, n_samples: int) -> int:
        return max(n_samples // self.shrink, 200)


def interleaved(
    calls: dict[str, Callable[[], Any]], repeat: int, pause: float = 0.0
) -> dict[str, float]:
    """Return the median seconds of each call; all take turns `repeat` times."""
    found = rounds(calls, repeat, pause)
    return {name: float(np.median(values)) for name, values in found.items()}


def rounds(
    calls: dict[str, Callable[[], Any]], repeat: int, pause: float = 0.0
) -> dict[str, list[float]]:
    """Return the seconds of each call in each round.

    Each round begins with another call, so that none always follows the same one.
    """
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    names = list(calls)
    for number in range(repeat):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            time.sleep(pause)
            start = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def row_sigmoid(run: Run) -> Iterator[Figure]:
    """`sigmoid` against SciPy for data in cache."""
    times, setting = _sigmoid_times(run, 1_000_000, 4 * run.repeat)
    yield Figure(
        "sigmoid", "sigmoid", setting, "scipy.special.expit", 5.0, False, "times faster",
        times["expit"] / times["sigmoid"], times,
    )  # fmt: skip


def row_sigmoid_memory(run: Run) -> Iterator[Figure]:
    """`sigmoid` against a copy for data in memory."""
    times, setting = _sigmoid_times(run, 20_000_000, run.repeat)
    yield Figure(
        "sigmoid_memory", "sigmoid", setting, "np.copyto", 1.3, True, "times its time",
        times["sigmoid"] / times["copyto"], times,
    )  # fmt: skip


def _sigmoid_times(run: Run, size: int, repeat: int) -> tuple[dict[str, float], str]:
    argument = answers.element_input("sigmoid", run.rows(size), "float64")
    out = np.empty_like(argument)
    calls: dict[str, Callable[[], Any]] = {
        "sigmoid": lambda: fastlogit.sigmoid(argument, out, n_threads=run.threads),
        "expit": lambda: special.expit(argument, out=out),
        "copyto": lambda: np.copyto(out, argument),
    }
    answers.check_elements("sigmoid", argument, calls["sigmoid"]())
    answers.check_elements("sigmoid", argument, calls["expit"]())
    return interleaved(calls, repeat), f"{argument.size:,} float64, {run.threads} threads"


def row_pass_100(run: Run) -> Iterator[Figure]:
    """One pass over long rows against a read, and against NumPy."""
    yield from _pass_figures(run, "pass_100", (1_000_000, 100), read=1.5, numpy=3.0)


def row_pass_500(run: Run) -> Iterator[Figure]:
    """One pass over longer rows against a read."""
    yield from _pass_figures(run, "pass_500", (250_000, 500), read=1.5)


def row_pass_10(run: Run) -> Iterator[Figure]:
    """One pass over short rows against NumPy."""
    yield from _pass_figures(run, "pass_10", (1_000_000, 10), numpy=6.0)


def _pass_figures(
    run: Run, row: str, shape: tuple[int, int], read: float = 0.0, numpy: float = 0.0
) -> Iterator[Figure]:
    problem = make_problem((run.rows(shape[0]), shape[1]))
    setting = _setting(problem, run)
    calls: dict[str, Callable[[], Any]] = {
        "cost_gradient": cost_gradient_call(problem, run.threads),
        "bare pass": bare_pass_call(problem, run.threads),
    }
    for call in calls.values():
        answers.check_cost_gradient(problem, call())
    if read:
        calls["read"] = read_call(problem.X, run.threads)
        answers.check_read(problem.X, calls["read"]())
        time.sleep(BLAS_PAUSE)
        times = interleaved(calls, 2 * run.repeat)
        for name, what in (("cost_gradient", "cost_gradient"), ("bare pass", "its pass alone")):
            yield Figure(
                row, what, setting, "a parallel read of X", read, True, "times its time",
                times[name] / times["read"], times,
            )  # fmt: skip
    if numpy:
        target = problem.y.astype(np.float64)
        arguments = (problem.X, target, problem.coef, problem.intercept)
        pair = {
            "cost_gradient": calls["cost_gradient"],
            "NumPy": lambda: reference.cost_gradient(*arguments),
        }
        times = interleaved(pair, run.repeat, BLAS_PAUSE)
        yield Figure(
            row, "cost_gradient", setting, "NumPy", numpy, False, "times faster",
            times["NumPy"] / times["cost_gradient"], times,
        )  # fmt: skip


def row_descent_small(run: Run) -> Iterator[Figure]:
    """Steps of gradient descent on the tumour data."""
    yield _descent_figure(run, "descent_small", tumours(), 2_000, run.repeat)


def row_descent_large(run: Run) -> Iterator[Figure]:
    """Steps of gradient descent on a million rows."""
    problem = make_problem((run.rows(1_000_000), 50))
    yield _descent_figure(run, "descent_large", problem, 30, max(3, run.repeat // 3))


def _descent_figure(run: Run, row: str, problem: Problem, n_iter: int, repeat: int) -> Figure:
    step_size = stable_step(problem.X)
    descend = descent_call(problem, step_size, n_iter, run.threads)
    answers.check_descent(problem, step_size, n_iter, descend())
    target = problem.y.astype(np.float64)
    calls = {
        "fastlogit": descend,
        "NumPy": lambda: reference.gradient_descent(problem.X, target, step_size, n_iter),
    }
    times = interleaved(calls, repeat, BLAS_PAUSE)
    per_step = {name: seconds / n_iter for name, seconds in times.items()}
    return Figure(
        row, "gradient_descent, a step", f"{_setting(problem, run)}, {n_iter:,} steps",
        "the same loop in NumPy", 4.0, False, "times faster",
        per_step["NumPy"] / per_step["fastlogit"], per_step,
    )  # fmt: skip


def row_import(run: Run) -> Iterator[Figure]:
    """`import fastlogit` in a fresh process, less `import numpy` in another."""
    calls = {
        "import fastlogit": lambda: fresh.run("-c", fresh.IMPORT_FASTLOGIT),
        "import numpy": lambda: fresh.run("-c", fresh.IMPORT_NUMPY),
    }
    interleaved(calls, 1)
    times = interleaved(calls, 2 * run.repeat)
    above = times["import fastlogit"] - times["import numpy"]
    yield Figure(
        "import", "import fastlogit", "fresh process", "import numpy", 60.0, True, "ms above",
        1e3 * above, times,
    )  # fmt: skip


def row_first_fit(run: Run) -> Iterator[Figure]:
    """The first fit of a fresh process, with a warm and with an empty compile cache."""
    with tempfile.TemporaryDirectory() as folder:
        X_file, y_file = Path(folder, "X.npy"), Path(folder, "y.npy")
        X, y = load_breast_cancer(return_X_y=True)
        np.save(X_file, X)
        np.save(y_file, y)
        for cache, target, repeat in (
            ("warm", 0.6, run.repeat),
            ("empty", 8.0, max(1, run.repeat // 5)),
        ):
            times = _first_fit_times(Path(folder), X_file, y_file, cache, repeat)
            setting = f"fresh process, {cache} cache, tumour data 569 x 30"
            for what, baseline, measured in (
                (
                    "first fit, whole process",
                    "a process that imports numpy",
                    times["whole process"] - times["import numpy"],
                ),
                ("first fit, import to result", "none", times["import to result"]),
            ):
                unit = "s above" if baseline != "none" else "s"
                yield Figure(
                    "first_fit", what, setting, baseline, target, True, unit, measured, times
                )


def _first_fit_times(
    folder: Path, X_file: Path, y_file: Path, cache: str, repeat: int
) -> dict[str, float]:
    warm = folder / "warm"
    if cache == "warm":
        fresh.first_call("fit", X_file, y_file, warm)
    whole, inside, bare = [], [], []
    for number in range(repeat):
        compile_cache = warm if cache == "warm" else folder / f"empty-{number}"
        both = fresh.first_call("fit", X_file, y_file, compile_cache)
        whole.append(both[0])
        inside.append(both[1])
        bare.append(fresh.run("-c", fresh.IMPORT_NUMPY)[0])
    names = ("whole process", "import to result", "import numpy")
    medians = (float(np.median(values)) for values in (whole, inside, bare))
    return dict(zip(names, medians, strict=True))


def row_memory(run: Run) -> Iterator[Figure]:
    """Memory during a fit above that before it."""
    shape = (run.rows(2_500_000), 100)
    size = 8 * shape[0] * shape[1]
    start = time.perf_counter()
    share = 100.0 * memory.extra_bytes(shape) / size
    setting = f"{shape[0]:,} x {shape[1]} float64 ({size / 1e9:.2g} GB), default threads"
    yield Figure(
        "memory", "fit, peak memory", setting, "before the fit", 3.0, True, "% of X above",
        share, {"process": time.perf_counter() - start},
    )  # fmt: skip


ROWS: dict[str, Callable[[Run], Iterator[Figure]]] = {
    "sigmoid": row_sigmoid,
    "sigmoid_memory": row_sigmoid_memory,
    "pass_100": row_pass_100,
    "pass_500": row_pass_500,
    "pass_10": row_pass_10,
    "descent_small": row_descent_small,
    "descent_large": row_descent_large,
    "import": row_import,
    "first_fit": row_first_fit,
    "memory": row_memory,
}


def _setting(problem: Problem, run: Run) -> str:
    n_samples, n_features = problem.X.shape
    return f"{n_samples:,} x {n_features} {problem.X.dtype}, {run.threads} threads"


def machine() -> dict[str, str]:
    """Describe what the figures were measured on."""
    return {
        "cpu": _cpu_model(),
        "cores": str(os.cpu_count()),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "numba": numba.__version__,
        "fastlogit": fastlogit.__version__,
    }


def commit() -> str:
    """Return the commit of the package measured; "" where it lies in no repository of its own."""
    package = Path(fastlogit.__file__).resolve().parent

    def git(*words: str) -> str:
        found = subprocess.run(
            ["git", "-C", str(package.parent), *words], capture_output=True, text=True, check=False
        )
        return found.stdout.strip()

    try:
        if not git("ls-files", str(package / "__init__.py")):
            return ""
        changed = git("status", "--porcelain", "--", str(package))
        return git("rev-parse", "--short", "HEAD") + (" with changes" if changed else "")
    except FileNotFoundError:  # no git
        return ""


def when(figures: list[Figure]) -> str:
    """Return the days of the figures and the commits of the code: "2026-01-02, commit 0123abc"."""
    dates = sorted({figure.date for figure in figures})
    commits = list(dict.fromkeys(figure.commit for figure in figures if figure.commit))
    days = " to ".join(dict.fromkeys([dates[0], dates[-1]]))
    named = f", commit{'s' * (len(commits) > 1)} {' and '.join(commits)}," if commits else ""
    return days + named


def _cpu_model() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def short_seconds(seconds: float) -> str:
    """Write a time with three digits and a unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def target_text(figure: Figure) -> str:
    """Write the target as a bound."""
    return f"{'<=' if figure.at_most else '>='} {figure.target:g}"


def cells(figure: Figure) -> list[str]:
    """Return the table's cells of one figure."""
    return [
        figure.what,
        figure.setting,
        figure.baseline,
        f"{target_text(figure)} {figure.unit}",
        f"{figure.measured:.3g}",
        "yes" if figure.met else "NO",
        ", ".join(f"{name} {short_seconds(t)}" for name, t in figure.seconds.items()),
    ]


HEADER = ["what", "with", "against", "target", "measured", "met", "median times"]


def plain_table(figures: list[Figure]) -> str:
    """Return the figures in aligned columns."""
    lines = [HEADER, *(cells(figure) for figure in figures)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def markdown_table(figures: list[Figure]) -> str:
    """Return the figures as a Markdown table."""
    lines = [HEADER, ["---"] * len(HEADER), *(cells(figure) for figure in figures)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def section(machine: dict[str, str], figures: list[Figure]) -> str:
    """Return what the page of benchmarks says: where the figures were measured, and the table."""
    about = (
        f"Measured {when(figures)} on {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}; Python {machine['python']}, NumPy {machine['numpy']}, "
        f"SciPy {machine['scipy']}, numba {machine['numba']}. Medians of calls that take turns in "
        "one run of `python -m benchmarks.speed`; NumPy with its BLAS on all cores."
    )
    return f"{about}\n\n{markdown_table(figures)}"


def load(path: Path) -> tuple[dict[str, str], list[Figure]]:
    """Read the machine and the figures that an earlier run left in `path`."""
    content = json.loads(path.read_text("utf-8"))
    return content["machine"], [Figure(**figure) for figure in content["figures"]]


def save(path: Path, figures: list[Figure]) -> list[Figure]:
    """Write the figures to `path`, in the place of older ones of their rows; return all."""
    here = machine()
    if path.exists():
        there, old = load(path)
        if (there["cpu"], there["cores"]) != (here["cpu"], here["cores"]):
            raise SystemExit(f"{path} holds figures of another machine: {there}; not merged")
        measured = {figure.row for figure in figures}
        figures = figures + [figure for figure in old if figure.row not in measured]
    order = list(ROWS)
    figures = sorted(figures, key=lambda figure: order.index(figure.row))
    content = {"machine": here, "figures": [asdict(figure) for figure in figures]}
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return figures


def measure(rows: list[str], run: Run) -> list[Figure]:
    """Measure the rows one after the other; say on stderr what came out."""
    source = {"date": datetime.date.today().isoformat(), "commit": commit()}
    figures = []
    for row in rows:
        start = time.perf_counter()
        found = [Figure(**{**asdict(figure), **source}) for figure in ROWS[row](run)]
        gc.collect()
        print(f"# {row}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
        print(plain_table(found), file=sys.stderr, flush=True)
        figures += found
    return figures


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    only = f"measure this row alone (may be repeated): {', '.join(ROWS)}"
    add("--only", action="append", choices=list(ROWS), metavar="ROW", help=only)
    add("--repeat", type=int, default=15, help="rounds of each comparison")
    add("--threads", type=int, default=None, help="default: all that may be used")
    add("--json", type=Path, help="keep the figures here; rows not measured stay")
    add("--table", action="store_true", help="measure nothing, print the table of --json")
    add("--write", type=Path, help=f"page to write the table into, at {PLACE.begin}")
    add("--shrink", type=int, default=1, help="divide the numbers of rows, to try this script out")
    options = parser.parse_args(arguments)
    if (options.json or options.write) and options.shrink != 1:
        parser.error("figures of a shrunk run are not worth keeping: no --json, no --write")
    if options.table and not options.json:
        parser.error("--table needs --json")
    if options.write and options.only and not options.json:
        parser.error("--write after --only would lose the other rows: add the --json of all")
    here, figures = machine(), []
    if options.table:
        here, figures = load(options.json)
    else:
        run = Run(options.repeat, thread_count(options.threads), options.shrink)
        figures = measure(options.only or list(ROWS), run)
        if options.json:
            figures = save(options.json, figures)
    print(plain_table(figures), end="\n\n")
    print(section(here, figures))
    if options.write:
        PLACE.write(options.write, section(here, figures))


if __name__ == "__main__":
    main()
