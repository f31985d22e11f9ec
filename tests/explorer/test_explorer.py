"""The noise explorer without a browser, and the exercises of notebook 10."""

from __future__ import annotations

import gc
import html
import io
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import ipywidgets
import numpy as np
import psutil
import pytest
import ship
import torch
from paths import ROOT
from PIL import Image

from xbdcnn import metrics
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.data import Source, builtin_crop, load_chest
from xbdcnn.explorer import Explorer, State, captions, choices, drawing, explore, views
from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.canvas import SCRIPT, Canvas
from xbdcnn.explorer.choices import collect_images, collect_methods, read_upload
from xbdcnn.explorer.views import crop, denoise_state, describe, quality, simulate
from xbdcnn.inference import weights as weight_files
from xbdcnn.inference import zoo
from xbdcnn.inference.pretrained import Levels
from xbdcnn.inference.weights import build_network, save_weights
from xbdcnn.models import BALANCED, Denoised
from xbdcnn.study.no_reference import whiteness

EXERCISES = ROOT / "notebooks" / "10_exercises.py"
RAMP = np.tile(np.linspace(0.1, 0.9, 128, dtype=np.float32), (96, 1))
LARGE = np.linspace(0, 1, 500 * 600, dtype=np.float32).reshape(500, 600)


def darker(noisy, eta, sigma):
    maps = np.stack([np.full(noisy.shape, level, np.float32) for level in (2 * eta, sigma - 5)])
    return Denoised(noisy * np.float32(0.5), maps)


def nothing(noisy, eta, sigma):
    return Denoised(noisy)


def broken(noisy, eta, sigma):
    raise XbdcnnError("<broken>")


METHODS = {"none": nothing, "darker": darker, "broken": broken}


