"""Display helpers shared by the notebooks."""

from __future__ import annotations

import ast
import inspect
import textwrap
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from xbdcnn._common.machine import usable_cores
from xbdcnn.data.source import Source

if TYPE_CHECKING:
    from IPython.display import Markdown

OWN_SOURCES = ("built-in radiograph", "ChestX-ray8 sample")
"""Names of the sources on which the statements of the notebooks were verified."""

_IMPORTED = time.monotonic()

_DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def show_source(function: Callable[..., Any]) -> Markdown:
    """Display the source of a function or class with comments and docstring summaries.

    Returns fenced Markdown, which every notebook viewer highlights as code.
    """
    from IPython.display import Markdown

    return Markdown(f"```python\n{source_with_docstring_summary(function)}\n```")


def source_with_docstring_summary(function: Callable[..., Any]) -> str:
    """Return the source of a function or class; each docstring is cut to its first line.

    Comments and attribute docstrings are kept. `help` shows the complete docstrings.
    """
    source = textwrap.dedent(inspect.getsource(function))
    lines, removed = source.splitlines(), set[int]()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node):
            docstring = node.body[0]
            rest = range(docstring.lineno, docstring.end_lineno or docstring.lineno)
            if rest:
                lines[docstring.lineno - 1] += '"""'
                removed.update(rest)
    return "\n".join(line for number, line in enumerate(lines) if number not in removed)


def expect(holds: bool, statement: str, source: Source) -> None:
    """Print a statement about the images of a run, and whether it holds for them.

    With images of `OWN_SOURCES` it is a check, AssertionError if it does not hold. Images of one's
    own may be brighter, darker or less noisy, and do not stop the run.
    """
    if source.name in OWN_SOURCES and not holds:
        raise AssertionError(f"does not hold: {statement}")
    print(f"{'holds' if holds else 'does not hold for these images'}: {statement}")


def short_labels(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose row and column labels have no trailing zeros: (0.4, 5), not (0.4, 5.0).

    Labels that are not floats, and the cells, stay as they are.
    """
    return table.rename(index=_short, columns=_short)


def _short(label: Any) -> Any:
    return f"{label:g}" if isinstance(label, float) else label


def run_time() -> str:
    """State the minutes since this module was imported, which a notebook does first, and cores."""
    minutes = (time.monotonic() - _IMPORTED) / 60
    return f"time of this run: {minutes:.1f} minutes, {usable_cores()} CPU cores"
