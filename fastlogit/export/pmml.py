"""A model as PMML 4.4: a RegressionModel. Checked with JPMML, which runs on Java."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import fastlogit
from fastlogit.inputs.coded_frame import Level

from .scoring import Column, Exportable, Pairs, Scoring, check_levels, scoring_of

__all__ = ["to_pmml"]

# https://www.w3.org/TR/xml/#charsets
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_TYPES = {str: "string", int: "integer", float: "double", bool: "boolean"}


def to_pmml(model: Exportable, *, feature_names: Sequence[str] | None = None) -> str:
    """Return a model as PMML 4.4.

    Parameters
    ----------
    model : FitResult, Model or fitted estimator
        Of the logistic link: of two classes, or a softmax.
    feature_names : sequence of str, optional
        Names of the columns, where the fit has none or others; x0, x1, ... without.

    Returns
    -------
    str
        XML with a ``RegressionModel``, whose outputs are ``label`` and ``proba_LABEL`` of each
        class. A missing number makes the result missing; a category that was not in the fit is
        invalid, or adds nothing with ``handle_unknown="zero"``.

    Raises
    ------
    TypeError, ValueError
        If it is no model, or one that cannot be written so: PMML normalises the hypotheses of
        one-vs-all.
    """
    scoring = scoring_of(model, feature_names)
    scoring.check_logistic("PMML")
    if not scoring.is_binary and scoring.multi_class == "ovr":
        raise ValueError(
            "PMML has no one-vs-all probabilities that are not divided by their sum; fit with "
            "multi_class='multinomial', or export SQL, ONNX or JSON"
        )
    for column in scoring.columns:
        check_levels(column)
    _check_names(scoring)
    _check_texts(scoring)
    root = ET.Element("PMML", version="4.4", xmlns="http://www.dmg.org/PMML-4_4")
    header = ET.SubElement(root, "Header")
    ET.SubElement(header, "Application", name="fastlogit", version=fastlogit.__version__)
    target = _target(scoring)
    _dictionary(root, scoring, target)
    _regression(root, scoring, target)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True)


def _check_names(scoring: Scoring) -> None:
    """Raise ValueError where a column has the name of something else in the document."""
    known = {"label", *(f"proba_{label}" for label in scoring.classes)}
    for each in scoring.pairs:
        for place in each[:2]:
            column = scoring.columns[place]
            known |= {_indicator(column.name, _text(level)) for level in column.levels or ()}
    for column in scoring.columns:
        if column.name in known:
            raise ValueError(
                f"column {column.name!r} has the name of an output or of a level in the PMML "
                "document; rename it"
            )


def _check_texts(scoring: Scoring) -> None:
    """Raise ValueError where a text has a character that no XML has."""
    texts = [scoring.target or "", *map(str, scoring.classes)]
    for column in scoring.columns:
        texts += [column.name, *map(str, column.levels or ())]
    for text in texts:
        if found := NOT_IN_XML.search(text):
            raise ValueError(
                f"{text!r} has the character U+{ord(found[0]):04X}, which XML, and so PMML, has "
                "not; rename it"
            )


def _target(scoring: Scoring) -> str:
    """Return a name for the target that no column has."""
    name = scoring.target or "target"
    while name in {column.name for column in scoring.columns}:
        name += "_"
    return name


def _dictionary(root: ET.Element, scoring: Scoring, target: str) -> None:
    found = ET.SubElement(root, "DataDictionary")
    _field(found, target, scoring.classes)
    for column in scoring.columns:
        _field(found, column.name, column.levels)


def _type_of(levels: Sequence[Level]) -> str:
    """Return the type of categories or labels; engines have integers of 32 bits."""
    kinds = {type(level) for level in levels}
    if kinds == {int} and any(not -(2**31) <= level < 2**31 for level in levels):  # type: ignore[operator]
        return "string"
    return _TYPES[kinds.pop()] if len(kinds) == 1 else "double"


def _field(parent: ET.Element, name: str, levels: Sequence[Level] | None) -> None:
    if levels is None:
        ET.SubElement(parent, "DataField", name=name, optype="continuous", dataType="double")
        return
    kind = _type_of(levels)
    field = ET.SubElement(parent, "DataField", name=name, optype="categorical", dataType=kind)
    for level in levels:
        ET.SubElement(field, "Value", value=_text(level))


def _regression(root: ET.Element, scoring: Scoring, target: str) -> None:
    model = ET.SubElement(
        root, "RegressionModel", functionName="classification",
        normalizationMethod="logit" if scoring.is_binary else "softmax",
    )  # fmt: skip
    schema = ET.SubElement(model, "MiningSchema")
    ET.SubElement(schema, "MiningField", name=target, usageType="target")
    treatment = "asIs" if scoring.handle_unknown == "zero" else "returnInvalid"
    for column in scoring.columns:
        field = ET.SubElement(schema, "MiningField", name=column.name)
        if column.levels is not None:
            field.set("invalidValueTreatment", treatment)
            field.set("missingValueTreatment", treatment)
    _outputs(model, scoring)
    _indicators(model, scoring)
    # Of two classes the first table is the one whose logistic function is taken.
    if scoring.is_binary:
        _table(model, scoring, scoring.classes[1], 0)
        ET.SubElement(
            model, "RegressionTable", intercept="0", targetCategory=_text(scoring.classes[0])
        )
        return
    for place, label in enumerate(scoring.classes):
        _table(model, scoring, label, place)


def _outputs(model: ET.Element, scoring: Scoring) -> None:
    output = ET.SubElement(model, "Output")
    kind = _type_of(scoring.classes)
    ET.SubElement(
        output, "OutputField", name="label", optype="categorical", dataType=kind,
        feature="predictedValue",
    )  # fmt: skip
    for label in scoring.classes:
        ET.SubElement(
            output, "OutputField", name=f"proba_{label}", optype="continuous", dataType="double",
            feature="probability", value=_text(label),
        )  # fmt: skip


def _indicators(model: ET.Element, scoring: Scoring) -> None:
    """Write indicators of the levels that interactions multiply."""
    wanted = {
        (place, level): None
        for each in scoring.pairs
        for pair in each.pairs
        for place, level in zip(each[:2], pair, strict=True)
    }
    if not wanted:
        return
    parent = ET.SubElement(model, "LocalTransformations")
    for place, level in wanted:
        name, value = scoring.columns[place].name, _level(scoring.columns[place], level)
        field = ET.SubElement(
            parent, "DerivedField", name=_indicator(name, value), optype="continuous",
            dataType="double",
        )  # fmt: skip
        # A missing category that is no error adds nothing, as its indicators are 0.
        ET.SubElement(field, "NormDiscrete", field=name, value=value, mapMissingTo="0")


def _table(model: ET.Element, scoring: Scoring, label: Level, output: int) -> None:
    """Write the sum of one output."""
    table = ET.SubElement(
        model, "RegressionTable", intercept=repr(float(scoring.intercept[output])),
        targetCategory=_text(label),
    )  # fmt: skip
    # The schema wants numbers before categories, and those before products.
    for column in scoring.columns:
        if column.levels is None:
            coef = repr(float(column.coef[0, output]))
            ET.SubElement(table, "NumericPredictor", name=column.name, coefficient=coef)
    for column in scoring.columns:
        for place, value in enumerate(column.coef[:, output].tolist() if column.levels else ()):
            ET.SubElement(
                table, "CategoricalPredictor", name=column.name, value=_level(column, place),
                coefficient=repr(value),
            )  # fmt: skip
    for each in scoring.pairs:
        _products(table, scoring, each, output)


def _products(table: ET.Element, scoring: Scoring, pairs: Pairs, output: int) -> None:
    first, second = scoring.columns[pairs.first], scoring.columns[pairs.second]
    for (one, other), value in zip(pairs.pairs, pairs.coef[:, output].tolist(), strict=True):
        term = ET.SubElement(table, "PredictorTerm", coefficient=repr(value))
        for column, level in ((first, one), (second, other)):
            ET.SubElement(term, "FieldRef", field=_indicator(column.name, _level(column, level)))


def _indicator(name: str, level: str) -> str:
    return f"{name}[{level}]"


def _level(column: Column, place: int) -> str:
    return _text((column.levels or ())[place])


def _text(level: Level) -> str:
    return str(level).lower() if isinstance(level, bool) else str(level)
