"""Logistic regression from compiled kernels: one fused pass over the rows.

The names below load what they need when they are first used, so that ``import fastlogit`` costs
next to nothing (neither numba nor scikit-learn is imported until a function is called for).
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _moved

if TYPE_CHECKING:
    from .displays import (
        AddedVariableDisplay,
        CalibrationDisplay,
        CoefficientsDisplay,
        ConvergenceDisplay,
        CVScoreDisplay,
        ForestDisplay,
        InfluenceDisplay,
        RegularizationPathDisplay,
        ResidualsDisplay,
    )
    from .elementwise import log1p_exp, log_sigmoid, logit, sigmoid
    from .errors import DivergenceError, SeparationWarning
    from .estimators.cross_validation import LogisticRegressionCV
    from .estimators.hash_folds import HashKFold
    from .estimators.logistic import LogisticRegression
    from .fitting.cost import cost, cost_gradient
    from .fitting.evaluation import Problem
    from .fitting.fit import fit, gradient_descent
    from .fitting.group_fits import GroupFit, GroupFits, GroupStatus
    from .fitting.groups import fit_groups
    from .fitting.path import PathResult, logistic_path
    from .fitting.scan import scan
    from .fitting.scan_result import ScanResult, ScanStatus
    from .inference.bias_reduced import BiasReducedInference
    from .inference.calibration import Calibration, calibration
    from .inference.diagnostics import Diagnostics
    from .inference.high_dimensional import HighDimensionalInference, high_dimensional
    from .inference.hypothesis_tests import HypothesisTest
    from .inference.infer import infer
    from .inference.inference import Inference
    from .inference.laplace import Posterior, posterior
    from .inference.leave_one_out import LeaveOneOut, leave_one_out
    from .inference.margins import Margins
    from .inference.model_table import ModelTable, compare_models
    from .inference.predictions import Predictions
    from .inference.prior_correction import prior_correction
    from .inference.priors import GaussianPrior, LogFPrior, StudentPrior
    from .inference.profile_intervals import ProfileIntervals, profile_intervals
    from .inference.pseudo_rows import pseudo_rows
    from .inference.separation import SeparationReport, separation
    from .inputs.batches import BatchSource
    from .prediction import predict, predict_proba, raw_prediction
    from .predictor import Predictor
    from .relatives.conditional import conditional_logit
    from .relatives.conditional_result import ConditionalLogit
    from .relatives.ordinal import OrdinalResult, ordinal_logit
    from .relatives.ordinal_brant import BrantTest
    from .relatives.ordinal_parallel import ParallelLinesTest
    from .resampling.bootstrap import bootstrap
    from .resampling.permutation import permutation
    from .resampling.replicates import (
        BootstrapDistribution,
        BootstrapResult,
        PermutationResult,
    )
    from .result import FitResult, Progress
    from .sources.source import ArrowSource, ParquetSource
    from .sources.writing import write_predictions
    from .warming import WarmUp, warmup

__version__ = "0.1.0"

__all__ = [
    "AddedVariableDisplay",
    "ArrowSource",
    "BatchSource",
    "BiasReducedInference",
    "BootstrapDistribution",
    "BootstrapResult",
    "BrantTest",
    "CVScoreDisplay",
    "Calibration",
    "CalibrationDisplay",
    "CoefficientsDisplay",
    "ConditionalLogit",
    "ConvergenceDisplay",
    "Diagnostics",
    "DivergenceError",
    "FitResult",
    "ForestDisplay",
    "GaussianPrior",
    "GroupFit",
    "GroupFits",
    "GroupStatus",
    "HashKFold",
    "HighDimensionalInference",
    "HypothesisTest",
    "Inference",
    "InfluenceDisplay",
    "LeaveOneOut",
    "LogFPrior",
    "LogisticRegression",
    "LogisticRegressionCV",
    "Margins",
    "ModelTable",
    "OrdinalResult",
    "ParallelLinesTest",
    "ParquetSource",
    "PathResult",
    "PermutationResult",
    "Posterior",
    "Predictions",
    "Predictor",
    "Problem",
    "ProfileIntervals",
    "Progress",
    "RegularizationPathDisplay",
    "ResidualsDisplay",
    "ScanResult",
    "ScanStatus",
    "SeparationReport",
    "SeparationWarning",
    "StudentPrior",
    "WarmUp",
    "bootstrap",
    "calibration",
    "compare_models",
    "conditional_logit",
    "cost",
    "cost_gradient",
    "fit",
    "fit_groups",
    "gradient_descent",
    "high_dimensional",
    "infer",
    "leave_one_out",
    "log1p_exp",
    "log_sigmoid",
    "logistic_path",
    "logit",
    "ordinal_logit",
    "permutation",
    "posterior",
    "predict",
    "predict_proba",
    "prior_correction",
    "profile_intervals",
    "pseudo_rows",
    "raw_prediction",
    "scan",
    "separation",
    "sigmoid",
    "warmup",
    "write_predictions",
]

_HOME = {
    "AddedVariableDisplay": "displays",
    "ArrowSource": "sources.source",
    "BatchSource": "inputs.batches",
    "BiasReducedInference": "inference.bias_reduced",
    "BootstrapDistribution": "resampling.replicates",
    "BootstrapResult": "resampling.replicates",
    "BrantTest": "relatives.ordinal_brant",
    "CVScoreDisplay": "displays",
    "Calibration": "inference.calibration",
    "CalibrationDisplay": "displays",
    "CoefficientsDisplay": "displays",
    "ConditionalLogit": "relatives.conditional_result",
    "ConvergenceDisplay": "displays",
    "Diagnostics": "inference.diagnostics",
    "DivergenceError": "errors",
    "FitResult": "result",
    "ForestDisplay": "displays",
    "GaussianPrior": "inference.priors",
    "GroupFit": "fitting.group_fits",
    "GroupFits": "fitting.group_fits",
    "GroupStatus": "fitting.group_fits",
    "HashKFold": "estimators.hash_folds",
    "HighDimensionalInference": "inference.high_dimensional",
    "HypothesisTest": "inference.hypothesis_tests",
    "Inference": "inference.inference",
    "InfluenceDisplay": "displays",
    "LeaveOneOut": "inference.leave_one_out",
    "LogFPrior": "inference.priors",
    "LogisticRegression": "estimators.logistic",
    "LogisticRegressionCV": "estimators.cross_validation",
    "Margins": "inference.margins",
    "ModelTable": "inference.model_table",
    "OrdinalResult": "relatives.ordinal",
    "ParallelLinesTest": "relatives.ordinal_parallel",
    "ParquetSource": "sources.source",
    "PathResult": "fitting.path",
    "PermutationResult": "resampling.replicates",
    "Predictions": "inference.predictions",
    "Posterior": "inference.laplace",
    "Predictor": "predictor",
    "Problem": "fitting.evaluation",
    "ProfileIntervals": "inference.profile_intervals",
    "Progress": "result",
    "RegularizationPathDisplay": "displays",
    "ResidualsDisplay": "displays",
    "ScanResult": "fitting.scan_result",
    "ScanStatus": "fitting.scan_result",
    "SeparationReport": "inference.separation",
    "SeparationWarning": "errors",
    "StudentPrior": "inference.priors",
    "WarmUp": "warming",
    "bootstrap": "resampling.bootstrap",
    "calibration": "inference.calibration",
    "conditional_logit": "relatives.conditional",
    "compare_models": "inference.model_table",
    "cost": "fitting.cost",
    "cost_gradient": "fitting.cost",
    "fit": "fitting.fit",
    "fit_groups": "fitting.groups",
    "gradient_descent": "fitting.fit",
    "high_dimensional": "inference.high_dimensional",
    "infer": "inference.infer",
    "leave_one_out": "inference.leave_one_out",
    "log1p_exp": "elementwise",
    "log_sigmoid": "elementwise",
    "logistic_path": "fitting.path",
    "logit": "elementwise",
    "ordinal_logit": "relatives.ordinal",
    "permutation": "resampling.permutation",
    "posterior": "inference.laplace",
    "predict": "prediction",
    "predict_proba": "prediction",
    "prior_correction": "inference.prior_correction",
    "profile_intervals": "inference.profile_intervals",
    "pseudo_rows": "inference.pseudo_rows",
    "raw_prediction": "prediction",
    "scan": "fitting.scan",
    "separation": "inference.separation",
    "sigmoid": "elementwise",
    "warmup": "warming",
    "write_predictions": "sources.writing",
}

# Modules for users, found without an import of their own: `fastlogit.online.OnlineLogistic`.
_MODULES = ("compiled", "export", "formula", "io", "model_file", "online")

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
