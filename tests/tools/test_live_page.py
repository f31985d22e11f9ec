"""The page with a network in the browser: its noise is Eq. 1-2, its restoration that of PyTorch."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import live_page
import numpy as np
import pytest
import torch
from browsers import TIMEOUT, chromium, served
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.level_estimator import encode_levels
from xbdcnn.metrics import psnr
from xbdcnn.noise import GREY_LEVELS, add_hybrid_noise, noise_variance

SAMPLES = 2**16

browser_test = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def scripts(browser) -> Iterator[Page]:
    """An empty page that can import the scripts; it needs neither network nor ONNX Runtime."""
    with served(live_page.SOURCES) as address:
        page = browser.new_page()
        page.goto(f"{address}/noise.js")
        yield page
        page.close()


@pytest.fixture(scope="module")
def folder(browser, tmp_path_factory) -> Path:
    """The whole page. The test downloads nothing, so it is skipped without npm's package."""
    if not live_page.TARBALL.exists():
        pytest.skip(f"no build/npm/{live_page.TARBALL.name}; fetch it with `make live-page`")
    return live_page.write_page(tmp_path_factory.mktemp("live")).parent


@pytest.fixture
def page(browser, folder) -> Iterator[Page]:
    """The opened page, after its first restoration; it must log no error and load only its own."""
    problems = []
    with served(folder) as address:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda r: r.url.startswith(address) or problems.append(r.url))
        page.goto(f"{address}/index.html")
        wait_for_restoration(page)
        yield page
        page.close()
    assert [text for text in problems if not re.match("blob:|data:", text)] == []


def wait_for_restoration(page: Page) -> None:
    expect(page.locator("#status")).to_have_text(re.compile(r"restored in \d+ ms"), timeout=TIMEOUT)


def noise_of_script(page: Page, g: float, eta: float, sigma: float, seed: int = 1) -> np.ndarray:
    """Noisy values of the script for a constant image of the value g."""
    code = """async ([g, count, ...rest]) => {
        const { addHybridNoise } = await import("/noise.js");
        return Array.from(addHybridNoise(new Float32Array(count).fill(g), ...rest));
    }"""
    return np.array(page.evaluate(code, [g, SAMPLES, eta, sigma, seed]))


LEVELS = [
    (0.1, 0.02, 0.0),  # 0.5 photons
    (0.5, 0.07, 3.0),  # 9 photons, the product of uniform numbers
    (0.5, 0.09, 0.0),  # 11 photons, rejection
    (0.6, 0.4, 10.0),
    (0.9, 0.1, 40.0),  # clipped
    (0.3, 80.0, 0.5),  # 6120 photons
    (0.4, np.inf, 12.0),
]
"""Grey level in [0, 1], eta and sigma."""


@browser_test
@pytest.mark.parametrize(("g", "eta", "sigma"), LEVELS)
def test_noise_has_the_moments_of_noise_py(scripts, g, eta, sigma):
    found = noise_of_script(scripts, g, eta, sigma)
    generator = torch.Generator().manual_seed(2)
    image = torch.full((1, 1, 512, 512), g, dtype=torch.float64)
    wanted = add_hybrid_noise(image, eta, sigma, generator).flatten().numpy()
    spread = wanted.std()
    standardised, expected = ((x - wanted.mean()) / spread for x in (found, wanted))
    for power in (1, 2, 3):
        # 5 standard errors of the moment, of both samples together
        error = 5 * (expected**power).std() * np.sqrt(1 / len(found) + 1 / len(wanted))
        difference = (standardised**power).mean() - (expected**power).mean()
        assert abs(difference) < error, (power, difference, error)


@browser_test
def test_noise_has_the_variance_of_eq_1_and_is_white(scripts):
    found = GREY_LEVELS * noise_of_script(scripts, 0.5, 0.6, 10.0)
    assert found.var() == pytest.approx(noise_variance(0.5, 0.6, 10.0), rel=0.03)
    assert abs(np.corrcoef(found[1:], found[:-1])[0, 1]) < 5 / np.sqrt(SAMPLES)


