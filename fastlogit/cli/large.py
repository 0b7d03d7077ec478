"""Parquet that does not fit in memory, and folders of it: as sources, not as tables."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fastlogit.cli.errors import say
from fastlogit.design.mapped import available_memory
from fastlogit.options import UNKNOWN, check_option

if TYPE_CHECKING:
    from fastlogit.model_file import Model
    from fastlogit.sources.source import ParquetSource

__all__ = ["is_large", "predict_large", "source_of_fit"]

# Read at once a file takes its decoded columns twice: a larger share of the memory that is left is
# read as a source.
SHARE = 0.25


def is_large(data: Path) -> bool:
    """Say whether it is a folder, or a Parquet file whose decoded rows are a large part of memory.

    A file that cannot be read is left to those who read files, and have the words for it.
    """
    if data.is_dir():
        return True
    if data.suffix.lower() not in (".parquet", ".pq") or not data.is_file():
        return False
    try:
        from pyarrow import parquet

        found = parquet.read_metadata(data)
    except Exception:  # what is wrong with it is said where it is read
        return False
    return bool(8.0 * found.num_rows * found.num_columns > SHARE * available_memory())


def source_of_fit(
    data: Path, target: str | None, weights: str | None, drop: Sequence[str],
    categories: Sequence[str], *, drop_missing: bool, groups: str | None = None,
    folds: str | None = None,
) -> tuple[ParquetSource, tuple[str, ...]]:  # fmt: skip
    """Return the rows of a fit, and the names of their columns.

    Columns of text are categories, as of files that fit.

    Raises
    ------
    ValueError, TypeError
        If there is no target, or a column is missing, or of no use.
    """
    from fastlogit.sources.layout import is_text, layout_of
    from fastlogit.sources.source import ParquetSource

    if target is None:
        raise ValueError(f"{data}: --target is missing; it is the column to predict")
    nulls = "drop" if drop_missing else "error"
    plain = ParquetSource(data, target=target, sample_weight=weights, nulls=nulls)
    names = plain.schema.names
    for name in drop:
        if name not in names:
            raise ValueError(f"{data} has no column {name!r} (--drop)")
    left_out = {target, weights, groups, folds, *drop}
    features = [name for name in names if name not in left_out and "__index_level_" not in name]
    texts = [name for name in features if is_text(plain.schema.field(name).type)]
    asked = [name for text in categories for name in text.split(",")]
    source = ParquetSource(
        data, target=target, sample_weight=weights, features=features, nulls=nulls, groups=groups,
        folds=folds,
        categorical=list(dict.fromkeys([*texts, *asked])),
    )  # fmt: skip
    layout = layout_of(source.schema, source.roles, features, source.categorical, str(data))
    if texts:
        say(f"note: read as categories: {', '.join(map(repr, texts))}")
    return source, layout.columns


def predict_large(
    model: Model, data: Path, out: Path | None, handle_unknown: str | None, *, proba: bool,
    threshold: float, threads: int | None,
) -> int:  # fmt: skip
    """Write predictions block by block; return how many rows there are.

    Raises
    ------
    ValueError
        If they are not to be written as Parquet, which is written in blocks.
    """
    from fastlogit.sources.source import ParquetSource
    from fastlogit.sources.writing import write_predictions

    if out is None or out.suffix.lower() != ".parquet":
        raise ValueError(
            f"{data} is read in blocks, and so are predictions written: give --out NAME.parquet"
        )
    result = model.result
    categories = result.categories
    if categories is not None and handle_unknown is not None:
        rule = check_option("--handle-unknown", handle_unknown, UNKNOWN)
        result = dataclasses.replace(result, categories=categories.taking(rule))
    if categories is None:
        result = dataclasses.replace(result, feature_names=list(model.feature_names))
    return write_predictions(
        result, ParquetSource(data), out, proba=proba, threshold=threshold, n_threads=threads
    )
