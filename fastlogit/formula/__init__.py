"""Models as formulas: ``logit("y ~ age + C(race) + bs(x, 4)", data)``.

Formulas are read by formulaic, an optional dependency that is loaded when a function is called.
Categorical terms are codes, one small whole number a row; indicators are never formed.
"""

from .fits import logit, mnlogit
from .model import FormulaResult

__all__ = ["FormulaResult", "logit", "mnlogit"]
