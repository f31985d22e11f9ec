"""Copy executed notebooks, figures and measured tables into the repository.

python tools/publish.py notebooks build/refresh    results of `xbdcnn reproduce`
python tools/publish.py tables runs/tables         results of `xbdcnn evaluate` on the sample
python tools/publish.py tables figures/chestxray8  write the published tables again from their rows
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import jupytext

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import PACKAGE, atomic_path, sha256_of
from xbdcnn.study.reproduce.execution import INJECTED, read_notebook
from xbdcnn.study.reproduce.freshness import is_intact, read_record, write_record
from xbdcnn.study.table_rewriting import rewrite_table

LARGEST_NOTEBOOK = 1_500_000
"""Bytes; a larger .ipynb is slow to open on the web."""

KEPT_CELL_METADATA = ("tags", "jupyter")
"""Cell metadata that belong to the source: tags, and whether a cell is collapsed."""


def publish_notebooks(output: Path | str, repository: Path | str) -> list[Path]:
    """Copy the results of `reproduce` into a clone: notebooks/*.ipynb, figures/ and the record.

    Notebooks keep outputs and cell ids; injected parameters and run times are removed, so that
    they match their .py sources. Everything is checked before anything is written. Files that a
    notebook no longer produces are deleted.

    Args:
        output: output folder of `reproduce`, with any profile except smoke.
        repository: the clone, with notebooks/NN_name.py.

    Returns:
        The files written, in order.

    Raises:
        XbdcnnError: nothing to publish, smoke results, a source or product that has changed since,
            a notebook larger than 1.5 MB, or one that contains a path of this machine.
    """
    output, repository = Path(output), Path(repository)
    record, published = read_record(output), read_record(repository / "figures")
    _refuse_unfit(output, record)
    private = _private_folders(output, repository)
    texts = {
        name: notebook_text(output / "notebooks" / f"{name}.ipynb", repository, private)
        for name in record["notebooks"]
    }
    entries = dict(published["notebooks"])
    for name, entry in record["notebooks"].items():
        files = _copy_products(output, repository, entry["files"])
        files |= _write_notebook(repository, name, texts[name])
        for old in set(entries.get(name, {"files": {}})["files"]) - set(files):
            (repository / old).unlink(missing_ok=True)
        entries[name] = entry | {"files": files}
    write_record(repository / "figures", record | {"notebooks": entries})
    return [repository / file for name in record["notebooks"] for file in entries[name]["files"]]


def _refuse_unfit(output: Path, record: dict[str, Any]) -> None:
    entries = record["notebooks"]
    if not entries:
        raise XbdcnnError(f"{output}: no finished notebook there; run `xbdcnn reproduce` first")
    for name, entry in entries.items():
        if entry["profile"] == "smoke":
            raise XbdcnnError(
                f"{name}: smoke results are not published; run it with another profile"
            )
        if not is_intact(output, entry):
            raise XbdcnnError(f"{name}: its products in {output} were altered; run it again")


def notebook_text(executed: Path, repository: Path, private: list[str]) -> str:
    """Return the .ipynb text to publish for an executed notebook.

    private: folders whose paths must not occur in it.

    Raises:
        XbdcnnError: see `publish_notebooks`.
    """
    content = presentable(jupytext.read(executed))
    source = read_notebook(repository / "notebooks" / f"{executed.stem}.py").content
    if [cell.source for cell in content.cells] != [cell.source for cell in source.cells]:
        raise XbdcnnError(f"{executed.stem}: its source has changed since; run it again")
    text = jupytext.writes(content, fmt="ipynb") + "\n"
    if len(text.encode()) > LARGEST_NOTEBOOK:
        raise XbdcnnError(f"{executed.stem}: larger than 1.5 MB; show fewer or smaller figures")
    for folder in private:
        if re.search(rf"(?<![\w.:/+=~-]){re.escape(folder)}[/\\]", text):
            raise XbdcnnError(f"{executed.stem}: shows a path below {folder}; change the cell")
    return text


def presentable(content: Any) -> Any:
    """Remove injected parameters, run times and other data of one execution from a notebook."""
    kept = ("kernelspec", "language_info", "widgets")
    content.metadata = {name: content.metadata[name] for name in kept if name in content.metadata}
    cells = [cell for cell in content.cells if INJECTED not in cell.metadata.get("tags", [])]
    code = [cell for cell in cells if cell.cell_type == "code"]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        for result in cell.outputs:
            if "execution_count" in result:
                result.execution_count = count
    for cell in cells:
        kept = {name: cell.metadata.get(name) for name in KEPT_CELL_METADATA}
        cell.metadata = {name: value for name, value in kept.items() if value}
    content.cells = cells
    return content


def _private_folders(output: Path, repository: Path) -> list[str]:
    """Folders whose paths would identify the machine."""
    folders = {output.resolve(), repository.resolve(), Path.home()}
    if sys.prefix != sys.base_prefix:
        folders.add(Path(sys.prefix))
    return sorted(str(folder) for folder in folders if len(folder.parts) > 1)


def _copy_products(output: Path, repository: Path, files: dict[str, str]) -> dict[str, str]:
    """Copy figures and tables to figures/; return their new names and SHA-256."""
    copied = {}
    for name, digest in files.items():
        folder, _, rest = name.partition("/")
        if folder in ("figures", "tables"):
            with atomic_path(repository / "figures" / rest) as temporary:
                shutil.copyfile(output / name, temporary)
            copied[f"figures/{rest}"] = digest
    return copied


def _write_notebook(repository: Path, name: str, text: str) -> dict[str, str]:
    path = repository / "notebooks" / f"{name}.ipynb"
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return {f"notebooks/{name}.ipynb": sha256_of(path)}


def publish_tables(measured: Path, repository: Path) -> list[Path]:
    """Copy Tables I and II and the rows behind them to figures/chestxray8.

    The tables in `measured` are first written again from their rows by the current code. `measured`
    can also be figures/chestxray8 itself.

    Raises:
        XbdcnnError: a table is missing, was not measured with profile cpu, was measured with
            uncommitted code, or with other weights than the shipped ones.
    """
    for number in (1, 2):
        _require_publishable(measured / f"table_{number}.json")
    for number in (1, 2):
        rewrite_table(number, measured)
    written = []
    for path in sorted(measured.glob("table_[12]*")):
        written.append(repository / "figures" / "chestxray8" / path.name)
        with atomic_path(written[-1]) as temporary:
            shutil.copyfile(path, temporary)
    return written


def _require_publishable(record: Path) -> None:
    if not record.is_file():
        raise XbdcnnError(f"{record}: not there; run `xbdcnn evaluate -o {record.parent}` first")
    facts = json.loads(record.read_text(encoding="utf-8"))
    if facts["profile"] != "cpu" or facts["commit"].endswith("-dirty"):
        raise XbdcnnError(
            f"{record}: profile {facts['profile']}, commit {facts['commit']}; measure with "
            "--profile cpu from a clean checkout"
        )


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["notebooks", "tables"])
    parser.add_argument("folder", type=Path, help="folder of the results")
    parser.add_argument("--repository", type=Path, default=PACKAGE.parent, help="the clone")
    given = parser.parse_args(arguments)
    copy = {"notebooks": publish_notebooks, "tables": publish_tables}[given.what]
    print(f"{len(copy(given.folder, given.repository))} files refreshed in {given.repository}")


if __name__ == "__main__":
    main()
