"""Bad input gives one line that names the file and the remedy, and damages nothing else.

A bad file among good ones: exit code 1, the good ones are restored, a summary is printed, and no
incomplete file is left. A usage error: exit code 2, and nothing is written.
"""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import dicoms
import numpy as np
import pydicom
import pytest
import tifffile
import torch
from PIL import Image
from pydicom import uid
from pydicom.data import get_testdata_file
from safetensors.torch import save_file
from typer.testing import CliRunner

from xbdcnn.cli import app
from xbdcnn.inference import weights as weight_files
from xbdcnn.inference.weights import build_network, save_weights, shipped_path
from xbdcnn.models import Recipe

GREY = dicoms.ramp(8)
SIXTEEN = dicoms.ramp(16)
GOOD = ("first.png", "last.dcm")

Bad = Callable[[Path], Path | None]
FILES: dict[str, tuple[Bad, str]] = {}
"""Name of the bad file -> function that writes it, and a part of the error message."""


def bad_file(name: str, word: str):
    """Register a function that writes a bad file to a path, or returns another path."""

    def register(make: Bad) -> Bad:
        FILES[name] = (make, word)
        return make

    return register


def run(*arguments: object):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def error_lines(result) -> list[str]:
    return [line for line in result.stderr.splitlines() if line.startswith("xbdcnn: error: ")]


def assert_one_line(result, code: int, *words: str) -> None:
    """Check exit code, a single line of error with these words, and no traceback."""
    assert result.exit_code == code, (result.output, result.exception)
    assert isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    lines = error_lines(result)
    assert len(lines) == 1, result.stderr
    for word in words:
        assert word in lines[0]


@pytest.fixture
def good(tmp_path) -> list[Path]:
    folder = tmp_path / "good"
    folder.mkdir()
    Image.fromarray(GREY).save(folder / GOOD[0])
    dicoms.write(folder / GOOD[1], dicoms.radiograph("CR"))
    return [folder / name for name in GOOD]


# --- files ----------------------------------------------------------------------------------


def png(pixels: np.ndarray = GREY, mode: str | None = None, **options: object) -> bytes:
    stream, picture = io.BytesIO(), Image.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(stream, format="PNG", **options)
    return stream.getvalue()


def jpeg(mode: str = "L") -> bytes:
    stream = io.BytesIO()
    Image.fromarray(GREY).convert(mode).save(stream, format="JPEG")
    return stream.getvalue()


