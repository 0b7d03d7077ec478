"""Streams of random numbers that are compiled are NumPy's, bit for bit."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest

from fastlogit.kernels import streams
from fastlogit.resampling import draws
from fastlogit.resampling.draws import Draws, UniformStreams, Units

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


@pytest.mark.parametrize("sizes", [[1], [5], [300], [3, 1, 4], [1, 1], [2, 3, 101]])
def test_what_replicates_draw_is_what_numpy_draws(
    sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    n = sum(sizes)
    order = np.arange(n) if len(sizes) == 1 else np.random.default_rng(1).permutation(n)
    units = Units(np.arange(n, dtype=np.int32), n, np.split(order, np.cumsum(sizes)[:-1]))
    found, weights = Draws(np.random.SeedSequence(5), units, "multinomial").draw(range(3, 9))
    assert weights.shape == (6, 0)
    for row, replicate in zip(found, range(3, 9), strict=True):
        stream = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(replicate,)))
        drawn = [each[stream.integers(0, len(each), len(each))] for each in units.strata]
        np.testing.assert_array_equal(row, np.concatenate(drawn))
    monkeypatch.setattr(draws, "MOST_WORDS", 0)
    plain, _ = Draws(np.random.SeedSequence(5), units, "multinomial").draw(range(3, 9))
    np.testing.assert_array_equal(plain, found)


class Places:
    """As many members as one likes, each of which is its place; takes the first 50 that come."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def __getitem__(self, place: int) -> int:
        return int(place)

    def __setitem__(self, place: int, member: int) -> None:
        self.taken.append(member)
        if len(self.taken) == 50:
            raise StopIteration


@pytest.mark.skipif(not numba.config.DISABLE_JIT, reason="no stratum has so many members")
def test_words_that_would_favour_some_places_are_left_out() -> None:
    """Of 2^31 + 1 places nearly every second word is."""
    size, found = 2**31 + 1, Places()
    generator = np.random.PCG64(0)
    state = generator.state["state"]
    words = [state["state"] >> 64, state["state"], state["inc"] >> 64, state["inc"]]
    own = np.array([word % 2**64 for word in words], dtype=np.uint64)
    with pytest.raises(StopIteration):
        streams.draw_members(own, found, np.array([0, size]), found)
    assert found.taken == np.random.Generator(generator).integers(0, size, 50).tolist()
