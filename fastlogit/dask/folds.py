"""Folds of rows in partitions: numbers that stay there, and sums of weights that come here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Indices, Integers, Labels, Mask, Matrix, Vector
from ..estimators.folds import NumberedFolds
from ..estimators.hash_folds import HashKFold
from ..estimators.row_scores import QuickScore
from ..inputs.hashed_folds import folds_of_rows, folds_of_values
from ..inputs.values import show
from ..objective.labelled_rows import LabelledRows
from .parts import Parts
from .placement import Placement, Spread
from .reading import Taken
from .rounds import join
from .rows import PartitionedRows
from .work import Own, Place

__all__ = ["PartitionedFolds", "folds_of", "scores_of"]


class PartitionedFolds:
    """The weights of rows in folds, as a grid of fits asks for them: sums alone are here.

    Set k of fold f, ``f * n_sets + k``, has the weights of set k, and 0 for the rows of the fold.

    Parameters
    ----------
    parts : Parts
        The rows, with their weights.
    numbers : Spread
        Of each partition the fold that leaves each row out; n_folds for none.
    n_folds : int
    of_class : ndarray of shape (n_folds, n_sets, n_classes)
        The weight of the training rows of each class.
    is_mean : bool, default False
        Whether there is one set for all folds, the mean of theirs.
    """

    def __init__(
        self, parts: Parts, numbers: Spread, n_folds: int, of_class: Floats, is_mean: bool = False
    ) -> None:
        self._parts = parts
        # The rows with weights, as they were made last: for many penalties in turn.
        self._made: tuple[tuple[bytes, bytes], Parts] | None = None
        self.held, self.n_folds, self.of_class, self.is_mean = numbers, n_folds, of_class, is_mean

    def __len__(self) -> int:
        """Return the number of sets, those of each fold one after the other."""
        return self.of_class.shape[0] * self.of_class.shape[1]

    def sum(self, axis: int) -> Vector:
        """Return the weight of each set."""
        assert axis == 1
        found: Vector = self.of_class.sum(axis=2).reshape(-1)
        return found

    def together(self) -> PartitionedFolds:
        """Return the mean of each row's weights over the folds."""
        mean = self.of_class.mean(axis=0)[None]
        return PartitionedFolds(self._parts, self.held, self.n_folds, mean, is_mean=True)

    def of_rows(
        self, rows: PartitionedRows, positive: Indices, weight_set: Indices
    ) -> PartitionedRows:
        """Return rows as other models see them, with these weights."""
        key = np.asarray(positive).tobytes(), np.asarray(weight_set).tobytes()
        if self._made is None or self._made[0] != key:
            # Of the rows as they were: those given may have weights of folds already.
            given = self.n_folds, self.is_mean, positive, weight_set
            self._made = key, self._parts.made(_in_folds, self.held, given=given)
        parts = self._made[1].seen(columns=rows.parts.view.columns)
        parts.counter = rows.parts.counter
        tables = self.of_class.reshape(len(self), -1)
        return rows.seen_with(parts, positive, weight_set, tables)


def _in_folds(
    place: Place, numbers: Integers, n_folds: int, is_mean: bool, positive: Indices,
    weight_set: Indices,
) -> Place:  # fmt: skip
    """Return the rows of a partition with a set of weights for each fold and each set of theirs.

    Or with the mean of each over the folds.
    """
    sets = place.rows._targets.weights
    own = sets if len(sets) else np.ones((1, numbers.size))
    if is_mean:
        weights = own * np.where(numbers < n_folds, (n_folds - 1.0) / n_folds, 1.0)
    else:
        kept = numbers != np.arange(n_folds)[:, None]
        weights = (kept[:, None, :] * own).reshape(-1, numbers.size)
    return Place(place.rows.weighted(positive, weights, weight_set), owns_rows=False)


class Rule(NamedTuple):
    """How the fold of a row is found."""

    # A hash of its number or its group; None for a column that holds the folds.
    splitter: HashKFold | None
    # What that column holds, in rising order.
    values: Labels | None = None


def folds_of(
    rows: PartitionedRows, chunks: Placement, cv: object, beside: set[str], classes: Labels
) -> PartitionedFolds:
    """Return the folds of rows, by a hash or by a column: two rounds.

    Parameters
    ----------
    rows : PartitionedRows
    chunks : Placement
        Of what was taken apart, with columns of "groups" or "folds".
    cv : HashKFold, int or None
        None is 5 folds.
    beside : set of str
        Which of these columns there are.
    classes : ndarray
        Labels, for messages.

    Raises
    ------
    TypeError, ValueError
        If there are not folds of at least a row each, whose others have all classes.
    """
    taken, starts = Spread(chunks.futures), [Own(int(start)) for start in rows.parts.starts[:-1]]
    if "folds" in beside:
        values = np.unique(rows.of_parts(_values_of, (taken,), combine=join))
        column = NumberedFolds.of_column(values)
        rule, n_folds = Rule(None, values[values >= 0]), column.n_folds
    else:
        splitter = splitter_of(cv)
        rule, n_folds = Rule(splitter), splitter.n_splits
    numbers, (of_class, tests) = rows.parts.keep(
        _folds_of, rule, n_folds, classes.size, held=[taken, starts]
    )
    if not tests.all():
        raise ValueError(
            f"fold {int(np.argmin(tests))} of {n_folds} has no row: use fewer folds, another seed, "
            "or a column that holds folds"
        )
    lacking = ~(of_class > 0.0).all(axis=1)
    if lacking.any():
        fold, label = (int(place) for place in np.argwhere(lacking)[0])
        raise ValueError(
            f"the training rows of fold {fold} lack class {show(classes[label])}: use fewer folds, "
            "another seed, or a column that holds folds"
        )
    return PartitionedFolds(rows.parts, numbers, n_folds, of_class)


