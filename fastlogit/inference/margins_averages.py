"""Average predictions of scenarios, or of several sets of rows -> `Margins`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import ArrayLike, Vector
from ..inputs.frames import Level
from ..options import check_number
from .margins import Margins
from .margins_model import Averages, Coefficients
from .margins_population import GivenRows, are_binary, by_name
from .margins_request import (
    Asked,
    AskedRows,
    Labels,
    conclude,
    labels_of,
    look_at_rows_asked,
    look_at_settings,
)
from .margins_rows import mean_predictions
from .margins_scenarios import ModelColumns, Scenario, Settings, scenarios_of

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["average_predictions", "predictions_of_column"]


def average_predictions(inference: Inference, at: ArrayLike, asked: Asked) -> Margins:
    """Return average predictions of the scenarios of `at`, or of several sets of rows.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    columns = ModelColumns.of_inference(inference)
    settings, asked = look_at_settings(at, asked)
    sets = by_name(asked.rows.X) if asked.rows is not None else None
    if sets is not None:
        return _of_sets(inference, sets, settings, asked, columns)
    rows = look_at_rows_asked(inference, asked, columns)
    scenarios = scenarios_of(settings, columns)

    labels: Labels = {"at": [each.label for each in scenarios]} if settings else {}
    return of_scenarios(inference, scenarios, labels, rows, asked)


def of_scenarios(
    inference: Inference,
    scenarios: Sequence[Scenario],
    labels: Labels,
    rows: AskedRows,
    asked: Asked,
) -> Margins:
    """Return average predictions of scenarios over the same rows."""

    def evaluate(model: Coefficients, weights: Vector | None, jacobian: bool) -> Averages:
        return mean_predictions(rows.of_weights(weights), model, scenarios, jacobian)

    labels = labels_of(inference, labels, len(scenarios), rows.groups)
    return conclude(inference, evaluate, labels, asked, "probability")


def predictions_of_column(
    inference: Inference, column: object, values: ArrayLike, step: float, at: ArrayLike,
    asked: Asked,
) -> Margins:  # fmt: skip
    """Return average predictions with a column at each of its levels, at values, or moved.

    Raises
    ------
    TypeError, ValueError
        If something has the wrong type, shape or value.
    """
    columns = ModelColumns.of_inference(inference)
    place, distance = columns.place(column), check_number("step", step)
    columns.refuse_tied(place)
    settings, asked = look_at_settings(at, asked)
    rows = look_at_rows_asked(inference, asked, columns)
    levels: Sequence[Level | float] | None = columns.levels[place]
    if values is not None:
        levels = columns.values(place, values)
    elif levels is None and are_binary(rows.population.design)[columns.places[place][0]]:
        levels = [0.0, 1.0]
    if levels is None and distance == 0.0:
        raise ValueError("step is 0, which is no change; give another number, or values")
    if levels is not None and len(levels) < 2:
        raise ValueError(
            f"{columns.text(place)} has {levels[0]!r} alone, and nothing to compare it with: give "
            "two values or more"
        )
    bases = scenarios_of(settings, columns)
    if settings and place in columns.chosen(list(settings)):
        raise ValueError(f"at sets {columns.text(place)} itself, which is compared; leave it out")
    scenarios: list[Scenario] = []
    given: list[object] = []
    for base in bases:
        plain = replace(base, label="")
        own = (
            [columns.stepping(plain, place, each) for each in (0.0, distance)]
            if levels is None
            else [columns.setting(plain, place, each) for each in levels]
        )
        scenarios += own
        given += [base.label] * len(own)
    labels: Labels = {"given": given} if settings else {}
    labels["at"] = [each.label for each in scenarios]
    return of_scenarios(inference, scenarios, labels, rows, asked)


def _of_sets(
    inference: Inference, sets: Mapping[str, ArrayLike], settings: Settings, asked: Asked,
    columns: ModelColumns,
) -> Margins:  # fmt: skip
    """Return average predictions of several sets of rows, by their names."""
    if settings or not sets:
        raise ValueError(
            "X with rows by name, as {'treated': X1, 'untreated': X0}, is a scenario for each of "
            "one or more names: leave at out"
        )
    assert asked.rows is not None
    given = [asked._replace(rows=GivenRows(X, *_beside(asked.rows))) for X in sets.values()]
    each = [look_at_rows_asked(inference, own, columns) for own in given]
    if any(rows.groups != each[0].groups for rows in each):
        raise ValueError("the sets of rows in X have other groups each; leave by out")
    observed = [Scenario.observed(columns.n_features)]

    def evaluate(model: Coefficients, weights: Vector | None, jacobian: bool) -> Averages:
        found = [
            mean_predictions(rows.of_weights(weights), model, observed, jacobian) for rows in each
        ]
        return Averages(*(np.concatenate(parts) for parts in zip(*found, strict=True)))

    labels: Labels = {"at": list(map(str, sets))}
    labels = labels_of(inference, labels, len(sets), each[0].groups)
    return conclude(inference, evaluate, labels, asked, "probability")


def _beside(rows: GivenRows) -> tuple[ArrayLike, ArrayLike]:
    return rows.sample_weight, rows.offset
