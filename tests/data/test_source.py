from __future__ import annotations

import os
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import (
    SPLITS,
    Source,
    dense_patches,
    find_source,
    index_folder,
    random_patches,
    source,
    split_index,
)


@pytest.fixture(autouse=True)
def no_local_data(tmp_path, monkeypatch):
    """Hide XBDCNN_DATA and the user's cache; return what XBDCNN_DATA was."""
    monkeypatch.setattr(source, "sample_folder", lambda: tmp_path / "cache" / "chestxray8-sample")
    given = os.environ.get("XBDCNN_DATA")
    monkeypatch.delenv("XBDCNN_DATA", raising=False)
    return given


def put_png(path, grey=100):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((16, 16), grey, np.uint8)).save(path)


def write_manifest(root, rows, columns="image,patient_id,split"):
    root.mkdir(parents=True, exist_ok=True)
    (root / "manifest.csv").write_text("\n".join([columns, *rows]) + "\n")


def nih_folder(root, patients=20, images_each=3, csv_name="Data_Entry_2017_v2020.csv"):
    lines = ["Image Index,Finding Labels,Follow-up #,Patient ID,OriginalImage[Width,Height],"]
    for patient in range(1, patients + 1):
        for k in range(images_each):
            name = f"{patient:08d}_{k:03d}.png"
            put_png(root / f"images_{1 + patient % 2:03d}" / "images" / name, 10 * k + patient)
            lines.append(f"{name},No Finding,{k},{patient},2500,2048,")
    (root / csv_name).write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def index():
    names = [f"{p:08d}_{k:03d}.png" for p in range(50) for k in range(1 + p % 4)]
    return pd.DataFrame(
        {"path": names, "image": names, "patient_id": [n[:8] for n in names], "split": ""}
    )


# --- index_folder


def test_manifest_layout(tmp_path):
    for name in ("b.png", "a.png"):
        put_png(tmp_path / "images" / name)
    write_manifest(tmp_path, ["b.png,0007,val", "a.png,0012,train"])
    index = index_folder(tmp_path)
    assert list(index.columns) == ["path", "image", "patient_id", "split"]
    assert index["image"].tolist() == ["a.png", "b.png"]
    assert index["patient_id"].tolist() == ["0012", "0007"]  # leading zeros are kept
    assert index["split"].tolist() == ["train", "val"]
    assert all(os.path.isfile(path) for path in index["path"])


def test_absent_files_are_counted_in_one_warning(tmp_path):
    put_png(tmp_path / "images" / "a.png")
    write_manifest(tmp_path, ["a.png,1,train", "b.png,2,val", "c.png,3,test"])
    with pytest.warns(UserWarning, match="2 of 3 listed images are absent") as caught:
        index = index_folder(tmp_path)
    assert len(caught) == 1 and index["image"].tolist() == ["a.png"]


@pytest.mark.parametrize(
    "name", ["../secret.png", "/etc/secret.png", "..", ".", "", "a/b.png", "..\\c.png", "C:x.png"]
)
def test_manifest_cannot_leave_its_folder(tmp_path, name):
    put_png(tmp_path / "secret.png")
    write_manifest(tmp_path / "data", [f"{name},1,train"])
    with pytest.raises(XbdcnnError, match="not a plain file name"):
        index_folder(tmp_path / "data")


@pytest.mark.parametrize(
    ("columns", "rows", "remedy"),
    [
        ("image,patient", ["a.png,1"], "needs the columns image, patient_id"),
        ("image,patient_id,split", ["a.png,1,training"], "use train, val, test, table2"),
        ("image,patient_id,split", ["a.png,1,val", "a.png,1,train"], "twice"),
    ],
)
def test_bad_manifest(tmp_path, columns, rows, remedy):
    put_png(tmp_path / "images" / "a.png")
    write_manifest(tmp_path, rows, columns)
    with pytest.raises(XbdcnnError, match=remedy):
        index_folder(tmp_path)


def test_manifest_without_splits(tmp_path):
    put_png(tmp_path / "images" / "a.png")
    write_manifest(tmp_path, ["a.png,1"], "image,patient_id")
    assert index_folder(tmp_path)["split"].tolist() == [""]


def test_empty_manifest(tmp_path):
    (tmp_path / "manifest.csv").touch()
    with pytest.raises(XbdcnnError, match="needs the columns"):
        index_folder(tmp_path)


def test_nih_layout(tmp_path):
    index = index_folder(nih_folder(tmp_path, patients=4))
    assert len(index) == 12 and index["image"].is_monotonic_increasing
    assert index["patient_id"].tolist() == [name[:8] for name in index["image"]]
    assert set(index["split"]) == {""}
    assert all(os.path.basename(p) == i for p, i in zip(index["path"], index["image"], strict=True))


