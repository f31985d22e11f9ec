"""Modules and data files of the package on which a notebook depends, and their digest."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from xbdcnn._common.files import PACKAGE, sha256_of

DATA_SUFFIXES = (".csv", ".json")
"""Data files of the package. The checksums stand for the weights, which are verified on loading."""


@dataclass(frozen=True)
class Module:
    """What the source of a module says about its code and its imports."""

    sha256: str
    """Of the code, without comments and docstrings."""
    imports: tuple[str, ...]
    """Dotted names, e.g. "xbdcnn.study.tables" or "xbdcnn.data.find_source"."""
    lazy: dict[str, str]
    """Dotted names that `__getattr__` of the module imports on first use, by attribute.

    They are relative to the module if they start with a dot.
    """


def dependency_digest(source: Path, package: Path = PACKAGE) -> str:
    """Compute the SHA-256 of the files on which a notebook depends.

    Comments and docstrings of modules do not count.

    source: the .py file of the notebook. package: folder of the package.
    """
    digest = hashlib.sha256()
    for path in dependencies(source, package):
        found = read_module(path).sha256 if path.suffix == ".py" else sha256_of(path)
        digest.update(f"{path.relative_to(package).as_posix()} {found}\n".encode())
    return digest.hexdigest()


def dependencies(source: Path, package: Path = PACKAGE) -> list[Path]:
    """List the modules that a notebook imports, also indirectly, and all data files.

    A notebook that `ast` cannot parse, such as one with IPython commands, depends on all modules.
    """
    found = {path for path in package.rglob("*") if path.suffix in DATA_SUFFIXES}
    try:
        waiting = set(read_module(source).imports)
    except SyntaxError:
        return sorted(found | set(package.rglob("*.py")))
    done: set[str] = set()
    while waiting:
        name = waiting.pop()
        done.add(name)
        files, names = locate(name, package)
        for path in set(files) - found:
            names += read_module(path).imports
        found |= set(files)
        waiting |= set(names) - done
    return sorted(found)


def locate(name: str, package: Path) -> tuple[list[Path], list[str]]:
    """Return the files that importing a dotted name executes, and the names they import lazily.

    These are the lazy attribute that `name` ends with, or else all lazy attributes.
    """
    top, *rest = name.split(".")
    if top != package.name:
        return [], []
    files, place, prefix = [package / "__init__.py"], package, top
    while rest and (path := _module_file(place / rest[0])):
        files.append(path)
        prefix, place = f"{prefix}.{rest[0]}", place / rest.pop(0)
    lazy = read_module(files[-1]).lazy
    chosen = [lazy[rest[0]]] if rest and rest[0] in lazy else list(lazy.values())
    return files, [prefix + target if target[0] == "." else target for target in chosen]


def _module_file(place: Path) -> Path | None:
    candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
    return next((path for path in candidates if path.is_file()), None)


def read_module(path: Path) -> Module:
    """Parse the source of a module or notebook; SyntaxError if it is not Python."""
    return _parse(path.read_text(encoding="utf-8"))


@cache
def _parse(text: str) -> Module:
    tree = _WithoutText().visit(ast.parse(text))
    lazy = [node for node in tree.body if getattr(node, "name", None) == "__getattr__"]
    eager = [node for node in tree.body if node not in lazy]
    imports = tuple(name for node in eager for name in imported_names(node))
    sha256 = hashlib.sha256(ast.dump(tree).encode()).hexdigest()
    return Module(sha256, imports, _lazy_names(lazy, eager))


class _WithoutText(ast.NodeTransformer):
    """Remove docstrings, and imports for type checking only."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return node.orelse
        return self.generic_visit(node)


def imported_names(tree: ast.AST) -> Iterator[str]:
    """Yield the dotted names that a syntax tree imports, also inside functions.

    A command line with `-m NAME` in a list counts as an import of NAME.__main__.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.List):
            words = [getattr(element, "value", None) for element in node.elts]
            yield from (f"{name}.__main__" for option, name in pairwise(words) if option == "-m")


def _lazy_names(functions: list[ast.stmt], statements: list[ast.stmt]) -> dict[str, str]:
    """Names that `__getattr__` imports itself, or looks up in a dictionary {module: names}."""
    found: dict[str, str] = {}
    for function in functions:
        found |= {name.rpartition(".")[2]: name for name in imported_names(function)}
        for node in statements:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict):
                places = ast.literal_eval(node.value).items()
                found |= {name: f".{module}.{name}" for module, names in places for name in names}
    return found
