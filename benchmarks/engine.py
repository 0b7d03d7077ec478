"""Measure the engine's table: whole fits against the best peer, passes, growth, memory, threads.

`python -m benchmarks.engine --peers-python PATH` runs every row; PATH is the Python of an
environment made from peers-requirements.txt. `--only ROW` with `--json FILE` measures some rows
anew and leaves the others in FILE; `--table --json FILE` prints the table of an earlier run.
`--write docs/benchmarks.md` puts the table into that page.

Everyone solves the same problem, C * sum(loss) + |coef|^2 / 2, and every result is judged by
`objective_value` before its time counts. Fits that are compared take turns in the same run.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import fastlogit
from fastlogit import reference
from fastlogit.design.dense import DenseDesign
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.objective import Objective
from fastlogit.threads import thread_count

from . import answers, contest, fresh, memory, peers, workloads
from .contest import BLAS_PAUSE, Rules, Standing
from .markers import Place
from .optimum import objective_value, optimum
from .problems import Problem, read_call
from .speed import Figure, commit, interleaved, machine, short_seconds, target_text, when
from .workloads import WORKLOADS, Source, Workload

__all__ = ["ROWS", "main", "measure", "objective_value", "table"]

# Relative suboptimality that everyone's result must have.
ACCURACY = 1e-8
# Workloads that take longer than this on one thread are to gain from a second.
LONG_ENOUGH = 0.05
THREADS_GAIN = 1.7
PEER_LIMIT = 60.0
QUICK = 500
PLACE = Place("engine")


@dataclass(frozen=True)
class Run:
    """How to measure: rounds, threads, divisor of the rows, and the peers' Python if any."""

    repeat: int
    threads: int
    shrink: int = 1
    peers_python: str | None = None
    limit: float = PEER_LIMIT

    @property
    def source(self) -> Source:
        return Source(self.shrink, self.peers_python)


@dataclass(frozen=True)
class Goal:
    """What a workload's fit has to come to; None where nothing was set.

    `accuracy` is what the peers have to reach, never what is asked of fastlogit.
    """

    faster: float
    reads: float | None = None
    milliseconds: float | None = None
    accuracy: float = ACCURACY


GOALS = {
    "wide_scales": Goal(12.0, reads=18.0),
    "standardised": Goal(8.0),
    "features_300": Goal(10.0, reads=25.0),
    "features_20": Goal(10.0),
    "few_rows": Goal(5.0),
    "small": Goal(4.0, milliseconds=1.5),
    "tumours": Goal(4.0),
    # Ahead of peers that stop earlier, too: snapml came to 2e-6 in 9 s, the first to reach 1e-8 was
    # cyanure after 16 s.
    "digits": Goal(8.0, accuracy=1e-5),
}

# Columns, dtype, models, and the reads of X as float64 that one pass may take.
PASSES = [
    (100, "float64", 1, 1.25),
    (28, "float64", 1, 2.0),
    (10, "float64", 1, 3.0),
    (100, "float32", 1, 0.625),
    (28, "float32", 1, 1.0),
    (10, "float32", 1, 1.5),
    (100, "float64", 10, 3.0),
]

GROWTH = (10_000, 100_000, 1_000_000, 10_000_000)
GROWTH_LIMIT = 1.25
MEMORY_SHAPE = (1_250_000, 100)
MEMORY_SHARE = 5.0


@dataclass(frozen=True)
class Outcome:
    """What one row of the table came to: its figures, and how each peer did."""

    figures: list[Figure]
    standings: list[Standing]
    notes: list[str]


def fit(workload: Workload, n_threads: int) -> Any:
    """Fit to the accuracy that everyone is asked for."""
    return fastlogit.fit(workload.X, workload.y, C=workload.C, tol=ACCURACY, n_threads=n_threads)


