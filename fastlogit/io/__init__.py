"""Data files in, predictions out: CSV, Parquet, Feather, .npz and svmlight.

A file becomes a table: named columns of equal length.  From a table the command line takes a
target, perhaps weights, and the feature matrix, always by name.  Every fault of a file is one
ValueError that names the file, the column and the line, so that it can be mended.

pyarrow reads CSV when it is installed (several times faster than the standard library, which
does the work otherwise) and is needed for Parquet and Feather.
"""

from fastlogit.io.categories import categorical_names, frame_as_fitted, frame_of
from fastlogit.io.columns import (
    complete_rows,
    feature_names,
    features,
    labels,
    target_name,
    unused_names,
    values_of,
    weights,
)
from fastlogit.io.formats import read_table
from fastlogit.io.svmlight import svmlight_source
from fastlogit.io.tables import Table
from fastlogit.io.values import TextFormat
from fastlogit.io.writing import WRITABLE, check_writable, write_columns

__all__ = [
    "WRITABLE",
    "Table",
    "TextFormat",
    "categorical_names",
    "check_writable",
    "complete_rows",
    "feature_names",
    "features",
    "frame_as_fitted",
    "frame_of",
    "labels",
    "read_table",
    "svmlight_source",
    "target_name",
    "unused_names",
    "values_of",
    "weights",
    "write_columns",
]
