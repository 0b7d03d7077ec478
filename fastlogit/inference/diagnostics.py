"""Diagnostics of a fitted model: what its rows do to it, and whether it fits them.

Residuals and influence are those of Pregibon (1981, Annals of Statistics 9) for two classes, and of
Lesaffre and Albert (1989, Journal of the Royal Statistical Society B 51) for more. Whatever leaves
out a row is one Newton step from the fit of all rows. Nothing has the rows squared as its size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..arrays import Array, Floats, Labels, Mask, Matrix, Vector
from ..elementwise import log1p_exp, sigmoid
from ..objective.links import LinkLoss
from ..options import check_whole
from .calibration import Calibration, Outcomes, calibration_of
from .collinearity import VarianceInflation, condition_number, variance_inflation
from .frames import as_frame
from .goodness import HosmerLemeshow, LinkTest, hosmer_lemeshow, link_test
from .hat_matrix import leverage_blocks, leverages, refuse_sole, unit_weights
from .optimum import Optimum

__all__ = ["Diagnostics"]

N_GROUPS, N_BINS = 10, 10


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """Residuals, influence and goodness of fit of a model; see `Inference.diagnostics`.

    Everything is computed when it is first asked for, and kept. Numbers of rows are of shape
    (n_samples,), in the order of the rows of the fit. A row that stands for several (frequency
    weights) has the numbers of one of them; other weights are a part of leverages and residuals, as
    in R. Rows of weight 0 were not in the fit: their residuals and influence are NaN, and frames
    leave them out.

    Of more than two classes there are `probability`, `leverage`, `cooks_distance`, `dfbetas` and
    `condition_number`; what is defined for two alone says so.

    Attributes
    ----------
    names : list of str
        Of the coefficients.
    coef, standard_errors : ndarray of shape (n_coefficients,)
        Those of the inference.
    classes : ndarray of shape (n_classes,)
    """

    names: list[str]
    coef: Vector = field(repr=False)
    standard_errors: Vector = field(repr=False)
    classes: Labels
    _terms: Mapping[str, list[int]] = field(repr=False)
    _optimum: Optimum = field(repr=False)

    # ---- rows

    @cached_property
    def linear_predictor(self) -> Floats:
        """Raw predictions with the offset: by the logit log-odds of the second class.

        Of shape (n_samples,), or (n_samples, n_classes): of more than two classes only their
        differences mean something.
        """
        objective = self._optimum.objective
        coef, intercept = objective.split(self._optimum.theta)
        raw = objective.design.raw_prediction(
            np.ascontiguousarray(coef), np.ascontiguousarray(intercept)
        )
        for output, own in enumerate(raw):
            offset = objective.rows.offset_of(output)
            if offset is not None:
                own += offset
        return np.ascontiguousarray(raw.T) if self._is_softmax else raw[0]

    @cached_property
    def probability(self) -> Floats:
        """Fitted probability of the second class, or of each class (n_samples, n_classes)."""
        raw = self.linear_predictor
        if self._loss is not None:
            return self._loss.probabilities(raw)[:, 1]
        if not self._is_softmax:
            return sigmoid(raw)
        sizes = np.exp(raw - raw.max(axis=1, keepdims=True))
        return sizes / sizes.sum(axis=1, keepdims=True)

    @cached_property
    def leverage(self) -> Vector:
        """How much a row draws the fit to itself, from 0 to 1 (n_classes - 1): they add up to k.

        The diagonal of the hat matrix of the rows, weighted by the curvature of their losses
        (by another link than the logit the observed one: R's hatvalues have the expected); of more
        than two classes the trace of the row's block.
        """
        if self._is_softmax:
            return self._softmax_influence[0]
        found = leverages(self._optimum)
        refuse_sole(1.0 - found, "what leaves out a row")
        return self._used_only(found)

    @cached_property
    def pearson(self) -> Vector:
        """(y - p) / (p (1 - p))^½, times the root of the weight."""
        signs, size = self._signs, -self._signs * self._log_odds
        with np.errstate(over="ignore"):
            return self._used_only(signs * self._weight_roots * np.exp(0.5 * size))

    @cached_property
    def deviance(self) -> Vector:
        """The root of twice the row's loss, with the sign of y - p."""
        signs = self._signs
        if self._loss is None:
            losses = log1p_exp(-signs * self.linear_predictor)
        else:
            losses = self._of_rows(self._loss)[0]
        return self._used_only(signs * self._weight_roots * np.sqrt(2.0 * losses))

    @cached_property
    def standardized_pearson(self) -> Vector:
        """`pearson` over (1 - leverage)^½."""
        return self.pearson / np.sqrt(1.0 - self.leverage)

    @cached_property
    def standardized_deviance(self) -> Vector:
        """`deviance` over (1 - leverage)^½."""
        return self.deviance / np.sqrt(1.0 - self.leverage)

    @cached_property
    def studentized(self) -> Vector:
        """The signed root of what the deviance falls by without the row, nearly (Williams, 1987).

        R's rstudent.
        """
        rest = 1.0 - self.leverage
        added = self.leverage / rest * np.square(self.pearson)
        return self._signs * np.sqrt(np.square(self.deviance) + added)

    @cached_property
    def cooks_distance(self) -> Vector:
        """How far all coefficients move without the row: (b - b_i)' H (b - b_i) / k."""
        if self._is_softmax:
            return self._softmax_influence[1]
        rest = 1.0 - self.leverage
        pull = np.square(self.pearson / rest)
        if self._loss is not None:
            # Of the observed curvature, which is not that of Pearson's residual.
            _, residual, curvature = self._of_rows(self._loss)
            roots = self._weight_roots / rest
            ratio = np.zeros_like(residual)
            np.divide(np.square(residual), curvature, out=ratio, where=curvature > 0.0)
            pull = ratio * np.square(roots)
        return pull * self.leverage / self._n_parameters

    @cached_property
    def dfbetas(self) -> Matrix:
        """What each coefficient loses without the row, in standard errors, (n_samples, n_coef).

        One step from the fit, over the standard errors that the inference holds. It takes
        8 n_samples n_coef bytes; R's dfbetas of a glm takes deviance residuals and is another.
        """
        design, optimum = self._optimum.objective.design, self._optimum
        functions = optimum.parameters_of(optimum.root.T).T @ optimum.root.T
        functions /= self.standard_errors[:, None]
        outputs = functions.reshape(len(functions), optimum.objective.n_classes, -1)
        found = np.zeros((len(functions), design.shape[0]))
        for output, residual in enumerate(self._residuals_without):
            own = outputs[:, output]
            moves = design.raw_prediction(
                np.ascontiguousarray(own[:, :-1]), np.ascontiguousarray(own[:, -1])
            )
            moves *= residual
            found -= moves
        if self._unused is not None:
            found[:, self._unused] = np.nan
        return found.T

    def added_variable(self, name: str) -> Vector:
        """Return what the other columns leave of a column, in the weights of the fit: one pass.

        The residuals of its weighted regression on the others, times the root of the weights: what
        an added-variable plot has along its axis (Cook and Weisberg, 1982).

        Parameters
        ----------
        name : str
            Of a coefficient.

        Returns
        -------
        ndarray of shape (n_samples,)

        Raises
        ------
        ValueError
            If there is no such coefficient, or more than two classes.
        """
        self.refuse_softmax("what is left of a column")
        if name not in self.names:
            raise ValueError(
                f"name must be that of a coefficient, got {name!r}; there are "
                f"{', '.join(self.names[:20])}{' ...' * (len(self.names) > 20)}"
            )
        optimum, place = self._optimum, self.names.index(name)
        root = optimum.parameters_of(optimum.root.T)
        function = optimum.root @ root[:, place] / float(root[:, place] @ root[:, place])
        found = optimum.objective.design.raw_prediction(function[None, :-1].copy(), function[-1:])
        found = found[0] * self._weight_roots
        if self._loss is None:
            found *= np.sqrt(self.probability * sigmoid(-self.linear_predictor))
        else:
            found *= np.sqrt(self._of_rows(self._loss)[2])
        return self._used_only(found)

    # ---- the model

    def hosmer_lemeshow(self, n_groups: int = N_GROUPS) -> HosmerLemeshow:
        """Return Hosmer and Lemeshow's test: observed beside expected by groups of probabilities.

        Parameters
        ----------
        n_groups : int, default 10
            Groups of about as many observations each; equal probabilities stay together, so that
            there may be fewer.

        Raises
        ------
        TypeError, ValueError
            If there are more than two classes, weights that are no counts, or fewer than three
            groups.
        """
        return hosmer_lemeshow(self.outcomes, check_whole("n_groups", n_groups, low=3))

    def calibration(self, n_bins: int = N_BINS) -> Calibration:
        """Return how the fitted probabilities agree with the rows of the fit.

        Of a fit with an intercept its own rows always have intercept 0 and slope 1;
        `fastlogit.calibration` does the same for new rows.

        Parameters
        ----------
        n_bins : int, default 10
        """
        return calibration_of(self.outcomes, check_whole("n_bins", n_bins, low=1))

    def link_test(self) -> LinkTest:
        """Return Pregibon's link test: whether the square of the linear predictor adds to it.

        Raises
        ------
        ValueError
            If there are more than two classes, the model predicts two values only, or it has
            another link than the logit.
        """
        if self._loss is not None:
            raise ValueError(
                f"link_test fits logistic regressions, the fit has link={self._loss.link!r}: fit "
                "again with the square of diagnostics().linear_predictor as a column"
            )
        return link_test(self.outcomes)

    def variance_inflation(self) -> VarianceInflation:
        """Return the (generalised) variance inflation factor of each column of X.

        Fox and Monette's (1992), from the covariance of the coefficients under the model.

        Raises
        ------
        ValueError
            If there are more than two classes.
        """
        self.refuse_softmax("variance inflation")
        return variance_inflation(self._optimum, self._terms)

    @cached_property
    def condition_number(self) -> float:
        """The condition number of the columns and the intercept, each scaled to length 1.

        Belsley, Kuh and Welsch (1980): above 30 some columns are nearly combinations of others.
        """
        return condition_number(self._optimum)

    # ---- tables

    def to_frame(self) -> object:
        """Return the numbers of the rows as a pandas data frame, a row for each row of weight.

        Without `dfbetas`, which have a frame of their own. A dict of arrays without pandas.
        """
        if self._is_softmax:
            columns = {
                f"probability[{label}]": values
                for label, values in zip(self.classes, self.probability.T, strict=True)
            }
        else:
            columns = {
                "probability": self.probability, "pearson": self.pearson,
                "deviance": self.deviance, "standardized_pearson": self.standardized_pearson,
                "standardized_deviance": self.standardized_deviance,
                "studentized": self.studentized,
            }  # fmt: skip
        columns |= {"leverage": self.leverage, "cooks_distance": self.cooks_distance}
        return self._framed(columns)

    def dfbetas_frame(self) -> object:
        """Return `dfbetas` as a pandas data frame, a column for each coefficient."""
        return self._framed(dict(zip(self.names, self.dfbetas.T, strict=True)))

    def _framed(self, columns: Mapping[str, Array]) -> object:
        n_samples = self._optimum.objective.design.shape[0]
        if self._unused is None:
            return as_frame(columns, np.arange(n_samples), "row")
        used = np.flatnonzero(~self._unused)
        return as_frame({name: values[used] for name, values in columns.items()}, used, "row")

    # ---- what they are made of

    @property
    def _is_softmax(self) -> bool:
        return self._optimum.objective.n_classes > 1

    def refuse_softmax(self, what: str) -> None:
        """Raise where there are more than two classes, and say what is for two."""
        if self._is_softmax:
            raise ValueError(
                f"{what} is for two classes, the fit has {len(self.classes)}; leverage, "
                "cooks_distance and dfbetas are there for more, or fit one class against the "
                "others (y == label)"
            )

    @property
    def _n_parameters(self) -> int:
        return len(self.names)

    @cached_property
    def _unused(self) -> Mask | None:
        """Rows of weight 0; None where there are none."""
        weights = self._optimum.weights.values
        unused = weights == 0.0
        return unused if unused.any() else None

    def _used_only(self, values: Vector) -> Vector:
        if self._unused is not None:
            values[self._unused] = np.nan
        return values

    @cached_property
    def _signs(self) -> Vector:
        """1 for rows of the second class, -1 for the others."""
        self.refuse_softmax("a residual")
        rows = self._optimum.objective.rows
        return np.where(rows.codes_of(0) == rows.positive[0], 1.0, -1.0)

    @cached_property
    def _loss(self) -> LinkLoss | None:
        """The loss of another link than the logit."""
        loss = self._optimum.objective.loss
        return loss if isinstance(loss, LinkLoss) else None

    @cached_property
    def _log_odds(self) -> Vector:
        """Log-odds of the second class, whatever the link, (n_samples,)."""
        if self._loss is None:
            return self.linear_predictor
        first, second = self._loss.log_probabilities(self.linear_predictor)
        return second - first

    def _of_rows(self, loss: LinkLoss) -> tuple[Vector, Vector, Vector]:
        """Return loss, slope by the raw prediction and second derivative, without weights."""
        return loss.rows(self.linear_predictor, self._signs > 0.0)

    @cached_property
    def _weight_roots(self) -> Vector | float:
        weights = unit_weights(self._optimum)
        return 1.0 if weights is None else np.sqrt(weights)

    @cached_property
    def outcomes(self) -> Outcomes:
        """Linear predictors, events and weights of the rows of weight, for tests and pictures."""
        self.refuse_softmax("a comparison of probabilities with events")
        return Outcomes.of(self._log_odds, self._signs > 0.0, self._optimum.weights)

    @cached_property
    def _residuals_without(self) -> Matrix:
        """Residuals that the one step without each row takes, (n_outputs, n_samples)."""
        if self._is_softmax:
            return self._softmax_influence[2]
        weights = unit_weights(self._optimum)
        if self._loss is None:
            residual = -self._signs * sigmoid(-self._signs * self.linear_predictor)
        else:
            residual = self._of_rows(self._loss)[1]
        if weights is not None:
            residual *= weights
        return (residual / (1.0 - self.leverage))[None]

    @cached_property
    def _softmax_influence(self) -> tuple[Vector, Vector, Matrix]:
        """Leverages, Cook's distances and residuals of the one step, of a softmax: one pass."""
        n_outputs, n_samples = self._optimum.residuals.shape
        leverage, distance = np.empty((2, n_samples))
        residuals = np.empty((n_outputs, n_samples))
        most = np.empty(n_samples)
        for block in leverage_blocks(self._optimum):
            leverage[block.rows] = block.values.sum(axis=1)
            most[block.rows] = block.values.max(axis=1)
            with np.errstate(divide="ignore", invalid="ignore"):
                moved = block.adjusted(1.0)
            residuals[:, block.rows] = moved.T
            distance[block.rows] = np.einsum("nk,nkl,nl->n", moved, block.spread, moved)
        refuse_sole(1.0 - most, "what leaves out a row")
        distance /= self._n_parameters
        return self._used_only(leverage), self._used_only(distance), residuals
