"""Covariances from the formulas, in plain NumPy with matrices as large as the rows are many."""

from typing import Any, NamedTuple

import numpy as np
from scipy import optimize, stats
from scipy.special import expit


class Exact(NamedTuple):
    """A binomial model at its optimum: design with its column of ones first, and derivatives."""

    Z: Any
    coef: Any
    residual: Any
    curvature: Any
    information: Any


def optimum(X: Any, y: Any, weight: Any = None, offset: Any = 0.0, intercept: bool = True) -> Exact:
    """Newton's method from 0, to rounding."""
    X = np.asarray(X, dtype=np.float64)
    Z = np.column_stack([np.ones(len(y)), X]) if intercept else X
    weight = np.ones(len(y)) if weight is None else weight
    coef = np.zeros(Z.shape[1])
    for _ in range(60):
        p = expit(Z @ coef + offset)
        curvature = weight * p * (1.0 - p)
        information = (Z.T * curvature) @ Z
        residual = weight * (p - y)
        step = np.linalg.solve(information, Z.T @ residual)
        coef = coef - step
    return Exact(Z, coef, residual, curvature, information)


def hat_values(model: Exact) -> Any:
    inverse = np.linalg.inv(model.information)
    return model.curvature * np.einsum("ij,jk,ik->i", model.Z, inverse, model.Z)


def sandwich(model: Exact, power: float, factor: float = 1.0) -> Any:
    """HC0 (power 0), HC2 (1), HC3 (2)."""
    inverse = np.linalg.inv(model.information)
    squares = model.residual**2 / (1.0 - hat_values(model)) ** power
    return factor * inverse @ (model.Z.T * squares) @ model.Z @ inverse


def cluster(model: Exact, clusters: Any, factor: float = 1.0) -> Any:
    """CR0 times a factor."""
    inverse = np.linalg.inv(model.information)
    meat = np.zeros_like(inverse)
    for label in np.unique(clusters):
        slope = model.Z[clusters == label].T @ model.residual[clusters == label]
        meat += np.outer(slope, slope)
    return factor * inverse @ meat @ inverse


def bias_reduced(model: Exact, clusters: Any, power: float) -> tuple[Any, Any]:
    """CR2 (power 0.5) or CR3 (1), with Satterthwaite's degrees of freedom, of whitened rows."""
    used = model.curvature > 0.0
    root = np.sqrt(model.curvature[used])
    W, errors = model.Z[used] * root[:, None], model.residual[used] / root
    return bias_reduced_of(W, errors, np.asarray(clusters)[used], power)


def bias_reduced_of(W: Any, errors: Any, clusters: Any, power: float) -> tuple[Any, Any]:
    """The same of rows W whose errors have variance 1 each.

    Pustejovsky and Tipton (2018), sections 2 and 3, for rows that are whitened by the root of their
    curvature: the whole hat matrix, and the adjustment of each cluster by its eigenvectors.
    """
    inverse = np.linalg.inv(W.T @ W)
    rest = np.eye(len(W)) - W @ inverse @ W.T
    meat, adjusted = np.zeros_like(inverse), adjustments(W, clusters, power)
    for own, adjust in adjusted:
        slope = W[own].T @ adjust @ errors[own]
        meat += np.outer(slope, slope)
    dfs = []
    for contrast in np.eye(len(inverse)):
        p = np.zeros((len(adjusted), len(W)))
        for row, (own, adjust) in enumerate(adjusted):
            p[row, own] = adjust @ W[own] @ inverse @ contrast
        products = p @ rest @ p.T
        dfs.append(np.trace(products) ** 2 / (products**2).sum())
    return inverse @ meat @ inverse, np.array(dfs)


def adjustments(W: Any, clusters: Any, power: float) -> list[Any]:
    """The rows of each cluster, and what their errors are multiplied by."""
    rest = np.eye(len(W)) - W @ np.linalg.inv(W.T @ W) @ W.T
    found = []
    for label in np.unique(clusters):
        own = clusters == label
        values, vectors = np.linalg.eigh(rest[np.ix_(own, own)])
        powers = np.where(values > 1e-9, np.maximum(values, 1e-9) ** -power, 0.0)
        found.append((own, (vectors * powers) @ vectors.T))
    return found


def hotelling(W: Any, clusters: Any, power: float, contrasts: Any) -> float:
    """Eta of HTZ: the variances of all elements of D, Pustejovsky and Tipton (2018), section 3.2.

    D is the estimate in the root of its mean; each covariance of two clusters is written out.
    """
    inverse = np.linalg.inv(W.T @ W)
    rest = np.eye(len(W)) - W @ inverse @ W.T
    p = []
    for own, adjust in adjustments(W, clusters, power):
        each = np.zeros((len(contrasts), len(W)))
        each[:, own] = contrasts @ inverse @ W[own].T @ adjust
        p.append(each)
    mean = sum(each @ rest @ each.T for each in p)
    values, vectors = np.linalg.eigh(mean)
    p = [(vectors / np.sqrt(values)) @ vectors.T @ each for each in p]
    size, total = len(contrasts), 0.0
    for s in range(size):
        for t in range(size):
            for one in p:
                for other in p:
                    total += (one[s] @ rest @ other[s]) * (one[t] @ rest @ other[t])
                    total += (one[s] @ rest @ other[t]) * (one[t] @ rest @ other[s])
    return size * (size + 1) / total


