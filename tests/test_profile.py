"""Profile-likelihood intervals, beside root finding by SciPy over fits in plain NumPy."""

from typing import Any

import inference_oracle as oracle
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from test_inference import TWELVE, TWELVE_Y, rows, spector, unpenalised

from fastlogit import infer

pytestmark = pytest.mark.jit


def ones_first(X: Any) -> Any:
    return np.column_stack([np.ones(len(X)), X])


def intervals_by_search(Z: Any, codes: Any, found: Any, **options: Any) -> Any:
    """The intervals of all coefficients by `oracle.profile_end`."""
    return np.array([
        [
            oracle.profile_end(
                Z, np.asarray(codes), place, found.coef,
                side * found.covariance[place] / found.standard_errors[place], **options,
            )
            for side in (-1.0, 1.0)
        ]
        for place in range(len(found.coef))
    ])  # fmt: skip


def test_twelve_rows() -> None:
    found = infer(unpenalised(TWELVE, TWELVE_Y), TWELVE, TWELVE_Y)
    intervals = found.conf_int(method="profile")
    np.testing.assert_allclose(intervals[1], [0.0160756125, 5.7036760], rtol=0, atol=4e-8)
    np.testing.assert_allclose(intervals[2], [-1.3120447184, 5.8827980], rtol=0, atol=4e-8)
    assert intervals[1, 0] == pytest.approx(0.0160756125, abs=6e-11)
    assert intervals[2, 0] == pytest.approx(-1.3120447184, abs=6e-11)
    wanted = intervals_by_search(ones_first(TWELVE), TWELVE_Y, found)
    np.testing.assert_allclose(intervals, wanted, rtol=1e-9)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.999])
def test_any_level(level: float) -> None:
    X, y = spector()
    found = infer(unpenalised(X, y), X, y)
    wanted = intervals_by_search(ones_first(X), y, found, level=level)
    np.testing.assert_allclose(found.conf_int(level, "profile"), wanted, rtol=1e-8)
    np.testing.assert_array_equal(
        found.odds_ratio_intervals(level, "profile"), np.exp(found.conf_int(level, "profile"))
    )


def test_a_value_at_an_end_has_p_of_one_minus_the_level() -> None:
    X, y = rows(300, 4)
    found = infer(unpenalised(X, y), X, y)
    for place, ends in enumerate(found.conf_int(0.9, "profile")):
        for end in ends:
            test = found.likelihood_ratio_test(([np.eye(5)[place]], [end]))
            assert test.p_value == pytest.approx(0.1, abs=1e-10)


def test_chosen_coefficients() -> None:
    X, y = spector()
    found = infer(unpenalised(X, y), X, y)
    whole = found.conf_int(0.9, "profile")
    some = found.conf_int(0.9, "profile", ["PSI", 1])
    np.testing.assert_allclose(some, whole[[3, 1]], rtol=1e-12)
    np.testing.assert_array_equal(found.conf_int(coefficients="GPA"), found.conf_int()[1:2])
    frame = pd.DataFrame({"x": X["GPA"], "c": pd.Categorical(list("abca" * 8))})
    found = infer(unpenalised(frame, y), frame, y)
    assert found.conf_int(method="profile", coefficients="c").shape == (2, 2)


def test_weights_and_offset(rng: Any) -> None:
    X, y = rows(150, 3)
    weight = rng.integers(0, 4, 150).astype(float)
    offset = np.linspace(-1.0, 1.0, 150)
    fitted = unpenalised(X, y, sample_weight=weight, offset=offset)
    found = infer(fitted, X, y, sample_weight=weight, offset=offset, weights="frequency")
    wanted = intervals_by_search(ones_first(X), y, found, weight=weight, offset=offset)
    np.testing.assert_allclose(found.conf_int(method="profile"), wanted, rtol=1e-8)
    long = np.repeat(np.arange(150), weight.astype(int))
    fitted = unpenalised(X[long], y[long], offset=offset[long])
    other = infer(fitted, X[long], y[long], offset=offset[long])
    np.testing.assert_allclose(
        found.conf_int(method="profile"), other.conf_int(method="profile"), rtol=1e-9
    )


def test_without_an_intercept() -> None:
    X, y = rows(120, 3)
    found = infer(unpenalised(X, y, intercept=None), X, y)
    wanted = intervals_by_search(X, y, found)
    np.testing.assert_allclose(found.conf_int(method="profile"), wanted, rtol=1e-8)


def test_columns_far_from_0_and_of_unlike_scales() -> None:
    X, y = rows(120, 3)
    found = infer(unpenalised(X, y), X, y)
    plain = found.conf_int(method="profile")[1:]
    scale = np.array([1e-5, 1.0, 1e4])
    moved = X * scale + [3.0, -50.0, 1e7]
    other = infer(unpenalised(moved, y), moved, y).conf_int(method="profile")[1:]
    np.testing.assert_allclose(other * scale[:, None], plain, rtol=1e-6)


