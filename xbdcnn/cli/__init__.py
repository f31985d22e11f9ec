"""The command `xbdcnn`. Everything heavy is imported inside the commands, so help is instant."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xbdcnn import __version__
from xbdcnn.cli.commandline import BadUse, Commands, command_line, complain
from xbdcnn.errors import XbdcnnError

if TYPE_CHECKING:
    from xbdcnn.profiles import Profile

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

REPRODUCE, USE = "Reproduce the paper", "Denoise radiographs"

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
    from xbdcnn.profiles import get_profile

    with command_line():
        return get_profile(name)


def show_version(wanted: bool) -> None:
    """Print the version and leave."""
    if wanted:
        typer.echo(f"xbdcnn {__version__}")
        raise typer.Exit


@app.callback(
    invoke_without_command=True,
    epilog="Example: [bold]xbdcnn denoise chest.png -o restored[/bold]. "
    "Each command explains itself: [bold]xbdcnn denoise --help[/bold].",
)
def main(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=show_version, is_eager=True, help="Print the version."),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """Blind denoising of radiographs with X-BDCNN, and the paper behind it re-run."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


@app.command(
    rich_help_panel=REPRODUCE,
    epilog="Example: [bold]xbdcnn reproduce --profile smoke --only 01 --only 06[/bold]",
)
def reproduce(
    profile: ProfileName = "quick",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for notebooks, figures and tables.")
    ] = Path("reproduction"),
    only: Annotated[
        list[str] | None, typer.Option(help="Run this notebook only, e.g. 06; repeatable.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is unchanged, too.")] = False,
    notebooks: Annotated[
        Path | None, typer.Option(help="Folder of the sources, if not that of the clone.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Then refresh notebooks/ and figures/ of the clone.")
    ] = False,
) -> None:
    """Make every table and figure by running the notebooks; skip what is unchanged."""
    from xbdcnn.reproduce import reproduce as run
    from xbdcnn.reproduce.execution import notebooks_folder, select
    from xbdcnn.reproduce.publishing import publish as publish_into

    chosen_profile(profile)
    folder = notebooks_folder(notebooks)
    with command_line():
        select(folder, only)
    outcomes = run(profile, data, output, only, force, folder)
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    minutes = sum(outcome.seconds for outcome in done) / 60
    typer.echo(
        f"{len(done)} notebooks run in {minutes:.1f} min, {len(outcomes) - len(done)} unchanged; "
        f"results are in {output}"
    )
    if publish:
        written = publish_into(output, folder.parent)
        typer.echo(f"{len(written)} files refreshed in notebooks/ and figures/")


@app.command(
    rich_help_panel=REPRODUCE, epilog="Example: [bold]xbdcnn train dncnn --profile cpu[/bold]"
)
def train(
    name: Annotated[str, typer.Argument(help="Which network, e.g. xbdcnn or dncnn.")],
    profile: ProfileName = "quick",
    data: Data = None,
    folder: Annotated[
        Path | None, typer.Option(help="Checkpoint, log and weights. Default: runs/NAME.")
    ] = None,
    patches: Annotated[int | None, typer.Option(min=1, help="Patches seen in total.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Patches per step.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Channels of an X-BDCNN.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of initial weights, patches, noise.")] = None,
    ship: Annotated[
        bool, typer.Option("--ship", help="Then copy the weights into the package.")
    ] = False,
) -> None:
    """Train a network of the paper's tables, going on where an interrupted run stopped."""
    from xbdcnn import zoo

    chosen = chosen_profile(profile)
    with command_line():
        zoo.entry(name)
    from xbdcnn.data import find_source
    from xbdcnn.runs import train_named

    given = {"patches": patches, "batch_size": batch_size, "seed": seed}
    config = replace(chosen.train, **{k: v for k, v in given.items() if v is not None})
    source, target = find_source(data), folder or Path("runs") / name
    path = train_named(name, source, config, target, width or chosen.width, chosen.train_images)
    typer.echo(f"weights: {zoo.ship(path, name) if ship else path}")


