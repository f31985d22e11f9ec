"""Pictures of the book on a phone: enlarged by a click or key, and the front page's panels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import hero
import numpy as np
import pytest
from books import Page, run, small_root
from browsers import TIMEOUT, chromium
from paths import ROOT
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from xbdcnn import plotting

WIDTH = 390
"""Of the window in pixels."""


def write_hero(path: Path) -> None:
    """Write the figure with a footer of images of one grey level each."""
    clean, noisy, restored = (np.full((520, 400), grey, np.float32) for grey in (0.3, 0.5, 0.7))
    figure = plotting.hero(clean, noisy, restored)
    plotting.save_figure(
        figure, path.with_suffix(""), "caption", {"data": "none", "profile": "smoke"}
    )


@pytest.fixture(scope="module")
def book(tmp_path_factory) -> Path:
    """A book with a front page only."""
    folder = tmp_path_factory.mktemp("pictures")
    root = small_root(folder / "root", hero.MARKDOWN)
    write_hero(root / "figures" / "00_hero.png")
    built = run(str(folder / "book"), root=root)
    assert built.returncode == 0, built.stderr[-4000:]
    return folder / "book"


@pytest.fixture
def tab(book) -> Iterator[Tab]:
    with chromium() as browser:
        tab = browser.new_page(viewport={"width": WIDTH, "height": 700}, color_scheme="dark")
        tab.set_default_timeout(TIMEOUT)
        tab.goto((book / "index.html").as_uri())
        yield tab


def test_labels_are_those_of_the_files_and_a_missing_file_is_an_error(tmp_path):
    write_hero(tmp_path / "00_hero.png")
    grid = hero.panel_grid(tmp_path)
    assert "figures/00_hero_noisy.png" in grid and "\nnoisy · 14.0 dB\n" in grid
    (tmp_path / "00_hero_clean.png").unlink()
    with pytest.raises(SystemExit, match=r"00_hero_clean.png: missing; run"):
        hero.panel_grid(tmp_path)


def test_front_page_has_the_figure_that_is_replaced():
    assert hero.MARKDOWN in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_each_picture_is_a_link_to_its_file(book):
    html = (book / "index.html").read_text(encoding="utf-8")
    pictures = [tag["src"] for tag in Page(book / "index.html").tags["img"]]
    links = re.findall(r'<a class="enlarge[^>]*href="([^"]+)"[^>]*>\s*<img', html)
    assert len(links) == 4 and set(links) == {name for name in pictures if "_images" in name}
    assert all((book / link).is_file() for link in links)


@pytest.mark.slow
def test_a_picture_is_enlarged_by_key_and_closed_by_escape_or_a_click(tab):
    dialog, link = tab.locator("dialog.enlarged"), tab.locator("a.enlarge").first
    for close in (lambda: tab.keyboard.press("Escape"), dialog.locator("img").click):
        link.focus()
        tab.keyboard.press("Enter")
        expect(dialog).to_be_visible()
        tab.wait_for_function("document.querySelector('dialog.enlarged img').naturalWidth > 0")
        size = "(p => [p.clientWidth, p.naturalWidth, getComputedStyle(p).filter])"
        shown, native, colours = tab.evaluate(
            f"{size}(document.querySelector('dialog.enlarged img'))"
        )
        assert shown == native > WIDTH and colours == "none"
        assert dialog.get_attribute("aria-label") == "A chest radiograph, noisy"
        assert tab.evaluate("document.querySelector('dialog.enlarged').scrollWidth") == native
        close()
        expect(dialog).to_be_hidden()
        expect(link).to_be_focused()


@pytest.mark.slow
def test_panels_of_the_front_page_stand_two_by_two_with_legible_labels(tab):
    boxes = [figure.bounding_box() for figure in tab.locator(".hero figure").all()]
    assert boxes[0]["y"] == boxes[1]["y"] < boxes[2]["y"] == boxes[3]["y"]
    labels = tab.locator(".hero figcaption p")
    shown = [text.strip("# \n").partition(" · ") for text in labels.all_inner_texts()]
    assert [name for name, _, _ in shown] == list(hero.PANELS)
    assert shown[0][2] == "14.0 dB"
    size = labels.first.evaluate("label => parseFloat(getComputedStyle(label).fontSize)")
    assert size >= 14
    tab.set_viewport_size({"width": 1440, "height": 700})
    assert len({figure.bounding_box()["y"] for figure in tab.locator(".hero figure").all()}) == 1
