"""Rows that stand for many more, as `fastlogit.dask` sees them: the real solver, its rounds noted.

The solver, `PartitionedRows` and what runs in workers are those of `fastlogit.dask`; only `Parts`,
which asks the workers, is replaced. It holds M real rows in this process and says that they are n:

- Row i of all n has the weight n / M. So sums over the rows are those of n rows, M by M the same.
- Every s-th row is the same M rows with Poisson weights of mean n / s / M. Their sampling error is
  that of n / s rows, which is what decides how good the start is. Where n / s < M, it is so many of
  the M rows, without weights.
- All that depends on the number of rows (strides, solver, which rows come to this process, the
  penalty's share, the bounds by single rows) is told n.

Each round is noted: what goes down to a task, what one answers, over how many rows, and the
processor time that these would take, from the least time for a real row of all rounds of its name.
"""

from __future__ import annotations

import copy
import itertools
import pickle
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.signal

from fastlogit.dask import work
from fastlogit.dask.collections import Asked
from fastlogit.dask.design import PartitionedDesign
from fastlogit.dask.parts import MANY_COLUMNS, Parts
from fastlogit.dask.reading import Plan, build, facts_of, merged, take
from fastlogit.dask.rounds import add, join
from fastlogit.dask.rows import PartitionedRows
from fastlogit.dask.work import Place, View
from fastlogit.design.base import RowCounter, as_they_are
from fastlogit.fitting.fit import MAX_ITER, OTHER_MAX_ITER, TOLERANCE
from fastlogit.fitting.minimise import minimise
from fastlogit.fitting.problem import CheckedProblem, Strengths, penalty_of
from fastlogit.inputs import validation
from fastlogit.inputs.given import Data, Rows
from fastlogit.objective.binomial import Binomial
from fastlogit.objective.labelled_rows import LabelledRows
from fastlogit.objective.objective import Objective
from fastlogit.result import FitResult
from fastlogit.solvers.trace import Limits

__all__ = ["Log", "Round", "fit_as_if", "table_of"]

# Real partitions: how many there are changes no sum.
N_PARTS = 4
# Rounds over fewer real rows say nothing of the time of a row.
FEWEST = 1_000
CORRELATION, LOG_SCALE, SIGNAL = 0.9, 1.5, 2.2
STEP = 2_000


@dataclass
class Round:
    """What a round of all partitions moves and reads.

    Attributes
    ----------
    name : str
    n_samples : float
        Rows of the table, or of the subsample, that are asked.
    n_passes : float
        How often their values of X are read, as the design counts.
    down, up : float
        Bytes that each task gets and answers.
    keeps : bool
        Whether it leaves something in the workers, and its answer is fetched by another task.
    joins : bool
        Whether answers are put side by side, so that `up` is of all partitions together.
    waits : bool
        Whether this process waits for the answer.
    seconds : float
        Of one processor, over all rows: set when the fit has ended.
    """

    name: str
    n_samples: float
    n_passes: float
    down: float
    up: float
    keeps: bool = False
    joins: bool = False
    waits: bool = True
    seconds: float = 0.0


@dataclass
class Log:
    """The rounds of a fit, and what a real row takes in each kind of round."""

    rounds: list[Round] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    in_workers: float = 0.0
    driver_seconds: float = 0.0

    def note(self, what: Round, n_real: int, began: float) -> None:
        """Add a round over so many real rows, which took the processor since `began`."""
        spent = time.process_time() - began
        self.in_workers += spent
        if n_real >= FEWEST or what.name not in self.rates:
            self.rates[what.name].append(spent / n_real)
        self.rounds.append(what)

    def settle(self) -> None:
        """Set the time of each round."""
        for each in self.rounds:
            each.seconds = min(self.rates[each.name]) * each.n_samples


def size_of(what: object) -> float:
    """Return how many bytes travel."""
    return float(len(pickle.dumps(what, protocol=5)))


