"""Margins of bootstrap replicates: each with its own coefficients and its own rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from ..arrays import Floats, Indices, Labels, Mask, Matrix, Vector
from ..result import FitResult
from .margins_model import Averages, Coefficients

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["Evaluate", "Replicates", "replicates_of"]

# From coefficients, and weights of the rows that a replicate has drawn, to averages; with
# derivatives or without.
Evaluate: TypeAlias = Callable[[Coefficients, "Vector | None", bool], Averages]
# Of the inference's standard errors, by which its coefficients and those of the bootstrap's
# estimate may differ.
SAME = 0.05


class Replicates(Protocol):
    """What is asked of a `BootstrapResult`."""

    coef: Floats
    intercept: Floats
    estimate: FitResult
    classes: Labels

    @property
    def converged(self) -> Mask:
        """Which replicates have an optimum."""

    def replicate_weights(self, replicate: int) -> Vector:
        """Return the weights of the rows in a replicate."""


def replicates_of(bootstrap: Replicates, inference: Inference, evaluate: Evaluate) -> Matrix:
    """Return the margins of each replicate that converged, (n_replicates, n_margins).

    Replicates in which a group has no row are left out.

    Raises
    ------
    TypeError, ValueError
        If it is no bootstrap of the model and rows of the inference, or too few replicates are
        left.
    """
    used = _look_at(bootstrap, inference)
    found = []
    for replicate in used:
        model = _model_of(bootstrap.coef[replicate], bootstrap.intercept[replicate], inference)
        weights = bootstrap.replicate_weights(int(replicate))
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(evaluate(model, weights, False).values.reshape(-1))
    values = np.array(found)
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < 2:
        raise ValueError(
            f"{len(values)} replicates have rows of every group; take larger groups, or a "
            "bootstrap with stratify or more replicates"
        )
    return values


def _look_at(bootstrap: Replicates, inference: Inference) -> Indices:
    """Return the places of the replicates that converged."""
    for name in ("coef", "intercept", "converged", "estimate", "replicate_weights"):
        if not hasattr(bootstrap, name):
            raise TypeError(
                "bootstrap must be the result of fastlogit.bootstrap, got "
                f"{type(bootstrap).__name__}"
            )
    fit, estimate = inference._fit, bootstrap.estimate
    says = "give a bootstrap of the same X, y, weights and model, without a penalty (C=numpy.inf)"
    if estimate.coef.shape != fit.coef.shape or not np.array_equal(
        bootstrap.classes, inference.classes
    ):
        raise ValueError(
            f"the bootstrap has coefficients of shape {estimate.coef.shape} and classes "
            f"{bootstrap.classes[:10].tolist()}, the inference {fit.coef.shape} and "
            f"{inference.classes[:10].tolist()}; {says}"
        )
    if estimate.link != inference.link:
        raise ValueError(
            f"the bootstrap has link={estimate.link!r}, the inference link={inference.link!r}; "
            f"{says}"
        )
    own = _parameters(estimate.coef, np.asarray(estimate.intercept), inference)
    if (np.abs(own - inference.coef) > SAME * inference.standard_errors).any():
        raise ValueError(f"the bootstrap's estimate has other coefficients; {says}")
    n_samples = inference._optimum.objective.design.shape[0]
    if bootstrap.replicate_weights(0).shape != (n_samples,):
        raise ValueError(f"the bootstrap is of other rows than the {n_samples:,} here; {says}")
    used = np.flatnonzero(bootstrap.converged)
    if len(used) < 2:
        raise ValueError(f"{len(used)} replicates converged; two are the least")
    return used


def _parameters(coef: Floats, intercept: Floats, inference: Inference) -> Vector:
    """Return coefficients of a fit as those of an inference, class after class."""
    each = np.atleast_2d(coef.T)
    levels = np.atleast_1d(intercept)
    if len(inference.classes) > 2:
        place = inference.classes.tolist().index(inference.reference)
        each = np.delete(each, place, axis=0) - each[place]
        levels = np.delete(levels, place) - levels[place]
    if not inference._fit.fit_intercept:
        return each.reshape(-1)
    return np.column_stack([levels, each]).reshape(-1)


def _model_of(coef: Floats, intercept: Floats, inference: Inference) -> Coefficients:
    place = 0
    if len(inference.classes) > 2:
        place = inference.classes.tolist().index(inference.reference)
    return Coefficients.of(
        _parameters(coef, intercept, inference), len(inference.classes) - 1, place,
        inference._fit.fit_intercept, inference.link,
    )  # fmt: skip
