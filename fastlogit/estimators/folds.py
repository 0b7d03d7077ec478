"""Folds of a cross-validation as weights of the rows, and their fits."""

from __future__ import annotations

import dataclasses
import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ..arrays import Array, ArrayLike, Indices, Integers, Labels, Mask, Masks, Vector
from ..design.fold_weights import FoldWeights
from ..fitting.grid import GridOptions, fit_grid
from ..fitting.grid_result import GridResult
from ..fitting.l1_grid import fit_l1_grid, has_corners
from ..fitting.weightless import intercepts_of_absent, with_codes
from ..inputs.given import Data
from ..inputs.rows import Readable
from ..inputs.values import array_of
from .row_scores import TestRows, is_held

__all__ = [
    "Folds",
    "NumberedFolds",
    "PairedFolds",
    "fit_folds",
    "indices_of",
    "share_of_folds",
    "weights_of_folds",
]

# Share of a time limit that the folds may take, at the most and the least: the rest is for scores
# and last fit.
FOLDS_SHARE, LEAST_SHARE = 0.9, 0.3
# Seconds that these take at the least: for each value of X and model, each raw prediction and each
# model.
VALUE_SECONDS, RAW_SECONDS, MODEL_SECONDS = 0.15e-9, 100e-9, 0.3e-3


class Folds(ABC):
    """Which rows each fold is fitted to, and which it is scored on."""

    n_folds: int

    @abstractmethod
    def weights(self, X: Readable) -> Array | FoldWeights:
        """Return how often each row is in the training part of each fold, (n_folds, n_samples)."""

    @property
    @abstractmethod
    def tests(self) -> TestRows:
        """The rows that each fold is scored on."""


class PairedFolds(Folds):
    """Folds as a splitter gives them.

    Parameters
    ----------
    splits : sequence of (train, test)
        Row numbers or masks.
    n_samples : int

    Raises
    ------
    TypeError, ValueError
        If they are no pairs, hold what is no row of X, or none.
    """

    def __init__(self, splits: Sequence[tuple[ArrayLike, ArrayLike]], n_samples: int) -> None:
        self._splits = [_checked_pair(pair, fold, n_samples) for fold, pair in enumerate(splits)]
        self._n_samples, self.n_folds = n_samples, len(splits)

    def weights(self, X: Readable) -> Array | FoldWeights:
        """Return how often each row is in the training part of each fold, (n_folds, n_samples)."""
        return weights_of_folds(self._splits, self._n_samples)

    @property
    def tests(self) -> TestRows:
        """The rows that each fold is scored on."""
        return _PairedTests([indices_of(test) for _, test in self._splits])


def _checked_pair(pair: object, fold: int, n_samples: int) -> tuple[Array, Array]:
    """Return the rows that a fold is fitted to and those that it is scored on."""
    parts = list(pair) if isinstance(pair, Iterable) else []
    if len(parts) != 2 or isinstance(pair, str | bytes):
        raise ValueError(
            f"cv must give pairs (train, test), each row numbers or a mask; fold {fold} is of the "
            f"type {type(pair).__name__}" + f" and length {len(parts)}" * bool(parts)
        )
    train, test = (
        _checked_rows(f"the {name} rows of fold {fold} that cv gives", part, n_samples)
        for name, part in zip(("training", "test"), parts, strict=True)
    )
    return train, test


def _checked_rows(name: str, given: ArrayLike, n_samples: int) -> Array:
    """Return row numbers or a mask."""
    rows = array_of(name, given)
    if rows.size == 0:
        raise ValueError(f"{name} are none; each fold needs some")
    if rows.ndim != 1 or rows.dtype.kind not in "iub":
        raise TypeError(
            f"{name} must be whole numbers or a mask, in one dimension; got shape {rows.shape} of "
            f"{rows.dtype}"
        )
    if rows.dtype == bool:
        if rows.size != n_samples:
            raise ValueError(f"{name} are a mask of {rows.size}, but X has {n_samples} rows")
        return rows
    for wrong in (rows.min(), rows.max()):
        if not 0 <= wrong < n_samples:
            raise ValueError(f"{name} hold {wrong}, but rows of X are 0 to {n_samples - 1}")
    return rows


