"""`separation`: kinds, rows and directions against linear programmes formulated anew."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, sparse
from sklearn.datasets import load_iris

import fastlogit
from fastlogit import separation

pytestmark = pytest.mark.jit


PULSATILITY = (
    "13 16 8 34 20 5 17 10 26 17 8 7 20 10 18 16 18 8 29 12 20 38 22 7 25 15 7 28 11 19 "
    "10 10 18 14 21 11 17 25 16 19 15 33 24 48 12 19 2 22 40 5 0 21 15 29 15 12 3 20 23 "
    "12 22 42 15 13 14 19 12 13 10 12 49 6 5 17 11 21 5 19 33 "
)
HEIGHT = (
    "164 226 314 268 128 231 180 168 156 231 201 189 315 123 127 176 200 264 88 127 137 "
    "97 114 88 91 58 97 150 133 237 182 313 131 192 164 201 188 193 211 129 172 75 192 "
    "184 111 161 118 144 118 93 117 119 106 202 229 233 290 170 141 225 154 197 175 216 "
    "257 137 361 204 217 169 27 184 130 96 101 98 35 102 85 "
)


def separable_pairs(X: Any, codes: Any, n_classes: int) -> Any:
    """Which (row, other class) some direction separates: one programme for all, with slacks.

    Maximise sum(t), 0 <= t <= 1, t <= margin: every margin that can be above 0 reaches 1 by scaling
    of a direction that has no bounds.
    """
    Z = np.column_stack([np.ones(len(X)), X])
    pairs = [(i, k) for i in range(len(X)) for k in range(n_classes) if k != codes[i]]
    margins = np.zeros((len(pairs), n_classes, Z.shape[1]))
    for place, (i, k) in enumerate(pairs):
        margins[place, codes[i]] += Z[i]
        margins[place, k] -= Z[i]
    flat = margins[:, 1:].reshape(len(pairs), -1)
    n_pairs, size = flat.shape
    found = optimize.linprog(
        np.concatenate([np.zeros(size), -np.ones(n_pairs)]),
        A_ub=np.column_stack([-flat, np.eye(n_pairs)]), b_ub=np.zeros(n_pairs),
        bounds=[(None, None)] * size + [(0.0, 1.0)] * n_pairs, method="highs",
    )  # fmt: skip
    assert found.success
    separated = np.zeros((len(X), n_classes), bool)
    for (i, k), t in zip(pairs, found.x[size:], strict=True):
        separated[i, k] = t > 0.5
    return separated


def margins_of(report: Any, X: Any, codes: Any, n_classes: int) -> Any:
    """The margins along the direction of a report, in the units of X."""
    width = X.shape[1] + 1
    values = np.array([report.direction.get(name, 0.0) for name in report.names])
    raw = np.zeros((len(X), n_classes))
    raw[:, 1:] = np.column_stack([np.ones(len(X)), X]) @ values.reshape(-1, width).T
    return raw[np.arange(len(X)), codes][:, None] - raw


def check(X: Any, codes: Any, n_classes: int = 2, **options: Any) -> Any:
    X, codes = np.asarray(X, dtype=float), np.asarray(codes)
    report = separation(options.pop("carrier", X), codes, **options)
    right = separable_pairs(X, codes, n_classes)
    np.testing.assert_array_equal(report.separated, right.any(axis=1))
    n_pairs = right.sum()
    kind = "none" if n_pairs == 0 else "quasi-complete"
    kind = "complete" if n_pairs == len(X) * (n_classes - 1) else kind
    assert report.kind == kind
    assert (report.n_samples, report.n_separated) == (len(X), right.any(axis=1).sum())
    assert report.n_overlapped == len(X) - report.n_separated
    if n_pairs:
        margins = margins_of(report, X, codes, n_classes)
        scale = np.abs(margins).max()
        assert margins.min() > -1e-6 * scale
        np.testing.assert_array_equal((margins > 1e-9 * scale) & right, right)
        assert max(map(abs, report.direction.values())) == 1.0
    else:
        assert report.direction == {}
    for name, end in report.infinite.items():
        assert end == np.copysign(np.inf, report.direction[name])
    return report


@pytest.mark.parametrize("seed", range(12))
def test_small_data_of_whole_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, size=(12, 3)).astype(float)
    X = X[:, X.std(axis=0) > 0]
    check(X, (X[:, 0] + 2.0 * rng.integers(0, 2, 12) > 2.0).astype(int))


@pytest.mark.parametrize("seed", range(6))
def test_several_faces(seed: int) -> None:
    """Rows that one direction cannot separate are separated once others are taken out."""
    rng = np.random.default_rng(seed)
    n = 60
    X = np.zeros((n, 4))
    X[:10, 0] = 1.0
    X[:10, 1] = rng.normal(size=10)
    X[10:18, 1] = rng.uniform(1.0, 2.0, 8)
    X[:, 2] = rng.normal(size=n)
    X[18:, 3] = rng.normal(size=n - 18)
    codes = rng.integers(0, 2, n)
    codes[:18] = 1
    report = check(X, codes)
    assert report.n_separated >= 18


def test_quasi_complete_names_the_column() -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=(200, 2)), np.arange(200) < 7])
    y = (rng.random(200) < 0.5).astype(int)
    y[:7] = 0
    frame = pd.DataFrame(X, columns=["age", "dose", "rare"])
    report = check(X, y, carrier=frame)
    assert report.infinite == {"rare": -np.inf}
    assert report.direction == {"rare": -1.0}
    text = str(report)
    assert text.startswith("Quasi-complete separation: 7 of 200 rows are separated, 193 overlap")
    assert "rare         -1      -inf" in text
    assert repr(report) == "SeparationReport(quasi-complete, 7 of 200 rows)"
    for name in ("Join", "leave", "firth", "prior"):
        assert name in text


def endometrial() -> tuple[Any, Any]:
    """Heinze and Schemper (2002, Statistics in Medicine 21), as R's brglm2 0.9 ships them."""
    frame = pd.DataFrame({"NV": 0.0, "PI": np.array(PULSATILITY.split(), float)}, index=range(79))
    frame["EH"] = np.array(HEIGHT.split(), float) / 100.0
    frame.loc[[21, 22, 23, 24, 25, 47, 48, 49, 50, 70, 74, 75, 77], "NV"] = 1.0
    high = np.zeros(79, dtype=int)
    for first, last in [(17, 26), (43, 52), (69, 78)]:
        high[first : last + 1] = 1
    return frame, high


