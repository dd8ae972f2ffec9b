import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirelax.io import ChannelFileError, place_axes
from wirelax.io.axes import readings

AXES = ("subchannel", "user", "BS")


def as_matlab_keeps(shape):
    """The shape of an array after MATLAB has loaded and saved it."""
    shape = list(shape) if len(shape) >= 2 else [1] * (2 - len(shape)) + list(shape)
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    return tuple(shape)


def refusal(shape, sizes=None, *, axes=AXES, from_matlab=False):
    with pytest.raises(ChannelFileError) as caught:
        place_axes(shape, axes, sizes, from_matlab=from_matlab, subject="runs/a.mat: array 'gain'")
    message = str(caught.value)
    assert message.startswith(f"runs/a.mat: array 'gain' has shape {list(shape)}")
    assert "\n" not in message
    return message


@given(st.lists(st.integers(1, 4), min_size=0, max_size=3), st.integers(1, 4))
def test_what_matlab_dropped_is_found_again(instance, count):
    """Whatever was saved with a batch axis is among the readings, and sizes of all axes leave it alone."""
    axes, whole = AXES[: len(instance)], (count, *instance)
    kept = as_matlab_keeps(whole) if instance else (count, 1)
    assert whole in readings(kept, axes, from_matlab=True)
    sizes = {"batch": count, **dict(zip(axes, instance))}
    assert place_axes(kept, axes, sizes, from_matlab=True) == whole
    assert place_axes(whole, axes, sizes) == whole


@given(st.lists(st.integers(1, 4), min_size=2, max_size=3))
def test_one_instance_without_a_batch_axis(instance):
    axes = AXES[: len(instance)]
    assert place_axes(instance, axes) == (1, *instance)
    kept = as_matlab_keeps(instance)
    assert (1, *instance) in readings(kept, axes, from_matlab=True)


def test_six_by_two_by_two_is_one_channel_or_six():
    assert readings((6, 2, 2), AXES, from_matlab=True) == [(1, 6, 2, 2), (6, 2, 2, 1)]
    message = refusal((6, 2, 2), from_matlab=True)
    assert "[batch=1, subchannel=6, user=2, BS=2] or [batch=6, subchannel=2, user=2, BS=1]" in message
    assert "--set FIELD=SIZE (the number of subchannel or BS), or store one instance" in message
    assert "as [1, 6, 2, 2]" in message
    for sizes, wanted in [
        ({"BS": 1}, (6, 2, 2, 1)),
        ({"BS": 2}, (1, 6, 2, 2)),
        ({"subchannel": 2, "user": None}, (6, 2, 2, 1)),
        ({"batch": 1}, (1, 6, 2, 2)),
    ]:
        assert place_axes((6, 2, 2), AXES, sizes, from_matlab=True) == wanted
    refusal((6, 2, 2), {"user": 2}, from_matlab=True)  # settles nothing
    assert place_axes((6, 2, 2), AXES) == (1, 6, 2, 2)  # not from MATLAB: the rank decides
    assert place_axes((1, 6, 2, 2), AXES, from_matlab=True) == (1, 6, 2, 2)
    assert place_axes((1, 1, 1), AXES, from_matlab=True) == (1, 1, 1, 1)


def test_sizes_that_fit_no_reading():
    assert "wanted is BS=3" in refusal((6, 2, 2), {"BS": 3}, from_matlab=True)
    message = refusal((20, 2, 6, 3), {"user": 5, "BS": 3})
    assert "read as [batch=20, subchannel=2, user=6, BS=3]; wanted is user=5, BS=3" in message
    assert "would fit" not in message


def test_axes_in_another_order_are_told():
    assert "with its axes reversed it is [20, 2, 6, 3], which would fit: store it so" in refusal(
        (3, 6, 2, 20), {"user": 6, "BS": 3}
    )
    assert "in the order [0, 1, 3, 2] it would fit" in refusal((20, 2, 3, 6), {"batch": 20, "user": 6, "BS": 3})
    assert "its transpose [1, 4] would fit" in refusal((4, 1), {"user": 4}, axes=("user",))
    assert "its transpose [1, 4] would fit" in refusal((4, 1), {"user": 4}, axes=("user",), from_matlab=True)
    assert "would fit" not in refusal((4, 2), {"user": 3}, axes=("user",))


def test_sizes_of_other_axes_do_not_matter():
    assert place_axes((1, 4), ("user",), {"BS": 3, "user": None}) == (1, 4)


@pytest.mark.parametrize(("shape", "kept"), [((), (1, 1)), ((5,), (1, 5)), ((5,), (5, 1))])
def test_matlab_has_no_vectors(shape, kept):
    assert place_axes(kept, (), from_matlab=True) == (int(np.prod(shape)),)
    assert place_axes(shape, ()) == (int(np.prod(shape)),)


def test_wrong_ranks_and_empty_axes():
    wanted = "wanted are the axes [batch, subchannel, user, BS], or [subchannel, user, BS] for one instance"
    assert wanted in refusal((2, 3))
    assert wanted in refusal((1, 2, 3, 4, 5), from_matlab=True)
    assert "the axis 'user' is empty" in refusal((2, 0, 4))
    assert "the axis 'batch' is empty" in refusal((0, 2, 3, 4), from_matlab=True)
