"""`fit_groups` against a plain loop over `fit`, and what each group's status says."""

import importlib
import os
import signal
import sys
import threading
import time
import warnings
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from mlxtend.data import autompg_data
from problems import TWO_THREADS, problem
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer

import fastlogit
from fastlogit import BatchSource, GroupFits, GroupStatus, fit_groups, reference
from fastlogit.clock import Clock
from fastlogit.fitting import groups as fitting
from fastlogit.fitting import small
from fastlogit.fitting.chunks import Crew
from fastlogit.inputs.groups import encode_groups

# Dozens of fits: too slow without compiled code.
pytestmark = pytest.mark.jit

N_GROUPS, N_FEATURES = 12, 3
# Both are within 1e-12 of the optimum: the root of that in standard deviations of the estimate.
NEAR = 1e-5


def make_groups(seed: int = 0) -> tuple[Any, Any, Any]:
    """Groups of 30 to 90 rows that overlap, side by side."""
    rng = np.random.default_rng([seed, 11])
    sizes = rng.integers(30, 90, N_GROUPS)
    codes = np.repeat(np.arange(N_GROUPS), sizes)
    X = rng.standard_normal((len(codes), N_FEATURES)) * [1.0, 5.0, 0.1] + [0.0, 20.0, 1.0]
    z = (X - [0.0, 20.0, 1.0]) @ [0.5, 0.1, -5.0] + rng.standard_normal(N_GROUPS)[codes]
    return X, (z + rng.logistic(size=len(codes)) > 0.0).astype(int), codes


X, Y, CODES = make_groups()
RNG = np.random.default_rng(5)
WEIGHT = RNG.integers(0, 4, len(Y)).astype(float)
OFFSET = RNG.standard_normal(len(Y))
SHUFFLED = RNG.permutation(len(Y))


def assert_same_model(found: Any, wanted: Any, scale: Any = 1.0) -> None:
    np.testing.assert_allclose(found.coef * scale, wanted.coef * scale, rtol=NEAR, atol=NEAR)
    assert found.intercept == pytest.approx(wanted.intercept, rel=NEAR, abs=NEAR)


def information(X: Any, coef: Any, intercept: float, weight: Any) -> Any:
    """The Hessian of the log-likelihood by the oracle, intercept last."""
    return reference.hessian(X, coef, intercept, 0.0, weight) * np.sum(weight)


OPTIONS: dict[str, dict[str, Any]] = {
    "no penalty": {},
    "C": {"C": 0.5},
    "l2_reg of each column": {"l2_reg": [0.1, 0.0, 0.3]},
    "weights and offset": {"C": 2.0, "sample_weight": WEIGHT, "offset": OFFSET},
    "penalty_factor": {"C": 0.1, "penalty_factor": [0.0, 1.0, 4.0]},
    "held intercept": {"C": 1.0, "intercept": 0.25, "sample_weight": WEIGHT},
    "no intercept": {"l2_reg": 0.01, "intercept": None, "offset": OFFSET},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_group_is_what_fit_finds(options: dict[str, Any]) -> None:
    rows = ("sample_weight", "offset")
    mixed = {key: value[SHUFFLED] if key in rows else value for key, value in options.items()}
    result = fit_groups(X[SHUFFLED], Y[SHUFFLED], CODES[SHUFFLED], **mixed)
    assert result.converged.all()
    assert set(result.status_text) == {"converged"}
    for group in range(N_GROUPS):
        mine = CODES == group
        own = {key: value[mine] if key in rows else value for key, value in options.items()}
        wanted = fastlogit.fit(X[mine], Y[mine], **own)
        assert_same_model(result[group], wanted)
        assert result[group].suboptimality <= 1e-12


@pytest.mark.parametrize("options", [{}, OPTIONS["weights and offset"]], ids=["plain", "weights"])
def test_likelihood_and_standard_errors_are_those_of_the_oracle(options: dict[str, Any]) -> None:
    weights = options.get("sample_weight", np.ones(len(Y)))
    result = fit_groups(X, Y, CODES, **options)
    for fit in result:
        mine = CODES == fit.group
        w, rows, y = weights[mine], X[mine], Y[mine]
        assert fit.n_samples == np.count_nonzero(w)
        # The offset as a column of known coefficient.
        offset = options["offset"][mine] if "offset" in options else np.zeros(len(w))
        with_offset, coef = np.column_stack([rows, offset]), np.append(fit.coef, 1.0)
        cost = reference.cost(with_offset, y, coef, fit.intercept, 0.0, w)
        assert fit.log_likelihood == pytest.approx(-cost * w.sum(), rel=1e-9)
        full = information(with_offset, coef, fit.intercept, w)
        kept = np.delete(np.arange(N_FEATURES + 2), N_FEATURES)
        errors = np.sqrt(np.diag(np.linalg.inv(full[np.ix_(kept, kept)])))
        np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-7)


def test_known_standard_errors_of_r() -> None:
    """Twelve rows whose coefficients and errors R and plain NumPy agree on."""
    x = [0.5, 1.2, -0.3, 2.1, 0.8, -1.1, 1.7, 0.2, -0.6, 1.4, -1.8, 0.9]
    d = [1, 0, 0, 1, 1, 0, 0, 1, 0, 1, 0, 0]
    y = [1, 0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 1]
    fit = fit_groups(np.column_stack([x, d]), y, ["a"] * 12)["a"]
    np.testing.assert_allclose(fit.coef, [1.7775750673, 1.7687905440], rtol=1e-6)
    errors = [1.2371974820, 1.6544930548, 1.5324400848]
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-6)
    assert fit.log_likelihood == pytest.approx(-4.724470357, rel=1e-9)


def autompg() -> tuple[Any, Any, Any]:
    """Cars by year: weight and horsepower, whether they go 25 miles with a gallon."""
    cars, mpg = autompg_data()
    return cars[:, [3, 2]], (mpg >= 25.0).astype(int), cars[:, 5].astype(int)


def cancers() -> tuple[Any, Any, Any]:
    """Tumours by quintile of their size: four other columns."""
    data = load_breast_cancer()
    size = data.data[:, 0]
    return data.data[:, [1, 4, 8, 9]], data.target, np.digitize(size, np.quantile(size, [0.3, 0.6]))


