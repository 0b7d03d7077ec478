"""Names of types: arrays by number type and number of dimensions, and what users may hand in.

Number type and number of dimensions are what mypy can tell apart, and enough to find most swapped
arguments: codes for weights, an intercept for coefficients, a mask for indices. NumPy's stubs know
the number of dimensions after some functions only; after the others it is ``tuple[Any, ...]``,
which mypy takes for any number. So these names cost no casts: a shape that is known to be wrong is
an error, one that is not known passes. Types of their own for each meaning (`typing.NewType`) would
find weights that are taken for an offset as well, and would need a cast after each operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import numpy as np

__all__ = [
    "Array",
    "ArrayLike",
    "ClassWeight",
    "CodeMatrix",
    "Codes",
    "Column",
    "Cube",
    "DType",
    "Features",
    "Floats",
    "IndexMatrix",
    "Indices",
    "Integers",
    "Labels",
    "Mask",
    "Masks",
    "Matrix",
    "Number",
    "Scorer",
    "Shape",
    "Splitter",
    "Vector",
]

# What a user hands in, before `inputs/` has looked at it: an array, a frame, a list, a number, a
# tensor, a table of Arrow, something wrong. A frame of any library must pass, and nothing can be
# done with it unseen, which `object` says and `Any` does not.
ArrayLike: TypeAlias = object

DType: TypeAlias = np.dtype[Any]

# Any array: numbers of any type, text, objects.
Array: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[Any]]
# What a function returns that gives an array as it came: ``np.ndarray[Shape, np.dtype[Number]]``.
Shape = TypeVar("Shape", bound=tuple[Any, ...])
Number = TypeVar("Number", bound=np.generic)
# float64 of any number of dimensions, of one, two and three.
Floats: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.float64]]
Vector: TypeAlias = np.ndarray[tuple[int], np.dtype[np.float64]]
Matrix: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.float64]]
Cube: TypeAlias = np.ndarray[tuple[int, int, int], np.dtype[np.float64]]
# Whole numbers, of any number of dimensions: counts. Of one: places in another array.
Integers: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.integer[Any]]]
Indices: TypeAlias = np.ndarray[tuple[int], np.dtype[np.intp]]
# Of two: some rows for each output.
IndexMatrix: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.intp]]
# True and False, of one dimension and of any number.
Mask: TypeAlias = np.ndarray[tuple[int], np.dtype[np.bool_]]
Masks: TypeAlias = np.ndarray[tuple[Any, ...], np.dtype[np.bool_]]
# X, checked: (n_samples, n_features) of a number type that kernels read, as it lies.
Features: TypeAlias = np.ndarray[
    tuple[int, int], np.dtype[np.floating[Any] | np.integer[Any] | np.bool_]
]
# A column of it.
Column: TypeAlias = np.ndarray[tuple[int], np.dtype[np.floating[Any] | np.integer[Any] | np.bool_]]
# Labels as the user has them, numbers or text: those of the rows, or one of each, sorted. Codes are
# labels, labels are no codes.
Labels: TypeAlias = np.ndarray[tuple[int], np.dtype[np.generic]]
# The place of each row's label among the sorted ones; int32 above 256 classes. One row of codes
# for all models or one for each, (n_models, n_samples).
Codes: TypeAlias = np.ndarray[tuple[int], np.dtype[np.uint8 | np.int32]]
CodeMatrix: TypeAlias = np.ndarray[tuple[int, int], np.dtype[np.uint8 | np.int32]]


class Splitter(Protocol):
    """Splits of a cross-validation, as scikit-learn's splitters give them."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[tuple[Array, Array]]:
        """Yield row numbers or masks of training and test rows."""


# Weights of labels, as scikit-learn's estimators take them.
ClassWeight: TypeAlias = Mapping[Any, float] | str | None
# Called with a fitted estimator, rows and labels; some take sample_weight besides.
Scorer: TypeAlias = Callable[..., float]
