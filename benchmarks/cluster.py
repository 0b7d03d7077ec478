"""What a fit of `fastlogit.dask` costs on a cluster that is not there: rounds, bytes and seconds.

`python -m benchmarks.cluster --write docs/scale.md` runs the real solver on rows that stand for
many more (`cluster_rows.py`), and charges each of its rounds what it would take on a cluster.
Measured here: the processor time of a row in each kind of round, what dask takes for a round, a
task and a level of a tree between two worker processes, what a megabyte takes between two of them,
and what this process does by itself. Assumed, and options: the cores of a worker, its memory's
rate, the network. Not in the model: workers of unlike speed, other users, lost workers, garbage
collection.

First the model is held against a fit on two worker processes here, and passes of stand-ins against
those of real fits of growing n.
"""

from __future__ import annotations

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import fastlogit
from fastlogit.dask.parts import MOST_NUMBERS
from fastlogit.dask.placement import SHARE
from fastlogit.dask.rounds import FAN_IN
from fastlogit.design.opening import open_rows
from fastlogit.linalg.factors import Factor

from .cluster_rows import Log, Round, fit_as_if, table_of
from .markers import Place
from .tables import about

PLACE = Place("cluster")

# Columns, real rows, type and solver of each simulation: what fits the memory here.
CASES = (
    (20, 500_000, "float64", "auto"),
    (100, 200_000, "float64", "auto"),
    (1_000, 20_000, "float64", "auto"),
    (10_000, 60_000, "float32", "newton-cg"),
)
# Above so many columns rows of 1e9 alone are simulated: more would fit no cluster.
MANY_COLUMNS = 3_000
ROWS = (1e9, 1e11)
WORKERS = (1, 10, 100, 1_000)
TOL = 1e-8
# Rows of float64 of one worker process, and of the fit that the model is held against.
CHECKED = 2_000_000, 20
GROWING = (100_000, 1_000_000, 10_000_000)
GB = 1e9


@dataclass(frozen=True)
class Times:
    """What dask takes here, in seconds and bytes a second: the defaults are of one measurement.

    Attributes
    ----------
    round : float
        A round of a fit, from the call to the answer, but for its tasks and its rows.
    task : float
        What a task takes of scheduler and client, which are one processor.
    run : float
        What it takes of its worker beside its work.
    level : float
        A task that waits for another one.
    rate, add_rate : float
        Bytes a second from worker to worker, and of arrays that are added up.
    """

    round: float = 0.015
    task: float = 0.0012
    run: float = 0.001
    level: float = 0.006
    rate: float = 6e8
    add_rate: float = 1e10


@dataclass(frozen=True)
class Cluster:
    """Machines: each with so many cores as fast as one here.

    Attributes
    ----------
    n_workers, threads : int
    partition : float
        Bytes of a partition, at the most.
    memory : float
        Bytes of a worker.
    memory_rate, network : float
        Bytes a second that a worker reads, and that its link, the scheduler's and this process's
        carry.
    latency : float
        Seconds that a message is on its way.
    """

    n_workers: int
    threads: int = 8
    partition: float = 1e9
    memory: float = 1e12
    memory_rate: float = 5e10
    network: float = 1.25e9
    latency: float = 2e-4


@dataclass(frozen=True)
class Table:
    """What is fitted."""

    n_rows: float
    n_columns: int
    itemsize: int

    @property
    def size(self) -> float:
        """Bytes of X."""
        return self.n_rows * self.n_columns * self.itemsize


@dataclass(frozen=True)
class Cost:
    """Seconds by what they go to, and bytes that travel."""

    rounds: float = 0.0
    rows: float = 0.0
    network: float = 0.0
    driver: float = 0.0
    n_bytes: float = 0.0
    n_rounds: int = 0
    n_tasks: int = 0

    def __add__(self, other: Cost) -> Cost:
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return Cost(*(one + two for one, two in pairs))

    @property
    def seconds(self) -> float:
        return self.rounds + self.rows + self.network + self.driver

    @property
    def most(self) -> str:
        """What takes the most, and its share."""
        names = {
            "rounds": "dask's rounds", "rows": "the rows", "network": "the network",
            "driver": "this process",
        }  # fmt: skip
        name = max(names, key=lambda each: getattr(self, each))
        return f"{names[name]} {100.0 * getattr(self, name) / self.seconds:.0f} %"


