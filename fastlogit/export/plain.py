"""A model as JSON: everything that a probability needs, for whoever writes their own scoring."""

from __future__ import annotations

import json
from collections.abc import Sequence

import fastlogit

from .scoring import Exportable, Scoring, scoring_of

__all__ = ["to_json"]

FORMAT = "fastlogit scoring"
FORMAT_VERSION = 1


def to_json(model: Exportable, *, feature_names: Sequence[str] | None = None) -> str:
    """Return a model as JSON.

    Parameters
    ----------
    model : FitResult, Model or fitted estimator
    feature_names : sequence of str, optional
        Names of the columns, where the fit has none or others; x0, x1, ... without.

    Returns
    -------
    str
        An object with ``columns`` (``name`` and ``coef``, or ``levels`` and a ``coef`` for each of
        them), ``interactions`` (``columns``, and a ``coef`` for each of ``pairs`` of levels),
        ``intercept``, ``classes``, ``multi_class``, ``link`` and ``handle_unknown``. A ``coef`` has
        a number for each output: one for two classes, whose probability is that of the second, else
        one for each class. Numbers come back exact to the bit.

    Raises
    ------
    TypeError, ValueError
        If it is no model, or has no names.
    """
    return json.dumps(_plain(scoring_of(model, feature_names)), indent=1, allow_nan=False)


def _plain(scoring: Scoring) -> dict[str, object]:
    columns: list[dict[str, object]] = []
    for column in scoring.columns:
        coef = column.coef.tolist()
        if column.levels is None:
            columns.append({"name": column.name, "coef": coef[0]})
        else:
            columns.append({"name": column.name, "levels": list(column.levels), "coef": coef})
    interactions = [
        {
            "columns": [scoring.columns[place].name for place in each[:2]],
            "pairs": [
                [_level(scoring, each.first, one), _level(scoring, each.second, other)]
                for one, other in each.pairs
            ],
            "coef": each.coef.tolist(),
        }
        for each in scoring.pairs
    ]
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fastlogit_version": fastlogit.__version__,
        "target": scoring.target,
        "classes": scoring.classes,
        "multi_class": scoring.multi_class,
        "link": scoring.link,
        "handle_unknown": scoring.handle_unknown,
        "columns": columns,
        "interactions": interactions,
        "intercept": scoring.intercept.tolist(),
    }


def _level(scoring: Scoring, column: int, level: int) -> object:
    return (scoring.columns[column].levels or ())[level]
