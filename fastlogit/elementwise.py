"""Sigmoid and its relatives for whole arrays: checked input, ``out=``, threads.

Each result is at most 2 ulp off (units in the last place), subnormal results and both ends
included, in float64 and in float32, each computed in its own precision. Largest errors found, over
5e7 random float64 and over every float32 number:

============= ======= =======
function      float64 float32
============= ======= =======
`sigmoid`     1.97    1.97
`log1p_exp`   1.69    1.68
`log_sigmoid` 1.69    1.68
`logit`       1.75    1.75
============= ======= =======

No input raises a floating-point warning. The same functions for single numbers, callable from
compiled code, are in `fastlogit.compiled`.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from .arrays import Array, ArrayLike, DType
from .inputs.conversion import as_numbers
from .kernels.elementwise import (
    ArrayLoops,
    log1p_exp_array,
    log_sigmoid_array,
    logit_array,
    sigmoid_array,
)
from .threads import team

__all__ = ["log1p_exp", "log_sigmoid", "logit", "sigmoid"]

# Serial time of an element, for the choice between one thread and several. Measured for float64:
# sigmoid 1.8, logit 2.3, the other two 3.5; float32 takes a third of that.
NS_PER_ELEMENT = 2.0
Order: TypeAlias = Literal["C", "F"]
# What each function calls its values.
ARGUMENTS = {"sigmoid": "z", "log1p_exp": "z", "log_sigmoid": "z", "logit": "p"}


def sigmoid(z: ArrayLike, out: Array | None = None, *, n_threads: int | None = None) -> Array:
    """Return 1 / (1 + e^-z), the logistic function, element by element.

    Parameters
    ----------
    z : array_like of any shape, or a number
        float32 and float64 keep their precision; other numbers become float64.
    out : numpy.ndarray, optional
        Where the result goes: an array of the same shape and of the result's dtype. May be `z`.
    n_threads : int, optional
        Number of threads; by default as many as numba may use. It does not change the result.

    Returns
    -------
    numpy.ndarray of the shape of `z`, or a NumPy number if `z` has no dimensions
        `out` itself if it is given. At most 2 ulp off; 0 at -inf, 1 at inf, NaN at NaN.

    Raises
    ------
    TypeError
        If `z` is of another kind (complex, strings, dates, masked), or `out` is not
        a suitable array.
    ValueError
        If `out` has another shape or is read-only, or `n_threads` is out of range.

    Examples
    --------
    >>> import fastlogit
    >>> fastlogit.sigmoid([-1000.0, 0.0, 1000.0])
    array([0. , 0.5, 1. ])
    """
    return _apply("sigmoid", sigmoid_array, z, out, n_threads)


def log1p_exp(z: ArrayLike, out: Array | None = None, *, n_threads: int | None = None) -> Array:
    """Return log(1 + e^z), also called softplus, element by element and without overflow.

    It is the cost of one row: log1p_exp(z) - y z for a label y in {0, 1}.

    Parameters
    ----------
    z : array_like of any shape, or a number
        float32 and float64 keep their precision; other numbers become float64.
    out : numpy.ndarray, optional
        Where the result goes: an array of the same shape and of the result's dtype. May be `z`.
    n_threads : int, optional
        Number of threads; by default as many as numba may use. It does not change the result.

    Returns
    -------
    numpy.ndarray of the shape of `z`, or a NumPy number if `z` has no dimensions
        `out` itself if it is given. At most 2 ulp off; 0 at -inf, inf at inf, NaN at NaN.

    Raises
    ------
    TypeError
        If `z` is of another kind (complex, strings, dates, masked), or `out` is not
        a suitable array.
    ValueError
        If `out` has another shape or is read-only, or `n_threads` is out of range.

    Examples
    --------
    >>> import fastlogit
    >>> fastlogit.log1p_exp([-1000.0, 1000.0])
    array([   0., 1000.])
    """
    return _apply("log1p_exp", log1p_exp_array, z, out, n_threads)


def log_sigmoid(z: ArrayLike, out: Array | None = None, *, n_threads: int | None = None) -> Array:
    """Return log(1 / (1 + e^-z)) = -log1p_exp(-z), the log of a probability, element by element.

    Parameters
    ----------
    z : array_like of any shape, or a number
        float32 and float64 keep their precision; other numbers become float64.
    out : numpy.ndarray, optional
        Where the result goes: an array of the same shape and of the result's dtype. May be `z`.
    n_threads : int, optional
        Number of threads; by default as many as numba may use. It does not change the result.

    Returns
    -------
    numpy.ndarray of the shape of `z`, or a NumPy number if `z` has no dimensions
        `out` itself if it is given. At most 2 ulp off; -inf at -inf, 0 at inf, NaN at NaN.

    Raises
    ------
    TypeError
        If `z` is of another kind (complex, strings, dates, masked), or `out` is not
        a suitable array.
    ValueError
        If `out` has another shape or is read-only, or `n_threads` is out of range.

    Examples
    --------
    >>> import fastlogit
    >>> fastlogit.log_sigmoid([-1000.0, 40.0])
    array([-1.00000000e+03, -4.24835426e-18])
    """
    return _apply("log_sigmoid", log_sigmoid_array, z, out, n_threads)


def logit(p: ArrayLike, out: Array | None = None, *, n_threads: int | None = None) -> Array:
    """Return log(p / (1 - p)), the log-odds and inverse of `sigmoid`, element by element.

    Parameters
    ----------
    p : array_like of any shape, or a number
        Probabilities. float32 and float64 keep their precision; other numbers become float64.
    out : numpy.ndarray, optional
        Where the result goes: an array of the same shape and of the result's dtype. May be `p`.
    n_threads : int, optional
        Number of threads; by default as many as numba may use. It does not change the result.

    Returns
    -------
    numpy.ndarray of the shape of `p`, or a NumPy number if `p` has no dimensions
        `out` itself if it is given. At most 2 ulp off, also near 1/2; -inf at 0, inf at 1, NaN
        outside [0, 1].

    Raises
    ------
    TypeError
        If `p` is of another kind (complex, strings, dates, masked), or `out` is not
        a suitable array.
    ValueError
        If `out` has another shape or is read-only, or `n_threads` is out of range.

    Examples
    --------
    >>> import fastlogit
    >>> fastlogit.logit([0.0, 0.5, 1.0])
    array([-inf,   0.,  inf])
    """
    return _apply("logit", logit_array, p, out, n_threads)


def _apply(
    name: str, loops: ArrayLoops, values: ArrayLike, out: Array | None, n_threads: int | None
) -> Array:
    x = _checked_input(name, values)
    dtype = np.dtype(np.float32 if x.dtype.type is np.float32 else np.float64)
    if out is None:
        result = np.empty_like(x, dtype=dtype, subok=False)
    else:
        result = _checked_out(name, out, x.shape, dtype)
    with team(n_threads, NS_PER_ELEMENT * x.size) as parallel:
        _run(loops, x, result, parallel)
    if out is not None:
        return out
    return result if result.ndim else result[()]


def _run(loops: ArrayLoops, x: Array, out: Array, parallel: bool) -> None:
    """Fill `out`, whatever the memory layouts of the two."""
    order = _common_order(x, out)
    if order and x.dtype == out.dtype and not np.may_share_memory(x, out):
        loops.copying.choose(parallel)(_flat(x, order, writeable=False), _flat(out, order))
    elif out.flags.forc:
        if x is not out:
            np.copyto(out, x)
        loops.in_place.choose(parallel)(_flat(out, "C" if out.flags.c_contiguous else "F"))
    else:
        contiguous = np.array(x, dtype=out.dtype, order="C")
        loops.in_place.choose(parallel)(_flat(contiguous, "C"))
        np.copyto(out, contiguous)


def _common_order(x: Array, out: Array) -> Order | None:
    """Return the order in which both lie in memory without gaps, or None."""
    if x.flags.c_contiguous and out.flags.c_contiguous:
        return "C"
    return "F" if x.flags.f_contiguous and out.flags.f_contiguous else None


def _flat(array: Array, order: Order, *, writeable: bool = True) -> Array:
    """View a contiguous array as one-dimensional; read-only inputs share one compiled loop."""
    flat = array.reshape(-1, order=order)
    if not writeable:
        flat.flags.writeable = False
    return flat


def _checked_input(name: str, values: ArrayLike) -> Array:
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(
            f"{name} does not take masked arrays, since it would ignore the mask; "
            "pass values.filled(...) or values.compressed()"
        )
    try:
        return as_numbers(ARGUMENTS[name], values)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} takes real numbers: {error}") from None


def _checked_out(name: str, out: object, shape: tuple[int, ...], dtype: DType) -> Array:
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out of {name} must be a numpy.ndarray, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"out of {name} must have dtype {dtype}, as the result, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"out of {name} must have shape {shape}, as the input, got {out.shape}")
    if not out.flags.writeable:
        raise ValueError(f"out of {name} is read-only")
    return out if type(out) is np.ndarray else out.view(np.ndarray)
