"""Fits whose numbers are kept: every solver, model, layout and door, so tight that paths agree.

Values are compared to 1e-12 on any machine; the bits where machine and versions are those of the
file. `python tests/golden/cases.py` writes both anew: only where a change is meant to alter them,
and the commit that does says which and why.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV
from fastlogit.fitting.online import OnlineLogistic

HERE = Path(__file__).parent
VALUES, DIGESTS = HERE / "values.npz", HERE / "digests.json"
# Finer than costs can show: the coefficients then have all digits, whatever the path to them.
FINE = 1e-27
ROWS, COLUMNS = 400, 6

Arrays = dict[str, Any]


def columns(n_samples: int = ROWS, n_features: int = COLUMNS, seed: int = 11) -> Any:
    """Columns of several sizes and distances from 0."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    return X * np.geomspace(0.1, 10.0, n_features) + np.linspace(0.0, 3.0, n_features)


def labels(X: Any, n_classes: int = 2, seed: int = 12) -> Any:
    """Labels of overlapping classes."""
    rng = np.random.default_rng(seed)
    z = (X - X.mean(axis=0)) / X.std(axis=0) @ np.linspace(1.0, -0.5, X.shape[1])
    edges = [0.0] if n_classes == 2 else [-1.0, 1.0]
    return np.digitize(z + rng.logistic(size=len(X)), edges)


X0 = columns()
Y2, Y3 = labels(X0), labels(X0, 3)
WEIGHT = np.random.default_rng(13).uniform(0.2, 3.0, ROWS)
OFFSET = np.random.default_rng(14).standard_normal(ROWS)
OFFSET3 = np.random.default_rng(15).standard_normal((ROWS, 3))
FACTOR = np.array([0.0, 1.0, 2.0, 0.5, 1.0, 3.0])
TALL = columns(9_000, 12)
TALL_Y = labels(TALL)
WIDE = columns(60, 130)
WIDE_Y = labels(WIDE)
FEW, FEW_WIDE = columns(40, 400), columns(40, 1_100)
FEW_Y, FEW_Y3 = labels(FEW), labels(FEW, 3)
WHOLE = np.round(X0 * 4.0)
NEW = columns(7, COLUMNS, 16)


def of(result: Any) -> Arrays:
    """The numbers of a `FitResult`; of the way to it, "~", the bits alone are kept."""
    return {
        "coef": result.coef,
        "intercept": np.asarray(result.intercept),
        "cost": np.asarray(result.history)[-1],
        "~history": result.history,
    }


def fitted(X: Any = X0, y: Any = Y2, **options: Any) -> Arrays:
    """A fit by `fit`."""
    return of(fastlogit.fit(X, y, **{"C": 1.0, "tol": FINE, **options}))


def softmax(X: Any = X0, **options: Any) -> Arrays:
    """A softmax fit."""
    return fitted(X, Y3, multi_class="multinomial", **options)


def mapped(X: Any) -> Any:
    """The same numbers in a memory map."""
    folder = tempfile.mkdtemp()
    np.save(Path(folder) / "X.npy", X)
    return np.load(Path(folder) / "X.npy", mmap_mode="r")


def batches(X: Any, y: Any, size: int) -> BatchSource:
    """Batches of a size."""
    return BatchSource(lambda: ((X[i : i + size], y[i : i + size]) for i in range(0, len(X), size)))


class Source:
    """Rows that are streamed: all that such a source must have."""

    def __init__(self, X: Any) -> None:
        self._X, self.shape, self.dtype = X, X.shape, X.dtype

    def __getitem__(self, rows: Any) -> Any:
        return self._X[rows]


def streamed() -> Arrays:
    """A fit of a streamed source, in blocks of several sizes."""
    return fitted(Source(TALL), TALL_Y)


def cross_validated(**options: Any) -> Arrays:
    """A cross-validation over four C."""
    model = LogisticRegressionCV(
        Cs=[0.01, 0.1, 1.0, 10.0], cv=3, l1_ratios=(0,), use_legacy_attributes=False, tol=1e-12,
        scoring="neg_log_loss", **options,
    )  # fmt: skip
    model.fit(X0, Y3)
    grid = model.grid_
    return {"coef": grid.coef, "intercept": grid.intercept, "best": model.coef_,
            "scores": model.scores_}  # fmt: skip


def path(multi_class: str, X: Any = X0, y: Any = Y3) -> Arrays:
    """A path over five C."""
    found = fastlogit.logistic_path(X, y, 5, multi_class=multi_class, tol=FINE)
    return {"coef": found.coefs, "intercept": found.intercepts}


