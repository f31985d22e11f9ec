"""Repeat a recorded reproduction: read its record, and check images and environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.provenance import provenance
from xbdcnn.data.source import Source
from xbdcnn.study.reproduce.freshness import RECORD, read_record


@dataclass(frozen=True)
class RecordedRun:
    """A recorded reproduction: the content of provenance.json, and the folder of the results."""

    folder: Path
    facts: dict[str, Any]

    @property
    def profile(self) -> str:
        """Profile of the reproduction."""
        return self.facts["profile"]

    @property
    def notebooks(self) -> list[str]:
        """Names of the notebooks that were executed with this profile on these images."""
        same = (self.profile, self.facts["data_sha256"])
        entries = self.facts["notebooks"].items()
        return [name for name, e in entries if (e["profile"], e["data_sha256"]) == same]

    @property
    def tables(self) -> list[Path]:
        """Paths of the csv files that these notebooks wrote.

        The record names them relative to its folder, or to the parent folder if the results were
        published.
        """
        files = {name for n in self.notebooks for name in self.facts["notebooks"][n]["files"]}
        names = sorted(name for name in files if name.endswith(".csv"))
        published = any(name.startswith("figures/") for name in names)
        return [(self.folder.parent if published else self.folder) / name for name in names]


def read_run(path: Path) -> RecordedRun:
    """Read the record of a reproduction, given the file or its folder.

    Raises:
        XbdcnnError: there is no record, or it is damaged.
    """
    folder = path if path.is_dir() else path.parent
    if not (folder / RECORD).is_file() or (path != folder and path.name != RECORD):
        raise XbdcnnError(f"{path}: no record of a reproduction; name a {RECORD}")
    facts = read_record(folder)
    if not {"profile", "data", "data_sha256", "commit", "versions"} <= facts.keys():
        raise XbdcnnError(f"{folder / RECORD}: incomplete; it lacks the profile or the data")
    return RecordedRun(folder, facts)


def require_repeatable(run: RecordedRun, source: Source) -> None:
    """Raise XbdcnnError unless a run has finished notebooks on exactly the images of `source`."""
    if source.fingerprint != run.facts["data_sha256"]:
        raise XbdcnnError(
            f"{run.folder / RECORD}: made from {run.facts['data']}, not from these "
            f"images ({source.name}); name the folder with --data"
        )
    if not run.notebooks:
        raise XbdcnnError(
            f"{run.folder / RECORD}: no finished notebook on record; nothing to repeat"
        )


def environment_changes(run: RecordedRun) -> list[str]:
    """List the differences in commit, machine and versions from the record, one line each."""
    now = provenance()
    then = {"commit": run.facts["commit"], "machine": run.facts.get("machine")}
    then |= run.facts["versions"]
    here = {"commit": now["commit"], "machine": now["machine"]} | now["versions"]
    return [
        f"{name}: {then.get(name, 'none')} then, {here.get(name, 'none')} now"
        for name in dict.fromkeys([*then, *here])
        if then.get(name) != here.get(name)
    ]
