"""Channel files of the kinds that people have: read rightly, or refused with one line that says what to do."""

import numpy as np
import pytest

from wirelax.cli import main

h5py = pytest.importorskip("h5py")
scipy_io = pytest.importorskip("scipy.io")


def matlab_73(path, **arrays):
    """A file as MATLAB's ``save -v7.3`` writes it: reversed axes, the class as an attribute, a header of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            stored = np.ascontiguousarray(np.asarray(array).T)
            if stored.dtype.kind == "c":
                parts = np.zeros(stored.shape, dtype=[("real", "f8"), ("imag", "f8")])
                parts["real"], parts["imag"] = stored.real, stored.imag
                stored = parts
            file[name] = stored
            file[name].attrs["MATLAB_class"] = np.bytes_("double")


def plain_hdf5(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


WRITERS = {
    "v5.mat": lambda path, **arrays: scipy_io.savemat(path, arrays),
    "v73.mat": matlab_73,
    "plain.h5": plain_hdf5,
    "plain.npz": lambda path, **arrays: np.savez(path, **arrays),
}
HETNET, NOMA = (f"solve {name} --method max-power --out out.npz --channels" for name in ("hetnet-ee", "noma"))


@pytest.fixture(scope="module")
def gain():
    """Gains [4, 2, 6, 3] of a HetNet, from 1e-12 to 1e-7."""
    rng = np.random.default_rng(5)
    cell = np.arange(6)[:, None] // 2 == np.arange(3)
    return np.where(cell, 1e-8, 1e-11) * rng.exponential(size=(4, 2, 6, 3))


@pytest.mark.parametrize("form", WRITERS)
def test_complex_gains_are_refused_by_every_reader(in_folder, refused, gain, form):
    WRITERS[form](form, gain=np.sqrt(gain) * np.exp(0.3j))
    refused(f"{HETNET} {form}", form, "'gain' is complex", "store abs(h)**2")


def test_every_form_gives_the_same_answer_and_states_its_axes(in_folder, run, gain):
    said = {"v5.mat": "as in MATLAB", "v73.mat": "as in MATLAB, which stores them reversed"}
    results = {}
    for form, write in WRITERS.items():
        write(form, gain=gain)
        status, _, error = run(f"{HETNET} {form} --set min_spectral_efficiency=0 --overwrite")
        assert status == 0
        assert (
            f"4 channels ({form}: gain [batch=4, subchannel=2, user=6, BS=3] (axes {said.get(form, 'as stored')})"
            in error
        )
        results[form] = np.load("out.npz")["energy_efficiency"]
    assert results["plain.npz"].min() > 0
    for found in results.values():
        np.testing.assert_array_equal(found, results["plain.npz"])


@pytest.mark.parametrize("write", [WRITERS["v5.mat"], matlab_73], ids=["v5", "v7.3"])
def test_a_trailing_axis_that_matlab_dropped(in_folder, run, refused, write):
    """[6, 2, 2] from MATLAB is six channels of one BS, [6, 2, 2, 1], or one channel of six subchannels, two BSs."""
    write("t.mat", gain=np.full((6, 2, 2), 1e-9))
    refused(f"{HETNET} t.mat", "[6, 2, 2]", "[batch=1, subchannel=6, user=2, BS=2]", "[batch=6, subchannel=2", "--set")
    for setting, reading in (
        ("num_micro=0", "[batch=6, subchannel=2, user=2, BS=1]"),
        ("num_subchannels=2", "[batch=6, subchannel=2, user=2, BS=1]"),
        ("num_micro=1", "[batch=1, subchannel=6, user=2, BS=2]"),
    ):
        error = run(f"{HETNET} t.mat --overwrite --set min_spectral_efficiency=0 --set {setting}")[2]
        assert f"t.mat: gain {reading}" in error, setting


def test_sizes_that_were_set_and_are_not_those_of_the_file(in_folder, refused, gain):
    np.savez("g.npz", gain=gain)
    refused(f"{HETNET} g.npz --set num_subchannels=4", "g.npz", "subchannel=2", "wanted is subchannel=4")
    refused(f"{HETNET} g.npz --set num_micro=3", "BS=3", "wanted is BS=4")


def test_one_instance_without_batch_axis(in_folder, run, gain):
    np.savez("one.npz", gain=gain[0])
    status, _, error = run(f"{HETNET} one.npz --set min_spectral_efficiency=0")
    assert status == 0
    assert "1 channel (one.npz: gain [batch=1, subchannel=2, user=6, BS=3]" in error
    assert np.load("out.npz")["power_w"].shape == (1, 3, 2)


def _with(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda g: _with(g, (1, 0, 3, 2), np.nan), ["[1, 0, 3, 2] is nan", "not finite"]),
        (lambda g: _with(g, (1, 0, 3, 2), np.inf), ["[1, 0, 3, 2] is inf", "not finite"]),
        (lambda g: _with(g, (0, 1, 0, 0), -1e-12), ["[0, 1, 0, 0]", "negative", "not dB"]),
        (lambda g: 10 * np.log10(g), ["[0, 0, 0, 0]", "negative", "not dB"]),
        (lambda g: g.astype(np.float16), ["float16", "6e-8"]),
        (lambda g: g * 1e-35, ["vanishes in float32"]),
        (lambda g: g[0, 0], ["shape [6, 3]", "[batch, subchannel, user, BS]"]),
        (lambda g: g[:, :, :5], ["5 users for 3 BSs", "multiple"]),
        (lambda g: g[:0], ["[0, 2, 6, 3]", "'batch' is empty"]),
        (lambda g: g[:, :0], ["'subchannel' is empty"]),
        (lambda g: np.array(["a"]), ["real numbers"]),
    ],
)
def test_bad_gains(in_folder, refused, gain, change, words):
    np.savez("bad.npz", gain=change(gain))
    refused(f"{HETNET} bad.npz", "bad.npz", "'gain'", *words)
    assert not (in_folder / "out.npz").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("junk.npz", b"junk", ["junk.npz cannot be read"]),
        ("junk.mat", b"junk", ["junk.mat cannot be read"]),
        ("junk.h5", b"", ["junk.h5 cannot be read"]),
        ("gain.csv", b"1,2", ["'.csv'", ".npz, .h5, .hdf5 and .mat"]),
    ],
)
def test_files_that_are_none(in_folder, refused, name, content, words):
    (in_folder / name).write_bytes(content)
    refused(f"{HETNET} {name}", *words)


def test_names_and_structs(in_folder, refused, gain):
    np.savez("other.npz", H=gain)
    refused(f"{HETNET} other.npz", "no array 'gain'", "it holds: H")
    scipy_io.savemat("inside.mat", {"data": {"gain": gain, "note": 1}})
    refused(f"{HETNET} inside.mat", "no array 'gain'", "data (a struct with the fields gain, note)")
    scipy_io.savemat("struct.mat", {"gain": {"values": gain, "unit": "1"}})
    refused(f"{HETNET} struct.mat", "'gain' is a struct with the fields values, unit")


def test_gains_above_one_are_said(in_folder, run, gain):
    np.savez("db.npz", gain=-10 * np.log10(gain))  # path losses in dB: positive numbers
    status, _, error = run(f"{HETNET} db.npz --set min_spectral_efficiency=0")
    assert status == 0
    assert "144 of 144 positive power gains in 'gain' are above 1" in error
    assert "not dB" in error
    np.savez("some.npz", gain=_with(gain, (0, 0, 0, 0), 1.5))
    error = run(f"{HETNET} some.npz --set min_spectral_efficiency=0 --overwrite")[2]
    assert "1 of 144 positive power gains" in error
    np.savez("good.npz", gain=gain)
    error = run(f"{HETNET} good.npz --set min_spectral_efficiency=0 --overwrite")[2]
    assert "warning" not in error


@pytest.fixture
def noma_gain():
    return np.random.default_rng(0).exponential(size=(3, 4, 5))


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (np.ones((5, 1)), ["'weight' has shape [5, 1]", "transpose [1, 5]"]),
        (np.ones((2, 5)), ["numbers of instances", "gain has 3", "weight has 2"]),
        (np.ones((3, 4)), ["'weight'", "user=4", "wanted is user=5"]),
        (-np.ones((3, 5)), ["'weight'", "negative"]),
    ],
)
def test_weights_that_do_not_fit(in_folder, refused, noma_gain, weight, words):
    np.savez("n.npz", gain=noma_gain, weight=weight)
    refused(f"{NOMA} n.npz", "n.npz", *words)


def test_a_schedule_beyond_the_quota(in_folder, refused, noma_gain):
    np.savez("n.npz", gain=noma_gain, assignment=np.ones((3, 4, 5), bool))
    refused(f"{NOMA} n.npz", "'assignment' of instance 0 has 5 pairs on subchannel 0", "max_users_per_subchannel is 3")


def test_physical_gains_with_the_default_noise_are_said(in_folder, capsys, noma_gain):
    np.savez("n.npz", gain=noma_gain * 1e-10)
    assert main(f"{NOMA} n.npz".split()) == 3
    error = capsys.readouterr().err
    assert "the median SNR at full power is -7" in error or "the median SNR at full power is -8" in error
    for words in ("noise_power_w=0.1", "total_power_dbm=43", "median gain -10", "warning"):
        assert words in error
    assert main(f"{NOMA} n.npz --overwrite --set noise_power_w=1e-11".split()) == 0
    assert "warning" not in capsys.readouterr().err
