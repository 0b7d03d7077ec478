"""Intercepts in the units of X, against exact fractions."""

from fractions import Fraction

import numpy as np
import pytest

from fastlogit.design.base import Columns
from fastlogit.objective.units import FEW_TERMS, from_user, to_user


def exact(level: float, slopes: np.ndarray, center: np.ndarray) -> Fraction:
    pairs = zip(slopes, center, strict=True)
    return Fraction(level) - sum(Fraction(float(a)) * Fraction(float(b)) for a, b in pairs)


@pytest.mark.parametrize("size", [1, FEW_TERMS, FEW_TERMS + 1, 8 * FEW_TERMS + 5])
def test_intercepts_are_rounded_once(size, rng) -> None:
    slopes = rng.normal(size=size) * 10.0 ** rng.integers(-8, 8, size)
    columns = Columns(rng.normal(size=size), np.ones(size))
    coef, intercept = to_user(columns, slopes[None], np.array([0.7]))
    assert intercept[0] == float(exact(0.7, slopes, columns.center))
    # What is left where all but the last digits cancel.
    level = -float(exact(0.0, slopes, columns.center))
    _, left = to_user(columns, slopes[None], np.array([level]))
    terms = float(np.abs(slopes * columns.center).sum())
    assert left[0] == pytest.approx(
        float(exact(level, slopes, columns.center)), rel=1e-12, abs=2.0**-98 * terms
    )
    assert from_user(columns, coef, intercept)[1][0] == pytest.approx(0.7, abs=2.0**-50 * terms)
