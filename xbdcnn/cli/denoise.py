"""Commands for radiographs of one's own: denoise, fetch-sample."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.cli.reporting import BadUse, command_line, print_error, say


def denoise(
    ctx: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="IN...", help="PNG, TIFF, JPEG, DICOM, folders, 'patterns*'."),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="OUT_DIR", help="Where to write.")
    ] = None,
    network: Annotated[
        str, typer.Option(help="Shipped network, or a .safetensors file of your own.")
    ] = "xbdcnn",
    precision: Annotated[
        str, typer.Option(help="auto (bf16 where the CPU has it: twice as fast), fp32 or bf16.")
    ] = "auto",
    window: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="BLACK WHITE",
            help="Stored values that the network is to see as black and white. Default: the "
            "window of a DICOM header, the whole range of other files.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace old outputs.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep what an interrupted run has restored already.")
    ] = False,
    estimate_only: Annotated[
        bool, typer.Option("--estimate-only", help="Print eta and sigma, write nothing.")
    ] = False,
) -> None:
    """Restore radiographs: one output file per input, inputs are never touched.

    DICOM becomes a derived DICOM object, PNG and TIFF stay what they are, JPEG becomes PNG; size,
    bits and meaning of the grey levels are kept. Grey levels outside the window are not cut. A
    file that cannot be used is reported in one line and the others are done all the same.

    Research software, no medical device: it can remove fine structure along with the noise.
    """
    from xbdcnn.cli import batch
    from xbdcnn.data.files.window import Window

    with command_line():
        if window:
            Window(*window, "as given")
        files, passed_over = batch.expand(inputs, output)
        if output is None and not estimate_only:
            raise BadUse("Missing option '--output' / '-o'; name a folder for the results")
        if resume and overwrite:
            raise BadUse("--resume keeps what is there, --overwrite replaces it; choose one")
        targets = {} if estimate_only else batch.plan(files, output)
    kept = {file for file, target in targets.items() if resume and target.is_file()}
    files = [file for file in files if file not in kept]
    pretrained = chosen_network(network, precision)
    bar = len(files) == 1 and sys.stderr.isatty()

    def work(file: Path) -> str:
        if estimate_only:
            return batch.estimate_file(pretrained, file, window)
        return batch.denoise_file(pretrained, file, targets[file], overwrite, window, bar)

    failures = for_each(files, work, ctx.find_root().params["debug"])
    what = "estimated" if estimate_only else f"restored into {output}"
    before = f"; {len(kept)} were there already" if kept else ""
    others = f"; {passed_over} other files passed over" if passed_over else ""
    done = f"{len(files) - failures} of {len(files)} radiographs {what}"
    say(done + before + others, estimate_only)
    if failures:
        raise typer.Exit(1)


def chosen_network(name: str, precision: str) -> Any:
    """Load weights by the name on the command line; an unknown name or precision is bad use."""
    import torch

    from xbdcnn.inference import zoo
    from xbdcnn.inference.precision import chosen_precision
    from xbdcnn.inference.pretrained import load_pretrained

    with command_line():
        chosen_precision(precision, torch.device("cpu"))
        if not name.endswith(".safetensors"):
            zoo.entry(name)
    return load_pretrained(name, precision=precision)


def for_each(files: list[Path], work: Callable[[Path], str], debug: bool) -> int:
    """Do the work on every file, print its line, report those that fail, and return how many."""
    from tqdm import tqdm

    failures = 0
    for file in tqdm(files, unit="image", disable=not sys.stderr.isatty() or len(files) == 1):
        try:
            say(work(file))
        except (XbdcnnError, OSError, MemoryError) as error:
            failures += 1
            if debug:
                traceback.print_exception(error)
            print_error(error, file)
    return failures


def fetch_sample(
    destination: Annotated[
        Path | None, typer.Argument(metavar="[DEST]", help="Folder; default: the user's cache.")
    ] = None,
) -> None:
    """Download 340 public chest radiographs (ChestX-ray8, about 140 MB), resumable."""
    from xbdcnn.data.sample import fetch_sample as fetch

    folder = fetch(destination, progress=sys.stderr.isatty())
    typer.echo(f"sample: {folder}")
