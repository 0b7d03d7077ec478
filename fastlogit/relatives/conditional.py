"""`conditional_logit`: logistic regression of matched sets, by the exact conditional likelihood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import threads
from ..arrays import ArrayLike, Integers
from ..design.base import Design
from ..design.compressed import CompressedRows
from ..design.mixed import MixedRows
from ..design.opening import open_rows
from ..fitting.in_memory import check_two_classes
from ..inference.distributions import chi2_tail
from ..inference.hypothesis_tests import HypothesisTest
from ..inference.refusals import listed
from ..inference.row_weights import RowWeights, weights_by_name
from ..inputs import validation
from ..inputs.batches import BatchSource
from ..inputs.given import Data, Given, Rows, look
from ..options import Pair, check_category_options, check_option, check_whole
from .conditional_result import CR, ConditionalLogit, covariance_of, scaled_back
from .maximum import Maximum, dependent_columns, maximise
from .set_separation import separated_sets
from .strata import MatchedRows, Point, Strata, encoded, look_at_strata

__all__ = ["conditional_logit", "score_statistic"]

NAME = "conditional_logit"
MAX_ITER = 50
# Odds of e^30 are as good as certain.
LARGE = 30.0
# Separation shows itself after so many iterations: from there on each halves a likelihood at best.
LONG = 12
# Squares of smaller numbers leave float64.
LEAST_SCALE = 1e-153
# A Hessian of more columns takes too much memory.
MOST_COLUMNS = 4000


def conditional_logit(
    X: ArrayLike,
    y: ArrayLike,
    strata: ArrayLike,
    *,
    sample_weight: ArrayLike = None,
    weights: str | None = None,
    offset: ArrayLike = None,
    cov_type: str = "nonrobust",
    clusters: ArrayLike = None,
    interactions: Sequence[Pair] | None = None,
    max_iter: int = MAX_ITER,
    n_threads: int | None = None,
) -> ConditionalLogit:
    """Fit a conditional logistic regression to matched sets, exactly, and infer.

    Each stratum has an intercept of its own, which conditioning on its number of cases removes. Of
    one case, or one control, in a stratum the likelihood is a softmax over its rows; of several
    it is the exact one of all choices of as many rows, by a recursion, also in strata of
    thousands of rows (R's ``clogit(method="exact")``, Stata's clogit; no approximation for ties as
    Breslow's or Efron's, which are other estimates).

    Parameters
    ----------
    X : array-like of shape (n_samples, n_features)
        Rows in memory: real numbers, a sparse matrix or array, a frame with categorical columns,
        whose first levels are the reference. There is no intercept.
    y : array-like of shape (n_samples,)
        Labels of two classes; the cases are those of the second, in sorted order.
    strata : array-like of shape (n_samples,)
        The matched set of each row: labels of any kind, in any order.
    sample_weight : array-like of shape (n_samples,), optional
        Weights of strata, the same for all rows of one; a row of weight 0 is left out.
    weights : {"frequency", "probability"}, optional
        What the weights are, needed where some are neither 0 nor 1: counts of equal strata, or
        sampling weights, which make no likelihood and need a robust `cov_type`.
    offset : array-like of shape (n_samples,), optional
        Fixed part of the raw predictions.
    cov_type : {"nonrobust", "CR0", "CR1"}, default "nonrobust"
        The inverse of the observed information, or sandwiches of the strata's scores, which need
        not trust the model within strata; CR1 has the factor G / (G - 1). They take at least
        two strata that have cases and controls.
    clusters : array-like of shape (n_samples,), optional
        Of the sandwiches: groups of whole strata that may depend on each other, as all sets of one
        person. By default each stratum is one.
    interactions : sequence of pairs of str, optional
        Pairs of categorical columns of a frame.
    max_iter : int >= 1, default 50
    n_threads : int, optional
        None takes what the process may use. The result has the same bits for every number.

    Returns
    -------
    ConditionalLogit

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value; if no stratum has a case and a control;
        if a column is constant in each stratum, columns are combinations of others, or a
        combination of them picks the cases of every stratum, so that there is no maximum.

    References
    ----------
    Breslow and Day (1980, Statistical Methods in Cancer Research 1, chapter 7); Gail, Lubin and
    Rubinstein (1981, Biometrika 68).

    Examples
    --------
    >>> from fastlogit import conditional_logit
    >>> X = [[1.0], [0.0], [0.0], [2.0], [1.0], [1.0], [0.0], [1.5]]
    >>> found = conditional_logit(X, [1, 0, 1, 0, 1, 0, 1, 0], [1, 1, 2, 2, 3, 3, 4, 4])
    >>> found.n_strata
    4.0
    """
    options = check_category_options("reference", "error", interactions, has_penalty=False)
    check_option("cov_type", cov_type, ("nonrobust", *CR))
    max_iter = check_whole("max_iter", max_iter, low=1)
    threads.thread_count(n_threads)
    _refuse_elsewhere(X)
    data = look(Given(X, y, sample_weight, offset, categories=options), "ovr")
    _refuse_elsewhere(data.rows.X)
    check_two_classes(data, NAME)
    kind = _kind_of(data, weights, cov_type)
    if data.rows.X.shape[1] > MOST_COLUMNS:
        raise ValueError(
            f"X has {data.rows.X.shape[1]} columns, and the information matrix would have as many "
            f"rows; at most {MOST_COLUMNS} are taken"
        )
    sets = look_at_strata(data, strata, kind)
    of_strata = _clusters_of(sets, clusters, cov_type, len(data.codes))
    design = open_rows(data.rows.X, n_threads)
    validation.refuse_not_finite(design, data.rows.names)
    names, terms = _names_of(data.rows)
    rows = MatchedRows(design, sets, n_threads)
    _refuse_constant(rows, names)
    null = rows.at(np.zeros(len(names)))
    # Of large offsets the information is 0 where all columns tell something.
    plain = rows.without_offset()
    start = null if plain is rows else plain.at(null.coef)
    dependent = dependent_columns(start.information)
    if dependent.size:
        raise _not_identified([names[column] for column in dependent])
    found = _fit(rows, null, names, max_iter)
    covariance = scaled_back(rows, covariance_of(found, sets, kind, cov_type, of_strata))
    places: dict[str, list[int]] = {}
    for place, term in enumerate(terms):
        places.setdefault(term, []).append(place)
    statistic = score_statistic(null)
    times = sets.weights if kind.is_frequency else np.ones(len(sets.weights))
    return ConditionalLogit(
        names=names, coef=found.point.coef / rows.scale, covariance=covariance, cov_type=cov_type,
        log_likelihood=found.point.log_likelihood, null_log_likelihood=null.log_likelihood,
        n_strata=float(times.sum()), n_without_cases=sets.n_without_cases,
        n_without_controls=sets.n_without_controls, n_samples=float(times @ sets.counts),
        n_cases=float(times @ sets.n_cases),
        n_clusters=None if of_strata is None else int(of_strata.max()) + 1,
        classes=data.classes, weights=kind.kind if data.weights.size else None,
        decrement=found.decrement, suboptimality=found.lack, n_iter=found.n_iter, terms=places,
        score_test=HypothesisTest(
            "score", ", ".join(places), statistic, len(names), chi2_tail(statistic, len(names))
        ),
        _rows=rows,
    )  # fmt: skip


def score_statistic(null: Point) -> float:
    """Return Rao's statistic at coefficients 0; NaN where columns have no information there."""
    size = np.sqrt(np.diag(null.information))
    if not (size > 0.0).all() or dependent_columns(null.information).size:
        return float("nan")
    slope = null.score / size
    scaled = null.information / np.outer(size, size)
    return float(slope @ np.linalg.solve(scaled, slope))