@pytest.mark.parametrize("read", [autompg, cancers])
@pytest.mark.parametrize("C", [None, 1.0])
def test_real_data_as_a_loop_over_fit(read: Any, C: float | None) -> None:
    rows, y, groups = read()
    result = fit_groups(rows, y, groups, C=C)
    ends = []
    for fit in result:
        mine = groups == fit.group
        if np.ptp(y[mine]) == 0:
            assert fit.status == GroupStatus.ONE_CLASS
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = fastlogit.fit(rows[mine], y[mine], C=C)
        if "separable" in wanted.message:
            assert fit.status == GroupStatus.SEPARABLE
            assert np.isnan(fit.coef).all()
        else:
            assert fit.status == GroupStatus.CONVERGED
            assert_same_model(fit, wanted, rows[mine].std(axis=0))
        ends.append(fit.status)
    assert len(ends) > 1
    assert GroupStatus.CONVERGED in ends


# ------------------------------------------------------------------------------------------------
# The same bits


def bits(result: GroupFits) -> tuple[bytes, ...]:
    return tuple(
        np.ascontiguousarray(each).tobytes()
        for each in (
            result.coef, result.intercept, result.standard_errors, result.log_likelihood,
            result.suboptimality, result.n_iter, result.n_samples, result.status,
        )
    )  # fmt: skip


