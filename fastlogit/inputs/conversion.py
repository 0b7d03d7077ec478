"""What users hand in -> NumPy arrays: data frames, tables, lists, arrays of other libraries.

One way for every entry, so that a table means the same numbers at each of them. No library of
frames is imported here: what someone hands in is known by the names of its classes.

Number types are joined as NumPy joins them, which loses nothing but whole numbers above 2^53:
bool and float32 columns make a float32 array, int64 and float32 columns a float64 one. float16,
long double, decimals and Python's own numbers become float64. Missing values become NaN, which the
checks that follow name by row and column.
"""

from __future__ import annotations

import datetime
import decimal
import functools
import numbers
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias, TypeGuard

import numpy as np

from ..arrays import Array, ArrayLike, DType, Features
from .coded_frame import CodedFrame

__all__ = [
    "IMPUTE",
    "arrow_kind",
    "as_array",
    "as_labels",
    "as_numbers",
    "as_real",
    "as_table",
    "column_text",
    "differing_names",
    "feature_names",
    "is_frame",
    "is_missing",
    "is_plain",
    "is_readable",
    "names_and_text_names",
    "pandas_kind",
    "polars_kind",
    "refuse_lazy",
    "refuse_names_twice",
    "refuse_special",
    "show",
    "text_names",
]

# A frame, column or type of pandas, polars or pyarrow, none of which is imported here: its reader
# knows what to ask of it.
Foreign: TypeAlias = Any

# NumPy's one-letter names of the number types that kernels read.
READABLE = frozenset("?bBhHiIlLqQfd")
# Labels of these kinds are taken as they are.
PLAIN_LABELS = frozenset("biufU")
# Whole numbers up to here are exact in float64.
EXACT = 2**53
FLOAT64 = np.dtype(np.float64)

DATES = (
    "dates and times are not numbers; make numbers of them first, e.g. the days since a fixed date"
)
ENCODE = (
    "encode text columns first, e.g. with sklearn.preprocessing.OneHotEncoder, or convert with "
    "astype(float); as a categorical column of a frame (pandas: astype('category'), polars: "
    "cast(pl.Categorical)) most fits take it"
)
CATEGORIES = (
    "categories are not numbers; fit, LogisticRegression, LogisticRegressionCV, logistic_path, "
    "Problem and cost read columns of them, as do the models that they fit, and predict with "
    "categories=result.categories; elsewhere pass indicators, e.g. pandas.get_dummies(X, "
    "dtype=float), or cast the column to a number type if that is what they are"
)
IMPUTE = "impute first, e.g. with sklearn.impute.SimpleImputer"
LABELS = "labels must be numbers, booleans or strings"
_SOURCE = (
    "which only fits, infer and predictions read; pass rows in memory, as those of "
    "pyarrow.dataset.dataset(path).to_table()"
)
# What holds no rows yet, and how to get them. {0} is the name of the argument.
LAZY = {
    ("polars", "LazyFrame"): (
        "whose rows are not computed yet; pass {0}.collect(), or fit it with target='column'"
    ),
    ("pyarrow", "RecordBatchReader"): (
        "which can be read only once; pass {0}.read_all(), or fit it with target='column'"
    ),
    ("pyarrow", "Dataset"): (
        "whose rows are not read yet; pass {0}.to_table(), or fit it with target='column'"
    ),
    ("pyarrow", "Scanner"): "whose rows are not read yet; pass {0}.to_table()",
    ("duckdb", "DuckDBPyRelation"): (
        "whose rows are not computed yet; pass {0}.df(), {0}.pl() or {0}.to_arrow_table(), or fit "
        "it with target='column'"
    ),
    ("fastlogit", "ParquetSource"): _SOURCE,
    ("fastlogit", "ArrowSource"): _SOURCE,
    ("fastlogit", "BatchSource"): (
        "which only fits read, from the first batch to the last; hand in its batches one by one"
    ),
    ("dask", "DataFrame"): "whose rows are not computed yet; pass {0}.compute()",
}


