"""`Inference.predict`: probabilities of rows with errors and intervals."""

import json
from pathlib import Path
from typing import Any

import margins_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from problems import three_classes
from scipy import sparse
from scipy.special import expit
from test_inference_published import birth_weights
from test_margins import frame, inferred, numbers

from fastlogit import fit, infer

pytestmark = pytest.mark.jit

R = json.loads((Path(__file__).parent / "published" / "margins.json").read_text("utf-8"))
QUANTILE = 1.959963984540054


def test_against_r() -> None:
    X, y = birth_weights()
    found = inferred(X, y).predict(X.head(5))
    link, errors = np.array(R["link"]), np.array(R["link_errors"])
    np.testing.assert_allclose(found.estimates, expit(link), rtol=1e-9)
    np.testing.assert_allclose(found.logit_standard_errors, errors, rtol=1e-8)
    ends = expit(link[:, None] + QUANTILE * errors[:, None] * [-1, 1])
    np.testing.assert_allclose(found.conf_int(), ends, rtol=1e-8)
    plain = found.conf_int(method="delta")
    np.testing.assert_allclose(plain.mean(axis=1), found.estimates)
    p = expit(link)
    np.testing.assert_allclose(plain[:, 1] - p, QUANTILE * errors * p * (1 - p), rtol=1e-8)


@pytest.mark.parametrize("carrier", [np.asfortranarray, sparse.csr_array, pd.DataFrame])
def test_rows_of_any_kind(carrier: Any) -> None:
    X, y = numbers()
    found = inferred(X, y, cov_type="HC3")
    Z = oracle.with_ones(X)
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", Z, found.covariance, Z))
    predictions = found.predict(carrier(X))
    np.testing.assert_allclose(predictions.logit_standard_errors, wanted, rtol=1e-6)
    assert len(predictions) == len(X)
    ends = predictions.conf_int(0.999)
    assert (ends > 0.0).all()
    assert (ends < 1.0).all()


def test_levels_without_intercept_and_offset() -> None:
    X, y = frame()
    whole = inferred(X, y).predict(X.iloc[:3])
    part = inferred(X, y).predict(X.iloc[:3][["age", "cabin", "dose", "sex"]])
    np.testing.assert_array_equal(whole.estimates, part.estimates)
    X, y = numbers()
    Z = X - X.mean(axis=0)
    offset = np.linspace(-1.0, 1.0, len(y))
    result = fit(Z, y, C=np.inf, intercept=None, offset=offset)
    found = infer(result, Z, y, offset=offset)
    predictions = found.predict(Z, offset=offset)
    np.testing.assert_allclose(predictions.estimates, expit(Z @ found.coef + offset), rtol=1e-8)
    wanted = np.sqrt(np.einsum("ni,ij,nj->n", Z, found.covariance, Z))
    np.testing.assert_allclose(predictions.logit_standard_errors, wanted, rtol=1e-6)
    slopes = found.marginal_effects().estimates
    p = predictions.estimates
    np.testing.assert_allclose(slopes, (p * (1 - p)).mean() * found.coef, rtol=1e-8)
    with pytest.raises(ValueError, match="the fit had an offset"):
        found.predict(Z)


@pytest.mark.parametrize("reference", [0, 1])
def test_several_classes(reference: int) -> None:
    X, codes = three_classes(300, 3)
    result = fit(X, codes, C=np.inf, multi_class="multinomial")
    found = infer(result, X, codes, reference=reference)
    rows = X[:7]
    predictions = found.predict(rows)

    def of(parameters: Any) -> Any:
        return oracle.proba(oracle.with_ones(rows), parameters, reference=reference)

    p = of(found.coef)
    np.testing.assert_allclose(predictions.estimates, p, rtol=1e-7)
    errors = oracle.errors(of, found.coef, found.covariance)
    np.testing.assert_allclose(predictions.standard_errors, errors, rtol=1e-6)
    np.testing.assert_allclose(predictions.logit_standard_errors, errors / (p * (1 - p)), rtol=1e-6)
    assert predictions.conf_int().shape == (7, 3, 2)
    table = predictions.to_frame()
    assert table.loc[4, ["row", "class"]].tolist() == [1, 1]
    assert table["conf_low"].between(0.0, 1.0).all()
    assert repr(predictions) == "Predictions(7 rows, probability of 3 classes)"


def test_table_of_two_classes() -> None:
    X, y = numbers()
    predictions = inferred(X, y).predict(X[:2])
    assert list(predictions.to_frame().columns) == [
        "probability", "std_error", "conf_low", "conf_high",
    ]  # fmt: skip
    assert repr(predictions) == "Predictions(2 rows, probability of 1)"
    with pytest.raises(ValueError, match="method must be one of"):
        predictions.conf_int(method="exact")
