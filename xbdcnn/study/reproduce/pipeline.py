"""Run the notebooks in order, skip what is unchanged, and record where every file comes from."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from tqdm import tqdm

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import find_source
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.reproduce.execution import (
    Notebook,
    check_parameters,
    execute,
    notebooks_folder,
    read_notebook,
    select,
)
from xbdcnn.study.reproduce.freshness import (
    is_intact,
    key_of,
    read_record,
    stamps,
    write_record,
    written_since,
)


class Outcome(NamedTuple):
    """What became of one notebook."""

    name: str
    status: Literal["done", "unchanged"]
    seconds: float
    """How long its run took, now or when its results were made."""


@dataclass
class Reproduction:
    """One output folder that is being filled under one profile from one data source."""

    output: Path
    profile: str
    data: str | None
    """Absolute path of the image folder for the notebooks, None to let them find it."""
    data_sha256: str
    facts: dict[str, Any]
    """Provenance of the whole run."""
    entries: dict[str, Any] = field(default_factory=dict)
    """Record of each notebook by name."""

    def key(self, notebook: Notebook) -> str:
        """Key of a notebook here and now; XbdcnnError if it needs one that has not been run."""
        needed = {}
        for name in notebook.needs(self.profile):
            entry = self.entries.get(name)
            same = entry and (entry["profile"], entry["data_sha256"]) == (
                self.profile,
                self.data_sha256,
            )
            if not same or not is_intact(self.output, entry):
                raise XbdcnnError(
                    f"{notebook.name} needs {name}, which has not been run in {self.output} with "
                    f"profile {self.profile} on these images; run {name} first"
                )
            needed[name] = entry["key"]
        return key_of(notebook.source, self.profile, self.data_sha256, needed)

    def is_fresh(self, notebook: Notebook) -> bool:
        """Tell whether the results on record are what a new run would start from and leave."""
        entry = self.entries.get(notebook.name)
        fresh = entry and entry["key"] == self.key(notebook)
        return bool(fresh) and is_intact(self.output, entry)

    def run(self, notebook: Notebook, bar: dict[str, Any] | bool) -> None:
        """Execute a notebook and record its products; a failed one is left without a record."""
        key = self.key(notebook)
        self.entries.pop(notebook.name, None)
        self.write()
        before, started = stamps(self.output), time.perf_counter()
        # The kernel works in notebooks/, so the folder above it needs no name of this machine.
        parameters = {"profile": self.profile, "data": self.data, "output": ".."}
        execute(notebook, self.output / "notebooks", parameters, bar)
        self.entries[notebook.name] = {
            "key": key,
            "profile": self.profile,
            "data_sha256": self.data_sha256,
            "seconds": round(time.perf_counter() - started, 1),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "files": written_since(self.output, before),
        }
        self.write()

    def write(self) -> None:
        """Write provenance.json."""
        write_record(self.output, self.facts | {"notebooks": self.entries})


def reproduce(
    profile: str = "quick",
    data: Path | str | None = None,
    output: Path | str = "reproduction",
    only: Sequence[str] | None = None,
    force: bool = False,
    notebooks: Path | str | None = None,
    progress: bool = True,
) -> list[Outcome]:
    """Make every table and figure by running the notebooks in the order of their numbers.

    A notebook is skipped if its source, the profile, the images, the package, the versions of
    what it computes with and the notebooks it needs are unchanged, and its products are intact.

    Args:
        profile: one of `profiles.PROFILES`.
        data: folder of radiographs, see `data.find_source`.
        output: folder for notebooks/, figures/, tables/ and provenance.json.
        only: numbers or names of the notebooks to run; None for all.
        force: run them even if nothing has changed.
        notebooks: folder of the sources; None for the one beside the package.
        progress: report on stderr, with bars if that is a terminal.

    Raises:
        NotebookFailed: a notebook failed; later ones are not run.
        XbdcnnError: unknown profile or notebook, unusable data, or a needed notebook is missing.
    """
    folder = notebooks_folder(notebooks)
    chosen = [read_notebook(source) for source in select(folder, only)]
    for notebook in chosen:
        check_parameters(notebook)
    run = prepare(profile, data, Path(output), folder)
    return _run_all(run, chosen, force, progress)


def prepare(profile: str, data: Path | str | None, output: Path, folder: Path) -> Reproduction:
    """Find the images, make the output folder and read what is on record there.

    Raises:
        XbdcnnError: see `reproduce`, or the output folder is where the notebooks' sources are.
    """
    get_profile(profile)
    if (output / "notebooks").resolve() == folder:
        raise XbdcnnError(f"{output}: holds the notebooks' sources; choose another output folder")
    source = find_source(data)
    facts = provenance(profile=profile, data=source.name, data_sha256=source.fingerprint)
    (output / "notebooks").mkdir(parents=True, exist_ok=True)
    entries = read_record(output)["notebooks"]
    named = data or os.environ.get("XBDCNN_DATA")
    # The kernels work in another folder, where a relative path would point elsewhere.
    absolute = str(Path(named).resolve()) if named and Path(named).exists() else named
    return Reproduction(output, profile, absolute, source.fingerprint, facts, entries)


def _run_all(
    run: Reproduction, chosen: Sequence[Notebook], force: bool, progress: bool
) -> list[Outcome]:
    """Run or skip each notebook; report one line each, and bars for a human who watches."""
    bars = progress and sys.stderr.isatty() and not os.environ.get("CI")
    cells = {"desc": "  cells", "position": 1, "leave": False} if bars else False
    outcomes: list[Outcome] = []
    with tqdm(total=len(chosen), unit="notebook", disable=not bars) as overall:
        for notebook in chosen:
            overall.set_description(notebook.name)
            skip = not force and run.is_fresh(notebook)
            if not skip:
                run.run(notebook, cells)
            seconds = run.entries[notebook.name]["seconds"]
            outcomes.append(Outcome(notebook.name, "unchanged" if skip else "done", seconds))
            if progress:
                spent = "unchanged" if skip else f"done in {seconds / 60:.1f} min"
                tqdm.write(f"{notebook.name}: {spent}", file=sys.stderr)
            overall.update()
    return outcomes
