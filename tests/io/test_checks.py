import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from wirelax.io import ChannelFileError, check_flag, check_gain

AXES = ("subchannel", "user", "BS")


def refusal(gain, *parts, axes=AXES, file="runs/channels.mat", **kwargs):
    with pytest.raises(ChannelFileError) as caught:
        check_gain("gain", gain, axes, file, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in ("'gain'", *parts)), message
    return message


@given(
    arrays(
        st.sampled_from([np.float32, np.float64, np.int8, np.uint32, np.dtype(">f8")]),
        array_shapes(min_dims=3, max_dims=4, max_side=3),
        elements=st.integers(0, 100),
    )
)
def test_any_real_type_becomes_float32_with_a_batch_axis(gain):
    got = check_gain("gain", gain, AXES)
    assert got.dtype == np.float32
    assert got.dtype.isnative
    assert got.shape == (gain.shape if gain.ndim == 4 else (1, *gain.shape))
    np.testing.assert_array_equal(got.reshape(gain.shape), gain)


def test_small_real_path_gains_and_zeros_pass():
    gain = np.array([[1e-20, 0.0], [1e-7, 1e-15]])
    np.testing.assert_allclose(check_gain("gain", gain, ("UE", "BS"))[0], gain, rtol=1e-6)
    assert not check_gain("gain", np.zeros((2, 2)), ("UE", "BS")).any()


def test_lists_jax_arrays_and_other_precisions_pass():
    assert check_gain("gain", [[1, 2]], ("UE", "BS")).shape == (1, 1, 2)
    assert check_gain("gain", jnp.ones((1, 2)), ("UE", "BS")).shape == (1, 1, 2)
    assert check_gain("gain", [[1e-300]], ("UE", "BS"), dtype=np.float64).item() == 1e-300


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (np.nan, "is nan, which is not finite"),
        (np.inf, "is inf, which is not finite"),
        (-np.inf, "is -inf, which is not finite"),
        (-1e-9, "is -1e-09, which is negative; gains are linear power ratios, not dB"),
        (1e39, "is 1e+39, which does not fit into float32"),
    ],
)
def test_bad_values_are_named_with_the_first_index(value, fault):
    gain = np.full((4, 2, 6, 3), 1e-9)
    gain[2, 1, 4, 0] = gain[3, 0, 0, 0] = value
    message = refusal(gain, "runs/channels.mat: array 'gain' at index [2, 1, 4, 0]", fault)
    assert value != -1e-9 or "dB" in message
    refusal(gain[2], "at index [1, 4, 0]", fault)  # the index in the array as given, without the batch


def test_bad_weights_are_not_called_gains():
    with pytest.raises(ChannelFileError, match=r"at index \[0, 1\] is -1.0, which is negative; weights are at least 0"):
        check_gain("weight", [[1.0, -1.0]], ("user",), kind="weight")


def test_not_finite_is_reported_before_negative():
    refusal(np.array([[[-1.0, np.nan]]]), "index [0, 0, 1]", "not finite")


def test_gains_that_vanish_in_float32_are_counted():
    gain = np.zeros((1, 2, 3))
    gain[0, 1, 2] = 1e-44
    remedy = "divide the gains by the noise power"
    refusal(gain, "index [0, 1, 2] is 1e-44", "vanishes in float32 (1 of 1 positive values)", remedy)
    gain[0, 0, 0] = 1e-20
    refusal(gain, "index [0, 1, 2]", "(1 of 2 positive values)", remedy)
    gain[0, 0, 1] = 1e-300
    refusal(gain, "index [0, 0, 1]", "(2 of 3 positive values)", remedy)
    smallest = np.finfo(np.float32).smallest_normal
    assert check_gain("gain", np.full((1, 2, 3), smallest), AXES).min() == smallest
    assert check_gain("gain", gain, AXES, dtype=np.float64)[0, 0, 0, 1] == 1e-300


@pytest.mark.parametrize("kind", ["gain", "weight"])
@pytest.mark.parametrize("value", [0.0, 6e-8, 1.0])
def test_half_precision_is_refused_whatever_it_holds(kind, value):
    for dtype in ("f2", ">f2"):
        refusal(np.full((1, 2, 3), value, dtype), "float16", "store float32 or float64", kind=kind)


def test_flags_of_half_precision_are_exact():
    assert check_flag("assignment", np.ones((1, 2), np.float16), ("user",)).all()


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (1, 2, 3, 4, 5)])
def test_a_wrong_rank_says_what_it_got_and_wants(shape):
    refusal(np.ones(shape), f"has shape {list(shape)}", "[batch, subchannel, user, BS]", "[subchannel, user, BS]")


@pytest.mark.parametrize(("shape", "axis"), [((0, 2, 3, 4), "batch"), ((2, 0, 4), "user"), ((5, 2, 3, 0), "BS")])
def test_empty_axes_are_named(shape, axis):
    refusal(np.ones(shape), f"the axis '{axis}' is empty")


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_arrays_are_refused_with_the_remedy(dtype):
    array = np.ones((1, 2, 3), dtype)
    refusal(array, "complex", "abs(h)**2")
    refusal(array, "complex", "weights are real numbers", kind="weight")
    with pytest.raises(ChannelFileError, match=r"dtype complex.*wanted true and false"):
        check_flag("assignment", array, AXES)


def test_a_table_names_its_fields():
    refusal(np.ones((1, 1, 1), [("pathloss", "f8"), ("fading", "f8")]), "table with the fields pathloss, fading")


def test_a_weight_stored_the_other_way_round_is_told_so():
    wanted = r"\[4, 1\], read as \[batch=4, user=1\]; wanted is user=4; its transpose \[1, 4\] would fit: store it so"
    for check, array in ((check_gain, np.ones((4, 1))), (check_flag, np.ones((4, 1), bool))):
        with pytest.raises(ChannelFileError, match=wanted):
            check("weight", array, ("user",), sizes={"user": 4})
        assert check("weight", array.T, ("user",), sizes={"user": 4}).shape == (1, 4)


def test_values_keep_their_places_when_matlab_dropped_axes():
    gain = np.arange(24.0).reshape(6, 2, 2)
    many = check_gain("gain", gain, AXES, sizes={"BS": 1}, from_matlab=True)
    np.testing.assert_array_equal(many, gain[..., None])
    one = check_gain("gain", gain, AXES, sizes={"BS": 2}, from_matlab=True)
    np.testing.assert_array_equal(one, gain[None])
    flag = check_flag("assignment", gain > 5, AXES, sizes={"subchannel": 2}, from_matlab=True)
    np.testing.assert_array_equal(flag, (gain > 5)[..., None])


def test_bad_flags_are_named():
    with pytest.raises(ChannelFileError, match=r"at index \[0, 1\] is 2.0, which is neither 0 nor 1"):
        check_flag("assignment", [[1.0, 2.0]], ("user",))


@pytest.mark.parametrize("gain", [np.array([[["a"]]]), np.array([[[None]]]), np.ones((1, 1, 1), dtype=bool)])
def test_non_numbers_are_refused(gain):
    refusal(gain, "dtype")


def test_without_a_file_the_message_starts_at_the_array():
    assert refusal(-np.ones((1, 1, 1)), file=None).startswith("array 'gain' at index [0, 0, 0]")
