"""One function for each way to minimise an `Objective`: ``solve(objective, start, ...)``."""
