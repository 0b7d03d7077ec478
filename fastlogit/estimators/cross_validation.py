"""`LogisticRegressionCV`: the choice of C by cross-validation, as one computation."""

from __future__ import annotations

import dataclasses
import time
import warnings
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any, ClassVar, NoReturn

import numpy as np
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.model_selection import check_cv
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Hidden, Interval, StrOptions
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.validation import _deprecate_positional_args

from .. import threads
from ..arrays import (
    Array,
    ArrayLike,
    ClassWeight,
    Cube,
    Integers,
    Matrix,
    Scorer,
    Splitter,
    Vector,
)
from ..clock import Clock, part_of
from ..design.base import Design
from ..fitting.fit import fit
from ..fitting.grid import GridOptions
from ..fitting.grid_result import GridResult
from ..fitting.l1_grid import refuse_free_softmax
from ..fitting.messages import stack_level
from ..fitting.path import grid_of_cs
from ..fitting.problem import Strengths, refuse_groups_alone
from ..fitting.relaxed import relax
from ..inputs.conversion import as_labels, as_numbers
from ..inputs.given import Data, Given
from ..inputs.table_source import FoldColumns, TableSource
from ..inputs.values import array_of
from ..options import check_category_options
from ..result import FitResult
from .data import for_splitters, labels_like, rows_of_models
from .folds import Folds, NumberedFolds, PairedFolds, fit_folds, share_of_folds
from .hash_folds import HashKFold
from .logistic import SOLVERS, TOLERANCE, LogisticRegression, cost_tolerance
from .progress import ProgressLines
from .scoring import score_grid
from .selection import SELECTIONS, Chosen, Grids, best_of, choose

__all__ = ["LogisticRegressionCV", "best_of"]


