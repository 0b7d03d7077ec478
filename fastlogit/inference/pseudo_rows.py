"""`pseudo_rows`: log-F priors as rows that are added to the data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..arrays import Array, ArrayLike, Vector
from ..design.compressed import CompressedRows
from ..inputs.given import Given, look
from .priors import LogFPrior, of_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["PseudoRows", "pseudo_rows"]


class PseudoRows(NamedTuple):
    """Data with the rows that a prior is worth below them.

    Attributes
    ----------
    X : ndarray or scipy.sparse.csr_array of shape (n_samples + 2 n_features, n_features + 1)
        Its first column is the constant: 1 in rows of the data, 0 in those of the prior. So fit it
        without an intercept.
    y : ndarray of shape (n_samples + 2 n_features,)
        The labels as they are.
    sample_weight : ndarray of shape (n_samples + 2 n_features,)
    """

    X: Array | csr_array
    y: Array
    sample_weight: Vector


def pseudo_rows(
    X: ArrayLike, y: ArrayLike, prior: LogFPrior, *, sample_weight: ArrayLike = None
) -> PseudoRows:
    """Return data to which log-F priors are added as rows, for any program that takes weights.

    For each column there is a row of either class, of weight m / 2, where that column is 1 / scale
    and all others, the constant too, are 0. Maximum likelihood of the whole is the mode of the
    posterior: ``fit(data.X, data.y, sample_weight=data.sample_weight, intercept=None)``.
    `posterior` has the same mode, and besides the covariance and the number of observations
    without these rows.

    Parameters
    ----------
    X : array-like or sparse of shape (n_samples, n_features)
        Numbers.
    y : array-like of shape (n_samples,)
        Labels of two classes.
    prior : LogFPrior
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    PseudoRows

    Raises
    ------
    TypeError, ValueError
        If an argument has the wrong type, shape or value, or X does not lie in memory.

    References
    ----------
    Greenland and Mansournia (2015, Statistics in Medicine 34).

    Examples
    --------
    >>> from fastlogit import LogFPrior, pseudo_rows
    >>> data = pseudo_rows([[2.0], [5.0]], ["no", "yes"], LogFPrior(1.0))
    >>> data.X.tolist(), data.y.tolist()
    ([[1.0, 2.0], [1.0, 5.0], [0.0, 1.0], [0.0, 1.0]], ['no', 'yes', 'no', 'yes'])
    >>> data.sample_weight.tolist()
    [1.0, 1.0, 0.5, 0.5]
    """
    if not isinstance(prior, LogFPrior):
        raise TypeError(
            f"a {type(prior).__name__} is worth no rows of a logistic regression: prior must be a "
            "LogFPrior; fastlogit.posterior takes the others"
        )
    data = look(Given(X, y, sample_weight), "multinomial")
    if len(data.classes) != 2:
        raise ValueError(f"y has {len(data.classes)} classes, and log-F priors are for two")
    values = data.rows.X
    n_rows, n_features = values.shape
    m = of_columns("m", prior.m, n_features)
    reach = 1.0 / of_columns("scale", prior.scale, n_features)
    whole: Array | csr_array
    if isinstance(values, np.ndarray):
        below = np.column_stack([np.zeros(2 * n_features), np.tile(np.diag(reach), (2, 1))])
        whole = np.vstack([np.column_stack([np.ones(n_rows), values]), below])
    elif isinstance(values, CompressedRows):
        from scipy import sparse

        above = sparse.csr_array(data.rows.carrier)
        one = sparse.csr_array(np.ones((n_rows, 1)))
        diagonal = sparse.diags_array(reach)
        whole = sparse.csr_array(
            sparse.block_array([[one, above], [None, diagonal], [None, diagonal]])
        )
    else:
        raise TypeError("X must be an array of numbers or sparse, in memory, to have rows added")
    codes = np.concatenate([data.codes, np.repeat([0, 1], n_features)])
    weights = data.weights if data.weights.size else np.ones(n_rows)
    return PseudoRows(whole, data.classes[codes], np.concatenate([weights, 0.5 * m, 0.5 * m]))