def row_fit(row: str, run: Run) -> Outcome:
    """A whole fit against the best peer and against reads of X, on one thread and on all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workload = WORKLOADS[row](run.source, folder)
        judge = judge_of(workload)
        standings = _contest(row, workload, folder, judge, run)
        time.sleep(BLAS_PAUSE)
        result = fit(workload, run.threads)
        gap = judge(result.coef, result.intercept)
        time.sleep(BLAS_PAUSE)
        times = _timed(workload, folder, standings, run)
    figures = list(_fit_figures(row, workload, times, standings, gap, run))
    about = (
        f"{row}: {result.n_passes:.4g} passes, relative suboptimality {gap:.1e} "
        f"(proven: {np.max(result.suboptimality):.1e}); {result.message}"
    )
    return Outcome(figures, standings, [about, *contest.missing(standings)])


def judge_of(workload: Workload) -> contest.Judge:
    """Return a function that says by what share a point's objective exceeds the optimum's."""
    X, y, C = workload.X, workload.y, workload.C
    least = objective_value(X, y, *optimum(X, y, C), C)

    def judge(coef: Any, intercept: Any) -> float:
        return objective_value(X, y, coef, intercept, C) / least - 1.0

    return judge


def _contest(
    row: str, workload: Workload, folder: Path, judge: contest.Judge, run: Run
) -> list[Standing]:
    if run.peers_python is None:
        return []
    np.save(folder / "X.npy", workload.X)
    np.save(folder / "y.npy", workload.y)
    rules = Rules(run.peers_python, run.threads, run.limit, GOALS[row].accuracy)
    return contest.contest(list(peers.PEERS), folder, workload.C, judge, rules, say)


def say(standing: Standing) -> None:
    outcome = standing.note if standing.seconds is None else short_seconds(standing.seconds)
    print(f"#   {standing.peer}: {outcome}", file=sys.stderr, flush=True)


def _timed(
    workload: Workload, folder: Path, standings: list[Standing], run: Run
) -> dict[str, float]:
    """Median seconds of fits, a read, and the best peer's fits, all taking turns."""
    calls: dict[str, Callable[[], Any]] = {
        "fastlogit": lambda: fit(workload, run.threads),
        "read": read_call(workload.X, run.threads),
    }
    if run.threads > 1:
        calls["1 thread"] = lambda: fit(workload, 1)
    best = standings[0] if standings and standings[0].seconds is not None else None
    pause = 0.0 if workload.X.size < 1_000_000 else BLAS_PAUSE
    repeat = _rounds(calls, run)
    if best is None or best.seconds > contest.LONG:
        times = interleaved(calls, repeat, pause)
        return times if best is None else {**times, best.peer: best.seconds}
    rules = Rules(run.peers_python, run.threads, run.limit)
    return in_turns(calls, best, folder, workload.C, rules, repeat, pause)


def in_turns(
    calls: dict[str, Callable[[], Any]], best: Standing, folder: Path, C: float, rules: Rules,
    repeat: int, pause: float,
) -> dict[str, float]:  # fmt: skip
    """Median seconds of the calls and of a peer's fits in a process of its own, taking turns."""
    with contest.Worker(best.peer, folder, C, rules) as worker:
        worker.receive(contest.STARTING)
        inside: list[float] = []

        def peer_call() -> None:
            inside.append(worker.fit(best.tol, contest.LADDER_LIMIT * rules.limit)["seconds"])

        peer_call()
        inside.clear()
        times = interleaved({**calls, best.peer: peer_call}, repeat, pause)
        # Its own clock: what the worker's answer took to come here is not the peer's fault.
        return {**times, best.peer: float(np.median(inside))}


def _rounds(calls: dict[str, Callable[[], Any]], run: Run) -> int:
    """Warm every call once; return more rounds for short ones."""
    start = time.perf_counter()
    for call in calls.values():
        call()
    return run.repeat * (5 if time.perf_counter() - start < 0.1 else 1)


def _fit_figures(
    row: str,
    workload: Workload,
    times: dict[str, float],
    standings: list[Standing],
    gap: float,
    run: Run,
) -> Iterator[Figure]:
    goal, own = GOALS[row], times["fastlogit"]
    setting = f"{workload.setting}, {run.threads} threads"
    figure = partial(Figure, row=row, setting=setting, seconds=times)
    yield figure(
        what="fit, relative suboptimality", baseline="the optimum by NumPy", target=ACCURACY,
        at_most=True, unit="", measured=gap,
    )  # fmt: skip
    # A fit that misses the optimum counts as none.
    fair = gap <= ACCURACY
    if standings and standings[0].seconds is not None:
        best = standings[0].peer
        yield figure(
            what="fit", baseline=f"best peer to {goal.accuracy:g}: {best}", target=goal.faster,
            at_most=False, unit="times faster", measured=times[best] / own if fair else 0.0,
        )  # fmt: skip
    if goal.reads is not None:
        yield figure(
            what="fit", baseline="a parallel read of X", target=goal.reads, at_most=True,
            unit="times its time", measured=own / times["read"] if fair else np.inf,
        )  # fmt: skip
    if goal.milliseconds is not None:
        yield figure(
            what="fit", baseline="none", target=goal.milliseconds, at_most=True, unit="ms",
            measured=1e3 * own if fair else np.inf,
        )  # fmt: skip
    if times.get("1 thread", 0.0) > LONG_ENOUGH:
        yield figure(
            what=f"fit on {run.threads} threads", baseline="on 1 thread", target=THREADS_GAIN,
            at_most=False, unit="times faster", measured=times["1 thread"] / own,
        )  # fmt: skip


