"""Batches depend on (seed, step) only, and in the same way in every version of the package."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from xbdcnn import paper
from xbdcnn.data import build_store
from xbdcnn.models import AS_RELEASED, BALANCED, Recipe
from xbdcnn.training import batches
from xbdcnn.training.batches import (
    StoredPatches,
    TrainConfig,
    as_pool,
    draw_batch,
    pool_digest,
    to_gpu_if_it_fits,
)
from xbdcnn.training.distributed import shard_batch

CPU = torch.device("cpu")
CONFIG = TrainConfig(patch_size=32, batch_size=6, seed=3)


def images(count: int = 3) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [rng.random((40 + 7 * k, 52)).astype(np.float32) for k in range(count)]


def reference_batch(pool: list[torch.Tensor], recipe: Recipe, config: TrainConfig, step: int):
    """Reference implementation: the batches of all versions since the first release."""
    generator = torch.Generator().manual_seed(config.seed * 1_000_003 + step)
    side, patches = config.patch_size, []
    for _ in range(config.batch_size):
        index, u, v, rotation, flip = torch.rand(5, generator=generator).tolist()
        image = pool[int(index * len(pool))]
        top, left = int(u * (image.shape[0] - side + 1)), int(v * (image.shape[1] - side + 1))
        patch = image[top : top + side, left : left + side]
        if config.augment:
            patch = torch.rot90(patch, int(4 * rotation))
            patch = patch.flip(0) if flip < 0.5 else patch
        patches.append(patch)
    clean = torch.stack(patches)[:, None].float() / 255.0
    if recipe.level_sampling == "grid":
        eta = torch.randint(4, 19, (config.batch_size,), generator=generator) / 10.0
        sigma = torch.randint(0, 20, (config.batch_size,), generator=generator).float()
    else:
        unit = torch.rand(2, config.batch_size, generator=generator)
        (e0, e1), (s0, s1) = paper.ETA_RANGE, paper.SIGMA_RANGE
        low, high = torch.tensor([e0, s0]), torch.tensor([e1, s1])
        eta, sigma = low[:, None] + (high - low)[:, None] * unit
    white = 255.0 * eta[:, None, None, None].expand_as(clean)
    counts = torch.poisson(white * clean, generator=generator)
    normal = torch.randn(clean.shape, generator=generator)
    electronic = normal * (sigma / 255.0)[:, None, None, None]
    return clean, (counts / white + electronic).clamp(0.0, 1.0), eta, sigma


@pytest.mark.parametrize("recipe", [BALANCED, AS_RELEASED])
@pytest.mark.parametrize("augment", [False, True])
def test_batches_equal_the_reference_implementation(recipe, augment):
    pool, config = as_pool(images()), replace(CONFIG, augment=augment)
    for step in (0, 1, 12_345):
        batch = shard_batch(draw_batch(pool, recipe, config, step, CPU), 0, 1)
        expected = reference_batch(pool, recipe, config, step)
        assert all(torch.equal(a, b) for a, b in zip(batch[:4], expected[:4], strict=True))


def test_fields_of_the_configuration_and_pool_digest_stay_the_same():
    """Both are part of every checkpoint: after a change, no checkpoint could be resumed."""
    assert set(TrainConfig.__dataclass_fields__) == {
        "patches", "patch_size", "batch_size", "learning_rates", "schedule", "precision", "ema",
        "clip_norm", "augment", "validate_every", "checkpoint_seconds", "seed", "initial",
    }  # fmt: skip
    pool = as_pool([np.arange(256).reshape(16, 16) / 255])
    expected = "b70ecec245fa3292"
    assert pool_digest(pool).startswith(expected)


def test_patches_show_the_border_of_an_image_more_often_than_by_chance():
    starts = [batches.draw_start(float(u), 960, 32) for u in torch.rand(4000)]
    assert min(starts) == 0 and max(starts) == 960
    for border in (0, 960):
        assert np.mean([start == border for start in starts]) == pytest.approx(32 / 1025, abs=0.01)
    by_chance = [batches.draw_start(float(u), 960, 0) for u in torch.rand(4000)]
    assert np.mean([start in (0, 960) for start in by_chance]) < 0.01
    rows = [torch.arange(200, dtype=torch.uint8)[:, None].expand(200, 200)]
    generator, config = torch.Generator().manual_seed(0), replace(CONFIG, patch_size=16)
    seen = torch.stack(
        [batches.random_patch(rows, config, generator, beyond=0.5) for _ in range(400)]
    )[..., 0]
    assert (seen.diff(dim=1) == 1).all()
    assert {0, 199} < {int(value) for value in seen.unique()}


@pytest.mark.parametrize("processes", [2, 3])
def test_shards_together_are_the_batch(processes):
    whole = draw_batch(as_pool(images()), BALANCED, CONFIG, 5, CPU)
    parts = [shard_batch(whole, rank, processes) for rank in range(processes)]
    assert {len(part.clean) for part in parts} == {6 // processes}
    together = torch.cat([part.noisy for part in parts])
    assert len(torch.unique(together.flatten(1), dim=0)) == 6
    assert torch.equal(
        together.flatten(1).sum(1).sort()[0], whole.noisy.flatten(1).sum(1).sort()[0]
    )


@pytest.fixture
def store(tmp_path):
    paths = [tmp_path / f"{k}.png" for k in range(4)]
    for number, path in enumerate(paths):
        grey = np.random.default_rng(number).integers(0, 256, (40, 50), "u1")
        Image.fromarray(grey).save(path)
    index = pd.DataFrame({"image": [p.name for p in paths], "path": [str(p) for p in paths]})
    return build_store(index, tmp_path / "store", 5, 32, workers=1, progress=False)


def test_stored_patches_are_drawn_through_the_same_call(store):
    pool = StoredPatches(store, np.array([1, 3]))
    assert len(pool) == 10
    assert torch.equal(pool[0], torch.from_numpy(store.patches[5]))
    assert torch.equal(pool[9], torch.from_numpy(store.patches[19]))
    batch = draw_batch(pool, BALANCED, replace(CONFIG, batch_size=200), 0, CPU)
    seen = torch.unique((batch.clean[:, 0] * 255).round().byte().flatten(1), dim=0)
    known = {bytes(pool[i].numpy()) for i in range(10)}
    assert {bytes(row.numpy()) for row in seen} == known
    smaller = draw_batch(pool, BALANCED, replace(CONFIG, patch_size=16), 0, CPU)
    assert smaller.clean.shape == (6, 1, 16, 16)


def test_digest_of_stored_patches_depends_on_store_and_images(store):
    digests = {
        StoredPatches(store, np.array([1, 3])).digest,
        StoredPatches(store, np.array([1, 2])).digest,
        StoredPatches(store._replace(digest="other"), np.array([1, 3])).digest,
    }
    assert len(digests) == 3
    assert pool_digest(StoredPatches(store, np.array([1, 3]))) in digests


@pytest.mark.parametrize(("free", "fits"), [(10 * 32 * 32 * 3, True), (10 * 32 * 32, False)])
def test_stored_patches_are_copied_to_a_gpu_if_they_fit(store, monkeypatch, free, fits):
    """Runs without a GPU: the memory query and the copy are replaced."""
    pool = StoredPatches(store, np.array([0, 2]))
    assert to_gpu_if_it_fits(pool, CPU) is pool
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    monkeypatch.setattr(torch.Tensor, "to", lambda self, device: self)
    found = to_gpu_if_it_fits(pool, torch.device("cuda"))
    assert (found is not pool) == fits
    assert len(found) == 10 and torch.equal(found[7], pool[7])
    assert batches.random_patch(found, CONFIG, torch.Generator()).shape == (32, 32)