@pytest.fixture
def tiny_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A chunk for each group."""
    monkeypatch.setattr(fitting, "CHUNK_NS", 1.0)


def test_threads_and_chunks_change_no_bit(tiny_chunks: None) -> None:
    found = [bits(fit_groups(X, Y, CODES, n_threads=n)) for n in (1, TWO_THREADS)]
    assert found[0] == found[1]


def test_chunks_are_all_groups_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = bits(fit_groups(X, Y, CODES))
    for nanoseconds in (1.0, 1e5):
        monkeypatch.setattr(fitting, "CHUNK_NS", nanoseconds)
        assert bits(fit_groups(X, Y, CODES)) == whole


def test_the_order_of_other_groups_changes_no_bit() -> None:
    """Rows of a group keep their order: nothing of it changes."""
    # Deal the rows out round robin: each group's own stay in order.
    rank = np.concatenate([np.arange(np.count_nonzero(CODES == g)) for g in range(N_GROUPS)])
    dealt = np.argsort(rank, kind="stable")
    weights = {"sample_weight": WEIGHT, "offset": OFFSET, "C": 1.0}
    mixed = {"sample_weight": WEIGHT[dealt], "offset": OFFSET[dealt], "C": 1.0}
    assert (np.diff(CODES[dealt]) < 0).any()
    together = bits(fit_groups(X, Y, CODES, **weights))
    assert bits(fit_groups(X[dealt], Y[dealt], CODES[dealt], **mixed)) == together


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize(
    "carry",
    [
        np.asfortranarray,
        lambda rows: rows.astype(">f8"),
        lambda rows: np.repeat(rows, 2, axis=0)[::2],
        lambda rows: pd.DataFrame(rows, columns=["a", "b", "c"]),
        lambda rows: pl.DataFrame(rows, schema=["a", "b", "c"]),
        lambda rows: rows.tolist(),
    ],
    ids=["F", "big-endian", "every second row", "pandas", "polars", "list"],
)
def test_rows_of_any_layout(carry: Any, in_order: bool) -> None:
    order = np.arange(len(Y)) if in_order else SHUFFLED
    options = {"sample_weight": WEIGHT[order], "offset": OFFSET[order], "C": 1.0}
    rows, y, codes = X[order], Y[order], CODES[order]
    wanted = bits(fit_groups(rows, y, codes, **options))
    assert bits(fit_groups(carry(rows), y, codes, **options)) == wanted


def test_float32_is_taken_as_it_is() -> None:
    rows = X.astype(np.float32)
    assert bits(fit_groups(rows, Y, CODES)) == bits(fit_groups(rows.astype(float), Y, CODES))


def test_x_is_not_changed_and_may_be_read_only() -> None:
    rows = X.copy()
    rows.flags.writeable = False
    assert bits(fit_groups(rows, Y, CODES)) == bits(fit_groups(X, Y, CODES))
    np.testing.assert_array_equal(rows, X)


# ------------------------------------------------------------------------------------------------
# Labels of groups

TEXT = np.array(["b", "a", "c", "a", "b", "a"])
MONTHS = pd.Categorical(list("bacaba"), categories=["c", "b", "a", "unused"])


@pytest.mark.parametrize(
    ("given", "labels", "codes"),
    [
        ([3, 1, 7, 1, 3, 1], [1, 3, 7], [1, 0, 2, 0, 1, 0]),
        (np.array([3, 1, 7, 1, 3, 1], dtype=">i2"), [1, 3, 7], [1, 0, 2, 0, 1, 0]),
        (np.array([2**63, 1, 2**63, 1, 5, 1], np.uint64), [1, 5, 2**63], [2, 0, 2, 0, 1, 0]),
        ([-(2**62), 0, 2**62, 0, 0, 0], [-(2**62), 0, 2**62], [0, 1, 2, 1, 1, 1]),
        ([True, False, True, False, True, False], [False, True], [1, 0, 1, 0, 1, 0]),
        ([0.5, -1.5, np.inf, -1.5, 0.5, -1.5], [-1.5, 0.5, np.inf], [1, 0, 2, 0, 1, 0]),
        (TEXT, list("abc"), [1, 0, 2, 0, 1, 0]),
        (TEXT.tolist(), list("abc"), [1, 0, 2, 0, 1, 0]),
        (TEXT.astype(object), list("abc"), [1, 0, 2, 0, 1, 0]),
        (TEXT.astype("S1"), [b"a", b"b", b"c"], [1, 0, 2, 0, 1, 0]),
        ([1, "1", 2.5, "1", 1, "1"], [1, "1", 2.5], [0, 1, 2, 1, 0, 1]),
        ([("x", 1), ("a", 2), ("x", 1)] * 2, [("a", 2), ("x", 1)], [1, 0, 1, 1, 0, 1]),
        ([Decimal(2), Decimal(1)] * 3, [Decimal(1), Decimal(2)], [1, 0] * 3),
        (pd.Series(TEXT), list("abc"), [1, 0, 2, 0, 1, 0]),
        (pd.Series(TEXT, dtype="string", index=range(6, 0, -1)), list("abc"), [1, 0, 2, 0, 1, 0]),
        (pd.Series([3, 1, 7, 1, 3, 1], dtype="Int64"), [1, 3, 7], [1, 0, 2, 0, 1, 0]),
        (pd.Index([3, 1, 7, 1, 3, 1]), [1, 3, 7], [1, 0, 2, 0, 1, 0]),
        (MONTHS, list("cba"), [1, 2, 0, 2, 1, 2]),
        (pd.Series(MONTHS), list("cba"), [1, 2, 0, 2, 1, 2]),
        (pd.CategoricalIndex(MONTHS), list("cba"), [1, 2, 0, 2, 1, 2]),
        (pl.Series(TEXT.tolist()), list("abc"), [1, 0, 2, 0, 1, 0]),
        (pl.Series(TEXT.tolist(), dtype=pl.Categorical), list("abc"), [1, 0, 2, 0, 1, 0]),
        (pl.Series([3, 1, 7, 1, 3, 1]), [1, 3, 7], [1, 0, 2, 0, 1, 0]),
        (pa.array(TEXT.tolist()), list("abc"), [1, 0, 2, 0, 1, 0]),
        (pa.array(TEXT.tolist()).dictionary_encode(), list("abc"), [1, 0, 2, 0, 1, 0]),
        (pa.chunked_array([[3, 1, 7], [1, 3, 1]]), [1, 3, 7], [1, 0, 2, 0, 1, 0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_labels_of_any_kind(given: Any, labels: Any, codes: Any) -> None:
    found = encode_groups(given, 6)
    assert found.labels.tolist() == labels
    assert found.codes.tolist() == codes
    assert found.codes.dtype == np.int32


def test_dates_are_labels() -> None:
    days = np.array(["2024-03-02", "2024-03-01", "2024-03-02"], dtype="datetime64[D]")
    for given in (days, pd.Series(days), pl.Series(days), pd.Series(days).tolist()):
        found = encode_groups(given, 3)
        assert found.codes.tolist() == [1, 0, 1]
        assert len(found.labels) == 2


@pytest.mark.parametrize("sort", [True, False])
def test_long_columns_of_labels(sort: bool) -> None:
    rng = np.random.default_rng(4)
    near, far = rng.integers(-5, 40, 3000), rng.integers(0, 2**60, 40)
    for values in (near, far[near % 40]):
        given = np.sort(values) if sort else values
        labels, codes = np.unique(given, return_inverse=True)
        for carried in (given, given.astype(str)):
            found = encode_groups(carried, 3000)
            np.testing.assert_array_equal(found.labels[found.codes], carried)
            if carried is given:
                np.testing.assert_array_equal(found.labels, labels)
                np.testing.assert_array_equal(found.codes, codes)


@pytest.mark.parametrize(
    "given",
    [
        [1.0, np.nan, 2.0], ["a", None, "b"], np.array(["a", np.nan, "b"], dtype=object),
        [1, pd.NA, 2], pd.Series([1, None, 2], dtype="Int64"), pd.Series(["a", None, "b"]),
        pd.Categorical(["a", None, "b"]), pd.Series(pd.Categorical(["a", None, "b"])),
        pl.Series(["a", None, "b"]), pa.array(["a", None, "b"]),
        pa.array(["a", None, "b"]).dictionary_encode(),
        np.array(["2024-01-01", "NaT", "2024-01-02"], dtype="datetime64[D]"),
        pd.Series(pd.to_datetime(["2024-01-01", None, "2024-01-02"])),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_a_missing_label_is_refused_by_its_row(given: Any) -> None:
    with pytest.raises(ValueError, match=r"groups contains .*\(row 1\), a missing label; drop"):
        fit_groups(X[:3], [0, 1, 0], given)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ([1, 2], ValueError, "groups has 2 values, but X has 3 rows"),
        (np.zeros((3, 2)), ValueError, "1 dimension"),
        (pd.DataFrame({"a": [1, 2, 3], "b": [1, 2, 3]}), ValueError, "1 dimension"),
        ([[1], [2], [3]], ValueError, "1 dimension"),
        (5, ValueError, "1 dimension"),
        ([{}, {}, {}], TypeError, r"\(row 0\) of type dict"),
        (np.ma.array([1, 2, 3]), TypeError, "masked"),
        (pl.LazyFrame({"a": [1, 2, 3]}), TypeError, "collect"),
        (np.zeros(3, dtype=[("a", int)]), TypeError, "structured"),
    ],
)
def test_what_is_no_column_of_labels(given: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        fit_groups(X[:3], [0, 1, 0], given)


# ------------------------------------------------------------------------------------------------
# Groups that are odd


def odd_groups() -> dict[str, tuple[Any, Any]]:
    rng = np.random.default_rng(1)

    def block(n: int) -> tuple[Any, Any]:
        rows = rng.standard_normal((n, 3))
        return rows, (rows[:, 0] + rng.logistic(size=n) > 0).astype(int)

    found = {name: block(80) for name in ("fine", "separable", "constant", "twins", "one class")}
    found["separable"][1][:] = found["separable"][0] @ [1.0, 1.0, 0.0] > 0
    found["constant"][0][:, 1] = 2.5
    found["twins"][0][:, 1] = found["twins"][0][:, 2]
    found["one class"][1][:] = 0
    found["one row"] = block(1)
    found["few rows"] = block(3)[0], np.array([0, 1, 0])
    found["tiny"] = block(80)
    found["tiny"][0][:, 1] *= 1e-200
    return found


ODD = odd_groups()
ENDS = {
    "fine": GroupStatus.CONVERGED, "separable": GroupStatus.SEPARABLE,
    "constant": GroupStatus.CONSTANT_COLUMN, "twins": GroupStatus.COLLINEAR,
    "one class": GroupStatus.ONE_CLASS, "one row": GroupStatus.ONE_CLASS,
    "few rows": GroupStatus.TOO_FEW_ROWS, "tiny": GroupStatus.CONVERGED,
}  # fmt: skip
NOTHING = {
    GroupStatus.SEPARABLE, GroupStatus.ONE_CLASS, GroupStatus.TOO_FEW_ROWS, GroupStatus.NO_ROWS,
    GroupStatus.FAILED, GroupStatus.NOT_FITTED,
}  # fmt: skip


def odd_rows() -> tuple[Any, Any, Any]:
    labels = np.repeat(list(ODD), [len(y) for _, y in ODD.values()])
    rows = np.vstack([rows for rows, _ in ODD.values()])
    return rows, np.concatenate([y for _, y in ODD.values()]), labels


def assert_every_nan_has_its_reason(result: GroupFits) -> None:
    for fit in result:
        numbers = [*fit.coef, fit.intercept, fit.log_likelihood]
        assert np.isnan(numbers).all() == (fit.status in NOTHING), fit
        assert np.isnan(numbers).any() == (fit.status in NOTHING), fit
        assert (fit.suboptimality == np.inf) or fit.status not in NOTHING
        missing = np.isnan(fit.standard_errors)
        if fit.status in (GroupStatus.CONVERGED, GroupStatus.MAX_ITER, GroupStatus.ROUNDING):
            assert not missing.any(), fit
        elif fit.status == GroupStatus.CONSTANT_COLUMN:
            assert missing.any()
            assert not missing.all()
        else:
            assert missing.all(), fit


def test_no_group_stops_the_others_and_each_says_how_it_ended() -> None:
    result = fit_groups(*odd_rows())
    assert {fit.group: fit.status for fit in result} == ENDS
    assert_every_nan_has_its_reason(result)
    fine = fastlogit.fit(*ODD["fine"])
    assert_same_model(result["fine"], fine)
    assert result["one row"].n_samples == 1
    constant = result["constant"]
    others = fastlogit.fit(ODD["constant"][0][:, [0, 2]], ODD["constant"][1])
    np.testing.assert_allclose(constant.coef[[0, 2]], others.coef, rtol=NEAR)
    assert constant.coef[1] == 0.0
    twins = fastlogit.fit(ODD["twins"][0][:, :2], ODD["twins"][1])
    assert result["twins"].coef[0] == pytest.approx(twins.coef[0], rel=NEAR)
    assert result["twins"].coef[1:].sum() == pytest.approx(twins.coef[1], rel=NEAR)
    # A column in other units: its coefficient in those, and its error.
    rows, y = ODD["tiny"]
    plain = fit_groups(rows * [1.0, 1e200, 1.0], y, np.zeros(80))[0]
    np.testing.assert_allclose(result["tiny"].coef * [1.0, 1e-200, 1.0], plain.coef, rtol=NEAR)
    scaled = result["tiny"].standard_errors * [1.0, 1e-200, 1.0, 1.0]
    np.testing.assert_allclose(scaled, plain.standard_errors, rtol=NEAR)


def test_a_level_of_one_class_is_seen_by_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """The general way takes 50 ms for what is the commonest trouble of small groups."""
    monkeypatch.delattr(fitting._Fits, "_fit_in_general")
    rng = np.random.default_rng(3)
    rows, codes = rng.standard_normal((600, 4)), np.arange(600) // 20
    y = (rows.sum(axis=1) / 2.0 + rng.logistic(size=600) > 0.0).astype(int)
    rows[:, 0] = rng.random(600) < 0.15
    y[rows[:, 0] == 1.0] = 1
    result = fit_groups(rows, y, codes)
    assert set(result.status_text) <= {"separable", "constant column"}
    assert (result.status == GroupStatus.SEPARABLE).sum() >= 20


def test_under_a_penalty_only_one_class_has_no_optimum() -> None:
    result = fit_groups(*odd_rows(), C=1.0)
    assert result["one class"].status == GroupStatus.ONE_CLASS
    assert result["one row"].status == GroupStatus.ONE_CLASS
    assert result["separable"].status == GroupStatus.CONVERGED
    # Three rows and four parameters: coefficients, but no errors.
    assert result["few rows"].status == GroupStatus.COLLINEAR
    assert_every_nan_has_its_reason(result)
    assert result.converged.sum() == len(ODD) - 2


@pytest.mark.parametrize("C", [None, 1.0])
def test_the_general_way_gives_the_same(C: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is too large for the kernel: likelihood and errors come from another place too."""
    rows, y, labels = odd_rows()
    in_kernel = fit_groups(rows, y, labels, C=C)
    monkeypatch.setattr(small, "MOST_NUMBERS", 0)
    in_general = fit_groups(rows, y, labels, C=C)
    np.testing.assert_array_equal(in_general.status, in_kernel.status)
    np.testing.assert_array_equal(in_general.n_samples, in_kernel.n_samples)
    units = [1e-200 if name == "tiny" else 1.0 for name in in_kernel.groups]
    for found, wanted, unit in zip(in_general, in_kernel, units, strict=True):
        scale = np.array([1.0, unit, 1.0, 1.0])
        np.testing.assert_allclose(found.coef * scale[:3], wanted.coef * scale[:3], atol=NEAR)
        np.testing.assert_allclose(
            found.standard_errors * scale, wanted.standard_errors * scale, rtol=1e-4
        )
        if not np.isnan(wanted.log_likelihood):
            assert found.log_likelihood == pytest.approx(wanted.log_likelihood, rel=1e-9)


