"""Ten sets of real data against statsmodels, to the digits in which it is right."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from problems import real
from test_inference import spector, unpenalised
from test_inference_published import birth_weights

from fastlogit import infer

pytestmark = pytest.mark.jit


def held(name: str) -> Any:
    """What R wrote of a study."""
    return json.loads((Path(__file__).parent / "published" / name).read_text("utf-8"))


def births() -> tuple[Any, Any]:
    X, y = birth_weights()
    return pd.get_dummies(X, drop_first=True, dtype=float), y


def bacteria() -> tuple[Any, Any]:
    R = held("diagnostics.json")
    drug = np.array(R["bacteria_trt"])
    X = np.column_stack([drug == "drug", drug == "drug+", R["bacteria_week"]])
    return X.astype(float), np.array(R["bacteria_y"]) == "y"


def infertility() -> tuple[Any, Any]:
    R = held("bias_reduction.json")
    names = ("infert_spontaneous", "infert_induced", "infert_parity")
    return np.column_stack([R[name] for name in names]), np.array(R["infert_case"])


def tumours() -> tuple[Any, Any]:
    X, y = real("cancer")
    return X[:, [1, 4, 8, 9]], y  # all thirty separate the classes


def irises() -> tuple[Any, Any]:
    X, y = real("iris")
    return X[50:], y[50:] == 2


def wines() -> tuple[Any, Any]:
    X, y = real("wine")
    return X[:, [1, 2, 4]], y == 1


def shipped(name: str, columns: list[str], label: str, above: float) -> tuple[Any, Any]:
    """Columns of data that statsmodels ships, and whether another is above a number."""
    from statsmodels import datasets

    data = getattr(datasets, name).load_pandas().data.astype(float)
    return data[columns], data[label] > above


def fair() -> tuple[Any, Any]:
    names = ["rate_marriage", "age", "yrs_married", "children", "religious", "educ"]
    return shipped("fair", names, "affairs", 0.0)


def cards() -> tuple[Any, Any]:
    return shipped("ccard", ["AVGEXP", "AGE", "INCOME", "INCOMESQ"], "OWNRENT", 0.5)


def travel() -> tuple[Any, Any]:
    return shipped("modechoice", ["ttme", "invc", "invt", "hinc", "psize"], "choice", 0.5)


def votes() -> tuple[Any, Any]:
    return shipped("anes96", ["popul", "TVnews", "selfLR", "educ", "income"], "vote", 0.5)


SETS = (
    spector, fair, births, bacteria, infertility, tumours, irises, wines, cards, travel, votes
)  # fmt: skip


@pytest.mark.parametrize("data", SETS, ids=lambda data: data.__name__)
@pytest.mark.filterwarnings("ignore:.*:RuntimeWarning")  # of statsmodels, at its last step
def test_coefficients_and_errors(data: Any) -> None:
    from statsmodels.api import Logit, add_constant

    X, y = data()
    labels = np.asarray(y, dtype=float)
    theirs = Logit(labels, add_constant(np.asarray(X))).fit(
        method="newton", disp=False, tol=1e-15, maxiter=100, warn_convergence=False
    )
    found = infer(unpenalised(X, labels), X, labels)
    np.testing.assert_allclose(found.coef, theirs.params, rtol=1e-8)
    np.testing.assert_allclose(found.standard_errors, theirs.bse, rtol=1e-6)
    assert found.log_likelihood == pytest.approx(theirs.llf, rel=1e-12)
