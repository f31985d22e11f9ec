"""Read mutated files and count the outcomes; see tests/structure/test_fuzz.py.

python tests/helpers/fuzzing.py KIND COUNT SEED    prints one JSON object

It runs as a separate process, so that its memory can be limited and a crash be detected.
"""

from __future__ import annotations

import io
import json
import logging
import random
import resource
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import dicoms
import numpy as np
import pydicom
import tifffile
from PIL import Image
from pydicom import uid

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.data import load_radiograph, open_radiograph, save_radiograph
from xbdcnn.inference.weights import build_network, load_network, save_weights
from xbdcnn.models import Recipe

TIME_LIMIT = 10.0
"""Seconds of processor time for one file; the caller limits the elapsed time."""

MEMORY_LIMIT = 2 * 2**30
"""Bytes in addition to the memory of the process before the first file."""

BOUNDARY_VALUES = (0, 1, 7, 8, 15, 16, 127, 128, 255, 256, 32767, 32768, 65535)
"""Values at which fields of a header tend to overflow."""


def seeds_png(folder: Path) -> list[bytes]:
    grey = dicoms.ramp(8)
    pictures = [Image.fromarray(grey), Image.fromarray(dicoms.ramp(16))]
    pictures += [pictures[0].convert(mode) for mode in ("RGB", "LA", "P", "1")]
    return [_saved(picture, "PNG") for picture in pictures]


def seeds_jpeg(folder: Path) -> list[bytes]:
    picture = Image.fromarray(dicoms.ramp(8))
    return [_saved(picture, "JPEG"), _saved(picture.convert("RGB"), "JPEG", progressive=True)]


def seeds_tiff(folder: Path) -> list[bytes]:
    found = []
    for options in ({}, {"compression": "zlib"}, {"byteorder": ">"}, {"rowsperstrip": 3}):
        stream = io.BytesIO()
        tifffile.imwrite(stream, dicoms.ramp(16), **options)
        found.append(stream.getvalue())
    return found


def seeds_dicom(folder: Path) -> list[bytes]:
    headers = [dicoms.radiograph(modality) for modality in dicoms.CLASSES]
    headers += [dicoms.radiograph("CR", bits=8), dicoms.radiograph("CR", PixelPaddingValue=0)]
    implicit = dicoms.radiograph("CR", WindowCenter=2000, WindowWidth=900)
    implicit.file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    headers += [implicit, _with_table(), _with_equal_channels()]
    for syntax in (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless):
        header = dicoms.radiograph("CR", dicoms.ramp(12, (64, 64)))
        header.compress(syntax, generate_instance_uid=False)
        headers.append(header)
    return [dicoms.write(folder / "seed", header).read_bytes() for header in headers]


