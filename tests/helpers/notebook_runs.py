"""Tiny notebooks, and reproductions of them that depend on nothing outside their folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from xbdcnn.study.reproduce import freshness

PARAMETERS = """\
# %% [markdown]
# # A tiny notebook

# %% tags=["parameters"{tags}]
profile = "quick"
data = None
output = "../reproduction"
"""


def write(folder: Path, name: str, code: str, *tags: str) -> Path:
    path = folder / f"{name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(PARAMETERS.format(tags="".join(f', "{tag}"' for tag in tags)) + code)
    return path


def isolate(patch: pytest.MonkeyPatch, folder: Path) -> None:
    """Exclude the images of this machine, and changes of the package during the tests."""
    patch.delenv("XBDCNN_DATA", raising=False)
    patch.setattr("xbdcnn.data.source.sample_folder", lambda: folder / "no-sample")
    patch.setattr(freshness, "dependency_digest", lambda source: "this package")
