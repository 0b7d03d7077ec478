"""The table of a fit of reduced bias, which says what its errors, tests and intervals are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .distributions import chi2_tail
from .summary import Summary, Tests, table_of, title_text, wald_tests
from .table import is_probability

if TYPE_CHECKING:
    from .bias_reduced import BiasReducedInference

__all__ = ["summary_of"]

ESTIMATES = {
    "mean": "mean bias reduction (Firth)",
    "median": "median bias reduction",
    "flic": "FLIC (Firth, intercept of ML)",
    "flac": "FLAC (Firth, augmented data)",
}
ERRORS = {"nonrobust": "information at the estimate", "augmented": "rows weighted 1 + leverage"}
METHODS = {"profile": "penalised likelihood", "wald": "Wald"}


def summary_of(inference: BiasReducedInference, level: float, method: str) -> Summary:
    """Return the table with intervals and p-values of a method."""
    if method == "profile":
        statistics = inference.profile_statistics
        p_values = np.array([chi2_tail(float(value), 1) for value in statistics])
        tests = Tests("chi2", "P>chi2", statistics, p_values)
    else:
        tests = wald_tests(inference.statistics, inference.wald_p_values)
    return table_of(
        title_text(inference), _facts(inference, method), inference,
        inference.conf_int(level, method), level, tests=tests, ratio="odds ratio",
    )  # fmt: skip


def _facts(inference: BiasReducedInference, method: str) -> list[tuple[str, str]]:
    kind, found = inference.bias_reduction, inference.likelihood
    errors = ERRORS[inference.cov_type] if kind != "flac" else "information of augmented data"
    said = METHODS[method]
    if kind == "flic" and method == "profile":
        said += " (intercept: Wald)"
    facts = [
        ("observations", f"{found.n_samples:,.10g}"),
        ("parameters", str(found.n_parameters)),
        ("estimate", ESTIMATES[kind]),
        ("standard errors", errors),
        ("tests and intervals", said),
    ]
    if inference.weights is not None:
        facts.append(("weights", inference.weights))
    facts.append(("log-likelihood", f"{found.log_likelihood:.4f}"))
    if inference.penalized_log_likelihood is not None:
        name = "augmented" if kind == "flac" else "penalised"
        facts.append((f"{name} log-likelihood", f"{inference.penalized_log_likelihood:.4f}"))
    test = inference.slopes_test if method == "profile" else None
    if test is not None:
        shown = f"{test.statistic:.4f} ({is_probability(test.p_value)})"
        facts.append((f"penalised likelihood ratio chi2({test.df:g})", shown))
    return facts
