"""Profile intervals of separable classes: one-sided by root finding, infinite by proof."""

import warnings
from typing import Any

import inference_oracle as oracle
import numpy as np
import pytest
from scipy import sparse, stats
from test_inference import TWELVE, TWELVE_Y, rows, unpenalised

from fastlogit import LogisticRegression, fit, infer, profile_intervals

pytestmark = pytest.mark.jit


def separated_fit(X: Any, y: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return unpenalised(X, y, **options)


def two_groups() -> tuple[Any, Any]:
    """Three of five, and five of five."""
    return np.repeat([[0.0], [1.0]], 5, axis=0), np.array([0, 1, 0, 1, 1, 1, 1, 1, 1, 1])


def quasi(seed: int, n: int = 60) -> tuple[Any, Any]:
    """Two columns that overlap, and an indicator of rows that are all of the second class."""
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.standard_normal((n, 2)), rng.random(n) < 0.15])
    y = (X[:, 0] + rng.logistic(size=n) > 0.0).astype(int)
    y[X[:, 2] == 1.0] = 1
    return X, y


def test_two_groups_by_hand() -> None:
    """The profile of the difference d is that of a and a + d, five of five at the latter.

    The likelihood of the first group is that of a share, and the sum is least over a.
    """
    X, y = two_groups()
    found = profile_intervals(separated_fit(X, y), X, y)
    assert found.names == ["intercept", "x0"]
    assert found.coef[1] == np.inf
    assert found.coef[0] == pytest.approx(np.log(3.0 / 2.0), rel=1e-9)
    low, high = found.intervals[1]
    assert high == np.inf
    least = -(3 * np.log(0.6) + 2 * np.log(0.4))
    assert found.log_likelihood == pytest.approx(-least, rel=1e-12)
    Z = np.column_stack([np.ones(10), X])
    start, tangent = np.array([0.4, 20.0]), np.array([0.1, -10.0])
    wanted = oracle.profile_end(Z, y, 1, start, tangent, least=least)
    assert low == pytest.approx(wanted, abs=1e-8)
    # The intercept's interval is that of the first group alone.
    alone = infer(unpenalised(np.ones((5, 1)), y[:5], intercept=None), np.ones((5, 1)), y[:5])
    np.testing.assert_allclose(found.intervals[0], alone.conf_int(method="profile")[0], rtol=1e-9)
    assert "x0: the classes are separable" in str(found)
    assert "inf" in str(found)


@pytest.mark.parametrize("seed", range(4))
def test_one_indicator_that_separates(seed: int) -> None:
    X, y = quasi(seed)
    found = profile_intervals(separated_fit(X, y), X, y)
    Z = np.column_stack([np.ones(len(X)), X])
    rest = X[:, 2] == 0.0
    alone = infer(unpenalised(X[rest, :2], y[rest]), X[rest, :2], y[rest])
    np.testing.assert_allclose(found.coef[:3], alone.coef, rtol=1e-8)
    np.testing.assert_allclose(found.intervals[:3], alone.conf_int(method="profile"), rtol=1e-8)
    assert found.log_likelihood == pytest.approx(alone.log_likelihood, rel=1e-12)
    assert found.coef[3] == np.inf
    assert found.intervals[3, 1] == np.inf
    start = np.append(alone.coef, 25.0)
    tangent = np.array([0.0, 0.0, 0.0, -12.0])
    wanted = oracle.profile_end(Z, y, 3, start, tangent, least=-alone.log_likelihood)
    assert found.intervals[3, 0] == pytest.approx(wanted, abs=1e-7)


def test_the_other_side() -> None:
    X, y = quasi(0)
    found = profile_intervals(separated_fit(X, y), X, y)
    turned = profile_intervals(separated_fit(-X, y), -X, y)
    np.testing.assert_allclose(turned.intervals[1:], -found.intervals[1:, ::-1], rtol=1e-8)
    assert turned.coef[3] == -np.inf
    other = profile_intervals(separated_fit(X, 1 - y), X, 1 - y)
    np.testing.assert_allclose(other.intervals, -found.intervals[:, ::-1], rtol=1e-8)


