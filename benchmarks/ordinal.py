"""Ordered classes, probit and shares beside statsmodels and R: `python -m benchmarks.ordinal`.

A fit with standard errors, from data to both. Least processor seconds of calls that take turns, in
one process; coefficients are compared before anything is timed. R's MASS::polr is timed in a
process of its own, where `Rscript` is found, by its own user time (a data frame is read first, not
timed). `--rows N` takes fewer rows, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import fastlogit

from .markers import Place
from .tables import Line, in_order, publish

PLACE = Place("ordinal")
N_ROWS, N_FEATURES, TURNS = 20_000, 10, 3
# No target was set for these: a peer that is faster shows.
FASTER = 1.0
POLR = """
library(MASS)
d <- read.csv("{path}")
d$y <- factor(d$y, ordered = TRUE)
seconds <- system.time(f <- polr(y ~ ., d, Hess = TRUE, control = list(reltol = 1e-12)))
cat(seconds[["user.self"]], coef(f))
"""


def make(n_rows: int) -> tuple[Any, Any, Any]:
    """Normal columns, ordered classes of four, and shares."""
    rng = np.random.default_rng(n_rows)
    X = rng.standard_normal((n_rows, N_FEATURES))
    raw = X @ (rng.standard_normal(N_FEATURES) / 3.0)
    y = np.digitize(raw + rng.logistic(size=n_rows), [-1.0, 0.3, 1.5])
    return X, y, 1.0 / (1.0 + np.exp(-raw - rng.standard_normal(n_rows)))


def own_ordinal(X: Any, y: Any) -> Any:
    """Fit ordered classes."""
    found = fastlogit.ordinal_logit(X, y)
    assert np.isfinite(found.standard_errors).all()
    return found.coef


def their_ordinal(X: Any, y: Any) -> Any:
    """Fit them by statsmodels."""
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    found = OrderedModel(y, X, distr="logit").fit(method="bfgs", disp=0, maxiter=500)
    assert np.isfinite(found.bse).all()
    return found.params[: X.shape[1]]


def own_binary(X: Any, y: Any, **options: Any) -> Any:
    """Fit a link, or shares, and infer."""
    return fastlogit.infer(fastlogit.fit(X, y, **options), X, y).coef[1:]


def their_probit(X: Any, y: Any) -> Any:
    """Fit a probit model by statsmodels."""
    from statsmodels.api import Probit, add_constant

    found = Probit(y, add_constant(X)).fit(disp=0)
    assert np.isfinite(found.bse).all()
    return found.params[1:]


def their_shares(X: Any, y: Any) -> Any:
    """Fit shares by statsmodels."""
    from statsmodels.api import GLM, add_constant, families

    found = GLM(y, add_constant(X), families.Binomial()).fit(cov_type="HC0")
    assert np.isfinite(found.bse).all()
    return found.params[1:]


def least(call: Callable[[], Any]) -> float:
    """Return processor seconds of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def polr(X: Any, y: Any) -> float | None:
    """Return the seconds of MASS::polr; None where there is no R."""
    if shutil.which("Rscript") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        names = ",".join([*(f"x{k}" for k in range(X.shape[1])), "y"])
        np.savetxt(path, np.column_stack([X, y]), "%.17g", ",", header=names, comments="")
        script = POLR.format(path=path)
        done = subprocess.run(["Rscript", "-e", script], capture_output=True, text=True, check=True)
    seconds, *coef = map(float, done.stdout.split())
    np.testing.assert_allclose(coef, own_ordinal(X, y), atol=1e-4)
    return seconds


def line_of(what: str, setting: str, peer: str, limit: float, times: dict[str, float]) -> Line:
    """Return the line of a peer's time and ours, and print it."""
    each = in_order(times, 1e3, "ms")
    print(f"{setting}, {what}: {each}", flush=True)
    return Line("ordinal", what, setting, peer, times[peer] / times["fastlogit"], limit, each)


def measure(n_rows: int) -> list[Line]:
    """Compare answers and times."""
    X, y, shares = make(n_rows)
    binary = (y > 1).astype(int)
    setting = f"{n_rows:,} x {N_FEATURES} float64"
    contests = {
        "ordered classes": (lambda: own_ordinal(X, y), lambda: their_ordinal(X, y), FASTER),
        "probit": (
            lambda: own_binary(X, binary, link="probit"), lambda: their_probit(X, binary),
            FASTER,
        ),
        "shares": (
            lambda: own_binary(X, shares, fractional=True), lambda: their_shares(X, shares),
            FASTER,
        ),
    }  # fmt: skip
    lines = []
    for what, (own, peer, limit) in contests.items():
        np.testing.assert_allclose(own(), peer(), atol=1e-3)
        turns = np.array([(least(own), least(peer)) for _ in range(TURNS)])
        times = dict(zip(("fastlogit", "statsmodels"), turns.min(axis=0).tolist(), strict=True))
        lines.append(line_of(what, setting, "statsmodels", limit, times))
    if (seconds := polr(X, y)) is not None:
        mine = min(least(contests["ordered classes"][0]) for _ in range(TURNS))
        times = {"fastlogit": mine, "MASS::polr": seconds}
        lines.append(line_of("ordered classes", setting, "MASS::polr", FASTER, times))
    return lines


def main(arguments: list[str] | None = None) -> None:
    """Measure, print and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lines = measure(asked.rows)
    how = "Fit and standard errors; least processor times of calls that take turns, of R of one."
    publish(PLACE, how, lines, asked.write)


if __name__ == "__main__":
    main()
