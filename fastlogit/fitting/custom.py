"""Penalties and losses of the user's own: what can be wrong with them, said before work begins."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from ..arrays import Mask, Vector
from ..objective.group_penalty import GroupL1
from ..objective.losses import RowLoss
from ..objective.penalties import L2, ElasticNet, Penalty, Quadratic

__all__ = [
    "check_loss",
    "check_penalty",
    "no_such_penalty",
    "refuse_bad_elastic_net",
    "refuse_bad_penalty",
]

EPS = float(np.finfo(np.float64).eps)
# An eigenvalue below this share of the largest one, in units of EPS and columns, is no error.
NEGATIVE = 8.0
# Raw predictions that a loss is asked about, and the step of differences between them.
RAW = np.unique(np.concatenate([np.linspace(-30.0, 30.0, 241), np.linspace(-1.0, 1.0, 101)]))
STEP = 1e-4
# From here on naive formulas lose their digits.
FAR = 10.0
# Differences err by this share of the sizes that they are taken of.
ERROR = 1e-5
# Curvatures below this share of the largest may vanish as they like: they hold rounding errors.
VANISHING = 1e-9


# Of rows: loss, first and second derivative.
RowParts: TypeAlias = tuple[Vector, Vector, Vector]


def check_penalty(penalty: object) -> Penalty | None:
    """Return a penalty that is an object, or None; raise for anything else."""
    if penalty is None or isinstance(penalty, Penalty):
        return penalty
    if isinstance(penalty, str):
        raise ValueError(no_such_penalty("penalty", penalty))
    raise TypeError(
        "penalty must be an object of a class that derives from "
        f"fastlogit.objective.penalties.Quadratic, or None, got {_kind_of(penalty)}"
    )


def no_such_penalty(name: str, value: object) -> str:
    """Return what to say of an option of scikit-learn's that asks for another penalty."""
    return (
        f"{name}={value!r}: fit takes penalties by their strengths, and objects; leave {name} out, "
        "and give the strength of L2 as C or l2_reg, that of L1 as l1_ratio, its share in what C "
        "gives, or l1_reg (none of them: no penalty); a text is only 'firth'"
    )


def refuse_bad_elastic_net(
    penalty: ElasticNet, n_features: int, n_outputs: int, coupled: bool
) -> None:
    """Raise for an elastic net of another size, or with strengths that are none.

    `coupled`: the outputs are the classes of a softmax, which need one penalty for all.
    """
    if isinstance(penalty.l1, GroupL1):
        raise ValueError(
            f"the penalty {type(penalty).__name__} has groups of columns; give them as "
            "penalty_groups, and the strengths as l1_reg and l2_reg"
        )
    if coupled and penalty.n_sets > 1:
        raise ValueError(
            f"the penalty {type(penalty).__name__} is another for each class; softmax needs one "
            "for all (n_sets=1), multi_class='ovr' takes several"
        )
    for own in (penalty.l1, penalty.l2):
        where = f"the {type(own).__name__} of the penalty {type(penalty).__name__}"
        if own.n_sets not in (1, n_outputs) or own.strengths.shape[1] != n_features:
            raise ValueError(
                f"{where} has strengths of shape {own.strengths.shape}; X has {n_features} "
                f"columns, and the fit {n_outputs} outputs, for one set or as many"
            )
        if not (np.isfinite(own.strengths) & (own.strengths >= 0.0)).all():
            raise ValueError(f"{where} must have strengths that are finite and >= 0")


def refuse_bad_penalty(penalty: Quadratic, n_features: int, n_outputs: int, coupled: bool) -> None:
    """Raise for a penalty of another size, or whose Hessian is none.

    Parameters
    ----------
    penalty : Quadratic
    n_features, n_outputs : int
    coupled : bool
        Whether the outputs are the classes of a softmax, which need one penalty for all.
    """
    name = type(penalty).__name__
    if penalty.n_sets not in (1, n_outputs):
        raise ValueError(
            f"the penalty {name} has n_sets={penalty.n_sets}; it must be 1, or the {n_outputs} "
            "outputs of the fit"
        )
    if coupled and penalty.n_sets > 1:
        raise ValueError(
            f"the penalty {name} is another for each class; softmax needs one for all (n_sets=1), "
            "multi_class='ovr' takes several"
        )
    for output in range(penalty.n_sets):
        where = f"the Hessian of the penalty {name}" + (f" (set {output})" if output else "")
        _refuse_bad_hessian(penalty, output, n_features, where)
    if not isinstance(penalty, L2):
        _refuse_bad_methods(penalty, n_features, f"the penalty {name}")


