"""The command `xbdcnn`. The commands import torch and pandas themselves, so help is fast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from xbdcnn import __version__
from xbdcnn.cli import denoise, estimate, export, measure, reproduce, seeds
from xbdcnn.cli.reporting import Commands

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def show_version(requested: bool) -> None:
    """Print the version and exit."""
    if requested:
        typer.echo(f"xbdcnn {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog="Example: [bold]xbdcnn denoise chest.png -o restored[/bold]. "
    "Help on a command: [bold]xbdcnn denoise --help[/bold].",
)
def main(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Blind denoising of radiographs with X-BDCNN, and reproduction of its paper."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


COMMANDS: dict[str, dict[Callable[..., None], str]] = {
    "Reproduce the paper": {
        reproduce.reproduce: "xbdcnn reproduce --profile smoke --only 01 --only 06",
        measure.train: "xbdcnn train dncnn --profile cpu",
        measure.trials: "xbdcnn trials ablation --seed 0 --seed 1",
        seeds.seeds: "xbdcnn seeds --network xbdcnn-fairest --network dncnn --seed 5",
        measure.evaluate: "xbdcnn evaluate --table 2",
        measure.audit: "xbdcnn audit calibration out-of-range",
    },
    "Denoise radiographs": {
        denoise.denoise: "xbdcnn denoise images/ chest.dcm -o restored",
        estimate.estimate: "xbdcnn estimate images/ chest.dcm",
        export.export: "xbdcnn export tiny tiny.onnx",
        denoise.fetch_sample: "xbdcnn fetch-sample",
        denoise.fetch_exposures: "xbdcnn fetch-exposures",
        denoise.fetch_networks: "xbdcnn fetch-networks",
    },
}
"""The commands with an example each, by panel of the help text."""

for panel, examples in COMMANDS.items():
    for function, example in examples.items():
        app.command(
            function.__name__.replace("_", "-"),
            rich_help_panel=panel,
            epilog=f"Example: [bold]{example}[/bold]",
        )(function)
