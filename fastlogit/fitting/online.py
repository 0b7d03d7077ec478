"""Learning from batches that come one after the other, each of them seen once.

What is minimised is scikit-learn's cost of all rows seen so far, ``C * sum(loss) + |coef|^2 / 2``,
with the sum cut in two. The latest rows, the *window*, are kept and count exactly. The loss of the
older ones, the *past*, stands as its second-order expansion at the optimum of the time when they
left the window: an anchor, a slope and a Hessian, to which nothing but sums are added. Each batch
is followed by a few Newton steps on past plus window plus penalty.

This is the online Laplace approximation of the posterior mode (Spiegelhalter and Lauritzen, 1990,
Networks 20; Opper, 1998, in On-line Learning in Neural Networks), which is the extended Kalman
filter with several steps a batch (Fahrmeir, 1992, Journal of the American Statistical Association
87; Ollivier, 2018, Electronic Journal of Statistics 12), with a lag: expansions are made where
later rows have had their say. As long as all rows fit into the window the answer is the optimum,
to 1e-5 of its cost.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import ArrayLike, Codes, Features, Floats, Indices, Matrix, Vector
from ..design.base import Columns, Design
from ..design.compressed import CompressedRows, joined, of_dense
from ..design.opening import open_rows
from ..inputs import validation
from ..inputs.conversion import as_labels
from ..inputs.given import Batch, look_at_batch
from ..linalg.conjugate_gradients import ConjugateGradients
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.multinomial import Multinomial
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature
from ..options import check_option, check_strength, check_whole
from .online_hessian import (
    Blocks,
    Coupled,
    Hessian,
    Linear,
    LowRank,
    diagonal_hessian,
    refuse_too_many,
)

__all__ = ["OnlineLogistic"]

# Names by which older pickles look for them.
_Blocks, _Coupled, _LowRank = Blocks, Coupled, LowRank

MULTI_CLASS = ("ovr", "multinomial")
# Rows of the window: so many for a column, at least and at most so many bytes.
ROWS_PER_COLUMN = 100
LEAST_ROWS = 1000
WINDOW_BYTES = 2**25
# Newton steps after a batch, and the share of the window's cost that may be left to gain.
MAX_STEPS = 20
TOLERANCE = 1e-5
# Line search: least decrease as a share of what the slope promises, rounding, and trials.
DECREASE = 1e-4
ROUNDING = 1e-12
MAX_TRIALS = 30
# Conjugate gradients on the Newton equation: share of the gradient left, and products.
ACCURACY = 0.1
MAX_PRODUCTS = 100
# A column whose standard deviation is below this share of its mean holds rounding errors only.
CONSTANT = 1e-13
# While a class has no rows its intercept would be infinite: about half a row's worth of a penalty.
INTERCEPT_PRIOR = 0.1


class OnlineLogistic:
    """Logistic regression that learns from batches.

    Parameters
    ----------
    n_features : int
    classes : array-like of shape (n_classes,)
        All labels that will ever come.
    C : float > 0, default 1.0
        Inverse strength of the penalty: the cost is ``C * sum(loss) + sum(coef**2) / 2``, with the
        sum over all rows seen so far, so that the penalty fades as rows come in. Infinity is none.
    fit_intercept : bool, default True
    multi_class : {"multinomial", "ovr"}, default "multinomial"
        Softmax, or each class against all others, for more than two classes.
    window_rows : int >= 0, optional
        Rows that count exactly; by default 100 for each column, at least 1,000 and at most 32 MB.
    n_threads : int, optional
        Number of threads; None takes what the process may use. It does not change the result.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    coef : ndarray of shape (n_features,) or (n_features, n_classes)
        In the units of X; zeros before the first batch.
    intercept : float or ndarray of shape (n_classes,)
    n_rows : int
        Rows seen so far.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value.

    Notes
    -----
    Rows should come in no order that has to do with their labels. Until each class has been seen
    nothing is expanded: the window is thinned where it overflows, every second row of a class at
    the weight of two.

    Memory: the window, and a Hessian of ``(n_features + 1)**2`` numbers for each class; above 500
    columns (or 64 MB) its diagonal and 64 vectors, 2 GiB at most. For softmax the Hessian couples
    the classes where it has at most 1,000 rows.
    """

    def __init__(
        self,
        n_features: int,
        classes: ArrayLike,
        *,
        C: float = 1.0,
        fit_intercept: bool = True,
        multi_class: str = "multinomial",
        window_rows: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        n_features = check_whole("n_features", n_features, low=1)
        labels = as_labels(classes)
        if not labels.size:
            raise ValueError("classes is empty; give the labels, two at the least")
        self.classes = validation.encode_labels(labels, labels.size)[0]
        self.C = check_strength("C", C)
        self.fit_intercept = bool(fit_intercept)
        check_option("multi_class", multi_class, MULTI_CLASS)
        n_outputs = 1 if self.classes.size == 2 else self.classes.size
        self._n_classes = n_outputs if multi_class == "multinomial" else 1
        refuse_too_many(n_features, n_outputs)
        if window_rows is None:
            window_rows = min(
                max(ROWS_PER_COLUMN * (n_features + 1), LEAST_ROWS),
                WINDOW_BYTES // (8 * n_features),
            )
        self.window_rows = check_whole("window_rows", window_rows, low=0)
        self.n_threads = n_threads
        self.n_rows = 0
        self._coef, self._intercept = np.zeros((n_outputs, n_features)), np.zeros(n_outputs)
        self._window: _Rows | None = None
        self._past: _Past | None = None

    @property
    def coef(self) -> Floats:
        """Coefficients in the units of X, (n_features,) or (n_features, n_classes)."""
        return self._coef[0].copy() if self.classes.size == 2 else self._coef.T.copy()

    @property
    def intercept(self) -> float | Vector:
        """Intercept, or one for each class."""
        return float(self._intercept[0]) if self.classes.size == 2 else self._intercept.copy()

    def with_settings(
        self, *, C: float, fit_intercept: bool, multi_class: str, n_threads: int | None
    ) -> OnlineLogistic:
        """Return a learner that goes on from the same rows with other settings; it is a new one.

        Parameters
        ----------
        C : float > 0
            Holds for all rows, those seen before included: the penalty is a quadratic function, as
            what is kept of the past is, so the change is exact. (The past was expanded at the
            optima under the strength of the time.)
        fit_intercept : bool
        multi_class : {"multinomial", "ovr"}
        n_threads : int or None

        Returns
        -------
        OnlineLogistic

        Raises
        ------
        ValueError
            If `fit_intercept`, or `multi_class` of more than two classes, is not what the stream
            began with: rows of the past are gone, and were summed up for the other model.
        """
        C = check_strength("C", C)
        check_option("multi_class", multi_class, MULTI_CLASS)
        mode = "multinomial" if self._n_classes > 1 else "ovr"
        for name, now, then in (
            ("fit_intercept", bool(fit_intercept), self.fit_intercept),
            ("multi_class", multi_class if self.classes.size > 2 else mode, mode),
        ):
            if now != then:
                raise ValueError(
                    f"{name}={now!r}, but the stream began with {then!r}, and rows seen before are "
                    f"not kept; set {name}={then!r}, or begin a new stream with a new estimator "
                    "(sklearn.base.clone)"
                )
        other = copy.copy(self)
        other.n_threads = n_threads
        if C != self.C and self._past is not None:
            other._past = self._past.with_penalty(1.0 / C - 1.0 / self.C)
        other.C = C
        return other

    def update(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike = None) -> OnlineLogistic:
        """Learn from a batch; on any error, Ctrl-C included, nothing is changed.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_rows, n_features)
            Real numbers, finite; at least one row. A sparse matrix or array of SciPy, and a frame
            of sparse columns, stay sparse. Batches of both kinds may come in any order: while the
            window holds some of each, all of it is sparse.
        y : array-like of shape (n_rows,)
            Labels among `classes`; a batch need not have all of them.
        sample_weight : array-like of shape (n_rows,), optional
            Weights >= 0 of the rows.

        Returns
        -------
        OnlineLogistic
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        """
        batch = self._check(X, y, sample_weight)
        if not batch.weights.any():
            return self
        past, window = self._past, self._window
        if window is not None and len(window.codes) + len(batch.codes) > self.window_rows:
            past, window = self._shorten(past, window, self._coef, self._intercept)
        window = batch if window is None else window.joined(batch)
        coef, intercept = self._minimize(past, window)
        if len(window.codes) > self.window_rows:
            past, rest = self._shorten(past, window, coef, intercept)
        else:
            rest = window.copied() if window is batch else window
        self._past, self._window = past, rest
        self._coef, self._intercept = coef, intercept
        self.n_rows += len(batch.codes)
        return self

    def _check(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike) -> _Rows:
        batch = X if isinstance(X, Batch) else look_at_batch(X, y, sample_weight, self.classes)
        rows = batch.rows.X
        assert isinstance(rows, np.ndarray | CompressedRows)  # those of a batch lie in memory
        n_features, expected = rows.shape[1], self._coef.shape[1]
        if n_features != expected:
            raise ValueError(f"X has {n_features} columns, but {expected} are expected")
        return _Rows(rows, batch.codes, batch.weights)

    def _shorten(
        self, past: _Past | None, window: _Rows, coef: Matrix, intercept: Vector
    ) -> tuple[_Past | None, _Rows | None]:
        """Return past and window once all rows of the window are past, or a part of them gone."""
        if past is None and not self._is_complete(window):
            return None, window.thinned(self.window_rows)
        return self._expand(past, window, coef, intercept), None

    def _is_complete(self, window: _Rows) -> bool:
        """Say whether the window has rows of every class."""
        seen = np.bincount(window.codes[window.weights > 0.0], minlength=self.classes.size)
        return bool(seen.all())

    def _minimize(self, past: _Past | None, window: _Rows) -> tuple[Matrix, Vector]:
        """Return coefficients and intercepts that minimise past, window and penalty."""
        objective = self._objective(past, window)
        past = past or self._no_past(objective, self._is_complete(window))
        theta = objective.join(*objective.from_user(self._coef, self._intercept))
        theta = _newton(_Cost(objective, past, float(window.weights.sum())), theta)
        return objective.to_user(*objective.split(theta))

    def _expand(self, past: _Past | None, window: _Rows, coef: Matrix, intercept: Vector) -> _Past:
        """Return the past with the window's expansion at a point."""
        objective = self._objective(past, window)
        past = past or self._no_past(objective, True)
        theta = objective.join(*objective.from_user(coef, intercept))
        curvature, weight = objective.rows.empty_curvature(), float(window.weights.sum())
        point = _Cost(objective, past, weight).at(theta, curvature)
        hessian = past.hessian.plus(objective, curvature, weight)
        return _Past(past.columns, theta, point.gradient, hessian)

    def _objective(self, past: _Past | None, window: _Rows) -> Objective:
        """Return the mean loss of the window's rows, on the scale of the past if there is one."""
        positive = [1] if self.classes.size == 2 else list(range(self.classes.size))
        design = open_rows(window.X, self.n_threads)
        loss = Binomial() if self._n_classes == 1 else Multinomial(self._n_classes)
        columns = _columns(design, window, self.fit_intercept) if past is None else past.columns
        rows = LabelledRows(
            design.standardized(columns), loss, window.codes, positive, window.weights, None,
            self.fit_intercept,
        )  # fmt: skip
        return Objective(rows, 0.0)

    def _no_past(self, objective: Objective, complete: bool) -> _Past:
        """Return the penalty alone."""
        columns = objective.design.columns
        prior = 0.0 if complete or not self.fit_intercept else INTERCEPT_PRIOR
        diagonal = np.append(columns.inverse_scale**2 / self.C, prior)
        diagonals = np.tile(diagonal, (objective.n_outputs, 1))
        zero = np.zeros((objective.n_models, diagonals.size // objective.n_models))
        return _Past(columns, zero, zero, diagonal_hessian(diagonals, objective.n_classes))


class _Rows(NamedTuple):
    """Rows with their classes and weights."""

    X: Features | CompressedRows
    codes: Codes
    weights: Vector

    def joined(self, other: _Rows) -> _Rows:
        """Return these rows and then the others, copied."""
        return _Rows(
            _stacked(self.X, other.X),
            np.concatenate([self.codes, other.codes]),
            np.concatenate([self.weights, other.weights]),
        )

    def copied(self) -> _Rows:
        """Return rows that do not change when the user's do."""
        own = self.X
        X = joined([own], own.dtype) if isinstance(own, CompressedRows) else np.array(own)
        return _Rows(X, np.array(self.codes), np.array(self.weights))

    def thinned(self, limit: int) -> _Rows:
        """Keep one row of each two of a class, with the weight of both, until few are left.

        Which of the two is drawn with their weights for chances, so that sums over the rows have
        the same expectation.
        """
        kept, weights = np.arange(len(self.codes)), np.array(self.weights)
        rng = np.random.default_rng(len(self.codes))
        while len(kept) > max(limit // 2, 2 * len(np.unique(self.codes))):
            halves = []
            for code in np.unique(self.codes[kept]):
                rows = kept[self.codes[kept] == code]
                first, second = rows[: len(rows) // 2 * 2].reshape(-1, 2).T
                both = weights[first] + weights[second]
                stays = rng.uniform(size=len(first)) * both <= weights[first]
                chosen = np.where(stays, first, second)
                weights[chosen] = both
                halves.append(np.append(chosen, rows[len(rows) // 2 * 2 :]))
            kept = np.sort(np.concatenate(halves))
        if isinstance(self.X, CompressedRows):
            few: Features | CompressedRows = joined([self.X.take(kept)], self.X.dtype)
        else:
            few = np.asarray(self.X)[kept]
        return _Rows(few, self.codes[kept], weights[kept])


def _stacked(
    above: Features | CompressedRows, below: Features | CompressedRows
) -> Features | CompressedRows:
    """Return a copy of rows and then others: sparse if one of the two is."""
    if isinstance(above, np.ndarray) and isinstance(below, np.ndarray):
        return np.concatenate([above, below])
    parts = [of_dense(part) if isinstance(part, np.ndarray) else part for part in (above, below)]
    return joined(parts, np.result_type(*(part.dtype for part in parts)))


@dataclass(frozen=True)
class _Past:
    """Penalty and expansions of the rows that have left the window.

    A quadratic function of theta on the scale of `columns`: `slope` is its gradient at `anchor`,
    both (n_models, n_parameters).
    """

    columns: Columns
    anchor: Matrix
    slope: Matrix
    hessian: Hessian

    def with_penalty(self, more: float) -> _Past:
        """Return the past with a penalty that is stronger by `more` (weaker if it is negative)."""
        n_outputs = self.anchor.size // (self.columns.inverse_scale.size + 1)
        diagonal = np.append(more * self.columns.inverse_scale**2, 0.0)
        diagonals = np.tile(diagonal, (n_outputs, 1))
        slope = self.slope + diagonals.reshape(self.anchor.shape) * self.anchor
        return _Past(self.columns, self.anchor, slope, self.hessian.with_diagonal(diagonals))


class _Point(NamedTuple):
    """Cost (n_models,) and gradient (n_models, n_parameters)."""

    cost: Vector
    gradient: Matrix


class _Cost:
    """Past plus loss of the window, as sums: what is minimised after a batch."""

    def __init__(self, objective: Objective, past: _Past, weight: float) -> None:
        self.objective, self.past, self.weight = objective, past, weight
        self.loss = np.empty(objective.n_models)

    def at(self, theta: Matrix, curvature_out: RowCurvature) -> _Point:
        """Return cost and gradient: one pass over the window."""
        found = self.objective.at(theta, curvature_out)
        self.loss = self.weight * found.cost
        away = theta - self.past.anchor
        push = self.past.hessian.product(away)
        cost = self.loss + np.einsum("ij,ij->i", self.past.slope + 0.5 * push, away)
        gradient = self.weight * found.gradient + self.past.slope + push
        return _Point(cost, gradient)

    def direction(self, curvature: RowCurvature, gradient: Matrix) -> Matrix:
        """Return Newton's direction, by preconditioned conjugate gradients."""
        hessian, weight = self.past.hessian, self.weight
        precondition = hessian.inverse(self.objective, curvature, weight)

        def product(vectors: Matrix) -> Matrix:
            exact = self.objective.hessian_product(curvature, vectors)
            return weight * exact + hessian.product(vectors)

        return self.objective.loss.centred(_conjugate_gradients(product, precondition, -gradient))


def _newton(cost: _Cost, theta: Matrix) -> Matrix:
    """Minimise from theta by Newton steps; raises ValueError where values overflow.

    1. direction; 2. a model at rest is one that would gain less than TOLERANCE of the window's
    cost; 3. line search from step 1, halved for the models whose cost does not fall.
    """
    curvature, trial_curvature = (cost.objective.rows.empty_curvature() for _ in range(2))
    point = cost.at(theta, curvature)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = np.square(point.gradient).sum(axis=1)
    if not (np.isfinite(point.cost).all() and np.isfinite(squares).all()):
        raise ValueError(
            "X has values so large that the cost overflows; divide its columns by their largest "
            "values first"
        )
    for _ in range(MAX_STEPS):
        direction = cost.direction(curvature, point.gradient)
        slope = np.einsum("ij,ij->i", point.gradient, direction)
        moving = -0.5 * slope > TOLERANCE * cost.loss
        if not moving.any():
            break
        step = np.where(moving, 1.0, 0.0)
        slack = ROUNDING * (np.abs(point.cost) + cost.loss)
        for _ in range(MAX_TRIALS):
            trial = theta + step[:, None] * direction
            with np.errstate(over="ignore", invalid="ignore"):
                found = cost.at(trial, trial_curvature)
                worse = ~(found.cost <= point.cost + DECREASE * step * slope + slack)
            if not worse.any():
                break
            step[worse] *= 0.5
        else:
            break
        theta, point = trial, found
        curvature, trial_curvature = trial_curvature, curvature
    return theta


def _conjugate_gradients(product: Linear, precondition: Linear, right: Matrix) -> Matrix:
    """Solve for each model."""
    everyone = np.arange(len(right))

    def of_some(which: Indices, vectors: Matrix) -> Matrix:
        if len(which) == len(right):
            return precondition(vectors)
        whole = np.zeros_like(right)
        whole[which] = vectors
        return precondition(whole)[which]

    found = ConjugateGradients(right.copy(), of_some)
    wanted = ACCURACY**2 * found.size
    for _ in range(MAX_PRODUCTS):
        live = everyone[found.size > wanted]
        if not live.size:
            break
        found.step(live, product(found.direction)[live])
    return found.solution


def _columns(design: Design, window: _Rows, fit_intercept: bool) -> Columns:
    """Return centre and scale of the window's columns; a column that does not vary keeps its own.

    It may do so later, and no column is left out. What is centred by algebra is not where the mean
    is far from 0: `Design.most_centred`.
    """
    total = float(window.weights.sum())
    means = design.column_means(window.weights, total)
    center = means.copy() if fit_intercept else np.zeros_like(means)
    with np.errstate(over="ignore", invalid="ignore"):
        centred = design.standardized(Columns(center, np.ones_like(means)))
        variances = centred.column_variances(window.weights, total)
    if not (np.isfinite(means).all() and np.isfinite(variances).all()):
        raise ValueError(
            "X has values so large that a column's mean or variance overflows; divide its columns "
            "by their largest values first"
        )
    scale = np.sqrt(variances)
    varies = scale > CONSTANT * np.abs(center)
    with np.errstate(over="ignore", invalid="ignore"):
        far = varies & (np.abs(center) > design.most_centred * scale)
    scale[far], center[far] = np.hypot(scale[far], center[far]), 0.0
    return Columns(center, 1.0 / np.where(varies, scale, np.maximum(np.abs(means), 1.0)))
