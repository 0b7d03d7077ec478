"""Columns of a fit set to values, in every row: what averages of predictions are asked about.

A column set to a value is an affine map of the features: those of the column become constants, and
where it is part of an interaction, that of its level and a level of the other column becomes the
indicator of the latter. So a scenario needs no other rows: predictions take other coefficients
over the same X, and sums over the rows follow from those over X.
"""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from ..arrays import ArrayLike, Cube, Indices, Matrix, Vector
from ..inputs.categories import Categories, unknown_level
from ..inputs.frames import Level, level_of
from ..inputs.values import column_text
from ..options import check_number
from ..result import FitResult
from .fitted import names_of

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["ModelColumns", "Scenario", "Settings", "scenarios_of", "value_text"]

# Columns, by name or place, and a value or several of each; none for rows as they are.
Settings: TypeAlias = Mapping[object, ArrayLike]

# A message lists so many columns.
LISTED = 20
# What margins of a formula's terms are.
OF_CHANGED_DATA = (
    "of a formula's terms compare changed data, as average_predictions(X={'a': "
    "model.design(data.assign(x='a')), 'b': ...}).compare()"
)
# Scenarios of a grid: each takes two passes.
MOST_SCENARIOS = 10_000


@dataclass(frozen=True, eq=False)
class Scenario:
    """What the features of each row become: ``x[source] + constant``, or the constant alone.

    Attributes
    ----------
    label : str
        As "smoke=1 & age=30"; empty for the rows as they are.
    source : ndarray of shape (n_features,)
        The feature whose value each one takes; -1 for none.
    constant : ndarray of shape (n_features,)
    """

    label: str
    source: Indices
    constant: Vector

    @classmethod
    def observed(cls, n_features: int) -> Scenario:
        """Return that of the rows as they are."""
        return cls("", np.arange(n_features), np.zeros(n_features))

    def coefficients(self, coef: Matrix, intercept: Vector) -> tuple[Matrix, Vector]:
        """Return coefficients (n_models, n_features) that predict the same from X as it is."""
        own = np.zeros_like(coef)
        kept = np.flatnonzero(self.source >= 0)
        for model, each in enumerate(coef):
            np.add.at(own[model], self.source[kept], each[kept])
        return own, intercept + (coef * self.constant).sum(axis=1)

    def sums(self, sums: Cube) -> Cube:
        """Return sums of weighted rows, the weights' first, from those of X as it is."""
        slopes, total = sums[..., 1:], sums[..., :1]
        own = np.where(self.source >= 0, slopes[..., self.source], 0.0) + total * self.constant
        return np.concatenate([total, own], axis=-1)


