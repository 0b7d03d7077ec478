"""Columns that tables hold beside plain numbers: the right value, or one error that names them."""

from typing import Any

import numpy as np
import polars
import pyarrow as pa
import pytest

import fastlogit
from fastlogit import ArrowSource

# Rooms above the kernels.
pytestmark = pytest.mark.jit

N = 120
RNG = np.random.default_rng(31)
X = RNG.normal(size=N)
Y = (X + RNG.logistic(size=N) > 0.0).astype(int)
NAN = float("nan")


def table(**columns: Any) -> pa.Table:
    return pa.table({"x": X, "y": Y} | columns)


def repeated(*values: Any, kind: Any = None) -> pa.Array:
    return pa.array([*values] * (N // len(values)), kind)


def fitted(rows: Any, **options: Any) -> fastlogit.FitResult:
    return fastlogit.fit(rows, C=1.0, **{"target": "y", **options})


def coded(entries: pa.Array) -> pa.DictionaryArray:
    """Return the entries in turn, as a dictionary."""
    return pa.DictionaryArray.from_arrays(repeated(*range(len(entries)), kind=pa.int32()), entries)


# ---- labels


def test_labels_of_a_dictionary_that_no_row_has_are_no_classes() -> None:
    y = np.where(Y == 1, "yes", "no")
    expected = fastlogit.fit(X[:, None], y, C=1.0)
    arrow = pa.DictionaryArray.from_arrays(3 * Y, pa.array(["no", "maybe", "never", "yes"]))
    enum = polars.Series(y).cast(polars.Enum(["yes", "maybe", "no"]))
    for labels in (arrow, enum.to_arrow()):
        found = fitted(table(y=labels))
        assert found.classes.tolist() == ["no", "yes"]
        assert np.array_equal(found.coef, expected.coef)
    # Nor are those whose rows are left out.
    rows = table(y=coded(pa.array(["no", "gone", "yes"])), w=repeated(1.0, None, 1.0))
    assert fitted(rows, sample_weight="w", nulls="drop").classes.tolist() == ["no", "yes"]


def test_whole_numbers_as_labels_stay_exact() -> None:
    large = [3, 2**63 + 1, 2**63 + 2]
    found = fitted(table(y=repeated(*large, kind=pa.uint64())))
    assert found.classes.tolist() == large
    assert fitted(table(y=repeated(2**53, 2**53 + 1))).classes.tolist() == [2**53, 2**53 + 1]


def test_clusters_of_a_dictionary_count_those_that_occur() -> None:
    of_rows = np.repeat(np.arange(10), N // 10)
    names = pa.array([f"c{k}" for k in range(40)])
    source = ArrowSource(
        table(k=pa.DictionaryArray.from_arrays(4 * of_rows, names)), target="y", clusters="k"
    )
    found = fastlogit.infer(fastlogit.fit(source), source, cov_type="CR1")
    given = fastlogit.infer(
        fastlogit.fit(X[:, None], Y), X[:, None], Y, clusters=of_rows, cov_type="CR1"
    )
    assert np.allclose(found.covariance, given.covariance, rtol=1e-9)


# ---- nulls and NaN


@pytest.mark.parametrize(
    ("column", "what", "left"),
    [
        (coded(pa.array([0.5, NAN, 1.5])), "NaN (row 1)", 80),
        (repeated(2.5, 1.5, NAN), "NaN (row 2)", 80),
        (coded(pa.array(["u", None, "v"])), "null (row 1)", 80),
        (repeated("u", "v", None, kind=pa.string_view()), "null (row 2)", 80),
        (coded(pa.array(["u", None, "v"], pa.string_view())), "null (row 1)", 80),
    ],
)
def test_a_category_that_is_missing_is_named_or_left_out(
    column: pa.Array, what: str, left: int
) -> None:
    rows = table(g=column)
    with pytest.raises(ValueError, match=f"^column 'g' is {what}".replace("(", r"\(")[:-1]):
        fitted(rows, categorical=["g"])
    source = ArrowSource(rows, target="y", categorical=["g"], nulls="drop")
    found = fastlogit.fit(source, C=1.0)
    assert (source.n_rows, source.n_dropped, len(found.coef)) == (left, N - left, 3)


def test_a_label_that_is_missing_in_a_dictionary_is_named_or_left_out() -> None:
    rows = table(y=coded(pa.array([0.0, NAN, 1.0])))
    with pytest.raises(ValueError, match=r"^column 'y' is NaN \(row 1\); leave such rows out"):
        fitted(rows)
    assert fitted(rows, nulls="drop").classes.tolist() == [0.0, 1.0]


@pytest.mark.parametrize("kind", [pa.float16(), pa.float64()])
def test_lists_with_both_nulls_and_nan_inside(kind: pa.DataType) -> None:
    half = np.float16
    rows = [[half(1), None], [half(2), half(3)], [half(NAN), half(1)], [half(3), half(4)], None]
    source = ArrowSource(
        table(emb=repeated(*rows, kind=pa.list_(kind, 2))), target="y", nulls="drop"
    )
    assert fastlogit.fit(source, C=1.0).feature_names == ["x", "emb[0]", "emb[1]"]
    assert (source.n_rows, source.n_dropped) == (2 * N // 5, 3 * N // 5)


def test_columns_that_arrow_has_not_are_named() -> None:
    frame = polars.DataFrame({"x": X, "y": Y, "big": Y}).cast({"big": polars.Int128})
    for rows in (frame, frame.lazy()):
        with pytest.raises(TypeError, match=r"'big' has a type that Arrow has not \(Int128\)"):
            fitted(rows, features=["x"])


def test_a_reader_that_was_read_before_says_so() -> None:
    reader = pa.RecordBatchReader.from_batches(table().schema, table().to_batches())
    assert fitted(reader).converged
    with pytest.raises(ValueError, match="has no rows; if it was read before, make a new one"):
        fitted(reader)


# ---- what is refused before work


@pytest.mark.parametrize(
    ("columns", "options", "kind", "text"),
    [
        ({"y": repeated({"a": 1}, {"a": 2})}, {}, TypeError, "'y' (target) has the type struct"),
        ({"y": repeated(b"a", b"b")}, {}, TypeError, "'y' (target) has the type binary"),
        ({"g": repeated(b"a", b"b")}, {"categorical": ["g"]}, TypeError, "(categorical)"),
        ({"g": repeated([1], [2])}, {"categorical": ["g"]}, TypeError, "has the type list"),
        ({"g": repeated("a", "b")}, {"features": ["x"], "categorical": ["g"]}, ValueError,
         "'g' is named in categorical= but not in features="),
        ({"e": repeated([1.0, 2.0], kind=pa.list_(pa.float64(), 2))}, {"features": ["e[1]"]},
         ValueError, "'e[1]', an element of the list 'e', which is read whole: name 'e'"),
        ({"e": repeated([1.0, 2.0], kind=pa.list_(pa.float64(), 2)), "e[1]": X}, {}, ValueError,
         "has a column 'e[1]' beside the list whose element is called so"),
    ],
)  # fmt: skip
def test_columns_of_no_use_are_named(
    columns: dict[str, Any], options: dict[str, Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind) as caught:
        fitted(table(**columns), **options)
    assert text in str(caught.value)


def test_elements_of_a_list_stand_for_it_where_all_are_named() -> None:
    rows = table(e=repeated([1.0, 2.0], [0.5, 3.0], kind=pa.list_(pa.float64(), 2)))
    assert fitted(rows, features=["e[0]", "e[1]", "x"]).feature_names == ["e[0]", "e[1]", "x"]
