from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io

from wirelax.io import ChannelFileError, check_counts, read_channels, write_arrays

GAIN = np.random.default_rng(0).exponential(size=(6, 2, 2, 1)).astype(np.float32)


def declare(name, axes, kind="gain", required=True, in_db=""):
    return SimpleNamespace(name=name, axes=axes, kind=kind, required=required, in_db=in_db)


DECLARED = [
    declare("gain", ("subchannel", "user", "BS")),
    declare("assignment", ("subchannel", "user"), "flag", False),
    declare("weight", ("user",), "weight", False),
]


def test_arrays_are_checked_and_their_axes_stated(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"gain": GAIN, "assignment": GAIN[..., 0] > 1, "other": np.ones(2)})
    found = read_channels(path, DECLARED)
    np.testing.assert_array_equal(found.arrays["gain"], GAIN)
    assert found.arrays["assignment"].dtype == bool
    assert found.arrays["gain"].dtype == np.float32
    assert read_channels(path, DECLARED, dtype=np.float64).arrays["gain"].dtype == np.float64
    assert found.reading == (
        "gain [batch=6, subchannel=2, user=2, BS=1] (axes as stored); "
        "assignment [batch=6, subchannel=2, user=2] (axes as stored)"
    )


def test_sizes_that_are_set_settle_what_matlab_dropped(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"gain": GAIN[..., 0]})
    with pytest.raises(ChannelFileError, match=r"array 'gain' has shape \[6, 2, 2\], which from MATLAB may be"):
        read_channels(path, DECLARED)
    found = read_channels(path, DECLARED, {"BS": 1, "user": None})
    np.testing.assert_array_equal(found.arrays["gain"], GAIN)
    assert found.reading == "gain [batch=6, subchannel=2, user=2, BS=1] (axes as in MATLAB)"
    np.testing.assert_array_equal(read_channels(path, DECLARED, {"BS": 2}).arrays["gain"], GAIN[None, ..., 0])


def test_one_array_settles_the_axes_of_another(tmp_path):
    """[6, 2] of flags may be one instance [6, 2] or six of [2, 1]; the gains have batch 1 and 6 subchannels."""
    gain = np.ones((1, 6, 2, 3), np.float32)
    flag = np.arange(12).reshape(6, 2) % 2 > 0
    scipy.io.savemat(tmp_path / "a.mat", {"assignment": flag, "gain": gain})
    found = read_channels(tmp_path / "a.mat", DECLARED)
    assert list(found.arrays) == ["gain", "assignment"]
    np.testing.assert_array_equal(found.arrays["assignment"], flag[None])
    scipy.io.savemat(tmp_path / "b.mat", {"assignment": np.ones((1, 6, 2), bool), "gain": gain[0]})
    assert read_channels(tmp_path / "b.mat", DECLARED).arrays["gain"].shape == (1, 6, 2, 3)


@pytest.mark.parametrize("suffix", ["npz", "h5", "mat"])
def test_a_weight_the_other_way_round(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_arrays(path, {"gain": np.ones((1, 2, 4, 3)), "weight": np.ones((4, 1))})
    with pytest.raises(ChannelFileError, match=r"'weight' has shape \[4, 1\].*its transpose \[1, 4\] would fit"):
        read_channels(path, DECLARED)


def test_numbers_of_instances_that_differ(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"gain": GAIN, "weight": np.ones((5, 2))})
    wanted = r"a\.npz: the arrays have different numbers of instances: gain has 6, weight has 5"
    with pytest.raises(ChannelFileError, match=wanted):
        read_channels(path, DECLARED)
    assert check_counts({"a": np.ones((3, 1)), "b": np.ones(3)}) == 3
    with pytest.raises(ChannelFileError, match="there are none"):
        check_counts({})


def test_complex_amplitudes_of_old_matlab_files(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"gain": np.sqrt(GAIN) * np.exp(0.3j)})
    with pytest.raises(ChannelFileError, match=r"a\.mat: array 'gain' is complex; .* store abs\(h\)\*\*2"):
        read_channels(path, DECLARED)


IN_DB = [declare("gain", ("UE", "BS"), in_db="path_gain_db")]


@pytest.mark.parametrize("suffix", ["npz", "h5", "mat"])
def test_gains_in_db_become_linear_and_minus_infinity_zero(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    write_arrays(path, {"path_gain_db": np.array([[[-100.0, -np.inf, 0.0], [-137.5, 10.0, -90.0]]])})
    found = read_channels(path, IN_DB)
    wanted = [[[1e-10, 0.0, 1.0], [10**-13.75, 10.0, 1e-9]]]
    np.testing.assert_allclose(found.arrays["gain"], wanted, rtol=1e-6)
    assert found.reading.startswith("gain [batch=1, UE=2, BS=3]")


@pytest.mark.parametrize(
    ("level", "says"),
    [
        (np.nan, r"array 'path_gain_db' at index \[1, 0\] is nan, which is no level in dB; -inf means out of reach"),
        (np.inf, r"array 'path_gain_db' at index \[1, 0\] is inf, which is no level"),
        (-400.0, r"array 'gain' at index \[1, 0\] is 1e-40, which is positive but vanishes in float32"),
        (-90j, "array 'path_gain_db' is complex; levels in dB are real"),
    ],
)
def test_levels_that_are_none(tmp_path, level, says):
    path = tmp_path / "a.npz"
    write_arrays(path, {"path_gain_db": np.array([[-80.0], [level]])})
    with pytest.raises(ChannelFileError, match=says):
        read_channels(path, IN_DB)


def test_gains_are_given_one_way(tmp_path):
    path = tmp_path / "a.npz"
    write_arrays(path, {"gain": np.ones((2, 3)), "path_gain_db": np.zeros((2, 3))})
    with pytest.raises(ChannelFileError, match="holds both 'gain' and 'path_gain_db'; keep one of them"):
        read_channels(path, IN_DB)
    write_arrays(path, {"path_loss": np.zeros((2, 3))}, overwrite=True)
    with pytest.raises(
        ChannelFileError, match=r"has no array 'gain', it holds: path_loss.*\(or 'path_gain_db', in dB\)"
    ):
        read_channels(path, IN_DB)
