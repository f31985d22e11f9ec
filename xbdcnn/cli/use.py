"""Commands for radiographs of one's own: denoise, fetch-sample."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from xbdcnn.cli.commandline import BadUse, command_line, complain
from xbdcnn.errors import XbdcnnError


def denoise(
    inputs: Annotated[
        list[Path], typer.Argument(metavar="IN...", help="PNG, TIFF, JPEG, DICOM, or folders.")
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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace old outputs.")] = False,
    estimate_only: Annotated[
        bool, typer.Option("--estimate-only", help="Print eta and sigma, write nothing.")
    ] = False,
) -> None:
    """Restore radiographs: one output file per input, inputs are never touched.

    PNG and TIFF keep name, format and bits per pixel; JPEG becomes PNG, DICOM 16-bit PNG. A file
    that cannot be used is reported in one line and the others are done all the same. The noise
    level that the network saw is printed for each file. Any size goes, in bounded memory.
    """
    from xbdcnn.cli import bulk

    with command_line():
        files = bulk.expand(inputs)
        if output is None and not estimate_only:
            raise BadUse("Missing option '--output' / '-o'; name a folder for the results")
        targets = {} if estimate_only else bulk.plan(files, output)
    pretrained = chosen_network(network, precision)
    bar = len(files) == 1 and sys.stderr.isatty()

    def work(file: Path) -> None:
        if estimate_only:
            levels = pretrained.estimate(bulk.load_radiograph(file))
        else:
            levels = bulk.denoise_file(pretrained, file, targets[file], overwrite, bar)
        if levels:
            typer.echo(f"{file}: eta {levels.eta:.2f}, sigma {levels.sigma:.1f}")

    failures = for_each(files, work)
    what = "estimated" if estimate_only else f"restored into {output}"
    typer.echo(f"{len(files) - failures} of {len(files)} radiographs {what}", err=estimate_only)
    if failures:
        raise typer.Exit(1)


def chosen_network(name: str, precision: str) -> Any:
    """Load weights by the name on the command line; an unknown name or precision is bad use."""
    import torch

    from xbdcnn import zoo
    from xbdcnn.inference import load_pretrained
    from xbdcnn.precision import chosen_precision

    with command_line():
        chosen_precision(precision, torch.device("cpu"))
        if not name.endswith(".safetensors"):
            zoo.entry(name)
    return load_pretrained(name, precision=precision)


def for_each(files: list[Path], work: Callable[[Path], None]) -> int:
    """Do the work on every file, report those that fail, and return how many did."""
    from tqdm import tqdm

    failures = 0
    for file in tqdm(files, unit="image", disable=not sys.stderr.isatty() or len(files) == 1):
        try:
            work(file)
        except (XbdcnnError, OSError) as error:
            failures += 1
            complain(error if str(file) in str(error) else f"{file}: {error}")
    return failures


def fetch_sample(
    destination: Annotated[
        Path | None, typer.Argument(metavar="[DEST]", help="Folder; default: the user's cache.")
    ] = None,
) -> None:
    """Download 340 public chest radiographs (ChestX-ray8, about 140 MB), resumable."""
    from xbdcnn.data import fetch_sample as fetch

    folder = fetch(destination, progress=sys.stderr.isatty())
    typer.echo(f"sample: {folder}")
