"""Exact tiling: with an overlap of the receptive field, tiles give the whole image's result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from xbdcnn._common.errors import SMALLEST_SIDE
from xbdcnn.inference.layers import Layer, record_layers


class ReceptiveField(NamedTuple):
    """Receptive field of a network, in input pixels.

    radius: number of pixels outside a window of the output, at each side, on which it depends;
    stride: product of the pooling factors, of which the start of a window must be a multiple.
    """

    radius: int
    stride: int

    @property
    def overlap(self) -> int:
        """The radius, rounded up to a multiple of the stride."""
        return -(-self.radius // self.stride) * self.stride


class Tile(NamedTuple):
    """Rows and columns of one tile, as slices.

    window: part of the output that the tile provides; padded: part of the image that it reads,
    which is the window and the overlap around it; inner: position of the window in the padded
    part.
    """

    window: tuple[slice, slice]
    padded: tuple[slice, slice]
    inner: tuple[slice, slice]


def receptive_field(network: nn.Module, *told: Tensor) -> ReceptiveField:
    """Compute the receptive field of a network from its recorded layers; see `record_layers`."""
    layers = record_layers(network, SMALLEST_SIDE, *told)
    stride = SMALLEST_SIDE // min(layer.side for layer in layers)
    return ReceptiveField(receptive_radius(layers), stride)


def receptive_radius(layers: Sequence[Layer]) -> int:
    """Return the radius of the receptive field, by going from the last layer to the image.

    margins[i] is the number of pixels outside a window that the output of layer i must have for
    the last layer to be exact inside it.
    """
    margins = [0] * len(layers)
    for position in reversed(range(len(layers))):
        layer = layers[position]
        for source in layer.inputs:
            margins[source] = max(margins[source], input_margin(layer, margins[position]))
    return margins[0]


def input_margin(layer: Layer, output_margin: int) -> int:
    """Return the margin that a layer's input must have for a given margin of its output.

    Both in pixels at the resolution of the input and of the output, respectively.
    """
    if layer.kind == "conv":
        return layer.stride * output_margin + layer.dilation * (layer.kernel // 2)
    if layer.kind == "pool":
        return 2 * output_margin
    return -(-output_margin // 2) if layer.kind == "up" else output_margin


def tiles(shape: tuple[int, int], side: int, field: ReceptiveField) -> list[Tile]:
    """Partition an image of shape (H, W) into windows of at most `side` pixels, with overlap.

    Windows start at multiples of the stride, so that a tile pools the same pixels as the whole
    image. Their sizes are nearly equal, so that no tile consists mainly of overlap.
    """
    rows, columns = (axis_tiles(length, side, field) for length in shape)
    return [Tile(*zip(row, column, strict=True)) for row in rows for column in columns]


def axis_tiles(length: int, side: int, field: ReceptiveField) -> list[tuple[slice, slice, slice]]:
    """Return window, padded and inner slice of every tile along an axis of `length` pixels."""
    count = -(-length // side)
    step = -(-length // (count * field.stride)) * field.stride
    slices = []
    for start in range(0, length, step):
        stop = min(start + step, length)
        first, last = max(start - field.overlap, 0), min(stop + field.overlap, length)
        inner = slice(start - first, stop - first)
        slices.append((slice(start, stop), slice(first, last), inner))
    return slices
