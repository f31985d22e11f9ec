"""The explorer as Voilà serves it, opened in Chromium once for all tests of this folder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from browsers import chromium
from explorer_pages import HEIGHT, open_page, picture
from kernel_processes import close
from paths import ROOT
from playwright.sync_api import Browser, Page


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium("--enable-precise-memory-info") as browser:
        yield browser


@pytest.fixture(scope="package")
def server(browser, tmp_path_factory) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of the app, started as `make explore` starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("voila") / "log.txt"
    command = [sys.executable, "-m", "xbdcnn.explorer", "--no-browser", f"--port={port}"]
    environment = os.environ | {"XBDCNN_DATA": "builtin"}
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_for_port(port, process, log)
        yield f"http://127.0.0.1:{port}/", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def wait_for_port(port: int, process: subprocess.Popen, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    pytest.fail(f"Voilà does not answer:\n{log.read_text()}")


@pytest.fixture
def errors() -> list[str]:
    return []


class Shared(NamedTuple):
    """A page for many tests, the errors of its console, and its first pictures by name."""

    page: Page
    errors: list[str]
    first: dict[str, str]


@pytest.fixture(scope="package")
def shared(browser, server) -> Iterator[Shared]:
    errors: list[str] = []
    page = open_page(browser, server[0], errors)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    first = {name: picture(page, name) for name in ("noisy", "restored", "clean")}
    yield Shared(page, errors, first)
    close(page, server[1])


IS_FIRST_STATE = """first => Object.entries(first).every(([name, url]) =>
  document.querySelector(`canvas[data-picture=${name}]`).toDataURL() == url) &&
  document.querySelector('[data-slot=caption-restored]').textContent.startsWith('restored ·')"""


@pytest.fixture
def page(shared) -> Iterator[Page]:
    """The explorer in its first state; the test fails if its console reports an error."""
    page, errors, first = shared
    errors.clear()
    page.set_viewport_size({"width": 1024, "height": HEIGHT})
    page.emulate_media(color_scheme="light")
    page.get_by_role("button", name="Reset").click()
    page.wait_for_function(IS_FIRST_STATE, arg=first)
    page.evaluate("scrollTo(0, 0)")
    page.mouse.move(2, 2)
    yield page
    assert errors == []
