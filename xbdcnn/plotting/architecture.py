"""Fig. 1 drawn from the network itself: the layers of a forward pass, laid out as blocks."""

from __future__ import annotations

from itertools import groupby

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.layers import Layer, record
from xbdcnn.models import XBDCNN, count_parameters
from xbdcnn.noise import level_maps
from xbdcnn.plotting.diagram import EDGE, FILL, FULL_HEIGHT, NODE, SKIP, Sketch
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled

WIDTH = 9.5
HATS = {"η": r"$\hat{\eta}$", "σ": r"$\hat{\sigma}$"}
PLATE = {"boxstyle": "round,pad=0.18", "fc": "white", "ec": "none", "alpha": 0.85}
ON_TILE = {"size": 9, "ha": "center", "va": "center", "zorder": 9, "bbox": PLATE}


@styled
def figure_1(network: XBDCNN, noisy: NDArray[np.floating] | None = None) -> Figure:
    """Fig. 1: the layers that `network` really has, in the order in which it applies them.

    Height shows resolution, thickness and number show channels. A recipe of another width,
    with shared weights, a 1x1 output or no NLE gives another drawing.

    Args:
        network: X-BDCNN of any recipe.
        noisy: radiograph (H, W) in [0, 1] that the network restores for the pictures at both
            ends and the level maps between; None for plain tiles.

    Raises:
        XbdcnnError: the network is no X-BDCNN.
    """
    if not isinstance(network, XBDCNN):
        raise XbdcnnError(f"Fig. 1 shows an XBDCNN, got {type(network).__name__}")
    layers = record(network)
    pictures = _pictures(network, noisy)
    figure = new_figure(WIDTH, 3.6)
    axes = figure.add_axes((0, 0, 1, 1))
    sketch = Sketch(axes, layers)
    sketch.boxes[0] = image = sketch.tile(pictures.get("noisy"), FULL_HEIGHT, 0.0)
    sketch.note(image.middle, -1.12, "noisy image $f$")
    for index in range(1, len(layers)):
        _place(sketch, index, pictures)
    _step(sketch, 0.4)
    image = sketch.tile(pictures.get("restored"), FULL_HEIGHT, 0.0)
    sketch.arrow((sketch.boxes[len(layers) - 1].right, 0), (image.left, 0))
    sketch.note(image.middle, -1.12, r"restored image $\hat{g}$")
    _panels(sketch)
    _captions(sketch)
    _legend(sketch, network)
    bottom, top = -4.75, 2.5
    axes.set(xlim=(-0.1, sketch.x + 0.1), ylim=(bottom, top), aspect="equal")
    axes.axis("off")
    figure.set_size_inches(WIDTH, WIDTH * (top - bottom) / (sketch.x + 0.2))
    return figure


@torch.no_grad()
def _pictures(network: XBDCNN, noisy: NDArray | None) -> dict[str, NDArray]:
    """The noisy image and what the network makes of it; level maps as part of their range."""
    if noisy is None:
        return {}
    weight = next(network.parameters())
    batch = torch.as_tensor(np.asarray(noisy, np.float32))[None, None].to(weight)
    restored, maps = network(batch)
    pictures = {"noisy": noisy, "restored": restored[0, 0].float().cpu().numpy()}
    if maps is not None:
        highest = paper.ETA_RANGE[1], paper.SIGMA_RANGE[1]
        share = maps / level_maps(*highest, batch, network.recipe.level_scaling)
        pictures |= dict(zip("ησ", share[0].float().cpu().numpy(), strict=True))
    return pictures


def _place(sketch: Sketch, index: int, pictures: dict[str, NDArray]) -> None:
    """Draw one layer to the right of the last, joined to the layers that feed it."""
    layer, before = sketch.layers[index], sketch.layers[index - 1]
    source = sketch.boxes[index - 1]
    if layer.kind == "cat":
        _close_nle(sketch, index, pictures)
    elif layer.kind == "add":
        _add(sketch, index)
    elif layer.kind in ("pool", "up"):
        sketch.x = source.right + source.depth + 0.28
        sketch.slab(index)
        box = sketch.boxes[index]
        end = box.top if layer.kind == "pool" else (box.middle, box.y - box.height / 2)
        sketch.arrow((source.right, source.y), (end[0], source.y), end)
    elif before.kind in ("conv", "pool") and layer.relu and before.part in (layer.part, ""):
        sketch.slab(index)
    else:
        _step(sketch, 0.6 if layer.relu else 0.8)
        sketch.slab(index)
        sketch.arrow((source.right, source.y), (sketch.boxes[index].left, source.y))


def _step(sketch: Sketch, gap: float) -> None:
    """Leave room for an arrow after the last thing drawn."""
    last = sketch.boxes[max(sketch.boxes)]
    sketch.x = last.right + last.depth + gap


