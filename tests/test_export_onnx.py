"""Models as ONNX: a runtime gives what predict_proba gives."""

import builtins
import dataclasses
import json

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from test_export import CASES, FAR, FRAME, ODD, ROWS, THREE, TWO, fitted

import fastlogit
from fastlogit.export import to_onnx

# Rooms above the kernels.
pytestmark = pytest.mark.jit


def session_of(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def inputs(rows, dtype=float):
    """Return the columns of a frame as a graph with categories takes them."""
    kinds = dict.fromkeys(rows.columns, dtype) | {
        "carrier": object, "month": np.int64, "weekend": bool,
    }  # fmt: skip
    return {name: rows[name].to_numpy(kinds[name])[:, np.newaxis].copy() for name in rows}


@pytest.mark.parametrize("case", CASES)
def test_a_runtime_gives_what_predict_proba_gives(case):
    result = fitted(case)
    expected = result.predict_proba(ROWS)
    label, proba = session_of(to_onnx(result)).run(["label", "probabilities"], inputs(ROWS))
    np.testing.assert_allclose(proba, expected, rtol=0, atol=1e-15)
    np.testing.assert_allclose(proba[:-4], expected[:-4], rtol=1e-13)
    assert label.tolist() == result.predict(ROWS).tolist()


def test_float_has_the_error_that_is_stated():
    result = fastlogit.fit(FRAME[[ODD, FAR, "flag"]], TWO, C=1.0)
    rows = ROWS[[ODD, FAR, "flag"]].to_numpy()
    graph = to_onnx(result, "float")
    _, proba = session_of(graph).run(None, {"X": rows.astype(np.float32)})
    assert proba.dtype == np.float32
    size = np.abs(rows * result.coef).sum(axis=1) + abs(result.intercept)
    error = np.abs(proba - result.predict_proba(rows)).max(axis=1)
    assert (error <= 6e-8 * (3 + 2) * size / 4 + 6e-8).all()
    assert error.max() > 1e-9  # it is no double
    names = {each.key: each.value for each in graph.metadata_props}["columns"]
    assert json.loads(names) == [ODD, FAR, "flag"]


def test_the_threshold_is_of_the_second_class():
    result = fastlogit.fit(FRAME[["flag"]].to_numpy(), np.where(TWO == "yes", 9, 7), C=1.0)
    result = dataclasses.replace(result, coef=np.zeros(1), intercept=0.0)
    X = np.ones((1, 1))
    label, proba = session_of(to_onnx(result)).run(None, {"X": X})
    assert label.tolist() == result.predict(X).tolist() == [9]
    assert proba.tolist() == [[0.5, 0.5]]


def test_missing_numbers_and_levels_that_were_not_in_the_fit():
    strict, lenient = session_of(to_onnx(fitted("two"))), session_of(to_onnx(fitted("zero")))
    rows = FRAME.head(2).astype({"carrier": object})
    rows.iloc[0, 0] = np.nan
    assert np.isnan(strict.run(None, inputs(rows))[1]).all(axis=1).tolist() == [True, False]
    rows.iloc[0, 0] = 0.5
    rows.iloc[1, 4] = "ZZ"
    with pytest.raises(Exception, match="out of data bounds"):
        strict.run(None, inputs(rows))
    expected = fitted("zero").predict_proba(rows)
    np.testing.assert_allclose(lenient.run(None, inputs(rows))[1], expected, atol=1e-15)


@pytest.mark.parametrize("y", [THREE == 1, THREE / 1.0, THREE], ids=["bool", "float", "int"])
def test_labels_are_those_of_the_fit(y):
    result = fastlogit.fit(FRAME[[ODD, "flag"]], y, C=1.0, multi_class="multinomial")
    rows = FRAME[[ODD, "flag"]].to_numpy()
    label = session_of(to_onnx(result)).run(["label"], {"X": rows})[0]
    assert label.dtype == y.dtype
    assert label.tolist() == result.predict(rows).tolist()


def test_errors_say_what_to_do(monkeypatch):
    levels = fastlogit.fit(pd.DataFrame({"m": pd.Categorical([0.5, 1.5] * 3)}), [0, 1] * 3, C=1.0)
    with pytest.raises(ValueError, match=r"column 'm' are of type float; make them text"):
        to_onnx(levels)
    far = pd.Categorical(np.array([2**63, 1] * 3, dtype=np.uint64))
    with pytest.raises(ValueError, match="'m' has the level 9223372036854775808, and ONNX"):
        to_onnx(fastlogit.fit(pd.DataFrame({"m": far}), [0, 1] * 3, C=1.0))
    named = fastlogit.fit(FRAME[["carrier"]], TWO, C=1.0)
    with pytest.raises(ValueError, match=r"column 'label' has the name of an output"):
        to_onnx(named, feature_names=["label"])
    with pytest.raises(ValueError, match="precision must be"):
        to_onnx(named, "half")
    with pytest.raises(ValueError, match="link='cloglog'"):
        to_onnx(fastlogit.fit(FRAME[["flag"]], TWO, C=1.0, link="cloglog"))
    large = dataclasses.replace(named, coef=1e39 * np.ones_like(named.coef))
    with pytest.raises(ValueError, match="too large for float; take precision='double'"):
        to_onnx(large, "float")
    found = builtins.__import__

    def without_onnx(name, *rest, **others):
        if name == "onnx":
            raise ModuleNotFoundError("No module named 'onnx'", name="onnx")
        return found(name, *rest, **others)

    monkeypatch.setattr(builtins, "__import__", without_onnx)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'fastlogit\[onnx\]'"):
        to_onnx(named)
