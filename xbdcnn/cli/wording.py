"""How window, noise levels and processing of a radiograph are put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbdcnn import __version__

if TYPE_CHECKING:
    from xbdcnn.data.files.radiograph import RadiographFile
    from xbdcnn.inference.pretrained import Levels, Pretrained
    from xbdcnn.inference.successor import NoiseEstimate


def format_window(radiograph: RadiographFile) -> str:
    """Return the window as text, with the percentage of the pixels outside."""
    outside = radiograph.window.outside(radiograph.stored)
    return f"{radiograph.window}, {outside:.2%} of the pixels outside"


def format_levels(levels: Levels | None, error: Levels | None) -> str:
    """Return eta and sigma as text, with the half widths of their 95 % intervals if known."""
    if levels is None:
        return "no noise level estimated"
    if error is None:
        return f"eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (uncertainty not measured)"
    return f"eta {levels.eta:.2f} +- {error.eta:.2f}, sigma {levels.sigma:.1f} +- {error.sigma:.1f}"


def format_number(level: float) -> str:
    """Return a level with three digits; 0 below 0.01, and inf above a million."""
    if level > 1e6:
        return "inf"
    return f"{level:.3g}" if level >= 0.01 else "0"


def format_estimate(found: NoiseEstimate) -> str:
    """Return an estimate as text, with its 95 % intervals and the noise at mid grey."""
    from xbdcnn.noise import noise_variance

    rows = zip(("eta", "sigma"), found.levels, found.lowest, found.highest, strict=True)
    texts = [
        f"{name} {format_number(value)} [{format_number(low)}, {format_number(high)}]"
        for name, value, low, high in rows
    ]
    texts.append(f"correlation {found.correlation:.2f} +- {found.correlation_error:.2f}")
    middle = noise_variance(0.5, *found.levels) ** 0.5
    return f"{', '.join(texts)}, {middle:.1f} grey levels of noise at mid grey"


def describe_levels(
    levels: Levels | None, error: Levels | None, found: NoiseEstimate | None, given: bool
) -> str:
    """Return the levels that the user has given, or the estimate with its uncertainty.

    error: see `Pretrained.level_error`; found: estimate of a network that also gives intervals.
    """
    if given and levels is not None:
        return f"eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (as given)"
    return format_levels(levels, error) if found is None else format_estimate(found)


def describe_processing(
    pretrained: Pretrained, radiograph: RadiographFile, levels: str, strength: float
) -> str:
    """Return the description of the processing for a DICOM header, without header values."""
    return (
        f"Denoised by xbdcnn {__version__}, network {pretrained.name}, research software, not for "
        f"diagnosis. Strength {strength:g}. Noise: {levels}, on the 8-bit scale of the window in "
        f"which {radiograph.window}. The network's change was added to the stored values."
    )
