"""Whether an estimated noise level lies at the edge of the levels that a network was trained on."""

from __future__ import annotations

import math

from xbdcnn import paper
from xbdcnn.inference.restoring import Levels
from xbdcnn.noise import GREY_LEVELS
from xbdcnn.successor import LARGEST_STRENGTH, AnyRecipe

EDGE = 0.05
"""Share of a range, at each of its ends, in which an estimate counts as at the edge."""

WEAKEST, STRONGEST = "as weak as the weakest noise", "as strong as the strongest noise"


def edge_of_training(levels: Levels, recipe: AnyRecipe) -> str | None:
    """Return `WEAKEST` or `STRONGEST` if the levels are at this edge of the training, else None.

    A network cannot estimate levels beyond those of its training, so that the noise may be weaker
    or stronger than the estimate. The noise of "radiographs" has no weak edge, since some of its
    images have no noise.
    """
    eta, sigma = levels
    if getattr(recipe, "noise", "paper") == "radiographs":
        total = math.sqrt(GREY_LEVELS / 2 / eta + sigma**2)  # at mid grey
        return STRONGEST if total > (1 - EDGE) * LARGEST_STRENGTH else None
    (low_eta, high_eta), (_, high_sigma) = paper.ETA_RANGE, paper.SIGMA_RANGE
    margin = EDGE * (high_eta - low_eta)
    if eta > high_eta - margin:
        return WEAKEST
    return STRONGEST if eta < low_eta + margin or sigma > (1 - EDGE) * high_sigma else None
