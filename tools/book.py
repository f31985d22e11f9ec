"""Build the book from docs/, the executed notebooks and TEACHING.md, as a static site.

python tools/book.py --output build/book    after `make install`

Downloads nothing, and runs nothing but the explorer, for its static page.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image
from static_explorer import write_page

ROOT = Path(__file__).resolve().parents[1]
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPLORER_PAGE = "explorer"
"""Folder of the site with the static page of the explorer, to which docs/explorer.md links."""

NO_KERNEL = "*The widget appears here in a running notebook: use Jupyter, or Binder.*"


def collect_pages(root: Path, target: Path) -> None:
    """Copy all pages to `target`, laid out as in the repository, the front page at the top."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target / "docs", ignore=shutil.ignore_patterns("*.py", "_*"))
    shutil.move(target / "docs" / "index.md", target / "index.md")
    shutil.copy2(root / "TEACHING.md", target)
    tables = shutil.ignore_patterns("table_*.md")
    shutil.copytree(root / "figures", target / "figures", ignore=tables)
    (target / "notebooks").mkdir()
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        make_static(notebook, path.stem)
        nbformat.write(notebook, target / "notebooks" / path.name)


def make_static(notebook: NotebookNode, name: str) -> None:
    """Give each picture its caption as alternative text, and replace widgets by a sentence."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
        if pictures := [data["image/png"] for data in outputs if "image/png" in data]:
            captions = [caption(picture) for picture in pictures]
            if not all(captions):
                first = cell.source.strip().splitlines()[0]
                sys.exit(
                    f"{name}: `{first}` shows a picture without a caption; save the figure with "
                    "plotting.save_figure before it is displayed, and run the notebook again"
                )
            cell.metadata["mystnb"] = {"image": {"alt": " ".join(captions)}}
        if any(WIDGET in data for data in outputs):
            data = {"text/markdown": NO_KERNEL}
            cell.outputs = [nbformat.v4.new_output("display_data", data)]


def caption(picture: str) -> str:
    """Return the caption that `save_figure` stored in a base64-encoded PNG, or ""."""
    with Image.open(BytesIO(b64decode(picture))) as image:
        return image.info.get("Description", "")


def build(root: Path, output: Path) -> int:
    """Collect the pages and build the book; return Sphinx's exit code, not 0 after any warning."""
    from sphinx.cmd.build import build_main

    pages, settings = output.with_name(f"{output.name}-pages"), root / "docs"
    collect_pages(root, pages)
    shutil.rmtree(output, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    doctrees = str(output.with_name(f"{output.name}-doctrees"))
    code = build_main([*options, "-d", doctrees, "-c", str(settings), str(pages), str(output)])
    if not code:
        write_page(output / EXPLORER_PAGE)
    return code


def main() -> int:
    """Build the book; return 0 only if Sphinx gave no warning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "book")
    output = parser.parse_args().output
    if code := build(ROOT, output):
        return code
    print(f"open {output / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
