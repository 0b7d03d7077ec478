"""The table that statisticians read of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ..arrays import Matrix, Vector
from .distributions import chi2_tail
from .estimates import Estimates, exponentials
from .table import Table, four_decimals, is_probability, number, probability

if TYPE_CHECKING:
    from .inference import Inference

__all__ = [
    "Summary",
    "Tests",
    "cells_of_tests",
    "covariance_text",
    "heads_of_ends",
    "heads_of_tests",
    "summary_of",
    "table_of",
    "title_text",
    "wald_tests",
]

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
    """A table of coefficients, a row for each, below facts about the model; see `Table`."""


class Tests(NamedTuple):
    """Tests of each estimate, and what a table calls them."""

    name: str
    mark: str
    statistics: Vector
    p_values: Vector
    degrees: Vector | None = None


def wald_tests(statistics: Vector, p_values: Vector, degrees: Vector | None = None) -> Tests:
    """Return tests by z, or by t where there are degrees of freedom."""
    name = "z" if degrees is None else "t"
    return Tests(name, f"P>|{name}|", statistics, p_values, degrees)


def table_of(
    title: str,
    facts: list[tuple[str, str]],
    estimates: Estimates,
    intervals: Matrix,
    level: float,
    *,
    tests: Tests | None = None,
    ratio: str | None = None,
) -> Summary:
    """Return the table of estimates: errors, tests, intervals, and of a `ratio` exponentials.

    Tests are Wald's by default.
    """
    if tests is None:
        tests = wald_tests(estimates.statistics, estimates.p_values, estimates._degrees)
    columns = ["", "coef", "std error", *heads_of_tests(tests), *heads_of_ends(level)]
    shown = [estimates._values, estimates.standard_errors, *intervals.T]
    breaks = []
    if ratio is not None:
        breaks.append(len(columns))
        columns += [ratio, *heads_of_ends(level)]
        shown += [exponentials(estimates._values), *exponentials(intervals).T]
    cells = [[number(value) for value in values.tolist()] for values in shown]
    every = zip(estimates.names, *cells[:2], *cells_of_tests(tests), *cells[2:], strict=True)
    return Summary(title, facts, columns, [[*row] for row in every], breaks=breaks)


def heads_of_ends(level: float) -> list[str]:
    """Return the heads of the ends of intervals."""
    return [f"{50.0 - 50.0 * level:.4g} %", f"{50.0 + 50.0 * level:.4g} %"]


def heads_of_tests(tests: Tests) -> list[str]:
    """Return the heads of tests."""
    return [tests.name, *["df"] * (tests.degrees is not None), tests.mark]


def cells_of_tests(tests: Tests) -> list[list[str]]:
    """Return the columns of tests as texts."""
    degrees = (
        [] if tests.degrees is None else [[f"{value:.2f}" for value in tests.degrees.tolist()]]
    )
    return [
        [f"{value:.3f}" for value in tests.statistics.tolist()],
        *degrees,
        [probability(value) for value in tests.p_values.tolist()],
    ]


def summary_of(inference: Inference, level: float, method: str = "wald") -> Summary:
    """Return the table of an inference with intervals of a level."""
    facts = _facts(inference)
    if method == "profile":
        facts.insert(3, ("intervals", "profile likelihood"))
    ratio = "odds ratio" if len(inference.classes) == 2 else "relative-risk ratio"
    return table_of(
        title_text(inference), facts, inference, inference.conf_int(level, method), level,
        ratio=ratio if inference.link == "logit" else None,
    )  # fmt: skip


def title_text(inference: Inference) -> str:
    """Return what a table is of."""
    labels = [str(label) for label in inference.classes.tolist()]
    called = CALLED_LINKS[inference.link]
    if inference.fractional:
        return f"Fractional {called[0].lower()}{called[1:]} regression"
    if len(labels) == 2:
        return f"{called} regression of {labels[1]} against {labels[0]}"
    return f"Multinomial logistic regression, {len(labels)} classes against {inference.reference}"


def covariance_text(cov_type: str, n_clusters: int | None) -> str:
    """Return what tables call a covariance."""
    called = CALLED.get(cov_type, cov_type)
    return called if n_clusters is None else f"{called} ({n_clusters:,} clusters)"


def _facts(inference: Inference) -> list[tuple[str, str]]:
    found = inference.likelihood
    facts = [
        ("observations", f"{found.n_samples:,.10g}"),
        ("parameters", str(found.n_parameters)),
        ("covariance", covariance_text(inference.cov_type, inference.n_clusters)),
    ]
    if inference.weights is not None:
        facts.append(("weights", inference.weights))
    pseudo = "" if found.is_likelihood else "pseudo-"
    facts += [
        (f"{pseudo}log-likelihood", four_decimals(found.log_likelihood)),
        (f"null {pseudo}log-likelihood", four_decimals(found.null_log_likelihood)),
    ]
    if found.is_likelihood:
        statistic = found.null_deviance - found.deviance
        p_value = is_probability(chi2_tail(statistic, found.n_slopes))
        facts += [
            (f"likelihood ratio chi2({found.n_slopes})", f"{four_decimals(statistic)} ({p_value})"),
            ("AIC", four_decimals(found.aic)),
            ("BIC", four_decimals(found.bic)),
        ]
    facts += [
        ("McFadden's R2", four_decimals(found.mcfadden)),
        ("Nagelkerke's R2", four_decimals(found.nagelkerke)),
    ]
    return facts
