"""The command that runs the notebooks, anew or as a record says: reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbdcnn.cli.options import Data, ProfileName, chosen_profile
from xbdcnn.cli.reporting import BadUse, command_line

if TYPE_CHECKING:
    from xbdcnn.study.reproduce.repeating import RecordedRun


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
) -> None:
    """Make every table and figure by running the notebooks; skip what is unchanged.

    With --from, profile and notebooks are those on record, and exit code 0 says that every number
    of every table came out the same, times left out.
    """

    from xbdcnn.study.reproduce.execution import notebooks_folder, select
    from xbdcnn.study.reproduce.pipeline import reproduce as run

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
    if recorded:
        _compare(recorded, output)


def _recorded(record: Path, only: list[str] | None, data: str | None, output: Path) -> RecordedRun:
    """Read a record, and say what is not as it was then; other images are an error."""
    from xbdcnn.data.source import find_source
    from xbdcnn.study.reproduce import repeating

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
    from xbdcnn.study.reproduce.repeating import compare

    table = compare(recorded, output)
    same = int((table["differing"] == 0).sum())
    typer.echo(table.to_string(index=False))
    typer.echo(f"{same} of {len(table)} tables came out as on record, times left out")
    if same < len(table):
        raise typer.Exit(1)
