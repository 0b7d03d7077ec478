"""Newton's method with conjugate gradients: no matrix of the size of the columns squared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import Indices, Mask, Matrix, Vector
from ..linalg.conjugate_gradients import ConjugateGradients
from ..objective.objective import Objective
from ..objective.penalties import Quadratic
from ..objective.row_state import RowCurvature
from .abilities import Abilities
from .iteration import evaluate, iterate
from .stopping import StoppingRule
from .trace import Point, Reason, Trace, of_models

__all__ = ["ABILITIES", "by_diagonal", "newton_cg"]

ABILITIES = Abilities(penalties=Quadratic)

# Products for an equation at the most. Without rounding as many as it has unknowns would do: what
# four times as many leave is rounding (20,705 products for 24 unknowns were seen, in nine seconds).
MAX_PRODUCTS, TIMES_UNKNOWNS, SOME_MORE = 500, 4, 20
# Share of the gradient, in the preconditioner's norm, that may be left of the Newton equation. On
# 4,000 x 5,000 normal numbers 0.25 takes 78 passes to 1e-8, 0.35 71, 0.5 69, and 0.6 75; of falling
# singular values 4,000 x 3,000 take 163, 154, 149 and 238, and the softmax of 3,000 x 400 normal
# numbers at C=100 255, 243, 305 and 308. A share that falls with the progress (Eisenstat and
# Walker, 1996) takes more.
ACCURACY = 0.35
# The same in float32, where a product is less than half an evaluation: 40,000 x 50,000 text of 20
# classes takes 6 steps and 17 products so, with 0.35 9 and 16.
NARROW_ACCURACY = 0.12
# Equations of which less is to be left, in norm, are not solved in float32, of seven digits.
LEAST_SHARE = 1e-3
# Length of the steps since the Hessians of a few rows were made, in the norm of the Hessian, above
# which the curvatures have changed.
FAR = 0.1
# So many times their price in products means that they are no longer good, whatever the steps.
LONG = 4.0
# Share of what is wanted that may be left where an iteration may be the last.
LEFT = 0.5
# The same in the norm of the penalty, half of which a proof by that counts: with 0.5 these came to
# a quarter of what was asked for, by 2 to 5 products more.
LEFT_FOR_PROOF = 1.2
# So much less is left of a binomial model's where a proof was refused: with an intercept without
# penalty it holds near the optimum alone, and after a few refusals a Gram matrix is made. Without
# it 2,100 x 2,600 normal numbers take 392 passes to 1e-4, so 54. Softmax takes more with it.
MUCH_LESS = 0.1
# An iteration is meant to be the last where its share would leave so many times that: some products
# more are less than an evaluation, another proof and the products after it. It saves 6 % of the
# passes of 5,000 digits of 784 columns and of 4,000 x 5,000 normal numbers; with 1000 others take
# more. Not where nothing is proven, as on the way to a start.
STRETCH = 64.0
# A Newton step thought to gain so many times the whole cost is not worked out.
ABSURD = 1e8

# Takes models and vectors, one for each; returns an approximate inverse Hessian times them.
Precondition = Callable[[Indices, Matrix], Matrix]
# Makes one for some models, from theta and row curvatures of all models and the indices of those.
Renew = Callable[[Matrix, RowCurvature, Indices], Precondition]
# Takes the number of products so far, and that of equations; says whether they are too many.
TooMany = Callable[[int, int], bool]


def newton_cg(
    objective: Objective, theta: Matrix, rule: StoppingRule, trace: Trace,
    renew: Renew | None = None, price: float = np.inf, starts_warm: bool = False, slow: int = 0,
    too_many: TooMany | None = None,
) -> tuple[Point, Reason]:  # fmt: skip
    """Minimise from `theta`; return the last point and why it ended there.

    Row curvatures come with cost and gradient in one pass; conjugate gradients on the Newton
    equation take one pass for each product with the Hessian, and leave a share of the gradient
    (Dembo, Eisenstat and Steihaug, 1982, SIAM Journal on Numerical Analysis 19). They are
    preconditioned by the Hessian's diagonal, and later by what `renew` makes: anew once the
    products since the last time have taken `price` passes, and at once where `theta` is near the
    optimum; but not while an equation takes fewer than `slow` products. With `too_many` that alone
    says when.
    """
    curvature = objective.rows.empty_curvature()
    start = [evaluate(objective, theta, trace, curvature)]
    renewed: Precondition | None = None
    spent, moved, latest = price if starts_warm else 0.0, np.inf, slow if starts_warm else 0
    n_products = n_equations = 0

    def is_stale() -> bool:
        if too_many is not None:
            return n_equations > 0 and too_many(n_products, n_equations)
        return latest >= slow and spent >= price and (moved > FAR or spent >= LONG * price)

    def directions(here: Point, active: Indices) -> Matrix:
        nonlocal spent, moved, renewed, latest, n_products, n_equations
        if here.restarted:
            renewed, spent, moved = None, price, np.inf
        part, gradient = objective.only(active), of_models(here.gradient, active)
        own_curvature = curvature if len(active) == len(curvature) else curvature[active]
        wanted = rule.tol * np.abs(here.cost[active])
        precondition = renewed or by_diagonal(part, own_curvature, active)
        with np.errstate(over="ignore", invalid="ignore"):
            smooth = precondition(active, gradient)
            size = np.einsum("ij,ij->i", gradient, smooth)
        if rule.certificate is not None:
            rule.certificate.know(here.theta, curvature)
        rule.look(active, of_models(here.theta, active), here.cost[active], gradient, 0.5 * size)
        if renew is not None and is_stale() and not rule.met[active].all():
            renewed = precondition = renew(here.theta, curvature, active)
            spent, moved = 0.0, 0.0
            with np.errstate(over="ignore", invalid="ignore"):
                smooth = precondition(active, gradient)
                size = np.einsum("ij,ij->i", gradient, smooth)
        is_narrow = renewed is None and part.solves_narrow
        share = (NARROW_ACCURACY if is_narrow else ACCURACY) ** 2 * size
        # Not where a proof was refused: flat directions are small in the preconditioner's norm.
        refused = (0.5 * size <= wanted) & ~rule.met[active]
        enough = 2.0 * LEFT * wanted
        is_last = share <= (1.0 if rule.certificate is None else STRETCH) * enough
        less = 1.0 if objective.loss.is_coupled else MUCH_LESS
        left = np.where(refused, less * share, np.where(is_last, enough, share))
        # Where rows have no curvature the step has no length either: not a product for it.
        left[rule.met[active] | ~(size <= ABSURD * np.abs(here.cost[active]))] = np.inf
        equation = _Equation(
            part, own_curvature, active, precondition, is_last, LEFT_FOR_PROOF * wanted
        )
        with np.errstate(over="ignore", invalid="ignore"):
            find = equation.solve_narrow if is_narrow else equation.solve
            direction, latest = find(gradient, smooth, left, trace)
        spent += latest
        n_products, n_equations = n_products + latest, n_equations + 1
        moved += float(np.sqrt(size.max()))
        return direction

    # Nobody but the iteration holds its point: two vectors of all columns.
    return iterate(objective, start.pop(), directions, rule, trace, curvature)


def by_diagonal(part: Objective, curvature: RowCurvature, active: Indices) -> Precondition:
    """Return the inverse of the Hessians' diagonals, as if columns were independent of curvature.

    `active` are the models of `part`, as vectors come with them.
    """
    diagonal = part.diagonal(curvature)
    return lambda models, vectors: part.loss.centred(
        vectors / diagonal[np.searchsorted(active, models)]
    )


class _Equation:
    """The Newton equation H d = -g of some models, and how exactly it is wanted."""

    def __init__(
        self, part: Objective, curvature: RowCurvature, models: Indices, precondition: Precondition,
        is_last: Mask, wanted: Vector,
    ) -> None:  # fmt: skip
        self.part = part
        self.curvature = curvature
        self.models = models
        self.precondition = precondition
        # A proof by the penalty alone needs a small residual in its norm as well.
        l2 = part.penalty.floor()
        moving = part.design.columns.inverse_scale > 0.0
        self.is_last = is_last & bool((l2[:, moving] > 0.0).all())
        self.wanted = wanted

    def solve(
        self, gradient: Matrix, smooth: Matrix, left: Vector, trace: Trace
    ) -> tuple[Matrix, int]:
        """Return directions by conjugate gradients, and the number of products.

        `smooth` is the preconditioned gradient; used up.
        """
        found = ConjugateGradients(
            -gradient, lambda which, vectors: self.precondition(self.models[which], vectors),
            np.negative(smooth, out=smooth),
        )  # fmt: skip
        live = np.flatnonzero(np.isfinite(left))
        part, curvature = self._of(live)
        most = min(MAX_PRODUCTS, TIMES_UNKNOWNS * gradient.shape[1] + SOME_MORE)
        for products in range(most):
            rough = self._roughness(found.residual) if self.is_last.any() else found.size
            moving = (found.size > left) | self._is_rough(rough) | (products == 0)
            moving = live[moving[live]]
            if not moving.size or trace.is_late():
                break
            if moving.size < len(live):
                # Models that are done cost no more products.
                live = moving
                part, curvature = self._of(live)
            part.design.counter.phase = "Newton's equation, by conjugate gradients"
            everyone = len(live) == len(self.models)
            along = found.direction if everyone else found.direction[live]
            found.step(live, part.hessian_product(curvature, along))
        untouched = ~found.solution.any(axis=1)
        found.solution[untouched] = found.smooth[untouched]
        return found.solution, products

    def solve_narrow(
        self, gradient: Matrix, smooth: Matrix, left: Vector, trace: Trace
    ) -> tuple[Matrix, int]:
        """Do what `solve` does in float32 where that can be, preconditioned by the diagonal."""
        live = np.flatnonzero(np.isfinite(left))
        size = np.einsum("ij,ij->i", gradient, smooth)
        if not live.size or (left[live] < LEAST_SHARE**2 * size[live]).any():
            return self.solve(gradient, smooth, left, trace)
        found = self.part.narrow_equation(self.curvature, gradient)
        most = min(MAX_PRODUCTS, TIMES_UNKNOWNS * gradient.shape[1] + SOME_MORE)
        for products in range(most):
            moving = (found.size > left) | self._is_rough(found.rough) | (products == 0)
            live = live[moving[live]]
            if not live.size or trace.is_late():
                break
            self.part.design.counter.phase = "Newton's equation, by conjugate gradients"
            found.step(live)
        solution = found.solution().reshape(gradient.shape)
        if not np.isfinite(solution).all():
            return self.solve(gradient, smooth, left, trace)
        untouched = ~solution.any(axis=1)
        solution[untouched] = -smooth[untouched]
        return solution, products

    def _of(self, live: Indices) -> tuple[Objective, RowCurvature]:
        if len(live) == len(self.models):
            return self.part, self.curvature
        return self.part.only(live), self.curvature[live]

    def _is_rough(self, norms: Vector) -> Mask:
        """Say for which models, in their last iteration, the residual is too large for a proof."""
        return self.is_last & (norms > self.wanted)

    def _roughness(self, residual: Matrix) -> Vector:
        """Return the squared norms of residuals in that of the penalty."""
        norms = np.square(self.part.split(residual)[0])
        norms /= np.maximum(self.part.penalty.floor(), 1e-300)
        norms[:, ~(self.part.design.columns.inverse_scale > 0.0)] = 0.0
        total: Vector = norms.reshape(len(residual), -1).sum(axis=1)
        return total
