"""The columns that a fit with L1 has chosen, fitted once more without a penalty."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..design.opening import open_rows
from ..inputs.given import Data
from ..result import FitResult
from .fit import fit
from .grid import GridOptions
from .weightless import with_codes

__all__ = ["Relaxed", "relax"]


class Relaxed(NamedTuple):
    """Models without a penalty over some columns each.

    Attributes
    ----------
    coef : ndarray of shape (n_models, n_features)
        0 for columns that were not chosen.
    intercept : ndarray of shape (n_models,)
    fits : list of FitResult or None
        Of the chosen columns of each model; None where none was chosen.
    """

    coef: Matrix
    intercept: Vector
    fits: list[FitResult | None]


def relax(data: Data, start: tuple[Matrix, Vector], options: GridOptions) -> Relaxed:
    """Fit the columns whose coefficients are not 0 without a penalty.

    Parameters
    ----------
    data : Data
        Two classes, or each against all others.
    start : tuple of ndarray, (n_models, n_features) and (n_models,)
        Coefficients and intercepts, where it begins. A model without coefficients stays as it is:
        its intercept has no penalty.
    options : GridOptions
        How each is fitted.
    """
    coef, intercept = start
    new, levels, fits = np.zeros_like(coef), intercept.copy(), []
    for model in range(len(coef)):
        columns = np.flatnonzero(coef[model])
        found = None
        if columns.size:
            own = coef[model : model + 1, columns], intercept[model : model + 1]
            part = _part(data, model, columns)._replace(start=own)
            found = fit(
                part, solver=options.solver, tol=options.tol, max_iter=options.max_iter,
                intercept="fit" if options.fit_intercept else None, n_threads=options.n_threads,
                time_limit=options.time_limit, callback=options.callback,
            )  # fmt: skip
            new[model, columns], levels[model] = found.coef, found.intercept
        fits.append(found)
    return Relaxed(new, levels, fits)


def _part(data: Data, model: int, columns: Indices) -> Data:
    """Return some columns, copied, for one model without a penalty, within the same bounds."""
    design = open_rows(data.rows.X, None).columns_of(columns)
    # For messages: the columns as the user counts them, where they have no names.
    known = data.rows.names
    names = [str(k) if known is None else known[k] for k in columns]
    rows = data.rows._replace(X=design, names=names, text_names=None, categories=None)
    bounds = data.coef_bounds
    if bounds is not None:
        bounds = bounds[0][columns], bounds[1][columns]
    data = data._replace(rows=rows, l2_reg=None, l1_reg=None, penalty_factor=None,
        coef_bounds=bounds, seconds=0.0,
    )  # fmt: skip
    if data.classes.size == 2:
        return data
    weights = data.weights[model] if data.weights.ndim == 2 else data.weights
    offset = data.offset[model] if data.offset.ndim == 2 else data.offset
    one = with_codes(data, np.array([False, True]), data.codes == model)
    return one._replace(weights=weights, offset=offset)
