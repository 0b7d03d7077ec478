"""The table that statisticians read of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .distributions import chi2_tail
from .table import Table, is_probability, number, probability

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["Summary", "covariance_text", "summary_of", "title_text"]

# What cov_type is called in a table.
CALLED = {
    "nonrobust": "observed information",
    "CR0": "clusters, CR0",
    "CR1": "clusters, CR1",
    "CR1S": "clusters, CR1S",
    "CR2": "clusters, CR2",
    "CR3": "clusters, CR3",
}
CALLED_LINKS = {"logit": "Logistic", "probit": "Probit", "cloglog": "Complementary log-log"}


class Summary(Table):
    """A table of coefficients below facts about the model; print it, or ask for another form.

    Attributes
    ----------
    title : str
    facts : list of (str, str)
    columns : list of str
        Heads of the table.
    rows : list of list of str
        A row for each coefficient, its name first.
    """


def summary_of(inference: Inference, level: float, method: str = "wald") -> Summary:
    """Return the table of an inference with intervals of a level."""
    is_t = inference.degrees_of_freedom is not None
    name = "t" if is_t else "z"
    ratio = "odds ratio" if len(inference.classes) == 2 else "risk ratio"
    low, high = 50.0 - 50.0 * level, 50.0 + 50.0 * level
    ends = [f"{low:.4g} %", f"{high:.4g} %"]
    has_odds = inference.link == "logit"
    columns = ["", "coef", "std error", name, f"P>|{name}|", *ends, *[ratio, *ends] * has_odds]
    if is_t:
        columns.insert(4, "df")
    intervals = inference.conf_int(level, method)
    shown = [inference.coef, inference.standard_errors, *intervals.T]
    if has_odds:
        with np.errstate(over="ignore"):
            shown += [inference.odds_ratios, *np.exp(intervals).T]
    statistics, degrees = inference.statistics, inference.degrees_of_freedom
    cells = [[number(value) for value in values.tolist()] for values in shown]
    tests = [[f"{value:.3f}" for value in statistics.tolist()]]
    if degrees is not None:
        tests.append([f"{value:.2f}" for value in degrees.tolist()])
    tests.append([probability(value) for value in inference.p_values.tolist()])
    rows = [[*row] for row in zip(inference.names, *cells[:2], *tests, *cells[2:], strict=True)]
    facts = _facts(inference)
    if method == "profile":
        facts.insert(3, ("intervals", "profile likelihood"))
    breaks = [columns.index(ratio)] if has_odds else []
    return Summary(title_text(inference), facts, columns, rows, breaks=breaks)


def title_text(inference: Inference) -> str:
    """Return what a table is of."""
    labels = [str(label) for label in inference.classes.tolist()]
    called = CALLED_LINKS[inference.link]
    if inference.fractional:
        return f"Fractional {called[0].lower()}{called[1:]} regression"
    if len(labels) == 2:
        return f"{called} regression of {labels[1]} against {labels[0]}"
    return f"Multinomial logistic regression, {len(labels)} classes against {inference.reference}"


def covariance_text(inference: Inference) -> str:
    """Return what tables call the covariance."""
    called = CALLED.get(inference.cov_type, inference.cov_type)
    if inference.n_clusters is not None:
        called += f" ({inference.n_clusters:,} clusters)"
    return called


def _facts(inference: Inference) -> list[tuple[str, str]]:
    found = inference.likelihood
    facts = [
        ("observations", f"{found.n_samples:,.10g}"),
        ("parameters", str(found.n_parameters)),
        ("covariance", covariance_text(inference)),
    ]
    if inference.weights is not None:
        facts.append(("weights", inference.weights))
    pseudo = "" if found.is_likelihood else "pseudo-"
    facts += [
        (f"{pseudo}log-likelihood", f"{found.log_likelihood:.4f}"),
        (f"null {pseudo}log-likelihood", f"{found.null_log_likelihood:.4f}"),
    ]
    if found.is_likelihood:
        statistic = found.null_deviance - found.deviance
        p_value = is_probability(chi2_tail(statistic, found.n_slopes))
        facts += [
            (f"likelihood ratio chi2({found.n_slopes})", f"{statistic:.4f} ({p_value})"),
            ("AIC", f"{found.aic:.4f}"),
            ("BIC", f"{found.bic:.4f}"),
        ]
    facts += [
        ("McFadden's R2", f"{found.mcfadden:.4f}"),
        ("Nagelkerke's R2", f"{found.nagelkerke:.4f}"),
    ]
    return facts
