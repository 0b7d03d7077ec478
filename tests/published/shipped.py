"""Write shipped.json beside it: results of Stata and R that statsmodels ships for its own tests.

`python tests/published/shipped.py`, with statsmodels installed. Of Stata: `logit` and `glm` of
Spector and Mazzeo's grades, with restrictions and `vce(robust)`, with `margins`; `mlogit` of the
American election study of 1996; `glm` of low birth weight. Of R: `gee` of simulated clusters as if
rows were independent, which is a logistic regression with a sandwich of clusters.
"""

from __future__ import annotations

import ast
import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import statsmodels
from statsmodels.discrete.tests.results import results_discrete, results_glm_logit_constrained
from statsmodels.genmod.tests import test_gee
from statsmodels.genmod.tests.results import results_glm

# Attributes of Stata's results that are kept.
LOGIT = (
    "params", "bse", "z", "pvalues", "conf_int", "cov_params", "llf", "llnull", "llr",
    "llr_pvalue", "prsquared", "aic", "bic", "resid_dev", "resid_pearson",
    "margeff_nodummy_dydx", "margeff_nodummy_dydx_se", "margeff_dummy_dydx",
    "margeff_dummy_dydx_se", "margeff_nodummy_dydxmean", "margeff_nodummy_dydxmean_se",
    "margeff_nodummy_eyex", "margeff_nodummy_eyex_se",
)  # fmt: skip
MNLOGIT = ("params", "bse", "z", "pvalues", "llf", "llnull", "prsquared", "aic", "bic")
GLM = ("params", "bse", "llf", "deviance", "null_deviance", "pearson_chi2", "aic_R")
RESTRICTED = (
    "results_noconstraint_robust", "results_constraint1", "results_constraint2",
    "results_constraint2_robust",
)  # fmt: skip


def kept(results: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """Return some attributes, as lists."""
    return {name: np.asarray(getattr(results, name)).tolist() for name in names}


def births() -> dict[str, Any]:
    """Return the glm of Stata's lbw.dta with its rows: a weight is not as in R's birthwt."""
    study = results_glm.Lbw()
    X = np.asarray(study.exog)[:, :-1]
    return {**kept(study, GLM), "y": np.asarray(study.endog).tolist(), "X": X.tolist()}


def figures_of_gee() -> dict[str, Any]:
    """Return coefficients and errors of R's gee: the first rows of two lists in their test."""
    source = inspect.getsource(test_gee.TestGEE.test_logistic)
    body = ast.parse(source.replace("\n    ", "\n").lstrip()).body[0]
    lists = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.walk(body)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
        and isinstance(node.targets[0], ast.Name)
    }  # fmt: skip
    endog, exog, group = test_gee.load_data("gee_logistic_1.csv")
    return {
        "params": lists["cf"][0], "bse": lists["se"][0], "y": endog.tolist(),
        "X": np.asarray(exog)[:, 1:].tolist(), "group": group.tolist(),
    }  # fmt: skip


def main() -> None:
    restricted = {
        name.removeprefix("results_"): {
            "table": getattr(results_glm_logit_constrained, name).params_table[:, :2].tolist(),
            "llf": getattr(results_glm_logit_constrained, name).ll,
        }
        for name in RESTRICTED
    }
    content = {
        "versions": [f"statsmodels {statsmodels.__version__}"],
        "spector": kept(results_discrete.Spector.logit, LOGIT),
        "spector_restricted": restricted,
        "anes": kept(results_discrete.Anes.mnlogit_basezero, MNLOGIT),
        "lbw": births(),
        "gee": figures_of_gee(),
    }
    text = json.dumps(content).replace("NaN", "null").replace('], "', '],\n"')
    Path(__file__).with_suffix(".json").write_text(text + "\n", "utf-8")


if __name__ == "__main__":
    main()
