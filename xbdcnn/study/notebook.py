"""Small helpers that the notebooks share."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any


def show_source(function: Callable[..., Any]) -> Any:
    """Display the code of a package function under its equation, without its docstring.

    Returns fenced Markdown, which every notebook viewer shows as highlighted code.
    """
    from IPython.display import Markdown

    return Markdown(f"```python\n{source_without_docstring(function)}\n```")


def source_without_docstring(function: Callable[..., Any]) -> str:
    """Source text of a function or class; the docstrings are left to `help`."""
    source = textwrap.dedent(inspect.getsource(function))
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            text = node.body[0]
            for line in range(text.lineno - 1, text.end_lineno):
                lines[line] = None
    return "\n".join(line for line in lines if line is not None)
