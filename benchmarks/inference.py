"""Standard errors beside statsmodels, glum and R: `python -m benchmarks.inference`.

A fit of two classes and its full Wald inference (errors, p, intervals), with the covariance of the
model, HC3, or clusters (10,000 of them; CR1S is statsmodels' factor), leverages and Cook's
distances, and average marginal effects, of models that are fitted, and a
small study from data to summary and printed table. Medians of calls that take turns, of small data
of many calls in a turn; before they are timed the answers are compared (HC3 to a few per cent with
statsmodels, whose 0.15.0 gives HC0 by that name). R's glm with sandwich is timed by R, once,
without reading the data, with `--r`. glum is used where it can be imported: `--peers-path` is a
folder that it is in, as `pip install --no-deps --target FOLDER glum tabmat numexpr` makes it.
`--rows N` takes fewer rows, `--own` leaves peers out, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastlogit

from .markers import Place
from .small import BLAS_PAUSE
from .tables import Line, in_order, publish

PLACE = Place("inference")
N_ROWS, N_FEATURES, N_CLUSTERS = 1_000_000, 20, 10_000
SMALL = (400, 8)
TURNS = 5
# Calls in a turn of small data, so that they find code and data in the caches.
SMALL_CALLS = 20
# How many times the peers, and milliseconds of the small study before it is printed.
FASTER, FASTER_GLUM, FASTER_SMALL, FASTER_INFLUENCE, SMALL_MS = 20.0, 15.0, 5.0, 15.0, 2.0
# Answers of statsmodels, of its HC0 beside HC3, of glum and of R agree so far.
SAME, OTHER_KIND, NEAR = 1e-6, 5e-2, 1e-4
R_SCRIPT = """
suppressMessages(library(sandwich))
arguments <- commandArgs(TRUE)
n <- as.integer(arguments[2]); d <- as.integer(arguments[3])
file <- file(arguments[1], "rb")
y <- readBin(file, "double", n); clusters <- readBin(file, "double", n)
X <- matrix(readBin(file, "double", n * d), n, d)
fit <- system.time(m <- glm(y ~ X, family = binomial))[["elapsed"]]
own <- system.time(errors <- summary(m)$coefficients[, 2])[["elapsed"]]
cat(fit + own, format(errors, digits = 15), "\\n")
for (kind in c("HC3", "clusters")) {
  own <- system.time(v <- if (kind == "HC3") vcovHC(m, "HC3") else
                     vcovCL(m, clusters, type = "HC0"))[["elapsed"]]
  cat(fit + own, format(sqrt(diag(v)), digits = 15), "\\n")
}
"""


class Study(NamedTuple):
    """Rows, labels and the cluster of each row."""

    X: Any
    y: Any
    clusters: Any


class Peer(NamedTuple):
    """Returns standard errors, which are so near to ours; `limit` is the ratio asked for."""

    run: Callable[[], Any]
    limit: float
    near: float = SAME


class Contest(NamedTuple):
    """What is measured, and beside whom; `own` returns standard errors."""

    what: str
    setting: str
    own: Callable[[], Any]
    peers: dict[str, Peer]
    n_calls: int = 1
    # Milliseconds that are asked for.
    most_ms: float | None = None


def make(n_rows: int, n_features: int) -> Study:
    """Independent normal columns, and labels of a model."""
    rng = np.random.default_rng([n_rows, n_features])
    X = rng.standard_normal((n_rows, n_features))
    coef = rng.standard_normal(n_features) / np.sqrt(n_features)
    y = (X @ coef + 0.3 + rng.logistic(size=n_rows) > 0.0).astype(np.int64)
    return Study(X, y, rng.integers(0, min(N_CLUSTERS, n_rows // 4), n_rows))


@cache
def large(n_rows: int) -> Study:
    """Return the large study, made once."""
    return make(n_rows, N_FEATURES)


def own(study: Study, cov_type: str) -> Any:
    """Fit, infer, and return the standard errors."""
    X, y, clusters = study
    result = fastlogit.fit(X, y, C=np.inf)
    ways = clusters if cov_type.startswith("CR") else None
    found = fastlogit.infer(result, X, y, cov_type=cov_type, clusters=ways)
    assert found.p_values.shape == found.conf_int()[:, 0].shape  # a part of what is timed
    return found.standard_errors


def theirs(study: Study, cov_type: str) -> Any:
    """Return the standard errors of statsmodels."""
    from statsmodels.api import Logit, add_constant

    X, y, clusters = study
    options = {"cov_kwds": {"groups": clusters}} if cov_type == "cluster" else {}
    found = Logit(y, add_constant(X)).fit(disp=False, cov_type=cov_type, **options)
    assert found.pvalues.shape == found.conf_int()[:, 0].shape
    return found.bse


def of_glum(study: Study) -> Any:
    """Return the standard errors of glum, with p and intervals, less its factor n / (n - k)."""
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(family="binomial", alpha=0.0, gradient_tol=1e-6)
    model.fit(study.X, study.y.astype(float))
    errors = model.coef_table(X=study.X, y=study.y, robust=False, dispersion=1.0)["se"]
    return errors * np.sqrt(1.0 - len(errors) / len(study.y))


def of_r(study: Study) -> dict[str, tuple[float, Any]]:
    """Return the seconds that R's glm took with errors of each kind, and these."""
    n_rows, n_features = study.X.shape
    with tempfile.TemporaryDirectory() as folder:
        script, data = Path(folder) / "errors.R", Path(folder) / "rows"
        script.write_text(R_SCRIPT)
        with data.open("wb") as file:
            for part in (study.y.astype(float), study.clusters.astype(float), study.X.T):
                file.write(part.tobytes())
        said = subprocess.run(
            ["Rscript", str(script), str(data), str(n_rows), str(n_features)],
            check=True, capture_output=True, text=True,
        ).stdout.splitlines()  # fmt: skip
    lines = [np.array(line.split(), dtype=float) for line in said]
    kinds = ("full Wald inference", "HC3", "clusters")
    return {kind: (float(line[0]), line[1:]) for kind, line in zip(kinds, lines, strict=True)}


