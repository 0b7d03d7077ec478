"""The cost of a fit and its derivatives, for optimisers and samplers of the user's own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeGuard

import numpy as np

from ..arrays import Array, ArrayLike, Codes, Floats, Matrix, Vector
from ..design.base import readonly
from ..inputs import validation
from ..inputs.conversion import as_numbers
from ..inputs.given import Given
from ..inputs.validation import NO_NUMBERS
from ..kernels.descent import start_state
from ..kernels.small import pieces
from ..objective.penalties import L2
from ..objective.row_state import RowCurvature
from ..options import check_option
from .coding import Coding, with_coding
from .problem import MULTI_CLASS, Strengths, check_problem, given_of

__all__ = ["Problem", "is_small"]

FLOAT64 = np.dtype(np.float64)
INFINITY = math.inf
# Up to this many numbers, X and 10 columns beside it, the small kernel is the faster for cost and
# gradient: 19 us of 1,000 x 10 where the pass takes 68, 34 and 51 of 2,000 x 20, but 470 and 310
# of 3,000 x 50.
MOST_NUMBERS, BESIDE = 60_000, 10
# And for a Hessian up to this many products: 24 us of 400 x 8 where the pass takes 90, 77 and 114
# of 1,000 x 10, 231 and 177 of 2,000 x 20.
MOST_PRODUCTS = 250_000

_cost_gradient = pieces.cost_gradient_small.serial


def is_small(n_samples: int, n_features: int) -> bool:
    """Say whether cost and gradient of one model are for the small kernel."""
    return n_samples * (n_features + BESIDE) <= MOST_NUMBERS


class Problem:
    """The cost that `fit` minimises, as a function of its parameters, with its derivatives.

    For `scipy.optimize`, samplers and loops of the user's own: what is given is checked once, and
    an evaluation of a small problem takes a few microseconds. Its minimum is what `fit` finds.

    Parameters are one vector *theta* in the units of X: the coefficients of all columns, then the
    intercept if it is fitted. Of a softmax each class in turn has its coefficients and its
    intercept. `pack` and `unpack` translate from and to `coef` and `intercept` as a `FitResult` has
    them.

    The cost is the weighted mean loss plus the penalty. Times `total_weight` it is minus the
    logarithm of the likelihood, and of a Gaussian prior's density but for a constant:
    ``l2_reg * total_weight`` is one over the prior's variance, 1 / C.

    X and `sample_weight` are read where they lie; do not change them meanwhile. Any number of
    threads may call one object.

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        What `fit` takes: real numbers, finite; columns of a data frame may be categorical.
    y : array-like of shape (n_samples,)
        Class labels. The probability is that of the second of two, sorted.
    C : float > 0, optional
        Inverse strength of the L2 penalty, as in `fit`; ``l2_reg = 1 / (C * sum of weights)``.
    l2_reg : float >= 0 or array-like of shape (n_features,), optional
        Its strength on the scale of the mean loss; neither: no penalty.
    sample_weight : array-like of shape (n_samples,), optional
        Weights >= 0 of the rows.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions; of a softmax (n_samples, n_classes).
    penalty_factor : array-like of shape (n_features,), optional
        Multiplies the penalty of each column.
    multi_class : {"ovr", "multinomial"}, default "ovr"
        More than two classes need "multinomial": one-vs-all is a problem for each class.
    intercept : "fit", float or None, default "fit"
        A number holds the intercept there; None or 0 is none.
    n_threads : int, optional
        Number of threads; None takes what the process may use. The result has the same bits for
        every number.
    categories : {"auto", "full", "reference"} or fastlogit.inputs.categories.Categories
        How categorical columns are coded, as in `fit`; or those of a fit, whose levels are taken.
    interactions : sequence of pairs of str, optional
        Names of two categorical columns, as in `fit`.

    Attributes
    ----------
    n_parameters, n_samples, n_features : int
        Features are columns, of a categorical one its levels that have a coefficient.
    feature_names : list of str or None
        Of a data frame: a name for each feature, as ``carrier[AA]``.
    categories : fastlogit.inputs.categories.Categories or None
        Of a data frame with categorical columns.
    classes : ndarray of shape (n_classes,)
        The labels, sorted.
    total_weight : float
        The sum of the weights; the number of rows without any.
    l2_reg : ndarray of shape (n_features,)
        Strength of the penalty of each column; read-only.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.

    Examples
    --------
    >>> from scipy.optimize import minimize
    >>> from sklearn.datasets import load_iris
    >>> import fastlogit
    >>> X, y = load_iris(return_X_y=True)
    >>> problem = fastlogit.Problem(X, y == 2, C=1.0)
    >>> found = minimize(problem.cost_gradient, problem.start(), jac=True, method="BFGS")
    >>> coef, intercept = problem.unpack(found.x)
    >>> bool(abs(coef - fastlogit.fit(X, y == 2, C=1.0).coef).max() < 1e-3)
    True
    """

    def __init__(
        self,
        X: ArrayLike,
        y: ArrayLike,
        *,
        C: float | None = None,
        l2_reg: ArrayLike = None,
        sample_weight: ArrayLike = None,
        offset: ArrayLike = None,
        penalty_factor: ArrayLike = None,
        multi_class: str = "ovr",
        intercept: object = "fit",
        n_threads: int | None = None,
        categories: Coding = "auto",
        interactions: Sequence[Sequence[str]] | None = None,
    ) -> None:
        multi_class = check_option("multi_class", multi_class, MULTI_CLASS)
        has_penalty = Strengths(C).exist(l2_reg, None)
        X, coding = with_coding(X, categories, interactions, has_penalty=has_penalty)
        given = given_of(X, y, sample_weight, offset, l2_reg, penalty_factor, None)
        if isinstance(given, Given):
            given = given._replace(categories=coding)
        checked = check_problem(given, Strengths(C), multi_class, intercept, n_threads)
        self.classes = checked.classes
        if checked.objective.n_models > 1:
            raise ValueError(
                f"multi_class='ovr' of {self.classes.size} classes is a problem for each class: "
                "take multi_class='multinomial', or make a Problem of y == label for each"
            )
        validation.refuse_not_finite(checked.objective.design, checked.names)
        data, objective = checked.data, checked.objective
        self.feature_names, self.categories = checked.names, data.rows.categories
        self._unit = data.rows.unit
        self.n_samples, self.n_features = objective.design.shape
        weights = data.weights
        self.total_weight = float(weights.sum()) if weights.size else float(self.n_samples)
        assert isinstance(objective.user_penalty, L2)
        self._l2_reg: Vector = objective.user_penalty.strengths[0].copy()
        self.l2_reg: Vector = readonly(self._l2_reg.copy())
        fixed = checked.fixed_intercept
        self._objective, self._fixed = objective, fixed
        self._level = 0.0 if fixed is None else fixed
        n_levels = int(fixed is None)
        self._n_outputs = objective.n_outputs
        self.n_parameters = self._n_outputs * (self.n_features + n_levels)
        self._shape = (self.n_parameters,)
        self._small: tuple[Array, Codes, Vector, Vector] | None = None
        rows = data.rows.X
        if (
            self._n_outputs == 1
            and type(rows) is np.ndarray
            and is_small(self.n_samples, self.n_features)
        ):
            kept = np.require(rows, np.float64, ["C", "A", "W"])
            offset_of = data.offset if data.offset.size else NO_NUMBERS
            # Weights that are moderate: sums of losses times 1e300 would overflow.
            moderate = objective.rows.weights_of(0)
            self._small = (
                kept,
                data.codes,
                NO_NUMBERS if moderate is None else moderate,
                offset_of,
            )
        self._works: list[Vector] = []
        # The last point whose second derivatives were asked for, and these.
        self._last_hessian: tuple[bytes, Matrix] | None = None
        self._last_curvature: tuple[bytes, RowCurvature] | None = None

    def __repr__(self) -> str:
        """Return one line: the size of it."""
        unit = "columns" if self.categories is None else "coefficients of columns and levels"
        return (
            f"Problem({self.n_samples} rows, {self.n_features} {unit}, {len(self.classes)} "
            f"classes, {self.n_parameters} parameters)"
        )

    # ---- parameters

    def start(self) -> Vector:
        """Return parameters to begin with: zeros."""
        return np.zeros(self.n_parameters)

    def pack(self, coef: ArrayLike, intercept: ArrayLike = 0.0) -> Vector:
        """Return theta from coefficients and intercept.

        Parameters
        ----------
        coef : array-like of shape (n_features,) or, softmax, (n_features, n_classes)
        intercept : float or array-like of shape (n_classes,), default 0.0
            Left out where it is not fitted.

        Returns
        -------
        ndarray of shape (n_parameters,)

        Raises
        ------
        TypeError, ValueError
            If they have the wrong type, shape or value.
        """
        coefs, intercepts, _ = validation.check_coef(coef, intercept, self.n_features, self._unit)
        if len(coefs) != self._n_outputs:
            raise ValueError(
                f"coef has {len(coefs)} columns, but the problem has {self._n_outputs} outputs"
            )
        if self._fixed is not None:
            return coefs.reshape(-1)
        return np.column_stack([coefs, intercepts]).reshape(-1)

    def unpack(self, theta: ArrayLike) -> tuple[Floats, float | Vector]:
        """Return coefficients and intercept, in the shapes of a `FitResult`.

        Parameters
        ----------
        theta : array-like of shape (n_parameters,)

        Returns
        -------
        coef : ndarray of shape (n_features,) or, softmax, (n_features, n_classes)
        intercept : float or ndarray of shape (n_classes,)
        """
        coef, levels = self._split(self._check("theta", theta))
        if self._n_outputs == 1:
            return coef[0].copy(), float(levels[0])
        return np.ascontiguousarray(coef.T), levels.copy()

    # ---- the cost and its derivatives

    def cost(self, theta: ArrayLike) -> float:
        """Return the cost at theta; infinity where it leaves float64.

        Parameters
        ----------
        theta : array-like of shape (n_parameters,)

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If theta has the wrong type or shape, or holds NaN or infinity.
        """
        return self.cost_gradient(theta)[0]

    def gradient(self, theta: ArrayLike) -> Vector:
        """Return the derivatives of the cost at theta.

        Parameters
        ----------
        theta : array-like of shape (n_parameters,)

        Returns
        -------
        ndarray of shape (n_parameters,)

        Raises
        ------
        TypeError, ValueError
            If theta has the wrong type or shape, or holds NaN or infinity.
        """
        return self.cost_gradient(theta)[1]

    def cost_gradient(self, theta: ArrayLike) -> tuple[float, Vector]:
        """Return the cost at theta and its derivatives, in one pass over X.

        Parameters
        ----------
        theta : array-like of shape (n_parameters,)

        Returns
        -------
        cost : float
            Infinity where it leaves float64.
        gradient : ndarray of shape (n_parameters,)

        Raises
        ------
        TypeError, ValueError
            If theta has the wrong type or shape, or holds NaN or infinity.
        """
        point = theta if self._is_vector(theta) else self._vector("theta", theta)
        evaluate = self._evaluate if self._small is None else self._evaluate_small
        value, gradient = evaluate(point)
        if not -INFINITY < value < INFINITY:
            _refuse_not_finite("theta", point)
            value = INFINITY
        return value, gradient

    def hessian(self, theta: ArrayLike) -> Matrix:
        """Return the second derivatives of the cost at theta.

        Parameters
        ----------
        theta : array-like of shape (n_parameters,)

        Returns
        -------
        ndarray of shape (n_parameters, n_parameters)

        Raises
        ------
        TypeError, ValueError
            If theta has the wrong type or shape, or holds NaN or infinity.
        """
        point = self._check("theta", theta)
        if self._has_small_hessian():
            return self._small_hessian(point).copy()
        matrix = self._objective.rows.hessian(self._curvature(point), 0)
        is_slope = np.arange(len(matrix)) % (self.n_features + 1) < self.n_features
        places = np.flatnonzero(is_slope)
        matrix[places, places] += np.tile(self._l2_reg, self._n_outputs)
        return matrix if self._fixed is None else matrix[np.ix_(places, places)]

    def hessian_product(self, theta: ArrayLike, vector: ArrayLike) -> Vector:
        """Return the second derivatives of the cost at theta, times a vector.

        What is asked again at the same theta, as `scipy.optimize` does in conjugate gradients, goes
        on from what was found before. Of large problems no matrix is made.

        Parameters
        ----------
        theta, vector : array-like of shape (n_parameters,)

        Returns
        -------
        ndarray of shape (n_parameters,)

        Raises
        ------
        TypeError, ValueError
            If one has the wrong type or shape, or holds NaN or infinity.
        """
        point, direction = self._check("theta", theta), self._check("vector", vector)
        if self._has_small_hessian():
            return np.einsum("ij,j->i", self._small_hessian(point), direction)
        key, known = point.tobytes(), self._last_curvature
        if known is None or known[0] != key:
            known = self._last_curvature = key, self._curvature(point)
        coef, levels = self._split(direction, 0.0)
        slopes, last = self._objective.rows.product(known[1], coef, levels)
        return self._flat(slopes + self._l2_reg * coef, last)

    # ---- how it is made

    def _evaluate(self, point: Vector) -> tuple[float, Vector]:
        """Return cost and gradient as they come out: by a pass."""
        _refuse_not_finite("theta", point)
        cost, slopes, last = self._objective.value_gradient(*self._split(point))
        return float(cost.sum()), self._flat(slopes, last)

    def _evaluate_small(self, point: Vector) -> tuple[float, Vector]:
        """Return cost and gradient as they come out: by the small kernel."""
        assert self._small is not None
        X, codes, weights, offset = self._small
        n_features, fitted = self.n_features, self._fixed is None
        try:
            work = self._works.pop()  # one that no other thread has
        except IndexError:
            work = np.empty(2 * self.n_samples)
        gradient = np.empty(n_features + 1)
        value = _cost_gradient(
            X, codes, 1, weights, offset, self._l2_reg, point[:n_features],
            float(point[n_features]) if fitted else self._level, work, gradient,
        )  # fmt: skip
        self._works.append(work)
        # Infinity in theta makes the cost infinite or NaN, unless it separates the classes, where
        # all residuals are 0. To look at theta each time would take a third as long as the rest.
        if gradient.item(n_features) == 0.0:
            _refuse_not_finite("theta", point)
        return float(value), gradient if fitted else gradient[:n_features]

    def _check(self, name: str, value: ArrayLike) -> Vector:
        """Return finite parameters as a writable float64 vector, or raise."""
        vector = self._vector(name, value)
        _refuse_not_finite(name, vector)
        return vector

    def _is_vector(self, value: ArrayLike) -> TypeGuard[Vector]:
        """Say whether it is such a vector; of what kind its numbers are kernels must be sure."""
        return (
            type(value) is np.ndarray
            and value.shape == self._shape
            and value.dtype == FLOAT64
            and value.flags.carray
        )

    def _vector(self, name: str, value: ArrayLike) -> Vector:
        """Return parameters as a writable float64 vector, or raise."""
        if self._is_vector(value):
            return value
        numbers = as_numbers(name, value)
        if numbers.shape != self._shape:
            raise ValueError(
                f"{name} has shape {numbers.shape}, but the problem has {self.n_parameters} "
                f"parameters: it must be ({self.n_parameters},)"
            )
        return np.array(numbers, dtype=np.float64)

    def _split(self, theta: Vector, level: float | None = None) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts of all outputs; `level` in place of a fixed one."""
        outputs = theta.reshape(self._n_outputs, -1)
        if self._fixed is None:
            return outputs[:, :-1], outputs[:, -1]
        return outputs, np.full(self._n_outputs, self._level if level is None else level)

    def _curvature(self, theta: Vector) -> RowCurvature:
        """Return the curvature of each row, by a state of its own: threads share the objective."""
        curvature = self._objective.rows.empty_curvature()
        self._objective.evaluate(start_state(*self._split(theta)), curvature)
        return curvature

    def _flat(self, slopes: Matrix, last: Vector) -> Vector:
        """Return derivatives of all outputs as those of theta."""
        if self._fixed is None:
            slopes = np.column_stack([slopes, last])
        return slopes.reshape(-1)

    def _has_small_hessian(self) -> bool:
        size = self.n_features + 1
        return self._small is not None and self.n_samples * size * size <= MOST_PRODUCTS

    def _small_hessian(self, point: Vector) -> Matrix:
        """Return the second derivatives of a small problem, kept for the last point."""
        key = point.tobytes()
        known = self._last_hessian
        if known is not None and known[0] == key:
            return known[1]
        assert self._small is not None
        X, _, weights, offset = self._small
        size, fitted = self.n_features, self._fixed is None
        hessian = np.empty((size + 1, size + 1))
        pieces.hessian_small.serial(
            X, weights, offset, self._l2_reg, point[:size],
            float(point[size]) if fitted else self._level, np.empty(2 * self.n_samples), hessian,
        )  # fmt: skip
        if not fitted:
            hessian = np.ascontiguousarray(hessian[:size, :size])
        self._last_hessian = key, hessian
        return hessian


def _refuse_not_finite(name: str, vector: Vector) -> None:
    if not validation.all_finite(vector):
        place = int(np.argmin(np.isfinite(vector)))
        raise ValueError(f"{name} holds {vector[place]} at place {place}; it must be finite")
