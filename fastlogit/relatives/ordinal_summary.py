"""The table of an ordinal model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..inference.summary import Summary, table_of
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
    test = result.likelihood_ratio_test()
    facts = [
        ("observations", f"{result.n_samples:,.10g}"),
        ("parameters", str(result.n_parameters)),
        ("covariance", "observed information"),
    ]
    if result.weights is not None:
        facts.append(("weights", result.weights))
    return [
        *facts,
        ("log-likelihood", f"{result.log_likelihood:.4f}"),
        ("null log-likelihood", f"{result.null_log_likelihood:.4f}"),
        (
            f"likelihood ratio chi2({test.df:g})",
            f"{test.statistic:.4f} ({is_probability(test.p_value)})",
        ),
        ("AIC", f"{result.aic:.4f}"),
        ("BIC", f"{result.bic:.4f}"),
        ("McFadden's R2", f"{result.mcfadden:.4f}"),
    ]
