"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbdcnn.cli.names import PROFILES, require_known

if TYPE_CHECKING:
    from xbdcnn.study.profiles import Profile

ProfileName = Annotated[
    str, typer.Option("--profile", help="Amount of computation: smoke, quick, cpu or paper.")
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Folder of radiographs, or 'builtin'. Default: the folder in XBDCNN_DATA, else the "
        "sample of fetch-sample, else the built-in radiograph.",
    ),
]

Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="IN...", help="PNG, TIFF, JPEG or DICOM files, folders, or quoted patterns."
    ),
]
Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive",
        "-r",
        help="Search subfolders, too. Results are put into the same subfolders of the output.",
    ),
]
NetworkName = Annotated[
    str,
    typer.Option("--network", help="Name of a shipped network, or path of a .safetensors file."),
]
PrecisionName = Annotated[
    str,
    typer.Option(
        "--precision",
        help="Arithmetic: fp32, bf16 (about twice as fast if the CPU supports it), or auto.",
    ),
]
WindowLimits = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--window",
        metavar="BLACK WHITE",
        help="Stored values of black and white. Default: the window of the DICOM header, or the "
        "range of the bits that other formats use.",
    ),
]


def chosen_profile(name: str) -> Profile:
    """Return the profile of this name, or raise UsageError."""
    require_known("profile", name, PROFILES)
    from xbdcnn.study.profiles import get_profile

    return get_profile(name)
