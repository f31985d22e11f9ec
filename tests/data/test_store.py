"""The patch store: independent of the number of processes, resumable, repaired if damaged."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import build_store, random_patches, store


@pytest.fixture
def index(tmp_path) -> pd.DataFrame:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for k in range(5):
        Image.fromarray(rng.integers(0, 256, (40 + k, 36), "u1")).save(folder / f"{k}.png")
    paths = sorted(folder.iterdir())
    return pd.DataFrame({"image": [p.name for p in paths], "path": [str(p) for p in paths]})


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(store, "BLOCK_IMAGES", 2)


def build(index, folder, **options):
    return build_store(index, folder, 3, 16, **{"workers": 1, "progress": False} | options)


def count_cuts(monkeypatch) -> list[int]:
    done, cut = [], store.cut_block
    monkeypatch.setattr(store, "cut_block", lambda block: done.append(block.first) or cut(block))
    return done


def test_patches_are_seeded_pieces_of_the_images_in_order(index, tmp_path):
    found = build(index, tmp_path / "store", seed=7)
    assert found.patches.shape == (15, 16, 16) and found.patches.dtype == np.uint8
    for number, path in enumerate(index["path"]):
        image = np.asarray(Image.open(path))
        expected = random_patches(image, 3, 16, np.random.default_rng([7, number]))
        np.testing.assert_array_equal(found.patches[3 * number : 3 * number + 3], expected)
    np.testing.assert_array_equal(np.load(tmp_path / "store" / "patches.npy"), found.patches)


def test_several_processes_give_the_same_patches(index, tmp_path):
    alone, together = (
        build(index, tmp_path / name, workers=workers) for name, workers in (("a", 1), ("b", 2))
    )
    assert alone.digest == together.digest
    np.testing.assert_array_equal(alone.patches, together.patches)


def test_a_complete_store_is_not_cut_again(index, tmp_path, monkeypatch):
    first = build(index, tmp_path)
    done = count_cuts(monkeypatch)
    assert build(index, tmp_path).digest == first.digest and done == []


def test_an_interrupted_store_is_completed(index, tmp_path, monkeypatch):
    complete = build(index, tmp_path / "complete")
    cut = store.cut_block

    def killed(block):
        if block.first == 2:
            raise KeyboardInterrupt
        return cut(block)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(store, "cut_block", killed)
        build(index, tmp_path / "broken")
    done = count_cuts(monkeypatch)
    assert build(index, tmp_path / "broken").digest == complete.digest
    assert done == [2, 4]


def test_a_damaged_block_is_cut_again(index, tmp_path, monkeypatch):
    complete = build(index, tmp_path)
    raw = bytearray((tmp_path / "patches.npy").read_bytes())
    raw[-1] ^= 1  # the last pixel of the last block
    (tmp_path / "patches.npy").write_bytes(raw)
    done = count_cuts(monkeypatch)
    assert build(index, tmp_path).digest == complete.digest and done == [4]


@pytest.mark.parametrize("spoil", ["truncate", "remove"])
def test_a_store_without_patches_is_built_again(index, tmp_path, spoil):
    complete = build(index, tmp_path)
    expected = complete.patches.copy()
    path = tmp_path / "patches.npy"
    path.unlink() if spoil == "remove" else path.write_bytes(path.read_bytes()[:500])
    np.testing.assert_array_equal(build(index, tmp_path).patches, expected)


def test_writing_to_the_patches_does_not_change_the_file(index, tmp_path):
    build(index, tmp_path).patches[:] = 0
    assert np.load(tmp_path / "patches.npy").any()


@pytest.mark.parametrize("changed", ["images", "seed"])
def test_a_store_of_something_else_is_refused(index, tmp_path, changed):
    build(index, tmp_path / "store")
    other = index[1:] if changed == "images" else index
    with pytest.raises(XbdcnnError, match="store: holds patches of other images or settings"):
        build(other, tmp_path / "store", seed=1 if changed == "seed" else 0)


@pytest.mark.parametrize("text", ["", "[]", '{"images": 1}'])
def test_a_damaged_record_is_named(index, tmp_path, text):
    (tmp_path / "patches.json").write_text(text)
    with pytest.raises(XbdcnnError, match=r"patches\.json: damaged .*; delete the folder"):
        build(index, tmp_path)


@pytest.mark.parametrize("workers", [1, 2])
def test_unusable_images_are_named(index, tmp_path, workers):
    broken, small = index["path"][3], index["path"][4]
    with open(broken, "wb") as stream:
        stream.write(b"not a picture")
    with pytest.raises(XbdcnnError, match=r"3\.png: not a PNG"):
        build(index, tmp_path / "a", workers=workers)
    Image.fromarray(np.zeros((30, 30), np.uint8)).save(broken)
    Image.fromarray(np.zeros((20, 12 + 8), np.uint8)).save(small)
    with pytest.raises(XbdcnnError, match=r"4\.png: an image of shape .* holds no 24 x 24 patch"):
        build_store(index, tmp_path / "b", 3, 24, workers=workers, progress=False)


def test_too_little_disk_space_is_refused_before_cutting(index, tmp_path, monkeypatch):
    usage = store.shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(store.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(
        XbdcnnError, match=r"patches\.npy: needs 0\.0 GB, 0\.0 GB are free; free some space"
    ):
        build(index, tmp_path)
    assert not (tmp_path / "patches.npy").exists()


def test_the_record_names_every_block(index, tmp_path):
    build(index, tmp_path)
    record = json.loads((tmp_path / "patches.json").read_text())
    assert set(record["blocks"]) == {"0", "2", "4"}
    assert {len(digest) for digest in record["blocks"].values()} == {64}