def softmax_whitened(X: Any, codes: Any, n_classes: int, reference: int = 0) -> tuple[Any, Any]:
    """Rows of all classes but the reference, whitened by the symmetric root of their curvature.

    Returns W (n_samples * (n_classes - 1), n_parameters) and errors, row after row.
    """
    coef = softmax_optimum(X, codes, n_classes, reference)[0]
    Z = np.column_stack([np.ones(len(codes)), X])
    others = [label for label in range(n_classes) if label != reference]
    W, errors = [], []
    for z, code in zip(Z, codes, strict=True):
        raw = np.zeros(n_classes)
        raw[others] = coef @ z
        p = np.exp(raw) / np.exp(raw).sum()
        values, vectors = np.linalg.eigh(np.diag(p[others]) - np.outer(p[others], p[others]))
        W.append((vectors * np.sqrt(values)) @ vectors.T @ np.kron(np.eye(len(others)), z))
        residual = p[others] - np.eye(n_classes)[code][others]
        errors.append((vectors / np.sqrt(values)) @ vectors.T @ residual)
    return np.concatenate(W), np.concatenate(errors)


def softmax_optimum(X: Any, codes: Any, n_classes: int, reference: int = 0) -> tuple[Any, Any, Any]:
    """Coefficients (n_classes - 1, n_columns + 1), the information matrix and slopes of rows."""
    Z = np.column_stack([np.ones(len(codes)), X])
    others = [label for label in range(n_classes) if label != reference]
    coef = np.zeros((n_classes - 1, Z.shape[1]))
    size = coef.size
    for _ in range(60):
        raw = np.zeros((len(Z), n_classes))
        raw[:, others] = Z @ coef.T
        p = np.exp(raw - raw.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        residual = (p - np.eye(n_classes)[codes])[:, others]
        own = p[:, others]
        middle = own[:, :, None] * (np.eye(len(others)) - own[:, None, :])
        information = np.einsum("nkl,ni,nj->kilj", middle, Z, Z).reshape(size, size)
        slopes = np.einsum("nk,ni->nki", residual, Z).reshape(len(Z), size)
        coef = coef - np.linalg.solve(information, slopes.sum(axis=0)).reshape(coef.shape)
    return coef, information, slopes


def restricted_loss(Z: Any, codes: Any, place: int, start: Any, weight: Any, offset: Any) -> Any:
    """Least sum of losses with one coefficient as at the start, of two classes or a softmax.

    By Newton's method with halved steps over the other coefficients. Coefficients of a softmax are
    those of the classes after the first, one after the other.
    """
    n_classes = int(codes.max()) + 1
    size = Z.shape[1] * (n_classes - 1)
    labels = np.eye(n_classes)[codes][:, 1:]
    others = np.arange(size) != place
    coef = np.array(start)

    def at(coef: Any) -> Any:
        raw = Z @ coef.reshape(n_classes - 1, -1).T + np.reshape(offset, (-1, 1))
        whole = np.column_stack([np.zeros(len(Z)), raw])
        total = np.logaddexp.reduce(whole, axis=1)
        return (weight * (total - (labels * raw).sum(axis=1))).sum(), np.exp(
            whole - total[:, None]
        )[:, 1:]

    cost, p = at(coef)
    for _ in range(500):
        slope = np.einsum("n,nk,ni->ki", weight, p - labels, Z).reshape(-1)
        middle = p[:, :, None] * (np.eye(n_classes - 1) - p[:, None, :])
        curved = np.einsum("n,nkl,ni,nj->kilj", weight, middle, Z, Z).reshape(size, size)
        curved = curved[np.ix_(others, others)]
        step = np.linalg.solve(
            curved + 1e-14 * np.trace(curved) * np.eye(len(curved)), slope[others]
        )
        gain = float(step @ slope[others])
        if gain < 1e-13:
            break
        share = 1.0
        while share > 1e-9:
            near = coef.copy()
            near[others] -= share * step
            found, p = at(near)
            if found <= cost - 1e-4 * share * gain:
                break
            share *= 0.5
        coef, cost = near, found
    return cost


def profile_end(
    Z: Any, codes: Any, place: int, coef: Any, tangent: Any, weight: Any = None,
    offset: Any = 0.0, level: float = 0.95, least: float | None = None,
) -> float:  # fmt: skip
    """Where twice the rise of the least loss is chi-squared's quantile, by scipy's brentq.

    `tangent` goes in the direction of the end, about as long as the way there; `least` is the sum
    of losses at `coef` by default.
    """
    weight = np.ones(len(Z)) if weight is None else weight
    if least is None:
        least = restricted_loss(Z, codes, place, coef, weight, offset)

    def rise(share: float) -> float:
        start = coef + share * tangent
        found = restricted_loss(Z, codes, place, start, weight, offset)
        return float(2.0 * (found - least) - stats.chi2.ppf(level, 1))

    far = 1.0
    while rise(far) < 0.0:
        far += 1.0
    share = optimize.brentq(rise, 0.0, far, xtol=1e-14, rtol=1e-14)
    return float(coef[place] + share * tangent[place])
