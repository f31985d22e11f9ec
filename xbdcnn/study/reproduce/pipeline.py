"""Execute the notebooks in order, skip unchanged ones, and record the provenance of every file."""

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
from xbdcnn.inference.methods import require_parts
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.reproduce.execution import (
    Notebook,
    check_parameters,
    execute,
    read_notebook,
)
from xbdcnn.study.reproduce.freshness import (
    file_stamps,
    is_intact,
    key_of,
    read_record,
    write_record,
    written_since,
)
from xbdcnn.study.reproduce.sources import notebooks_folder, select


class Outcome(NamedTuple):
    """Outcome of one notebook."""

    name: str
    status: Literal["done", "unchanged"]
    seconds: float
    """Duration of its execution, now or when its results were produced."""


@dataclass
class Reproduction:
    """A reproduction with one profile and one data source, in one output folder."""

    output: Path
    profile: str
    data: str | None
    """Absolute path of the image folder for the notebooks; None for the default source."""
    data_sha256: str
    facts: dict[str, Any]
    """Provenance of the reproduction."""
    entries: dict[str, Any] = field(default_factory=dict)
    """Record of each notebook, by name."""

    def key(self, notebook: Notebook) -> str:
        """Compute the current key of a notebook.

        Raises:
            XbdcnnError: it needs a notebook that has not been run.
        """
        needed = {}
        for name in notebook.needs(self.profile):
            if not self._is_available(name):
                raise XbdcnnError(
                    f"{notebook.name} needs {name}, which has not been run in {self.output} with "
                    f"profile {self.profile} on these images; run {name} first"
                )
            needed[name] = self.entries[name]["key"]
        return key_of(notebook.source, self.profile, self.data_sha256, needed)

    def _is_available(self, name: str) -> bool:
        """Tell whether the products of a notebook, for this profile and data, are intact."""
        entry = self.entries.get(name, {})
        same = (entry.get("profile"), entry.get("data_sha256")) == (self.profile, self.data_sha256)
        return same and is_intact(self.output, entry)

    def is_fresh(self, notebook: Notebook) -> bool:
        """Tell whether the recorded results are intact and their key is the current one."""
        key, entry = self.key(notebook), self.entries.get(notebook.name, {})
        return entry.get("key") == key and is_intact(self.output, entry)

    def run(self, notebook: Notebook, bar: dict[str, Any] | bool) -> None:
        """Execute a notebook and record its products; a failed notebook has no record."""
        key = self.key(notebook)
        self.entries.pop(notebook.name, None)
        self.write()
        before, started = file_stamps(self.output), time.perf_counter()
        # The kernel runs in notebooks/; a relative path keeps the machine out of the notebook.
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
    only: Sequence[str] | str | None = None,
    force: bool = False,
    notebooks: Path | str | None = None,
    progress: bool = True,
) -> list[Outcome]:
    """Produce all tables and figures by executing the notebooks in the order of their numbers.

    A notebook is skipped if its source, the modules of the package that it imports, the profile,
    the images, the installed versions and the notebooks that it needs are unchanged and its
    products are intact.

    Args:
        profile: one of `profiles.PROFILES`.
        data: folder of radiographs, see `data.find_source`.
        output: folder for notebooks/, figures/, tables/ and provenance.json.
        only: numbers or names of notebooks; None for all.
        force: execute unchanged notebooks, too.
        notebooks: folder of the sources; None for the one next to the package.
        progress: report on stderr, with progress bars on a terminal.

    Raises:
        NotebookFailed: a notebook failed; later ones are not executed.
        XbdcnnError: unknown profile or notebook, unusable data, a needed notebook was not run, or
            a method of the tables lacks a package or weights, see `methods.require_parts`.
    """
    folder = notebooks_folder(notebooks)
    chosen = [read_notebook(source) for source in select(folder, only)]
    for notebook in chosen:
        check_parameters(notebook)
    if any("run_table(" in cell.source for notebook in chosen for cell in notebook.content.cells):
        require_parts(get_profile(profile).classical)
    run = prepare(profile, data, Path(output), folder)
    return _run_all(run, chosen, force, progress)


def prepare(profile: str, data: Path | str | None, output: Path, folder: Path) -> Reproduction:
    """Find the images, create the output folder and read its record.

    Raises:
        XbdcnnError: see `reproduce`; or the output folder contains the notebook sources.
    """
    get_profile(profile)
    if (output / "notebooks").resolve() == folder:
        raise XbdcnnError(f"{output}: contains the notebook sources; choose another output folder")
    source = find_source(data)
    facts = provenance(profile=profile, data=source.name, data_sha256=source.fingerprint)
    (output / "notebooks").mkdir(parents=True, exist_ok=True)
    entries = read_record(output)["notebooks"]
    named = str(data or os.environ.get("XBDCNN_DATA") or "") or None
    if named and Path(named).exists():
        # The kernels run in another folder, where a relative path would be wrong.
        named = str(Path(named).resolve())
    return Reproduction(output, profile, named, source.fingerprint, facts, entries)


def _run_all(
    run: Reproduction, chosen: Sequence[Notebook], force: bool, progress: bool
) -> list[Outcome]:
    """Execute or skip each notebook; report one line each, and progress bars on a terminal."""
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
                status = "unchanged" if skip else f"done in {seconds / 60:.1f} min"
                tqdm.write(f"{notebook.name}: {status}", file=sys.stderr)
            overall.update()
    return outcomes
