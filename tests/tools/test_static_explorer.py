"""The static page works from a folder, and the GIF is small and loops; the app starts Voilà."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import static_explorer
import torch
from paths import ROOT
from PIL import Image

from xbdcnn.explorer import __main__ as app
from xbdcnn.models import Denoised


def halving(noisy, eta, sigma):
    maps = np.stack([np.full(noisy.shape, level, np.float32) for level in (eta, sigma)])
    return Denoised(noisy / 2, maps)


METHODS = {"half": halving}


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Use one thread, since on a busy machine two wait for each other at every product."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    return static_explorer.write_page(folder, (0.2, 1.0), (0.0, 5.0, 20.0), METHODS, "half")


def content(page: Path) -> dict:
    text = page.read_text("utf-8")
    return json.loads(re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text)[1])


def test_page_has_a_picture_and_the_texts_of_every_state(page):
    data = content(page)
    assert data["etas"] == [0.2, 1.0] and len(data["states"]) == 6
    for key, state in data["states"].items():
        for name in ("noisy", "restored", "residual"):
            with Image.open(page.parent / f"{name}-{key}.jpg") as picture:
                assert picture.size == (data["side"],) * 2 and picture.mode == "L"
        assert "<svg" in state["texts"]["profile"] and "PSNR" in state["texts"]["scores"]
        assert state["maps"].keys() == {"eta", "sigma"}
    sentences = {state["texts"]["sentence"] for state in data["states"].values()}
    assert len(sentences) == 6


def test_page_requests_nothing_from_a_network_and_no_module(page):
    text = page.read_text("utf-8")
    assert not re.search(r"(src|href)=|https?://|\bimport\b|\bexport\b", text)
    assert text.count("<script") == text.count("</script>") == 2


def test_page_of_the_book_links_back_to_it(tmp_path):
    page = static_explorer.write_page(tmp_path, (1.0,), (5.0,), METHODS, "half", "../index.html")
    assert '<a href="../index.html">Back to the book</a>' in page.read_text("utf-8")


@pytest.mark.slow
def test_tool_prints_its_options():
    command = [sys.executable, "tools/static_explorer.py", "--help"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0 and "--page" in run.stdout and "--first" in run.stdout


def test_app_without_voila_names_the_remedy(monkeypatch):
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match=r"pip install 'xbdcnn\[explore\]'"):
        app.main()


def test_app_is_voila_on_this_machine_and_accepts_large_uploads(monkeypatch):
    called = []
    monkeypatch.setattr(os, "execv", lambda path, command: called.append(command))
    monkeypatch.setattr(sys, "argv", ["explorer", "--theme=dark"])
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "elsewhere")
    monkeypatch.setenv("JUPYTER_PATH", "")
    app.main()
    (command,) = called
    assert command[-1] == "--theme=dark"
    assert all(Path(file).is_file() for file in command[2:4])
    template = Path(os.environ["JUPYTER_PATH"], "voila", "templates", "explorer")
    assert (template / "index.html.j2").is_file()
    folder, other = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    settings = json.loads((Path(folder) / "voila.json").read_text())
    assert settings["Voila"]["ip"] == "127.0.0.1" and other == "elsewhere"
    for server in ("Voila", "ServerApp"):
        assert settings[server]["tornado_settings"]["websocket_max_message_size"] > 100e6
