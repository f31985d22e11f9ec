"""The noise explorer without a browser, and the two notebooks that rest on it."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace
from pathlib import Path

import ipywidgets
import numpy as np
import pytest
import torch
from PIL import Image

from xbdcnn import metrics, zoo
from xbdcnn.classical import CLASSICAL
from xbdcnn.data import Source, builtin_crop
from xbdcnn.errors import XbdcnnError
from xbdcnn.explorer import Explorer, State, collect_images, collect_restorers, explore, views
from xbdcnn.explorer.background import LatestOnly
from xbdcnn.explorer.views import Restoration, crop, describe, png, quality, restore, simulate
from xbdcnn.inference import Levels
from xbdcnn.models import BALANCED

EXERCISES = Path(__file__).parents[1] / "notebooks" / "10_exercises.py"
RAMP = np.tile(np.linspace(0.1, 0.9, 128, dtype=np.float32), (96, 1))


def darker(noisy, eta, sigma):
    return Restoration(noisy * np.float32(0.5), Levels(eta, sigma))


def nothing(noisy, eta, sigma):
    return Restoration(noisy)


def broken(noisy, eta, sigma):
    raise XbdcnnError("<no luck>")


RESTORERS = {"none": nothing, "darker": darker, "broken": broken}


@pytest.fixture(autouse=True)
def one_thread():
    """On a busy machine two threads spend their time waiting for each other at every product."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def explorer() -> Explorer:
    return Explorer({"ramp": RAMP, "flat": np.full((64, 64), 0.5, np.float32)}, RESTORERS, pause=0)


@pytest.fixture
def tiny_weights(tmp_path, monkeypatch) -> None:
    """Two small untrained networks in the place of the shipped ones."""
    monkeypatch.setattr(zoo, "WEIGHTS", tmp_path)
    monkeypatch.setattr(zoo, "CHECKSUMS", tmp_path / "checksums.json")
    views._loaded.cache_clear()
    for name, recipe in (("xbdcnn", replace(BALANCED, width=4)), ("dncnn", zoo.PLAIN_MSE)):
        architecture = zoo.entry(name).architecture
        network = zoo.build_network(architecture, recipe)
        zoo.save_weights(network, tmp_path / "new.safetensors", architecture, recipe, name=name)
        zoo.ship(tmp_path / "new.safetensors", name)
    yield
    views._loaded.cache_clear()


def pictures(explorer: Explorer) -> dict[str, bytes]:
    return {name: picture.value for name, picture in explorer.pictures.items()}


# Pure functions


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


def test_simulation_refuses_what_the_noise_model_refuses():
    with pytest.raises(XbdcnnError, match="eta"):
        simulate(RAMP, State(eta=0.0))


def test_view_agrees_with_metrics_and_adds_up():
    state = State(method="darker")
    noisy = simulate(RAMP, state)
    view = restore(RAMP, noisy, state, RESTORERS)
    np.testing.assert_array_equal(view.restored, noisy * np.float32(0.5))
    np.testing.assert_allclose(view.residual + view.restored, noisy, atol=1e-7)
    for scores, image in ((view.before, noisy), (view.after, view.restored)):
        assert scores.psnr == metrics.psnr(image, RAMP)
        assert scores.snr == metrics.snr(image, RAMP)
        assert scores.ssim == metrics.ssim(image, RAMP, data_range=1.0, window="gaussian")
    assert view.levels == (state.eta, state.sigma)


def test_unknown_method_is_named_with_the_choices():
    with pytest.raises(XbdcnnError, match=r"'magic'.*none, darker"):
        restore(RAMP, RAMP, State(method="magic"), RESTORERS)


def test_crop_takes_the_centre_or_a_corner_and_never_leaves_the_image():
    image = np.arange(400 * 500, dtype=np.float32).reshape(400, 500)
    assert crop(image).shape == (384, 384)
    assert crop(image)[0, 0] == image[8, 58]
    assert crop(image, (16, 116))[-1, -1] == image[-1, -1]
    assert crop(RAMP).shape == RAMP.shape
    for corner in ((17, 0), (0, 117), (-1, 0)):
        with pytest.raises(XbdcnnError, match="leaves the radiograph of 400 x 500"):
            crop(image, corner)


def test_describe_counts_photons():
    text = describe(State(eta=0.5, sigma=16.0), 128.0)
    # 64 photons; sqrt(128 / 0.5) = 16 grey levels, as much as the thermal noise: half each.
    assert "64 photons" in text and "fluctuates by 16.0" in text
    assert "makes 22.6" in text and "50% of the noise variance" in text
    assert text.endswith(".") and "\n" not in text


def test_describe_black_without_noise():
    assert "nothing to fluctuate" in describe(State(sigma=0.0), 0.0)


