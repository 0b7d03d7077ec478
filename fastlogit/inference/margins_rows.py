"""Averages over rows of what a model predicts, and of its slopes, with their derivatives.

With p_k the probability of class k, D_kl = p_k (1[k = l] - p_l) its derivative by the raw
prediction of class l, and T_klm the next one, of a model with coefficients b_l for each class but
the reference:

    mean p_k          has by b_m the derivative  mean D_km x,
    mean dp_k/dx_j  = sum_l mean(D_kl) b_lj,   by b_mf   sum_l b_lj mean(T_klm x_f) + 1[j=f] D_km.

D and T are symmetric (of two classes by another link they are its function's derivatives F'(z) and
F''(z)), and those of the reference class are what the others' lack to 0. So a pass
that predicts and one transposed product give all slopes of two classes and their errors.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Indices, Matrix, Vector
from ..objective.links import LinkLoss, link_loss
from .margins_model import Averages, Coefficients
from .margins_population import BATCH_NUMBERS, Population
from .margins_scenarios import Scenario

__all__ = ["mean_predictions", "mean_slopes", "over_p"]

# ------------------------------------------------------------------------------------------------
# Derivatives of the probabilities


class _OfClasses:
    """Derivatives of a softmax, or of two classes by the logit: of p alone."""

    def __init__(self, proba: Matrix, model: Coefficients) -> None:
        # p and 1 - p of each free class, (n_free, n_samples)
        if model.n_classes == 2:
            self.own, self.others = proba[1:], proba[:1]
        else:
            self.own = proba[model.free]
            self.others = np.array(
                [np.delete(proba, place, axis=0).sum(axis=0) for place in model.free]
            )

    def first(self, pair: tuple[int, ...]) -> Vector:
        """Return D of a pair of classes."""
        one, other = pair
        own, others = self.own, self.others
        return own[one] * others[one] if one == other else -own[one] * own[other]

    def second(self, triple: tuple[int, ...]) -> Vector:
        """Return T of a sorted triple of classes."""
        one, middle, last = triple
        own, others = self.own, self.others
        if one == last:
            return own[one] * others[one] * (others[one] - own[one])
        if one == middle or middle == last:
            return -own[one] * own[last] * (others[middle] - own[middle])
        return 2.0 * own[one] * own[middle] * own[last]


class _OfLink:
    """Derivatives of two classes by another link: of its function."""

    def __init__(self, loss: LinkLoss, raw: Vector) -> None:
        self._slopes = loss.slopes(raw)

    def first(self, pair: tuple[int, ...]) -> Vector:
        """Return D of the second class."""
        return self._slopes[0]

    def second(self, triple: tuple[int, ...]) -> Vector:
        """Return T of the second class."""
        return self._slopes[1]


class _Predicted(NamedTuple):
    """Probabilities of all classes, (n_classes, n_samples), and their derivatives."""

    proba: Matrix
    of: _OfClasses | _OfLink


def _predicted(population: Population, model: Coefficients, scenario: Scenario) -> _Predicted:
    """Return what rows are predicted in a scenario: one pass."""
    loss = link_loss(model.link)
    if loss is None:
        proba = population.probabilities(model, scenario)
        return _Predicted(proba, _OfClasses(proba, model))
    raw = population.raw(model, scenario)
    return _Predicted(loss.probabilities(raw).T, _OfLink(loss, raw))


def _with_reference(free: Floats, model: Coefficients) -> Floats:
    """Return (n_classes, ...) derivatives from those of free classes: all together are 0."""
    whole = np.empty((model.n_classes, *free.shape[1:]))
    whole[model.free] = free
    whole[model.reference] = -free.sum(axis=0)
    return whole


def _sums_of(
    population: Population, derivatives: _OfClasses | _OfLink, n_free: int, order: int
) -> Floats:
    """Return sums of D_kl x (order 2) or T_klm x (order 3).

    Of shape (n_free,) * order + (n_groups, n_features + 1).
    """
    of = derivatives.first if order == 2 else derivatives.second
    several = list(itertools.combinations_with_replacement(range(n_free), order))
    shape = (n_free,) * order + (population.n_groups, population.design.shape[1] + 1)
    found = np.empty(shape)
    step = max(1, BATCH_NUMBERS // population.n_samples)
    for first in range(0, len(several), step):
        some = several[first : first + step]
        sums = population.sums(np.array([of(each) for each in some]))
        for classes, each in zip(some, sums, strict=True):
            for places in set(itertools.permutations(classes)):
                found[places] = each
    return found


# ------------------------------------------------------------------------------------------------
# Averages


def mean_predictions(
    population: Population, model: Coefficients, scenarios: Sequence[Scenario],
    jacobian: bool = True,
) -> Averages:  # fmt: skip
    """Return mean probabilities, (n_scenarios, n_classes, n_groups): two passes for each.

    Of two classes those of the second alone, so that n_classes is 1.
    """
    totals = population.totals()
    n_classes, n_free = model.n_classes, len(model.coef)
    shape = (len(scenarios), n_classes, population.n_groups)
    size = n_free * (model.coef.shape[1] + model.fit_intercept)
    values = np.empty(shape)
    derivatives = np.empty((*shape, size) if jacobian else (*shape, 0))
    for place, scenario in enumerate(scenarios):
        found = _predicted(population, model, scenario)
        values[place] = population.row_sums(found.proba) / totals
        if jacobian:
            sums = _sums_of(population, found.of, n_free, 2)
            means = scenario.sums(sums) / totals[:, None]
            # (n_classes, n_groups, n_free, n_features + 1)
            whole = _with_reference(means, model).transpose(0, 2, 1, 3)
            derivatives[place] = model.parameters(whole)
    return _of_reported(values, derivatives, model)


def mean_slopes(
    population: Population, model: Coefficients, scenario: Scenario, features: Indices,
    jacobian: bool = True,
) -> Averages:  # fmt: skip
    """Return mean slopes of probabilities, (n_slopes, n_classes, n_groups), by some features.

    Two passes for two classes; of more classes a transposed product for each triple of them.
    """
    totals = population.totals()
    of = _predicted(population, model, scenario).of
    n_free, size = model.coef.shape
    spread = np.empty((n_free, n_free, population.n_groups))
    for one, other in itertools.combinations_with_replacement(range(n_free), 2):
        spread[one, other] = spread[other, one] = (
            population.row_sums(of.first((one, other))[None])[0] / totals
        )
    chosen = model.coef[:, features]
    values = np.einsum("klg,lj->jkg", spread, chosen)
    n_coefficients = n_free * (size + model.fit_intercept) if jacobian else 0
    derivatives = np.empty((*values.shape, n_coefficients))
    if jacobian:
        sums = scenario.sums(_sums_of(population, of, n_free, 3)) / totals[:, None]
        # (n_slopes, n_free, n_groups, n_free, n_features + 1)
        whole = np.einsum("klmgf,lj->jkgmf", sums, chosen)
        for place, feature in enumerate(features):
            whole[place, ..., feature + 1] += spread.transpose(0, 2, 1)
        derivatives = model.parameters(whole)
    values = np.moveaxis(_with_reference(np.moveaxis(values, 1, 0), model), 0, 1)
    derivatives = np.moveaxis(_with_reference(np.moveaxis(derivatives, 1, 0), model), 0, 1)
    return _of_reported(values, derivatives, model)


def over_p(
    population: Population, model: Coefficients, features: Indices, jacobian: bool = True
) -> Averages:
    """Return mean elasticities of p, x_j dp/dx_j / p = b_j x_j q with q = d log p / dz.

    Of two classes, (n_slopes, 1, n_groups); of the logit q is 1 - p. Their derivatives are a Gram
    matrix of the rows, weighted by -q', which log-concave functions have above 0.
    """
    observed = Scenario.observed(model.coef.shape[1])
    loss, totals = link_loss(model.link), population.totals()
    if loss is None:
        proba = population.probabilities(model, observed)
        ratio, fall = proba[0], proba[0] * proba[1]
    else:
        raw = population.raw(model, observed)
        _, residual, fall = loss.rows(raw, np.ones(raw.size, dtype=bool))
        ratio = -residual
    means = population.sums(ratio[None])[0] / totals[:, None]
    slopes = model.coef[0, features]
    values = means[:, features + 1].T * slopes[:, None]
    derivatives = np.empty((*values.shape, 0))
    if jacobian:
        grams = population.grams(fall) / totals[:, None, None]
        whole = -slopes[:, None, None] * grams[:, features + 1].transpose(1, 0, 2)
        for place, feature in enumerate(features):
            whole[place, :, feature + 1] += means[:, feature + 1]
        derivatives = model.parameters(whole[..., None, :])
    return Averages(values[:, None], derivatives[:, None])


def _of_reported(values: Floats, derivatives: Floats, model: Coefficients) -> Averages:
    """Return averages of the classes that are reported: of two the second alone."""
    if model.n_classes == 2:
        return Averages(values[:, 1:], derivatives[:, 1:])
    return Averages(values, derivatives)
