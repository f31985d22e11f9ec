"""Build the book from docs/, the executed notebooks and TEACHING.md, as a static site.

python tools/book.py --output build/book    after `make install`; nothing is downloaded, and nothing
                                            run but the explorer, for its page without a kernel
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image
from static_explorer import write_page

ROOT = Path(__file__).resolve().parents[1]
WIDGET = "application/vnd.jupyter.widget-view+json"
STILL = "explorer"
"""Folder of the site with the explorer's page, to which docs/explorer.md links."""

NO_KERNEL = "*The widget stands here when the notebook runs: `make explore`, or Binder.*"


def stage(root: Path, target: Path) -> None:
    """Lay out the pages in `target` as in the repository, with the front page at the top."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target / "docs", ignore=shutil.ignore_patterns("*.py", "_*"))
    shutil.move(target / "docs" / "index.md", target / "index.md")
    shutil.copy2(root / "TEACHING.md", target)
    tables = shutil.ignore_patterns("table_*.md")
    shutil.copytree(root / "figures", target / "figures", ignore=tables)
    (target / "notebooks").mkdir()
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        make_static(notebook, path.stem, root / "figures")
        nbformat.write(notebook, target / "notebooks" / path.name)


def make_static(notebook: NotebookNode, name: str, figures: Path) -> None:
    """Give each picture its caption as alt text, and a sentence to each widget."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        kinds = {kind for output in cell.get("outputs", []) for kind in output.get("data", {})}
        if "image/png" in kinds:
            cell.metadata["mystnb"] = {"image": {"alt": caption(cell.source, name, figures)}}
        if WIDGET in kinds:
            data = {"text/markdown": NO_KERNEL}
            cell.outputs = [nbformat.v4.new_output("display_data", data)]


def caption(source: str, name: str, figures: Path) -> str:
    """What `save_figure` wrote into the PNG of the figure that a cell saves and shows."""
    stems = re.findall(r'figures / "(\w+)"', source)
    if len(stems) != 1 or not (path := figures / f"{stems[0]}.png").is_file():
        first = source.strip().splitlines()[0]
        sys.exit(f"{name}: `{first}` shows a picture; save it with plotting.save_figure there")
    return Image.open(path).info["Description"]


def build(root: Path, output: Path) -> int:
    """Canvas and build; return Sphinx's exit code, not 0 after any warning."""
    from sphinx.cmd.build import build_main

    pages, settings = output.with_name(f"{output.name}-pages"), root / "docs"
    stage(root, pages)
    shutil.rmtree(output, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    doctrees = str(output.with_name(f"{output.name}-doctrees"))
    code = build_main([*options, "-d", doctrees, "-c", str(settings), str(pages), str(output)])
    if not code:
        write_page(output / STILL)
    return code


def main() -> int:
    """Build the book; the exit code is 0 only if Sphinx had nothing to print_error about."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "book")
    output = parser.parse_args().output
    if code := build(ROOT, output):
        return code
    print(f"open {output / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
