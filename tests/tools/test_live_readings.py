"""Scores and readings of the live page's scripts: values and words of the package in Python."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from live_pages import levels, radiograph, slide, slot, wait_for_restoration
from live_scripts import call, random_image
from playwright.sync_api import Page, expect
from scipy.ndimage import gaussian_filter

from xbdcnn import metrics
from xbdcnn.data.builtin import builtin_crop
from xbdcnn.explorer import drawing, reading
from xbdcnn.explorer.views import Quality, State, View, simulate
from xbdcnn.study.no_reference import correlation_with_anatomy, whiteness

pytestmark = pytest.mark.slow

SHAPES = [(384, 384), (65, 97), (16, 40)]


def value(page: Page, module: str, name: str, *images: np.ndarray) -> Any:
    """Value of a function of images of one width."""
    code = f"m.{name}(...v[0].map((image) => Float32Array.from(image)), v[1])"
    return call(page, module, code, [i.ravel().tolist() for i in images], images[0].shape[1])


def scene(shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A clean image with structure and its noisy image."""
    clean = builtin_crop(384)[: shape[0], : shape[1]].astype(np.float32)
    return clean, simulate(clean, State(0.4, 10.0))


@pytest.mark.parametrize("shape", SHAPES)
def test_ssim_is_that_of_metrics(scripts, shape):
    clean, noisy = scene(shape)
    for image in (noisy, gaussian_filter(noisy, 2), 1 - clean, np.full_like(clean, 0.5), clean):
        found = value(scripts, "ssim", "ssim", image, clean)
        assert found == pytest.approx(metrics.ssim(image, clean), abs=1e-5)


