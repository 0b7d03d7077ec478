"""Replicates of a bootstrap in the same passes over X, as folds of `fit_grid` that weigh rows.

For softmax, and for data of which a thread has no room for a copy.
"""

from __future__ import annotations

import warnings

import numpy as np

from ..arrays import Matrix
from ..clock import Clock
from ..fitting.grid import GridOptions, fit_grid
from ..fitting.grid_result import GridResult
from ..inputs.given import Data
from ..result import FitResult
from .refits import MAX_ITER, Asked

__all__ = ["fit_weighed"]


def fit_weighed(
    data: Data, drawn: Matrix, asked: Asked, estimate: FitResult, n_threads: int | None,
    clock: Clock,
) -> GridResult:  # fmt: skip
    """Fit replicates, one for each row of weights in `drawn`, from the fit to all rows.

    Each has rows of every class. The intercept is fitted, or there is none.
    """
    own = data.weights if data.weights.size else np.ones(len(data.codes))
    largest = float(asked.l2_reg.max(initial=0.0))
    C = np.inf
    if largest > 0.0:
        C = 1.0 / largest
        if not asked.by_weight:
            # A penalty on the scale of the mean is one of the sum where sums of weights are alike.
            C /= own.sum()
            drawn = drawn * (own.sum() / (drawn @ own))[:, None]
    n_models = 1 if data.classes.size == 2 else data.classes.size
    start = np.ascontiguousarray(estimate.coef.reshape(-1, n_models).T)
    given = data._replace(
        l2_reg=None, penalty_factor=asked.l2_reg / largest if largest > 0.0 else None,
        start=(start, np.atleast_1d(estimate.intercept)), seconds=0.0,
    )  # fmt: skip
    options = GridOptions(
        multi_class=estimate.multi_class, fit_intercept=asked.fixed is None, tol=asked.tol,
        max_iter=MAX_ITER, n_threads=n_threads, time_limit=clock.left(),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of no proof are fitted again
        return fit_grid(given, [C], fold_weights=drawn, options=options)
