"""Single options: what passes, what is refused, and in which words."""

import decimal
import fractions

import numpy as np
import pytest

from fastlogit import options


@pytest.mark.parametrize(
    "value",
    [1, 1.0, np.float32(1), np.int8(1), fractions.Fraction(1), np.float64(1)],
    ids=lambda value: type(value).__name__,
)
def test_numbers(value) -> None:
    found = options.check_number("tol", value, low=0.0)
    assert type(found) is float
    assert found == 1.0


@pytest.mark.parametrize(
    ("value", "bounds", "error", "words"),
    [
        ("1", {}, TypeError, "tol must be a number, got '1' (str)"),
        (None, {}, TypeError, "tol must be a number, got None (NoneType)"),
        (True, {}, TypeError, "tol must be a number, got True (bool)"),
        (np.array([1.0]), {}, TypeError, "tol must be a number, got array([1.]) (ndarray)"),
        (decimal.Decimal(1), {}, TypeError, "tol must be a number, got Decimal('1') (Decimal)"),
        (1j, {}, TypeError, "tol must be a number, got 1j (complex)"),
        (np.nan, {"low": 0.0}, ValueError, "tol must be finite and >= 0, got nan"),
        (-1, {"low": 0.0}, ValueError, "tol must be finite and >= 0, got -1"),
        (0, {"low": 0.0, "open_low": True}, ValueError, "tol must be finite and > 0, got 0"),
        (2, {"low": 0.0, "high": 1.0}, ValueError, "tol must be finite and >= 0 and <= 1, got 2"),
        (np.inf, {"low": 0.0}, ValueError, "tol must be finite and >= 0, got inf"),
        (10**400, {"low": 0.0}, ValueError, "tol must be finite and >= 0"),
    ],
)
def test_numbers_refused(value, bounds, error, words) -> None:
    with pytest.raises(error) as caught:
        options.check_number("tol", value, **bounds)
    assert words in str(caught.value)


def test_numbers_without_bounds() -> None:
    assert options.check_number("x", -5) == -5.0
    with pytest.raises(ValueError, match=r"^x must be finite, got inf$"):
        options.check_number("x", np.inf)


def test_whole_numbers() -> None:
    for value in (3, np.int64(3), np.uint8(3)):
        found = options.check_whole("max_iter", value, low=1)
        assert type(found) is int
        assert found == 3
    for value in (3.0, "3", True, None):
        with pytest.raises(TypeError, match="max_iter must be a whole number"):
            options.check_whole("max_iter", value, low=1)
    with pytest.raises(ValueError, match="max_iter must be at least 1, got 0"):
        options.check_whole("max_iter", 0, low=1)


def test_options() -> None:
    assert options.check_option("solver", "auto", ["auto", "newton"]) == "auto"
    with pytest.raises(ValueError, match=r"^solver must be one of 'auto', 'newton', got 'x'$"):
        options.check_option("solver", "x", ["auto", "newton"])
    with pytest.raises(ValueError, match=r"did you mean 'newton'\?"):
        options.check_option("solver", "Newton", ["auto", "newton"])
    with pytest.raises(ValueError, match="got 3"):
        options.check_option("solver", 3, ["auto", "newton"])