def test_more_columns_and_rows_than_the_kernel_takes() -> None:
    wide, y = problem(400, 64)[:2]
    result = fit_groups(wide, y, np.arange(400) // 200, C=1.0)
    wanted = fastlogit.fit(wide[200:], y[200:], C=1.0)
    assert_same_model(result[1], wanted)
    assert result.converged.all()
    long, y = problem(90_000, 3)[:2]
    assert 89_900 * (3 + small.BESIDE) > small.MOST_NUMBERS
    groups = np.where(np.arange(90_000) < 89_900, "large", "small")
    result = fit_groups(long, y, groups)
    assert set(result.status_text) == {"converged"}
    assert_same_model(result["large"], fastlogit.fit(long[:89_900], y[:89_900]))
    assert_same_model(result["small"], fastlogit.fit(long[89_900:], y[89_900:]))
    large = result["large"]
    hessian = information(long[:89_900], large.coef, large.intercept, np.ones(89_900))
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose(large.standard_errors, errors, rtol=1e-7)


def test_rows_without_weight_are_absent() -> None:
    weights = np.ones(len(Y))
    weights[CODES == 2] = 0.0
    weights[(CODES == 3) & (Y == 1)] = 0.0
    weights[np.flatnonzero(CODES == 4)[:5]] = 0.0
    result = fit_groups(X, Y, CODES, sample_weight=weights)
    assert result[2].status == GroupStatus.NO_ROWS
    assert result[2].n_samples == 0
    assert result[3].status == GroupStatus.ONE_CLASS
    mine = np.flatnonzero(CODES == 4)[5:]
    assert_same_model(result[4], fastlogit.fit(X[mine], Y[mine]))
    assert result[4].n_samples == len(mine)
    assert_every_nan_has_its_reason(result)


def test_weights_count_rows() -> None:
    counts = 1 + np.arange(len(Y)) % 3
    repeated = np.repeat(np.arange(len(Y)), counts)
    found = fit_groups(X, Y, CODES, sample_weight=counts)
    wanted = fit_groups(X[repeated], Y[repeated], CODES[repeated])
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=NEAR)
    np.testing.assert_allclose(found.standard_errors, wanted.standard_errors, rtol=1e-6)
    np.testing.assert_allclose(found.log_likelihood, wanted.log_likelihood, rtol=1e-9)


