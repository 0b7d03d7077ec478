"""What a fit is asked: checked input as an objective, its clock, its columns' units."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import NamedTuple, TypeAlias

import numpy as np

from ..arrays import ArrayLike, Floats, Integers, Labels, Matrix, Vector
from ..clock import Clock, TimeUp, activity
from ..design.opening import open_rows
from ..inputs import validation
from ..inputs.given import Data, Given, Start, look
from ..objective.binomial import Binomial
from ..objective.labelled_rows import LabelledRows
from ..objective.losses import Loss
from ..objective.multinomial import Multinomial
from ..objective.objective import Objective
from ..objective.penalties import L1, L2, Bounds, ElasticNet, Penalty, Quadratic
from ..options import check_number, check_option, check_strength
from ..result import Callback, FitResult
from ..solvers.choice import FEWEST_PER_COLUMN, sample_stride
from .column_groups import ColumnGroups, check_groups
from .custom import refuse_bad_elastic_net, refuse_bad_penalty

__all__ = [
    "MULTI_CLASS",
    "CheckedProblem",
    "StartLike",
    "Strengths",
    "began_of",
    "check_callback",
    "check_intercept",
    "check_problem",
    "check_time_limit",
    "elastic_net",
    "given_of",
    "l2_of_c",
    "l2_reg_of",
    "moderate_weights",
    "penalty_of",
    "refuse_bad_columns",
    "refuse_groups_alone",
    "set_clock",
    "standardize_by",
    "start_of",
    "stop_clock",
    "stride_of",
]

# Where a user lets a fit begin: a result, or a pair (coef, intercept).
StartLike: TypeAlias = FitResult | Sequence[ArrayLike] | None

MULTI_CLASS = ("ovr", "multinomial")
# A subsample that starts a fit has at least this many rows of either class.
ROWS_OF_A_CLASS = 20


@dataclass(frozen=True)
class CheckedProblem:
    """Checked input of a fit."""

    data: Data
    objective: Objective
    # Where to begin: the user's start, or None.
    start: tuple[Matrix, Vector] | None
    fixed_intercept: float | None
    multi_class: str
    # The weights that the user gave are those of the objective times two to this, for each set.
    weight_power: int | Integers = 0
    # What L1 holds together.
    groups: ColumnGroups | None = None

    @property
    def classes(self) -> Labels:
        """The sorted labels."""
        return self.data.classes

    @property
    def names(self) -> list[str] | None:
        """Names of the columns, for messages."""
        return self.data.rows.names

    @property
    def feature_names(self) -> list[str] | None:
        """Names of the columns, where all of them are text."""
        return self.data.rows.text_names


class Strengths(NamedTuple):
    """How strong the penalty is, as the user says it: what is not in `Given`."""

    C: float | None = None
    penalty: Penalty | None = None
    # The share of L1 in what C gives.
    l1_ratio: float = 0.0
    # The group of each column, or "features", and a weight for each group.
    groups: ArrayLike = None
    group_weights: ArrayLike = None

    def exist(self, l2_reg: ArrayLike, l1_reg: ArrayLike) -> bool:
        """Say whether a fit is asked for a penalty, before its strengths are checked.

        Strengths for each column are a penalty, whatever they are.
        """
        others = any(
            given is not None and not (isinstance(given, Real) and given == 0.0)
            for given in (l2_reg, l1_reg)
        )
        return others or self.penalty is not None or self.C not in (None, math.inf)

    def have_corners(self, data: Data) -> bool:
        """Say whether a fit is asked for L1 or for bounds of the coefficients."""
        return data.coef_bounds is not None or self.have_l1(data)

    def have_l1(self, data: Data) -> bool:
        """Say whether a fit is asked for L1, and not by a strength of 0."""
        given = data.l1_reg is not None and bool(np.any(data.l1_reg))
        shared = self.l1_ratio > 0.0 and self.C != math.inf
        return given or shared or isinstance(self.penalty, ElasticNet)


def refuse_groups_alone(strengths: Strengths, has_l1: bool) -> None:
    """Raise for groups of a penalty that there is not, and for weights of none."""
    if strengths.groups is None and strengths.group_weights is not None:
        raise ValueError("group_weights are those of penalty_groups, which are not given")
    if strengths.groups is not None and (not has_l1 or strengths.penalty is not None):
        raise ValueError(
            "penalty_groups says what L1 holds together: give C with l1_ratio above 0, or l1_reg"
        )


def given_of(
    X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike, offset: ArrayLike, l2_reg: ArrayLike,
    penalty_factor: ArrayLike, start: StartLike, clock: Clock | None = None,
    l1_reg: ArrayLike = None, coef_bounds: ArrayLike = None,
) -> Given | Data:  # fmt: skip
    """Return what the user gave, to be looked at.

    X may be `Data`, which has been looked at: y, weights, offset, start and the penalty but for its
    C are in there then.
    """
    if isinstance(X, Data):
        return X
    return Given(
        X, y, sample_weight, offset, l2_reg, penalty_factor, start_of(start), clock=clock,
        l1_reg=l1_reg, coef_bounds=coef_bounds,
    )  # fmt: skip


def check_problem(
    given: Given | Data, strengths: Strengths, multi_class: str, intercept: object,
    n_threads: int | None, *, loss: Loss | None = None, every_class: bool = False,
) -> CheckedProblem:  # fmt: skip
    """Check everything that the user gave, before any work; `Data` has been looked at."""
    data = given if isinstance(given, Data) else look(given, multi_class, every_class=every_class)
    design = open_rows(data.rows.X, n_threads)
    n_samples, n_features = design.shape
    classes, codes, weights = data.classes, data.codes, data.weights
    is_softmax = multi_class == "multinomial" and classes.size > 2
    fixed = check_intercept(intercept)
    moderate, power = moderate_weights(weights)
    if isinstance(strengths.penalty, Quadratic):
        n_outputs = 1 if classes.size == 2 else classes.size
        refuse_bad_penalty(strengths.penalty, n_features, n_outputs, is_softmax)
    if isinstance(strengths.penalty, ElasticNet):
        refuse_bad_elastic_net(
            strengths.penalty, n_features, 1 if classes.size == 2 else classes.size, is_softmax
        )
    loss = loss or (Multinomial(classes.size) if is_softmax else Binomial())
    rows = LabelledRows(
        design, loss, codes, [1] if classes.size == 2 else range(classes.size), moderate,
        data.offset, fixed is None, shares=data.shares,
    )  # fmt: skip
    groups = check_groups(strengths.groups, strengths.group_weights, data)
    penalty = penalty_of(strengths, data, n_samples, n_features, loss.n_classes, groups)
    objective = Objective(rows, penalty)
    return CheckedProblem(data, objective, data.start, fixed, multi_class, power, groups)


def began_of(given: ArrayLike) -> float:
    """Return when a fit begins, now or with the look at what the user gave."""
    return time.perf_counter() - (given.seconds if isinstance(given, Data) else 0.0)


def moderate_weights(weights: Floats) -> tuple[Floats, int | Integers]:
    """Return weights of any size as moderate ones, and the powers of two taken out of each set.

    Times columns of 1e-300 others would leave float64.
    """
    largest = weights.max(axis=-1, keepdims=True) if weights.size else np.ones(1)
    if ((largest > 2.0**-8) & (largest < 2.0**8)).all():
        return weights, 0
    _, power = np.frexp(largest)
    return np.ldexp(weights, -power), power.reshape(-1)


def penalty_of(
    strengths: Strengths, data: Data, n_samples: float | Vector, n_features: int,
    n_classes: int = 1, groups: ColumnGroups | None = None,
) -> float | Floats | Penalty:  # fmt: skip
    """Return the penalty on the scale of the mean loss: an object, or strengths of L2.

    `n_samples` is the weight of all rows where the data hold no weights, `n_classes` those of a
    softmax, `groups` what L1 holds together.
    """
    C, ratio, l1_reg = strengths.C, strengths.l1_ratio, data.l1_reg
    if ratio > 0.0 and C is None:
        raise ValueError(
            f"l1_ratio={ratio:g} is the share of L1 in the penalty that C gives: give C, or l1_reg "
            "and l2_reg in place of l1_ratio"
        )
    if l1_reg is not None and (C is not None or strengths.penalty is not None):
        raise ValueError(
            "give C with l1_ratio, or l1_reg with l2_reg, or a penalty; l1_reg = l1_ratio / (C * "
            "sum of weights)"
        )
    l2_reg = l2_reg_of(strengths, data, n_samples, n_features)
    if data.coef_bounds is not None and isinstance(l2_reg, Penalty):
        raise ValueError(
            "coef_bounds go with L2 and L1, not with a penalty that is an object; give its bounds "
            "to the L1 of an ElasticNet"
        )
    if isinstance(l2_reg, Penalty) or not strengths.have_corners(data):
        return l2_reg
    if ratio > 0.0:
        l1: float | Floats = ratio * l2_reg
        l2_reg = (1.0 - ratio) * l2_reg
    else:
        factor = 1.0 if data.penalty_factor is None else data.penalty_factor
        l1 = np.asarray(0.0 if l1_reg is None else l1_reg) * factor
    found = elastic_net(l1, l2_reg, data, n_features, n_classes, groups)
    has_l1 = groups is not None or found.l1.strengths.any()
    return found if has_l1 or data.coef_bounds is not None else found.l2


def elastic_net(
    l1: float | Floats, l2: float | Floats, data: Data, n_features: int, n_classes: int,
    groups: ColumnGroups | None,
) -> ElasticNet:  # fmt: skip
    """Return the penalty of these strengths, with the bounds and groups that the user gave.

    Parameters
    ----------
    l1, l2 : float or ndarray of shape (n_features,) or (n_sets, n_features)
    data : Data
        With its bounds.
    n_features : int
    n_classes : int
        Those of a softmax, else 1.
    groups : ColumnGroups or None
    """
    if groups is not None:
        each = np.asarray(l1)
        return ElasticNet(
            groups.l1(each[::n_classes] if each.ndim > 1 else each, n_classes), L2(l2, n_features)
        )
    bounds = data.coef_bounds
    box = None if bounds is None else Bounds(*bounds)
    return ElasticNet(L1(l1, n_features, box), L2(l2, n_features))


def l2_reg_of(
    strengths: Strengths, data: Data, n_samples: float | Vector, n_features: int
) -> float | Floats | Penalty:
    """Return the penalty on the scale of the mean loss: an object, or strengths of L2.

    What the strengths have beside C is checked.
    """
    C, factor, weights = strengths.C, data.penalty_factor, data.weights
    if strengths.penalty is not None:
        if any(given is not None for given in (C, data.l2_reg, factor)):
            raise ValueError(
                "give a penalty, or the strength of L2 by C, l2_reg or penalty_factor, not both"
            )
        return strengths.penalty
    if C is not None and data.l2_reg is not None:
        raise ValueError("give C or l2_reg, not both: l2_reg = 1 / (C * sum of weights)")
    l2_reg: float | Floats = 0.0 if data.l2_reg is None else data.l2_reg
    if C is not None:
        totals = weights.sum(axis=-1) if weights.size else n_samples
        l2_reg = l2_of_c(C, totals)
        l2_reg = np.reshape(l2_reg, (-1, 1)) if np.ndim(l2_reg) else l2_reg
    if factor is not None:
        l2_reg = l2_reg * np.broadcast_to(factor, n_features)
    return (
        l2_reg
        if np.ndim(l2_reg) == 0
        else np.broadcast_to(l2_reg, (*np.shape(l2_reg)[:-1], n_features))
    )


def l2_of_c(C: float, total_weight: float | Floats) -> float | Floats:
    """Return the strength on the scale of the mean loss; C is infinite for none."""
    C = check_strength("C", C)
    if C == math.inf:
        return 0.0
    with np.errstate(divide="ignore", over="ignore"):
        l2_reg = 1.0 / (C * np.asarray(total_weight))
    if not np.isfinite(l2_reg).all():
        raise ValueError(f"C={C!r} is so small that the penalty overflows; a larger one is needed")
    return l2_reg[()]


def stride_of(objective: Objective) -> int:
    """Return the stride of the subsample that starts the fit; 1 where it would be too small."""
    n_samples, n_features = objective.design.shape
    stride = objective.design.stride_for(sample_stride(n_samples, n_features))
    if n_samples < stride * FEWEST_PER_COLUMN * (n_features + 1):
        return 1
    if stride > 1 and objective.rows.rows_of_classes(stride).min() < ROWS_OF_A_CLASS:
        return 1
    return stride


def standardize_by(objective: Objective, stride: int) -> bool:
    """Standardise by every `stride`-th row where these will do, else by all rows.

    The columns stay as they are where the time limit ends it, and False is returned: then only the
    start is evaluated.
    """
    try:
        if not (stride > 1 and objective.standardize(stride)):
            objective.standardize()
    except TimeUp:
        return False
    return True


def refuse_bad_columns(problem: CheckedProblem) -> None:
    """Raise if a column's mean or variance is not finite: the first look at each value of X."""
    columns = problem.objective.design.columns
    fine = np.isfinite(columns.center) & np.isfinite(columns.inverse_scale)
    if fine.all():
        _refuse_constant_columns(problem)
        return
    validation.refuse_not_finite(problem.objective.design, problem.names)
    place = int(np.argmin(fine))
    values = np.asarray(problem.objective.design.column(place), dtype=np.float64)
    if np.abs(values - values[0]).max() < 1.0:
        raise ValueError(
            f"X has values in column {place} so small, alone or times the least weight, that they "
            "vanish in float64; divide the column by its largest value first"
        )
    raise ValueError(
        f"X has values in column {place} so large that their mean or variance overflows; divide "
        "the column by its largest value first"
    )


