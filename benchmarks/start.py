"""asv: time of the import, and of first calls in fresh processes with cold and warm cache."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from .fresh import FIRST_CALLS, first_call


class Import:
    """`import fastlogit` above `import numpy`, and the latter for comparison."""

    def timeraw_fastlogit(self) -> tuple[str, str]:
        return "import fastlogit", "import numpy"

    def timeraw_numpy(self) -> str:
        return "import numpy"


class FirstCall:
    """Seconds from `import fastlogit` to the first result, on the tumour data."""

    params = (list(FIRST_CALLS), ["cold", "warm"])
    param_names = ("call", "compile cache")
    unit = "s"

    def setup(self, call: str, compile_cache: str) -> None:
        from sklearn.datasets import load_breast_cancer

        self.folder = tempfile.TemporaryDirectory()
        X, y = load_breast_cancer(return_X_y=True)
        np.save(self.x_file, X)
        np.save(self.y_file, y)
        if compile_cache == "warm":
            first_call(call, self.x_file, self.y_file)

    def teardown(self, call: str, compile_cache: str) -> None:
        self.folder.cleanup()

    @property
    def x_file(self) -> Path:
        return Path(self.folder.name, "X.npy")

    @property
    def y_file(self) -> Path:
        return Path(self.folder.name, "y.npy")

    def track_seconds(self, call: str, compile_cache: str) -> float:
        """Cold: an empty cache folder for this process alone. Warm: the user's own."""
        cache = Path(self.folder.name, "cache") if compile_cache == "cold" else None
        _, seconds = first_call(call, self.x_file, self.y_file, cache)
        return seconds
