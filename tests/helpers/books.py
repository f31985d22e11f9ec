"""Books that tests build, and the tags of their pages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import defaultdict
from html.parser import HTMLParser
from pathlib import Path

from paths import ROOT

DOCS = ROOT / "docs"
REPOSITORY = "https://github.com/someone/xbdcnn"


class Page(HTMLParser):
    """Attributes of all tags of a page by tag name, and every id on it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: dict[str, list[dict[str, str | None]]] = defaultdict(list)
        self.ids: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags[tag].append(found)
        self.ids |= {found[name] for name in ("id", "name") if found.get(name)}

    @property
    def loaded(self) -> list[str]:
        """Addresses that a browser loads to show the page."""
        sources = [tag.get("src") for name in ("script", "img") for tag in self.tags[name]]
        sources += [tag.get("href") for tag in self.tags["link"] if tag["rel"] == "stylesheet"]
        return [source for source in sources if source]


def run(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Build a book in a separate process, since Sphinx changes global state."""
    # One state and a fast method are enough for the explorer's page.
    code = (
        "import sys, book; from functools import partial; from pathlib import Path;"
        "page = book.static_explorer;"
        "page.write_page = partial(page.write_page, etas=(0.6,), sigmas=(5.0,), method='TV');"
        "sys.exit(book.build(*map(Path, sys.argv[1:])))"
    )
    paths = os.pathsep.join([str(ROOT / "tools"), str(ROOT)])
    environment = os.environ | {"XBDCNN_REPOSITORY": REPOSITORY, "PYTHONPATH": paths}
    command = [sys.executable, "-c", code, str(root), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def small_root(folder: Path, front: str) -> Path:
    """A project with our settings and a single page."""
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("*.md", "api", "__*"))
    for name in ("figures", "notebooks"):
        (folder / name).mkdir()
    (folder / "docs" / "index.md").write_text(f"# Front\n\n{front}\n")
    (folder / "TEACHING.md").write_text("---\norphan: true\n---\n\n# Teaching\n")
    return folder
