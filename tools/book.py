"""Build the book from docs/, the executed notebooks and TEACHING.md, as a static site.

python tools/book.py --output build/book    after `make install`

Downloads nothing without --live, and runs nothing but the explorer, for its static page.
"""

from __future__ import annotations

import argparse
import re
import shutil
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path

import hero
import live_page
import nbformat
import reference_tables
import static_explorer
from findings import findings
from nbformat import NotebookNode
from PIL import Image

from xbdcnn.study.audit.ledger import MEANINGS

ROOT = Path(__file__).resolve().parents[1]
WIDGET = "application/vnd.jupyter.widget-view+json"
EXPLORER_PAGE = "explorer"
"""Folder of the site with the static page of the explorer, to which docs/explorer.md links."""

FINDINGS = "<!-- findings -->"
"""Marker in docs/index.md that the findings replace."""

LIVE_PAGE = "live"
"""Folder of the site with the live page."""

LIVE_MARKER = "<!-- live page -->"
"""Marker in docs/index.md and docs/explorer.md for the live page."""

BACK = "../index.html"
"""Front page of the book, from the pages of the explorer."""

LIVE_LINK = f'The smallest network also runs <a href="{LIVE_PAGE}/index.html">in this browser</a>.'
NO_LIVE_PAGE = "`make demo` opens a page in which the smallest network runs."
"""What replaces the marker of the front page in a book with the live page, and in one without."""

EMBEDDED = (
    "<details><summary>Open the live page here</summary>"
    f'<iframe src="../{LIVE_PAGE}/index.html" title="the network in the browser" loading="lazy" '
    'class="live-page"></iframe></details>'
)
"""The live page within docs/explorer.md, loaded when it is opened."""

FOLDED = re.compile(r"\A(import|from) |plotting\.save_figure\(")
"""What the source of a folded cell contains."""

NO_KERNEL = (
    "*The widget appears here in a running notebook: use Jupyter, or Binder.* "
    f'<a href="../{EXPLORER_PAGE}/index.html">Open it as a page</a> of precomputed states.'
)
"""Text in place of a widget, on the page of a notebook."""


def collect_pages(root: Path, target: Path, live: bool = False) -> None:
    """Copy all pages to `target`, laid out as in the repository, the front page at the top.

    live: whether the book has the live page, which the front page links.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(root / "docs", target / "docs", ignore=shutil.ignore_patterns("*.py", "_*"))
    (target / "docs" / "index.md").unlink()
    (target / "index.md").write_text(front_page(root, live), encoding="utf-8")
    shutil.copy2(root / "TEACHING.md", target)
    tables = shutil.ignore_patterns("table_*.md")
    shutil.copytree(root / "figures", target / "figures", ignore=tables)
    ledger = target / "figures" / "ledger.md"
    if ledger.exists():
        ledger.write_text(colour_verdicts(ledger.read_text(encoding="utf-8")), encoding="utf-8")
    if (explorer := target / "docs" / "explorer.md").exists():
        text = explorer.read_text(encoding="utf-8")
        explorer.write_text(text.replace(LIVE_MARKER, EMBEDDED if live else ""), encoding="utf-8")
    add_tables(root, target / "docs")
    (target / "notebooks").mkdir()
    for path in sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        make_static(notebook, path.stem)
        nbformat.write(notebook, target / "notebooks" / path.name)


def front_page(root: Path, live: bool) -> str:
    """Return docs/index.md with the findings of README, whose links are valid at the top, too."""
    text = (root / "docs" / "index.md").read_text(encoding="utf-8")
    if FINDINGS in text:
        text = text.replace(FINDINGS, findings(root / "figures" / "chestxray8"))
    if hero.MARKDOWN in text:
        text = text.replace(hero.MARKDOWN, hero.panel_grid(root / "figures"))
    return text.replace(LIVE_MARKER, LIVE_LINK if live else NO_LIVE_PAGE)


def add_tables(root: Path, docs: Path) -> None:
    """Replace the markers of generated parts in the pages that have one."""
    parts = {
        "api.md": ("<!-- modules -->", reference_tables.module_table),
        "equations.md": ("<!-- uses -->", reference_tables.equation_uses),
    }
    for name, (marker, generate) in parts.items():
        if (path := docs / name).exists():
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(marker, generate(root)), encoding="utf-8")


def colour_verdicts(ledger: str) -> str:
    """Mark each verdict in a table and at the head of a point, for the colours of pictures.css."""
    for verdict in MEANINGS:
        classes = f"verdict {verdict.replace(',', '').replace(' ', '-')}"
        places = rf"(?<=\| ){verdict}(?= *\|)|(?<=^\*\*){verdict.capitalize()}(?=\*\*)"
        marked = rf'<span class="{classes}">\g<0></span>'
        ledger = re.sub(places, marked, ledger, flags=re.MULTILINE)
    return ledger


def make_static(notebook: NotebookNode, name: str) -> None:
    """Give each picture its caption as alternative text, and replace widgets by a sentence.

    Cells that import modules or save a figure are folded.
    """
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "code" and FOLDED.search(cell.source):
            cell.metadata["tags"] = sorted({*cell.metadata.get("tags", ()), "hide-input"})
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


def build(root: Path, output: Path, live: bool = False) -> int:
    """Collect the pages and build the book; return Sphinx's exit code, not 0 after any warning.

    live: write the live page, too; XbdcnnError if npm cannot fetch its runtime.
    """
    from sphinx.cmd.build import build_main

    pages, settings = output.with_name(f"{output.name}-pages"), root / "docs"
    collect_pages(root, pages, live)
    shutil.rmtree(output, ignore_errors=True)
    options = ["--fail-on-warning", "--keep-going", "--fresh-env", "--quiet"]
    doctrees = str(output.with_name(f"{output.name}-doctrees"))
    code = build_main([*options, "-d", doctrees, "-c", str(settings), str(pages), str(output)])
    if not code:
        static_explorer.write_page(output / EXPLORER_PAGE, book=BACK)
    if live and not code:
        live_page.write_page(output / LIVE_PAGE, BACK)
    return code


def main() -> int:
    """Build the book; return 0 only if Sphinx gave no warning."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "book")
    parser.add_argument("--live", action="store_true", help="with the live page, which needs npm")
    options = parser.parse_args()
    if code := build(ROOT, options.output, options.live):
        return code
    print(f"open {options.output / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
