"""Denoise many radiograph files: one output file per input; an input is never overwritten."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli.wording import describe_levels, describe_processing, format_window
from xbdcnn.data.files.radiograph import RadiographFile, open_radiograph, save_radiograph
from xbdcnn.data.files.search import DICOM, PICTURES, format_or_none

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from xbdcnn.inference.pretrained import Levels, Pretrained
    from xbdcnn.inference.successor import NoiseEstimate
    from xbdcnn.models import Denoised

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
    levels: tuple[float, float] | None = None


AUTOMATIC = Control()
"""The whole residual is removed, at the estimated levels."""


class Restored(NamedTuple):
    """What is known of a restored file."""

    line: str
    """Source, target, window, percentage of pixels outside, noise levels and what was removed."""
    shape: tuple[int, int]
    """Height and width in pixels."""
    levels: Levels | None
    removed: float
    """Root mean square of what was removed, in grey levels."""
    seconds: float


def refuse_existing(source: Path, target: Path) -> Restored:
    """Raise XbdcnnError, since `target`, the output of `source`, exists."""
    raise XbdcnnError(
        f"{source}: {target} exists already; allow it with --overwrite, or skip it with --resume"
    )


def denoise_file(
    pretrained: Pretrained,
    source: Path,
    target: Path,
    overwrite: bool = False,
    window: StoredWindow = None,
    progress: bool = False,
    control: Control = AUTOMATIC,
) -> Restored:
    """Restore one radiograph and write it in the format and with the bit depth of `source`.

    progress: show a progress bar over the tiles of the image.

    Raises:
        XbdcnnError: `source` cannot be read, or `target` exists and `overwrite` is false.
    """
    from xbdcnn.noise import GREY_LEVELS

    if target.exists() and not overwrite:
        return refuse_existing(source, target)
    started = time.perf_counter()
    radiograph = open_checked(source, window)
    denoised, found = restore_image(pretrained, radiograph.unit, progress, control)
    given = control.levels is not None
    levels = describe_levels(denoised.levels, pretrained.level_error, found, given)
    warning = "" if given else warning_of(pretrained, denoised.levels, found)
    derivation = describe_processing(pretrained, radiograph, levels, control.strength)
    save_radiograph(radiograph, radiograph.restored(denoised.image), target, derivation)
    difference = np.subtract(radiograph.unit, denoised.image, dtype=np.float64)
    removed = GREY_LEVELS * float(np.sqrt(np.mean(difference**2)))
    line = (
        f"{source} -> {target}: {format_window(radiograph)}; {levels}; "
        f"removed {removed:.1f} grey levels{warning}"
    )
    seconds = time.perf_counter() - started
    return Restored(line, denoised.image.shape, denoised.levels, removed, seconds)


def restore_image(
    pretrained: Pretrained, image: NDArray, progress: bool, control: Control
) -> tuple[Denoised[Any], NoiseEstimate | None]:
    """Restore an image; also return the estimate with intervals, if the network gives one."""
    from xbdcnn.inference.pretrained import Levels
    from xbdcnn.inference.successor import PretrainedSuccessor

    strength = control.strength
    if control.levels is None and isinstance(pretrained, PretrainedSuccessor):
        found, denoised = pretrained.measure_and_restore(image, progress, strength)
        return denoised, found
    given = None if control.levels is None else Levels(*control.levels)
    denoised = pretrained.restore(image, progress=progress, levels=given, strength=strength)
    return denoised, None


def warning_of(pretrained: Pretrained, levels: Levels | None, found: NoiseEstimate | None) -> str:
    """Return the end of a file's line, a warning if the estimate is at the edge of the training.

    A correlation counts as far as its interval shows that there is one.
    """
    from xbdcnn.inference.trained_range import edge_warning

    correlation = 0.0 if found is None else found.correlation - found.correlation_error
    warning = edge_warning(pretrained, levels, correlation)
    return f"; {warning}" if warning else ""


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
