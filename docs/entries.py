"""A Sphinx extension: names under which the search lists symbols, terms and equations.

The search drops numbers, knows no Greek, and shows an entry of the index under the title of its
page. So the terms of the glossary and the equations are objects here, as functions are: the search
finds them by name, shows that name, and leads to the entry.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, ClassVar

from docutils import nodes
from equation_mentions import equations_computed
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains import Domain, ObjType
from sphinx.transforms import SphinxTransform

TERM, EQUATION = "glossary entry", "equation"


class SearchNames(Domain):
    """Names for the search only; for each page those of (name, kind, anchor)."""

    name = "search"
    label = "Search"
    object_types: ClassVar = {kind: ObjType(kind) for kind in (TERM, EQUATION)}
    initial_data: ClassVar = {"pages": {}}

    def clear_doc(self, docname: str) -> None:
        """Forget the names of a page."""
        self.data["pages"].pop(docname, None)

    def merge_domaindata(self, docnames: set[str], otherdata: dict[str, Any]) -> None:
        """Take the names of pages that another process has read."""
        self.data["pages"] |= {
            page: names for page, names in otherdata["pages"].items() if page in docnames
        }

    def get_objects(self) -> Iterator[tuple[str, str, str, str, str, int]]:
        """Yield all names; 0 puts them before the functions of the same name."""
        for page, names in self.data["pages"].items():
            for name, kind, anchor in names:
                yield name, name, kind, page, anchor, 0

    def resolve_any_xref(self, *_: Any) -> list[tuple[str, nodes.reference]]:
        """Find nothing: no text refers to these names."""
        return []

    def get_type_name(self, type: ObjType, primary: bool = False) -> str:
        """Return what the search shows beside a name."""
        return type.lname


class CollectNames(SphinxTransform):
    """Collect the names of a page for `SearchNames`."""

    default_priority = 840  # before Sphinx collects the entries of the index, at 850

    def apply(self, **_: Any) -> None:
        """Collect the terms, the equations, and the functions that compute them."""
        names = [*self.terms(), *self.equations(), *self.functions()]
        if names:
            self.env.domaindata[SearchNames.name]["pages"][self.env.docname] = names

    def terms(self) -> Iterator[tuple[str, str, str]]:
        """Yield the terms; their entries of the index come last in a search, as repetitions."""
        for term in self.document.findall(nodes.term):
            for index in term.findall(addnodes.index):
                index["entries"] = [(*entry[:3], "", *entry[4:]) for entry in index["entries"]]
                for name in dict.fromkeys([term.astext(), spelled(term.astext())]):
                    yield name, TERM, term["ids"][0]

    def equations(self) -> Iterator[tuple[str, str, str]]:
        """Yield the numbered equations."""
        for block in self.document.findall(nodes.math_block):
            if label := re.fullmatch(r"eq-(\d)", block.get("label") or ""):
                yield f"Eq. {label[1]}", EQUATION, f"equation-{label[0]}"

    def functions(self) -> Iterator[tuple[str, str, str]]:
        """Yield the functions whose docstring begins with an equation, by its number."""
        for entry in self.document.findall(addnodes.desc):
            if ids := entry[0]["ids"]:
                paragraph = entry[-1].next_node(nodes.paragraph)
                text = paragraph.astext() if paragraph else ""
                for number in sorted(equations_computed(text)):
                    yield f"Eq. {number}: {ids[0].rpartition('.')[2]}", EQUATION, ids[0]


def spelled(term: str) -> str:
    """A term with its Greek letters spelled out, "eta" for "η"."""
    return "".join(map(letter, term))


def letter(sign: str) -> str:
    """The name of a small Greek letter; any other sign as it is."""
    found = re.fullmatch(r"GREEK SMALL LETTER (\w+)", unicodedata.name(sign, ""))
    return found[1].lower().replace("lamda", "lambda") if found else sign


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the names and their collection."""
    app.add_domain(SearchNames)
    app.add_transform(CollectNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
