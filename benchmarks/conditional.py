"""Matched sets beside R's clogit and statsmodels: `python -m benchmarks.conditional`.

A fit with its inference of 20,000 sets of 1:4 rows and 10 columns, and of two groups of 4,000 rows
with as many cases as controls, which peers get `--seconds` for. Least processor times of calls, in
one thread each, so that other work on the machine counts little; coefficients are compared before
times count. `--sets N`, `--rows N` take fewer, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastlogit

from .markers import Place
from .tables import Line, in_order, publish

PLACE = Place("conditional")
FASTER = 10.0
TURNS = 5
R_SCRIPT = """
library(survival)
d <- read.csv("{path}")
f <- as.formula(paste("y ~", paste(grep("^x", names(d), value = TRUE), collapse = " + "),
                      "+ strata(set)"))
times <- replicate({turns}, sum(system.time(m <<- clogit(f, d))[1:2]))
cat(sprintf("%.15g", c(min(times), coef(m))), sep = "\\n")
"""


class Sets(NamedTuple):
    """Rows, whether they are cases, and the set of each."""

    X: Any
    y: Any
    strata: Any


class Answer(NamedTuple):
    """Processor seconds of a fit, and its coefficients."""

    seconds: float
    coef: Any


def matched_sets(n_sets: int, n_controls: int, n_features: int) -> Sets:
    """One case a set, drawn by the model."""
    rng = np.random.default_rng([n_sets, n_features])
    n_rows = n_controls + 1
    X = rng.standard_normal((n_sets, n_rows, n_features))
    coef = rng.standard_normal(n_features) / np.sqrt(n_features)
    case = (X @ coef + rng.gumbel(size=(n_sets, n_rows))).argmax(axis=1)
    y = (np.arange(n_rows) == case[:, None]).astype(np.int64)
    return Sets(X.reshape(-1, n_features), y.ravel(), np.repeat(np.arange(n_sets), n_rows))


def two_groups(n_rows: int, n_features: int) -> Sets:
    """Two groups of so many rows, half of them cases."""
    rng = np.random.default_rng([n_rows, n_features])
    X = rng.standard_normal((2 * n_rows, n_features))
    raw = 0.4 * X.sum(axis=1) + rng.logistic(size=2 * n_rows)
    y = np.concatenate([raw[:n_rows] > 0.0, raw[n_rows:] > 0.0]).astype(np.int64)
    return Sets(X, y, np.repeat([0, 1], n_rows))


def least(run: Callable[[], Any], turns: int) -> Answer:
    """Return the least processor time of calls."""
    times = []
    for _ in range(turns):
        began = time.process_time()
        coef = run()
        times.append(time.process_time() - began)
    return Answer(min(times), coef)


def own(sets: Sets, turns: int) -> Answer:
    def run() -> Any:
        found = fastlogit.conditional_logit(sets.X, sets.y, sets.strata, n_threads=1)
        assert found.suboptimality < 1e-9
        assert found.p_values.shape == found.conf_int()[:, 0].shape
        return found.coef

    run()  # which compiles
    return least(run, turns)


def _statsmodels(sets: Sets, into: Any) -> None:
    from statsmodels.discrete.conditional_models import ConditionalLogit

    def run() -> Any:
        found = ConditionalLogit(sets.y, sets.X, groups=sets.strata).fit(disp=False)
        assert found.pvalues.shape == found.conf_int()[:, 0].shape
        return found.params

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            into.send(least(run, 1))
        except RecursionError:
            into.send("RecursionError")


def of_statsmodels(sets: Sets, seconds: float) -> Answer | str:
    """Return its fit, or why there is none."""
    at_end, into = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_statsmodels, args=(sets, into))
    process.start()
    found = at_end.recv() if at_end.poll(seconds) else f"not done after {seconds:g} s"
    process.kill()
    process.join()
    return found


def of_r(sets: Sets, seconds: float, turns: int) -> Answer | str:
    """Return the fit of R's clogit, or why there is none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sets.csv"
        head = ",".join([*(f"x{column}" for column in range(sets.X.shape[1])), "y", "set"])
        whole = np.column_stack([sets.X, sets.y, sets.strata])
        np.savetxt(path, whole, delimiter=",", header=head, comments="", fmt="%.17g")
        script = Path(folder) / "fit.R"
        script.write_text(R_SCRIPT.format(path=path, turns=turns))
        try:
            done = subprocess.run(
                ["Rscript", str(script)], capture_output=True, text=True, timeout=seconds
            )
        except subprocess.TimeoutExpired:
            return f"not done after {seconds:g} s"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1]
    seconds_spent, *coef = map(float, done.stdout.split())
    return Answer(seconds_spent, np.array(coef))


def measure(what: str, sets: Sets, peers: dict[str, Answer | str], turns: int) -> list[Line]:
    """Compare the answers and the times."""
    ours = own(sets, turns)
    times = {"fastlogit": ours.seconds}
    setting = f"{len(sets.y):,} x {sets.X.shape[1]} float64"
    lines = []
    for name, found in peers.items():
        if isinstance(found, str):
            print(f"{what}: {name}: {found}")
            continue
        np.testing.assert_allclose(ours.coef, found.coef, rtol=1e-2, atol=1e-3)
        times[name] = found.seconds
        ratio = found.seconds / ours.seconds
        each = in_order({"fastlogit": ours.seconds, name: found.seconds}, 1e3, "ms")
        lines.append(Line("conditional", what, setting, name, ratio, FASTER, each))
    failed = "; ".join(f"{name}: {each}" for name, each in peers.items() if isinstance(each, str))
    if failed:
        spent = in_order({"fastlogit": ours.seconds}, 1e3, "ms")
        lines.append(
            Line("conditional", what, setting, f"none ({failed})", ours.seconds, -10.0, spent, "s")
        )
    print(f"{setting}, {what}: {in_order(times, 1e3, 'ms')}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=4_000, help="of each of the two groups")
    parser.add_argument("--seconds", type=float, default=100.0, help="that a peer gets for a fit")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--only", choices=("sets", "groups"))
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args()
    lines = []
    for name, what, sets in (
        ("sets", f"{asked.sets:,} matched sets of 1:4", matched_sets(asked.sets, 4, 10)),
        ("groups", f"2 groups x {asked.rows:,} rows", two_groups(asked.rows, 5)),
    ):
        if asked.only not in (None, name):
            continue
        # statsmodels first: a process that has used threads should not be forked.
        peers: dict[str, Answer | str] = {"statsmodels": of_statsmodels(sets, asked.seconds)}
        peers["R clogit"] = of_r(sets, asked.seconds, 1)
        lines += measure(what, sets, peers, asked.turns)
    publish(
        PLACE,
        "Fit and inference; least processor times, one thread each: of R one.",
        lines,
        asked.write,
    )


if __name__ == "__main__":
    main()