def test_complete_separation() -> None:
    """One column: the likelihood goes to 1, and a slope of 0 is no value that it allows."""
    X = np.arange(1.0, 9.0)[:, None]
    y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    found = profile_intervals(separated_fit(X, y), X, y)
    assert found.log_likelihood == 0.0
    assert found.coef[1] == np.inf
    Z = np.column_stack([np.ones(8), X - 4.5])
    wanted = oracle.profile_end(Z, y, 1, np.array([0.0, 60.0]), np.array([0.0, -59.9]), least=0.0)
    assert found.intervals[1, 0] == pytest.approx(wanted, rel=1e-8)
    assert found.intervals[1, 0] > 0.0
    # The level at x = 0 falls for ever: its interval has an upper end alone.
    assert found.coef[0] == -np.inf
    assert found.intervals[0, 0] == -np.inf
    assert np.isfinite(found.intervals[0, 1])


def test_what_the_rows_do_not_tell_is_said() -> None:
    """Two columns that each separate: either may take what the other leaves."""
    X = np.column_stack([[1.0, 2, 3, 4, 5, 6], [1.0, 2.5, 2.9, 4.4, 5, 6.1]])
    y = np.array([0, 0, 0, 1, 1, 1])
    found = profile_intervals(separated_fit(X, y), X, y)
    assert np.isnan(found.coef[1:]).all()
    assert np.isneginf(found.intervals[1:, 0]).all()
    assert np.isposinf(found.intervals[1:, 1]).all()
    assert sum("the rows do not tell it" in note for note in found.notes) >= 2


def test_an_end_whose_nuisance_goes_to_infinity() -> None:
    """Two indicators that separate: the profile of one is at its best as the other is infinite."""
    X, y = quasi(1, 80)
    second = np.arange(80) % 9 == 0
    X = np.column_stack([X, second & (X[:, 2] == 0.0)])
    y[X[:, 3] == 1.0] = 0
    found = profile_intervals(separated_fit(X, y), X, y)
    rest = X[:, 3] == 0.0
    part = profile_intervals(separated_fit(X[rest, :3], y[rest]), X[rest, :3], y[rest])
    np.testing.assert_allclose(found.intervals[:4], part.intervals, rtol=1e-7)
    assert found.coef[4] == -np.inf
    assert found.intervals[4, 0] == -np.inf


def test_weights_offset_and_designs() -> None:
    X, y = quasi(2)
    weight = (np.arange(60) % 4).astype(float)
    offset = np.linspace(-0.5, 0.5, 60)
    fitted = separated_fit(X, y, sample_weight=weight, offset=offset)
    given = {"sample_weight": weight, "offset": offset, "weights": "frequency"}
    found = profile_intervals(fitted, X, y, **given)
    long = np.repeat(np.arange(60), weight.astype(int))
    other = profile_intervals(
        separated_fit(X[long], y[long], offset=offset[long]), X[long], y[long],
        offset=offset[long],
    )  # fmt: skip
    np.testing.assert_allclose(found.intervals, other.intervals, rtol=1e-8)
    for each in (sparse.csr_matrix(X), np.asfortranarray(X)):
        again = profile_intervals(fitted, each, y, **given)
        np.testing.assert_allclose(again.intervals, found.intervals, rtol=1e-8)
    chosen = profile_intervals(fitted, X, y, coefficients="x2", level=0.9, **given)
    assert chosen.names == ["x2"]
    assert chosen.intervals[0, 0] > found.intervals[3, 0]


def test_more_rows_than_a_programme_takes_at_once() -> None:
    rng = np.random.default_rng(5)
    X = np.column_stack([rng.standard_normal((5000, 3)), rng.random(5000) < 0.002])
    y = (X[:, 0] + rng.logistic(size=5000) > 0.0).astype(int)
    y[X[:, 3] == 1.0] = 0
    found = profile_intervals(separated_fit(X, y), X, y)
    rest = X[:, 3] == 0.0
    alone = infer(unpenalised(X[rest, :3], y[rest]), X[rest, :3], y[rest])
    np.testing.assert_allclose(found.intervals[:4], alone.conf_int(method="profile"), rtol=1e-7)
    assert found.coef[4] == found.intervals[4, 0] == -np.inf


