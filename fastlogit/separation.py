"""Whether a combination of columns separates the classes: then no unpenalised optimum exists.

With a direction v such that the margins (+1 or -1 for the class) * (x_i' v) are all >= 0 and some
are > 0, the cost falls for ever along v (Albert and Anderson, 1984, Biometrika 71). The classes are
separated *completely* where all margins are > 0, else *quasi-completely*.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .objective import Objective

__all__ = ["Separation"]

# Coefficients on the standardised scale, iterations and cost from which on a look is worth a pass.
LARGE = 8.0
ITERATIONS = 8
# Margins of a separating direction may be wrong by this share of the largest one.
SLACK = 1e-7
# Columns named in a message: those with at least this share of the largest coefficient.
SHARE = 0.1
# Up to this many numbers in X a linear programme decides.
LINEAR_PROGRAMME = 2_000_000


class Separation:
    """Looks for separation while unpenalised models are being fitted."""

    def __init__(self, objective: Objective) -> None:
        self.objective = objective
        self.found: dict[int, Any] = {}
        self._last: Any = None
        varying = objective.design.columns.inverse_scale > 0.0
        free = (objective.l2_reg[:, varying] == 0.0).any(axis=1)
        self._possible = np.broadcast_to(free, objective.n_models)

    def look(self, theta: Any, n_iter: int) -> Any:
        """Return which models are separated, from the iterates; looks at the rows now and then."""
        separated = np.zeros(self.objective.n_models, dtype=bool)
        if not self._possible.any():
            return separated
        if n_iter % 4 == 0 and n_iter >= ITERATIONS:
            large = np.abs(theta).max(axis=1) > LARGE
            for model in np.flatnonzero(large & self._possible):
                if int(model) not in self.found:
                    self._look_at(int(model), theta)
            self._last = theta.copy()
        separated[list(self.found)] = True
        return separated

    def decide(self, models: Any) -> None:
        """Ask a linear programme about models that did not converge, where X is small enough."""
        if self.objective.design.shape[0] * self.objective.design.shape[1] > LINEAR_PROGRAMME:
            return
        for model in models:
            if self._possible[model] and int(model) not in self.found:
                direction = self._programme(int(model))
                if direction is not None:
                    self.found[int(model)] = direction

    def columns(self, model: int) -> tuple[list[int], bool]:
        """Return the columns that separate a model's classes, and whether one alone does."""
        alone = self._alone(model)
        if alone:
            return alone, True
        size = np.abs(self.found[model][:-1])
        return [int(column) for column in np.flatnonzero(size >= SHARE * size.max())], False

    def _look_at(self, model: int, theta: Any) -> None:
        candidates = [theta[model]]
        if self._last is not None:
            candidates.append(theta[model] - self._last[model])
        for direction in candidates:
            size = np.abs(direction).max()
            if size > 0.0 and self._separates(model, direction / size):
                self.found[model] = direction / size
                return

    def _signs(self, model: int) -> tuple[Any, Any]:
        targets = self.objective.targets
        codes = targets.codes[min(model, len(targets.codes) - 1)]
        signs = np.where(codes == targets.positive[model], 1.0, -1.0)
        sets = targets.weights
        used = sets[min(model, len(sets) - 1)] > 0.0 if len(sets) else np.ones(codes.size, bool)
        return signs, used

    def _separates(self, model: int, direction: Any) -> bool:
        last = direction[-1:] * self.objective.fit_intercept
        raw = self.objective.design.raw_prediction(direction[None, :-1].copy(), last)[0]
        signs, used = self._signs(model)
        margins = (raw * signs)[used]
        largest = float(np.abs(margins).max())
        # Nearly 0 everywhere is a direction that the data do not identify.
        return largest > 1e-3 and float(margins.min()) >= -SLACK * largest

    def _alone(self, model: int) -> list[int]:
        """Return the columns of which each alone separates the classes (ties allowed)."""
        signs, used = self._signs(model)
        n_features = self.objective.design.shape[1]
        found = []
        positive, negative = used & (signs > 0), used & (signs < 0)
        offers = range(n_features) if self.objective.fit_intercept else ()
        for column in offers:
            values = self.objective.design.column(column)
            high, low = values[positive], values[negative]
            separates = high.min() >= low.max() or high.max() <= low.min()
            if separates and values[used].min() < values[used].max():
                found.append(column)
        return found

    def _programme(self, model: int) -> Any:
        """Maximise the sum of margins, none negative, over a box (Konis, 2007, Oxford thesis)."""
        from scipy.optimize import linprog

        signs, used = self._signs(model)
        center, inverse_scale = self.objective.design.columns
        n_features = self.objective.design.shape[1]
        columns = [
            (self.objective.design.column(column)[used] - center[column]) * inverse_scale[column]
            for column in range(n_features)
        ]
        columns.append(np.full(int(used.sum()), float(self.objective.fit_intercept)))
        margins = np.column_stack(columns) * signs[used, None]
        found = linprog(
            -margins.mean(axis=0), A_ub=-margins, b_ub=np.zeros(len(margins)), bounds=(-1.0, 1.0),
            method="highs",
        )  # fmt: skip
        if not found.success or not self._separates(model, found.x):
            return None
        return found.x
