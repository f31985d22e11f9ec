"""Sources that the notebooks display: code, comments and docstring summaries."""

from __future__ import annotations

import ast
import inspect

import pandas as pd
import pytest

from xbdcnn import losses, metrics, models, noise
from xbdcnn.data.source import Source
from xbdcnn.study import notebook
from xbdcnn.study.notebook import (
    OWN_SOURCES,
    expect,
    short_labels,
    show_source,
    source_with_docstring_summary,
)


def documented() -> int:
    """Return the answer.

    The answer is an integer.
    """
    # The value is exact.
    return 42  # a trailing comment


async def delayed() -> int:
    """Return the answer later.

    The answer is an integer.
    """
    return 42


class Holder:
    """Hold a field.

    A second paragraph.
    """

    field: int = 1
    """Meaning of the field."""

    @property
    def value(self) -> int:
        """Return the field.

        Unchanged.
        """
        return self.field


def short_docstring() -> int:
    """Return the answer."""
    return 42


def undocumented(text: str = '"""not a docstring"""') -> str:
    return text


def test_summary_comments_and_code_are_kept() -> None:
    expected = '''def documented() -> int:
    """Return the answer."""
    # The value is exact.
    return 42  # a trailing comment'''
    assert source_with_docstring_summary(documented) == expected


def test_docstring_of_one_line_is_unchanged() -> None:
    source = source_with_docstring_summary(short_docstring)
    assert source == inspect.getsource(short_docstring).rstrip()


def test_docstring_of_coroutine_is_cut() -> None:
    expected = 'async def delayed() -> int:\n    """Return the answer later."""\n    return 42'
    assert source_with_docstring_summary(delayed) == expected


def test_docstrings_of_methods_are_cut_and_attribute_docstrings_kept() -> None:
    source = source_with_docstring_summary(Holder)
    assert '    """Hold a field."""\n' in source and '        """Return the field."""\n' in source
    assert "field: int = 1" in source and "return self.field" in source
    assert '"""Meaning of the field."""' in source
    assert "A second paragraph" not in source and "Unchanged" not in source


def test_function_without_docstring_is_unchanged() -> None:
    assert source_with_docstring_summary(undocumented) == inspect.getsource(undocumented).rstrip()


def test_method_is_dedented() -> None:
    source = source_with_docstring_summary(models.XBDCNN.forward)
    assert source.startswith("def forward(self, noisy: Tensor")
    body = source[source.index('"""') :].splitlines()
    assert body[0].startswith('"""Restore a batch') and body[0].endswith('"""')
    assert body[1].startswith("    require_image_batch")


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
def test_displayed_code_equals_the_executed_code(shown) -> None:
    source = source_with_docstring_summary(shown)
    displayed, whole = ast.parse(source), ast.parse(inspect.getsource(shown))
    for node in ast.walk(whole):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            node.body[0].value.value = ast.get_docstring(node).splitlines()[0]
    assert ast.dump(displayed) == ast.dump(whole)


def test_shape_comments_of_the_network_are_displayed() -> None:
    assert "# (B, 4w, H/4, W/4)" in source_with_docstring_summary(models.NBD)


def test_display_is_fenced_python() -> None:
    shown = show_source(documented)
    assert shown.data == f"```python\n{source_with_docstring_summary(documented)}\n```"


@pytest.mark.parametrize("name", OWN_SOURCES)
def test_a_wrong_statement_about_the_packages_own_images_is_an_error(name, capsys):
    expect(True, "noise is added", Source(name))
    assert capsys.readouterr().out == "holds: noise is added\n"
    with pytest.raises(AssertionError, match="does not hold: noise is added"):
        expect(False, "noise is added", Source(name))


def test_a_statement_that_does_not_hold_for_other_images_is_printed(capsys):
    expect(False, "the mean is 140", Source("my radiographs"))
    assert capsys.readouterr().out == "does not hold for these images: the mean is 140\n"


def test_the_time_of_a_run_begins_with_the_import(monkeypatch):
    monkeypatch.setattr(notebook.time, "monotonic", lambda: notebook._IMPORTED + 90)
    monkeypatch.setattr(notebook, "usable_cores", lambda: 3)
    assert notebook.run_time() == "time of this run: 1.5 minutes, 3 CPU cores"


def test_labels_lose_their_trailing_zeros_at_every_level_and_cells_keep_theirs():
    rows = pd.MultiIndex.from_tuples([(0.4, 5.0), (0.85, 15.0)])
    table = short_labels(pd.DataFrame([[5.0, 1], [2.5, 2]], index=rows, columns=[16.0, "mean"]))
    assert list(table.index) == [("0.4", "5"), ("0.85", "15")]
    assert list(table.columns) == ["16", "mean"]
    assert table.iloc[0, 0] == 5.0
