"""Compiled code only: the njit policy, the scalar formulas and the loops over blocks of rows."""
