"""What follows a restoration in the explorer: comparison, PSNR curve, reading of the residual."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import numpy as np
import pytest

from xbdcnn import metrics
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import builtin_crop
from xbdcnn.explorer import Explorer, State, drawing, panels, reading
from xbdcnn.explorer.curve import ETAS, SMALL_SIDE, PsnrCurve, Request
from xbdcnn.explorer.curve_chart import curve_drawing
from xbdcnn.explorer.views import denoise_state, simulate
from xbdcnn.models import Denoised

RAMP = np.tile(np.linspace(0.1, 0.9, 64, dtype=np.float32), (48, 1))


def half(noisy, eta, sigma):
    return Denoised(noisy * np.float32(0.5))


def none(noisy, eta, sigma):
    return Denoised(noisy)


def broken(noisy, eta, sigma):
    raise XbdcnnError("<broken>")


METHODS = {"none": none, "half": half, "broken": broken}


def compared(explorer: Explorer, **methods: str) -> Explorer:
    """Open the comparison with methods by the number of their picture."""
    for name, menu in explorer.panel.compared.items():
        menu.value = methods.get(name.replace("-", "_"), "")
    explorer.canvas.tab = "compare"
    return explorer.wait()


@pytest.fixture
def explorer() -> Explorer:
    return Explorer({"ramp": RAMP}, METHODS, pause=0).wait()


def test_methods_are_compared_on_the_same_noisy_image(explorer):
    compared(explorer, compare_0="half", compare_2="none")
    noisy, texts = simulate(RAMP, explorer.state), explorer.canvas.texts
    expected = {"compare-0": noisy * np.float32(0.5), "compare-2": noisy}
    for name, image in expected.items():
        np.testing.assert_array_equal(explorer.canvas.pictures[name], drawing.indices(image))
        assert f"{metrics.psnr(image, RAMP):.2f} dB" in texts[f"caption-{name}"]
    assert explorer.canvas.pictures["compare-1"].size == 0 and texts["caption-compare-1"] == ""


def test_comparison_follows_the_sliders_and_is_marked_until_it_does(explorer):
    compared(explorer, compare_0="half")
    before = explorer.canvas.pictures["compare-0"]
    explorer._pause, explorer.canvas.held = 60, True
    explorer.controls["sigma"].value = 30.0
    assert "xb-pending" in explorer.canvas.texts["caption-compare-0"]
    assert explorer.canvas.pictures["compare-0"] is before
    explorer.canvas.held = False
    explorer.wait()
    assert "xb-pending" not in explorer.canvas.texts["caption-compare-0"]
    assert (explorer.canvas.pictures["compare-0"] != before).any()


def test_comparison_is_computed_only_in_its_tab_and_only_once():
    calls = []

    def counted(noisy, eta, sigma):
        calls.append(eta)
        return Denoised(noisy)

    explorer = Explorer({"ramp": RAMP}, METHODS | {"counted": counted}, pause=0).wait()
    explorer.panel.compared["compare-0"].value = "counted"
    assert explorer.wait() and calls == []
    compared(explorer, compare_0="counted")
    compared(explorer, compare_0="counted", compare_1="half")
    assert len(calls) == 1


def test_error_of_a_compared_method_is_in_its_caption(explorer):
    compared(explorer, compare_0="broken", compare_1="half")
    assert explorer.canvas.texts["caption-compare-0"] == "not restored: &lt;broken&gt;"
    assert "dB" in explorer.canvas.texts["caption-compare-1"]
    assert explorer.canvas.texts["message"] == ""


def test_only_ssim_is_left_out_while_a_slider_is_held(explorer):
    explorer._pause, explorer.canvas.held = 60, True
    explorer.controls["sigma"].value = 30.0
    psnr = metrics.psnr(simulate(RAMP, explorer.state), RAMP)
    scores = explorer.canvas.texts["scores"]
    assert f"{psnr:.2f}" in scores and scores.count("…") == 4
    explorer.canvas.held = False
    assert "…" not in explorer.wait().canvas.texts["scores"]


def test_true_error_is_restored_minus_clean_and_absent_as_it_is(explorer):
    explorer.controls["method"].value = "half"
    explorer.wait()
    error = simulate(RAMP, explorer.state) * np.float32(0.5) - RAMP
    shown = explorer.canvas.pictures["error"]
    np.testing.assert_array_equal(shown, drawing.residual_indices(error))
    explorer.controls["as_it_is"].value = True
    explorer.wait()
    assert explorer.canvas.pictures["error"].size == 0


def test_curve_is_computed_when_it_is_seen(explorer):
    assert "<svg" not in explorer.canvas.texts["psnr-curve"]
    explorer.panel.compared["compare-0"].value = "half"
    explorer.canvas.curve_seen = True
    explorer.followers.curve.wait()
    svg = explorer.canvas.texts["psnr-curve"]
    assert svg.count("xb-psnr ") == 2 and "half" in svg and "σ 10.0" in svg
    assert len(re.search(r'xb-psnr-0" d="(.*?)"', svg)[1].split("L")) == len(ETAS)


def curve_of(request: Request, methods=METHODS, during=lambda curve: None) -> list[str]:
    shown = []
    curve = PsnrCurve(methods, lambda svg: (shown.append(svg), during(curve)))
    curve.request(request, pause=0)
    curve.wait()
    return shown


def test_curve_of_a_slow_method_takes_a_part_and_says_so():
    chest = builtin_crop(256)
    request = Request(State(), chest, ("none",), seconds=9)
    (*_, svg) = curve_of(request)
    assert f"central {SMALL_SIDE} × {SMALL_SIDE} pixels" in svg
    (*_, svg) = curve_of(replace(request, seconds=0))
    assert "central" not in svg


def test_curve_is_cancelled_by_a_change():
    request = Request(State(), RAMP, ("none",), seconds=0)
    shown = curve_of(request, during=lambda curve: curve.request(None))
    assert len(shown) == 1


def test_curve_is_in_scale():
    svg = curve_drawing({"none": [(0.1, 20.0), (10.0, 30.0)]}, State(eta=1.0), None)
    assert 'd="M30.0,150.0L332.0,22.0"' in svg, "from the lower left to the upper right"
    assert 'class="xb-now" d="M181.0,150.0V22"' in svg, "eta 1 is in the middle of 0.1 to 10"


@pytest.mark.parametrize(
    ("blur", "verdict"), [(None, "not more than chance"), (3, "yes"), (-3, "no, the reverse")]
)
def test_anatomy_is_read_against_noise_alone(blur, verdict):
    """The true noise is a residual without anatomy; smoothing adds to it, sharpening subtracts."""
    from scipy.ndimage import gaussian_filter

    clean, state = builtin_crop(384), State(method="x")
    noisy = simulate(clean, state)
    removed = 0 if blur is None else np.sign(blur) * (clean - gaussian_filter(clean, abs(blur)))
    methods = {"x": lambda *_: Denoised((clean - removed).astype(np.float32))}
    view = denoise_state(clean, noisy, state, methods)
    text = reading.AnatomyReading().text(state, clean, view)
    assert f"<b>{verdict}</b>" in text and "in 8 draws" in text


def test_the_reading_of_an_earlier_restoration_is_replaced_at_once():
    state = State(method="half")
    view = denoise_state(RAMP, simulate(RAMP, state), state, METHODS)
    assert panels.after_restoration(state, RAMP, view, 0.1).texts["anatomy"] == reading.PENDING


def test_anatomy_is_unknown_without_a_clean_reference(explorer):
    explorer.controls["as_it_is"].value = True
    explorer.wait()
    assert "Unknown" in explorer.canvas.texts["anatomy"]


def test_ranges_of_noise_are_computed_once(monkeypatch):
    calls = []
    monkeypatch.setattr(reading, "noise_range", lambda *_: calls.append(1) or (-0.1, 0.1))
    readings, state = reading.AnatomyReading(), State(method="half")
    view = denoise_state(RAMP, simulate(RAMP, state), state, METHODS)
    for strength in (0.5, 1.0):
        readings.text(replace(state, strength=strength), RAMP, view)
    readings.text(replace(state, sigma=3.0), RAMP, view)
    assert len(calls) == 2


def test_waiting_for_a_comparison_never_blocks_the_sliders(explorer):
    gate, begun = threading.Event(), threading.Event()

    def slow(noisy, eta, sigma):
        begun.set()
        gate.wait(5)
        return Denoised(noisy)

    explorer = Explorer({"ramp": RAMP}, METHODS | {"slow": slow}, pause=0).wait()
    explorer.panel.compared["compare-0"].value = "slow"
    explorer.canvas.tab = "compare"
    begun.wait(5)
    noisy = explorer.canvas.pictures["noisy"]
    explorer.controls["sigma"].value = 40.0
    assert explorer.canvas.pictures["noisy"] is not noisy
    gate.set()
    explorer.wait()
