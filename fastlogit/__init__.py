"""Logistic regression from compiled kernels: one fused pass over the rows.

The names below load what they need when they are first used, so that ``import fastlogit`` costs
next to nothing (neither numba nor scikit-learn is imported until a function is called for).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _moved

if TYPE_CHECKING:
    from .displays import (
        CoefficientsDisplay,
        ConvergenceDisplay,
        CVScoreDisplay,
        RegularizationPathDisplay,
    )
    from .elementwise import log1p_exp, log_sigmoid, logit, sigmoid
    from .errors import DivergenceError, SeparationWarning
    from .estimators.cross_validation import LogisticRegressionCV
    from .estimators.logistic import LogisticRegression
    from .fitting.cost import cost, cost_gradient
    from .fitting.evaluation import Problem
    from .fitting.fit import fit, gradient_descent
    from .fitting.group_fits import GroupFit, GroupFits, GroupStatus
    from .fitting.groups import fit_groups
    from .fitting.path import PathResult, logistic_path
    from .fitting.scan import scan
    from .fitting.scan_result import ScanResult, ScanStatus
    from .inference.hypothesis_tests import HypothesisTest
    from .inference.infer import infer
    from .inference.inference import Inference
    from .inference.leave_one_out import LeaveOneOut, leave_one_out
    from .inputs.batches import BatchSource
    from .prediction import predict, predict_proba, raw_prediction
    from .predictor import Predictor
    from .relatives.ordinal import OrdinalResult, ordinal_logit
    from .relatives.ordinal_brant import BrantTest
    from .resampling.bootstrap import bootstrap
    from .resampling.permutation import permutation
    from .resampling.replicates import (
        BootstrapDistribution,
        BootstrapResult,
        PermutationResult,
    )
    from .result import FitResult, Progress
    from .warming import WarmUp, warmup

__version__ = "0.1.0"

__all__ = [
    "BatchSource",
    "BootstrapDistribution",
    "BootstrapResult",
    "BrantTest",
    "CVScoreDisplay",
    "CoefficientsDisplay",
    "ConvergenceDisplay",
    "DivergenceError",
    "FitResult",
    "GroupFit",
    "GroupFits",
    "GroupStatus",
    "HypothesisTest",
    "Inference",
    "LeaveOneOut",
    "LogisticRegression",
    "LogisticRegressionCV",
    "OrdinalResult",
    "PathResult",
    "PermutationResult",
    "Predictor",
    "Problem",
    "Progress",
    "RegularizationPathDisplay",
    "ScanResult",
    "ScanStatus",
    "SeparationWarning",
    "WarmUp",
    "bootstrap",
    "cost",
    "cost_gradient",
    "fit",
    "fit_groups",
    "gradient_descent",
    "infer",
    "leave_one_out",
    "log1p_exp",
    "log_sigmoid",
    "logistic_path",
    "logit",
    "ordinal_logit",
    "permutation",
    "predict",
    "predict_proba",
    "raw_prediction",
    "scan",
    "sigmoid",
    "warmup",
]

_HOME = {
    "BatchSource": "inputs.batches",
    "BootstrapDistribution": "resampling.replicates",
    "BootstrapResult": "resampling.replicates",
    "BrantTest": "relatives.ordinal_brant",
    "CVScoreDisplay": "displays",
    "CoefficientsDisplay": "displays",
    "ConvergenceDisplay": "displays",
    "DivergenceError": "errors",
    "FitResult": "result",
    "GroupFit": "fitting.group_fits",
    "GroupFits": "fitting.group_fits",
    "GroupStatus": "fitting.group_fits",
    "HypothesisTest": "inference.hypothesis_tests",
    "Inference": "inference.inference",
    "LeaveOneOut": "inference.leave_one_out",
    "LogisticRegression": "estimators.logistic",
    "LogisticRegressionCV": "estimators.cross_validation",
    "OrdinalResult": "relatives.ordinal",
    "PathResult": "fitting.path",
    "PermutationResult": "resampling.replicates",
    "Predictor": "predictor",
    "Problem": "fitting.evaluation",
    "Progress": "result",
    "RegularizationPathDisplay": "displays",
    "ScanResult": "fitting.scan_result",
    "ScanStatus": "fitting.scan_result",
    "SeparationWarning": "errors",
    "WarmUp": "warming",
    "bootstrap": "resampling.bootstrap",
    "cost": "fitting.cost",
    "cost_gradient": "fitting.cost",
    "fit": "fitting.fit",
    "fit_groups": "fitting.groups",
    "gradient_descent": "fitting.fit",
    "infer": "inference.infer",
    "leave_one_out": "inference.leave_one_out",
    "log1p_exp": "elementwise",
    "log_sigmoid": "elementwise",
    "logistic_path": "fitting.path",
    "logit": "elementwise",
    "ordinal_logit": "relatives.ordinal",
    "permutation": "resampling.permutation",
    "predict": "prediction",
    "predict_proba": "prediction",
    "raw_prediction": "prediction",
    "scan": "fitting.scan",
    "sigmoid": "elementwise",
    "warmup": "warming",
}

# Modules for users, found without an import of their own: `fastlogit.online.OnlineLogistic`.
_MODULES = ("compiled", "io", "model_file", "online")

_moved.install()


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*sorted(__all__), "__version__"]
