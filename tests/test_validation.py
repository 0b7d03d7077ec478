"""The checks one by one: what passes untouched, what is converted, where the text points."""

import numpy as np
import pytest
from problems import LAYOUTS, NUMBER_TYPES, DataFrame, as_type, memory_mapped, problem

import fastlogit
from fastlogit import LogisticRegressionCV
from fastlogit.inputs import validation

X = problem(20, 3).X


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_any_layout_pass_without_a_copy(layout) -> None:
    given = LAYOUTS[layout](X)
    assert validation.check_features(given) is given


@pytest.mark.parametrize("dtype", [*NUMBER_TYPES, "i1", "u1", "i2", "u2", "u4", ">f8"])
def test_arrays_of_any_number_type_pass_without_a_copy(dtype) -> None:
    given = as_type(X, dtype) if dtype in NUMBER_TYPES else np.abs(X).astype(dtype)
    assert validation.check_features(given) is given


def test_a_memory_map_is_not_read(tmp_path) -> None:
    mapped = memory_mapped(X, tmp_path)
    assert np.shares_memory(validation.check_features(mapped), mapped)


def test_lists_matrices_and_frames_become_arrays() -> None:
    for given in (
        [[1, 2], [3, 4]],
        ((1.0, 2.0), (3.0, 4.0)),
        DataFrame([[1, 2], [3, 4]], ["a", "b"]),
    ):
        np.testing.assert_array_equal(validation.check_features(given), [[1, 2], [3, 4]])
    assert validation.check_features([[True, False]]).dtype == bool


def test_feature_names() -> None:
    assert validation.feature_names(X) is None
    assert validation.feature_names(DataFrame(X, ["a", 5, "c"])) == ["a", "5", "c"]

    class Query:
        def columns(self):
            return []

    assert validation.feature_names(Query()) is None


def test_an_object_column_of_a_frame_is_named() -> None:
    frame = DataFrame(np.array([[1.0, 2.0], [3.0, "red"]], dtype=object), ["size", "colour"])
    with pytest.raises(TypeError, match=r"column 'colour' holds 'red' \(row 1\)"):
        validation.check_features(frame)


@pytest.mark.parametrize("row", [0, 65_535, 65_536, 70_000])
def test_check_finite_looks_beyond_one_chunk(row) -> None:
    values = np.zeros((70_001, 2), dtype=np.float32)
    validation.check_finite(values)
    values[row:, 1] = np.nan
    values[row, 0] = 1.0
    with pytest.raises(ValueError, match=rf"X contains NaN in column 1 \(row {row}\); impute"):
        validation.check_finite(values)
    values[row, 0] = -np.inf
    with pytest.raises(ValueError, match=rf"infinity in column 'a' \(row {row}\); replace it"):
        validation.check_finite(values, ["a", "b"])


def test_integers_are_finite() -> None:
    validation.check_finite(np.ones((3, 2), dtype=np.int64))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1, 0, 1], [0, 1]),
        ([True, False, True], [False, True]),
        (["no", "yes", "maybe"], ["maybe", "no", "yes"]),
        (np.array(["b", "a", "b"], dtype=object), ["a", "b"]),
        (np.array([2, 1, 2], dtype=object), [1, 2]),
        ([2.0, -1.0, 0.0], [-1.0, 0.0, 2.0]),
        ([0.25, 0.75, 0.25], [0.25, 0.75]),
        (np.array([3, 1, 2], dtype=">i4"), [1, 2, 3]),
        (np.array([255, 0, 7], dtype=np.uint8), [0, 7, 255]),
        (np.array([-(2**63), 2**63 - 1, 0]), [-(2**63), 0, 2**63 - 1]),
        (np.array([b"q", b"p", b"q"]), [b"p", b"q"]),
    ],
)
def test_labels(labels, classes) -> None:
    found, codes = validation.encode_labels(labels, 3)
    assert found.tolist() == classes
    assert codes.dtype == np.uint8
    assert not codes.flags.writeable
    assert [found.tolist()[code] for code in codes] == np.asarray(labels).tolist()


def test_classes_in_native_byte_order() -> None:
    for labels in ([0, 1, 0], [0, 1, 2]):
        classes, _ = validation.encode_labels(np.array(labels, dtype=">f8"), 3)
        assert classes.dtype.isnative


@pytest.mark.parametrize(("n_classes", "dtype"), [(256, np.uint8), (257, np.int32)])
def test_codes_are_as_small_as_can_be(n_classes, dtype) -> None:
    labels = np.arange(n_classes)[::-1] * 3
    classes, codes = validation.encode_labels(labels, n_classes)
    assert codes.dtype == dtype
    np.testing.assert_array_equal(classes[codes], labels)


def test_labels_beyond_one_chunk() -> None:
    for kind in (int, str):
        labels = np.arange(150_000) % 3
        labels[-1] = 7
        classes, codes = validation.encode_labels(labels.astype(kind), labels.size)
        assert classes.tolist() == [kind(label) for label in (0, 1, 2, 7)]
        np.testing.assert_array_equal(classes[codes], labels.astype(kind))


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float32, ">f8"])
def test_targets01(dtype) -> None:
    found = validation.check_targets01(np.array([0, 1, 1, 0]).astype(dtype), 4)
    assert found.dtype == np.uint8
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, [0, 1, 1, 0])
    assert validation.check_targets01(np.ones(3), 3).tolist() == [1, 1, 1]