def _refuse_elsewhere(X: ArrayLike) -> None:
    """Raise for rows that are not in memory, where those of a stratum may be far apart."""
    if isinstance(X, BatchSource | Design):
        raise TypeError(
            f"{NAME} reads rows in memory, and X is a {type(X).__name__}; load them into memory "
            "first"
        )


def _kind_of(data: Data, weights: str | None, cov_type: str) -> RowWeights:
    """Return the weights by what they are."""
    if weights is not None:
        check_option("weights", weights, ("frequency", "probability"))
    kind = weights_by_name(data.weights, weights, len(data.codes))
    if cov_type == "nonrobust" and not kind.has_likelihood:
        raise ValueError(
            "weights='probability' make no likelihood, so that its information is no covariance; "
            "use cov_type='CR1'"
        )
    if isinstance(data.rows.X, np.ndarray | CompressedRows | MixedRows):
        return kind
    raise TypeError(
        f"{NAME} reads rows in memory, and X is a {type(data.rows.X).__name__} that is streamed; "
        "load them into memory first"
    )


def _clusters_of(sets: Strata, clusters: ArrayLike, cov_type: str, n_rows: int) -> Integers | None:
    """Return the cluster of each stratum, without holes; None where each is its own."""
    if cov_type not in CR:
        if clusters is not None:
            raise ValueError(
                f"cov_type={cov_type!r} has no clusters; use cov_type='CR1' (or 'CR0'), or leave "
                "clusters out"
            )
        return None
    if len(sets.weights) < 2:
        raise ValueError(
            f"cov_type={cov_type!r} compares strata, of which one alone has cases and controls: "
            "its slope is 0 at the maximum, and so would be all standard errors; use "
            "cov_type='nonrobust'"
        )
    if clusters is None:
        return None
    _, codes = encoded("clusters", clusters, n_rows)
    own = sets.constant(codes)
    if (own < 0).any():
        row = int(sets.rows[sets.starts[int(np.argmax(own < 0))]])
        raise ValueError(
            f"clusters must hold whole strata, but the stratum of row {row} is in several; give "
            "the rows of a stratum one cluster"
        )
    found = np.unique(own, return_inverse=True)[1]
    if found.max() < 1:
        raise ValueError("clusters has one cluster only; a covariance takes at least two")
    return found


