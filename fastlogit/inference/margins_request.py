"""What all margins are asked, and how averages of the rows become `Margins`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..arrays import ArrayLike, Matrix, Vector
from ..options import check_option
from .clusters import MOST_COEFFICIENTS, cluster_covariance
from .margins import DegreesOfFreedom, Margins
from .margins_bootstrap import Evaluate, Replicates, replicates_of
from .margins_model import Coefficients
from .margins_pairs import names_of_labels
from .margins_population import GivenRows, Population, grouped, mean_population, new_rows, own_rows
from .margins_scenarios import ModelColumns, Settings
from .summary import covariance_text

if TYPE_CHECKING:
    from .inference import Inference

__all__ = [
    "Asked",
    "AskedRows",
    "Labels",
    "coefficients_of",
    "conclude",
    "degrees_of",
    "labels_of",
    "look_at_rows_asked",
    "look_at_settings",
]

OTHERS = ("observed", "mean")
# Title, what is estimated, and the scale of the intervals.
KINDS = {
    "probability": ("Average predictions", "probability", "logit"),
    "dydx": ("Average marginal effects", "effect", "identity"),
    "eyex": ("Average elasticities", "elasticity", "identity"),
}

Labels: TypeAlias = dict[str, list[object]]


class Asked(NamedTuple):
    """What all margins are asked."""

    by: ArrayLike = None
    others: str = "observed"
    rows: GivenRows | None = None
    bootstrap: Replicates | None = None


@dataclass(frozen=True, eq=False)
class AskedRows:
    """Rows that are averaged over, and whether those of a bootstrap replicate may replace them."""

    population: Population
    groups: list[str]
    is_own: bool
    at_mean: bool
    columns: ModelColumns

    def of_weights(self, weights: Vector | None) -> Population:
        """Return the rows, or their means, with the weights of a replicate if some are given."""
        found = self.population
        if weights is not None and self.is_own:
            found = found.weighted(weights)
        return mean_population(found, self.columns) if self.at_mean else found


def coefficients_of(inference: Inference) -> Coefficients:
    """Return the coefficients of an inference, class by class."""
    fit = inference._fit
    reference = 0
    if len(inference.classes) > 2:
        reference = inference.classes.tolist().index(inference.reference)
    return Coefficients.of(
        inference.coef, len(inference.classes) - 1, reference, fit.fit_intercept, inference.link
    )


def degrees_of(inference: Inference) -> DegreesOfFreedom | None:
    """Return Satterthwaite's degrees of freedom of linear combinations of the coefficients.

    None unless the covariance is CR2 or CR3.
    """
    clusters = inference._clusters
    if inference.degrees_of_freedom is None or clusters is None:
        return None

    def of(combinations: Matrix) -> Vector:
        found = [
            cluster_covariance(
                inference._optimum, inference.cov_type, clusters,
                combinations[first : first + MOST_COEFFICIENTS],
            ).degrees_of_freedom
            for first in range(0, len(combinations), MOST_COEFFICIENTS)
        ]  # fmt: skip
        return np.concatenate([each for each in found if each is not None])

    return of


def look_at_settings(at: ArrayLike, asked: Asked) -> tuple[Settings, Asked]:
    """Return the columns that are set to values, and what is asked of the others.

    Raises
    ------
    TypeError
        If it is no mapping of columns.
    """
    if at is None:
        return {}, asked
    if isinstance(at, str) and at == "mean":
        return {}, asked._replace(others="mean")
    if not isinstance(at, Mapping):
        raise TypeError(
            "at must be 'mean', or a mapping of columns to a value or several, as "
            f"{{'smoke': [0, 1]}}; got {at!r} ({type(at).__name__})"
        )
    return at, asked


def look_at_rows_asked(inference: Inference, asked: Asked, columns: ModelColumns) -> AskedRows:
    """Return the rows that are averaged over."""
    others = check_option("others", asked.others, OTHERS)
    is_own = asked.rows is None
    population = own_rows(inference) if asked.rows is None else new_rows(inference, asked.rows)
    population, groups = grouped(population, asked.by, columns)
    return AskedRows(population, groups, is_own, others == "mean", columns)


def labels_of(inference: Inference, labels: Labels, n_items: int, groups: list[str]) -> Labels:
    """Return the labels of each margin: of items, times classes, times groups."""
    n_groups = max(1, len(groups))
    classes = inference.classes.tolist() if len(inference.classes) > 2 else []
    n_classes = max(1, len(classes))
    found: Labels = {}
    if classes:
        found["class"] = [each for each in classes for _ in range(n_groups)] * n_items
    for name, values in labels.items():
        found[name] = [each for each in values for _ in range(n_classes * n_groups)]
    if groups:
        found["group"] = [*groups] * (n_items * n_classes)
    return found


def conclude(
    inference: Inference, evaluate: Evaluate, labels: Labels, asked: Asked, kind: str
) -> Margins:
    """Return the margins, with replicates if a bootstrap is given."""
    found = evaluate(coefficients_of(inference), None, asked.bootstrap is None)
    estimates = found.values.reshape(-1)
    replicates = None
    if asked.bootstrap is not None:
        replicates = replicates_of(asked.bootstrap, inference, evaluate)
    title, measure, scale = KINDS[kind]
    jacobian = np.zeros((estimates.size, inference.coef.size))
    if asked.bootstrap is None:
        jacobian = found.jacobian.reshape(estimates.size, -1)
    return Margins(
        names=names_of_labels(labels) if labels else ["all rows"],
        labels=labels,
        estimates=estimates,
        jacobian=jacobian,
        title=title if asked.others == "observed" else f"{title}, at mean values",
        measure=measure,
        scale=scale,
        facts=_facts(inference, asked, replicates),
        replicates=replicates,
        _coef_covariance=inference.covariance,
        _degrees=degrees_of(inference),
    )


def _facts(inference: Inference, asked: Asked, replicates: Matrix | None) -> list[tuple[str, str]]:
    facts = [("observations", f"{inference.n_samples:,.10g}")]
    if replicates is None:
        facts.append(("covariance", covariance_text(inference.cov_type, inference.n_clusters)))
    else:
        facts.append(("covariance", f"bootstrap, {len(replicates):,} replicates"))
    if len(inference.classes) == 2:
        facts.append(("probability of", str(inference.classes[1])))
    if inference.weights is not None and asked.rows is None:
        facts.append(("weights", inference.weights))
    return facts
