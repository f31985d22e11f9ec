from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image, ImageOps
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data.builtin import BUILTIN_LAYOUT, builtin_crop, builtin_fields, builtin_path
from xbdcnn.data.files.radiograph import load_radiograph


@pytest.fixture
def grey8():
    return np.random.default_rng(0).integers(0, 256, (24, 40), dtype=np.uint8)


@pytest.fixture
def grey16():
    return np.random.default_rng(1).integers(0, 65536, (24, 40), dtype=np.uint16)


def message(path) -> str:
    """The error's text after the file's name; it must be one line."""
    with pytest.raises(XbdcnnError) as caught:
        load_radiograph(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and "\n" not in text
    return text.removeprefix(f"{path}: ")  # the folder is named after the test


def assert_is(image, expected):
    assert image.dtype == np.float32 and image.ndim == 2
    np.testing.assert_allclose(image, expected, atol=1e-7)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bin"])
def test_8_bit_grey(tmp_path, grey8, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(grey8).save(path, format="TIFF" if suffix == ".tif" else "PNG")
    assert_is(load_radiograph(path), grey8 / 255)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_grey(tmp_path, grey16, suffix):
    path = tmp_path / f"a{suffix}"
    Image.fromarray(grey16).save(path)
    assert_is(load_radiograph(path), grey16 / 65535)


def test_jpeg(tmp_path):
    smooth = np.tile(np.linspace(20, 230, 64).astype(np.uint8), (48, 1))
    for mode in ("L", "RGB"):
        path = tmp_path / f"{mode}.jpg"
        Image.fromarray(smooth).convert(mode).save(path, quality=95)
        image = load_radiograph(path)
        assert image.shape == smooth.shape
        assert abs(image - smooth / 255).max() < 3 / 255


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA", "P"])
def test_grey_in_colour_modes(tmp_path, grey8, mode):
    path = tmp_path / "a.png"
    Image.fromarray(grey8).convert(mode).save(path)
    assert_is(load_radiograph(path), grey8 / 255)


def test_one_bit_png(tmp_path, grey8):
    path = tmp_path / "a.png"
    Image.fromarray(grey8 > 127).save(path)
    assert_is(load_radiograph(path), grey8 > 127)


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_16_bit_rgb_tiff_keeps_its_bits(tmp_path, grey16, planar):
    path = tmp_path / "a.tif"
    pixels = np.stack([grey16] * 3, axis=-1 if planar == "contig" else 0)
    tifffile.imwrite(path, pixels, photometric="rgb", planarconfig=planar)
    assert_is(load_radiograph(path), grey16 / 65535)


def test_16_bit_rgb_png_is_refused_not_cut_to_8_bits(tmp_path):
    import struct
    import zlib

    def chunk(kind, body):
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    rows = b"".join(b"\0" + b"\x12\x34" * 3 * 20 for _ in range(20))
    header = struct.pack(">IIBBBBB", 20, 20, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    assert "16-bit grey" in message(path)


def test_float_tiff(tmp_path):
    pixels = np.random.default_rng(2).random((20, 30), dtype=np.float32)
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels)
    assert_is(load_radiograph(path), pixels)


def test_tiff_with_white_zero_is_inverted(tmp_path, grey16):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey16, photometric="miniswhite")
    assert_is(load_radiograph(path), 1 - grey16 / 65535)


TURNS = {  # how a picture of each orientation is stored, from how it is meant to be seen
    1: lambda seen: seen,
    2: np.fliplr,
    3: lambda seen: np.rot90(seen, 2),
    4: np.flipud,
    5: lambda seen: seen.T,
    6: lambda seen: np.rot90(seen, 1),
    7: lambda seen: np.rot90(seen, 2).T,
    8: lambda seen: np.rot90(seen, -1),
}


@pytest.mark.parametrize("kind", ["png", "tif"])
@pytest.mark.parametrize("orientation", TURNS)
def test_orientation_tag_is_applied(tmp_path, grey8, orientation, kind):
    stored, path = np.ascontiguousarray(TURNS[orientation](grey8)), tmp_path / f"a.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, stored, extratags=[(274, 3, 1, orientation, True)])
    else:
        exif = Image.Exif()
        exif[274] = orientation
        Image.fromarray(stored).save(path, exif=exif)
        with Image.open(path) as picture:
            np.testing.assert_array_equal(ImageOps.exif_transpose(picture), grey8)
    assert_is(load_radiograph(path), grey8 / 255)


def test_deflate_tiff(tmp_path, grey8):
    path = tmp_path / "a.tif"
    Image.fromarray(grey8).save(path, compression="tiff_adobe_deflate")
    assert_is(load_radiograph(path), grey8 / 255)


def test_lzw_tiff_is_read_or_explained(tmp_path, grey8):
    path = tmp_path / "a.tif"
    Image.fromarray(grey8).save(path, compression="tiff_lzw")
    if find_spec("imagecodecs"):
        assert_is(load_radiograph(path), grey8 / 255)
    else:
        assert "imagecodecs" in message(path)


@pytest.mark.parametrize(
    ("pixels", "remedy"),
    [
        (np.full((20, 20), np.nan, np.float32), "NaN"),
        (np.full((20, 20), np.inf, np.float32), "NaN or infinite"),
        (np.full((20, 20), 1.5, np.float32), "scale them"),
        (np.full((20, 20), -0.1, np.float32), "scale them"),
        (np.full((20, 20), 1.5, np.float32), "give --window"),
        (np.ones((20, 20), np.int32), "8 or 16 bits"),
        (np.ones((20, 20), np.int16), "give --window"),
        (np.zeros((3, 20, 20), np.uint8), "3 frames"),
        (np.zeros((15, 20), np.uint8), "at least 16 x 16"),
    ],
)
def test_bad_tiff(tmp_path, pixels, remedy):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="minisblack")
    assert remedy in message(path)


