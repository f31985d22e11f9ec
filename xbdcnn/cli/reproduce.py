"""The command that runs the notebooks or repeats a recorded run: reproduce."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xbdcnn.cli.names import PROFILES, require_known
from xbdcnn.cli.options import Data, ProfileName
from xbdcnn.cli.reporting import UsageError, usage_errors

if TYPE_CHECKING:
    from xbdcnn.study.reproduce.repeating import RecordedRun


def reproduce(
    profile: ProfileName = "quick",
    data: Data = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for notebooks, figures and tables.")
    ] = Path("reproduction"),
    only: Annotated[
        list[str] | None, typer.Option(help="Notebook to run, e.g. 06; repeatable. Default: all.")
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Repeat the run recorded in this provenance.json, and compare."
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Run unchanged notebooks, too.")] = False,
    notebooks: Annotated[
        Path | None,
        typer.Option(help="Folder of the notebook sources. Default: that of the clone."),
    ] = None,
) -> None:
    """Reproduce all tables and figures by running the notebooks; unchanged ones are skipped.

    With --from, profile and notebooks are those of the record, and the exit code is 0 only if
    every number of every table is the same, except for run times.
    """
    require_known("profile", profile, PROFILES)
    from xbdcnn.study.reproduce.sources import notebooks_folder, select

    recorded = _recorded(record, only, data, output) if record else None
    if recorded:
        profile, only = recorded.profile, recorded.notebooks
    folder = notebooks_folder(notebooks)
    with usage_errors():
        select(folder, only)
    from xbdcnn.study.reproduce.pipeline import reproduce as run

    outcomes = run(profile, data, output, only, force, folder)
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    minutes = sum(outcome.seconds for outcome in done) / 60
    typer.echo(
        f"{len(done)} notebooks run in {minutes:.1f} min, {len(outcomes) - len(done)} unchanged; "
        f"results: {output}"
    )
    if recorded:
        _compare(recorded, output)


def _recorded(record: Path, only: list[str] | None, data: str | None, output: Path) -> RecordedRun:
    """Read a record and print what has changed since; raise XbdcnnError for other images."""
    if only:
        raise UsageError("--from repeats every notebook of the record; omit --only")
    from xbdcnn.data.source import find_source
    from xbdcnn.study.reproduce import repeating

    with usage_errors():
        recorded = repeating.read_run(record)
        if recorded.folder.resolve() == output.resolve():
            raise UsageError(f"{output}: contains the record itself; choose another folder with -o")
    repeating.require_repeatable(recorded, find_source(data))
    for change in repeating.environment_changes(recorded):
        typer.echo(f"differs from the record: {change}", err=True)
    return recorded


def _compare(recorded: RecordedRun, output: Path) -> None:
    """Print the comparison with the recorded tables; exit code 1 if a number differs."""
    from xbdcnn.study.table_differences import compare_files

    table = compare_files(recorded.tables, output / "tables")
    same = int((table["differing"] == 0).sum())
    typer.echo(table.to_string(index=False))
    typer.echo(f"{same} of {len(table)} tables equal the record, except for run times")
    if same < len(table):
        raise typer.Exit(1)
