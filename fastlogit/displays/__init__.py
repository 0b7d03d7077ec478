"""Pictures of fitted models as scikit-learn's Display classes.

Each class holds the numbers of a picture, made by ``from_estimator``,
``from_result`` or ``from_inference``, and draws
them with ``plot``. matplotlib is imported only then. Colours are those of `fastlogit.plots`.
"""

from .added_variable import AddedVariableDisplay
from .calibration import CalibrationDisplay
from .coefficients import CoefficientsDisplay
from .convergence import ConvergenceDisplay
from .forest import ForestDisplay
from .influence import InfluenceDisplay
from .path import RegularizationPathDisplay
from .residuals import ResidualsDisplay
from .scores import CVScoreDisplay

__all__ = [
    "AddedVariableDisplay",
    "CVScoreDisplay",
    "CalibrationDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay",
    "ForestDisplay",
    "InfluenceDisplay",
    "RegularizationPathDisplay",
    "ResidualsDisplay",
]