def test_nih_layout_with_one_images_folder_and_missing_files(tmp_path):
    put_png(tmp_path / "images" / "00000013_005.png")
    (tmp_path / "Data_Entry_2017.csv").write_text(
        "Image Index,Patient ID\n00000013_005.png,13\n00000014_000.png,14\n"
    )
    with pytest.warns(UserWarning, match="1 of 2"):
        index = index_folder(tmp_path)
    assert index["patient_id"].tolist() == ["00000013"]


@pytest.mark.parametrize("below", [".", "images"])
def test_layout_without_table_takes_the_patient_from_the_file_name(tmp_path, below):
    for name in ("00000013_005.png", "00000013_006.png", "knee.TIF", "other.dcm"):
        (tmp_path / below).mkdir(exist_ok=True)
        (tmp_path / below / name).write_bytes(b"not opened while indexing")
    (tmp_path / below / "notes.txt").touch()
    index = index_folder(tmp_path)
    assert index["patient_id"].tolist() == ["00000013", "00000013", "knee.TIF", "other.dcm"]


@pytest.mark.parametrize(
    "below", [".", "images-224", "images-224/images-224", "images", "images/images", "images_001"]
)
@pytest.mark.parametrize("table", ["Data_Entry_2017.csv", "manifest.csv", None])
def test_images_beside_a_table_or_in_its_folders(tmp_path, below, table):
    names = [f"{patient:08d}_000.png" for patient in (1, 2, 3)]
    for name in names:
        put_png(tmp_path / below / name)
        (tmp_path / below / f"._{name}").write_bytes(b"\0\5\x16\7")
    columns = "image,patient_id" if table == "manifest.csv" else "Image Index,Patient ID"
    if table:
        rows = [f"{name},{name[:8]}" for name in names]
        (tmp_path / table).write_text("\n".join([columns, *rows]) + "\n")
    index = index_folder(tmp_path)
    assert index["image"].tolist() == names and index["path"].map(os.path.isfile).all()
    assert index["patient_id"].tolist() == [name[:8] for name in names]
    if table == "manifest.csv":
        before = find_source(tmp_path).fingerprint
        (tmp_path / table).write_text((tmp_path / table).read_text() + "\n")
        assert find_source(tmp_path).fingerprint != before


def test_one_image_in_two_folders_is_refused(tmp_path):
    for below in ("images-224", "images_001/images"):
        put_png(tmp_path / below / "00000001_000.png")
    with pytest.raises(XbdcnnError, match=r"another image is .*; remove or rename one"):
        index_folder(tmp_path)
    (tmp_path / "Data_Entry_2017.csv").write_text("Image Index,Patient ID\n00000001_000.png,1\n")
    with pytest.raises(XbdcnnError, match="another image is"):
        index_folder(tmp_path)


def test_the_folder_images_is_preferred_to_others(tmp_path):
    put_png(tmp_path / "images" / "a.png")
    put_png(tmp_path / "images_old" / "a.png")
    put_png(tmp_path / "figure.png")
    assert index_folder(tmp_path)["path"].tolist() == [str(tmp_path / "images" / "a.png")]


def test_a_tree_without_images_of_its_own_names_its_subfolders(tmp_path):
    for patient in range(5):
        put_png(tmp_path / f"PAT{patient}" / "STU0" / "a.png")
    with pytest.raises(XbdcnnError, match=r"subfolders \(PAT0, PAT1, PAT2 and 2 more\); name one"):
        index_folder(tmp_path)


def test_no_folder_and_no_image(tmp_path):
    with pytest.raises(XbdcnnError, match="no such folder"):
        index_folder(tmp_path / "nowhere")
    with pytest.raises(XbdcnnError, match="no radiograph found"):
        index_folder(tmp_path)
    write_manifest(tmp_path, ["a.png,1,train"])
    with pytest.warns(UserWarning, match="1 of 1"), pytest.raises(XbdcnnError, match="no radiog"):
        index_folder(tmp_path)


# --- split_index


def test_patient_split_keeps_patients_together_in_7_2_1(index):
    split = split_index(index)
    assert split.groupby("patient_id")["split"].nunique().max() == 1
    patients = split.drop_duplicates("patient_id")["split"].value_counts()
    assert patients.to_dict() == {"train": 35, "val": 10, "test": 5}
    assert (index["split"] == "").all()  # the input is untouched


def test_image_split_separates_images_of_a_patient(index):
    split = split_index(index, "image")
    shares = split["split"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[["train", "val", "test"]], [0.7, 0.2, 0.1], atol=0.01)
    assert split.groupby("patient_id")["split"].nunique().max() > 1