def _add(sketch: Sketch, index: int) -> None:
    """A sum of the running result and an earlier one; the last sum yields the image."""
    layers, source = sketch.layers, sketch.boxes[index - 1]
    origin = min(layers[index].inputs)
    _step(sketch, 0.38)
    sketch.node(index, source.y)
    box = sketch.boxes[index]
    sketch.arrow((source.right, source.y), (box.left, source.y))
    if layers[origin].kind == "image":
        sketch.over(origin, index, 2.35)
    else:
        start = sketch.boxes[origin]
        sketch.over(origin, index, start.y + start.height / 2 + start.depth + 0.22)


def _close_nle(sketch: Sketch, index: int, pictures: dict[str, NDArray]) -> None:
    """The two noise level maps, and their concatenation with the noisy image."""
    source = sketch.boxes[index - 1]
    _step(sketch, 0.4)
    left, side = sketch.x, 0.86
    for symbol, y in zip("ησ", (0.5, -0.5), strict=True):
        sketch.x = left
        sketch.tile(pictures.get(symbol), side, y)
        sketch.axes.text(left + side / 2, y, HATS[symbol], **ON_TILE)
    sketch.arrow((source.right, 0), (left, 0))
    sketch.note(sketch.x - side / 2, -1.12, "noise level\nmaps")
    sketch.x += 0.32
    sketch.node(index, 0.0)
    node, image = sketch.boxes[index], sketch.boxes[0]
    sketch.arrow((left + side, 0), (node.left, 0))
    bend = image.right + 0.18
    below = [(bend, -0.8), (bend, -2.25), (node.middle, -2.25), (node.middle, -NODE)]
    sketch.arrow((image.right, -0.8), *below)


def _panels(sketch: Sketch) -> None:
    """A ground with a title behind each subnetwork."""
    titles = {"nle": "NLE subnetwork", "nbd": "NBD subnetwork"}
    for part, low in (("nle", -2.05), ("nbd", -3.75)):
        boxes = [box for i, box in sketch.boxes.items() if sketch.layers[i].part == part]
        if boxes:
            right = max(box.right + box.depth for box in boxes) + 0.4
            sketch.panel(boxes[0].left - 0.4, right, low, 2.15, titles[part])


def _captions(sketch: Sketch) -> None:
    """Under each run of equal convolutions: how many, which filter, which resolution."""
    numbered = [(i, layer) for i, layer in enumerate(sketch.layers) if layer.kind == "conv"]

    def run(item: tuple[int, Layer]) -> tuple:
        index, layer = item
        before = 0 if layer.part == "nle" else _run_start(sketch, index)
        return layer.part, layer.side, layer.kernel, layer.relu, before

    full = sketch.layers[0].side
    for (_, side, kernel, *_), group in groupby(numbered, run):
        indices = [i for i, _ in group]
        first, last = sketch.boxes[indices[0]], sketch.boxes[indices[-1]]
        size = "$H$ × $W$" if side == full else f"$H$/{full // side} × $W$/{full // side}"
        text = f"conv {kernel}×{kernel}\n{size}"
        weights = [sketch.layers[i].weight for i in indices]
        shared = [n for n, weight in enumerate(weights, 1) if weights.count(weight) > 1]
        if shared:
            text += f"\n{shared[0]}–{shared[-1]} share weights"
        sketch.note((first.left + last.right) / 2, first.y - first.height / 2 - 0.1, text, size=7.5)


def _run_start(sketch: Sketch, index: int) -> int:
    """Position of the first layer of an unbroken run of convolutions."""
    while sketch.layers[index - 1].kind == "conv":
        index -= 1
    return index


def _legend(sketch: Sketch, network: XBDCNN) -> None:
    """The meaning of colours and signs, in columns below the drawing."""
    columns = (
        (("conv", "convolution + ReLU"), ("linear", "convolution")),
        (("pool", "average pooling"), ("up", "transposed convolution")),
        (("→", "skip connection"), ("+", "addition")),
        (("c", "concatenation"), ("64", "number of channels")),
    )
    axes, step = sketch.axes, sketch.x / 4.9
    for column, entries in enumerate(columns):
        for row, (key, text) in enumerate(entries):
            if key == "c" and not any(layer.kind == "cat" for layer in sketch.layers):
                continue
            x, y = column * step, -4.2 - 0.36 * row
            if key in FILL:
                corners = [(x, y - 0.1), (x + 0.2, y - 0.1), (x + 0.2, y + 0.1), (x, y + 0.1)]
                axes.add_patch(Polygon(corners, closed=True, fc=FILL[key], ec=EDGE, lw=0.6))
            else:
                ink = SKIP if key == "→" else INK
                axes.text(x + 0.1, y, key, size=8, ha="center", va="center_baseline", color=ink)
            axes.text(x + 0.36, y, text, size=8, va="center_baseline")
    count = f"{count_parameters(network):,}\nparameters"
    axes.text(sketch.x, -4.38, count, size=8, ha="right", va="center", color=MUTED)
