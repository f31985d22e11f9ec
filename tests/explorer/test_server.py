"""Kernels of the explorer app whose page is gone."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from xbdcnn.explorer.server import ExplorerKernels

pytestmark = pytest.mark.slow


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
