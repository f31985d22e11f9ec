"""Fig. 1, drawn from the layers that a forward pass through the network records."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from numpy.typing import NDArray

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.layers import Layer, record_layers
from xbdcnn.models import XBDCNN, Recipe, count_parameters
from xbdcnn.noise import level_maps, standard_deviation_map
from xbdcnn.plotting.diagram import EDGE, FILL, FULL_HEIGHT, NODE, SKIP, Diagram
from xbdcnn.plotting.style import INK, MUTED, new_figure, styled

WIDTH = 9.5
ESTIMATE_SYMBOLS = {"η": r"$\hat{\eta}$", "σ": r"$\hat{\sigma}$", "s": r"$\hat{s}$"}
MAP_SYMBOLS = {1: "s", 2: "ησ"}
"""Symbols of the level maps by their number: the standard deviation, or eta and sigma."""
LABEL_BACKGROUND = {"boxstyle": "round,pad=0.18", "fc": "white", "ec": "none", "alpha": 0.85}
TILE_LABEL: dict[str, Any] = {"size": 9, "ha": "center", "va": "center", "bbox": LABEL_BACKGROUND}


@styled
def figure_1(network: XBDCNN, noisy: NDArray[np.floating] | None = None) -> Figure:
    """Fig. 1: the layers of `network` in the order in which it applies them.

    The height of a block shows the resolution; its thickness and number show the channels. The
    drawing follows the recipe: its width, shared weights, a 1x1 output layer, no NLE.

    Args:
        network: X-BDCNN of any recipe.
        noisy: radiograph (H, W) in [0, 1] that the network restores; it is shown with the level
            maps and the restored image. None for empty tiles.

    Raises:
        XbdcnnError: `network` is not an XBDCNN.
    """
    if not isinstance(network, XBDCNN):
        raise XbdcnnError(f"Fig. 1 shows an XBDCNN, not a {type(network).__name__}; pass an XBDCNN")
    layers = record_layers(network)
    pictures = _input_and_outputs(network, noisy)
    figure = new_figure(WIDTH, 3.6)
    axes = figure.add_axes((0, 0, 1, 1))
    diagram = Diagram(axes, layers)
    diagram.boxes[0] = image = diagram.tile(pictures.get("noisy"), FULL_HEIGHT, 0.0)
    diagram.note(image.middle, -1.12, "noisy image $f$")
    for index in range(1, len(layers)):
        _add_layer(diagram, index, pictures)
    _leave_gap(diagram, 0.4)
    image = diagram.tile(pictures.get("restored"), FULL_HEIGHT, 0.0)
    diagram.arrow((diagram.boxes[len(layers) - 1].right, 0), (image.left, 0))
    diagram.note(image.middle, -1.12, r"restored image $\hat{g}$")
    _add_backgrounds(diagram)
    _add_captions(diagram)
    _add_legend(diagram, network)
    bottom, top = -4.75, 2.5
    axes.set(xlim=(-0.1, diagram.x + 0.1), ylim=(bottom, top), aspect="equal")
    axes.axis("off")
    figure.set_size_inches(WIDTH, WIDTH * (top - bottom) / (diagram.x + 0.2))
    return figure


@torch.no_grad()
def _input_and_outputs(network: XBDCNN, noisy: NDArray | None) -> dict[str, NDArray]:
    """The noisy image, the level maps as shares of their upper limits, and the restored image."""
    if noisy is None:
        return {}
    weight = next(network.parameters())
    batch = torch.as_tensor(np.asarray(noisy, np.float32))[None, None].to(weight)
    restored, maps = network(batch)
    pictures = {"noisy": noisy, "restored": restored[0, 0].float().cpu().numpy()}
    if maps is not None:
        share = (maps / _highest_levels(network.recipe, batch))[0].float().cpu().numpy()
        pictures |= dict(zip(MAP_SYMBOLS[len(share)], share, strict=True))
    return pictures


def _highest_levels(recipe: Recipe, batch: torch.Tensor) -> torch.Tensor:
    """Upper limits of the level maps: of eta and of sigma, or of the noise, which is at white."""
    if recipe.level_maps == "standard deviation":
        white, least_eta = torch.ones_like(batch), paper.ETA_RANGE[0]
        return standard_deviation_map(white, least_eta, paper.SIGMA_RANGE[1])
    return level_maps(paper.ETA_RANGE[1], paper.SIGMA_RANGE[1], batch, recipe.level_scaling)


def _add_layer(diagram: Diagram, index: int, pictures: dict[str, NDArray]) -> None:
    """Draw a layer to the right of the previous one, connected to its inputs."""
    layer, before = diagram.layers[index], diagram.layers[index - 1]
    source = diagram.boxes[index - 1]
    if layer.kind == "cat":
        _add_level_maps(diagram, index, pictures)
    elif layer.kind == "add":
        _add_sum(diagram, index)
    elif layer.kind in ("pool", "up"):
        diagram.x = source.right + source.depth + 0.28
        diagram.slab(index)
        box = diagram.boxes[index]
        end = box.top if layer.kind == "pool" else (box.middle, box.y - box.height / 2)
        diagram.arrow((source.right, source.y), (end[0], source.y), end)
    elif before.kind in ("conv", "pool") and layer.relu and before.part in (layer.part, ""):
        diagram.slab(index)
    else:
        _leave_gap(diagram, 0.6 if layer.relu else 0.8)
        diagram.slab(index)
        diagram.arrow((source.right, source.y), (diagram.boxes[index].left, source.y))


def _leave_gap(diagram: Diagram, gap: float) -> None:
    """Leave room for an arrow after the last layer drawn."""
    last = diagram.boxes[max(diagram.boxes)]
    diagram.x = last.right + last.depth + gap


def _add_sum(diagram: Diagram, index: int) -> None:
    """Draw the sum of the current feature map and an earlier one."""
    layers, source = diagram.layers, diagram.boxes[index - 1]
    origin = min(layers[index].inputs)
    _leave_gap(diagram, 0.38)
    diagram.node(index, source.y)
    box = diagram.boxes[index]
    diagram.arrow((source.right, source.y), (box.left, source.y))
    if layers[origin].kind == "image":
        diagram.over(origin, index, 2.35)
    else:
        start = diagram.boxes[origin]
        diagram.over(origin, index, start.y + start.height / 2 + start.depth + 0.22)


def _add_level_maps(diagram: Diagram, index: int, pictures: dict[str, NDArray]) -> None:
    """Draw the noise level maps and their concatenation with the noisy image."""
    source = diagram.boxes[index - 1]
    _leave_gap(diagram, 0.4)
    left, side = diagram.x, 0.86
    symbols = MAP_SYMBOLS[diagram.layers[index].channels - 1]
    for number, symbol in enumerate(symbols):
        y = (len(symbols) - 1) / 2 - number
        diagram.x = left
        diagram.tile(pictures.get(symbol), side, y)
        diagram.axes.text(left + side / 2, y, ESTIMATE_SYMBOLS[symbol], zorder=9, **TILE_LABEL)
    diagram.arrow((source.right, 0), (left, 0))
    diagram.note(diagram.x - side / 2, -1.12, "noise level\nmap" + "s" * (len(symbols) > 1))
    diagram.x += 0.32
    diagram.node(index, 0.0)
    node, image = diagram.boxes[index], diagram.boxes[0]
    diagram.arrow((left + side, 0), (node.left, 0))
    bend = image.right + 0.18
    below = [(bend, -0.8), (bend, -2.25), (node.middle, -2.25), (node.middle, -NODE)]
    diagram.arrow((image.right, -0.8), *below)


def _add_backgrounds(diagram: Diagram) -> None:
    """Draw a titled background behind each subnetwork."""
    titles = {"nle": "NLE subnetwork", "nbd": "NBD subnetwork"}
    for part, low in (("nle", -2.05), ("nbd", -3.75)):
        boxes = [box for i, box in diagram.boxes.items() if diagram.layers[i].part == part]
        if boxes:
            right = max(box.right + box.depth for box in boxes) + 0.4
            diagram.panel(boxes[0].left - 0.4, right, low, 2.15, titles[part])


def _add_captions(diagram: Diagram) -> None:
    """Write filter size, resolution and shared weights under each run of equal convolutions."""
    numbered = [(i, layer) for i, layer in enumerate(diagram.layers) if layer.kind == "conv"]

    def run(item: tuple[int, Layer]) -> tuple:
        index, layer = item
        before = 0 if layer.part == "nle" else _run_start(diagram, index)
        return layer.part, layer.side, layer.kernel, layer.relu, before

    full = diagram.layers[0].side
    for (_, side, kernel, *_), group in groupby(numbered, run):
        indices = [i for i, _ in group]
        first, last = diagram.boxes[indices[0]], diagram.boxes[indices[-1]]
        size = "$H$ × $W$" if side == full else f"$H$/{full // side} × $W$/{full // side}"
        text = f"conv {kernel}×{kernel}\n{size}"
        weights = [diagram.layers[i].weight for i in indices]
        shared = [n for n, weight in enumerate(weights, 1) if weights.count(weight) > 1]
        if shared:
            text += f"\n{shared[0]}–{shared[-1]} share weights"
        diagram.note(
            (first.left + last.right) / 2, first.y - first.height / 2 - 0.1, text, size=7.5
        )


def _run_start(diagram: Diagram, index: int) -> int:
    """Index of the first layer of the run of convolutions that `index` belongs to."""
    while diagram.layers[index - 1].kind == "conv":
        index -= 1
    return index


def _add_legend(diagram: Diagram, network: XBDCNN) -> None:
    """Draw the legend of colours and symbols, in columns below the network."""
    columns = (
        (("conv", "convolution + ReLU"), ("linear", "convolution")),
        (("pool", "average pooling"), ("up", "transposed convolution")),
        (("→", "skip connection"), ("+", "addition")),
        (("c", "concatenation"), ("64", "number of channels")),
    )
    axes, step = diagram.axes, diagram.x / 4.9
    for column, entries in enumerate(columns):
        for row, (key, text) in enumerate(entries):
            if key == "c" and not any(layer.kind == "cat" for layer in diagram.layers):
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
    axes.text(diagram.x, -4.38, count, size=8, ha="right", va="center", color=MUTED)
