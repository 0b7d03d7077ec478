"""What functions that fit rows in memory many times ask, in one place."""

from typing import Any

import numpy as np
import pytest

import fastlogit
from fastlogit.fitting import in_memory
from fastlogit.inputs.given import Data, Given

RNG = np.random.default_rng(4)
X = RNG.standard_normal((60, 2))
Y = (X[:, 0] + RNG.logistic(size=60) > 0.0).astype(int)
GROUPS = np.arange(60) % 2
CALLS = {
    "fit_groups": lambda X, y: fastlogit.fit_groups(X, y, GROUPS),
    "scan": lambda X, y: fastlogit.scan(X, X[:, :1] if isinstance(X, np.ndarray) else Y, y),
    "bootstrap": lambda X, y: fastlogit.bootstrap(X, y, n=5),
    "permutation": lambda X, y: fastlogit.permutation(X, y, n=5),
}


def look(**options: Any) -> Data:
    return in_memory.look_in_memory(Given(X, Y, **options), "fit_many")


@pytest.mark.parametrize("name", CALLS)
def test_streams_are_refused_in_the_same_words(name: str) -> None:
    source = fastlogit.BatchSource(lambda: iter([(X, Y)]))
    words = f"{name} reads rows in memory, and X is a BatchSource; load them into memory first"
    with pytest.raises(TypeError, match=words):
        CALLS[name](source, Y if name in ("fit_groups", "scan") else None)


@pytest.mark.parametrize("name", ["fit_groups", "scan", "permutation"])
def test_three_classes_are_refused_in_the_same_words(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} takes two classes, and y has 3: .*y == label"):
        CALLS[name](X, np.arange(60) % 3)


@pytest.mark.parametrize("name", CALLS)
def test_what_is_not_finite_is_refused(name: str) -> None:
    rows = X.copy()
    rows[7, 1] = np.inf
    with pytest.raises(ValueError, match="X contains infinity in column 1"):
        CALLS[name](rows, Y)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [0, 37, 8 * 37, 999])
def test_pieces_that_are_not_finite(
    place: int, bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By any number of threads, in any piece and anywhere in it, huge numbers left alone."""
    monkeypatch.setattr(in_memory, "LOOK_EACH", 37)
    rows = np.full((500, 2), 1e308) * np.array([1.0, -1.0])
    labels = np.arange(500) % 2
    data = in_memory.look_in_memory(Given(rows, labels), "fit_many")
    for n_threads in (1, None):
        in_memory.check_finite(data, n_threads)
    rows.flat[place] = bad
    what = "NaN" if np.isnan(bad) else "infinity"
    words = rf"X contains {what} in column {place % 2} \(row {place // 2}\)"
    for n_threads in (1, None):
        with pytest.raises(ValueError, match=words):
            in_memory.check_finite(data, n_threads)


def test_strengths() -> None:
    data = look(penalty_factor=[1.0, 0.0])
    strength, by_weight = in_memory.strength_of(4.0, data)
    assert by_weight
    np.testing.assert_array_equal(strength, [0.25, 0.0])
    strength, by_weight = in_memory.strength_of(None, look(l2_reg=[0.1, 0.2]))
    assert not by_weight
    np.testing.assert_array_equal(strength, [0.1, 0.2])
    np.testing.assert_array_equal(in_memory.strength_of(None, data)[0], [0.0, 0.0])


@pytest.mark.parametrize(
    ("C", "options", "words"),
    [
        (1.0, {"l2_reg": 0.1}, "give C or l2_reg, not both"),
        (5e-324, {}, "C=5e-324 is so small that the penalty overflows; a larger one"),
        (1e-300, {"penalty_factor": [1.0, 1e100]}, "the penalty times penalty_factor overflows"),
    ],
    ids=["both", "small", "factor"],
)
def test_strengths_that_are_refused(C: float, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        in_memory.strength_of(C, look(**options))


def test_a_callback_is_told_what_holds_when_it_is_called() -> None:
    assert in_memory.teller(None, lambda: pytest.fail("nobody asks")) is None
    told, progress = [], iter([1, 2])
    tell: Any = in_memory.teller(told.append, lambda: next(progress))  # type: ignore[arg-type, return-value]
    tell()
    tell()
    assert told == [1, 2]
