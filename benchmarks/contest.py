"""A contest of the peers on one workload: who is the fastest to reach the optimum?

Each peer works in a process of its own, which is ended when a fit takes too long. It climbs its
ladder of tolerances, loosest first, until the objective is near enough to the optimum; that
tolerance's time is its time.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from . import peers

ROOT = Path(__file__).resolve().parents[1]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# After a matrix product OpenBLAS keeps a core busy for a while: the next one is not to pay for it.
BLAS_PAUSE = 0.25
STARTING = 60.0
# All of a peer's attempts together may take so many times the limit of one.
LADDER_LIMIT = 3.0
# Seconds above which one fit is timing enough, and above which the first one, unwarmed, counts.
LONG, SHORT = 10.0, 0.5
# Share of the machine that other processes may take during a fit that counts.
QUIET = 0.05
# How many times the best time, and at least how many seconds, a slower peer gets for a fit.
HOPELESS, LEAST_LIMIT = 4.0, 10.0


class TooSlowError(Exception):
    """A worker did not answer in time."""


class FailedError(Exception):
    """A worker could not do what it was asked for; the text says why."""


@dataclass(frozen=True)
class Standing:
    """How a peer did: seconds if it reached the optimum, else a note that says how far it came.

    `others` is the share of the machine that other processes took while it was timed.
    """

    peer: str
    version: str
    seconds: float | None
    tol: float
    suboptimality: float
    note: str = ""
    others: float = 0.0
    fastest: float | None = None
    # Seconds of its longest attempt, none of which came near enough; it may have been stopped.
    not_enough: float | None = None


@dataclass(frozen=True)
class Rules:
    """How the contest is held.

    `limit` seconds for a fit; `accuracy` the relative suboptimality to be reached; `patience`
    seconds to wait for other processes to leave the machine alone before a peer begins.
    """

    python: str
    threads: int
    limit: float = 60.0
    accuracy: float = 1e-8
    patience: float = 0.0


class Worker:
    """A process that fits with one peer, on the data in a folder, once for each tolerance."""

    def __init__(self, name: str, folder: Path, C: float, rules: Rules) -> None:
        threads = dict.fromkeys(THREAD_VARIABLES, str(rules.threads))
        # -P is left out: the peers' environment holds no other `benchmarks`, but may lack this one.
        command = [rules.python, "-m", "benchmarks.peers", "serve", name, str(folder), repr(C)]
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=dict(os.environ, **threads),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            start_new_session=True,
        )  # fmt: skip

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        # With the processes that it may have started in its turn (scikit-learn's n_jobs).
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()
        self.errors.close()

    def receive(self, limit: float) -> dict[str, Any]:
        """Wait for one answer, which is one line."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        if not ready:
            raise TooSlowError
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            last = self.errors.read().decode("utf-8", "replace").strip().splitlines()[-1:]
            raise FailedError(f"its process ended with {self.process.wait()}: {''.join(last)}")
        found: dict[str, Any] = json.loads(line)
        return found

    def fit(self, tol: float, limit: float) -> dict[str, Any]:
        """Fit once: seconds, the share of others, path of the coefficients, note."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{tol!r}\n".encode())
        self.process.stdin.flush()
        found = self.receive(limit)
        if "error" in found:
            raise FailedError(found["error"])
        return found


Judge = Callable[[Any, Any], float]


def enter(name: str, folder: Path, C: float, judge: Judge, rules: Rules) -> Standing:
    """Let one peer climb its ladder; time the first tolerance that is good enough again."""
    with Worker(name, folder, C, rules) as worker:
        try:
            hello = worker.receive(STARTING)
        except TooSlowError:
            return Standing(name, "", None, 0.0, np.inf, f"did not start in {STARTING:g} s")
        except FailedError as error:
            return Standing(name, "", None, 0.0, np.inf, f"could not start: {error}")
        if "version" not in hello:
            return Standing(name, "", None, 0.0, np.inf, f"not available: {hello['reason']}")
        return _climb(worker, name, hello["version"], judge, rules)


def _climb(worker: Worker, name: str, version: str, judge: Judge, rules: Rules) -> Standing:
    best, note, spent, came_to = np.inf, "", 0.0, "nothing"
    why, not_enough = "", 0.0
    for tol in peers.find(name).ladder:
        try:
            found = worker.fit(tol, rules.limit)
        except TooSlowError:
            why, not_enough = f"stopped after {rules.limit:g} s at tol={tol:g}", rules.limit
            break
        except FailedError as error:
            why = f"{error} at tol={tol:g}"
            break
        note = found["note"]
        gap = judged(judge, found["coef"])
        if gap <= rules.accuracy:
            runs = timed_again(worker, tol, found, rules)
            return Standing(name, version, *median(runs, tol, gap, note))
        if gap < best:
            best, came_to = gap, f"{gap:.1e} in {found['seconds']:.3g} s at tol={tol:g}"
        spent += found["seconds"]
        not_enough = max(not_enough, found["seconds"])
        if spent > LADDER_LIMIT * rules.limit:
            break
    note = "; ".join(filter(None, [f"reached {came_to}", why, note]))
    return Standing(name, version, None, 0.0, best, note, not_enough=not_enough or None)


def judged(judge: Judge, path: str) -> float:
    """Relative suboptimality of the coefficients in a file, intercepts in the last row."""
    rows = np.load(path)
    if not np.isfinite(rows).all():
        return float("inf")
    gap = judge(rows[:-1], rows[-1])
    time.sleep(BLAS_PAUSE)
    return gap


def timed_again(
    worker: Worker, tol: float, first: dict[str, Any], rules: Rules
) -> list[dict[str, Any]]:
    """Fit again and again, warm by now; a long fit counts as it was."""
    if first["seconds"] > LONG:
        return [first]
    runs = [first] if first["seconds"] > SHORT else []
    repeat = 3 if runs else int(min(max(1.0 / first["seconds"], 9), 50))
    wait_until_quiet(rules.patience)
    for _ in range(repeat):
        # A fit that has been as fast as this is given up only when its machine is taken away.
        with contextlib.suppress(TooSlowError):
            runs.append(worker.fit(tol, LADDER_LIMIT * rules.limit))
    return runs or [first]


def median(
    runs: list[dict[str, Any]], tol: float, gap: float, note: str
) -> tuple[float, float, float, str, float, float]:
    """Median of the fits during which other processes left the machine alone, if there are any."""
    quiet = [found for found in runs if found["others"] <= QUIET] or runs
    seconds = [found["seconds"] for found in quiet]
    others = float(np.median([found["others"] for found in quiet]))
    return float(np.median(seconds)), tol, gap, note, others, min(seconds)


def wait_until_quiet(patience: float) -> None:
    """Wait, at most `patience` seconds, until the machine has been nearly idle for a moment."""
    end = time.perf_counter() + patience
    while time.perf_counter() < end:
        clock = peers.Clock()
        with clock.running():
            time.sleep(0.5)
        if clock.others <= QUIET:
            return


def contest(
    names: list[str],
    folder: Path,
    C: float,
    judge: Judge,
    rules: Rules,
    report: Callable[[Standing], None] = lambda standing: None,
) -> list[Standing]:
    """Let the peers take part one after the other; the fastest comes first, the failed last.

    Who takes `HOPELESS` times as long as the best so far cannot win any more, and is stopped.
    """
    standings: list[Standing] = []
    limit = rules.limit
    for name in names:
        wait_until_quiet(rules.patience)
        standing = enter(name, folder, C, judge, replace(rules, limit=limit))
        report(standing)
        standings.append(standing)
        if standing.seconds is not None:
            limit = min(limit, max(LEAST_LIMIT, HOPELESS * standing.seconds))
    return sorted(standings, key=lambda s: np.inf if s.seconds is None else s.seconds)


def missing(standings: list[Standing]) -> list[str]:
    """Say which peers could not be measured at all, and why."""
    return [f"{s.peer}: {s.note}" for s in standings if not s.version]
