"""The rows that margins are averaged over: of the fit, others, mean rows; and their groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import ArrayLike, Cube, Mask, Matrix, Vector
from ..design.base import Design, as_they_are, readonly
from ..design.dense import DenseDesign
from ..design.opening import open_rows
from ..design.row_sums import ClusterCodes, grams_of_clusters, sums_of_clusters
from ..inputs import validation
from ..inputs.given import OfFit, look_at_rows
from ..inputs.groups import encode_groups
from ..kernels.hypotheses import BINARY, RAW, SOFTMAX
from ..objective.links import link_loss
from .margins_model import Coefficients
from .margins_scenarios import ModelColumns, Scenario

if TYPE_CHECKING:
    from .inference import Inference

__all__ = [
    "GivenRows",
    "Population",
    "are_binary",
    "by_name",
    "grouped",
    "mean_population",
    "new_rows",
    "own_rows",
]

# Values of a column of numbers that may be groups.
MOST_GROUPS = 1000
# Rows that are looked at together.
LOOK_ROWS = 16_384
# Numbers of the arrays beside a pass: scenarios, or products of classes, that go together.
BATCH_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class Population:
    """Rows that are averaged over, as shares of each group.

    Attributes
    ----------
    design : Design
    weights : ndarray of shape (n_samples,), or empty for 1 each
    offset : ndarray of shape (n_sets, n_samples)
        No set, one for all classes, or one for each.
    codes : ndarray of int32, shape (n_samples,), or None
        The group of each row; None for one group.
    n_groups : int
    """

    design: Design
    weights: Vector
    offset: Matrix
    codes: ClusterCodes | None = None
    n_groups: int = 1

    @property
    def n_samples(self) -> int:
        """Rows."""
        return self.design.shape[0]

    def totals(self) -> Vector:
        """Return the weight of each group."""
        return self.row_sums(np.ones((1, self.n_samples)))[0]

    def weighed(self, values: Matrix) -> Matrix:
        """Return values of the rows times their weights."""
        return values * self.weights if self.weights.size else values

    def row_sums(self, values: Matrix) -> Matrix:
        """Return the weighted sums of values (n_vectors, n_samples), (n_vectors, n_groups)."""
        weighed = self.weighed(values)
        if self.codes is None:
            return weighed.sum(axis=1)[:, None]
        return np.array([
            np.bincount(self.codes, weights=each, minlength=self.n_groups) for each in weighed
        ])  # fmt: skip

    def sums(self, values: Matrix) -> Cube:
        """Return weighted sums of rows of X times values: one pass for some.

        Of shape (n_vectors, n_groups, n_features + 1), the sums of the values first; `values` are
        (n_vectors, n_samples).
        """
        found = np.empty((len(values), self.n_groups, self.design.shape[1] + 1))
        step = max(1, BATCH_NUMBERS // self.n_samples)
        for first in range(0, len(values), step):
            some = slice(first, min(first + step, len(values)))
            weighed = np.ascontiguousarray(self.weighed(values[some]))
            if self.codes is None:
                slopes, totals = self.design.transposed_product(weighed)
                own = np.concatenate([slopes, totals[:, None]], axis=1)[:, None]
            else:
                own = sums_of_clusters(self.design, weighed, self.codes, self.n_groups)
                own = own.transpose(1, 0, 2)
            found[some] = self._as_they_are(own)
        return found

    def grams(self, values: Vector) -> Cube:
        """Return weighted X' diag(values) X of each group, with a column of ones first.

        Of shape (n_groups, n_features + 1, n_features + 1); values are not negative.
        """
        weighed = self.weighed(values[None])[0]
        if self.codes is None:
            own = self.design.gram(weighed)[None]
        else:
            own = grams_of_clusters(self.design, weighed, self.codes, self.n_groups)
        return self._as_they_are(self._as_they_are(own).transpose(0, 2, 1))

    def _as_they_are(self, sums: Cube) -> Cube:
        """Return sums of standardised rows and, last, of ones, as those of (1, row of X)."""
        center, inverse_scale = self.design.columns
        slopes, totals = sums[..., :-1], sums[..., -1:]
        scale = np.divide(1.0, inverse_scale, out=np.zeros_like(center), where=inverse_scale > 0.0)
        return np.concatenate([totals, slopes * scale + totals * center], axis=-1)

    def mean_rows(self) -> Matrix:
        """Return the weighted mean row of each group, (n_groups, n_features): one pass."""
        sums = self.sums(np.ones((1, self.n_samples)))[0]
        return sums[:, 1:] / sums[:, :1]

    def mean_offsets(self) -> Matrix:
        """Return the weighted mean of each offset in each group, (n_sets, n_groups)."""
        if not len(self.offset):
            return np.zeros((0, self.n_groups))
        return self.row_sums(self.offset) / self.totals()

    def weighted(self, weights: Vector) -> Population:
        """Return the same rows with other weights."""
        return replace(self, weights=weights)

    def probabilities(self, model: Coefficients, scenario: Scenario) -> Matrix:
        """Return the probability of each class, (n_classes, n_samples): one pass.

        Of two classes 1 - p has all its digits, too.
        """
        loss = link_loss(model.link)
        if loss is not None:
            return np.ascontiguousarray(loss.probabilities(self.raw(model, scenario)).T)
        return self._hypotheses(model, scenario, BINARY if model.n_classes == 2 else SOFTMAX)

    def raw(self, model: Coefficients, scenario: Scenario) -> Vector:
        """Return the raw predictions of two classes, (n_samples,): one pass."""
        return np.ascontiguousarray(self._hypotheses(model, scenario, RAW)[0])

    def _hypotheses(self, model: Coefficients, scenario: Scenario, kind: int) -> Matrix:
        coef, intercept = scenario.coefficients(model.coef, model.intercept)
        if kind == SOFTMAX:
            coef = np.insert(coef, model.reference, 0.0, axis=0)
            intercept = np.insert(intercept, model.reference, 0.0)
        out = np.empty((self.n_samples, 1 if kind == RAW else model.n_classes))
        # Which read rows as they are, without a centre.
        plain = self.design.standardized(as_they_are(self.design.shape[1]))
        plain.hypotheses(coef, intercept, readonly(self.offset), kind, out)
        return out.T


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Rows other than those of the fit, as users hand them in."""

    X: ArrayLike
    sample_weight: ArrayLike = None
    offset: ArrayLike = None