@dataclass(frozen=True, eq=False)
class ModelColumns:
    """The columns of X by name: which are categorical, and what they are among the features.

    Attributes
    ----------
    names : sequence of str
    levels : sequence of (tuple of levels, or None for numbers)
    places : sequence of ndarray
        The features of each.
    categories : Categories or None
    n_features : int
    tied : mapping of str to str
        Columns that do not change alone, and what they are.
    """

    names: Sequence[str]
    levels: Sequence[tuple[Level, ...] | None]
    places: Sequence[Indices]
    categories: Categories | None
    n_features: int
    tied: Mapping[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of_inference(cls, inference: Inference) -> ModelColumns:
        """Return those of the rows of an inference."""
        return replace(cls.of_fit(inference._fit), tied=inference._tied)

    @classmethod
    def of_fit(cls, result: FitResult) -> ModelColumns:
        """Return those of the rows of a fit."""
        found, n_features = result.categories, len(result.coef)
        if found is not None:
            own = found.places[: found.n_columns]
            return cls(found.columns, found.levels, own, found, n_features)
        names, places = names_of(result).features, np.arange(n_features)
        return cls(names, [None] * n_features, list(places[:, None]), None, n_features)

    def place(self, column: object) -> int:
        """Return the place of a column, given by name or place.

        Raises
        ------
        TypeError, ValueError
            If there is none.
        """
        if isinstance(column, str) and column in self.names:
            return list(self.names).index(column)
        if type(column) is not bool and isinstance(column, numbers.Integral):
            if 0 <= int(column) < len(self.names):
                return int(column)
        elif not isinstance(column, str):
            raise TypeError(f"columns are given by name or place, got {column!r}")
        shown = ", ".join(self.names[:LISTED]) + " ..." * (len(self.names) > LISTED)
        hint = f"; {OF_CHANGED_DATA}" if self.tied else ""
        raise ValueError(f"there is no column {column!r}; the columns are {shown}{hint}")

    def chosen(self, columns: object) -> list[int]:
        """Return the places of some columns: of one, a sequence, or all that vary for None."""
        if columns is None:
            found = [place for place in range(len(self.names)) if len(self.places[place])]
            for place in found:
                self.refuse_tied(place)
            return found
        given = [columns] if isinstance(columns, str | numbers.Integral) else columns
        if not isinstance(given, Iterable):
            raise TypeError(f"columns must be names or places of columns, got {columns!r}")
        found = [self.place(column) for column in given]
        if not found or len(set(found)) < len(found):
            raise ValueError(f"columns must be one or more columns, each once, got {columns!r}")
        for place in found:
            self.refuse_tied(place)
        return found

    def refuse_tied(self, place: int) -> None:
        """Raise for a column that does not change alone, and say how its effect is to be had."""
        name = self.names[place]
        if name in self.tied:
            free = [each for each in self.names if each not in self.tied]
            others = f"; margins are to be had of {', '.join(free[:LISTED])}" if free else ""
            raise ValueError(
                f"the column {name} {self.tied[name]}, and does not change alone, so that it has "
                f"no margin of its own: {OF_CHANGED_DATA}{others}"
            )

    def value(self, place: int, value: object) -> Level | float:
        """Return a value that a column can take: a level, or a number.

        Raises
        ------
        TypeError, ValueError
            If it is none.
        """
        if self.levels[place] is None:
            number = float(value) if isinstance(value, bool | np.bool_) else value
            return check_number(f"the value of {self.text(place)}", number)
        assert self.categories is not None
        known, level = self.categories.codes_of[place], level_of(value)
        if level is None or level not in known:
            raise unknown_level("the scenario", value, known, self.text(place), "")
        return level

    def values(self, place: int, given: ArrayLike) -> list[Level | float]:
        """Return the values that a column is set to, of one or several.

        Raises
        ------
        TypeError, ValueError
            If the column cannot have one, or there is none, or one twice.
        """
        is_one = isinstance(given, str | bytes) or not isinstance(given, Iterable)
        each: Iterable[object] = [given] if is_one else given  # type: ignore[assignment]  # as looked at
        found = [self.value(place, value) for value in each]
        if not found or len(set(found)) < len(found):
            raise ValueError(
                f"{self.text(place)} is set to one or more values, each once; got {given!r}"
            )
        return found

    def text(self, place: int) -> str:
        """Return how messages call a column."""
        return column_text(place, self.names)

    def setting(self, scenario: Scenario, place: int, value: Level | float) -> Scenario:
        """Return a scenario with a column set to a checked value."""
        source, constant = scenario.source.copy(), scenario.constant.copy()
        own = self.places[place]
        source[own], constant[own] = -1, 0.0
        if self.levels[place] is None:
            constant[own] = value
        else:
            assert self.categories is not None
            code = self.categories.codes_of[place][value]
            kept = code - (len(self.categories.codes_of[place]) - len(own))
            if kept >= 0:
                constant[own[kept]] = 1.0
            self._set_pairs(scenario, place, code, source, constant)
        said = f"{self.names[place]}={value_text(value)}"
        label = f"{scenario.label} & {said}" if scenario.label else said
        return Scenario(label, source, constant)

    def _set_pairs(
        self, scenario: Scenario, place: int, code: int, source: Indices, constant: Vector
    ) -> None:
        """Set the interactions of a column: the pairs of its level are the other column's."""
        assert self.categories is not None
        for number, pair in enumerate(self.categories.interactions, self.categories.n_columns):
            if place not in (pair.first, pair.second):
                continue
            features = self.categories.places[number]
            source[features], constant[features] = -1, 0.0
            other = pair.second if place == pair.first else pair.first
            dropped = len(self.categories.codes_of[other]) - len(self.places[other])
            for feature, codes in zip(features, pair.pairs, strict=True):
                own, others = codes if place == pair.first else codes[::-1]
                if own == code:
                    taken = self.places[other][others - dropped]
                    source[feature] = scenario.source[taken]
                    constant[feature] = scenario.constant[taken]

    def stepping(self, scenario: Scenario, place: int, step: float) -> Scenario:
        """Return a scenario with a column of numbers moved by a step."""
        constant = scenario.constant.copy()
        constant[self.places[place]] += step
        said = str(self.names[place])
        if step:
            said += f"{'+' if step > 0.0 else '-'}{value_text(abs(step))}"
        label = f"{scenario.label} & {said}" if scenario.label else said
        return Scenario(label, scenario.source, constant)

    def products_of_means(self, means: Matrix) -> Matrix:
        """Return mean rows (n_rows, n_features) with interactions the products of their levels."""
        if self.categories is None or not self.categories.interactions:
            return means
        found = means.copy()
        for number, pair in enumerate(self.categories.interactions, self.categories.n_columns):
            for feature, codes in zip(self.categories.places[number], pair.pairs, strict=True):
                both = [
                    self.places[column][code - len(self.categories.codes_of[column])]
                    for column, code in zip(pair[:2], codes, strict=True)
                ]
                found[:, feature] = means[:, both[0]] * means[:, both[1]]
        return found


def scenarios_of(at: Settings, columns: ModelColumns) -> list[Scenario]:
    """Return the scenarios of columns set to a value or several: all combinations.

    Raises
    ------
    TypeError, ValueError
        If a column is not there, or it cannot have a value.
    """
    observed = Scenario.observed(columns.n_features)
    if not at:
        return [observed]
    places = columns.chosen(list(at))
    values = [
        columns.values(place, given) for place, given in zip(places, at.values(), strict=True)
    ]
    n_scenarios = int(np.prod([len(each) for each in values], dtype=float))
    if n_scenarios > MOST_SCENARIOS:
        raise ValueError(
            f"at has {n_scenarios:,} combinations of values, more than {MOST_SCENARIOS:,}; give "
            "fewer values"
        )
    found = []
    for combination in itertools.product(*values):
        scenario = observed
        for place, value in zip(places, combination, strict=True):
            scenario = columns.setting(scenario, place, value)
        found.append(scenario)
    return found


def value_text(value: object) -> str:
    """Return how a value is written in names."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
