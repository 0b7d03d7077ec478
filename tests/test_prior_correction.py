"""Prior correction: exact where the model has a coefficient for each cell, and by simulation."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fastlogit import LogisticRegression, fit, infer, prior_correction

pytestmark = pytest.mark.jit

# Persons of a population by level (rows) and class: no cell is empty.
COUNTS = np.array([[400, 30, 20], [900, 25, 80], [300, 60, 10], [50, 12, 31]])
FRACTIONS = np.array([0.1, 1.0, 0.5])


def cells(n_classes: int) -> tuple[Any, Any, Any]:
    """Levels and labels of a sample by class, a row for each cell, and how many it has."""
    levels, codes = np.indices(COUNTS[:, :n_classes].shape)
    X = pd.DataFrame({"level": pd.Categorical([f"level {each}" for each in levels.ravel()])})
    sampled = COUNTS[:, :n_classes] * FRACTIONS[:n_classes]
    return X, np.array(["no", "once", "several"])[codes.ravel()], sampled.ravel()


def shares(n_classes: int) -> Any:
    """What is true of the population: the share of each class at each level."""
    own = COUNTS[:, :n_classes]
    return own / own.sum(axis=1, keepdims=True)


def one_of_each() -> Any:
    return pd.DataFrame({"level": [f"level {each}" for each in range(4)]})


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("known", ["prevalence", "sampling_fractions"])
def test_saturated_models_are_exact(n_classes: int, known: str) -> None:
    X, y, weight = cells(n_classes)
    result = fit(X, y, C=np.inf, multi_class="multinomial", sample_weight=weight, tol=1e-14)
    assert abs(result.predict_proba(one_of_each()) - shares(n_classes)).max() > 0.05
    labels = np.unique(y)
    values = {
        "prevalence": COUNTS[:, :n_classes].sum(axis=0) / COUNTS[:, :n_classes].sum(),
        "sampling_fractions": FRACTIONS[:n_classes],
    }[known]
    for given in (values, dict(zip(labels.tolist(), values.tolist(), strict=True))):
        corrected = prior_correction(result, y, sample_weight=weight, **{known: given})
        np.testing.assert_allclose(
            corrected.predict_proba(one_of_each()), shares(n_classes), rtol=1e-6
        )
    np.testing.assert_array_equal(corrected.coef, result.coef)
    assert "corrected for another prior" in corrected.message
    if n_classes > 2:
        assert np.sum(corrected.intercept) == pytest.approx(np.sum(result.intercept))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("class_weight", ["balanced", "dict"])
def test_class_weights_are_undone(n_classes: int, class_weight: Any) -> None:
    X, y, weight = cells(n_classes)
    if class_weight == "dict":
        class_weight = {"once": 7.0, "no": 0.5}
    model = LogisticRegression(C=np.inf, class_weight=class_weight, tol=1e-7).fit(X, y, weight)
    plain = LogisticRegression(C=np.inf, tol=1e-7).fit(X, y, weight)
    corrected = prior_correction(model, y, sample_weight=weight)
    wanted = plain.predict_proba(one_of_each())
    np.testing.assert_allclose(corrected.predict_proba(one_of_each()), wanted, rtol=1e-6)
    by_name = prior_correction(model.result_, y, sample_weight=weight, class_weight=class_weight)
    np.testing.assert_allclose(by_name.intercept, corrected.intercept)
    # Sampled by class and weighted by class: both are undone.
    for known in ({"sampling_fractions": FRACTIONS[:n_classes]}, {
        "prevalence": COUNTS[:, :n_classes].sum(axis=0) / COUNTS[:, :n_classes].sum()
    }):  # fmt: skip
        both = prior_correction(model, y, sample_weight=weight, **known)
        np.testing.assert_allclose(both.predict_proba(one_of_each()), shares(n_classes), rtol=1e-6)


def test_weights_by_hand_say_the_same_of_a_saturated_model() -> None:
    """Weighting rows by population over sample shares is the other way."""
    X, y, weight = cells(3)
    back = dict(zip(np.unique(y).tolist(), (1.0 / FRACTIONS).tolist(), strict=True))
    weighted = LogisticRegression(C=np.inf, class_weight=back, tol=1e-7).fit(X, y, weight)
    np.testing.assert_allclose(weighted.predict_proba(one_of_each()), shares(3), rtol=1e-6)


def test_king_and_zeng_s_formula() -> None:
    """Equation (7): less log((1 - tau) / tau * mean(y) / (1 - mean(y)))."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.repeat([0, 1], [40, 20])
    result = fit(X, y)
    tau, mean = 0.03, 1.0 / 3.0
    wanted = result.intercept - np.log((1 - tau) / tau * mean / (1 - mean))
    assert prior_correction(result, y, prevalence=tau).intercept == pytest.approx(wanted)
    same = prior_correction(result, y, prevalence=mean)
    assert same.intercept == pytest.approx(result.intercept)


def test_a_case_control_study_of_a_simulated_population() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(60_000, 2))
    coef, intercept = np.array([1.0, -0.5]), -5.0
    y = (rng.logistic(size=len(X)) < X @ coef + intercept).astype(int)
    cases = np.flatnonzero(y)
    rows = np.concatenate([cases, rng.choice(np.flatnonzero(y == 0), 2 * len(cases), False)])
    result = fit(X[rows], y[rows], C=np.inf)
    errors = infer(result, X[rows], y[rows]).standard_errors
    corrected = prior_correction(result, y[rows], prevalence=y.mean())
    assert abs(result.intercept - intercept) > 10.0 * errors[0]
    assert abs(corrected.intercept - intercept) < 3.0 * errors[0]
    assert (np.abs(corrected.coef - coef) < 3.0 * errors[1:]).all()
    mean = corrected.predict_proba(X)[:, 1].mean()
    assert mean == pytest.approx(y.mean(), rel=0.05)


X, Y = np.arange(12.0).reshape(-1, 2), np.array([0, 1, 0, 1, 1, 0])
WRONG = [
    ({}, "nothing to correct for"),
    ({"prevalence": 0.1}, "prevalence needs y"),
    ({"y": Y, "prevalence": 1.2}, "between 0 and 1"),
    ({"y": Y, "prevalence": [0.5, 0.1]}, "add up to 0.6, not to 1"),
    ({"y": Y, "prevalence": {0: 0.5, 2: 0.5}}, "each of the classes"),
    ({"y": Y, "prevalence": 0.1, "sampling_fractions": [1, 1]}, "not both"),
    ({"sampling_fractions": [0.0, 1.0]}, "above 0"),
    ({"sampling_fractions": 0.5}, "each of the classes"),
    ({"class_weight": "balanced"}, "needs y"),
    ({"class_weight": 3}, "class_weight must be a dict"),
    ({"class_weight": {1: 2.0, "one": 3.0, 7: 1.0}}, r"names \['one', 7\], no classes of the fit"),
    ({"y": Y, "prevalence": 0.1, "class_weight": {"1": 3.0}}, r"names \['1'\], no classes"),
    ({"y": np.zeros(6, int), "prevalence": 0.1}, "no row of"),
]


@pytest.mark.parametrize(("given", "says"), WRONG)
def test_what_is_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        prior_correction(fit(X, Y), **given)


def test_fits_that_have_no_correction() -> None:
    codes = np.array([0, 1, 2, 0, 1, 2])
    with pytest.raises(ValueError, match="against all others"):
        prior_correction(fit(X, codes), sampling_fractions=[1, 1, 0.5])
    with pytest.raises(ValueError, match="no intercept of its own"):
        prior_correction(fit(X, Y, intercept=None), sampling_fractions=[1, 0.5])