def test_quality_table_names_the_convention_and_waits():
    score = quality(RAMP * np.float32(0.9), RAMP)
    waiting = views.quality_table(State(), score)
    assert waiting.count("…") == 3 and views.SSIM_CONVENTION in waiting
    done = views.quality_table(State(eta=0.6), score, score, Levels(0.71, 9.4))
    assert "…" not in done and "0.71" in done and done.count(f"{score.psnr:.2f}") == 2


def test_png_has_fixed_grey_limits():
    ramp = np.array([[-1.0, 0.0, 0.25], [0.5, 1.0, 2.0]])
    decoded = np.asarray(Image.open(io.BytesIO(png(ramp))))
    np.testing.assert_array_equal(decoded, [[0, 0, 64], [128, 255, 255]])
    residual = np.array([[-64.0, 0.0, 64.0]]) / 255
    decoded = np.asarray(Image.open(io.BytesIO(views.residual_png(residual))))
    np.testing.assert_array_equal(decoded, [[0, 128, 255]])


def test_images_to_choose_from():
    builtin = collect_images(Source("built-in radiograph"))
    assert [image.shape for image in builtin.values()] == [(384, 384), (448, 448), (448, 448)]
    np.testing.assert_array_equal(builtin["built-in: whole chest"], builtin_crop(384))


def test_images_of_a_folder_come_after_the_built_in_ones(tmp_path):
    import pandas as pd

    path = tmp_path / "0001.png"
    Image.fromarray((255 * RAMP).astype(np.uint8)).save(path)
    row = {"path": str(path), "image": path.name, "patient_id": "1", "split": "test"}
    images = collect_images(Source("my folder", pd.DataFrame([row])))
    assert list(images)[-1] == "my folder: 0001"
    assert images["my folder: 0001"].shape == RAMP.shape


def test_restorers_are_what_is_installed(tiny_weights, monkeypatch):
    labels = list(collect_restorers())
    assert labels[:3] == ["none", "DnCNN", "X-BDCNN balanced"]
    assert {"NLM", "TV"} <= set(labels)
    monkeypatch.setattr(views, "find_spec", lambda name: None)
    assert [label for label in collect_restorers() if "BM3D" in label] == []


def test_restorers_do_what_the_package_does(tiny_weights):
    restorers = collect_restorers()
    noisy = simulate(RAMP, State())
    np.testing.assert_array_equal(restorers["none"](noisy, 0.6, 10.0).image, noisy)
    np.testing.assert_array_equal(
        restorers["TV"](noisy, 0.6, 10.0).image, CLASSICAL["TV"](noisy, eta=0.6, sigma=10.0)
    )
    pretrained = views.load_pretrained("xbdcnn")
    image, levels = restorers["X-BDCNN balanced"](noisy, 0.6, 10.0)
    np.testing.assert_allclose(image, pretrained.denoise(noisy), atol=1e-6)
    assert levels == pytest.approx(pretrained.estimate(noisy), rel=1e-5)
    assert restorers["DnCNN"](noisy, 0.6, 10.0).levels is None


# The newest request only


def test_overtaken_requests_are_never_run():
    done, gate = [], threading.Event()

    def work(request):
        gate.wait(5)
        done.append(request)

    background = LatestOnly(work, pause=0)
    background.ask(0)
    time.sleep(0.05)  # the first is under way
    for request in range(1, 10):
        background.ask(request)
    gate.set()
    background.wait()
    assert done == [0, 9]


def test_a_pause_spares_the_work():
    done = []
    background = LatestOnly(done.append, pause=0.05)
    for request in range(5):
        background.ask(request)
    background.wait()
    background.ask("later")
    background.wait()
    assert done == [4, "later"]


# The widget


def test_widget_opens_complete_and_labelled(explorer):
    assert explorer.state == State(image="ramp")
    sizes = {Image.open(io.BytesIO(value)).size for value in pictures(explorer).values()}
    assert sizes == {(128, 96)}
    assert "…" not in explorer.table.value and views.SSIM_CONVENTION in explorer.table.value
    assert all(control.description for control in explorer.controls.values())
    eta, sigma = explorer.controls["eta"], explorer.controls["sigma"]
    assert (10**eta.min, 10**eta.max) == pytest.approx((0.1, 5.0))
    assert (sigma.min, sigma.max) == (0.0, 50.0)
    assert int(explorer.box.layout.max_width.removesuffix("px")) <= 1024


