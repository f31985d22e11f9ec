"""PNG and TIFF files whose scale or number of pictures is not evident from the pixel type."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from xbdcnn._common.depth import plausible_depth, used_depth
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import load_radiograph, open_radiograph, save_radiograph


@pytest.fixture
def unit() -> np.ndarray:
    """(40, 56) from 0.02 to 0.98, not symmetric."""
    rows, columns = np.mgrid[0:40, 0:56]
    noise = np.random.default_rng(0).normal(0, 0.03, (40, 56))
    return (0.1 + 0.012 * columns + 0.004 * rows + noise).clip(0.02, 0.98)


def in_bits(unit: np.ndarray, bits: int) -> np.ndarray:
    return np.rint(unit * (2**bits - 1)).astype(np.uint16)


# --- bits of 16-bit pictures


@pytest.mark.parametrize(
    ("largest", "bits"),
    [
        *((0, 8), (1, 8), (200, 8), (255, 8)),
        *((256, 10), (511, 9), (600, 10), (1023, 10), (1024, 12), (2500, 12), (4095, 12)),
        # Above 12 bits only the largest value of a depth proves it.
        *((4096, 16), (8191, 13), (15000, 16), (16383, 14), (16384, 16), (32767, 15)),
        *((32768, 16), (60000, 16), (65535, 16)),
    ],
)
def test_depth_by_the_largest_value(largest, bits):
    stored = np.zeros((20, 20), np.uint16)
    stored[3, 4] = largest
    assert used_depth(stored) == bits


def test_depth_that_holds_nearly_all_values(unit):
    for bits in (8, 10, 12, 14, 16):
        stored = in_bits(unit, bits)
        assert plausible_depth(stored) == bits
        stored[0, :2] = 65535  # a burnt-in mark, 0.09 % of the pixels
        assert plausible_depth(stored) == bits
        stored[0, :3] = 65535
        assert plausible_depth(stored) == 16


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_few_bits_in_16_are_used_as_window_and_stated(tmp_path, unit, bits, suffix):
    stored, path = in_bits(unit, bits), tmp_path / f"a{suffix}"
    (tifffile.imwrite if suffix == ".tif" else save_png)(path, stored)
    radiograph = open_radiograph(path)
    np.testing.assert_allclose(radiograph.unit, stored / (2**bits - 1), atol=1e-6)
    np.testing.assert_array_equal(load_radiograph(path), radiograph.unit)
    assert f"{bits} of 16 bits, as no pixel exceeds {stored.max()}" in str(radiograph.window)
    np.testing.assert_array_equal(radiograph.restored(radiograph.unit), stored)
    brighter = radiograph.restored(np.ones_like(radiograph.unit))
    assert brighter.min() == brighter.max() == 2**bits - 1


def save_png(path, stored, **options):
    Image.fromarray(stored).save(path, **options)


@pytest.mark.parametrize("share", [0.08, 0.3, 1.0])
def test_true_16_bits_keep_their_full_range(tmp_path, unit, share):
    stored = in_bits(unit * share, 16)
    save_png(tmp_path / "a.png", stored)
    radiograph = open_radiograph(tmp_path / "a.png")
    np.testing.assert_allclose(radiograph.unit, stored / 65535, atol=1e-6)
    assert ("if only 14 bits are used, give --window 0 16383" in str(radiograph.window)) == (
        share < 0.25
    )


def test_14_bits_are_suggested_and_a_burnt_in_mark_does_not_hide_them(tmp_path, unit):
    for bits in (12, 14):
        stored = in_bits(unit, bits)
        stored[5, 5] = 65535
        save_png(tmp_path / "a.png", stored)
        radiograph = open_radiograph(tmp_path / "a.png")
        assert radiograph.window.white == 65535
        assert f"give --window 0 {2**bits - 1}" in str(radiograph.window)


def test_few_bits_where_large_values_are_dark(tmp_path, unit):
    stored = in_bits(unit, 12)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="miniswhite")
    radiograph = open_radiograph(tmp_path / "a.tif")
    np.testing.assert_allclose(radiograph.unit, 1 - stored / 4095, atol=1e-6)
    tifffile.imwrite(tmp_path / "a.tif", in_bits(unit, 14), photometric="miniswhite")
    assert "give --window 16383 0" in str(open_radiograph(tmp_path / "a.tif").window)


def test_8_bit_pictures_keep_their_full_range(tmp_path):
    save_png(tmp_path / "a.png", np.arange(256, dtype=np.uint8).reshape(16, 16) // 32)
    assert open_radiograph(tmp_path / "a.png").window.white == 255


# --- stored values of unknown scale


@pytest.mark.parametrize(
    ("dtype", "black", "white"),
    [
        *((np.float16, 0, 1000), (np.float32, 0, 4095), (np.float64, -1000, 3095)),
        *((np.int16, -1024, 3071), (np.int32, -1024, 2**20), (np.uint32, 0, 2**24)),
        (np.float32, 4095, 0),
    ],
)
def test_a_given_window_scales_any_values(tmp_path, unit, dtype, black, white):
    stored = (black + unit * (white - black)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="minisblack")
    with pytest.raises(XbdcnnError, match="give --window BLACK WHITE"):
        open_radiograph(tmp_path / "a.tif")
    radiograph = open_radiograph(tmp_path / "a.tif", (black, white))
    np.testing.assert_allclose(radiograph.unit, unit, atol=1e-3)
    restored = radiograph.restored(radiograph.unit)
    np.testing.assert_array_equal(restored, stored.astype(restored.dtype))
    halved = radiograph.restored(radiograph.unit / 2)
    save_radiograph(radiograph, halved, tmp_path / "b.tif", "")
    written = tifffile.imread(tmp_path / "b.tif").astype(float)
    np.testing.assert_allclose((written - black) / (white - black), unit / 2, atol=1e-3)
    floating = np.issubdtype(dtype, np.floating)
    assert tifffile.imread(tmp_path / "b.tif").dtype == (np.float32 if floating else dtype)


def test_values_outside_a_given_window_of_floats_are_kept(tmp_path, unit):
    stored = (unit * 4095).astype(np.float32)
    stored[:3], stored[-3:] = -70, 5000
    tifffile.imwrite(tmp_path / "a.tif", stored)
    radiograph = open_radiograph(tmp_path / "a.tif", (0, 4095))
    np.testing.assert_array_equal(radiograph.restored(radiograph.unit), stored)


def test_a_given_window_does_not_admit_nan_or_complex_or_64_bits(tmp_path, unit):
    stored = unit.astype(np.float32)
    stored[0, 0] = np.nan
    for wrong in (stored, unit * 1e300, unit.astype(np.complex64), unit.astype(np.int64)):
        tifffile.imwrite(tmp_path / "a.tif", wrong, photometric="minisblack")
        with pytest.raises(XbdcnnError, match=r"a\.tif: "):
            open_radiograph(tmp_path / "a.tif", (0, 4095))


def test_values_that_a_png_cannot_hold_are_not_written_as_png(tmp_path, unit):
    for stored in ((unit * 4095).astype(np.float32), (unit * 4095).astype(np.int16)):
        tifffile.imwrite(tmp_path / "a.tif", stored)
        radiograph = open_radiograph(tmp_path / "a.tif", (0, 4095))
        with pytest.raises(XbdcnnError, match=r"b\.png: .* save a TIFF"):
            save_radiograph(radiograph, radiograph.stored, tmp_path / "b.png", "")


# --- several pictures in one page


@pytest.mark.parametrize(
    "options",
    [
        {"imagej": True, "truncate": True},
        {"truncate": True, "photometric": "minisblack"},
        {"imagej": True, "photometric": "minisblack"},
    ],
)
def test_stacks_are_refused_even_in_one_page(tmp_path, unit, options):
    stored = in_bits(unit, 16)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([stored, stored // 2, stored // 4]), **options)
    with pytest.raises(XbdcnnError, match="holds 3 frames"):
        load_radiograph(tmp_path / "a.tif")


def test_a_single_picture_of_imagej_is_read(tmp_path, unit):
    stored = in_bits(unit, 16)
    tifffile.imwrite(tmp_path / "a.tif", stored, imagej=True)
    np.testing.assert_array_equal(open_radiograph(tmp_path / "a.tif").stored, stored)


# --- texts in PNG files


def compressed_profile(length: int) -> bytes:
    """A chunk iCCP whose profile has a length in bytes."""
    body = b"iCCP" + b"grey\0\0" + zlib.compress(bytes(length))
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize("kind", ["tEXt", "zTXt", "iTXt", "iCCP", "many", "after the pixels"])
def test_long_texts_do_not_hinder(tmp_path, unit, kind):
    stored, info, path = in_bits(unit, 16), PngInfo(), tmp_path / "a.png"
    long = "protocol " * 200_000
    if kind in ("tEXt", "zTXt"):
        info.add_text("Comment", long, zip=kind == "zTXt")
    elif kind == "many":
        for number in range(70):
            info.add_text(f"Comment{number}", "x" * 10**6, zip=True)
    elif kind != "iCCP":
        info.add_itxt("Comment", long, zip=True)
    exif = Image.Exif()
    exif[274] = 3  # upside down
    save_png(path, stored, pnginfo=info, exif=exif)
    whole = path.read_bytes()
    if kind == "iCCP":
        path.write_bytes(whole[:33] + compressed_profile(2**21) + whole[33:])
    elif kind == "after the pixels":
        start, end = whole.index(b"iTXt") - 4, whole.index(b"IDAT") - 4
        path.write_bytes(whole[:start] + whole[end:-12] + whole[start:end] + whole[-12:])
    np.testing.assert_array_equal(open_radiograph(path).stored, stored[::-1, ::-1])


def test_a_damaged_png_with_a_long_text_is_refused(tmp_path, unit):
    info = PngInfo()
    info.add_text("Comment", "x" * 2**21, zip=True)
    save_png(tmp_path / "a.png", in_bits(unit, 16), pnginfo=info)
    whole = (tmp_path / "a.png").read_bytes()
    for length in (len(whole) // 2, len(whole) - 100, 40):
        (tmp_path / "a.png").write_bytes(whole[:length])
        with pytest.raises(XbdcnnError, match="damaged"):
            load_radiograph(tmp_path / "a.png")
