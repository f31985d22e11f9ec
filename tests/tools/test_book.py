"""The book builds without warnings and without a network; its links and pictures are complete."""

from __future__ import annotations

import inspect
import re
from base64 import b64encode
from dataclasses import fields, is_dataclass
from pathlib import Path
from pydoc import locate
from urllib.parse import quote, unquote, urlsplit

import book
import nbformat
import pytest
from books import DOCS, Page, run, small_root
from browsers import TIMEOUT, chromium, served
from paths import ROOT

from xbdcnn.plotting import new_figure

NOTEBOOKS = sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "book"
    built = run(str(folder))
    assert built.returncode == 0, built.stderr[-4000:]
    return folder


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, Page]:
    files = (path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts)
    return {path: Page(path) for path in files}


def modules() -> list[str]:
    """Dotted names of the package's public modules."""
    paths = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "xbdcnn").rglob("*.py"))
    names = {".".join(path.parts).removesuffix(".__init__") for path in paths}
    return sorted(name for name in names if "._" not in name)


@pytest.mark.slow
def test_every_notebook_and_module_has_a_page(site):
    assert NOTEBOOKS[0] == "00_start_here" and len(NOTEBOOKS) >= 11
    assert sorted(path.stem for path in (site / "notebooks").glob("*.html")) == NOTEBOOKS
    assert sorted(path.stem for path in (site / "docs" / "api").glob("*.html")) == modules()
    assert (site / "figures" / "ledger.html").exists()
    assert "asymmetr" in (site / "searchindex.js").read_text(encoding="utf-8")


@pytest.mark.slow
def test_every_picture_has_alt_text(pages):
    pictures = [(path.name, tag) for path, page in pages.items() for tag in page.tags["img"]]
    assert len(pictures) >= 25
    assert [found for found in pictures if not (found[1].get("alt") or "").strip()] == []


@pytest.mark.slow
def test_internal_links_have_targets(site, pages):
    broken = []
    for path, page in pages.items():
        targets = [tag["href"] for tag in page.tags["a"] if tag.get("href")]
        for target in targets + page.loaded:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            ids = pages[file].ids if file in pages else set()
            if not file.is_file() or (file in pages and parts.fragment not in ids | {""}):
                broken.append(f"{path.relative_to(site)}: {target}")
    assert broken == [], broken[:20]


@pytest.mark.slow
def test_pages_load_nothing_from_a_network(pages):
    loaded = {source for page in pages.values() for source in page.loaded}
    assert any("mathjax" in source for source in loaded)
    assert [source for source in loaded if urlsplit(source).netloc] == []


@pytest.mark.slow
def test_equations_have_the_papers_numbers_and_links_to_and_from_their_functions(site):
    html = (site / "docs" / "equations.html").read_text(encoding="utf-8")
    parts = re.split(r'id="equation-eq-(\d)"', html)[1:]
    numbers, texts = parts[::2], parts[1::2]
    assert numbers == list("12345678")
    for number, text in zip(numbers, texts, strict=True):
        assert re.search(r'class="eqno">\((\d)\)', text)[1] == number
        page, function = re.search(r'href="(api/[\w.]+)#(xbdcnn[\w.]+)"', text).groups()
        api = (site / "docs" / page).read_text(encoding="utf-8")
        entry = api.split(f'id="{function}"')[1].split('<dt class="sig')[0]
        assert f'href="../equations.html#equation-eq-{number}"' in entry, function


@pytest.mark.slow
def test_api_index_has_a_row_for_each_module(site):
    html = (site / "docs" / "api.html").read_text(encoding="utf-8")
    assert html.count("<table") == 1
    rows = {re.search(r'href="api/([\w.]+)\.html', row)[1]: row for row in html.split("<tr")[2:]}
    assert sorted(rows) == modules()
    assert "one function per equation" in rows["xbdcnn.losses"]
    for number in range(3, 7):
        assert f"equation-eq-{number}" in rows["xbdcnn.losses"]


SEARCHES = {
    "eta": ("eta", "glossary.html#term-0"),
    "η": ("η", "glossary.html#term-0"),
    "sigma": ("sigma", "glossary.html#term-1"),
    "air kerma": ("air kerma", "glossary.html#term-air-kerma"),
    "Eq. 3": ("Eq. 3", "equations.html#equation-eq-3"),
    "eq 3": ("Eq. 3: asymmetric_loss", "xbdcnn.losses.html#xbdcnn.losses.asymmetric_loss"),
    "equation 7": ("Eq. 7: ssim_map", "xbdcnn.metrics.html#xbdcnn.metrics.ssim_map"),
}
"""Words that a reader types; the name and the end of the address of one of the first results."""