# ------------------------------------------------------------------------------------------------
# The model


def partitions_of(table: Table, cluster: Cluster) -> int:
    """Return how many partitions a worker has: one for each thread, more where they are large."""
    each = table.size / cluster.n_workers / cluster.partition
    return max(cluster.threads, math.ceil(each))


def tasks_of(table: Table, cluster: Cluster) -> int:
    """Return how many tasks of a round a worker gets: one, more where its rows fill its memory."""
    each = table.size / cluster.n_workers
    if each <= SHARE * cluster.memory:
        return 1
    most = SHARE * cluster.memory / cluster.threads
    return min(math.ceil(each / most), partitions_of(table, cluster))


def cost_of_round(what: Round, table: Table, cluster: Cluster, times: Times) -> Cost:
    """Return what a round of `fastlogit.dask` costs: see its `parts.py`.

    A worker's partitions are neighbours, so that their answers are put together there. Answers that
    are too large to come to this process are asked of each partition, and added up in a tree.
    """
    n_workers = cluster.n_workers
    n_parts = n_workers * partitions_of(table, cluster)
    n_groups = n_workers * tasks_of(table, cluster)
    in_tree = what.waits and not what.joins and what.up * n_groups > 8.0 * MOST_NUMBERS
    n_groups = n_parts if in_tree or what.name == "rows" else n_groups
    n_tasks = n_groups * (2 if what.keeps and what.name != "look" else 1)
    n_tasks += n_parts if what.name == "look" else 0  # each is taken apart
    rate = min(cluster.network, times.rate)
    busy = what.seconds / (n_workers * cluster.threads)
    read = what.n_passes * what.n_samples * table.n_columns * table.itemsize
    rows = max(busy, read / (n_workers * cluster.memory_rate))
    # What goes out and what comes back passes the scheduler: twice over a link.
    n_bytes = 2.0 * what.down * n_groups
    network, levels = n_bytes / rate + 2.0 * cluster.latency, 0
    while in_tree and n_groups > 1:
        one = min(FAN_IN, n_groups)
        n_bytes += what.up * (n_groups - math.ceil(n_groups / one))
        network += (one - 1) * what.up / rate + cluster.latency
        network += one * what.up / times.add_rate
        n_groups = math.ceil(n_groups / one)
        n_tasks, levels = n_tasks + n_groups, levels + 1
    back = 2.0 * what.up * (1 if what.joins else n_groups)
    network, n_bytes = network + back / rate, n_bytes + back
    rounds = times.task * n_tasks + times.run * math.ceil(n_tasks / (n_workers * cluster.threads))
    if what.waits:
        rounds += times.round + times.level * (levels + int(what.keeps))
    return Cost(rounds, rows, network, 0.0, n_bytes, int(what.waits), n_tasks)


def cost_of(log: Log, table: Table, cluster: Cluster, times: Times) -> Cost:
    """Return what a fit costs."""
    total = Cost(driver=log.driver_seconds)
    for what in log.rounds:
        total = total + cost_of_round(what, table, cluster, times)
    return total


# ------------------------------------------------------------------------------------------------
# What dask takes here


@contextmanager
def two_workers() -> Iterator[Any]:
    """A client of two worker processes of one thread each."""
    import distributed

    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0",
        silence_logs=50, memory_limit=0,
    )  # fmt: skip
    with cluster, distributed.Client(cluster) as client:
        yield client


def nothing(*_: object) -> int:
    """A task that does nothing."""
    return 0


def numbers(count: int) -> Any:
    """A task that makes an array."""
    return np.ones(count)


def least_of(call: Callable[[], object], turns: int = 9) -> float:
    """Return the least seconds of some calls, after one that does not count."""
    call()
    found = []
    for _ in range(turns):
        began = time.perf_counter()
        call()
        found.append(time.perf_counter() - began)
    return min(found)


def of_a_round(client: Any) -> float:
    """Return the seconds of a round, from fits to so few rows that these take no time."""
    import dask.array as da

    import fastlogit.dask

    X, y = table_of(1_000, 5)
    blocks = da.from_array(X, chunks=(250, 5)).persist()
    labels = da.from_array(y, chunks=250).persist()
    n_rounds, own_gather = 0, client.gather

    def counted(*args: Any, **more: Any) -> Any:
        nonlocal n_rounds
        n_rounds += 1
        return own_gather(*args, **more)

    turns = 9
    client.gather = counted
    seconds = least_of(lambda: fastlogit.dask.fit(blocks, labels, C=1.0, tol=TOL), turns)
    client.gather = own_gather
    return seconds * (turns + 1) / n_rounds