@pytest.fixture(autouse=True)
def one_thread():
    """Use one thread, since on a busy machine two wait for each other at every product."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def explorer() -> Explorer:
    images = {"ramp": RAMP, "flat": np.full((64, 64), 0.5, np.float32)}
    return Explorer(images, METHODS, pause=0).wait()


@pytest.fixture
def tiny_weights(tmp_path, monkeypatch) -> None:
    """Replace the shipped networks by two small untrained ones."""
    monkeypatch.setattr(weight_files, "WEIGHTS", tmp_path)
    monkeypatch.setattr(weight_files, "CHECKSUMS", tmp_path / "checksums.json")
    choices._loaded.cache_clear()
    for name, recipe in (("xbdcnn", replace(BALANCED, width=4)), ("dncnn", zoo.MSE_ONLY)):
        architecture = zoo.find_entry(name).architecture
        network = build_network(architecture, recipe)
        save_weights(network, tmp_path / "new.safetensors", architecture, recipe, name=name)
        ship.ship(tmp_path / "new.safetensors", name)
    yield
    choices._loaded.cache_clear()


def pictures(explorer: Explorer) -> dict[str, np.ndarray]:
    return dict(explorer.canvas.pictures)


def plain(html: str) -> str:
    """Return the text of HTML without its tags."""
    return re.sub("<.*?>", "", html)


def text(explorer: Explorer, slot: str) -> str:
    return explorer.canvas.texts[slot]


# Computation: views


@pytest.mark.parametrize(("eta", "sigma"), [(0.4, 5.0), (1.9, 20.0)])
def test_simulated_noise_has_the_moments_of_equation_1(eta, sigma):
    clean = np.full((384, 384), 0.5, np.float32)
    error = 255 * (simulate(clean, State(eta=eta, sigma=sigma)).astype(float) - 0.5)
    assert abs(error.mean()) < 0.3
    assert error.var() == pytest.approx(127.5 / eta + sigma**2, rel=0.02)


def test_simulation_depends_on_the_state_alone():
    state = State(seed=3)
    first, again = simulate(RAMP, state), simulate(RAMP, state)
    assert first.dtype == np.float32 and first.shape == RAMP.shape
    np.testing.assert_array_equal(first, again)
    assert (first != simulate(RAMP, replace(state, seed=4))).mean() > 0.9
    np.testing.assert_array_equal(first, simulate(RAMP, replace(state, method="darker")))


def test_simulation_rejects_bad_noise_levels():
    with pytest.raises(XbdcnnError, match="eta"):
        simulate(RAMP, State(eta=0.0))


def test_view_agrees_with_metrics_and_adds_up():
    state = State(method="darker")
    noisy = simulate(RAMP, state)
    view = denoise_state(RAMP, noisy, state, METHODS)
    np.testing.assert_array_equal(view.restored, noisy * np.float32(0.5))
    np.testing.assert_allclose(view.residual + view.restored, noisy, atol=1e-7)
    for scores, image in ((view.before, noisy), (view.after, view.restored)):
        assert scores.psnr == metrics.psnr(image, RAMP)
        assert scores.snr == metrics.snr(image, RAMP)
        assert scores.ssim == metrics.ssim(image, RAMP, data_range=1.0, window="gaussian")
    assert view.levels == pytest.approx((2 * state.eta, state.sigma - 5))
    assert denoise_state(RAMP, noisy, State(), METHODS).levels is None


def test_strength_is_the_part_of_the_residual_that_is_removed():
    noisy, state = simulate(RAMP, State()), State(method="darker")
    full = denoise_state(RAMP, noisy, state, METHODS)
    half = denoise_state(RAMP, noisy, replace(state, strength=0.5), METHODS)
    assert half.restored.dtype == np.float32
    np.testing.assert_allclose(half.residual, full.residual / 2, atol=1e-6)
    assert half.levels == full.levels


def test_unknown_method_is_named_with_the_choices():
    with pytest.raises(XbdcnnError, match=r"'magic'.*none, darker"):
        denoise_state(RAMP, RAMP, State(method="magic"), METHODS)


def test_crop_takes_the_centre_or_a_corner_within_the_image():
    image = np.arange(400 * 500, dtype=np.float32).reshape(400, 500)
    assert crop(image).shape == (384, 384)
    assert crop(image)[0, 0] == image[8, 58]
    assert crop(image, (16, 116))[-1, -1] == image[-1, -1]
    assert crop(RAMP).shape == RAMP.shape
    for corner in ((17, 0), (0, 117), (-1, 0)):
        with pytest.raises(XbdcnnError, match="exceeds the radiograph of 400 x 500"):
            crop(image, corner)


def test_noise_is_white_and_structure_is_not():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(256, 256)).astype(np.float32)
    assert abs(whiteness(noise)) < 4 / 256
    # Adjacent means of three pixels share two of them; a checkerboard alternates.
    smooth = (noise[:, :-2] + noise[:, 1:-1] + noise[:, 2:]) / 3
    assert whiteness(smooth) == pytest.approx(2 / 3, abs=0.02)
    assert whiteness(np.indices((64, 64)).sum(0).astype(np.float32) % 2) < -0.95
    assert whiteness(np.full((8, 8), 0.25, np.float32)) is None


def test_profile_takes_the_pixels_on_the_line():
    np.testing.assert_array_equal(views.profile(RAMP, (5, 0, 5, 127)), 255 * RAMP[5])
    down = views.profile(LARGE, (10, 7, 40, 7))
    np.testing.assert_array_equal(down, 255 * LARGE[10:41, 7])
    diagonal = views.profile(LARGE, (0, 0, 20, 20))
    np.testing.assert_array_equal(diagonal, 255 * LARGE[np.arange(21), np.arange(21)])
    assert len(views.profile(RAMP, (3, 3, 3, 3))) == 1
    assert views.profile(RAMP, (-5, 0, 200, 300)).shape == (301,)
    assert views.middle_line(RAMP.shape) == (48, 0, 48, 127)


def test_histogram_counts_every_pixel_once():
    shares = views.histogram(RAMP)
    assert shares.shape == (views.BINS,) and shares.sum() == pytest.approx(1)
    black_and_white = views.histogram(np.array([[0.0, 1.0, 1.0, 1.0]], np.float32))
    assert black_and_white[0] == 0.25 and black_and_white[-1] == 0.75


def test_describe_counts_photons():
    text = describe(State(eta=0.5, sigma=16.0), 128.0)
    # 64 photons; sqrt(128 / 0.5) = 16 grey levels, equal to the electronic noise.
    assert "64 photons" in text and "16.0 grey levels of quantum noise" in text
    assert "the total is 22.6" in text and "50% of the noise variance" in text
    assert text.endswith(".") and "\n" not in text


def test_describe_black_without_noise():
    assert "no noise" in describe(State(sigma=0.0), 0.0)


# Pictures and text: drawing and captions


def test_quality_table_marks_missing_scores_and_conventions_are_named():
    score = quality(RAMP * np.float32(0.9), RAMP)
    assert drawing.quality_table(State(), score).count("…") == 3
    done = drawing.quality_table(State(eta=0.6), score, score, Levels(0.71, 9.4))
    assert "…" not in done and "0.71" in done and done.count(f"{score.psnr:.2f}") == 2
    conventions = captions.FIXED["conventions"]
    assert all(name in conventions for name in ("PSNR", "SNR", "SSIM", "255", "11-pixel"))


def test_grey_limits_are_fixed():
    ramp = np.array([[-1.0, 0.0, 0.25], [0.5, 1.0, 2.0]])
    np.testing.assert_array_equal(drawing.indices(ramp), [[0, 0, 64], [128, 255, 255]])
    residual = np.array([[-64.0, 0.0, 64.0]]) / 255
    np.testing.assert_array_equal(drawing.residual_indices(residual), [[0, 128, 255]])
    assert drawing.indices(ramp).dtype == np.uint8


def test_level_maps_are_relative_to_the_true_levels():
    state = State(eta=0.8, sigma=30.0)
    maps = np.array([[[0.2, 0.8, 3.2, 0.0]], [[10.0, 30.0, 50.0, 0.0]]], np.float32)
    drawn = drawing.level_indices(maps, state)
    np.testing.assert_array_equal(drawn["eta"], [[0, 128, 255, 0]])
    np.testing.assert_array_equal(drawn["sigma"], [[0, 128, 255, 0]])


@pytest.mark.parametrize(
    ("correlation", "verdict"),
    [
        (0.004, "white, as noise is"),
        (-0.05, "nearly white"),
        (-0.4, "structure"),
        (None, "nothing was removed"),
    ],
)
def test_whiteness_meter_gives_a_verdict(correlation, verdict):
    meter = drawing.whiteness_meter(correlation)
    assert verdict in meter and ("<meter" in meter) == (correlation is not None)


def test_curves_are_named_labelled_and_in_scale():
    curves = {"clean": np.array([0.0, 255.0]), "noisy": np.array([255.0, 0.0, 255.0])}
    svg = drawing.profile_drawing(curves)
    assert svg.count("<polyline") == 2 and 'aria-label="Grey level' in svg and "2 pixels" in svg
    assert 'class="xb-curve xb-clean" points="30.0,134.0 636.0,22.0"' in svg
    svg = drawing.histogram_drawing({"clean": views.histogram(RAMP)})
    assert svg.count("<polyline") == 1 and "6%" in svg


def test_overview_keeps_the_proportions():
    assert drawing.overview(LARGE).shape == (180, 216)
    assert drawing.overview(RAMP).shape == RAMP.shape


# Radiographs and methods: choices


def test_built_in_images_are_offered():
    builtin = collect_images(Source("built-in radiograph"))
    shapes = [image.shape for image in builtin.values()]
    assert shapes == [(384, 384), (768, 768), (448, 448), (448, 448), *6 * [(1024, 1024)]]
    np.testing.assert_array_equal(builtin["built-in: whole chest"], builtin_crop(384))
    chest = builtin["packaged chest: PA, Fibrosis (ChestX-ray8 00022014_000)"]
    np.testing.assert_array_equal(chest, load_chest("00022014_000"))


def test_attribution_of_the_packaged_chests_is_shown(explorer):
    for required in (
        "NIH Clinical Center",
        "https://nihcc.app.box.com/",
        "X. Wang et al.",
        "10.1109",
    ):
        assert required in explorer.canvas.texts["help"]


def test_images_of_a_folder_follow_the_built_in_ones(tmp_path):
    import pandas as pd

    path = tmp_path / "0001.png"
    Image.fromarray((255 * RAMP).astype(np.uint8)).save(path)
    row = {"path": str(path), "image": path.name, "patient_id": "1", "split": "test"}
    images = collect_images(Source("my folder", pd.DataFrame([row])))
    assert list(images)[-1] == "my folder: 0001"
    assert images["my folder: 0001"].shape == RAMP.shape


def as_png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(drawing.indices(image)).save(stream, "PNG")
    return stream.getvalue()


def test_upload_is_recognised_by_its_content():
    np.testing.assert_allclose(read_upload("x.png", as_png(RAMP)), RAMP, atol=0.5 / 255 + 1e-6)
    from pydicom.data import get_testdata_file

    dicom = Path(get_testdata_file("RG1_UNCR.dcm", download=False)).read_bytes()
    assert read_upload("chest.dcm", dicom).shape == (1955, 1841)


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_error_for_a_bad_upload_names_the_file_without_its_folder(content):
    with pytest.raises(XbdcnnError, match=r"^holiday\.png: ") as caught:
        read_upload("holiday.png", content)
    assert "upload" not in str(caught.value)


def test_methods_are_those_installed(tiny_weights, monkeypatch):
    labels = list(collect_methods())
    assert labels[:3] == ["none", "DnCNN", "X-BDCNN (balanced)"]
    assert {"NLM", "TV"} <= set(labels)
    monkeypatch.setattr(choices, "find_spec", lambda name: None)
    assert [label for label in collect_methods() if "BM3D" in label] == []


def test_menu_says_what_each_method_is():
    unexplained = [label for label in collect_methods() if choices.menu_text(label) == label]
    assert [label for label in unexplained if not label.endswith("given")] == []
    labels = {entry.label for entry in zoo.ZOO.values()} | {choices.NO_METHOD, *CLASSICAL}
    assert choices.MEANINGS.keys() <= labels


def test_methods_equal_those_of_the_package(tiny_weights):
    methods = collect_methods()
    noisy = simulate(RAMP, State())
    np.testing.assert_array_equal(methods["none"](noisy, 0.6, 10.0).image, noisy)
    np.testing.assert_array_equal(
        methods["TV"](noisy, 0.6, 10.0).image, CLASSICAL["TV"](noisy, eta=0.6, sigma=10.0)
    )
    pretrained = choices.load_pretrained("xbdcnn")
    image, maps = methods["X-BDCNN (balanced)"](noisy, 0.6, 10.0)
    np.testing.assert_allclose(image, pretrained.denoise(noisy), atol=1e-6)
    assert maps.shape == (2, *RAMP.shape)
    assert tuple(maps.mean(axis=(1, 2))) == pytest.approx(pretrained.estimate(noisy), rel=1e-4)
    assert methods["DnCNN"](noisy, 0.6, 10.0).levels is None


def test_a_network_is_also_offered_with_the_true_levels(tiny_weights):
    methods, noisy = collect_methods(), simulate(RAMP, State())
    assert [label for label in methods if "given" in label] == ["X-BDCNN (balanced), η and σ given"]
    image, maps = methods["X-BDCNN (balanced), η and σ given"](noisy, 0.6, 10.0)
    pretrained = choices.load_pretrained("xbdcnn")
    expected = pretrained.restore(noisy, levels=Levels(0.6, 10.0)).image
    np.testing.assert_allclose(image, expected, atol=1e-6)
    assert maps is None and not np.allclose(image, pretrained.denoise(noisy), atol=1e-4)


@pytest.mark.parametrize(("eta", "words"), [(1.9, "may be weaker than xbdcnn was"), (0.6, "")])
def test_estimates_at_the_edge_of_the_training_come_with_a_warning(tiny_weights, eta, words):
    label = zoo.find_entry("xbdcnn").label

    def estimating(noisy, *_):
        maps = np.stack([np.full(noisy.shape, level, np.float32) for level in (eta, 0.5)])
        return Denoised(noisy, maps)

    start = State(method=label)
    explorer = Explorer({"ramp": RAMP}, METHODS | {label: estimating}, start, pause=0)
    note = text(explorer, "maps-note")
    assert ("warning" in note) == bool(words) and words in note
    explorer.controls["method"].value = "darker"
    assert "warning" not in text(explorer.wait(), "maps-note")


# Background: LatestOnly


def test_superseded_requests_are_never_run():
    done, gate = [], threading.Event()

    def work(request):
        gate.wait(5)
        done.append(request)

    background = LatestOnly(work)
    background.submit(0)
    time.sleep(0.05)  # the first has started
    for request in range(1, 10):
        background.submit(request)
    gate.set()
    background.wait()
    assert done == [0, 9]


def test_equal_request_during_the_work_is_run_again():
    done, begun, gate = [], threading.Event(), threading.Event()

    def work(request):
        begun.set()
        gate.wait(5)
        done.append(request)

    background = LatestOnly(work)
    background.submit(State(seed=1))
    begun.wait(5)
    background.submit(State(seed=1))
    gate.set()
    background.wait()
    assert done == [State(seed=1)] * 2


def test_requests_within_the_pause_are_run_once():
    done = []
    background = LatestOnly(done.append)
    for request in range(5):
        background.submit(request, pause=0.05)
    background.wait()
    background.submit("later")
    background.wait()
    assert done == [4, "later"]


def test_pause_can_be_skipped():
    done = []
    background = LatestOnly(done.append)
    background.submit("slow", pause=60)
    assert done == []
    background.skip_pause()
    background.wait()
    assert done == ["slow"]


@pytest.mark.parametrize("held", [None, True])
def test_restoration_waits_until_a_held_control_is_released(held):
    explorer = Explorer({"ramp": RAMP}, METHODS, State(method="darker"), pause=60)
    explorer.canvas.held = held
    explorer.controls["sigma"].value = 3.0
    time.sleep(0.05)
    assert "restoring" in text(explorer, "caption-restored")
    explorer.canvas.held = False
    explorer.wait()
    assert "restored" in text(explorer, "caption-restored")
    explorer.controls["sigma"].value = 4.0  # the last value may arrive after the release
    explorer.wait()
    assert "restored" in text(explorer, "caption-restored")


# Canvas


@pytest.fixture
def sent(monkeypatch) -> list[tuple[dict, list]]:
    """Every message that is sent to the browser."""
    messages = []
    monkeypatch.setattr(Canvas, "send", lambda self, *message: messages.append(message))
    return messages


def test_canvas_sends_changes_in_one_message_and_everything_to_a_new_view(sent):
    canvas = Canvas()
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    canvas.show({"clean": picture}, {"sentence": "a"}, (0, 0, 2, 3, 2, 3))
    canvas.show({"eta": picture}, {"help": "b"})
    canvas._handle_custom_msg({"ready": True}, [])
    (first, bytes_1), (second, _), (everything, bytes_3) = sent
    shape = {"height": 2, "width": 3}
    assert first["pictures"] == [{"name": "clean", "palette": "grey"} | shape]
    assert [bytes(buffer) for buffer in bytes_1] == [picture.tobytes()]
    assert second["pictures"] == [{"name": "eta", "palette": "diverging"} | shape]
    assert second["region"] == (0, 0, 2, 3, 2, 3)
    assert everything["texts"] == {"sentence": "a", "help": "b"} and len(bytes_3) == 2


def test_canvas_has_a_slot_for_every_picture_and_text(explorer):
    explorer.controls["method"].value = "darker"
    explorer.wait()
    for name in explorer.canvas.pictures:
        assert f'"{name}"' in SCRIPT, name
    for slot in explorer.canvas.texts:
        stem, _, picture = slot.partition("caption-")
        assert f'"{stem}"' in SCRIPT or f'"{picture}"' in SCRIPT, slot


# Widget


def test_initial_widget_is_complete_and_labelled(explorer):
    assert explorer.state == State(image="ramp")
    shown = pictures(explorer)
    assert all(
        shown[name].shape == (96, 128) for name in ("clean", "noisy", "restored", "residual")
    )
    assert "…" not in text(explorer, "scores") and text(explorer, "message") == ""
    assert all(control.description for control in explorer.controls.values())
    eta, sigma = explorer.controls["eta"], explorer.controls["sigma"]
    assert (10**eta.min, 10**eta.max) == pytest.approx((0.1, 10.0))
    assert (sigma.min, sigma.max) == (0.0, 50.0)


def test_noise_is_shown_immediately_and_restoration_later():
    explorer = Explorer({"ramp": RAMP}, METHODS, pause=0.2)
    before, sentence = pictures(explorer), text(explorer, "sentence")
    explorer.controls["eta"].value = 0.2
    moved = pictures(explorer)
    assert (moved["noisy"] != before["noisy"]).any() and moved["clean"] is before["clean"]
    assert moved["restored"] is before["restored"]
    assert "…" in text(explorer, "scores") and text(explorer, "sentence") != sentence
    assert "restoring" in text(explorer, "caption-restored")
    explorer.wait()
    assert (pictures(explorer)["restored"] != before["restored"]).any()
    assert "…" not in text(explorer, "scores")
    assert "restoring" not in text(explorer, "caption-restored")


def test_pictures_equal_those_of_the_pure_functions(explorer):
    explorer.controls["sigma"].value = 25.0
    explorer.controls["method"].value = "darker"
    explorer.controls["seed"].value = 7
    explorer.wait()
    state = State(eta=0.6, sigma=25.0, seed=7, image="ramp", method="darker")
    assert explorer.state == state
    view = denoise_state(RAMP, simulate(RAMP, state), state, METHODS)
    expected = {
        "clean": drawing.indices(RAMP),
        "noisy": drawing.indices(view.noisy),
        "restored": drawing.indices(view.restored),
        "residual": drawing.residual_indices(view.residual),
        "error": drawing.residual_indices(view.restored - RAMP),
        "overview": drawing.overview(RAMP),
    } | drawing.level_indices(view.maps, state)
    shown = pictures(explorer)
    assert shown.keys() == expected.keys()
    for name, picture in expected.items():
        np.testing.assert_array_equal(shown[name], picture, err_msg=name)
    images = {"noisy": view.noisy, "clean": RAMP, "restored": view.restored}
    curves = {name: views.profile(i, views.middle_line(RAMP.shape)) for name, i in images.items()}
    assert text(explorer, "profile") == drawing.profile_drawing(curves)
    assert "darker" in text(explorer, "caption-restored")
    assert "structure" in text(explorer, "whiteness")


def test_wrong_estimate_is_put_into_words(explorer):
    explorer.controls["method"].value = "darker"  # twice the true eta, sigma lower by 5
    note = plain(text(explorer.wait(), "maps-note"))
    assert "estimated η is 2.0 times the true one" in note and "differs by -5.0" in note
    right = captions.restoration_texts(explorer.state, Levels(0.6, 10.0))["maps-note"]
    assert "times" not in right


def test_unexpected_error_is_named():
    assert "unexpected error: KeyError('x')" in html.unescape(captions.error_message(KeyError("x")))


def test_method_without_level_maps_removes_the_old_maps(explorer):
    explorer.controls["method"].value = "darker"
    explorer.wait()
    explorer.controls["method"].value = "none"
    explorer.wait()
    assert pictures(explorer)["eta"].shape == (1, 1)
    assert "estimates no levels" in text(explorer, "maps-note")


def test_eta_equals_its_readout(explorer, sent):
    noisy = pictures(explorer)["noisy"]
    sent.clear()
    explorer.controls["eta"].value = 10**-0.22  # the nearest step of a browser's slider to 0.6
    assert explorer.state.eta == 0.6
    np.testing.assert_array_equal(pictures(explorer)["noisy"], noisy)
    assert sent == [], "nothing has changed, so nothing is computed"


def test_another_radiograph_resets_the_line(explorer):
    explorer.canvas.line = (1, 1, 90, 120)
    explorer.controls["image"].value = "flat"
    explorer.wait()
    shown = pictures(explorer)
    assert {shown[name].shape for name in ("clean", "noisy", "restored")} == {(64, 64)}
    assert explorer.canvas.line is None and "63 pixels" in text(explorer, "profile")


def test_region_follows_the_browser_and_is_reset_by_another_radiograph():
    explorer = Explorer({"large": LARGE, "ramp": RAMP}, METHODS, pause=0)
    assert explorer.canvas.region == (58, 108, 384, 384, 500, 600)
    explorer.canvas.set_state({"corner": [100, 200]})
    explorer.wait()
    assert explorer.state.corner == (100, 200)
    np.testing.assert_array_equal(
        pictures(explorer)["clean"], drawing.indices(LARGE[100:484, 200:584])
    )
    assert explorer.canvas.region[:2] == (100, 200)
    explorer.controls["image"].value = "ramp"
    explorer.wait()
    assert explorer.state.corner is None and text(explorer, "message") == ""
    assert explorer.canvas.region == (0, 0, 96, 128, 96, 128)


def test_region_outside_the_radiograph_shows_an_error():
    explorer = Explorer({"large": LARGE}, METHODS, pause=0)
    explorer.canvas.set_state({"corner": [400, 0]})
    explorer.wait()
    assert "exceeds the radiograph" in text(explorer, "message")


def test_line_changes_only_the_profile(explorer, sent):
    explorer.canvas.set_state({"line": [0, 64, 95, 64]})
    (message, buffers), *others = sent
    assert message["texts"].keys() == {"profile"} and not buffers and not others
    assert "95 pixels" in message["texts"]["profile"]


def from_page(explorer: Explorer, message: dict, *buffers: bytes) -> None:
    """Deliver a message that the page sends."""
    explorer.canvas._handle_custom_msg(message, [memoryview(buffer) for buffer in buffers])


def uploaded(explorer: Explorer, name: str, content: bytes) -> None:
    """Send a file that the user has chosen."""
    from_page(explorer, {"upload": name}, content)
    explorer.wait()


def test_upload_is_shown_and_replaces_an_earlier_one(explorer):
    uploaded(explorer, "one.png", as_png(RAMP[:64]))
    assert explorer.state.image == "upload: one.png"
    assert pictures(explorer)["clean"].shape == (64, 128)
    for _ in range(2):
        uploaded(explorer, "two.png", as_png(RAMP[:32]))
    assert explorer.state.image == "upload: two.png"
    assert pictures(explorer)["clean"].shape == (32, 128)
    assert explorer.controls["image"].options == ("ramp", "flat", "upload: two.png")
    assert explorer._images.keys() == {"ramp", "flat", "upload: two.png"}


def test_upload_is_restored_as_it_is_without_scores(explorer):
    explorer.controls["method"].value = "darker"
    uploaded(explorer, "mine.png", as_png(RAMP))
    image, shown = read_upload("mine.png", as_png(RAMP)), pictures(explorer)
    assert explorer.state.as_it_is
    np.testing.assert_array_equal(shown["noisy"], drawing.indices(image))
    np.testing.assert_array_equal(shown["restored"], drawing.indices(image * np.float32(0.5)))
    assert not shown["clean"].any(), "there is no clean reference"
    assert "PSNR" not in text(explorer, "scores") and "1.20" in text(explorer, "scores")
    assert shown["eta"].shape == (1, 1), "the true levels are not known"
    assert "xb-input" in text(explorer, "profile") and "xb-clean" not in text(explorer, "profile")
    explorer.controls["as_it_is"].value = False
    explorer.wait()
    assert "PSNR" in text(explorer, "scores") and pictures(explorer)["clean"].any()
    explorer.controls["image"].value = "flat"
    assert not explorer.state.as_it_is


def test_download_is_the_restored_region_and_waits_for_it(explorer, sent):
    explorer.controls["method"].value = "darker"
    explorer.wait()
    sent.clear()
    from_page(explorer, {"download": True})
    ((message, (content,)),) = sent
    assert message == {"download": "ramp-darker.png"}
    with Image.open(io.BytesIO(content)) as picture:
        expected = simulate(RAMP, explorer.state) * np.float32(0.5) * 65535
        np.testing.assert_allclose(np.asarray(picture), expected, atol=0.51)
    sent.clear()
    explorer._pause, explorer.canvas.held = 60, True
    explorer.controls["sigma"].value = 3.0
    from_page(explorer, {"download": True})
    assert not [message for message, _ in sent if "download" in message]
    explorer.canvas.held = False
    explorer.wait()
    assert explorer.canvas.downloadable


def test_bad_upload_shows_the_error_and_keeps_the_pictures(explorer):
    before = pictures(explorer)
    uploaded(explorer, "<holiday>.png", b"no")
    assert "&lt;holiday&gt;.png: not a PNG" in text(explorer, "message")
    assert pictures(explorer) == before and explorer.state.image == "ramp"
    explorer.controls["sigma"].value = 3.0
    assert text(explorer, "message") == ""


def test_error_is_shown_until_the_next_result(explorer):
    restored = pictures(explorer)["restored"]
    explorer.controls["method"].value = "broken"
    explorer.wait()
    assert plain(text(explorer, "message")) == "&lt;broken&gt;", "no name of a class"
    assert not pictures(explorer)["restored"].any(), "the old picture is removed"
    explorer.controls["method"].value = "none"
    explorer.wait()
    assert text(explorer, "message") == ""
    np.testing.assert_array_equal(pictures(explorer)["restored"], restored)


def test_errors_of_the_noise_simulation_are_shown():
    explorer = Explorer({"bright": RAMP + 1}, METHODS, pause=0)
    assert "within [0, 1]" in text(explorer, "message")
    explorer.controls["sigma"].value = 3.0
    explorer.wait()
    assert "within [0, 1]" in text(explorer, "message")


def test_result_of_an_earlier_state_is_discarded(sent):
    gate, begun = threading.Event(), threading.Event()

    def slow(noisy, eta, sigma):
        begun.set()
        gate.wait(5)
        return Denoised(noisy * np.float32(0.1))

    explorer = Explorer({"ramp": RAMP}, METHODS | {"slow": slow}, pause=0)
    explorer.controls["method"].value = "slow"
    begun.wait(5)
    sent.clear()
    explorer.controls["method"].value = "darker"
    # The fast method does not wait for the slow one, which is running.
    explorer._workers["darker"].wait()
    gate.set()
    explorer.wait()
    texts = [message["texts"] for message, _ in sent]
    shown = [plain(text["caption-restored"]) for text in texts if "caption-restored" in text]
    assert shown[0] == "restoring … · darker" and len(shown) == 2
    assert re.fullmatch(r"restored · darker · \d\.\d s", shown[1])
    half = drawing.indices(simulate(RAMP, explorer.state) * np.float32(0.5))
    np.testing.assert_array_equal(pictures(explorer)["restored"], half)


@pytest.mark.slow
def test_a_thousand_changes_leak_no_memory_or_objects():
    """Memory grows by less than 5 %, and no widget, figure or thread remains."""
    import matplotlib.pyplot as plt

    explorer = Explorer({"small": RAMP}, METHODS, pause=0)
    process = psutil.Process()

    def moves(count: int) -> tuple[int, ...]:
        for step in range(count):
            explorer.controls["eta"].value = 0.1 + (step % 490) / 100
            explorer.controls["method"].value = ("none", "darker")[step % 2]
        explorer.wait()
        gc.collect()
        widgets = len(ipywidgets.widgets.widget._instances)
        return widgets, len(plt.get_fignums()), threading.active_count()

    before = moves(50)
    memory = process.memory_info().rss
    assert moves(500) == before
    growth = process.memory_info().rss / memory - 1
    print(f"\n1000 changes: memory {growth:+.2%}")
    assert growth < 0.05


def test_a_change_takes_less_than_a_tenth_of_a_second():
    explorer = Explorer({"chest": builtin_crop(384)}, METHODS, pause=0.5)
    times = []
    for step in range(12):
        started = time.perf_counter(), time.thread_time()
        explorer.controls["sigma"].value = 5.0 + step
        times.append((time.perf_counter() - started[0], time.thread_time() - started[1]))
    seconds, work = np.median(times, axis=0)
    print(f"\na change: {1e3 * seconds:.0f} ms, of which {1e3 * work:.0f} ms of CPU time")
    # CPU time, because on a busy machine the elapsed time includes waiting.
    assert work < 0.1
    explorer.wait()


def test_explore_starts_with_the_balanced_network_if_it_is_shipped(tiny_weights, monkeypatch):
    source = Source("built-in radiograph")
    assert explore(source).state.method == "X-BDCNN (balanced)"
    weight_files.CHECKSUMS.write_text("{}")
    assert explore(source).state.method == "none"


# Exercises


def exercise_cells() -> list:
    import jupytext

    return [cell for cell in jupytext.read(EXERCISES).cells if cell.cell_type == "code"]


def run_exercises(monkeypatch, tmp_path, solved: bool) -> list[Exception | None]:
    """Run all cells, without the solutions if not `solved`; one outcome per check cell."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XBDCNN_DATA", raising=False)
    scope, outcomes = {"__name__": "__main__"}, []
    for cell in exercise_cells():
        tags = cell.metadata.get("tags", [])
        if "solution" in tags and not solved:
            continue
        try:
            source = cell.source.replace('profile = "quick"', 'profile = "smoke"')
            exec(compile(source, EXERCISES.name, "exec"), scope)
        except Exception as error:
            if "check" not in tags:
                raise
            outcomes.append(error)
        else:
            outcomes += [None] if "check" in tags else []
    return outcomes


def test_every_exercise_has_starter_solution_and_check():
    kinds = ("starter", "solution", "check")
    tags = [tag for cell in exercise_cells() for tag in cell.metadata.get("tags", [])]
    found = [tag for tag in tags if tag in kinds]
    assert len(found) >= 3 * 6 and found == list(kinds) * (len(found) // 3)


@pytest.mark.slow
def test_solutions_pass_their_checks(monkeypatch, tmp_path):
    outcomes = run_exercises(monkeypatch, tmp_path, solved=True)
    assert outcomes == [None] * len(outcomes) and len(outcomes) >= 6


@pytest.mark.slow
def test_checks_fail_without_the_solutions(monkeypatch, tmp_path):
    outcomes = run_exercises(monkeypatch, tmp_path, solved=False)
    assert len(outcomes) >= 6
    assert all(isinstance(outcome, AssertionError) for outcome in outcomes), outcomes
