"""Marginal effects: slopes of the probability, and differences between levels -> `Margins`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import ArrayLike, Floats, Indices, Vector
from ..inputs.frames import Level
from ..options import check_option
from .margins import Margins
from .margins_model import Averages, Coefficients
from .margins_population import Population, are_binary
from .margins_request import (
    Asked,
    Labels,
    conclude,
    labels_of,
    look_at_rows_asked,
    look_at_settings,
)
from .margins_rows import mean_predictions, mean_slopes, over_p
from .margins_scenarios import ModelColumns, Scenario, Settings, scenarios_of, value_text

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["marginal_effects"]

METHODS = ("dydx", "eyex")


class Slope(NamedTuple):
    """The slope by a column of numbers, which is a feature, in a scenario."""

    column: str
    at: Scenario
    feature: int


class Change(NamedTuple):
    """The difference between two scenarios, of a column's values."""

    column: str
    at: Scenario
    change: str
    high: Scenario
    low: Scenario


def marginal_effects(
    inference: Inference, columns: object, at: ArrayLike, discrete: object, method: str,
    asked: Asked,
) -> Margins:  # fmt: skip
    """Return effects of columns: slopes, and differences between levels.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    check_option("method", method, METHODS)
    of = ModelColumns.of_inference(inference)
    chosen = of.chosen(columns)
    settings, asked = look_at_settings(at, asked)
    rows = look_at_rows_asked(inference, asked, of)
    changing = _changing(discrete, chosen, of, rows.population)
    if method == "eyex":
        chosen = _with_elasticities(inference, columns, settings, chosen, changing, of)
    items = [
        item
        for scenario in scenarios_of(settings, of)
        for place in chosen
        for item in _items(place, place in changing, scenario, of)
    ]
    if not items:
        raise ValueError(f"{of.text(chosen[0])} has one level only, and so no effect")

    def evaluate(model: Coefficients, weights: Vector | None, jacobian: bool) -> Averages:
        return _effects(rows.of_weights(weights), model, items, method, jacobian)

    slope = {"dydx": "dy/dx", "eyex": "ey/ex"}[method]
    labels: Labels = {
        "column": [item.column for item in items],
        "change": [slope if isinstance(item, Slope) else item.change for item in items],
    }
    if settings:
        labels["at"] = [item.at.label for item in items]
    labels = labels_of(inference, labels, len(items), rows.groups)
    return conclude(inference, evaluate, labels, asked, method)


def _items(
    place: int, is_binary: bool, scenario: Scenario, columns: ModelColumns
) -> list[Slope | Change]:
    """Return the slope by a column of numbers, or changes between its levels."""
    name, levels = columns.names[place], columns.levels[place]
    if levels is None and not is_binary:
        return [Slope(name, scenario, int(columns.places[place][0]))]
    values: Sequence[Level | float] = [0.0, 1.0] if levels is None else levels
    first, *others = values
    low = columns.setting(scenario, place, first)
    return [
        Change(
            name, scenario, f"{value_text(each)} - {value_text(first)}",
            columns.setting(scenario, place, each), low,
        )
        for each in others
    ]  # fmt: skip


def _changing(
    discrete: object, chosen: Sequence[int], columns: ModelColumns, population: Population
) -> set[int]:
    """Return the columns of numbers that change from 0 to 1.

    Raises
    ------
    TypeError, ValueError
        If one is not there, or has other values.
    """
    if discrete is None or (not isinstance(discrete, str) and np.size(discrete) == 0):  # type: ignore[arg-type]  # anything
        return set()
    is_auto = isinstance(discrete, str) and discrete == "auto"
    named = chosen if is_auto else columns.chosen(discrete)
    numbers = [place for place in named if columns.levels[place] is None]
    if not numbers:
        return set()
    binary = are_binary(population.design)
    for place in numbers:
        if not is_auto and not binary[columns.places[place][0]]:
            raise ValueError(
                f"discrete names {columns.text(place)}, which has values other than 0 and 1; "
                "use comparisons, with values or a step"
            )
    return {place for place in numbers if binary[columns.places[place][0]]}


def _with_elasticities(
    inference: Inference, columns: object, settings: Settings, chosen: Sequence[int],
    changing: set[int], of: ModelColumns,
) -> list[int]:  # fmt: skip
    """Return the columns that have elasticities: those of numbers, of two classes."""
    if len(inference.classes) > 2:
        raise ValueError("method='eyex' is for two classes; use 'dydx' for more")
    if settings:
        raise ValueError("method='eyex' takes the rows as they are, or at='mean'")
    numbers = [place for place in chosen if of.levels[place] is None and place not in changing]
    lacking = [place for place in chosen if place not in numbers]
    if not numbers or (columns is not None and lacking):
        raise ValueError(
            f"{of.text(lacking[0])} is not of numbers that vary continuously, and has no "
            "elasticity; use method='dydx'"
        )
    return numbers


def _effects(
    population: Population, model: Coefficients, items: Sequence[Slope | Change], method: str,
    jacobian: bool,
) -> Averages:  # fmt: skip
    """Return slopes and differences, in the order of the items."""
    found: dict[int, tuple[Floats, Floats]] = {}
    together: dict[int, list[int]] = {}
    for number, item in enumerate(items):
        if isinstance(item, Slope):
            together.setdefault(id(item.at), []).append(number)
    for numbers in together.values():
        slopes = [item for item in (items[number] for number in numbers) if isinstance(item, Slope)]
        features: Indices = np.array([item.feature for item in slopes], dtype=np.intp)
        if method == "eyex":
            means = over_p(population, model, features, jacobian)
        else:
            means = mean_slopes(population, model, slopes[0].at, features, jacobian)
        found.update(zip(numbers, zip(*means, strict=True), strict=True))
    changes = {number: item for number, item in enumerate(items) if isinstance(item, Change)}
    if changes:
        ends = {id(end): end for item in changes.values() for end in (item.high, item.low)}
        place = {key: number for number, key in enumerate(ends)}
        means = mean_predictions(population, model, list(ends.values()), jacobian)
        for number, item in changes.items():
            high, low = place[id(item.high)], place[id(item.low)]
            found[number] = (
                means.values[high] - means.values[low], means.jacobian[high] - means.jacobian[low],
            )  # fmt: skip
    in_order = [found[number] for number in range(len(items))]
    return Averages(*(np.array(parts) for parts in zip(*in_order, strict=True)))
