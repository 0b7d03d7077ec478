"""Which strength of the penalty a cross-validation chooses, from the scores of its folds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Cube, Indices, Mask, Matrix, Vector
from ..fitting.grid_result import GridResult

__all__ = ["SELECTIONS", "Chosen", "Grids", "best_of", "choose"]

SELECTIONS = ("best", "one_standard_error")


class Chosen(NamedTuple):
    """The places of a share of L1 and a C: one for each fold, all the same where one is chosen."""

    # (n_folds,)
    ratios: Indices
    Cs: Indices


class Grids(NamedTuple):
    """The fits of the folds for each share of L1."""

    # Shares that are alike have the same one.
    of_ratios: list[GridResult]
    # Whether a fold has all classes.
    complete: Mask

    def mean_of(self, chosen: Chosen, folds: Mask) -> tuple[Matrix, Vector]:
        """Return the mean over some folds of the coefficients of each one's choice.

        A row for each model, as a fit begins.
        """
        which = np.flatnonzero(folds)
        each = [(self.of_ratios[chosen.ratios[fold]], fold, chosen.Cs[fold]) for fold in which]
        coefs = np.array([grid.coef[fold, place] for grid, fold, place in each])
        levels = np.array([grid.intercept[fold, place] for grid, fold, place in each])
        return coefs.mean(axis=0), levels.mean(axis=0)


def choose(scores: Cube, Cs: Vector, selection: str, *, together: bool) -> Chosen:
    """Return what is chosen by scores (n_folds, n_l1_ratios, n_Cs).

    "best" is the best mean over the folds, or the best of each fold; of equals that of the first C,
    and there of the first share of L1, as in scikit-learn. "one_standard_error" is the smallest C,
    of the same share, whose mean is within a standard error of the best (Breiman and others, 1984,
    Classification and Regression Trees).

    Raises
    ------
    ValueError
        If a scorer gave NaN, or there is one fold alone and its standard error is asked for.
    """
    n_folds, n_ratios, _ = scores.shape
    flat = scores.swapaxes(1, 2).reshape(n_folds, -1)
    places, ratios = np.divmod(best_of(flat, together=together, n_ratios=n_ratios), n_ratios)
    chosen = Chosen(np.broadcast_to(ratios, n_folds), np.broadcast_to(places, n_folds))
    if selection == "best":
        return chosen
    if n_folds < 2:
        raise ValueError("selection='one_standard_error' needs two folds at the least, cv gives 1")
    own = scores[:, chosen.ratios[0]]
    error = float(own[:, chosen.Cs[0]].std(ddof=1)) / np.sqrt(n_folds)
    means = own.mean(axis=0)
    good = np.flatnonzero(means >= means[chosen.Cs[0]] - error)
    place = good[np.argmin(Cs[good])]
    return chosen._replace(Cs=np.broadcast_to(place, n_folds))


def best_of(scores: Matrix, *, together: bool, n_ratios: int = 1) -> int | Indices:
    """Return the index of the best C: of the mean over the folds, or of each fold.

    Parameters
    ----------
    scores : ndarray of shape (n_folds, n_cs * n_ratios)
    together : bool
    n_ratios : int, default 1
        Shares of L1 for each C.

    Returns
    -------
    int, or ndarray of shape (n_folds,)
        The first of equals.

    Raises
    ------
    ValueError
        If a scorer gave NaN.
    """
    if np.isnan(scores).any():
        fold, index = (int(k) for k in np.argwhere(np.isnan(scores))[0])
        raise ValueError(
            f"the score of fold {fold} is NaN (C number {index // n_ratios}), so that no C is the "
            "best; the scorer may need both classes among the test rows: use a stratified cv"
        )
    return int(scores.sum(axis=0).argmax()) if together else scores.argmax(axis=1)
