"""The table of docs/api.md that says which call takes which X is true."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from coded_frames import FRAME, Y, indicators
from fastlogit.online import OnlineLogistic
from scipy.sparse import csr_matrix

import fastlogit
from fastlogit import BatchSource, LogisticRegression, LogisticRegressionCV, Problem

# Rooms above the kernels, with fits that take minutes in plain Python.
pytestmark = pytest.mark.jit

PAGE = Path(fastlogit.__file__).parents[1] / "docs" / "api.md"
KINDS = ("sparse", "categorical columns", "rows on disk", "`BatchSource`")
DENSE = indicators(FRAME, "reference").to_numpy()
HALF = len(Y) // 2


class OnDisk:
    """Rows that come slice by slice."""

    shape, dtype = DENSE.shape, DENSE.dtype

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Return some rows."""
        return DENSE[rows]


def batches() -> BatchSource:
    """The same in two batches, with their labels."""
    parts = (slice(HALF), slice(HALF, None))
    return BatchSource(lambda: iter([(DENSE[part], Y[part]) for part in parts]))


GIVEN: dict[str, Callable[[], Any]] = {
    "sparse": lambda: csr_matrix(DENSE),
    "categorical columns": lambda: FRAME,
    "rows on disk": OnDisk,
    "`BatchSource`": batches,
}


def fitted(X: Any) -> fastlogit.FitResult:
    """The fit of the same kind of rows."""
    return fastlogit.fit(FRAME if X is FRAME else DENSE, Y)


def of_coefficients(call: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Predictions of the coefficients of a fit."""

    def predict(X: Any, _: Any) -> Any:
        result = fitted(X)
        known = {"categories": result.categories} if X is FRAME else {}
        return call(X, result.coef, result.intercept, **known)

    return predict


GROUPS = np.arange(len(Y)) % 2
CALLS: dict[str, list[Callable[[Any, Any], Any]]] = {
    "`fit`, `LogisticRegression`": [
        lambda X, y: fastlogit.fit(X, y, C=1.0),
        lambda X, y: LogisticRegression().fit(X, y),
    ],
    "`LogisticRegressionCV`, `logistic_path`, `Problem`": [
        lambda X, y: LogisticRegressionCV(
            Cs=2, cv=2, l1_ratios=(0,), scoring="accuracy", use_legacy_attributes=False
        ).fit(X, y),
        lambda X, y: fastlogit.logistic_path(X, y, 2),
        lambda X, y: Problem(X, y),
    ],
    "`gradient_descent`": [lambda X, y: fastlogit.gradient_descent(X, y, tol=0.1)],
    "`cost`, `cost_gradient`": [
        lambda X, y: fastlogit.cost(X, y, np.zeros(7)),
        lambda X, y: fastlogit.cost_gradient(X, y, np.zeros(7)),
    ],
    "`predict`, `predict_proba`, `raw_prediction` of coefficients": [
        of_coefficients(fastlogit.predict),
        of_coefficients(fastlogit.predict_proba),
        of_coefficients(fastlogit.raw_prediction),
    ],
    "predictions of a `FitResult` or an estimator": [
        lambda X, y: fitted(X).predict_proba(X),
        lambda X, y: LogisticRegression().fit(FRAME if X is FRAME else DENSE, Y).predict(X),
    ],
    "`leave_one_out`, `infer`": [
        lambda X, y: fastlogit.leave_one_out(fitted(X), X, Y),
        lambda X, y: fastlogit.infer(fitted(X), X, Y),
    ],
    "`ordinal_logit`": [lambda X, y: fastlogit.ordinal_logit(X, Y)],
    "`partial_fit`": [lambda X, y: LogisticRegression().partial_fit(X, Y, classes=[0, 1])],
    "`OnlineLogistic`": [
        lambda X, y: OnlineLogistic(DENSE.shape[1], [0, 1]).update(X, Y),
    ],
    "`conditional_logit`": [lambda X, y: fastlogit.conditional_logit(X, Y, GROUPS)],
    "`fit_groups` and its predictions, `bootstrap`, `permutation`": [
        lambda X, y: fastlogit.fit_groups(X, Y, GROUPS),
        lambda X, y: fastlogit.fit_groups(
            FRAME if X is FRAME else DENSE, Y, GROUPS, C=1.0
        ).predict_proba(X, GROUPS),
        lambda X, y: fastlogit.bootstrap(X, Y),
        lambda X, y: fastlogit.permutation(X, Y),
    ],
    "`X` of `scan`": [lambda X, y: fastlogit.scan(X, np.arange(len(Y))[:, None], Y)],
    "`columns` of `scan`": [lambda X, y: fastlogit.scan(None, X, Y)],
}
# Cells that name another way for what the call itself does not take.
YES = ("yes", "with `categories=", "if those of the fit were")


def table() -> dict[str, dict[str, str]]:
    """Return the cells of the table, by call and kind of X."""
    lines = PAGE.read_text("utf-8").split("### Who takes which X")[1].split("###")[0].splitlines()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if line[:1] == "|"
    ]
    assert tuple(rows[0][1:]) == KINDS
    return {name: dict(zip(KINDS, cells, strict=True)) for name, *cells in rows[2:]}


TABLE = table()


def test_the_rows_of_the_table() -> None:
    """The command line has tests of its own."""
    assert list(TABLE) == [*CALLS, "`fastlogit fit`, `predict`, `evaluate`"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CALLS)
def test_a_call_takes_what_the_table_says(name, kind) -> None:
    said = TABLE[name][kind]
    for call in CALLS[name]:
        X = GIVEN[kind]()
        y = None if isinstance(X, BatchSource) else Y
        if said.startswith(YES):
            call(X, y)
        else:
            with pytest.raises((TypeError, ValueError)) as caught:
                call(X, y)
            assert "X" in str(caught.value) or "columns" in str(caught.value)
