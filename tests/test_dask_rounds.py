"""Rounds over dask partitions: one tree wherever they lie, workers that come, go and spill."""

import os
import threading
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

import fastlogit

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

from dask.delayed import delayed  # noqa: E402
from dask.utils import key_split  # noqa: E402
from dask_cluster import MARKS, blocks, make_table, quiet_cluster  # noqa: E402

import fastlogit.dask as of_dask  # noqa: E402
from fastlogit import threads  # noqa: E402
from fastlogit.dask import parts, work, workers  # noqa: E402
from fastlogit.dask.placement import Group, Placement, Spread, Values  # noqa: E402
from fastlogit.dask.rounds import Rounds, add  # noqa: E402
from fastlogit.dask.tree import Answer, Node, counts, fold, join_nodes, n_nodes  # noqa: E402

pytestmark = MARKS


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers in this process, of one thread each."""
    cluster = quiet_cluster(n_workers=2, threads_per_worker=1, processes=False)
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def table() -> tuple[Any, Any, Any]:
    return make_table()


def same_bits(found: Any, wanted: Any) -> None:
    for name in ("coef", "intercept", "history", "bounds", "n_passes"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


# ------------------------------------------------------------------------------------------------
# The tree


def sums_in_pairs(values: list[float]) -> float:
    while len(values) > 1:
        values = [sum(values[i : i + 2]) for i in range(0, len(values), 2)]
    return values[0]


@pytest.mark.parametrize("n_leaves", [1, 2, 3, 7, 8, 11])
def test_sums_of_any_groups_have_the_same_bits(rng, n_leaves) -> None:
    values = rng.normal(size=n_leaves) * 10.0 ** rng.integers(-9, 9, n_leaves)
    wanted = sums_in_pairs(values.tolist())
    for n_groups in (1, 2, 4):
        whose = rng.integers(n_groups, size=n_leaves)
        nodes = [
            fold(((Node(0, int(i)), Answer(values[i], 2)) for i in own), n_leaves, add)
            for own in (np.flatnonzero(whose == group) for group in range(n_groups))
        ]
        (found,) = join_nodes(nodes, n_leaves, add).values()
        assert found == Answer(wanted, 2 * n_leaves)


def test_neighbours_come_to_few_nodes() -> None:
    assert n_nodes(range(512), 512) == 1
    assert n_nodes(range(256, 512), 512) == 1
    assert n_nodes(range(5), 10) == 2
    assert n_nodes(range(5, 10), 10) == 3  # 5, 6 and 7 together, 8 and 9 together
    assert n_nodes(range(0, 512, 2), 512) == 256
    assert max(n_nodes(range(a, b), 100) for a in range(100) for b in range(a + 1, 101)) <= 2 * 7


def test_how_many_answers_meet_in_a_task() -> None:
    near = tuple(tuple(range(i, i + 80)) for i in range(0, 8000, 80))
    assert counts(near, 8000, 8).most_together <= 8 * 7
    assert counts(near, 8000, 8).n_answers == sum(n_nodes(own, 8000) for own in near)
    far = tuple(tuple(range(i, 8000, 100)) for i in range(100))
    assert counts(far, 8000, 8).n_answers == 8000
    assert counts(far, 8000, 8).most_together >= 8 * 80
    alone = tuple((i,) for i in range(8000))
    assert counts(alone, 8000, 8).most_together == 8


def test_partitions_without_rows_are_left_out() -> None:
    leaves = [(Node(0, i), None if i in (0, 2, 3) else Answer(i, 1)) for i in range(5)]
    (found,) = fold(leaves, 5, add).values()
    assert found == Answer(5, 2)


# ------------------------------------------------------------------------------------------------
# Groups


class PretendedClient:
    """What a client says of where futures are."""

    def __init__(self, holders: list[list[str]], workers: dict[str, Any], size: int) -> None:
        self.futures = [SimpleNamespace(key=f"k{i}") for i in range(len(holders))]
        self._holders, self._workers, self._size, self._asked = holders, workers, size, 0

    def who_has(self, futures: Any) -> Any:
        return {each.key: own for each, own in zip(futures, self._holders, strict=True)}

    def nthreads(self) -> Any:
        return {address: about["nthreads"] for address, about in self._workers.items()}

    def scheduler_info(self, n_workers: int) -> Any:
        assert n_workers == -1  # newer versions tell of five otherwise
        self._asked += 1
        # dask's own regular look, without workers, may come in between.
        return {"workers": {} if self._asked == 1 else self._workers}

    def nbytes(self, keys: Any, summary: bool) -> Any:
        return dict.fromkeys(keys, self._size)


def groups_of(holders: list[list[str]], workers: dict[str, Any], size: int = 100) -> Any:
    client = PretendedClient(holders, workers, size)
    return Placement(Rounds(client), Spread(client.futures)).groups  # type: ignore[arg-type]


def worker(n_threads: int, memory_limit: int = 0) -> dict[str, int]:
    return {"nthreads": n_threads, "memory_limit": memory_limit}


def test_a_task_for_each_worker_has_its_threads() -> None:
    found = groups_of([["a"], ["b"], ["a"], ["b"]], {"a": worker(4), "b": worker(1)})
    assert found == (Group((0, 2), "a", 4), Group((1, 3), "b", 1))
    # Of two holders the one that has less.
    found = groups_of([["a"], ["a", "b"], ["a", "b"]], {"a": worker(1), "b": worker(1)})
    assert [group.members for group in found] == [(0, 2), (1,)]


def test_a_task_has_a_share_of_the_memory_of_its_worker() -> None:
    workers = {"a": worker(2, 2000)}
    assert groups_of([["a"]] * 5, workers) == (Group((0, 1, 2, 3, 4), "a", 2),)
    found = groups_of([["a"]] * 6, workers)  # two at a time, of 250 bytes each
    assert found == tuple(Group((i, i + 1), "a", 1) for i in (0, 2, 4))
    found = groups_of([["a"]] * 6, workers, size=900)
    assert [group.members for group in found] == [(i,) for i in range(6)]


def test_states_are_taken_apart_when_groups_change(client) -> None:
    rounds = Rounds(client)
    old = Group((0, 2), "a", 1), Group((1, 3), "b", 1)
    lists = [[0.0, 2.0], [1.0, 3.0]]
    kept = rounds.map(Values, "state", lists, size_of=work.size_of)
    spread = Spread(kept, old)
    assert spread.by(old, rounds) is kept
    apart = spread.by((Group((0, 1, 2, 3), "a", 1),), rounds)
    assert rounds.gather(apart[0]) == [0.0, 1.0, 2.0, 3.0]


def test_threads_of_a_task_are_those_that_there_are(monkeypatch) -> None:
    monkeypatch.setattr(threads, "usable_cpus", lambda: 3)
    monkeypatch.setattr(threads, "_pool_size", lambda: 2)
    assert [threads.at_most(n) for n in (1, 2, 8)] == [1, 2, 2]


# ------------------------------------------------------------------------------------------------
# Fits: where and how they are asked leaves no trace


@pytest.mark.parametrize("multi_class", ["ovr", "multinomial"])
def test_groups_may_change_after_each_round(client, table, monkeypatch, multi_class) -> None:
    X, _, y = table
    options = {"C": 1.0, "multi_class": multi_class, "solver": "newton"}
    wanted = of_dask.fit(blocks(X), blocks(y), **options)
    looks: list[int] = []

    def look(self: Placement) -> Iterator[Group]:
        looks.append(len(looks))
        groups, futures = self.spread.groups, self.spread.futures
        count = len(futures) if groups is None else sum(len(each.members) for each in groups)
        cut = looks[-1] % count
        for own in (range(cut), range(cut, count)):
            if own:
                yield Group(tuple(own), "nowhere", 1)

    monkeypatch.setattr(Placement, "_look", look)
    same_bits(of_dask.fit(blocks(X), blocks(y), **options), wanted)
    assert len(looks) > 5


@pytest.mark.parametrize("most", [0, 10**6])
def test_large_answers_meet_in_the_workers(client, table, monkeypatch, most) -> None:
    """Each partition by itself, or first all of a worker."""
    X, y, _ = table
    wanted = of_dask.fit(blocks(X), blocks(y), C=1.0)
    monkeypatch.setattr(parts, "MOST_NUMBERS", 20)
    monkeypatch.setattr(parts, "MOST_TOGETHER", most)
    alone: list[bool] = []
    one_by_one = parts._one_by_one
    monkeypatch.setattr(parts, "_one_by_one", lambda g: [alone.append(True), one_by_one(g)][1])
    came: list[int] = []
    gather = Rounds.gather

    def watched(self: Rounds, futures: Any) -> Any:
        if any("sum" in future.key for future in futures):
            came.append(len(futures))
        return gather(self, futures)

    monkeypatch.setattr(Rounds, "gather", watched)
    same_bits(of_dask.fit(blocks(X), blocks(y), C=1.0), wanted)
    assert came
    assert set(came) == {1}
    assert bool(alone) == (most == 0)


def test_thousands_of_columns(client) -> None:
    """Their standardisation goes to the workers once, as a task of its own."""
    rng = np.random.default_rng(2)
    X = sp.random(400, 20_000, density=0.001, random_state=2, format="csr")
    raw = np.asarray(X.sum(axis=1)).ravel()
    y = (raw + rng.logistic(size=400) > np.median(raw)).astype(int)
    lazy = [delayed((X[k : k + 100], y[k : k + 100])) for k in range(0, 400, 100)]
    options = {"C": 1.0, "solver": "newton-cg", "tol": 1e-14}
    found, wanted = of_dask.fit(lazy, **options), fastlogit.fit(X, y, **options)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-8)


def test_the_dashboard_names_what_a_round_does(client, table, monkeypatch) -> None:
    X, y, _ = table
    labels: set[str] = set()
    make = Rounds.key

    def watched(self: Rounds, label: str, place: object) -> str:
        key = make(self, label, place)
        assert key_split(key) == f"fastlogit-{label.replace('_', '-')}"
        labels.add(label)
        return key

    monkeypatch.setattr(Rounds, "key", watched)
    for solver in ("lbfgs", "newton", "newton-cg"):
        of_dask.fit(blocks(X), blocks(y), C=1.0, solver=solver)
    assert {
        "partition",
        "rows",
        "gradient",
        "gradient_and_curvature",
        "hessian",
        "product",
    } < labels


def test_partitions_are_made_once_and_left_to_the_user(client, table, tmp_path) -> None:
    X, y, _ = table

    @delayed(pure=True)
    def part(number: int) -> Any:
        (tmp_path / f"{number}-{len(os.listdir(tmp_path))}").touch()
        return X[number::3], y[number::3]

    lazy = [part(number) for number in range(3)]
    wanted = of_dask.fit(lazy, C=1.0)
    assert len(os.listdir(tmp_path)) == 3
    kept = client.persist(lazy)
    distributed.wait(kept)
    same_bits(of_dask.fit(kept, C=1.0), wanted)
    assert len(os.listdir(tmp_path)) == 6
    assert all(client.who_has([future for each in kept for future in each.dask.values()]).values())


def test_a_client_that_gives_coroutines_is_refused(table) -> None:
    X, y, _ = table
    with pytest.raises(TypeError, match="asynchronous, and a fit waits for answers; give client="):
        of_dask.fit(blocks(X), blocks(y), client=SimpleNamespace(asynchronous=True))


def test_what_is_no_client_is_told_how_to_become_one(client, table) -> None:
    X, y, _ = table
    for other in ("tcp://127.0.0.1:8786", client.cluster):
        with pytest.raises(TypeError, match=r"client must be .*by distributed\.Client\(\.\.\.\)"):
            of_dask.fit(blocks(X), blocks(y), client=other)
    closed = distributed.Client(client.scheduler.address, set_as_default=False)
    closed.close()
    with pytest.raises(ValueError, match="the dask Client is closed; make another"):
        of_dask.fit(blocks(X), blocks(y), client=closed)


def test_workers_of_another_version_are_named_before_work(client, table, monkeypatch) -> None:
    X, y, _ = table
    places = ", ".join(sorted(client.nthreads()))
    for version, message in (
        ("'0.0.9'", f"workers {places}: fastlogit is of version 0.0.9 there, but of "),
        ("__import__('nowhere')", f"workers {places} cannot import fastlogit .*'nowhere'"),
    ):
        monkeypatch.setattr(workers, "VERSION", version)
        monkeypatch.setattr(workers, "_known", weakref.WeakKeyDictionary())
        with pytest.raises(ImportError, match=message):
            of_dask.fit(blocks(X), blocks(y), client=client)


def test_nothing_is_left_in_the_workers(client, table) -> None:
    X, y, _ = table
    of_dask.fit(blocks(X), blocks(y), C=1.0)
    scheduler = client.cluster.scheduler
    left: list[str] = []

    def look() -> None:
        left[:] = [key for key in scheduler.tasks if str(key).startswith("fastlogit")]

    for _ in range(200):  # releases come with the next messages
        client.sync(_soon)
        look()
        if not left:
            break
    assert not left


async def _soon() -> None:
    import asyncio

    await asyncio.sleep(0.01)


# ------------------------------------------------------------------------------------------------
# Workers in processes of their own


@pytest.mark.slow(seconds=15)
def test_workers_come_and_go_during_a_fit(table) -> None:
    X, y, _ = table
    seen: list[Any] = []

    def change(progress: Any) -> bool:
        if progress.n_iter == 1 and not seen:
            seen.append(set(other.nthreads()))
            cluster.scale(3)
            other.wait_for_workers(3)
        if progress.n_iter == 2 and len(seen) == 1:
            # Those of the beginning go, with all that lies there.
            other.retire_workers(list(seen[0]), close_workers=True)
            seen.append(set(other.nthreads()))
        return False

    options = {"C": 1.0, "solver": "newton", "tol": 1e-14}
    cluster = quiet_cluster(n_workers=2, threads_per_worker=1)
    with cluster, distributed.Client(cluster, set_as_default=False) as other:
        kept = other.persist([blocks(X), blocks(y)])
        found = of_dask.fit(*kept, client=other, callback=change, **options)
        same_bits(found, of_dask.fit(blocks(X), blocks(y), client=other, **options))
    assert len(seen[0]) == 2
    assert seen[0].isdisjoint(seen[1])
    wanted = fastlogit.fit(X, y, **options)
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-10)


@pytest.mark.slow(seconds=15)
def test_partitions_that_dask_spills_come_back_a_few_at_a_time() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40_000, 20))
    y = (X[:, 0] + rng.logistic(size=len(X)) > 0).astype(int)
    cuts = (5000,) * 8
    # dask spills from 1.2 MB a worker on, a third of its rows; no limit kills it.
    memory = {
        f"distributed.worker.memory.{name}": False for name in ("spill", "pause", "terminate")
    }
    memory["distributed.worker.memory.target"] = 0.3  # type: ignore[assignment]
    with dask.config.set(memory):
        cluster = quiet_cluster(n_workers=2, threads_per_worker=1, memory_limit=4_000_000)
        with cluster, distributed.Client(cluster, set_as_default=False) as other:
            kept = other.persist([blocks(X, cuts), blocks(y, cuts)])
            found = of_dask.fit(*kept, C=1.0, solver="newton", client=other)
            on_disk = other.run(lambda dask_worker: len(dask_worker.data.slow))
    assert all(on_disk.values())
    wanted = fastlogit.fit(X, y, C=1.0, solver="newton")
    np.testing.assert_allclose(found.coef, wanted.coef, rtol=0, atol=1e-10)


@pytest.mark.slow(seconds=25)
@pytest.mark.parametrize("layer", ["workqueue", "omp"])
def test_two_fits_at_once_in_one_worker_of_two_threads(layer) -> None:
    found: list[Any] = []
    cluster = quiet_cluster(n_workers=1, threads_per_worker=2)
    with cluster, distributed.Client(cluster, set_as_default=False) as other:
        other.run(_use_layer, layer)
        process = other.run(os.getpid)
        kept = other.persist([delayed(_large_part)(seed) for seed in range(2)])

        def one() -> None:
            found.append(of_dask.fit(kept, C=1.0, solver="newton", client=other))

        fits = [threading.Thread(target=one) for _ in range(3)]
        for each in fits:
            each.start()
        for each in fits:
            each.join()
        assert set(other.run(_layer).values()) == {layer}
        assert other.run(os.getpid) == process  # dask would start a crashed one anew
    assert len(found) == 3
    same_bits(found[0], found[1])
    same_bits(found[0], found[2])
    X, y = (np.concatenate(both) for both in zip(*map(_large_part, range(2)), strict=True))
    wanted = fastlogit.fit(X, y, C=1.0, solver="newton")
    np.testing.assert_allclose(found[0].coef, wanted.coef, rtol=0, atol=1e-10)


def _large_part(seed: int) -> tuple[Any, Any]:
    """Return rows of which each pass is worth two threads under every layer."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(150_000, 20))
    return X, (X[:, 0] + rng.logistic(size=len(X)) > 0).astype(int)


def _use_layer(layer: str) -> None:
    import numba

    numba.config.THREADING_LAYER = layer


def _layer() -> str:
    import numba

    return str(numba.threading_layer())