def png_of_size(
    width: int, height: int, depth: int = 8, colour: int = 0, rows: bytes = b""
) -> bytes:
    """Return a PNG whose header states any size and whose data are only `rows`."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


@bad_file("missing.png", "no such file; check the path")
def _(path):
    return path


@bad_file("empty.png", "the file is empty; copy or download it again")
@bad_file("empty.dcm", "the file is empty; copy or download it again")
def _(path):
    path.touch()


@bad_file("truncated.png", "the file is damaged")
def _(path):
    path.write_bytes(png()[:300])


@bad_file("only a signature.png", "the file is damaged")
def _(path):
    path.write_bytes(png()[:8])


@bad_file("wrong checksum.png", "the file is damaged")
def _(path):
    whole = bytearray(png())
    whole[18] ^= 1
    path.write_bytes(whole)


@bad_file("truncated.jpg", "the file is damaged")
def _(path):
    path.write_bytes(jpeg()[:-200])


@bad_file("truncated.tif", "truncated; copy or download it again")
def _(path):
    tifffile.imwrite(path, SIXTEEN)
    path.write_bytes(path.read_bytes()[:-100])


@bad_file("only a header.tif", "the file is damaged")
def _(path):
    path.write_bytes(b"II*\0\x08\0\0\0")


@bad_file("endless list of pages.tif", "at least 16 x 16")
def _(path):
    # One directory without entries, followed by itself.
    path.write_bytes(b"II*\0" + struct.pack("<IHI", 8, 0, 8))


@bad_file("truncated.dcm", "the file is damaged")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR"))
    path.write_bytes(path.read_bytes()[:-500])


@bad_file("truncated in its header.dcm", "again if it is truncated")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR"))
    path.write_bytes(path.read_bytes()[:300])


@bad_file("text.png", "export the radiograph as one of these")
def _(path):
    path.write_text("Dear colleague, this is no radiograph.\n" * 10)


@bad_file("document.dcm", "export the radiograph as one of these")
def _(path):
    path.write_bytes(b"%PDF-1.7\n" + bytes(500))


@bad_file("archive.dcm", "export the radiograph as one of these")
def _(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("scan.png", png())


@bad_file("no preamble.dcm", "without the preamble of 128 bytes")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR"))
    path.write_bytes(path.read_bytes()[132:])


@bad_file("ten gigapixels.png", "crop or reduce it")
def _(path):
    path.write_bytes(png_of_size(100_000, 100_000))


@bad_file("largest size of a PNG header.png", "crop or reduce it")
def _(path):
    path.write_bytes(png_of_size(2**31 - 1, 2**31 - 1))


@bad_file("larger than any detector.png", "crop or reduce it")
def _(path):
    Image.new("1", (9000, 9000)).save(path)


@bad_file("huge by its header.tif", "crop or reduce it")
def _(path):
    tifffile.imwrite(path, SIXTEEN)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["ImageLength"].overwrite(2_000_000_000)


@bad_file("width is a list.tif", "not two numbers")
def _(path):
    tifffile.imwrite(path, SIXTEEN)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["ImageWidth"].overwrite((SIXTEEN.shape[1],) * 100)


@bad_file("huge by its header.dcm", "crop or reduce it")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR", Rows=65535, Columns=65535))


@bad_file("deflated.dcm", "inflate it with a DICOM tool")
def _(path):
    header = dicoms.radiograph("CR")
    header.file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    content = dicoms.write(path, header).read_bytes()
    path.write_bytes(content[:400] + b"\xff" * 8 + content[400:])


@bad_file("colour.png", "convert the radiograph to grey")
def _(path):
    path.write_bytes(png(np.stack([GREY, GREY, 255 - GREY], axis=-1)))


@bad_file("palette.png", "convert the radiograph to grey")
def _(path):
    picture = Image.fromarray(np.stack([GREY, GREY, 255 - GREY], axis=-1))
    picture.quantize(16).save(path)


@bad_file("colour.jpg", "convert the radiograph to grey")
def _(path):
    Image.fromarray(np.stack([GREY, GREY, 255 - GREY], axis=-1)).save(path)


@bad_file("cmyk.jpg", "convert the radiograph to grey")
def _(path):
    picture = Image.fromarray(np.stack([GREY, GREY, 255 - GREY], axis=-1)).convert("CMYK")
    picture.save(path, format="JPEG")


@bad_file("transparent.png", "flatten it on an opaque background")
def _(path):
    path.write_bytes(png(np.stack([GREY] * 3 + [GREY], axis=-1)))


@bad_file("transparent grey.png", "flatten it on an opaque background")
def _(path):
    path.write_bytes(png(np.stack([GREY, GREY], axis=-1)))


@bad_file("deep colour.png", "save it as 16-bit grey PNG or TIFF")
def _(path):
    path.write_bytes(png_of_size(20, 20, 16, 2, (b"\0" + b"\x12\x34" * 60) * 20))


@bad_file("animated.png", "save the wanted one as its own file")
def _(path):
    frames = [Image.fromarray(GREY), Image.fromarray(255 - GREY)]
    frames[0].save(path, save_all=True, append_images=frames[1:])


@bad_file("pages.tif", "save the wanted one as its own file")
def _(path):
    tifffile.imwrite(path, np.stack([GREY] * 3), photometric="minisblack")


@bad_file("twelve bits.tif", "12 bits per pixel; save it with 8 or 16 bits")
def _(path):
    tifffile.imwrite(path, GREY.astype(np.uint16), photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages[0].tags["BitsPerSample"].overwrite(12)


@bad_file("palette.tif", "save it as a 2-D grey TIFF")
def _(path):
    colours = np.zeros((3, 256), np.uint16)
    tifffile.imwrite(path, GREY, photometric="palette", colormap=colours)


TIFF_PIXELS = {
    "not a number.tif": (np.full((20, 20), np.nan, np.float32), "replace them first"),
    "infinite.tif": (np.full((20, 20), np.inf, np.float32), "replace them first"),
    "above one.tif": (np.full((20, 20), 1.5, np.float32), "scale them to [0, 1]"),
    "below zero.tif": (np.full((20, 20), -0.1, np.float64), "scale them to [0, 1]"),
    "32 bits.tif": (np.ones((20, 20), np.int32), "8 or 16 bits, unsigned"),
    "signed.tif": (np.ones((20, 20), np.int16), "8 or 16 bits, unsigned"),
    "complex.tif": (np.ones((20, 20), np.complex64), "8 or 16 bits, unsigned"),
    "one row.tif": (np.ones((1, 400), np.uint8), "at least 16 x 16"),
    "one column.tif": (np.ones((400, 1), np.uint16), "at least 16 x 16"),
}
for name, (pixels, word) in TIFF_PIXELS.items():
    bad_file(name, word)(
        lambda path, pixels=pixels: tifffile.imwrite(path, pixels, photometric="minisblack")
    )


@bad_file("15 x 15.png", "at least 16 x 16")
def _(path):
    path.write_bytes(png(GREY[:15, :15]))


@bad_file("no column.png", "the file is damaged")
def _(path):
    path.write_bytes(png_of_size(0, 40))


def dicom_case(name: str, word: str, modality: str = "CR", **tags: object) -> None:
    """Register a valid object with some invalid attributes."""
    bad_file(name, word)(
        lambda path: dicoms.write(path, dicoms.radiograph(modality, **tags)) and None
    )


dicom_case("15 x 15.dcm", "at least 16 x 16", stored=dicoms.ramp(12, (15, 15)))
dicom_case("several frames.dcm", "save the wanted one", NumberOfFrames=2)
dicom_case("colour.dcm", "contradicts PhotometricInterpretation", PhotometricInterpretation="RGB")
dicom_case("palette.dcm", "MONOCHROME1 or 2", PhotometricInterpretation="PALETTE COLOR")
dicom_case("three samples.dcm", "contradicts PhotometricInterpretation", SamplesPerPixel=3)
dicom_case("32 bits.dcm", "export it again", BitsAllocated=32)
dicom_case("one bit.dcm", "export it again", BitsAllocated=1, BitsStored=1, HighBit=0)
dicom_case("more bits than allocated.dcm", "export it again", BitsStored=20, HighBit=19)
dicom_case("left-aligned.dcm", "convert it with a DICOM tool", HighBit=15)
dicom_case(
    "invalid PixelRepresentation.dcm",
    "PixelRepresentation (0028,0103) is not",
    PixelRepresentation=7,
)
dicom_case("constant.dcm", "every pixel is equal", stored=np.full((20, 20), 7, np.uint16))
dicom_case("window too narrow.dcm", "give --window", WindowCenter=5, WindowWidth=0.5)
dicom_case("window elsewhere.dcm", "give --window", WindowCenter=9e6, WindowWidth=10)


@bad_file("rescale slope of zero.dcm", "give --window BLACK WHITE")
def _(path):
    tags = {"RescaleSlope": 0, "RescaleIntercept": 0, "WindowCenter": 5, "WindowWidth": 9}
    dicoms.write(path, dicoms.radiograph("CR", **tags))


@bad_file("invalid number.dcm", "WindowCenter (0028,1050) is not a number; give --window")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR", WindowCenter=1234, WindowWidth=99))
    path.write_bytes(path.read_bytes().replace(b"1234", b"12x4"))


@bad_file("overlay within the pixels.dcm", "convert it with a DICOM tool")
def _(path):
    header = dicoms.radiograph("CR")
    header.add_new(0x60000100, "US", 16)
    header.add_new(0x60000102, "US", 13)
    dicoms.write(path, header)


def without(*names: str) -> Bad:
    """Return a function that writes a valid object without some attributes."""

    def make(path: Path) -> None:
        header = dicoms.radiograph("CR")
        for name in names:
            delattr(header, name)
        dicoms.write(path, header)

    return make


bad_file("no pixels.dcm", "choose the image object")(without("PixelData"))
bad_file("no rows.dcm", "Rows (0028,0010) is missing")(without("Rows"))
bad_file("no bits.dcm", "BitsStored (0028,0101) is missing")(without("BitsStored"))
bad_file("no PhotometricInterpretation.dcm", "MONOCHROME1 or 2")(
    without("PhotometricInterpretation")
)


def with_syntax(syntax: str, content: bytes | None = None) -> Bad:
    """Return a function that writes an object with a given, possibly wrong, transfer syntax."""

    def make(path: Path) -> None:
        header = dicoms.radiograph("CR")
        if content is not None:
            header.PixelData = pydicom.encaps.encapsulate([content])
            header["PixelData"].VR = "OB"
            header["PixelData"].is_undefined_length = True
        header.file_meta.TransferSyntaxUID = uid.UID(syntax)
        dicoms.write(path, header)

    return make


bad_file("video.dcm", "decompress it with a DICOM tool")(with_syntax(uid.MPEG2MPML, b"\0" * 64))
bad_file("damaged JPEG 2000.dcm", "cannot be decoded")(
    with_syntax(uid.JPEG2000Lossless, b"\xff\x4f\xff\x51" + bytes(60))
)
bad_file("damaged JPEG-LS.dcm", "cannot be decoded")(
    with_syntax(uid.JPEGLSLossless, b"\xff\xd8\xff\xf7" + bytes(60))
)
bad_file("damaged JPEG.dcm", "cannot be decoded")(with_syntax(uid.JPEGBaseline8Bit, jpeg()[:50]))
bad_file("damaged run lengths.dcm", "cannot be decoded")(with_syntax(uid.RLELossless, bytes(64)))


@bad_file("unknown transfer syntax.dcm", "decompress it with a DICOM tool")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR"))
    known, unknown = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.9.9\0"
    path.write_bytes(path.read_bytes().replace(known, unknown, 1))


@bad_file("computed tomogram.dcm", "not a CR, DX, IO, RF or XA image")
def _(path):
    path.write_bytes(Path(get_testdata_file("CT_small.dcm", download=False)).read_bytes())


@bad_file("radiotherapy plan.dcm", "choose the image object")
def _(path):
    path.write_bytes(Path(get_testdata_file("rtplan.dcm", download=False)).read_bytes())


@bad_file("deeply nested sequences.dcm", "cannot be decoded")
def _(path):
    dicoms.write(path, dicoms.radiograph("CR"))
    whole = path.read_bytes()
    # A sequence of undefined length with one item of undefined length, five thousand times.
    opening = b"\x18\x00\x01\xa0SQ\0\0" + b"\xff" * 4 + b"\xfe\xff\x00\xe0" + b"\xff" * 4
    path.write_bytes(whole[: whole.index(b"\x20\x00\x0d\x00UI")] + opening * 5000)


@bad_file("loop of links.png", "check the path")
def _(path):
    path.symlink_to(path)


@bad_file("broken link.png", "no such file; check the path")
def _(path):
    path.symlink_to(path.with_name("nowhere"))


@bad_file("pipe.png", "no such file; check the path")
def _(path):
    os.mkfifo(path)  # opening it would block


@bad_file("n" * 300 + ".png", "shorten the name")
def _(path):
    return path


@pytest.mark.parametrize("name", FILES, ids=lambda name: name[:40])
def test_one_bad_file_among_good_ones(tmp_path, good, weights, name):
    make, word = FILES[name]
    bad = tmp_path / name
    bad = make(bad) or bad
    out = tmp_path / "out"
    result = run("denoise", good[0], bad, good[1], "-o", out, "--network", weights)
    assert_one_line(result, 1, name, word)
    assert sorted(path.name for path in out.iterdir()) == sorted(GOOD)
    assert pydicom.dcmread(out / GOOD[1]).pixel_array.shape == GREY.shape
    assert Image.open(out / GOOD[0]).size == GREY.shape[::-1]
    assert result.stdout.splitlines()[-1] == f"2 of 3 radiographs restored into {out}"


def test_at_least_sixty_cases_are_covered():
    assert len(FILES) + len(USAGE_ERRORS) + len(WEIGHTS) + len(TABLES) >= 60


def test_debug_shows_where_a_file_failed_and_goes_on(tmp_path, good, weights):
    (tmp_path / "empty.png").touch()
    files = [good[0], tmp_path / "empty.png", good[1]]
    result = run("--debug", "denoise", *files, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 1 and "Traceback" in result.stderr and "2 of 3" in result.stdout


ODD_NAMES = ["ünïcödé ☢.png", "-o.png", "a" * 240 + ".png", "two\nlines.png", b"\xff\xfe.png"]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_unusual_file_names_are_accepted(tmp_path, weights, name):
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(png())
    result = run("denoise", path, "-o", tmp_path / "out", "--network", weights)
    assert result.exit_code == 0, result.output
    assert [p.name for p in (tmp_path / "out").iterdir()] == [path.name]
    assert len(result.stdout.splitlines()) == 2


# --- usage errors ---------------------------------------------------------------------------

USAGE_ERRORS = {
    "no input": ([], "Missing argument"),
    "no output": (["{good}"], "name a folder for the results"),
    "unknown network": (["{good}", "-o", "{out}", "--network", "unet"], "choose from"),
    "empty folder": (["{empty}", "-o", "{out}"], "no PNG, TIFF, JPEG or DICOM file"),
    "pattern that matches nothing": (["{empty}/*.png", "-o", "{out}"], "check it"),
    "output is a file": (["{good}", "-o", "{good}"], "not a folder"),
    "output is a loop of links": (["{good}", "-o", "{loop}"], "not a folder"),
    "output is the input": (["{good}", "-o", "{folder}", "--overwrite"], "choose another"),
    "output is a link to the input": (["{good}", "-o", "{link}", "--overwrite"], "choose another"),
    "one name twice": (["{good}", "{twin}", "-o", "{out}"], "rename one of them"),
    "window without width": (["{good}", "-o", "{out}", "--window", "7", "7"], "two different"),
    "window with NaN": (["{good}", "-o", "{out}", "--window", "nan", "7"], "two different"),
    "window of words": (
        ["{good}", "-o", "{out}", "--window", "a", "b"],
        "Invalid value for '--window'",
    ),
}


@pytest.mark.parametrize("name", USAGE_ERRORS)
def test_usage_error_writes_nothing(tmp_path, good, weights, name):
    arguments, word = USAGE_ERRORS[name]
    places = {key: tmp_path / key for key in ("out", "empty", "loop", "link", "twins")}
    places |= {"good": good[0], "folder": good[0].parent, "twin": places["twins"] / GOOD[0]}
    places["empty"].mkdir()
    places["loop"].symlink_to(places["loop"])
    places["link"].symlink_to(good[0].parent, target_is_directory=True)
    places["twins"].mkdir()
    places["twin"].write_bytes(png())
    before = sorted(tmp_path.rglob("*"))
    chosen = [] if "--network" in arguments else ["--network", weights]
    result = run("denoise", *(part.format(**places) for part in arguments), *chosen)
    assert_one_line(result, 2, word)
    assert sorted(tmp_path.rglob("*")) == before and result.stdout == ""


OTHER_USAGE_ERRORS = {
    "profile with a typo": (["reproduce", "--profile", "quikc"], "choose from smoke, quick"),
    "train with a typo": (["train", "xbdcnnn"], "choose from dncnn"),
    "evaluate with a typo": (["evaluate", "--profile", "cpuu"], "choose from smoke, quick"),
    "series with a typo": (["trials", "recipes"], "choose from"),
    "seeds of a network without a width": (["seeds", "--network", "tiny"], "choose from dncnn"),
    "no such notebook": (["reproduce", "--only", "77"], "choose from 00_start_here"),
    "no patches": (["train", "dncnn", "--patches", "0"], "--patches"),
}


@pytest.mark.parametrize("name", OTHER_USAGE_ERRORS)
def test_usage_errors_of_other_commands(name):
    arguments, word = OTHER_USAGE_ERRORS[name]
    assert_one_line(run(*arguments), 2, word)


# --- weights --------------------------------------------------------------------------------


def header_of(**facts: object) -> Callable[[Path], None]:
    """Return a function that saves valid tensors with a header that does not fit them."""

    def make(path: Path) -> None:
        recipe = Recipe(width=8)
        state = build_network("xbdcnn", recipe).state_dict()
        values = {"architecture": "xbdcnn", "recipe": vars(recipe) | facts.pop("recipe", {})}
        save_file(state, path, {"xbdcnn": json.dumps(values | facts)})

    return make


def changed(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return a function that saves valid weights and changes their bytes."""

    def make(path: Path) -> None:
        header_of()(path)
        path.write_bytes(change(path.read_bytes()))

    return make