def measure(client: Any) -> Times:
    """Return what rounds, tasks, levels and bytes take between two workers."""
    counts, found, busy, turns = (2, 16, 64, 160), [], [], 9
    for count in counts:

        def one(count: int = count) -> None:
            client.gather(client.map(nothing, range(count), pure=False))

        began = time.process_time()
        found.append(least_of(one, turns))
        busy.append((time.process_time() - began) / (turns + 1))
    each = float(np.polyfit(counts, found, 1)[0])
    # The scheduler runs in this process.
    task = min(float(np.polyfit(counts, busy, 1)[0]), each)
    fixed = of_a_round(client) - 2.0 * each

    def chain() -> None:
        last = client.submit(nothing, 0, pure=False)
        for _ in range(8):
            last = client.submit(nothing, last, pure=False)
        last.result()

    level = (least_of(chain) - found[0]) / 8.0
    first, second = client.scheduler_info()["workers"]
    count = 8_000_000
    large = client.submit(numbers, count, workers=[first], pure=False)
    large.result()

    def move() -> None:
        client.submit(nothing, large, workers=[second], pure=False).result()

    seconds = []
    for _ in range(5):
        large = client.submit(numbers, count, workers=[first], pure=False)
        client.submit(len, large, workers=[first], pure=False).result()
        began = time.perf_counter()
        move()
        seconds.append(time.perf_counter() - began)
    rate = 8.0 * count / min(seconds)
    a, b = numbers(count), numbers(count)
    add_rate = 8.0 * count / least_of(lambda: a + b, 5)
    run = 2.0 * (each - task)  # two workers share the tasks
    return Times(max(fixed, 0.0), task, run, max(level, 0.0), rate, add_rate)


# ------------------------------------------------------------------------------------------------
# The model held against what there is


