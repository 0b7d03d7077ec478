"""Features of a data file, some of them categorical, for a fit and for its model."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import fastlogit.io as io
from fastlogit.cli.errors import say
from fastlogit.inputs.categories import look_at_categories
from fastlogit.inputs.coded_frame import CodedFrame
from fastlogit.options import (
    CODINGS,
    UNKNOWN,
    CategoryOptions,
    Pair,
    check_category_options,
    check_option,
)

if TYPE_CHECKING:
    from fastlogit.arrays import ArrayLike, Features
    from fastlogit.io import Table
    from fastlogit.model_file import Model
    from fastlogit.result import FitResult

__all__ = [
    "Asked",
    "coded_names",
    "features_of_fit",
    "features_of_model",
    "groups_of_coefficients",
    "names_of_coefficients",
    "size_text",
]


class Asked(NamedTuple):
    """What the command line is asked about categorical columns."""

    categories: Sequence[str]
    coding: str
    handle_unknown: str
    interactions: Sequence[str]

    def check(self) -> None:
        """Raise for what is wrong whatever the data are."""
        check_option("--coding", self.coding, CODINGS)
        check_option("--handle-unknown", self.handle_unknown, UNKNOWN)

    def options(self, names: Sequence[str], *, has_penalty: bool) -> CategoryOptions:
        """Return the same, checked, for features of these names."""
        pairs = [_pair(text, names) for text in self.interactions]
        return check_category_options(
            self.coding, self.handle_unknown, pairs, has_penalty=has_penalty
        )

    def settings(self, X: ArrayLike) -> dict[str, object]:
        """Return what a model file says of it, of features with categories."""
        if not isinstance(X, CodedFrame):
            return {}
        coded = [X.columns[place] for place in sorted(X.coded)]
        return {**self._asdict(), "categories": coded, "interactions": list(self.interactions)}


def _pair(text: str, names: Sequence[str]) -> Pair:
    """Return two columns that stand with a colon between them; names may have colons too."""
    places = [place for place, mark in enumerate(text) if mark == ":"]
    pairs = [(text[:place].strip(), text[place + 1 :].strip()) for place in places]
    known = set(names)
    for pair in pairs:
        if known.issuperset(pair):
            return pair
    raise ValueError(
        f"--interactions takes two feature columns with a colon between them, as carrier:origin, "
        f"got {text!r}; columns are {', '.join(map(repr, names[:10]))}"
    )


def features_of_fit(
    table: Table, names: Sequence[str], categories: Sequence[str]
) -> CodedFrame | Features:
    """Return the features of a fit, and note which columns are categorical."""
    chosen, found = io.categorical_names(table, names, categories)
    X = io.frame_of(table, names, [*chosen, *found])
    if found:
        assert isinstance(X, CodedFrame)  # of these columns
        levels = {X.columns[place]: len(column.values) for place, column in X.coded.items()}
        said = ", ".join(f"{name!r} ({levels[name]:,})" for name in found)
        say(f"note: columns that are read as categories (how many there are): {said}")
    return X


def groups_of_coefficients(
    groups: list[str] | str, X: CodedFrame | Features, options: CategoryOptions
) -> list[str] | str:
    """Return the group of each coefficient from those of the columns: levels are of one group.

    Pairs of two columns are a group of their own.
    """
    if isinstance(groups, str) or not isinstance(X, CodedFrame):
        return groups
    _, categories = look_at_categories(X, X.columns, options)
    group_of = dict(zip(X.columns, groups, strict=True))
    return [group_of.get(name, name) for name, _ in categories.features]


def features_of_model(
    model: Model, table: Table, handle_unknown: str | None
) -> tuple[FitResult, CodedFrame | Features]:
    """Return the fit of a model, and the features that it takes, whose categories it knows."""
    result, names = model.result, model.feature_names
    categories = result.categories
    if categories is None:
        return result, io.features(table, names)
    if handle_unknown is not None:
        rule = check_option("--handle-unknown", handle_unknown, UNKNOWN)
        categories = categories.taking(rule)
    levels = {
        name: own for name, own in zip(names, categories.levels, strict=True) if own is not None
    }
    X = io.frame_as_fitted(table, names, levels, strict=categories.handle_unknown == "error")
    assert isinstance(X, CodedFrame)  # there are categories
    # The columns of a file may have been named otherwise when the model was written.
    X = dataclasses.replace(X, columns=categories.columns)
    return dataclasses.replace(result, categories=categories), X


def coded_names(model: Model) -> list[str]:
    """Return the categorical columns of a model."""
    categories = model.result.categories
    if categories is None:
        return []
    pairs = zip(model.feature_names, categories.levels, strict=True)
    return [name for name, levels in pairs if levels is not None]


def names_of_coefficients(result: FitResult, names: Sequence[str]) -> Sequence[str]:
    """Return a name for each coefficient."""
    return names if result.categories is None else result.categories.feature_names


def size_text(result: FitResult, names: Sequence[str]) -> str:
    """Say how many columns there are, and of categorical ones how many coefficients."""
    if result.categories is None:
        return f"{len(names):,} features"
    return f"{len(names):,} columns with {len(result.coef):,} coefficients"
