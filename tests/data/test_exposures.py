from __future__ import annotations

import csv
import sys
from io import BytesIO

import exposures as tool
import h5py
import numpy as np
import pytest
from file_server import serving

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import sha256_of
from xbdcnn.data.exposures import (
    DETECTORS,
    EXCERPTS,
    Frames,
    exposures_folder,
    fetch_exposures,
    kinds,
    load_exposures,
    read_exposures,
    read_registry,
    source_of,
    stored_frames,
)


def hdf5(**datasets: np.ndarray) -> bytes:
    """Return the bytes of an HDF5 file with these data sets."""
    stream = BytesIO()
    with h5py.File(stream, "w") as file:
        for name, values in datasets.items():
            file[name.replace("__", "/")] = values
    return stream.getvalue()


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    """Small files with the layout of the real ones, by file name."""
    rng = np.random.default_rng(0)
    scan = rng.integers(0, 60000, (3201, 2, 3), dtype=np.uint16)
    tooth = {
        f"exchange__{name}": rng.random((count, 2, 4), dtype=np.float32)
        for name, count in (("data", 41), ("data_white", 3), ("data_dark", 3))
    }
    savu = [row["file"] for row in read_registry() if row["file"].startswith("savu")]
    return {
        **{name: hdf5(entry__data__data=rng.random((5, 2, 4))) for name in savu},
        "tomopy_tooth.h5": hdf5(**tooth),
        "httomo_k11.h5": hdf5(entry__detector__detector=scan),
    }


@pytest.fixture(scope="module")
def folder(files, tmp_path_factory):
    """A folder with the small files."""
    path = tmp_path_factory.mktemp("exposures")
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