@app.command(
    rich_help_panel=REPRODUCE,
    epilog="Example: [bold]xbdcnn trials ablation --seed 0 --seed 1[/bold]",
)
def trials(
    series: Annotated[str, typer.Argument(help="Which series: recipe or ablation.")],
    data: Data = None,
    folder: Annotated[Path, typer.Option(help="Checkpoints, to resume from.")] = Path(
        "runs/trials"
    ),
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the csv and its provenance.")
    ] = Path("tables"),
    seed: Annotated[list[int] | None, typer.Option(help="Repeatable; 0 by default.")] = None,
    patches: Annotated[
        int | None, typer.Option(min=1, help="Patches of 64 x 64 that each training sees.")
    ] = None,
) -> None:
    """Train small networks that differ in one choice, and tabulate what each choice brings."""
    from xbdcnn.data import find_source
    from xbdcnn.trials import BUDGET, SERIES, run_series

    if series not in SERIES:
        raise BadUse(f"unknown series {series!r}; choose from {', '.join(SERIES)}")
    budget = replace(BUDGET, patches=patches or BUDGET.patches)
    table = run_series(series, find_source(data), folder, output, seed or [0], budget)
    typer.echo(table.round(2).to_string(index=False))


@app.command(rich_help_panel=REPRODUCE, epilog="Example: [bold]xbdcnn evaluate --table 2[/bold]")
def evaluate(
    table: Annotated[
        list[int] | None, typer.Option(min=1, max=2, help="Table 1 or 2; both by default.")
    ] = None,
    profile: ProfileName = "quick",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for csv, Markdown and LaTeX.")
    ] = Path("tables"),
    weights: Annotated[
        Path | None, typer.Option(help="Folder of weights of your own; default: the shipped.")
    ] = None,
) -> None:
    """Measure Table I and II of the paper: printed, corrected and ours side by side."""
    from xbdcnn.data import find_source
    from xbdcnn.tables import readable, run_table

    chosen = chosen_profile(profile)
    source = find_source(data)
    for number in table or (1, 2):
        results = run_table(number, chosen, source, output, weights)
        typer.echo(readable(results).to_string(index=False))
    typer.echo(f"tables are in {output}")


@app.command(
    rich_help_panel=USE,
    epilog="Example: [bold]xbdcnn denoise scans/ extra.dcm -o restored[/bold]",
)
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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace old outputs.")] = False,
    estimate_only: Annotated[
        bool, typer.Option("--estimate-only", help="Print eta and sigma, write nothing.")
    ] = False,
) -> None:
    """Restore radiographs: one output file per input, inputs are never touched.

    PNG and TIFF keep name, format and bits per pixel; JPEG becomes PNG, DICOM 16-bit PNG. A file
    that cannot be used is reported in one line and the others are done all the same.
    """
    from xbdcnn.cli import bulk

    with command_line():
        files = bulk.expand(inputs)
        if output is None and not estimate_only:
            raise BadUse("Missing option '--output' / '-o'; name a folder for the results")
        targets = {} if estimate_only else bulk.plan(files, output)
    pretrained = chosen_network(network)

    def work(file: Path) -> None:
        if estimate_only:
            levels = pretrained.estimate(bulk.load_radiograph(file))
            typer.echo(f"{file}: eta {levels.eta:.2f}, sigma {levels.sigma:.1f}")
        else:
            bulk.denoise_file(pretrained, file, targets[file], overwrite)

    failures = for_each(files, work)
    what = "estimated" if estimate_only else f"restored into {output}"
    typer.echo(f"{len(files) - failures} of {len(files)} radiographs {what}", err=estimate_only)
    if failures:
        raise typer.Exit(1)


def chosen_network(name: str) -> Any:
    """Load weights by the name on the command line; an unknown name is bad use."""
    from xbdcnn import zoo
    from xbdcnn.inference import load_pretrained

    if not name.endswith(".safetensors"):
        with command_line():
            zoo.entry(name)
    return load_pretrained(name)


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


@app.command("fetch-sample", rich_help_panel=USE)
def fetch_sample(
    destination: Annotated[
        Path | None, typer.Argument(metavar="[DEST]", help="Folder; default: the user's cache.")
    ] = None,
) -> None:
    """Download 340 public chest radiographs (ChestX-ray8, about 140 MB), resumable."""
    from xbdcnn.data import fetch_sample as fetch

    folder = fetch(destination, progress=sys.stderr.isatty())
    typer.echo(f"sample: {folder}")
