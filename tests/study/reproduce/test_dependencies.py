"""The digest of a notebook's dependencies changes only with the code that it uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from xbdcnn._common.files import PACKAGE
from xbdcnn.study.reproduce.dependencies import dependencies, dependency_digest

FILES = {
    "__init__.py": "",
    "used.py": (
        '"""Text."""\nfrom xbdcnn.part import helper\n\n\ndef f():\n    """Text."""\n    return 1\n'
    ),
    "unrelated.py": "VALUE = 1\n",
    "late.py": "VALUE = 1\n",
    "__main__.py": "",
    "part/__init__.py": "",
    "part/helper.py": "def g():\n    from xbdcnn import late\n    return late\n",
    "lazy/__init__.py": (
        "PLACES = {'first': ('a', 'b'), 'second': ('c',)}\n\n\n"
        "def __getattr__(name):\n"
        "    if name == 'd':\n"
        "        from xbdcnn.unrelated import d\n\n"
        "        return d\n"
        "    return import_module(PLACES[name])\n"
    ),
    "lazy/first.py": "a = b = 1\n",
    "lazy/second.py": "c = 1\n",
    "weights/checksums.json": '{"a": 1}\n',
    "table.csv": "a\n1\n",
}


@pytest.fixture
def package(tmp_path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / "xbdcnn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "xbdcnn"


def notebook(package: Path, code: str = "from xbdcnn import used\n") -> Path:
    source = package.parent / "00_notebook.py"
    source.write_text(f"# %% [markdown]\n# Text.\n\n# %%\nimport numpy\n{code}")
    return source


def names(package: Path, code: str) -> set[str]:
    """Modules on which a notebook with this code depends, relative to the package."""
    found = dependencies(notebook(package, code), package)
    return {path.relative_to(package).as_posix() for path in found if path.suffix == ".py"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("used.py", "return 1", "return 2"),
        ("part/helper.py", "return late", "return late.VALUE"),
        ("late.py", "VALUE = 1", "VALUE = 2"),
        ("part/__init__.py", "", "import numpy"),
        ("weights/checksums.json", "1", "2"),
        ("table.csv", "1", "2"),
    ],
)
def test_a_change_in_what_is_used_changes_the_digest(package, name, old, new):
    source = notebook(package)
    before = dependency_digest(source, package)
    path = package / name
    path.write_text(path.read_text().replace(old, new, 1))
    assert dependency_digest(source, package) != before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("unrelated.py", "VALUE = 1", "VALUE = 2"),
        ("lazy/first.py", "a = b", "a = b = c"),
        ("used.py", "Text.", "Other text."),
        ("used.py", "return 1", "return 1  # why"),
        ("used.py", "def f", "\n\ndef f"),
    ],
)
def test_unrelated_modules_docstrings_and_comments_do_not_change_the_digest(
    package, name, old, new
):
    source = notebook(package)
    before = dependency_digest(source, package)
    path = package / name
    path.write_text(path.read_text().replace(old, new))
    assert dependency_digest(source, package) == before


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import numpy", set()),
        ("import xbdcnn.unrelated as u", {"__init__.py", "unrelated.py"}),
        ("from xbdcnn import unrelated", {"__init__.py", "unrelated.py"}),
        ("from xbdcnn.unrelated import VALUE", {"__init__.py", "unrelated.py"}),
        ("def f():\n    import xbdcnn.late", {"__init__.py", "late.py"}),
        ("if TYPE_CHECKING:\n    import xbdcnn.late", set()),
        ("run([python, '-m', 'xbdcnn', 'denoise'])", {"__init__.py", "__main__.py"}),
        ("from xbdcnn.lazy import a", {"__init__.py", "lazy/__init__.py", "lazy/first.py"}),
        ("from xbdcnn.lazy import d", {"__init__.py", "lazy/__init__.py", "unrelated.py"}),
        ("from xbdcnn.lazy import second", {"__init__.py", "lazy/__init__.py", "lazy/second.py"}),
        ("%matplotlib inline", {name for name in FILES if name.endswith(".py")}),
    ],
)
def test_imports_are_followed(package, code, expected):
    assert names(package, code) == expected


def test_a_lazy_package_as_a_whole_means_all_of_it(package):
    expected = {"__init__.py", "lazy/__init__.py", "lazy/first.py", "lazy/second.py"}
    assert names(package, "from xbdcnn import lazy") == expected | {"unrelated.py"}


@pytest.mark.slow
def test_every_module_that_python_loads_is_found(tmp_path):
    code = "from xbdcnn.data import builtin_crop, find_source\nfrom xbdcnn.study import tables\n"
    (tmp_path / "00.py").write_text(code)
    found = {path.resolve() for path in dependencies(tmp_path / "00.py")}
    code += "import sys; print(*(m.__file__ for n, m in sys.modules.items() if n[:6] == 'xbdcnn'))"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert {Path(path) for path in loaded} <= found
    assert PACKAGE / "explorer" / "widget.py" not in found
