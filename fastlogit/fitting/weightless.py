"""Classes whose rows have no weight: softmax of the others, and probability 0 for them.

With a free intercept the optimum of such a class is at minus infinity. The cost there is that of
the others alone, and its coefficients, which only the penalty sees, are 0.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from ..arrays import Codes, Floats, Indices, Labels, Mask, Matrix, Vector
from ..inputs.given import Data
from ..objective.penalties import Penalty
from ..result import Callback, FitResult, LazyCoefficients, Progress

__all__ = ["Others", "intercepts_of_absent", "with_codes", "without_weight"]

# Raw prediction of a class without weight, below the others': the least normal probability. Its own
# optimum, probability 0, is at minus infinity.
NEVER = float(np.log(np.finfo(np.float64).tiny))


def without_weight(codes: Codes, weights: Vector, n_classes: int) -> Mask:
    """Return for each class whether its rows have no weight; `weights` (n_samples,) or none.

    Or so little, less than the least normal number of all, that its probability has no digits.
    """
    if not weights.size:
        return np.zeros(n_classes, dtype=bool)
    sums: Vector = np.bincount(codes, weights, n_classes)  # type: ignore[assignment]  # of floats
    return sums < np.finfo(np.float64).tiny * sums.sum()


def intercepts_of_absent(present: Mask, multi_class: str) -> Vector:
    """Return what makes absent classes improbable, in the place of each model."""
    if len(present) == 2:
        return np.array([NEVER if present[0] else -NEVER])
    raw = np.where(present, 0.0, NEVER)
    if multi_class == "multinomial":
        return raw - raw.mean()
    return raw if present.sum() > 1 else np.where(present, -NEVER, NEVER)


def with_codes(data: Data, classes: Labels, codes: Codes | Indices | Mask) -> Data:
    """Return the same rows with other labels: sorted classes, and the place of each row's."""
    kind = np.uint8 if len(classes) <= 256 else np.int32
    small: Codes = codes.astype(kind)
    small.flags.writeable = False
    return data._replace(classes=classes, codes=small)


class Others:
    """The softmax of the classes that have weight: its input, and from its result that of all.

    Softmax of two classes has coefficients -c / 2 and c / 2, whose penalty is half of c's.
    """

    def __init__(self, classes: Labels, absent: Mask) -> None:
        self.classes, self._absent = classes, absent
        self.seen = np.flatnonzero(~absent)
        self._is_binary = self.seen.size == 2

    def names(self) -> str:
        """Return the classes without weight, for a message."""
        labels = [str(label) for label in self.classes[self._absent]]
        return f"class{'es' * (len(labels) > 1)} {', '.join(labels)}"

    def data(self, data: Data) -> Data:
        """Return what is fitted: any class will do for the rows without weight."""
        codes = np.where(self._absent[data.codes], self.seen[0], data.codes)
        others = with_codes(data, data.classes[self.seen], np.searchsorted(self.seen, codes))
        l2_reg = data.l2_reg
        if self._is_binary and l2_reg is not None:
            l2_reg = 0.5 * l2_reg
        return others._replace(
            offset=self._offset(data.offset), l2_reg=l2_reg, start=self._start(data.start),
            seconds=0.0,
        )  # fmt: skip

    def strength(
        self, C: float | None, penalty: Penalty | None
    ) -> dict[str, float | Penalty | None]:
        """Return the penalty of what is fitted, as the caller says it beside the data."""
        if not self._is_binary:
            return {"C": C, "penalty": penalty}
        return {
            "C": None if C is None else 2.0 * C,
            "penalty": None if penalty is None else penalty.times(0.5),
        }

    def _offset(self, offset: Floats) -> Floats:
        """Return the offset of what is fitted; (n_classes, n_samples) or none is given."""
        if not offset.size:
            return offset
        kept = offset[self.seen]
        kept = kept[1] - kept[0] if self._is_binary else kept
        kept.flags.writeable = False
        return kept

    def _start(self, start: tuple[Matrix, Vector] | None) -> tuple[Matrix, Vector] | None:
        """Return the start of what is fitted; coef (n_classes, n_features) is given."""
        if start is None:
            return None
        coef, intercept = start[0][self.seen], start[1][self.seen]
        return (coef[1:] - coef[:1], intercept[1:] - intercept[:1]) if self._is_binary else (
            coef, intercept
        )  # fmt: skip

    def callback(self, callback: Callback | None, offset: Floats) -> Callback | None:
        """Return a callback that tells the user's of all classes."""
        if callback is None:
            return None

        def told(progress: Progress) -> object:
            inner = progress._coefficients
            return callback(dataclasses.replace(progress, _coefficients=self._wide(inner, offset)))

        return told

    def _wide(self, inner: LazyCoefficients, offset: Floats) -> LazyCoefficients:
        return lambda: self._of_all(*inner(), offset)

    def of_all(self, result: FitResult, offset: Floats) -> FitResult:
        """Return the result of all classes."""
        coef, intercept = self._of_all(result.coef, result.intercept, offset)
        factor = 2.0 if self._is_binary else 1.0
        return dataclasses.replace(
            result, coef=coef, intercept=intercept, classes=self.classes,
            multi_class="multinomial",
            l2_reg=None if result.l2_reg is None else result.l2_reg * factor,
            penalty=None if result.penalty is None else result.penalty.times(factor),
            message=f"{result.message}; without weight and of probability 0: {self.names()}",
        )  # fmt: skip

    def _of_all(
        self, coef: Floats, intercept: float | Vector, offset: Floats
    ) -> tuple[Matrix, Vector]:
        wide = np.zeros((len(coef), len(self.classes)))
        level = intercepts_of_absent(~self._absent, "multinomial")
        if offset.size:
            # Below the others wherever the offset lifts it.
            lift = max(0.0, float(offset[self._absent].max() - offset[self.seen].min()))
            level = level - np.where(self._absent, lift, 0.0)
            level = level - level.mean()
        if self._is_binary:
            halves = np.array([-0.5, 0.5])
            coef, intercept = coef[:, None] * halves, intercept * halves
        wide[:, self.seen] = coef
        level[self.seen] += intercept
        return wide, level
