"""Streams of random numbers that are compiled are NumPy's, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fastlogit.resampling import draws
from fastlogit.resampling.draws import UniformStreams

SEEDS = {
    "small": lambda: np.random.SeedSequence(0),
    "long": lambda: np.random.SeedSequence(3**200),
    "words": lambda: np.random.SeedSequence([1, 2**40, 0, 7], pool_size=8),
    "key": lambda: np.random.SeedSequence(7, spawn_key=(1, 2**33, 3, 4, 5)),
    "of the system": np.random.SeedSequence,
    "spawned": lambda: np.random.SeedSequence(5).spawn(3)[2],
}


@pytest.mark.parametrize("name", list(SEEDS))
def test_streams_are_those_of_numpy(name: str) -> None:
    streams = UniformStreams(SEEDS[name](), 37)
    seed, found = streams.seed, streams.some(range(998, 1_003))
    for row, replicate in zip(found, range(998, 1_003), strict=True):
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, replicate))
        np.testing.assert_array_equal(row, np.random.Generator(np.random.PCG64(own)).random(37))
        np.testing.assert_array_equal(row, streams.one(replicate))


def test_numbers_are_numpys_where_its_seeds_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: Any = UniformStreams(np.random.SeedSequence(3), 5).some(range(4))
    monkeypatch.setattr(draws, "MOST_WORDS", 0)
    plain = UniformStreams(np.random.SeedSequence(3), 5).some(range(4))
    np.testing.assert_array_equal(plain, compiled)