class _PairedTests(TestRows):
    def __init__(self, rows: list[Indices]) -> None:
        self._rows = rows
        self._sorted: dict[int, Indices] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, fold: int) -> Indices:
        return self._rows[fold]

    def among(self, fold: int, start: int, stop: int) -> Indices:
        if fold not in self._sorted:
            self._sorted[fold] = np.sort(self._rows[fold])
        ordered = self._sorted[fold]
        first, last = np.searchsorted(ordered, (start, stop))
        return ordered[first:last] - start


class NumberedFolds(Folds):
    """Folds of which each row is in one at most, by its number.

    Parameters
    ----------
    numbers : ndarray of shape (n_samples,)
        From 0 to n_folds - 1; n_folds or more for rows that no fold leaves out.
    n_folds : int
    """

    def __init__(self, numbers: Integers, n_folds: int) -> None:
        self.numbers, self.n_folds = numbers, n_folds

    @classmethod
    def of_column(cls, column: Integers) -> NumberedFolds:
        """Return the folds that a column holds: whole numbers in rising order, -1 for no fold.

        Raises
        ------
        ValueError
            If there are fewer than two folds.
        """
        values = np.unique(column)
        values = values[values >= 0]
        if len(values) < 2 and (column >= 0).all():
            raise ValueError(
                f"the column of folds holds {values.tolist()} alone: without the rows of a fold "
                "there would be none to fit; it needs two folds, or rows of -1"
            )
        if not len(values):
            raise ValueError("the column of folds holds -1 alone: no row is left to score")
        numbers = np.searchsorted(values, column).astype(np.uint16)
        numbers[column < 0] = len(values)
        return cls(numbers, len(values))

    def weights(self, X: Readable) -> Array | FoldWeights:
        """Return how often each row is in the training part of each fold, (n_folds, n_samples).

        Of rows that are not in memory the weights are not either.
        """
        if not is_held(X):
            return FoldWeights(self.numbers, self.n_folds)
        return (self.numbers != np.arange(self.n_folds)[:, None]).astype(np.uint8)

    @property
    def tests(self) -> TestRows:
        """The rows that each fold is scored on."""
        return _NumberedTests(self.numbers, self.n_folds)


class _NumberedTests(TestRows):
    def __init__(self, numbers: Integers, n_folds: int) -> None:
        self._numbers, self._n_folds = numbers, n_folds

    def __len__(self) -> int:
        return self._n_folds

    def __getitem__(self, fold: int) -> Indices:
        return np.flatnonzero(self._numbers == fold)

    def among(self, fold: int, start: int, stop: int) -> Indices:
        return np.flatnonzero(self._numbers[start:stop] == fold)


def indices_of(rows: ArrayLike) -> Indices:
    """Return row numbers; splitters may give a mask."""
    given = np.asarray(rows)
    return np.flatnonzero(given) if given.dtype == bool else given


def share_of_folds(
    time_limit: float | None, shape: tuple[int, ...], n_models: int, n_folds: int
) -> float:
    """Return the share of the time limit that the folds may take, each of so many models."""
    if time_limit is None:
        return 1.0
    n_samples, n_features = shape
    scores = n_samples * n_models * (n_features * VALUE_SECONDS + RAW_SECONDS)
    scores += n_folds * n_models * MODEL_SECONDS
    return float(np.clip(1.0 - scores / time_limit, LEAST_SHARE, FOLDS_SHARE))


def weights_of_folds(splits: Sequence[tuple[ArrayLike, ArrayLike]], n_samples: int) -> Array:
    """Return how often each row is in the training part of each fold.

    Parameters
    ----------
    splits : sequence of (train, test)
        Row numbers or masks, as scikit-learn's splitters give them.
    n_samples : int

    Returns
    -------
    ndarray of shape (n_folds, n_samples)
        uint8, the smallest type, unless a row is in a fold more than 255 times.


    Raises
    ------
    ValueError
        If there is no fold.
    """
    if len(splits) == 0:
        raise ValueError("cv gives no folds; it must give at least one pair (train, test)")
    folds = np.zeros((len(splits), n_samples), dtype=np.uint8)
    for fold, (train, _) in enumerate(splits):
        rows = np.asarray(train)
        counts = rows if rows.dtype == bool else np.bincount(rows, minlength=n_samples)
        if counts.max(initial=0) > np.iinfo(folds.dtype).max:
            folds = folds.astype(np.float64)
        folds[fold] = counts
    return folds


