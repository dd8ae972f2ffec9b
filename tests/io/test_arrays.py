import os
import re
import sys
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wirelax.io import (
    ChannelFileNotFoundError,
    FileError,
    check_flag,
    check_gain,
    read_arrays,
    read_stored,
    write_arrays,
)

GAIN = np.random.default_rng(0).exponential(size=(5, 2, 6, 3)) * 1e-12
WEIGHT = np.arange(10.0).reshape(5, 2)


def write_npz(path):
    np.savez(path, gain=GAIN, weight=WEIGHT, other=np.ones(3))


def write_h5(path):
    with h5py.File(path, "w") as file:
        for name, array in (("gain", GAIN), ("weight", WEIGHT), ("other", np.ones(3))):
            file.create_dataset(name, data=array, compression="gzip")
        file.create_group("a_group")


def write_old_mat(path):
    scipy.io.savemat(path, {"gain": GAIN, "weight": WEIGHT, "other": np.ones(3)}, do_compression=True)


def write_new_mat(path, **extra):
    """What MATLAB's ``save -v7.3`` writes: a 512-byte header, reversed axes, the class as an attribute."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in {"gain": GAIN, "weight": WEIGHT, "other": np.ones((1, 3)), **extra}.items():
            is_logical = array.dtype == bool
            dataset = file.create_dataset(name, data=array.T.astype(np.uint8) if is_logical else array.T)
            dataset.attrs["MATLAB_class"] = np.bytes_("logical" if is_logical else "double")
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")


WRITERS = {
    "a.npz": write_npz,
    "a.h5": write_h5,
    "a.HDF5": write_h5,
    "old.mat": write_old_mat,
    "new.mat": write_new_mat,
}


@pytest.fixture(params=WRITERS)
def stored(request, tmp_path):
    path = tmp_path / request.param
    WRITERS[request.param](path)
    return path


def refusal(call, *parts):
    """The message with which a call refuses its input: one line, naming these parts."""
    with pytest.raises(FileError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    assert all(str(part) in message for part in parts), message
    return message


def test_every_format_gives_the_same_arrays(stored):
    got = read_arrays(stored, ["gain"], ["weight", "absent"])
    assert list(got) == ["gain", "weight"]
    np.testing.assert_array_equal(got["gain"], GAIN)
    np.testing.assert_array_equal(got["weight"], WEIGHT)
    assert got["gain"].dtype == np.float64
    np.testing.assert_array_equal(read_arrays(str(stored), ["gain"])["gain"], GAIN)


def test_missing_arrays_are_named_with_those_present(stored):
    refusal(lambda: read_arrays(stored, ["gain", "H", "B"]), stored, "'H', 'B'", "gain, other, weight")


@pytest.mark.parametrize("keep", [0, 1, 7, 200, -40])
def test_truncated_files_are_refused(stored, keep):
    content = stored.read_bytes()
    stored.write_bytes(content[:keep])
    refusal(lambda: read_arrays(stored, ["gain"]), stored, "write it again")


def test_garbage_is_refused(stored):
    stored.write_bytes(np.random.default_rng(1).bytes(5000))
    refusal(lambda: read_arrays(stored, ["gain"]), stored, "write it again")


@pytest.mark.parametrize("place", [0.3, 0.6])
def test_flipped_bytes_in_a_compressed_file_are_refused(tmp_path, place):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, gain=GAIN)
    content = bytearray(path.read_bytes())
    start = int(place * len(content))
    content[start : start + 8] = bytes(255 - byte for byte in content[start : start + 8])
    path.write_bytes(content)
    refusal(lambda: read_arrays(path, ["gain"]), path, "write it again")


def test_a_format_under_another_suffix_is_refused(tmp_path):
    write_h5(tmp_path / "a.h5")
    os.rename(tmp_path / "a.h5", tmp_path / "a.npz")
    refusal(lambda: read_arrays(tmp_path / "a.npz", ["gain"]), "a.npz", "not a NumPy archive")
    np.save(tmp_path / "b.npy", GAIN)
    os.rename(tmp_path / "b.npy", tmp_path / "b.npz")
    refusal(lambda: read_arrays(tmp_path / "b.npz", ["gain"]), "b.npz", "not a NumPy archive")


def test_pickles_are_never_loaded(tmp_path):
    np.savez(tmp_path / "a.npz", gain=np.array([{"a": 1}], dtype=object))
    refusal(lambda: read_arrays(tmp_path / "a.npz", ["gain"]), "a.npz", "allow_pickle=False")


def test_missing_file_is_also_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz does not exist; check the path"):
        read_arrays(tmp_path / "nowhere.npz", ["gain"])
    refusal(lambda: read_arrays(tmp_path / "nowhere.npz", ["gain"]), "does not exist")
    assert issubclass(ChannelFileNotFoundError, ValueError)


@pytest.mark.parametrize("name", ["a.txt", "a", "a.npz.gz"])
def test_unknown_suffixes_are_refused(tmp_path, name):
    refusal(lambda: read_arrays(tmp_path / name, ["gain"]), name, ".npz, .h5, .hdf5 and .mat")
    refusal(lambda: write_arrays(tmp_path / name, {"gain": GAIN}), name, ".npz, .h5, .hdf5 or .mat")
    assert not list(tmp_path.iterdir())


def test_a_directory_is_no_file(tmp_path):
    (tmp_path / "a.npz").mkdir()
    refusal(lambda: read_arrays(tmp_path / "a.npz", ["gain"]), "a.npz", "not a file")
    refusal(lambda: write_arrays(tmp_path / "a.npz", {"gain": GAIN}, overwrite=True), "a.npz", "exists already")


def test_matlab_types_come_back(tmp_path):
    scheduled = WEIGHT > 4
    scipy.io.savemat(tmp_path / "old.mat", {"assignment": scheduled, "gain": scipy.sparse.csc_array(WEIGHT)})
    old = read_arrays(tmp_path / "old.mat", ["assignment", "gain"])
    write_new_mat(tmp_path / "new.mat", assignment=scheduled)
    new = read_arrays(tmp_path / "new.mat", ["assignment"])
    for got in (old["assignment"], new["assignment"]):
        assert got.dtype == bool
        np.testing.assert_array_equal(got, scheduled)
    np.testing.assert_array_equal(old["gain"], WEIGHT)


def test_complex_and_empty_matlab_arrays(tmp_path):
    path = tmp_path / "new.mat"
    with h5py.File(path, "w") as file:
        pairs = np.zeros((3, 2), dtype=[("real", "f8"), ("imag", "f8")])
        pairs["imag"] = [[1, 2], [3, 4], [5, 6]]
        file.create_dataset("h", data=pairs).attrs["MATLAB_class"] = np.bytes_("double")
        empty = file.create_dataset("gain", data=np.array([0, 3], dtype=np.uint64))
        empty.attrs["MATLAB_class"], empty.attrs["MATLAB_empty"] = np.bytes_("double"), np.uint8(1)
    got = read_arrays(path, ["h", "gain"])
    np.testing.assert_array_equal(got["h"], 1j * np.array([[1, 3, 5], [2, 4, 6]]))
    assert got["gain"].shape == (0, 3)


def test_hdf5_without_h5py_names_the_extra(tmp_path, monkeypatch):
    write_h5(tmp_path / "a.h5")
    write_new_mat(tmp_path / "new.mat")
    write_old_mat(tmp_path / "old.mat")
    monkeypatch.setitem(sys.modules, "h5py", None)
    for name in ("a.h5", "new.mat"):
        refusal(lambda name=name: read_arrays(tmp_path / name, ["gain"]), name, "pip install 'wirelax[io]'")
    refusal(lambda: write_arrays(tmp_path / "b.h5", {"gain": GAIN}), "b.h5", "pip install 'wirelax[io]'")
    assert "gain" in read_arrays(tmp_path / "old.mat", ["gain"])


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.HDF5"])
@given(
    arrays(
        st.sampled_from([np.float32, np.float64, np.int32, np.bool_, np.complex64]),
        array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    )
)
def test_what_is_written_is_read_back(tmp_path_factory, name, array):
    path = tmp_path_factory.mktemp("out") / name
    write_arrays(path, {"gain": array, "file": np.arange(3)})
    got = read_arrays(path, ["gain", "file"])
    np.testing.assert_array_equal(got["gain"], array)
    assert got["gain"].dtype == array.dtype
    assert os.listdir(path.parent) == [name]


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.mat"])
def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path, name):
    path = tmp_path / name
    write_arrays(path, {"gain": GAIN})
    before = path.read_bytes()
    refusal(lambda: write_arrays(path, {"gain": WEIGHT}), path, "exists already")
    assert path.read_bytes() == before
    write_arrays(path, {"gain": WEIGHT}, overwrite=True)
    np.testing.assert_array_equal(read_arrays(path, ["gain"])["gain"], WEIGHT)


@pytest.mark.parametrize("name", ["a.npz", "a.h5", "a.mat"])
def test_a_failed_write_leaves_the_original_and_no_rubbish(tmp_path, monkeypatch, name):
    path = tmp_path / name
    write_arrays(path, {"gain": GAIN})

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full_disk)
        refusal(lambda: write_arrays(path, {"gain": WEIGHT}, overwrite=True), path, "No space left on device")
    assert os.listdir(tmp_path) == [name]
    np.testing.assert_array_equal(read_arrays(path, ["gain"])["gain"], GAIN)


def test_a_missing_or_unwritable_directory_is_refused(tmp_path):
    refusal(lambda: write_arrays(tmp_path / "no" / "a.npz", {"gain": GAIN}), tmp_path / "no", "create it")
    (tmp_path / "plain").write_text("")
    refusal(lambda: write_arrays(tmp_path / "plain" / "a.npz", {"gain": GAIN}), "no directory")
    if os.geteuid():  # root may write anywhere
        tmp_path.chmod(0o500)
        refusal(lambda: write_arrays(tmp_path / "a.npz", {"gain": GAIN}), "check permissions")


def test_only_numbers_are_written(tmp_path):
    for value in (np.array(["a"]), np.array([None]), {"a": 1}):
        refusal(lambda value=value: write_arrays(tmp_path / "a.npz", {"x": value}), "'x'", "dtype")
    assert not list(tmp_path.iterdir())


def test_written_npz_is_plain_numpy_with_the_usual_permissions(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"gain": GAIN})
    with np.load(path) as stored:
        np.testing.assert_array_equal(stored["gain"], GAIN)
    (tmp_path / "plain").write_text("")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert re.fullmatch(r"gain\.npy", zipfile.ZipFile(path).namelist()[0])


def test_a_file_that_vanishes_is_not_found(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    write_npz(path)
    load = np.load

    def vanish(*args, **kwargs):
        path.unlink()
        return load(path, **kwargs)

    monkeypatch.setattr(np, "load", vanish)
    with pytest.raises(ChannelFileNotFoundError, match=r"a\.npz does not exist"):
        read_arrays(path, ["gain"])


@pytest.mark.parametrize(
    ("name", "axes", "from_matlab"),
    [
        ("a.npz", "axes as stored", False),
        ("a.h5", "axes as stored", False),
        ("old.mat", "axes as in MATLAB", True),
        ("new.mat", "axes as in MATLAB, which stores them reversed", True),
    ],
)
def test_how_the_axes_were_read_is_said(tmp_path, name, axes, from_matlab):
    WRITERS[name](tmp_path / name)
    stored = read_stored(tmp_path / name, ["gain"])["gain"]
    assert (stored.axes, stored.from_matlab) == (axes, from_matlab)
    assert stored.values.shape == GAIN.shape


def test_plain_hdf5_under_the_suffix_mat_is_taken_as_stored(tmp_path):
    write_h5(tmp_path / "a.mat")
    assert not read_stored(tmp_path / "a.mat", ["gain"])["gain"].from_matlab


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.uint8, np.bool_, np.complex64, np.complex128])
def test_matlab_files_keep_axes_and_type(tmp_path, dtype):
    array = (np.arange(24) % 5).reshape(2, 3, 4, 1).astype(dtype) * (1 + 2j if np.dtype(dtype).kind == "c" else 1)
    array = array.astype(dtype)
    write_arrays(tmp_path / "a.mat", {"gain": array, "utility": np.arange(4.0), "file": np.zeros((0, 3))})
    got = read_arrays(tmp_path / "a.mat", ["gain", "utility", "file"])
    np.testing.assert_array_equal(got["gain"], array)
    assert got["gain"].dtype == dtype
    np.testing.assert_array_equal(got["utility"], np.arange(4.0)[:, None])  # a column: the batch is first
    assert got["file"].shape == (0, 3)
    classes = {name: kind for name, _, kind in scipy.io.whosmat(tmp_path / "a.mat")}
    assert classes["gain"] == {np.bool_: "logical", np.float32: "single", np.complex64: "single"}.get(
        dtype, "double" if np.dtype(dtype).kind in "fc" else np.dtype(dtype).name
    )


@pytest.mark.parametrize("name", ["violation/budget", "_gain", "1st", "a" * 64])
def test_names_that_matlab_cannot_hold_are_refused(tmp_path, name):
    refusal(lambda: write_arrays(tmp_path / "a.mat", {name: GAIN}), name, "write .npz or .h5")
    assert not list(tmp_path.iterdir())


def write_everything_h5(path, values):
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            file[name] = value


def write_everything_matlab73(path, values):
    """Complex values as MATLAB's own pairs."""
    with h5py.File(path, "w") as file:
        for name, value in values.items():
            pairs = np.zeros(value.T.shape, [("real", "f8"), ("imag", "f8")])
            pairs["real"], pairs["imag"] = value.T.real, value.T.imag
            file.create_dataset(name, data=pairs).attrs["MATLAB_class"] = np.bytes_("double")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.npz", lambda path, values: np.savez(path, **values)),
        ("a.h5", write_everything_h5),
        ("a.mat", lambda path, values: scipy.io.savemat(path, values)),
        ("four.mat", lambda path, values: scipy.io.savemat(path, values, format="4")),
        ("new.mat", write_everything_matlab73),
    ],
)
def test_every_reader_keeps_the_imaginary_part(tmp_path, name, write):
    h = np.sqrt(WEIGHT + 1) * np.exp(0.3j)
    write(tmp_path / name, {"gain": h, "weight": h.astype(np.complex64)})
    got = read_arrays(tmp_path / name, ["gain", "weight"])
    np.testing.assert_allclose(got["gain"], h)
    np.testing.assert_allclose(got["weight"], h, rtol=1e-6)
    assert got["gain"].dtype == np.complex128
    for kind in ("gain", "weight"):
        refusal(lambda kind=kind: check_gain("gain", got[kind], ("user",), kind=kind), "is complex")
    refusal(lambda: check_flag("gain", got["gain"], ("user",)), "dtype complex128")


