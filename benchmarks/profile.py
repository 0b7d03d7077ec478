"""Profile-likelihood intervals beside firthmodels and R: `python -m benchmarks.profile`.

A fit of two classes and the profile intervals of all its coefficients, fit included on both sides.
firthmodels takes the plain likelihood (`penalty_weight=0`, numba), to its own tolerance of 1e-4;
R's `confint(glm)` reads a spline through its profile. Medians of calls that take turns; intervals
are compared before they are timed. R runs once, and says how long its own calls took without
reading the data; it takes minutes, and so is asked for by `--r`. `--rows N` takes fewer rows,
`--own` leaves firthmodels out, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastlogit

from .inference import Study, make
from .markers import Place
from .tables import Line, in_order, publish

PLACE = Place("profile")
N_ROWS, N_FEATURES, TURNS, FASTER = 100_000, 30, 5, 10.0
# Ends of intervals of firthmodels and of R's spline agree so far, in coefficients.
NEAR = {"firthmodels": 1e-4, "R confint": 2e-3}
R_SCRIPT = """
suppressMessages(library(MASS))
arguments <- commandArgs(TRUE)
n <- as.integer(arguments[2]); d <- as.integer(arguments[3])
file <- file(arguments[1], "rb")
y <- readBin(file, "double", n); X <- matrix(readBin(file, "double", n * d), n, d)
seconds <- system.time(ends <- suppressMessages(confint(glm(y ~ X, family = binomial))))
cat(seconds[["elapsed"]], format(t(ends), digits = 15), sep = "\\n")
"""


def own(study: Study) -> Any:
    """Fit, and return the profile intervals of all coefficients, the intercept first."""
    result = fastlogit.fit(study.X, study.y, C=np.inf)
    return fastlogit.infer(result, study.X, study.y).conf_int(method="profile")


def of_firthmodels(study: Study) -> Any:
    from firthmodels import FirthLogisticRegression

    model = FirthLogisticRegression(penalty_weight=0.0).fit(study.X, study.y)
    ends = model.conf_int(method="pl")
    return np.concatenate([ends[-1:], ends[:-1]])


def of_r(study: Study) -> tuple[float, Any]:
    """Return the seconds that R's glm and confint took, and the intervals."""
    n_rows, n_features = study.X.shape
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder) / "confint.R", Path(folder) / "rows"
        script.write_text(R_SCRIPT)
        data.write_bytes(study.y.astype(float).tobytes() + study.X.tobytes("F"))
        said = subprocess.run(
            ["Rscript", str(script), str(data), str(n_rows), str(n_features)],
            check=True, capture_output=True, text=True,
        ).stdout.split()  # fmt: skip
    return float(said[0]), np.array(said[1:], dtype=float).reshape(-1, 2)


def measure(study: Study, turns: int, with_peer: bool) -> dict[str, list[float]]:
    """Compare the answers, then time, taking turns; seconds of each call."""
    ends = own(study)  # which compiles
    runs: dict[str, Callable[[Study], Any]] = {"fastlogit": own}
    if with_peer:
        np.testing.assert_allclose(of_firthmodels(study), ends, atol=NEAR["firthmodels"])
        runs["firthmodels"] = of_firthmodels
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            began = time.perf_counter()
            run(study)
            times[name].append(time.perf_counter() - began)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--own", action="store_true", help="without firthmodels")
    parser.add_argument("--r", action="store_true", help="beside R, which takes minutes")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args()
    study = make(asked.rows, N_FEATURES)
    setting = f"{asked.rows:,} x {N_FEATURES} float64"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        times = measure(study, asked.turns, not asked.own)
    least = {name: min(each) for name, each in times.items()}
    medians = {name: float(np.median(each)) for name, each in times.items()}
    if asked.r:
        medians["R confint"], ends = of_r(study)
        np.testing.assert_allclose(ends, own(study), atol=NEAR["R confint"])
    print(f"{setting}: {in_order(medians, 1e3, 'ms')}; least {in_order(least, 1e3, 'ms')}")
    lines = [
        Line(
            "inference", "profile intervals of all coefficients", setting, name,
            medians[name] / medians["fastlogit"], FASTER, in_order(medians, 1e3, "ms"),
        )
        for name in medians if name != "fastlogit"
    ]  # fmt: skip
    publish(
        PLACE, "Fit and intervals together; medians of calls that take turns.", lines, asked.write
    )


if __name__ == "__main__":
    main()
