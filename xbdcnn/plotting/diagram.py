"""Shapes of Fig. 1: blocks, nodes, arrows and captions, placed from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon
from matplotlib.path import Path
from numpy.typing import NDArray

from xbdcnn.inference.layers import Layer
from xbdcnn.plotting.style import INK

FILL = {"conv": "#8FBFE3", "linear": "#F2D479", "pool": "#E48A6A", "up": "#7CC4A4"}
EDGE = "#3d4a55"
SKIP = "#0072B2"


class Box(NamedTuple):
    """Position of a shape: left and right edge, centre height y, full height, and depth."""

    left: float
    right: float
    y: float
    height: float
    depth: float = 0.0

    @property
    def middle(self) -> float:
        """Horizontal centre of the front face."""
        return (self.left + self.right) / 2

    @property
    def top(self) -> tuple[float, float]:
        """Centre of the upper face, where a skip connection starts."""
        return self.middle + self.depth / 2, self.y + self.height / 2 + self.depth / 2


FULL_HEIGHT = 2.0
DEPTH = 0.15
LEVEL_Y = {1: 0.0, 2: -1.66, 4: -2.74}
NODE = 0.15


class Diagram:
    """Draws layers from left to right and records the box of each."""

    def __init__(self, axes: Axes, layers: Sequence[Layer]) -> None:
        self.axes, self.layers = axes, layers
        self.boxes: dict[int, Box] = {}
        self.x = 0.0

    def row(self, layer: Layer) -> tuple[float, float]:
        """Centre and height of a block; the height follows the resolution."""
        shrink = self.layers[0].side // layer.side
        return LEVEL_Y[shrink], FULL_HEIGHT / shrink

    def slab(self, index: int) -> None:
        """Draw a feature map: height and depth follow the resolution, thickness the channels."""
        layer = self.layers[index]
        y, height = self.row(layer)
        width = 0.26 + 0.001 * layer.channels if layer.kind != "pool" else 0.14
        box = Box(self.x, self.x + width, y, height, DEPTH * height)
        kind = "linear" if layer.kind == "conv" and not layer.relu else layer.kind
        self._cuboid(box, FILL[kind])
        if layer.kind != "pool":
            label: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 6}
            label |= {"size": 7, "rotation": 90, "rotation_mode": "anchor", "color": INK}
            self.axes.text(box.middle, y, str(layer.channels), **label)
        self.boxes[index] = box
        self.x = box.right

    def _cuboid(self, box: Box, colour: str) -> None:
        low, high, d = box.y - box.height / 2, box.y + box.height / 2, box.depth
        left, right = box.left, box.right
        faces = {
            1.0: [(left, low), (right, low), (right, high), (left, high)],
            1.12: [(left, high), (right, high), (right + d, high + d), (left + d, high + d)],
            0.82: [(right, low), (right + d, low + d), (right + d, high + d), (right, high)],
        }
        for light, corners in faces.items():
            face = Polygon(corners, closed=True, fc=shade(colour, light), ec=EDGE, lw=0.6)
            self.axes.add_patch(face).set_zorder(5)

    def node(self, index: int, y: float) -> None:
        """Draw an addition or a concatenation: a circle with a symbol."""
        self.x += NODE
        sign = {"add": "+", "cat": "c"}[self.layers[index].kind]
        circle = Circle((self.x, y), NODE, fc="white", ec=INK, lw=1, zorder=7)
        self.axes.add_patch(circle)
        place: dict[str, Any] = {"ha": "center", "va": "center_baseline", "zorder": 8}
        self.axes.text(self.x, y, sign, size=9, **place)
        self.boxes[index] = Box(self.x - NODE, self.x + NODE, y, 2 * NODE)
        self.x += NODE

    def tile(self, picture: NDArray | None, side: float, y: float) -> Box:
        """Draw a square picture with values in [0, 1], or an empty tile for None."""
        box = Box(self.x, self.x + side, y, side)
        low, high = y - side / 2, y + side / 2
        if picture is not None:
            extent = (box.left, box.right, low, high)
            self.axes.imshow(picture, vmin=0, vmax=1, extent=extent, zorder=4)
        corners = [(box.left, low), (box.right, low), (box.right, high), (box.left, high)]
        fill = "#e4e9ed" if picture is None else "none"
        self.axes.add_patch(Polygon(corners, closed=True, fc=fill, ec=INK, lw=0.8, zorder=5))
        self.x = box.right
        return box

    def note(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write a caption whose upper centre is at (x, y)."""
        style: dict[str, Any] = {"size": 8, "ha": "center", "va": "top", "linespacing": 1.25}
        self.axes.text(x, y, text, zorder=9, **(style | options))

    def arrow(self, *points: tuple[float, float], colour: str = INK, dashed: bool = False) -> None:
        """Draw an arrow along points, with rounded corners."""
        style: dict[str, Any] = {"lw": 1.1, "color": colour, "ls": (0, (4, 2)) if dashed else "-"}
        path = rounded(points, 0.16)
        patch = FancyArrowPatch(path=path, arrowstyle="-|>,head_length=4,head_width=2", **style)
        patch.set(capstyle="butt", joinstyle="miter", zorder=4.5)
        self.axes.add_patch(patch)

    def over(self, source: int, target: int, y: float, **options: Any) -> None:
        """Draw a skip connection: up from the source, across at height y, down to the target."""
        (x0, y0), end = self.boxes[source].top, self.boxes[target]
        drop = (end.middle, end.y + end.height / 2)
        self.arrow((x0, y0), (x0, y), (drop[0], y), drop, colour=SKIP, **options)

    def panel(self, left: float, right: float, low: float, high: float, title: str) -> None:
        """Draw a tinted background with a title behind a subnetwork."""
        box: dict[str, Any] = {"fc": "#f5f7f9", "ec": "#d5dce2", "lw": 0.8, "zorder": 0}
        box |= {"boxstyle": "round,pad=0,rounding_size=0.18"}
        self.axes.add_patch(FancyBboxPatch((left, low), right - left, high - low, **box))
        self.note(left + 0.16, high - 0.1, title, ha="left", weight="bold", size=8.5)


def shade(colour: str, light: float) -> tuple[float, ...]:
    """Darken (light < 1) or lighten (light > 1) a colour "#rrggbb"; RGB in [0, 1]."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return tuple(rgb * light if light <= 1 else 1 - (1 - rgb) * (1 - 4 * (light - 1)))


def rounded(points: Sequence[tuple[float, float]], radius: float) -> Path:
    """Path along `points` with its corners replaced by quadratic curves."""
    corners = np.asarray(points, float)
    vertices, codes = [corners[0]], [Path.MOVETO]
    for before, corner, after in zip(corners, corners[1:], corners[2:], strict=False):
        ends = []
        for other in (before, after):
            length = np.linalg.norm(other - corner)
            ends.append(corner + (other - corner) * min(radius / length, 0.5))
        vertices += [ends[0], corner, ends[1]]
        codes += [Path.LINETO, Path.CURVE3, Path.CURVE3]
    return Path([*vertices, corners[-1]], [*codes, Path.LINETO])
