"""Codes that rows have had, learnt block by block."""

import numpy as np

from fastlogit.sources.seen import Seen


def test_what_is_learnt_of_codes() -> None:
    rng = np.random.default_rng(3)
    codes = np.column_stack([rng.integers(0, 7, 50), rng.integers(-1, 3, 50)]).astype(np.int32)
    codes[codes[:, 0] == 4, 0] = 5
    seen = Seen(2, with_combinations=True)
    for start in range(0, 50, 12):
        seen.add(codes[start : start + 12])
    assert seen.used(0).tolist() == sorted(set(codes[:, 0].tolist()))
    assert seen.used(1).tolist() == [0, 1, 2]
    assert seen.combinations is not None
    assert seen.combinations.tolist() == np.unique(codes, axis=0).tolist()
    # Codes 5 and 2 are bad, and those of no row; then a missing category too.
    bad = np.isin(np.arange(9), [2, 5, 7])
    row = int(np.argmax(np.isin(codes[:, 0], [2, 5])))
    assert seen.first_of(0, bad) == (row, codes[row, 0])
    assert seen.first_of(1, np.array([False, False, False, True])) == (
        int(np.argmax(codes[:, 1] == -1)),
        -1,
    )
    assert seen.first_of(1, np.zeros(4, dtype=bool)) is None
    assert Seen(1, with_combinations=False).combinations is None
