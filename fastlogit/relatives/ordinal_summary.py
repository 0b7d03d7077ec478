"""The table of an ordinal model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..inference.summary import Summary
from ..inference.table import is_probability, number, probability

if TYPE_CHECKING:
    from .ordinal import OrdinalResult

__all__ = ["summary_of"]

TITLES = {
    "logit": "Proportional odds", "probit": "Ordinal probit", "cloglog": "Proportional hazards",
}  # fmt: skip


def summary_of(result: OrdinalResult, level: float) -> Summary:
    """Return the table of a result with intervals of a level: coefficients, then thresholds."""
    low, high = 50.0 - 50.0 * level, 50.0 + 50.0 * level
    columns = ["", "coef", "std error", "z", "P>|z|", f"{low:.4g} %", f"{high:.4g} %"]
    rows = []
    values = zip(
        result.names, result.parameters, result.standard_errors, result.statistics,
        result.p_values, result.conf_int(level), strict=True,
    )  # fmt: skip
    for name, value, error, statistic, p_value, (least, most) in values:
        rows.append(
            [
                name, number(float(value)), number(float(error)), f"{statistic:.3f}",
                probability(float(p_value)), number(float(least)), number(float(most)),
            ]
        )  # fmt: skip
    labels = [str(label) for label in result.classes.tolist()]
    return Summary(f"{TITLES[result.link]} of {' < '.join(labels)}", _facts(result), columns, rows)


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
