"""Draws inference-*.png beside it, the pictures of docs/inference.md, or into the folder given."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from sklearn.datasets import load_breast_cancer

import fastlogit

mpl.use("Agg")

from matplotlib import pyplot as plt

COLUMNS = ["mean radius", "mean texture"]


def draw(folder: Path) -> list[Path]:
    """Fit the tumours (569 x 3), draw each display, and return the files."""
    tumours = load_breast_cancer(as_frame=True)
    X = tumours.data[COLUMNS].assign(smoothness=100.0 * tumours.data["mean smoothness"])
    y = np.where(tumours.target == 0, "malignant", "benign")
    study = fastlogit.infer(fastlogit.fit(X, y, C=np.inf), X, y)
    rows = study.diagnostics()
    every = {
        "forest": fastlogit.ForestDisplay.from_inference(study),
        "residuals": fastlogit.ResidualsDisplay.from_inference(rows),
        "deviance": fastlogit.ResidualsDisplay.from_inference(rows, kind="deviance"),
        "influence": fastlogit.InfluenceDisplay.from_inference(rows),
        "calibration": fastlogit.CalibrationDisplay.from_inference(rows),
        "added-variable": fastlogit.AddedVariableDisplay.from_inference(rows, "mean texture"),
    }
    files = []
    for name, display in every.items():
        files.append(folder / f"inference-{name}.png")
        display.figure_.savefig(files[-1], dpi=80)
        plt.close(display.figure_)
    return files


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
