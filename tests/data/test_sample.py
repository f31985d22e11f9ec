from __future__ import annotations

import csv
from io import BytesIO

import numpy as np
import pytest
from file_server import serving
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data import find_source
from xbdcnn.data.sample import BASE_URL, MANIFEST, REGISTRY, fetch_sample, sample_folder

NAMES = [f"0000000{k}_000.png" for k in range(1, 6)]
SPLITS = ["train", "train", "val", "test", "table2"]


@pytest.fixture
def pngs() -> dict[str, bytes]:
    rng, files = np.random.default_rng(0), {}
    for name in NAMES:
        buffer = BytesIO()
        Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(buffer, format="PNG")
        files[name] = buffer.getvalue()
    return files


@pytest.fixture
def server(pngs):
    with serving(pngs, "starter_images") as running:
        yield running


@pytest.fixture
def registry(tmp_path, pngs):
    path = tmp_path / "registry.csv"
    with open(path, "w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["image", "patient_id", "split", "sha256"])
        for name, split in zip(NAMES, SPLITS, strict=True):
            (complete := tmp_path / "complete.png").write_bytes(pngs[name])
            table.writerow([name, name[:8], split, sha256_of(complete)])
    return path


@pytest.fixture
def fetch(tmp_path, server, registry):
    return lambda: fetch_sample(tmp_path / "sample", server.url, False, registry, retries=0)


def test_full_fetch(fetch, server, registry, pngs, capsys):
    folder = fetch()
    assert {p.name: p.read_bytes() for p in (folder / "images").iterdir()} == pngs
    assert (folder / MANIFEST).read_bytes() == registry.read_bytes()
    assert sorted(server.requests) == NAMES
    printed = capsys.readouterr().out
    assert "NIH Clinical Center" in printed and "nihcc.app.box.com" in printed
    assert "CVPR 2017" in printed
    source = find_source(folder)
    assert [len(source.images(split)) for split in ("train", "val", "test", "table2")] == [
        2, 1, 1, 1,
    ]  # fmt: skip


def test_a_complete_sample_needs_no_network(fetch, server):
    fetch()
    server.close()
    server.requests.clear()
    assert (fetch() / MANIFEST).is_file() and not server.requests


def test_resume_after_404(fetch, server, pngs, tmp_path):
    del server.files[NAMES[2]]
    with pytest.raises(XbdcnnError, match=r"2 of 5 .*00000003_000\.png failed.*404.*resume") as e:
        fetch()
    assert "\n" not in str(e.value)
    assert not (tmp_path / "sample" / MANIFEST).exists()
    server.files = pngs
    server.requests.clear()
    folder = fetch()
    assert sorted(server.requests) == NAMES[2:] and (folder / MANIFEST).is_file()


def test_damaged_file_is_fetched_again(fetch, server, pngs):
    folder = fetch()
    (folder / "images" / NAMES[1]).write_bytes(pngs[NAMES[1]][:30])
    server.requests.clear()
    fetch()
    assert server.requests == [NAMES[1]]
    assert (folder / "images" / NAMES[1]).read_bytes() == pngs[NAMES[1]]


def test_wrong_bytes_from_the_server_are_never_kept(fetch, server, tmp_path, pngs):
    server.files[NAMES[0]] = pngs[NAMES[1]]
    with pytest.raises(XbdcnnError, match="0 of 5"):
        fetch()
    folder = tmp_path / "sample"
    assert list((folder / "images").iterdir()) == [] and not (folder / MANIFEST).exists()


def test_failure_removes_the_manifest(fetch, server, pngs):
    folder = fetch()
    (folder / "images" / NAMES[4]).unlink()
    server.files.clear()
    with pytest.raises(XbdcnnError, match="4 of 5"):
        fetch()
    assert not (folder / MANIFEST).exists()


def test_no_network(fetch, server):
    server.close()
    with pytest.raises(XbdcnnError, match=r"0 of 5 images .* run it again to resume"):
        fetch()


def test_a_temporary_failure_is_retried(server, registry, tmp_path):
    server.failing_once = {NAMES[0]}
    folder = fetch_sample(tmp_path / "sample", server.url, False, registry, retries=1)
    assert server.requests.count(NAMES[0]) == 2 and (folder / MANIFEST).is_file()


def test_another_data_set_is_not_changed(fetch, tmp_path):
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / MANIFEST).write_text("image,patient_id\nmine.png,1\n")
    with pytest.raises(XbdcnnError, match="choose another destination"):
        fetch()
    assert (folder / MANIFEST).read_text().endswith("mine.png,1\n")
    assert list(folder.iterdir()) == [folder / MANIFEST]


def test_default_folder_and_progress_bar(server, registry, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    folder = fetch_sample(base_url=server.url, registry=registry, retries=0)
    assert folder == sample_folder() == tmp_path / "xbdcnn" / "chestxray8-sample"
    assert "5/5" in capsys.readouterr().err


def test_packaged_registry():
    with open(REGISTRY, newline="") as stream:
        rows = list(csv.DictReader(stream))
    splits = [row["split"] for row in rows]
    counts = {name: splits.count(name) for name in ("train", "val", "test", "table2")}
    assert counts == {"train": 280, "val": 20, "test": 30, "table2": 10} and len(rows) == 340
    assert len({row["patient_id"] for row in rows}) == len({row["image"] for row in rows}) == 340
    assert all(len(bytes.fromhex(row["sha256"])) == 32 for row in rows)
    assert "a011a9ab108cb03a533aeab52dc934b02a823ac8" in BASE_URL