def test_patch_split_separates_patches_of_an_image_as_in_the_paper(index):
    split = split_index(index, "patch")
    assert len(split) == 32 * len(index) and not split.duplicated(["image", "patch"]).any()
    assert set(split["patch"]) == set(range(32))
    shares = split["split"].value_counts(normalize=True)
    np.testing.assert_allclose(shares[["train", "val", "test"]], [0.7, 0.2, 0.1], atol=1e-3)
    tested = set(split.loc[split["split"] == "test", "image"])
    trained = set(split.loc[split["split"] == "train", "image"])
    assert len(tested & trained) > 0.9 * len(tested)  # test images are in training, too


@pytest.mark.parametrize("level", ["patient", "image", "patch"])
def test_splits_depend_on_the_seed_and_not_on_row_order(index, level):
    first = split_index(index, level, seed=3)
    shuffled = index.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(first, split_index(shuffled, level, seed=3))
    assert not first["split"].equals(split_index(index, level, seed=4)["split"])


def test_small_and_uneven_splits(index):
    three = index.drop_duplicates("patient_id").head(3)
    assert sorted(split_index(three)["split"]) == ["test", "train", "val"]
    no_test = split_index(index, ratios=(4, 1, 0))
    assert set(no_test["split"]) == {"train", "val"}


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ({"level": "pixel"}, "patient, image or patch"),
        ({"ratios": (7, 3)}, "three numbers"),
        ({"ratios": (7, 2, -1)}, "three numbers"),
        ({"ratios": (0, 0, 0)}, "not all of them 0"),
        ({"ratios": (1, float("nan"), 1)}, "three numbers"),
    ],
)
def test_bad_split_arguments(index, arguments, remedy):
    with pytest.raises(XbdcnnError, match=remedy):
        split_index(index, **arguments)


def test_too_few_patients(index):
    with pytest.raises(XbdcnnError, match=r"2 patient\(s\) cannot be split"):
        split_index(index.drop_duplicates("patient_id").head(2))


# --- patches


def test_random_patches_are_seeded_pieces_of_the_image():
    image = np.arange(40 * 50, dtype=np.float32).reshape(40, 50)
    patches = random_patches(image, 100, 16, np.random.default_rng(5))
    assert patches.shape == (100, 16, 16) and patches.dtype == image.dtype
    rows, columns = np.divmod(patches[:, 0, 0].astype(int), 50)
    for patch, row, column in zip(patches, rows, columns, strict=True):
        np.testing.assert_array_equal(patch, image[row : row + 16, column : column + 16])
    assert rows.min() < 4 and rows.max() > 20 and columns.min() < 4 and columns.max() > 30
    np.testing.assert_array_equal(patches, random_patches(image, 100, 16, 5))
    patches[:] = -1
    assert image.min() == 0  # a copy
    assert random_patches(np.zeros((128, 128))).shape == (32, 128, 128)


def test_dense_patches():
    image = np.arange(300 * 400).reshape(300, 400)
    patches = dense_patches(image)
    assert patches.shape == (2 * 3, 128, 128)
    np.testing.assert_array_equal(patches[4], image[128:256, 128:256])
    assert dense_patches(image, 100, 50).shape == (5 * 7, 100, 100)
    patches[:] = -1
    assert image.min() == 0


def test_patch_errors():
    small = np.zeros((100, 300), np.float32)
    for cut in (random_patches, dense_patches):
        with pytest.raises(XbdcnnError, match="holds no 128 x 128 patch"):
            cut(small)
        with pytest.raises(XbdcnnError, match="holds no"):
            cut(np.zeros((3, 200, 200)))
    with pytest.raises(XbdcnnError, match="stride 0"):
        dense_patches(small, 50, 0)


# --- sources


def test_builtin_source_is_the_last_resort():
    source = find_source()
    assert source.name == "built-in radiograph" and source.index is None
    images = {split: source.images(split) for split in SPLITS}
    assert {split: len(fields) for split, fields in images.items()} == {
        "train": 8, "val": 2, "test": 2, "table2": 4,
    }  # fmt: skip
    assert all(f.shape == (448, 448) and f.flags.writeable for fs in images.values() for f in fs)
    assert len(source.images("train", 3)) == 3
    assert source.fingerprint == Source("same file, other name").fingerprint
    assert len(bytes.fromhex(source.fingerprint)) == 32
    with pytest.raises(XbdcnnError, match="one file"):
        source.paths("train")
    with pytest.raises(XbdcnnError, match="choose train, val, test, table2"):
        source.images("training")
    with pytest.raises(FrozenInstanceError):
        source.name = "another"


