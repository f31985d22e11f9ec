"""Files whose content is elsewhere: links and pointer files of git-annex and Git LFS."""

from __future__ import annotations

import os
from pathlib import Path

from xbdcnn._common.errors import XbdcnnError

POINTERS = {
    b"/annex/objects/": "git annex get",
    b"version https://git-lfs.github.com/": "git lfs pull",
}
"""First bytes of a pointer file, and the command that replaces it by the content."""


def is_elsewhere(path: Path) -> bool:
    """Tell whether a path is a link whose file is absent, or a readable pointer file."""
    try:
        return _is_broken_link(path) or _fetch_command(path) is not None
    except OSError:
        return False


def require_content(path: Path) -> None:
    """Raise XbdcnnError for a link whose file is absent, or a pointer file."""
    if _is_broken_link(path):
        raise XbdcnnError(
            f"{path}: a link to no such file; check the path, or fetch the file, as by "
            "'git annex get'"
        )
    if command := _fetch_command(path):
        raise XbdcnnError(f"{path}: a pointer to a file that is elsewhere; fetch it by '{command}'")


def _is_broken_link(path: Path) -> bool:
    # Unlike Path.exists, os.path.exists accepts an unreadable folder.
    return path.is_symlink() and not os.path.exists(path)


def _fetch_command(path: Path) -> str | None:
    """Return the command that fetches the content of a pointer file; None for other paths."""
    if not path.is_file():  # opening a pipe would block
        return None
    with open(path, "rb") as stream:
        head = stream.read(max(map(len, POINTERS)))
    return next((command for start, command in POINTERS.items() if head.startswith(start)), None)