def online(multi_class: str) -> Arrays:
    """Batches seen once."""
    model = OnlineLogistic(COLUMNS, [0, 1, 2], C=1.0, multi_class=multi_class)
    for start in range(0, ROWS, 50):
        model.update(X0[start : start + 50], Y3[start : start + 50], WEIGHT[start : start + 50])
    return {"coef": model.coef, "intercept": np.asarray(model.intercept)}


def partial_fit() -> Arrays:
    """The estimator's way to the same."""
    model = LogisticRegression(C=2.0)
    for start in range(0, ROWS, 100):
        part = slice(start, start + 100)
        model.partial_fit(X0[part], Y2[part], classes=[0, 1])
    return {"coef": model.coef_, "intercept": model.intercept_}


def left_out(multi_class: str) -> Arrays:
    """Approximate leave-one-out."""
    result = fastlogit.fit(X0, Y3, C=1.0, tol=FINE, multi_class=multi_class)
    found = fastlogit.leave_one_out(result, X0, Y3)
    return {"raw": found.raw_prediction, "log_loss": np.asarray(found.log_loss)}


def predictions(multi_class: str) -> Arrays:
    """What a fitted model says of new rows."""
    result = fastlogit.fit(X0, Y3, C=1.0, tol=FINE, multi_class=multi_class)
    model = LogisticRegression(tol=1e-12, multi_class=multi_class).fit(X0, Y3)
    return {
        "raw": result.raw_prediction(NEW), "proba": result.predict_proba(NEW),
        "predict": result.predict(NEW), "decision": model.decision_function(NEW),
        "log_proba": model.predict_log_proba(NEW), "estimator": model.predict_proba(NEW),
    }  # fmt: skip


def costs() -> Arrays:
    """Cost and gradient, and the array functions."""
    coef = np.linspace(-0.5, 0.5, COLUMNS)
    value, slopes, level = fastlogit.cost_gradient(X0, Y2, coef, 0.3, l2_reg=0.1)
    z = np.linspace(-60.0, 60.0, 1_001)
    return {
        "cost": np.asarray(fastlogit.cost(X0, Y2, coef, 0.3, sample_weight=WEIGHT)),
        "value": np.asarray(value), "slopes": slopes, "level": np.asarray(level),
        "sigmoid": fastlogit.sigmoid(z), "log1p_exp": fastlogit.log1p_exp(z),
        "log_sigmoid": fastlogit.log_sigmoid(z),
        "logit": fastlogit.logit(np.linspace(0.001, 0.999, 99)),
    }  # fmt: skip


def descent(**options: Any) -> Arrays:
    """The textbook's gradient descent, a fixed number of steps."""
    return of(fastlogit.gradient_descent(X0, Y2, l2_reg=0.1, tol=0.0, max_iter=200, **options))


def small(**options: Any) -> Arrays:
    """A fit by one compiled call, which others leave where they ask for all digits."""
    return fitted(**{"tol": 1e-12, **options})


def small_softmax(**options: Any) -> Arrays:
    """A softmax by one compiled call."""
    return softmax(**{"tol": 1e-12, **options})


def small_softmax_cg() -> Arrays:
    """The same by conjugate gradients, whose coefficients are as near as the tolerance asks for."""
    y = np.arange(ROWS) % 9
    X = columns(ROWS, 14) + np.random.default_rng(17).standard_normal((9, 14))[y]
    found = fitted(X, y, multi_class="multinomial", tol=1e-12)
    return {"cost": found["cost"], "~coef": found["coef"], "~intercept": found["intercept"]}


