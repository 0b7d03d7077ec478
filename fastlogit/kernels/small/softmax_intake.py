"""Classes on their way in: codes and offsets of the rows, shapes that go together."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..policy import part
from . import intake
from .arithmetic import clear
from .endings import BAD_SHAPE, CONVERGED, ONE_CLASS
from .softmax_layout import Places


@part
def code_of(y: Any, i: int, n_classes: int) -> int:
    """Code of a row's class; -1 where it is none."""
    # Codes without sign are compared as such: with -1 they would make a float64, which is no index.
    label, code = y[i], np.int64(-1)
    if 0 <= label < n_classes and label == np.int64(label):
        code = np.int64(label)
    return int(code)


@part
def copy_classes(
    X: Any, y: Any, n_classes: int, sample_weight: Any, offset: Any, work: Any, at: Places
) -> float:
    """Copy codes and offsets of the rows of positive weight, and sum the classes' weights.

    The weights go to `half`. Returns NaN if any offset is not finite, else 0.
    """
    one, row, bad = at.one, 0, 0.0
    has_weights, has_offset = sample_weight.shape[0] > 0, offset.shape[0] > 0
    clear(work, at.offset, at.offset + n_classes * one.height)
    clear(work, at.classes, at.classes + n_classes)
    clear(work, one.target, one.target + one.height)
    for i in range(X.shape[0]):
        if has_offset:
            for k in range(n_classes):
                bad += 0.0 * offset[i, k]
        if has_weights and sample_weight[i] == 0.0:
            continue
        code = code_of(y, i, n_classes)
        work[one.target + row] = float(code)
        work[at.classes + code] += work[one.weight + row]
        if has_offset:
            for k in range(n_classes):
                work[at.offset + k * one.height + row] = offset[i, k]
        row += 1
    return bad


@part
def look_at_classes(y: Any, n_classes: int, sample_weight: Any, seen: Any) -> int:
    """Status: BAD_SHAPE where a label is no class, ONE_CLASS where a class has no weight.

    `seen` has room for a number for each class.
    """
    for k in range(n_classes):
        seen[k] = 0.0
    for i in range(y.shape[0]):
        code = code_of(y, i, n_classes)
        if code < 0:
            return BAD_SHAPE
        if sample_weight.shape[0] == 0 or sample_weight[i] > 0.0:
            seen[code] = 1.0
    for k in range(n_classes):
        if seen[k] == 0.0:
            return ONE_CLASS
    return CONVERGED


@part
def match(
    X: Any, y: Any, sample_weight: Any, offset: Any, l2_reg: Any, start: Any, coef_out: Any,
    intercept_out: Any,
) -> bool:  # fmt: skip
    """Say whether the arrays are of shapes that go together."""
    n_features, n_classes = coef_out.shape
    return (
        X.shape[1] == n_features
        and n_classes >= 2
        and y.shape[0] == X.shape[0]
        and intake.is_length(sample_weight, X.shape[0])
        and intake.is_length(offset, X.shape[0])
        and (offset.shape[0] == 0 or offset.shape[1] == n_classes)
        and l2_reg.shape[0] == n_features
        and intake.is_length(start, n_features + 1)
        and (start.shape[0] == 0 or start.shape[1] == n_classes)
        and intercept_out.shape[0] == n_classes
    )
