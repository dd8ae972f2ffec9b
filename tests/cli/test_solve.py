"""``sample`` and ``solve``: what is written, what is said, with which status; nothing wrong is returned in silence."""

import os
import sys

import numpy as np
import pytest

from wirelax.io import read_arrays


def net_rate(gain, power_w, config):
    """The objective in float64 loops."""
    value = 0.0
    for g, p in zip(gain.astype(np.float64), power_w.astype(np.float64), strict=True):
        value += np.log2(1 + g * p / config.noise_w) - config.price_per_w * p
    return value


def test_the_same_seed_gives_the_same_channels_and_a_prefix_of_more(link, in_folder, run):
    for name, options in (("a", "--count 6 --seed 3"), ("b", "--count 9 --seed 3"), ("c", "--count 6 --seed 4")):
        status, out, error = run(f"sample link {options} --out {name}.npz")
        assert (status, out, error) == (0, "", f"{options.split()[1]} channels of link written to {name}.npz\n")
    a, b, c = (np.load(f"{name}.npz")["gain"] for name in "abc")
    np.testing.assert_array_equal(a, b[:6])
    assert not np.array_equal(a, c)


def test_result_file_and_closing_line(link, channels, run):
    status, out, error = run(f"solve link --method water-filling --channels {channels} --out out.npz")
    assert (status, out) == (0, "")
    assert error.count("\n") == 1
    result, gain = np.load("out.npz"), np.load(channels)["gain"]
    wanted = {"power_w", "net_rate", "feasible", "status", "proven", "violation_max_power"}
    assert set(result) == wanted
    assert result["feasible"].all()
    for b in range(5):
        value = net_rate(gain[b], result["power_w"][b], link.config)
        np.testing.assert_allclose(result["net_rate"][b], value, rtol=1e-5, atol=1e-6)
    for words in (
        "5 channels (channels.npz: gain [batch=5, subchannel=2] (axes as stored))",
        "solved by water-filling: mean net_rate ",
        "a channel; written to out.npz",
    ):
        assert words in error


def test_what_does_not_end_well_is_said(link, channels, run):
    status, _, error = run(f"solve link --method moody --channels {channels} --out out.npz")
    result, lines = np.load("out.npz"), error.splitlines()
    assert status == 3
    assert list(result["status"]) == [0, 1, 2, 3, 4]
    assert list(result["feasible"]) == [True, False, True, False, True]
    np.testing.assert_allclose(result["violation_max_power"], [-0.5, 1, -0.5, 1, -0.5], atol=1e-6)
    assert "(infeasible results among them)" in lines[0]
    assert lines[1:] == [
        "wirelax: warning: moody: 1 of 5 results ended with status ITERATION_LIMIT",
        "wirelax: warning: moody: 1 of 5 results ended with status STALLED",
        "wirelax: warning: moody: 1 of 5 results ended with status NOT_FINITE",
        "wirelax: warning: moody: 3 of 5 results are not proven to be optimal on its grid",
        "wirelax: moody: 1 of 5 instances have no feasible solution that it could find (first: index 1); 'feasible' in "
        "out.npz says which",
        "wirelax: moody: 1 of 5 results break a constraint, max_power 1 (first: index 3); 'feasible' in out.npz says "
        "which",
    ]


def test_a_broken_constraint_is_not_called_infeasible(link, channels, run):
    status, _, error = run(f"solve link --method greedy --channels {channels} --out out.npz")
    assert status == 3
    assert "5 of 5 results break a constraint, max_power 5 (first: index 0)" in error
    assert "no feasible solution" not in error


@pytest.mark.parametrize(("scale", "said"), [(1e-6, "dB, far from"), (1.0, None), (1e16, "dB, far from")])
def test_an_implausible_snr_is_said_with_levels(link, in_folder, run, scale, said):
    np.savez("g.npz", gain=np.full((3, 4), 1e-11 * scale))  # SNR 10 dB at scale 1
    snr_db = 10 + 10 * np.log10(scale)
    status, _, error = run("solve link --method max-power --channels g.npz --out out.npz")
    assert status == 0
    assert ("far from anything physical" in error) == (said is not None)
    if said:
        assert f"the median SNR at full power is {snr_db:.0f} dB" in error
        assert f"median gain {10 * np.log10(1e-11 * scale):.0f} dB" in error