def test_integers_that_matlab_packed_are_doubles_again(tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"gain": np.array([[1, 2], [3, 4]], np.int16)})
    assert read_arrays(tmp_path / "a.mat", ["gain"])["gain"].dtype == np.int16
    content = (tmp_path / "a.mat").read_bytes()
    mx_int16, mx_double = b"\x06\x00\x00\x00\x08\x00\x00\x00\x0a", b"\x06\x00\x00\x00\x08\x00\x00\x00\x06"
    assert content.count(mx_int16) == 1
    (tmp_path / "a.mat").write_bytes(content.replace(mx_int16, mx_double))  # class double, stored as int16
    got = read_arrays(tmp_path / "a.mat", ["gain"])["gain"]
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, [[1, 2], [3, 4]])


def write_sparse73(path, matrix, matlab_class):
    matrix = scipy.sparse.csc_array(matrix)
    with h5py.File(path, "w") as file:
        group = file.create_group("gain")
        group.attrs["MATLAB_class"] = np.bytes_(matlab_class)
        group.attrs["MATLAB_sparse"] = np.uint64(matrix.shape[0])
        data = matrix.data
        if data.dtype.kind == "c":
            data = np.zeros(len(matrix.data), [("real", "f8"), ("imag", "f8")])
            data["real"], data["imag"] = matrix.data.real, matrix.data.imag
        for name, values in {"data": data, "ir": matrix.indices, "jc": matrix.indptr}.items():
            if (len(values) and matrix.nnz) or name == "jc":
                group.create_dataset(name, data=values.astype("u1") if values.dtype == bool else values)


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    "matrix",
    [np.diag([1.0, 0, 3])[:2], np.diag([1.0, 0, 3])[:2] * 1j, np.diag([1, 0, 1])[:2] > 0, np.zeros((2, 3))],
    ids=["real", "complex", "logical", "zero"],
)
def test_sparse_matrices_of_matlab(tmp_path, version, matrix):
    path = tmp_path / "a.mat"
    if version == "5":
        scipy.io.savemat(path, {"gain": scipy.sparse.csc_array(matrix)})
    else:
        write_sparse73(path, matrix, "logical" if matrix.dtype == bool else "double")
    got = read_stored(path, ["gain"])["gain"]
    np.testing.assert_array_equal(got.values, matrix)
    assert got.values.dtype == matrix.dtype
    assert got.from_matlab


