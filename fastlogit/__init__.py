"""Logistic regression from compiled kernels: one fused pass over the rows.

The names below load what they need when they are first used, so that ``import fastlogit`` costs
next to nothing (neither numba nor scikit-learn is imported until a function is called for).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .batches import BatchSource
    from .displays import (
        CoefficientsDisplay,
        ConvergenceDisplay,
        CVScoreDisplay,
        RegularizationPathDisplay,
    )
    from .elementwise import log1p_exp, log_sigmoid, logit, sigmoid
    from .errors import DivergenceError, SeparationWarning
    from .estimator import LogisticRegression
    from .fitting import fit, gradient_descent
    from .functional import cost, cost_gradient
    from .leverage import LeaveOneOut, leave_one_out
    from .model_selection import LogisticRegressionCV
    from .path import PathResult, logistic_path
    from .prediction import predict, predict_proba, raw_prediction
    from .result import FitResult, Progress
    from .warming import WarmUp, warmup

__version__ = "0.1.0"

__all__ = [
    "BatchSource",
    "CVScoreDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay",
    "DivergenceError",
    "FitResult",
    "LeaveOneOut",
    "LogisticRegression",
    "LogisticRegressionCV",
    "PathResult",
    "Progress",
    "RegularizationPathDisplay",
    "SeparationWarning",
    "WarmUp",
    "cost",
    "cost_gradient",
    "fit",
    "gradient_descent",
    "leave_one_out",
    "log1p_exp",
    "log_sigmoid",
    "logistic_path",
    "logit",
    "predict",
    "predict_proba",
    "raw_prediction",
    "sigmoid",
    "warmup",
]

_HOME = {
    "BatchSource": "batches",
    "CVScoreDisplay": "displays",
    "CoefficientsDisplay": "displays",
    "ConvergenceDisplay": "displays",
    "DivergenceError": "errors",
    "FitResult": "result",
    "LeaveOneOut": "leverage",
    "LogisticRegression": "estimator",
    "LogisticRegressionCV": "model_selection",
    "PathResult": "path",
    "Progress": "result",
    "RegularizationPathDisplay": "displays",
    "SeparationWarning": "errors",
    "WarmUp": "warming",
    "cost": "functional",
    "cost_gradient": "functional",
    "fit": "fitting",
    "gradient_descent": "fitting",
    "leave_one_out": "leverage",
    "log1p_exp": "elementwise",
    "log_sigmoid": "elementwise",
    "logistic_path": "path",
    "logit": "elementwise",
    "predict": "prediction",
    "predict_proba": "prediction",
    "raw_prediction": "prediction",
    "sigmoid": "elementwise",
    "warmup": "warming",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*sorted(__all__), "__version__"]