def test_every_batch_size_gives_the_same(link, in_folder, run):
    results = []
    for size in (1, 3, 8, 50):
        assert run(f"solve link --method water-filling --count 8 --batch-size {size} --out {size}.npz")[0] == 0
        results.append(np.load(f"{size}.npz")["power_w"])
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("count", [1, 50_000])
def test_any_number_of_channels(link, in_folder, run, count):
    status, _, error = run(f"solve link --method max-power --count {count} --out out.npz")
    assert status == 0
    assert len(np.load("out.npz")["net_rate"]) == count
    assert error.startswith("1 channel (" if count == 1 else "50,000 channels (")


@pytest.mark.parametrize("form", [".npz", ".h5", ".mat"])
def test_every_form_of_file_in_and_out(link, in_folder, run, form):
    assert run("sample link --count 4 --seed 2 --out plain.npz")[0] == 0
    assert run(f"sample link --count 4 --seed 2 --out g{form}")[0] == 0
    gain = np.load("plain.npz")["gain"]
    np.testing.assert_array_equal(read_arrays(f"g{form}", ["gain"])["gain"], gain)
    status, _, error = run(f"solve link --method max-power --channels g{form} --out out{form}")
    assert status == 0
    assert "gain [batch=4, subchannel=4]" in error
    assert ("MATLAB" in error) == (form == ".mat")
    names = ["power_w", "net_rate", "feasible"]
    result = read_arrays(f"out{form}", names)
    np.testing.assert_array_equal(result["power_w"], np.full((4, 4), np.float32(0.1)))
    assert result["feasible"].ravel().astype(bool).all()
    for b in range(4):
        value = net_rate(gain[b], result["power_w"][b], link.config)
        np.testing.assert_allclose(result["net_rate"].ravel()[b], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("command", ["sample link --count 2", "solve link --method max-power --count 2"])
def test_nothing_is_overwritten_unless_asked_for(link, in_folder, run, refused, command):
    (in_folder / "out.npz").write_bytes(b"precious")
    refused(f"{command} --out out.npz", "out.npz exists", "--overwrite")
    assert (in_folder / "out.npz").read_bytes() == b"precious"
    assert run(f"{command} --out out.npz --overwrite")[0] == 0
    assert np.load("out.npz")


@pytest.mark.parametrize("command", ["sample link --count 2", "solve link --method max-power --count 2"])
def test_places_that_cannot_be_written(link, in_folder, refused, command):
    refused(f"{command} --out no/such/out.npz", "no directory", "no/such")
    refused(f"{command} --out out.csv", "'.csv'", ".npz, .h5, .hdf5, .mat")
    refused(f"{command} --out out", "suffix", ".npz")
    (in_folder / "out.npz").mkdir()
    refused(f"{command} --out out.npz", "is a directory")


def test_a_folder_that_may_not_be_written_to(link, in_folder, refused, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    refused("solve link --method max-power --count 2 --out out.npz", str(in_folder), "not writable")


@pytest.mark.parametrize("suffix", ["h5", "mat"])
def test_a_missing_extra_is_said_before_the_work(link, in_folder, refused, monkeypatch, suffix):
    monkeypatch.setitem(sys.modules, "h5py", None)
    monkeypatch.setattr("wirelax.systems.solve_batch", lambda *args, **options: pytest.fail("work was done"))
    if suffix == "h5":
        refused("solve link --method max-power --count 2 --out out.h5", "needs h5py", "pip install 'wirelax[io]'")
    (in_folder / f"g.{suffix}").write_bytes(b"\x89HDF\r\n\x1a\n")
    refused(f"solve link --method max-power --channels g.{suffix} --out out.npz", "needs h5py", "'wirelax[io]'")