STRUCT = {"channels": {"gain": WEIGHT, "weight": np.ones(3)}, "gain": WEIGHT}


def test_a_struct_names_its_fields(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, STRUCT)
    refusal(lambda: read_arrays(path, ["channels"]), "'channels' is a struct with the fields gain, weight", "array")
    refusal(lambda: read_arrays(path, ["h"]), "channels (a struct with the fields gain, weight), gain;")
    refusal(lambda: read_arrays(path, ["gain"], ["channels"]), "'channels' is a struct")
    assert list(read_arrays(path, ["gain"], ["weight"])) == ["gain"]


def test_a_cell_array_and_text_say_what_they_are(tmp_path):
    path = tmp_path / "a.mat"
    cells = np.array([WEIGHT, {"gain": WEIGHT}, 1.0, 2.0, 3.0], dtype=object)
    scipy.io.savemat(path, {"gain": cells, "unit": "dB"})
    told = "'gain' is a cell array [1, 5] of float64 [5, 2], a struct with the fields gain, "
    refusal(lambda: read_arrays(path, ["gain"]), told, "...")
    refusal(lambda: read_arrays(path, ["unit"]), "'unit' is of MATLAB's class char")


def test_a_group_of_hdf5_names_its_datasets(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["run/gain"], file["run/weight"] = WEIGHT, WEIGHT
        file.create_group("nothing")
    refusal(lambda: read_arrays(tmp_path / "a.h5", ["run"]), "'run' is a group with the datasets gain, weight")
    held = "it holds: nothing (an empty group), run (a group with the datasets gain, weight)"
    refusal(lambda: read_arrays(tmp_path / "a.h5", ["gain"]), held)


def test_structs_cells_and_text_of_matlab_73(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w") as file:
        file["s/gain"] = WEIGHT
        file["s"].attrs["MATLAB_class"] = np.bytes_("struct")
        file["#refs#/a"] = WEIGHT
        for name, matlab_class in (("c", "cell"), ("t", "char")):
            file.create_dataset(name, data=np.ones((1, 3), np.uint16)).attrs["MATLAB_class"] = np.bytes_(matlab_class)
    refusal(lambda: read_arrays(path, ["s"]), "'s' is a struct with the fields gain")
    refusal(lambda: read_arrays(path, ["c"]), "'c' is a cell array")
    refusal(lambda: read_arrays(path, ["t"]), "'t' is text")
    assert "#refs#" not in refusal(lambda: read_arrays(path, ["gain"]), "s (a struct with the fields gain), t (text)")


def test_a_table_of_hdf5_is_refused_by_the_check(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["gain"] = np.zeros(3, [("pathloss", "f8"), ("fading", "f8")])
    gain = read_arrays(tmp_path / "a.h5", ["gain"])["gain"]
    refusal(lambda: check_gain("gain", gain, ("user",)), "a table with the fields pathloss, fading")