def row_pass(run: Run) -> Outcome:
    """One pass, of one model or ten, against reading X as float64 once."""
    figures = []
    for n_features, dtype, n_models, target in PASSES:
        problem = workloads.one_pass(run.source, n_features, dtype)
        call = pass_call(problem, n_models, run.threads)
        check_pass(problem, n_models, call())
        wide = problem.X.astype(np.float64, copy=False)
        calls = {"pass": call, "read": read_call(wide, run.threads)}
        answers.check_read(wide, calls["read"]())
        time.sleep(BLAS_PAUSE)
        times = interleaved(calls, 3 * run.repeat)
        n_samples = problem.X.shape[0]
        setting = f"{n_samples:,} x {n_features} {dtype}, K = {n_models}, {run.threads} threads"
        figures.append(
            Figure(
                "pass",
                "one pass",
                setting,
                "a parallel read of X as float64",
                target,
                True,
                "times its time",
                times["pass"] / times["read"],
                times,
            )
        )
        del problem, call, wide, calls
    return Outcome(figures, [], [])


def pass_call(problem: Problem, n_models: int, n_threads: int) -> Callable[[], Any]:
    """Cost and gradient of one model, or of `n_models` with a target each, as solvers call it."""
    design = DenseDesign(problem.X, n_threads=n_threads)
    codes, positive = problem.y, [1]
    if n_models > 1:
        codes, positive = _classes(problem, n_models), list(range(n_models))
    objective = Objective(LabelledRows(design, Binomial(), codes, positive, np.empty(0)), 0.0)
    coef = np.tile(problem.coef, (n_models, 1))
    intercept = np.full(n_models, problem.intercept)
    return lambda: objective.value_gradient(coef, intercept)


def _classes(problem: Problem, n_models: int) -> np.ndarray:
    return (np.arange(problem.y.size) % n_models).astype(np.int32)


def check_pass(problem: Problem, n_models: int, found: Any) -> None:
    """Compare with the oracle, model by model, on a small number of rows at a time."""
    classes = _classes(problem, n_models) if n_models > 1 else 1 - problem.y
    X = problem.X.astype(np.float64, copy=False)
    for model in range(n_models):
        target = (classes == model).astype(np.float64)
        expected = reference.cost_gradient(X, target, problem.coef, problem.intercept)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(
                one[model], other, rtol=answers.SUM_TOLERANCE, atol=answers.SUM_TOLERANCE
            )


def row_growth(run: Run) -> Outcome:
    """Fits of more and more rows: time in proportion to them, passes not growing."""
    times: dict[str, float] = {}
    passes, sizes = [], []
    for n_samples in GROWTH:
        workload = workloads.normal(run.source, (n_samples, 20), correlated=False, least=100)
        result = fit(workload, run.threads)
        call = {"fit": partial(fit, workload, run.threads)}
        sizes.append(workload.X.shape[0])
        times[f"{sizes[-1]:,} rows"] = interleaved(call, _rounds(call, run))["fit"]
        passes.append(result.n_passes)
        del workload, result, call
        gc.collect()
    per_row = np.array(list(times.values())) / sizes
    setting = f"{sizes[0]:,} to {sizes[-1]:,} x 20 float64, {run.threads} threads"
    figures = [
        Figure(
            "growth", "fit, time of a row", setting, "with a tenth of the rows", GROWTH_LIMIT, True,
            "times, the worst step", float((per_row[1:] / per_row[:-1]).max()), times,
        ),
        Figure(
            "growth", "fit, passes", setting, "the most with fewer rows", 1.0, True,
            "times with all rows", float(passes[-1] / max(passes[:-1])), times,
        ),
    ]  # fmt: skip
    counted = ", ".join(f"{p:.4g} at {n:,} rows" for n, p in zip(sizes, passes, strict=True))
    return Outcome(figures, [], [f"growth: passes {counted}"])


