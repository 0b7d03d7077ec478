"""Hessians of the rows that a stream has left behind: whole, or a diagonal and leading directions.

What `online.OnlineLogistic` adds to, batch by batch. Few columns have a matrix for each model, or
one that couples the classes of a softmax; many have a diagonal and the leading directions of the
rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np

from ..arrays import Cube, Floats, Matrix, Vector
from ..design.sparse import SparseDesign
from ..linalg.factors import Factor
from ..objective.objective import Objective
from ..objective.row_state import RowCurvature

__all__ = [
    "Blocks",
    "Coupled",
    "Hessian",
    "Linear",
    "LowRank",
    "diagonal_hessian",
    "refuse_too_many",
]

# What a matrix does to vectors of each model, (n_models, n_parameters).
Linear: TypeAlias = Callable[[Matrix], Matrix]

# Columns that others explain up to this share have rounding errors only for a curvature.
DEPENDENT = 1e-12
# Hessians have at most this many columns, or this many if they couple classes, and this many
# numbers in all (64 MB).
MAX_SIZE = 500
MAX_COUPLED = 1000
MAX_NUMBERS = 2**23
# Above this many columns several models share a preconditioner.
OWN_FACTORS = 120
# Of the Hessian of wider rows: rank of what is kept besides the diagonal, and rows added at a time.
RANK = 64
SKETCH_ROWS = 64
# Columns of them that are worked on together, and the bytes that all of it may take.
SKETCH_COLUMNS = 2**15
# Sparse rows of which all products are made, and vectors that a pass takes.
SPARSE_ROWS, MODELS = 512, 8
MAX_STATE_BYTES = 2**31


class Hessian(Protocol):
    """Sum of the Hessians of penalty and rows of the past."""

    def product(self, vectors: Matrix) -> Matrix:
        """Return its products with vectors (n_models, n_parameters)."""

    def plus(self, objective: Objective, curvature: RowCurvature, weight: float) -> Hessian:
        """Return the sum with the Hessian of the rows of an objective, whose weight is given."""

    def with_diagonal(self, diagonals: Matrix) -> Hessian:
        """Return the sum with a diagonal for each output, (n_outputs, size)."""

    def inverse(self, objective: Objective, curvature: RowCurvature, weight: float) -> Linear:
        """Return a preconditioner of the same sum."""


def diagonal_hessian(diagonals: Matrix, n_classes: int) -> Hessian:
    """Return a diagonal, given for each output, in the form that suits its size."""
    n_outputs, size = diagonals.shape
    if size > MAX_SIZE or n_outputs * size**2 > MAX_NUMBERS:
        return LowRank(diagonals, np.zeros((n_outputs, 0, size)), n_classes)
    blocks = np.array([np.diag(diagonal) for diagonal in diagonals])
    if n_classes == 1 or n_outputs * size > MAX_COUPLED:
        return Blocks(blocks, n_classes)
    matrix = np.zeros((n_outputs, size, n_outputs, size))
    for output in range(n_outputs):
        matrix[output, :, output] = blocks[output]
    return Coupled(matrix)


@dataclass(frozen=True)
class Blocks:
    """A matrix for each output, (n_outputs, size, size); for softmax without what couples them."""

    blocks: Cube
    n_classes: int

    def product(self, vectors: Matrix) -> Matrix:
        """Return its products with vectors."""
        outputs = vectors.reshape(len(self.blocks), -1)
        return np.einsum("kij,kj->ki", self.blocks, outputs).reshape(vectors.shape)

    def plus(self, objective: Objective, curvature: RowCurvature, weight: float) -> Blocks:
        """Return the sum with the Hessian of an objective's rows."""
        return Blocks(self.blocks + weight * _blocks(objective, curvature), self.n_classes)

    def with_diagonal(self, diagonals: Matrix) -> Blocks:
        """Return the sum with a diagonal for each output."""
        more = np.array([np.diag(diagonal) for diagonal in diagonals])
        return Blocks(self.blocks + more, self.n_classes)

    def inverse(self, objective: Objective, curvature: RowCurvature, weight: float) -> Linear:
        """Return a preconditioner of the sum with the Hessian of an objective's rows."""
        return _block_inverse(self.blocks, objective, curvature, weight)


