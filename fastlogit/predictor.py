"""Scores of single rows by a fitted model, for servers: checked once, a few microseconds a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from .arrays import Array, ArrayLike, Floats, Labels, Vector
from .design.few import PackedModels, n_outputs
from .elementwise import sigmoid
from .inputs import validation
from .inputs.categories import Categories
from .inputs.conversion import as_numbers, refuse_special
from .inputs.given import OfFit
from .inputs.values import IMPUTE, column_text
from .kernels.hypotheses import BINARY, RAW, SOFTMAX
from .options import check_option
from .prediction import MULTI_CLASS, predict_proba, raw_prediction

__all__ = ["Predictor"]

FLOAT64 = np.dtype(np.float64)

# A row: numbers in the order of the columns of the fit, or by their names.
Row: TypeAlias = ArrayLike


class Predictor:
    """What a fitted model says of single rows; made by `FitResult.predictor`.

    Call it with a row: ``predictor(row)`` is the probability of the second of two classes, a float,
    or of more classes an array of their probabilities. Rows are one-dimensional: arrays, lists or
    tuples of numbers in the order of the columns of the fit; where the fit had names of columns,
    also dicts or pandas Series by these names. Where the fit had categorical columns, a row has the
    value of each column of the frame, and several rows are a frame. Rows of two dimensions are read
    as `FitResult.predict_proba` does. The bits are those that a row gets among many in an array
    whose rows lie contiguous; with categories they agree to rounding.

    Any number of threads may share one, and it can be pickled. It keeps a copy of the coefficients.

    Parameters
    ----------
    coef : array-like of shape (n_features,) or (n_features, n_classes)
    intercept : float or array-like of shape (n_classes,)
    classes : ndarray of shape (n_classes,)
        The labels; two for one model.
    multi_class : {"ovr", "multinomial"}, default "ovr"
        What several columns of coefficients are: one-vs-all, or softmax.
    feature_names : list of str, optional
        The names of the columns, or of the coefficients where columns are categorical.
    categories : Categories, optional
        How the columns of a frame with categories become features.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
    n_features : int
    feature_names : list of str or None
    """

    __slots__ = (
        "_coef", "_has_one", "_kind", "_models", "_names", "_places", "categories", "classes",
        "feature_names", "multi_class", "n_features",
    )  # fmt: skip

    def __init__(
        self,
        coef: ArrayLike,
        intercept: ArrayLike,
        classes: Labels,
        *,
        multi_class: str = "ovr",
        feature_names: Sequence[str] | None = None,
        categories: Categories | None = None,
    ) -> None:
        numbers = as_numbers("coef", coef)
        self.n_features = numbers.shape[0] if numbers.ndim else 0
        coefs, intercepts, self._has_one = validation.check_coef(
            numbers, intercept, self.n_features
        )
        self._models = PackedModels(coefs.copy(), intercepts.copy())
        # In the shapes that functions take.
        self._coef: tuple[Floats, float | Vector] = (
            (self._models.coef[0], float(intercepts[0]))
            if self._has_one
            else (self._models.coef.T, self._models.intercept)
        )
        self.classes = np.asarray(classes)
        if len(self.classes) != (2 if self._has_one else len(coefs)):
            raise ValueError(
                f"classes has {len(self.classes)} labels, but coef is of "
                f"{2 if self._has_one else len(coefs)} classes"
            )
        self.multi_class = check_option("multi_class", multi_class, MULTI_CLASS)
        self._kind = BINARY if self._has_one else SOFTMAX if multi_class == "multinomial" else RAW
        self.feature_names = None if feature_names is None else list(feature_names)
        self.categories = categories
        if categories is not None and categories.n_features != self.n_features:
            raise ValueError(
                f"categories are of {categories.n_features} features, but coef has "
                f"{self.n_features}"
            )
        # Of the columns of X.
        self._names = self.feature_names
        if categories is not None and feature_names is not None:
            self._names = list(categories.columns)
        self._places = {name: place for place, name in enumerate(self._names or [])}

    def __call__(self, row: Row) -> float | Floats:
        """Return the probability of the second of two classes, or those of all of more.

        Parameters
        ----------
        row : array-like of shape (n_features,), dict or Series; or rows (n_samples, n_features)

        Returns
        -------
        float or ndarray
            One row: a float, or shape (n_classes,) for more than two classes. Rows: one more
            dimension.

        Raises
        ------
        TypeError, ValueError
            If the row has the wrong length, names or type, or a value that is not finite.
        """
        proba = self.predict_proba(row)
        if not self._has_one:
            return proba
        return float(proba[1]) if proba.ndim == 1 else proba[:, 1]

    def predict_proba(self, row: Row) -> Floats:
        """Return the probability of each class.

        One-vs-all: each class's own hypothesis, as `FitResult.predict_proba`.

        Parameters
        ----------
        row : array-like of shape (n_features,), dict or Series; or rows (n_samples, n_features)

        Returns
        -------
        ndarray of shape (n_classes,) or (n_samples, n_classes)

        Raises
        ------
        TypeError, ValueError
            If the row has the wrong length, names or type, or a value that is not finite.
        """
        values = self._values(row)
        if values is None:
            return predict_proba(
                OfFit(row, self._names, self.categories), *self._coef, multi_class=self.multi_class
            )
        found = self._ask(values, self._kind)
        return sigmoid(found, out=found) if self._kind == RAW else found

    def predict(self, row: Row) -> object:
        """Return the most likely label, of rows those of each.

        Parameters
        ----------
        row : array-like of shape (n_features,), dict or Series; or rows (n_samples, n_features)

        Returns
        -------
        label, or ndarray of shape (n_samples,)

        Raises
        ------
        TypeError, ValueError
            If the row has the wrong length, names or type, or a value that is not finite.
        """
        values = self._values(row)
        if values is None:
            raw = raw_prediction(OfFit(row, self._names, self.categories), *self._coef)
            codes = (raw >= 0.0).astype(np.intp) if self._has_one else np.argmax(raw, axis=1)
            return self.classes[codes]
        raw = self._ask(values, RAW)
        return self.classes[int(raw[0] >= 0.0) if self._has_one else int(raw.argmax())]

    def _values(self, row: Row) -> Vector | None:
        """Return a row as float64 that lie one after the other; None for rows of two dimensions."""
        if self.categories is not None:
            return self._coded(row, self.categories)
        if type(row) is np.ndarray:
            values: Array = row
        elif type(row) is list or type(row) is tuple:
            values = np.array(row)
        elif isinstance(row, Mapping):
            values = _as_array(self._by_name(row), self._names)
        elif self._names is not None and _is_named_row(row):
            values = _as_array(self._by_name(_as_dict(row)), self._names)
        elif len(getattr(row, "shape", (0,))) == 2:
            return None
        else:
            refuse_special("row", row)
            values = as_numbers("row", row)
        if values.ndim == 2:
            if values.shape[1] == self.n_features:
                return None
            raise ValueError(f"X has {values.shape[1]} columns, but the fit had {self.n_features}")
        if values.dtype != FLOAT64 or not values.flags.carray:
            values = np.array(as_numbers("row", values), dtype=np.float64)
        if values.shape != (self.n_features,):
            raise ValueError(
                f"row has shape {values.shape}, but the fit had {self.n_features} columns: it must "
                f"be ({self.n_features},), or (n_samples, {self.n_features}) for several"
            )
        return values

    def _coded(self, row: Row, categories: Categories) -> Vector | None:
        """Return the features of a row with categories; None for rows of two dimensions."""
        if isinstance(row, Mapping):
            given = self._by_name(row)
        elif self._names is not None and _is_named_row(row):
            given = self._by_name(_as_dict(row))
        elif len(getattr(row, "shape", (0,))) == 2:
            return None
        else:
            refuse_special("row", row)
            given = list(row)  # type: ignore[call-overload]  # of values
        return categories.row(given)

    def _by_name(self, row: Mapping[str, object]) -> list[object]:
        """Return the values of a row in the order of the columns."""
        names = self._names
        if names is None:
            raise TypeError(
                f"row is a {type(row).__name__}, but the fit had no names of columns: give the "
                "numbers in the order of the columns"
            )
        try:
            given = [row[name] for name in names]
        except KeyError:
            missing = [name for name in names if name not in row]
            raise ValueError(f"row lacks {', '.join(map(repr, missing[:5]))}") from None
        if len(row) != len(names):
            more = [name for name in row if name not in self._places]
            raise ValueError(
                f"row has {', '.join(map(repr, more[:5]))}, which was not in the fit; leave it out"
            )
        return given

    def _ask(self, values: Vector, kind: int) -> Vector:
        """Return what the models say of a row, (n_outputs,)."""
        out = np.empty(n_outputs(kind, len(self._models.coef)))
        if not self._models.hypotheses(values[None], kind, out):
            self._refuse(values)
        return out

    def _refuse(self, values: Vector) -> None:
        """Raise for a row whose raw predictions are not finite, unless they only overflow."""
        fine = np.isfinite(values)
        if not fine.all():
            place = int(np.argmin(fine))
            what, advice = (
                ("NaN", IMPUTE)
                if np.isnan(values[place])
                else ("infinity", "replace it or drop the row")
            )
            raise ValueError(
                f"row contains {what} in {column_text(place, self.feature_names)}; {advice}"
            )
        raw_prediction(values[None], *self._coef)  # which raises where terms cancel

    def __repr__(self) -> str:
        """Return one line: of what it is."""
        return f"Predictor({len(self.classes)} classes, {self.n_features} columns)"

    def __reduce__(self) -> tuple[object, ...]:
        """Return how to make it anew: compiled functions are not pickled."""
        coef, intercept = self._coef
        return _again, (
            coef, intercept, self.classes, self.multi_class, self.feature_names, self.categories,
        )  # fmt: skip


def _as_array(given: list[object], names: Sequence[str] | None) -> Array:
    """Return the values of a row as an array; raise where one of them is several."""
    try:
        values = np.array(given)
    except ValueError:  # of lists of several lengths
        values = np.empty((0, 0))
    if values.ndim != 1:
        assert names is not None  # of a row by names
        name = next(name for name, value in zip(names, given, strict=True) if np.ndim(value))  # type: ignore[arg-type]
        raise ValueError(
            f"row has several values for {name!r}; it must have one number for each name: give "
            "several rows as a frame, or as an array of two dimensions"
        )
    return values


def _is_named_row(row: object) -> bool:
    """Say whether it is a Series of pandas whose index are names, as a row of a frame."""
    index = getattr(row, "index", None)
    if getattr(row, "ndim", 0) != 1 or index is None or callable(index):
        return False
    return all(isinstance(name, str) for name in index)


def _as_dict(row: object) -> dict[str, object]:
    """Return the values of a Series by their names; raise where a name stands there twice."""
    pairs = list(row.items())  # type: ignore[attr-defined]  # a Series
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = next(
            name for name, count in Counter(name for name, _ in pairs).items() if count > 1
        )
        raise ValueError(f"row has {twice!r} twice; each name must stand there once")
    return found


def _again(
    coef: Floats, intercept: float | Vector, classes: Labels, multi_class: str,
    feature_names: list[str] | None, categories: Categories | None = None,
) -> Predictor:  # fmt: skip
    return Predictor(
        coef, intercept, classes, multi_class=multi_class, feature_names=feature_names,
        categories=categories,
    )  # fmt: skip
