"""One small problem: its whole fit is one compiled, serial call.

Calls into Python and NumPy take a few hundred microseconds a fit, whatever the size of X; here
nothing but arithmetic is left. Everything lies in one flat array that the caller hands in, so that
nothing is allocated and any number of fits can run beside each other, in users' own parallel loops
too. Rows are copied once, standardised, column after column: then every loop runs over whole
vectors of eight rows, whatever the number of columns.

It has the formulas, tolerances and rounding errors of the general way. What it does not do
(directions that a Hessian does not resolve, sizes near the ends of float64, linear programmes) ends
with a status that asks for that. Columns are scaled by powers of two, so that scaling rounds
nothing.

Functions marked by `keep_apart` are never inlined: they are called from several places, and each
copy takes a tenth of a second to compile.
"""