def row_memory(run: Run) -> Outcome:
    """Peak memory of a fit above that before it, in fresh processes, in memory and streamed."""
    shape = (run.source.rows(MEMORY_SHAPE[0]), MEMORY_SHAPE[1])
    figures = []
    with tempfile.TemporaryDirectory() as name:
        workload = workloads.normal(run.source, MEMORY_SHAPE, correlated=False)
        np.save(Path(name, "X.npy"), workload.X)
        np.save(Path(name, "y.npy"), workload.y)
        size = workload.X.nbytes
        del workload
        for kind in ("in memory", "streamed"):
            seconds, printed = fresh.run("-c", EXTRA_MEMORY, name, kind, str(run.threads))
            setting = f"{shape[0]:,} x {shape[1]} float64 ({size / 1e9:.2g} GB), {kind}"
            figures.append(
                Figure(
                    "memory",
                    "fit, peak memory",
                    setting,
                    "before the fit",
                    MEMORY_SHARE,
                    True,
                    "% of X above",
                    100.0 * int(printed) / size,
                    {"process": seconds},
                )
            )
    return Outcome(figures, [], [])


EXTRA_MEMORY = """
import sys
from pathlib import Path
from benchmarks.engine import extra_memory
print(extra_memory(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
"""


def extra_memory(folder: Path, kind: str, n_threads: int) -> int:
    """Bytes by which the resident set rises during a fit of X.npy and y.npy in `folder`.

    A memory map would be read in place where it fits in memory, and its pages be counted.
    """
    path = folder / "X.npy"
    X: Any = memory.ReadWhenAsked(path) if kind == "streamed" else np.load(path)
    workload = Workload(X, np.load(folder / "y.npy"), 1.0, "")
    # Compiled code and thread stacks are not part of the fit's memory: load them beforehand.
    first = slice(0, min(X.shape[0], 20_000))
    fit(replace(workload, X=X[first], y=workload.y[first]), n_threads)
    return memory.peak_above(partial(fit, workload, n_threads))


ROWS: dict[str, Callable[[Run], Outcome]] = {
    **{row: partial(row_fit, row) for row in GOALS},
    "pass": row_pass,
    "growth": row_growth,
    "memory": row_memory,
}