@pytest.fixture
def registry(tmp_path, folder):
    """The packaged registry with the SHA-256 of the small files."""
    rows = [{**row, "sha256": sha256_of(folder / row["file"])} for row in read_registry()]
    path = tmp_path / "registry.csv"
    with open(path, "w", newline="") as stream:
        table = csv.DictWriter(stream, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


@pytest.fixture
def server(files):
    remote = {row["path"].rsplit("/", 1)[-1]: files[row["file"]] for row in read_registry()}
    with serving(remote, "raw") as running:
        yield running


def test_fetch_downloads_every_file_from_its_commit(server, registry, files, tmp_path, capsys):
    fetched = fetch_exposures(tmp_path / "new", server.url, False, registry, retries=0)
    assert {path.name: path.read_bytes() for path in fetched.iterdir()} == files
    assert server.paths == [f"/raw/{source_of(row)}" for row in read_registry()]
    printed = capsys.readouterr().out
    assert all(detector.credit in printed for detector in DETECTORS.values())


def test_complete_files_need_no_network(server, registry, folder):
    server.close()
    assert fetch_exposures(folder, server.url, False, registry, retries=0) == folder
    assert not server.requests


def test_fetch_refuses_wrong_bytes_and_says_how_to_resume(server, registry, tmp_path):
    server.files["tooth.h5"] = b"something else"
    with pytest.raises(XbdcnnError, match=r"4 of 6 files .*tomopy_tooth\.h5 failed.*again"):
        fetch_exposures(tmp_path / "new", server.url, False, registry, retries=0)
    assert not (tmp_path / "new" / "tomopy_tooth.h5").exists()


def test_default_folder_is_in_the_cache(server, registry, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / project)
    fetched = fetch_exposures(base_url=server.url, registry=registry, retries=0)
    assert fetched == exposures_folder() == tmp_path / "xbdcnn" / "exposures"
    assert "6/6" in capsys.readouterr().err
    assert read_exposures("savu-pco2").flats.shape == (5, 2, 4)


def test_complete_frames_of_a_scan_are_sorted_by_kind(folder):
    with h5py.File(folder / "httomo_k11.h5") as file:
        scan = file["entry/detector/detector"][()].astype(float)
    frames = read_exposures("k11", folder)
    assert np.array_equal(frames.flats, np.r_[scan[:50], scan[3101:3151]])
    assert np.array_equal(frames.darks, np.r_[scan[50:100], scan[3151:]])
    assert np.array_equal(frames.projections, scan[100:3101])
    assert frames.flats.dtype == np.float64 and frames.detector is DETECTORS["k11"]


def test_detector_without_projections(folder):
    assert read_exposures("savu-pco3", folder).projections is None
    assert kinds(DETECTORS["savu-pco3"]) == ["flats", "darks"]


def test_missing_file_names_the_remedy(tmp_path):
    with pytest.raises(XbdcnnError, match=r"tomopy_tooth\.h5: .*fetch_exposures"):
        read_exposures("tooth", tmp_path)


def test_missing_h5py_names_the_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(XbdcnnError, match=r"h5py is not installed; pip install 'xbdcnn\[train\]'"):
        stored_frames(Frames("tomopy_tooth.h5", "exchange/data"), folder)


@pytest.mark.parametrize("read", [load_exposures, read_exposures])
def test_unknown_detector_lists_the_known_ones(read):
    with pytest.raises(XbdcnnError, match="savu-pco2, savu-pco3, tooth, k11"):
        read("film")


@pytest.mark.parametrize(
    ("name", "flats", "darks", "projections"),
    [
        ("savu-pco2", (5, 32, 64), (5, 32, 64), None),
        ("savu-pco3", (5, 32, 64), (5, 32, 64), None),
        ("tooth", (10, 2, 640), (10, 2, 640), (19, 2, 640)),
        ("k11", (100, 22, 26), (100, 22, 26), (20, 22, 26)),
    ],
)
def test_packaged_excerpts(name, flats, darks, projections):
    frames = load_exposures(name)
    assert frames.flats.shape == flats and frames.darks.shape == darks
    assert getattr(frames.projections, "shape", None) == projections
    assert 90 < frames.darks.mean() < 120 and frames.flats.mean() > 20_000


@pytest.mark.parametrize("name", DETECTORS)
def test_excerpts_record_the_files_of_the_registry(name):
    with np.load(EXCERPTS / f"{name}.npz") as stored:
        recorded = stored["sources"].tolist()
    assert recorded == [f"{row['sha256']}  {row['file']}" for row in tool.sources(DETECTORS[name])]


def test_excerpts_are_small_and_their_licences_beside_them():
    sizes = [path.stat().st_size for path in EXCERPTS.iterdir()]
    assert sum(sizes) < 1_000_000
    assert (EXCERPTS / "ATTRIBUTION.md").read_text(encoding="utf-8") == tool.attribution()
    assert "Apache License" in (EXCERPTS / "LICENSE-Apache-2.0.txt").read_text()
    assert "UChicago Argonne" in (EXCERPTS / "LICENSE-tomopy.txt").read_text()


def test_registry_names_commits_and_the_files_of_every_detector():
    rows = read_registry()
    assert all(len(bytes.fromhex(row["commit"])) == 20 for row in rows)
    assert all(len(bytes.fromhex(row["sha256"])) == 32 for row in rows)
    used = {getattr(d, kind).file for d in DETECTORS.values() for kind in kinds(d)}
    assert used == {row["file"] for row in rows}


def test_tool_writes_excerpts_and_notices_a_changed_value(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "EXCERPTS", tmp_path)
    tool.write(folder)
    assert tool.differing(folder) == []
    with np.load(tmp_path / "k11.npz") as stored:
        arrays = dict(stored)
    assert arrays["projections"].shape == (20, 2, 3) and arrays["flats"].dtype == np.uint16
    arrays["flats"][0, 0, 0] += 1
    np.savez_compressed(tmp_path / "k11.npz", **arrays)
    (tmp_path / "ATTRIBUTION.md").write_text("")
    assert tool.differing(folder) == ["k11.npz", "ATTRIBUTION.md"]


def test_tool_reports_what_is_out_of_date(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "EXCERPTS", tmp_path)
    monkeypatch.setattr(tool, "fetch_exposures", lambda destination: folder)
    monkeypatch.setattr(sys, "argv", ["exposures.py", "--folder", str(folder)])
    assert tool.main() == 0
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--check"])
    assert tool.main() == 0
    (tmp_path / "ATTRIBUTION.md").write_text("")
    assert tool.main() == 1
    assert "ATTRIBUTION.md: out of date" in capsys.readouterr().out
