"""Priors of coefficients: normal with any mean and covariance, log-F, Student's t.

A prior is said in the units of X, and bound to the coefficients of a model before it is used: it is
then a smooth function, minus the logarithm of its density.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from ..arrays import ArrayLike, Floats, Matrix, Vector
from ..inputs.conversion import as_numbers
from ..options import check_number

__all__ = [
    "BoundPrior",
    "GaussianPrior",
    "LogFPrior",
    "Parameters",
    "Prior",
    "StudentPrior",
    "of_columns",
]

# A covariance may differ from its transpose by so much, relative to its size.
SYMMETRIC = 1e-10
# Eigenvalues of a precision that are at most this share of the largest are 0.
SINGULAR = 1e-13
LOG_2PI = float(np.log(2.0 * np.pi))


class Parameters(NamedTuple):
    """What a prior is of: the coefficients of a model, the intercept first.

    `measures` gives mean-free spread and whether a column has two values, of each column of X:
    standard deviations, and ranges of columns of two values, NaN for others.
    """

    features: Sequence[str]
    fit_intercept: bool
    measures: Callable[[], tuple[Vector, Vector]]

    @property
    def size(self) -> int:
        """The number of coefficients."""
        return len(self.features) + self.fit_intercept


class BoundPrior(ABC):
    """Minus the logarithm of a density of the coefficients (n_coefficients,), intercept first.

    Attributes
    ----------
    log_constant : float or None
        The logarithm of what makes it integrate to 1; None where nothing does. An intercept
        without a prior counts with a density of 1.
    is_proven : bool
        Whether the function is convex, so that a mode is the only one.
    """

    log_constant: float | None
    is_proven: bool = True

    @abstractmethod
    def derivatives(self, coef: Vector) -> tuple[float, Vector, Matrix]:
        """Return the function without its constant, gradient and Hessian."""

    def above(self, coef: Vector) -> Matrix:
        """Return a Hessian without negative eigenvalues, of a quadratic function above it."""
        return self.derivatives(coef)[2]

    def steepness(self, covariance: Matrix) -> float:
        """Return the largest h^2 of what has no constant curvature, see `penalised.proven`."""
        return 0.0


class Prior(ABC):
    """What is known of coefficients before the data, in the units of X."""

    @abstractmethod
    def bind(self, parameters: Parameters) -> BoundPrior:
        """Return it as one of the coefficients of a model.

        Raises
        ------
        ValueError
            If it is of another number of coefficients.
        """


# ---- normal


@dataclass(frozen=True, eq=False)
class GaussianPrior(Prior):
    """A normal prior with any mean and covariance.

    Parameters
    ----------
    mean : float or array-like of shape (n_coefficients,), default 0
    covariance : float, array-like of shape (n_coefficients,) or square, optional
        Of independent coefficients their variances. Either it or `precision` is given.
    precision : likewise, optional
        The inverse of the covariance; it may be singular, as one that speaks of differences of
        coefficients alone.
    with_intercept : bool, default False
        Whether mean and covariance begin with the intercept; else it has no prior. An inference's
        or a posterior's do.

    Raises
    ------
    TypeError, ValueError
        If shapes do not agree, or a matrix is not symmetric or has a negative eigenvalue.
    """

    mean: ArrayLike = 0.0
    covariance: ArrayLike = None
    precision: ArrayLike = None
    with_intercept: bool = False

    def __post_init__(self) -> None:
        """Check everything that does not depend on the model."""
        if (self.covariance is None) == (self.precision is None):
            raise ValueError("GaussianPrior takes either a covariance or a precision")
        name = "precision" if self.covariance is None else "covariance"
        spread = _numbers(name, self.precision if self.covariance is None else self.covariance)
        mean = _numbers("mean", self.mean)
        if mean.ndim > 1:
            raise ValueError(f"mean must be a number or one-dimensional, got shape {mean.shape}")
        square = spread.ndim == 2 and spread.shape[0] == spread.shape[1]
        if spread.ndim > 1 and not square:
            raise ValueError(
                f"{name} must be a number, a vector or a square matrix, got shape {spread.shape}"
            )
        if mean.ndim and spread.ndim and len(mean) != len(spread):
            raise ValueError(f"mean has {len(mean)} coefficients, but {name} {len(spread)}")
        _check_spread(name, spread)
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, name, spread)

    def bind(self, parameters: Parameters) -> BoundPrior:
        """Return it as one of the coefficients of a model."""
        if self.with_intercept and not parameters.fit_intercept:
            raise ValueError("the prior has an intercept (with_intercept=True), the model has none")
        free = int(parameters.fit_intercept and not self.with_intercept)
        size = parameters.size - free
        given = self.precision if self.covariance is None else self.covariance
        for name, values in (("mean", self.mean), ("covariance or precision", given)):
            assert isinstance(values, np.ndarray)
            if values.ndim and len(values) != size:
                raise ValueError(
                    f"the {name} of the prior is of {len(values)} coefficients, but the model has "
                    f"{size}{' besides the intercept' if free else ''}: "
                    f"{', '.join(list(parameters.features)[:10])}"
                    f"{', ...' if len(parameters.features) > 10 else ''}"
                )
        assert isinstance(given, np.ndarray)
        matrix = given if given.ndim == 2 else np.diag(np.broadcast_to(given, size))
        precision, log_det = _precision(matrix, self.covariance is not None)
        whole = np.zeros((parameters.size, parameters.size))
        whole[free:, free:] = precision
        mean = np.zeros(parameters.size)
        mean[free:] = np.asarray(self.mean, dtype=np.float64)
        constant = None if log_det is None else 0.5 * log_det - 0.5 * size * LOG_2PI
        return _Normal(mean, whole, constant)


class _Normal(BoundPrior):
    def __init__(self, mean: Vector, precision: Matrix, log_constant: float | None) -> None:
        self.mean, self.precision, self.log_constant = mean, precision, log_constant

    def derivatives(self, coef: Vector) -> tuple[float, Vector, Matrix]:
        away = coef - self.mean
        gradient = self.precision @ away
        return 0.5 * float(away @ gradient), gradient, self.precision


def _precision(matrix: Matrix, is_covariance: bool) -> tuple[Matrix, float | None]:
    """Return the precision and the logarithm of its determinant, None where that is 0."""
    scale = np.sqrt(np.diag(matrix))
    scale[scale == 0.0] = 1.0
    values, vectors = np.linalg.eigh(matrix / scale / scale[:, None])
    regular = bool(values[0] > SINGULAR * values[-1])
    log_det = float(np.log(values).sum() + 2.0 * np.log(scale).sum()) if regular else None
    if not is_covariance:
        return matrix, log_det
    assert log_det is not None  # a singular covariance was refused
    half = vectors / np.sqrt(values) / scale[:, None]
    return half @ half.T, -log_det


def _check_spread(name: str, spread: Floats) -> None:
    """Raise for a covariance that is none."""
    if spread.ndim < 2:
        least = float(spread.min())
        if least < 0.0 or (least == 0.0 and name == "covariance"):
            what = "variances must be above 0" if name == "covariance" else "must be 0 or more"
            raise ValueError(f"{name}: {what}, got {least:g}")
        return
    off = np.abs(spread - spread.T).max()
    if off > SYMMETRIC * np.abs(spread).max():
        raise ValueError(f"{name} must be symmetric; it differs from its transpose by {off:.3g}")
    diagonal = np.diag(spread)
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    least = float(np.linalg.eigvalsh(spread / scale / scale[:, None])[0])
    lowest = SINGULAR * len(spread)
    if least < -lowest or (name == "covariance" and least <= lowest):
        raise ValueError(
            f"{name} must have {'positive' if name == 'covariance' else 'no negative'} "
            f"eigenvalues; the least of its correlations is {least:.3g}"
        )


# ---- log-F


@dataclass(frozen=True, eq=False)
class LogFPrior(Prior):
    """Independent log-F(m, m) priors of the coefficients; the intercept has none.

    As if for each column m / 2 events and m / 2 others had been seen that differ in that column
    alone, by 1 / scale (Greenland and Mansournia, 2015, Statistics in Medicine 34). With ``m=1`` 95
    of 100 odds ratios are between 1/648 and 648, with ``m=2`` (the logistic distribution) between
    1/39 and 39.

    Parameters
    ----------
    m : float > 0 or array-like of shape (n_features,), default 1
    scale : float > 0 or array-like of shape (n_features,), default 1
        The prior is one of coef / scale: say 0.1 for a column in which 10 units are the change
        that the odds ratios above are of.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, or shapes do not agree.
    """

    m: ArrayLike = 1.0
    scale: ArrayLike = 1.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        object.__setattr__(self, "m", _positive("m", self.m))
        object.__setattr__(self, "scale", _positive("scale", self.scale))

    def bind(self, parameters: Parameters) -> BoundPrior:
        """Return it as one of the coefficients of a model."""
        size = len(parameters.features)
        m, scale = of_columns("m", self.m, size), of_columns("scale", self.scale, size)
        return _LogF(m, scale, parameters.fit_intercept)


class _LogF(BoundPrior):
    def __init__(self, m: Vector, scale: Vector, fit_intercept: bool) -> None:
        self.m, self.scale, self.skip = m, scale, int(fit_intercept)
        self.log_constant = -float((special.betaln(0.5 * m, 0.5 * m) + np.log(scale)).sum())

    def derivatives(self, coef: Vector) -> tuple[float, Vector, Matrix]:
        u = coef[self.skip :] / self.scale
        value = float((self.m * (np.logaddexp(0.0, u) - 0.5 * u)).sum())
        proba = special.expit(u)
        gradient, curved = np.zeros((2, coef.size))
        gradient[self.skip :] = self.m * (proba - 0.5) / self.scale
        curved[self.skip :] = self.m * proba * special.expit(-u) / self.scale**2
        return value, gradient, np.diag(curved)

    def steepness(self, covariance: Matrix) -> float:
        variances = np.diag(covariance)[self.skip :] / self.scale**2
        return float(variances.max(initial=0.0))


# ---- Student's t


@dataclass(frozen=True, eq=False)
class StudentPrior(Prior):
    """Independent Student's t priors of the coefficients: Cauchy's with one degree of freedom.

    Gelman, Jakulin, Pittau and Su (2008, Annals of Applied Statistics 2) take ``df=1, scale=2.5``
    for coefficients of columns that are brought to one scale (``standardize=True``), and a scale of
    10 for the intercept.

    Parameters
    ----------
    df : float > 0, default 1
    scale : float > 0 or array-like of shape (n_features,), default 2.5
    intercept_scale : float > 0 or None, default 10
        None leaves the intercept without a prior.
    standardize : bool, default True
        Divide the scale of a column by twice its standard deviation, of a column of two values by
        their difference; that of the intercept is then of columns that are centred.

    Raises
    ------
    TypeError, ValueError
        If a number is not positive, or shapes do not agree.

    Notes
    -----
    The density is no log-concave one: there may be several modes, and the one that is found, from
    a fit by a normal prior, is not proven to be the highest. R's ``arm::bayesglm`` ends elsewhere:
    it adds the variances of the estimates to their squares before it updates those of the prior.
    """

    df: float = 1.0
    scale: ArrayLike = 2.5
    intercept_scale: float | None = 10.0
    standardize: bool = True

    def __post_init__(self) -> None:
        """Check the numbers."""
        object.__setattr__(self, "df", check_number("df", self.df, low=0.0, open_low=True))
        object.__setattr__(self, "scale", _positive("scale", self.scale))
        if self.intercept_scale is not None:
            own = check_number("intercept_scale", self.intercept_scale, low=0.0, open_low=True)
            object.__setattr__(self, "intercept_scale", own)
        if not isinstance(self.standardize, bool | np.bool_):
            raise TypeError(f"standardize must be True or False, got {self.standardize!r}")

    def bind(self, parameters: Parameters) -> BoundPrior:
        """Return it as one of the coefficients of a model."""
        scale = of_columns("scale", self.scale, len(parameters.features))
        if self.standardize:
            spread, ranges = parameters.measures()
            size = np.where(np.isnan(ranges), 2.0 * spread, ranges)
            scale = scale / np.where(size > 0.0, size, 1.0)
        intercept = [self.intercept_scale] if parameters.fit_intercept else []
        has = np.array([one is not None for one in intercept] + [True] * len(scale))
        whole = np.concatenate([[1.0 if one is None else one for one in intercept], scale])
        return _Student(self.df, whole, has)


class _Student(BoundPrior):
    is_proven = False

    def __init__(self, df: float, scale: Vector, has: ArrayLike) -> None:
        self.df, self.scale, self.has = df, scale, np.asarray(has)
        one = special.gammaln(0.5 * (df + 1.0)) - special.gammaln(0.5 * df)
        one -= 0.5 * np.log(df * np.pi)
        self.log_constant = float((one - np.log(scale))[self.has].sum())

    def _parts(self, coef: Vector) -> tuple[Vector, Vector]:
        """Return weights (df + 1) / (df s^2 + b^2), and 0 where there is no prior; and df s^2."""
        wide = self.df * self.scale**2
        return np.where(self.has, (self.df + 1.0) / (wide + coef**2), 0.0), wide

    def derivatives(self, coef: Vector) -> tuple[float, Vector, Matrix]:
        weight, wide = self._parts(coef)
        value = 0.5 * (self.df + 1.0) * np.log1p(coef**2 / wide)
        curved = weight * (wide - coef**2) / (wide + coef**2)
        return float(value[self.has].sum()), weight * coef, np.diag(curved)

    def above(self, coef: Vector) -> Matrix:
        return np.diag(self._parts(coef)[0])


# ---- checks


def _numbers(name: str, given: ArrayLike) -> Floats:
    values = np.asarray(as_numbers(name, given), dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} has values that are NaN or infinite")
    return values


def _positive(name: str, given: ArrayLike) -> Floats:
    values = _numbers(name, given)
    if values.ndim > 1 or not values.size or not (values > 0.0).all():
        raise ValueError(f"{name} must be a number above 0, or one for each column, got {given!r}")
    return values


def of_columns(name: str, values: ArrayLike, n_features: int) -> Vector:
    """Return numbers of a prior as one for each column.

    Raises
    ------
    ValueError
        If there are as many as another number of columns.
    """
    own = np.asarray(values, dtype=np.float64)
    if own.ndim and len(own) != n_features:
        raise ValueError(f"{name} of the prior has {len(own)} numbers for {n_features} columns")
    return np.array(np.broadcast_to(own, n_features))
