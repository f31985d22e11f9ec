"""Find the sources of the notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE

PATTERN = "[0-9][0-9]_*.py"


def notebooks_folder(folder: Path | str | None = None) -> Path:
    """Return the folder of the notebook sources, by default the one next to the package.

    Raises:
        XbdcnnError: it contains no NN_name.py; a wheel does not include the notebooks.
    """
    found = Path(folder) if folder else PACKAGE.parent / "notebooks"
    if not any(found.glob(PATTERN)):
        raise XbdcnnError(
            f"{found}: no notebooks (NN_name.py) there; run from a clone of the repository"
        )
    return found.resolve()


def select(folder: Path, only: Sequence[str] | str | None = None) -> list[Path]:
    """List the notebook sources in order, or those named in `only`: "06", "6" or "06_tables".

    Raises:
        XbdcnnError: a name matches no notebook; the message lists the names.
    """
    sources = sorted(folder.glob(PATTERN))
    if not only:
        return sources
    chosen = set()
    for name in [only] if isinstance(only, str) else only:
        matching = {path for path in sources if name.zfill(2) in (path.stem, path.stem[:2])}
        if not matching:
            names = ", ".join(path.stem for path in sources)
            raise XbdcnnError(f"no notebook {name!r}; choose from {names}")
        chosen |= matching
    return sorted(chosen)
