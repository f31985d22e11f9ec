"""How window, noise levels and processing of a radiograph are put into words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbdcnn import __version__

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xbdcnn.data.files.radiograph import RadiographFile
    from xbdcnn.inference.pretrained import Levels, Pretrained
    from xbdcnn.inference.successor import NoiseEstimate

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


def format_estimate(found: NoiseEstimate) -> str:
    """Return an estimate as text, with its 95 % intervals and the noise at mid grey."""
    from xbdcnn.noise import noise_variance

    ends = [*zip(found.lowest, found.highest, strict=True)]
    texts = [
        f"{name} {value:.3g} [{low:.2g}, {'inf' if high > 1e6 else format(high, '.2g')}]"
        for name, value, (low, high) in zip(("eta", "sigma"), found.levels, ends, strict=True)
    ]
    texts.append(f"correlation {found.correlation:.2f} +- {found.correlation_error:.2f}")
    middle = noise_variance(0.5, *found.levels) ** 0.5
    return f"{', '.join(texts)}, {middle:.1f} grey levels of noise at mid grey"


def describe_levels(
    pretrained: Pretrained, image: NDArray, levels: Levels | None, given: bool
) -> str:
    """Return the levels that the user has given, or the estimate with its uncertainty."""
    if given and levels is not None:
        return f"eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (as given)"
    measure = getattr(pretrained, "measure", None)
    if measure is not None:
        return format_estimate(measure(image))
    return format_levels(levels, pretrained.level_error)


def edge_warning(pretrained: Pretrained, levels: Levels | None) -> str:
    """Return a warning if levels are at the edge of the training, with a remedy; else ""."""
    from xbdcnn.measured_noise import edge_of_training

    edge = edge_of_training(*levels, pretrained.training_noise) if levels else None
    if edge is None:
        return ""
    return (
        f"; warning: the noise may be {edge} than {pretrained.name} was trained for; "
        f"{REMEDIES[pretrained.training_noise][edge]}"
    )


def describe_processing(
    pretrained: Pretrained, radiograph: RadiographFile, levels: str, strength: float
) -> str:
    """Return the description of the processing for a DICOM header, without header values."""
    return (
        f"Denoised by xbdcnn {__version__}, network {pretrained.name}, research software, not for "
        f"diagnosis. Strength {strength:g}. Noise: {levels}, on the 8-bit scale of the window in "
        f"which {radiograph.window}. The network's change was added to the stored values."
    )