@dataclass(frozen=True)
class Coupled:
    """The whole matrix of a softmax model, (n_classes, size, n_classes, size)."""

    matrix: Floats

    def product(self, vectors: Matrix) -> Matrix:
        """Return its products with vectors."""
        flat = self.matrix.reshape(vectors.size, -1)
        return np.einsum("ij,j->i", flat, vectors.ravel()).reshape(vectors.shape)

    def plus(self, objective: Objective, curvature: RowCurvature, weight: float) -> Coupled:
        """Return the sum with the Hessian of an objective's rows."""
        more = objective.rows.hessian(curvature[0], 0).reshape(self.matrix.shape)
        return Coupled(self.matrix + weight * more)

    def with_diagonal(self, diagonals: Matrix) -> Coupled:
        """Return the sum with a diagonal for each output."""
        flat = self.matrix.reshape(diagonals.size, -1) + np.diag(diagonals.ravel())
        return Coupled(flat.reshape(self.matrix.shape))

    def inverse(self, objective: Objective, curvature: RowCurvature, weight: float) -> Linear:
        """Return a preconditioner of the sum with the Hessian of an objective's rows."""
        outputs = range(len(self.matrix))
        blocks = np.array([self.matrix[output, :, output] for output in outputs])
        return _block_inverse(blocks, objective, curvature, weight)


def _blocks(objective: Objective, curvature: RowCurvature) -> Cube:
    """Return the rows' mean Hessian of each output."""
    models = range(objective.n_models)
    return np.concatenate([objective.rows.class_hessians(curvature[m], m) for m in models])


def _block_inverse(
    blocks: Cube, objective: Objective, curvature: RowCurvature, weight: float
) -> Linear:
    """Factor the block of each output, or one mean where that would take too long."""
    n_outputs, size = blocks.shape[:2]
    if n_outputs > 1 and size > OWN_FACTORS:
        mean = blocks.mean(axis=0) + weight * objective.rows.mean_hessian(curvature)
        factor = Factor(mean, DEPENDENT)
        return lambda vectors: factor.solve(vectors.reshape(n_outputs, size)).reshape(vectors.shape)
    factors = [Factor(m, DEPENDENT) for m in blocks + weight * _blocks(objective, curvature)]

    def solve(vectors: Matrix) -> Matrix:
        outputs = vectors.reshape(n_outputs, 1, size)
        solved = [factor.solve(right) for factor, right in zip(factors, outputs, strict=True)]
        return np.array(solved).reshape(vectors.shape)

    return solve


