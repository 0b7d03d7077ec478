"""`fit` over dask collections: partitions stay in their workers, solvers run here."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import ArrayLike, ClassWeight, Floats, Labels, Matrix, Vector
from ..design.base import RowCounter, as_they_are
from ..fitting.column_groups import ColumnGroups, check_groups
from ..fitting.fit import (
    MAX_ITER,
    OTHER_MAX_ITER,
    SOLVERS,
    SOLVERS_OF_L1,
    TOLERANCE,
    check_ratio,
    descent_options,
    refuse_beside_corners,
)
from ..fitting.links import check_link
from ..fitting.minimise import minimise
from ..fitting.problem import (
    MULTI_CLASS,
    CheckedProblem,
    StartLike,
    Strengths,
    check_callback,
    check_intercept,
    check_time_limit,
    penalty_of,
    refuse_groups_alone,
    start_of,
)
from ..inputs import validation
from ..inputs.categories import Categories
from ..inputs.class_weights import factors_of_classes
from ..inputs.given import Data, Given, Rows, check_start
from ..objective.binomial import Binomial
from ..objective.losses import RowLoss
from ..objective.multinomial import Multinomial
from ..objective.objective import Objective
from ..objective.penalties import Penalty
from ..options import (
    CategoryOptions,
    check_category_options,
    check_number,
    check_option,
    check_whole,
)
from ..result import Callback, FitResult
from ..solvers.trace import Limits
from . import work
from .collections import Partitions, partitions_of, y_of
from .design import PartitionedDesign
from .parts import Parts
from .placement import Placement, Spread
from .reading import (
    Facts,
    Fault,
    Plan,
    build_group,
    design_like,
    look_at,
    merged,
    take_group,
    taken,
)
from .rounds import Client, Collection, Rounds
from .rows import PartitionedRows
from .work import View
from .workers import client_of

__all__ = ["categories_of", "fit", "look", "penalty_over", "problem_of", "rows_of"]


def fit(
    X: Collection,
    y: Collection = None,
    *,
    target: str | None = None,
    features: Sequence[str] | None = None,
    C: float | None = None,
    l2_reg: ArrayLike = None,
    l1_reg: ArrayLike = None,
    l1_ratio: float | None = None,
    coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
    penalty_groups: ArrayLike = None,
    group_weights: ArrayLike = None,
    penalty_factor: ArrayLike = None,
    link: str = "logit",
    solver: str = "auto",
    tol: float = TOLERANCE,
    max_iter: int | None = None,
    multi_class: str = "ovr",
    sample_weight: Collection = None,
    offset: Collection = None,
    class_weight: ClassWeight = None,
    intercept: ArrayLike = "fit",
    start: StartLike = None,
    categories: str = "auto",
    handle_unknown: str = "error",
    feature_names: Sequence[str] | None = None,
    client: Client = None,
    callback: Callback | None = None,
    time_limit: float | None = None,
    **unknown: object,
) -> FitResult:
    """Fit logistic regression to a dask collection, to the optimum that `fastlogit.fit` proves.

    Each partition stays in the worker that has it, with what the fit knows of its rows. A pass is
    one task for each worker and a tree of sums; this process holds coefficients and Hessians.

    Parameters
    ----------
    X : dask array, dask DataFrame or list of delayed
        Arrays of numbers or of CSR blocks, frames of numbers and categorical columns, of known or
        unknown sizes; delayed partitions are tables, or tuples ``(X, y)`` or ``(X, y,
        sample_weight)``. What is not persisted is computed once, and kept for the fit.
    y : dask array or Series, optional
        Class labels, in partitions like those of X.
    target : str, optional
        In the place of y: the column of X that holds the labels.
    features : sequence of str, optional
        Columns of a frame that are taken; by default all but target, weights and offset.
    C, l2_reg, l1_reg, l1_ratio, coef_bounds, penalty_groups, group_weights, penalty_factor, link, \
