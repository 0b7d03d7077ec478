"""Modules that have moved are found under their names of 0.1.0 too, as the same modules."""

import importlib
import sys

import pytest

import fastlogit
from fastlogit import _moved


@pytest.mark.parametrize(("old", "new"), _moved.MOVED.items())
def test_an_old_name_is_the_module_itself(old, new) -> None:
    module = importlib.import_module(old)
    assert module is importlib.import_module(new)
    assert (module.__name__, module.__spec__.name) == (new, new)
    assert sys.modules[old] is sys.modules[new]


def test_other_names_are_not_found() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"fastlogit\.nowhere"):
        importlib.import_module("fastlogit.nowhere")


def test_it_is_asked_once() -> None:
    _moved.install()
    assert sum(type(finder).__name__ == "_Moved" for finder in sys.meta_path) == 1
    assert fastlogit.__name__ == "fastlogit"
