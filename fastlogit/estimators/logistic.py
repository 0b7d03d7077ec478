"""`LogisticRegression` as scikit-learn's users know it, thin over `fit`."""

from __future__ import annotations

import contextlib
import inspect
import math
import time
import warnings
from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import ClassVar, TypedDict

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.linear_model._base import LinearClassifierMixin, SparseCoefMixin
from sklearn.utils import Tags
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import prediction, threads
from ..arrays import Array, ArrayLike, ClassWeight, Floats, Integers, Matrix, Vector
from ..clock import Clock
from ..design.batched import BatchRows
from ..fitting.bias_reduced import FIRTH, KINDS
from ..fitting.fit import fit
from ..fitting.online import OnlineLogistic
from ..inputs import validation
from ..inputs.categories import Categories
from ..inputs.column_names import feature_names
from ..inputs.conversion import as_labels, as_numbers, is_plain
from ..inputs.given import Data, Given, Rows, Start
from ..inputs.scikit_learn import look_at_labelled_rows, look_at_new_rows, look_for
from ..inputs.table_source import TableSource, refuse_beside_source
from ..options import CODINGS, UNKNOWN, check_category_options
from ..result import FitResult, Progress
from .data import for_others, labels_like, rows_of_models
from .inference import InferenceSupport
from .progress import CallbackSupport, IterationTasks, ProgressLines, is_listened_to

__all__ = ["LogisticRegression"]

# scikit-learn's names and ours -> the solver of `fit` that finds the same optimum.
SOLVERS = {
    "auto": "auto",
    "gd": "gradient_descent",
    "gradient_descent": "gradient_descent",
    "lbfgs": "lbfgs",
    "newton": "newton",
    "newton-cg": "newton-cg",
    "newton-cholesky": "newton",
    "liblinear": "auto",
    "sag": "auto",
    "saga": "auto",
}
# Those that take L1: of scikit-learn's the same as there.
SOLVERS_OF_L1 = ("auto", "saga", "liblinear")
# What parameter validation may remember: see `_validate_params`.
PLAIN = (bool, int, float, str)
# Its square is the default of `fit`: of half the digits of the cost that the coefficients have.
TOLERANCE = 1e-6
MOST_CHECKED = 1000
_CHECKED: set[tuple[object, ...]] = set()
_NAMES: dict[type, list[str]] = {}
PENALTY_DEPRECATED = (
    "'penalty' is deprecated, as in scikit-learn since 1.8. Leave it at its default and use C "
    "instead: C=np.inf instead of penalty=None, nothing instead of penalty='l2', l1_ratio=1 "
    "instead of penalty='l1', l1_ratio alone instead of penalty='elasticnet'."
)


class StreamSettings(TypedDict):
    """What `partial_fit` takes over from the estimator in each call."""

    C: float
    fit_intercept: bool
    multi_class: str
    n_threads: int | None


def cost_tolerance(tol: float) -> float:
    """Return the `tol` of `fit` for that of an estimator: its square, as far as float64 goes."""
    return min(float(tol), 1e150) ** 2


