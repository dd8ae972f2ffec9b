"""Flax networks that policies are made of: pure ``init`` / ``apply``, one instance at a time."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

__all__ = ["CNN", "MLP"]


class MLP(nn.Module):
    """Fully connected layers with ReLU between them and a linear last layer.

    Attributes:
        hidden: widths of the hidden layers.
        outputs: width of the last layer.
    """

    hidden: Sequence[int]
    outputs: int

    @nn.compact
    def __call__(self, x: Float[Array, "*batch features"]) -> Float[Array, "*batch outputs"]:
        """Outputs of the last layer."""
        for width in self.hidden:
            x = nn.relu(nn.Dense(width)(x))
        return nn.Dense(self.outputs)(x)


def patches(image: Float[Array, "*batch height width channel"], kernel: tuple[int, int]) -> Float[Array, "..."]:
    """The neighbourhood of every pixel, zero-padded to SAME, flattened into channels."""
    height, width = image.shape[-3:-1]
    before = [(k - 1) // 2 for k in kernel]
    around = [(b, k - 1 - b) for b, k in zip(before, kernel, strict=True)]
    padded = jnp.pad(image, [(0, 0)] * (image.ndim - 3) + [*around, (0, 0)])
    taps = [padded[..., i : i + height, j : j + width, :] for i in range(kernel[0]) for j in range(kernel[1])]
    return jnp.concatenate(taps, axis=-1)


class CNN(nn.Module):
    """SAME convolutions with ReLU over an image, flattened into an `MLP`.

    A convolution is a dense layer over `patches`: for images of this size that is one matrix product, many
    times faster on a CPU than XLA's convolution inside a loop.

    Attributes:
        channels: channels of the convolutions.
        hidden: widths of the dense layers.
        outputs: width of the last layer.
        kernel: taps of every convolution, [height, width].
    """

    channels: Sequence[int]
    hidden: Sequence[int]
    outputs: int
    kernel: tuple[int, int] = (1, 3)

    @nn.compact
    def __call__(self, image: Float[Array, "height width channel"]) -> Float[Array, " outputs"]:
        """Outputs of the last layer."""
        for channels in self.channels:
            image = nn.relu(nn.Dense(channels)(patches(image, self.kernel)))
        return MLP(self.hidden, self.outputs)(jnp.reshape(image, -1))
