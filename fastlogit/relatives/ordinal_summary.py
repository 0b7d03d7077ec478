"""The table of an ordinal model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..inference.summary import Summary, covariance_text, table_of
from ..inference.table import is_probability

if TYPE_CHECKING:
    from .ordinal import OrdinalResult

__all__ = ["summary_of"]

TITLES = {
    "logit": "Proportional odds", "probit": "Ordinal probit", "cloglog": "Proportional hazards",
}  # fmt: skip


def summary_of(result: OrdinalResult, level: float) -> Summary:
    """Return the table of a result with intervals of a level: coefficients, then thresholds."""
    labels = [str(label) for label in result.classes.tolist()]
    title = f"{TITLES[result.link]} of {' < '.join(labels)}"
    return table_of(title, _facts(result), result, result.conf_int(level), level)


def _facts(result: OrdinalResult) -> list[tuple[str, str]]:
    facts = [
        ("observations", f"{result.n_samples:,.10g}"),
        ("parameters", str(result.n_parameters)),
        ("covariance", covariance_text(result.cov_type, result.n_clusters)),
    ]
    if result.weights is not None:
        facts.append(("weights", result.weights))
    pseudo = "" if result.is_likelihood else "pseudo-"
    facts.append((f"{pseudo}log-likelihood", f"{result.log_likelihood:.4f}"))
    if pseudo and not np.isnan(result.null_log_likelihood):
        facts.append((f"null {pseudo}log-likelihood", f"{result.null_log_likelihood:.4f}"))
    elif not np.isnan(result.null_log_likelihood):
        test = result.likelihood_ratio_test()
        ratio = f"{test.statistic:.4f} ({is_probability(test.p_value)})"
        facts += [
            ("null log-likelihood", f"{result.null_log_likelihood:.4f}"),
            (f"likelihood ratio chi2({test.df:g})", ratio),
        ]
    if result.is_likelihood:
        facts += [("AIC", f"{result.aic:.4f}"), ("BIC", f"{result.bic:.4f}")]
    if not np.isnan(result.mcfadden):
        facts.append(("McFadden's R2", f"{result.mcfadden:.4f}"))
    return facts