class StandIn(Parts):
    """Partitions in this process, whose rows stand for more."""

    def __init__(
        self, places: Sequence[Place], sizes: Any, view: View, counter: RowCounter, log: Log,
        seed: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(None, places, sizes, view, counter)  # type: ignore[arg-type]
        self.rows_here = list(places)
        self.log, self.seed = log, seed
        self.n_samples = float(sizes.sum())
        self.n_real = sum(place.rows.design.shape[0] for place in places)
        # How many rows a real one stands for.
        self.each = self.n_samples / self.n_real
        self.subsamples: dict[int, Any] = {}

    def _run(
        self, function: Callable[..., Any], given: tuple[Any, ...], held: Sequence[Any],
        combine: Any, keeps: bool = False,
    ) -> tuple[list[Any], Any]:  # fmt: skip
        """Return what a function gives on each partition, and what it answers, put together."""
        self.counter.check()
        began, n_read = time.process_time(), 0
        states, values = [], []
        for i, place in enumerate(self.rows_here):
            rows = place.as_seen(self.view)
            own = [each[i].value if isinstance(each[i], work.Own) else each[i] for each in held]
            found = function(rows, *own, *given)
            state, value = found if keeps else (None, found)
            states.append(state)
            values.append(value)
            n_read += rows.design.counter.rows
        answer = combine(values)
        self.counter.rows += n_read * self.each  # type: ignore[assignment]  # not always whole
        name = next((part.name for part in given if isinstance(part, work.Method)), None)
        # What is sent each time: a standardisation of many columns goes once.
        sent = given if self.view.columns.center.size >= MANY_COLUMNS else (self.view, given)
        noted = Round(
            (name or function.__name__).strip("_"), self.n_samples, n_read / self.n_real,
            size_of(sent), size_of(answer), keeps, combine is join,
        )  # fmt: skip
        self.log.note(noted, self.n_real, began)
        return states, answer

    def ask(
        self, function: Callable[..., Any], *given: Any, held: Sequence[Any] = (),
        combine: Any = add, numbers: int | None = None, is_pass: bool = True,
    ) -> Any:  # fmt: skip
        """Return what all partitions answer, put together; there is no clock to look at."""
        if function is work.every:
            return self._bring(*given)
        answer = self._run(function, given, held, combine)[1]
        return answer / self.each if function is work.least_positive else answer

    def keep(
        self, function: Callable[..., Any], *given: Any, held: Sequence[Any] = (),
        combine: Any = add,
    ) -> tuple[Any, Any]:  # fmt: skip
        """Return row states, and what all partitions answer."""
        kept, answer = self._run(function, given, held, combine, True)
        if function is work.evaluate_and_keep:  # the least curvature of a row, of weight 1
            answer = answer[0], answer[1] / self.each
        return kept, answer

    def derive(self, function: Callable[..., Any], *held: Any, given: tuple[Any, ...]) -> Any:
        """Return row states that are made of others."""
        began = time.process_time()
        lists = [[None] * len(self.rows_here) if each is None else each for each in held]
        found = [function(*own, *given) for own in zip(*lists, strict=True)]
        noted = Round(function.__name__, self.n_samples, 0.0, size_of(given), 0.0, waits=False)
        self.log.note(noted, self.n_real, began)
        return found

    def subsample(self, stride: int) -> tuple[Parts, Any]:
        """Return every `stride`-th row: the same ones each time."""
        if stride not in self.subsamples:
            self.subsamples[stride] = self._subsample(stride)
        parts, total = self.subsamples[stride]
        return parts.seen(**self.view._asdict()), total.copy()

    def _subsample(self, stride: int) -> tuple[StandIn, Any]:
        began = time.process_time()
        for place in self.rows_here:
            work.subsample(place, 0, stride)  # what it takes, of as many rows
        n_samples = -(-int(self.n_samples) // stride)
        rng = np.random.default_rng([stride, self.seed, int(self.n_samples)])
        mean = n_samples / self.n_real
        places = [_thinned(place.rows, mean, rng) for place in self.rows_here]
        total = add([place.rows.total_weight.copy() for place in places])
        sizes = np.array(_shares(n_samples, len(places)), dtype=np.int64)
        noted = Round("subsample", self.n_samples, 0.0, 100.0, size_of(total), keeps=True)
        self.log.note(noted, self.n_real, began)
        return StandIn(places, sizes, self.view, self.counter, self.log, self.seed), total

    def _bring(self, stride: int) -> list[Any]:
        """Return every `stride`-th row: of the real ones by chance, some twice if need be."""
        began = time.process_time()
        count = int(-(-self.n_samples // stride))
        rng = np.random.default_rng([stride, self.seed, count])
        found = []
        for place, some in zip(self.rows_here, _shares(count, len(self.rows_here)), strict=True):
            n_here = place.rows.design.shape[0]
            which = np.sort(rng.choice(n_here, some, replace=some > n_here))
            rows = np.ascontiguousarray(place.rows.design.rows(which))
            none = np.empty((0, some))  # weights, offsets
            found.append((rows, place.rows.codes_of(0)[which], none, none))
        self.counter.rows += count
        share = count / self.n_samples
        noted = Round("every", self.n_samples, share, 100.0, size_of(found), joins=True)
        # Its time is that of the rows that come, not of all.
        self.log.rates["every"] = [(time.process_time() - began) / self.n_samples]
        self.log.note(noted, int(self.n_samples), time.process_time())
        return found


def _shares(count: int, n_parts: int) -> list[int]:
    return [count * (i + 1) // n_parts - count * i // n_parts for i in range(n_parts)]


def _thinned(rows: LabelledRows, mean: float, rng: np.random.Generator) -> Place:
    """Return the rows with Poisson weights, or a share of them where the mean is below 1."""
    n_rows = rows.design.shape[0]
    weights, design, codes = np.empty(0), rows.design, rows.codes_of(0)
    if mean >= 1.0:
        weights = rng.poisson(mean, n_rows).astype(np.float64)
    else:
        which = np.sort(rng.choice(n_rows, max(1, round(mean * n_rows)), replace=False))
        design, codes = design.take(which), codes[which]
    return Place(
        LabelledRows(design, rows.loss, codes, rows.positive, weights, None, rows.fit_intercept)
    )


def table_of(n_rows: int, n_columns: int, dtype: str = "float64", seed: int = 7) -> tuple[Any, Any]:
    """Return X, neighbours correlated and of many scales, and labels of a model of it.

    Columns are those of an autoregression, so that ten thousand take no matrix of their square.
    """
    rng = np.random.default_rng(seed)
    coef = rng.standard_normal(n_columns)
    tails = np.array([1.0]), np.array([1.0, -CORRELATION])
    spread = np.sqrt(1.0 - CORRELATION**2)
    # The variance of a raw prediction, by the correlations of neighbours that matter.
    far = min(n_columns - 1, 200)
    variance = coef @ coef + 2.0 * sum(
        CORRELATION**lag * (coef[lag:] @ coef[:-lag]) for lag in range(1, far + 1)
    )
    coef *= SIGNAL / np.sqrt(variance)
    scale = np.exp(rng.uniform(-LOG_SCALE, LOG_SCALE, n_columns))
    X, y = np.empty((n_rows, n_columns), dtype), np.empty(n_rows, np.int64)
    for start in range(0, n_rows, STEP):
        noise = spread * rng.standard_normal((min(STEP, n_rows - start), n_columns))
        noise[:, 0] /= spread
        block = scipy.signal.lfilter(*tails, noise, axis=1)
        y[start : start + STEP] = block @ coef + rng.logistic(size=len(block)) > 0.0
        X[start : start + STEP] = block * scale
    return X, y


def fit_as_if(
    X: Any, y: Any, n_rows: float, *, solver: str = "auto", C: float = 1.0, tol: float = TOLERANCE,
    n_parts: int = N_PARTS, seed: int = 0,
) -> tuple[FitResult, Log]:  # fmt: skip
    """Fit `n_rows` rows that are those of X, as `fastlogit.dask.fit` does; return its rounds too.

    Parameters
    ----------
    X : ndarray of shape (M, n_features)
    y : ndarray of shape (M,)
        Of two classes.
    n_rows : float
        M or more.
    solver, C, tol
        As of `fastlogit.fit`.
    n_parts : int
        Real partitions.
    seed : int
        Of the subsamples.
    """
    log, each = Log(), n_rows / len(y)
    places, classes = _places(X, y, each, n_parts, log)
    began, whole = time.perf_counter(), time.process_time()
    sizes = np.array(_shares(int(n_rows), n_parts), dtype=np.int64)
    n_features = X.shape[1]
    view = View(as_they_are(n_features), None, np.ones(1))
    parts = StandIn(places, sizes, view, RowCounter(int(n_rows)), log, seed)
    one = work.subsample(places[0], 0, places[0].rows.design.shape[0]).rows.design
    counts = sum(np.bincount(place.rows.codes_of(0), minlength=classes.size) for place in places)
    of_class = counts[None] * each
    total = of_class.sum(axis=1)
    design = PartitionedDesign(parts, one, X.dtype, 1.0)
    rows = PartitionedRows(
        design, Binomial(), (1,), total, of_class, (counts * each).astype(np.int64), True, 0, 0
    )
    none = validation.NO_NUMBERS
    looked = Rows(design, None, None, None, None)
    data = Data(looked, classes, np.empty(0, np.uint8), none, none, None, None, None)
    penalty = penalty_of(Strengths(C), data, float(total[0]), n_features, 1)
    problem = CheckedProblem(data, Objective(rows, penalty), None, None, "ovr")
    limits = Limits(tol, MAX_ITER.get(solver, OTHER_MAX_ITER), None, None)
    before = log.in_workers
    result = minimise(problem, solver, None, limits, began)
    log.driver_seconds = time.process_time() - whole - (log.in_workers - before)
    log.settle()
    return result, log


def _places(X: Any, y: Any, each: float, n_parts: int, log: Log) -> tuple[list[Place], Any]:
    """Return the rows as partitions that were looked at, each row of weight `each`."""
    cuts = np.cumsum([0, *_shares(len(y), n_parts)])
    n_rows, asked = each * len(y), Asked({}, None)
    began = time.process_time()
    blocks = [
        take(number, X[a:b], {"y": y[a:b]}, asked)
        for number, (a, b) in enumerate(itertools.pairwise(cuts))
    ]
    told = [facts_of(block).value for block in blocks]
    facts = merged(told)[0]
    noted = Round("look", n_rows, 1.0, 100.0, size_of(told[0]), keeps=True)
    log.note(noted, len(y), began)
    began = time.process_time()
    classes, _ = validation.encode_labels(facts.classes, facts.classes.size)
    plan = Plan(None, classes, Binomial(), (1,), True)
    places = [
        build(block, size, stamp, plan)
        for block, size, stamp in zip(blocks, facts.sizes, facts.stamps, strict=True)
    ]
    noted = Round("rows", n_rows, 0.0, size_of(plan), 0.0, waits=False)
    log.note(noted, len(y), began)
    return [_weighed(place.rows, each) for place in places], classes


def _weighed(rows: LabelledRows, each: float) -> Place:
    design = copy.copy(rows.design)
    design.n_threads = 1  # as in a worker's task
    weights = np.full(design.shape[0], each)
    return Place(
        LabelledRows(
            design, rows.loss, rows.codes_of(0), rows.positive, weights, None, rows.fit_intercept
        )
    )
