"""Standard errors beside statsmodels: `python -m benchmarks.inference`.

A fit of two classes and its full Wald inference (errors, p, intervals), with the covariance of the
model, HC3, or clusters (10,000 of them; CR1S is statsmodels' factor), leverages and Cook's
distances, and average marginal effects (100,000 rows at most), of models that are fitted, and a
small study from data to printed table. Medians of calls that take turns; before they are timed the
answers are compared, but for HC3: statsmodels 0.15.0 gives HC0 by that name. `--rows N` takes fewer
rows, `--own` leaves statsmodels out, `--write PAGE` puts the table into a page.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import fastlogit

from .markers import Place
from .tables import Line, in_order, publish

PLACE = Place("inference")
N_ROWS, N_FEATURES, N_CLUSTERS = 1_000_000, 20, 10_000
SMALL = (400, 8)
# Rows of average effects: of 1,000,000 statsmodels takes minutes for each turn.
EFFECT_ROWS = 100_000
TURNS = 5
# How many times statsmodels, and milliseconds of the small study.
FASTER, FASTER_SMALL, FASTER_INFLUENCE, SMALL_MS = 20.0, 5.0, 15.0, 2.0


class Study(NamedTuple):
    """Rows, labels and the cluster of each row."""

    X: Any
    y: Any
    clusters: Any


class Contest(NamedTuple):
    """What is measured: both return standard errors."""

    what: str
    own: Callable[[], Any]
    peer: Callable[[], Any]
    # Whether both should give the same.
    is_same: bool
    limit: float


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


def contests(n_rows: int) -> list[tuple[str, Contest]]:
    """Return all that is measured, each with its shape."""
    study, small = large(n_rows), make(*SMALL)
    kinds = [
        ("full Wald inference", "nonrobust", "nonrobust", True),
        ("HC3", "HC3", "HC3", False),
        ("clusters", "CR1S", "cluster", True),
    ]
    found = [
        (
            f"{n_rows:,} x {N_FEATURES} float64",
            Contest(
                what,
                lambda kind=kind: own(study, kind),
                lambda kind=kind_of_peer: theirs(study, kind),
                is_same,
                FASTER,
            ),
        )
        for what, kind, kind_of_peer, is_same in kinds
    ]
    found.append(
        (
            f"{n_rows:,} x {N_FEATURES} float64",
            Contest(
                "leverage, Cook's distance",
                lambda: own_influence(n_rows),
                lambda: their_influence(n_rows),
                True,
                FASTER_INFLUENCE,
            ),
        )
    )
    n_effects = min(n_rows, EFFECT_ROWS)
    found.append(
        (
            f"{n_effects:,} x {N_FEATURES} float64",
            Contest(
                "average marginal effects, fitted before",
                lambda: own_effects(n_effects),
                lambda: their_effects(n_effects),
                True,
                FASTER,
            ),
        )
    )
    setting = f"{SMALL[0]} x {SMALL[1]} float64"
    found.append(
        (
            setting,
            Contest(
                "data to printed table",
                lambda: own_table(small),
                lambda: their_table(small),
                True,
                FASTER_SMALL,
            ),
        )
    )
    return found


def measure(setting: str, contest: Contest, turns: int, with_peer: bool) -> list[Line]:
    """Compare the answers, then time both, taking turns."""
    errors = contest.own()  # which compiles
    runs = {"fastlogit": contest.own}
    if with_peer:
        if contest.is_same:
            np.testing.assert_allclose(errors, contest.peer(), rtol=1e-6, atol=1e-14)
        runs["statsmodels"] = contest.peer
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(turns):
        for name, run in runs.items():
            began = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - began)
    medians = {name: float(np.median(each)) for name, each in times.items()}
    each = in_order(medians, 1e3, "ms")
    print(f"{setting}, {contest.what}: {each}")
    lines = []
    if with_peer:
        ratio = medians["statsmodels"] / medians["fastlogit"]
        lines.append(
            Line("inference", contest.what, setting, "statsmodels", ratio, contest.limit, each)
        )
    if setting.startswith(f"{SMALL[0]} "):
        spent = 1e3 * medians["fastlogit"]
        lines.append(
            Line(
                "inference",
                contest.what,
                setting,
                "none, milliseconds",
                spent,
                -SMALL_MS,
                each,
                "ms",
            )
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=N_ROWS)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--own", action="store_true", help="without statsmodels")
    parser.add_argument("--write", type=Path, help="page to write the table into")
    asked = parser.parse_args()
    lines = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for setting, contest in contests(asked.rows):
            lines += measure(setting, contest, asked.turns, not asked.own)
    publish(
        PLACE, "Fit and inference together; medians of calls that take turns.", lines, asked.write
    )


if __name__ == "__main__":
    main()
