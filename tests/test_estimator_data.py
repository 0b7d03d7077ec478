"""What a fit gives, in the shapes of scikit-learn."""

import numpy as np
import scipy.sparse

from fastlogit.estimators import data as estimator_data
from fastlogit.inputs.given import look_at_rows


def test_classes_are_objects_where_labels_are() -> None:
    classes = np.array(["a", "b"])
    assert estimator_data.labels_like(np.array(["a"], dtype=object), classes).dtype == object
    assert estimator_data.labels_like(np.array(["a"]), classes) is classes


def test_a_row_for_each_model() -> None:
    rows, intercepts = estimator_data.rows_of_models(
        np.arange(3, dtype=np.float32), np.float32(2.0)
    )
    assert rows.shape == (1, 3)
    assert intercepts.shape == (1,)
    assert rows.dtype == intercepts.dtype == np.float64
    rows, intercepts = estimator_data.rows_of_models(np.arange(6.0).reshape(3, 2), [1, 2])
    np.testing.assert_array_equal(rows, [[0, 2, 4], [1, 3, 5]])
    assert rows.flags.c_contiguous
    assert intercepts.shape == (2,)


def test_splitters_see_sparse_rows_as_csr() -> None:
    dense = np.eye(3)
    assert estimator_data.for_splitters(look_at_rows(dense)) is dense
    for make in (scipy.sparse.csc_array, scipy.sparse.dok_matrix):
        found = estimator_data.for_splitters(look_at_rows(make(dense)))
        assert found.format == "csr"
        assert isinstance(found, scipy.sparse.sparray) == ("array" in make.__name__)
        np.testing.assert_array_equal(found.toarray(), dense)
    X = scipy.sparse.csr_array(dense)
    found = estimator_data.for_splitters(look_at_rows(X))
    assert np.shares_memory(found.data, X.data)
    assert not found.data.flags.writeable


def test_others_see_sparse_rows_as_the_user_has_them() -> None:
    dense, sparse = np.eye(3), scipy.sparse.csc_array(np.eye(3))
    assert estimator_data.for_others(look_at_rows(dense)) is dense
    assert estimator_data.for_others(look_at_rows(sparse)) is sparse
