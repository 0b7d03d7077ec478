"""Fits in the space of the rows, where these are fewer than the columns: X is read a few times."""

from __future__ import annotations

import numpy as np

from ..arrays import Indices, Matrix, Vector
from ..certificates.binomial import PenaltyCertificate
from ..certificates.softmax import SMALL, SoftmaxCertificate
from ..linalg.factors import BANDS_NS
from ..objective.objective import Objective
from ..objective.penalties import L2
from ..objective.row_space import RowProducts, RowSpaceObjective, products_of_rows
from ..objective.row_state import RowCurvature
from .abilities import Abilities
from .iteration import evaluate, iterate
from .newton import newton
from .newton_cg import Precondition, newton_cg
from .stopping import StoppingRule
from .trace import Point, Reason, Trace

__all__ = [
    "ABILITIES",
    "MOST_ROWS",
    "compiled_fit",
    "multiply_rows",
    "price_of_rows",
    "reduce_to_rows",
    "row_space",
    "suits_rows",
]

ABILITIES = Abilities(penalties=L2)

# More rows than this make Z Z' and its factor, n^2 d / 2 + n^3 / 6 multiply-adds, dearer than the
# passes that they save.
MOST_ROWS = 2000
# Up to so many rows each iteration has a Hessian of its own: 300 x 500 took 16 to 21 ms where it
# took 29. With more it is factored where the products since the last one have cost as much.
FEW_ROWS = 400
# One call of compiled code takes so many iterations at most; it hears neither clock nor callback.
# What is finer than a cost in float64 is for others.
MANY, FINEST = 100, 1e-15
# Products with the rows of L that a Hessian of theirs costs, for each row.
PRICE = 0.015
# Nanoseconds in one thread: of a number of X in a product with the Hessian, of a multiply-add of
# Z Z' (half of them are made), of copying a number of X column by column, and of all products with
# L and its factors, for each of its numbers. Threads serve all of them alike.
PRODUCT_NS, GRAM_NS, TURN_NS, SOLVES_NS = 0.4, 0.05, 3.0, 80.0
# Factors of a fit: that of Z Z', and those of Hessians.
N_FACTORS = 3
# Share of the tolerance that the fewer columns are solved to: what rounding adds in X has the rest.
SHARE = 0.5


def suits_rows(n_samples: int, n_features: int, n_classes: int = 1) -> bool:
    """Say whether a shape is worth a Gram matrix of the rows; `n_classes` are those that compete.

    Models of these have one Hessian of all classes, which has to be small.
    """
    most = MOST_ROWS if n_classes == 1 else SMALL // n_classes
    return n_samples <= most and n_features > n_samples


def price_of_rows(n_samples: int, n_features: int) -> float:
    """Return about how many products with the Hessian in X a fit in the space of the rows costs.

    Measured were 90 at 1,000 x 5,000 (120 by this), 240 to 310 at 1,500 x 2,000 (320), 390 at
    1,900 x 2,100 (410), 270 at 2,000 x 4,000 (290), 220 at 700 x 1,000 (220).
    """
    n, d = float(n_samples), float(n_features)
    gram = 0.5 * GRAM_NS * n**2 * d + TURN_NS * n * d
    rest = N_FACTORS * BANDS_NS * n**3 / 6.0 + SOLVES_NS * n**2
    return (gram + rest) / (PRODUCT_NS * n * d)


def multiply_rows(objective: Objective) -> RowProducts | None:
    """Return the products of the objective's rows; None where that is no good."""
    if not suits_rows(*objective.design.shape, objective.n_classes):
        return None
    objective.design.counter.phase = "Gram matrix of the rows"
    return products_of_rows(objective)


def reduce_to_rows(objective: Objective) -> RowSpaceObjective | None:
    """Return the objective in the space of the rows; None where that is no good."""
    products = multiply_rows(objective)
    return None if products is None else products.space()


def compiled_fit(products: RowProducts, theta: Matrix, tol: float, trace: Trace) -> Matrix | None:
    """Return theta where one compiled call comes to from a start without slopes.

    None where that is no way, or not near enough.
    """
    if not _may_be_compiled(len(products.gram), tol, trace):
        return None
    coef, levels = products.whole.split(theta)
    if coef.any():
        return None
    found = products.compiled(float(levels[0]), SHARE * SHARE * tol, MANY)
    if found is None:
        return None
    _record(found[0], found[1], trace)
    return found[0]


def _may_be_compiled(n_samples: int, tol: float, trace: Trace) -> bool:
    limits = trace.limits
    is_plain = limits.callback is None and limits.time_limit is None
    return n_samples <= FEW_ROWS and is_plain and limits.max_iter >= MANY and tol >= FINEST


def row_space(
    space: RowSpaceObjective, theta: Matrix, tol: float, trace: Trace
) -> tuple[Point, Reason]:
    """Minimise the cost in the space of the rows from `theta`; return the last point and why.

    1. Newton's method over the rows of L, of as many columns as rows; from `FEW_ROWS` on with
    conjugate gradients that the last Hessian preconditions. 2. It ends where the penalty alone
    proves the point: coefficients and intercept then keep the same bound in X, where it is proven
    again by whoever lifts them.
    """
    prove = SoftmaxCertificate if space.loss.is_coupled else PenaltyCertificate
    certificate = prove(space)
    rule = StoppingRule(SHARE * tol, space.n_models, certificate)
    if space.loss.is_coupled:
        return newton(space, theta, rule, certificate.hessians, trace)
    n_samples = space.design.shape[0]
    if n_samples <= FEW_ROWS:
        if _may_be_compiled(n_samples, tol, trace):
            found = _at_once(space, theta, SHARE * SHARE * tol, trace)
            if found is not None:
                return found, Reason.CONVERGED
        return _newton(space, theta, rule, trace)

    def renew(theta: Matrix, curvature: RowCurvature, models: Indices) -> Precondition:
        inverses = {int(m): space.inverse_at(curvature[int(m)], int(m)) for m in models}

        def precondition(which: Indices, vectors: Matrix) -> Matrix:
            each = zip(which, vectors, strict=True)
            return np.array([inverses[int(m)].solve(v) for m, v in each])

        return precondition

    return newton_cg(space, theta, rule, trace, renew, PRICE * n_samples, True)


def _at_once(space: RowSpaceObjective, theta: Matrix, tol: float, trace: Trace) -> Point | None:
    """Return where one compiled call comes to; None where that is not near enough."""
    found = space.compiled(theta, tol, MANY)
    if found is None or not found[2]:
        return None
    return _record(found[0], found[1], trace)


def _record(reached: Matrix, costs: Vector, trace: Trace) -> Point:
    """Keep the iterations of a compiled call; return its last point."""
    points = [Point(reached, costs[i : i + 1], np.empty((0, 0))) for i in range(len(costs))]
    trace.begin(points[0])
    for point in points[1:]:
        trace.n_iter += 1
        trace.record(point)
    trace.steps += len(costs) - 1
    return points[-1]


def _newton(
    space: RowSpaceObjective, theta: Matrix, rule: StoppingRule, trace: Trace
) -> tuple[Point, Reason]:
    """Newton's method with a Hessian of each point."""
    curvature = space.rows.empty_curvature()
    point = evaluate(space, theta, trace, curvature)

    def directions(here: Point, active: Indices) -> Matrix:
        each = [
            -space.inverse_at(curvature[int(m)], int(m)).solve(here.gradient[m]) for m in active
        ]
        return np.array(each)

    return iterate(space, point, directions, rule, trace, curvature)