def test_missing_empty_folder_and_other_content(tmp_path):
    assert "no such file" in message(tmp_path / "nowhere.png")
    assert "a folder, not a file" in message(tmp_path)
    (tmp_path / "empty.png").touch()
    assert "empty" in message(tmp_path / "empty.png")
    (tmp_path / "text.png").write_text("a letter, not a radiograph\n" * 20)
    assert "not a PNG, TIFF, JPEG or DICOM" in message(tmp_path / "text.png")


@pytest.mark.parametrize("kind", ["png", "jpg", "tif", "dcm"])
def test_truncated(tmp_path, grey16, kind):
    path, complete = tmp_path / f"cut.{kind}", tmp_path / f"complete.{kind}"
    if kind == "dcm":
        write_dicom(complete, grey16)
    else:
        Image.fromarray(grey16 if kind != "jpg" else (grey16 >> 8).astype(np.uint8)).save(complete)
    content = complete.read_bytes()
    for share in (0.3, 0.7, 0.95):
        path.write_bytes(content[: int(share * len(content))])
        assert "damaged" in (text := message(path)) or "truncated" in text
    load_radiograph(complete)


def test_truncated_uncompressed_tiff_is_not_padded_with_zeros(tmp_path, grey16):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, grey16)  # the header first, the pixels last
    path.write_bytes(path.read_bytes()[:-100])
    assert "truncated" in message(path)