class LogisticRegressionCV(LogisticRegression):
    """Logistic regression that chooses C by cross-validation.

    The parameters, attributes and methods are those of scikit-learn's class of the same name
    (version 1.9), with the same meaning and the same warnings; what differs is said below. All
    folds and all C are fitted together: a fold is a weight for each row, so that no row of X is
    copied for it, and the cost of every fit is proven to be within ``tol**2`` of its optimum.

    Works with scikit-learn 1.6 and later.

    Parameters
    ----------
    Cs : int or array-like of shape (n_cs,), default 10
        Inverse strengths of the penalty; a whole number is that many of them between 1e-4 and
        1e4, evenly spaced on a logarithmic scale. For L1 those of a path suit better:
        ``logistic_path(X, y, l1_ratio=1).Cs``.
    l1_ratios : array-like of shape (n_l1_ratios,) or None, default "warn"
        Shares of L1 in the penalty, from 0 (L2) to 1 (L1), each with each C. With
        ``penalty="l1"`` or ``"l2"`` they are ignored, with a warning, as in scikit-learn. None,
        which is the default with a warning, is the same as ``(0,)`` except for the shapes of the
        legacy attributes.
    fit_intercept : bool, default True
    cv : int, splitter or iterable of (train, test), default None
        None is stratified 5-fold, a whole number so many folds. `HashKFold` and scikit-learn's are
        splitters. A source with a column of `folds` brings them, and cv is left out; with one of
        `groups` None and whole numbers are folds of `HashKFold`, whose groups stay together, and
        splitters get the groups.
    dual : bool, default False
        Accepted for ``solver="liblinear"``, as in scikit-learn; it makes no difference.
    penalty : {"l1", "l2", "elasticnet"}, default "deprecated"
        Deprecated, as in scikit-learn since 1.8.
    scoring : str, callable or None, default "warn"
        What is maximised. None, which is the default with a warning, is the accuracy.
    solver : str, default "auto"
        As for `LogisticRegression`.
    tol : float >= 0, default 1e-6
        As for `LogisticRegression`: (cost - optimum) / optimum of each fit is proven to be at most
        ``tol**2``. To choose C 1e-4 does as well, in two thirds of the time.
    max_iter : int >= 0, default 1000
    class_weight : dict or "balanced", default None
        Weights of the classes, which multiply `sample_weight`. "balanced" looks at all rows, those
        of each fold together.
    n_jobs : int or None, default None
        Number of threads. The result has the same bits for every number.
    verbose : int, default 0
        Above 0, a line is printed for the folds, and one for the last fit; while they run, one
        within a second of silence, which says how many fits are done.
    refit : bool, default True
        Fit all rows with the C of the best mean score. Otherwise average, over the folds, the
        coefficients and the C of the best score of each (coefficients of those folds alone that
        have all classes, if there are any).
    intercept_scaling : float > 0, default 1
        Has no effect: the intercept is never penalised.
    random_state : int, RandomState instance or None, default None
        Has no effect: nothing is random here.
    use_legacy_attributes : bool, default "warn"
        Whether attributes have the shapes that they had before scikit-learn 1.9. "warn" is True
        with a warning.
    multi_class : {"multinomial", "ovr"}, default "multinomial"
        What more than two classes mean: as for `LogisticRegression`.
    time_limit : float > 0 or None, default None
        Seconds after which the fits end, each with the best point so far: nine tenths are for the
        folds. Where none are left for the last fit, `coef_` is the mean of the folds, and a warning
        says so. The seconds of compiling kernels do not count.
    selection : {"best", "one_standard_error"}, default "best"
        The C of the best mean score, or the smallest C, of the same share of L1, whose mean is
        within a standard error of the best, over the folds: fewer coefficients, or smaller ones.
    relax : bool, default False
        Fit the columns that L1 has chosen once more, without a penalty: `coef_` and `intercept_`
        are then those of that fit. Scores are those of the fits with L1. Two classes, or each
        against all others.
    categories, handle_unknown, interactions
        As for `LogisticRegression`. Levels are those of all rows: one that the training rows of a
        fold lack has a coefficient of 0 there. "auto" is "reference" where all `Cs` are infinite.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Zeros if `fit_intercept` is False.
    Cs_ : ndarray of shape (n_cs,)
    l1_ratios_ : ndarray of shape (n_l1_ratios,)
    C_ : float
        The best one. Legacy: ndarray, repeated for each model.
    l1_ratio_ : float
        The best one. Legacy: ndarray, repeated for each model.
    coefs_paths_ : ndarray of shape (n_folds, n_l1_ratios, n_cs, n_models, n_dof)
        Coefficients of the folds; n_models is 1 for two classes, else n_classes, and the last
        of n_dof is the intercept if there is one. Legacy: a dict of (n_folds, n_cs, n_dof) or,
        unless `l1_ratios` is None, (n_folds, n_cs, n_l1_ratios, n_dof), for each class.
    scores_ : ndarray of shape (n_folds, n_l1_ratios, n_cs)
        Legacy: a dict of (n_folds, n_cs) or (n_folds, n_cs, n_l1_ratios) for each class, all the
        same.
    n_iter_ : ndarray of shape (n_folds, n_l1_ratios, n_cs), int32
        Iterations. Legacy: (1, n_folds, n_cs) or (1, n_folds, n_cs, n_l1_ratios).
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,), object
        The names of the columns, where X had names that are all strings.
    grids_ : list of GridResult
        The fits of the folds for each of `l1_ratios`, with their proven bounds.
    grid_ : GridResult
        That of the best mean score.
    result_ : FitResult
        The last fit, where `refit` is True.
    relaxed_ : list of FitResult or None
        With `relax` the fits of the chosen columns without a penalty, one for each model; None
        where no column was chosen.

    See Also
    --------
    LogisticRegression : One C.
    logistic_path : Many C without folds.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from fastlogit import LogisticRegressionCV
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegressionCV(
    ...     l1_ratios=(0,), scoring="neg_log_loss", use_legacy_attributes=False
    ... ).fit(X, y)
    >>> model.scores_.shape
    (5, 1, 10)
    """

    __metadata_request__score: ClassVar[dict[str, object]] = {"sample_weight": UNUSED}

    _parameter_constraints: ClassVar[dict[str, list[object]]] = {
        **{
            name: constraint
            for name, constraint in LogisticRegression._parameter_constraints.items()
            if name not in ("C", "warm_start", "l1_ratio", "bias_reduction")
        },
        "Cs": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "l1_ratios": ["array-like", None, Hidden(StrOptions({"warn"}))],
        "cv": ["cv_object"],
        "scoring": [
            StrOptions(set(get_scorer_names())),
            callable,
            None,
            Hidden(StrOptions({"warn"})),
        ],
        "refit": ["boolean"],
        "selection": [StrOptions(set(SELECTIONS))],
        "relax": ["boolean"],
        "penalty": [
            StrOptions({"l1", "l2", "elasticnet"}),
            Hidden(StrOptions({"deprecated"})),
        ],
        "use_legacy_attributes": ["boolean", Hidden(StrOptions({"warn"}))],
    }

    # Legacy attributes have other types than the new ones.
    C_: Any
    l1_ratio_: Any
    coefs_paths_: Any
    scores_: Any
    n_iter_: Integers

    def __init__(
        self,
        *,
        Cs: ArrayLike = 10,
        l1_ratios: Sequence[float] | Vector | str | None = "warn",
        fit_intercept: bool = True,
        cv: int | Splitter | Iterable[tuple[ArrayLike, ArrayLike]] | None = None,
        dual: bool = False,
        penalty: str = "deprecated",
        scoring: str | Scorer | None = "warn",
        solver: str = "auto",
        tol: float = TOLERANCE,
        max_iter: int = 1000,
        class_weight: ClassWeight = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        refit: bool = True,
        intercept_scaling: float = 1.0,
        random_state: int | np.random.RandomState | None = None,
        use_legacy_attributes: bool | str = "warn",
        multi_class: str = "multinomial",
        time_limit: float | None = None,
        selection: str = "best",
        relax: bool = False,
        categories: str = "auto",
        handle_unknown: str = "error",
        interactions: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self.Cs = Cs
        self.l1_ratios = l1_ratios
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.dual = dual
        self.penalty = penalty
        self.scoring = scoring
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.class_weight = class_weight
        self.n_jobs = n_jobs
        self.verbose = verbose
        self.refit = refit
        self.intercept_scaling = intercept_scaling
        self.random_state = random_state
        self.use_legacy_attributes = use_legacy_attributes
        self.multi_class = multi_class
        self.time_limit = time_limit
        self.selection = selection
        self.relax = relax
        self.categories = categories
        self.handle_unknown = handle_unknown
        self.interactions = interactions

    @_fit_context(prefer_skip_nested_validation=True)  # type: ignore[untyped-decorator]
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike = None,
        sample_weight: ArrayLike = None,
        *,
        penalty_factor: ArrayLike = None,
        coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
        penalty_groups: ArrayLike = None,
        group_weights: ArrayLike = None,
        **params: object,
    ) -> LogisticRegressionCV:
        """Fit all folds and all C, choose, and fit all rows.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features), or BatchSource
            Real numbers, finite; columns of a data frame may be categorical.
        y : array-like of shape (n_samples,)
            Labels: numbers, booleans or strings. None with a `BatchSource`, which brings them.
        sample_weight : array-like of shape (n_samples,), optional
            Weights >= 0 of the rows, for the fits and for the scores.
        penalty_factor : array-like of shape (n_features,), optional
            Multiplies the penalty of each column; 0 leaves a column unpenalised.
        coef_bounds : pair (lower, upper), optional
            The least and the largest value of each coefficient, in all folds and the last fit: a
            number, an array of shape (n_features,) or None each.
        penalty_groups : "features" or array-like of shape (n_features,), optional
            Groups of columns that L1 holds together, as for `LogisticRegression.fit`; of those of
            `l1_ratios` that are above 0.
        group_weights : float or array-like of shape (n_groups,), optional
            The weight of each group.
        **params
            For the splitter (as `groups`) and the scorer, by scikit-learn's metadata routing.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value.
        KeyboardInterrupt
            After Ctrl-C. Among the folds its ``result`` attribute is a `GridResult` with the best
            points so far, and the estimator is not fitted: there are no scores to choose by. In the
            last fit, ``result`` is a `FitResult`, and the estimator is fitted with it.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter`, `time_limit` or rounding ends a fit above ``tol**2``.
        FutureWarning
            Where scikit-learn 1.9 says that a default will change.
        """
        began = time.perf_counter()
        _raise_for_params(params, self, "fit")
        Cs, ratios, scoring, legacy = self._settings()
        shares = self._shares(ratios)
        refuse_groups_alone(
            Strengths(groups=penalty_groups, group_weights=group_weights), any(shares)
        )
        given = Given(
            X, y, sample_weight, penalty_factor=penalty_factor, class_weight=self.class_weight,
            clock=Clock(began, self.time_limit), coef_bounds=coef_bounds,
            categories=check_category_options(
                self.categories, self.handle_unknown, self.interactions,
                has_penalty=bool(np.isfinite(Cs).any()),
            ),
        )  # fmt: skip
        with self._lines():
            data = self._look(given)
        rows, labels, sample_weight = data.rows.X, data.labels, data.sample_weight
        # An estimator's look hands labels on, and takes no design.
        assert labels is not None
        assert not isinstance(rows, Design)
        self.classes_ = labels_like(labels, data.classes)
        if any(shares):
            refuse_free_softmax(len(self.classes_), self.multi_class, Cs)
        if self.relax and len(self.classes_) > 2 and self.multi_class == "multinomial":
            raise ValueError(
                "relax=True is for two classes, or each against all others: multi_class='ovr'"
            )
        routed = self._routed(sample_weight, params)
        folds = self._folds(X, data, routed.splitter.split)
        options = GridOptions(
            multi_class=self.multi_class, fit_intercept=self.fit_intercept,
            solver=SOLVERS[self.solver], tol=cost_tolerance(self.tol), max_iter=self.max_iter,
            n_threads=threads.of_jobs(self.n_jobs), time_limit=self.time_limit,
        )  # fmt: skip
        of_l1: dict[str, Any] = {"penalty_groups": penalty_groups, "group_weights": group_weights}
        asked = [
            dataclasses.replace(options, l1_ratio=share, **(of_l1 if share > 0.0 else {}))
            for share in shares
        ]
        grids = self._fit_folds(data, Cs, folds, asked, began)
        try:
            scores = self._scores(grids, data, folds, scoring, routed.scorer.score)
        except KeyboardInterrupt as interrupt:
            self._forget()
            interrupt.result = grids.of_ratios[0]  # type: ignore[attr-defined]
            raise
        chosen = choose(scores, Cs, self.selection, together=self.refit)
        self._categories = data.rows.categories
        self._store_attributes(grids, scores, chosen, shares, ratios, legacy)
        complete = grids.complete
        if self.refit:
            start = grids.mean_of(chosen, complete) if complete.any() else None
            last = asked[chosen.ratios[0]]
            self._refit(data._replace(start=start), float(Cs[chosen.Cs[0]]), began, last)
        else:
            coef, intercept = grids.mean_of(chosen, complete if complete.any() else ~complete)
            if hasattr(self, "result_"):
                del self.result_  # of a fit before
            self.coef_, self.intercept_ = coef, intercept
        return self

    def _folds(self, X: ArrayLike, data: Data, routed: dict[str, Any]) -> Folds:
        """Return the folds that `cv` gives, or columns of a source."""
        n_samples, columns = data.rows.X.shape[0], FoldColumns()
        if isinstance(X, TableSource):
            columns = X.folds_of_rows()
        if columns.folds is not None:
            if self.cv is not None:
                raise ValueError(
                    f"cv={self.cv!r} and the source's folds= are two ways to say it: leave cv out"
                )
            return NumberedFolds.of_column(columns.folds)
        cv = self.cv
        if columns.groups is not None:
            if "groups" in routed:
                raise ValueError("groups is a column of the source already: leave it out")
            routed = {**routed, "groups": columns.groups}
            if cv is None or isinstance(cv, Integral):
                cv = HashKFold(5 if cv is None else int(cv))
        if isinstance(cv, HashKFold):
            return NumberedFolds(cv.folds(n_samples, routed.get("groups")), cv.n_splits)
        labels = data.labels
        splitter = check_cv(cv, labels, classifier=True)
        return PairedFolds(
            list(splitter.split(for_splitters(data.rows), labels, **routed)), n_samples
        )

    def _scores(
        self, grids: Grids, data: Data, folds: Folds, scoring: str | Scorer | None,
        params: dict[str, object],
    ) -> Cube:  # fmt: skip
        """Return the scores of all folds, (n_folds, n_l1_ratios, n_cs)."""
        assert data.labels is not None
        assert not isinstance(data.rows.X, Design)
        tests = folds.tests
        known: dict[int, Matrix] = {}
        for grid in grids.of_ratios:
            if id(grid) not in known:
                known[id(grid)] = score_grid(
                    grid, data.rows, data.labels, data.codes, tests, scoring,
                    sample_weight=data.sample_weight, score_params=params,
                    multi_class=self.multi_class, n_threads=threads.of_jobs(self.n_jobs),
                )  # fmt: skip
        return np.stack([known[id(grid)] for grid in grids.of_ratios], axis=1)

    def _fit_folds(
        self, data: Data, Cs: Vector, folds: Folds, asked: list[GridOptions], began: float
    ) -> Grids:
        """Fit all folds and all C for each share of L1, which divide the time among them."""
        found: dict[float, GridResult] = {}
        rows = data.rows.X
        assert not isinstance(rows, Design)  # an estimator takes none
        n_ratios = len({options.l1_ratio for options in asked})
        n_models = n_ratios * len(Cs) * max(1, len(self.classes_) * (len(self.classes_) > 2))
        share = share_of_folds(self.time_limit, rows.shape, n_models, folds.n_folds)
        weights = folds.weights(rows)
        for options in asked:
            if options.l1_ratio in found:
                continue
            part = share * (len(found) + 1) / n_ratios
            try:
                with part_of(began, part), self._lines() as lines:
                    grid, complete = fit_folds(
                        data, self.classes_, Cs, weights,
                        dataclasses.replace(options, callback=lines), tell=not found,
                    )  # fmt: skip
            except KeyboardInterrupt:
                self._forget()
                raise
            of_ratio = f" of l1_ratio={options.l1_ratio:g}" if n_ratios > 1 else ""
            self._say(f"folds{of_ratio}: {grid.message}")
            found[options.l1_ratio] = grid
        return Grids([found[options.l1_ratio] for options in asked], complete)

    @property
    def partial_fit(self) -> NoReturn:
        """There is none: folds are parts of all rows."""
        raise AttributeError("LogisticRegressionCV has no partial_fit: folds are parts of all rows")

    @_deprecate_positional_args(version="1.11")  # type: ignore[untyped-decorator]
    def score(
        self, X: ArrayLike, y: ArrayLike, *, sample_weight: ArrayLike = None, **score_params: object
    ) -> float:
        """Return the score that `scoring` says, the accuracy by default.

        Parameters
        ----------
        X : array-like or data frame of shape (n_samples, n_features)
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), optional
        **score_params
            For the scorer, by scikit-learn's metadata routing.

        Returns
        -------
        float
        """
        _raise_for_params(score_params, self, "score")
        y = as_labels(y)
        if sample_weight is not None:
            score_params["sample_weight"] = as_numbers("sample_weight", sample_weight)
        if _routing_enabled():
            score_params = process_routing(self, "score", **score_params).scorer.score
        return self._scorer()(self, X, y, **score_params)

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata is routed to the splitter and the scorer.

        Returns
        -------
        MetadataRouter
        """
        of_scorer = MethodMapping().add(caller="score", callee="score")
        return (
            MetadataRouter(owner=self)
            .add_self_request(self)
            .add(splitter=self.cv, method_mapping=MethodMapping().add(caller="fit", callee="split"))
            .add(scorer=self._scorer(), method_mapping=of_scorer.add(caller="fit", callee="score"))
        )

    def _scorer(self) -> Scorer:
        return get_scorer("accuracy" if self.scoring in (None, "warn") else self.scoring)

    def _settings(self) -> tuple[Vector, list[Any], str | Scorer | None, bool]:
        """Return Cs, l1_ratios, scoring and whether attributes are legacy.

        Warns of what scikit-learn 1.9 warns of.
        """
        self._check_penalties()
        if self.penalty != "deprecated":
            _warn_of_the_future(
                "'penalty' was deprecated in version 1.8 of scikit-learn and will be removed in "
                "1.10. Leave it at its default and use l1_ratios=(0,) instead of penalty='l2', "
                "l1_ratios=(1,) instead of penalty='l1'."
            )
        given = self.l1_ratios
        if _is_warn(given):
            given = None
            _warn_of_the_future(
                "The default value for l1_ratios will change from None to (0.0,) in version 1.10 "
                "of scikit-learn, where None is forbidden. To avoid this warning, set "
                "l1_ratios=(0,)."
            )
        elif given is None and self.penalty == "deprecated":
            _warn_of_the_future(
                "'l1_ratios=None' was deprecated in version 1.8 of scikit-learn and is an error "
                "in 1.10. Use l1_ratios=(0,)."
            )
        scoring, legacy = self.scoring, self.use_legacy_attributes
        if _is_warn(scoring):
            scoring = None
            _warn_of_the_future(
                "The default value of the parameter 'scoring' will change from None, i.e. "
                "accuracy, to 'neg_log_loss' in version 1.11 of scikit-learn. To silence this "
                "warning, set it: scoring='neg_log_loss' for the new, scoring='accuracy' or "
                "scoring=None for the old default."
            )
        if _is_warn(legacy):
            legacy = True
            _warn_of_the_future(
                "The fitted attributes of LogisticRegressionCV will be simplified in scikit-learn "
                "1.10 to remove redundancy. Set use_legacy_attributes=False to have the new ones "
                "now, or True to silence this warning."
            )
        ratios = [None] if given is None else list(given)
        return grid_of_cs(self.Cs), ratios, scoring, bool(legacy)

    def _check_penalties(self) -> None:
        """Raise for penalties and choices that do not go together."""
        given = None if _is_warn(self.l1_ratios) else self.l1_ratios
        if given is None and self.penalty == "elasticnet":
            raise ValueError("l1_ratios must be given with penalty='elasticnet'")
        if given is not None:
            _check_ratios(given)
        if self.penalty in ("l1", "l2") and given is not None:
            name = self.penalty.upper()
            _warn(
                f"penalty={self.penalty!r} ignores l1_ratios={given!r}; the penalty is {name}",
                UserWarning,
            )
        if self.dual and self.solver != "liblinear":
            raise ValueError(
                f"dual=True has a meaning for solver='liblinear' only, got {self.solver!r}"
            )
        if not self.refit and self.selection != "best":
            raise ValueError(
                f"selection={self.selection!r} chooses one C for the last fit: it needs refit=True"
            )
        if not self.refit and self.relax:
            raise ValueError("relax=True is of the last fit: it needs refit=True")

    def _shares(self, ratios: list[Any]) -> list[float]:
        """Return the share of L1 that each of the ratios means."""
        if self.penalty in ("l1", "l2"):
            shares = [float(self.penalty == "l1")] * len(ratios)
        else:
            shares = [float(ratio or 0.0) for ratio in ratios]
        if any(shares) and SOLVERS[self.solver] != "auto":
            raise ValueError(
                f"solver={self.solver!r} does not take L1 (l1_ratios, penalty); 'auto' would"
            )
        if self.relax and not any(shares):
            raise ValueError("relax=True is for L1, which chooses columns: give l1_ratios above 0")
        return shares

    def _routed(self, sample_weight: Vector | None, params: dict[str, object]) -> Bunch:
        """Return what goes to the splitter and to the scorer."""
        if _routing_enabled():
            return process_routing(self, "fit", sample_weight=sample_weight, **params)
        if sample_weight is not None:
            params = {**params, "sample_weight": sample_weight}
        return Bunch(splitter=Bunch(split={}), scorer=Bunch(score=params))

    def _refit(
        self, data: Data, C: float, began: float, options: GridOptions
    ) -> None:  # fmt: skip
        """Fit all rows, from the mean of the folds, in the time that is left."""
        nothing_left = Clock(began, self.time_limit).is_late()
        try:
            with part_of(began), self._lines() as lines:
                result = fit(
                    data, C=C, l1_ratio=options.l1_ratio, multi_class=options.multi_class,
                    solver=options.solver,
                    intercept="fit" if options.fit_intercept else None, tol=options.tol,
                    max_iter=options.max_iter, n_threads=options.n_threads,
                    time_limit=options.time_limit, callback=lines,
                    penalty_groups=options.penalty_groups, group_weights=options.group_weights,
                )  # fmt: skip
        except KeyboardInterrupt as interrupt:
            best = getattr(interrupt, "result", None)
            if isinstance(best, FitResult):
                self._keep(best)
                interrupt.result = self.result_  # type: ignore[attr-defined]
            else:
                self._forget()
            raise
        message = result.message
        if nothing_left and not result.converged:
            grid = self.grid_
            message = (
                f"time_limit={self.time_limit:g} s left nothing for the last fit: coef_ and "
                f"intercept_ are the mean of the folds at C={C:g}, which was chosen where "
                f"{int(grid.converged.sum())} of {grid.converged.size} fits had converged; raise "
                "time_limit or tol, or give fewer Cs"
            )
            warnings.warn(message, ConvergenceWarning, stacklevel=stack_level())
        self._keep(dataclasses.replace(result, message=message))
        self._say(message)
        if hasattr(self, "relaxed_"):
            del self.relaxed_  # of a fit before
        if self.relax and options.l1_ratio > 0.0:
            self._relax(data, began, options)

    def _relax(self, data: Data, began: float, options: GridOptions) -> None:
        """Fit the chosen columns without a penalty, in the time that is left.

        After Ctrl-C the last fit stands.
        """
        try:
            with part_of(began), self._lines() as lines:
                found = relax(
                    data, (self.coef_, self.intercept_),
                    dataclasses.replace(options, callback=lines),
                )  # fmt: skip
        except KeyboardInterrupt as interrupt:
            interrupt.result = self.result_  # type: ignore[attr-defined]
            raise
        self.coef_, self.intercept_, self.relaxed_ = found

    def _keep(self, result: FitResult) -> None:
        """Store the last fit."""
        self.result_ = dataclasses.replace(result, classes=self.classes_)
        self.coef_, self.intercept_ = rows_of_models(result.coef, result.intercept)

    def _forget(self) -> None:
        """Leave the estimator without a fit, that of a call before included."""
        for name in [name for name in vars(self) if name.endswith("_") and name[0] != "_"]:
            delattr(self, name)

    def _store_attributes(
        self, grids: Grids, scores: Cube, chosen: Chosen, shares: list[float], ratios: list[Any],
        legacy: bool,
    ) -> None:  # fmt: skip
        self.grids_ = grids.of_ratios
        best = choose(scores, self.grids_[0].Cs, "best", together=True)
        self.grid_ = self.grids_[best.ratios[0]]
        self.Cs_ = self.grid_.Cs
        self.l1_ratios_ = np.array(ratios)
        C = float(self.Cs_[chosen.Cs[0]] if self.refit else np.mean(self.Cs_[chosen.Cs]))
        paths = np.stack([grid.coef for grid in self.grids_], axis=1)
        if self.fit_intercept:
            levels = np.stack([grid.intercept for grid in self.grids_], axis=1)
            paths = np.concatenate([paths, levels[..., None]], axis=-1)
        n_iter = np.stack([grid.n_iter.max(axis=2) for grid in self.grids_], axis=1)
        # (n_folds, n_l1_ratios, n_cs, ...)
        by_ratio: list[Array] = [paths, scores, n_iter.astype(np.int32)]
        given = ratios[chosen.ratios[0]]
        first = float(np.mean([shares[k] for k in chosen.ratios]))
        if self.refit and given is not None:
            first = float(given)  # also one that penalty='l2' ignores
        if not legacy:
            self.C_, self.l1_ratio_ = C, first
            self.coefs_paths_, self.scores_, self.n_iter_ = by_ratio
            return
        # (n_folds, n_cs, n_l1_ratios, ...), without the ratios where none were given
        paths, scores, n_iter = (
            part[:, 0] if ratios == [None] else part.swapaxes(1, 2) for part in by_ratio
        )
        labels = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        self.C_ = np.full(len(labels), C)
        self.l1_ratio_ = np.array([given if self.refit else first] * len(labels))
        self.coefs_paths_ = {label: paths[..., k, :] for k, label in enumerate(labels)}
        self.scores_ = {label: scores.copy() for label in labels}
        self.n_iter_ = n_iter[None]

    def _lines(self) -> AbstractContextManager[ProgressLines | None]:
        """Return what tells of a long fit, where lines are wanted."""
        return ProgressLines(each=False) if self.verbose else nullcontext()

    def _say(self, message: str) -> None:
        if self.verbose:
            print(f"[fastlogit] {message}", flush=True)


def _is_warn(value: object) -> bool:
    return isinstance(value, str) and value == "warn"


def _check_ratios(ratios: ArrayLike) -> None:
    """Raise unless these are numbers from 0 to 1, at least one."""
    values = array_of("l1_ratios", ratios)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"l1_ratios must hold at least one number, got {ratios!r}")
    if values.dtype.kind not in "fiub" or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"l1_ratios must hold numbers from 0 to 1, got {ratios!r}")


def _warn_of_the_future(message: str) -> None:
    _warn(message, FutureWarning)


def _warn(message: str, kind: type[Warning]) -> None:
    """Warn where `fit` was called, behind scikit-learn's wrapper of it."""
    warnings.warn(message, kind, stacklevel=stack_level())
