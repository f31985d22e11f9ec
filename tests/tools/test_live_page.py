"""The folder of the live page: what is written, and that its runtime is verified."""

from __future__ import annotations

import json
import re
import subprocess

import live_page
import pytest

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.chests import chest_path


def test_the_runtime_is_verified(tmp_path):
    tarball = tmp_path / "runtime.tgz"
    tarball.write_bytes(b"something else")
    with pytest.raises(XbdcnnError, match=r"runtime\.tgz: bytes differ from the recorded SHA-512"):
        live_page.fetched_runtime(tarball)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError(), "npm is not installed; install Node.js"),
        (subprocess.CalledProcessError(1, "npm", stderr="no\nroute"), r"\(no route\); try again"),
    ],
)
def test_without_npm_or_network_the_remedy_is_named(tmp_path, monkeypatch, error, message):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(subprocess, "run", fail)
    with pytest.raises(XbdcnnError, match=message):
        live_page.fetched_runtime(tmp_path / "npm" / "absent.tgz")


def test_the_page_names_no_other_address(tmp_path):
    live_page.write_scripts(tmp_path)
    for source in (*tmp_path.rglob("*.*"), live_page.SOURCES / "index.html"):
        assert not re.search(r"https?://", source.read_text("utf-8")), source.name


def test_every_script_that_is_imported_is_written(tmp_path):
    live_page.write_scripts(tmp_path)
    for source in tmp_path.rglob("*.js"):
        used = re.findall(r'(?:from |startWorker\()"([^"]+)"', source.read_text("utf-8"))
        missing = [name for name in used if not (source.parent / name).exists()]
        assert missing == [], source.name


def test_the_runtimes_that_the_worker_loads_are_written():
    used = re.findall(r'"(ort[^"]+)"', (live_page.SOURCES / "network.js").read_text("utf-8"))
    assert tuple(used) == live_page.RUNTIME_FILES + live_page.GRAPHICS_FILES


@pytest.mark.slow
def test_radiographs_have_their_attribution_on_the_page_and_beside_them(live_folder):
    folder = live_folder / live_page.RADIOGRAPHS
    page, beside = (
        path.read_text("utf-8") for path in (live_folder / "index.html", folder / "ATTRIBUTION.txt")
    )
    for name in live_page.SHIPPED:
        assert (folder / f"{name}.png").read_bytes() == chest_path(name).read_bytes()
    footer = page[page.index("<footer>") : page.index("</footer>")]
    for text in (footer, beside):
        assert "NIH Clinical Center" in text and "10.1109/CVPR.2017.369" in text
        assert "RG1_UNCR" in text and "MIT licence" in text
    assert all(path.name in beside for path in folder.glob("*.png"))
    content = json.loads(re.search(r'id="content">(.*?)</script>', page)[1])
    assert {path.name for path in folder.glob("*.png")} == {
        file.rpartition("/")[2] for file in content["files"].values()
    }


@pytest.mark.slow
def test_the_book_is_linked_if_there_is_one(live_folder, tmp_path, monkeypatch):
    link = '<a href="../index.html">Back to the book</a>'
    assert link in (live_folder / "index.html").read_text("utf-8")
    monkeypatch.setattr(live_page, "export_onnx", lambda name, path: None)
    assert "Back to the book" not in live_page.write_page(tmp_path).read_text("utf-8")


@pytest.mark.slow
def test_the_documented_sizes_are_those_of_the_folder(live_folder):
    text = (live_page.ROOT / "docs/explorer.md").read_text("utf-8")
    documented = re.search(r"Of the (\d+) MB of the folder, (\d+) MB are loaded by that box", text)
    sizes = {p.name: p.stat().st_size for p in live_folder.rglob("*") if p.is_file()}
    graphics = sum(sizes[name] for name in live_page.GRAPHICS_FILES)
    assert documented.groups() == (f"{sum(sizes.values()) / 1e6:.0f}", f"{graphics / 1e6:.0f}")