SOLVERS = ("newton", "lbfgs", "newton-cg")
CASES: dict[str, Callable[[], Arrays]] = {
    **{f"binary {s}": lambda s=s: fitted(solver=s) for s in SOLVERS},
    **{f"softmax {s}": lambda s=s: softmax(solver=s) for s in SOLVERS},
    **{f"one-vs-all {s}": lambda s=s: fitted(y=Y3, solver=s) for s in SOLVERS},
    "binary gradient descent": lambda: fitted(solver="gradient_descent", tol=1e-20),
    "softmax gradient descent": lambda: softmax(solver="gradient_descent", tol=1e-20),
    "steps of descent": descent,
    "steps without momentum": lambda: descent(momentum="none", step_size=0.5),
    "no penalty": lambda: fitted(C=None),
    "tall": lambda: fitted(TALL, TALL_Y),
    "wide": lambda: fitted(WIDE, WIDE_Y),
    "space of the rows": lambda: fitted(FEW, FEW_Y),
    "space of the rows, softmax": lambda: fitted(FEW, FEW_Y3, multi_class="multinomial"),
    "space of the rows, weights": lambda: fitted(
        FEW,
        FEW_Y,
        sample_weight=WEIGHT[:40],
        offset=OFFSET[:40],
        penalty_factor=np.linspace(0.5, 2.0, 400),
    ),
    "space of the rows, path": lambda: path("ovr", FEW_WIDE, FEW_Y),
    "weights": lambda: fitted(sample_weight=WEIGHT),
    "weights, softmax": lambda: softmax(sample_weight=WEIGHT),
    "weights of each class": lambda: fitted(y=Y3, sample_weight=np.outer(WEIGHT, [1.0, 2.0, 0.5])),
    "offset": lambda: fitted(offset=OFFSET),
    "offset, softmax": lambda: softmax(offset=OFFSET3),
    "no intercept": lambda: fitted(intercept=None),
    "fixed intercept": lambda: fitted(intercept=0.75),
    "penalty factors": lambda: fitted(penalty_factor=FACTOR),
    "penalty of each column": lambda: fitted(C=None, l2_reg=0.01 * FACTOR),
    "start": lambda: fitted(start=(np.ones(COLUMNS), -1.0)),
    "float32": lambda: fitted(X0.astype(np.float32)),
    "Fortran order": lambda: fitted(np.asfortranarray(X0)),
    "strided": lambda: fitted(np.repeat(X0, 2, axis=1)[:, ::2]),
    "int16": lambda: fitted(WHOLE.astype(np.int16)),
    "bool": lambda: fitted(X0 > X0.mean(axis=0)),
    "memory map": lambda: fitted(mapped(X0)),
    "streamed": streamed,
    "batches": lambda: fitted(batches(X0, Y2, 70), None),
    "cross-validation": cross_validated,
    "cross-validation, one-vs-all": lambda: cross_validated(multi_class="ovr"),
    "path": lambda: path("ovr"),
    "path, softmax": lambda: path("multinomial"),
    "online": lambda: online("ovr"),
    "online, softmax": lambda: online("multinomial"),
    "partial_fit": partial_fit,
    "leave-one-out": lambda: left_out("ovr"),
    "leave-one-out, softmax": lambda: left_out("multinomial"),
    "predictions": lambda: predictions("ovr"),
    "predictions, softmax": lambda: predictions("multinomial"),
    "costs": costs,
    "small": small,
    "small softmax": small_softmax,
    "small softmax, all at once": lambda: small_softmax(
        sample_weight=WEIGHT, offset=OFFSET3, penalty_factor=FACTOR, intercept=None
    ),
    "small softmax by conjugate gradients": small_softmax_cg,
    "small, no penalty": lambda: small(C=None),
    "small, all at once": lambda: small(
        X=WHOLE.astype(np.int16),
        sample_weight=WEIGHT,
        offset=OFFSET,
        penalty_factor=FACTOR,
        start=(np.ones(COLUMNS), -1.0),
    ),
    "small, fixed intercept": lambda: small(intercept=0.75),
    "small, weights of each class": lambda: small(
        y=Y3, sample_weight=np.outer(WEIGHT, [1.0, 2.0, 0.5]), offset=OFFSET3
    ),
}


def run(name: str) -> Arrays:
    """The arrays of a case. Some end where rounding does, short of `FINE`."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "stopped after")
        warnings.filterwarnings("ignore", ".* fits converged")
        return {key: np.asarray(value) for key, value in CASES[name]().items()}


def digest(arrays: Arrays) -> str:
    """A hash of the bits."""
    found = hashlib.sha256()
    for key in sorted(arrays):
        values = np.ascontiguousarray(arrays[key])
        found.update(f"{key} {values.dtype.str} {values.shape}".encode())
        found.update(values.tobytes())
    return found.hexdigest()[:32]


def where() -> dict[str, str]:
    """The machine and versions that decide the bits."""
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    features = get_host_cpu_features()
    flags = hashlib.sha256(features.flatten().encode()).hexdigest()[:12]
    return {
        "machine": platform.machine(), "processor": f"{get_host_cpu_name()} {flags}",
        "numba": numba.__version__, "numpy": np.__version__,
    }  # fmt: skip


def stored() -> tuple[dict[str, Arrays], dict[str, Any]]:
    """Values of all cases and digests with where they were made."""
    with np.load(VALUES) as file:
        values: dict[str, Arrays] = {}
        for key in file.files:
            name, _, array = key.partition("|")
            values.setdefault(name, {})[array] = file[key]
    return values, json.loads(DIGESTS.read_text())


def main() -> None:
    """Write values and digests."""
    found = {name: run(name) for name in CASES}
    flat = {
        f"{name}|{key}": array
        for name, arrays in found.items()
        for key, array in arrays.items()
        if not key.startswith("~")
    }
    np.savez_compressed(VALUES, **flat)
    told = {"where": where(), "digests": {name: digest(arrays) for name, arrays in found.items()}}
    DIGESTS.write_text(json.dumps(told, indent=1) + "\n")
    print(f"{len(found)} cases, {os.path.getsize(VALUES):,} bytes")


if __name__ == "__main__":
    sys.exit(main())