def test_endometrial_cancers() -> None:
    """NV alone is infinite, as R's detectseparation has it; the others are those of glm."""
    X, y = endometrial()
    report = check(X.to_numpy(), y, carrier=X)
    assert report.infinite == {"NV": np.inf}
    assert (report.n_separated, report.n_overlapped) == (13, 66)
    rest = ~report.separated
    overlapped = X[rest][["PI", "EH"]]
    found = fastlogit.infer(fastlogit.fit(overlapped, y[rest], C=np.inf), overlapped, y[rest])
    np.testing.assert_allclose(found.coef, [4.30452, -0.04218, -2.90261], atol=6e-6)


def test_overlap() -> None:
    X, y = load_iris(return_X_y=True)
    report = check(X, (y == 1).astype(int))
    assert report.kind == "none"
    assert not report.is_separable
    assert str(report) == "No separation: the classes overlap: the likelihood has a maximum"


def test_complete() -> None:
    X, y = load_iris(return_X_y=True)
    report = check(X, (y == 0).astype(int))
    assert report.kind == "complete"
    assert report.n_overlapped == 0


def test_softmax() -> None:
    X, y = load_iris(return_X_y=True)
    report = check(X, y, 3)
    assert report.kind == "quasi-complete"
    assert report.names[0] == "1:intercept"
    assert len(report.names) == 10
    other = separation(X, y, reference=2)
    assert other.names[0] == "0:intercept"
    np.testing.assert_array_equal(other.separated, report.separated)


@pytest.mark.parametrize("seed", range(4))
def test_softmax_of_whole_numbers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 3, size=(15, 2)).astype(float)
    codes = np.concatenate([[0, 1, 2], rng.integers(0, 3, 12)])
    check(X, codes, 3)


def test_sparse_and_float32_and_columns_of_levels() -> None:
    rng = np.random.default_rng(3)
    level = rng.integers(0, 5, 300)
    y = (rng.random(300) < 0.5).astype(int)
    y[level == 3] = 1
    X = (level[:, None] == np.arange(1, 5)).astype(float)
    report = check(X, y)
    assert report.infinite == {"x2": np.inf}
    for carrier in (
        sparse.csr_array(X),
        sparse.csc_array(X),
        X.astype(np.float32),
        np.asfortranarray(X),
    ):
        assert separation(carrier, y).infinite == {"x2": np.inf}
    frame = pd.DataFrame({"level": pd.Categorical.from_codes(level, list("abcde"))})
    assert separation(frame, y).infinite == {"level[d]": np.inf}
    # All levels beside an intercept: one is a combination of the others.
    full = separation(frame, y, categories="full")
    assert full.not_identified == ["level[e]"]
    assert full.n_separated == report.n_separated
    assert "combinations of other columns: level[e]" in str(full)


