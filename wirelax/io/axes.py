"""Which axis of an array from outside is which: by rank, by known sizes, and by what MATLAB leaves out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import permutations

from wirelax.io.errors import ChannelFileError

__all__ = ["place_axes", "readings"]

Shape = tuple[int, ...]
_MOST_AXES_PERMUTED = 5


def readings(shape: Sequence[int], axes: Sequence[str], *, from_matlab: bool = False) -> list[Shape]:
    """The shapes [batch, *axes] that an array of a given shape can have been meant as.

    Without MATLAB the rank decides. MATLAB drops trailing axes of length 1 (down to two axes), so that
    [6, 2, 2] may be one instance of three axes, or six of [2, 2, 1]; and it has no vectors, so that [1, 4]
    and [4, 1] are both four instances of no axes.

    Args:
        shape: of the array as read.
        axes: names of the axes of one instance.
        from_matlab: whether MATLAB may have written it.
    """
    shape, rank = tuple(int(size) for size in shape), len(axes)
    if not from_matlab:
        return [(1, *shape)] if len(shape) == rank else [shape] if len(shape) == rank + 1 else []
    if rank == 0 and len(shape) == 2 and 1 in shape:
        return [(shape[0] * shape[1],)]
    found = []
    if len(shape) <= rank:
        found.append((1, *shape, *[1] * (rank - len(shape))))
    if len(shape) <= rank + 1:
        found.append((*shape, *[1] * (rank + 1 - len(shape))))
    return list(dict.fromkeys(found))


def place_axes(
    shape: Sequence[int],
    axes: Sequence[str],
    sizes: Mapping[str, int | None] | None = None,
    *,
    from_matlab: bool = False,
    subject: str = "the array",
) -> Shape:
    """The shape [batch, *axes] of an array, where rank and known sizes leave one.

    Args:
        shape: of the array as read.
        axes: names of the axes of one instance, e.g. ``("subchannel", "user", "BS")``.
        sizes: lengths known from elsewhere by axis (or ``"batch"``); None or absent where any will do.
        from_matlab: whether MATLAB may have written it, see `readings`.
        subject: what the array is, the start of every message.

    Raises:
        ChannelFileError: wrong rank, an empty axis, lengths other than `sizes` (with a hint where another
            order of the axes would fit), or more than one reading left (naming them and the remedy).
    """
    stated = f"{subject} has shape {list(shape)}"
    found = readings(shape, axes, from_matlab=from_matlab)
    if not found:
        one = ", ".join(axes)
        wanted = f"[batch, {one}], or [{one}]" if axes else "[batch], or none"
        raise ChannelFileError(f"{stated}; wanted are the axes {wanted} for one instance")
    if 0 in shape:
        raise ChannelFileError(f"{stated}: the axis {['batch', *axes][found[0].index(0)]!r} is empty")
    known = {name: size for name, size in (sizes or {}).items() if size is not None and name in ("batch", *axes)}
    fitting = [reading for reading in found if _fits(reading, axes, known)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise ChannelFileError(f"{stated}, which from MATLAB {_ambiguity(fitting, axes)}")
    wanted = ", ".join(f"{name}={size}" for name, size in known.items())
    read_as = " or ".join(_named(reading, axes) for reading in found)
    raise ChannelFileError(
        f"{stated}, read as {read_as}; wanted is {wanted}{_hint(tuple(shape), axes, known, from_matlab)}"
    )


def _fits(reading: Shape, axes: Sequence[str], known: Mapping[str, int]) -> bool:
    lengths = dict(zip(("batch", *axes), reading))
    return all(lengths[name] == size for name, size in known.items())


def _named(reading: Shape, axes: Sequence[str]) -> str:
    return f"[{', '.join(f'{name}={size}' for name, size in zip(('batch', *axes), reading))}]"


def _ambiguity(fitting: Sequence[Shape], axes: Sequence[str]) -> str:
    differing = [name for name, *lengths in zip(axes, *(shape[1:] for shape in fitting)) if len(set(lengths)) > 1]
    return (
        f"may be {' or '.join(_named(reading, axes) for reading in fitting)}; give a size that settles it with "
        f"--set FIELD=SIZE (the number of {' or '.join(differing)}), or store one instance with a batch axis, "
        f"as {list(fitting[0])}"
    )


def _hint(shape: Shape, axes: Sequence[str], known: Mapping[str, int], from_matlab: bool) -> str:
    """The end of a message about wrong lengths: which other order of the axes would fit, if one does."""
    if not 2 <= len(shape) <= _MOST_AXES_PERMUTED:
        return ""

    def fits(order: Sequence[int]) -> bool:
        other = tuple(shape[i] for i in order)
        return any(_fits(reading, axes, known) for reading in readings(other, axes, from_matlab=from_matlab))

    if fits(range(len(shape))[::-1]):
        word = "its transpose" if len(shape) == 2 else "with its axes reversed it is"
        ending = "would fit" if len(shape) == 2 else "which would fit"
        comma = "" if len(shape) == 2 else ","
        return f"; {word} {list(shape[::-1])}{comma} {ending}: store it so"
    orders = [order for order in permutations(range(len(shape))) if fits(order)]
    if len({tuple(shape[i] for i in order) for order in orders}) != 1:
        return ""
    return f"; with its axes in the order {list(orders[0])} it would fit: store it so"
