"""Inference against figures of R (tests/published/inference.R) and of statsmodels."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastlogit import LogisticRegression, fit, infer

pytestmark = pytest.mark.jit

PUBLISHED = Path(__file__).parent / "published"
R = json.loads((PUBLISHED / "inference.json").read_text("utf-8"))
LMTEST = json.loads((PUBLISHED / "hypotheses.json").read_text("utf-8"))


def titanic() -> tuple[Any, Any, Any]:
    """Persons on the Titanic, counted by class, sex and age: frame, survival, counts."""
    frame = pd.DataFrame(
        {
            "Class": pd.Categorical(R["titanic_Class"], ["1st", "2nd", "3rd", "Crew"]),
            "Sex": pd.Categorical(R["titanic_Sex"], ["Male", "Female"]),
            "Age": pd.Categorical(R["titanic_Age"], ["Child", "Adult"]),
        }
    )
    return frame, R["titanic_Survived"], R["titanic_Freq"]


def birth_weights() -> tuple[Any, Any]:
    """Low birth weight (Hosmer and Lemeshow, 1989), 189 infants."""
    frame = pd.DataFrame({name: R[f"birth_{name}"] for name in ("age", "lwt")})
    frame["race"] = pd.Categorical(R["birth_race"], ["white", "black", "other"])
    frame["smoke"] = R["birth_smoke"]
    return frame, np.array(R["birth_low"], dtype=int)


def test_persons_on_the_titanic_by_counts() -> None:
    X, y, counts = titanic()
    model = LogisticRegression(C=np.inf).fit(X, y, counts)
    found = model.inference(X, y, counts, weights="frequency")
    assert found.names == [
        "intercept", "Class[2nd]", "Class[3rd]", "Class[Crew]", "Sex[Female]", "Age[Adult]",
    ]  # fmt: skip
    np.testing.assert_allclose(found.coef, R["titanic_coef"], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, R["titanic_errors"], rtol=1e-9)
    assert found.log_likelihood == pytest.approx(R["titanic_loglik"][0], rel=1e-12)
    assert found.n_samples == 2201.0


def test_low_birth_weight() -> None:
    X, y = birth_weights()
    found = infer(fit(X, y, C=np.inf), X, y)
    np.testing.assert_allclose(found.coef, R["birth_coef"], rtol=1e-9)
    np.testing.assert_allclose(found.standard_errors, R["birth_errors"], rtol=1e-9)
    values = [found.log_likelihood, found.aic, found.bic]
    np.testing.assert_allclose(values, R["birth_loglik_aic_bic"], rtol=1e-12)
    by_ratio, by_score = found.likelihood_ratio_test("race"), found.score_test("race")
    # R's second model is fitted to 1e-8, and so are its tests.
    assert [by_ratio.statistic, by_ratio.p_value] == pytest.approx(R["birth_race_lrt"], rel=1e-7)
    assert [by_score.statistic, by_score.p_value] == pytest.approx(R["birth_race_rao"], rel=1e-7)
    assert by_ratio.df == by_score.df == 2
    smaller = infer(fit(X.drop(columns="race"), y, C=np.inf), X.drop(columns="race"), y)
    nested = found.likelihood_ratio_test(smaller)
    assert [nested.statistic, nested.p_value] == pytest.approx(R["birth_race_lrt"], rel=1e-7)


@pytest.mark.parametrize("kind", ["nonrobust", "HC3"])
def test_coeftest_of_lmtest(kind: str) -> None:
    X, y = birth_weights()
    found = infer(fit(X, y, C=np.inf), X, y, cov_type=kind)
    name = "birth_coeftest" if kind == "nonrobust" else f"birth_coeftest_{kind}"
    wanted = np.reshape(LMTEST[name], (-1, 4)).T
    for own, right in zip(
        (found.coef, found.standard_errors, found.statistics, found.p_values), wanted, strict=True
    ):
        np.testing.assert_allclose(own, right, rtol=1e-8)
    if kind == "HC3":
        ends = np.reshape(LMTEST["birth_coefci_HC3"], (-1, 2))
        np.testing.assert_allclose(found.conf_int(), ends, rtol=1e-8)


def test_lrtest_and_waldtest_of_lmtest() -> None:
    X, y = birth_weights()
    found = infer(fit(X, y, C=np.inf), X, y)
    for test, name in (
        (found.likelihood_ratio_test("race"), "birth_lrtest"),
        (found.wald_test("race"), "birth_waldtest"),
        (found.with_covariance("HC1").wald_test("race"), "birth_waldtest_HC1"),
    ):
        assert [test.statistic, test.df, test.p_value] == pytest.approx(LMTEST[name], rel=1e-8)


def test_visits_by_multinom() -> None:
    frame, _ = birth_weights()
    X, visits = frame[["age", "lwt", "smoke"]], np.minimum(R["birth_ftv"], 2).astype(int)
    found = infer(fit(X, visits, C=np.inf, multi_class="multinomial"), X, visits)
    assert found.names[:2] == ["1:intercept", "1:age"]
    assert found.reference == 0
    # By BFGS with finite accuracy, and the Hessian there.
    np.testing.assert_allclose(found.coef, R["visits_coef"], rtol=2e-4, atol=2e-6)
    np.testing.assert_allclose(found.standard_errors, R["visits_errors"], rtol=2e-4)
    assert found.log_likelihood == pytest.approx(R["visits_loglik"][0], rel=1e-9)


def test_anes96_against_statsmodels() -> None:
    """Party identification, 944 x 5, seven classes: log-likelihood -1461.922747."""
    from statsmodels.api import MNLogit, add_constant
    from statsmodels.datasets import anes96

    data = anes96.load_pandas()
    X, y = data.exog, data.endog.astype(int)
    theirs = MNLogit(y, add_constant(X)).fit(method="newton", disp=False, tol=1e-14)
    assert theirs.llf == pytest.approx(-1461.922747312, abs=1e-6)
    found = infer(fit(X, y, C=np.inf, multi_class="multinomial"), X, y)
    np.testing.assert_allclose(found.coef, theirs.params.T.to_numpy().ravel(), rtol=1e-7)
    np.testing.assert_allclose(found.standard_errors, theirs.bse.T.to_numpy().ravel(), rtol=1e-6)
    np.testing.assert_allclose(found.p_values, theirs.pvalues.T.to_numpy().ravel(), rtol=1e-5)
    assert found.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)
    assert found.likelihood.null_log_likelihood == pytest.approx(theirs.llnull, rel=1e-7)
    assert found.likelihood.mcfadden == pytest.approx(theirs.prsquared, rel=1e-7)
    np.testing.assert_allclose(found.covariance, theirs.cov_params(), rtol=1e-6, atol=1e-12)
