"""Rows of a NumPy array, of any layout and number type, read in place."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import threads
from ..kernels.descent import RUNNING, DescentState, descend, start_state
from ..kernels.passes import LINEAR, SPREAD, SQUARED, Rows, Targets, passes
from ..kernels.simd import LANES

__all__ = ["Columns", "DenseDesign"]

# Serial time of a pass, for the choice of the serial kernel: per element and per row.
ELEMENT_NS = 0.4
ROW_NS = 6.0

_NO_CODES = np.empty(0, dtype=np.uint8)
_ONE_MODEL = np.ones(1, dtype=np.int64)
# Read-only as the users' arrays are: each kernel is then compiled for one type only.
_NO_CODES.flags.writeable = _ONE_MODEL.flags.writeable = False


class Columns(NamedTuple):
    """Centre and inverse scale of each column; inverse scale 0 for one that does not vary."""

    center: np.ndarray[Any, np.dtype[np.float64]]
    inverse_scale: np.ndarray[Any, np.dtype[np.float64]]


class DenseDesign:
    """Passes over the rows of a NumPy array.

    Vectors of coefficients are `(n_models, n_features)` arrays here, on the standardised scale
    that `columns` defines: the kernels see ``(X - center) * inverse_scale``, block by block.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Float64 or float32 rows that lie contiguous in memory (of any row stride) are read where
        they are; any other layout, integers, booleans and foreign byte orders are gathered block
        by block.
    n_threads : int, optional
        Number of threads; None takes what the process may use.
    columns : Columns, optional
        Standardisation; none by default.
    """

    def __init__(
        self,
        X: np.ndarray[Any, Any],
        *,
        n_threads: int | None = None,
        columns: Columns | None = None,
    ) -> None:
        self.X = X
        self.shape = X.shape
        self.dtype = X.dtype
        self.n_threads = n_threads
        self.n_passes = 0
        n_features = X.shape[1]
        self.columns = columns or Columns(np.zeros(n_features), np.ones(n_features))
        self._direct, self._rows = _rows(X, self.columns)

    def standardized(self, columns: Columns) -> DenseDesign:
        """Return a design over the same memory with another standardisation."""
        design = DenseDesign(self.X, n_threads=self.n_threads, columns=columns)
        design.n_passes = self.n_passes
        return design

    def value_gradient(self, targets: Targets, coef: Any, intercept: Any) -> tuple[Any, Any, Any]:
        """Return cost, gradient and intercept gradient of each model: one pass."""
        state = start_state(coef, intercept)
        self.evaluate(targets, np.zeros(self.shape[1]), state)
        return state.cost, state.gradient, state.intercept_gradient

    def evaluate(self, targets: Targets, penalty: Any, state: DescentState) -> None:
        """Put cost and gradient at the state's point into the state: one pass."""
        self._descend(
            targets, penalty, 0.0, False, 0.0, state, False, np.empty((0, len(state.cost)))
        )

    def column_means(self, weights: Any, total_weight: float) -> Any:
        """Return the weighted mean of each column of X less `center`: one pass."""
        targets = Targets(LINEAR, _NO_CODES, _ONE_MODEL, weights, total_weight)
        zeros = np.zeros((1, self.shape[1]))
        return self.value_gradient(targets, zeros, np.zeros(1))[1][0]

    def column_variances(self, weights: Any, total_weight: float) -> Any:
        """Return the weighted mean square of each column of X less `center`: one pass."""
        targets = Targets(SPREAD, _NO_CODES, _ONE_MODEL, weights, total_weight)
        zeros = np.zeros((1, self.shape[1]))
        return self.value_gradient(targets, zeros, np.zeros(1))[1][0]

    def gram_product(
        self, weights: Any, total_weight: float, vector: Any, intercept: float
    ) -> tuple[Any, float]:
        """Return X' W X v / sum(W) for the standardised X with a column of ones: one pass."""
        targets = Targets(SQUARED, _NO_CODES, _ONE_MODEL, weights, total_weight)
        _, product, last = self.value_gradient(targets, vector[None, :], np.array([intercept]))
        return product[0], float(last[0])

    def raw_prediction(self, coef: Any, intercept: Any) -> Any:
        """Return the raw prediction of each row, shape (n_models, n_samples): one pass."""
        raw = np.empty((coef.shape[0], self.shape[0]))
        with self._team(coef.shape[0]) as parallel:
            passes(self._direct).raw_prediction.choose(parallel)(
                self._rows, _readonly(coef), _readonly(intercept), raw
            )
        self.n_passes += 1
        return raw

    def descend(
        self, targets: Targets, penalty: Any, step_size: float, accelerate: bool, tol: float,
        state: DescentState, history_out: Any,
    ) -> tuple[int, int]:  # fmt: skip
        """Take up to ``len(history_out)`` steps from an evaluated state, one pass each."""
        return self._descend(targets, penalty, step_size, accelerate, tol, state, True, history_out)

    def _descend(
        self, targets: Targets, penalty: Any, step_size: float, accelerate: bool, tol: float,
        state: DescentState, evaluated: bool, history_out: Any,
    ) -> tuple[int, int]:  # fmt: skip
        with self._team(state.coef.shape[0]) as parallel:
            steps, status = descend(self._direct).choose(parallel)(
                self._rows, targets, penalty, step_size, accelerate, tol, state, evaluated,
                history_out,
            )  # fmt: skip
        # The step that ends a descent is not followed by an evaluation.
        self.n_passes += steps + (not evaluated) - (status != RUNNING)
        return steps, status

    def passes_within(self, seconds: float, n_models: int) -> int:
        """Return roughly how many passes take `seconds` in one thread; at least 1."""
        return max(1, int(1e9 * seconds / self._pass_ns(n_models)))

    def _pass_ns(self, n_models: int) -> float:
        n_samples, n_features = self.shape
        return float(n_models * n_samples * (n_features * ELEMENT_NS + ROW_NS))

    def _team(self, n_models: int) -> Any:
        return threads.team(self.n_threads, self._pass_ns(n_models))


def _rows(X: np.ndarray[Any, Any], columns: Columns) -> tuple[bool, Rows]:
    """Say whether the rows can be read in place, and describe them to the kernels."""
    center, inverse_scale = _readonly(columns.center), _readonly(columns.inverse_scale)
    n_samples, n_features = X.shape
    item = X.itemsize
    native = X.dtype.isnative
    contiguous = X.strides[1] == item and X.strides[0] % item == 0 and X.strides[0] >= 0
    if X.dtype.char in "fd" and native and X.flags.aligned and contiguous and n_features >= LANES:
        stride = X.strides[0] // item
        flat = np.lib.stride_tricks.as_strided(
            X, ((n_samples - 1) * stride + n_features,), (item,), writeable=False
        )
        return True, Rows(flat, stride, False, n_samples, center, inverse_scale)
    values = X if native else X.view(X.dtype.newbyteorder("="))
    return False, Rows(_readonly(values), 0, not native, n_samples, center, inverse_scale)


def _readonly(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return a read-only view: numba then compiles once for arrays that may be written or not."""
    view = array.view(np.ndarray)
    if view.flags.writeable:
        view = view.view()
        view.flags.writeable = False
    return view