def own_rows(inference: Inference) -> Population:
    """Return the rows of the fit, with its weights and offset."""
    rows = inference._optimum.objective.rows
    sets = [rows.offset_of(output) for output in range(rows.n_offsets)]
    n_samples = rows.design.shape[0]
    offset = np.array([each for each in sets if each is not None]).reshape(-1, n_samples)
    return Population(rows.design, inference._optimum.weights.values, offset)


def new_rows(inference: Inference, given: GivenRows) -> Population:
    """Return other rows, read as those of the fit were.

    Raises
    ------
    TypeError, ValueError
        If they have the wrong type, shape or value, or lack an offset that the fit had.
    """
    fit, own = inference._fit, inference._optimum.objective.rows
    rows = look_at_rows(OfFit(given.X, fit.column_names, fit.categories))
    n_samples, n_features = rows.X.shape
    if n_features != len(fit.coef):
        raise ValueError(f"X has {n_features} columns, but the fit had {len(fit.coef)}")
    if own.n_offsets and given.offset is None:
        raise ValueError(
            "the fit had an offset: give one for these rows, too (offset=numpy.zeros(len(X)) for "
            "none)"
        )
    weights = validation.check_weights(given.sample_weight, n_samples)
    n_outputs = own.n_outputs
    offset = validation.check_class_offset(given.offset, n_samples, n_outputs, n_outputs > 1)
    design = open_rows(rows.X, own.design.n_threads)
    if design.first_not_finite() is not None:
        validation.refuse_not_finite(design, rows.names)
    return Population(design, weights, offset.reshape(-1 if offset.size else 0, n_samples))


def mean_population(population: Population, columns: ModelColumns) -> Population:
    """Return the weighted mean row of each group, with the mean offset."""
    rows = columns.products_of_means(population.mean_rows())
    design = DenseDesign(np.ascontiguousarray(rows), n_threads=population.design.n_threads)
    codes = None
    if population.codes is not None:
        codes = np.arange(population.n_groups, dtype=np.int32)
    return Population(design, np.empty(0), population.mean_offsets(), codes, population.n_groups)


def grouped(
    population: Population, by: ArrayLike, columns: ModelColumns
) -> tuple[Population, list[str]]:
    """Return the rows in groups, and what these are called.

    Raises
    ------
    TypeError, ValueError
        If `by` is neither a column nor a label for each row.
    """
    if by is None:
        return population, []
    if isinstance(by, str):
        codes, labels = _groups_of_column(population.design, columns.place(by), columns)
    else:
        try:
            groups = encode_groups(by, population.n_samples)
        except (TypeError, ValueError) as error:
            raise type(error)(str(error).replace("groups", "by")) from None
        codes, labels = groups.codes, [str(label) for label in groups.labels.tolist()]
    found = replace(population, codes=codes, n_groups=len(labels))
    used = found.totals() > 0.0
    if used.all():
        return found, labels
    places = np.maximum(np.cumsum(used) - 1, 0).astype(np.int32)
    kept = [label for label, has_weight in zip(labels, used, strict=True) if has_weight]
    # Rows of the other groups have no weight: they may be anywhere.
    return replace(population, codes=places[codes], n_groups=len(kept)), kept


def _groups_of_column(
    design: Design, place: int, columns: ModelColumns
) -> tuple[ClusterCodes, list[str]]:
    """Return the group of each row by a column's level, or by its number."""
    name, levels, features = columns.names[place], columns.levels[place], columns.places[place]
    if levels is None:
        values, own = np.unique(design.column(int(features[0])), return_inverse=True)
        if len(values) > MOST_GROUPS:
            raise ValueError(
                f"by names {columns.text(place)}, which has {len(values):,} values; give a label "
                f"for each row, of at most {MOST_GROUPS} groups"
            )
        return own.astype(np.int32), [f"{name}={value:.6g}" for value in values]
    codes = np.zeros(design.shape[0], dtype=np.int32)
    for code, feature in enumerate(features, len(levels) - len(features)):
        codes[design.column(int(feature)) != 0.0] = code
    return codes, [f"{name}={level}" for level in levels]


def are_binary(design: Design) -> Mask:
    """Return for each feature whether its values are 0 and 1 alone: one pass."""
    found = np.ones(design.shape[1], dtype=bool)
    for _, _, rows in design.row_blocks(LOOK_ROWS):
        found &= ((rows == 0.0) | (rows == 1.0)).all(axis=0)
        if not found.any():
            break
    return found


def by_name(X: ArrayLike) -> Mapping[str, ArrayLike] | None:
    """Return rows by name, of a mapping of names to rows; None for rows."""
    return X if isinstance(X, Mapping) else None