@pytest.mark.slow
def test_search_shows_symbols_terms_and_equations_by_their_names(site):
    with chromium() as browser, served(site) as address:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        for words, expected in SEARCHES.items():
            page.goto(f"{address}/search.html?q={quote(words)}")
            page.locator("ul.search li").nth(2).wait_for()
            links = page.locator("ul.search li > a").all()[:3]
            first = [(a.inner_text(), a.get_attribute("href").split("?")[0]) for a in links]
            assert any(n == expected[0] and to.endswith(expected[1]) for n, to in first), first


@pytest.mark.slow
def test_no_page_is_wider_than_a_phone(site):
    paths = [
        path
        for name in (".", "docs", "figures", "notebooks")
        for path in (site / name).glob("*.html")
    ]
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.set_default_timeout(TIMEOUT)
        api = [site / "docs" / "api" / f"xbdcnn.{name}.html" for name in ("losses", "study.dose")]
        for path in [*paths, *api]:
            page.goto(path.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, path.name


@pytest.mark.slow
def test_docstrings_are_read_as_plain_text(site):
    models = (site / "docs" / "api" / "xbdcnn.models.html").read_text(encoding="utf-8")
    assert "False: the ablation without noise level estimation." in models
    losses = (site / "docs" / "api" / "xbdcnn.losses.html").read_text(encoding="utf-8")
    assert "L_asymm = sum |alpha - beta| (l_hat - l)^2" in losses


@pytest.mark.slow
def test_notebooks_mention_equations_by_links(pages):
    names = {
        path.stem
        for path, page in pages.items()
        for tag in page.tags["a"]
        if "equations.html#equation-eq-" in (tag.get("href") or "")
    }
    assert {"01_noise_synthesis", "07_ablations", "xbdcnn.losses", "xbdcnn.metrics"} <= names


@pytest.mark.slow
def test_notebook_pages_lead_to_the_ones_before_and_after(site, pages):
    for before, name, after in zip(NOTEBOOKS, NOTEBOOKS[1:], NOTEBOOKS[2:], strict=False):
        tags = pages[site / "notebooks" / f"{name}.html"].tags["a"]
        targets = {tag["class"]: tag["href"] for tag in tags if tag.get("class")}
        assert targets["left-prev"] == f"{before}.html"
        assert targets["right-next"] == f"{after}.html"


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_pages_have_binder_colab_and_download_buttons(site, pages, name):
    links = [tag.get("href") or "" for tag in pages[site / "notebooks" / f"{name}.html"].tags["a"]]
    binder = (
        f"https://mybinder.org/v2/gh/someone/xbdcnn/main?urlpath=lab/tree/notebooks/{name}.ipynb"
    )
    assert binder in links
    page = f"/github/someone/xbdcnn/blob/main/notebooks/{name}.ipynb"
    assert f"https://colab.research.google.com{page}" in links
    assert f"../_sources/notebooks/{name}.ipynb" in links


BROKEN = {
    "nowhere": "[nowhere](docs/nowhere.md)",
    "no_such_function": "{py:func}`xbdcnn.noise.no_such_function`",
    "no such term": "{term}`no such term`",
}
"""Broken links by a part of the warning about each."""


@pytest.mark.slow
def test_build_fails_and_warns_of_every_broken_link(tmp_path):
    root = small_root(tmp_path / "root", "\n\n".join(BROKEN.values()))
    built = run(str(tmp_path / "book"), root=root)
    assert built.returncode != 0
    warnings = [line for line in built.stderr.splitlines() if "WARNING" in line]
    for part in BROKEN:
        assert any(part in line for line in warnings), built.stderr


def test_front_page_has_the_findings_and_links_the_live_page_if_it_is_built():
    plain, live = (book.front_page(book.ROOT, live) for live in (False, True))
    assert plain.count("\n- **") == 5 and "figures/00_hero_noisy.png" in plain
    assert "live/index.html" not in plain and "live/index.html" in live
    assert "`make demo`" in plain and "`make demo`" not in live
    assert "<!--" not in plain + live


@pytest.mark.parametrize("live", [True, False])
def test_the_page_on_the_explorer_embeds_the_live_page_if_it_is_built(tmp_path, live):
    book.collect_pages(book.ROOT, tmp_path, live)
    text = (tmp_path / "docs" / "explorer.md").read_text("utf-8")
    assert ('<iframe src="../live/index.html"' in text) == live
    assert book.LIVE_MARKER not in text


def test_live_page_is_written_if_asked_for_and_the_book_has_no_warning(tmp_path, monkeypatch):
    written, root = [], small_root(tmp_path / "root", book.LIVE_MARKER)
    monkeypatch.setattr(
        book.static_explorer, "write_page", lambda folder, book: written.append(folder)
    )
    monkeypatch.setattr(book.live_page, "write_page", lambda folder, _: written.append(folder))
    cases = ((0, True, ["explorer", "live"]), (0, False, ["explorer"]), (1, True, []))
    for code, live, pages in cases:
        monkeypatch.setattr("sphinx.cmd.build.build_main", lambda options, code=code: code)
        written.clear()
        assert book.build(root, tmp_path / "book", live) == code
        assert written == [tmp_path / "book" / name for name in pages]


def test_verdicts_of_the_ledger_have_colours_and_remain_readable():
    ledger = (
        "| point | self-contradiction   | certain |\n\n**Not stated, inferred**, confidence: low."
    )
    coloured = book.colour_verdicts(ledger)
    assert '<span class="verdict self-contradiction">self-contradiction</span>   |' in coloured
    assert '**<span class="verdict not-stated-inferred">Not stated, inferred</span>**' in coloured
    assert re.sub(r"</?span[^>]*>", "", coloured) == ledger
    css = (DOCS / "_static" / "pictures.css").read_text(encoding="utf-8")
    assert ".verdict.self-contradiction" in css


def test_imports_and_plotting_are_folded_and_nothing_else():
    sources = ("import numpy", "plotting.save_figure(fig, 1)", "x = 1", "fig")
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=cells)
    book.make_static(notebook, "01_x")
    hidden = ["hide-input" in cell.metadata.get("tags", ()) for cell in notebook.cells]
    assert hidden == [True, True, False, False]


