"""Model files: exact to the bit, safe to load, and one clear error for anything else."""

import dataclasses
import json
import os
import pickle
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris

import fastlogit
from fastlogit.inputs.categories import Categories
from fastlogit.model_file import FORMAT_VERSION, Model, load_model, save_model
from fastlogit.objective.links import link_loss
from fastlogit.objective.losses import RowLoss
from fastlogit.objective.penalties import L2
from fastlogit.result import FitResult

SETTINGS = {"solver": "auto", "tol": 1e-6, "step_size": "auto", "max_iter": 100, "weights": None}


def fitted(classes, n_features=3):
    """Return a model with awkward numbers: subnormal, signed zero, thirds, the largest."""
    classes = np.asarray(classes)
    columns = () if len(classes) == 2 else (len(classes),)
    coef = np.random.default_rng(0).standard_normal((n_features, *columns)) / 3
    coef.flat[:3] = 5e-324, -0.0, np.finfo(float).max
    result = FitResult(
        coef=coef,
        intercept=1 / 3 if not columns else np.arange(columns[0]) / 7,
        classes=classes,
        n_iter=7,
        n_passes=11.043,
        converged=True,
        message="converged: nothing moved by more than 1e-06",
        history=np.geomspace(0.7, 1e-3, 8),
        gradient_norm=1e-7 / 3,
        suboptimality=1e-13 / 3 if not columns else np.arange(columns[0]) / 3e13,
        seconds=0.1,
        solver="gradient_descent",
    )
    names = ("mean radius", "Größe", "x,\"'")[:n_features]
    return Model(result, names, "kind", SETTINGS, "0.1.0")


def saved(tmp_path, model):
    """Return the path of a new file with this model."""
    path = tmp_path / "model.npz"
    save_model(model, path)
    return path


@pytest.mark.parametrize(
    "classes",
    [["benign", "malignant"], [0, 1], [-1, 5, 9], [False, True], [0.5, 1.5], ["ä", "b", "c d"]],
)
def test_round_trip_is_exact(tmp_path, classes):
    model = fitted(classes)
    again = load_model(saved(tmp_path, model))
    for field in dataclasses.fields(FitResult):
        value, value_again = getattr(model.result, field.name), getattr(again.result, field.name)
        assert type(value_again) is type(value), field.name
        assert np.asarray(value_again).dtype == np.asarray(value).dtype
        assert np.asarray(value_again).tobytes() == np.asarray(value).tobytes(), field.name
    assert dataclasses.replace(again, result=model.result) == model


def test_every_field_of_a_result_survives(tmp_path):
    """Each holds something else than its default, so that none can be forgotten."""
    model = fitted(["a", "b", "c"])
    rng = np.random.default_rng(1)
    more = {
        "multi_class": "multinomial", "l2_reg": rng.random((3, 3)), "fit_intercept": False,
        "passes": rng.random(8), "times": rng.random(8), "bounds": np.full((8, 3), np.inf),
        "feature_names": list(model.feature_names), "l1_reg": rng.random((3, 3)),
        "coef_bounds": rng.random((2, 3)), "penalty_groups": np.array(["one", "two", "one"]),
        "categories": Categories(model.feature_names, (None, ("a",), None), "full"),
        "fractional": True,
        "bias_reduction": "flic",
    }  # fmt: skip
    names = {field.name for field in dataclasses.fields(FitResult)}
    more = {name: value for name, value in more.items() if name in names}
    result = dataclasses.replace(model.result, **more)
    again = load_model(saved(tmp_path, dataclasses.replace(model, result=result))).result
    for field in dataclasses.fields(FitResult):
        value, value_again = getattr(result, field.name), getattr(again, field.name)
        assert type(value_again) is type(value), field.name
        np.testing.assert_array_equal(value_again, value, err_msg=field.name)
        if field.default is not dataclasses.MISSING:
            given = (
                field.name in ("penalty", "loss") or value is not field.default
            )  # it never has a value
            assert given, f"{field.name}: give it a value in this test"


def test_a_penalty_that_is_an_object_is_refused(tmp_path):
    model = fitted(["a", "b"])
    result = dataclasses.replace(model.result, penalty=L2(1.0, 2))
    with pytest.raises(ValueError, match=r"not the penalty L2 of the result: .*penalty=None\)"):
        saved(tmp_path, dataclasses.replace(model, result=result))
    assert not list(tmp_path.iterdir())


class Wavy(RowLoss):
    """A loss of a user's own."""

    most_curvature = 0.25

    def rows(self, raw, is_positive):
        raise NotImplementedError


