"""Many radiograph files at once: one output per input, no input ever overwritten."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from xbdcnn import __version__
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.formats import format_of
from xbdcnn.data.files.radiograph import Scan, open_scan, save_scan
from xbdcnn.inference.pretrained import Levels, Pretrained

PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Suffixes of pictures."""

DICOM = (".dcm", ".dicom")
"""Suffixes of DICOM files; any other, like the end of a UID, is part of the name."""

Ends = tuple[float, float] | None
"""Stored values to show as black and white, or None for the file's own window."""


class Batch(NamedTuple):
    """files: what to work on, each once; passed_over: files of folders that are no radiographs."""

    files: list[Path]
    passed_over: int


def expand(inputs: Iterable[Path], output: Path | None = None) -> Batch:
    """Replace each folder and pattern by its radiographs, sorted; name every file once.

    In a folder the suffix or the content decides, so that UID-named DICOM files are found and
    damaged ones reported. Files that are hidden do not count. A folder that cannot be listed
    stays in the list, to fail there by itself. What a pattern finds in the `output` folder itself,
    beside other files, was written by an earlier run and is passed over.

    Raises:
        XbdcnnError: a folder holds no radiograph, or a pattern fits nothing.
    """
    files: dict[str, Path] = {}
    passed_over = 0
    for path in inputs:
        found, others = _radiographs(path) if os.path.isdir(path) else _matches(path, output)
        passed_over += others
        for file in found:
            # realpath, unlike Path.resolve, does not mind a loop of links.
            files.setdefault(os.path.realpath(file), file)
    return Batch(list(files.values()), passed_over)


def _matches(pattern: Path, output: Path | None) -> tuple[list[Path], int]:
    """What a pattern that no shell has expanded stands for; `**` reaches into folders."""
    if os.path.lexists(pattern) or not glob.has_magic(str(pattern)):
        return [pattern], 0
    found = [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]
    if not found:
        raise XbdcnnError(f"{pattern}: no file fits this pattern; check it")
    files = [path for path in found if not os.path.isdir(path)]
    done = os.path.realpath(output) if output else None
    fresh = [path for path in files if os.path.realpath(path.parent) != done]
    # Without any other they are meant, and refused as what they are: inputs.
    return (fresh, len(files) - len(fresh)) if fresh else (files, 0)


def _radiographs(folder: Path) -> tuple[list[Path], int]:
    try:
        visible = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    except OSError:
        return [folder], 0
    found = sorted(path for path in visible if _looks_like_one(path))
    if not found:
        raise XbdcnnError(f"{folder}: no PNG, TIFF, JPEG or DICOM file in this folder")
    return found, len(visible) - len(found)


def _looks_like_one(path: Path) -> bool:
    if path.name.upper() == "DICOMDIR":  # the index of a disc is a DICOM file, too
        return False
    return path.suffix.lower() in (*PICTURES, *DICOM) or _format(path) is not None


def _format(path: Path) -> str | None:
    try:
        return format_of(path) if path.is_file() else None  # opening a pipe would wait for ever
    except OSError:
        return None


def output_name(path: Path) -> str:
    """Name of the restored file: the input's own, with another suffix only if the kind changes.

    DICOM, PNG and TIFF stay what they are, whatever they are called; JPEG becomes PNG, and so does
    what cannot be read.
    """
    kind, suffix = _format(path), path.suffix.lower()
    if kind == "dicom":
        return f"{path.stem}.dcm" if suffix in PICTURES else path.name
    right = (".tif", ".tiff") if kind == "tiff" else (".png",)
    if suffix in right:
        return path.name
    return f"{path.stem if suffix in (*PICTURES, *DICOM) else path.name}{right[0]}"


def plan(files: Iterable[Path], folder: Path) -> dict[Path, Path]:
    """Map each input file to its output file in `folder`.

    Raises:
        XbdcnnError: two inputs would have one output, an output is an input, or `folder` is no
            folder.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
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
    try:
        return path.stat()
    except OSError:  # it will be reported when its turn comes
        return None


def denoise_file(
    pretrained: Pretrained,
    source: Path,
    target: Path,
    overwrite: bool = False,
    ends: Ends = None,
    progress: bool = False,
) -> str:
    """Restore one radiograph into `target`, in the kind and with the bits of `source`.

    progress: show a progress bar over the tiles of the image.

    Returns:
        One line: from where to where, the window, the share of pixels outside, the levels.

    Raises:
        XbdcnnError: `source` cannot be read, or `target` exists and is not to be overwritten.
    """
    if target.exists() and not overwrite:
        raise XbdcnnError(f"{source}: {target} exists already; allow it with --overwrite")
    scan = _opened(source, ends)
    image, seen = pretrained.restore(scan.unit, progress=progress)
    levels = describe(seen, pretrained.level_error)
    save_scan(scan, scan.restored(image), target, _derivation(pretrained, scan, levels))
    return f"{source} -> {target}: {_seen(scan)}; {levels}"


def estimate_file(pretrained: Pretrained, source: Path, ends: Ends = None) -> str:
    """Return one line with the noise level of a radiograph and the window it refers to.

    XbdcnnError if the file cannot be read or the network estimates nothing.
    """
    scan = _opened(source, ends)
    levels = pretrained.estimate(scan.unit)
    return f"{source}: {describe(levels, pretrained.level_error)}; {_seen(scan)}"


def _opened(source: Path, ends: Ends) -> Scan:
    scan = open_scan(source, ends)
    scan.require_radiograph()
    if scan.window.outside(scan.stored) == 1:
        raise XbdcnnError(
            f"{source}: no pixel lies in its window ({scan.window}); give --window BLACK WHITE"
        )
    return scan


def _seen(scan: Scan) -> str:
    return f"{scan.window}, {scan.window.outside(scan.stored):.2%} of the pixels outside"


def describe(levels: Levels | None, error: Levels | None) -> str:
    """Eta and sigma in words, with the half width of their 95 % intervals if it is known."""
    if levels is None:
        return "no noise level estimated"
    if error is None:
        return f"eta {levels.eta:.2f}, sigma {levels.sigma:.1f} (uncertainty not measured)"
    return f"eta {levels.eta:.2f} +- {error.eta:.2f}, sigma {levels.sigma:.1f} +- {error.sigma:.1f}"


def _derivation(pretrained: Pretrained, scan: Scan, levels: str) -> str:
    """What the header of a derived DICOM object says; nothing in it comes from the header."""
    return (
        f"Denoised by xbdcnn {__version__}, network {pretrained.name}, research software, not for "
        f"diagnosis. Estimated noise: {levels}, on the 8-bit scale of the window in which "
        f"{scan.window}. The network's change was added to the stored values."
    )
