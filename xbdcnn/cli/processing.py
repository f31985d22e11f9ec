"""What the commands for radiograph files share: finding files, loading a network, errors."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli.names import PRECISIONS, require_known, shipped_networks
from xbdcnn.cli.reporting import print_error, print_log, usage_errors

if TYPE_CHECKING:
    from tqdm import tqdm

    from xbdcnn.cli.batch import InputFiles, StoredWindow
    from xbdcnn.cli.workers import Attempt
    from xbdcnn.inference.precision import Precision
    from xbdcnn.inference.pretrained import Pretrained

T = TypeVar("T")


def find_files(inputs: list[Path], window: StoredWindow, output: Path | None = None) -> InputFiles:
    """Find the files to process, see `batch.find_inputs`; UsageError for these or the window."""
    from xbdcnn.cli import batch
    from xbdcnn.data.files.window import Window

    with usage_errors():
        if window:
            Window(*window, "as given")
        return batch.find_inputs(inputs, output)


def require_network(name: str, precision: str) -> None:
    """Raise XbdcnnError unless a network and a precision of these names exist."""
    require_known("precision", precision, PRECISIONS)
    if not name.endswith(".safetensors"):
        require_known("network", name, shipped_networks())
    elif not Path(name).exists():
        raise XbdcnnError(f"{name}: no such weights; train them with `xbdcnn train`")


def load_requested_network(name: str, precision: str, purpose: str) -> Pretrained:
    """Load a shipped network or a weight file, which takes seconds, after a line about it."""
    print_log(f"loading network {name}; {purpose}", on_stderr=True)
    from xbdcnn.inference.pretrained import load_pretrained

    return load_pretrained(name, precision=cast("Precision", precision))


def process_files(
    attempts: Generator[Attempt[T], None, None],
    total: int,
    done: Callable[[Path, T], None],
    failed: Callable[[Path, Exception], None],
    debug: bool,
) -> int:
    """Make the attempts, pass on each result, print and pass on each error, and count the errors.

    total: number of the attempts, of which a progress bar shows the rate and the remaining time.
    """
    from tqdm import tqdm

    failures = 0
    bar = tqdm(total=total, unit="image", disable=not sys.stderr.isatty() or total <= 1)
    with closing(attempts), bar, _redrawn(bar):
        for file, attempt in attempts:
            bar.set_postfix_str(file.name, refresh=False)
            try:
                result = attempt()
            except (XbdcnnError, OSError, MemoryError) as error:
                failures += 1
                if debug:
                    traceback.print_exception(error)
                print_error(error, file)
                failed(file, error)
            else:
                done(file, result)
            bar.update()
    return failures


@contextmanager
def _redrawn(bar: tqdm) -> Iterator[None]:
    """Redraw a bar every second, so that its clock moves while a file takes long."""
    ended = threading.Event()

    def redraw() -> None:
        while not ended.wait(1):
            bar.refresh()

    thread = threading.Thread(target=redraw, daemon=True)
    if not bar.disable:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        if thread.is_alive():
            thread.join()
