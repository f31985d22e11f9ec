"""Many radiograph files at once: one output per input, no input ever overwritten."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike, NDArray

from xbdcnn.data.radiograph import load_radiograph
from xbdcnn.errors import XbdcnnError
from xbdcnn.files import atomic_path
from xbdcnn.inference import Levels, Pretrained

KEPT = (".png", ".tif", ".tiff")
"""Suffixes that the output shares with the input."""

REPLACED = (".jpg", ".jpeg", ".dcm", ".dicom")
"""Suffixes that give way to .png; any other, like the end of a DICOM UID, is part of the name."""


def expand(inputs: Iterable[Path]) -> list[Path]:
    """Replace each folder by its radiographs, sorted; name every file once.

    In a folder, files with another suffix than those of radiographs are passed over, files
    without one are taken for DICOM. XbdcnnError if a folder holds no radiograph.
    """
    files: dict[Path, Path] = {}
    for path in inputs:
        found = _radiographs(path) if path.is_dir() else [path]
        if not found:
            raise XbdcnnError(f"{path}: no PNG, TIFF, JPEG or DICOM file in this folder")
        for file in found:
            files.setdefault(file.resolve(), file)
    return list(files.values())


def _radiographs(folder: Path) -> list[Path]:
    visible = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    return sorted(p for p in visible if p.suffix.lower() in (*KEPT, *REPLACED, ""))


def output_name(path: Path) -> str:
    """Name of the restored file: PNG and TIFF keep theirs, everything else becomes .png."""
    suffix = path.suffix.lower()
    if suffix in KEPT:
        return path.name
    return f"{path.stem if suffix in REPLACED else path.name}.png"


def plan(files: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Map each input file to its output file in `folder`.

    Raises:
        XbdcnnError: two inputs would have one output, an output is an input, or `folder` is no
            folder.
    """
    if folder.exists() and not folder.is_dir():
        raise XbdcnnError(f"{folder}: not a folder; name one with -o")
    targets: dict[Path, Path] = {}
    for file in files:
        target = folder / output_name(file)
        if target in targets:
            raise XbdcnnError(
                f"{targets[target]} and {file} would both become {target}; rename one of them"
            )
        targets[target] = file
    _protect_inputs(targets)
    return {file: target for target, file in targets.items()}


def _protect_inputs(targets: dict[Path, Path]) -> None:
    """Compare device and inode, which see through links and the case of letters."""
    inputs = {(s.st_dev, s.st_ino) for file in targets.values() if (s := _status(file))}
    for target in targets:
        status = _status(target)
        if status and (status.st_dev, status.st_ino) in inputs:
            raise XbdcnnError(f"{target}: is an input; choose another output folder with -o")


def _status(path: Path) -> os.stat_result | None:
    return path.stat() if path.exists() else None


def denoise_file(
    pretrained: Pretrained,
    source: Path,
    target: Path,
    overwrite: bool = False,
    progress: bool = False,
) -> Levels | None:
    """Restore one radiograph into `target`, with as many bits per pixel as `source` has.

    progress: show a progress bar over the tiles of the image.

    Returns:
        The noise level that was seen in `source`; None if the network has no NLE.

    Raises:
        XbdcnnError: `source` cannot be read, or `target` exists and is not to be overwritten.
    """
    if target.exists() and not overwrite:
        raise XbdcnnError(f"{source}: {target} exists already; allow it with --overwrite")
    restored, levels = pretrained.restore(load_radiograph(source), progress=progress)
    save_radiograph(restored, target, pixel_dtype(source))
    return levels


def pixel_dtype(path: Path) -> DTypeLike:
    """Return uint8, uint16 or float32: what keeps all bits of a radiograph that can be read."""
    with open(path, "rb") as stream:
        head = stream.read(132)
    if head[128:] == b"DICM":
        return np.uint16
    if head[:2] in (b"II", b"MM"):
        import tifffile

        with tifffile.TiffFile(path) as tiff:
            stored = tiff.pages[0].dtype
        kept = {
            np.dtype(bool): np.uint8,
            np.dtype("uint8"): np.uint8,
            np.dtype("uint16"): np.uint16,
        }
        return kept.get(np.dtype(stored), np.float32)
    # Byte 24 of a PNG file is its bits per channel.
    return np.uint16 if head[1:4] == b"PNG" and head[24] == 16 else np.uint8


def save_radiograph(image: NDArray[np.floating], path: Path, dtype: DTypeLike) -> None:
    """Write (H, W) in [0, 1] as grey PNG or TIFF, by the suffix, with pixels of `dtype`.

    A PNG holds no floating point, so it takes 16 bits then.
    """
    is_tiff = path.suffix.lower() in (".tif", ".tiff")
    dtype = np.dtype(np.uint16 if dtype == np.float32 and not is_tiff else dtype)
    pixels = image if dtype.kind == "f" else np.round(image * float(np.iinfo(dtype).max))
    with atomic_path(path) as temporary:
        if is_tiff:
            import tifffile

            tifffile.imwrite(temporary, pixels.astype(dtype), photometric="minisblack")
        else:
            from PIL import Image

            Image.fromarray(pixels.astype(dtype)).save(temporary)