def test_all_objects_are_named_at_once(tmp_path):
    model = fitted(["a", "b"])
    result = dataclasses.replace(model.result, penalty=L2(1.0, 2), loss=Wavy())
    settings = {"C": np.float64(1.0), "Cs": np.ones(2), "loss": Wavy(), "names": {"a"}}
    with pytest.raises(ValueError, match="not the penalty L2 of the result") as caught:
        saved(tmp_path, dataclasses.replace(model, result=result, settings=settings))
    assert str(caught.value) == (
        "a model file holds arrays, numbers and text, not the penalty L2 of the result, the loss "
        "Wavy of the result, the setting 'loss' (Wavy) and the setting 'names' (set): save "
        "dataclasses.replace(result, penalty=None, loss=None), which predicts the same, and leave "
        "such settings out, or write them as text or numbers"
    )
    assert not list(tmp_path.iterdir())
    plain = dataclasses.replace(result, penalty=None, loss=None)
    saved(tmp_path, dataclasses.replace(model, result=plain, settings={"C": 1.0}))


@pytest.mark.parametrize("options", [{}, {"multi_class": "multinomial"}, {"solver": "newton-cg"}])
@pytest.mark.jit
def test_a_real_fit_survives(tmp_path, options):
    data = load_iris()
    result = fastlogit.fit(data.data, data.target_names[data.target], C=1.0, **options)
    model = Model(result, tuple(data.feature_names), "kind", {}, fastlogit.__version__)
    again = load_model(saved(tmp_path, model)).result
    for field in dataclasses.fields(FitResult):
        np.testing.assert_array_equal(
            getattr(again, field.name), getattr(result, field.name), err_msg=field.name
        )
    np.testing.assert_array_equal(again.predict_proba(data.data), result.predict_proba(data.data))


# Written by the code of these formats: tumours and irises of scikit-learn, format 2 with C=1.0,
# format 1 with l2_reg=1e-3.
OLD = {
    "tumours-format-1": ("diagnosis", 3, {"l2_reg": 1e-3}),
    "tumours-0.1.0": ("diagnosis", 3, {"C": 1.0}),
    "irises-0.1.0": ("kind", 4, {"C": 1.0, "multi_class": "multinomial"}),
}


@pytest.mark.parametrize("name", OLD)
@pytest.mark.jit
def test_files_of_earlier_versions_are_read(name):
    target, n_features, options = OLD[name]
    model = load_model(Path(__file__).parent / "data" / f"{name}.model.npz")
    assert (model.target, model.fastlogit_version) == (target, "0.1.0")
    assert model.settings["solver"] == "auto"
    data = load_breast_cancer() if target == "diagnosis" else load_iris()
    rows = slice(150)
    X = data.data[rows, :n_features]
    assert model.feature_names == tuple(data.feature_names[:n_features])
    fresh = fastlogit.fit(X, data.target_names[data.target[rows]], **options)
    assert model.result.classes.tolist() == fresh.classes.tolist()
    tolerance = 1e-3 if "format-1" in name else 1e-6
    np.testing.assert_allclose(
        model.result.predict_proba(X), fresh.predict_proba(X), atol=tolerance
    )
    if "format-1" in name:
        assert model.result.suboptimality == np.inf
    else:
        assert model.result.suboptimality <= 1e-12
        np.testing.assert_array_equal(model.result.l2_reg, fresh.l2_reg)


def test_nothing_proven_stays_nothing_proven(tmp_path):
    for classes in ([0, 1], [0, 1, 2]):
        model = fitted(classes)
        bound = np.inf if len(classes) == 2 else np.array([0.1, np.inf, 0.0])
        result = dataclasses.replace(model.result, suboptimality=bound)
        again = load_model(saved(tmp_path, dataclasses.replace(model, result=result)))
        np.testing.assert_array_equal(again.result.suboptimality, bound)


def test_a_file_of_0_1_0_had_no_bound(tmp_path):
    path = saved(tmp_path, fitted([0, 1]))
    with np.load(path) as file:
        arrays = dict(file)
    meta = json.loads(str(arrays["meta"]))
    del meta["result"]["suboptimality"]
    arrays["meta"] = np.array(json.dumps(meta))
    with path.open("wb") as file:
        np.savez(file, **arrays)
    assert load_model(path).result.suboptimality == np.inf


def test_same_model_same_bytes(tmp_path):
    first = saved(tmp_path, fitted([0, 1])).read_bytes()
    assert saved(tmp_path, fitted([0, 1])).read_bytes() == first


def test_numpy_numbers_in_the_result_are_saved(tmp_path):
    model = fitted([0, 1])
    result = dataclasses.replace(model.result, gradient_norm=np.float64(0.1), n_iter=np.int64(3))
    again = load_model(saved(tmp_path, dataclasses.replace(model, result=result)))
    assert (again.result.gradient_norm, again.result.n_iter) == (0.1, 3)


