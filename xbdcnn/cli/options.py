"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from xbdcnn.cli.reporting import command_line

if TYPE_CHECKING:
    from xbdcnn.study.profiles import Profile

ProfileName = Annotated[
    str, typer.Option("--profile", help="How much work: smoke, quick, cpu or paper.")
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data",
        help="Folder of radiographs. Default: XBDCNN_DATA, else the fetched sample, else the "
        "built-in radiograph.",
    ),
]


def chosen_profile(name: str) -> Profile:
    """Look up a profile by its name on the command line."""
    from xbdcnn.study.profiles import get_profile

    with command_line():
        return get_profile(name)
