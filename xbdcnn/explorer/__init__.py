"""The noise explorer: move eta and sigma, watch a radiograph drown and be restored.

`views` computes, `choices` says what there is to choose from, `drawing` and `captions` turn
results into pictures and words, and `Explorer` is a thin shell of widgets around them.
"""

from __future__ import annotations

from xbdcnn.explorer.choices import collect_images, collect_methods, read_upload
from xbdcnn.explorer.views import (
    State,
    View,
    crop,
    describe,
    histogram,
    profile,
    quality,
    restore,
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
    "describe",
    "explore",
    "histogram",
    "profile",
    "quality",
    "read_upload",
    "restore",
    "simulate",
    "whiteness",
]