@dataclass(frozen=True)
class LowRank:
    """Diagonal plus a few vectors for each output: ``diag(diagonal) + vectors' vectors``.

    Rows are added a few at a time; of vectors and rows together the leading directions are kept,
    and of the others the diagonal (Chang, Duran-Martin, Shestopaloff, Jones and Murphy, 2023, 2nd
    Conference on Lifelong Learning Agents). The diagonal of the sum is exact.
    """

    diagonal: Matrix
    vectors: Cube
    n_classes: int

    def product(self, vectors: Matrix) -> Matrix:
        """Return its products with vectors."""
        outputs = vectors.reshape(self.diagonal.shape)
        shares = np.einsum("krj,kj->kr", self.vectors, outputs)
        product = self.diagonal * outputs + np.einsum("krj,kr->kj", self.vectors, shares)
        return product.reshape(vectors.shape)

    def plus(self, objective: Objective, curvature: RowCurvature, weight: float) -> LowRank:
        """Return the sum with the Hessian of an objective's rows."""
        curvatures = _class_curvature(objective, curvature)
        design = objective.design
        if isinstance(design, SparseDesign):
            intercept = float(objective.fit_intercept)
            sums = [
                _plus_sparse(*each, design, curvatures[k], intercept)
                for k, each in enumerate(zip(self.diagonal, self.vectors, strict=True))
            ]
            diagonal, vectors = (np.array(parts) for parts in zip(*sums, strict=True))
            return LowRank(diagonal, vectors, self.n_classes)
        center, inverse_scale = design.columns
        sums = list(zip(self.diagonal, self.vectors, strict=True))
        n_samples, n_features = design.shape
        for start in range(0, n_samples, SKETCH_ROWS):
            part = slice(start, min(start + SKETCH_ROWS, n_samples))
            rows = np.empty((part.stop - start, n_features + 1))
            values = design.rows(np.arange(start, part.stop))
            np.subtract(values, center, out=rows[:, :-1])
            rows[:, :-1] *= inverse_scale
            rows[:, -1] = float(objective.fit_intercept)
            sums = [
                _compress(*each, np.sqrt(curvatures[k, part, None]) * rows)
                for k, each in enumerate(sums)
            ]
        diagonal, vectors = (np.array(parts) for parts in zip(*sums, strict=True))
        return LowRank(diagonal, vectors, self.n_classes)

    def with_diagonal(self, diagonals: Matrix) -> LowRank:
        """Return the sum with a diagonal for each output."""
        # A penalty taken away leaves rounding errors of either sign.
        diagonal = np.maximum(self.diagonal + diagonals, 0.0)
        return LowRank(diagonal, self.vectors, self.n_classes)

    def inverse(self, objective: Objective, curvature: RowCurvature, weight: float) -> Linear:
        """Return a preconditioner of the sum with the Hessian of an objective's rows."""
        curvatures = _class_curvature(objective, curvature).sum(axis=1, keepdims=True)
        diagonal = np.maximum(self.diagonal + curvatures, 1e-300)
        rank = self.vectors.shape[1]
        scaled = self.vectors / diagonal[:, None, :]
        inner = np.einsum("krj,ksj->krs", scaled, self.vectors) + np.eye(rank)
        factors = [Factor(matrix, 0.0) for matrix in inner]

        def solve(vectors: Matrix) -> Matrix:  # Woodbury's formula
            right = vectors.reshape(diagonal.shape)
            shares = np.einsum("krj,kj->kr", scaled, right)
            solved = [f.solve(share[None, :])[0] for f, share in zip(factors, shares, strict=True)]
            back = np.einsum("krj,kr->kj", scaled, np.array(solved).reshape(shares.shape))
            return (right / diagonal - back).reshape(vectors.shape)

        return solve


def _compress(diagonal: Vector, vectors: Matrix, rows: Matrix) -> tuple[Vector, Matrix]:
    """Return diagonal and vectors of the sum with rows' rows."""
    n_columns = len(diagonal)
    parts = [slice(k, k + SKETCH_COLUMNS) for k in range(0, n_columns, SKETCH_COLUMNS)]
    stacks = (np.vstack([vectors[:, part], rows[:, part]]) for part in parts)
    _, directions = np.linalg.eigh(sum(stack @ stack.T for stack in stacks))
    leading = directions[:, -RANK:].T
    kept, total = np.empty((len(leading), n_columns)), diagonal.copy()
    for part in parts:
        stack = np.vstack([vectors[:, part], rows[:, part]])
        kept[:, part] = leading @ stack
        left = np.square(stack).sum(axis=0) - np.square(kept[:, part]).sum(axis=0)
        total[part] += np.maximum(left, 0.0)
    return total, kept


