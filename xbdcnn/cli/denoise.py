"""Commands for the user's own radiographs: denoise, fetch-sample."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli.reporting import UsageError, print_error, print_line, usage_errors

if TYPE_CHECKING:
    from xbdcnn.inference.precision import Precision
    from xbdcnn.inference.pretrained import Pretrained


def denoise(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN...", help="PNG, TIFF, JPEG or DICOM files, folders, or quoted patterns."
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT_DIR", help="Folder for the restored files."),
    ] = None,
    network: Annotated[
        str, typer.Option(help="Name of a shipped network, or path of a .safetensors file.")
    ] = "xbdcnn",
    precision: Annotated[
        str,
        typer.Option(
            help="Arithmetic: fp32, bf16 (about twice as fast if the CPU supports it), or auto."
        ),
    ] = "auto",
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="BLACK WHITE",
            help="Stored values of black and white. Default: the window of the DICOM header, or "
            "the full range of the pixel type for other formats.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing output files.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip inputs whose output file exists.")
    ] = False,
    estimate_only: Annotated[
        bool,
        typer.Option(
            "--estimate-only", help="Print the noise levels eta and sigma, write nothing."
        ),
    ] = False,
) -> None:
    """Restore radiographs: one output file per input; inputs are never changed.

    A DICOM file becomes a derived DICOM object, PNG and TIFF keep their format, JPEG becomes PNG.
    Size, bit depth and the meaning of the grey values are kept, and values outside the window are
    not clipped. A file that cannot be processed is reported in one line, and the others are
    processed nevertheless.

    Research software, not a medical device: it can remove fine structure along with the noise.
    """
    from xbdcnn.cli import batch
    from xbdcnn.data.files.window import Window

    with usage_errors():
        if output is None and not estimate_only:
            raise UsageError("Missing option '--output' / '-o'; name a folder for the results")
        if resume and overwrite:
            raise UsageError("--resume keeps existing outputs, --overwrite replaces; choose one")
        if window:
            Window(*window, "as given")
        files, skipped = batch.find_inputs(inputs, output)
        targets = batch.plan_outputs(files, output) if output and not estimate_only else {}
    completed = {file for file, target in targets.items() if resume and target.is_file()}
    files = [file for file in files if file not in completed]
    pretrained = load_requested_network(network, precision)
    bar = len(files) == 1 and sys.stderr.isatty()

    def process(file: Path) -> str:
        if estimate_only:
            return batch.estimate_file(pretrained, file, window)
        return batch.denoise_file(pretrained, file, targets[file], overwrite, window, bar)

    failures = process_files(files, process, ctx.find_root().params["debug"])
    result = "estimated" if estimate_only else f"restored into {output}"
    summary = f"{len(files) - failures} of {len(files)} radiographs {result}"
    summary += f"; {len(completed)} restored already" if completed else ""
    summary += f"; {skipped} other files skipped" if skipped else ""
    print_line(summary, on_stderr=estimate_only)
    if failures:
        raise typer.Exit(1)


def load_requested_network(name: str, precision: str) -> Pretrained:
    """Load a shipped network or a weight file; UsageError for an unknown name or precision."""
    import torch

    from xbdcnn.inference import zoo
    from xbdcnn.inference.precision import resolve_precision
    from xbdcnn.inference.pretrained import load_pretrained

    with usage_errors():
        known = cast("Precision", precision)  # an unknown one is refused here
        resolve_precision(known, torch.device("cpu"))
        if not name.endswith(".safetensors"):
            zoo.find_entry(name)
    return load_pretrained(name, precision=known)


def process_files(files: list[Path], process: Callable[[Path], str], debug: bool) -> int:
    """Process files, print the resulting line or the error of each, return the number of errors."""
    from tqdm import tqdm

    failures = 0
    for file in tqdm(files, unit="image", disable=not sys.stderr.isatty() or len(files) == 1):
        try:
            print_line(process(file))
        except (XbdcnnError, OSError, MemoryError) as error:
            failures += 1
            if debug:
                traceback.print_exception(error)
            print_error(error, file)
    return failures


def fetch_sample(
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST", help="Folder for the images. Default: the cache of the user."
        ),
    ] = None,
) -> None:
    """Download 340 public chest radiographs of ChestX-ray8 (about 140 MB).

    Every file is verified by its SHA-256; an interrupted download resumes.
    """
    from xbdcnn.data.sample import fetch_sample as fetch

    folder = fetch(destination, progress=sys.stderr.isatty())
    typer.echo(f"sample: {folder}")
