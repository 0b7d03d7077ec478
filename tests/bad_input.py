"""Bad input and what the error must say; that it is refused before any work."""

import datetime

import numpy as np
import pytest

X0 = np.arange(12.0).reshape(6, 2) % 5.0
Y0 = np.array([0, 1, 0, 1, 1, 0])


def poisoned(value):
    """X0 with two bad values, the first of them in row 4 and column 1."""
    X = X0.astype(float if isinstance(value, float) else object)
    X[4, 1] = X[5, 0] = value
    return X


class Sparse:
    """As far as the package looks: a matrix of scipy.sparse."""

    def tocsr(self):
        return self


FEATURES = [
    (np.arange(6.0), ValueError, ["X must have 2 dimensions", "found 1", "X.reshape(-1, 1)"]),
    (np.zeros((6, 2, 2)), ValueError, ["X must have 2 dimensions", "found 3"]),
    (3.0, ValueError, ["X must have 2 dimensions", "found 0"]),
    (np.empty((0, 2)), ValueError, ["X is empty: 0 rows and 2 columns"]),
    (np.empty((6, 0)), ValueError, ["X is empty: 6 rows and 0 columns"]),
    (
        X0.astype(complex),
        TypeError,
        ["X must hold real numbers, got dtype complex128", "real part"],
    ),
    (X0.astype(str), TypeError, ["X has dtype <U32", "OneHotEncoder"]),
    (
        np.array([[1.0, 2.0], [3.0, "red"], [1.0, 1.0]], dtype=object),
        TypeError,
        ["X has dtype object", "column 1 holds 'red' (row 1)"],
    ),
    (X0.astype("M8[s]"), TypeError, ["X has dtype datetime64[s]", "dates and times are not"]),
    (poisoned(None), ValueError, ["X contains None in column 1 (row 4)", "SimpleImputer"]),
    (
        poisoned(10**400),
        ValueError,
        ["column 1 holds a whole number of 1329 bits", "(row 4)", "float64"],
    ),
    (poisoned({}), TypeError, ["X has dtype object: column 1 holds {} (row 4)", "'dict'"]),
    (poisoned(datetime.date(2020, 1, 2)), TypeError, ["column 1 holds", "dates and times"]),
    (np.zeros((6, 2), "f8,f8"), TypeError, ["structured_to_unstructured"]),
    (np.ma.masked_less(X0, 1.0), TypeError, ["X is a masked array", "filled"]),
    (Sparse(), TypeError, ["X is sparse (Sparse)", "X.toarray()"]),
    (
        [[1.0, 2.0], [3.0]],
        ValueError,
        ["X holds lists", "a list of 2 at [0], but a list of 1 at [1]"],
    ),
    (None, ValueError, ["X must have 2 dimensions"]),
]
TARGETS = [
    (Y0[:5], ValueError, ["y has 5 values, but X has 6 rows"]),
    (Y0[:, None], ValueError, ["y must have 1 dimension, found 2", "y.ravel()"]),
    (0, ValueError, ["y must have 1 dimension, found 0"]),
    (Y0.astype(complex), TypeError, ["y holds complex numbers"]),
    (np.array([0, 1, np.nan, 0, 1, 1]), ValueError, ["y contains nan (row 2)", "drop such rows"]),
    (np.array([0, 1, np.inf, 0, 1, 1]), ValueError, ["y contains inf (row 2)"]),
    (np.array([0, 1, None, 0, 1, 1]), ValueError, ["y contains None (row 2)"]),
    (np.array([0, 1, "a", 0, 1, 1], dtype=object), TypeError, ["y mixes labels", "int, str"]),
    (np.array([{}] * 6), TypeError, ["y"]),
    (np.ma.masked_equal(Y0, 1), TypeError, ["y is a masked array"]),
    (Y0.astype("M8[s]"), TypeError, ["y has dtype datetime64[s]", "y.astype(str)"]),
    (
        np.array([datetime.date(2020, 1, 1 + day) for day in Y0]),
        TypeError,
        ["y holds dates: datetime.date(2020, 1, 1) (row 0)", "y.astype(str)"],
    ),
    (np.array([2**53 + 1, 0.5] * 3, dtype=object), ValueError, ["mixes 9007199254740993 (row 0)"]),
    (np.array([2**64, 1] * 3, dtype=object), ValueError, ["more than 64 bits hold"]),
]
WEIGHTS = [
    ([1, 1, 1, -2.5, 1, -3], ValueError, ["sample_weight is negative: -2.5 (row 3)", ">= 0"]),
    (np.zeros(6), ValueError, ["sample_weight is zero for every row"]),
    ([1, 1, np.nan, 1, 1, 1], ValueError, ["sample_weight is not finite: nan (row 2)"]),
    ([1, 1, 1, 1, 1, np.inf], ValueError, ["sample_weight is not finite: inf (row 5)"]),
    (np.ones(5), ValueError, ["sample_weight has 5 values, but X has 6 rows"]),
    (np.ones((6, 1)), ValueError, ["sample_weight must have 1 dimension, found 2"]),
    (2.0, ValueError, ["sample_weight must have 1 dimension, found 0"]),
    (["a"] * 6, TypeError, ["sample_weight must hold real numbers, got dtype <U1"]),
    (np.ones(6) * 1j, TypeError, ["sample_weight must hold real numbers", "complex128"]),
    (np.ma.masked_less(np.ones(6), 2.0), TypeError, ["sample_weight is a masked array"]),
    (np.full(6, 1e308), ValueError, ["sample_weight adds up to infinity", "divide the weights"]),
]


def named(argument, cases):
    """Cases of one argument, for calls by keyword."""
    return [({argument: value}, error, words) for value, error, words in cases]


BOTH = named("X", FEATURES) + named("y", TARGETS) + named("sample_weight", WEIGHTS)


def forbid_passes(monkeypatch) -> None:
    """Let any pass over X fail the test."""

    def fail(layout):
        raise AssertionError("a pass was made")

    monkeypatch.setattr("fastlogit.design.dense.descend", fail)
    monkeypatch.setattr("fastlogit.design.dense.passes", fail)


def assert_refused(call, arguments, error, words) -> None:
    """Call with arguments that must be refused, and left as they are."""
    arrays = [value for value in arguments.values() if isinstance(value, np.ndarray)]
    before = [array.tobytes() for array in arrays]
    with pytest.raises(error) as caught:
        call(**arguments)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert [array.tobytes() for array in arrays] == before


def case_id(value):
    """Name a case by the arguments that are bad."""
    return "-".join(value) if isinstance(value, dict) else ""
