"""Denoise many radiograph files: one output file per input; an input is never overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from xbdcnn import __version__
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.radiograph import RadiographFile, open_radiograph, save_radiograph
from xbdcnn.data.files.search import DICOM, PICTURES, format_or_none
from xbdcnn.inference.pretrained import Levels, Pretrained
from xbdcnn.noise import GREY_LEVELS

StoredWindow = tuple[float, float] | None
"""Stored values of black and white, or None for the window of the file."""


def output_name(path: Path) -> str:
    """Return the name of the restored file: that of the input, with a suffix of its format.

    DICOM, PNG and TIFF keep their format whatever the suffix; JPEG and unreadable files get the
    suffix of a PNG.
    """
    kind, suffix = format_or_none(path), path.suffix.lower()
    if kind == "dicom":
        return f"{path.stem}.dcm" if suffix in PICTURES else path.name
    suffixes = (".tif", ".tiff") if kind == "tiff" else (".png",)
    if suffix in suffixes:
        return path.name
    return f"{path.stem if suffix in (*PICTURES, *DICOM) else path.name}{suffixes[0]}"


def plan_outputs(
    files: Iterable[Path], folder: Path, mirrored: Path | None = None
) -> dict[Path, Path]:
    """Return the output file in `folder` of each input file.

    mirrored: absolute path of a folder whose subfolders are repeated in `folder`; None for none.

    Raises:
        XbdcnnError: two inputs have the same output, an output is an input, or `folder` is not a
            folder.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise XbdcnnError(f"{folder}: not a folder; name one with -o")
    inputs: dict[Path, Path] = {}
    for file in files:
        target = folder / _subfolder(file, mirrored) / output_name(file)
        if target in inputs:
            apart = inputs[target].parent != file.parent
            remedy = "rename one of them" + ", or repeat their folders by --recursive" * apart
            raise XbdcnnError(f"{inputs[target]} and {file} would both become {target}; {remedy}")
        inputs[target] = file
    _refuse_input_as_output(inputs)
    return {file: target for target, file in inputs.items()}


def _subfolder(file: Path, mirrored: Path | None) -> Path:
    """Return the folder of a file relative to a folder above it; the empty path if there is none.

    The path is not resolved: a link below the mirrored folder is repeated as a folder.
    """
    parent = Path(os.path.abspath(file.parent))
    if mirrored is None or not parent.is_relative_to(mirrored):
        return Path()
    return parent.relative_to(mirrored)


def _refuse_input_as_output(inputs: dict[Path, Path]) -> None:
    """Compare device and inode, which identify a file despite links and case of letters."""
    identities = {(s.st_dev, s.st_ino) for file in inputs.values() if (s := _stat_or_none(file))}
    for target in inputs:
        status = _stat_or_none(target)
        if status and (status.st_dev, status.st_ino) in identities:
            raise XbdcnnError(f"{target}: is an input; choose another output folder with -o")


def _stat_or_none(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:  # reported when the file is read
        return None


class Control(NamedTuple):
    """What the user decides: part of the residual to remove, and eta and sigma or None."""

    strength: float = 1.0
    levels: Levels | None = None


AUTOMATIC = Control()
"""The whole residual is removed, at the estimated levels."""


def denoise_file(
    pretrained: Pretrained,
    source: Path,
    target: Path,
    overwrite: bool = False,
    window: StoredWindow = None,
    progress: bool = False,
    control: Control = AUTOMATIC,
) -> str:
    """Restore one radiograph and write it in the format and with the bit depth of `source`.

    progress: show a progress bar over the tiles of the image.

    Returns:
        One line: source, target, window, percentage of pixels outside, noise levels, and the
        standard deviation of what was removed.

    Raises:
        XbdcnnError: `source` cannot be read, or `target` exists and `overwrite` is false.
    """
    if target.exists() and not overwrite:
        raise XbdcnnError(f"{source}: {target} exists already; allow it with --overwrite")
    radiograph = open_checked(source, window)
    strength, given = control
    denoised = pretrained.restore(
        radiograph.unit, progress=progress, levels=given, strength=strength
    )
    levels = describe_levels(denoised.levels, pretrained.level_error, given is not None)
    derivation = _derivation(pretrained, radiograph, levels, strength)
    save_radiograph(radiograph, radiograph.restored(denoised.image), target, derivation)
    removed = GREY_LEVELS * float(np.std(radiograph.unit - denoised.image, dtype=np.float64))
    shown = f"{format_window(radiograph)}; {levels}; removed {removed:.1f} grey levels"
    return f"{source} -> {target}: {shown}"


def open_checked(source: Path, window: StoredWindow) -> RadiographFile:
    """Open a projection radiograph; XbdcnnError if no pixel lies in its window."""
    radiograph = open_radiograph(source, window)
    radiograph.require_projection_image()
    if radiograph.window.outside(radiograph.stored) == 1:
        raise XbdcnnError(
            f"{source}: no pixel lies in its window ({radiograph.window}); "
            "give --window BLACK WHITE"
        )
    return radiograph


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


def describe_levels(levels: Levels | None, error: Levels | None, given: bool) -> str:
    """Return `format_levels` of an estimate, or the levels that the user has given."""
    if given and levels is not None:
        return f"eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (as given)"
    return format_levels(levels, error)


def _derivation(
    pretrained: Pretrained, radiograph: RadiographFile, levels: str, strength: float
) -> str:
    """Return the description of the processing for a DICOM header, without header values."""
    return (
        f"Denoised by xbdcnn {__version__}, network {pretrained.name}, research software, not for "
        f"diagnosis. Strength {strength:g}. Noise: {levels}, on the 8-bit scale of the window in "
        f"which {radiograph.window}. The network's change was added to the stored values."
    )