def _refuse_constant_columns(problem: CheckedProblem) -> None:
    """Raise for columns that do not vary, where a penalty would draw their coefficients along."""
    penalty, l1 = problem.objective.user_penalty, problem.objective.user_l1
    still = np.flatnonzero(problem.objective.design.columns.inverse_scale == 0.0)
    if l1 is not None and l1.bounds is not None:
        lower, upper = l1.bounds.of(still)
        away = still[(lower > 0.0) | (upper < 0.0)]
        if away.size:
            raise ValueError(
                f"column {away[0]} of X does not vary, so that its coefficient is 0, which its "
                "coef_bounds leave out; drop the column, or widen its bounds"
            )
    if isinstance(penalty, L2) or not still.size:
        return
    for output in range(penalty.n_sets):
        others = np.array(penalty.hessian(output), dtype=np.float64)[still]
        others[np.arange(still.size), still] = 0.0
        if others.any():
            column = int(still[int(np.argmax(others.any(axis=1)))])
            name = f" ({problem.names[column]!r})" if problem.names is not None else ""
            raise ValueError(
                f"column {column}{name} of X does not vary, so that the penalty "
                f"{type(penalty).__name__} alone, which couples it with others, would set its "
                "coefficient; leave it out of X and of the penalty"
            )


def set_clock(objective: Objective, began: float, time_limit: float | None) -> None:
    """Let the passes over the rows end at the time limit, and others see how the fit goes on."""
    counter = objective.design.counter
    counter.clock = Clock(began, time_limit)
    counter.phase = "centre and scale of the columns"
    activity().begin(counter)


def stop_clock(objective: Objective) -> None:
    """Let passes over the rows take what time they need: the rest is little."""
    objective.design.counter.clock = None
    activity().end()


def check_intercept(intercept: ArrayLike) -> float | None:
    """Return the number that the intercept is held at; None if it is fitted."""
    if intercept is None:
        return 0.0
    if isinstance(intercept, str):
        check_option("intercept", intercept, ["fit"])
        return None
    return check_number("intercept", intercept)


def start_of(start: StartLike) -> Start | None:
    """Return what the user calls a start, as it is."""
    if start is None:
        return None
    if isinstance(start, FitResult):
        return Start(start.coef, start.intercept, start.classes)
    try:
        coef, intercept = start
    except (TypeError, ValueError):
        raise TypeError("start must be a FitResult or a pair (coef, intercept)") from None
    return Start(coef, intercept)


def check_time_limit(time_limit: object) -> float | None:
    """Return the time limit, a number > 0, or None."""
    if time_limit is None:
        return None
    return check_number("time_limit", time_limit, low=0.0, open_low=True)


def check_callback(callback: object) -> Callback | None:
    """Return a callable, or None."""
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable or None, got {type(callback).__name__}")
    return callback
