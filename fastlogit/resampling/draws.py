"""The random part of resampling: what each replicate draws, from a stream of its own.

Replicate r draws from ``SeedSequence(entropy, spawn_key=(..., r))``, so that what it draws depends
neither on threads, blocks nor the number of replicates.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Indices, Integers, Matrix, Vector
from ..kernels import streams
from ..options import check_option

__all__ = ["WEIGHTS", "Draws", "UniformStreams", "Units", "check_random_state"]

WEIGHTS = ("multinomial", "bayesian")
# 32-bit words that a seed and its key may have for `UniformStreams` to be compiled.
MOST_WORDS = 256


class Units(NamedTuple):
    """What is drawn as a whole: rows, or clusters of rows."""

    # (n_samples,), int32
    of_row: Integers
    n_units: int
    # The units of each stratum: as many of it are drawn as there are.
    strata: list[Indices]


def check_random_state(random_state: object) -> np.random.SeedSequence:
    """Return the seed of all replicates, made of what users give NumPy's generators.

    Raises
    ------
    TypeError, ValueError
        If it is no seed, or a negative one.
    """
    if isinstance(random_state, np.random.SeedSequence):
        return random_state
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(0, 2**32, 4).tolist())
    if isinstance(random_state, np.random.RandomState):
        drawn = random_state.randint(0, 2**32, 4, dtype=np.uint32)
        return np.random.SeedSequence(drawn.tolist())
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, bool | np.bool_) or not isinstance(random_state, int | np.integer):
        raise TypeError(
            "random_state must be None, a whole number, a Generator, a SeedSequence or a "
            f"RandomState of NumPy, got {random_state!r} ({type(random_state).__name__})"
        )
    if random_state < 0:
        raise ValueError(f"random_state must be at least 0, got {random_state!r}")
    return np.random.SeedSequence(int(random_state))


def stream_of(seed: np.random.SeedSequence, key: tuple[int, ...]) -> np.random.Generator:
    """Return the stream of one replicate."""
    own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *key))
    return np.random.Generator(np.random.PCG64(own))


class UniformStreams:
    """Numbers of [0, 1) for each replicate, n of them, from the stream of each.

    Parameters
    ----------
    seed : SeedSequence
    n : int
    """

    def __init__(self, seed: np.random.SeedSequence, n: int) -> None:
        self.seed, self.n = seed, n
        # Where NumPy's streams are not those that are compiled they are taken from NumPy.
        self._pool = _pool_before_last(seed)

    def one(self, replicate: int) -> Vector:
        """Return the numbers of a replicate."""
        return stream_of(self.seed, (replicate,)).random(self.n)

    def some(self, replicates: range) -> Matrix:
        """Return those of replicates that follow each other, (n_replicates, n)."""
        if self._pool is None:
            return np.array([self.one(replicate) for replicate in replicates])
        drawn = np.empty((len(replicates), self.n))
        room = np.empty(2 * streams.POOL, dtype=np.uint64)
        streams.uniform_streams.serial(self._pool, replicates.start, room, drawn)
        return drawn


def _pool_before_last(seed: np.random.SeedSequence) -> Integers | None:
    """Return what `uniform_streams` takes of a seed, (5,) of uint64; None where it would not do.

    NumPy shows the pool that all words before a replicate's are mixed into, not how many there are.
    By as many powers has the multiplier grown that the next word is hashed by: the one is taken
    that leads to NumPy's own next pool.
    """
    key = seed.spawn_key
    before, after = (
        [int(word) for word in np.random.SeedSequence(seed.entropy, spawn_key=each).pool]
        for each in (key, (*key, 0))
    )
    multiplier, times, most = int(streams.START_IN), int(streams.TIMES_IN), 2**32
    for _ in range(MOST_WORDS * streams.POOL):
        found, each = [], multiplier
        for word in before:
            following = each * times % most
            hashed = each * following % most  # of the word 0
            hashed ^= hashed >> 16
            mixed = (int(streams.LEFT) * word - int(streams.RIGHT) * hashed) % most
            found.append(mixed ^ mixed >> 16)
            each = following
        if found == after:
            return np.array([*before, multiplier], dtype=np.uint64)
        multiplier = multiplier * times % most
    return None


class Draws:
    """The weights of each replicate of a bootstrap.

    Parameters
    ----------
    seed : SeedSequence
    units : Units
    weights : {"multinomial", "bayesian"}
        How often a unit is drawn, or numbers of a Dirichlet distribution (Rubin, 1981), whose mean
        is 1 in each stratum as well.
    """

    def __init__(self, seed: np.random.SeedSequence, units: Units, weights: str) -> None:
        self.seed, self.units = seed, units
        # Where NumPy's streams are not those that are compiled they are taken from NumPy.
        self._pool = _pool_before_last(seed)
        self._members = np.concatenate(units.strata).astype(np.int64)
        ends = np.cumsum([len(stratum) for stratum in units.strata])
        self._starts = np.concatenate([[0], ends]).astype(np.int64)
        self.is_bayesian = check_option("weights", weights, WEIGHTS) == "bayesian"

    def draw(self, replicates: range) -> tuple[Integers, Matrix]:
        """Return what replicates draw, (n_replicates, n_units): units, or the weight of each.

        The other of the two has no columns.
        """
        shape = len(replicates), self.units.n_units
        drawn = np.empty(shape if not self.is_bayesian else (shape[0], 0), dtype=np.int64)
        weights = np.empty(shape if self.is_bayesian else (shape[0], 0))
        if self._pool is not None and not self.is_bayesian:
            room = np.empty(2 * streams.POOL, dtype=np.uint64)
            streams.member_streams.serial(
                self._pool, replicates.start, room, self._members, self._starts, drawn
            )
            return drawn, weights
        for place, replicate in enumerate(replicates):
            stream, first = stream_of(self.seed, (replicate,)), 0
            for stratum in self.units.strata:
                size = len(stratum)
                if self.is_bayesian:
                    own = stream.standard_exponential(size)
                    weights[place, stratum] = own * (size / own.sum())
                elif size == shape[1]:
                    drawn[place] = stream.integers(0, size, size)
                else:
                    drawn[place, first : first + size] = stratum[stream.integers(0, size, size)]
                first += size
        return drawn, weights

    def of_units(self, replicate: int) -> Vector:
        """Return the weight of each unit, (n_units,)."""
        drawn, weights = self.draw(range(replicate, replicate + 1))
        if self.is_bayesian:
            return weights[0]
        return np.bincount(drawn[0], minlength=self.units.n_units).astype(np.float64)

    def of_rows(self, replicate: int) -> Vector:
        """Return the weight of each row, (n_samples,)."""
        return self.of_units(replicate)[self.units.of_row]
