"""Pictures of fitted models as scikit-learn's Display classes.

Each class holds the numbers of a picture, made by ``from_estimator`` or ``from_result``, and draws
them with ``plot``. matplotlib is imported only then. Colours are those of `fastlogit.plots`.
"""

from .coefficients import CoefficientsDisplay
from .convergence import ConvergenceDisplay
from .path import RegularizationPathDisplay
from .scores import CVScoreDisplay

__all__ = [
    "CVScoreDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay",
    "RegularizationPathDisplay",
]
