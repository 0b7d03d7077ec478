"""Signatures that docs/api.md prints are those of the code, with all options and their defaults."""

import inspect
import re
from pathlib import Path

import pytest

import fastlogit

TEXT = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
# `name(a, b, *, option=value)`, and parentheses within.
CALL = re.compile(r"`(?:fastlogit\.)?(\w+)\(((?:[^()`]|\([^()`]*\))*)\)`")


def printed() -> list[tuple[str, str]]:
    """Return name and parameters of each call with keyword-only options that is printed whole."""
    found = []
    for name, inner in CALL.findall(TEXT):
        is_whole = "*, " in inner and "..." not in inner
        # Estimators and results have methods of these names.
        is_method = name == "fit" or (name == "predict" and "coef" not in inner)
        if is_whole and not is_method and callable(getattr(fastlogit, name, None)):
            found.append((name, inner))
    return found


def test_there_are_such() -> None:
    assert {"cost", "logistic_path", "predict_proba", "Problem"} <= {name for name, _ in printed()}


@pytest.mark.parametrize(("name", "inner"), printed())
def test_it_is_that_of_the_code(name: str, inner: str) -> None:
    parameters = inspect.signature(getattr(fastlogit, name)).parameters
    own = {key: value for key, value in parameters.items() if value.kind != value.VAR_KEYWORD}
    names = re.findall(r"(?:^|, )(\w+)", inner)
    assert set(names) == set(own)
    for key, text in re.findall(r"(\w+)=(\"[^\"]*\"|[^,]+)", inner):
        assert repr(own[key].default).replace("'", '"') == text
