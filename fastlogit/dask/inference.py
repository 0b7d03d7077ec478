"""`infer` over dask collections: sums over rows come from the workers, the rest is done here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from ..arrays import ArrayLike, Indices, Labels, Mask, Matrix, Vector
from ..design.row_sums import ClusterCodes
from ..inference.clusters import CLUSTERED, Clusters, slopes_of_clusters
from ..inference.covariance import look_at_cov_type
from ..inference.fitted import HasResult, place_of_reference, result_of
from ..inference.infer import inference_of, refuse_many_coefficients
from ..inference.inference import Inference
from ..inference.moments import products_of_columns
from ..inference.optimum import ENOUGH_ROWS, Optimum, PartOfOptimum, standardized
from ..inference.refusals import refuse_other_fits
from ..inference.row_weights import KINDS, RowWeights, weights_by_name
from ..inputs.class_weights import factors_of_classes
from ..inputs.groups import encode_groups
from ..inputs.values import show
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.links import link_loss
from ..objective.multinomial import Multinomial
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature, RowResiduals
from ..options import check_option
from ..result import FitResult
from .collections import partitions_of, y_of
from .fitting import look, refuse_bad_offset, rows_of
from .placement import Placement, Spread
from .predictions import columns_of
from .reading import Facts, Plan, Taken
from .rounds import Client, Collection, Rounds, join
from .rows import PartitionedRows
from .work import Own
from .workers import client_of

__all__ = ["infer"]

# What clusters of a partition's own add, and the codes and sums of those that span partitions.
SumsOfClusters: TypeAlias = tuple[Matrix, tuple[Indices, Matrix]]

# What adjusts each cluster by its rows.
ADJUSTED = ("CR2", "CR3")


def infer(
    fitted: FitResult | HasResult,
    X: Collection,
    y: Collection = None,
    *,
    target: str | None = None,
    sample_weight: Collection = None,
    offset: Collection = None,
    weights: str | None = None,
    cov_type: str = "nonrobust",
    clusters: Collection = None,
    reference: object = None,
    client: Client = None,
) -> Inference:
    """Return standard errors, tests and intervals of a fit, from rows in dask partitions.

    Sums over the rows are made where these are, as in a fit: a pass for the gradient and one for
    the information matrix, or two of each; robust covariances take one or two more.

    Parameters
    ----------
    fitted : FitResult or estimator
        A fit without a penalty (``C=numpy.inf``), of these rows, wherever it was made.
    X : dask array, dask DataFrame or list of delayed
        The rows of the fit; of a frame other columns are left out.
    y : dask array or Series, optional
    target : str, optional
        In the place of y: the column of X that holds the labels.
    sample_weight, offset : str, dask array or Series, optional
        Those of the fit; an estimator's `class_weight` comes on top.
    weights, reference
        See `fastlogit.infer`.
    cov_type : str, default "nonrobust"
        "HC0" to "HC3", "CR0", "CR1" and "CR1S" too; "CR2" and "CR3" take the rows of each cluster
        together, which are in several partitions.
    clusters : str, dask array or Series, optional
        The cluster of each row: a column of X, which may be one of the fit too, or a collection of
        the same partitions. The labels of all clusters come to this process, and so do the sums of
        those that lie in more than one partition: as many numbers as there are of them, times that
        of the coefficients. What lies in one partition is added up there.
    client : distributed.Client, optional

    Returns
    -------
    Inference
        Tests, profile intervals and other covariances go over the partitions again. What says
        something of each row (`diagnostics`, marginal effects) is refused, and so is a pickle: the
        partitions stay in the workers.

    Raises
    ------
    TypeError, ValueError
        As `fastlogit.infer`, and as `fastlogit.dask.fit`.
    NotImplementedError
        If something is asked that partitions do not have.
    """
    result = result_of(fitted)
    _refuse_what_is_not_here(result, cov_type)
    refuse_other_fits(result, takes_links=True)
    place = place_of_reference(reference, result.classes)
    refuse_many_coefficients(result)
    if weights is not None:
        check_option("weights", weights, KINDS)
    if isinstance(clusters, tuple):
        raise NotImplementedError(
            "two-way clusters are not there for dask partitions: give one column of labels"
        )
    # What does not go together is told before rows are looked at.
    none = RowWeights(weights or "frequency", np.empty(0), 0.0)
    if cov_type not in CLUSTERED or clusters is None:
        look_at_cov_type(cov_type, clusters, 0, none)
    beside = {
        "y": y_of(y, target), "sample_weight": sample_weight, "offset": offset,
        "clusters": clusters,
    }  # fmt: skip
    has_names = hasattr(X, "columns") or target is not None
    given = partitions_of(X, beside, columns_of(result) if has_names else None)
    rounds = Rounds(client_of(client))
    chunks, facts = look(rounds, given)
    rows = _rows_of_fit(rounds, chunks, facts, result, getattr(fitted, "class_weight", None))
    known = _weights_of(rows, weights)
    rows = rows.scaled(known.scale)
    ways = None if clusters is None else _clusters_of(chunks, rows)
    del chunks
    objective = Objective(rows, 0.0)
    standardized(objective, rows.design.shape[0] if rows.has_weights else ENOUGH_ROWS, None)
    kind = known.kind if rows.has_weights else None
    return inference_of(result, objective, known.of_rows(), cov_type, ways, kind, place)


def _refuse_what_is_not_here(result: FitResult, cov_type: str) -> None:
    if cov_type in ADJUSTED:
        raise NotImplementedError(
            f"cov_type={cov_type!r} adjusts each cluster by its rows, which is not there for dask "
            "partitions: use 'CR1' or 'CR1S'"
        )
    what = (
        "fractional=True" if result.fractional
        else f"bias_reduction={result.bias_reduction!r}" if result.bias_reduction is not None
        else None
    )  # fmt: skip
    if what is not None:
        raise NotImplementedError(
            f"the fit has {what}, whose inference is not there for dask partitions; "
            "fastlogit.infer has it, of arrays and files"
        )


def _rows_of_fit(
    rounds: Rounds, chunks: Placement, facts: Facts, result: FitResult, class_weight: object
) -> PartitionedRows:
    """Return the rows as the models of a fit see them."""
    classes, n_features = result.classes, len(result.coef)
    n_columns = facts.n_columns
    wanted = len(result.categories.columns) if result.categories is not None else n_features
    if n_columns != wanted:
        raise ValueError(f"X has {n_columns} columns, but the fit had {wanted}")
    unknown = np.setdiff1d(facts.classes, classes)
    if unknown.size:
        raise ValueError(f"y has the label {show(unknown[0])}, which the fit did not have")
    is_softmax = result.multi_class == "multinomial" and classes.size > 2
    refuse_bad_offset(facts, is_softmax)
    factors = None
    if class_weight is not None:
        counts = np.zeros(classes.size)
        counts[np.searchsorted(classes, facts.classes)] = facts.weights
        factors = factors_of_classes(class_weight, result.multi_class, classes, counts)
    loss = Multinomial(classes.size) if is_softmax else link_loss(result.link) or Binomial()
    positive = (1,) if classes.size == 2 else tuple(range(classes.size))
    plan = Plan(result.categories, classes, loss, positive, result.fit_intercept, factors)
    return rows_of(rounds, chunks, facts, plan, n_features)


# ------------------------------------------------------------------------------------------------
# Weights


class WeightsElsewhere(RowWeights):
    """Weights of rows in partitions: their numbers stay there."""

    @property
    def values(self) -> Vector:
        """Raise: what asks for them goes over rows one by one."""
        raise NotImplementedError(
            "this goes over rows one by one, and rows of dask partitions stay in their workers: "
            "take a sample of the rows, or fastlogit.infer of files (fastlogit.ParquetSource)"
        )


class Known(NamedTuple):
    """What weights are, and what they are multiplied by."""

    kind: str
    n_samples: float
    scale: float

    def of_rows(self) -> RowWeights:
        """Return the weights of the rows."""
        return WeightsElsewhere(self.kind, np.empty(0), self.n_samples)


def _weights_of(rows: PartitionedRows, kind: str | None) -> Known:
    """Return weights as what they are called: see `weights_by_name`."""
    if not rows.has_weights:
        return Known(kind or "frequency", float(rows.design.shape[0]), 1.0)
    total, n_used, odd, first = rows.parts.ask(_sums_of_weights)
    if kind is None and odd:
        weights_by_name(np.array([0.5]), None, 1)  # which says what to do
    if kind in (None, "frequency"):
        if first:
            raise ValueError(
                "weights='frequency' are counts, but sample_weight has values that are no whole "
                "numbers; use weights='probability' or 'analytic', or whole numbers"
            )
        return Known("frequency", total, 1.0)
    return Known(str(kind), n_used, n_used / total)


def _sums_of_weights(rows: LabelledRows) -> tuple[float, float, float, float]:
    """Return the sum of the weights, how many are positive, neither 0 nor 1, and not whole."""
    weights = rows.weights_of(0)
    assert weights is not None
    odd = np.count_nonzero((weights != 0.0) & (weights != 1.0))
    broken = np.count_nonzero(weights != np.floor(weights))
    return float(weights.sum()), float(np.count_nonzero(weights)), float(odd), float(broken)


# ------------------------------------------------------------------------------------------------
# Clusters


class GroupingElsewhere(NamedTuple):
    """The clusters of rows in partitions.

    Attributes
    ----------
    codes : Spread
        Of each partition the cluster of each row among its own, -1 for rows without weight.
    places : list of Own
        Of each partition which clusters its own are, and which of them other partitions have too.
    n_clusters : int
    """

    codes: Spread
    places: list[Own]
    n_clusters: int

    def meat(self, optimum: Optimum) -> Matrix:
        """Return the sum over the clusters of s s': a pass."""
        rows, point, size = optimum.objective.rows, optimum.point, optimum.theta.size
        states = (point.curvature, point.residuals, self.codes, self.places)
        assert isinstance(rows, PartitionedRows)
        inner, (_, sums) = rows.of_parts(
            _products_of_clusters, states, optimum.part, combine=_add_clusters,
            numbers=size * (size + max(int(own.value[1].sum()) for own in self.places)),
        )  # fmt: skip
        return inner + products_of_columns(sums, None)