def test_colour_transparency_and_animation(tmp_path, grey8):
    colour = np.stack([grey8, grey8, grey8 // 2], axis=-1)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    assert "colour" in message(tmp_path / "colour.png")
    transparent = np.stack([grey8] * 3 + [np.full_like(grey8, 254)], axis=-1)
    Image.fromarray(transparent).save(tmp_path / "transparent.png")
    assert "transparent" in message(tmp_path / "transparent.png")
    frames = [Image.fromarray(grey8), Image.fromarray(255 - grey8)]
    frames[0].save(tmp_path / "animated.png", save_all=True, append_images=frames[1:])
    assert "frames" in message(tmp_path / "animated.png")


@pytest.mark.parametrize(("height", "width"), [(9000, 9000), (14000, 14000)])
def test_giant_pictures_are_refused_without_warnings(tmp_path, height, width, recwarn, capfd):
    path = tmp_path / "giant.png"
    Image.new("1", (width, height)).save(path)
    assert "crop or reduce" in message(path)
    assert not recwarn.list and capfd.readouterr().err == ""


def write_dicom(path, pixels, kind="MONOCHROME2", stored=None, **tags):
    """A minimal single-frame DX object; further attributes by keyword."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.file_meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    header.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    header.SOPClassUID = DigitalXRayImageStorageForPresentation
    header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID
    header.Modality, header.SamplesPerPixel, header.PhotometricInterpretation = "DX", 1, kind
    header.Rows, header.Columns = pixels.shape[-2:]
    header.BitsAllocated = 8 * pixels.dtype.itemsize
    header.BitsStored = stored or header.BitsAllocated
    header.HighBit, header.PixelRepresentation = header.BitsStored - 1, 0
    for keyword, value in tags.items():
        setattr(header, keyword, value)
    header.PixelData = pixels.tobytes()
    header.save_as(path, enforce_file_format=True)


def lut(bits, values, first=0):
    item = Dataset()
    item.LUTDescriptor = [len(values), first, bits]
    item.add_new("LUTData", "US", list(values))
    item["LUTDescriptor"].VR = "US"
    return pydicom.Sequence([item])


@pytest.fixture
def ramp():
    """Stored 12-bit values 0, 16, 32, ..."""
    return (np.arange(16 * 16, dtype=np.uint16) * 16).reshape(16, 16)


def test_dicom_window(tmp_path, ramp):
    path = tmp_path / "a"  # no suffix: the content decides
    write_dicom(path, ramp, stored=12, WindowCenter=1024.5, WindowWidth=1025)
    # PS3.3 C.11.2.1.2.1 with c = 1024.5, w = 1025: 512 is the last black, 1536 the first white.
    assert_is(load_radiograph(path), ((ramp - 512.0) / 1024).clip(0, 1))


def test_dicom_first_of_several_windows(tmp_path, ramp):
    write_dicom(tmp_path / "a.dcm", ramp, stored=12, WindowCenter=[1024.5, 9],
                WindowWidth=[1025, 3])  # fmt: skip
    assert_is(load_radiograph(tmp_path / "a.dcm"), ((ramp - 512.0) / 1024).clip(0, 1))


def test_dicom_monochrome1_is_inverted(tmp_path, ramp):
    tags = {"stored": 12, "WindowCenter": 2000, "WindowWidth": 1500}
    write_dicom(tmp_path / "2.dcm", ramp, **tags)
    write_dicom(tmp_path / "1.dcm", ramp, "MONOCHROME1", **tags)
    assert_is(load_radiograph(tmp_path / "1.dcm"), 1 - load_radiograph(tmp_path / "2.dcm"))


def test_dicom_rescale_comes_before_the_window(tmp_path, ramp):
    write_dicom(tmp_path / "a.dcm", ramp, stored=12, RescaleSlope=2, RescaleIntercept=-1000,
                WindowCenter=1024.5, WindowWidth=1025)  # fmt: skip
    expected = ((ramp * 2.0 - 1000 - 512) / 1024).clip(0, 1)
    assert_is(load_radiograph(tmp_path / "a.dcm"), expected)


def test_dicom_voi_lut_wins_over_the_window(tmp_path, ramp):
    values = [round(1023 * (k / 4095) ** 2) for k in range(4096)]
    write_dicom(tmp_path / "a.dcm", ramp, stored=12, VOILUTSequence=lut(10, values),
                WindowCenter=10, WindowWidth=5)  # fmt: skip
    assert_is(load_radiograph(tmp_path / "a.dcm"), np.array(values)[ramp] / 1023)


def test_dicom_without_window_spans_its_stored_values(tmp_path, ramp):
    write_dicom(tmp_path / "a.dcm", ramp + 100, stored=13)
    assert_is(load_radiograph(tmp_path / "a.dcm"), ramp / ramp.max())
    write_dicom(tmp_path / "flat.dcm", np.full_like(ramp, 7), stored=12)
    assert "every pixel is equal" in message(tmp_path / "flat.dcm")


def test_dicom_modality_lut_from_pydicom_data():
    path = get_testdata_file("mlut_18.dcm", download=False)
    image = load_radiograph(path)
    header = pydicom.dcmread(path)
    assert image.shape == (header.Rows, header.Columns)
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("SC_rgb.dcm", "colour"),
        ("rtplan.dcm", "without pixel data"),
        ("emri_small.dcm", "frames"),
    ],
)
def test_bad_dicom_from_pydicom(name, remedy):
    assert remedy in message(get_testdata_file(name, download=False))


def test_dicom_too_small_or_with_an_impossible_window(tmp_path, ramp):
    write_dicom(tmp_path / "small.dcm", ramp[:8], stored=12)
    assert "at least 16 x 16" in message(tmp_path / "small.dcm")
    write_dicom(tmp_path / "window.dcm", ramp, stored=12, WindowCenter=5, WindowWidth=0.5)
    assert "Window" in message(tmp_path / "window.dcm")


def test_leg_radiograph_has_white_bone():
    image = load_radiograph(get_testdata_file("RG3_UNCR.dcm", download=False))
    header = pydicom.dcmread(get_testdata_file("RG3_UNCR.dcm", download=False))
    sign = -1 if header.PhotometricInterpretation == "MONOCHROME1" else 1
    assert image.shape == (1760, 1760) and image.std() > 0.05
    assert np.corrcoef(image.ravel(), sign * header.pixel_array.ravel().astype(float))[0, 1] > 0.5


def test_builtin_is_upright_with_the_heart_on_the_viewers_right(builtin):
    assert builtin.shape == (1920, 1792) and builtin.dtype == np.float32
    assert builtin.min() == 0 and builtin.max() == 1 and not builtin.flags.writeable
    middle = 880
    heart = builtin[1100:1300, middle + 120 : middle + 320]
    mirrored = builtin[1100:1300, middle - 320 : middle - 120]
    assert heart.mean() > mirrored.mean() + 0.1
    lungs, abdomen = builtin[300:700, 300:700], builtin[1500:1750, 300:700]
    assert abdomen.mean() > lungs.mean() + 0.2  # upright, and soft tissue brighter than air


def test_builtin_agrees_in_order_with_the_header_window(builtin):
    windowed = load_radiograph(builtin_path())[32:1952, :1792]
    order = np.argsort(windowed[::40, ::40].ravel(), kind="stable")
    assert (np.diff(builtin[::40, ::40].ravel()[order]) >= 0).all()


def test_builtin_has_no_collimator_edge_and_few_clipped_pixels(builtin):
    assert ((builtin == 0) | (builtin == 1)).mean() < 0.005
    assert builtin[0, 20:400].mean() < 0.2 and builtin[300:1600, -1].mean() < 0.95


def test_builtin_crop_has_the_grey_scale_of_chestxray8():
    crop = builtin_crop(256)
    assert crop.shape == (256, 256) and crop.dtype == np.float32
    assert 130 < 255 * crop.mean() < 150 and 50 < 255 * crop.std() < 62
    assert crop.min() >= 0 and crop.max() <= 1
    halved = builtin_crop(1792).reshape(896, 2, 896, 2).mean((1, 3))
    np.testing.assert_allclose(builtin_crop(896), halved, atol=1e-6)
    for size in (15, 1793):
        with pytest.raises(XbdcnnError, match="16 to 1792"):
            builtin_crop(size)


def test_builtin_fields_tile_the_chest_once():
    box = builtin_crop(1792)
    remaining = {name: iter(builtin_fields(name)) for row in BUILTIN_LAYOUT for name in row}
    rows = [np.hstack([next(remaining[name]) for name in row]) for row in BUILTIN_LAYOUT]
    np.testing.assert_array_equal(np.vstack(rows), box)
    assert all(next(left, None) is None for left in remaining.values())
    assert len(builtin_fields("table2")) == 4


def test_builtin_missing_names_the_package(monkeypatch):
    monkeypatch.setattr("pydicom.data.get_testdata_file", lambda *_, **__: None)
    with pytest.raises(XbdcnnError, match=r"pip install 'xbdcnn\[train\]'"):
        builtin_path()


def test_import_loads_no_image_library():
    code = "import sys, xbdcnn.data.files.radiograph; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"PIL", "pydicom", "tifffile", "matplotlib", "skimage"} & set(run.stdout.split())


@pytest.fixture(scope="module")
def builtin():
    from xbdcnn.data.builtin import builtin_radiograph

    return builtin_radiograph()