# ------------------------------------------------------------------------------------------------
# Names of columns


def feature_names(X: ArrayLike) -> list[str] | None:
    """Return the column names of a data frame as text, or None."""
    columns = _columns(X)
    return None if columns is None else [str(name) for name in columns]


def text_names(X: ArrayLike) -> list[str] | None:
    """Return the column names where all are text, else None: the rule of scikit-learn."""
    return names_and_text_names(X)[1]


def names_and_text_names(X: ArrayLike) -> tuple[list[str] | None, list[str] | None]:
    """Return `feature_names` and `text_names`; pandas takes 1 us to tell a name."""
    columns = _columns(X)
    if columns is None:
        return None, None
    listed = list(columns)
    names = [str(name) for name in listed]
    return names, names if listed and all(isinstance(name, str) for name in listed) else None


def _columns(X: ArrayLike) -> Foreign:
    # A pyarrow table's columns are the data themselves; a record batch's names are in its schema.
    columns = getattr(X, "column_names", getattr(X, "columns", None))
    if columns is None or callable(columns) or hasattr(columns, "inverse_scale"):
        return None  # those of a design are its units
    names = getattr(getattr(X, "schema", None), "names", None)
    return names if callable(getattr(X, "to_pylist", None)) and names is not None else columns


def differing_names(found: Sequence[str], expected: Sequence[str]) -> str:
    """Say how the columns of X differ from those of the fit; empty if they do not."""
    if list(found) == list(expected):
        return ""
    missing = [name for name in expected if name not in set(found)]
    more = [name for name in found if name not in set(expected)]
    parts = [f"lacks {_listed(missing)}"] * bool(missing)
    parts += [f"has {_listed(more)} beside them"] * bool(more)
    if parts:
        return f"X must have the columns of the fit, in that order: it {' and '.join(parts)}"
    if len(found) != len(expected):
        return f"X has {len(found)} columns, some twice, but the fit had {len(expected)}"
    place = next(i for i, name in enumerate(expected) if found[i] != name)
    return (
        f"X has the columns of the fit in another order: column {place} is {found[place]!r}, but "
        f"was {expected[place]!r}; sort them first"
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more


# ------------------------------------------------------------------------------------------------
# Numbers


def as_numbers(name: str, given: ArrayLike) -> Array:
    """Return real numbers as an array that kernels read; an array that they read, as it is.

    Parameters
    ----------
    name : str
        What the user calls it, for messages.
    given : array-like, data frame, series or table

    Returns
    -------
    ndarray of bool, integers, float32 or float64

    Raises
    ------
    TypeError
        If it holds text, categories, dates, complex numbers or other objects, is masked or sparse,
        or has no rows yet.
    ValueError
        If an object array has missing values.
    """
    if type(given) is np.ndarray and given.dtype.char in READABLE:
        return given
    return as_real(name, as_array(name, given), given)


def as_array(name: str, given: ArrayLike) -> Array:
    """Return an array of what NumPy or this module can make one of, of whatever type."""
    if type(given) is np.ndarray:
        return given
    reader = _reader(given)
    if reader is not None:
        return reader.numbers(name, given)
    refuse_special(name, given)
    try:
        return np.asarray(given)
    except (TypeError, ValueError):
        raise
    except Exception as error:  # whatever the library behind it raises
        raise TypeError(
            f"{name} is a {_class_name(given)}, of which NumPy can make no array: {error}"
        ) from error


def as_table(X: ArrayLike) -> Array:
    """Return X by `as_array`; raises ValueError for a frame two of whose columns have one name.

    Messages, coefficients and the check of names at prediction would mean either of them, and
    scikit-learn's own checks of frames raise what their library raises.
    """
    array = as_array("X", X)
    refuse_names_twice(X)
    return array


def refuse_names_twice(X: ArrayLike) -> None:
    """Raise ValueError for a frame two of whose columns have one name."""
    if type(X) is not np.ndarray and is_frame(X):
        columns = _columns(X)
        names = [] if columns is None else list(columns)
        if len(set(names)) < len(names):
            twice = [name for name, count in Counter(names).items() if count > 1]
            places = [place for place, name in enumerate(names) if name == twice[0]]
            raise ValueError(
                f"X has {len(places)} columns called {twice[0]!r} (columns "
                f"{', '.join(map(str, places))}, counting from 0)"
                + f", and {_listed(twice[1:])} more than once" * (len(twice) > 1)
                + "; give each column a name of its own, or pass an array"
            )


def is_readable(dtype: DType) -> bool:
    """Say whether kernels read numbers of this type."""
    return np.dtype(dtype).char in READABLE


def is_frame(given: ArrayLike) -> bool:
    """Say whether it is a frame, table or series of a library that this module knows."""
    return _reader(given) is not None


def is_plain(X: ArrayLike) -> TypeGuard[Features]:
    """Say whether kernels can read X as it is, and nothing about its shape is amiss."""
    return type(X) is np.ndarray and X.ndim == 2 and X.size > 0 and X.dtype.char in READABLE


def refuse_lazy(name: str, value: ArrayLike) -> None:
    """Raise for what holds no rows yet: a look at its columns may already take long."""
    reader = _reader(value)
    if reader is not None and reader in _LAZY_READERS.values():
        reader.numbers(name, value)


def refuse_special(name: str, value: object) -> None:
    """Raise for a masked array or a sparse matrix."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, whose mask would be ignored; fill it first, e.g. with "
            f"{name}.filled(value) or by imputation"
        )
    if hasattr(value, "tocsr") or hasattr(value, "todense"):
        has_only = hasattr(value, "todense") and not hasattr(value, "toarray")
        how = "todense" if has_only else "toarray"
        raise TypeError(
            f"{name} is sparse ({type(value).__name__}), which is not supported here; if it "
            f"fits in memory, pass {name}.{how}()"
        )


def as_real(name: str, array: Array, given: ArrayLike) -> Array:
    """Return the array in a type that kernels read."""
    if array.dtype.char in READABLE:
        return array
    kind = array.dtype.kind
    if kind == "f":
        with np.errstate(over="ignore"):  # long doubles beyond float64 are named as infinite later
            return array.astype(np.float64)
    if kind == "O":
        return _floats_of_objects(name, array, feature_names(given))
    if kind == "c":
        raise TypeError(
            f"{name} must hold real numbers, got dtype {array.dtype}; take a real part first"
        )
    if kind in "mM":
        raise TypeError(f"{name} has dtype {array.dtype}: {DATES}")
    if kind == "V":
        raise TypeError(
            f"{name} has dtype {array.dtype}, a structured one; use "
            f"numpy.lib.recfunctions.structured_to_unstructured({name})"
        )
    if name != "X":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}")
    raise TypeError(f"{name} has dtype {array.dtype}; {ENCODE}")


def _floats_of_objects(name: str, array: Array, names: Sequence[str] | None) -> Array:
    """Return Python's or NumPy's numbers as float64; raise for the first thing that is none."""
    kinds = set(map(type, array.ravel()))  # 30 ns a value; most arrays hold one or two types
    if all(_is_number(kind) for kind in kinds):
        try:
            return array.astype(np.float64)
        except (OverflowError, ValueError):
            pass  # a whole number beyond float64, or a signalling NaN: the loop finds it
    for index, value in np.ndenumerate(array):
        _refuse_object(name, array, index, value, names)
    return array.astype(np.float64)


def _is_number(kind: type) -> bool:
    return issubclass(kind, numbers.Real | np.bool_ | decimal.Decimal)


def _refuse_object(
    name: str, array: Array, index: tuple[int, ...], value: object, names: Sequence[str] | None
) -> None:
    """Raise if a value of an object array is no number."""
    row = f" (row {index[0]})" if index else ""
    column = column_text(index[1], names) if array.ndim == 2 else ""
    holds = f"{name} has dtype {array.dtype}: {column or 'it'} holds {show(value)}{row}"
    if _is_number(type(value)):
        try:
            float(value)  # type: ignore[arg-type]  # a number, as `_is_number` says
        except (OverflowError, ValueError):
            raise ValueError(f"{holds}, which is no number that float64 can hold") from None
    elif is_missing(value):
        where = f" in {column}" * bool(column)
        advice = IMPUTE if name == "X" else "drop such rows, or fill them"
        raise ValueError(f"{name} contains {value!r}{where}{row}; {advice}")
    elif isinstance(value, str | bytes):
        raise TypeError(f"{holds}; {ENCODE}")
    elif _is_date(value):
        raise TypeError(f"{holds}: {DATES}")
    else:
        raise TypeError(
            f"{holds}: float()'s argument must be a string or a real number, not "
            f"{type(value).__name__!r}"
        )


def is_missing(value: object) -> bool:
    """Say whether a value is None, NaN, NaT or pandas.NA."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, numbers.Real | decimal.Decimal) and value != value


def _is_date(value: object) -> bool:
    """Say whether a value is a date, time or span of time, or a period of pandas."""
    dates = datetime.date | datetime.time | datetime.timedelta | np.datetime64 | np.timedelta64
    return isinstance(value, dates) or type(value).__name__ == "Period"


def column_text(column: int, names: Sequence[str] | None) -> str:
    """Return how messages call a column."""
    return f"column {column}" if names is None else f"column {names[column]!r}"


def show(value: object) -> str:
    """Return a value as messages show it."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a whole number of {value.bit_length()} bits"
    return repr(value)


def _class_name(given: ArrayLike) -> str:
    return f"{type(given).__module__.partition('.')[0]}.{type(given).__qualname__}"


# ------------------------------------------------------------------------------------------------
# Labels


def as_labels(given: ArrayLike) -> Array:
    """Return labels as an array of their own type; objects remain only where all are text.

    Whole numbers stay exact: nullable integers become integers, not floats.

    Parameters
    ----------
    given : array-like, series or table

    Returns
    -------
    ndarray
        Of any number of dimensions, and of a type that the caller looks at.

    Raises
    ------
    TypeError
        If it is masked or sparse, or holds dates, periods, intervals, several types or other
        objects.
    ValueError
        If a label is missing, or whole numbers do not fit one type.
    """
    if type(given) is np.ndarray and given.dtype.kind in PLAIN_LABELS:
        return given
    reader = _reader(given)
    if reader is not None:
        labels = reader.labels("y", given)
    else:
        refuse_special("y", given)
        labels = np.asarray(given)
    if labels.dtype.kind in "mM":
        raise TypeError(f"y has dtype {labels.dtype}: {LABELS}, not dates; use y.astype(str)")
    if labels.dtype.kind == "O":
        return _labels_of_objects(labels)
    if labels.dtype.kind == "f" and isinstance(given, list | tuple):
        with np.errstate(invalid="ignore"):
            large = bool((np.abs(labels) >= EXACT).any())
        if large:  # NumPy joins numbers of two types in a list to floats
            return _labels_of_objects(np.array(given, dtype=object))
    return labels


def _labels_of_objects(labels: Array) -> Array:
    """Return an object array of numbers as one of numbers; one of texts as it is."""
    kinds = set(map(type, labels.ravel()))
    if all(issubclass(kind, str) for kind in kinds):
        return labels
    if not all(issubclass(kind, numbers.Integral | np.bool_) for kind in kinds):
        for index, label in np.ndenumerate(labels):
            if is_missing(label):
                raise _missing_label(label, index[0] if index else 0)
    if all(_is_number(kind) for kind in kinds):
        return _labels_of_numbers(labels, kinds)
    if kinds == {bytes}:
        return labels.astype(bytes)
    for index, label in np.ndenumerate(labels):
        what = "dates" if _is_date(label) else "intervals" * (type(label).__name__ == "Interval")
        if what:
            row = index[0] if index else 0
            raise TypeError(f"y holds {what}: {label!r} (row {row}); {LABELS}; use y.astype(str)")
    names = sorted("str" if issubclass(kind, str) else kind.__name__ for kind in kinds)
    if len(names) > 1:
        raise TypeError(f"y mixes labels of the types {', '.join(names)}; use one type for all")
    raise TypeError(f"y holds labels of type {names[0]}; {LABELS}")


def _labels_of_numbers(labels: Array, kinds: set[type]) -> Array:
    if all(issubclass(kind, bool | np.bool_) for kind in kinds):
        return labels.astype(bool)
    if all(issubclass(kind, numbers.Integral | np.bool_) for kind in kinds):
        low, high = int(labels.min()), int(labels.max())
        for dtype in (np.int64, np.uint64):
            if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
                return labels.astype(dtype)
        raise ValueError(
            f"y holds whole numbers from {low} to {high}, more than 64 bits hold; use "
            "strings as labels"
        )
    floats = labels.astype(np.float64)
    for index, label in np.ndenumerate(labels):
        if isinstance(label, numbers.Integral) and int(label) != int(floats[index]):
            raise ValueError(
                f"y mixes {label!r} (row {index[0]}) with floats, where it is not exact; use "
                "whole numbers for all labels"
            )
    return floats


def _missing_label(label: object, row: int) -> ValueError:
    return ValueError(f"y contains {label!r} (row {row}); drop such rows first")


# ------------------------------------------------------------------------------------------------
# Libraries


class _Reader(NamedTuple):
    """How the objects of a class become arrays, from the argument's name and the object."""

    numbers: Callable[[str, Foreign], Array]
    labels: Callable[[str, Foreign], Array]


def _reader(given: ArrayLike) -> _Reader | None:
    """Return how to read an object of a library that is known here."""
    return _reader_of(type(given))  # type: ignore[arg-type]


_LAZY_READERS: dict[tuple[str, str], _Reader] = {}


@functools.lru_cache(maxsize=256)
def _reader_of(kind: type) -> _Reader | None:
    """Return how to read objects of a class; found by the names of its library and bases."""
    for base in kind.__mro__:
        origin = base.__module__.partition(".")[0].lstrip("_"), base.__name__
        if origin in LAZY:
            refuse = functools.partial(_refuse_lazy, base, LAZY[origin])
            return _LAZY_READERS.setdefault(origin, _Reader(refuse, refuse))
        if origin in READERS:
            return READERS[origin]
    return None


def _refuse_lazy(kind: type, advice: str, name: str, given: ArrayLike) -> Array:
    library = kind.__module__.partition(".")[0].lstrip("_")
    raise TypeError(f"{name} is a {library} {kind.__name__}, {advice.format(name)}")


def _joined(types: set[DType], *, nullable: bool) -> DType:
    """Return the type that holds columns of all the types given, as kernels read it."""
    if len(types) == 1:  # of any byte order
        joined = np.dtype(next(iter(types)))
        if joined.char == "d":
            return joined
    else:
        joined = np.result_type(*types)
    if joined.char == "f" or (joined.kind in "biu" and not nullable):
        return joined
    return FLOAT64


def _refuse_column(name: str, dtype: Foreign, column: object, first: object, kind: str) -> NoReturn:
    """Raise for a column of a frame that holds no numbers."""
    where = f"{name} has dtype {dtype} in column {column!r}"
    if kind == "dates":
        raise TypeError(f"{where}: {DATES}")
    if kind == "categories":
        raise TypeError(f"{where}: {CATEGORIES}")
    if kind == "complex":
        raise TypeError(f"{where}, complex numbers; take a real part first")
    if kind == "text":
        raise TypeError(
            f"{name} has dtype {dtype}: column {column!r} holds {first!r} (row 0); {ENCODE}"
        )
    raise TypeError(f"{where}, which holds no numbers; make columns of numbers of it, or drop it")


# pandas


def _pandas_numbers(name: str, frame: Foreign) -> Array:
    """Return a frame of any mixture of number columns, without a copy where pandas needs none."""
    columns = list(frame.dtypes)
    kinds = {dtype: pandas_kind(dtype) for dtype in set(columns)}
    bad = {k: kind for k, kind in kinds.items() if isinstance(kind, str) and kind != "objects"}
    if bad:
        place = next(i for i, dtype in enumerate(columns) if dtype in bad)
        dtype, column = columns[place], frame.columns[place]
        if bad[dtype] == "sparse":
            raise TypeError(_sparse_text(name, frame, columns, kinds, column))
        first = frame.iloc[0, place] if len(frame) else None
        _refuse_column(name, dtype, column, first, bad[dtype])
    objects = [i for i, dtype in enumerate(columns) if kinds[dtype] == "objects"]
    types = {FLOAT64 if isinstance(kind, str) else kind for kind in kinds.values()}
    extensions = any(not isinstance(dtype, np.dtype) for dtype in kinds)
    joined = _joined(types or {FLOAT64}, nullable=extensions)
    if objects:
        return _with_objects(name, frame, objects, joined)
    if extensions:
        return np.asarray(frame.to_numpy(dtype=joined, na_value=np.nan))
    only = columns[0] if len(kinds) == 1 else None
    if only is not None and only.newbyteorder("=") == joined:
        return np.asarray(frame.to_numpy())  # of any byte order, as it lies
    return np.asarray(frame.to_numpy(dtype=joined))


def _with_objects(name: str, frame: Foreign, objects: list[int], joined: DType) -> Array:
    """Return a frame some of whose columns are objects, which are looked at one by one."""
    out = np.empty(frame.shape, dtype=joined, order="F")
    others = np.setdiff1d(np.arange(frame.shape[1]), objects)
    if others.size:
        out[:, others] = _pandas_numbers(name, frame.iloc[:, others])
    for place in objects:
        column = np.asarray(frame.iloc[:, [place]], dtype=object)
        out[:, [place]] = _floats_of_objects(name, column, [str(frame.columns[place])])
    return out


def pandas_kind(dtype: Foreign) -> DType | str:
    """Return the NumPy type of a number column, or in a word what else it holds."""
    if isinstance(dtype, np.dtype):
        found = {"O": "objects", "M": "dates", "m": "dates", "c": "complex", "U": "text"}
        return found.get(dtype.kind, dtype)
    arrow = getattr(dtype, "pyarrow_dtype", None)
    if arrow is not None:
        return arrow_kind(arrow)
    found = {
        "SparseDtype": "sparse", "CategoricalDtype": "categories", "DatetimeTZDtype": "dates",
        "PeriodDtype": "dates", "IntervalDtype": "intervals", "StringDtype": "text",
    }  # fmt: skip
    return found.get(type(dtype).__name__, getattr(dtype, "numpy_dtype", "other"))


def _sparse_text(
    name: str, frame: Foreign, columns: list[Foreign], kinds: Mapping[Foreign, DType | str],
    column: object,
) -> str:  # fmt: skip
    """Say how to make a frame dense, in a way that works for this one."""
    if all(kinds[dtype] == "sparse" for dtype in columns):
        return (
            f"{name} is a frame of sparse columns, which are not supported; if it fits in memory, "
            f"pass {name}.sparse.to_dense()"
        )
    dtype = columns[list(frame.columns).index(column)]
    where = f"{name} has dtype {dtype} in column {column!r}, a sparse one"
    if dtype.fill_value != 0:
        return (
            f"{where} that leaves out others than zeros, which is not supported; pass "
            f"{name}.astype({{{column!r}: float}})"
        )
    return f"{where}, which is not supported; if it fits in memory, pass {name}.astype(float)"


def _pandas_column(name: str, series: Foreign) -> Array:
    return _pandas_numbers(name, _series(series).to_frame())[:, 0]


def _series(given: Foreign) -> Foreign:
    """Return a pandas series of a series, an index or an extension array."""
    if hasattr(given, "iloc"):
        return given
    return sys.modules["pandas"].Series(given)


def _pandas_labels(name: str, given: Foreign) -> Array:
    series = _series(given)
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return np.asarray(series)
    missing = np.asarray(series.isna(), dtype=bool)
    if missing.any():
        row = int(np.argmax(missing))
        raise _missing_label(series.iloc[row], row)
    if type(dtype).__name__ == "CategoricalDtype":
        return _pandas_labels(name, series.astype(dtype.categories.dtype))
    kind = pandas_kind(dtype)
    if isinstance(kind, np.dtype) and not str(dtype).startswith("decimal"):
        return np.asarray(series.to_numpy(dtype=kind))
    return np.asarray(series, dtype=object)


def _pandas_table_labels(name: str, frame: Foreign) -> Array:
    if frame.shape[1] != 1:
        return np.asarray(frame)
    return as_labels(frame.iloc[:, 0])[:, None]


# polars


def _polars_numbers(name: str, frame: Foreign) -> Array:
    types: set[DType] = set()
    columns, plain = [], True
    for column, dtype in frame.schema.items():
        kind = polars_kind(dtype)
        if kind == "objects":
            columns.append(column)
        elif isinstance(kind, str):
            first = frame[column][0] if len(frame) else None
            _refuse_column(name, dtype, column, first, kind)
        types.add(FLOAT64 if isinstance(kind, str) else kind)
        plain = plain and isinstance(kind, np.dtype) and not dtype.is_decimal()
    nullable = any(frame.null_count().row(0)) if frame.width else False
    joined = _joined(types or {FLOAT64}, nullable=nullable)
    if columns:
        return _polars_objects(name, frame, joined)
    if plain and types == {joined} and not nullable:
        return np.asarray(frame.to_numpy())
    polars = sys.modules["polars"]
    target = getattr(polars, joined.name.title().replace("Ui", "UI").replace("Bool", "Boolean"))
    return np.asarray(frame.cast(target).to_numpy())


def _polars_objects(name: str, frame: Foreign, joined: DType) -> Array:
    """Return a frame some of whose columns are Python's objects."""
    out = np.empty(frame.shape, dtype=joined, order="F")
    for place, (column, dtype) in enumerate(frame.schema.items()):
        if polars_kind(dtype) == "objects":
            values = np.array(frame[column].to_list(), dtype=object)[:, None]
            out[:, [place]] = _floats_of_objects(name, values, [column])
        else:
            out[:, [place]] = _polars_numbers(name, frame.select(column))
    return out


def polars_kind(dtype: Foreign) -> DType | str:
    """Return the NumPy type of a polars type of numbers, or in a word what else it is."""
    if dtype.is_decimal():
        return FLOAT64
    if dtype.is_temporal():
        return "dates"
    kind = dtype.base_type().__name__
    if dtype.is_numeric() or kind == "Boolean":
        return _NUMBERS_OF_POLARS.get(kind, FLOAT64)
    found: dict[str, DType | str] = {
        "String": "text", "Utf8": "text", "Categorical": "categories", "Enum": "categories",
        "Object": "objects", "Null": FLOAT64,
    }  # fmt: skip
    return found.get(kind, "other")


_NUMBERS_OF_POLARS = {
    **{f"Int{bits}": np.dtype(f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"UInt{bits}": np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    "Float32": np.dtype(np.float32),
    "Boolean": np.dtype(bool),
}


def _polars_column(name: str, series: Foreign) -> Array:
    if series.dtype.is_nested():
        return as_real(name, np.asarray(series.to_numpy()), None)
    return _polars_numbers(name, series.to_frame())[:, 0]


def _polars_labels(name: str, series: Foreign) -> Array:
    if series.null_count():
        raise _missing_label(None, int(series.is_null().arg_max()))
    kind = polars_kind(series.dtype)
    if kind == "dates":
        raise TypeError(
            f"y has dtype {series.dtype}: {LABELS}, not dates; use y.cast(polars.String)"
        )
    if kind == "objects":
        return np.array(series.to_list(), dtype=object)
    if series.dtype.is_decimal():
        return _polars_column(name, series)
    return np.asarray(series)


def _polars_table_labels(name: str, frame: Foreign) -> Array:
    if frame.width != 1:
        return np.asarray(frame)
    return as_labels(frame.to_series())[:, None]


# pyarrow


def _arrow_numbers(name: str, table: Foreign) -> Array:
    names, columns = table.schema.names, table.columns
    kinds: list[DType] = []
    for column, values in zip(names, columns, strict=True):
        kind = arrow_kind(values.type)
        if isinstance(kind, str):
            first = values[0].as_py() if len(values) else None
            _refuse_column(name, values.type, column, first, kind)
        else:
            kinds.append(kind)
    nullable = any(column.null_count for column in columns)
    joined = _joined(set(kinds) or {FLOAT64}, nullable=nullable)
    out = np.empty((table.num_rows, len(columns)), dtype=joined, order="F")
    for place, (values, kind) in enumerate(zip(columns, kinds, strict=True)):
        decimals = str(values.type).startswith("decimal")
        cast = decimals or str(values.type) == "null" or (kind.kind == "b" and values.null_count)
        out[:, place] = np.asarray(values.cast("float64") if cast else values)
    return out


def arrow_kind(arrow: Foreign) -> DType | str:
    """Return the NumPy type of an Arrow type of numbers, or in a word what else it is."""
    text = str(arrow)
    for start, kind in _KINDS_OF_ARROW.items():
        if text.startswith(start):
            return kind
    return np.dtype(arrow.to_pandas_dtype()) if text in _NUMBERS_OF_ARROW else "other"


_KINDS_OF_ARROW: dict[str, DType | str] = {
    "decimal": FLOAT64, "null": FLOAT64, "dictionary": "categories",
    "timestamp": "dates", "date": "dates", "time": "dates", "duration": "dates",
    "month_day_nano_interval": "dates", "string": "text", "large_string": "text",
}  # fmt: skip
_NUMBERS_OF_ARROW = {
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    "bool", "halffloat", "float", "double",
}  # fmt: skip


def _arrow_column(name: str, column: Foreign) -> Array:
    return _arrow_numbers(name, sys.modules["pyarrow"].table({name: column}))[:, 0]


def _arrow_labels(name: str, column: Foreign) -> Array:
    if column.null_count:
        valid = np.asarray(column.is_valid(), dtype=bool)
        raise _missing_label(None, int(np.argmin(valid)))
    kind = arrow_kind(column.type)
    if kind == "dates":
        raise TypeError(f'y has dtype {column.type}: {LABELS}, not dates; use y.cast("string")')
    if kind == "categories":
        return _arrow_labels(name, column.cast(column.type.value_type))
    if isinstance(kind, np.dtype):
        return _arrow_column(name, column) if kind.kind == "f" else np.asarray(column)
    return np.array(column.to_pylist(), dtype=object)


def _arrow_table_labels(name: str, table: Foreign) -> Array:
    if table.num_columns != 1:
        return np.asarray(table)
    return as_labels(table.columns[0])[:, None]


def _our_numbers(name: str, frame: CodedFrame) -> Array:
    if frame.coded:
        _refuse_column(name, "codes", frame.columns[min(frame.coded)], None, "categories")
    return frame.numbers


READERS = {
    ("pandas", "DataFrame"): _Reader(_pandas_numbers, _pandas_table_labels),
    ("pandas", "Series"): _Reader(_pandas_column, _pandas_labels),
    ("pandas", "Index"): _Reader(_pandas_column, _pandas_labels),
    ("pandas", "ExtensionArray"): _Reader(_pandas_column, _pandas_labels),
    ("polars", "DataFrame"): _Reader(_polars_numbers, _polars_table_labels),
    ("polars", "Series"): _Reader(_polars_column, _polars_labels),
    ("pyarrow", "Table"): _Reader(_arrow_numbers, _arrow_table_labels),
    ("pyarrow", "RecordBatch"): _Reader(_arrow_numbers, _arrow_table_labels),
    ("pyarrow", "Array"): _Reader(_arrow_column, _arrow_labels),
    ("pyarrow", "ChunkedArray"): _Reader(_arrow_column, _arrow_labels),
    ("fastlogit", "CodedFrame"): _Reader(_our_numbers, _our_numbers),
}
