"""What is lost in a cluster: workers in mid-work, and all of them."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fastlogit

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

from dask_cluster import MARKS, blocks, make_table, quiet_cluster  # noqa: E402

import fastlogit.dask as of_dask  # noqa: E402
from fastlogit.dask import rounds  # noqa: E402
from fastlogit.dask.allocation import keeping_memory  # noqa: E402

pytestmark = MARKS


@pytest.fixture
def client() -> Iterator[Any]:
    """Workers in processes, more than are killed."""
    cluster = quiet_cluster(n_workers=3, threads_per_worker=1)
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        yield client


def killing(
    client: Any, monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any], after: int
) -> tuple[Any, int]:
    """Return what work gives while a worker is killed after some calls, and how many there were."""
    make, asked = rounds.Rounds.map, [0]

    def map_(self: rounds.Rounds, *given: Any, **named: Any) -> Any:
        asked[0] += 1
        found = make(self, *given, **named)
        if asked[0] == after:
            os.kill(min(client.run(os.getpid, on_error="ignore").values()), signal.SIGKILL)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(rounds.Rounds, "map", map_)
        return work(), asked[0]


def covariance(client: Any, kept: Any, cov_type: str) -> Any:
    *rows, clusters = kept
    free = fastlogit.fit(*make_table()[:2], C=float("inf"))
    given = {"clusters": clusters} if cov_type == "CR1" else {}
    found = of_dask.infer(free, *rows, cov_type=cov_type, client=client, **given)
    return found.covariance


@pytest.mark.slow(seconds=30)
@pytest.mark.parametrize("cov_type", ["HC3", "CR1"])
def test_a_worker_is_lost_during_inference(client, monkeypatch, cov_type) -> None:
    X, y, _ = make_table()
    groups = np.random.default_rng(3).integers(0, 30, len(y))
    kept = client.persist([blocks(X), blocks(y), blocks(groups)])
    with client.as_current():
        distributed.wait(kept)
    wanted, count = killing(client, monkeypatch, lambda: covariance(client, kept, cov_type), -1)
    for after in (2, count // 2):
        found, _ = killing(client, monkeypatch, lambda: covariance(client, kept, cov_type), after)
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.slow(seconds=30)
def test_a_worker_is_lost_during_cross_validation(client, monkeypatch) -> None:
    X, y, _ = make_table()
    kept = client.persist([blocks(X), blocks(y)])
    with client.as_current():
        distributed.wait(kept)

    def work() -> Any:
        model = of_dask.LogisticRegressionCV(
            Cs=[0.01, 1.0], l1_ratios=(0,), use_legacy_attributes=False, scoring="neg_log_loss"
        )
        return model.fit(*kept, client=client)

    wanted, count = killing(client, monkeypatch, work, -1)
    for after in (2, count // 2):
        found, _ = killing(client, monkeypatch, work, after)
        for name in ("scores_", "coefs_paths_", "coef_", "intercept_"):
            np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))


def test_a_cluster_without_workers_is_told_and_waited_for(monkeypatch) -> None:
    X, y, _ = make_table()
    monkeypatch.setattr(rounds, "LOOK_AGAIN", 0.2)
    cluster = quiet_cluster(n_workers=0, threads_per_worker=1, processes=False)
    with cluster, distributed.Client(cluster, set_as_default=False) as client:
        with pytest.raises(RuntimeError, match="no workers, and the time limit") as error:
            of_dask.fit(blocks(X), blocks(y), client=client, time_limit=0.1)
        assert error.value.result is None  # type: ignore[attr-defined]  # there is no point
        coming = threading.Timer(1.0, cluster.scale, (1,))
        coming.start()
        with pytest.warns(RuntimeWarning, match="the cluster of the dask Client has no workers"):
            found = of_dask.fit(blocks(X), blocks(y), C=1.0, client=client)
        coming.join()
    assert found.converged


def test_memory_is_kept_for_a_task_and_no_longer(monkeypatch) -> None:
    """As far as the C library has such limits; results are the same everywhere."""
    told: list[dict[int, int]] = []
    from fastlogit.dask import allocation

    monkeypatch.setattr(allocation, "_mallopt", lambda: lambda what, size: 1)
    monkeypatch.setattr(allocation, "_tell", told.append)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with keeping_memory():
        assert not told  # nobody asked for memory to be given back
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "65536")
    with keeping_memory(), keeping_memory():
        assert len(told) == 1
    most = allocation.MOST
    assert told == [{-1: most, -3: most}, {-1: 65536, -3: 128 * 1024}]
    monkeypatch.setenv("MALLOC_TRIM_THRESHOLD_", "what")
    with keeping_memory():
        assert len(told) == 2
