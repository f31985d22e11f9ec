"""The command `xbdcnn seeds`: networks trained with several seeds, and intervals over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from xbdcnn.cli.names import SCALABLE, require_known
from xbdcnn.cli.options import Data, ProfileName, chosen_profile


def seeds(
    network: Annotated[
        list[str] | None,
        typer.Option(
            help=f"Network; repeatable: {', '.join(SCALABLE)}. Default: the fairest reading, "
            "without SSIM and without NLE, as released, and DnCNN."
        ),
    ] = None,
    seed: Annotated[
        list[int] | None, typer.Option(help="Seed; repeatable. Default: 0 to 4.")
    ] = None,
    width: Annotated[
        int, typer.Option(min=4, help="Channels of X-BDCNN and of DnCNN; 64 is full width.")
    ] = 32,
    patches: Annotated[
        int, typer.Option(min=1, help="Patches of 64 x 64 per training run.")
    ] = 100_000,
    profile: ProfileName = "cpu",
    data: Data = None,
    folder: Annotated[
        Path, typer.Option(help="Folder for the checkpoints and weights of all runs.")
    ] = Path("runs/seeds"),
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of the csv files; its other runs are kept."),
    ] = Path("tables"),
    merge: Annotated[
        list[Path] | None,
        typer.Option(
            help="Output folder of another process or machine, whose runs are added; repeatable. "
            "Nothing is trained."
        ),
    ] = None,
) -> None:
    """Train networks with several seeds, and tabulate their differences with intervals.

    Each network is scored at once on the images of Tables I and II of the profile. Runs that the
    output folder has are skipped, so the work can be divided: give each process its own output
    folder, then use `--merge`. Train all networks of a seed on one kind of machine, since devices
    without bfloat16 instructions compute in float32. Intervals are over seeds and images together.
    """
    for name in network or ():
        require_known("network", name, SCALABLE)
    chosen = chosen_profile(profile)
    from xbdcnn.study.seeds import effects, rows, runs

    if merge:
        rows.merge(merge, output)
        table = effects.write_effects(output)
    else:
        from xbdcnn.data.source import find_source

        budget = replace(runs.BUDGET, patches=patches)
        names, numbers = network or runs.NETWORKS, seed or runs.SEEDS
        source = find_source(data)
        table = runs.run_seeds(source, folder, output, names, numbers, width, budget, chosen)
    typer.echo(effects.readable(table))
    typer.echo(f"runs: {output}")
