"""Gradient descent, plain and accelerated, and the certified optimum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LinearRegression

from fastlogit import plots
from fastlogit.demo.data import N_THREADS, Row, judged, split, standardized, tumours
from fastlogit.demo.numpy_loop import times_numpy
from fastlogit.fitting.fit import fit, gradient_descent
from fastlogit.result import FitResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Descent:
    """The same cost descended twice, and its optimum with the steps that `fit` takes to it."""

    rows: tuple[Row, ...]
    plain: FitResult
    accelerated: FitResult
    exact: FitResult


def descent(l2_reg: float = 0.001) -> Descent:
    """Fit all 30 features of the tumours by two descents, and by what `fit` chooses."""
    data = standardized(split(*tumours()))
    linear = LinearRegression().fit(data.X, data.y)
    accuracy = float(np.mean((linear.predict(data.X_test) >= 0.5) == data.y_test))
    rows = [Row("tumours (30)", "linear regression", accuracy)]
    steps: dict[str, Any] = {"l2_reg": l2_reg, "max_iter": 100_000, "n_threads": N_THREADS}
    plain = gradient_descent(data.X, data.y, momentum="none", **steps)
    accelerated = gradient_descent(data.X, data.y, momentum="nesterov", **steps)
    exact = fit(data.X, data.y, l2_reg=l2_reg, n_threads=N_THREADS)
    speedup = times_numpy(data.X, data.y, "none", l2_reg)
    momentum_speedup = times_numpy(data.X, data.y, "nesterov", l2_reg)
    rows += [
        judged("tumours (30)", "descent, plain", data, plain, speedup),
        judged("tumours (30)", "accelerated", data, accelerated, momentum_speedup),
        judged("tumours (30)", "fit's choice", data, exact, speedup),
    ]
    return Descent(tuple(rows), plain, accelerated, exact)


def draw_descent(study: Descent, figure: Figure) -> None:
    """Draw the three cost curves."""
    ax = figure.subplots()
    plots.plot_cost_history(
        {
            f"plain, {study.plain.n_iter:,} iterations": study.plain,
            f"accelerated (Nesterov), {study.accelerated.n_iter:,} iterations": study.accelerated,
            f"{study.exact.solver}, {study.exact.n_iter:,} iterations": study.exact,
        },
        ax,
        best=float(study.exact.history.min()),
    )
    ax.set_title("The way to the optimum: tumour data, 30 features")
