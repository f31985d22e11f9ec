"""Each notebook on results shows a picture before its first code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from paths import ROOT

from xbdcnn.study.reproduce.execution import read_notebook

SOURCES = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py"))
PICTURE = re.compile(r"!\[(.*?)\]\((.+?)\)")


@pytest.mark.parametrize("source", SOURCES, ids=[source.stem for source in SOURCES])
def test_introduction_shows_a_figure_that_the_notebook_writes(source: Path) -> None:
    first = read_notebook(source).content.cells[0].source
    title, introduction, picture, caption = first.split("\n\n")[:4]
    ((alternative, target),) = PICTURE.findall(picture)
    path = (source.parent / target).resolve()
    assert title.startswith("# ") and introduction and len(alternative) > 40
    assert path.is_file() and f'figures / "{path.stem}"' in source.read_text(encoding="utf-8")
    assert caption.startswith("*Figure of ")