def test_noise_follows_at_once_and_restoration_later(explorer):
    before, sentence = pictures(explorer), explorer.sentence.value
    explorer._background._pause = 0.2
    explorer.controls["eta"].value = 0.2
    moved = pictures(explorer)
    assert moved["noisy"] != before["noisy"] and moved["clean"] == before["clean"]
    assert moved["restored"] == before["restored"]
    assert "…" in explorer.table.value and explorer.sentence.value != sentence
    assert "restoring" in explorer.captions["restored"].value
    explorer.wait()
    assert pictures(explorer)["restored"] != before["restored"]
    assert "…" not in explorer.table.value
    assert explorer.captions["restored"].value == "restored (none)"


def test_pictures_are_those_of_the_pure_functions(explorer):
    explorer.controls["sigma"].value = 25.0
    explorer.controls["method"].value = "darker"
    explorer.controls["seed"].value = 7
    explorer.wait()
    state = State(eta=0.6, sigma=25.0, seed=7, image="ramp", method="darker")
    assert explorer.state == state
    view = restore(RAMP, simulate(RAMP, state), state, RESTORERS)
    assert pictures(explorer) == {
        "clean": png(RAMP),
        "noisy": png(view.noisy),
        "restored": png(view.restored),
        "residual": views.residual_png(view.residual),
    }


def test_another_radiograph(explorer):
    explorer.controls["image"].value = "flat"
    explorer.wait()
    assert {Image.open(io.BytesIO(v)).size for v in pictures(explorer).values()} == {(64, 64)}


def test_errors_show_in_the_widget_and_go_away(explorer):
    restored = explorer.pictures["restored"].value
    explorer.controls["method"].value = "broken"
    explorer.wait()
    assert "XbdcnnError: &lt;no luck&gt;" in explorer.message.value
    assert explorer.pictures["restored"].value != restored, "an old picture must not stay"
    explorer.controls["method"].value = "none"
    explorer.wait()
    assert explorer.message.value == "" and explorer.pictures["restored"].value == restored


def test_errors_of_the_noise_show_too():
    explorer = Explorer({"bright": RAMP + 1}, RESTORERS, pause=0)
    assert "within [0, 1]" in explorer.message.value
    explorer.controls["sigma"].value = 3.0
    explorer.wait()
    assert "within [0, 1]" in explorer.message.value


def test_a_result_that_comes_too_late_is_dropped():
    gate = threading.Event()

    def slow(noisy, eta, sigma):
        gate.wait(5)
        return Restoration(noisy * np.float32(0.1))

    explorer = Explorer({"ramp": RAMP}, RESTORERS | {"slow": slow, "late": slow}, pause=0)
    shown = []
    explorer.pictures["restored"].observe(lambda change: shown.append(change["new"]), "value")
    explorer.controls["method"].value = "slow"
    time.sleep(0.05)
    explorer.controls["method"].value = "darker"
    gate.set()
    explorer.wait()
    noisy = simulate(RAMP, explorer.state)
    assert shown == [png(noisy * np.float32(0.5))]


def test_200_moves_make_no_new_widgets_figures_or_threads():
    import matplotlib.pyplot as plt

    explorer = Explorer({"small": RAMP[:32, :32]}, RESTORERS, pause=0.1)
    explorer.controls["eta"].value = 1.0
    explorer.wait()
    counts = [(_widget_count(), len(plt.get_fignums()), threading.active_count())]
    for step in range(200):
        explorer.controls["eta"].value = 0.1 + step / 100
    explorer.wait()
    counts.append((_widget_count(), len(plt.get_fignums()), threading.active_count()))
    assert counts[0] == counts[1]


def _widget_count() -> int:
    return len(ipywidgets.widgets.widget._instances)


def test_a_move_is_fast():
    explorer = Explorer({"chest": builtin_crop(384)}, RESTORERS, pause=0.5)
    times = []
    for step in range(12):
        started = time.perf_counter()
        explorer.controls["sigma"].value = 5.0 + step
        times.append(time.perf_counter() - started)
    # About 0.03 s on an idle core; the bound leaves room for a busy one.
    assert np.median(times) < 0.25
    explorer.wait()


def test_explore_opens_on_the_balanced_network_if_it_is_shipped(tiny_weights, monkeypatch):
    source = Source("built-in radiograph")
    assert explore(source).state.method == "X-BDCNN balanced"
    zoo.CHECKSUMS.write_text("{}")
    assert explore(source).state.method == "none"


# The exercises


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


def test_solutions_pass_their_checks(monkeypatch, tmp_path):
    outcomes = run_exercises(monkeypatch, tmp_path, solved=True)
    assert outcomes == [None] * len(outcomes) and len(outcomes) >= 6


def test_checks_fail_without_the_solutions(monkeypatch, tmp_path):
    outcomes = run_exercises(monkeypatch, tmp_path, solved=False)
    assert len(outcomes) >= 6
    assert all(isinstance(outcome, AssertionError) for outcome in outcomes), outcomes
