"""Folds by the hash of a row number or of a group's value."""

import hashlib

import numpy as np
import pytest

from fastlogit.inputs.hashed_folds import check_folds, folds_of_rows, folds_of_values


def fold_by_hand(key: int, n_folds: int, seed: int) -> int:
    """The rule as the module states it, in whole numbers of Python."""
    word, gamma = 2**64 - 1, 0x9E3779B97F4A7C15

    def mix(z: int) -> int:
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
        return z ^ (z >> 31)

    hashed = mix((mix((seed + gamma) & word) + (key + 1) * gamma) & word)
    return ((hashed >> 32) * n_folds) >> 32


def test_the_mixing_is_that_of_splitmix64() -> None:
    # The first numbers of the reference generator (Vigna's splitmix64.c) from the state 1234567.
    word, gamma = 2**64 - 1, 0x9E3779B97F4A7C15
    z = (1234567 + gamma) & word
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & word
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & word
    assert z ^ (z >> 31) == 6457827717110365317


def test_folds_are_as_the_rule_says() -> None:
    found = folds_of_rows(70_000, 70_050, 7, seed=3)
    assert found.dtype == np.uint16
    assert found.tolist() == [fold_by_hand(row, 7, 3) for row in range(70_000, 70_050)]
    # As they have always been: who computes scores again gets the same folds.
    assert folds_of_rows(0, 12, 5).tolist() == [3, 3, 1, 3, 3, 0, 3, 1, 1, 2, 2, 0]


def test_a_part_of_the_rows_has_the_folds_that_it_has_among_all() -> None:
    whole = folds_of_rows(0, 200_000, 5, seed=1)
    parts = [folds_of_rows(start, start + 50_000, 5, seed=1) for start in range(0, 200_000, 50_000)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    counts = np.bincount(whole, minlength=5)
    assert np.abs(counts - 40_000).max() < 4 * np.sqrt(40_000)
    other = folds_of_rows(0, 200_000, 5, seed=2)
    assert np.mean(other == whole) == pytest.approx(0.2, abs=0.01)
    # Neighbours are not alike, nor are rows a power of two apart.
    for step in (1, 2, 64, 4096):
        assert np.mean(whole[step:] == whole[:-step]) == pytest.approx(0.2, abs=0.01)


def test_groups_have_the_fold_of_their_value_whatever_its_type() -> None:
    values = [3, -1, 2**63, 3.0, 0.5, "shop", "Ölmühle", True, 1]
    found = folds_of_values(values, 1000, seed=9).tolist()
    text = [hashlib.blake2b(each.encode(), digest_size=8).digest() for each in ("shop", "Ölmühle")]
    keys = [3, 2**64 - 1, 2**63, 3, int(np.float64(0.5).view(np.uint64))]
    keys += [int.from_bytes(each, "little") for each in text] + [1, 1]
    assert found == [fold_by_hand(key, 1000, 9) for key in keys]
    assert folds_of_values([np.int32(3), np.float32(3.0)], 1000, seed=9).tolist() == found[:1] * 2
    assert folds_of_values(range(50), 4).tolist() == folds_of_rows(0, 50, 4).tolist()


def test_what_is_asked_for_is_checked() -> None:
    assert check_folds(np.int64(5), 7) == (5, 7)
    for n_folds, seed, words in (
        (1, 0, "n_splits"), (2.5, 0, "n_splits"), (2**16 + 1, 0, "65,536"), (5, -1, "seed"),
        (5, 2**63, "seed"), (5, None, "seed"),
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError), match=words):
            check_folds(n_folds, seed)
