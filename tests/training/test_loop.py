"""The training loop: learning, exact resume, checkpoints and errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data import find_source
from xbdcnn.inference import zoo
from xbdcnn.inference.weights import build_network, load_network, read_weights, shipped_path
from xbdcnn.models import AS_RELEASED, AS_WRITTEN, BALANCED, XBDCNN
from xbdcnn.noise import add_hybrid_noise
from xbdcnn.study.trainings import training_row
from xbdcnn.training import batches, distributed, loop, named, objectives
from xbdcnn.training.batches import TrainConfig, draw_batch, learning_rate, validation_batch
from xbdcnn.training.loop import train
from xbdcnn.training.named import train_named
from xbdcnn.training.objectives import score

CPU = torch.device("cpu")
SMALL = replace(BALANCED, width=8)
ONE_MAP = replace(SMALL, level_maps="standard deviation")
CONFIG = TrainConfig(patches=32, patch_size=32, batch_size=4, validate_every=4)


def ramps(count: int = 3, side: int = 48) -> list[np.ndarray]:
    y, x = np.mgrid[:side, :side] / side
    return [((x * (i + 1) + y) / (i + 2)).astype(np.float32) for i in range(count)]


def state_of(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def assert_equal_states(first, second):
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_defaults_follow_the_paper():
    config = TrainConfig()
    assert config.steps == 140_000
    assert config.patches == 8_960_000
    assert (config.patch_size, config.batch_size) == (128, 64)
    assert learning_rate(69_999, config) == 1e-3
    assert learning_rate(70_000, config) == 1e-4


def test_cosine_schedule_decreases_from_first_to_last_rate():
    config = replace(CONFIG, schedule="cosine", learning_rates=(1e-2, 1e-4))
    rates = [learning_rate(step, config) for step in range(config.steps + 1)]
    assert rates[0] == 1e-2
    assert rates[-1] == pytest.approx(1e-4)
    assert rates == sorted(rates, reverse=True)


def test_batches_depend_on_seed_and_step_only():
    pool = batches.as_pool(ramps())
    first, again = (draw_batch(pool, SMALL, CONFIG, 7, CPU) for _ in range(2))
    later = draw_batch(pool, SMALL, CONFIG, 8, CPU)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.clean, later.clean)
    assert first.clean.shape == first.noisy.shape == (4, 1, 32, 32)
    assert first.eta.shape == first.sigma.shape == (4,)


def test_networks_with_the_same_seed_see_the_same_noise():
    pool = batches.as_pool(ramps())
    written = draw_batch(pool, AS_WRITTEN, CONFIG, 3, CPU)
    balanced = draw_batch(pool, BALANCED, CONFIG, 3, CPU)
    released = draw_batch(pool, AS_RELEASED, CONFIG, 3, CPU)
    assert torch.equal(written.noisy, balanced.noisy)
    assert torch.equal(written.clean, released.clean)
    assert torch.equal(released.sigma, released.sigma.round())


def test_patches_are_rotated_only_with_augmentation():
    image = np.arange(40 * 40).reshape(40, 40) % 251 / 255.0
    pool = batches.as_pool([image])
    patch = draw_batch(pool, SMALL, CONFIG, 0, CPU).clean[0, 0] * 255
    steps = patch.diff(dim=1)
    assert ((steps - 1).abs() < 1e-3).float().mean() > 0.9
    rotated = [
        draw_batch(pool, SMALL, replace(CONFIG, augment=True), step, CPU).clean[0, 0] * 255
        for step in range(8)
    ]
    assert any(((t.diff(dim=1) - 1).abs() > 1e-3).float().mean() > 0.9 for t in rotated)


def test_validation_noise_is_fixed_and_covers_the_range():
    first, again = (validation_batch(ramps(20), CONFIG) for _ in range(2))
    assert torch.equal(first.noisy, again.noisy)
    assert first.eta.min() < 0.5 and first.eta.max() > 1.8
    assert first.sigma.min() < 1.0 and first.sigma.max() > 19.0


@pytest.mark.slow
def test_training_reduces_the_loss_and_logs_it(tmp_path):
    config = replace(CONFIG, patches=480, validate_every=20, learning_rates=(3e-3, 3e-4))
    network = build_network("xbdcnn", SMALL)
    history = train(network, SMALL, ramps(), ramps(), config, tmp_path, progress=False)
    assert history["val_psnr"].iloc[-1] > history["val_psnr"].iloc[0] + 1
    assert list(history["step"]) == [20, 40, 60, 80, 100, 120]
    logged = pd.read_csv(tmp_path / "log.csv")
    pd.testing.assert_frame_equal(logged, history, check_exact=False)
    assert {"loss_mse", "loss_ssim", "loss_asymm", "loss_tv", "val_eta_rmse"} <= set(history)
    assert history["val_ssim"].between(0, 1).all()


def test_the_best_validated_weights_are_kept():
    network = build_network("xbdcnn", SMALL)
    history = train(network, SMALL, ramps(), ramps(), CONFIG, progress=False)
    scores = score(network, validation_batch(ramps(), CONFIG), SMALL, CPU)
    assert scores["val_psnr"] == pytest.approx(history["val_psnr"].max(), abs=1e-4)


def test_the_one_map_of_a_batch_is_the_spread_of_its_noise():
    batch = draw_batch(batches.as_pool(ramps(side=32)), ONE_MAP, CONFIG, 0, CPU)
    truth = objectives.true_levels(batch, ONE_MAP)
    assert truth.shape == batch.clean.shape and truth.std(dim=(1, 2, 3)).min() > 0
    levels = batch.clean, batch.eta, batch.sigma
    generator = torch.Generator().manual_seed(0)
    noisy = [add_hybrid_noise(*levels, generator, clip=False) for _ in range(400)]
    spread = (torch.stack(noisy) - batch.clean).square().mean(dim=0).sqrt()
    torch.testing.assert_close(
        (spread / truth).mean(dim=(1, 2, 3)), torch.ones(4), rtol=0, atol=0.01
    )
    assert objectives.true_levels(batch, SMALL).shape == (4, 2, 32, 32)


def test_the_error_of_the_one_map_is_scored_in_grey_levels():
    batch = validation_batch(ramps(), CONFIG)
    truth = objectives.true_levels(batch, ONE_MAP)
    off_by_2 = objectives.map_errors(truth + 2 / 255, batch, ONE_MAP)
    assert off_by_2 == {"val_noise_rmse": pytest.approx(2, rel=1e-3)}
    scores = score(XBDCNN(ONE_MAP), batch, ONE_MAP, CPU)
    assert scores.keys() == {"val_psnr", "val_ssim", "val_noise_rmse"}


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("architecture", ["xbdcnn", "dncnn"])
@pytest.mark.slow
def test_resume_is_exact(tmp_path, monkeypatch, architecture, ema):
    recipe = SMALL if architecture == "xbdcnn" else zoo.MSE_ONLY
    config = replace(CONFIG, ema=ema, checkpoint_seconds=0.0, patches=24, validate_every=2)
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    whole = build_network(architecture, recipe)
    train(whole, recipe, ramps(), ramps(), config, tmp_path / "whole", progress=False)

    class Killed(Exception):
        pass

    def killed_at_step_4(pool, recipe, config, step, device):
        if step == 4:
            raise Killed
        return draw_batch(pool, recipe, config, step, device)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(objectives, "draw_batch", killed_at_step_4)
        broken = build_network(architecture, recipe)
        train(broken, recipe, ramps(), ramps(), config, tmp_path / "killed", progress=False)
    resumed = build_network(architecture, recipe, seed=99)
    train(resumed, recipe, ramps(), ramps(), config, tmp_path / "killed", progress=False)
    assert_equal_states(state_of(whole), state_of(resumed))
    logged = pd.read_csv(tmp_path / "killed" / "log.csv")
    assert logged["cpu_seconds"].is_monotonic_increasing and logged["seconds"].iloc[0] > 0


def test_checkpoints_from_before_a_field_are_of_its_default(tmp_path):
    network = build_network("xbdcnn", SMALL)
    first = train(network, SMALL, ramps(), ramps(), CONFIG, tmp_path, progress=False)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["identity"]["recipe"]["level_maps"], state["identity"]["config"]["initial"]
    torch.save(state, tmp_path / "checkpoint.pt")
    again = train(network, SMALL, ramps(), ramps(), CONFIG, tmp_path, progress=False)
    pd.testing.assert_frame_equal(first, again)
    with pytest.raises(XbdcnnError, match="checkpoint of another"):
        train(XBDCNN(ONE_MAP), ONE_MAP, ramps(), ramps(), CONFIG, tmp_path, progress=False)


@pytest.mark.parametrize("changed", ["config", "recipe", "images", "network"])
def test_checkpoint_of_another_run_is_rejected(tmp_path, changed):
    network = build_network("xbdcnn", SMALL)
    train(network, SMALL, ramps(), ramps(), CONFIG, tmp_path, progress=False)
    config = replace(CONFIG, seed=1) if changed == "config" else CONFIG
    recipe = replace(SMALL, alpha=0.2) if changed == "recipe" else SMALL
    images = ramps(2) if changed == "images" else ramps()
    if changed == "network":
        network = build_network("dncnn", SMALL)
    with pytest.raises(XbdcnnError, match=r"checkpoint\.pt: checkpoint of another"):
        train(network, recipe, images, ramps(), config, tmp_path, progress=False)


def test_checkpoint_from_before_a_setting_was_added_had_its_default(tmp_path):
    network = build_network("xbdcnn", SMALL)
    train(network, SMALL, ramps(), ramps(), CONFIG, tmp_path, progress=False)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    del state["identity"]["recipe"]["loss_scale"], state["identity"]["config"]["initial"]
    torch.save(state, tmp_path / "checkpoint.pt")
    again = train(network, SMALL, ramps(), ramps(), CONFIG, tmp_path, progress=False)
    assert again["step"].iloc[-1] == CONFIG.steps
    grey = replace(SMALL, loss_scale=255.0)
    with pytest.raises(XbdcnnError, match="checkpoint of another"):
        train(network, grey, ramps(), ramps(), CONFIG, tmp_path, progress=False)


def test_damaged_checkpoint_is_rejected_by_name(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(XbdcnnError, match=r"checkpoint\.pt: damaged checkpoint"):
        train(XBDCNN(SMALL), SMALL, ramps(), ramps(), CONFIG, tmp_path, progress=False)


def test_infinite_loss_stops_the_run():
    config = replace(CONFIG, learning_rates=(1e30, 1e30), patches=400)
    with pytest.raises(XbdcnnError, match="lower `learning_rates`"):
        train(XBDCNN(SMALL), SMALL, ramps(), ramps(), config, progress=False)


def test_missing_and_small_images_are_rejected():
    with pytest.raises(XbdcnnError, match="no training images"):
        train(XBDCNN(SMALL), SMALL, [], ramps(), CONFIG, progress=False)
    with pytest.raises(XbdcnnError, match="no validation images"):
        train(XBDCNN(SMALL), SMALL, ramps(), [], CONFIG, progress=False)
    with pytest.raises(XbdcnnError, match="16 pixels wide"):
        train(XBDCNN(SMALL), SMALL, ramps(side=16), ramps(), CONFIG, progress=False)


@pytest.mark.slow
def test_training_with_bfloat16_clipping_and_augmentation():
    config = replace(CONFIG, precision="bf16", clip_norm=0.1, augment=True)
    history = train(XBDCNN(SMALL), SMALL, ramps(), ramps(), config, progress=False)
    assert np.isfinite(history["loss"]).all()
    again = train(XBDCNN(SMALL), SMALL, ramps(), ramps(), CONFIG, progress=False)
    assert len(again) == 2


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16"), (False, "fp32")])
def test_the_arithmetic_that_the_device_supports_is_used_shown_and_recorded(
    native, expected, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(distributed, "native_bfloat16", lambda device: native)
    used = set()

    class Watched(XBDCNN):
        def forward(self, x):
            used.add(torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu"))
            return super().forward(x)

    config = replace(CONFIG, patches=4, precision="bf16")
    network = Watched(SMALL)
    history = train(network, SMALL, ramps(), ramps(), config)
    assert (torch.bfloat16 in used) is native
    assert f"training, {expected}" in capsys.readouterr().err
    held_out = validation_batch(ramps(), config)
    facts = named.training_facts(network, SMALL, config, history, held_out)
    assert facts["arithmetic"] == expected and facts["budget"]["precision"] == "bf16"


@pytest.mark.parametrize("precision", ["no", "fp16"])
def test_only_bfloat16_is_replaced_on_a_device_without_it(precision, monkeypatch):
    monkeypatch.setattr(distributed, "native_bfloat16", lambda device: False)
    assert distributed.autocast_format(precision, torch.device("cpu")) == precision


@pytest.mark.slow
def test_train_named_exports_weights_with_provenance(tmp_path, monkeypatch):
    monkeypatch.delenv("XBDCNN_DATA", raising=False)
    path = train_named("xbdcnn", find_source(), CONFIG, tmp_path, width=8, progress=False)
    seen = []
    monkeypatch.setattr(named, "train", lambda *args: seen.extend(args[2]) or train(*args))
    train_named("xbdcnn", find_source(), CONFIG, tmp_path / "few", 8, count=3, progress=False)
    assert len(seen) == 3
    network, header = load_network(path)
    assert path.name == "xbdcnn.safetensors"
    assert header["recipe"]["width"] == network.recipe.width == 8
    assert header["budget"]["patches"] == 32
    assert header["provenance"]["data"] == "built-in radiograph"
    assert len(header["provenance"]["data_sha256"]) == 64
    held_out = validation_batch(find_source().images("val", named.VALIDATION_IMAGES), CONFIG)
    found = score(network, held_out, network.recipe, torch.device("cpu"))["val_psnr"]
    assert found == pytest.approx(header["scores"]["stored_psnr"], abs=1e-3) and found > 10
    assert header["scores"]["val_psnr"] == pytest.approx(found, abs=0.02)
    assert header["seconds"] > 0 and header["cpu_seconds"] > 0
    assert header["arithmetic"] == training_row(path)["arithmetic"] == "fp32"
    log = pd.read_csv(tmp_path / "log.csv")
    assert header["curve"]["patches"] == log["patches"].tolist()
    assert header["curve"]["val_psnr"] == log["val_psnr"].round(3).tolist()


@pytest.mark.slow
def test_a_run_that_starts_from_weights_adds_what_was_spent_before(tmp_path, monkeypatch):
    monkeypatch.delenv("XBDCNN_DATA", raising=False)
    source = find_source()
    first = train_named("xbdcnn", source, CONFIG, tmp_path / "a", width=8, progress=False)
    known, earlier = read_weights(first)
    rates = replace(CONFIG, learning_rates=(1e-12, 1e-12))
    start = {"width": 8, "progress": False, "initial": first}
    path = train_named("xbdcnn", source, rates, tmp_path / "b", **start)
    state, header = read_weights(path)
    assert all(torch.allclose(state[n], known[n], atol=1e-6) for n in known if state[n].ndim == 4)
    assert header["budget"]["patches"] == 2 * CONFIG.patches
    assert header["budget"]["initial"] == sha256_of(first)
    assert header["earlier"] == [earlier["budget"]]
    assert header["curve"]["patches"] == [16, 32, 48, 64]
    assert header["cpu_seconds"] > earlier["cpu_seconds"] and header["scores"]["step"] > 4
    with pytest.raises(XbdcnnError, match="records no cpu_seconds"):
        train_named("dncnn", source, CONFIG, tmp_path / "d", initial=shipped_path("dncnn"))
    with pytest.raises(XbdcnnError, match="weights of another network or recipe"):
        train_named("dncnn", source, CONFIG, tmp_path / "c", initial=first)
