"""Inference against results of Stata and R that statsmodels ships (tests/published/shipped.py)."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from test_inference import spector, unpenalised

from fastlogit import infer

pytestmark = pytest.mark.jit

SHIPPED = json.loads((Path(__file__).parent / "published" / "shipped.json").read_text("utf-8"))
STATA = SHIPPED["spector"]
# Stata has the constant last.
LAST = [1, 2, 3, 0]


@pytest.fixture(scope="module")
def grades() -> Any:
    X, y = spector()
    return infer(unpenalised(X, y), X, y)


def test_logit_of_stata(grades: Any) -> None:
    """Their copy of the data was rounded to float32: the likelihood differs in the eighth digit.

    Stata's glm of the same data, -12.88963422213, is ours to twelve.
    """
    np.testing.assert_allclose(grades.coef[LAST], STATA["params"], rtol=2e-6)
    np.testing.assert_allclose(grades.standard_errors[LAST], STATA["bse"], rtol=2e-6)
    np.testing.assert_allclose(grades.statistics[LAST], STATA["z"], rtol=2e-6)
    np.testing.assert_allclose(grades.p_values[LAST], STATA["pvalues"], rtol=1e-5)
    np.testing.assert_allclose(grades.conf_int()[LAST], STATA["conf_int"], rtol=1e-5)
    covariance = grades.covariance[np.ix_(LAST, LAST)]
    np.testing.assert_allclose(covariance, STATA["cov_params"], rtol=1e-5)
    likelihood = grades.likelihood
    found = [
        likelihood.log_likelihood, likelihood.null_log_likelihood, likelihood.mcfadden,
        grades.aic, grades.bic,
    ]  # fmt: skip
    wanted = [STATA[name] for name in ("llf", "llnull", "prsquared", "aic", "bic")]
    np.testing.assert_allclose(found, wanted, rtol=2e-7)
    by_glm = SHIPPED["spector_restricted"]["noconstraint_robust"]["llf"]
    assert grades.log_likelihood == pytest.approx(by_glm, rel=1e-12)
    test = grades.likelihood_ratio_test("GPA, TUCE, PSI")
    assert [test.statistic, test.p_value] == pytest.approx(
        [STATA["llr"], STATA["llr_pvalue"]], rel=2e-6
    )


def test_residuals_of_stata(grades: Any) -> None:
    rows = grades.diagnostics()
    np.testing.assert_allclose(rows.deviance, STATA["resid_dev"], rtol=2e-6)
    np.testing.assert_allclose(rows.pearson, STATA["resid_pearson"], rtol=2e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("nodummy_dydx", {}),
        ("dummy_dydx", {"discrete": "PSI"}),
        ("nodummy_dydxmean", {"at": "mean"}),
        ("nodummy_eyex", {"method": "eyex"}),
    ],
)
def test_margins_of_stata(grades: Any, name: str, options: Any) -> None:
    found = grades.marginal_effects(**options)
    np.testing.assert_allclose(found.estimates, STATA[f"margeff_{name}"], rtol=1e-5)
    # Seven decimals are printed.
    np.testing.assert_allclose(found.standard_errors, STATA[f"margeff_{name}_se"], rtol=1e-5)


def test_robust_errors_of_stata(grades: Any) -> None:
    """`vce(robust)` has the factor n / (n - 1): each row a cluster."""
    wanted = np.array(SHIPPED["spector_restricted"]["noconstraint_robust"]["table"])
    found = grades.with_covariance("CR1", np.arange(32))
    np.testing.assert_allclose(found.standard_errors[LAST], wanted[:, 1], rtol=2e-6)
    np.testing.assert_allclose(found.coef[LAST], wanted[:, 0], rtol=2e-6)


@pytest.mark.parametrize(
    ("name", "hypothesis"), [("constraint1", "GPA = 2.8"), ("constraint2", "GPA = PSI")]
)
def test_restricted_fits_of_stata(grades: Any, name: str, hypothesis: str) -> None:
    """What the likelihood falls by, and the log-likelihood of Stata's restricted fit."""
    test = grades.likelihood_ratio_test(hypothesis)
    fall = 2.0 * (grades.log_likelihood - SHIPPED["spector_restricted"][name]["llf"])
    assert test.statistic == pytest.approx(fall, rel=1e-5)
    assert test.p_value == pytest.approx(stats.chi2.sf(fall, 1), rel=1e-5)


def test_mlogit_of_stata() -> None:
    from statsmodels.datasets import anes96

    wanted = SHIPPED["anes"]
    data = anes96.load_pandas()
    X, y = data.exog, data.endog.astype(int)
    found = infer(unpenalised(X, y, multi_class="multinomial"), X, y)

    def by_class(values: Any) -> Any:
        """As statsmodels has it: a class a column, the constant last."""
        return values.reshape(6, 6)[:, [1, 2, 3, 4, 5, 0]].T

    np.testing.assert_allclose(by_class(found.coef), wanted["params"], rtol=1e-6)
    np.testing.assert_allclose(by_class(found.standard_errors), wanted["bse"], rtol=1e-6)
    np.testing.assert_allclose(by_class(found.statistics), wanted["z"], rtol=1e-6)
    np.testing.assert_allclose(by_class(found.p_values), wanted["pvalues"], rtol=1e-5)
    values = [found.log_likelihood, found.likelihood.null_log_likelihood, found.aic, found.bic]
    np.testing.assert_allclose(
        values, [wanted[name] for name in ("llf", "llnull", "aic", "bic")], rtol=1e-9
    )


def test_low_birth_weight_of_stata_and_r() -> None:
    wanted = SHIPPED["lbw"]
    X, y = np.array(wanted["X"]), np.array(wanted["y"])
    found = infer(unpenalised(X, y), X, y)
    order = [*range(1, 9), 0]
    np.testing.assert_allclose(found.coef[order], wanted["params"], rtol=1e-6)
    # R's glm has errors of the step before its last.
    np.testing.assert_allclose(found.standard_errors[order], wanted["bse"], rtol=2e-5)
    likelihood = found.likelihood
    values = [
        found.log_likelihood, likelihood.deviance, likelihood.null_deviance,
        likelihood.pearson_chi2, found.aic,
    ]  # fmt: skip
    names = ("llf", "deviance", "null_deviance", "pearson_chi2", "aic_R")
    np.testing.assert_allclose(values, [wanted[name] for name in names], rtol=1e-8)


def test_clusters_of_gee_in_r() -> None:
    """Generalised estimating equations of independent rows: a sandwich of clusters, CR0."""
    wanted = SHIPPED["gee"]
    X, y = np.array(wanted["X"]), np.array(wanted["y"])
    found = infer(unpenalised(X, y), X, y, cov_type="CR0", clusters=wanted["group"])
    np.testing.assert_allclose(found.coef, wanted["params"], rtol=1e-6)
    np.testing.assert_allclose(found.standard_errors, wanted["bse"], rtol=1e-6)