@browser_test
def test_a_seed_gives_the_same_noise_again(scripts):
    first, again, other = (noise_of_script(scripts, 0.5, 0.6, 10.0, seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert abs(np.corrcoef(first, other)[0, 1]) < 5 / np.sqrt(SAMPLES)


@browser_test
@pytest.mark.parametrize(("shape", "eta", "sigma"), [((384, 384), 0.4, 10.0), ((65, 97), 5.0, 0.0)])
def test_restoration_is_that_of_pytorch(page, shape, eta, sigma):
    clean = torch.linspace(0.1, 0.9, shape[1]).expand(1, 1, *shape)
    noisy = add_hybrid_noise(clean, eta, sigma)
    code = """async ([values, ...rest]) => {
        const { restore } = await import("/restoring.js");
        return Array.from((await restore(Float32Array.from(values), ...rest)).restored);
    }"""
    found = page.evaluate(code, [noisy.flatten().tolist(), *shape, eta, sigma])
    network = load_pretrained(live_page.NETWORK, precision="fp32").network.denoiser
    with torch.inference_mode():
        wanted = network(noisy, encode_levels(eta, sigma, 0.0, noisy)).image.clamp(0, 1)
    np.testing.assert_allclose(np.reshape(found, shape), wanted[0, 0], rtol=0, atol=1e-3)


def shown(page: Page, name: str) -> np.ndarray:
    """Grey levels of a canvas, in [0, 1]."""
    code = """canvas => Array.from(canvas.getContext("2d")
        .getImageData(0, 0, canvas.width, canvas.height).data.filter((_, i) => i % 4 === 0))"""
    values = np.array(page.locator(f"canvas#{name}").evaluate(code), float) / 255
    return values.reshape(live_page.SIDE, live_page.SIDE)


def scores(page: Page) -> dict[str, float]:
    names = ("noisy", "restored")
    return {n: float(page.locator(f"#{n}-psnr").inner_text().split()[0]) for n in names}


@browser_test
def test_the_page_shows_images_and_their_psnr(page, folder):
    clean = np.asarray(Image.open(folder / "chest.png")) / 255
    assert np.array_equal(shown(page, "clean"), clean)
    found = scores(page)
    for name, value in found.items():
        assert value == pytest.approx(psnr(shown(page, name), clean), abs=0.05)
    assert found["restored"] > found["noisy"] + 10


@browser_test
def test_levels_and_radiograph_can_be_changed(page):
    before = scores(page)
    page.locator("#sigma").fill("40")
    expect(page.locator("#noisy-psnr")).not_to_have_text(f"{before['noisy']:.2f} dB")
    wait_for_restoration(page)
    after, clean = scores(page), shown(page, "clean")
    assert after["noisy"] < before["noisy"] - 3 and after["restored"] < before["restored"]
    page.locator("#picture").select_option("detail.png")
    expect(page.locator("#noisy-psnr")).not_to_have_text(f"{after['noisy']:.2f} dB")
    wait_for_restoration(page)
    assert not np.array_equal(shown(page, "clean"), clean)


@browser_test
def test_a_picture_of_ones_own_is_cropped_and_other_files_are_refused(page, tmp_path):
    grey = np.zeros((384, 500), np.uint8)
    grey[:, 58:442] = np.random.default_rng(0).integers(60, 180, (384, 384), np.uint8)
    Image.fromarray(grey).save(tmp_path / "own.png")
    before = page.locator("#noisy-psnr").inner_text()
    page.locator("#file").set_input_files(tmp_path / "own.png")
    expect(page.locator("#noisy-psnr")).not_to_have_text(before)
    wait_for_restoration(page)
    assert np.array_equal(np.rint(255 * shown(page, "clean")), grey[:, 58:442])
    (tmp_path / "text.png").write_text("no picture")
    page.locator("#file").set_input_files(tmp_path / "text.png")
    expect(page.locator("#status")).to_contain_text("text.png is not a picture; choose a PNG file")


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


def test_the_page_names_no_other_address():
    for source in live_page.SOURCES.iterdir():
        assert not re.search(r"https?://", source.read_text("utf-8")), source.name