def test_of_several_classes(rng: Any) -> None:
    X = rng.standard_normal((90, 2))
    y = rng.integers(0, 3, 90)
    X[:, 0] += 0.8 * (y == 1)
    fitted = unpenalised(X, y, multi_class="multinomial")
    found = infer(fitted, X, y)
    wanted = intervals_by_search(ones_first(X), y, found)
    np.testing.assert_allclose(found.conf_int(method="profile"), wanted, rtol=1e-8)
    last = infer(fitted, X, y, reference=2).conf_int(method="profile")
    np.testing.assert_allclose(last[1], -found.conf_int(method="profile")[4, ::-1], rtol=1e-8)


@pytest.mark.parametrize("kind", ["float32", "fortran", "csr", "csc", "categories"])
def test_any_design(kind: str) -> None:
    X, y = rows(200, 4)
    X = np.where(np.abs(X) > 0.7, X, 0.0).astype(np.float32).astype(np.float64)
    plain = infer(unpenalised(X, y), X, y).conf_int(method="profile")
    if kind == "categories":
        codes = np.arange(200) % 3
        given: Any = pd.DataFrame(X).assign(c=pd.Categorical(codes))
        given.columns = given.columns.astype(str)
        wide = np.column_stack([X, codes == 1, codes == 2]).astype(float)
        plain = infer(unpenalised(wide, y), wide, y).conf_int(method="profile")
    else:
        given = {
            "float32": X.astype(np.float32), "fortran": np.asfortranarray(X),
            "csr": sparse.csr_matrix(X), "csc": sparse.csc_matrix(X),
        }[kind]  # fmt: skip
    found = infer(unpenalised(given, y), given, y).conf_int(method="profile")
    np.testing.assert_allclose(found, plain, rtol=1e-7)


def test_a_nearly_separated_study_has_long_intervals() -> None:
    """Wald's interval is silent of it: 1 of 20 against 19 of 20, and rows far out."""
    x = np.repeat([0.0, 1.0], 20)
    y = np.array([1] + [0] * 19 + [0] + [1] * 19)
    X = x[:, None] * 1.0
    found = infer(unpenalised(X, y), X, y)
    for level in (0.95, 1.0 - 1e-9):
        wanted = intervals_by_search(ones_first(X), y, found, level=level)
        np.testing.assert_allclose(found.conf_int(level, "profile"), wanted, rtol=1e-8)


def test_beside_r() -> None:
    """R 4.2's confint.glm has splines through the profile: it is right to 1e-3 or so.

    MASS:::profile.glm on the rows of Spector and Mazzeo, level 0.95.
    """
    X, y = spector()
    found = infer(unpenalised(X, y), X, y).conf_int(method="profile")
    published = [
        [-25.16816477, -4.90235319], [0.63936653, 5.75725316], [-0.17020542, 0.40504433],
        [0.47860902, 4.81026035],
    ]  # fmt: skip
    np.testing.assert_allclose(found, published, rtol=2e-3)


def test_in_tables() -> None:
    X, y = spector()
    found = infer(unpenalised(X, y), X, y)
    ends = found.conf_int(method="profile")
    text = str(found.summary(intervals="profile"))
    assert "profile likelihood" in text
    assert f"{ends[1, 0]:.4f}" in text
    frame: Any = found.to_frame(intervals="profile")
    np.testing.assert_array_equal(frame["conf_high"], ends[:, 1])
    np.testing.assert_array_equal(frame["odds_low"], np.exp(ends[:, 0]))
    assert "profile" not in str(found.summary())


def test_what_is_refused() -> None:
    X, y = spector()
    weight = np.where(np.arange(32) % 2, 1.5, 0.5)
    fitted = unpenalised(X, y, sample_weight=weight)
    found = infer(fitted, X, y, sample_weight=weight, weights="probability", cov_type="HC1")
    with pytest.raises(ValueError, match=r"no likelihood.*profile.*method='wald'"):
        found.conf_int(method="profile")
    found = infer(unpenalised(X, y), X, y)
    with pytest.raises(ValueError, match=r"'HC1'.*not trusted.*with_covariance"):
        found.with_covariance("HC1").conf_int(method="profile")
    with pytest.raises(ValueError, match="method"):
        found.conf_int(method="score")
    with pytest.raises(ValueError, match="intervals"):
        found.summary(intervals="score")
    with pytest.raises(ValueError, match=r"no coefficient 'gpa'.*intercept, GPA"):
        found.conf_int(coefficients="gpa")
    with pytest.raises(ValueError, match="no coefficient 4"):
        found.conf_int(coefficients=[0, 4])
    with pytest.raises(TypeError, match=r"names or places, got 1\.5"):
        found.conf_int(coefficients=[1.5])
    with pytest.raises(TypeError, match="name, a place or a sequence"):
        found.conf_int(coefficients=1.5)


def test_coverage_is_that_of_the_likelihood_ratio(rng: Any) -> None:
    """Ends hold 0 where, and only where, the likelihood-ratio test does not reject it."""
    for _ in range(10):
        X = rng.standard_normal((40, 2))
        y = (X[:, 0] + rng.logistic(size=40) > 0.0).astype(int)
        found = infer(unpenalised(X, y), X, y)
        for name, (low, high) in zip(found.names, found.conf_int(method="profile"), strict=True):
            p = found.likelihood_ratio_test(f"{name} = 0").p_value
            assert (low < 0.0 < high) == (p > 0.05)
            assert p == pytest.approx(stats.chi2.sf(stats.chi2.isf(p, 1), 1))