def test_an_iteration_limit_leaves_points_with_bounds() -> None:
    result = fit_groups(X, Y, CODES, max_iter=1)
    assert set(result.status_text) == {"max iter"}
    assert not result.converged.any()
    assert np.isfinite(result.coef).all()
    assert_every_nan_has_its_reason(result)
    best = fit_groups(X, Y, CODES)
    lost = (best.log_likelihood - result.log_likelihood) / -best.log_likelihood
    assert (lost > 0.0).all()
    assert (lost <= result.suboptimality).all()


def test_no_tolerance_is_met_as_by_fit() -> None:
    """By the exact cost of the coefficients: as a number it has not the digits."""
    result = fit_groups(X, Y, CODES, tol=1e-18)
    wanted = fastlogit.fit(X[CODES == 0], Y[CODES == 0], tol=1e-18)
    assert result.converged[0] == wanted.converged
    assert result[0].suboptimality == wanted.suboptimality
    assert result.converged.any()


def test_what_fit_refuses_is_a_status_with_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise ValueError("too odd")

    monkeypatch.setattr(small, "MOST_NUMBERS", 40 * 13)
    monkeypatch.setattr(fitting, "fit", refuse)
    result = fit_groups(X, Y, CODES)
    failed = result.status == GroupStatus.FAILED
    assert failed.any()
    assert not failed.all()
    assert result.failures == dict.fromkeys(np.flatnonzero(failed).tolist(), "too odd")
    assert_every_nan_has_its_reason(result)


@pytest.mark.parametrize("numbers", [small.MOST_NUMBERS, 0])
def test_few_rows_have_no_optimum_or_many(numbers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small, "MOST_NUMBERS", numbers)
    rows = np.array([[0.5, 1.0, -2.0], [0.5, 1.0, -2.0], [1.5, 0.0, 3.0]])
    ends = [fit_groups(rows, y, ["a"] * 3)["a"].status for y in ([0, 1, 1], [0, 0, 1], [1, 0, 0])]
    assert set(ends) == {GroupStatus.TOO_FEW_ROWS}
    # Rows enough, though at two places only.
    fit = fit_groups(np.vstack([rows, rows[1:]]), [0, 1, 1, 1, 0], ["a"] * 5)["a"]
    assert fit.status == GroupStatus.COLLINEAR
    likelihood = np.log(1 / 3) + 2 * np.log(2 / 3) + 2 * np.log(1 / 2)
    assert fit.log_likelihood == pytest.approx(likelihood)


def test_weights_of_any_size() -> None:
    weights = np.where(CODES < 6, 1e-200, 1e200)
    found, plain = fit_groups(X, Y, CODES, sample_weight=weights), fit_groups(X, Y, CODES)
    np.testing.assert_array_equal(found.status, plain.status)
    np.testing.assert_allclose(found.coef, plain.coef, rtol=NEAR)
    errors = (
        found.standard_errors * np.sqrt(weights[np.searchsorted(CODES, range(N_GROUPS))])[:, None]
    )
    np.testing.assert_allclose(errors, plain.standard_errors, rtol=1e-6)
    # A penalty that overflows over the weight of a group is the trouble of that group alone.
    weights = np.where(CODES < 6, 1e-300, 1.0)
    found = fit_groups(X, Y, CODES, sample_weight=weights, C=1e-20)
    assert set(found.status_text[:6]) == {"failed"}
    assert set(found.status_text[6:]) == {"converged"}
    assert "the penalty overflows over the weight of the group" in found.failures[0]
    assert_every_nan_has_its_reason(found)


# ------------------------------------------------------------------------------------------------
# The prior


def penalised_cost(theta: Any, rows: Any, y: Any, C: float, mean: Any) -> float:
    coef = theta[:-1]
    losses = reference.cost(rows, y, coef, theta[-1]) * len(y)
    return float(C * losses + 0.5 * np.sum((coef - mean) ** 2))


def test_a_prior_mean_is_what_the_penalty_draws_to() -> None:
    mean = np.array([0.4, -0.2, 0.8])
    standard = (X - X.mean(axis=0)) / X.std(axis=0)
    result = fit_groups(standard, Y, CODES, C=0.3, prior_mean=mean)
    assert set(result.status_text) == {"converged"}
    np.testing.assert_array_equal(result.prior_mean, mean)
    for group in (0, 5, 11):
        mine = CODES == group
        given = standard[mine], Y[mine], 0.3, mean
        best = minimize(penalised_cost, np.zeros(4), given, method="BFGS", options={"gtol": 1e-9})
        np.testing.assert_allclose(result[group].coef, best.x[:3], atol=1e-5)
        assert result[group].intercept == pytest.approx(best.x[3], abs=1e-5)
        cost = reference.cost(standard[mine], Y[mine], result[group].coef, result[group].intercept)
        assert result[group].log_likelihood == pytest.approx(-cost * mine.sum(), rel=1e-9)


