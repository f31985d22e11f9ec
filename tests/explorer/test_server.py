"""The explorer app: kernels whose page is gone, and the page that starts the browser."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader
from PIL import Image

from xbdcnn.explorer.__main__ import FOLDER
from xbdcnn.explorer.server import ExplorerKernels
from xbdcnn.explorer.views import SIDE

pytestmark = pytest.mark.slow


def test_page_that_starts_the_browser_requests_nothing_from_other_hosts():
    shared = Path(sys.prefix) / "share" / "jupyter" / "voila" / "templates"
    own = FOLDER / "share" / "voila" / "templates" / "explorer"
    folders = [own, shared / "lab", shared / "base"]
    templates = Environment(loader=FileSystemLoader(folders), extensions=["jinja2.ext.i18n"])
    page = templates.get_template("browser-open.html").render(open_url="http://127.0.0.1:1/")
    assert "url=http://127.0.0.1:1/" in page
    assert not re.search(r"https?://(?!127\.0\.0\.1)", page)


def test_first_picture_is_small_and_says_how_it_was_made():
    file = FOLDER / "share" / "voila" / "templates" / "explorer" / "static" / "first.jpg"
    assert file.stat().st_size < 50_000
    with Image.open(file) as picture:
        assert picture.size == (SIDE, SIDE) and picture.mode == "L"
        comment = picture.info["comment"].decode()
    assert "RG1_UNCR" in comment and "tools/static_explorer.py" in comment


async def start(kernels: ExplorerKernels, preheated: bool) -> str:
    environment = os.environ | {"VOILA_PREHEAT": str(preheated)}
    return await kernels.start_kernel(kernel_name="python3", env=environment)


async def ended(kernels: ExplorerKernels, kernel: str) -> None:
    limit = time.monotonic() + 30
    while kernel in kernels:
        assert time.monotonic() < limit
        await asyncio.sleep(0.1)


def test_kernel_without_a_page_ends_but_a_preheated_one_waits_for_its_page():
    async def run() -> None:
        kernels = ExplorerKernels(cull_idle_timeout=1, cull_interval=1)
        try:
            left, waiting = await start(kernels, False), await start(kernels, True)
            await ended(kernels, left)
            await asyncio.sleep(3)
            assert waiting in kernels
            kernels.notify_connect(waiting)
            await asyncio.sleep(3)
            assert waiting in kernels
            kernels.notify_disconnect(waiting)
            await ended(kernels, waiting)
        finally:
            await kernels.shutdown_all()

    asyncio.run(run())
