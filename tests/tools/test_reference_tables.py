"""Parts of the book that follow from docstrings, and the entries that its search looks up."""

from __future__ import annotations

import sys

import equation_mentions
import nbformat
import pytest
import reference_tables
from paths import ROOT

CODE = '''"""Losses (Eq. 3-5)."""
WEIGHT = 0.3
"""Weight of Eq. 3."""
HIDDEN = 1

class Loss:
    """A loss."""

    scale: float = 1.0
    """Scale of Eq. 5."""

    def total(self):
        """Eq. 3 and 4: the sum."""

def _private():
    """Eq. 8: not public."""
'''


@pytest.fixture
def root(tmp_path):
    """A project with one module, one private module and one notebook."""
    (tmp_path / "xbdcnn").mkdir()
    (tmp_path / "xbdcnn" / "losses.py").write_text(CODE)
    (tmp_path / "xbdcnn" / "_inner.py").write_text('"""Eq. 7."""')
    (tmp_path / "notebooks").mkdir()
    cell = nbformat.v4.new_markdown_cell("# Title\n\n## What’s in it?\n\nBy Eq. 4.\n\n## End")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, tmp_path / "notebooks" / "04_losses.ipynb")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Eq. 3: the loss", {3}),
        ("by Eq. 3-8", {3, 4, 5, 6, 7, 8}),
        ("Eq. 1–2 hold", {1, 2}),
        ("Eq. 3 to 5", {3, 4, 5}),
        ("Eq. 1 and 2, and Eq. 8", {1, 2, 8}),
        ("(Eq. 3, 5, 6)", {3, 5, 6}),
        ("Eq. 1, 0.5 of it", {1}),
        ("Sec. 3, Eq. 12", set()),
    ],
)
def test_all_equations_that_a_text_mentions_are_found(text, found):
    assert equation_mentions.equations_mentioned(text) == found


def test_mentions_have_their_places_and_a_docstring_computes_those_at_its_beginning():
    text = "See Eq. 3 and 4, then Eq. 1."
    mentions = list(equation_mentions.equation_mentions(text))
    assert [mention.numbers for mention in mentions] == [(3, 4), (1,)]
    assert [text[m.start : m.end] for m in mentions] == ["Eq. 3 and 4", "Eq. 1"]
    assert equation_mentions.equations_computed(text) == set()
    assert equation_mentions.equations_computed(text[4:]) == {3, 4}


def test_a_row_of_a_module_names_what_it_computes(root):
    rows = reference_tables.module_table(root).splitlines()[2:]
    row = "| {py:mod}`losses <xbdcnn.losses>` | Losses (Eq. 3-5). | {eq}`eq-3`, {eq}`eq-4` |"
    assert rows == [row]


def test_uses_of_an_equation_are_those_of_docstrings_and_sections(root):
    text = reference_tables.equation_uses(root)
    uses = {part[0]: part for part in text.split("### Eq. ")[1:]}
    total = "computed by {py:obj}`losses.\u200bLoss.\u200btotal <xbdcnn.losses.Loss.total>`"
    assert total in uses["3"] and total in uses["4"]
    assert "named by {py:obj}`losses.\u200bWEIGHT <xbdcnn.losses.WEIGHT>`" in uses["3"]
    assert (
        "named by {py:obj}`losses.\u200bLoss.\u200bscale <xbdcnn.losses.Loss.scale>`" in uses["5"]
    )
    assert "[04 What’s in it?](../notebooks/04_losses.ipynb#whats-in-it)" in uses["4"]
    assert "notebooks" not in uses["3"] and "xbdcnn" not in uses["7"] + uses["8"]


def test_greek_letters_are_spelled_out(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(ROOT / "docs"), *sys.path])
    import entries

    assert list(map(entries.spelled, ("η", "λ", "SSIM loss"))) == ["eta", "lambda", "SSIM loss"]
