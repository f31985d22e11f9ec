"""Warn of an estimate at the edge of the noise that a network was trained for, with the remedy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbdcnn.measured_noise import edge_of_training

if TYPE_CHECKING:
    from xbdcnn.inference.restoring import Levels, Pretrained

AVERAGE = "reduce the image by averaging 2x2 pixels first"
GENERALIST = "use the network generalist"
REMEDIES = {
    "paper": {
        "weaker": f"it may remove more structure than noise, so {GENERALIST}",
        "stronger": f"it may leave noise, so {AVERAGE}",
        "correlated": f"it takes a part of the noise for structure, so {GENERALIST}",
    },
    "radiographs": {
        "stronger": f"it may leave noise, so {AVERAGE}",
        "correlated": f"it takes a part of the noise for structure, so {AVERAGE}",
    },
}
"""Consequence and remedy if noise is outside a training, by the noise of the training."""

EDGES = {
    "weaker": "the noise may be weaker than {} was trained for",
    "stronger": "the noise may be stronger than {} was trained for",
    "correlated": "the noise is correlated, and {} was trained for uncorrelated noise",
}
"""What an estimate at an edge of the training means, with a place for the network's name."""


def edge_warning(pretrained: Pretrained, levels: Levels | None, correlation: float = 0.0) -> str:
    """Return a warning if an estimate is at the edge of the training, with a remedy; else "".

    levels: None for a network that estimates none; correlation: of adjacent pixels, see
    `edge_of_training`.
    """
    training = pretrained.training_noise
    edge = edge_of_training(*levels, training, correlation) if levels else None
    if edge is None:
        return ""
    return f"warning: {EDGES[edge].format(pretrained.name)}; {REMEDIES[training][edge]}"
