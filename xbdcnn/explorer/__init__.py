"""The noise explorer: vary eta and sigma, and see a radiograph with noise and after restoration.

`views` computes a state, `choices` collects radiographs and methods, `drawing` and `captions` turn
results into pictures and text, `controls` and `canvas` belong to the page, whose scripts are in
page/, `background` runs the restoration, `followers` what depends on it, and `widget` connects them
in the class `Explorer`.
"""

from __future__ import annotations

from xbdcnn.explorer.choices import collect_images, collect_methods, read_upload
from xbdcnn.explorer.views import (
    State,
    View,
    crop,
    denoise_state,
    describe,
    histogram,
    profile,
    quality,
    simulate,
)
from xbdcnn.explorer.widget import Explorer, explore
from xbdcnn.study.no_reference import whiteness

__all__ = [
    "Explorer",
    "State",
    "View",
    "collect_images",
    "collect_methods",
    "crop",
    "denoise_state",
    "describe",
    "explore",
    "histogram",
    "profile",
    "quality",
    "read_upload",
    "simulate",
    "whiteness",
]
