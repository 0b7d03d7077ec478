"""The coefficients of a model, class by class, as averages of predictions take them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import Floats, Indices, Matrix, Vector

__all__ = ["Averages", "Coefficients"]


class Averages(NamedTuple):
    """Numbers, one for each of several dimensions, and their derivatives by the coefficients."""

    # (...,)
    values: Floats
    # (..., n_coefficients), in the order of `Inference.coef`; empty where it was not asked for
    jacobian: Floats


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Coefficients of each class but the reference, in the units of X.

    Attributes
    ----------
    coef : ndarray of shape (n_free, n_features)
    intercept : ndarray of shape (n_free,)
    reference : int
        The place of the reference class; 0 of two classes.
    fit_intercept : bool
    link : {"logit", "probit", "cloglog"}
        Of two classes; of more it is the logit's, a softmax.
    """

    coef: Matrix
    intercept: Vector
    reference: int
    fit_intercept: bool
    link: str = "logit"

    @classmethod
    def of(
        cls, parameters: Vector, n_free: int, reference: int, fit_intercept: bool,
        link: str = "logit",
    ) -> Coefficients:  # fmt: skip
        """Return those of the parameters of an `Inference`, class after class."""
        each = parameters.reshape(n_free, -1)
        if not fit_intercept:
            return cls(each, np.zeros(n_free), reference, False, link)
        return cls(np.ascontiguousarray(each[:, 1:]), each[:, 0].copy(), reference, True, link)

    @property
    def n_classes(self) -> int:
        """How many classes there are, the reference among them."""
        return len(self.coef) + 1

    @property
    def free(self) -> Indices:
        """The places of the classes that have coefficients."""
        return np.delete(np.arange(self.n_classes), self.reference)

    def parameters(self, derivatives: Floats) -> Floats:
        """Return (..., n_free, n_features + 1), the intercept first, as (..., n_coefficients)."""
        kept = derivatives if self.fit_intercept else derivatives[..., 1:]
        return kept.reshape(*kept.shape[:-2], -1)