def test_order_of_sources(tmp_path, monkeypatch):
    folders = [tmp_path / "named", tmp_path / "environment", source.sample_folder()]
    for folder in folders:
        put_png(folder / "images" / "a.png")
        write_manifest(folder, ["a.png,1,test"])
    monkeypatch.setenv("XBDCNN_DATA", str(folders[1]))
    assert find_source(folders[0]).name == "named"
    assert find_source().name == "environment"
    monkeypatch.delenv("XBDCNN_DATA")
    assert find_source().name == "chestxray8-sample"


def test_named_folders_never_fall_back(tmp_path, monkeypatch):
    with pytest.raises(XbdcnnError, match="no such folder"):
        find_source(tmp_path / "nowhere")
    monkeypatch.setenv("XBDCNN_DATA", str(tmp_path))
    with pytest.raises(XbdcnnError, match="no radiograph found"):
        find_source()


def test_incomplete_sample_gives_a_warning():
    put_png(source.sample_folder() / "images" / "00000001_000.png")
    with pytest.warns(UserWarning, match="resumes the download"):
        assert find_source().index is None


def test_folder_without_splits_is_split_by_patient(tmp_path):
    source = find_source(nih_folder(tmp_path, patients=200, images_each=1), seed=1)
    assert source.name == "ChestX-ray8"
    assert source.index["split"].value_counts().to_dict() == {"train": 140, "val": 40, "test": 20}
    chosen, test = source.paths("table2"), source.paths("test")
    assert len(chosen) == 10 and set(chosen) < set(test) and chosen == source.paths("table2")
    assert source.paths("train", 5) == source.paths("train")[:5]
    assert [image.shape for image in source.images("table2", 2)] == [(16, 16)] * 2


def test_splits_of_the_manifest_are_used(tmp_path):
    for k, _ in enumerate(SPLITS):
        put_png(tmp_path / "images" / f"{k}.png", grey=50 * k)
    write_manifest(tmp_path, [f"{k}.png,{k},{split}" for k, split in enumerate(SPLITS)])
    source = find_source(tmp_path)
    for k, split in enumerate(SPLITS):
        (image,) = source.images(split)
        np.testing.assert_allclose(image, 50 * k / 255, atol=1e-7)


def test_incomplete_or_empty_splits(tmp_path):
    for name in ("a.png", "b.png"):
        put_png(tmp_path / "images" / name)
    write_manifest(tmp_path, ["a.png,1,train", "b.png,2,"])
    with pytest.raises(XbdcnnError, match="fill in all or none"):
        find_source(tmp_path)
    write_manifest(tmp_path, ["a.png,1,train", "b.png,2,train"])
    for split in ("val", "table2"):
        with pytest.raises(XbdcnnError, match=f"no image in split '{split}'"):
            find_source(tmp_path).images(split)


def test_fingerprint_follows_images_splits_and_manifest(tmp_path):
    for k in range(4):
        put_png(tmp_path / "images" / f"{k}.png")
    rows = [f"{k}.png,{k},{split}" for k, split in enumerate(SPLITS)]
    write_manifest(tmp_path, rows)
    seen = [find_source(tmp_path).fingerprint]
    assert find_source(tmp_path).fingerprint == seen[0]
    write_manifest(tmp_path, [*rows[:3], "3.png,3,test"])
    seen.append(find_source(tmp_path).fingerprint)
    with open(tmp_path / "images" / "0.png", "ab") as stream:
        stream.write(b"more")
    seen.append(find_source(tmp_path).fingerprint)
    put_png(tmp_path / "images" / "4.png")
    write_manifest(tmp_path, [*rows, "4.png,4,test"])
    seen.append(find_source(tmp_path).fingerprint)
    write_manifest(tmp_path, [f"{row},x" for row in [*rows, "4.png,4,test"]],
                   "image,patient_id,split,sha256")  # fmt: skip
    seen.append(find_source(tmp_path).fingerprint)
    assert len(set(seen)) == len(seen)


def test_real_sample(no_local_data):
    if not no_local_data:
        pytest.skip("XBDCNN_DATA is not set: there are no ChestX-ray8 images")
    source = find_source(no_local_data)
    assert source.name in ("ChestX-ray8 sample", "ChestX-ray8")
    images = source.images("table2")
    assert [image.shape for image in images] == [(1024, 1024)] * 10
    assert 110 < 255 * np.mean(images) < 170  # paper: 128 to 139 from the noisy PSNRs
    groups = source.index.groupby("patient_id")["split"].nunique()
    assert groups.max() == 1


def test_builtin_radiograph_is_selected_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("XBDCNN_DATA", str(tmp_path))
    assert find_source("builtin").name == "built-in radiograph"
    monkeypatch.setenv("XBDCNN_DATA", "builtin")
    assert find_source().index is None