def _plus_sparse(
    diagonal: Vector, vectors: Matrix, design: SparseDesign, curvature: Vector, intercept: float
) -> tuple[Vector, Matrix]:
    """Return diagonal and vectors of the sum with sparse rows, none of which is made dense.

    What `_compress` finds, a few rows at a time, is said by the products of vectors and rows with
    each other: it is found as coefficients of these, and the vectors are made of them in the end.
    A first batch of 1,000 x 80,000 with 50 values a row took 19 s of processor time by `_compress`.
    """
    for start in range(0, len(curvature), SPARSE_ROWS):
        weights = np.ascontiguousarray(curvature[start : start + SPARSE_ROWS])
        part, roots = design.part(start, start + len(weights)), np.sqrt(weights)
        coefs = _leading(_products(vectors, part, roots, intercept), len(vectors))
        kept = coefs[:, : len(vectors)] @ vectors
        of_rows = coefs[:, len(vectors) :] * roots
        for first in range(0, len(kept), MODELS):
            some = slice(first, first + MODELS)
            sums, totals = part.transposed_product(np.ascontiguousarray(of_rows[some]))
            kept[some, :-1] += sums
            kept[some, -1] += intercept * totals
        squares = np.zeros_like(diagonal)
        if (total := float(weights.sum())) > 0.0:
            variances = part.column_variances(weights, total)
            squares[:-1] = total * variances * part.columns.inverse_scale**2
            squares[-1] = total * intercept
        squares += np.einsum("ij,ij->j", vectors, vectors)
        squares -= np.einsum("ij,ij->j", kept, kept)
        diagonal, vectors = diagonal + np.maximum(squares, 0.0), kept
    return diagonal, vectors


def _products(vectors: Matrix, part: SparseDesign, roots: Vector, intercept: float) -> Matrix:
    """Return the products of vectors and of rows times `roots` with each other."""
    rank = len(vectors)
    found = np.empty((rank + len(roots), rank + len(roots)))
    found[:rank, :rank] = vectors @ vectors.T
    for first in range(0, rank, MODELS):
        some = vectors[first : first + MODELS]
        raw = part.raw_prediction(np.ascontiguousarray(some[:, :-1]), intercept * some[:, -1])
        found[first : first + len(some), rank:] = raw * roots
    found[rank:, :rank] = found[:rank, rank:].T
    of_rows = part.gram_of_rows()
    assert of_rows is not None  # of sparse rows in memory
    found[rank:, rank:] = (of_rows + intercept) * roots * roots[:, None]
    return found


def _leading(products: Matrix, rank: int) -> Matrix:
    """Return the leading directions, rows added a few at a time, as coefficients of all rows."""
    every = np.eye(len(products))
    coefs = every[:rank]
    for start in range(rank, len(products), SKETCH_ROWS):
        stack = np.vstack([coefs, every[start : start + SKETCH_ROWS]])
        _, directions = np.linalg.eigh(stack @ products @ stack.T)
        coefs = directions[:, -RANK:].T @ stack
    return coefs


def refuse_too_many(n_features: int, n_outputs: int) -> None:
    """Raise ValueError where what is kept of the past would not fit into memory."""
    n_bytes = 8 * n_outputs * (n_features + 1) * (RANK + 1)
    if n_features > MAX_SIZE and n_bytes > MAX_STATE_BYTES:
        most = MAX_STATE_BYTES // (8 * n_outputs * (RANK + 1)) - 1
        raise ValueError(
            f"n_features={n_features:,} columns are too many to learn from batches seen once: what "
            f"is kept of them for {n_outputs:,} model(s) would take {n_bytes / 2**30:.3g} GiB; at "
            f"most {most:,} are possible. Hash to fewer columns, or use fit with a BatchSource, "
            "which takes sparse batches of any number of columns"
        )


def _class_curvature(objective: Objective, curvature: RowCurvature) -> Matrix:
    """Return the second derivative of each row's loss along its outputs, (n_outputs, n_rows)."""
    if not objective.loss.is_coupled:
        return curvature.values
    shares = curvature.values.reshape(objective.n_outputs, -1)
    weights = objective.rows.weights_of(0)
    assert weights is not None  # rows of a stream have them
    inverse = np.divide(1.0, weights, out=np.zeros_like(weights), where=weights > 0.0)
    return shares * (1.0 - shares * inverse)
