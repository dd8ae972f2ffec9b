import sys
import threading

import numpy as np
import pytest

from wirelax.io import LabelCacheError, MissingExtraError, OutputError, load_labels, save_labels

ARRAYS = {"gain": np.random.default_rng(0).exponential(size=(4, 2, 3)), "label": np.arange(4)}
SOURCE = {"system": "toy", "seed": 0, "config": {"noise_dbm": -90.0, "sizes": (1, 2)}}


def test_labels_come_back_with_their_notes(tmp_path):
    path = save_labels(tmp_path / "labels.h5", ARRAYS, SOURCE, {"gap": 0.1})
    arrays, notes = load_labels(path, SOURCE)
    assert notes == {"gap": 0.1}
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].dtype == array.dtype
    assert [item.name for item in tmp_path.iterdir()] == ["labels.h5"]


@pytest.mark.parametrize(("change", "told"), [({"seed": 1}, "seed=0, wanted is 1"), ({"count": 3}, "count=None")])
def test_labels_of_another_source_are_refused(tmp_path, change, told):
    path = save_labels(tmp_path / "labels.h5", ARRAYS, SOURCE)
    with pytest.raises(LabelCacheError, match=told):
        load_labels(path, {**SOURCE, **change})


@pytest.mark.parametrize("keep", [0, 100, -700])
def test_truncated_labels_are_refused(tmp_path, keep):
    path = save_labels(tmp_path / "labels.h5", ARRAYS, SOURCE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LabelCacheError, match=r"labels\.h5 is broken .*delete it to make it anew"):
        load_labels(path, SOURCE)


@pytest.mark.parametrize("value", [np.nan, np.inf, complex(0, np.nan)])
def test_labels_that_are_not_finite_are_refused(tmp_path, value):
    path = save_labels(tmp_path / "labels.h5", {"value": np.array([1.0, value])}, SOURCE)
    with pytest.raises(LabelCacheError, match="not finite"):
        load_labels(path, SOURCE)


def test_files_that_are_no_labels(tmp_path):
    with pytest.raises(LabelCacheError, match="does not exist"):
        load_labels(tmp_path / "none.h5", SOURCE)
    with pytest.raises(OutputError, match="no directory"):
        save_labels(tmp_path / "no" / "labels.h5", ARRAYS, SOURCE)
    import h5py

    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["gain"] = np.ones(3)
    with pytest.raises(LabelCacheError, match="no complete label cache"):
        load_labels(tmp_path / "other.h5", SOURCE)


def test_two_runs_may_write_the_same_cache(tmp_path):
    errors, path = [], tmp_path / "labels.h5"

    def write():
        try:
            save_labels(path, ARRAYS, SOURCE)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    np.testing.assert_array_equal(load_labels(path, SOURCE)[0]["gain"], ARRAYS["gain"])


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match="pip install"):
        save_labels(tmp_path / "labels.h5", ARRAYS, SOURCE)
