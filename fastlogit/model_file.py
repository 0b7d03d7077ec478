"""A fitted model as a file that is safe to load.

The file is an uncompressed .npz (a zip of plain arrays) that is read with ``allow_pickle=False``:
loading it can run no code, whoever wrote it.  Arrays come back exact to the bit, and the zip's
checksums tell a damaged file from a whole one.

Arrays in it: ``coef``, ``intercept``, ``classes``, ``history``, ``feature_names``, since format 2
``l2_reg``, ``passes``, ``times`` and ``bounds``, whatever else of a result is an array, and
``meta``, a JSON text with everything else. Format 3 is that of fits alone whose JSON text says what
format 2 knows nothing of: the levels of categorical columns, another link than the logit, a
fractional response, or a reduction of bias.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastlogit.inputs.categories import Categories, categories_from
from fastlogit.objective.links import link_loss
from fastlogit.result import FitResult

FORMAT = "fastlogit model"
FORMAT_VERSION = 3
# Of a model that earlier versions read, and what of a result makes it one that they refuse.
PLAIN_VERSION = 2
_SINCE_3 = ("categories", "link", "fractional", "bias_reduction")

_ARRAYS = ("coef", "intercept", "classes", "history")
# A number or an array, which has always stood in the JSON text.
_EITHER = "suboptimality"
# Of a result, the name of an array of the model's.
_RESULT_NAMES = "feature_names"
# Of a result, what no file holds.
_OBJECTS = ("penalty", "loss")
# What a file says only where it is there, so that earlier versions read the others.
_LATER = (
    "l1_reg", "coef_bounds", "categories", "penalty_groups", "bias_reduction", "fractional",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Model:
    """A fit with what is needed to use it on other data.

    Attributes
    ----------
    result : FitResult
        The fit.
    feature_names : tuple of str
        Names of the columns of X, in order; of a data frame, where some are categorical.
    target : str
        Name of the column that is predicted.
    settings : mapping of str to JSON values
        The options of the fit, by name.
    fastlogit_version : str
        Version that made the fit.
    """

    result: FitResult
    feature_names: tuple[str, ...]
    target: str
    settings: Mapping[str, object]
    fastlogit_version: str


def save_model(model: Model, path: str | Path) -> None:
    """Write a model file; a file that is there already is replaced, whole or not at all.

    Parameters
    ----------
    model : Model
        What to write.
    path : str or Path
        The file, used as it is given (no suffix is added).

    Raises
    ------
    OSError
        If the file cannot be written.
    TypeError
        If it is no `Model`.
    ValueError
        If the number of names is not that of the columns, the result has a penalty or a loss that
        is an object, or a setting is none that JSON knows; all of them are named.
    """
    _check(model)
    _refuse_objects(model)
    path = Path(path)
    arrays = {name: np.asarray(getattr(model.result, name)) for name in _array_fields(model.result)}
    arrays["feature_names"] = np.array(model.feature_names, dtype=np.str_)
    arrays["meta"] = np.array(json.dumps(_meta(model)))
    if not path.parent.is_dir():
        raise FileNotFoundError(f"no such folder for the model file: {path.parent}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a model file")
    # A reader, or a second writer, never sees half a file.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def _check(model: object) -> None:
    """Raise unless it is a model, with a name for each column."""
    if not isinstance(model, Model):
        is_result = isinstance(model, FitResult) or hasattr(model, "result_")
        result = "result" if isinstance(model, FitResult) else "model.result_"
        how = f"Model({result}, feature_names, target, settings, fastlogit.__version__)"
        raise TypeError(
            f"save_model takes a fastlogit.model_file.Model, got {type(model).__name__}"
            + f"; make one: {how}" * is_result
        )
    n_names, n_columns = len(model.feature_names), _n_columns(model.result)
    if n_names != n_columns:
        raise ValueError(
            f"the model has {n_names} feature_names, but the fit had {n_columns} columns; give a "
            "name for each"
        )


def _n_columns(result: FitResult) -> int:
    """Return how many columns X had."""
    return len(result.coef) if result.categories is None else result.categories.n_columns


def _refuse_objects(model: Model) -> None:
    """Raise, naming all of them, if a model has objects that no file holds."""
    result = model.result
    own = {name: getattr(result, name) for name in _OBJECTS}
    held = {name: found for name, found in own.items() if found is not None}
    if result.link != "logit":
        del held["loss"]  # which the name of its link tells
    settings = {name: value for name, value in model.settings.items() if not _is_json(value)}
    if not held and not settings:
        return
    what = [f"the {name} {type(found).__name__} of the result" for name, found in held.items()]
    what += [f"the setting {name!r} ({type(value).__name__})" for name, value in settings.items()]
    advice = []
    if held:
        without = ", ".join(f"{name}=None" for name in held)
        advice.append(f"save dataclasses.replace(result, {without}), which predicts the same")
    if settings:
        advice.append("leave such settings out, or write them as text or numbers")
    raise ValueError(
        f"a model file holds arrays, numbers and text, not {_and(what)}: {', and '.join(advice)}"
    )


def _is_json(value: object) -> bool:
    """Tell whether a setting can stand in the JSON text."""
    try:
        json.dumps(_plain(value))
    except (TypeError, ValueError):  # of a type that JSON does not know, or in a circle
        return False
    return True


def _and(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _meta(model: Model) -> dict[str, object]:
    """Return everything that is not an array."""
    result = {
        field.name: _plain(getattr(model.result, field.name))
        for field in dataclasses.fields(model.result)
        if field.name not in (*_array_fields(model.result), *_OBJECTS, *_LATER)
    }
    categories = model.result.categories
    if categories is not None:
        result["categories"] = dataclasses.asdict(categories)
    if model.result.bias_reduction is not None:
        result["bias_reduction"] = model.result.bias_reduction
    if model.result.link != "logit":
        result["link"] = model.result.link
    if model.result.fractional:
        result["fractional"] = True
    is_plain = not any(name in result for name in _SINCE_3)
    return {
        "format": FORMAT,
        "format_version": PLAIN_VERSION if is_plain else FORMAT_VERSION,
        "fastlogit_version": model.fastlogit_version,
        "target": model.target,
        "settings": {name: _plain(value) for name, value in model.settings.items()},
        "result": result,
    }


def _array_fields(result: FitResult) -> list[str]:
    """Return the fields of a result that are kept as arrays, exact to the bit."""
    return [
        field.name
        for field in dataclasses.fields(result)
        if field.name in _ARRAYS
        or (
            isinstance(getattr(result, field.name), np.ndarray)
            and field.name not in (_EITHER, _RESULT_NAMES)
        )
    ]


def _plain(value: object) -> object:
    """Return NumPy scalars and arrays as Python numbers and lists, which JSON knows."""
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _umask() -> int:
    """Return the umask, which the system tells only while setting it."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def load_model(path: str | Path) -> Model:
    """Read a model file.

    Parameters
    ----------
    path : str or Path
        A file that `save_model` wrote.

    Returns
    -------
    Model
        As it was saved; arrays are exact to the bit.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no model file, is damaged or truncated, or a later fastlogit wrote it.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"no such model file: {path}")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory, not a model file")
    try:
        arrays = _read_arrays(path)
        meta = json.loads(str(arrays["meta"]))
        if meta["format"] != FORMAT:
            raise KeyError("format")
        version = int(meta["format_version"])
    except _DAMAGE as error:
        raise ValueError(
            f"{path} is not a fastlogit model file, or is damaged or truncated; "
            "make one with: fastlogit fit DATA --target COLUMN --out MODEL"
        ) from error
    if version > FORMAT_VERSION:
        raise ValueError(
            f"{path} has model format {version}, written by fastlogit "
            f"{meta.get('fastlogit_version')}; this version reads up to {FORMAT_VERSION}: "
            "upgrade with pip install -U fastlogit"
        )
    return _build(path, arrays, meta)


#: What reading can raise on bytes that are not a whole model file.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    NotImplementedError,
    MemoryError,
)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Read all arrays; the zip's checksum of each is verified on the way."""
    with zipfile.ZipFile(path) as archive:
        # We write uncompressed: a member that unpacks to more than the file is not ours.
        if any(member.file_size > path.stat().st_size for member in archive.infolist()):
            raise ValueError("compressed member")
    # np.load leaves a file that it opened itself open when it fails.
    with path.open("rb") as raw:
        file = np.load(raw, allow_pickle=False)
        return {name: file[name] for name in file.files}


