"""Which of scikit-learn's scorers `--cv --scoring` takes: those that judge classifications."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import get_scorer, get_scorer_names

from fastlogit.arrays import Floats, Labels, Matrix
from fastlogit.estimators.scoring import with_labels
from fastlogit.io.faults import quoted
from fastlogit.options import check_option

__all__ = ["check_scorer", "check_scorer_name"]

# Where scikit-learn keeps functions that judge other things, which take class labels for amounts
# or for clusters, or fail where labels are text.
_OF_OTHERS = {"_regression": "regressions", "cluster": "clusterings"}
# Rows of each class that a scorer is tried on; the last one of them is predicted wrongly.
_ROWS = 3


class _Known(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose rows are what it makes of them: a number for each class."""

    classes_: Labels

    def decision_function(self, X: Matrix) -> Floats:
        """Return how much the second class is likelier, or the numbers."""
        return X[:, 1] - X[:, 0] if len(self.classes_) == 2 else X

    def predict(self, X: Matrix) -> Labels:
        """Return the class of the largest number."""
        return self.classes_[X.argmax(axis=1)]

    def predict_proba(self, X: Matrix) -> Matrix:
        """Return the numbers as shares."""
        return X / X.sum(axis=1, keepdims=True)


def check_scorer_name(name: str) -> None:
    """Raise unless a scorer of this name judges classifications; only those are named."""
    others = {each: kind for each in get_scorer_names() if (kind := _judges(each)) is not None}
    known = [each for each in get_scorer_names() if each not in others]
    if name in others:
        raise ValueError(
            f"--scoring {name} judges {others[name]}, not classes; there are for them: "
            + quoted(known, len(known))
        )
    check_option("--scoring", name, known)


def check_scorer(name: str, classes: Labels) -> None:
    """Raise unless a scorer gives numbers for predictions of these classes; name those that do."""
    fault = _fault(name, classes)
    if fault is None:
        return
    fitting = [
        each
        for each in get_scorer_names()
        if _judges(each) is None and _fault(each, classes) is None
    ]
    raise ValueError(
        f"--scoring {name} does not fit a target of the {len(classes)} classes "
        f"{quoted([str(label) for label in classes], 3)} ({fault.rstrip('.')}); those that do: "
        + quoted(fitting, len(fitting))
    )


def _judges(name: str) -> str | None:
    """Return what a scorer judges, where that is no classification."""
    places = get_scorer(name)._score_func.__module__.split(".")
    return next((kind for place, kind in _OF_OTHERS.items() if place in places), None)


def _fault(name: str, classes: Labels) -> str | None:
    """Return why a scorer cannot score predictions of these classes, or None: it is tried."""
    n_classes = len(classes)
    codes = np.repeat(np.arange(n_classes), _ROWS)
    seen = codes.copy()
    seen[_ROWS - 1 :: _ROWS] = np.roll(np.arange(n_classes), 1)
    model = _Known()
    model.classes_ = np.asarray(classes)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            scorer = with_labels(get_scorer(name), model.classes_)
            score = scorer(model, (2.0 * np.eye(n_classes) + 1.0)[seen], model.classes_[codes])
    except (TypeError, ValueError, Warning) as error:
        return " ".join(str(error).split())
    return None if np.isfinite(score) else f"it gives {score}"
