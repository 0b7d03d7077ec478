"""An inference as a model of the package marginaleffects: its figures are ours."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from problems import three_classes
from test_margins import frame, inferred, numbers

from fastlogit import LogisticRegression, fit, infer

# Slow is what the developers' tools are installed for: the package brings jax.
pytestmark = [pytest.mark.jit, pytest.mark.slow]

package = pytest.importorskip("marginaleffects")


def columns(table: Any, *names: str) -> Any:
    return [table[name].to_numpy() for name in names]


def test_average_slopes_and_comparisons() -> None:
    X, y = frame()
    model = LogisticRegression(C=np.inf, interactions=[("cabin", "sex")]).fit(X, y)
    found = model.inference(X, y, cov_type="HC1")
    own = found.marginal_effects()
    adapter = found.to_marginaleffects(X)
    theirs = package.avg_slopes(adapter)
    assert len(theirs) == len(own)
    for term, contrast, estimate, error in zip(
        *columns(theirs, "term", "contrast", "estimate", "std_error"), strict=True
    ):
        # The first level of a column of text is the first by the alphabet.
        high, _, low = str(contrast).partition(" - ")
        name = f"{term}[{contrast}]" if low else term
        sign = 1.0 if name in own.names else -1.0
        place = own.names.index(name if sign > 0.0 else f"{term}[{low} - {high}]")
        assert estimate == pytest.approx(sign * own.estimates[place], rel=1e-4)
        assert error == pytest.approx(own.standard_errors[place], rel=1e-3)
    other = package.avg_slopes(adapter, variables="age", vcov="HC3")
    by_name = found.with_covariance("HC3").marginal_effects("age")
    np.testing.assert_allclose(other["std_error"].to_numpy(), by_name.standard_errors, rtol=1e-3)
    ratio = package.avg_comparisons(adapter, comparison="ratio")
    ratio = ratio.filter(ratio["term"] == "sex")
    by_female = str(ratio["contrast"][0]).endswith("female")
    order = ["female", "male"] if by_female else ["male", "female"]
    same = found.comparisons("sex", order, measure="ratio")
    np.testing.assert_allclose(ratio["estimate"].to_numpy(), same.estimates, rtol=1e-8)
    np.testing.assert_allclose(ratio["std_error"].to_numpy(), same.standard_errors, rtol=1e-4)
    rows = package.predictions(adapter, newdata=X.head(5))
    wanted = found.predict(X.head(5))
    np.testing.assert_allclose(rows["estimate"].to_numpy(), wanted.estimates, rtol=1e-8)
    np.testing.assert_allclose(rows["std_error"].to_numpy(), wanted.standard_errors, rtol=1e-4)
    whole = package.avg_predictions(adapter)
    mean = found.average_predictions()
    np.testing.assert_allclose(whole["estimate"].to_numpy(), mean.estimates, rtol=1e-8)
    np.testing.assert_allclose(whole["std_error"].to_numpy(), mean.standard_errors, rtol=1e-4)


def test_several_classes() -> None:
    X, codes = three_classes(200, 2)
    X = pd.DataFrame(X, columns=["a", "b"])
    found = infer(fit(X, codes, C=np.inf, multi_class="multinomial"), X, codes)
    theirs = package.avg_slopes(found.to_marginaleffects(X)).sort("term", "group")
    own = found.marginal_effects()
    estimates, errors = columns(theirs, "estimate", "std_error")
    np.testing.assert_allclose(estimates, own.estimates, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(errors, own.standard_errors, rtol=1e-3)


def test_what_is_refused() -> None:
    X, y = numbers()
    found = inferred(X, y)
    with pytest.raises(TypeError, match="data frame, got ndarray"):
        found.to_marginaleffects(X)
    frame_of = pd.DataFrame(X, columns=["x0", "x1", "x2", "x3"])
    with pytest.raises(ValueError, match="X has 3 rows"):
        found.to_marginaleffects(frame_of.head(3))
    with pytest.raises(ValueError, match="no column 'x3'"):
        found.to_marginaleffects(frame_of.drop(columns="x3"))
    with pytest.raises(ValueError, match="an offset"):
        inferred(X, y, offset=np.ones(len(y))).to_marginaleffects(frame_of)