def _refuse_bad_hessian(penalty: Quadratic, output: int, n_features: int, where: str) -> None:
    if isinstance(penalty, L2):
        hessian = penalty.strengths[output]
        wanted: tuple[int, ...] = (n_features,)
    else:
        hessian, wanted = penalty.hessian(output), (n_features, n_features)
        if type(hessian) is not np.ndarray or hessian.dtype.kind not in "biuf":
            dtype = getattr(hessian, "dtype", None)
            raise TypeError(
                f"{where} must be a NumPy array of real numbers, got {_kind_of(hessian)}"
                + f" of {dtype}" * (dtype is not None)
            )
    if hessian.shape != wanted:
        raise ValueError(
            f"{where} must have shape {wanted}, as X has {n_features} columns, "
            f"found {hessian.shape}"
        )
    if not np.isfinite(hessian).all():
        raise ValueError(f"{where} has a value that is NaN or infinite")
    if isinstance(penalty, L2):
        if (hessian < 0.0).any():
            raise ValueError(f"{where} must be >= 0, found {hessian.min():g}")
        return
    hessian = hessian.astype(np.float64)
    size = float(np.abs(hessian).max(initial=0.0))
    apart = float(np.abs(hessian - hessian.T).max(initial=0.0))
    if apart > NEGATIVE * EPS * size:
        raise ValueError(
            f"{where} must be symmetric, but differs from its transpose by up to {apart:g}; take "
            "(H + H.T) / 2"
        )
    # In units in which the diagonal is 1: columns may be of any size.
    root = np.sqrt(np.maximum(np.diag(hessian), 0.0))
    units = np.where(root > 0.0, root, 1.0)
    scaled = hessian / units[:, None] / units
    values = np.linalg.eigvalsh(scaled)
    if values[0] < -NEGATIVE * EPS * n_features * max(values[-1], 1.0):
        raise ValueError(
            f"{where} must have no negative eigenvalue; with its diagonal scaled to 1 the least "
            f"is {values[0]:.3g}"
        )


def _refuse_bad_methods(penalty: Quadratic, n_features: int, where: str) -> None:
    """Raise where `scaled`, `times` or `of_outputs` gives something else than the same penalty."""
    inverse_scale = np.linspace(0.5, 2.0, n_features)
    coef = np.ones((penalty.n_sets, n_features))
    last = np.array([penalty.n_sets - 1])
    try:
        of_last = penalty.of_outputs(last)
    except NotImplementedError:
        raise TypeError(
            f"{where} has n_sets={penalty.n_sets}: it must say of_outputs, the penalty of some "
            "outputs"
        ) from None
    sizes = [np.abs(penalty.hessian(k)).sum() for k in range(penalty.n_sets)]
    for name, found, wanted in (
        ("scaled", penalty.scaled(inverse_scale), penalty.value(coef * inverse_scale)),
        ("times", penalty.times(3.0), 3.0 * penalty.value(coef)),
        ("of_outputs", of_last, penalty.value(coef)[last]),
    ):
        if not isinstance(found, Quadratic):
            raise TypeError(f"{name} of {where} must return a Quadratic, got {_kind_of(found)}")
        value = found.value(coef[: len(wanted)])
        if not (np.abs(value - wanted) <= 1e-9 * 12.0 * max(sizes)).all():
            raise ValueError(
                f"{name} of {where} gives another penalty: its value at ones is {value[0]:g}, but "
                f"should be {wanted[0]:g}"
            )