def test_the_file_keeps_its_name_and_the_usual_permissions(tmp_path):
    path = tmp_path / "model.bin"
    save_model(fitted([0, 1]), path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.bin"]
    other = tmp_path / "other"
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_a_failed_save_leaves_the_old_file_and_no_other(tmp_path):
    path = saved(tmp_path, fitted([0, 1]))
    before = path.read_bytes()
    bad = dataclasses.replace(fitted([0, 1]), settings={"callback": object()})
    with pytest.raises(ValueError, match=r"the setting 'callback' \(object\)"):
        save_model(bad, path)
    bad_result = dataclasses.replace(bad.result, classes=np.array([object(), None]))
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        save_model(dataclasses.replace(fitted([0, 1]), result=bad_result), path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["model.npz"]


def test_truncated_anywhere(tmp_path):
    path = saved(tmp_path, fitted(["a", "b", "c"]))
    whole = path.read_bytes()
    for length in (*range(0, len(whole), 97), len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="is not a fastlogit model file, or is damaged"):
            load_model(path)


def test_one_changed_bit_in_the_numbers_is_noticed(tmp_path):
    model = fitted([0, 1])
    path = saved(tmp_path, model)
    content = bytearray(path.read_bytes())
    content[content.index(model.result.coef.tobytes()) + 5] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        load_model(path)


class Bomb:
    """Would leave a mark if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (str(self.path),))


def test_a_pickle_is_never_loaded(tmp_path):
    bomb = Bomb(tmp_path / "exploded")
    bare = tmp_path / "bare.npz"
    bare.write_bytes(pickle.dumps(bomb))
    inside = tmp_path / "inside.npz"
    np.savez(inside, meta=np.array([bomb], dtype=object))
    for path in (bare, inside):
        with pytest.raises(ValueError, match="is not a fastlogit model file"):
            load_model(path)
    assert not bomb.path.exists()


def test_a_zip_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("coef.npy", b"\0" * 10_000_000)
    with pytest.raises(ValueError, match="is not a fastlogit model file"):
        load_model(path)


def with_meta(path, **changes):
    """Write the model file at `path` again with other entries of `meta`."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    meta = json.loads(str(arrays["meta"])) | changes
    arrays["meta"] = np.array(json.dumps(meta))
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("of_fit", "version"),
    [
        ({}, 2),
        ({"l1_reg": np.full(3, 0.1)}, 2),
        ({"bias_reduction": "mean"}, 3),
        ({"fractional": True}, 3),
        ({"loss": link_loss("probit")}, 3),
    ],
)
def test_the_format_is_that_of_the_earliest_reader(tmp_path, of_fit, version):
    model = fitted([0, 1])
    path = saved(
        tmp_path, dataclasses.replace(model, result=dataclasses.replace(model.result, **of_fit))
    )
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
    assert meta["format_version"] == version


def test_a_later_format_says_to_upgrade(tmp_path):
    path = saved(tmp_path, fitted([0, 1]))
    with_meta(path, format_version=FORMAT_VERSION + 1, fastlogit_version="9.9")
    with pytest.raises(ValueError, match=r"written by fastlogit 9\.9; .* upgrade with pip"):
        load_model(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something else"}, "is not a fastlogit model file"),
        ({"format_version": "new"}, "is not a fastlogit model file"),
        ({"result": {}}, "is a damaged fastlogit model file"),
        ({"settings": None}, "is a damaged fastlogit model file"),
    ],
)
def test_meta_of_another_kind(tmp_path, changes, message):
    path = saved(tmp_path, fitted([0, 1]))
    with_meta(path, **changes)
    with pytest.raises(ValueError, match=message):
        load_model(path)


def test_parts_that_do_not_fit_each_other(tmp_path):
    path = saved(tmp_path, fitted([0, 1]))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **arrays | {"feature_names": np.array(["only one"])})
    with pytest.raises(ValueError, match="1 columns and 2 classes, but coefficients of shape"):
        load_model(path)


def test_data_file_in_place_of_a_model(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.eye(3), y=np.zeros(3))
    with pytest.raises(ValueError, match="make one with: fastlogit fit DATA"):
        load_model(path)


def test_no_file_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such model file"):
        load_model(tmp_path / "none.npz")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        load_model(tmp_path)


def test_what_cannot_be_saved_is_said_before_a_file_is_written(tmp_path):
    model = fitted(["a", "b"])
    for given in (model.result, SimpleNamespace(result_=model.result)):
        with pytest.raises(
            TypeError, match=r"takes a fastlogit.model_file.Model, got .*; make one"
        ):
            save_model(given, tmp_path / "m.npz")
    with pytest.raises(TypeError, match=r"got str$"):
        save_model("m.npz", tmp_path / "m.npz")
    with pytest.raises(ValueError, match="has 2 feature_names, but the fit had 3 columns"):
        save_model(dataclasses.replace(model, feature_names=("a", "b")), tmp_path / "m.npz")
    with pytest.raises(FileNotFoundError, match=r"no such folder for the model file: .*absent$"):
        save_model(model, tmp_path / "absent" / "m.npz")
    with pytest.raises(IsADirectoryError, match="is a directory, not a model file"):
        save_model(model, tmp_path)
    assert not list(tmp_path.iterdir())