def test_the_pooled_fit_as_prior() -> None:
    result = fit_groups(X, Y, CODES, C=1.0, prior_mean="pooled")
    pooled = fastlogit.fit(X, Y, C=1.0)
    assert_same_model(result.pooled, pooled)
    assert_same_model(
        result[3], fit_groups(X, Y, CODES, C=1.0, prior_mean=pooled.coef)[3], X.std(axis=0)
    )
    # A strong prior is the pooled fit, a weak one each group's own.
    strong = fit_groups(X, Y, CODES, C=1e-9, prior_mean="pooled")
    np.testing.assert_allclose(
        strong.coef, np.tile(strong.pooled.coef, (N_GROUPS, 1)), rtol=1e-5, atol=1e-5
    )
    weak = fit_groups(X, Y, CODES, C=1e12, prior_mean="pooled")
    np.testing.assert_allclose(weak.coef, fit_groups(X, Y, CODES).coef, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("numbers", [None, 0])
def test_a_prior_holds_columns_that_say_nothing(
    numbers: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if numbers is not None:
        monkeypatch.setattr(small, "MOST_NUMBERS", numbers)  # the general way
    rows, y, labels = odd_rows()
    mean = [0.3, 0.7, -0.2]
    result = fit_groups(rows, y, labels, C=1.0, prior_mean=mean)
    assert result["constant"].coef[1] == pytest.approx(0.7)
    assert result["constant"].status == GroupStatus.CONSTANT_COLUMN
    assert np.isnan(result["constant"].standard_errors[1])
    # The prior does not hold the intercept.
    assert result["one class"].status == GroupStatus.ONE_CLASS
    assert_every_nan_has_its_reason(result)


def test_a_pooled_fit_without_optimum_is_refused() -> None:
    rows, y = ODD["separable"]
    with pytest.raises(ValueError, match="needs an optimum of all rows, and there is none"):
        fit_groups(
            rows, y, np.arange(80) // 40, C=1.0, prior_mean="pooled", penalty_factor=[0, 0, 1]
        )


@pytest.mark.parametrize(
    ("mean", "options", "words"),
    [
        ("pooled", {}, "set C or l2_reg"),
        ([0.0, 0.0, 0.0], {"C": np.inf}, "set C or l2_reg"),
        ("mean", {"C": 1.0}, "prior_mean must be numbers or 'pooled'"),
        ([0.0, 0.0], {"C": 1.0}, r"prior_mean has shape \(2,\), but X has 3 columns"),
        (0.0, {"C": 1.0}, r"prior_mean has shape \(\)"),
        ([0.0, np.nan, 0.0], {"C": 1.0}, "prior_mean contains NaN"),
    ],
)
def test_priors_that_are_none(mean: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        fit_groups(X, Y, CODES, prior_mean=mean, **options)


# ------------------------------------------------------------------------------------------------
# Bad input


def with_nan() -> Any:
    rows = X.copy()
    rows[17, 2] = np.nan
    return rows


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": with_nan()}, ValueError, r"X contains NaN in column 2 \(row 17\)"),
        ({"X": pd.DataFrame(with_nan(), columns=["a", "b", "c"])}, ValueError, "column 'c'"),
        ({"y": np.arange(len(Y)) % 3}, ValueError, "takes two classes, and y has 3"),
        ({"y": np.zeros(len(Y))}, ValueError, "one class only"),
        ({"y": Y[1:]}, ValueError, "y has"),
        ({"C": 1.0, "l2_reg": 1.0}, ValueError, "C or l2_reg, not both"),
        ({"C": 0.0}, ValueError, "C must be > 0"),
        ({"C": 5e-324}, ValueError, "so small that the penalty overflows"),
        ({"l2_reg": 1e300, "penalty_factor": 1e300}, ValueError, "overflows"),
        ({"l2_reg": -1.0}, ValueError, "l2_reg"),
        ({"tol": -1.0}, ValueError, "tol"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"time_limit": 0.0}, ValueError, "time_limit"),
        ({"callback": 3}, TypeError, "callback"),
        ({"intercept": "no"}, ValueError, "intercept"),
        ({"sample_weight": -np.ones(len(Y))}, ValueError, "sample_weight is negative"),
        ({"offset": [1.0]}, ValueError, "offset has shape"),
    ],
)
def test_bad_input_is_refused_in_words(change: dict[str, Any], error: Any, words: str) -> None:
    given = {"X": X, "y": Y, "groups": CODES} | change
    with pytest.raises(error, match=words):
        fit_groups(**given)


class _OnDisk:
    """Rows that are read in slices."""

    shape, dtype, ndim = X.shape, X.dtype, 2

    def __getitem__(self, rows: Any) -> Any:
        return X[rows]


def test_rows_that_are_not_in_memory_are_refused() -> None:
    def batches() -> Any:
        yield X, Y

    for source, y in ((_OnDisk(), Y), (BatchSource(batches), None)):
        with pytest.raises(TypeError, match="fit_groups reads rows in memory"):
            fit_groups(source, y, CODES)


# ------------------------------------------------------------------------------------------------
# Limits


def test_a_callback_sees_the_end_of_short_work() -> None:
    seen: list[tuple[int, int]] = []

    def tell(progress: Any) -> bool:
        seen.append((progress.n_done, progress.n_fits))
        return True

    result = fit_groups(X, Y, CODES, callback=tell)
    assert seen == [(N_GROUPS, N_GROUPS)]
    assert result.converged.all()
    assert result.ended_by == ""

    def fail(progress: Any) -> None:
        raise ValueError("of the user")

    with pytest.raises(ValueError, match="of the user"):
        fit_groups(X, Y, CODES, callback=fail)