def check_loss(loss: object, multi_class: object) -> RowLoss | None:
    """Return a loss of the user's, or None.

    Raises
    ------
    TypeError, ValueError
        If it is none, softmax is asked for as well, or what it says of itself is not so: proofs
        rest on it.
    """
    if loss is None:
        return None
    if not isinstance(loss, RowLoss):
        raise TypeError(
            "loss must be an object of a class that derives from "
            f"fastlogit.objective.losses.RowLoss, or None (logistic), got {_kind_of(loss)}"
        )
    if multi_class == "multinomial":
        raise ValueError(
            "a loss of one raw prediction has no softmax: leave out multi_class or loss"
        )
    name = type(loss).__name__
    for constant, least in (
        ("most_curvature", 0.0), ("self_concordance", -1.0), ("most_residual", 0.0),
    ):  # fmt: skip
        value = getattr(loss, constant, None)
        is_number = isinstance(value, int | float | np.floating) and math.isfinite(value)
        if not is_number or value <= least or value < 0.0:  # type: ignore[operator]
            more = ">= 0" if least < 0.0 else "> 0"
            raise ValueError(
                f"{constant} of the loss {name} must be a number {more}, got {value!r}"
            )
    for is_positive in (False, True):
        _refuse_bad_rows(loss, is_positive, f"the loss {name}, rows of the class: {is_positive}")
    if loss.is_separable and not loss.never_turns():
        raise ValueError(
            f"is_separable={loss.is_separable!r} is not true of the loss {name}: its slope turns "
            "as margins grow; leave is_separable out"
        )
    return loss


def _refuse_bad_rows(loss: RowLoss, is_positive: bool, where: str) -> None:
    """Raise where a loss, its derivatives and its constants do not belong together."""
    behind, here, ahead = (
        _rows_at(loss, RAW + step, is_positive, where) for step in (-STEP, 0.0, STEP)
    )
    for order, name in enumerate(("the first derivative", "the second derivative")):
        change = (ahead[order] - behind[order]) / (2.0 * STEP)
        size = np.abs(ahead[order]) + np.abs(here[order + 1]) + 1.0
        _refuse(where, name, ~(np.abs(change - here[order + 1]) <= ERROR * 10.0 * size))
    _, residual, curvature = here
    most = loss.most_curvature * (1.0 + ERROR)
    _refuse(where, "the second derivative, which must be >= 0,", curvature < 0.0)
    _refuse(where, f"most_curvature={loss.most_curvature:g}", curvature > most)
    within = loss.most_residual * (1.0 + ERROR)
    _refuse(where, f"most_residual={loss.most_residual:g}", np.abs(residual) > within)
    # log(curvature) changes by at most self_concordance a unit; where it vanishes it has vanished.
    low = np.minimum(curvature, ahead[2])
    high = np.maximum(curvature, ahead[2])
    steep = high > low * np.exp(loss.self_concordance * STEP * 1.001) + VANISHING * STEP * most
    _refuse(where, f"self_concordance={loss.self_concordance:g}", steep)


def _rows_at(loss: RowLoss, raw: Vector, is_positive: bool, where: str) -> RowParts:
    parts = loss.rows(raw.copy(), np.full(raw.size, is_positive))
    if not isinstance(parts, tuple) or len(parts) != 3:
        raise TypeError(f"{where}: rows must return loss, first and second derivative")
    for part, name in zip(parts, ("loss", "first derivative", "second derivative"), strict=True):
        if type(part) is not np.ndarray or part.dtype != np.float64 or part.shape != raw.shape:
            dtype = f" of {part.dtype}" if isinstance(part, np.ndarray) else ""
            found = f"{getattr(part, 'shape', _kind_of(part))}{dtype}"
            raise TypeError(
                f"{where}: the {name} must be an array of float64 of the shape of raw, "
                f"{raw.shape}, found {found}"
            )
        _refuse(where, f"the {name}, which must be finite,", ~np.isfinite(part))
    return parts


def _refuse(where: str, what: str, wrong: Mask) -> None:
    if wrong.any():
        at = float(RAW[int(np.argmax(wrong))])
        lost = (
            ", or the values lose their digits there (log(1 + exp(x)) and 1 - p do; "
            "numpy.logaddexp and scipy.special.expit(-x) keep them)"
        )
        raise ValueError(
            f"{where}: {what} is not true of rows at a raw prediction of {at:g}"
            + lost * (abs(at) >= FAR and "derivative" in what)
        )


def _kind_of(value: object) -> str:
    kind = value if isinstance(value, type) else type(value)
    return f"the class {kind.__name__} itself" if isinstance(value, type) else kind.__name__