def notebook_with(source: str, data: dict[str, str]) -> nbformat.NotebookNode:
    cell = nbformat.v4.new_code_cell(source)
    cell.outputs = [nbformat.v4.new_output("display_data", data)]
    return nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {}})


def displayed(caption: str | None) -> dict[str, str]:
    """What a notebook stores of a figure that was saved with a caption, or not saved."""
    figure = new_figure(1, 1)
    figure.set_label(caption or "")
    return {"image/png": b64encode(figure._repr_png_()).decode("ascii")}


def test_displayed_picture_has_the_caption_of_the_saved_figure_as_alt_text():
    notebook = notebook_with("fig", displayed("Noise at η = 0.4."))
    book.make_static(notebook, "01_x")
    assert notebook.cells[0].metadata["mystnb"] == {"image": {"alt": "Noise at η = 0.4."}}


@pytest.mark.slow
def test_caption_arrives_in_the_page(tmp_path):
    root = small_root(tmp_path / "root", "```{toctree}\nnotebooks/01_x\n```")
    notebook = notebook_with("fig", displayed("Noise at η = 0.4."))
    notebook.cells.insert(0, nbformat.v4.new_markdown_cell("# Title"))
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, root / "notebooks" / "01_x.ipynb")
    built = run(str(tmp_path / "book"), root=root)
    assert built.returncode == 0, built.stderr[-4000:]
    pictures = Page(tmp_path / "book" / "notebooks" / "01_x.html").tags["img"]
    assert "Noise at η = 0.4." in [picture.get("alt") for picture in pictures]


def test_displayed_picture_without_a_caption_is_an_error():
    with pytest.raises(SystemExit, match=r"01_x: `fig` .* plotting\.save_figure"):
        book.make_static(notebook_with("fig", displayed(None)), "01_x")


def test_widget_is_replaced_by_a_sentence():
    notebook = notebook_with("widget", {book.WIDGET: {"model_id": "1"}})
    book.make_static(notebook, "09_x")
    assert "widgets" not in notebook.metadata
    assert [dict(o["data"]) for o in notebook.cells[0].outputs] == [
        {"text/markdown": book.NO_KERNEL}
    ]


def entries() -> dict[str, str]:
    """Definitions of the glossary by term."""
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    found = re.findall(r"^(\S[^\n]*)\n: (.+?)(?=\n\n|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    return {term: " ".join(definition.split()) for term, definition in found}


def exists(name: str) -> bool:
    """Tell whether a dotted name is an object, or a field of a data class without default."""
    owner, _, field = name.rpartition(".")
    holder = locate(owner)
    named = {f.name for f in fields(holder)} if is_dataclass(holder) else set()
    return locate(name) is not None or field in named


@pytest.mark.parametrize("term", entries())
def test_glossary_entry_names_symbol_code_and_unit(term):
    definition = entries()[term]
    parts = re.fullmatch(
        r"(.+?\.) \*\*Paper:\*\* (.+) \*\*Code:\*\* (.+) \*\*Unit:\*\* (.+)\.", definition
    )
    assert parts, definition
    names = re.findall(r"\{py:\w+\}`~?([\w.]+)`", parts[3])
    assert names and all(exists(name) for name in names), names
    for argument, function in re.findall(r"argument `(\w+)` of \{py:\w+\}`~?([\w.]+)`", parts[3]):
        assert argument in inspect.signature(locate(function)).parameters


def test_glossary_holds_the_symbols_of_the_paper():
    assert len(entries()) >= 25
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    for symbol in (r"$f$", r"$g$", r"$p$", r"$n$", r"$\eta$", r"$\sigma$", r"$\alpha$", r"$\beta$"):
        assert symbol in text
