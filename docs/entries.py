"""A Sphinx extension: what a reader types to find a symbol or an equation.

The search drops numbers and knows no Greek, but it looks up entries of the index as they are.
So η of the glossary has the entry "eta", and what computes the third equation "Eq. 3".
"""

from __future__ import annotations

import re
import unicodedata

from docutils import nodes
from reference_tables import MENTION, numbers
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform


class SearchEntries(SphinxTransform):
    """Add entries to the index for Greek terms, equations, and the functions that compute them."""

    default_priority = 840  # before Sphinx collects the entries, at 850

    def apply(self, **_: object) -> None:
        """Add the entries of one page."""
        for term in self.document.findall(nodes.term):
            for index in term.findall(addnodes.index):
                add(index, [spelled(term.astext())], term["ids"][0])
        for index in self.document.findall(addnodes.index):
            entry = index.next_node(descend=False, siblings=True)
            if isinstance(entry, addnodes.desc) and entry[0]["ids"]:
                add(index, equation_names(computed(entry)), entry[0]["ids"][0])
        for block in list(self.document.findall(nodes.math_block)):
            if label := re.fullmatch(r"eq-(\d)", block.get("label") or ""):
                index = addnodes.index(entries=[])
                add(index, equation_names({int(label[1])}), f"equation-{label[0]}")
                block.parent.insert(block.parent.index(block), index)


def add(index: addnodes.index, names: list[str], target: str) -> None:
    """Add names to a node of the index; "main" puts them at the top of the search's results."""
    known = {entry[1] for entry in index["entries"]}
    index["entries"] += [("single", n, target, "main", None) for n in names if n not in known]


def spelled(term: str) -> str:
    """A term with its Greek letters spelled out, "eta" for "η"."""
    return "".join(map(letter, term))


def letter(sign: str) -> str:
    """The name of a small Greek letter; any other sign as it is."""
    found = re.fullmatch(r"GREEK SMALL LETTER (\w+)", unicodedata.name(sign, ""))
    return found[1].lower().replace("lamda", "lambda") if found else sign


def computed(entry: addnodes.desc) -> set[int]:
    """Numbers of the equations with which the docstring of an object begins."""
    paragraph = entry[-1].next_node(nodes.paragraph)
    begin = MENTION.match(paragraph.astext()) if paragraph else None
    return numbers(begin[1]) if begin else set()


def equation_names(found: set[int]) -> list[str]:
    """The names of equations in a search."""
    return [f"{name} {number}" for number in sorted(found) for name in ("Eq.", "equation")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(SearchEntries)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
