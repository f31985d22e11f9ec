from __future__ import annotations

import ast
import inspect

import pytest

from xbdcnn import losses, metrics, models, noise
from xbdcnn.study import notebook
from xbdcnn.study.notebook import show_source, source_without_docstring


def documented() -> int:
    """Return the answer."""
    return 42


async def delayed() -> int:
    """Return the answer later."""
    return 42


class Holder:
    """Hold things.

    Two paragraphs.
    """

    field: int = 1
    """What the field means."""

    @property
    def value(self) -> int:
        """Return the field."""
        return self.field


def undocumented(text: str = '"""not a docstring"""') -> str:
    return text


def test_docstring_goes_and_code_stays() -> None:
    assert source_without_docstring(documented) == "def documented() -> int:\n    return 42"


def test_class_loses_the_docstrings_of_its_methods_too() -> None:
    source = source_without_docstring(Holder)
    assert "Hold things" not in source and "Return the field" not in source
    assert "field: int = 1" in source and "return self.field" in source
    assert "Two paragraphs" not in source


def test_function_without_docstring_is_unchanged() -> None:
    assert source_without_docstring(undocumented) == inspect.getsource(undocumented).rstrip()


def test_method_is_dedented() -> None:
    source = source_without_docstring(models.XBDCNN.forward)
    assert source.startswith("def forward(self, noisy: Tensor")
    assert source.splitlines()[1].startswith("    require_image_batch")


@pytest.mark.parametrize(
    "shown",
    [
        losses.asymmetric_loss,
        losses.mixed_loss,
        metrics.ssim_map,
        noise.add_hybrid_noise,
        models.NLE,
        models.NBD,
        models.XBDCNN,
        notebook.show_source,
    ],
)
def test_what_the_notebooks_show_is_the_same_code(shown) -> None:
    source = source_without_docstring(shown)
    parsed, whole = ast.parse(source), ast.parse(inspect.getsource(shown))
    for node in ast.walk(whole):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    assert ast.dump(parsed) == ast.dump(whole)


def test_display_is_fenced_python() -> None:
    shown = show_source(documented)
    assert shown.data == f"```python\n{source_without_docstring(documented)}\n```"