def of_nan(path: Path) -> None:
    recipe = Recipe(width=8)
    network = build_network("xbdcnn", recipe)
    torch.nn.init.constant_(network.nbd.output.bias, float("nan"))
    save_weights(network, path, "xbdcnn", recipe)


WEIGHTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "no such weights; train them"),
    "empty": (lambda path: path.touch(), "copy or train them again"),
    "a folder": (lambda path: path.mkdir(), "copy or train them again"),
    "noise": (lambda path: path.write_bytes(bytes(range(256)) * 9), "copy or train them again"),
    "truncated": (changed(lambda content: content[:-1000]), "copy or train them again"),
    "cut in the header": (changed(lambda content: content[:50]), "copy or train them again"),
    "a header of a terabyte": (
        changed(lambda content: (10**12).to_bytes(8, "little") + content[8:]),
        "copy or train them again",
    ),
    "pickled": (lambda path: torch.save({"a": 1}, path), "save its network with"),
    "of another program": (
        lambda path: save_file({"weight": torch.zeros(3)}, path),
        "weights of another program",
    ),
    "of another network": (header_of(architecture="dncnn"), "weights do not fit their network"),
    "of another width": (header_of(recipe={"width": 16}), "weights do not fit their network"),
    "of an absurd width": (header_of(recipe={"width": 10**9}), "weights do not fit their network"),
    "of a negative width": (header_of(recipe={"width": -8}), "weights do not fit their network"),
    "of no width": (header_of(recipe={"width": "wide"}), "weights do not fit their network"),
    "of an unknown architecture": (header_of(architecture="unet"), "unknown architecture"),
    "of a later version": (header_of(recipe={"depth": 17}), "update xbdcnn"),
    "without a recipe": (header_of(recipe={}, architecture=None), "weights do not fit"),
    "not a number": (of_nan, "holds NaN or infinity"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_bad_weights(tmp_path, good, name):
    make, word = WEIGHTS[name]
    path = tmp_path / "bad.safetensors"
    make(path)
    result = run("denoise", *good, "-o", tmp_path / "out", "--network", path)
    assert_one_line(result, 1, "bad.safetensors", word)
    assert not (tmp_path / "out").exists()


def test_shipped_weights_that_were_altered(tmp_path, good, monkeypatch):
    content = bytearray(shipped_path("generalist").read_bytes())
    content[-1] ^= 1
    (tmp_path / "generalist.safetensors").write_bytes(content)
    monkeypatch.setattr(weight_files, "WEIGHTS", tmp_path)
    result = run("denoise", *good, "-o", tmp_path / "out")
    assert_one_line(
        result, 1, "generalist.safetensors", "differ from the recorded SHA-256; reinstall"
    )


# --- folders of images ----------------------------------------------------------------------

ROW = "image,patient_id,split\n"
TABLES = {
    "path traversal": (ROW + "../../secret.png,1,test\n", "not a plain file name"),
    "absolute path": (ROW + "/secret.png,1,test\n", "not a plain file name"),
    "same image twice": (ROW + "a.png,1,test\na.png,1,test\n", "remove the repeated row"),
    "unknown split": (ROW + "a.png,1,tset\n", "use train, val, test"),
    "some without split": (ROW + "a.png,1,test\nb.png,2,\n", "fill in all or none"),
    "no patients": ("image\na.png\n", "needs the columns"),
    "empty table": ("", "needs the columns"),
    "not text": ("\0" * 99, "needs the columns"),
    "absent images": (ROW + "c.png,1,test\n", "no radiograph found"),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.filterwarnings("ignore:.*are absent and omitted")
def test_bad_tables_of_images(tmp_path, name):
    text, word = TABLES[name]
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    for image in ("a.png", "b.png"):
        (folder / "images" / image).write_bytes(png())
    (folder / "manifest.csv").write_text(text)
    result = run("evaluate", "--data", folder, "--output", tmp_path / "out")
    assert_one_line(result, 1, "data", word)
    assert not (tmp_path / "out").exists()


def test_no_such_folder_of_images(tmp_path):
    result = run("evaluate", "--data", tmp_path / "nowhere", "--output", tmp_path / "out")
    assert_one_line(result, 1, "nowhere", "check the path")


def test_a_tampered_image_of_the_sample_is_refused(tmp_path, monkeypatch):
    import pooch

    def deliver(url, output_file, _):
        Path(output_file).write_bytes(png())

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **_: deliver)
    monkeypatch.setattr(pooch.core.time, "sleep", lambda _: None)
    result = run("fetch-sample", tmp_path / "sample")
    assert_one_line(result, 1, "0 of 340 images are complete", "run it again to resume")
    assert not (tmp_path / "sample" / "manifest.csv").exists()


# --- notebooks ------------------------------------------------------------------------------

PARAMETERS = '# %% tags=["parameters"]\nprofile = "quick"\ndata = None\noutput = ".."\n'
NOTEBOOKS = {
    "no parameters": ({"00_a": "# %%\nprint(1)\n"}, "00_a.py: unknown parameter"),
    "one parameter missing": (
        {"00_a": PARAMETERS.replace("data = None\n", "")},
        "00_a.py: unknown parameter data",
    ),
    "needs a notebook that was not run": (
        {"00_a": PARAMETERS + '# %% tags=["needs:01_b"]\n1\n', "01_b": PARAMETERS},
        "run 01_b first",
    ),
    "circular needs": (
        {
            "00_a": PARAMETERS + '# %% tags=["needs:01_b"]\n1\n',
            "01_b": PARAMETERS + '# %% tags=["needs:00_a"]\n1\n',
        },
        "run 01_b first",
    ),
}


def reproduced(tmp_path: Path, sources: dict[str, str]):
    folder = tmp_path / "sources"
    folder.mkdir()
    for name, text in sources.items():
        (folder / f"{name}.py").write_text(text)
    options = ["--profile", "smoke", "--data", "builtin", "--output", tmp_path / "out"]
    return run("reproduce", "--notebooks", folder, *options)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_bad_notebooks(tmp_path, name):
    sources, word = NOTEBOOKS[name]
    assert_one_line(reproduced(tmp_path, sources), 1, word)


def test_a_dead_kernel(tmp_path):
    text = PARAMETERS + "# %%\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    result = reproduced(tmp_path, {"00_a": text})
    assert_one_line(result, 1, "00_a", "Kernel died", "00_a.failed.ipynb")


def test_a_damaged_record_of_a_reproduction(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "provenance.json").write_text('{"notebooks": [')
    result = reproduced(tmp_path, {"00_a": PARAMETERS})
    assert_one_line(result, 1, "provenance.json", "delete it to start")


# --- disks ----------------------------------------------------------------------------------


def assert_all_fail(result, out: Path, word: str) -> None:
    assert result.exit_code == 1 and "Traceback" not in result.output
    lines = error_lines(result)
    assert len(lines) == len(GOOD) and all(word in line for line in lines)
    assert all(name in line for name, line in zip(GOOD, lines, strict=True))
    assert result.stdout.splitlines()[-1] == f"0 of 2 radiographs restored into {out}"
    assert not out.exists() or not list(out.iterdir())


def test_a_disk_that_limits_the_file_size(tmp_path, good, weights):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        result = run("denoise", *good, "-o", tmp_path / "out", "--network", weights)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_all_fail(result, tmp_path / "out", "write to another one")


DISKS = {
    "full": (errno.ENOSPC, "free some space and run it again"),
    "read-only": (errno.EROFS, "choose a folder that can be written to"),
    "forbidden": (errno.EACCES, "check the permissions"),
}


@pytest.mark.parametrize("name", DISKS)
def test_bad_disks(tmp_path, good, weights, monkeypatch, name):
    code, word = DISKS[name]

    def fail(prefix, suffix, dir):
        raise OSError(code, os.strerror(code), os.path.join(dir, f"{prefix}x{suffix}"))

    monkeypatch.setattr("xbdcnn._common.files.tempfile.mkstemp", fail)
    result = run("denoise", *good, "-o", tmp_path / "out", "--network", weights)
    assert_all_fail(result, tmp_path / "out", word)
    assert ".tmp-" not in result.stderr


def test_an_output_folder_below_a_file(tmp_path, good, weights):
    result = run("denoise", *good, "-o", good[0] / "out", "--network", weights)
    assert result.exit_code == 1 and len(error_lines(result)) == 2
    assert all("check the path" in line for line in error_lines(result))


def test_an_unreadable_file_among_good_ones(tmp_path, good, weights, monkeypatch):
    locked = tmp_path / "locked.png"
    locked.write_bytes(png())
    real = open

    def guarded(file, *arguments, **options):
        if os.fspath(file) == str(locked) if not isinstance(file, int) else False:
            raise PermissionError(errno.EACCES, "Permission denied", str(locked))
        return real(file, *arguments, **options)

    monkeypatch.setattr("builtins.open", guarded)
    result = run("denoise", good[0], locked, good[1], "-o", tmp_path / "o", "--network", weights)
    assert_one_line(result, 1, "locked.png", "check the permissions")
    assert "2 of 3" in result.stdout


def test_an_unreadable_folder_among_good_files(tmp_path, good, weights, monkeypatch):
    locked = tmp_path / "locked"
    locked.mkdir()
    real = os.scandir

    def guarded(path="."):
        if path == locked:
            raise PermissionError(errno.EACCES, "Permission denied", str(locked))
        return real(path)

    monkeypatch.setattr(os, "scandir", guarded)
    result = run("denoise", *good, locked, "-o", tmp_path / "out", "--network", weights)
    assert_one_line(result, 1, "locked", "check its permissions")
    assert "2 of 3" in result.stdout


def test_out_of_memory_is_one_line_per_file(tmp_path, good, weights, monkeypatch):
    """PyTorch raises a RuntimeError, not a MemoryError, if it cannot allocate."""
    monkeypatch.setattr(
        "xbdcnn.inference.restoring.to_unit_range", lambda noisy: torch.empty(2**60)
    )
    result = run("denoise", *good, "-o", tmp_path / "out", "--network", weights)
    assert_all_fail(result, tmp_path / "out", "not enough memory")