def fit_folds(
    data: Data,
    classes: Labels,
    Cs: Vector,
    folds: Array | FoldWeights,
    options: GridOptions,
    *,
    tell: bool = True,
) -> tuple[GridResult, Mask]:
    """Fit each fold with each C; a class that a fold lacks gets probability 0 there.

    Parameters
    ----------
    data : Data
        What the user gave.
    classes : ndarray of shape (n_classes,)
        As the result is to have them.
    Cs : ndarray of shape (n_Cs,)
    folds : ndarray of shape (n_folds, n_samples)
    options : GridOptions
    tell : bool, default True
        Warn of folds that lack a class.

    Returns
    -------
    GridResult
    ndarray of shape (n_folds,), bool
        Whether the fold has all classes.

    Raises
    ------
    ValueError
        If a fold lacks a class and there is no intercept.
    KeyboardInterrupt
        After Ctrl-C; its ``result`` attribute is a `GridResult` with the best points so far.

    Warns
    -----
    UserWarning
        If a fold lacks a class.
    """
    present = _present(data, folds)
    complete = np.asarray(present.all(axis=1))
    if complete.all():
        return _fit_alike(data, classes, Cs, folds, options), complete
    is_softmax = options.multi_class == "multinomial" and len(classes) > 2
    if data.coef_bounds is not None and is_softmax:
        _refuse_absent(present, classes)
    if tell:
        _tell_of_absent(present, classes, options.fit_intercept)
    whole = _nothing_fitted(classes, Cs, len(folds), data.rows.X.shape[1])
    return _fit_patterns(whole, data, folds, present, options), complete


def _fit_grid(
    data: Data, Cs: Vector, folds: Array | FoldWeights, options: GridOptions
) -> GridResult:
    """Fit folds by what suits the penalty."""
    fit_folds_of = fit_l1_grid if has_corners(data, options) else fit_grid
    return fit_folds_of(data, Cs, fold_weights=folds, options=options)


def _fit_alike(
    data: Data, classes: Labels, Cs: Vector, folds: Array | FoldWeights, options: GridOptions
) -> GridResult:
    """Fit folds that have all classes."""
    try:
        grid = _fit_grid(data, Cs, folds, options)
    except KeyboardInterrupt as interrupt:
        best = getattr(interrupt, "result", None)
        if isinstance(best, GridResult):
            found = dataclasses.replace(best, classes=classes)
            interrupt.result = found  # type: ignore[attr-defined]
        raise
    return dataclasses.replace(grid, classes=classes)


