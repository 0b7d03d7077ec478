"""`LogisticRegressionCV` over dask collections: the choice of C by folds of their rows."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.metrics import get_scorer
from sklearn.utils.validation import check_is_fitted

from ..arrays import ArrayLike, Cube, Matrix, Vector
from ..clock import part_of
from ..estimators.cross_validation import LogisticRegressionCV as InMemoryCV
from ..estimators.folds import share_of_folds
from ..estimators.logistic import SOLVERS, cost_tolerance
from ..estimators.row_scores import QuickScore, quick_score
from ..estimators.selection import Grids, choose
from ..fitting.fit import descent_options
from ..fitting.grid import GridOptions, solve_grid
from ..fitting.grid_result import GridResult
from ..fitting.l1_grid import refuse_free_softmax, solve_l1_grid
from ..fitting.minimise import minimise
from ..fitting.problem import (
    CheckedProblem,
    Strengths,
    check_intercept,
    refuse_groups_alone,
    set_clock,
)
from ..inputs.given import Given
from ..objective.objective import Objective
from ..options import check_category_options
from ..result import Callback, FitResult
from ..solvers.trace import Limits
from .collections import partitions_of, y_of
from .estimator import LogisticRegression
from .fitting import look, penalty_over, problem_of
from .folds import PartitionedFolds, folds_of, scores_of, splitter_of
from .predictions import is_collection
from .reading import without_rows
from .rounds import Client, Collection, Rounds
from .rows import PartitionedRows
from .workers import client_of

__all__ = ["LogisticRegressionCV"]

# Parameters that partitions do not have, and what they must be left at.
LEFT_OUT = {"penalty": "deprecated", "relax": False, "interactions": None}


class LogisticRegressionCV(LogisticRegression, InMemoryCV):
    """`fastlogit.LogisticRegressionCV` fitted to a dask collection, whose partitions stay put.

    A fold is a weight for each row, made where the row lies: no row is copied for it. All folds
    and all C are fitted together, in the same rounds, to the same proof as in memory.

    Its parameters are those of `fastlogit.LogisticRegressionCV`, without `relax` and
    `interactions`, which are refused. `cv` is a number of folds, 5 by default, or a
    `fastlogit.HashKFold`: the fold of a row is a hash of its number, or of its group, and the same
    as in memory. `scoring` is "accuracy" or "neg_log_loss", which are means over rows.
    """

    def fit(  # type: ignore[override]  # of collections
        self,
        X: Collection,
        y: Collection = None,
        sample_weight: Collection = None,
        *,
        target: str | None = None,
        features: Sequence[str] | None = None,
        groups: Collection = None,
        folds: Collection = None,
        penalty_factor: ArrayLike = None,
        coef_bounds: tuple[ArrayLike, ArrayLike] | None = None,
        penalty_groups: ArrayLike = None,
        group_weights: ArrayLike = None,
        client: Client = None,
    ) -> LogisticRegressionCV:
        """Fit all folds and all C, choose, and fit all rows, where these are.

        Parameters
        ----------
        X : dask array, dask DataFrame or list of delayed
        y : dask array or Series, optional
        sample_weight : str, dask array or Series, optional
            Weights >= 0 of the rows, for the fits and for the scores.
        target : str, optional
            In the place of y: the column of X that holds the labels.
        features : sequence of str, optional
            Columns of a frame that are taken.
        groups : str, dask array or Series, optional
            Rows of one group have the same fold.
        folds : str, dask array or Series, optional
            The fold of each row, in the place of `cv`: whole numbers from 0 on, -1 for rows that
            are in every training part.
        penalty_factor : array-like of shape (n_features,), optional
        coef_bounds : pair (lower, upper), optional
            The least and the largest value of each coefficient.
        penalty_groups, group_weights : optional
            Groups of columns that L1 holds together, of those of `l1_ratios` that are above 0.
        client : distributed.Client, optional

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If an argument has the wrong type, shape or value, or the training rows of a fold lack a
            class.
        NotImplementedError
            If a parameter is set that partitions do not have.
        KeyboardInterrupt
            As in memory.
        """
        began = time.perf_counter()
        asked = self._asked(folds, groups)
        of_groups = Strengths(groups=penalty_groups, group_weights=group_weights)
        refuse_groups_alone(of_groups, any(asked.shares))
        beside = {
            "y": y_of(y, target), "sample_weight": sample_weight, "groups": groups,
            "folds": folds,
        }  # fmt: skip
        given = partitions_of(X, beside, features)
        rounds = Rounds(client_of(client))
        chunks, facts = look(rounds, given)
        of_fit = Given(
            None, penalty_factor=penalty_factor, class_weight=self.class_weight,
            coef_bounds=coef_bounds, categories=check_category_options(
                self.categories, self.handle_unknown, None,
                has_penalty=bool(np.isfinite(asked.Cs).any()),
            ),
        )  # fmt: skip
        fixed = check_intercept("fit" if self.fit_intercept else None)
        problem = problem_of(
            rounds, chunks, facts, of_fit, of_groups, self.multi_class, fixed
        )  # fmt: skip
        rows = problem.objective.rows
        assert isinstance(rows, PartitionedRows)
        taken = rows.parts.derive(without_rows, chunks.spread, given=())
        del chunks  # frames need not be kept beside the rows of the fit
        own_folds = folds_of(
            rows, taken, self.cv, given.asked.names.keys() | given.beside, problem.classes
        )
        grids = self._fit_grids(problem, own_folds, asked, began)
        known = {
            id(grid): scores_of(
                rows, taken, own_folds, (grid.coef, grid.intercept), asked.score, self.multi_class
            )
            for grid in grids.of_ratios
        }
        scores = np.stack([known[id(grid)] for grid in grids.of_ratios], axis=1)
        self._conclude(problem, grids, scores, asked, began)
        return self

    def _conclude(
        self, problem: CheckedProblem, grids: Grids, scores: Cube, asked: Asked, began: float
    ) -> None:
        """Choose, and fit all rows with what is chosen."""
        chosen = choose(scores, asked.Cs, self.selection, together=self.refit)
        self._know(problem)
        self._store_attributes(grids, scores, chosen, asked.shares, asked.ratios, asked.is_legacy)
        start = grids.mean_of(chosen, grids.complete)
        if self.refit:
            C = float(asked.Cs[chosen.Cs[0]])
            strengths = Strengths(C, l1_ratio=asked.shares[chosen.ratios[0]])
            self._refit_all(problem, strengths, start, began)
            return
        if hasattr(self, "result_"):
            del self.result_  # of a fit before
        self.coef_, self.intercept_ = start

    def _asked(self, folds: Collection, groups: Collection) -> Asked:
        """Return what parameters say, checked; what partitions do not have is refused."""
        self._validate_params()
        for name, default in LEFT_OUT.items():
            if getattr(self, name) != default:
                raise NotImplementedError(
                    f"{name}={getattr(self, name)!r} is not there for dask partitions yet; "
                    "fastlogit.LogisticRegressionCV has it, of arrays, files and tables"
                )
        Cs, ratios, scoring, is_legacy = self._settings()
        if folds is None:
            splitter_of(self.cv)
        elif groups is not None or self.cv is not None:
            raise ValueError("folds= says which fold each row is in: leave cv and groups out")
        return Asked(Cs, ratios, self._shares(ratios), _quick_score_of(scoring), is_legacy)

    def _fit_grids(
        self, problem: CheckedProblem, folds: PartitionedFolds, asked: Asked, began: float
    ) -> Grids:
        """Fit all folds and all C for each share of L1, which divide the time among them."""
        found: dict[float, GridResult] = {}
        n_ratios, shape = len(set(asked.shares)), problem.objective.design.shape
        n_models = n_ratios * len(asked.Cs) * problem.objective.n_outputs
        share = share_of_folds(self.time_limit, shape, n_models, folds.n_folds)
        if any(asked.shares):
            refuse_free_softmax(problem.classes.size, self.multi_class, asked.Cs)
        for ratio in dict.fromkeys(asked.shares):
            part = share * (len(found) + 1) / n_ratios
            try:
                with part_of(began, part), self._lines() as lines:
                    limits = self._limits(lines)
                    own = _counted_anew(problem, Strengths(l1_ratio=ratio))
                    set_clock(own.objective, began, self.time_limit)
                    if ratio > 0.0 or problem.data.coef_bounds is not None:
                        grid = solve_l1_grid(own, asked.Cs, folds, ratio, limits, began)
                    else:
                        solver = SOLVERS[self.solver]
                        grid = solve_grid(own, asked.Cs, folds, solver, limits, began)
            except KeyboardInterrupt:
                self._forget()
                raise
            self._say(f"folds: {grid.message}")
            found[ratio] = grid
        complete = np.ones(folds.n_folds, dtype=bool)
        return Grids([found[ratio] for ratio in asked.shares], complete)

    def _limits(self, lines: Callback | None) -> Limits:
        options = GridOptions(
            tol=cost_tolerance(self.tol), max_iter=self.max_iter, time_limit=self.time_limit,
            callback=lines,
        )  # fmt: skip
        return options.limits()

    def _know(self, problem: CheckedProblem) -> None:
        """Sets: classes_, and what is known of the columns."""
        self.classes_, self._single = problem.classes, False
        self._categories = known = problem.data.rows.categories
        names = problem.feature_names if known is None else list(known.columns)
        self._take_columns(names, problem.objective.design.shape[1])

    def _refit_all(
        self, problem: CheckedProblem, strengths: Strengths, start: tuple[Matrix, Vector],
        began: float,
    ) -> None:  # fmt: skip
        """Fit all rows, from the mean of the folds, in the time that is left."""
        own = _counted_anew(problem, strengths, start)
        has_corners = strengths.have_corners(problem.data)
        solver = SOLVERS[self.solver]
        try:
            with part_of(began), self._lines() as lines:
                limits = self._limits(lines)
                descent = descent_options(solver, limits, {})
                result = minimise(own, solver, descent, limits, began, has_corners)
        except KeyboardInterrupt as interrupt:
            best = getattr(interrupt, "result", None)
            if isinstance(best, FitResult):
                self._keep(best)
            else:
                self._forget()
            raise
        self._keep(result)
        self._say(result.message)

    def score(  # type: ignore[override]  # of collections
        self,
        X: Collection,
        y: Collection = None,
        *,
        sample_weight: Collection = None,
        target: str | None = None,
        client: Client = None,
    ) -> float:
        """Return the score that `scoring` says, the accuracy by default.

        Parameters
        ----------
        X : dask array, dask DataFrame or list of delayed
            Or what is in memory, with y in memory.
        y : dask array or Series, optional
        sample_weight : str, dask array or Series, optional
        target : str, optional
            In the place of y: the column of X that holds the labels.
        client : distributed.Client, optional

        Returns
        -------
        float
        """
        check_is_fitted(self)
        if not is_collection(X):
            given = {} if sample_weight is None else {"sample_weight": sample_weight}
            return float(self._scorer()(self, X, y, **given))
        score = _quick_score_of(None if self.scoring == "warn" else self.scoring)
        beside = {"y": y_of(y, target), "sample_weight": sample_weight}
        return self._mean_score(X, beside, score, client)


def _counted_anew(
    problem: CheckedProblem, strengths: Strengths, start: tuple[Matrix, Vector] | None = None
) -> CheckedProblem:
    """Return the same problem under a penalty of some C, whose passes are counted from 0.

    Groups are those of L1: without it there are none.
    """
    rows = problem.objective.rows
    assert isinstance(rows, PartitionedRows)
    data = problem.data._replace(start=start)
    groups = problem.groups if strengths.l1_ratio > 0.0 else None
    penalty = penalty_over(rows, strengths._replace(C=strengths.C or np.inf), data, groups)
    objective = Objective(rows.counted_anew(), penalty)
    return dataclasses.replace(
        problem, data=data, start=start, objective=objective, groups=groups
    )  # fmt: skip


class Asked(NamedTuple):
    """What parameters say of a grid."""

    Cs: Vector
    ratios: list[Any]
    shares: list[float]
    score: QuickScore
    is_legacy: bool


def _quick_score_of(scoring: object) -> QuickScore:
    """Return what each row adds to a score that is a mean over rows."""
    found = quick_score(get_scorer("accuracy" if scoring is None else scoring), {})
    if found is None:
        raise NotImplementedError(
            f"scoring={scoring!r} is not there for dask partitions: a score there is a mean over "
            "rows, 'accuracy' or 'neg_log_loss'"
        )
    return found
