"""Which fold a row belongs to, from its number or its group alone: folds that need no draw.

A fold is a function of a seed and of the row's number, or of the value of its group. So it is the
same on each machine, with any number of threads, workers and blocks, and may be computed wherever
the row lies. The function is documented, for those who compute the same elsewhere (64-bit
arithmetic that wraps around)::

    mix(z): z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
            z = (z ^ (z >> 27)) * 0x94D049BB133111EB
            return z ^ (z >> 31)
    hash(key, seed) = mix(mix(seed + G) + (key + 1) * G),  G = 0x9E3779B97F4A7C15
    fold = ((hash >> 32) * n_folds) >> 32

which is the generator SplitMix64 (Steele, Lea and Flood, 2014) read at place `key` of a stream for
each seed. The key of a row is its number from 0. That of a group is its value where it is a whole
number (-1 is 2**64 - 1), the first 8 bytes, little-endian, of BLAKE2b with a digest of 8 bytes of
its text in UTF-8 where it is text, and the bits of the float64 where it is another number.

Folds differ in size as draws do: by some sqrt(n_rows / n_folds) rows, or as the groups have it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import numpy as np

from ..arrays import Integers
from ..options import check_whole

__all__ = [
    "MOST_FOLDS",
    "check_folds",
    "folds_of_keys",
    "folds_of_rows",
    "folds_of_values",
    "keys_of_values",
]

# Numbers of folds, and of seeds, are below these: a fold takes two bytes.
MOST_FOLDS, MOST_SEEDS = 2**16, 2**63
# The constants of SplitMix64.
GAMMA, FIRST, SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
WORD = 2**64 - 1
# Hashes of so many rows are made at a time: they stay in the cache.
PART = 2**16


def check_folds(n_folds: object, seed: object) -> tuple[int, int]:
    """Return number of folds and seed, checked.

    Raises
    ------
    TypeError, ValueError
        If one of them is no whole number, or out of its range.
    """
    n, checked = check_whole("n_splits", n_folds, low=2), check_whole("seed", seed, low=0)
    if n > MOST_FOLDS:
        raise ValueError(f"n_splits must be at most {MOST_FOLDS:,}, got {n:,}")
    if checked >= MOST_SEEDS:
        raise ValueError(f"seed must be below 2**63, got {checked}")
    return n, checked


def folds_of_rows(start: int, stop: int, n_folds: int, seed: int = 0) -> Integers:
    """Return the folds of rows by their numbers.

    Parameters
    ----------
    start, stop : int
        The rows are ``start:stop`` of all.
    n_folds : int
    seed : int, default 0

    Returns
    -------
    ndarray of shape (stop - start,), uint16
        Numbers from 0 to n_folds - 1.
    """
    folds = np.empty(stop - start, dtype=np.uint16)
    for first in range(start, stop, PART):
        last = min(first + PART, stop)
        keys = np.arange(first, last, dtype=np.uint64)
        folds[first - start : last - start] = folds_of_keys(keys, n_folds, seed)
    return folds


def folds_of_values(values: Sequence[object], n_folds: int, seed: int = 0) -> Integers:
    """Return the folds of groups by their values, each of which stands here once.

    Parameters
    ----------
    values : sequence of int, str, float or bool
        1, 1.0 and True are the same.
    n_folds : int
    seed : int, default 0

    Returns
    -------
    ndarray of shape (n_values,), uint16
    """
    return folds_of_keys(keys_of_values(values), n_folds, seed)


def keys_of_values(values: Sequence[object]) -> Integers:
    """Return what is hashed of groups, uint64, from their values."""
    return np.array([_key_of(value) for value in values], dtype=np.uint64)


def folds_of_keys(keys: Integers, n_folds: int, seed: int = 0) -> Integers:
    """Return the folds of what is hashed, uint64: of row numbers, or `keys_of_values`."""
    hashes = (keys + np.uint64(1)) * np.uint64(GAMMA)
    hashes += np.uint64(_mixed((seed + GAMMA) & WORD))
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(FIRST)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(SECOND)
    hashes ^= hashes >> np.uint64(31)
    return (((hashes >> np.uint64(32)) * np.uint64(n_folds)) >> np.uint64(32)).astype(np.uint16)


def _mixed(number: int) -> int:
    number = ((number ^ (number >> 30)) * FIRST) & WORD
    number = ((number ^ (number >> 27)) * SECOND) & WORD
    return number ^ (number >> 31)


def _key_of(value: object) -> int:
    """Return what is hashed of a group: 64 bits."""
    if isinstance(value, bool | np.bool_ | int | np.integer):
        return int(value) & WORD
    if isinstance(value, float | np.floating):
        number = float(value)
        if number.is_integer():
            return int(number) & WORD
        return int.from_bytes(struct.pack("<d", number), "little")
    text = str(value).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
