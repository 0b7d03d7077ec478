"""Diagnostics and robust covariances against figures of R (tests/published/diagnostics.R)."""

import json
from pathlib import Path
from typing import Any

import inference_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from test_inference_published import LMTEST, birth_weights

from fastlogit import fit, infer

pytestmark = pytest.mark.jit

R = json.loads((Path(__file__).parent / "published" / "diagnostics.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def births() -> Any:
    X, y = birth_weights()
    return infer(fit(X, y, C=np.inf), X, y)


@pytest.fixture(scope="module")
def bacteria() -> Any:
    """Presence of H. influenzae in 50 children, 220 looks (MASS::bacteria)."""
    X = pd.DataFrame({"trt": pd.Categorical(R["bacteria_trt"], ["placebo", "drug", "drug+"])})
    X["week"] = R["bacteria_week"]
    y = np.array(R["bacteria_y"])
    found = infer(fit(X, y, C=np.inf), X, y)
    np.testing.assert_allclose(found.coef, R["bacteria_coef"], rtol=1e-9)
    return found


@pytest.mark.parametrize("kind", ["HC0", "HC1", "HC2", "HC3"])
def test_sandwich(bacteria: Any, kind: str) -> None:
    wanted = np.reshape(R[f"bacteria_{kind}"], (4, 4))
    np.testing.assert_allclose(bacteria.with_covariance(kind).covariance, wanted, rtol=1e-8)


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR1S", "CR3"])
def test_club_sandwich(bacteria: Any, kind: str) -> None:
    wanted = np.reshape(R[f"bacteria_{kind}"], (4, 4))
    own = bacteria.with_covariance(kind, R["bacteria_ID"])
    np.testing.assert_allclose(own.covariance, wanted, rtol=1e-7)
    if f"bacteria_vcovCL_{kind}" in R:
        by_sandwich = np.reshape(R[f"bacteria_vcovCL_{kind}"], (4, 4))
        np.testing.assert_allclose(own.covariance, by_sandwich, rtol=1e-7)


def test_coeftest_of_clusters(bacteria: Any) -> None:
    """lmtest's coeftest with sandwich's vcovCL."""
    found = bacteria.with_covariance("CR1", R["bacteria_ID"])
    wanted = np.reshape(LMTEST["bacteria_coeftest_CR1"], (-1, 4)).T
    np.testing.assert_allclose(found.standard_errors, wanted[1], rtol=1e-8)
    np.testing.assert_allclose(found.statistics, wanted[2], rtol=1e-8)
    np.testing.assert_allclose(found.p_values, wanted[3], rtol=1e-7)


def test_cr2_is_that_of_whitened_rows(bacteria: Any) -> None:
    """clubSandwich takes the symmetric root on the scale of the response, we that of whitened rows.

    Both have mean V under the model. On the scale of the linear predictor the symmetric root would
    have another value again; ours (Kauermann and Carroll, 2001) does not depend on a scale.
    """
    exact = oracle.optimum(bacteria_columns(), np.array(R["bacteria_y"]) == "y")
    inverse, ids = np.linalg.inv(exact.information), np.array(R["bacteria_ID"])
    variance = exact.curvature
    Z, meat = exact.Z * variance[:, None], 0.0
    for child in np.unique(ids):
        own = ids == child
        root = np.diag(np.sqrt(variance[own]))
        left = np.diag(variance[own]) - Z[own] @ inverse @ Z[own].T
        values, vectors = np.linalg.eigh(root @ left @ root)
        adjust = root @ (vectors / np.sqrt(values)) @ vectors.T @ root
        slope = (Z[own] / variance[own][:, None]).T @ adjust @ exact.residual[own]
        meat = meat + np.outer(slope, slope)
    wanted = np.reshape(R["bacteria_CR2"], (4, 4))
    np.testing.assert_allclose(inverse @ meat @ inverse, wanted, rtol=1e-7)
    ours = bacteria.with_covariance("CR2", ids)
    np.testing.assert_allclose(ours.standard_errors, np.sqrt(np.diag(wanted)), rtol=1e-3)


def bacteria_columns() -> Any:
    drug = np.array(R["bacteria_trt"])
    return np.column_stack([drug == "drug", drug == "drug+", R["bacteria_week"]]).astype(float)


@pytest.mark.parametrize(("kind", "share"), [("CR2", 1e-2), ("CR3", 1e-6)])
def test_satterthwaite_and_hotelling(bacteria: Any, kind: str, share: float) -> None:
    own = bacteria.with_covariance(kind, R["bacteria_ID"])
    errors, df, p_values = np.reshape(R[f"bacteria_{kind}_errors_df_p"], (3, 4))
    np.testing.assert_allclose(own.standard_errors, errors, rtol=share)
    np.testing.assert_allclose(own.degrees_of_freedom, df, rtol=share)
    np.testing.assert_allclose(own.p_values, p_values, rtol=2.0 * share)
    for hypothesis, size in (("trt", 2), ("trt, week", 3)):
        test = own.wald_test(hypothesis)
        found = [test.statistic, test.df, test.df_denominator, test.p_value]
        np.testing.assert_allclose(found, R[f"bacteria_{kind}_HTZ_{size}"], rtol=share)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("leverage", "hat"),
        ("cooks_distance", "cook"),
        ("pearson", "pearson"),
        ("deviance", "deviance"),
        ("standardized_pearson", "standard_pearson"),
        ("standardized_deviance", "standard_deviance"),
        ("studentized", "student"),
        ("dfbetas", "dfbetas"),
    ],
)
def test_rows(births: Any, name: str, wanted: str) -> None:
    found = getattr(births.diagnostics(), name)
    np.testing.assert_allclose(found.ravel(), R[f"birth_{wanted}"], rtol=1e-8, atol=1e-12)


def test_collinearity(births: Any) -> None:
    found = births.diagnostics()
    inflation = found.variance_inflation()
    assert inflation.terms == ["age", "lwt", "race", "smoke"]
    assert inflation.df.tolist() == [1, 1, 2, 1]
    np.testing.assert_allclose(inflation.factors, R["birth_vif"], rtol=1e-9)
    assert inflation.scaled[2] == pytest.approx(R["birth_vif"][2] ** 0.25)
    assert found.condition_number == pytest.approx(R["birth_condition"][0], rel=1e-9)


def test_link(births: Any) -> None:
    found = births.diagnostics().link_test()
    coef, errors, statistics, p_values = np.reshape(R["birth_link"], (3, 4)).T
    np.testing.assert_allclose(found.coef, coef, rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors, errors, rtol=1e-6)
    np.testing.assert_allclose(found.statistics, statistics, rtol=1e-6)
    np.testing.assert_allclose(found.p_values, p_values, rtol=1e-6)


def test_goodness_of_fit_of_stata() -> None:
    """Stata's manual, [R] estat gof, lbw.dta with 10 groups: chi2(8) = 9.65, p = 0.29."""
    X, y = birth_weights()
    for name in ("ptl", "ht", "ui"):
        X[name] = R[f"birth_{name}"]
    found = infer(fit(X, y, C=np.inf), X, y).diagnostics().hosmer_lemeshow()
    assert (round(found.statistic, 2), found.df, round(found.p_value, 2)) == (9.65, 8, 0.29)
    np.testing.assert_allclose(
        [found.statistic, found.df, found.p_value], R["birth_gof"], rtol=1e-9
    )