def against_reality(client: Any, times: Times) -> str:
    """Fit on two worker processes, and say what the model says of it."""
    import dask.array as da

    import fastlogit.dask

    n_rows, n_columns = CHECKED
    X, y = table_of(n_rows, n_columns)
    cuts = [n_rows // 8] * 8
    cut = cuts[0]
    blocks = da.from_array(X, chunks=(cut, n_columns)).persist()
    labels = da.from_array(y, chunks=cut).persist()
    client.gather([client.submit(len, part) for part in client.futures_of(blocks)])
    fastlogit.dask.fit(blocks, labels, C=1.0, tol=TOL)  # compiled, or loaded
    calls: list[int] = []
    own_map = client.map

    def counted(*args: Any, **more: Any) -> Any:
        futures = own_map(*args, **more)
        calls.append(len(futures))
        return futures

    client.map = counted
    seconds = []
    for _ in range(9):
        calls.clear()
        began = time.perf_counter()
        result = fastlogit.dask.fit(blocks, labels, C=1.0, tol=TOL)
        seconds.append(time.perf_counter() - began)
    client.map = own_map
    some = slice(None, None, 5)
    as_if, log = fit_as_if(X[some], y[some], n_rows, tol=TOL)
    here = Cluster(2, 1, 8.0 * cut * n_columns, network=np.inf, latency=0.0)
    cost = cost_of(log, Table(n_rows, n_columns, 8), here, times)
    return (
        f"Held against a fit of {n_rows:,} x {n_columns} in 8 partitions on two worker processes "
        f"here: {min(seconds):.2f} to {max(seconds):.2f} s measured in {len(seconds)} fits, "
        f"{sum(calls) + len(cuts)} tasks and {result.n_passes:.1f} passes; the model says "
        f"{cost.seconds:.2f} s (rounds {cost.rounds:.2f}, rows {cost.rows:.2f}, network "
        f"{cost.network:.2f}, this process {cost.driver:.2f}), {cost.n_tasks} tasks and "
        f"{as_if.n_passes:.1f} passes."
    )


def growing(n_columns: int, sizes: Sequence[int], further: Sequence[float]) -> list[str]:
    """Return lines of passes and iterations of real fits, and of stand-ins."""
    lines = []
    X, y = table_of(max(sizes), n_columns)
    n_real = max(1000, min(sizes[-1] // 2, 8_000_000 // n_columns))
    for n_rows in (*sizes, *further):
        passes = "not run"
        if n_rows <= len(y):
            real = fastlogit.fit(X[: int(n_rows)], y[: int(n_rows)], C=1.0, tol=TOL)
            passes = f"{real.n_passes:.1f}"
        count = int(min(n_real, n_rows))
        as_if, _ = fit_as_if(X[-count:], y[-count:], n_rows, tol=TOL)
        lines.append(f"| {n_columns} | {n_rows:.0e} | {passes} | {as_if.n_passes:.1f} |")
    return lines


# ------------------------------------------------------------------------------------------------
# Tables


def bytes_of(size: float) -> str:
    """Return bytes in words."""
    for name, unit in (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"


def seconds_of(value: float) -> str:
    """Return seconds in as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100.0 else f"{value:.2g}"


def cut_where_near(log: Log, result: Any, n_rows: float) -> float:
    """Leave out what comes after a fit is within TOL of its last cost; return its passes."""
    costs = result.history.reshape(len(result.history), -1).sum(axis=1)
    near = int(np.argmax(costs <= costs.min() * (1.0 + TOL)))
    at = [
        place
        for place, each in enumerate(log.rounds)
        if each.name.startswith("evaluate") and each.n_samples == n_rows
    ]
    del log.rounds[at[min(near, len(at) - 1)] + 1 :]
    return float(result.passes[near])


def simulate(
    cases: Sequence[tuple[int, int, str, str]], rows: Sequence[float], workers: Sequence[int],
    machine: Cluster, times: Times,
) -> list[str]:  # fmt: skip
    """Return the lines of the table: the real solver on each, each cluster charged."""
    lines = []
    for n_columns, n_real, dtype, solver in cases:
        X, y = table_of(n_real, n_columns, dtype)
        for n_rows in rows[:1] if n_columns > MANY_COLUMNS else rows:
            result, log = fit_as_if(X, y, n_rows, solver=solver, tol=TOL)
            table = Table(n_rows, n_columns, X.itemsize)
            name, passes = result.message.split(" by ")[1].split()[0], result.n_passes
            if not result.converged:
                name, passes = f"{name}, not proven", cut_where_near(log, result, n_rows)
            for n_workers in workers:
                cluster = replace(machine, n_workers=n_workers)
                cost = cost_of(log, table, cluster, times)
                each = table.size / n_workers
                seconds, most = seconds_of(cost.seconds), cost.most
                if each > cluster.memory:
                    seconds, most = "X does not fit", "-"
                lines.append(
                    f"| {n_columns:,} | {n_rows:.0e} | {name} | {passes:.1f} | "
                    f"{n_workers:,} | {bytes_of(each)} | {cost.n_rounds} | "
                    f"{bytes_of(cost.n_bytes)} | {seconds} | {most} |"
                )
                print(lines[-1], flush=True)
    return lines


def where_squares_end(
    columns: Sequence[int], workers: Sequence[int], machine: Cluster, times: Times,
    gram_ns: float, factor_ns: float,
) -> list[str]:  # fmt: skip
    """Return lines of what one Hessian costs, of the subsample of 1e9 rows: from rates, not run."""
    lines = []
    for n_columns in columns:
        size, n_samples = (n_columns + 1) ** 2 * 8.0, 1e9 / 47.0
        seconds = 1e-9 * gram_ns * n_samples * n_columns**2
        what = Round("hessian", n_samples, 1.0, 16.0 * n_columns, size, seconds=seconds)
        cells = []
        for n_workers in workers:
            cluster = replace(machine, n_workers=n_workers)
            cost = cost_of_round(what, Table(1e9, n_columns, 8), cluster, times)
            cells.append(f"{seconds_of(cost.rows)} + {seconds_of(cost.network)}")
        factor = 1e-9 * factor_ns * n_columns**3
        lines.append(
            f"| {n_columns:,} | {bytes_of(size)} | {bytes_of((FAN_IN + 1) * size)} | "
            f"{' | '.join(cells)} | {seconds_of(factor)} |"
        )
    return lines


def rates(n_columns: int = 2_000, n_real: int = 8_000) -> tuple[float, float]:
    """Return nanoseconds of a row's Hessian over columns squared, of a factor over them cubed."""
    X, _ = table_of(n_real, n_columns)
    design, curvature, seconds = open_rows(X, 1), np.ones(n_real), []
    for _ in range(3):
        began = time.process_time()
        design.gram(curvature)
        seconds.append(time.process_time() - began)
    gram = 1e9 * min(seconds) / n_real / n_columns**2
    matrix = np.eye(n_columns) + X[:n_columns] @ X[:n_columns].T / n_columns
    began = time.process_time()
    Factor(matrix, 1e-11)
    return gram, 1e9 * (time.process_time() - began) / n_columns**3


def section(
    lines: Sequence[str], passes: Sequence[str], squares: Sequence[str], checked: str,
    times: Times, machine: Cluster,
) -> str:  # fmt: skip
    """Return what the page gets."""
    how = (
        "The real solver on stand-ins (`benchmarks/cluster_rows.py`), C=1, to "
        f"{TOL:g}; seconds are a model's. Measured here, the least of some times on cores that "
        f"others used too: a round of dask {1e3 * times.round:.1f} ms, a task "
        f"{1e3 * times.task:.2f} ms of scheduler and client and {1e3 * times.run:.2f} ms of its "
        f"worker, a level of a tree {1e3 * times.level:.1f} ms, {bytes_of(times.rate)} a second "
        "between two workers; the "
        "processor time of a row in each kind of round, and of this process. Assumed: workers of "
        f"{machine.threads} such cores that read {bytes_of(machine.memory_rate)} a second, a "
        f"network of {bytes_of(machine.network)} a second and {1e3 * machine.latency:.1f} ms. "
        f"Where a worker would need more than {bytes_of(machine.memory)} no time is given."
    )
    parts = [about("cluster", how), "", HEAD, *lines, "", checked, "", OF_PASSES, *passes, ""]
    return "\n".join([*parts, OF_SQUARES, *squares])


HEAD = """\
| columns | rows | solver | passes | workers | X a worker | rounds | bytes moved | seconds | most \
goes to |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
OF_PASSES = """\
Passes over all rows do not grow with n; they fall, as the subsample that gives the start comes \
nearer the optimum:

| columns | rows | passes of a real fit in memory | of the stand-in |
| --- | --- | --- | --- |"""
OF_SQUARES = """\
One Hessian of the subsample of 1e9 rows, by these rates (not run): seconds for the rows + for the \
tree of sums.

| columns | a Hessian | a node of the tree holds | 100 workers | 1,000 workers | its factor, s |
| --- | --- | --- | --- | --- | --- |"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, simulate, print, and write the page if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, nargs="*", help="of the cases, by default all")
    parser.add_argument("--rows", type=float, nargs="*", default=ROWS)
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS)
    parser.add_argument("--threads", type=int, default=Cluster.threads, help="of a worker")
    parser.add_argument("--memory-rate", type=float, default=Cluster.memory_rate)
    parser.add_argument("--network", type=float, default=Cluster.network, help="bytes a second")
    parser.add_argument("--latency", type=float, default=Cluster.latency)
    parser.add_argument("--shrink", type=int, default=1, help="divides real rows, to try it out")
    parser.add_argument("--dry", action="store_true", help="no workers: dask's times as assumed")
    parser.add_argument("--write", type=Path, help="page to write the tables into")
    given = parser.parse_args(arguments)
    machine = Cluster(
        1, given.threads, memory_rate=given.memory_rate, network=given.network,
        latency=given.latency,
    )  # fmt: skip
    times, checked = Times(), "Dask's times were not measured."
    if not given.dry:
        with two_workers() as client:
            times = measure(client)
            print(json.dumps(asdict(times)))
            checked = against_reality(client, times)
    print(checked)
    cases = [
        (d, max(n // given.shrink, 20), dtype, solver)
        for d, n, dtype, solver in CASES
        if given.columns is None or d in given.columns
    ]
    growth = [n // given.shrink for n in GROWING]
    passes = growing(20, growth, [1e9, 1e11])
    print("\n".join(passes))
    side = 2_000 if given.shrink == 1 else 50
    squares = where_squares_end(
        (1_000, 3_000, 10_000, 30_000), (100, 1_000), machine, times, *rates(side, 4 * side)
    )
    print("\n".join(squares))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of fits that prove nothing, as the table says
        lines = simulate(cases, given.rows, given.workers, machine, times)
    if given.write is not None:
        PLACE.write(given.write, section(lines, passes, squares, checked, times, machine))


if __name__ == "__main__":
    main()
