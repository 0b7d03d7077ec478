"""Why an ordinal model has no optimum: columns that depend on each other, or separate classes.

There is none exactly where thresholds and coefficients have a direction along which no row's a
falls and no row's b rises, and one of them moves: then the likelihood rises for ever.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
from scipy import sparse

from ..arrays import Matrix, Vector
from ..inference.refusals import listed, not_identified
from ..linalg.factors import Factor
from ..linalg.resolved import DEPENDENT
from .ordinal_model import OrdinalPoint, OrdinalRows

__all__ = ["hidden_direction", "refuse_separable", "refuse_without_optimum"]

# Standard errors of coefficients on standardised columns, times the root of the rows: near 1 where
# rows tell them, and looked into beyond this.
HARDLY_TOLD = 1e4
# A linear programme has at most this many numbers.
LINEAR_PROGRAMME = 5_000_000
# Beyond it an offset alone makes probabilities of 0 and 1.
LARGE = 30.0
# A sum of margins that is all rounding, and the share of the largest coefficient that is named.
NO_MARGIN, SHARE = 1e-7, 0.1


def refuse_without_optimum(rows: OrdinalRows, theta: Vector, names: list[str]) -> NoReturn:
    """Raise the error that says why Newton's method found no optimum.

    Raises
    ------
    ValueError
    """
    assert rows.design is not None
    gram = np.ascontiguousarray(rows.design.gram(np.ascontiguousarray(rows.weights)))
    # The column of ones comes last: what it depends on is the columns before.
    dependent = np.flatnonzero(Factor(gram / rows.total, DEPENDENT).dependent)
    if dependent.size:
        columns = [names[column] for column in dependent if column < len(names)] or names[-1:]
        raise not_identified(columns, True)
    direction = _direction(rows)
    if direction is not None:
        raise _separable(direction[rows.n_cuts :], names)
    cause = (
        f"The offset is between {rows.offset.min():.3g} and {rows.offset.max():.3g}, less its "
        "mean: is it on the scale of the raw predictions?"
        if rows.offset.size and np.abs(rows.offset).max() > LARGE
        else "The classes may be separable by a combination of columns; leave columns out, or join "
        "levels or classes"
    )
    raise ValueError(
        "no maximum of the likelihood was found: the largest parameter on standardised columns "
        f"was {float(np.abs(theta).max()):.3g}. {cause}"
    )


def refuse_separable(rows: OrdinalRows, point: OrdinalPoint, names: list[str]) -> None:
    """Raise for separable classes at what looks like an optimum: rounding may hide the way out."""
    direction = hidden_direction(rows, point)
    if direction is not None:
        raise _separable(direction[rows.n_cuts :], names)


def hidden_direction(rows: OrdinalRows, point: OrdinalPoint) -> Vector | None:
    """Return a direction that separates classes where a coefficient is hardly told; else None."""
    slopes = point.root[rows.n_cuts :]
    if not float(np.square(slopes).sum(axis=1).max(initial=0.0)) > HARDLY_TOLD**2:
        return None
    return _direction(rows)


def _separable(slopes: Vector, names: list[str]) -> ValueError:
    """Return the error for classes that a direction separates."""
    size = np.abs(slopes)
    columns = [
        name
        for name, own in zip(names, size, strict=True)
        if own >= SHARE * max(float(size.max()), NO_MARGIN)
    ]
    return ValueError(
        f"the classes are separable: {listed(columns)} order{'s' if len(columns) == 1 else ''} "
        "some of them without an exception. The likelihood has no maximum, coefficients go to "
        "infinity, and there are no standard errors. Leave such columns out, or join levels "
        "or classes"
    )


def _direction(rows: OrdinalRows) -> Vector | None:
    """Return a direction that separates classes; None where there is none, or it is not known."""
    from scipy.optimize import linprog

    n_parameters = rows.n_cuts + rows.n_features
    if 2 * rows.codes.size * n_parameters > LINEAR_PROGRAMME:
        return None
    margins = _margins(rows)
    box = [(-1.0, 1.0)] * n_parameters
    found = linprog(
        -margins.mean(axis=0), A_ub=sparse.csr_array(-margins), b_ub=np.zeros(len(margins)),
        bounds=box, method="highs",
    )  # fmt: skip
    return found.x if found.success and -found.fun > NO_MARGIN else None


def _margins(rows: OrdinalRows) -> Matrix:
    """Return how a rises, and b falls, with each parameter."""
    assert rows.design is not None
    center, inverse_scale = rows.design.columns
    used = np.flatnonzero(rows.weights > 0.0)
    values = (rows.design.rows(used).astype(np.float64) - center) * inverse_scale
    codes = rows.codes[used]
    found = []
    for shift, sign in ((0, 1.0), (-1, -1.0)):
        has = (codes + shift >= 0) & (codes + shift < rows.n_cuts)
        cuts = np.zeros((int(has.sum()), rows.n_cuts))
        cuts[np.arange(len(cuts)), codes[has] + shift] = 1.0
        found.append(sign * np.column_stack([cuts, -values[has]]))
    return np.concatenate(found)
