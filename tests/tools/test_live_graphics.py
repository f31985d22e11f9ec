"""The network of the live page on a graphics processor, which Chromium emulates by software."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import live_page
import numpy as np
import pytest
import torch
from browsers import TIMEOUT, chromium, serious_violations
from live_pages import levels, opened, own_file, slot, wait_for_restoration
from live_scripts import call
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect

from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.level_estimator import encode_levels
from xbdcnn.noise import add_hybrid_noise

pytestmark = pytest.mark.slow

PATIENCE = 4 * TIMEOUT
"""Milliseconds for a run on the emulated graphics processor, which is slow."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with an adapter for WebGPU by software."""
    with chromium("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader") as browser:
        yield browser


@pytest.fixture
def blank(browser, live_address) -> Iterator[Page]:
    """A page in which the scripts can be called; skipped without an adapter."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{live_address}/noise.js")
    if page.evaluate("navigator.gpu?.requestAdapter().then((a) => a === null) ?? true"):
        pytest.skip("this Chromium emulates no graphics processor")
    yield page
    page.close()


def box(page: Page) -> Locator:
    return page.get_by_role("checkbox", name="use the graphics processor")


RESTORE = """(async () => {
    (await m.prepare(true))();
    const { restored, backend } = await m.restore(Float32Array.from(v[0]), ...v.slice(1));
    return [Array.from(restored), backend];
})()"""


def test_restoration_is_that_of_pytorch(blank):
    shape, eta, sigma = (48, 72), 0.4, 10.0
    clean = torch.linspace(0.1, 0.9, shape[1]).expand(1, 1, *shape)
    noisy = add_hybrid_noise(clean, eta, sigma)
    image = noisy.flatten().tolist()
    found, backend = call(blank, "restoring", RESTORE, image, *shape, eta, sigma)
    network = load_pretrained(live_page.NETWORK, precision="fp32").network.denoiser
    with torch.inference_mode():
        wanted = network(noisy, encode_levels(eta, sigma, 0.0, noisy)).image.clamp(0, 1)
    print(f"\nlargest difference: {np.abs(np.reshape(found, shape) - wanted[0, 0].numpy()).max()}")
    np.testing.assert_allclose(np.reshape(found, shape), wanted[0, 0], rtol=0, atol=1e-3)
    assert backend == "webgpu"


def test_an_error_of_the_graphics_processor_names_the_remedy(blank):
    with pytest.raises(Exception, match="clear the box of the graphics processor"):
        call(blank, "restoring", RESTORE, [0.5], 1, 2, 1.0, 1.0)


def test_the_graphics_processor_is_used_while_the_box_is_checked(
    browser, blank, live_address, live_folder, problems, tmp_path
):
    page, loaded = opened(browser, live_address, problems, 1024), []
    page.on("response", lambda response: loaded.append(response.url.rpartition("/")[2]))
    grey = np.random.default_rng(0).integers(60, 180, (32, 40), np.uint8)
    Image.fromarray(grey).save(tmp_path / "small.png")
    own_file(page, tmp_path / "small.png")
    wait_for_restoration(page)
    restored = levels(page, "restored")
    size = sum((live_folder / name).stat().st_size for name in live_page.GRAPHICS_FILES) / 1e6
    assert f"(loads {size:.0f} MB once)" in page.locator("label", has_text="graphics").inner_text()
    assert not set(loaded) & set(live_page.GRAPHICS_FILES)
    for is_on, backend in ((True, "WebGPU"), (False, "WebAssembly"), (True, "WebGPU")):
        box(page).set_checked(is_on)
        expect(slot(page, "caption-restored")).to_contain_text(f"ms · {backend}", timeout=PATIENCE)
        np.testing.assert_allclose(levels(page, "restored"), restored, atol=1.01 / 255)
        expect(slot(page, "graphics-note")).to_be_empty()
    assert serious_violations(page) == []
    assert all(loaded.count(name) == 1 for name in live_page.GRAPHICS_FILES)
    page.close()
    assert problems == []


ADAPTER = "Object.defineProperty(navigator, 'gpu', {{ value: {} }});"
"""Script that gives navigator.gpu a value."""


@pytest.mark.parametrize("gpu", ["undefined", "{ requestAdapter: async () => null }"])
def test_without_a_graphics_processor_there_is_no_box(browser, live_address, gpu):
    page = browser.new_page()
    page.add_init_script(ADAPTER.format(gpu))
    page.goto(f"{live_address}/index.html")
    wait_for_restoration(page)
    expect(slot(page, "caption-restored")).to_contain_text("ms · WebAssembly")
    assert box(page).count() == 0
    page.close()


def without_runtime(route: Route, folder: Path) -> None:
    if route.request.url.endswith(live_page.GRAPHICS_FILES[1]):
        route.abort()
    else:
        route.fallback()


def without_adapter(route: Route, folder: Path) -> None:
    """Take the adapter from the worker, which then loads the runtime in vain."""
    if route.request.url.endswith("/network.js"):
        source = (folder / "network.js").read_text("utf-8")
        route.fulfill(body=ADAPTER.format("undefined") + source, content_type="text/javascript")
    else:
        route.fallback()


@pytest.mark.parametrize("failure", [without_runtime, without_adapter])
def test_if_it_cannot_be_used_the_restoration_continues_without_it(
    browser, live_address, live_folder, failure
):
    page = browser.new_page()
    page.add_init_script(ADAPTER.format("{ requestAdapter: async () => ({}) }"))
    page.route("**/*", lambda route: failure(route, live_folder))
    page.goto(f"{live_address}/index.html")
    wait_for_restoration(page)
    box(page).check()
    message = "The graphics processor cannot be used, and the restoration continues without it: "
    expect(slot(page, "message")).to_contain_text(message, timeout=PATIENCE)
    print(f"\n{slot(page, 'message').inner_text()}")
    expect(box(page)).not_to_be_checked()
    expect(slot(page, "graphics-note")).to_be_empty()
    page.get_by_role("button", name="New noise").click()
    expect(slot(page, "message")).to_be_empty()
    wait_for_restoration(page)
    expect(slot(page, "caption-restored")).to_contain_text("ms · WebAssembly")
    page.close()