def measure(
    rows: list[str], run: Run, known: dict[str, Callable[[Run], Outcome]] = ROWS
) -> dict[str, Any]:
    """Measure the rows one after the other; return what a file of figures holds."""
    content: dict[str, Any] = {"machine": machine(), "rows": {}}
    source = {"date": datetime.date.today().isoformat(), "commit": commit()}
    for row in rows:
        start = time.perf_counter()
        print(f"# {row}", file=sys.stderr, flush=True)
        outcome = known[row](run)
        gc.collect()
        content["rows"][row] = {
            "figures": [asdict(figure) | source for figure in outcome.figures],
            "standings": [asdict(standing) for standing in outcome.standings],
            "notes": outcome.notes,
        }
        print(_plain(content["rows"][row]), file=sys.stderr)
        print(f"# {row}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return content


def _plain(row: dict[str, Any]) -> str:
    lines = [" | ".join(cells(Figure(**figure))) for figure in row["figures"]]
    return "\n".join([*lines, *(f"# {note}" for note in row["notes"])])


def merged(
    path: Path, content: dict[str, Any], known: Iterable[str] = tuple(ROWS)
) -> dict[str, Any]:
    """Put the rows measured in the place of older ones in `path`; write and return all."""
    if path.exists():
        old = json.loads(path.read_text("utf-8"))
        here, there = content["machine"], old["machine"]
        if any(there[key] != here[key] for key in ("cpu", "cores")):
            raise SystemExit(f"{path} holds figures of another machine: {there}; not merged")
        content = {**content, "rows": {**old["rows"], **content["rows"]}}
    order = [row for row in known if row in content["rows"]]
    content = {**content, "rows": {row: content["rows"][row] for row in order}}
    path.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    return content


HEADER = ["row", "what", "with", "against", "target", "measured", "met", "median times"]
PEERS_HEADER = ["row", "reached the optimum, fastest first", "did not"]


def cells(figure: Figure) -> list[str]:
    """Return the table's cells of one figure."""
    return [
        figure.row,
        figure.what,
        figure.setting,
        figure.baseline,
        f"{target_text(figure)} {figure.unit}".rstrip(),
        f"{figure.measured:.3g}",
        "yes" if figure.met else "NO",
        ", ".join(f"{name} {short_seconds(t)}" for name, t in figure.seconds.items()),
    ]


def peers_cells(row: str, standings: list[Standing]) -> list[str]:
    """Return who reached the optimum in which time, and what became of the others."""
    done = [f"{s.peer} {short_seconds(s.seconds)}" for s in standings if s.seconds is not None]
    failed = [f"{s.peer}: {s.note}" for s in standings if s.seconds is None]
    return [row, ", ".join(done) or "nobody", "; ".join(failed) or "-"]


def _markdown(header: list[str], lines: list[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in rows
    )


HOW = (
    "by `python -m benchmarks.engine`. Medians of warm fits that take turns in one run; the best "
    f"peer is the fastest whose objective is within {ACCURACY:g} of the optimum, unless the row "
    "says otherwise."
)


def table(content: dict[str, Any], how: str = HOW) -> str:
    """Return the section of the page of benchmarks for a file of figures.

    It has the machine, the figures, the peers, and the notes.
    """
    here, rows = content["machine"], content["rows"]
    figures = [Figure(**figure) for row in rows.values() for figure in row["figures"]]
    about = (
        f"Measured {when(figures)} on {here['cpu']}, "
        f"{here['cores']} cores, {here['system']}; Python {here['python']}, NumPy {here['numpy']}, "
        f"numba {here['numba']}, {how}"
    )
    parts = [
        about,
        _markdown(HEADER, [cells(figure) for figure in figures]),
    ]
    standings = {
        row: [Standing(**standing) for standing in found["standings"]]
        for row, found in rows.items()
    }
    lines = [peers_cells(row, found) for row, found in standings.items() if found]
    if lines:
        versions = {s.peer.split(" ")[0]: s.version for found in standings.values() for s in found}
        named = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
        parts += [f"How each peer did ({named}):", _markdown(PEERS_HEADER, lines)]
    notes = [f"- {note}" for row in rows.values() for note in row["notes"]]
    return "\n\n".join([*parts, "\n".join(dict.fromkeys(notes))]).rstrip()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    only = f"measure this row alone (may be repeated): {', '.join(ROWS)}"
    add("--only", action="append", choices=list(ROWS), metavar="ROW", help=only)
    add("--json", type=Path, help="keep the figures here; rows not measured stay")
    add("--quick", action="store_true", help="small shapes, to try this script out")
    add("--peers-python", help="Python of the environment that holds the peers")
    add("--no-peers", action="store_true", help="measure fastlogit alone")
    add("--limit", type=float, default=PEER_LIMIT, help="seconds for one fit of a peer")
    add("--repeat", type=int, default=7, help="rounds of each comparison")
    add("--threads", type=int, default=None, help="default: all that may be used")
    add("--table", action="store_true", help="measure nothing, print the table of --json")
    add("--write", type=Path, help=f"page to write the table into, at {PLACE.begin}")
    options = parser.parse_args(arguments)
    section = table(_content(parser, options))
    print(section)
    if options.write:
        PLACE.write(options.write, section)


def earlier(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Any] | None:
    """Read what was measured before, if that is asked for; refuse contradictory options."""
    if options.table:
        if not options.json:
            parser.error("--table needs --json")
        content: dict[str, Any] = json.loads(options.json.read_text("utf-8"))
        return content
    if options.quick and (options.json or options.write):
        parser.error("figures of small shapes are not worth keeping: --quick alone")
    if options.write and options.only and not options.json:
        parser.error("--write after --only would lose the other rows: add the --json of all")
    return None


def _content(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Any]:
    """Measure, or read what was measured before."""
    before = earlier(parser, options)
    if before is not None:
        return before
    if bool(options.peers_python) == options.no_peers:
        parser.error("say --peers-python PATH or --no-peers")
    run = Run(
        2 if options.quick else options.repeat,
        thread_count(options.threads),
        QUICK if options.quick else 1,
        options.peers_python,
        options.limit,
    )
    content = measure(options.only or list(ROWS), run)
    return merged(options.json, content) if options.json else content


if __name__ == "__main__":
    main()
