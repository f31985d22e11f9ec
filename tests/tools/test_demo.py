"""`make demo`: a page without a kernel, served on this machine."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.request import urlopen

import demo
import pytest

from xbdcnn._common.errors import XbdcnnError


@pytest.fixture
def written(monkeypatch) -> list[str]:
    """Names of the pages that were written; each page states its name only."""
    names: list[str] = []

    def write_page(folder: Path) -> Path:
        names.append(folder.name)
        folder.mkdir(parents=True)
        (folder / "index.html").write_text(folder.name)
        return folder / "index.html"

    monkeypatch.setattr(demo.live_page, "write_page", write_page)
    monkeypatch.setattr(demo.static_explorer, "write_page", write_page)
    return names


def test_live_page_is_preferred(tmp_path, written, capsys):
    assert demo.write_demo(tmp_path) == tmp_path / "live-page" / "index.html"
    assert written == ["live-page"] and capsys.readouterr().err == ""


def test_precomputed_states_are_announced_if_the_runtime_is_missing(
    tmp_path, written, monkeypatch, capsys
):
    def fail(folder: Path) -> Path:
        raise XbdcnnError("npm is not installed")

    monkeypatch.setattr(demo.live_page, "write_page", fail)
    assert demo.write_demo(tmp_path) == tmp_path / "explorer-static" / "index.html"
    assert "npm is not installed. The page has precomputed states" in capsys.readouterr().err


def test_page_is_served_on_this_machine_only(tmp_path, written, capsys):
    with demo.serve(demo.write_demo(tmp_path).parent) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        assert server.server_address[0] == "127.0.0.1"
        with urlopen(f"http://127.0.0.1:{server.server_port}/") as response:
            assert response.read() == b"live-page"
        server.shutdown()
    assert capsys.readouterr().err == ""
