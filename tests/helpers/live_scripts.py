"""How the tests of the live page's scripts call them."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import Page


def call(page: Page, module: str, code: str, *values: Any) -> Any:
    """Value of JavaScript with the exports of a module as `m` and `values` as `v`."""
    script = f"async (v) => {{ const m = await import('/{module}.js'); return {code}; }}"
    return page.evaluate(script, list(values))


def random_image(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)