def test_weights_are_not_copied_and_not_locked() -> None:
    given = np.array([0.0, 2.0, 1.0])
    found = validation.check_weights(given, 3)
    assert np.shares_memory(found, given)
    assert not found.flags.writeable
    assert given.flags.writeable
    assert validation.check_weights(None, 3).size == 0
    for other in ([0, 2, 1], (False, True, True), np.array([0, 2, 1], dtype=">f4")):
        found = validation.check_weights(other, 3)
        assert found.dtype == np.float64
        np.testing.assert_array_equal(found, np.asarray(other, dtype=float))
    np.testing.assert_array_equal(validation.check_weights(np.arange(6.0)[::2], 3), [0.0, 2.0, 4.0])


def test_coefficients() -> None:
    coefs, intercepts, single = validation.check_coef([1, 2, 3], 0.5, 3)
    np.testing.assert_array_equal(coefs, [[1.0, 2.0, 3.0]])
    np.testing.assert_array_equal(intercepts, [0.5])
    assert single
    given = np.arange(6.0).reshape(3, 2)
    coefs, intercepts, single = validation.check_coef(given, [1, 2], 3)
    np.testing.assert_array_equal(coefs, given.T)
    assert coefs.flags.c_contiguous
    assert not single
    coefs[...] = 0.0
    assert given[0, 1] == 1.0
    np.testing.assert_array_equal(validation.check_coef(given, 7, 3)[1], [7.0, 7.0])


@pytest.mark.parametrize(
    ("classes", "labels"),
    [([0, 1, 4], [4.0, 0.0, 1.0]), (["a", "bb", "c"], ["c", "a", "bb"]), ([False, True], [1, 0])],
)
def test_labels_among_known_classes(classes, labels) -> None:
    codes = validation.encode_known_labels(labels, len(labels), np.array(classes))
    assert codes.dtype == np.uint8
    assert not codes.flags.writeable
    assert [classes[code] for code in codes] == labels
    many = validation.encode_known_labels([299, 0], 2, np.arange(300))
    assert many.dtype == np.int32


@pytest.mark.parametrize("unknown", [-1.0, 2.0, 9.0])
def test_a_label_that_is_not_among_them_is_named(unknown) -> None:
    text = rf"y contains {unknown} \(row 1\), which is not among the classes \[0, 1, 4\]"
    with pytest.raises(ValueError, match=text):
        validation.encode_known_labels([4.0, unknown], 2, np.array([0, 1, 4]))


@pytest.mark.parametrize(("of_classes", "of_labels"), [("i8", "u8"), ("u8", "i8"), ("u8", "i4")])
def test_whole_numbers_of_either_sign_are_compared_exactly(of_classes, of_labels) -> None:
    classes = np.array([7, 2**53, 2**53 + 1, 2**53 + 2], dtype=of_classes)
    given = classes[:1] if of_labels == "i4" else classes[[2, 0, 3, 1]]
    codes = validation.encode_known_labels(given.astype(of_labels), given.size, classes)
    np.testing.assert_array_equal(classes[codes], given)
    unknown = 2**64 - 1 if of_labels == "u8" else -1
    labels = np.array([7, unknown], dtype=of_labels)
    with pytest.raises(ValueError, match=rf"y contains {unknown} \(row 1\)"):
        validation.encode_known_labels(labels, 2, classes)


def test_text_is_no_number() -> None:
    with pytest.raises(TypeError, match="y has dtype <U1, but the classes have int64"):
        validation.encode_known_labels(["0", "1"], 2, np.array([0, 1]))


def test_bytes_are_no_text_among_known_labels() -> None:
    classes = np.array(["a", "\u00e4"])
    with pytest.raises(TypeError, match=r"y has dtype \|S2, but the classes have <U1"):
        validation.encode_known_labels(np.char.encode(classes, "utf-8"), 2, classes)
    both = np.char.encode(classes, "utf-8")
    assert validation.encode_known_labels(both, 2, both).tolist() == [0, 1]


RAGGED = [[0.5, 1.0], [2.0, 3.0, 4.0]]


@pytest.mark.parametrize(
    ("name", "call"),
    {
        "X": lambda X, y: fastlogit.fit(RAGGED, [0, 1]),
        "y": lambda X, y: fastlogit.fit(X, RAGGED),
        "sample_weight": lambda X, y: fastlogit.fit(X, y, sample_weight=RAGGED),
        "l2_reg": lambda X, y: fastlogit.fit(X, y, l2_reg=RAGGED),
        "l1_reg": lambda X, y: fastlogit.fit(X, y, l1_reg=RAGGED),
        "penalty_factor": lambda X, y: fastlogit.fit(X, y, C=1.0, penalty_factor=RAGGED),
        "the lower coef_bounds": lambda X, y: fastlogit.fit(X, y, coef_bounds=(RAGGED, None)),
        "Cs": lambda X, y: fastlogit.logistic_path(X, y, Cs=RAGGED),
        "coef": lambda X, y: fastlogit.predict_proba(X, RAGGED),
        "groups": lambda X, y: fastlogit.fit_groups(X, y, RAGGED),
        "l1_ratios": lambda X, y: LogisticRegressionCV(
            l1_ratios=RAGGED, Cs=2, scoring="accuracy", use_legacy_attributes=False
        ).fit(X, y),
    }.items(),
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_lists_of_different_lengths_are_named(name, call) -> None:
    X, y = np.arange(8.0).reshape(4, 2) % 3, [0, 1, 0, 1]
    words = rf"{name} holds lists of different lengths: a list of 2 at \[0\], but a list of 3 at"
    with pytest.raises(ValueError, match=words):
        call(X, y)
