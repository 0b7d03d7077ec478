"""A model as ONNX: a graph of basic operators, in double unless float is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

import fastlogit
from fastlogit.arrays import Array, Matrix
from fastlogit.options import check_option

from .scoring import Column, Exportable, Pairs, Scoring, scoring_of

__all__ = ["to_onnx"]

PRECISIONS = {"double": np.float64, "float": np.float32}
# Versions that runtimes have read since 2022.
_IR, _OPSET, _ML_OPSET = 8, 17, 2


def to_onnx(
    model: Exportable, precision: str = "double", *, feature_names: Sequence[str] | None = None
) -> Any:
    """Return a model as an ONNX graph; needs the package onnx (``pip install 'fastlogit[onnx]'``).

    Parameters
    ----------
    model : FitResult, Model or fitted estimator
        Of the logistic link.
    precision : {"double", "float"}, default "double"
        Of inputs, coefficients and probabilities. Float adds an error of about
        ``6e-8 * (n_features + 2) * sum(abs(x * coef))`` to raw predictions, at most a quarter of
        that to probabilities; labels flip in rows so near the threshold.
    feature_names : sequence of str, optional
        Names of the columns, where the fit has none or others; x0, x1, ... without.

    Returns
    -------
    onnx.ModelProto
        Without categorical columns it has one input, ``X`` of shape (n, n_columns); else an input
        of shape (n, 1) for each column, of its name: numbers, text, int64 or bool. Outputs:
        ``label`` (n,) and ``probabilities`` (n, n_classes). A missing number gives NaN; a category
        that was not in the fit is an error at run time (an index out of bounds), or adds nothing
        with ``handle_unknown="zero"``.

    Raises
    ------
    ModuleNotFoundError
        If there is no onnx.
    TypeError, ValueError
        If it is no model, or one that cannot be written so.
    """
    dtype = np.dtype(PRECISIONS[check_option("precision", precision, tuple(PRECISIONS))])
    scoring = scoring_of(model, feature_names)
    scoring.check_logistic("ONNX")
    onnx = _onnx()
    if scoring.is_binary:  # the probability of each class has all its digits
        graph = _Graph(onnx, scoring.combined(np.array([[-1.0, 1.0]])), dtype)
    else:
        graph = _Graph(onnx, scoring, dtype)
    return graph.model()


def _onnx() -> ModuleType:
    """Return the package, or say what to install."""
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "ONNX needs the package onnx; install it with: pip install 'fastlogit[onnx]'"
        ) from error
    return onnx


class _Graph:
    """Builds a graph node by node."""

    def __init__(self, onnx: ModuleType, scoring: Scoring, dtype: np.dtype[Any]) -> None:
        self.onnx, self.scoring, self.dtype = onnx, scoring, dtype
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.constants: list[Any] = []
        self.taken = {column.name for column in scoring.columns}

    def model(self) -> Any:
        """Return the whole model."""
        scoring, helper = self.scoring, self.onnx.helper
        raw = self._raw_prediction()
        is_softmax = scoring.multi_class == "multinomial" and not scoring.is_binary
        proba = self._node("Softmax", [raw], axis=1) if is_softmax else self._logistic(raw)
        # Two classes: the second at the threshold too.
        best = self._node(
            "ArgMax", [raw], axis=1, keepdims=0, select_last_index=int(scoring.is_binary)
        )
        label = self._node("Gather", [self._constant(_labels(scoring.classes)), best], axis=0)
        self._output(label, "label")
        self._output(proba, "probabilities")
        labels = self._type(_labels(scoring.classes).dtype)
        outputs = [
            helper.make_tensor_value_info("label", labels, ["n"]),
            helper.make_tensor_value_info(
                "probabilities", self._type(self.dtype), ["n", len(scoring.classes)]
            ),
        ]
        graph = helper.make_graph(
            self.nodes, "fastlogit", self.inputs, outputs, initializer=self.constants
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
        built = helper.make_model(
            graph, ir_version=_IR, opset_imports=opsets, producer_name="fastlogit",
            producer_version=fastlogit.__version__,
        )  # fmt: skip
        names = json.dumps([column.name for column in scoring.columns])
        facts = {
            "columns": names,
            "target": scoring.target or "",
            "multi_class": scoring.multi_class,
        }
        helper.set_model_props(built, facts)
        self.onnx.checker.check_model(built, full_check=True)
        return built

    def _raw_prediction(self) -> str:
        """Return the sums of each class."""
        columns = self.scoring.columns
        intercept = self._constant(self._numbers(self.scoring.intercept[None]))
        numbers = [column for column in columns if column.levels is None]
        coded = [column for column in columns if column.levels is not None]
        parts = []
        if not coded:
            self._input("X", self._type(self.dtype), len(columns))
            parts.append(self._product("X", numbers))
        elif numbers:
            for column in numbers:
                self._input(column.name, self._type(self.dtype), 1)
            joined = self._node("Concat", [column.name for column in numbers], axis=1)
            parts.append(self._product(joined, numbers))
        codes = {column.name: self._codes(column) for column in coded}
        parts += [self._level_sums(column, codes[column.name]) for column in coded]
        parts += [
            self._pair_sums(each, codes[columns[each.first].name], codes[columns[each.second].name])
            for each in self.scoring.pairs
        ]
        total = intercept
        for part in parts:
            total = self._node("Add", [part, total])
        return total

    def _logistic(self, raw: str) -> str:
        # Where exp is infinite this is 0. Of Sigmoid in double onnxruntime 1.32 gives small
        # probabilities as 1 less a large one: at 1e-5 11 digits are right.
        one = self._constant(np.ones(1, dtype=self.dtype))
        tail = self._node("Exp", [self._node("Neg", [raw])])
        return self._node("Div", [one, self._node("Add", [one, tail])])

    def _product(self, rows: str, columns: Sequence[Column]) -> str:
        coef = np.vstack([column.coef for column in columns])
        return self._node("MatMul", [rows, self._constant(self._numbers(coef))])

    def _codes(self, column: Column) -> str:
        """Return the codes of a categorical column, (n,); that of another level is their number."""
        levels = list(column.levels or ())
        name, kinds = column.name, {type(level) for level in levels}
        n_levels = len(levels)
        numbers = list(range(n_levels))
        if kinds == {str}:
            self._input(name, self.onnx.TensorProto.STRING, 1)
            flat = self._flat(name)
            return self._encoded(flat, n_levels, keys_strings=levels, values_int64s=numbers)
        if kinds in ({int}, {bool}):
            kind = self.onnx.TensorProto.INT64 if kinds == {int} else self.onnx.TensorProto.BOOL
            self._input(name, kind, 1)
            flat = self._flat(name)
            if kinds == {bool}:
                flat = self._node("Cast", [flat], to=self.onnx.TensorProto.INT64)
            keys = [int(level) for level in levels]
            if beyond := [key for key in keys if not -(2**63) <= key < 2**63]:
                raise ValueError(
                    f"column {name!r} has the level {beyond[0]}, and ONNX has whole numbers up to "
                    f"{2**63 - 1}; make texts of them, and fit again"
                )
            return self._encoded(flat, n_levels, keys_int64s=keys, values_int64s=numbers)
        said = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise ValueError(
            f"ONNX has categories of text, whole numbers or booleans, and the levels of column "
            f"{name!r} are of type {said}; make them text, and fit again"
        )

    def _level_sums(self, column: Column, codes: str) -> str:
        # Without a row for other levels their code is out of bounds, which is an error.
        coef = column.coef
        return self._rows_of(coef, codes, has_rest=self.scoring.handle_unknown == "zero")

    def _pair_sums(self, pairs: Pairs, first: str, second: str) -> str:
        """Return what pairs of levels add; nothing where there was no such pair in the fit."""
        width = len(self.scoring.columns[pairs.second].levels or ()) + 1
        times = self._node("Mul", [first, self._constant(np.array([width]))])
        both = self._node("Add", [times, second])
        keys = [one * width + other for one, other in pairs.pairs]
        places = self._encoded(
            both, len(keys), keys_int64s=keys, values_int64s=list(range(len(keys)))
        )
        return self._rows_of(pairs.coef, places, has_rest=True)

    def _rows_of(self, coef: Matrix, places: str, *, has_rest: bool) -> str:
        table = np.vstack([coef, np.zeros((int(has_rest), coef.shape[1]))])
        return self._node("Gather", [self._constant(self._numbers(table)), places], axis=0)

    def _encoded(self, values: str, default: int, **tables: object) -> str:
        return self._node(
            "LabelEncoder", [values], domain="ai.onnx.ml", default_int64=default, **tables
        )

    def _flat(self, name: str) -> str:
        return self._node("Reshape", [name, self._constant(np.array([-1]))])

    def _numbers(self, values: Matrix) -> Array:
        with np.errstate(over="ignore"):
            found = values.astype(self.dtype)
        if not np.isfinite(found).all():
            raise ValueError("a coefficient is too large for float; take precision='double'")
        return found

    def _type(self, dtype: np.dtype[Any]) -> int:
        if dtype.kind == "O":
            return self.onnx.TensorProto.STRING
        return self.onnx.helper.np_dtype_to_tensor_dtype(dtype)

    def _input(self, name: str, kind: int, width: int) -> None:
        if name in ("label", "probabilities"):
            raise ValueError(f"column {name!r} has the name of an output; rename it")
        info = self.onnx.helper.make_tensor_value_info(name, kind, ["n", width])
        self.inputs.append(info)

    def _constant(self, values: Array) -> str:
        name = self._name("constant")
        if values.dtype.kind == "O":
            made = self.onnx.helper.make_tensor(
                name, self.onnx.TensorProto.STRING, values.shape, [v.encode() for v in values]
            )
        else:
            made = self.onnx.numpy_helper.from_array(values, name)
        self.constants.append(made)
        return name

    def _node(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = self._name(kind)
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _output(self, value: str, name: str) -> None:
        self.nodes.append(self.onnx.helper.make_node("Identity", [value], [name], name=name))

    def _name(self, kind: str) -> str:
        """Return a name that no column has."""
        number = len(self.nodes) + len(self.constants)
        name = f"{kind}_{number}"
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name


def _labels(classes: Sequence[object]) -> Array:
    """Return the labels as a tensor of text, whole numbers, numbers or booleans."""
    labels = np.array(classes)
    return labels.astype(object) if labels.dtype.kind in "US" else labels
