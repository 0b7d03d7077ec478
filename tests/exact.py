"""Optima and costs at 60 digits, from the formulas alone: what proven bounds are held against."""

from typing import Any

import mpmath
import numpy as np

DIGITS = 60
ITERATIONS = 200


def numbers(values: Any) -> Any:
    """Return an array of mpmath's numbers, exactly those of `values`."""
    array = np.asarray(values, dtype=np.float64)
    each = [mpmath.mpf(float(value)) for value in array.ravel()]
    return np.array(each, dtype=object).reshape(array.shape)


class ExactProblem:
    """Mean loss plus L2 penalty of one model: binomial (n_classes 1) or softmax.

    `offset` has shape (n_samples, n_classes); theta (n_classes, n_features + 1).
    """

    def __init__(
        self, X: Any, codes: Any, n_classes: int, l2_reg: Any, weight: Any, offset: Any,
        fit_intercept: bool,
    ) -> None:  # fmt: skip
        n_samples, n_features = np.shape(X)
        ones = np.full((n_samples, 1), mpmath.mpf(1), dtype=object)
        self.rows = np.concatenate([numbers(X), ones], axis=1)
        self.codes, self.n_classes = codes, n_classes
        self.l2 = numbers(np.append(np.broadcast_to(l2_reg, n_features), 0.0))
        self.weight = numbers(np.ones(n_samples) if weight is None else weight)
        self.offset = numbers(np.zeros((n_samples, n_classes)) if offset is None else offset)
        self.free = np.tile(np.append(np.ones(n_features, bool), fit_intercept), n_classes)

    def _losses(self, theta: Any) -> tuple[Any, Any]:
        """Return losses (n_samples,) and probabilities (n_samples, n_classes)."""
        raw = self.rows @ theta.T + self.offset
        losses, probas = [], []
        for z, code in zip(raw, self.codes, strict=True):
            scores = [mpmath.mpf(0), *z] if self.n_classes == 1 else list(z)
            top = max(scores)
            terms = [mpmath.exp(s - top) for s in scores]
            total = mpmath.fsum(terms)
            own = int(code)
            others = mpmath.fsum(t for k, t in enumerate(terms) if k != own)
            losses.append(top - scores[own] + mpmath.log(terms[own] + others))
            probas.append([t / total for t in terms[-self.n_classes :]])
        return np.array(losses, dtype=object), np.array(probas, dtype=object)

    def cost(self, theta: Any) -> Any:
        losses, _ = self._losses(theta)
        return self.weight @ losses / self.weight.sum() + (self.l2 * theta**2).sum() / 2

    def optimum(self, start: Any) -> Any:
        """Return the least cost; None where it is not reached, as where there is none."""
        theta, cost = start, self.cost(start)
        for _ in range(ITERATIONS):
            gradient, hessian = self._derivatives(theta)
            step = _solve(hessian, gradient)
            decrement = gradient @ step
            if decrement <= mpmath.mpf(10) ** (-DIGITS + 15) * cost:
                return cost
            shape, size = theta.shape, mpmath.mpf(1)
            while True:
                trial = theta.ravel().copy()
                trial[self.free] -= size * step
                found = self.cost(trial.reshape(shape))
                if found < cost:
                    break
                size /= 4
                if size < mpmath.mpf(10) ** -40:
                    return None
            theta, cost = trial.reshape(shape), found
        return None

    def _derivatives(self, theta: Any) -> tuple[Any, Any]:
        _, probas = self._losses(theta)
        shares = self.weight / self.weight.sum()
        width, K = self.rows.shape[1], self.n_classes
        hits = np.equal.outer(self.codes, [1] if K == 1 else np.arange(K)).astype(int)
        residual = shares[:, None] * (probas - hits)
        gradient = (residual.T @ self.rows + self.l2 * theta).ravel()
        hessian = np.empty((K, width, K, width), dtype=object)
        for a in range(K):
            for b in range(K):
                bend = shares * probas[:, a] * ((a == b) - probas[:, b])
                hessian[a, :, b] = (self.rows * bend[:, None]).T @ self.rows
            hessian[a, range(width), a, range(width)] += self.l2
        hessian = hessian.reshape(K * width, K * width)
        return gradient[self.free], hessian[np.ix_(self.free, self.free)]


def _solve(matrix: Any, right: Any) -> Any:
    """Return a solution of a semidefinite system: 0 where a pivot is nothing but rounding."""
    a, x = matrix.copy(), right.copy()
    size = len(x)
    first = [a[k, k] for k in range(size)]
    used = []
    for k in range(size):
        if not a[k, k] > mpmath.mpf(10) ** (-DIGITS + 12) * first[k]:
            continue
        used.append(k)
        for row in range(size):
            if row != k and a[row, k] != 0:
                factor = a[row, k] / a[k, k]
                a[row] = a[row] - factor * a[k]
                x[row] = x[row] - factor * x[k]
    solution = np.full(size, mpmath.mpf(0), dtype=object)
    for k in used:
        solution[k] = x[k] / a[k, k]
    return solution