def test_a_callback_sees_how_far_it_is_and_ends_it(
    tiny_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastlogit.fitting.chunks.STEP_SECONDS", 0.0)
    seen: list[Any] = []

    def tell(progress: Any) -> bool:
        seen.append((progress.n_done, progress.n_fits, progress.cost, progress.coef.shape))
        return progress.n_done >= 5

    result = fit_groups(X, Y, CODES, callback=tell, n_threads=1)
    assert [n_done for n_done, *_ in seen] == [1, 2, 3, 4, 5]
    assert {shape for *_, shape in seen} == {(N_GROUPS, N_FEATURES)}
    assert all(n_fits == N_GROUPS and 0.0 < cost < 1.0 for _, n_fits, cost, _ in seen)
    assert result.ended_by == "callback"
    done = result.status == GroupStatus.CONVERGED
    assert done.sum() == 5
    assert (result.status[~done] == GroupStatus.NOT_FITTED).all()
    whole = fit_groups(X, Y, CODES)
    np.testing.assert_array_equal(result.coef[done], whole.coef[done])
    assert_every_nan_has_its_reason(result)


@pytest.mark.parametrize("numbers", [small.MOST_NUMBERS, 0])
def test_a_time_limit_keeps_what_is_finished(
    numbers: int, tiny_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small, "MOST_NUMBERS", numbers)
    late = iter([False] * 4 + [True] * 1000)
    monkeypatch.setattr(Clock, "is_late", lambda self, ahead=0.0: next(late))
    result = fit_groups(X, Y, CODES, n_threads=1)
    assert result.ended_by == "time_limit"
    done = result.status != GroupStatus.NOT_FITTED
    assert 0 < done.sum() < N_GROUPS
    assert_every_nan_has_its_reason(result)


def test_ctrl_c_keeps_what_is_finished(tiny_chunks: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastlogit.fitting.chunks.STEP_SECONDS", 0.0)

    def press(progress: Any) -> None:
        if progress.n_done >= 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as caught:
        fit_groups(X, Y, CODES, callback=press, n_threads=TWO_THREADS)
    result = caught.value.result  # type: ignore[attr-defined]
    assert isinstance(result, GroupFits)
    assert (result.status == GroupStatus.CONVERGED).sum() >= 3
    assert_every_nan_has_its_reason(result)


def test_ctrl_c_in_the_pooled_fit_gives_no_group(monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*_: Any, **__: Any) -> Any:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(fitting, "fit", press)
    with pytest.raises(KeyboardInterrupt) as caught:
        fit_groups(X, Y, CODES, C=1.0, prior_mean="pooled")
    result = caught.value.result  # type: ignore[attr-defined]
    assert set(result.status_text) == {"not fitted"}


# ------------------------------------------------------------------------------------------------
# The threads


def crew(pieces: Any, work: Any, tell: Any = None) -> Crew[Any, Any]:
    return Crew(pieces, work, object, Clock(time.perf_counter(), None), tell)


def test_a_crew_does_each_piece_once_and_each_thread_has_its_tools() -> None:
    done: list[tuple[int, int, int]] = []

    def work(piece: int, tools: object) -> None:
        time.sleep(0.001)
        done.append((piece, id(tools), threading.get_ident()))

    crew(range(40), work).run(3)
    assert sorted(piece for piece, *_ in done) == list(range(40))
    assert len({(tools, thread) for _, tools, thread in done}) == 3
    assert len({thread for *_, thread in done}) == 3


def test_a_failure_in_a_thread_reaches_the_caller() -> None:
    here = threading.get_ident()

    def work(piece: int, tools: object) -> None:
        time.sleep(0.001)
        if threading.get_ident() != here:
            raise OverflowError("in a thread")

    with pytest.raises(OverflowError, match="in a thread"):
        crew(range(1000), work).run(2)
    assert not [each for each in threading.enumerate() if each is not threading.main_thread()
                and each.name.endswith("(_help)")]  # fmt: skip


def test_ctrl_c_ends_the_other_threads_too() -> None:
    n_done = 0

    def work(piece: int, tools: object) -> None:
        nonlocal n_done
        n_done += 1
        time.sleep(0.001)
        if piece == 5:  # two threads may count past any number of `n_done`
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        crew(range(100_000), work).run(2)
    before = n_done
    time.sleep(0.01)
    assert n_done == before


def test_ctrl_c_while_the_others_are_waited_for_waits_on() -> None:
    begun, ended = threading.Event(), []

    def work(piece: int, tools: object) -> None:
        if threading.current_thread() is threading.main_thread():
            assert piece == 0 or begun.wait(10.0)
            return
        begun.set()
        time.sleep(0.1)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)
        ended.append(piece)

    with pytest.raises(KeyboardInterrupt):
        crew(range(3), work).run(2)
    assert len(ended) == 1


# ------------------------------------------------------------------------------------------------
# The table


def test_a_result_is_a_table() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    result = fit_groups(frame, np.where(Y == 1, "yes", "no"), [f"g{code:02}" for code in CODES])
    assert len(result) == N_GROUPS
    assert result.classes.tolist() == ["no", "yes"]
    assert result.feature_names == ["a", "b", "c"]
    fit = result["g03"]
    assert type(fit.group) is str
    assert fit.group == "g03"
    assert [each.group for each in result] == result.groups.tolist()
    np.testing.assert_array_equal(fit.coef, result.coef[3])
    assert fit.status is GroupStatus.CONVERGED
    assert fit.status.text == "converged"
    for missing in ("g3", 3, [], None):
        with pytest.raises(KeyError, match="there is no group"):
            result[missing]
    with pytest.raises(KeyError, match="nearest label is 'g03'"):
        result["g003"]
    with pytest.raises(KeyError, match=r"no group '3' among .*; the nearest label is 3"):
        fit_groups(X, Y, CODES)["3"]  # a number, not text


def test_days_are_found() -> None:
    days = np.datetime64("2024-05-01") + CODES
    result = fit_groups(X, Y, days)
    assert result[np.datetime64("2024-05-03")].n_samples == np.count_nonzero(CODES == 2)


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames(library: str) -> None:
    rows, y, labels = odd_rows()
    result = fit_groups(pd.DataFrame(rows, columns=["a", "b", "c"]), y, labels)
    frame: Any = result.to_frame(library)
    columns = frame.column_names if library == "pyarrow" else list(frame.columns)
    assert columns == [
        "group", "n_samples", "status", "coef_a", "coef_b", "coef_c", "intercept", "se_a", "se_b",
        "se_c", "intercept_se", "log_likelihood", "suboptimality", "n_iter",
    ]  # fmt: skip
    np.testing.assert_array_equal(np.asarray(frame["coef_b"]), result.coef[:, 1])
    np.testing.assert_array_equal(np.asarray(frame["intercept_se"]), result.standard_errors[:, 3])
    assert np.asarray(frame["status"]).tolist() == result.status_text.tolist()
    assert np.asarray(frame["group"]).tolist() == result.groups.tolist()


def test_frames_of_other_labels_and_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    result = fit_groups(X, Y, [(int(c), "x") if c % 2 else int(c) for c in CODES])
    assert result.to_frame()["group"].tolist() == result.groups.tolist()
    assert list(result.to_frame())[3:6] == ["coef_0", "coef_1", "coef_2"]
    with pytest.raises(ValueError, match="library must be one of"):
        result.to_frame("dask")
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError, match="needs polars"):
        result.to_frame("polars")


def test_it_shows_itself_shortly() -> None:
    result = fit_groups(*odd_rows())
    text = repr(result)
    assert "\n" not in text
    assert "2 converged" in text
    assert "2 one class" in text
    assert "8 groups" in text
    page = result._repr_html_()
    assert "<th>one class</th>" in page
    assert "<td>separable</td>" in page
    many = fit_groups(X, Y, np.where(CODES < 6, CODES, 10 + np.arange(len(Y)) % 40))
    assert "more groups" in many._repr_html_()
    escaped = fit_groups(X, Y, np.array(["<b>", "c"])[(CODES > 5).astype(int)])
    assert "<th>&lt;b&gt;</th>" in escaped._repr_html_()


def test_the_benchmark_checks_and_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    benchmark = importlib.import_module("benchmarks.groups")
    # The others may be installed or not, and warn of so few rows.
    monkeypatch.setattr(benchmark, "peers", lambda: {"scikit-learn": benchmark.sklearn_loop})
    said = benchmark.compare(20, 5, 1)
    assert "| groups | fit_groups | 20 groups of 50 to 500 rows" in said
    assert said.startswith("Measured 20")
    printed = capsys.readouterr().out
    assert "| fit_groups, threads: 1 |" in printed
    assert "| scikit-learn |" in printed
    rows, y, _ = benchmark.make_groups(3)
    ends = [(begin, begin + 50) for begin in (0, 50)]
    with pytest.raises(AssertionError, match="above the optimum"):
        benchmark.check("far", [np.ones(9)], rows, y, ends)


# ------------------------------------------------------------------------------------------------
# Predictions