def _names_of(rows: Rows) -> tuple[list[str], list[str]]:
    """Return names of the coefficients and the column of each."""
    if rows.categories is not None:
        return list(rows.categories.feature_names), [term for term, _ in rows.categories.features]
    names = list(rows.names or [f"x{column}" for column in range(rows.X.shape[1])])
    return names, names


def _refuse_constant(rows: MatchedRows, names: Sequence[str]) -> None:
    """Raise for columns that do not vary within strata, or that leave float64."""
    beyond = ~np.isfinite(rows.scale) | ((rows.scale > 0.0) & (rows.scale < LEAST_SCALE))
    if beyond.any():
        place = int(np.argmax(beyond))
        raise ValueError(
            f"differences of column {names[place]} within strata, or their squares, leave float64: "
            f"the largest is {rows.scale[place]:.3g}; rescale it"
        )
    constant = np.flatnonzero(rows.constant_columns()).tolist()
    if constant:
        called = listed([names[column] for column in constant])
        raise ValueError(
            f"{called} {'does' if len(constant) == 1 else 'do'} not vary within any stratum that "
            "has a case and a control: the conditional likelihood does not depend on what strata "
            "are matched for. Leave out such columns (products with others may stay, as columns)"
        )


def _not_identified(columns: Sequence[str]) -> ValueError:
    return ValueError(
        f"the strata do not tell the coefficients of {listed(columns)}: within strata "
        f"{'it is' if len(columns) == 1 else 'they are'} a combination of other columns. Leave out "
        "as many columns"
    )


def _fit(rows: MatchedRows, null: Point, names: Sequence[str], max_iter: int) -> Maximum:
    """Return the maximum, from coefficients 0, or raise for data that have none.

    Raises
    ------
    ValueError
        If a direction separates the strata, or the iterations end too early.
    """
    found = maximise(rows, min(LONG, max_iter), null)
    if found.is_proven:
        return found
    sets = separated_sets(rows)
    if sets is not None:
        raise _separated([names[column] for column in sets.columns], sets.complete)
    n_iter = found.n_iter
    if max_iter > n_iter:
        found = maximise(rows, max_iter - n_iter, found.point)
        found = found._replace(n_iter=found.n_iter + n_iter)
    if found.is_proven:
        return found
    if found.is_level or found.n_iter < max_iter:
        offset = rows.strata.offset
        cause = (
            f"the offset differs by up to {np.abs(offset).max():.3g} from its stratum's first row: "
            "is it on the scale of log-odds?"
            if offset.size and np.abs(offset).max() > LARGE
            else "columns are nearly combinations of others. Leave such columns out"
        )
        raise ValueError(
            f"the fit ended after {found.n_iter} iterations where the likelihood is flat in some "
            f"direction: within strata the fitted probabilities are 0 or 1, or {cause}"
        )
    raise ValueError(
        f"the fit is not at its maximum after {found.n_iter} iterations: coefficients are off by "
        f"{found.decrement:.2g} standard errors. Give a larger max_iter"
    )


def _separated(columns: Sequence[str], complete: bool) -> ValueError:
    what = (
        f"column {columns[0]} alone does"
        if len(columns) == 1
        else f"a combination of the columns {listed(columns)} does"
    )
    how = "above all" if complete else "at least as high as"
    return ValueError(
        f"the strata are {'completely' if complete else 'quasi-completely'} separable: {what}, by "
        f"which in each stratum the cases are {how} controls. The likelihood has no maximum, "
        "coefficients grow for ever, and there are no standard errors. Leave such columns out, or "
        "join their levels with others"
    )