def test_of_several_classes() -> None:
    """A level that has no row of the third class."""
    rng = np.random.default_rng(3)
    x, d = rng.standard_normal(90), rng.random(90) < 0.3
    y = rng.integers(0, 3, 90)
    y[d & (y == 2)] = 1
    X = np.column_stack([x, d])
    fitted = separated_fit(X, y, multi_class="multinomial")
    found = profile_intervals(fitted, X, y)
    assert found.names[5] == "2:x1"
    assert found.coef[5] == -np.inf
    assert found.intervals[5, 0] == -np.inf
    assert np.isfinite(found.intervals[[0, 1, 2, 3, 4]]).all()
    Z = np.column_stack([np.ones(90), X])
    start = np.where(np.isfinite(found.coef), found.coef, -30.0)
    least = oracle.restricted_loss(Z, y, 5, start, np.ones(90), 0.0)
    assert found.log_likelihood == pytest.approx(-least, rel=1e-10)
    tangent = np.zeros(6)
    tangent[5] = 15.0
    wanted = oracle.profile_end(Z, y, 5, start, tangent, least=least)
    assert found.intervals[5, 1] == pytest.approx(wanted, abs=1e-7)
    tangent = np.zeros(6)
    tangent[1] = 1.0
    wanted = oracle.profile_end(Z, y, 1, start, tangent, least=least)
    assert found.intervals[1, 1] == pytest.approx(wanted, abs=1e-7)


def test_of_other_fits_it_is_that_of_an_inference() -> None:
    model = LogisticRegression(C=np.inf).fit(TWELVE, TWELVE_Y)
    found = profile_intervals(model, TWELVE, TWELVE_Y)
    inference = infer(model, TWELVE, TWELVE_Y)
    np.testing.assert_allclose(found.intervals, inference.conf_int(method="profile"), rtol=1e-12)
    np.testing.assert_array_equal(found.coef, inference.coef)
    assert found.log_likelihood == pytest.approx(inference.log_likelihood, rel=1e-14)
    assert not found.notes
    frame: Any = found.to_frame()
    np.testing.assert_array_equal(frame["odds_high"], found.odds_ratio_intervals[:, 1])


def test_what_is_refused() -> None:
    X, y = rows(60, 2)
    with pytest.raises(ValueError, match="the fit has a penalty"):
        profile_intervals(fit(X, y, C=1.0), X, y)
    with pytest.raises(ValueError, match=r"bias_reduction='mean': infer\(\.\.\.\)\.conf_int"):
        profile_intervals(fit(X, y, penalty="firth"), X, y)
    weight = np.linspace(0.5, 1.5, 60)
    fitted = unpenalised(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="no likelihood"):
        profile_intervals(fitted, X, y, sample_weight=weight, weights="probability")
    X, y = two_groups()
    with pytest.raises(ValueError, match=r"separable.*fastlogit\.profile_intervals"):
        infer(separated_fit(X, y), X, y)
    with pytest.raises(ValueError, match="level must be between"):
        profile_intervals(separated_fit(X, y), X, y, level=95)


def test_an_end_has_the_likelihood_of_its_level() -> None:
    X, y = quasi(3)
    found = profile_intervals(separated_fit(X, y), X, y, level=0.99, coefficients="x2")
    value = found.intervals[0, 0]
    held = infer(
        unpenalised(X[:, :2], y, offset=value * X[:, 2]), X[:, :2], y, offset=value * X[:, 2]
    )
    fall = 2.0 * (found.log_likelihood - held.log_likelihood)
    assert fall == pytest.approx(stats.chi2.ppf(0.99, 1), abs=1e-9)


@pytest.mark.parametrize("seed", [0, 5])
def test_ordered_classes_that_one_column_separates(seed: int) -> None:
    """Against a neighbour the third class is out of the question: two classes are left."""
    X = np.random.default_rng(seed).normal(size=(30, 2))
    codes = np.digitize(X[:, 0], [-0.5, 0.5])
    found = profile_intervals(separated_fit(X, codes, multi_class="multinomial"), X, codes)
    two = codes < 2
    alone = profile_intervals(separated_fit(X[two], codes[two]), X[two], codes[two])
    np.testing.assert_allclose(found.intervals[:3], alone.intervals, rtol=1e-6)


def test_an_end_that_newtons_method_oversteps() -> None:
    """From where all rows are predicted surely no way leads back: the search goes half as far."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = np.digitize(X[:, 0], [-0.5]) == 1
    found = profile_intervals(separated_fit(X, y), X, y, coefficients=0)
    held = np.full(30, found.intervals[0, 0])
    under = infer(unpenalised(X, y, intercept=None, offset=held), X, y, offset=held)
    fall = 2.0 * (found.log_likelihood - under.log_likelihood)
    assert fall == pytest.approx(stats.chi2.ppf(0.95, 1), abs=1e-8)
