"""Sparse matrices whose parts were changed after they were made, and what they mean to Python.

`spoiled` draws one of any format; `meant` reads it value by value with bounds that Python looks at,
and says None where its parts make no matrix.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse

FORMATS = ("csr", "csc", "coo", "bsr", "dia", "lil", "dok")
PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data",),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
    "dok": ("_dict",),
}
DTYPES = ("?", "i1", "u1", "i4", "i8", "u8", "f4", "f8", "f2", "g", ">f8", ">i8")
NO_NUMBERS = ("O", "c16", "M8[s]", "U3")
FAR = (-(2**63), -(2**31), 2**31 - 1, 2**31, 2**33, 2**63 - 1, 2**64 - 1)


def spoiled(rng: Any) -> Any:
    """A matrix of few values, some of its parts changed; as valid as chance has it."""
    shape = tuple(int(size) for size in rng.integers(1, 7, 2))
    format = str(rng.choice(FORMATS))
    values = np.round(rng.normal(size=shape) * 2.0) * (rng.random(shape) < 0.5)
    make = getattr(scipy.sparse, f"{format}_{rng.choice(['array', 'matrix'])}")
    X = make(values.astype(rng.choice(["?", "i1", "f4", "f8", "f8", "f8"])))
    for _ in range(int(rng.integers(0, 4))):
        if rng.random() < 0.1:
            X._shape = _other_shape(rng, shape)
        elif format == "dok":
            _spoil_keys(rng, X)
        elif (
            format == "coo" and X.coords and rng.random() < 0.7
        ):  # whose setters of rows and columns cast
            place = int(rng.integers(len(X.coords)))
            part = _spoil_array(rng, X.coords[place], shape)
            X.coords = (*X.coords[:place], part, *X.coords[place + 1 :])
            if rng.random() < 0.05:
                X.coords = (X.coords * 2)[: rng.integers(4)]
        else:
            name = str(rng.choice(PARTS[format]))
            spoil = _spoil_lists if format == "lil" else _spoil_array
            setattr(X, name, spoil(rng, getattr(X, name), shape))
    return X


def _other_shape(rng: Any, shape: tuple[int, int]) -> Any:
    near = tuple(int(size) for size in np.array(shape) + rng.integers(-1, 3, 2))
    others = (shape[::-1], (*shape, 1), shape[:1], (2.0, 3.0), ("a", 2), None, 7)
    return near if rng.random() < 0.7 else others[rng.integers(len(others))]


def _near(rng: Any, shape: tuple[int, int]) -> int:
    if rng.random() < 0.9:
        return int(rng.choice([-1, 0, 1, *shape, max(shape) + 1]))
    return FAR[rng.integers(len(FAR))]


def _spoil_array(rng: Any, part: Any, shape: tuple[int, int]) -> Any:
    """Change a number, the type, the length or the kind of an array."""
    if not isinstance(part, np.ndarray) or part.ndim == 0:
        return part
    kind = rng.choice(["number"] * 8 + ["type"] * 4 + ["odd type", "shorter", "longer", "laid out"])
    with np.errstate(all="ignore"):
        if kind == "number" and part.size and part.dtype.kind in "biuf":
            value = max(_near(rng, shape), 0 if part.dtype.kind in "bu" else FAR[0])
            part = part.astype("u8" if value >= 2**63 else "i8") if abs(value) > 100 else part
            part = part.copy()
            part.flat[rng.integers(part.size)] = value
        elif kind == "type" and part.dtype.kind in "biuf":
            part = part.astype(rng.choice(DTYPES))
        elif kind == "odd type" and part.dtype.kind in "biuf":
            part = part.astype("i8").astype(rng.choice(NO_NUMBERS))
        elif kind == "shorter":
            part = part[: rng.integers(len(part) + 1)]
        elif kind == "longer":
            part = np.concatenate([part, part[: rng.integers(len(part) + 1)]])
        elif kind == "laid out":
            part = _laid_out(rng, part)
    return part


def _laid_out(rng: Any, part: Any) -> Any:
    which = rng.integers(6)
    if which == 0:
        return np.ma.masked_array(part)
    if which == 1:
        return part[None]
    if which == 2:
        return np.repeat(part, 2, axis=0)[::2]
    if which == 3:
        return part[::-1].copy()[::-1]
    if which == 4:
        return part.tolist()
    part = part.copy()
    part.flags.writeable = False
    return part


def _spoil_lists(rng: Any, part: Any, shape: tuple[int, int]) -> Any:
    """Change a list of a row, or its place."""
    if not isinstance(part, np.ndarray) or not part.size:
        return part
    part = part.copy()
    row = int(rng.integers(len(part)))
    line = list(part[row]) if isinstance(part[row], list) else []
    kind = rng.integers(7)
    if kind <= 2 and line:
        odd = (None, "a", 1.5, True, 2**70)
        value = _near(rng, shape) if rng.random() < 0.8 else odd[rng.integers(len(odd))]
        line[rng.integers(len(line))] = value
    elif kind == 3:
        line = line[1:]
    elif kind == 4:
        line = [*line, _near(rng, shape)]
    part[row] = line
    if kind == 5:
        part = part[: rng.integers(len(part) + 1)]
    elif kind == 6:
        part[row] = (None, 3, "ab", (0, 1))[rng.integers(4)]
    return part


def _spoil_keys(rng: Any, X: Any) -> None:
    """Change, add or take away a key or a value of a dictionary of keys."""
    keys = list(X._dict)
    kind = rng.integers(6)
    if kind <= 1:
        X._dict[_near(rng, X_shape(X)), _near(rng, X_shape(X))] = X.dtype.type(1)
    elif kind == 2:
        odd = (3, (1,), (0, 1, 0), (0.5, 0), ("a", 0), None, (None, 0))
        X._dict[odd[rng.integers(len(odd))]] = X.dtype.type(1)
    elif kind == 3 and keys:
        odd_values = (None, "a", 1j, 2.0, True, 2**70, np.float32(1.5), [1.0])
        X._dict[keys[rng.integers(len(keys))]] = odd_values[rng.integers(len(odd_values))]
    elif kind == 4 and keys:
        del X._dict[keys[rng.integers(len(keys))]]


def X_shape(X: Any) -> tuple[int, int]:
    shape = X._shape
    fine = isinstance(shape, tuple) and all(isinstance(size, int) for size in shape)
    return (max(shape), max(shape)) if fine else (3, 3)


# ------------------------------------------------------------------------------------------------
# What it means


def meant(X: Any) -> Any:
    """The values of a matrix as float64, by plain Python; None where its parts make none."""
    shape = X._shape
    if not isinstance(shape, tuple) or len(shape) != 2:
        return None
    if not all(isinstance(size, int) and size > 0 for size in shape):
        return None
    read = {"coo": _triples, "dia": _diagonals, "lil": _lists, "dok": _keys, "bsr": _blocks}
    out, is_bool = np.zeros(shape), _is_bool(X)
    try:
        for row, column, value in read.get(X.format, _compressed)(X, shape):
            if not (0 <= row < shape[0] and 0 <= column < shape[1]):
                return None
            out[row, column] += value
    except Broken:
        return None
    return np.minimum(out, 1.0) if is_bool else out


class Broken(Exception):
    """Parts that make no matrix."""


def _is_bool(X: Any) -> bool:
    dtype = X.dtype if X.format in ("lil", "dok") else np.asarray(X.data).dtype
    return np.dtype(dtype).kind == "b"


def _demand(fine: bool) -> None:
    if not fine:
        raise Broken


def _numbers(part: Any, n_dimensions: int, kinds: str) -> Any:
    _demand(not isinstance(part, np.ma.MaskedArray))
    part = np.asarray(part)
    _demand(part.ndim == n_dimensions and part.dtype.kind in kinds)
    return part


def _floats(X: Any, n_dimensions: int) -> Any:
    with np.errstate(all="ignore"):
        data = _numbers(X.data, n_dimensions, "biuf")
        return data if data.dtype == bool else data.astype(np.float64)


def _lines(X: Any, major: int, n_values: int) -> Iterator[tuple[int, int, int]]:
    """Yield line, index and place of all values."""
    indptr, indices = (_numbers(part, 1, "iu").tolist() for part in (X.indptr, X.indices))
    _demand(len(indptr) == major + 1 and indptr[0] == 0 and indptr == sorted(indptr))
    _demand(indptr[-1] <= min(len(indices), n_values))
    for line, (begin, end) in enumerate(itertools.pairwise(indptr)):
        for place in range(begin, end):
            yield line, indices[place], place


def _compressed(X: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int, Any]]:
    data, by_rows = _floats(X, 1), X.format == "csr"
    for line, index, place in _lines(X, shape[0 if by_rows else 1], len(data)):
        yield (line, index, data[place]) if by_rows else (index, line, data[place])


def _blocks(X: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int, Any]]:
    data = _floats(X, 3)
    high, wide = data.shape[1:]
    _demand(high > 0 and wide > 0 and shape[0] % high == 0 and shape[1] % wide == 0)
    for line, index, place in _lines(X, shape[0] // high, len(data)):
        _demand(0 <= index < shape[1] // wide)
        for (row, column), value in np.ndenumerate(data[place]):
            yield line * high + row, index * wide + column, value


def _triples(X: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int, Any]]:
    _demand(len(X.coords) == 2)
    parts = [_numbers(part, 1, "iu").tolist() for part in X.coords]
    data = _floats(X, 1)
    _demand(len(parts[0]) == len(parts[1]) == len(data))
    yield from zip(*parts, data, strict=True)


def _diagonals(X: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int, Any]]:
    data, offsets = _floats(X, 2), _numbers(X.offsets, 1, "iu").tolist()
    _demand(len(data) == len(offsets))
    for line, offset in zip(data, offsets, strict=True):
        for column, value in enumerate(line):
            row = column - offset
            if 0 <= row < shape[0] and column < shape[1]:
                yield row, column, value


def _lists(X: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int, Any]]:
    rows, data = np.asarray(X.rows), np.asarray(X.data)
    _demand(rows.shape == data.shape == shape[:1])
    for row, (columns, values) in enumerate(zip(rows, data, strict=True)):
        _demand(isinstance(columns, list) and isinstance(values, list))
        _demand(len(columns) == len(values))
        for column, value in zip(columns, values, strict=True):
            yield row, _whole(column), _value_as(value, X.dtype)


def _keys(X: Any, shape: tuple[int, int]) -> Iterator[tuple[int, int, Any]]:
    for key, value in X._dict.items():
        _demand(isinstance(key, tuple) and len(key) == 2)
        yield _whole(key[0]), _whole(key[1]), _value_as(value, X.dtype)


def _whole(value: Any) -> int:
    _demand(isinstance(value, int | np.integer))
    return int(value)


def _value_as(value: Any, dtype: Any) -> Any:
    """What NumPy makes of a number of Python in an array of a type."""
    out = np.zeros(1, dtype=dtype)
    try:
        out[0] = value
    except (TypeError, ValueError, OverflowError) as error:
        raise Broken from error
    return out[0] if out.dtype == bool else float(out[0])