@cache
def own_model(n_rows: int) -> Any:
    """Return the inference of a large study, made once."""
    study = large(n_rows)
    return fastlogit.infer(fastlogit.fit(study.X, study.y, C=np.inf), study.X, study.y)


@cache
def their_model(n_rows: int) -> Any:
    from statsmodels.api import Logit, add_constant

    study = large(n_rows)
    return Logit(study.y, add_constant(study.X)).fit(disp=False)


@cache
def their_glm(n_rows: int) -> Any:
    """Return the same as a GLM, which alone has leverages."""
    from statsmodels.api import GLM, add_constant, families

    study = large(n_rows)
    return GLM(study.y, add_constant(study.X), family=families.Binomial()).fit(tol=1e-12)


def own_effects(n_rows: int) -> Any:
    """Return the standard errors of average marginal effects."""
    found = own_model(n_rows).marginal_effects()
    assert found.p_values.shape == found.conf_int()[:, 0].shape
    return found.standard_errors


def their_effects(n_rows: int) -> Any:
    found = their_model(n_rows).get_margeff()
    assert found.pvalues.shape == found.conf_int()[:, 0].shape
    return found.margeff_se


def own_influence(n_rows: int) -> Any:
    """Return leverages and Cook's distances of the rows."""
    rows = own_model(n_rows).diagnostics()
    return np.stack([rows.leverage, rows.cooks_distance])


def their_influence(n_rows: int) -> Any:
    rows = their_glm(n_rows).get_influence()
    return np.stack([rows.hat_matrix_diag, rows.cooks_distance[0]])


def own_summary(study: Study) -> Any:
    """From data to a summary."""
    result = fastlogit.fit(study.X, study.y, C=np.inf)
    return fastlogit.infer(result, study.X, study.y).summary()


def own_table(study: Study) -> Any:
    """From data to the text of a summary."""
    result = fastlogit.fit(study.X, study.y, C=np.inf)
    found = fastlogit.infer(result, study.X, study.y)
    str(found.summary())
    return found.standard_errors


def their_table(study: Study) -> Any:
    from statsmodels.api import Logit, add_constant

    found = Logit(study.y, add_constant(study.X)).fit(disp=False)
    str(found.summary())
    return found.bse


def shape(n_rows: int, n_features: int) -> str:
    """Return a shape in words."""
    return f"{n_rows:,} x {n_features} float64"


