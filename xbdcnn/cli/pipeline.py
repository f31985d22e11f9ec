"""The command that runs the notebooks, anew or as a record says: reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbdcnn.cli.commandline import BadUse, command_line
from xbdcnn.cli.options import Data, ProfileName, chosen_profile

if TYPE_CHECKING:
    from xbdcnn.reproduce.repeating import RecordedRun


def reproduce(
    profile: ProfileName = "quick",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for notebooks, figures and tables.")
    ] = Path("reproduction"),
    only: Annotated[
        list[str] | None, typer.Option(help="Run this notebook only, e.g. 06; repeatable.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option("--from", help="Repeat the run of this provenance.json, and compare."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run what is unchanged, too.")] = False,
    notebooks: Annotated[
        Path | None, typer.Option(help="Folder of the sources, if not that of the clone.")
    ] = None,
    publish: Annotated[
        bool, typer.Option("--publish", help="Then refresh notebooks/ and figures/ of the clone.")
    ] = False,
) -> None:
    """Make every table and figure by running the notebooks; skip what is unchanged.

    With --from, profile and notebooks are those on record, and exit code 0 says that every number
    of every table came out the same, times left out.
    """
    from xbdcnn.reproduce import reproduce as run
    from xbdcnn.reproduce.execution import notebooks_folder, select
    from xbdcnn.reproduce.publishing import publish as publish_into

    recorded = _recorded(record, only, data, output) if record else None
    if recorded:
        profile, only = recorded.profile, recorded.notebooks
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
    if recorded:
        _compare(recorded, output)


def _recorded(record: Path, only: list[str] | None, data: str | None, output: Path) -> RecordedRun:
    """Read a record, and say what is not as it was then; other images are an error."""
    from xbdcnn.data import find_source
    from xbdcnn.reproduce import repeating

    with command_line():
        if only:
            raise BadUse("--from repeats every notebook on record; leave --only out")
        recorded = repeating.read_run(record)
        if recorded.folder.resolve() == output.resolve():
            raise BadUse(f"{output}: holds the record itself; choose another folder with -o")
    repeating.require_repeatable(recorded, find_source(data))
    for change in repeating.changes(recorded):
        typer.echo(f"not as on record: {change}", err=True)
    return recorded


def _compare(recorded: RecordedRun, output: Path) -> None:
    """Print how the tables compare with those on record; exit code 1 if a number differs."""
    from xbdcnn.reproduce.repeating import compare

    table = compare(recorded, output)
    same = int((table["differing"] == 0).sum())
    typer.echo(table.to_string(index=False))
    typer.echo(f"{same} of {len(table)} tables came out as on record, times left out")
    if same < len(table):
        raise typer.Exit(1)
