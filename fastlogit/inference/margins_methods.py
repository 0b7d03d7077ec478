"""Margins as methods of an `Inference`: effects, average predictions, comparisons, predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..arrays import ArrayLike

if TYPE_CHECKING:
    from .inference import Inference
    from .margins import Margins
    from .margins_bootstrap import Replicates
    from .margins_population import GivenRows
    from .predictions import Predictions

__all__ = ["MarginsOfInference"]


class MarginsOfInference:
    """Gives an inference effects and predictions on the scale of probabilities."""

    def marginal_effects(
        self,
        columns: object = None,
        *,
        at: ArrayLike = None,
        discrete: object = None,
        method: str = "dydx",
        by: ArrayLike = None,
        others: str = "observed",
        bootstrap: Replicates | None = None,
    ) -> Margins:
        """Return what a change of a column does to the probability, on average over the rows.

        Of a column of numbers it is the mean slope of the probability, of a categorical one the
        mean difference between each level and the first. Two passes give all slopes and their
        errors, and two more each level.

        Parameters
        ----------
        columns : str, int or sequence of these, optional
            Names or places of columns of X; by default all of them.
        at : mapping or "mean", optional
            Columns that all rows have set to a value, or to each of several, as
            ``{"age": [30, 60]}``. "mean" is short for ``others="mean"``.
        discrete : "auto", str, int or sequence of these, optional
            Columns of 0 and 1 that change from 0 to 1, and have no slope; "auto" takes all such.
        method : {"dydx", "eyex"}, default "dydx"
            Slopes, or elasticities: d log p / d log x (of two classes).
        by : str or array-like of shape (n_samples,), optional
            A column, or a label for each row: averages are those of each group.
        others : {"observed", "mean"}, default "observed"
            Rows as they are, or one of mean values (of a categorical column shares of its levels).
        bootstrap : BootstrapResult, optional
            Of the same rows and model: errors and intervals are then of its replicates, and know
            that the rows are a sample.

        Returns
        -------
        Margins

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.

        Notes
        -----
        A column that is a function of another, as its square, is held as it is: of such models
        compare average predictions of rows of your own (`average_predictions`).

        Examples
        --------
        >>> import numpy as np
        >>> from fastlogit import fit, infer
        >>> X = np.array([[0.5], [1.2], [-0.3], [2.1], [0.8], [-1.1]])
        >>> y = np.array([0, 1, 0, 1, 1, 1])
        >>> found = infer(fit(X, y, C=np.inf), X, y).marginal_effects()
        >>> found.estimates.round(4).tolist(), found.standard_errors.round(4).tolist()
        ([0.1095, 0.1848], [0.1, 0.1])
        """
        from .margins_effects import marginal_effects
        from .margins_request import Asked

        asked = Asked(by, others, None, bootstrap)
        return marginal_effects(_own(self), columns, at, discrete, method, asked)

    def average_predictions(
        self,
        at: ArrayLike = None,
        *,
        by: ArrayLike = None,
        others: str = "observed",
        X: ArrayLike = None,
        sample_weight: ArrayLike = None,
        offset: ArrayLike = None,
        bootstrap: Replicates | None = None,
    ) -> Margins:
        """Return mean probabilities over the rows, as they are or with columns set to values.

        This is standardisation (g-computation): each row predicted as if it had the value, and
        averaged. Of more than two classes, of each. `Margins.compare` makes risk differences,
        risk ratios and marginal odds ratios of them.

        Parameters
        ----------
        at : mapping or "mean", optional
            Columns that all rows have set to a value, or to each of several, as
            ``{"smoke": [0, 1]}``; all combinations. By default the rows as they are; "mean" is
            short for ``others="mean"``.
        by, others, bootstrap
            See `marginal_effects`.
        X : array-like, or mapping of names to such, optional
            Rows to average over in place of those of the fit, as of another population; or a
            scenario for each name, as ``{"treated": X1, "untreated": X0}``.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows of X.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
            Of the rows of X.

        Returns
        -------
        Margins

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        """
        from .margins_averages import average_predictions
        from .margins_request import Asked

        asked = Asked(by, others, _rows(X, sample_weight, offset), bootstrap)
        return average_predictions(_own(self), at, asked)

    def comparisons(
        self,
        column: object,
        values: ArrayLike = None,
        *,
        measure: str = "difference",
        pairs: ArrayLike = "reference",
        step: float = 1.0,
        at: ArrayLike = None,
        by: ArrayLike = None,
        others: str = "observed",
        bootstrap: Replicates | None = None,
    ) -> Margins:
        """Return average predictions with a column at one value against those at another.

        Parameters
        ----------
        column : str or int
            Name or place of a column of X.
        values : sequence, optional
            Values that are compared, the first is the reference. By default the levels of a
            categorical column, 0 and 1 of a column of these, and of other numbers the rows as they
            are and moved by `step`.
        measure : {"difference", "ratio", "odds ratio"}, default "difference"
            Risk differences, risk ratios, or marginal odds ratios; see `Margins.compare`.
        pairs : {"reference", "sequential", "pairwise"} or sequence of pairs, default "reference"
            See `Margins.compare`.
        step : float, default 1.0
            By how much a column of numbers moves.
        at, by, others, bootstrap
            See `marginal_effects`; `at` sets other columns.

        Returns
        -------
        Margins

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        """
        from .margins_averages import predictions_of_column
        from .margins_request import Asked

        asked = Asked(by, others, None, bootstrap)
        found = predictions_of_column(_own(self), column, values, step, at, asked)
        return found.compare(measure, pairs)

    def predict(self, X: ArrayLike, *, offset: ArrayLike = None) -> Predictions:
        """Return the probabilities of rows, with standard errors and intervals.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
            Rows with the columns of the fit.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
            Needed where the fit had one.

        Returns
        -------
        Predictions

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        """
        from .predictions import predictions_of

        return predictions_of(_own(self), X, offset)

    def to_marginaleffects(self, X: ArrayLike) -> Any:
        """Return a model for the functions of the Python package marginaleffects.

        As ``marginaleffects.avg_slopes(inference.to_marginaleffects(X))``. Their `vcov` takes
        True, False, a matrix, or the name of a covariance that needs no clusters.

        Parameters
        ----------
        X : data frame of shape (n_samples, n_features)
            The rows of the fit; levels of categorical columns must be text.

        Returns
        -------
        marginaleffects.classes.ModelAbstract

        Raises
        ------
        ModuleNotFoundError
            If marginaleffects is not installed.
        TypeError, ValueError
            If X is no such frame, or the fit had an offset.
        """
        from .margins_package import marginaleffects_model

        return marginaleffects_model(_own(self), X)


def _own(inference: MarginsOfInference) -> Inference:
    """Return the inference, which this class is a part of."""
    return cast("Inference", inference)


def _rows(X: ArrayLike, sample_weight: ArrayLike, offset: ArrayLike) -> GivenRows | None:
    from .margins_population import GivenRows

    if X is None:
        if sample_weight is not None or offset is not None:
            raise ValueError(
                "sample_weight and offset are of the rows in X; those of the fit have their own"
            )
        return None
    return GivenRows(X, sample_weight, offset)
