"""What a grid of folds and penalties found, and how it says so."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Integers, Labels, Masks, Matrix, Vector
from ..result import Callback, Progress
from ..solvers.stopping import meets, stated
from ..solvers.trace import Limits
from .messages import stack_level
from .problem import CheckedProblem

__all__ = ["Fits", "GridResult", "Heard", "conclude_fits"]


@dataclass(frozen=True, eq=False)
class GridResult:
    """Fits of a grid of folds and penalties.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The sorted labels.
    Cs : ndarray of shape (n_Cs,)
        Inverse strengths in the order in which they were given.
    coef : ndarray of shape (n_folds, n_Cs, n_models, n_features)
        Coefficients in the units of X; n_models is 1 for two classes, else n_classes.
    intercept : ndarray of shape (n_folds, n_Cs, n_models)
    n_iter : ndarray of shape (n_folds, n_Cs, n_models), int
    converged : ndarray of shape (n_folds, n_Cs), bool
    suboptimality : ndarray of shape (n_folds, n_Cs)
        Proven bound on (cost - optimum) / optimum, of the worst model.
    n_passes : float
        Passes over X, all of them.
    seconds : float
    message : str
        How many fits of the grid converged.
    l1_ratio : float
        The share of L1 in the penalty.
    deviance_explained : ndarray of shape (n_folds, n_Cs), or None
        Where there is L1: the share of the deviance of the intercept alone that a fit does away
        with on the rows of its fold, of its models together.
    C_null : float or None
        Where it was looked for: the largest C at which all penalised coefficients are 0.
    penalty_groups : ndarray of shape (n_features,), or None
        Of a group lasso: the label of each column's group.
    """

    classes: Labels
    Cs: Vector
    coef: Floats
    intercept: Floats
    n_iter: Integers
    converged: Masks
    suboptimality: Matrix
    n_passes: float
    seconds: float
    message: str
    l1_ratio: float = 0.0
    deviance_explained: Matrix | None = None
    C_null: float | None = None
    penalty_groups: Labels | None = None


class Heard:
    """A user's callback, and whether it has ended the fits."""

    def __init__(self, tell: Callback) -> None:
        self._tell, self.is_ended = tell, False

    def __call__(self, progress: Progress) -> object:
        """Tell the user, and return the answer."""
        asked = self._tell(progress)
        self.is_ended = self.is_ended or asked is True
        return asked


class Fits(NamedTuple):
    """What is found of all models of a grid, in the units of X.

    `coef` has shape (n_Cs, n_folds, n_models, n_features), the others without the last.
    """

    coef: Floats
    intercept: Floats
    bound: Floats
    steps: Integers
    n_passes: float


def conclude_fits(
    problem: CheckedProblem, Cs: Vector, fits: Fits, limits: Limits, began: float,
    interrupted: bool, late: bool, l1_ratio: float = 0.0,
) -> GridResult:  # fmt: skip
    """Return the result of a grid; warn where a fit did not converge."""
    worst = fits.bound.max(axis=2).T
    # With 0 the fits went on until rounding ended them, as asked.
    ended = fits.steps.max(axis=2).T < limits.max_iter
    as_asked = ended & np.isfinite(worst) & (limits.tol == 0.0 and not (interrupted or late))
    converged = meets(worst, limits.tol) | as_asked
    message = f"{int(converged.sum())} of {converged.size} fits converged"
    if interrupted:
        message = f"interrupted: {message}; the best points so far are in .result"
    elif not converged.all():
        message += f" to a proven {limits.tol:g}, the worst to {stated(worst.max()):.1e}"
        if isinstance(limits.callback, Heard) and limits.callback.is_ended:
            message = f"the callback ended the fits: {message}"
        else:
            message += "; raise max_iter, time_limit or tol"
        if late:
            message = f"time_limit={limits.time_limit:g} s ended the fits: {message}"
        from sklearn.exceptions import ConvergenceWarning

        warnings.warn(message, ConvergenceWarning, stacklevel=stack_level())
    return GridResult(
        classes=problem.classes,
        Cs=Cs,
        coef=np.ascontiguousarray(fits.coef.swapaxes(0, 1)),
        intercept=np.ascontiguousarray(fits.intercept.swapaxes(0, 1)),
        n_iter=np.ascontiguousarray(fits.steps.swapaxes(0, 1)),
        converged=converged,
        suboptimality=stated(worst),
        n_passes=round(fits.n_passes, 3),
        seconds=time.perf_counter() - began,
        message=message,
        l1_ratio=l1_ratio,
        penalty_groups=None if problem.groups is None else problem.groups.labels,
    )
