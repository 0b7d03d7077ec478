"""Sigmoid and its relatives for single numbers, to be called from compiled code.

The functions can be called inside functions compiled with `numba.njit`, also with
``parallel=True``, where LLVM inlines them and turns a loop over them into vector instructions;
a float32 argument is computed in float32, anything else in float64. They can be called from plain
Python as well. For whole arrays use `fastlogit.sigmoid` and so on.

Compile the caller with ``error_model="numpy"`` if it divides: numba's default checks each division,
which keeps the loop from being vectorised. ``fastmath=True`` in the caller lets LLVM assume that
there is no NaN or infinity, so that these get no defined result there.

Examples
--------
>>> import numba, numpy as np
>>> from fastlogit import scalar
>>> @numba.njit(parallel=True)
... def mean_cost(z, y):
...     total = 0.0
...     for i in numba.prange(z.size):
...         total += scalar.log1p_exp(z[i]) - y[i] * z[i]
...     return total / z.size
>>> round(mean_cost(np.array([0.0, 40.0]), np.array([1.0, 1.0])), 6)
0.346574
"""

from .kernels.elementwise import log1p_exp, log_sigmoid, logit, sigmoid

__all__ = ["log1p_exp", "log_sigmoid", "logit", "sigmoid"]