def splitter_of(cv: object) -> HashKFold:
    """Return the hash that `cv` says."""
    if isinstance(cv, HashKFold):
        return cv
    if cv is None or (isinstance(cv, int | np.integer) and not isinstance(cv, bool)):
        return HashKFold(5 if cv is None else int(cv))
    raise TypeError(
        "cv of dask partitions is a number of folds, or a fastlogit.HashKFold, got "
        f"{type(cv).__name__}: splitters go over all rows; folds= takes a column that holds the "
        "fold of each row"
    )


def _values_of(rows: LabelledRows, taken: Taken) -> list[int]:
    """Return which folds a column holds."""
    return list(np.unique(taken.labels["folds"]).tolist())


def _folds_of(
    rows: LabelledRows, taken: Taken, start: int, rule: Rule, n_folds: int, n_classes: int
) -> tuple[Integers, tuple[Floats, Vector]]:
    """Return the fold of each row, the weight of each class without each fold, and fold sizes."""
    n_rows = rows.design.shape[0]
    numbers: Integers
    if rule.splitter is None:
        assert rule.values is not None
        column = taken.labels["folds"]
        numbers = np.searchsorted(rule.values, column).astype(np.uint16)
        numbers[column < 0] = n_folds
    elif "groups" in taken.labels:
        groups = taken.labels["groups"]
        folds = folds_of_values(groups.labels.tolist(), n_folds, rule.splitter.seed)
        numbers = folds[groups.codes]
    else:
        numbers = folds_of_rows(start, start + n_rows, n_folds, rule.splitter.seed)
    sets = rows._targets.weights
    codes = rows.codes_of(0)
    of_class = np.zeros((n_folds, max(1, len(sets)), n_classes))
    for fold in range(n_folds):
        kept: Mask = numbers != fold
        for place in range(of_class.shape[1]):
            own = sets[place][kept] if len(sets) else None
            of_class[fold, place] = np.bincount(codes[kept], own, n_classes)
    tests = np.bincount(numbers, minlength=n_folds)[:n_folds].astype(np.float64)
    return numbers, (of_class, tests)


def scores_of(
    rows: PartitionedRows, chunks: Placement, folds: PartitionedFolds,
    models: tuple[Floats, Floats], score: QuickScore, multi_class: str,
) -> Matrix:  # fmt: skip
    """Return the score of each model on the rows that its fold leaves out, (n_folds, n_Cs).

    Parameters
    ----------
    rows : PartitionedRows
        As they are, without standardisation.
    chunks : Placement
        With weights of the rows without those of classes.
    folds : PartitionedFolds
    models : tuple of ndarray
        Coefficients (n_folds, n_Cs, n_models, n_features) and intercepts.
    score : callable
        What each row adds to the mean.
    multi_class : {"multinomial", "ovr"}
    """
    states = folds.held, Spread(chunks.futures)
    sums, weights = rows.of_parts(_scores_of, states, models, score, multi_class)
    if not (weights > 0.0).all():
        raise ValueError("all test rows of a fold have zero weight, so that it has no score")
    return np.asarray(sums / weights[:, None])


def _scores_of(
    rows: LabelledRows, numbers: Integers, taken: Taken, models: tuple[Floats, Floats],
    score: QuickScore, multi_class: str,
) -> tuple[Matrix, Vector]:  # fmt: skip
    coef, intercept = models
    n_folds, n_cs, n_models, n_features = coef.shape
    sums, total = np.zeros((n_folds, n_cs)), np.zeros(n_folds)
    for fold in range(n_folds):
        test = np.flatnonzero(numbers == fold)
        weights = None if taken.weights is None else taken.weights[test]
        total[fold] = test.size if weights is None else weights.sum()
        if total[fold] == 0.0:
            continue
        flat = np.ascontiguousarray(coef[fold].reshape(-1, n_features))
        raw = rows.design.take(test).raw_prediction(flat, intercept[fold].reshape(-1))
        codes = rows.codes_of(0)[test]
        for place, own in enumerate(raw.reshape(n_cs, n_models, -1)):
            known = own[0] if n_models == 1 else own.T
            values = score(known, codes, multi_class)
            sums[fold, place] = values.sum() if weights is None else weights @ values
    return sums, total