def _with_table() -> pydicom.Dataset:
    """Return an object with a VOI LUT of packed bytes."""
    item = pydicom.Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 8])
    item.add_new("LUTData", "OW", bytes(k // 16 for k in range(4096)))
    return dicoms.radiograph("CR", VOILUTSequence=pydicom.Sequence([item]))


def _with_equal_channels() -> pydicom.Dataset:
    grey = dicoms.ramp(8)
    header = dicoms.radiograph("DX", grey, bits=8, kind="RGB")
    header.SamplesPerPixel, header.PlanarConfiguration = 3, 0
    header.PixelData = np.repeat(grey, 3).tobytes()
    return header


def seeds_safetensors(folder: Path) -> list[bytes]:
    path = folder / "seed.safetensors"
    recipe = Recipe(width=2)
    save_weights(build_network("xbdcnn", recipe), path, "xbdcnn", recipe, name="seed")
    return [path.read_bytes()]


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, format=kind, **options)
    return stream.getvalue()


def process_image(path: Path) -> None:
    """Read, change and write a file as `denoise` does, without a network."""
    radiograph = open_radiograph(path)
    load_radiograph(path)
    restored = radiograph.restored(np.float32(0.5) * radiograph.unit + np.float32(0.25))
    assert restored.shape == radiograph.stored.shape and restored.dtype == radiograph.stored.dtype
    target = path.with_name("out.dcm" if radiograph.header is not None else "out.tif")
    save_radiograph(radiograph, restored, target, "Mutated.")
    assert (open_radiograph(target).stored == restored).all()


KINDS: dict[str, tuple[Callable[[Path], list[bytes]], Callable[[Path], object]]] = {
    "png": (seeds_png, process_image),
    "jpeg": (seeds_jpeg, process_image),
    "tiff": (seeds_tiff, process_image),
    "dicom": (seeds_dicom, process_image),
    "safetensors": (seeds_safetensors, load_network),
}


def mutated(content: bytes, kind: str, rng: random.Random) -> bytes:
    """Change up to eight positions, mostly in the header; repair the checksums of most PNGs."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        place = rng.randrange(min(len(data), rng.choice((40, 200, 1500, len(data)))))
        rng.choice((_flip, _set, _number, _cut, _repeat, _remove))(data, place, rng)
        if len(data) < 2:
            break
    if kind == "png" and rng.random() < 0.8:
        return _with_checksums(bytes(data))
    return bytes(data)


def _flip(data: bytearray, place: int, rng: random.Random) -> None:
    data[place] ^= 1 << rng.randrange(8)


def _set(data: bytearray, place: int, rng: random.Random) -> None:
    data[place] = rng.randrange(256)


def _number(data: bytearray, place: int, rng: random.Random) -> None:
    kind = rng.choice(("<H", ">H", "<I", ">I"))
    number = struct.pack(kind, rng.choice(BOUNDARY_VALUES))
    data[place : place + len(number)] = number


def _cut(data: bytearray, place: int, rng: random.Random) -> None:
    if rng.random() < 0.1:
        del data[place:]


def _repeat(data: bytearray, place: int, rng: random.Random) -> None:
    part = data[place : place + rng.randint(1, 64)]
    data[place:place] = part * rng.randint(1, 8)


def _remove(data: bytearray, place: int, rng: random.Random) -> None:
    del data[place : place + rng.randint(1, 16)]


def _with_checksums(data: bytes) -> bytes:
    """Correct the checksums of a PNG, without which the decoder would stop at most mutations."""
    out, place = bytearray(data[:8]), 8
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4])
        body = data[place + 4 : place + 8 + length]
        out += data[place : place + 4] + body + struct.pack(">I", zlib.crc32(body))
        place += 12 + length
    return bytes(out)


def fuzz(kind: str, count: int, seed: int) -> dict[str, object]:
    """Try `count` mutations; every outcome other than success and XbdcnnError is a failure."""
    make_seeds, use = KINDS[kind]
    rng, outcomes, failures, slowest = random.Random(f"{kind} {seed}"), Counter(), [], 0.0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seeds = make_seeds(folder)
        path = folder / f"case.{kind}"
        for content in seeds:  # the unchanged files must be valid
            path.write_bytes(content)
            use(path)
        before = _limit_memory()
        for number in range(count):
            path.write_bytes(mutated(rng.choice(seeds), kind, rng))
            started = time.process_time()
            outcome, reason = _outcome(use, path)
            slowest = max(slowest, time.process_time() - started)
            outcomes[outcome] += 1
            if outcome == "failed":
                failures.append(f"case {number}: {reason}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    return {
        "kind": kind,
        "seed": seed,
        "tried": count,
        "accepted": outcomes["accepted"],
        "refused": outcomes["refused"],
        "failed": outcomes["failed"],
        "slowest_s": round(slowest, 2),
        "memory_mb": round(max(peak, 0) / 2**20),
        "failures": failures[:10],
    }


def _limit_memory() -> int:
    """Limit the memory to 2 GB more than at present; return the resident bytes at present."""
    pages = [int(number) for number in Path("/proc/self/statm").read_text().split()]
    size, resident = (number * resource.getpagesize() for number in pages[:2])
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY_LIMIT, -1))
    return resident


def _outcome(use: Callable[[Path], object], path: Path) -> tuple[str, str]:
    try:
        use(path)
    except XbdcnnError as error:
        one_line = "\n" not in str(error) and path.name in str(error)
        memory = isinstance(error.__cause__, MemoryError)
        return ("refused", "") if one_line and not memory else ("failed", repr(error))
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return "failed", f"{error!r} at {place.filename.rpartition('/')[2]}:{place.lineno}"
    return "accepted", ""


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(fuzz(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
