"""What the explorer shows of a state: pictures and texts by the slot of the `Canvas`."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xbdcnn.explorer import captions, drawing
from xbdcnn.explorer.choices import level_warning
from xbdcnn.explorer.reading import PENDING
from xbdcnn.explorer.views import Image, State, View, quality
from xbdcnn.study.no_reference import whiteness

NO_MAP = np.full((1, 1), 128, np.uint8)


class Panels(NamedTuple):
    """Arguments of `Canvas.show`: palette indices (H, W) and HTML, by slot."""

    pictures: dict[str, NDArray[np.uint8]]
    texts: dict[str, str]


def reference(state: State, clean: Image) -> NDArray[np.uint8]:
    """Return the picture of the clean region (H, W), black if the state has no clean reference."""
    return drawing.indices(np.zeros_like(clean) if state.as_it_is else clean)


def before_restoration(state: State, clean: Image, noisy: Image, with_ssim: bool = True) -> Panels:
    """Return what follows a change of the state immediately; both images are (H, W) in [0, 1].

    with_ssim: False while a slider is dragged, see `quality`.
    """
    texts = captions.noise_texts(state, float(clean.mean()))
    scores = None if state.as_it_is else quality(noisy, clean, with_ssim)
    texts["scores"] = drawing.quality_table(state, scores)
    return Panels({"noisy": drawing.indices(noisy)}, texts)


def file_name(state: State) -> str:
    """Return the name of a file for the restored region: its radiograph and its method."""
    return re.sub(r"[^\w.]+", "-", f"{state.image} {state.method}").strip("-") + ".png"


def true_error(view: View, clean: Image) -> NDArray[np.uint8]:
    """Return the picture of restored - clean, with the limits of the residual.

    Without a clean reference, and so without scores, it has no pixels.
    """
    if view.after is None:
        return np.zeros((0, 0), np.uint8)
    return drawing.residual_indices(view.restored - clean)


def after_restoration(state: State, clean: Image, view: View, seconds: float) -> Panels:
    """Return what follows when the restoration, which took `seconds`, is complete."""
    pictures = {
        "restored": drawing.indices(view.restored),
        "residual": drawing.residual_indices(view.residual),
        "error": true_error(view, clean),
    }
    # The maps show differences from the true levels, which are not known of an image as it is.
    maps = None if state.as_it_is else view.maps
    no_maps = {"eta": NO_MAP, "sigma": NO_MAP}
    pictures |= no_maps if maps is None else drawing.level_indices(maps, state)
    warning = level_warning(state.method, view.levels)
    texts = captions.restoration_texts(state, view.levels, warning, seconds)
    texts["scores"] = drawing.quality_table(state, view.before, view.after, view.levels)
    texts["whiteness"] = drawing.whiteness_meter(whiteness(view.residual))
    texts["anatomy"] = PENDING
    return Panels(pictures, texts)
