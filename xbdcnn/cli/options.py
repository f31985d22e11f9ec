"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xbdcnn.cli.reporting import usage_errors

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


def chosen_profile(name: str) -> Profile:
    """Return the profile of this name, or raise UsageError."""
    from xbdcnn.study.profiles import get_profile

    with usage_errors():
        return get_profile(name)