def test_each_row_is_predicted_by_the_model_of_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    from fastlogit.fitting import group_predictions

    monkeypatch.setattr(group_predictions, "CHUNK_NUMBERS", 100)  # several parts
    names = np.array([f"store {code}" for code in CODES])
    result = fit_groups(X, np.where(Y == 1, "yes", "no"), names, C=1.0)
    raw = result.raw_prediction(X[SHUFFLED], names[SHUFFLED], offset=OFFSET[SHUFFLED])
    wanted = np.array(
        [
            X[row] @ result[names[row]].coef + result[names[row]].intercept + OFFSET[row]
            for row in SHUFFLED
        ]
    )
    np.testing.assert_allclose(raw, wanted, rtol=1e-13, atol=1e-13)
    proba = result.predict_proba(X[SHUFFLED], names[SHUFFLED], offset=OFFSET[SHUFFLED])
    np.testing.assert_allclose(proba[:, 1], 1.0 / (1.0 + np.exp(-wanted)), rtol=1e-12)
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, rtol=1e-15)
    found = result.predict(X[SHUFFLED], names[SHUFFLED], offset=OFFSET[SHUFFLED])
    np.testing.assert_array_equal(found, np.where(wanted >= 0.0, "yes", "no"))


def test_labels_of_any_kind_find_their_group_again() -> None:
    days = np.datetime64("2024-01-01", "D") + CODES
    result = fit_groups(X, Y, days, C=1.0)
    wanted = result.raw_prediction(X, days)
    np.testing.assert_array_equal(result.raw_prediction(X, days.astype("M8[ns]")), wanted)
    np.testing.assert_array_equal(result.raw_prediction(X, pd.Series(days)), wanted)
    result = fit_groups(X, Y, CODES, C=1.0)
    np.testing.assert_array_equal(result.raw_prediction(X, CODES.astype(float)), wanted)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    text = pd.Categorical(CODES.astype(str))
    result = fit_groups(frame, Y, text, C=1.0)
    found = result.raw_prediction(frame.astype("float32"), pl.Series(CODES.astype(str)))
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-4)


def test_groups_without_a_model_get_what_was_asked_for() -> None:
    y = np.where(CODES == 3, 1, Y)  # one class there
    result = fit_groups(X, y, CODES, C=1.0, prior_mean="pooled")
    rows, groups = X[:4], np.array([0, 3, 99, 1])
    with pytest.raises(ValueError, match=r"groups holds 99 \(not among .*; 3 \(without a fit\)"):
        result.predict_proba(rows, groups)
    found = result.predict_proba(rows, groups, handle_unknown="nan")
    assert np.isnan(found[1:3]).all()
    assert np.isfinite(found[[0, 3]]).all()
    found = result.predict_proba(rows, groups, handle_unknown="pooled")
    assert result.pooled is not None
    np.testing.assert_allclose(found[1:3], result.pooled.predict_proba(rows[1:3]), rtol=1e-12)
    with pytest.raises(ValueError, match="no label"):
        result.predict(rows, groups, handle_unknown="nan")
    with pytest.raises(ValueError, match=r'comes with fit_groups.*prior_mean="pooled"'):
        fit_groups(X, y, CODES, C=1.0).predict(rows, groups, handle_unknown="pooled")
    with pytest.raises(ValueError, match="handle_unknown"):
        result.predict(rows, groups, handle_unknown="zero")


def test_bad_rows_for_predictions_are_refused() -> None:
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    result = fit_groups(frame, Y, CODES, C=1.0)
    with pytest.raises(ValueError, match="columns"):
        result.predict_proba(X[:, :2], CODES)
    with pytest.raises(ValueError, match=r"3 values|rows"):
        result.predict_proba(X, CODES[:3])
    with pytest.raises(ValueError, match="c"):
        result.predict_proba(frame[["b", "a", "c"]], CODES)
    with pytest.raises(ValueError, match="NaN"):
        result.predict_proba(np.where(X == X[4, 1], np.nan, X), CODES)
    with pytest.raises(ValueError, match="offset"):
        result.predict_proba(X, CODES, offset=np.ones(3))
    steep = replace(result, coef=1e3 * result.coef)
    with pytest.raises(ValueError, match="overflows in row 2"):
        steep.predict_proba(np.where(np.arange(len(X))[:, None] == 2, 1.7e308, X), CODES)
    with pytest.raises(TypeError, match="hand in its batches one by one"):
        result.predict_proba(BatchSource(lambda: iter([(X, Y)])), CODES)


def test_dates_are_of_a_group_only_where_they_are_the_same() -> None:
    days = np.datetime64("1970-01-01", "D") + CODES
    result = fit_groups(X, Y, days, C=1.0)
    wanted = result.raw_prediction(X, days)
    as_objects = [day.item() for day in days]
    for same in (as_objects, pd.Series(days).astype("M8[ns]").astype(object)):
        np.testing.assert_array_equal(result.raw_prediction(X, same), wanted)
    others = {
        "1970-01-01T12": days.astype("M8[h]") + 12,  # an hour between two days
        "0": CODES,  # no dates: numbers, text, durations, times of a zone
        "'1970-01-01'": days.astype(str),
        "days": days - days.min(),
        "tz='UTC'": pd.Series(days).dt.tz_localize("UTC"),
        "9970": np.full(len(CODES), np.datetime64("9970-01-01", "D")),
    }
    for shown, labels in others.items():
        with pytest.raises(ValueError, match=rf"groups holds .*{shown}.*\(not among the groups"):
            result.predict_proba(X, labels)
        found = result.predict_proba(X, labels, handle_unknown="nan")
        assert np.isnan(found).all()
    numbers = fit_groups(X, Y, CODES, C=1.0)
    with pytest.raises(ValueError, match=r"groups holds .*1970-01-01"):
        numbers.predict_proba(X, days.astype("M8[ns]"))


@pytest.mark.parametrize(
    "labels",
    [
        np.datetime64("1970-01-01", "M") + CODES,
        (np.arange(4) * np.timedelta64(1, "D"))[CODES % 4],
        pd.Series(pd.PeriodIndex((1970 + CODES).astype(str), freq="Y")),
        [(int(code), "a") for code in CODES],
        [int(code) if code % 2 else str(code) for code in CODES],
    ],
    ids=["months", "days", "periods", "tuples", "numbers and text"],
)
@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames_of_labels_that_their_library_has_no_type_for(labels: Any, library: str) -> None:
    result = fit_groups(X, Y, labels, C=1.0)
    column = result.to_frame(library)["group"]
    texts = column.to_pylist() if library == "pyarrow" else list(column)
    assert len({str(each) for each in texts}) == len(result)
