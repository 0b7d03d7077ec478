"""The same optima as R's glmnet, whose coefficients are stored (tests/data/glmnet.py)."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import fastlogit
from fastlogit import reference

pytestmark = pytest.mark.jit

DATA = Path(__file__).with_name("data")
SPEC = importlib.util.spec_from_file_location("glmnet_of_r", DATA / "glmnet.py")
assert SPEC is not None
assert SPEC.loader is not None
GLMNET = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(GLMNET)
STORED = json.loads((DATA / "glmnet.json").read_text())
BINOMIAL = [case for case in STORED["cases"] if "family" not in case["options"]]


def strengths_of(case, strength, n_features):
    """L1 and L2 of each column on the scale of the mean loss: glmnet's factors add up to d."""
    factor = np.array(case["options"].get("penalty.factor", np.ones(n_features)))
    factor = factor * n_features / factor.sum()
    return strength * case["alpha"] * factor, strength * (1.0 - case["alpha"]) * factor


def test_the_stored_values_are_of_the_cases_in_the_script() -> None:
    assert [
        (case["data"], case["alpha"], case["lambdas"], case["options"]) for case in STORED["cases"]
    ] == GLMNET.CASES
    assert STORED["glmnet"] >= "4.1"


@pytest.mark.parametrize("case", BINOMIAL, ids=lambda case: f"{case['data']} {case['options']}")
def test_two_classes(case) -> None:
    X, y = GLMNET.data(case["data"])
    bounds = case["options"].get("lower.limits"), case["options"].get("upper.limits")
    for strength, ((level, *slopes),) in zip(case["lambdas"], case["coef"], strict=True):
        l1, l2 = strengths_of(case, strength, X.shape[1])
        result = fastlogit.fit(X, y, l1_reg=l1, l2_reg=l2, coef_bounds=bounds)
        assert result.converged
        theirs = reference.elastic_net_cost(X, y, slopes, level, l1, l2)
        ours = reference.elastic_net_cost(X, y, result.coef, result.intercept, l1, l2)
        assert ours <= theirs * (1.0 + 1e-12)
        assert theirs <= ours * (1.0 + 1e-8)
        np.testing.assert_allclose(result.coef, slopes, atol=2e-5)
        np.testing.assert_array_equal(result.coef != 0.0, np.array(slopes) != 0.0)
