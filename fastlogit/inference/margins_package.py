"""An inference as a model of the Python package marginaleffects, which is loaded when asked for.

The package takes any object of its class `ModelAbstract`: coefficients, their covariance, a frame
of the rows, and a function that predicts new ones from coefficients that it moves a little.
"""

from __future__ import annotations

from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..arrays import ArrayLike, Mask, Vector
from ..inputs.readers import is_frame
from .margins_model import Coefficients
from .margins_population import GivenRows, Population, are_binary, new_rows
from .margins_request import coefficients_of
from .margins_scenarios import ModelColumns, Scenario

if TYPE_CHECKING:
    from .inference import Inference

__all__ = ["marginaleffects_model"]

RESPONSE = "response"
# Frames of polars, and classes of the package, none of which is imported here.
Foreign: TypeAlias = Any


def marginaleffects_model(inference: Inference, X: ArrayLike) -> Foreign:
    """Return what functions of marginaleffects take as their model.

    Raises
    ------
    ModuleNotFoundError
        If marginaleffects is not installed.
    TypeError, ValueError
        If X is no frame with the columns and rows of the fit, or the fit had an offset.
    """
    columns = ModelColumns.of_fit(inference._fit)
    _refuse_others(inference, X, columns)
    try:
        classes = import_module("marginaleffects.classes")
        ingest = import_module("marginaleffects.utils").ingest
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "to_marginaleffects needs the package marginaleffects: pip install marginaleffects"
        ) from error
    frame = ingest(X)
    codes = inference._optimum.objective.rows.codes_of(0).astype(np.int64)
    polars = import_module("polars")
    data = frame.select(columns.names).with_columns(polars.Series(RESPONSE, codes))
    # marginaleffects 0.6.0 asks an Enum for what polars 2 has no more; text it can do.
    has_enums = int(polars.__version__.partition(".")[0]) < 2
    for name, levels in zip(columns.names, columns.levels, strict=True):
        if levels is not None:
            text = polars.col(name).cast(polars.String)
            data = data.with_columns(text.cast(polars.Enum(list(levels))) if has_enums else text)
    vault = classes.ModelVault(
        coef=inference.coef.copy(),
        coefnames=np.array(inference.names, dtype=object),
        formula=_no_formula,
        modeldata=data,
        package="fastlogit",
        vcov=inference.covariance.copy(),
        variable_names=[RESPONSE, *columns.names],
        variables_type=_kinds(columns, are_binary(inference._optimum.objective.design)),
    )
    return _class_of(classes.ModelAbstract)(inference, vault)


def _no_formula(data: Foreign) -> Foreign:
    """Stand for a formula: rows are read as those of the fit were."""
    return data[RESPONSE], data


def _kinds(columns: ModelColumns, binary: Mask) -> dict[str, str]:
    """Return what the package calls the columns."""
    found = {RESPONSE: "integer"}
    for name, levels, places in zip(columns.names, columns.levels, columns.places, strict=True):
        kind = "binary" if levels is None and binary[places[0]] else "numeric"
        found[name] = "character" if levels is not None else kind
    return found


def _refuse_others(inference: Inference, X: ArrayLike, columns: ModelColumns) -> None:
    if not is_frame(X):
        raise TypeError(
            f"to_marginaleffects takes the rows of the fit as a data frame, got {type(X).__name__}"
        )
    lacking = [name for name in columns.names if name not in list(X.columns)]  # type: ignore[attr-defined]  # of a frame
    if lacking or RESPONSE in columns.names:
        raise ValueError(
            f"X has no column {lacking[0]!r}, which the fit had"
            if lacking
            else f"a column of the fit is called {RESPONSE!r}, as what marginaleffects models; "
            "rename it"
        )
    rows = inference._optimum.objective.rows
    if len(X) != rows.design.shape[0]:  # type: ignore[arg-type]  # of a frame
        raise ValueError(f"X has {len(X)} rows, but the fit had {rows.design.shape[0]}")  # type: ignore[arg-type]
    if rows.n_offsets:
        raise ValueError("the fit had an offset, for which marginaleffects has no place")
    for place, levels in enumerate(columns.levels):
        if levels is not None and not all(isinstance(level, str) for level in levels):
            raise ValueError(
                f"{columns.text(place)} has levels that are no text, which marginaleffects does "
                "not take; make them text before the fit"
            )


class _ReadRows:
    """Rows of a frame, as the package takes a matrix of them: with a shape, and slices."""

    def __init__(self, inference: Inference, frame: Foreign) -> None:
        self._inference, self.frame = inference, frame
        self.shape = frame.shape

    def __getitem__(self, rows: slice) -> _ReadRows:
        """Return some rows."""
        return _ReadRows(self._inference, self.frame[rows])

    @cached_property
    def population(self) -> Population:
        """The rows as the fit reads them."""
        return new_rows(self._inference, GivenRows(self.frame))


def _class_of(base: Foreign) -> Foreign:
    """Return the class of models, on that of the package."""

    class ModelFastlogit(base):  # type: ignore[misc]  # of a package that is loaded late
        """A fastlogit `Inference`, as marginaleffects asks for one."""

        model: Inference

        def validation(self) -> None:
            """Set what the package would find out: 0.6.0 cannot with polars 2."""
            self.coef, self.formula = self.vault.coef, self.vault.formula
            self.response_name = RESPONSE

        def get_vcov(self, vcov: Foreign = True) -> Foreign:
            """Return the covariance: for True that of the inference; another one by its name."""
            if isinstance(vcov, str):
                return self.model.with_covariance(vcov).covariance
            return self.model.covariance if vcov else None

        def get_exog(self, newdata: Foreign) -> _ReadRows:
            """Return rows that are read as the fit reads them, once for all coefficients."""
            names = ModelColumns.of_fit(self.model._fit).names
            return _ReadRows(self.model, newdata.select(names))

        def get_predict(self, params: Vector, newdata: _ReadRows) -> Foreign:
            """Return probabilities: a column of those of the second class, or of each class."""
            own = coefficients_of(self.model)
            model = Coefficients.of(
                np.asarray(params), len(own.coef), own.reference, own.fit_intercept, own.link
            )
            observed = Scenario.observed(own.coef.shape[1])
            proba = newdata.population.probabilities(model, observed)
            frame = import_module("polars").DataFrame
            rows = np.arange(len(newdata.frame), dtype=np.int32)
            if model.n_classes == 2:
                return frame({"rowid": rows, "estimate": proba[1]})
            labels = [str(label) for label in self.model.classes.tolist()]
            return frame({
                "rowid": np.tile(rows, len(labels)),
                "group": np.repeat(labels, len(rows)),
                "estimate": proba.reshape(-1),
            })  # fmt: skip

    return ModelFastlogit
