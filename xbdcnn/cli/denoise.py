"""Commands that restore radiographs and download public data: denoise, fetch-*."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from xbdcnn.cli.estimate import estimate
from xbdcnn.cli.names import DEFAULT_NETWORK
from xbdcnn.cli.options import Inputs, NetworkName, PrecisionName, Recursive, WindowLimits
from xbdcnn.cli.processing import find_files, require_network
from xbdcnn.cli.reporting import UsageError, print_log, usage_errors


def denoise(
    ctx: typer.Context,
    inputs: Inputs,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="OUT_DIR", help="Folder for the restored files."),
    ] = None,
    network: NetworkName = DEFAULT_NETWORK,
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
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that restore files, with one thread each. Default: one per processor "
            "core, as far as 2.5 GB of memory are free and 8 files are left for each; a single one "
            "uses all cores.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="K/N",
            help="Restore only the K-th of N equal parts of the files, K from 1 to N, e.g. one "
            "per task of a job array.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Add a row per file: file, size, eta, sigma, removed (grey levels, root mean "
            "square), seconds, error. --resume appends to an existing report.",
        ),
    ] = None,
) -> None:
    """Restore radiographs: one output file per input; inputs are never changed.

    A DICOM file becomes a derived DICOM object, PNG and TIFF keep their format, JPEG becomes PNG.
    Size, bit depth and the meaning of the grey values are kept, and values outside the window are
    not clipped. A file that cannot be processed is reported in one line, and the others are
    processed nevertheless.

    Research software, not a medical device: it can remove fine structure along with the noise.
    """
    if estimate_only:
        if jobs or shard or report:
            raise UsageError("--jobs, --shard and --report are not for --estimate-only; omit them")
        estimate(ctx, inputs, network, precision, window, recursive)
        return
    if output is None:
        raise UsageError("Missing option '--output' / '-o'; name a folder for the results")
    if (eta is None) != (sigma is None):
        raise UsageError("--eta and --sigma replace the estimate together; give both or neither")
    if resume and overwrite:
        raise UsageError("--resume keeps existing outputs, --overwrite replaces; choose one")
    from xbdcnn.cli import archive, batch, workers
    from xbdcnn.cli.report import open_report
    from xbdcnn.data.files.search import common_folder

    part = archive.shard_of(shard or "1/1")
    files, skipped = find_files(inputs, window, output, recursive)
    with usage_errors():
        targets = batch.plan_outputs(files, output, common_folder(inputs) if recursive else None)
    require_network(network, precision)
    chosen = {file: targets[file] for file in files[part]}
    earlier = {file for file, target in chosen.items() if resume and os.path.isfile(target)}
    left = [pair for pair in chosen.items() if pair[0] not in earlier]
    given = None if eta is None or sigma is None else (eta, sigma)
    control = batch.Control(strength, given)
    settings = workers.Settings(network, precision, overwrite, window, control)
    table = open_report(report, resume, overwrite)
    table.restored_earlier(sorted(earlier))
    failures = archive.restore_all(left, settings, jobs, table, ctx.find_root().params["debug"])
    print_log(archive.summary(len(left), failures, len(earlier), skipped, output))
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


def fetch_networks(
    destination: Annotated[
        Path | None,
        typer.Argument(
            metavar="DEST",
            help="Folder for the files. Default: the cache of the user, where the tables find it.",
        ),
    ] = None,
) -> None:
    """Download the DnCNN that its authors trained on photographs (about 2 MB).

    It is a row of the tables of profile cpu. Every file is verified by its SHA-256 and the weights
    are converted to safetensors.
    """
    from xbdcnn.data.networks import fetch_networks as fetch

    folder = fetch(destination, progress=sys.stderr.isatty())
    typer.echo(f"networks: {folder}")
