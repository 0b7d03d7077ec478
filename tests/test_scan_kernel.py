"""The kernel of `scan` against the oracle, with and without compiled code."""

from typing import Any

import numpy as np
import pytest

from fastlogit import ScanStatus, reference, scan
from fastlogit.kernels import scan as kernels
from fastlogit.kernels import scan_penalised
from fastlogit.kernels.small import binomial

N_ROWS = 45
RNG = np.random.default_rng(3)
X = RNG.standard_normal((N_ROWS, 2))
COLUMN = RNG.binomial(2, 0.4, N_ROWS).astype(float)
Y = (X[:, 0] + 0.5 * COLUMN - 0.5 + RNG.logistic(size=N_ROWS) > 0.0).astype(int)
MISSING = np.where(np.arange(N_ROWS) % 9 == 0, np.nan, COLUMN)
# Mostly one value: the Hessian of the null is no guide.
STRONG = np.where(np.arange(N_ROWS) % 8 == 0, 1.0, 0.0)
LABELS = np.where((np.arange(N_ROWS) % 8 == 0) & (np.arange(N_ROWS) % 24 != 0), 1, Y)
WEIGHT = RNG.uniform(0.5, 2.0, N_ROWS)


@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weights"])
@pytest.mark.parametrize(
    ("column", "labels"),
    [(COLUMN, Y), (MISSING, Y), (STRONG, LABELS)],
    ids=["whole", "missing", "strong"],
)
def test_the_oracle(column: Any, labels: Any, weight: Any) -> None:
    result = scan(X, column[:, None], labels, sample_weight=weight)
    keep = ~np.isnan(column)
    rows, y = np.column_stack([X, column])[keep], labels[keep]
    w = np.ones(len(y)) if weight is None else weight[keep]
    coef, intercept, cost = reference.newton(rows, y, 0.0, w)
    information = w.sum() * reference.hessian(rows, coef, intercept, 0.0, w)
    _, _, null = reference.newton(X[keep], y, 0.0, w)
    assert result.status[0] == ScanStatus.CONVERGED
    assert result.coef[0] == pytest.approx(coef[-1], rel=1e-6, abs=1e-7)
    error = np.sqrt(np.linalg.inv(information)[-2, -2])
    assert result.standard_errors[0] == pytest.approx(error, rel=1e-7)
    assert result.likelihood_ratio[0] == pytest.approx(2.0 * w.sum() * (null - cost), rel=1e-6)
    assert result.suboptimality[0] <= 1e-8


@pytest.mark.parametrize("column", [COLUMN, MISSING], ids=["whole", "missing"])
def test_the_oracle_of_firth(column: Any) -> None:
    result = scan(X, column[:, None], Y, firth=True)
    keep = ~np.isnan(column)
    rows = np.column_stack([X, column])[keep]
    coef, _, cost = reference.firth(rows, Y[keep])
    _, _, held = reference.firth(rows, Y[keep], held=2)
    assert result.status[0] == ScanStatus.FIRTH
    assert result.coef[0] == pytest.approx(coef[-1], rel=1e-6)
    assert result.likelihood_ratio[0] == pytest.approx(2.0 * (held - cost), rel=1e-6)


def test_a_column_that_separates() -> None:
    column = np.where(np.arange(N_ROWS) == int(np.argmax(Y)), 1.0, 0.0)
    plain = scan(X, column[:, None], Y)
    assert plain.status[0] == ScanStatus.SEPARABLE
    assert np.isfinite(plain.score[0])
    result = scan(X, column[:, None], Y, firth="fallback")
    coef, _, _ = reference.firth(np.column_stack([X, column]), Y)
    assert result.coef[0] == pytest.approx(coef[-1], rel=1e-6)


def test_how_a_fit_by_firth_ends() -> None:
    """Steps that shrink by one share each leave what the series of them adds up to."""
    ends = (
        scan_penalised.is_end
        if not hasattr(scan_penalised.is_end, "py_func")
        else scan_penalised.is_end.py_func
    )
    assert ends(1e-9, np.inf, False, True)
    assert not ends(1e-4, np.inf, False, True)
    assert ends(1e-4, 5e-2, False, True)
    assert not ends(1e-4, 5e-2, False, False)
    assert not ends(1e-4, 1.1e-4, True, True)
    assert not ends(1e-4, 1e-4, True, True)


def test_the_work_array_is_that_of_a_small_fit() -> None:
    assert kernels.scan_work_size.serial(45, 3) == binomial.small_work_size.serial(45, 3)
