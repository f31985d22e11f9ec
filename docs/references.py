"""A Sphinx extension: links that neither docstrings nor notebooks have to spell out.

"Eq. 3" becomes a link to the third equation of equations.md, and a name in backticks a link to
the function that bears it, whatever module offers it.
"""

from __future__ import annotations

import inspect
import re
from pydoc import locate
from typing import Any

from docutils import nodes
from equation_mentions import equation_mentions, equations_mentioned
from sphinx.application import Sphinx
from sphinx.ext.autosummary import autosummary_table
from sphinx.transforms.post_transforms import SphinxPostTransform

EQUATIONS = "docs/equations"
MODULES = "docs/api"
OPAQUE = (nodes.reference, nodes.title, nodes.literal, nodes.literal_block, nodes.raw)
"""What holds no mention to link: links already, headings (they would break menus), and code."""


class EquationLinks(SphinxPostTransform):
    """Link every "Eq. 3" or "Eq. 3 to 8" in running text to the equation it begins with."""

    default_priority = 900
    formats = ("html",)

    def run(self, **_: Any) -> None:
        """Replace the texts that mention an equation."""
        for text in list(self.document.findall(nodes.Text)):
            if equations_mentioned(text) and not any(map(is_opaque, ancestors(text))):
                text.parent.replace(text, list(self.linked(str(text))))

    def linked(self, text: str) -> list[nodes.Node]:
        """The text, its mentions turned into references."""
        page = self.app.builder.get_relative_uri(self.env.docname, EQUATIONS)
        parts, end = [], 0
        for mention in equation_mentions(text):
            target = f"{page}#equation-eq-{mention.numbers[0]}"
            parts += [nodes.Text(text[end : mention.start])]
            parts += [nodes.reference("", mention.text, refuri=target, internal=True)]
            end = mention.end
        return [*parts, nodes.Text(text[end:])]


def is_opaque(node: nodes.Node) -> bool:
    """Tell whether text inside a node is to be left alone."""
    return isinstance(node, OPAQUE)


def ancestors(node: nodes.Node) -> list[nodes.Node]:
    """The nodes around a node, innermost first."""
    around = []
    while node := node.parent:
        around.append(node)
    return around


def plain_text(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep reStructuredText from reading |x| and x_ of a docstring as its own signs."""
    if what in ("attribute", "data", "property"):
        lines.insert(0, "\\")  # nothing, but it keeps napoleon from finding "type: text" below
    for number, line in enumerate(lines):
        pieces = re.split(r"(`+[^`]*`+)", line)
        pieces[::2] = [re.sub(r"[|*]|_(?!\w)", r"\\\g<0>", piece) for piece in pieces[::2]]
        lines[number] = "".join(pieces)


def drop_tables(app: Sphinx, doctree: nodes.document) -> None:
    """Drop the table of autosummary from api.md, which lists the modules itself."""
    if app.env.docname == MODULES:
        for table in list(doctree.findall(autosummary_table)):
            table.parent.remove(table)


def where_defined(app: Sphinx, env: Any, node: nodes.Element, content: nodes.Element) -> Any:
    """Resolve a name that a package re-exports, or that leaves out `xbdcnn.`."""
    target = node.get("reftarget", "")
    names = (target, f"xbdcnn.{target}", f"{node.get('py:module')}.{target}")
    for name in names:
        # Any other name would be imported, whatever module of that name is on the path.
        if not name.startswith("xbdcnn."):
            continue
        if (found := locate(name)) is not None and (module := inspect.getmodule(found)):
            full = f"{module.__name__}.{getattr(found, '__qualname__', '')}"
            entry = env.get_domain("py").objects.get(full.rstrip("."))
            if entry and entry.docname:
                page = app.builder.get_relative_uri(node["refdoc"], entry.docname)
                anchor = f"{page}#{entry.node_id}"
                return nodes.reference("", "", content, refuri=anchor, internal=True)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the transform and the listeners; the first must come before napoleon."""
    app.add_post_transform(EquationLinks)
    app.connect("autodoc-process-docstring", plain_text, priority=100)
    app.connect("doctree-read", drop_tables)
    app.connect("missing-reference", where_defined)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
