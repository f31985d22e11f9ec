"""Tiny notebooks, and runs of them that nothing outside their folder influences."""

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
    """Neither the tester's images nor edits of the package during the tests play a part."""
    patch.delenv("XBDCNN_DATA", raising=False)
    patch.setattr("xbdcnn.data.source.sample_folder", lambda: folder / "no-sample")
    patch.setattr(freshness, "package_digest", lambda: "this package")
