"""Commands that restore radiographs and download public data: denoise, fetch-*."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from xbdcnn.cli.estimate import estimate
from xbdcnn.cli.options import Inputs, NetworkName, PrecisionName, Recursive, WindowLimits
from xbdcnn.cli.processing import find_files, load_requested_network, process_files
from xbdcnn.cli.reporting import UsageError, print_line, usage_errors


def denoise(
    ctx: typer.Context,
    inputs: Inputs,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT_DIR", help="Folder for the restored files."),
    ] = None,
    network: NetworkName = "xbdcnn",
    precision: PrecisionName = "auto",
    window: WindowLimits = None,
    recursive: Recursive = False,
    strength: Annotated[
        float, typer.Option(min=0, max=1, help="Part of the residual that is removed.")
    ] = 1.0,
    eta: Annotated[
        float | None,
        typer.Option(help="Photons per grey level, instead of the estimate; needs --sigma."),
    ] = None,
    sigma: Annotated[
        float | None,
        typer.Option(help="Electronic noise in grey levels, instead of the estimate; needs --eta."),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing output files.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Skip inputs whose output file exists.")
    ] = False,
    estimate_only: Annotated[
        bool,
        typer.Option("--estimate-only", help="Do what `xbdcnn estimate` does instead."),
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
    from xbdcnn.data.files.search import common_folder
    from xbdcnn.inference.pretrained import Levels

    if estimate_only:
        estimate(ctx, inputs, network, precision, window, recursive)
        return
    if output is None:
        raise UsageError("Missing option '--output' / '-o'; name a folder for the results")
    if (eta is None) != (sigma is None):
        raise UsageError("--eta and --sigma replace the estimate together; give both or neither")
    if resume and overwrite:
        raise UsageError("--resume keeps existing outputs, --overwrite replaces; choose one")
    files, skipped = find_files(inputs, window, output, recursive)
    with usage_errors():
        targets = batch.plan_outputs(files, output, common_folder(inputs) if recursive else None)
    completed = {file for file, target in targets.items() if resume and target.is_file()}
    files = [file for file in files if file not in completed]
    pretrained = load_requested_network(network, precision)
    given = None if eta is None or sigma is None else Levels(eta, sigma)
    control = batch.Control(strength, given)
    bar = len(files) == 1 and sys.stderr.isatty()

    def process(file: Path) -> list[str]:
        target = targets[file]
        return [batch.denoise_file(pretrained, file, target, overwrite, window, bar, control)]

    failures = process_files(files, process, ctx.find_root().params["debug"])
    summary = f"{len(files) - failures} of {len(files)} radiographs restored into {output}"
    summary += f"; {len(completed)} restored already" if completed else ""
    summary += f"; {skipped} other files skipped" if skipped else ""
    print_line(summary)
    if failures:
        raise typer.Exit(1)


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


def fetch_exposures(
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST", help="Folder for the files. Default: the cache of the user."
        ),
    ] = None,
) -> None:
    """Download the complete flats, darks and projections of four X-ray detectors (about 5 MB).

    The package contains excerpts of them. Every file is verified by its SHA-256.
    """
    from xbdcnn.data.exposures import fetch_exposures as fetch

    folder = fetch(destination, progress=sys.stderr.isatty())
    typer.echo(f"exposures: {folder}")