def _fit_patterns(
    whole: GridResult, data: Data, folds: Array | FoldWeights, present: Masks, options: GridOptions
) -> GridResult:
    """Fit folds some of which lack classes, those that have the same ones together."""
    Cs, multi_class = whole.Cs, options.multi_class
    patterns, pattern_of_fold = np.unique(present, axis=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        which = np.flatnonzero(pattern_of_fold.ravel() == number)
        for piece in _pieces(data, pattern, options):
            own = dataclasses.replace(options, l1_ratio=piece.l1_ratio)
            try:
                part = _fit_grid(piece.data, Cs * piece.times_c, folds[which], own)
            except KeyboardInterrupt as interrupt:
                best = getattr(interrupt, "result", None)
                if isinstance(best, GridResult):
                    whole = _with_part(whole, best, which, piece)
                left = pattern_of_fold.ravel() >= number
                whole.converged[left], whole.suboptimality[left] = False, np.inf
                message = f"interrupted: {_message(whole)}"
                interrupt.result = dataclasses.replace(  # type: ignore[attr-defined]
                    whole, message=message
                )
                raise
            whole = _with_part(whole, part, which, piece)
        if not pattern.all():
            whole.intercept[which] += intercepts_of_absent(pattern, multi_class)
    return dataclasses.replace(whole, message=_message(whole))


def _message(grid: GridResult) -> str:
    return f"{int(grid.converged.sum())} of {grid.converged.size} fits converged"


@dataclasses.dataclass(frozen=True)
class Piece:
    """Models of some folds that are fitted together, with what turns them into those asked for."""

    data: Data
    l1_ratio: float
    times_c: float
    models: Indices
    factors: Vector


def _pieces(data: Data, pattern: Mask, options: GridOptions) -> Iterator[Piece]:
    """Yield what there is to fit to rows with the classes of `pattern` alone."""
    seen, codes = np.flatnonzero(pattern), data.codes
    multi_class, l1_ratio = options.multi_class, options.l1_ratio
    if len(seen) < 2:
        return
    if len(pattern) == 2:
        yield Piece(data, l1_ratio, 1.0, np.array([0]), np.ones(1))
        return
    if multi_class == "ovr":
        for k in seen:
            own = data.weights[k] if data.weights.ndim == 2 else data.weights
            alone = with_codes(data, np.array([False, True]), codes == k)._replace(weights=own)
            yield Piece(alone, l1_ratio, 1.0, np.array([k]), np.ones(1))
        return
    # The rows of the other classes have no weight in these folds: any label will do for them.
    places = np.searchsorted(seen, np.where(pattern[codes], codes, seen[0]))
    some = with_codes(data, data.classes[seen], places)
    if len(seen) > 2:
        yield Piece(some, l1_ratio, 1.0, seen, np.ones(len(seen)))
    else:
        # Softmax of two classes has coefficients -c / 2 and c / 2, whose L2 is half of c's, and
        # whose L1 is that of c; the length of a group is less by a root of 2.
        of_l1 = l1_ratio if options.penalty_groups is None else math.sqrt(0.5) * l1_ratio
        factor = 1.0 / (of_l1 + 0.5 * (1.0 - l1_ratio))
        yield Piece(some, factor * of_l1, factor, seen, np.array([-0.5, 0.5]))


def _present(data: Data, folds: Array | FoldWeights) -> Masks:
    """Return which classes have a row of positive weight, (n_folds, n_classes)."""
    codes, n_classes = data.codes, len(data.classes)
    counted = data.weights.reshape(-1, len(codes)).any(axis=0) if data.weights.size else True
    found = []
    for fold in range(len(folds)):
        used: Mask = folds[fold] > 0
        found.append(np.bincount(codes[used & counted], minlength=n_classes) > 0)
    return np.array(found)


def _tell_of_absent(present: Masks, classes: Labels, fit_intercept: bool) -> None:
    fold, k = (int(index) for index in np.argwhere(~present)[0])
    n_lacking = int((~present).any(axis=1).sum())
    more = f" (and {n_lacking - 1} more folds lack one)" if n_lacking > 1 else ""
    what = f"the training rows of fold {fold} lack class {classes[k]!s}{more}"
    how = "use fewer folds, or a cv that stratifies; rows of weight 0 do not count"
    if not fit_intercept:
        raise ValueError(f"{what}, and without an intercept no model can say so; {how}")
    warnings.warn(f"{what}, which gets probability 0 there; {how}", UserWarning, stacklevel=5)


def _refuse_absent(present: Masks, classes: Labels) -> None:
    """Raise for a softmax with bounds of whose classes a fold lacks some.

    The others alone have another optimum: what all classes share is not free within bounds.
    """
    fold, k = (int(index) for index in np.argwhere(~present)[0])
    raise ValueError(
        f"the training rows of fold {fold} lack class {classes[k]!s}, and softmax with coef_bounds "
        "needs all classes in each fold; use fewer folds, a cv that stratifies, or "
        "multi_class='ovr'"
    )


def _nothing_fitted(classes: Labels, Cs: Vector, n_folds: int, n_features: int) -> GridResult:
    shape = (n_folds, len(Cs), 1 if len(classes) == 2 else len(classes))
    return GridResult(
        classes=classes, Cs=Cs, coef=np.zeros((*shape, n_features)), intercept=np.zeros(shape),
        n_iter=np.zeros(shape, dtype=np.int64), converged=np.ones(shape[:2], dtype=bool),
        suboptimality=np.zeros(shape[:2]), n_passes=0.0, seconds=0.0, message="",
    )  # fmt: skip


def _with_part(whole: GridResult, part: GridResult, which: Indices, piece: Piece) -> GridResult:
    """Put the models of a piece in their places, and add up what it took."""
    place = np.ix_(which, np.arange(len(whole.Cs)), piece.models)
    whole.coef[place] = piece.factors[:, None] * part.coef
    whole.intercept[place] = piece.factors * part.intercept
    whole.n_iter[place] = part.n_iter
    whole.converged[which] &= part.converged
    whole.suboptimality[which] = np.maximum(whole.suboptimality[which], part.suboptimality)
    return dataclasses.replace(
        whole, n_passes=whole.n_passes + part.n_passes, seconds=whole.seconds + part.seconds
    )
