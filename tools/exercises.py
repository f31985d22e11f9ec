"""Write the exercises without their solutions, as a notebook for students.

python tools/exercises.py --output build/exercises/10_exercises.ipynb
"""

from __future__ import annotations

import argparse
import re
import sys
from base64 import b64encode
from pathlib import Path

import jupytext
from nbformat import NotebookNode

from xbdcnn._common.files import atomic_path
from xbdcnn.study.reproduce.execution import read_notebook

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "notebooks" / "10_exercises.py"
PICTURE = re.compile(r"(?<=\]\()\.\./figures/(\w+\.png)(?=\))")
"""Path of a picture in Markdown, relative to the notebooks."""


def unsolved(source: Path = SOURCE) -> NotebookNode:
    """Return the notebook without the cells tagged `solution` and without outputs.

    Pictures are embedded, since students get the file alone.
    """
    notebook = read_notebook(source).content
    notebook.cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            embed_pictures(cell)
    return notebook


def embed_pictures(cell: NotebookNode) -> None:
    """Replace the paths of pictures in a Markdown cell by attachments."""
    for name in PICTURE.findall(cell.source):
        data = b64encode((ROOT / "figures" / name).read_bytes()).decode()
        cell.setdefault("attachments", {})[name] = {"image/png": data}
    cell.source = PICTURE.sub(r"attachment:\1", cell.source)


def tags(cell: NotebookNode) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def main() -> int:
    """Write the notebook for students; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = ROOT / "build" / "exercises" / f"{SOURCE.stem}.ipynb"
    parser.add_argument("--output", type=Path, default=default)
    output = parser.parse_args().output
    output.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(output) as temporary:
        jupytext.write(unsolved(), temporary, fmt="ipynb")
    print(f"wrote {output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
