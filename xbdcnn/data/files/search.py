"""Find radiograph files, by rules that commands and data folders share.

A file is a radiograph by its suffix, or else by its content, so that DICOM files named by UID are
found and damaged files are reported. Hidden files and folders are passed over, among them the `._`
files of macOS, and so is the index of a DICOM disc.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.files.elsewhere import is_elsewhere
from xbdcnn.data.files.formats import Format, format_of

PICTURES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
"""Suffixes of pictures."""

DICOM = (".dcm", ".dicom")
"""Suffixes of DICOM files; any other suffix, e.g. the end of a UID, is part of the name."""

DISC_INDEX = "DICOMDIR"
"""Name of the index of a DICOM disc, itself in DICOM format."""

NAMED_FOLDERS = 3
"""Largest number of folders that a message names."""


class Listing(NamedTuple):
    """What a folder or pattern holds: radiographs, other visible files, and folders, sorted."""

    radiographs: list[Path]
    others: list[Path]
    folders: list[Path]


class InputFiles(NamedTuple):
    """The files to process, without repetition, and what was found with them."""

    files: list[Path]
    skipped: int
    """Number of files that are no radiographs, or are results of an earlier run."""
    unsearched: list[Path]
    """Subfolders with radiographs that were not searched."""


def list_folder(folder: Path) -> Listing:
    """List a folder without its subfolders.

    A folder that cannot be listed counts as a radiograph, so that reading it reports the error.
    """
    try:
        with os.scandir(folder) as entries:
            named = sorted(entries, key=attrgetter("name"))
    except OSError:
        return Listing([folder], [], [])
    visible = [entry for entry in named if not entry.name.startswith(".")]
    folders = {e.name for e in visible if _is_folder(e)}
    files = [Path(e.path) for e in visible if e.name not in folders and _is_file_or_link(e)]
    return _sorted_out(files, [folder / name for name in sorted(folders)])


def _is_folder(entry: os.DirEntry) -> bool:
    # Unlike DirEntry.is_dir, isdir accepts a loop of links.
    return os.path.isdir(entry.path) if entry.is_symlink() else entry.is_dir()


def _is_file_or_link(entry: os.DirEntry) -> bool:
    """Tell a file, or a link whose file may be absent, from pipes and devices."""
    return entry.is_symlink() or entry.is_file()


def _sorted_out(files: Iterable[Path], folders: list[Path]) -> Listing:
    found = Listing([], [], folders)
    for file in files:
        (found.radiographs if is_radiograph_file(file) else found.others).append(file)
    return found


def is_radiograph_file(path: Path) -> bool:
    """Recognise a radiograph by its suffix, or else by its first bytes.

    A file whose content is elsewhere counts, unless its suffix is that of other files.
    """
    suffix = path.suffix.lower()
    if path.name.upper() == DISC_INDEX:
        return False
    if suffix in (*PICTURES, *DICOM):
        return True
    if is_elsewhere(path):
        return not any(character.isalpha() for character in suffix)
    return format_or_none(path) is not None


def format_or_none(path: Path) -> Format | None:
    """Return the format of a file by its first bytes; None if it has none or is unreadable."""
    try:
        return format_of(path) if path.is_file() else None  # opening a pipe would block
    except OSError:
        return None


def list_tree(folder: Path, without: str | None = None) -> Iterator[Listing]:
    """Yield the listing of a folder and of every folder below it, each once despite links.

    without: real path of a folder below it to pass over.
    """
    waiting, seen = [folder], {without}
    while waiting:
        current = waiting.pop()
        if (real := os.path.realpath(current)) in seen and current != folder:
            continue
        seen.add(real)
        yield (listing := list_folder(current))
        waiting += reversed(listing.folders)


def find_inputs(
    inputs: Iterable[Path], output: Path | None = None, recursive: bool = False
) -> InputFiles:
    """Replace folders and patterns by the radiographs they contain, sorted, each file once.

    recursive: search the subfolders of folders, too, except the folder `output`. A pattern skips
    files in `output`, the results of an earlier run, if it matches others as well.

    Raises:
        XbdcnnError: a folder contains no radiograph, or a pattern matches no file.
    """
    files: dict[str, Path] = {}
    others: set[str] = set()
    unsearched: list[Path] = []
    for path in inputs:
        found = _listing(path, os.path.realpath(output) if output else None, recursive)
        # Unlike Path.resolve, realpath accepts a loop of links.
        for file in found.radiographs:
            files.setdefault(os.path.realpath(file), file)
        others.update(os.path.realpath(file) for file in found.others)
        unsearched += found.folders
    return InputFiles(list(files.values()), len(others), unsearched)


def _listing(path: Path, results: str | None, recursive: bool) -> Listing:
    """Return the radiographs of an input, other files, and folders that were not searched."""
    if os.path.isdir(path):
        return _in_tree(path, results) if recursive else _in_folder(path, results)
    if os.path.lexists(path) or not glob.has_magic(str(path)):
        return Listing([path], [], [])
    return _matching(path, results, recursive)


def _in_folder(folder: Path, results: str | None) -> Listing:
    found = list_folder(folder)
    below = [path for path in found.folders if os.path.realpath(path) != results]
    unsearched = [path for path in below if holds_radiographs(path)]
    if found.radiographs:
        return found._replace(folders=unsearched)
    nothing = f"{folder}: no PNG, TIFF, JPEG or DICOM file in this folder"
    if unsearched:
        names = some_names(unsearched)
        raise XbdcnnError(f"{nothing}, but in its subfolders ({names}); search with --recursive")
    raise XbdcnnError(f"{nothing}; check it")


def _in_tree(folder: Path, results: str | None) -> Listing:
    listings = list(list_tree(folder, without=results))
    radiographs = [file for listing in listings for file in listing.radiographs]
    if not radiographs:
        raise XbdcnnError(
            f"{folder}: no PNG, TIFF, JPEG or DICOM file in this folder or below; check it"
        )
    return Listing(radiographs, [file for listing in listings for file in listing.others], [])


def holds_radiographs(folder: Path) -> bool:
    """Tell whether there is a radiograph in a folder or below it."""
    return any(listing.radiographs for listing in list_tree(folder))


def some_names(folders: list[Path]) -> str:
    """Return the first names of folders, and the number of the others."""
    names = ", ".join(path.name for path in folders[:NAMED_FOLDERS])
    more = len(folders) - NAMED_FOLDERS
    return f"{names} and {more} more" if more > 0 else names


def _matching(pattern: Path, results: str | None, recursive: bool) -> Listing:
    """Return what matches a pattern, `**` included."""
    matches = [Path(name) for name in sorted(glob.glob(str(pattern), recursive=True))]
    folders = [path for path in matches if os.path.isdir(path)]
    files = [path for path in matches if not os.path.isdir(path)]
    if recursive:
        trees = [listing for folder in folders for listing in list_tree(folder, without=results)]
        files += [path for tree in trees for path in (*tree.radiographs, *tree.others)]
    if not files:
        cause = "matches folders only; search them with --recursive" if matches else None
        raise XbdcnnError(f"{pattern}: {cause or 'no file matches this pattern; check it'}")
    new = [path for path in files if not _is_result(path, results, recursive)]
    # If only results match, or no radiograph, using them as inputs reports it.
    found = _sorted_out(new or files, [])
    others = [*found.others, *(set(files) - set(new) if new else ())]
    return found._replace(others=others) if found.radiographs else Listing(new or files, [], [])


def _is_result(path: Path, results: str | None, recursive: bool) -> bool:
    folder = Path(os.path.realpath(path.parent))
    if results is None:
        return False
    return folder.is_relative_to(results) if recursive else folder == Path(results)


def common_folder(inputs: Iterable[Path]) -> Path:
    """Return the deepest folder above all inputs: itself for one folder; absolute.

    A file counts as its folder, and a pattern as the part of its path before the first wildcard.
    """
    return Path(os.path.commonpath([os.path.abspath(_fixed_folder(path)) for path in inputs]))


def _fixed_folder(path: Path) -> Path:
    if os.path.isdir(path):
        return path
    if os.path.lexists(path) or not glob.has_magic(str(path)):
        return path.parent
    return next(folder for folder in path.parents if not glob.has_magic(str(folder)))