intercept, start : optional
        As of `fastlogit.fit`.
    solver, tol, max_iter, multi_class, categories, handle_unknown, callback, time_limit : optional
        As of `fastlogit.fit`. Categorical columns have the levels that occur in any partition, in
        the order of the categories.
    sample_weight : str, dask array or Series, optional
        Weights >= 0 of the rows: a column of X, or a collection of the same partitions.
    offset : str, dask array or Series, optional
        Fixed part of the raw predictions, as the logarithm of prior odds: a column of X, or a
        collection of the same partitions. Not of a softmax, which would take one for each class.
    class_weight : dict or "balanced", optional
        Weights of the classes, which multiply `sample_weight`, as of
        `fastlogit.LogisticRegression`.
    feature_names : sequence of str, optional
        Names of the columns of arrays, which have none.
    client : distributed.Client, optional
        The one that there is by default.
    **unknown
        There are no other options: those of `fastlogit.fit` that do not work on partitions
        (fractional responses, reduced bias) raise an error that says so.

    Returns
    -------
    FitResult
        The bits depend on the partitions, not on how many workers there are or what they did when.

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, with the partition where it is in one.
    RuntimeError
        If a partition that was lost comes back with other rows; or if the client was restarted,
        where the best point so far is in its ``.result``, as it is after Ctrl-C (KeyboardInterrupt;
        None in the first look).
    ImportError
        If dask.distributed is not installed, or a worker has no fastlogit or another version.
    """
    began = time.perf_counter()
    refuse_unknown(unknown)
    solver = check_option("solver", solver, (*SOLVERS, *SOLVERS_OF_L1))
    limits = _limits(solver, tol, max_iter, callback, time_limit)
    descent = descent_options(solver, limits, {})
    multi_class = check_option("multi_class", multi_class, MULTI_CLASS)
    loss = check_link(link, None, multi_class, solver)
    strengths = Strengths(
        C, l1_ratio=check_ratio(l1_ratio), groups=penalty_groups, group_weights=group_weights
    )  # fmt: skip
    fixed = check_intercept(intercept)
    options = check_category_options(
        categories, handle_unknown, None, has_penalty=strengths.exist(l2_reg, l1_reg)
    )
    if isinstance(class_weight, str):
        check_option("class_weight", class_weight, ["balanced"])
    asked = Given(
        None, l2_reg=l2_reg, penalty_factor=penalty_factor, start=start_of(start),
        class_weight=class_weight, names=feature_names, categories=options, l1_reg=l1_reg,
        coef_bounds=coef_bounds,
    )  # fmt: skip
    beside = {
        "y": y_of(y, target), "sample_weight": sample_weight, "offset": offset,
    }  # fmt: skip
    given = partitions_of(X, beside, features)
    until = None if limits.time_limit is None else began + limits.time_limit
    rounds = Rounds(client_of(client), until)
    with rounds.keeping_point():
        chunks, facts = look(rounds, given)
        problem = problem_of(rounds, chunks, facts, asked, strengths, multi_class, fixed, loss)
        del chunks
        has_corners = strengths.have_corners(problem.data)
        refuse_beside_corners(has_corners, problem.data, solver, loss)
        refuse_groups_alone(strengths, strengths.have_l1(problem.data))
        return minimise(problem, solver, descent, limits, began, has_corners)


def _limits(
    solver: str, tol: object, max_iter: object, callback: Callback | None, time_limit: object
) -> Limits:
    """Return when a fit ends, checked."""
    if max_iter is None:
        max_iter = MAX_ITER.get(solver, OTHER_MAX_ITER)
    return Limits(
        tol=check_number("tol", tol, low=0.0),
        max_iter=check_whole("max_iter", max_iter, low=0),
        callback=check_callback(callback),
        time_limit=check_time_limit(time_limit),
    )


# Sums of weights that partitions take as they are.
SMALLEST, LARGEST = 1e-60, 1e60

# What `fastlogit.fit` takes and partitions do not, with what it is called.
NOT_HERE = {
    "penalty": "penalties that are objects",
    "bias_reduction": "reduced bias", "loss": "losses of your own",
    "fractional": "fractional responses", "interactions": "interactions",
    "n_threads": "a number of threads (a task has those of its worker)", "step_size": "a step size",
    "momentum": "momentum", "standardize": "columns as they are",
}  # fmt: skip


def refuse_unknown(options: dict[str, object]) -> None:
    """Raise for options that there are not."""
    for name in options:
        if name in NOT_HERE:
            raise NotImplementedError(
                f"{name}: dask partitions do not take {NOT_HERE[name]} yet; fastlogit.fit does, of "
                "arrays, files (fastlogit.ParquetSource) and tables"
            )
        check_option("the option name", name, fit.__kwdefaults__ or ())


def look(rounds: Rounds, given: Partitions) -> tuple[Placement, Facts]:
    """Return the partitions, taken apart in their workers, and what they hold: one round."""
    held, n_parts = given.held(rounds.client), len(given.X)
    if held is not None:
        # Where they lie is known, and a task takes all of a group.
        spreads = {name: Spread(futures) for name, futures in held.items()}
        groups = Placement(rounds, spreads["X"]).groups
        lists = [spread.by(groups, rounds) for spread in spreads.values()]
        members = [group.members for group in groups]
        kept = rounds.map(
            take_group, "partition", members, *lists, names=tuple(given.beside), asked=given.asked,
            n_leaves=n_parts,
        )  # fmt: skip
        placement = Placement(rounds, Spread(kept, groups))
        told = rounds.map(work.told_of, "look", kept)
    else:
        placement = Placement(rounds, Spread(taken(rounds, given)))
        groups = placement.groups
        members = [group.members for group in groups]
        own = placement.spread.by(groups, rounds)
        told = rounds.map(look_at, "look", members, own, n_leaves=n_parts)
    found, workers = rounds.combine(told, n_parts, merged, "look")
    placement.ran_at(groups, workers)
    known = found.value
    if not known:
        raise ValueError(f"X is empty: its {n_parts} partitions have no rows")
    facts = known[0]
    if isinstance(facts, Fault):
        raise facts.raised()
    if facts.n_columns == 0:
        raise ValueError("X is empty: it has no columns")
    return placement.over(facts.numbers), facts


def problem_of(
    rounds: Rounds, chunks: Placement, facts: Facts, given: Given, strengths: Strengths,
    multi_class: str, fixed: float | None, loss: RowLoss | None = None,
) -> CheckedProblem:  # fmt: skip
    """Return what is asked, over partitions that have become rows of a fit.

    Parameters
    ----------
    rounds : Rounds
    chunks : Placement
        Of what was taken apart.
    facts : Facts
    given : Given
        What is not of the rows: penalty, start, class weights, names, categories.
    strengths : Strengths
    multi_class : {"ovr", "multinomial"}
    fixed : float or None
        What the intercept is held at.
    loss : RowLoss, optional
        Of a link other than the logit.
    """
    classes, _ = validation.encode_labels(facts.classes, facts.classes.size)
    is_softmax = multi_class == "multinomial" and classes.size > 2
    refuse_bad_offset(facts, is_softmax)
    found = categories_of(facts, given.categories)
    names = _names_of(facts, given.names)
    factors = None
    if given.class_weight is not None:
        factors = factors_of_classes(given.class_weight, multi_class, classes, facts.weights)
    n_features = facts.n_columns if found is None else found.n_features
    positive = (1,) if classes.size == 2 else tuple(range(classes.size))
    if loss is not None and classes.size > 2:
        raise ValueError(
            f"link={loss.link!r} is for two classes, y has {classes.size}; of ordered classes "
            "fastlogit.ordinal_logit takes it, of rows in memory"
        )
    own = loss or (Multinomial(classes.size) if is_softmax else Binomial())
    plan = Plan(found, classes, own, positive, fixed is None, factors)
    rows = rows_of(rounds, chunks, facts, plan, n_features)
    feature_names = found.feature_names if found is not None else names
    is_text = given.names is not None or (
        facts.names is not None and all(isinstance(name, str) for name in facts.names)
    )
    none = validation.NO_NUMBERS
    looked = Rows(rows.design, None, feature_names, feature_names if is_text else None, found)
    start = None if given.start is None else check_start(given.start, classes, n_features)
    data = Data(
        looked, classes, np.empty(0, dtype=np.uint8), none, none,
        _checked("l2_reg", given.l2_reg, n_features, looked),
        _checked("penalty_factor", given.penalty_factor, n_features, looked), start,
        l1_reg=_checked("l1_reg", given.l1_reg, n_features, looked),
        coef_bounds=validation.check_coef_bounds(given.coef_bounds, n_features, looked.unit),
    )  # fmt: skip
    groups = check_groups(strengths.groups, strengths.group_weights, data)
    objective = Objective(rows, penalty_over(rows, strengths, data, groups))
    return CheckedProblem(data, objective, data.start, fixed, multi_class, groups=groups)


def penalty_over(
    rows: PartitionedRows, strengths: Strengths, data: Data, groups: ColumnGroups | None = None
) -> float | Floats | Penalty:
    """Return the penalty on the scale of the mean loss of rows."""
    total = rows.total_weight if rows.weight_set.any() else float(rows.total_weight[0])
    n_features, n_classes = rows.design.shape[1], rows.loss.n_classes
    return penalty_of(strengths, data, total, n_features, n_classes, groups)


def rows_of(
    rounds: Rounds, chunks: Placement, facts: Facts, plan: Plan, n_features: int
) -> PartitionedRows:
    """Return the rows of a fit, made of partitions where these are: no round."""
    groups = chunks.groups
    own = chunks.spread.by(groups, rounds)
    sizes, stamps = (
        [[each[place] for place in group.members] for group in groups]
        for each in (facts.sizes, facts.stamps)
    )
    places = Spread(rounds.map(build_group, "rows", own, sizes, stamps, plan=plan), groups)
    n_samples = sum(facts.sizes)
    view = View(as_they_are(n_features), None, np.ones(len(plan.positive)))
    counter = RowCounter(n_samples)
    all_sizes = np.array(facts.sizes, dtype=np.int64)
    parts = Parts(rounds, places, all_sizes, view, counter, numbers=facts.numbers)
    total, of_class, counts = _weights_of_all(facts, plan)
    _refuse_without_weight(plan.classes, of_class, plan.factors is not None)
    density = facts.n_values / (n_samples * facts.n_columns)
    design = PartitionedDesign(parts, design_like(facts.first, plan), facts.dtype, density)
    n_sets = len(of_class) if facts.weighted or plan.factors is not None else 0
    return PartitionedRows(
        design, plan.loss, plan.positive, total, of_class, counts.astype(np.int64),
        plan.fit_intercept, n_sets, int(facts.has_offset),
    )  # fmt: skip


def _weights_of_all(facts: Facts, plan: Plan) -> tuple[Vector, Matrix, Vector]:
    """Return the weight of all rows for each output, and of each class in each set of weights.

    Last come how many rows of weight each class has.
    """
    own, counts = np.zeros((2, plan.classes.size))
    places = np.searchsorted(plan.classes, facts.classes)
    own[places], counts[places] = facts.weights, facts.counts
    if plan.factors is None:
        of_class = own[None]
    else:
        factors = np.atleast_2d(plan.factors)
        of_class = own * factors
        counts = np.where((factors > 0.0).all(axis=0), counts, 0.0)
    total = np.broadcast_to(of_class.sum(axis=1), len(plan.positive))
    return np.array(total), of_class, counts


def _names_of(facts: Facts, given: Sequence[str] | None) -> list[str] | None:
    """Return the names of the columns: those of a frame, or those given of arrays."""
    if facts.names is not None:
        if given is not None:
            raise ValueError("feature_names are for arrays; a frame has names of its columns")
        return [str(name) for name in facts.names]
    if given is None:
        return None
    names = list(given)
    if len(names) != facts.n_columns or not all(isinstance(name, str) for name in names):
        raise ValueError(
            f"feature_names must be {facts.n_columns} texts, one for each column of X, got "
            f"{names[:10]}"
        )
    return names


def refuse_bad_offset(facts: Facts, is_softmax: bool) -> None:
    """Raise for an offset that is the same for all classes of a softmax."""
    if facts.has_offset and is_softmax:
        raise ValueError(
            "an offset of one number for each row would change no softmax: leave it out, or set "
            "multi_class='ovr'"
        )


def _checked(name: str, given: ArrayLike, n_features: int, rows: Rows) -> Any:
    return None if given is None else validation.check_l2_reg(name, given, n_features, rows.unit)


def categories_of(facts: Facts, options: CategoryOptions | None) -> Categories | None:
    """Return the categories of a fit: the levels that occur, in the order of the partitions'."""
    if not facts.coded:
        return None
    assert facts.names is not None
    assert options is not None
    levels = tuple(
        None
        if place not in facts.coded
        else tuple(v for v in facts.coded[place].declared if v in facts.coded[place].used)
        for place in range(facts.n_columns)
    )
    names = tuple(str(name) for name in facts.names)
    found = Categories(names, levels, options.coding, options.unknown)
    found.check()
    return found


def _refuse_without_weight(classes: Labels, of_class: Matrix, by_class: bool) -> None:
    """Raise where the weights leave no problem; `of_class` are those of each set."""
    total = float(of_class.sum())
    if total == 0.0:
        raise ValueError("sample_weight is zero for every row; at least one must be positive")
    if not SMALLEST < total < LARGEST:
        raise ValueError(
            f"sample_weight adds up to {total:g}, and products with so small or large weights may "
            "leave float64; divide the weights by their mean first"
        )
    if np.count_nonzero(of_class.any(axis=0)) < 2:
        raise ValueError("y has one class only among the rows whose sample_weight is positive")
    if not of_class.all():
        label = classes[int(np.argmin(of_class.all(axis=0)))]
        times = ", times class_weight," if by_class else ""
        raise ValueError(
            f"no row of class {label} has positive weight{times}; leave such rows out, or give "
            "them weight"
        )
