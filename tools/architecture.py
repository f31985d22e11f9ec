"""Draw the rooms of the package by floor, with their imports, into docs/architecture.svg.

python tools/architecture.py --write    after an import between two rooms has changed
python tools/architecture.py --check    exit code 1 if the picture is out of date
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from xbdcnn._common.files import atomic_path
from xbdcnn.plotting.style import INK, MUTED, STYLE

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "architecture.svg"
MODULES = sorted((ROOT / "xbdcnn").rglob("*.py"))
PAPER = {"paper", "noise", "models", "losses", "metrics"}
"""The modules that hold the paper's content; they are drawn in colour."""

COLUMNS = {
    **dict.fromkeys(("metrics", "losses", "plotting"), -3.0),
    **dict.fromkeys(("cli", "__main__"), -1.3),
    **dict.fromkeys(("level_estimator", "successor"), -0.9),
    **dict.fromkeys(("models", "baselines", "inference", "explorer"), 0.9),
    **dict.fromkeys(("paper", "noise"), 2.0),
    **dict.fromkeys(("detector", "measured_noise"), 2.6),
}
"""Horizontal positions in the picture, chosen so that no arrow crosses a box; otherwise 0."""

BOX = (1.5, 0.5)
"""Width and height of a room in the picture."""

Graph = dict[str, set[str]]


def imported(path: Path, *, lazy: bool = True) -> Iterator[str]:
    """Yield the dotted name of everything that a file imports.

    Args:
        path: a Python file.
        lazy: include the imports inside functions and under `if TYPE_CHECKING:`.
    """
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: import absolutely"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif lazy or not is_deferred(node):
            waiting += ast.iter_child_nodes(node)


def is_deferred(node: ast.AST) -> bool:
    """Tell whether a node's statements do not run when its module is imported."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)


def dotted(path: Path) -> str:
    """Return a module's name below xbdcnn, e.g. "noise", "data.folders" or "data"."""
    parts = path.relative_to(ROOT / "xbdcnn").with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def siblings(path: Path, *, lazy: bool = True) -> set[str]:
    """Return the modules of xbdcnn that a file imports, by their names below xbdcnn."""
    known = {dotted(module) for module in MODULES} - {"__init__"}
    found = set()
    for name in imported(path, lazy=lazy):
        if name.startswith("xbdcnn."):
            parts = name.split(".")[1:]
            prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
            found.add(next((prefix for prefix in prefixes if prefix in known), "__init__"))
    return found - {"__init__"}


def rooms() -> Graph:
    """Return what each room imports: {room: names of other rooms}.

    A room is a module or a folder of modules directly below xbdcnn.
    """
    found: Graph = {}
    for path in MODULES:
        room = dotted(path).partition(".")[0]
        if room != "__init__":
            others = {other.partition(".")[0] for other in siblings(path)}
            found[room] = found.get(room, set()) | (others - {room})
    return found


def floors(graph: Graph) -> tuple[set[str], ...]:
    """Return the rooms by floor, lowest first.

    A room is one floor above the highest room that it imports.
    """
    height: dict[str, int] = {}
    for room in TopologicalSorter(graph).static_order():
        height[room] = 1 + max((height[other] for other in graph[room]), default=0)
    return tuple({r for r in height if height[r] == n} for n in range(1, max(height.values()) + 1))


def direct(graph: Graph) -> Graph:
    """Return the imports that no chain of other imports implies (the transitive reduction)."""
    below: Graph = {}
    for room in TopologicalSorter(graph).static_order():
        below[room] = graph[room].union(*(below[other] for other in graph[room]))
    return {
        room: others - set().union(*(below[other] for other in others))
        for room, others in graph.items()
    }


def description(graph: Graph) -> str:
    """Return the graph as text, one room a line; the SVG file carries it as its description."""
    lines = (f"{room} imports {', '.join(sorted(graph[room])) or 'nothing'}" for room in graph)
    return "; ".join(sorted(lines))


def recorded(picture: Path = PICTURE) -> str:
    """Return the description that a picture carries; empty if there is none."""
    text = picture.read_text(encoding="utf-8") if picture.exists() else ""
    found = re.search(r"<dc:description>(.*?)</dc:description>", text, flags=re.DOTALL)
    return found[1] if found else ""


def centres(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return the position (x, y) of each room, with y the number of its floor."""
    return {
        room: (COLUMNS.get(room, 0.0), float(height))
        for height, level in enumerate(floors(graph))
        for room in sorted(level)
    }


def draw(graph: Graph) -> Figure:
    """Return the picture: a box for each room, an arrow to each room that it imports directly."""
    figure = Figure(figsize=(7, 7.5))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(-4, 4), ylim=(-0.6, len(floors(graph)) - 0.4))
    axes.set_axis_off()
    where = centres(graph)
    for room, others in direct(graph).items():
        for other in sorted(others):
            draw_arrow(axes, where[room], where[other])
    for room, (x, y) in where.items():
        draw_room(axes, room, x, y)
    return figure


def draw_room(axes: Axes, room: str, x: float, y: float) -> None:
    """Draw the box of a room and its name."""
    face = "#fbe3b5" if room in PAPER else "white"
    corner = (x - BOX[0] / 2, y - BOX[1] / 2)
    style = "round,pad=0,rounding_size=0.08"
    axes.add_patch(FancyBboxPatch(corner, *BOX, boxstyle=style, facecolor=face, edgecolor=INK))
    axes.text(x, y, room, ha="center", va="center", color=INK)


def draw_arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Draw an arrow from the lower edge of one room to the upper edge of another."""
    (x0, y0), (x1, y1) = start, end
    arrow = {"arrowstyle": "-|>", "color": MUTED, "shrinkA": 0, "shrinkB": 1}
    axes.annotate("", (x1, y1 + BOX[1] / 2), (x0, y0 - BOX[1] / 2), arrowprops=arrow)


def write(graph: Graph, picture: Path = PICTURE) -> None:
    """Write the picture as SVG; equal imports give equal bytes."""
    with mpl.rc_context(STYLE | {"savefig.bbox": "standard"}), atomic_path(picture) as temporary:
        metadata = {"Date": None, "Description": description(graph)}
        draw(graph).savefig(temporary, format="svg", metadata=metadata)


def main(arguments: list[str] | None = None) -> int:
    """Write or check the picture; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write docs/architecture.svg")
    mode.add_argument("--check", action="store_true", help="fail if the picture is out of date")
    options = parser.parse_args(arguments)
    if options.write:
        write(rooms())
    elif recorded() != description(rooms()):
        print("docs/architecture.svg is out of date: run `make architecture`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
