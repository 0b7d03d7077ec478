"""What is added to the mean loss: a convex function of the coefficients of each output.

A penalty never sees the intercept. It is a function of coefficients in the units of X until
`scaled` makes it one of standardised coefficients; solvers and certificates see the latter. All
outputs have the same one, or each its own (`n_sets`). Those that are quadratic have a constant
Hessian, which every solver and certificate here can take; one that is not is refused by name until
a solver says that it can. `ElasticNet` has corners: what is smooth of it belongs to the smooth part
of the objective, and its `L1` is what a proximal solver and its certificate add.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import NamedTuple, Self

import numpy as np

from ..arrays import Floats, Indices, Mask, Matrix, Vector
from ..kernels.descent import Penalty as CompiledL2

__all__ = ["L1", "L2", "Bounds", "CompiledL2", "ElasticNet", "Penalty", "Quadratic"]

EPS = float(np.finfo(np.float64).eps)
# A strength of L1 that holds every coefficient at 0; sums and products with it are finite.
LARGEST = 2.0**1000


class Penalty(ABC):
    """A convex function of the coefficients of each output.

    Coefficients are ``(n_outputs, n_features)``. An object is never changed.

    Attributes
    ----------
    n_sets : int
        1 where all outputs have the same penalty, else the number of outputs.
    """

    n_sets: int = 1

    @abstractmethod
    def value(self, coef: Matrix) -> Vector:
        """Return the penalty of each output, (n_outputs,)."""

    @abstractmethod
    def gradient(self, coef: Matrix) -> Matrix:
        """Return the gradient of each output, or a subgradient, (n_outputs, n_features)."""

    @abstractmethod
    def prox(self, coef: Matrix, step_size: float) -> Matrix:
        """Return the minimum of ``|b - coef|^2 / 2 + step_size * value(b)``, as `coef`."""

    @abstractmethod
    def conjugate(self, slopes: Matrix) -> Vector:
        """Return the supremum over b of ``slopes @ b - value(b)`` for each output, inf if none."""

    @abstractmethod
    def scaled(self, inverse_scale: Vector) -> Self:
        """Return the same as a function of b with ``coef = b * inverse_scale``."""

    @abstractmethod
    def times(self, factor: float) -> Self:
        """Return this penalty times a number > 0."""

    def of_outputs(self, outputs: Indices) -> Self:
        """Return the penalty of some outputs (an index array)."""
        if self.n_sets > 1:
            raise NotImplementedError("a penalty of several sets says how to take some of them")
        return self


class Quadratic(Penalty):
    """A penalty ``b' H b / 2`` with H symmetric, without a negative eigenvalue.

    A subclass has to say `hessian`, `scaled` and `times`; the rest follows, by matrices. What is
    asked of the Hessian is its `diagonal`, its product with vectors, a diagonal below it (`floor`,
    by which certificates bound what a point lacks) and one above it (`ceiling`, by which solvers
    bound the curvature).
    """

    @abstractmethod
    def hessian(self, output: int = 0) -> Matrix:
        """Return H of an output, (n_features, n_features)."""

    def product(self, vectors: Matrix) -> Matrix:
        """Return H times a vector of each output, (n_outputs, n_features)."""
        return np.array(
            [self.hessian(self._set(k)) @ vector for k, vector in enumerate(vectors)]
        ).reshape(vectors.shape)

    def gradient(self, coef: Matrix) -> Matrix:
        """Return the gradient of each output, (n_outputs, n_features)."""
        return self.product(coef)

    def value(self, coef: Matrix) -> Vector:
        """Return the penalty of each output, (n_outputs,)."""
        return 0.5 * np.einsum("ij,ij->i", self.product(coef), coef)

    def gradient_change(self, coef: Matrix, outputs: Indices, others: Indices) -> Matrix:
        """Return the gradient at `coef` under the penalties of `outputs` less that of `others`."""
        return self.of_outputs(outputs).product(coef) - self.of_outputs(others).product(coef)

    def sizes(self, coef: Matrix) -> Matrix:
        """Return the sums of the absolute terms of each component of the gradient."""
        return np.array(
            [np.abs(self.hessian(self._set(k))) @ np.abs(own) for k, own in enumerate(coef)]
        )

    def diagonal(self) -> Matrix:
        """Return the diagonal of H for each set, (n_sets, n_features)."""
        return np.array([np.diag(self.hessian(k)) for k in range(self.n_sets)])

    def couple(self, matrix: Matrix, output: int) -> None:
        """Add what H has off its diagonal to a matrix of the columns, and perhaps the intercept."""
        hessian = np.array(self.hessian(self._set(output)), dtype=np.float64)
        np.fill_diagonal(hessian, 0.0)
        matrix[: len(hessian), : len(hessian)] += hessian

    def ceiling(self) -> Matrix:
        """Return for each set a diagonal D with H <= D, (n_sets, n_features)."""
        return np.array([np.abs(self.hessian(k)).sum(axis=1) for k in range(self.n_sets)])

    def floor(self) -> Matrix:
        """Return for each set a diagonal D >= 0 with H >= D, (n_sets, n_features).

        As large a share of H's own diagonal as the least eigenvalue of H in its units allows, less
        the rounding errors of that eigenvalue. Asked in each iteration, and computed once.
        """
        return self._floor

    @cached_property
    def _floor(self) -> Matrix:
        return np.array([_share_of_diagonal(self.hessian(k)) for k in range(self.n_sets)])

    def above_all(self) -> Quadratic:
        """Return one penalty whose Hessian is above those of all sets."""
        return self if self.n_sets == 1 else L2(self.ceiling().max(axis=0, keepdims=True))

    def prox(self, coef: Matrix, step_size: float) -> Matrix:
        """Return the minimum of ``|b - coef|^2 / 2 + step_size * value(b)``, as `coef`."""
        unit = np.eye(coef.shape[1])
        return np.array(
            [
                np.linalg.solve(unit + step_size * self.hessian(self._set(k)), own)
                for k, own in enumerate(coef)
            ]
        )

    def conjugate(self, slopes: Matrix) -> Vector:
        """Return the supremum over b of ``slopes @ b - value(b)`` for each output, inf if none."""
        found = np.empty(len(slopes))
        for k, own in enumerate(slopes):
            values, vectors = np.linalg.eigh(self.hessian(self._set(k)))
            parts = vectors.T @ own
            none = values <= EPS * len(values) * max(values[-1], 0.0)
            beyond = np.abs(parts[none]) > EPS * len(values) * np.linalg.norm(own)
            safe = np.where(none, 1.0, values)
            terms = np.where(none, 0.0, parts) ** 2 / safe
            found[k] = np.inf if beyond.any() else 0.5 * float(terms.sum())
        return found

    def _set(self, output: int) -> int:
        return min(output, self.n_sets - 1)


class L2(Quadratic):
    """Half the squared coefficients, each times its strength; the only one with a compiled twin.

    Parameters
    ----------
    strengths : float or ndarray of shape (n_features,) or (n_sets, n_features)
        Numbers >= 0.
    n_features : int, optional
        Needed where `strengths` is a number.
    """

    def __init__(self, strengths: float | Floats, n_features: int | None = None) -> None:
        strengths = np.asarray(strengths, dtype=np.float64)
        if strengths.ndim == 0:
            if n_features is None:
                raise TypeError(
                    f"L2({strengths[()]!s}) needs n_features, the number of columns, for a number"
                )
            # One number in memory, however many columns there are.
            self.strengths = np.broadcast_to(strengths, (1, n_features))
        else:
            self.strengths = np.array(strengths.reshape(-1, strengths.shape[-1]))
        self.n_sets = len(self.strengths)

    def compiled(self, fit_intercept: bool) -> CompiledL2:
        """Return the same for kernels, which add it inside the pass."""
        return CompiledL2(self.strengths, fit_intercept)

    def scaled(self, inverse_scale: Vector) -> Self:
        """Return the same as a function of b with ``coef = b * inverse_scale``."""
        # Squares of a column's scale alone may overflow.
        root = np.sqrt(self.strengths) * inverse_scale
        return type(self)(root**2)

    def times(self, factor: float) -> Self:
        """Return this penalty times a number > 0."""
        return type(self)(self.strengths * factor)

    def of_outputs(self, outputs: Indices) -> Self:
        """Return the penalty of some outputs (an index array)."""
        return self if self.n_sets == 1 else type(self)(self.strengths[outputs])

    def hessian(self, output: int = 0) -> Matrix:
        """Return the diagonal Hessian of an output, (n_features, n_features)."""
        return np.diag(self.strengths[self._set(output)])

    def product(self, vectors: Matrix) -> Matrix:
        """Return H times a vector of each output, (n_outputs, n_features)."""
        return self.strengths * vectors

    def gradient_change(self, coef: Matrix, outputs: Indices, others: Indices) -> Matrix:
        """Return the gradient at `coef` under the penalties of `outputs` less that of `others`."""
        if self.n_sets == 1:
            return np.zeros_like(coef)
        return (self.strengths[outputs] - self.strengths[others]) * coef

    def diagonal(self) -> Matrix:
        """Return the strengths, (n_sets, n_features)."""
        return self.strengths

    def couple(self, matrix: Matrix, output: int) -> None:
        """Add nothing: H has nothing off its diagonal."""

    def ceiling(self) -> Matrix:
        """Return the strengths."""
        return self.strengths

    def floor(self) -> Matrix:
        """Return the strengths."""
        return self.strengths

    def above_all(self) -> L2:
        """Return one penalty whose Hessian is above those of all sets."""
        return self if self.n_sets == 1 else L2(self.strengths.max(axis=0, keepdims=True))

    def prox(self, coef: Matrix, step_size: float) -> Matrix:
        """Return the minimum of ``|b - coef|^2 / 2 + step_size * value(b)``, as `coef`."""
        return coef / (1.0 + step_size * self.strengths)

    def conjugate(self, slopes: Matrix) -> Vector:
        """Return the supremum over b of ``slopes @ b - value(b)`` for each output, inf if none."""
        strengths = np.broadcast_to(self.strengths, slopes.shape)
        free = strengths == 0.0
        terms = np.divide(slopes**2, strengths, out=np.zeros(slopes.shape), where=~free)
        return np.where((free & (slopes != 0.0)).any(axis=1), np.inf, 0.5 * terms.sum(axis=1))


class Bounds(NamedTuple):
    """Between which numbers each coefficient has to be, of all outputs: (n_features,) each."""

    lower: Vector
    upper: Vector

    def of(self, columns: Indices) -> Bounds:
        """Return those of some columns (an index array)."""
        return Bounds(self.lower[columns], self.upper[columns])

    def scaled(self, inverse_scale: Vector) -> Bounds:
        """Return those of b with ``coef = b * inverse_scale``; none where that is 0."""
        varies = inverse_scale > 0.0
        none = np.full(inverse_scale.shape, np.inf)
        with np.errstate(over="ignore"):
            return Bounds(
                np.divide(self.lower, inverse_scale, out=-none, where=varies),
                np.divide(self.upper, inverse_scale, out=none, where=varies),
            )

    def clip(self, coef: Matrix) -> Matrix:
        """Return the nearest coefficients that are within."""
        return np.clip(coef, self.lower, self.upper)


class L1(Penalty):
    """The absolute values of the coefficients, each times its strength; maybe between bounds.

    Parameters
    ----------
    strengths : float or ndarray of shape (n_features,) or (n_sets, n_features)
        Numbers >= 0; 0 leaves a column free.
    n_features : int, optional
        Needed where `strengths` is a number.
    bounds : Bounds, optional
        Outside the penalty is infinite.
    """

    def __init__(
        self, strengths: float | Floats, n_features: int | None = None, bounds: Bounds | None = None
    ) -> None:
        self.strengths = L2(strengths, n_features).strengths
        self.n_sets = len(self.strengths)
        self.bounds = bounds

    def value(self, coef: Matrix) -> Vector:
        """Return the penalty of each output, (n_outputs,)."""
        found = np.asarray((self.strengths * np.abs(coef)).sum(axis=1))
        if self.bounds is None:
            return found
        outside = (coef < self.bounds.lower) | (coef > self.bounds.upper)
        return np.where(outside.any(axis=1), np.inf, found)

    def gradient(self, coef: Matrix) -> Matrix:
        """Return the subgradient of least norm, (n_outputs, n_features): 0 at 0."""
        return self.strengths * np.sign(coef)

    def prox(self, coef: Matrix, step_size: float) -> Matrix:
        """Return the coefficients drawn to 0 by ``step_size * strengths``, and 0 within."""
        return self.inside(self.drawn(coef, step_size))

    def drawn(self, coef: Matrix, step_size: float) -> Matrix:
        """Return what `prox` does as if there were no bounds."""
        beyond = np.abs(coef) - step_size * self.strengths
        return np.sign(coef) * np.maximum(beyond, 0.0)

    def inside(self, coef: Matrix) -> Matrix:
        """Return the nearest coefficients within the bounds."""
        return coef if self.bounds is None else self.bounds.clip(coef)

    def conjugate(self, slopes: Matrix) -> Vector:
        """Return the supremum over b of ``slopes @ b - value(b)`` for each output.

        Without bounds 0 where the slopes are within the strengths, else infinite.
        """
        if self.bounds is None:
            return np.where((np.abs(slopes) > self.strengths).any(axis=1), np.inf, 0.0)
        return self.suprema(slopes).sum(axis=1)

    def suprema(self, slopes: Matrix) -> Matrix:
        """Return the supremum over b of ``slope * b - value(b)`` for each coefficient."""
        assert self.bounds is not None
        nearest = self.bounds.clip(np.zeros((1, self.bounds.lower.size)))[0]
        ends = np.array([nearest, *self.bounds])
        with np.errstate(invalid="ignore"):
            each = np.array([(np.sign(b) * slopes - self.strengths) * np.abs(b) for b in ends])
        # Level all the way to infinity: what it is at the nearest to 0.
        return np.asarray(np.nanmax(each, axis=0))

    def corners(self, coef: Matrix) -> Mask:
        """Return which coefficients are at 0 with L1, or at a bound: where the slopes leap."""
        found = (coef == 0.0) & (self.strengths > 0.0)
        if self.bounds is None:
            return found
        return np.asarray(found | (coef == self.bounds.lower) | (coef == self.bounds.upper))

    def allowed(self, coef: Matrix) -> tuple[Matrix, Matrix]:
        """Return the least and the largest slope of a function whose sum with this is least here.

        Each coefficient for itself; both as `coef`.
        """
        low = np.where(coef < 0.0, self.strengths, -self.strengths)
        high = np.where(coef > 0.0, -self.strengths, self.strengths)
        if self.bounds is None:
            return low, high
        low = np.where(coef == self.bounds.upper, -np.inf, low)
        return low, np.where(coef == self.bounds.lower, np.inf, high)

    def least_slopes(self, coef: Matrix, slopes: Matrix) -> Matrix:
        """Return the subgradient of least norm of this plus a function with these `slopes`."""
        return np.asarray(slopes - np.clip(slopes, *self.allowed(coef)))

    def scaled(self, inverse_scale: Vector) -> Self:
        """Return the same as a function of b with ``coef = b * inverse_scale``."""
        bounds = None if self.bounds is None else self.bounds.scaled(inverse_scale)
        # It may overflow for columns of a tiny scale; infinity times a coefficient of 0 is NaN.
        with np.errstate(over="ignore"):
            strengths = np.minimum(self.strengths * inverse_scale, LARGEST)
        return type(self)(strengths, None, bounds)

    def times(self, factor: float) -> Self:
        """Return this penalty times a number > 0."""
        return type(self)(self.strengths * factor, None, self.bounds)

    def of_outputs(self, outputs: Indices) -> Self:
        """Return the penalty of some outputs (an index array)."""
        if self.n_sets == 1:
            return self
        return type(self)(self.strengths[outputs], None, self.bounds)

    def of_columns(self, columns: Indices) -> Self:
        """Return the penalty of some columns (an index array)."""
        bounds = None if self.bounds is None else self.bounds.of(columns)
        return type(self)(self.strengths[:, columns], None, bounds)


class ElasticNet(Penalty):
    """``sum(l1 * |coef| + l2 * coef**2 / 2)`` of each output.

    Parameters
    ----------
    l1, l2 : float or ndarray of shape (n_features,) or (n_sets, n_features)
        Numbers >= 0, on the scale of the mean loss and in the units of X.
    n_features : int, optional
        Needed where both are numbers.

    Attributes
    ----------
    l1 : L1
    l2 : L2
    """

    def __init__(
        self, l1: float | Floats | L1, l2: float | Floats | L2 = 0.0, n_features: int | None = None
    ) -> None:
        for strengths in (l1, l2):
            if not isinstance(strengths, Penalty) and np.ndim(strengths):
                n_features = np.shape(strengths)[-1]
            elif isinstance(strengths, L1 | L2):
                n_features = strengths.strengths.shape[1]
        self.l1 = l1 if isinstance(l1, L1) else L1(l1, n_features)
        self.l2 = l2 if isinstance(l2, L2) else L2(l2, n_features)
        self.n_sets = max(self.l1.n_sets, self.l2.n_sets)

    def value(self, coef: Matrix) -> Vector:
        """Return the penalty of each output, (n_outputs,)."""
        return self.l1.value(coef) + self.l2.value(coef)

    def gradient(self, coef: Matrix) -> Matrix:
        """Return the subgradient of least norm, (n_outputs, n_features)."""
        return self.l1.gradient(coef) + self.l2.gradient(coef)

    def prox(self, coef: Matrix, step_size: float) -> Matrix:
        """Return the minimum of ``|b - coef|^2 / 2 + step_size * value(b)``, as `coef`."""
        return self.l1.inside(self.l2.prox(self.l1.drawn(coef, step_size), step_size))

    def conjugate(self, slopes: Matrix) -> Vector:
        """Return the supremum over b of ``slopes @ b - value(b)`` for each output.

        Without bounds half the squares of what the slopes exceed l1 by, over l2; inf where l2 is 0.
        """
        drawn, l2 = self.l1.drawn(slopes, 1.0), self.l2.strengths
        if self.l1.bounds is None:
            return self.l2.conjugate(drawn)
        l2 = np.broadcast_to(l2, drawn.shape)
        curved = l2 > 0.0
        best = self.l1.inside(np.divide(drawn, l2, out=np.zeros(drawn.shape), where=curved))
        each = slopes * best - self.l1.strengths * np.abs(best) - 0.5 * l2 * best**2
        return np.where(curved, each, self.l1.suprema(slopes)).sum(axis=1)

    def scaled(self, inverse_scale: Vector) -> Self:
        """Return the same as a function of b with ``coef = b * inverse_scale``."""
        return type(self)(self.l1.scaled(inverse_scale), self.l2.scaled(inverse_scale))

    def times(self, factor: float) -> Self:
        """Return this penalty times a number > 0."""
        return type(self)(self.l1.times(factor), self.l2.times(factor))

    def of_outputs(self, outputs: Indices) -> Self:
        """Return the penalty of some outputs (an index array)."""
        return type(self)(self.l1.of_outputs(outputs), self.l2.of_outputs(outputs))

    def of_columns(self, columns: Indices) -> Self:
        """Return the penalty of some columns (an index array)."""
        return type(self)(self.l1.of_columns(columns), L2(self.l2.strengths[:, columns]))


def _share_of_diagonal(hessian: Matrix) -> Vector:
    diagonal = np.diag(hessian).astype(np.float64)
    used = np.flatnonzero(diagonal > 0.0)
    floor = np.zeros_like(diagonal)
    if used.size:
        root = np.sqrt(diagonal[used])
        scaled = hessian[np.ix_(used, used)] / root[:, None] / root
        least = float(np.linalg.eigvalsh(scaled)[0]) - 4.0 * EPS * used.size**1.5
        floor[used] = max(least, 0.0) * diagonal[used]
    return floor
