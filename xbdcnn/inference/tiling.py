"""Exact tiling: how far a network sees, and windows that overlap by just that much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import nn

from xbdcnn._common.errors import SMALLEST_SIDE
from xbdcnn.inference.layers import Layer, record


class Field(NamedTuple):
    """How far a network sees.

    reach: input pixels beyond a window on the grid that its output depends on; grid: side in
    pixels of the coarsest pooled pixel, on whose multiples windows have to begin.
    """

    reach: int
    grid: int

    @property
    def halo(self) -> int:
        """The reach, rounded up so that a window and its halo begin on the grid."""
        return -(-self.reach // self.grid) * self.grid


class Tile(NamedTuple):
    """Rows and columns of one tile.

    window: what it yields; halo: what it sees; inner: the window's place inside the halo.
    """

    window: tuple[slice, slice]
    halo: tuple[slice, slice]
    inner: tuple[slice, slice]


def receptive_field(network: nn.Module) -> Field:
    """Compute a network's field from the layers that an image passes, as recorded."""
    layers = record(network, SMALLEST_SIDE)
    return Field(reach(layers), SMALLEST_SIDE // min(layer.side for layer in layers))


def reach(layers: Sequence[Layer]) -> int:
    """Input pixels beyond a window that its output needs, found by walking back to the image."""
    needs = [0] * len(layers)
    for layer, need in zip(reversed(layers), reversed(range(len(layers))), strict=True):
        for source in layer.inputs:
            needs[source] = max(needs[source], margin(layer, needs[need]))
    return needs[0]


def margin(layer: Layer, pixels: int) -> int:
    """Pixels beyond a window that a layer's input must have, if its output has `pixels`."""
    if layer.kind == "conv":
        return pixels + layer.dilation * (layer.kernel // 2)
    if layer.kind == "pool":
        return 2 * pixels
    return -(-pixels // 2) if layer.kind == "up" else pixels


def tiles(shape: tuple[int, int], side: int, field: Field) -> list[Tile]:
    """Cover (H, W) with windows of at most `side` pixels, each with the halo that it needs.

    Windows begin on the field's grid, so that a tile pools the same pixels together as the whole
    image does. They are of about equal size, so that no tile consists mainly of halo.
    """
    rows, columns = (spans(length, side, field) for length in shape)
    return [Tile(*zip(row, column, strict=True)) for row in rows for column in columns]


def spans(length: int, side: int, field: Field) -> list[tuple[slice, slice, slice]]:
    """The windows, halos and inner places along one axis of `length` pixels."""
    steps = -(-length // side)
    step = -(-length // (steps * field.grid)) * field.grid
    found = []
    for start in range(0, length, step):
        stop = min(start + step, length)
        first = max(start - field.halo, 0)
        halo = slice(first, min(stop + field.halo, length))
        found.append((slice(start, stop), halo, slice(start - first, stop - first)))
    return found
