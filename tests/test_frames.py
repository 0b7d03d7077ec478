"""Categorical columns of frames as codes and values, whatever the library."""

import datetime

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from fastlogit.inputs.frames import (
    categorical_places,
    level_of,
    number_columns,
    read_column,
    sparse_columns,
    sparse_places,
)

VALUES = ["b", "a", None, "b", "c"]


def values_of(X, place=0):
    """The column again, from codes and values."""
    codes, values = read_column(X, place)
    assert len(set(values)) == len(values)
    return [None if code < 0 else values[code] for code in codes.tolist()], values


def chunks(*parts):
    return pa.chunked_array([pa.array(part).dictionary_encode() for part in parts])


ARROW = pd.ArrowDtype(pa.dictionary(pa.int16(), pa.string()))
COLUMNS = {
    "pandas": (pd.DataFrame({"c": pd.Categorical(VALUES)}), ["a", "b", "c"]),
    "pandas, declared": (
        pd.DataFrame({"c": pd.Categorical(VALUES, categories=list("xcba"), ordered=True)}),
        ["x", "c", "b", "a"],
    ),
    "pandas, arrow": (pd.DataFrame({"c": pd.Series(VALUES).astype(ARROW)}), ["b", "a", "c"]),
    "polars": (pl.DataFrame({"c": pl.Series(VALUES, dtype=pl.Categorical)}), ["a", "b", "c"]),
    "polars, Enum": (
        pl.DataFrame({"c": pl.Series(VALUES, dtype=pl.Enum(["c", "x", "b", "a"]))}),
        ["c", "x", "b", "a"],
    ),
    "arrow": (pa.table({"c": pa.array(VALUES).dictionary_encode()}), ["b", "a", "c"]),
    "arrow batch": (
        pa.record_batch({"c": pa.array(VALUES).dictionary_encode()}),
        ["b", "a", "c"],
    ),
    "arrow, dictionaries that differ": (
        pa.table({"c": chunks(["b", "a", None], ["b", "c"])}),
        ["b", "a", "c"],
    ),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_categorical_columns(kind) -> None:
    frame, order = COLUMNS[kind]
    assert categorical_places(frame) == [0]
    found, values = values_of(frame)
    assert (found, values) == (VALUES, order)


def test_texts_that_the_process_has_seen_before_change_no_order() -> None:
    pl.Series(["c", "zz", "b"], dtype=pl.Categorical)
    found, values = values_of(pl.DataFrame({"c": pl.Series(VALUES, dtype=pl.Categorical)}))
    assert (found, values) == (VALUES, ["a", "b", "c"])


def test_a_dictionary_with_a_value_twice_or_none() -> None:
    twice = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 2]), pa.array(["b", None, "b"]))
    assert values_of(pa.table({"c": twice})) == (["b", None, None, "b"], ["b"])


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([None, None], dtype=pl.Categorical),
        pl.Series([], dtype=pl.Categorical),
        pl.Series([None, None], dtype=pl.Enum(["a"])),
    ],
)
def test_a_column_without_values(column) -> None:
    assert values_of(column.to_frame("c"))[0] == [None] * len(column)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"c": pd.Series(VALUES, dtype=object)}),
        pd.DataFrame({"c": pd.Series(VALUES, dtype="string")}),
        pl.DataFrame({"c": VALUES}),
        pa.table({"c": VALUES}),
    ],
    ids=["objects", "string", "polars", "arrow"],
)
def test_a_column_of_text_is_read_by_value_but_is_no_category(frame) -> None:
    assert categorical_places(frame) == []
    assert values_of(frame)[0] == VALUES


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({"c": [3, 1, 3]}),
        pl.DataFrame({"c": [3, 1, 3]}),
        pa.table({"c": [3, 1, 3]}),
        pd.DataFrame({"c": pd.Categorical([3, 1, 3])}),
    ],
)
def test_whole_numbers_remain_such(frame) -> None:
    found, values = values_of(frame)
    assert found == [3, 1, 3]
    assert all(type(value) is int for value in values)


@pytest.mark.parametrize(
    ("value", "level"),
    [
        ("a", "a"),
        (np.str_("a"), "a"),
        (np.int8(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (datetime.date(2020, 1, 2), "2020-01-02"),
        (pd.Interval(0, 1), "(0, 1]"),
    ],
)
def test_levels(value, level) -> None:
    found = level_of(value)
    assert found == level
    assert type(found) is type(level)


def test_sparse_columns_beside_others() -> None:
    frame = pd.DataFrame({
        "x": [1.0, 2.0],
        "a": pd.arrays.SparseArray([False, True]),
        "b": pd.arrays.SparseArray([0.5, 0.0], fill_value=0.0),
        "c": pd.arrays.SparseArray([1.0, 2.0], fill_value=1.0),
    })  # fmt: skip
    assert sparse_places(frame) == [1, 2, 3]
    assert sparse_places(np.ones((2, 2))) == []
    np.testing.assert_array_equal(sparse_columns(frame, [1, 2]).dense(), [[0, 0.5], [1, 0]])
    assert sparse_columns(frame, [1]).dense().tolist() == [[0.0], [1.0]]
    assert sparse_columns(frame, [3]) is None
    assert sparse_columns(frame, [2, 3]) is None


def test_columns_of_numbers_beside_them() -> None:
    frame = pd.DataFrame({"x": [1, 2], "c": pd.Categorical(["a", "b"]), "y": [0.5, 1.5]})
    np.testing.assert_array_equal(number_columns(frame, [0, 2]), [[1.0, 0.5], [2.0, 1.5]])
    assert categorical_places(np.ones((2, 2))) == []
    assert categorical_places([[1.0]]) == []
    assert categorical_places(frame["c"]) == []
    with pytest.raises(TypeError, match="column 't' holds 'a'"):
        number_columns(frame.assign(t="a"), [3])