def _build(path: Path, arrays: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> Model:
    """Put a model together and check that its parts fit each other."""
    try:
        names = tuple(str(name) for name in arrays["feature_names"])
        fields: dict[str, Any] = {name: arrays[name] for name in _ARRAYS}
        known = {field.name for field in dataclasses.fields(FitResult)} - {_RESULT_NAMES}
        fields |= {name: arrays[name] for name in known & arrays.keys()}
        categories = categories_from(meta["result"].pop("categories", None))
        _check_shapes(names, fields, categories)
        if fields["intercept"].ndim == 0:
            fields["intercept"] = fields["intercept"].item()
        rest = {_EITHER: np.inf, **meta["result"]}  # files of format 1 had none
        if isinstance(rest[_EITHER], list):
            rest[_EITHER] = np.array(rest[_EITHER])
        loss = link_loss(rest.pop("link", "logit"))
        result = FitResult(**fields, **rest, categories=categories, loss=loss)
        return Model(
            result, names, meta["target"], dict(meta["settings"]), meta["fastlogit_version"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is a damaged fastlogit model file: {error}") from error


def _check_shapes(
    names: tuple[str, ...], fields: Mapping[str, NDArray[Any]], categories: Categories | None
) -> None:
    """Raise unless names, coefficients, intercept and classes belong together."""
    n_features = len(names)
    if categories is not None:
        if categories.n_columns != len(names):
            raise ValueError(
                f"{len(names)} names, but categories of {categories.n_columns} columns"
            )
        n_features = categories.n_features
    coef, intercept, classes = fields["coef"], fields["intercept"], fields["classes"]
    n_classes = len(classes)
    columns = () if n_classes == 2 else (n_classes,)
    if coef.shape != (n_features, *columns) or intercept.shape != columns:
        raise ValueError(
            f"{n_features} columns and {n_classes} classes, but coefficients of shape "
            f"{coef.shape} and an intercept of shape {intercept.shape}"
        )
