"""Parts of the book that follow from docstrings: the modules, and where each equation is used."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nbformat
from equation_mentions import EQUATIONS, equations_computed, equations_mentioned
from mdit_py_plugins.anchors.index import slugify

HEADING = re.compile(r"^#{2,3} (.+)$", re.MULTILINE)
"""Headings of a notebook that have an anchor in the book, see `myst_heading_anchors`."""


class Documented(NamedTuple):
    """A public object of the package with its docstring."""

    name: str
    text: str

    @property
    def computes(self) -> set[int]:
        """Numbers of the equations with which the docstring begins."""
        return equations_computed(self.text)

    @property
    def link(self) -> str:
        """A link to its entry in the API reference, named without the package."""
        return f"{{py:obj}}`{breakable(self.name)} <{self.name}>`"


def breakable(name: str) -> str:
    """A dotted name without the package, which a narrow column may break after a dot."""
    return name.removeprefix("xbdcnn.").replace(".", ".\u200b")


def modules(package: Path) -> dict[str, ast.Module]:
    """The parsed public modules of a package by dotted name, in alphabetical order."""
    files = {}
    for path in package.rglob("*.py"):
        parts = path.relative_to(package.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        if "._" not in name:
            files[name] = path
    return {name: ast.parse(path.read_text("utf-8")) for name, path in sorted(files.items())}


def documented(name: str, tree: ast.Module | ast.ClassDef) -> Iterator[Documented]:
    """The public functions, classes and constants of a module or class that have a docstring."""
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            own, text = node.name, ast.get_docstring(node)
        else:
            own, text = assigned(node), bare_string(after)
        if own is None or own.startswith("_"):
            continue
        if text:
            yield Documented(f"{name}.{own}", text)
        if isinstance(node, ast.ClassDef):
            yield from documented(f"{name}.{own}", node)


def assigned(node: ast.stmt) -> str | None:
    """The name to which a statement assigns."""
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return targets[0].id if isinstance(targets[0], ast.Name) else None


def bare_string(node: ast.stmt | None) -> str | None:
    """The text of a statement that is only a string: the docstring of the constant before it."""
    value = node.value if isinstance(node, ast.Expr) else None
    text = value.value if isinstance(value, ast.Constant) else None
    return text if isinstance(text, str) else None


def module_table(root: Path) -> str:
    """A Markdown table: each module, its first line, and the equations its functions compute."""
    rows = ["| module | what it has | equation |", "|:--|:--|:--|"]
    for name, tree in modules(root / "xbdcnn").items():
        summary = (ast.get_docstring(tree) or "").partition("\n")[0]
        computed = set().union(*(found.computes for found in documented(name, tree)))
        links = ", ".join(f"{{eq}}`eq-{number}`" for number in sorted(computed))
        rows.append(f"| {{py:mod}}`{breakable(name)} <{name}>` | {summary} | {links} |")
    return "\n".join(rows)


def equation_uses(root: Path) -> str:
    """Markdown: for each equation what computes it, what else names it, and in which sections."""
    trees = modules(root / "xbdcnn").items()
    objects = [found for name, tree in trees for found in documented(name, tree)]
    places = list(sections(root / "notebooks"))
    lines = []
    for number in EQUATIONS:
        computed = [found for found in objects if number in found.computes]
        named = [found for found in objects if number in equations_mentioned(found.text)]
        also = [found for found in named if found not in computed]
        links = [link for link, text in places if number in equations_mentioned(text)]
        lines += [f"### Eq. {number}", ""]
        lines += [f"- computed by {', '.join(found.link for found in computed)}"] * bool(computed)
        lines += [f"- named by {', '.join(found.link for found in also)}"] * bool(also)
        lines += [f"- notebooks: {', '.join(links)}"] * bool(links) + [""]
    return "\n".join(lines)


def sections(folder: Path) -> Iterator[tuple[str, str]]:
    """A link to each section of the executed notebooks, and its text with its heading."""
    for path in sorted(folder.glob("[0-9][0-9]_*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        _, *parts = HEADING.split(text)
        for heading, body in zip(parts[::2], parts[1::2], strict=True):
            link = f"[{path.stem[:2]} {heading}](../notebooks/{path.name}#{slugify(heading)})"
            yield link, f"{heading}\n{body}"
