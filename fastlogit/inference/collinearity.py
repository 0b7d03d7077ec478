"""Columns that are nearly combinations of others: variance inflation and condition number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Indices, Matrix, Vector
from .frames import as_frame
from .optimum import Optimum

__all__ = ["VarianceInflation", "condition_number", "variance_inflation"]


@dataclass(frozen=True, eq=False)
class VarianceInflation:
    """(Generalised) variance inflation factors.

    Of Fox and Monette (1992, Journal of the American Statistical Association 87), R's car::vif: how
    much larger the confidence region of a term's coefficients is than with columns that have
    nothing to do with the others. Of a column of numbers it is the plain factor.

    Attributes
    ----------
    terms : list of str
        Columns of X; a categorical one is a term of several coefficients.
    factors : ndarray of shape (n_terms,)
    df : ndarray of int, shape (n_terms,)
        Coefficients of the term.
    """

    terms: list[str]
    factors: Vector
    df: Indices

    @property
    def scaled(self) -> Vector:
        """factors^(1 / (2 df)): how much larger standard errors are, comparable between terms."""
        return self.factors ** (0.5 / self.df)

    def __getitem__(self, term: str) -> float:
        """Return the factor of a term."""
        if term not in self.terms:
            raise KeyError(f"no term {term!r}; there are {', '.join(self.terms[:20])}")
        return float(self.factors[self.terms.index(term)])

    def to_frame(self) -> object:
        """Return the factors as a pandas data frame."""
        columns = {"vif": self.factors, "df": self.df, "scaled": self.scaled}
        return as_frame(columns, self.terms, "term")

    def __repr__(self) -> str:
        """Return the factors in one line."""
        each = [f"{t}: {f:.4g}" for t, f in zip(self.terms[:20], self.factors, strict=False)]
        return f"VarianceInflation({', '.join(each)}{' ...' * (len(self.terms) > 20)})"


def variance_inflation(optimum: Optimum, terms: Mapping[str, Sequence[int]]) -> VarianceInflation:
    """Return the factors of all terms, by the model's information.

    With R the correlation matrix of the slopes, det R_11 det R_22 / det R is det R_11 times the
    determinant of the same block of R^-1: one inverse serves all terms.
    """
    root = optimum.parameters_of(optimum.root.T)
    first = int(optimum.objective.fit_intercept)
    covariance = (root.T @ root)[first:, first:]
    errors = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(errors, errors)
    inverse = np.linalg.inv(correlation)
    factors = np.empty(len(terms))
    for number, places in enumerate(terms.values()):
        own = np.ix_(np.array(places) - first, np.array(places) - first)
        factors[number] = np.exp(
            _log_determinant(correlation[own]) + _log_determinant(inverse[own])
        )
    df = np.array([len(places) for places in terms.values()], dtype=np.int64)
    return VarianceInflation(list(terms), factors, df)


def _log_determinant(matrix: Matrix) -> float:
    return float(np.linalg.slogdet(matrix)[1])


def condition_number(optimum: Optimum) -> float:
    """Return the condition number of columns and intercept, each scaled to length 1: one pass.

    From a root of the Gram matrix of standardised columns, so that means far from 0 cost no digits.
    """
    objective, weights = optimum.objective, optimum.weights.values
    design = objective.design
    gram = design.gram(weights if weights.size else np.ones(design.shape[0]))
    center, inverse_scale = design.columns
    raw = np.zeros_like(gram)
    np.fill_diagonal(raw, np.append(1.0 / inverse_scale, 1.0))
    raw[-1, :-1] = center
    values, vectors = np.linalg.eigh(gram)
    root = (np.sqrt(np.clip(values, 0.0, None))[:, None] * vectors.T) @ raw
    if not objective.fit_intercept:
        root = root[:, :-1]
    singular = np.linalg.svd(root / np.linalg.norm(root, axis=0), compute_uv=False)
    return float(singular[0] / singular[-1])
