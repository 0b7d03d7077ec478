"""Wald, score and likelihood-ratio tests of linear restrictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Matrix, Vector
from .clusters import Clusters, cluster_covariance, joint_covariance
from .constrained import restricted_optimum
from .contrasts import Contrasts
from .distributions import chi2_tail, f_tail, two_sided
from .optimum import Optimum

__all__ = ["HypothesisTest", "likelihood_ratio", "score", "wald", "wald_of_clusters"]


@dataclass(frozen=True)
class HypothesisTest:
    """A test of restrictions on coefficients.

    Attributes
    ----------
    kind : {"Wald", "score", "likelihood ratio"}
    hypothesis : str
        What holds if the test finds nothing.
    statistic : float
        Chi-squared, or Student's t or F where `distribution` says so.
    df : float
        Degrees of freedom: restrictions, or those of t.
    p_value : float
    distribution : {"chi2", "t", "F"}
    df_denominator : float or None
        The second degrees of freedom of F.
    """

    kind: str
    hypothesis: str
    statistic: float
    df: float
    p_value: float
    distribution: str = "chi2"
    df_denominator: float | None = None

    def __str__(self) -> str:
        """Return one line."""
        second = "" if self.df_denominator is None else f", {self.df_denominator:.4g}"
        return (
            f"{self.kind} test of {self.hypothesis}: {self.distribution}({self.df:.4g}{second}) = "
            f"{self.statistic:.4f}, "
            + ("p < 1e-300" if self.p_value == 0.0 else f"p = {self.p_value:.4g}")
        )


def wald(contrasts: Contrasts, coef: Vector, covariance: Matrix) -> HypothesisTest:
    """Return the Wald test: how far the estimates are from the restrictions, in their spread.

    Raises
    ------
    ValueError
        If the covariance has not as many independent directions as there are restrictions.
    """
    spread = contrasts.matrix @ covariance @ contrasts.matrix.T
    statistic, n_restrictions = _distance(contrasts, coef, spread), len(spread)
    return HypothesisTest(
        "Wald", contrasts.text, statistic, n_restrictions, chi2_tail(statistic, n_restrictions)
    )


def _distance(contrasts: Contrasts, coef: Vector, spread: Matrix) -> float:
    """Return how far the estimates are from the restrictions, squared, in their covariance."""
    lacking = contrasts.matrix @ coef - contrasts.values
    lengths = np.sqrt(np.diag(spread))
    scaled = spread / np.outer(lengths, lengths)
    n_restrictions = len(lacking)
    if np.linalg.matrix_rank(scaled, tol=1e-12, hermitian=True) < n_restrictions:
        raise ValueError(
            f"the covariance has fewer independent directions than the {n_restrictions} "
            "restrictions, as with fewer clusters than those; test fewer at a time"
        )
    away = lacking / lengths
    return float(away @ np.linalg.solve(scaled, away))


def wald_of_clusters(
    contrasts: Contrasts, coef: Vector, optimum: Optimum, cov_type: str, clusters: Clusters
) -> HypothesisTest:
    """Return the test with CR2 or CR3: Student's t, or of several restrictions an F.

    With Satterthwaite's degrees of freedom, or those of HTZ.

    Raises
    ------
    ValueError
        If the clusters are too few for the restrictions.
    """
    if len(contrasts.matrix) > 1:
        return _joint(contrasts, coef, optimum, cov_type, clusters)
    found = cluster_covariance(optimum, cov_type, clusters, contrasts.matrix)
    assert found.degrees_of_freedom is not None
    lacking = float((contrasts.matrix @ coef - contrasts.values)[0])
    statistic = lacking / float(np.sqrt(found.matrix[0, 0]))
    p_value = two_sided(np.array([statistic]), found.degrees_of_freedom)
    return HypothesisTest(
        "Wald", contrasts.text, statistic, float(found.degrees_of_freedom[0]), float(p_value[0]),
        "t",
    )  # fmt: skip


def _joint(
    contrasts: Contrasts, coef: Vector, optimum: Optimum, cov_type: str, clusters: Clusters
) -> HypothesisTest:
    found = joint_covariance(optimum, cov_type, clusters, contrasts.matrix)
    size = len(contrasts.matrix)
    rest = found.degrees_of_freedom - size + 1.0
    if not rest > 0.0:
        raise ValueError(
            f"the clusters are too few for {size} restrictions together: their covariance has "
            f"{found.degrees_of_freedom:.3g} degrees of freedom; test fewer at a time, or take "
            "cov_type='CR1'"
        )
    distance = _distance(contrasts, coef, found.matrix)
    statistic = rest / (found.degrees_of_freedom * size) * distance
    return HypothesisTest(
        "Wald", contrasts.text, statistic, size, f_tail(statistic, size, rest), "F", rest
    )


def likelihood_ratio(contrasts: Contrasts, optimum: Optimum) -> HypothesisTest:
    """Return the likelihood-ratio test: a fit under the restrictions beside that without."""
    found = restricted_optimum(optimum, *_on_theta(contrasts, optimum))
    statistic = 2.0 * optimum.total_weight * (found.point.cost - optimum.point.cost)
    df = len(contrasts.matrix)
    statistic = max(statistic, 0.0)
    return HypothesisTest(
        "likelihood ratio", contrasts.text, statistic, df, chi2_tail(statistic, df)
    )


def score(contrasts: Contrasts, optimum: Optimum) -> HypothesisTest:
    """Return Rao's score test: the slope of the likelihood at the optimum under the restrictions.

    With the information there.
    """
    found = restricted_optimum(optimum, *_on_theta(contrasts, optimum))
    half = found.point.half_step
    statistic, df = optimum.total_weight * float(half @ half), len(contrasts.matrix)
    return HypothesisTest("score", contrasts.text, statistic, df, chi2_tail(statistic, df))


def _on_theta(contrasts: Contrasts, optimum: Optimum) -> tuple[Matrix, Vector]:
    """Return restrictions of the parameters that are reported as those of theta."""
    size = optimum.theta.size
    return contrasts.matrix @ optimum.parameters_of(np.eye(size)).T, contrasts.values
