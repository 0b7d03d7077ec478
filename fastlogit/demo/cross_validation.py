"""The strength of the penalty by cross-validation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.datasets import load_breast_cancer

from fastlogit.demo.data import N_THREADS, Row, judged, split, standardized, tumours
from fastlogit.displays import CVScoreDisplay, RegularizationPathDisplay
from fastlogit.estimators.cross_validation import LogisticRegressionCV

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The grid of the cross-validation, and the iterations that a fit of it may take.
CS = np.logspace(-4, 4, 17)
MAX_ITER = 1000


@dataclass(frozen=True)
class CrossValidation:
    """The tumours by all 30 columns, with the C that five folds choose."""

    rows: tuple[Row, ...]
    model: LogisticRegressionCV


def cross_validation() -> CrossValidation:
    """Choose C among 17 by the log-loss of rows that each of five folds leaves out."""
    data = standardized(split(*tumours()))
    model = LogisticRegressionCV(
        Cs=CS,
        l1_ratios=(0,),
        scoring="neg_log_loss",
        use_legacy_attributes=False,
        max_iter=MAX_ITER,
        n_jobs=N_THREADS,
    ).fit(data.X, data.y)
    row = judged("tumours (30)", f"C={model.C_:.2g}, by 5 folds", data, model.result_)
    grid = model.grid_  # of the 85 fits before the last
    n_passes, seconds = model.result_.n_passes + grid.n_passes, model.result_.seconds + grid.seconds
    row = replace(row, n_passes=n_passes, seconds=seconds)
    return CrossValidation((row,), model)


def draw_cross_validation(study: CrossValidation, figure: Figure) -> None:
    """Draw the score and the coefficients against C."""
    left, right = figure.subplots(1, 2)
    CVScoreDisplay.from_estimator(study.model, ax=left, negate_score=True)
    left.set_title("Rows that a fold left out")
    names = [str(name) for name in load_breast_cancer().feature_names]
    RegularizationPathDisplay.from_estimator(study.model, ax=right, feature_names=names)
    right.set_title("Coefficients, the mean over the folds")