class LogisticRegression(
    InferenceSupport, CallbackSupport, LinearClassifierMixin, SparseCoefMixin, BaseEstimator,  # type: ignore[misc]
):  # fmt: skip
    """Logistic regression, fitted to an optimum that is proven.

    The parameters, attributes and methods are those of scikit-learn's class of the same name
    (version 1.9), with the same meaning; what differs is said below. It minimises

        ``C * sum(sample_weight * loss) + sum(penalty_factor * coef**2) / 2``

    with the intercept free; with `l1_ratio` the penalty is an elastic net. It stops when the cost
    is *proven* to be within ``tol**2`` of the optimum, and so the coefficients, in units of what
    they are worth, within about `tol`. X is read in place, whatever its layout and real number
    type, and never copied.

    Works with scikit-learn 1.6 and later.

    Parameters
    ----------
    penalty : {None, "l1", "l2", "elasticnet", "firth"}, default "deprecated"
        Deprecated, as in scikit-learn since 1.8: use `C` and `l1_ratio`. None is ``C=np.inf``. Only
        "firth", which scikit-learn has not, is not: it is ``bias_reduction="mean"``.
    C : float > 0, default 1.0
        Inverse strength of the penalty; ``np.inf`` is none.
    l1_ratio : float from 0 to 1, default 0.0
        The share of L1 in the penalty, ``l1_ratio * sum(|coef|) + (1 - l1_ratio) * sum(coef**2) /
        2``: 1 is L1 alone, and what is between an elastic net. Where scikit-learn ignores
        it, as beside ``penalty="l2"`` and without a penalty, it is ignored here too, with its
        warnings.
    dual : bool, default False
        Accepted for ``solver="liblinear"``, as in scikit-learn; it makes no difference.
    tol : float >= 0, default 1e-6
        How near the coefficients are to the optimum: (cost - optimum) / optimum is proven to be at
        most ``tol**2``, which is the `tol` of `fastlogit.fit`. The raw predictions then err by
        ``tol * sqrt(2 * optimum)`` at the most, as a root mean square weighted by the rows'
        curvatures. In scikit-learn `tol` bounds the largest component of the gradient, of which no
        distance to the optimum follows; where columns are standardised and the penalty is no
        stronger than the data, that bound is kept here too, so that no number that was right there
        gives less here.
    fit_intercept : bool, default True
    intercept_scaling : float > 0, default 1
        Has no effect: the intercept is never penalised, with ``solver="liblinear"`` neither.
    class_weight : dict or "balanced", default None
        Weights of the classes, which multiply `sample_weight`. "balanced" weighs classes inversely
        to their (weighted) frequency; with ``multi_class="ovr"`` that is done for each class
        against all others.
    random_state : int, RandomState instance or None, default None
        Has no effect: nothing is random here.
    solver : str, default "auto"
        "auto" takes what suits the shape of the data. "newton", "lbfgs", "newton-cg" and
        "gradient_descent" (or "gd") are methods; all end at the same optimum. For scikit-learn's
        other names, "newton-cholesky" is "newton", and "liblinear", "sag" and "saga" are "auto".
    max_iter : int >= 0, default 1000
        With 0 the fit is its start: no coefficients, and the intercept of the classes' shares.
    verbose : int, default 0
        Above 0, a line is printed for each iteration (gradient descent: about every 50 ms), and
        within a second where there is none: what is being done, or compiled.
    warm_start : bool, default False
        Begin at `coef_` and `intercept_` of the fit before.
    n_jobs : int or None, default None
        Number of threads, at most what the process may use; None and -1 are all of them, -2 all
        but one. The result has the same bits for every number.
    multi_class : {"multinomial", "ovr"}, default "multinomial"
        What more than two classes mean: one softmax model, as in scikit-learn, whose coefficients
        sum to zero over the classes; or each class against all others, as in
        `sklearn.multiclass.OneVsRestClassifier`.
    time_limit : float > 0 or None, default None
        Seconds after which the fit ends with the best point so far; a `BatchSource` that is still
        read for the first time then ends it with TimeoutError.

    categories : {"auto", "full", "reference"}, default "auto"
        Which levels of a data frame's categorical column have a coefficient: all that occur
        ("full"), or all but the first ("reference"), whose coefficient is 0. "auto" is "full" with
        a penalty, as of scikit-learn's OneHotEncoder, and "reference" without. The columns are read
        as codes, and never expanded.
    handle_unknown : {"error", "zero"}, default "error"
        What a level is at prediction that did not occur in the fit, or is missing: an error, or of
        no level, so that none of the column's coefficients is added.
    interactions : sequence of pairs of str or None, default None
        Names of two categorical columns: each pair of levels that occurs has a coefficient too.
    bias_reduction : {"mean", "median", "flic", "flac"} or None, default None
        An estimate of less bias than maximum likelihood in the place of a penalty, which exists for
        separable classes too: see `fastlogit.fit`. Of two classes; `C` and `l1_ratio` have no
        effect then, and `tol**2` is the step that may be left, in standard errors, and at least
        1e-10.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        float64 also for float32 X, where scikit-learn keeps float32: rounded to that, columns far
        from 0 would lose up to 2e-2 of a probability. With categorical columns there is one for
        each level: ``result_.feature_names`` has their names, as ``carrier[AA]``.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        float64. Zeros if `fit_intercept` is False.
    n_iter_ : ndarray of shape (1,), int32
        Iterations of the solver.
    n_features_in_ : int
        Of the columns of X, categorical ones counted once.
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        The names of the columns, where X had names that are all strings.
    result_ : FitResult
        How the fit went: costs by iteration, the proven bound, in float64.

    See Also
    --------
    fit : The same as a function.

    Examples
    --------
    >>> from sklearn.datasets import load_breast_cancer
    >>> from fastlogit import LogisticRegression
    >>> X, y = load_breast_cancer(return_X_y=True)
    >>> model = LogisticRegression().fit(X, y)
    >>> model.result_.suboptimality <= 1e-12
    True
    """

    _parameter_constraints: ClassVar[dict[str, list[object]]] = {
        "penalty": [
            StrOptions({"l1", "l2", "elasticnet", "firth"}),
            None,
            Hidden(StrOptions({"deprecated"})),
        ],
        "C": [Interval(Real, 0, None, closed="right")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), None],
        "dual": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "fit_intercept": ["boolean"],
        "intercept_scaling": [Interval(Real, 0, None, closed="neither")],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "random_state": ["random_state"],
        "solver": [StrOptions(set(SOLVERS))],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "n_jobs": [None, Integral],
        "multi_class": [StrOptions({"multinomial", "ovr"})],
        "time_limit": [Interval(Real, 0, None, closed="neither"), None],
        "categories": [StrOptions(set(CODINGS))],
        "handle_unknown": [StrOptions(set(UNKNOWN))],
        "interactions": [list, tuple, None],
        "bias_reduction": [StrOptions(set(KINDS)), None],
    }

    n_iter_: Integers
    # What `partial_fit` has learned.
    _online: OnlineLogistic
    # Whether the X of the fit was float32.
    _single = False
    # How the columns of a frame with categories were read.
    _categories: Categories | None = None

    def __init__(
        self,
        penalty: str | None = "deprecated",
        *,
        C: float = 1.0,
        l1_ratio: float | None = 0.0,
        dual: bool = False,
        tol: float = TOLERANCE,
        fit_intercept: bool = True,
        intercept_scaling: float = 1,
        class_weight: ClassWeight = None,
        random_state: int | np.random.RandomState | None = None,
        solver: str = "auto",
        max_iter: int = 1000,
        verbose: int = 0,
        warm_start: bool = False,
        n_jobs: int | None = None,
        multi_class: str = "multinomial",
        time_limit: float | None = None,
        categories: str = "auto",
        handle_unknown: str = "error",
        interactions: Sequence[Sequence[str]] | None = None,
        bias_reduction: str | None = None,
    ) -> None:
        self.penalty = penalty
        self.C = C
        self.l1_ratio = l1_ratio
        self.dual = dual
        self.tol = tol
        self.fit_intercept = fit_intercept
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.random_state = random_state
        self.solver = solver
        self.max_iter = max_iter
        self.verbose = verbose
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.multi_class = multi_class
        self.time_limit = time_limit
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.interactions = interactions
        self.bias_reduction = bias_reduction

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike = None,
        sample_weight: ArrayLike = None,
        *,
        offset: ArrayLike = None,
        penalty_factor: ArrayLike = None,
        coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
        penalty_groups: ArrayLike = None,
        group_weights: ArrayLike = None,
    ) -> LogisticRegression:
        """Fit the model to the rows of X with labels y.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features), or a source
            Real numbers, finite; columns of a data frame may be categorical. A `numpy.memmap` that
            does not fit in memory, or what else has a shape, a dtype and slices of rows (h5py,
            zarr), is streamed block by block. A `BatchSource`, `ParquetSource` or `ArrowSource`
            brings labels and weights along.
        y : array-like of shape (n_samples,)
            Labels: numbers, booleans or strings. None with a source.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0 of the rows.
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional
            Fixed part of the decision function, as the logarithm of prior odds. What was given
            here belongs into the predictions too.
        penalty_factor : array-like of shape (n_features,), optional
            Multiplies the penalty of each column; 0 leaves a column unpenalised.
        coef_bounds : pair (lower, upper), optional
            The least and the largest value of each coefficient: a number, an array of shape
            (n_features,) or None each, for all classes.
        penalty_groups : "features" or array-like of shape (n_features,), optional
            Groups of columns that L1 holds together, so that they are 0 as a whole: a label for
            each column, or each column over all classes; see `fastlogit.fit`. It needs `l1_ratio`
            above 0. ``result_.group_lengths`` says which groups are left.
        group_weights : float or array-like of shape (n_groups,), optional
            The weight of each group, in the order of the sorted labels, 0 for one without L1; by
            default the root of the number of its columns.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        KeyboardInterrupt
            After Ctrl-C; the estimator is then fitted with the best point so far.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter`, `time_limit` or rounding ends the fit above ``tol**2``.
        SeparationWarning
            If there is no penalty and the classes are separable: then there is no optimum.
        """
        clock = Clock(time.perf_counter(), self.time_limit)
        C, ratio = self._strengths()
        given = Given(
            X, y, sample_weight, offset, penalty_factor=penalty_factor, start=self._start(),
            class_weight=self.class_weight, clock=clock, coef_bounds=coef_bounds,
            categories=check_category_options(
                self.categories, self.handle_unknown, self.interactions, has_penalty=C != math.inf
            ),
        )  # fmt: skip
        lines = ProgressLines() if self.verbose else None
        try:
            with lines or contextlib.nullcontext():
                data = self._look(given)
                tasks, callback = self._callbacks(data, lines)
                result = fit(
                    data, C=C, l1_ratio=ratio, solver=SOLVERS[self.solver],
                    tol=cost_tolerance(self.tol), max_iter=self.max_iter,
                    intercept="fit" if self.fit_intercept else None,
                    n_threads=threads.of_jobs(self.n_jobs), callback=callback,
                    time_limit=self.time_limit, multi_class=self.multi_class,
                    penalty_groups=penalty_groups, group_weights=group_weights,
                    penalty=FIRTH if self.penalty == FIRTH else None,
                    bias_reduction=self.bias_reduction,
                )  # fmt: skip
        except KeyboardInterrupt as interrupt:
            best = getattr(interrupt, "result", None)
            if isinstance(best, FitResult):
                self._store(best, data)
            raise
        self._store(result, data)
        if lines is not None:
            lines.say(result.message)
        if tasks is not None:
            tasks.close(result.n_iter)
        return self

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike = None, classes: ArrayLike = None,
        sample_weight: ArrayLike = None,
    ) -> LogisticRegression:  # fmt: skip
        """Go on learning from a batch of rows, which are not kept: see `OnlineLogistic`.

        The latest rows count exactly, older ones by a quadratic model of their cost. So the rows
        should come in no order that has to do with their labels. `solver`, `tol` and `max_iter`
        have no effect; a stream that begins after `fit` begins anew.

        What `set_params` changes between calls: `C` (and `penalty`) holds for all rows, those seen
        before included; `class_weight` for the rows that come; `n_jobs` from now on. Another
        `fit_intercept` or `multi_class` is an error.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features), or source
            Real numbers, finite. A `ParquetSource` or `ArrowSource` is read once, batch by batch,
            and brings y and weights; after an error, the model is as it was before the whole call.
            Columns of a data frame or source may be categorical: their levels are those
            that the first batch declares, whether rows have them or not (pandas' CategoricalDtype,
            polars' Enum, an Arrow dictionary; of a polars Categorical those of its rows); what
            others are says `handle_unknown`. Of `interactions` each pair of levels has a
            coefficient.
        y : array-like of shape (n_samples,)
            Labels, not necessarily of all classes; None with a source.
        classes : array-like of shape (n_classes,), optional
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0 of the rows.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value; the model is as it was before.
        """
        if isinstance(X, TableSource):
            return self._learn_source(X, y, classes, sample_weight)
        is_first = not hasattr(self, "_online")
        if is_first and classes is None:
            # After a fit the labels are known, if nothing else.
            classes = getattr(self, "classes_", None)
        if is_first and classes is None:
            raise ValueError("classes must be given in the first call of partial_fit")
        C, ratio = self._strengths()
        coding, stream = None, None if is_first else self._categories
        if stream is not None:
            stream = stream.taking(self.handle_unknown)
        elif is_first:
            coding = check_category_options(
                self.categories, self.handle_unknown, self.interactions, has_penalty=C != math.inf
            )
        given = Given(X, y, sample_weight, class_weight=self.class_weight, categories=coding)
        known = None if is_first else self._online.classes
        batch, known = look_at_labelled_rows(type(self).__name__, given, classes, known, stream)
        rows, labels = batch.rows, batch.labels
        validate_data(self, rows.carrier, labels, reset=is_first, skip_check_array=True)
        if self._has_reduction():
            raise ValueError(
                "partial_fit does not take bias_reduction (or penalty='firth'), which needs all "
                "rows at once: fit does"
            )
        if ratio > 0.0:
            raise ValueError(
                f"partial_fit does not take L1 (l1_ratio={ratio:g}): fit does; or use l1_ratio=0"
            )
        settings = StreamSettings(
            C=C, fit_intercept=self.fit_intercept,
            multi_class=self.multi_class, n_threads=threads.of_jobs(self.n_jobs),
        )  # fmt: skip
        if is_first:
            online = OnlineLogistic(rows.X.shape[1], known, **settings)
        else:
            online = self._online.with_settings(**settings)
        online.update(batch, None)
        self._online = online
        self.classes_ = labels_like(labels, online.classes)
        self.coef_, self.intercept_ = rows_of_models(online.coef, online.intercept)
        self._single = _is_single(rows)
        self._categories = rows.categories
        return self

    def _learn_source(
        self, source: TableSource, y: ArrayLike, classes: ArrayLike, sample_weight: ArrayLike
    ) -> LogisticRegression:
        """Learn from all batches of a source, or, where one is wrong, from none."""
        refuse_beside_source(y=y, sample_weight=sample_weight)
        if source.has_offset:
            raise TypeError("partial_fit takes no offset: give the source no column of it")
        before = dict(vars(self))
        # Names are compared by the source; scikit-learn knows none of its batches.
        names, known = self.__dict__.pop("feature_names_in_", None), None
        if "_online" in before:
            known = self._categories
        else:
            names = None  # of a fit, with which the stream has nothing to do
        try:
            for batch in source.labelled_batches(names, known):
                self.partial_fit(batch.X, batch.y, classes, batch.sample_weight)
                names = np.array(feature_names(batch.X), dtype=object)
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise
        if names is not None:
            self.feature_names_in_ = names
        return self

    def decision_function(self, X: ArrayLike, *, offset: ArrayLike = None) -> Array:
        """Return X @ coef_.T + intercept_, plus the offset.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            float32 where X is and the X of the fit was, else float64. Two classes: positive where
            the second is more likely.
        """
        rows = self._look_at_new(X)
        return self._as_data(self._raw(rows, offset), rows)

    def predict(self, X: ArrayLike, *, offset: ArrayLike = None) -> Array:
        """Return the most likely label of each row.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional

        Returns
        -------
        ndarray of shape (n_samples,)
            Of the dtype of `classes_`.
        """
        raw = self._raw(self._look_at_new(X), offset)
        codes = (raw > 0.0).view(np.uint8) if raw.ndim == 1 else raw.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: ArrayLike, *, offset: ArrayLike = None) -> Array:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; rows sum to 1. With ``multi_class="ovr"`` and more than two
            classes each class's own probability, divided by their sum.
        """
        rows = self._look_at_new(X)
        return self._as_data(self._probabilities(rows, offset, log=False), rows)

    def predict_log_proba(self, X: ArrayLike, *, offset: ArrayLike = None) -> Array:
        """Return the logarithm of the probability of each class, computed as such.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        rows = self._look_at_new(X)
        return self._as_data(self._probabilities(rows, offset, log=True), rows)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike = None,
        *,
        offset: ArrayLike = None,
    ) -> float:
        """Return the share of rows whose label is predicted.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
        offset : array-like of shape (n_samples,) or (n_samples, n_classes), optional

        Returns
        -------
        float
        """
        from sklearn.metrics import accuracy_score

        predicted = self.predict(X, offset=offset)
        if sample_weight is not None:
            sample_weight = as_numbers("sample_weight", sample_weight)
        return float(accuracy_score(as_labels(y), predicted, sample_weight=sample_weight))

    def __setstate__(self, state: dict[str, object]) -> None:
        """Take what a pickle holds; one of an earlier version has later parameters by default."""
        super().__setstate__(state)
        missing = [name for name in self._get_param_names() if name not in vars(self)]
        known = inspect.signature(type(self)).parameters if missing else {}
        for name in missing:
            setattr(self, name, known[name].default)

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn is told of it: that it takes sparse X, too."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Return the names of the parameters; reading the signature anew would take 40 us."""
        if cls not in _NAMES:
            _NAMES[cls] = super()._get_param_names()
        return _NAMES[cls]

    def _validate_params(self) -> None:
        """Check the parameters, unless the same plain values were found good before (100 us)."""
        values = [getattr(self, name) for name in self._get_param_names()]
        # By type too: 1 and True are equal.
        key = (type(self), *values, *map(type, values))
        plain = all(value is None or type(value) in PLAIN for value in values)
        if plain and key in _CHECKED:
            return
        super()._validate_params()
        if plain:
            _CHECKED.add(key)
            if len(_CHECKED) > MOST_CHECKED:
                _CHECKED.clear()

    def _has_reduction(self) -> bool:
        """Say whether a reduction of bias is asked for, in the place of a penalty."""
        return self.penalty == FIRTH or getattr(self, "bias_reduction", None) is not None

    def _strengths(self) -> tuple[float, float]:
        """Return C, infinite for no penalty, and the share of L1, after a look at what is asked.

        Warns of what scikit-learn 1.9 warns of.
        """
        if self._has_reduction():
            if self.C not in (1.0, math.inf) or self.l1_ratio:
                warnings.warn("bias_reduction ignores C and l1_ratio", UserWarning, stacklevel=4)
            return math.inf, 0.0
        penalty, ratio = self.penalty, self.l1_ratio
        if penalty != "deprecated":
            warnings.warn(PENALTY_DEPRECATED, FutureWarning, stacklevel=4)
        elif ratio is None:
            warnings.warn(
                "l1_ratio=None is deprecated, as in scikit-learn since 1.8; use l1_ratio=0",
                FutureWarning,
                stacklevel=4,
            )
        none = penalty is None or (penalty == "deprecated" and self.C == math.inf)
        if penalty == "elasticnet" and ratio is None:
            raise ValueError("l1_ratio must be given with penalty='elasticnet'")
        used = penalty == "elasticnet" or (penalty == "deprecated" and not none)
        if penalty in ("l1", "l2") and ratio != (penalty == "l1"):
            warnings.warn(
                f"penalty={penalty!r} and l1_ratio={ratio!r} contradict each other; the penalty is "
                f"{penalty.upper()}. penalty is deprecated: leave it out, and use "
                f"l1_ratio={int(penalty == 'l1')}",
                UserWarning,
                stacklevel=4,
            )
        elif none and ratio and ratio < 1:
            warnings.warn(
                f"without a penalty l1_ratio={ratio!r} is ignored", UserWarning, stacklevel=4
            )
        if self.dual and self.solver != "liblinear":
            raise ValueError(
                f"dual=True has a meaning for solver='liblinear' only, got {self.solver!r}"
            )
        if penalty is None and self.C != 1.0:
            warnings.warn("penalty=None ignores C", UserWarning, stacklevel=4)
        share = 1.0 if penalty == "l1" else float(ratio or 0.0) if used else 0.0
        if share > 0.0 and self.solver not in SOLVERS_OF_L1:
            first, *others, last = map(repr, SOLVERS_OF_L1)
            raise ValueError(
                f"solver={self.solver!r} does not take L1 (l1_ratio={share:g}); "
                f"{', '.join([first, *others])} or {last} would"
            )
        return (math.inf, 0.0) if none else (float(self.C), share)

    def _look(self, given: Given) -> Data:
        """Return what a fit takes, once looked at; names and number of columns are stored."""
        data = look_for(type(self).__name__, given, self.multi_class)
        rows = data.rows
        if type(rows.carrier) is np.ndarray:
            # What scikit-learn does for arrays, after it has looked for names that these have not,
            # which takes a tenth of a small fit.
            self.n_features_in_ = rows.carrier.shape[1]
            if "feature_names_in_" in vars(self):
                delattr(self, "feature_names_in_")
        else:
            validate_data(self, rows.carrier, data.labels, skip_check_array=True)
        if isinstance(given.X, TableSource):
            # scikit-learn does not look at sources.
            self.feature_names_in_ = np.array(feature_names(rows.carrier), dtype=object)
        elif isinstance(rows.X, BatchRows) and rows.text_names is not None:
            # Nor at batches.
            names = rows.text_names
            if rows.categories is not None:
                names = list(rows.categories.columns)
                self.n_features_in_ = len(names)
            self.feature_names_in_ = np.asarray(names, dtype=object)
        elif hasattr(self, "feature_names_in_") and rows.categories is None:
            names = self.feature_names_in_.tolist()
            data = data._replace(rows=rows._replace(names=names, text_names=names))
        return data

    def _look_at_new(self, X: ArrayLike) -> Rows:
        """Return rows to be predicted; names and number of columns are compared."""
        own = vars(self)
        if (
            is_plain(X)
            and "coef_" in own
            and "feature_names_in_" not in own
            and own.get("n_features_in_") == X.shape[1]
            and self._categories is None
        ):
            return Rows(X, X)  # nothing to compare; scikit-learn takes 50 us to find that out
        check_is_fitted(self)
        known = self._categories
        if known is not None:
            # As scikit-learn's encoders, by what the parameter says now.
            if type(X) is not np.ndarray and not isinstance(X, TableSource):
                validate_data(self, X, reset=False, skip_check_array=True)
            known = known.taking(self.handle_unknown)
        names = getattr(self, "feature_names_in_", None)
        rows = look_at_new_rows(type(self).__name__, X, known, names)
        if isinstance(X, TableSource):
            return rows  # its columns were found by their names
        if known is None:
            validate_data(self, rows.carrier, reset=False, skip_check_array=True)
        return rows

    def _start(self) -> Start | None:
        """Return where to begin: the last fit, for a warm start."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        return Start(*self._parameters())

    def _callbacks(
        self, data: Data, lines: ProgressLines | None
    ) -> tuple[IterationTasks | None, Callable[[Progress], object] | None]:
        """Return scikit-learn's tasks, if someone listens, and what the fit is to call."""
        tasks = None
        if is_listened_to(self):
            classes = labels_like(data.labels, data.classes)

            def attributes(progress: Progress) -> dict[str, object]:
                coef, intercept = rows_of_models(progress.coef, progress.intercept)
                n_iter = np.array([progress.n_iter], dtype=np.int32)
                return {
                    "classes_": classes, "coef_": coef, "intercept_": intercept, "n_iter_": n_iter,
                }  # fmt: skip

            weights = data.sample_weight
            metadata = None if weights is None else {"sample_weight": weights}
            told = {"X": for_others(data.rows), "y": data.labels, "metadata": metadata}
            tasks = IterationTasks(self, self.max_iter, attributes, told)
        if lines is None:
            return tasks, tasks

        def report(progress: Progress) -> bool:
            lines(progress)
            return tasks is not None and tasks(progress)

        return tasks, report

    def _store(self, result: FitResult, data: Data) -> None:
        if hasattr(self, "_online"):
            del self._online
        self.classes_ = labels_like(data.labels, result.classes)
        self.coef_, self.intercept_ = rows_of_models(result.coef, result.intercept)
        self._single = _is_single(data.rows)
        self._categories = data.rows.categories
        self.n_iter_ = np.array([result.n_iter], dtype=np.int32)
        self.result_ = result

    def _parameters(self) -> tuple[Floats, float | Vector]:
        """Return coefficients and intercept in the shapes that functions of this package take."""
        coef = self.coef_.toarray() if hasattr(self.coef_, "toarray") else self.coef_
        if coef.shape[0] == 1:
            return coef[0], self.intercept_[0]
        return coef.T, self.intercept_

    def _raw(self, rows: Rows, offset: ArrayLike) -> Floats:
        """Return the decision function, float64."""
        coef, intercept = self._parameters()
        fixed = self._offset(offset, rows.X.shape[0])
        raw = prediction.raw_prediction(
            rows, coef, intercept, n_threads=threads.of_jobs(self.n_jobs)
        )
        if fixed is None:
            return raw
        return raw + (fixed if fixed.ndim == raw.ndim else fixed[:, None])

    def _probabilities(self, rows: Rows, offset: ArrayLike, *, log: bool) -> Matrix:
        coef, intercept = self._parameters()
        return prediction.class_proba(
            rows, coef, intercept, self.multi_class, log=log,
            offset=self._offset(offset, rows.X.shape[0]), n_threads=threads.of_jobs(self.n_jobs),
        )  # fmt: skip

    def _offset(self, offset: ArrayLike, n_samples: int) -> Floats | None:
        """Return a fixed part of the decision in a shape that `fit` takes too, or None."""
        if offset is None:
            return None
        n_models = self.coef_.shape[0]
        is_softmax = n_models > 1 and self.multi_class == "multinomial"
        fixed = validation.check_class_offset(offset, n_samples, n_models, is_softmax)
        return fixed.T

    def _as_data(self, values: Floats, rows: Rows) -> Array:
        """Return values as float32 where the data are, and those of the fit were."""
        return values.astype(np.float32) if self._single and _is_single(rows) else values


def _is_single(rows: Rows) -> bool:
    return bool(np.dtype(rows.X.dtype) == np.float32)
