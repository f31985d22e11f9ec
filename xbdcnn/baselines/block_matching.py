"""The package `bm3d`, called the same way by every method that is built on BM3D."""

from __future__ import annotations

from importlib.util import find_spec

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.grey_levels import Image
from xbdcnn.noise import GREY_LEVELS


def missing_bm3d() -> str | None:
    """Return in one line that the package is missing, and the remedy; None if it is installed."""
    message = (
        "BM3D needs the package bm3d (for non-commercial use only): pip install 'xbdcnn[reproduce]'"
    )
    return None if find_spec("bm3d") else message


def apply_bm3d(image: Image, sigma: float, fast: bool, threads: int) -> Image:
    """Apply BM3D to an image (H, W) with values of about 0 to 255; `sigma` has the same unit.

    fast, threads: see `classical.bm3d_denoise`.

    Raises:
        XbdcnnError: the package `bm3d` is not installed.
    """
    if missing := missing_bm3d():
        raise XbdcnnError(missing)
    from bm3d import BM3DProfile, BM3DProfileLC, bm3d

    profile = BM3DProfileLC() if fast else BM3DProfile()
    profile.num_threads = threads
    # The package expects images in [0, 1].
    return bm3d(image / GREY_LEVELS, sigma / GREY_LEVELS, profile=profile) * GREY_LEVELS
