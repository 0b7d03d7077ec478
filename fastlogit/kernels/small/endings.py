"""How the fit of one small problem ends."""

from __future__ import annotations

# The bound is at most `tol`.
CONVERGED = 0
# After `max_iter` iterations.
MAX_ITER = 1
# Rounding errors allow no further progress; the bound says what is proven all the same.
ROUNDING = 2
# A direction separates the classes, checked against every row: there is no optimum.
SEPARABLE = 3
# The Hessian leaves a direction unresolved (collinear columns, or rows without curvature).
SINGULAR = 4
# Columns, weights or strengths of odd size, or columns nearly constant: take the general way.
EXTREME = 5
# X, weights, offset, strengths or the cost at the start are not finite.
NOT_FINITE = 6
# All rows that have weight are of one class.
ONE_CLASS = 7
# No row has weight, or there is nothing to fit.
NO_ROWS = 8
# `work` is too short for the shape of X, or `history_out` is empty.
TOO_LARGE = 9
# Arrays do not match.
BAD_SHAPE = 10
