"""Frames with categorical columns, and the same as indicators, for all that read them."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
from problems import sized

N_SAMPLES = sized(600, 80)
CARRIERS = ["UA", "AA", "DL", "B6"]


def frame_of(n_samples=N_SAMPLES, seed=0) -> pd.DataFrame:
    """Two columns of numbers, one of texts in an order of their own, one of whole numbers."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "distance": rng.normal(size=n_samples),
        "carrier": pd.Categorical(rng.choice(CARRIERS, n_samples), categories=CARRIERS),
        "delay": rng.normal(size=n_samples) + 2.0,
        "month": pd.Categorical(rng.integers(1, 4, n_samples), ordered=True),
    })  # fmt: skip


def labels_of(X, n_classes=2, seed=1):
    rng = np.random.default_rng(seed)
    score = X["distance"] + (X["carrier"] == "AA") - 0.5 * (X["month"].astype(int) - 2)
    noisy = np.asarray(score) + rng.logistic(size=len(X))
    return np.digitize(noisy, np.quantile(noisy, np.arange(1, n_classes) / n_classes))


def indicators(X, coding) -> pd.DataFrame:
    """The same by `pandas.get_dummies`, in the order of the columns."""
    parts = [
        pd.get_dummies(X[[name]], dtype=float, drop_first=coding == "reference")
        if isinstance(X[name].dtype, pd.CategoricalDtype)
        else X[[name]]
        for name in X
    ]
    return pd.concat(parts, axis=1)


FRAME = frame_of()
Y = labels_of(FRAME)
FULL = [
    "distance", "carrier[UA]", "carrier[AA]", "carrier[DL]", "carrier[B6]", "delay", "month[1]",
    "month[2]", "month[3]",
]  # fmt: skip
REFERENCE = [name for name in FULL if name not in ("carrier[UA]", "month[1]")]
OTHERS = {
    "another order": FRAME.assign(
        carrier=FRAME["carrier"].cat.reorder_categories(["B6", "UA", "DL", "AA"])
    ),
    "more categories": FRAME.assign(
        carrier=FRAME["carrier"].cat.set_categories(["A", *CARRIERS[::-1], "ZZ"])
    ),
    "text": FRAME.astype({"carrier": str, "month": int}),
    "objects": FRAME.astype({"carrier": object, "month": object}),
    "polars": pl.from_pandas(FRAME.astype({"carrier": str, "month": int})).with_columns(
        pl.col("carrier").cast(pl.Categorical)
    ),
    "polars, Enum": pl.from_pandas(FRAME.astype({"carrier": str, "month": int})).with_columns(
        pl.col("carrier").cast(pl.Enum(["B6", "AA", "UA", "DL"]))
    ),
    "arrow": pa.Table.from_pandas(FRAME, preserve_index=False),
    "arrow, dictionaries that differ": pa.concat_tables(
        pa.table({
            "distance": part["distance"],
            "carrier": pa.array(part["carrier"].astype(str)).dictionary_encode(),
            "delay": part["delay"],
            "month": pa.array(part["month"].astype(int)).dictionary_encode(),
        })
        for part in (FRAME[:30], FRAME[30:])
    ),
}  # fmt: skip