def contests(n_rows: int) -> list[Contest]:
    """Return all that is measured."""
    study, small = large(n_rows), make(*SMALL)
    found = []
    for what, kind, theirs_kind, near in (
        ("full Wald inference", "nonrobust", "nonrobust", SAME),
        ("HC3", "HC3", "HC3", OTHER_KIND),
        ("clusters", "CR1S", "cluster", SAME),
    ):
        peers = {"statsmodels": Peer(partial(theirs, study, theirs_kind), FASTER, near)}
        if kind == "nonrobust" and importlib.util.find_spec("glum") is not None:
            peers["glum"] = Peer(partial(of_glum, study), FASTER_GLUM, NEAR)
        found.append(Contest(what, shape(n_rows, N_FEATURES), partial(own, study, kind), peers))

    def beside(run: Callable[[], Any], limit: float) -> dict[str, Peer]:
        return {"statsmodels": Peer(run, limit)}

    return [
        *found,
        Contest(
            "leverage, Cook's distance", shape(n_rows, N_FEATURES),
            lambda: own_influence(n_rows),
            beside(lambda: their_influence(n_rows), FASTER_INFLUENCE),
        ),
        Contest(
            "average marginal effects, fitted before", shape(n_rows, N_FEATURES),
            lambda: own_effects(n_rows), beside(lambda: their_effects(n_rows), FASTER),
        ),
        Contest(
            "data to printed table", shape(*SMALL), lambda: own_table(small),
            beside(lambda: their_table(small), FASTER_SMALL), SMALL_CALLS,
        ),
        Contest(
            "data to summary, not printed", shape(*SMALL), lambda: own_summary(small), {},
            SMALL_CALLS, SMALL_MS,
        ),
    ]  # fmt: skip


def seconds_of(run: Callable[[], Any], n_calls: int) -> float:
    """Return the time of a call, of so many one after the other."""
    began = time.perf_counter()
    for _ in range(n_calls):
        run()
    return (time.perf_counter() - began) / n_calls


def measure(
    contest: Contest, turns: int, with_peers: bool, by_r: dict[str, tuple[float, Any]]
) -> list[Line]:
    """Compare the answers, then time all, taking turns."""
    what, setting = contest.what, contest.setting
    errors = contest.own()  # which compiles
    peers = contest.peers if with_peers else {}
    times: dict[str, list[float]] = {name: [] for name in ("fastlogit", *peers)}
    for peer in peers.values():
        np.testing.assert_allclose(errors, peer.run(), rtol=peer.near, atol=1e-14)
    for _ in range(turns):
        time.sleep(BLAS_PAUSE)  # for threads of a peer's BLAS, which keep cores busy for a while
        times["fastlogit"].append(seconds_of(contest.own, contest.n_calls))
        for name, peer in peers.items():
            times[name].append(seconds_of(peer.run, contest.n_calls))
    medians = {name: float(np.median(each)) for name, each in times.items()}
    limits = {name: peer.limit for name, peer in peers.items()}
    if what in by_r:
        medians["R"], by_glm = by_r[what]
        np.testing.assert_allclose(errors, by_glm, rtol=NEAR)
        limits["R"] = FASTER
    each = in_order(medians, 1e3, "ms")
    print(f"{setting}, {what}: {each}", flush=True)
    lines = [
        Line("inference", what, setting, name, medians[name] / medians["fastlogit"], limit, each)
        for name, limit in limits.items()
    ]
    if contest.most_ms is not None:
        spent, against = 1e3 * medians["fastlogit"], "none, milliseconds"
        lines.append(Line("inference", what, setting, against, spent, -contest.most_ms, each, "ms"))
    return lines


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--own", action="store_true", help="without peers")
    parser.add_argument("--r", action="store_true", help="beside R's glm with sandwich, run once")
    parser.add_argument("--peers-path", type=Path, help="folder that glum is in")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args(arguments)
    if asked.peers_path is not None:
        sys.path.append(str(asked.peers_path))
    by_r = of_r(large(asked.rows)) if asked.r else {}
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for contest in contests(asked.rows):
            lines += measure(contest, asked.turns, not asked.own, by_r)
    how = "Fit and inference together; medians of calls that take turns, of R of one."
    publish(PLACE, how, lines, asked.write)


if __name__ == "__main__":
    main()
