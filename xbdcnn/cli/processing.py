"""What the commands for radiograph files share: finding files, loading a network, errors."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, cast

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli.reporting import print_error, print_line, usage_errors

if TYPE_CHECKING:
    from xbdcnn.cli.batch import StoredWindow
    from xbdcnn.inference.precision import Precision
    from xbdcnn.inference.pretrained import Pretrained


def find_files(
    inputs: list[Path], window: StoredWindow, output: Path | None = None, recursive: bool = False
) -> tuple[list[Path], int]:
    """Return the files to process and the number of others, see `search.find_inputs`.

    Subfolders that were not searched are named on stderr. UsageError for inputs or the window.
    """
    from xbdcnn.data.files import search
    from xbdcnn.data.files.window import Window

    with usage_errors():
        if window:
            Window(*window, "as given")
        found = search.find_inputs(inputs, output, recursive)
    if found.unsearched:
        names = search.some_names(found.unsearched)
        print_line(f"subfolders not searched: {names}; add --recursive", on_stderr=True)
    return found.files, found.skipped


def load_requested_network(name: str, precision: str) -> Pretrained:
    """Load a shipped network or a weight file; UsageError for an unknown name or precision."""
    import torch

    from xbdcnn.inference import zoo
    from xbdcnn.inference.precision import resolve_precision
    from xbdcnn.inference.pretrained import load_pretrained

    with usage_errors():
        known = cast("Precision", precision)  # an unknown one is refused here
        resolve_precision(known, torch.device("cpu"))
        shipped = zoo.shipped_names()
        if not name.endswith(".safetensors") and name not in shipped:
            raise XbdcnnError(f"unknown network {name!r}; choose from {', '.join(shipped)}")
    return load_pretrained(name, precision=known)


def process_files(files: list[Path], process: Callable[[Path], list[str]], debug: bool) -> int:
    """Process files, print the lines or the error of each, return the number of errors."""
    from tqdm import tqdm

    failures = 0
    for file in tqdm(files, unit="image", disable=not sys.stderr.isatty() or len(files) == 1):
        try:
            for line in process(file):
                print_line(line)
        except (XbdcnnError, OSError, MemoryError) as error:
            failures += 1
            if debug:
                traceback.print_exception(error)
            print_error(error, file)
    return failures
