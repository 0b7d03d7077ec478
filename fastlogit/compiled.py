"""Logistic regression inside your own compiled code: fits, costs, probabilities, scalar functions.

All of it can be called inside functions compiled with `numba.njit`, also with ``parallel=True``,
and from plain Python. Nothing is allocated and nothing raises: arrays for work and results are
handed in, and what is wrong is said by a status, or by NaN. So any number of fits can run beside
each other in a parallel loop of yours, each with work arrays of its own.

The scalar functions are inlined, which turns a loop over them into vector instructions; a float32
argument is computed in float32, anything else in float64. For whole arrays use `fastlogit.sigmoid`
and so on, for a single fit from Python `fastlogit.fit`.

Compile the caller with ``error_model="numpy"`` if it divides: numba's default checks each division,
which keeps the loop from being vectorised. ``fastmath=True`` in the caller lets LLVM assume that
there is no NaN or infinity, so that the scalar functions get no defined result there.

Examples
--------
>>> import numba, numpy as np
>>> from fastlogit import compiled
>>> @numba.njit(parallel=True)
... def mean_cost(z, y):
...     total = 0.0
...     for i in numba.prange(z.size):
...         total += compiled.log1p_exp(z[i]) - y[i] * z[i]
...     return total / z.size
>>> round(mean_cost(np.array([0.0, 40.0]), np.array([1.0, 1.0])), 6)
0.346574
"""

from .kernels.elementwise import log1p_exp, log_sigmoid, logit, sigmoid
from .kernels.small import binomial, pieces, proofs, softmax
from .kernels.small import l1 as small_l1
from .kernels.small.binomial import SmallFit
from .kernels.small.endings import (
    BAD_SHAPE,
    CONVERGED,
    EXTREME,
    MAX_ITER,
    NO_ROWS,
    NOT_FINITE,
    ONE_CLASS,
    ROUNDING,
    SEPARABLE,
    SINGULAR,
    TOO_LARGE,
)
from .kernels.small.softmax import SoftmaxFit

__all__ = [
    "BAD_SHAPE",
    "CONVERGED",
    "EXTREME",
    "MAX_ITER",
    "NOT_FINITE",
    "NO_ROWS",
    "ONE_CLASS",
    "ROUNDING",
    "SEPARABLE",
    "SINGULAR",
    "TOO_LARGE",
    "SmallFit",
    "SoftmaxFit",
    "cost_gradient",
    "fit_small",
    "fit_small_l1",
    "fit_small_softmax",
    "hessian",
    "log1p_exp",
    "log_sigmoid",
    "logit",
    "predict_proba",
    "sigmoid",
    "small_l1_work_size",
    "small_softmax_work_size",
    "small_work_size",
    "stated_bound",
]

fit_small = binomial.fit_small.serial
small_work_size = binomial.small_work_size.serial
stated_bound = proofs.stated_bound.serial
fit_small_l1 = small_l1.fit_small_l1.serial
small_l1_work_size = small_l1.small_l1_work_size.serial
fit_small_softmax = softmax.fit_small_softmax.serial
small_softmax_work_size = softmax.small_softmax_work_size.serial
cost_gradient = pieces.cost_gradient_small.serial
hessian = pieces.hessian_small.serial
predict_proba = pieces.predict_small.serial