def test_weights_of_zero_are_rows_left_out() -> None:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 2))
    y = (X[:, 0] > 0).astype(int)
    y[0] = 1 - y[0]
    weight = np.ones(50)
    weight[0] = 0.0
    assert separation(X, y, sample_weight=weight).kind == "complete"
    report = separation(X, y, sample_weight=weight)
    assert (report.n_samples, report.n_separated, report.separated[0]) == (49, 49, False)
    assert separation(X, y, sample_weight=2.5 * weight).kind == "complete"


def test_without_an_intercept() -> None:
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 1])
    assert separation(X, y).kind == "complete"
    assert separation(X, y, fit_intercept=False).kind == "none"
    assert separation(X - 1.5, y, fit_intercept=False).infinite == {"x0": np.inf}


def test_many_rows_of_which_five_separate() -> None:
    rng = np.random.default_rng(2)
    X = rng.normal(size=(20_000, 5))
    X[:, 4] = np.arange(20_000) < 5
    y = rng.random(20_000) < 0.3
    y[:5] = True
    report = separation(X, y)
    assert report.infinite == {"x4": np.inf}
    assert report.n_separated == 5
    y[0] = False
    assert separation(X, y).kind == "none"


def test_a_programme_that_is_too_large_is_undecided(monkeypatch: Any) -> None:
    from fastlogit.certificates import recession

    monkeypatch.setattr(recession, "MOST_NUMBERS", 500)
    rng = np.random.default_rng(0)
    report = separation(rng.normal(size=(500, 5)), rng.integers(0, 2, 500))
    assert report.kind == "undecided"
    assert not report.is_separable
    assert "too large" in str(report)


def test_refusals() -> None:
    X, y = np.array([[1.0], [2.0], [3.0]]), np.array([0, 1, 1])
    with pytest.raises(TypeError, match="not batches"):
        separation(fastlogit.BatchSource(lambda: iter([(X, y)])), y)
    with pytest.raises(ValueError, match="reference is for more than two classes"):
        separation(X, y, reference=1)
    with pytest.raises(ValueError, match=r"reference must be one of the classes \[0, 1, 2\]"):
        separation(X, [0, 1, 2], reference="a")
    with pytest.raises(TypeError, match="fit_intercept must be True or False"):
        separation(X, y, fit_intercept="yes")
    with pytest.raises(ValueError, match="NaN"):
        separation(np.array([[np.nan], [1.0], [2.0]]), y)


def test_inference_refuses_in_the_same_words() -> None:
    X, y = np.array([[0, 2.0], [0, 1.0], [0, 3.0], [1, 2.5], [1, 0.5]]), [0, 1, 0, 1, 1]
    report = separation(X, y)
    with pytest.warns(fastlogit.SeparationWarning):
        result = fastlogit.fit(X, y, C=np.inf)
    with pytest.raises(ValueError, match="completely separable") as refused:
        fastlogit.infer(result, X, y)
    assert report.sentence in str(refused.value)
    assert "Join such levels with others" in str(refused.value)


@pytest.mark.parametrize("asked", ["logit", "probit", "cloglog", "softmax", "fractional"])
def test_advice_takes_what_the_model_can_have(asked: str) -> None:
    """Whatever the message says to do with such a model is not refused."""
    X, y = np.arange(12.0)[:, None], np.repeat([0, 1], 6)
    options: dict[str, Any] = {"C": np.inf}
    if asked == "softmax":
        y, options["multi_class"] = np.repeat([0, 1, 2], 4), "multinomial"
    elif asked == "fractional":
        y, options["fractional"] = y.astype(float), True
    elif asked != "logit":
        options["link"] = asked
    with pytest.warns(fastlogit.SeparationWarning):
        result = fastlogit.fit(X, y, **options)
    with pytest.raises(ValueError, match="separable") as refused:
        fastlogit.infer(result, X, y)
    said = str(refused.value)
    assert ("fit with penalty='firth'" in said) == (asked == "logit")
    assert ("posterior" in said) == (asked == "logit")
    assert ("profile_intervals" in said) == (asked in ("logit", "softmax"))
    assert ("fastlogit.bootstrap" in said) == (asked in ("logit", "softmax"))
    assert ("two of the classes at a time" in said) == (asked == "softmax")
    assert fastlogit.fit(X, y, **{**options, "C": 1.0}).converged
    if asked == "softmax":
        assert "two of the classes at a time" in str(separation(X, y))