def _products_of_clusters(
    rows: LabelledRows, curvature: RowCurvature, residuals: RowResiduals, codes: ClusterCodes,
    place: tuple[Indices, Mask], part: PartOfOptimum,
) -> tuple[Matrix, tuple[Indices, Matrix]]:  # fmt: skip
    """Return the sum of s s' of clusters that lie here alone, and the others with their s."""
    own, shared = place
    sums = slopes_of_clusters(part.of(rows, curvature, residuals), codes, own.size)
    inner = products_of_columns(np.ascontiguousarray(sums[~shared]), 1)
    return inner, (own[shared], sums[shared])


def _add_clusters(values: Sequence[SumsOfClusters]) -> SumsOfClusters:
    """Return the sums of neighbours together."""
    inner = values[0][0] + values[1][0]
    codes = np.concatenate([found[0] for _, found in values])
    sums = np.concatenate([found[1] for _, found in values])
    own, places = np.unique(codes, return_inverse=True)
    together = np.zeros((own.size, sums.shape[1]))
    np.add.at(together, places.reshape(-1), sums)
    return inner, (own, together)


def _clusters_of(chunks: Placement, rows: PartitionedRows) -> Clusters:
    """Return the clusters of the rows, whose labels come here: a round."""
    codes, found = rows.parts.keep(_own_clusters, held=[chunks.spread], combine=join)
    labels: ArrayLike
    kinds = {own.dtype.kind for own in found}
    if len(kinds) == 1 and kinds < set("biuf"):
        labels = np.concatenate(found)
    else:
        labels = [label for own in found for label in own.tolist()]
    whole = encode_groups(labels, sum(own.size for own in found))
    n_clusters = len(whole.labels)
    if n_clusters < 2:
        raise ValueError("clusters has one cluster only; a covariance takes at least two")
    shared = np.bincount(whole.codes, minlength=n_clusters) > 1
    ends = np.cumsum([own.size for own in found])[:-1]
    places = [
        Own((own.astype(np.int64), shared[own])) for own in np.split(np.asarray(whole.codes), ends)
    ]
    grouping: Any = GroupingElsewhere(codes, places, n_clusters)
    return Clusters((grouping,), whole.labels)


def _own_clusters(rows: LabelledRows, taken: Taken) -> tuple[ClusterCodes, list[Labels]]:
    """Return the cluster of each row among those of a partition, and their labels in a list."""
    groups = taken.labels["clusters"]
    weights = rows.weights_of(0)
    if weights is None:
        return groups.codes, [groups.labels]
    codes = np.full(weights.size, -1, dtype=np.int32)
    used, places = np.unique(groups.codes[weights > 0.0], return_inverse=True)
    codes[weights > 0.0] = places.reshape(-1)
    return codes, [groups.labels[used]]