def test_ssim_of_another_clean_image_is_not_that_of_the_last_one(scripts):
    one, other = random_image(2, 20, 30)
    for clean in (one, other):
        assert value(scripts, "ssim", "ssim", one, clean) == pytest.approx(
            metrics.ssim(one, clean), abs=1e-5
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_correlation_of_neighbours_is_that_of_the_study(scripts, shape):
    clean, noisy = scene(shape)
    falling = np.add.outer(np.arange(shape[0]), -np.arange(shape[1])) % 7
    for residual in (noisy - clean, clean - 0.5, -random_image(*shape), falling / np.float32(9)):
        found = value(scripts, "whiteness", "whiteness", residual)
        assert found == pytest.approx(whiteness(residual), abs=1e-6)
    assert value(scripts, "whiteness", "whiteness", np.full(shape, 0.1, np.float32)) is None


@pytest.mark.parametrize("shape", SHAPES)
def test_correlation_with_anatomy_is_that_of_the_study(scripts, shape):
    clean, noisy = scene(shape)
    for residual in (noisy - clean, noisy - gaussian_filter(noisy, 2), gaussian_filter(clean, 3)):
        found = value(scripts, "anatomy", "correlationWithAnatomy", residual, clean)
        assert found == pytest.approx(correlation_with_anatomy(residual, clean), abs=1e-5)
    assert value(scripts, "anatomy", "correlationWithAnatomy", 0 * clean, clean) == 0


NOISE_RANGE = """(async () => {
    const { addHybridNoise } = await import('/noise.js');
    const [clean, width, state] = [Float32Array.from(v[0]), ...v.slice(1)];
    const range = await m.noiseRange(clean, width, state, () => true);
    const draw = (n) => Array.from(addHybridNoise(clean, state.eta, state.sigma, state.seed + n));
    return [range, Array.from({ length: 9 }, (_, n) => draw(n))];
})()"""


def test_range_of_noise_alone_is_that_of_eight_other_draws(scripts):
    clean, _ = scene((65, 97))
    state = {"eta": 0.4, "sigma": 10.0, "seed": 3}
    found, draws = call(scripts, "anatomy", NOISE_RANGE, clean.ravel().tolist(), 97, state)
    noises = [np.reshape(draw, clean.shape).astype(np.float32) - clean for draw in draws]
    own, *others = (correlation_with_anatomy(noise, clean) for noise in noises)
    assert len(others) == reading.DRAWS and own not in others
    assert found == pytest.approx([min(others), max(others)], abs=1e-5)


def test_a_superseded_reading_ends(scripts):
    code = "m.noiseRange(new Float32Array(400), 20, { eta: 1, sigma: 1, seed: 0 }, () => false)"
    assert call(scripts, "anatomy", code) is None


READ = """(async () => {
    const [grey, residual] = v[0].map((values) => Float32Array.from(values));
    const task = { state: { eta: 0.4, sigma: 10, seed: 0 }, image: { width: 40, grey }, residual };
    const reading = m.anatomyText(task);
    if (v[1]) m.stopReading();
    return reading;
})()"""


def test_a_reading_that_is_stopped_gives_no_text(scripts):
    images = [image.ravel().tolist() for image in scene((16, 40))]
    assert "Anatomy removed?" in call(scripts, "residual", READ, images, False)
    assert call(scripts, "residual", READ, images, True) is None


@pytest.mark.parametrize("correlation", [None, 0.0004, -0.02, 0.0995, -0.11, 0.7])
def test_words_on_the_structure_are_those_of_the_explorer(scripts, correlation):
    found = call(scripts, "whiteness", "m.whitenessMeter(v[0])", correlation)
    assert found == drawing.whiteness_meter(correlation)


@pytest.mark.parametrize("found", [0.1, 0.0, -0.3])
def test_words_on_the_anatomy_are_those_of_the_explorer(scripts, found, monkeypatch):
    text = call(scripts, "anatomy", "m.anatomySentence(v[0], v[1])", found, [-0.015, 0.021])
    monkeypatch.setattr(reading, "noise_range", lambda *_: (-0.015, 0.021))
    monkeypatch.setattr(reading, "correlation_with_anatomy", lambda *_: found)
    clean, noisy = scene((16, 40))
    view = View(noisy, clean, noisy - clean, None, None, None)
    assert text == reading.AnatomyReading().text(State(), clean, view)


def test_table_of_scores_is_that_of_the_explorer(scripts):
    before, after = Quality(14.126, 8.3, 0.21251), Quality(33.5, 27.789, 0.9)
    for scores in ((before,), (before, after)):
        found = call(scripts, "texts", "m.scoreTable(...v)", *scores)
        assert found == drawing.quality_table(State(), *scores)


def reading_of(page: Page, name: str) -> tuple[str, list[float]]:
    """Verdict and signed numbers of a reading, which may follow the restoration."""
    expect(slot(page, name).locator("small")).to_be_visible()
    numbers = re.findall(r"[+-]\d\.\d{3}", slot(page, name).inner_text())
    return slot(page, name).locator("b").inner_text(), [float(number) for number in numbers]


def test_readings_belong_to_the_restoration(page):
    for _ in range(2):
        noisy, restored, clean = (levels(page, name) for name in ("noisy", "restored", "clean"))
        _, (neighbours,) = reading_of(page, "whiteness")
        assert neighbours == pytest.approx(whiteness(noisy - restored), abs=0.01)
        verdict, (found, low, high) = reading_of(page, "anatomy")
        wanted = correlation_with_anatomy(noisy - restored, clean)
        assert found == pytest.approx(wanted, abs=0.01)
        alone = correlation_with_anatomy(noisy - clean, clean)
        assert low < high and abs((low + high) / 2 - alone) < 0.03
        assert (verdict == "yes") == (found > high)
        row = slot(page, "scores").locator("tr", has_text="SSIM").locator("td")
        for cell, image in zip(row.all_inner_texts(), (noisy, restored), strict=True):
            assert float(cell) == pytest.approx(metrics.ssim(image, clean), abs=0.005)
        slide(page, "σ", "End")
        wait_for_restoration(page)


def test_without_a_clean_reference_the_anatomy_is_unknown(wide):
    wide.get_by_label("as it is").check()
    wait_for_restoration(wide)
    unknown = reading.AnatomyReading().text(State(as_it_is=True), np.zeros((1, 1)), None)
    assert slot(wide, "anatomy").inner_html() == unknown
    assert reading_of(wide, "whiteness")[1]


def test_readings_of_another_radiograph_are_removed(wide):
    reading_of(wide, "anatomy")
    wide.route("**/00027195_000.png", lambda route: None)  # never answered
    radiograph(wide).select_option(label="ChestX-ray8: PA, Mass")
    for name in ("scores", "whiteness", "anatomy"):
        expect(slot(wide, name)).to_be_empty()


def test_without_its_worker_the_page_says_so(browser, live_address):
    page = browser.new_page()
    page.route("**/anatomy_worker.js", lambda route: route.abort())
    page.goto(f"{live_address}/index.html")
    wait_for_restoration(page)
    expect(slot(page, "message")).to_contain_text("the reading of the residual could not be start")
    expect(slot(page, "anatomy")).to_be_empty()
    page.close()
