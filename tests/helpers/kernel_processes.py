"""The kernels of an app that Voilà serves, as processes of this machine."""

from __future__ import annotations

import json
import time

import psutil
from browsers import TIMEOUT
from playwright.sync_api import Page


def close(page: Page, server: psutil.Process) -> None:
    """Leave the page, wait until this has ended its kernel, and close the page.

    `Page.close` alone runs no script, and it cancels a request that is still being sent.
    """
    kernel = json.loads(page.locator("#jupyter-config-data").inner_text())["kernelId"]
    page.goto("about:blank")
    wait_for_kernels(server, 0, kernel)
    page.close()


def kernels(server: psutil.Process, name: str = "") -> list[psutil.Process]:
    """Return the kernels of a server whose command contains a name, e.g. the id of a kernel."""
    return [process for process in server.children(recursive=True) if is_kernel(process, name)]


def is_kernel(process: psutil.Process, name: str) -> bool:
    try:
        command = " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False
    return "ipykernel" in command and name in command


def wait_for_kernels(server: psutil.Process, count: int, name: str = "") -> None:
    """Wait until a server has `count` kernels, see `kernels`."""
    end = time.monotonic() + TIMEOUT / 1000
    while (found := len(kernels(server, name))) != count:
        assert time.monotonic() < end, f"{found} kernels instead of {count}"
        time.sleep(0.2)
