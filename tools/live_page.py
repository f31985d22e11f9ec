"""Write the page on which a network restores radiographs in the visitor's browser.

python tools/live_page.py DIR    DIR is then served by any web server, without a kernel

ONNX Runtime Web is fetched by npm, once, into build/npm, and verified by its SHA-512. The page has
the viewer of the explorer. It loads nothing from elsewhere, and includes only radiographs that may
be redistributed.
"""

from __future__ import annotations

import argparse
import hashlib
import html
import json
import re
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Template
from numpy.typing import NDArray
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.builtin import builtin_crop, builtin_fields
from xbdcnn.data.chests import CHESTS, chest_path
from xbdcnn.data.sample import ATTRIBUTION
from xbdcnn.explorer import canvas, captions, dose
from xbdcnn.explorer.choices import NO_METHOD
from xbdcnn.explorer.controls import Box, preset_menu, state_controls
from xbdcnn.explorer.views import SIDE, State
from xbdcnn.inference.export import export_onnx

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path(__file__).with_suffix("")
NETWORK = "tiny"
VIEWER, RADIOGRAPHS = "explorer", "radiographs"
"""Folders of the page with the scripts of the viewer and with the pictures."""

BUILT_IN = {"chest": "chest.png", "chest, a detail": "detail.png"}
SHIPPED = ("00001368_000", "00027195_000")
"""Names of the radiographs of `data.chests` on the page."""

FILES = BUILT_IN | {f"ChestX-ray8: {CHESTS[name]}": f"{name}.png" for name in SHIPPED}
"""Files of the radiographs by their text in the menu."""

ATTRIBUTIONS = {
    ", ".join(BUILT_IN.values()): (
        "The chest and its detail are RG1_UNCR of the package pydicom-data (MIT licence), reduced."
    ),
    ", ".join(f"{name}.png" for name in SHIPPED): ATTRIBUTION.replace("\n", ". "),
}
"""Origin and conditions of the radiographs by their files."""

FIELDS = ("preset", "eta", "sigma", "image", "reduced", "as_it_is", "seed")
"""Controls of the page in their order."""

ACCEPTED = ".png,.jpg,.jpeg,.dcm,.dicom"

TEXTS = {
    "caption-residual": captions.FIXED["caption-residual"],
    "caption-overview": captions.region_texts(whole=False)["caption-overview"],
    "dose-note": dose.CONVENTION,
    "conventions": captions.FIXED["conventions"],
    "help": captions.FIXED["help"],
}
"""Texts that do not change."""

RUNTIME = "onnxruntime-web@1.30.0"
TARBALL = ROOT / "build" / "npm" / "onnxruntime-web-1.30.0.tgz"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""The parts of the package that run a network by WebAssembly, without WebGL or WebGPU."""

GRAPHICS_FILES = ("ort.webgpu.bundle.min.mjs", "ort-wasm-simd-threaded.asyncify.wasm")
"""Those that run it on a graphics processor, loaded only by a visitor who asks for it."""


def write_page(folder: Path | str, book: str = "") -> Path:
    """Write index.html, its scripts, radiographs, the network and ONNX Runtime; return index.html.

    book: address of the book that has this page, relative to it; "" without one. Raises XbdcnnError
    if ONNX Runtime Web is neither in build/npm nor fetched by npm.
    """
    folder, tarball = Path(folder), fetched_runtime()
    folder.mkdir(parents=True, exist_ok=True)
    write_scripts(folder)
    with tarfile.open(tarball) as package:
        for name in RUNTIME_FILES + GRAPHICS_FILES:
            content = package.extractfile(f"package/dist/{name}")
            (folder / name).write_bytes(content.read())
    _write_radiographs(folder / RADIOGRAPHS)
    export_onnx(NETWORK, folder / f"{NETWORK}.onnx")
    return _write_index(folder / "index.html", book)


def write_scripts(folder: Path) -> None:
    """Copy the scripts of the page, and the viewer's with its style sheet."""
    for source in SOURCES.glob("*.js"):
        shutil.copyfile(source, folder / source.name)
    viewer = folder / VIEWER
    viewer.mkdir(exist_ok=True)
    for name in canvas.VIEWER:
        shutil.copyfile(canvas.FOLDER / f"{name}.js", viewer / f"{name}.js")
    (viewer / "viewer.css").write_text(canvas.STYLE, encoding="utf-8")


def _write_radiographs(folder: Path) -> None:
    """Write the pictures and, beside them, their origin and conditions."""
    folder.mkdir(exist_ok=True)
    pictures = (builtin_crop(SIDE), builtin_fields("test")[0][:SIDE, :SIDE])
    for name, picture in zip(BUILT_IN.values(), pictures, strict=True):
        _save_png(folder / name, picture)
    for name in SHIPPED:
        shutil.copyfile(chest_path(name), folder / f"{name}.png")
    text = "".join(f"{files}: {origin}\n" for files, origin in ATTRIBUTIONS.items())
    (folder / "ATTRIBUTION.txt").write_text(text, encoding="utf-8")


def _write_index(path: Path, book: str) -> Path:
    """Write the HTML with the description of the controls for the script."""
    template = Template((SOURCES / path.name).read_text("utf-8"), autoescape=False)
    # Escape "<" in the data, because "</script>" would end it.
    data = json.dumps(_content(path.parent), ensure_ascii=False).replace("<", "\\u003c")
    attributions = [_linked(text) for text in ATTRIBUTIONS.values()]
    page = template.render(content=data, attributions=attributions, book=html.escape(book))
    path.write_text(page, encoding="utf-8")
    return path


def _linked(text: str) -> str:
    """HTML of a text, its addresses as links."""
    return re.sub(r"https://[^\s,]+\w", r'<a href="\g<0>">\g<0></a>', html.escape(text))


def _content(folder: Path) -> dict[str, Any]:
    """Controls, their first values, and constants, as page.js takes them; folder: of the page."""
    start = State(image=next(iter(FILES)))
    controls = state_controls(start, FILES, {NO_METHOD: None}) | {
        "preset": preset_menu(start),
        "reduced": Box(description=f"whole radiograph, reduced to {SIDE} pixels", value=True),
    }
    return {
        "fields": [{"name": name, **controls[name].field()} for name in FIELDS],
        "graphics": _graphics_field(folder),
        "start": {name: controls[name].value for name in FIELDS if name != "preset"},
        "presets": dose.PRESETS,
        "files": {name: f"{RADIOGRAPHS}/{file}" for name, file in FILES.items()},
        "texts": TEXTS,
        "dose": {"mid_grey": dose.MID_GREY, "ordinary_eta": dose.ORDINARY_ETA},
        "method": NETWORK,
        "accepted": ACCEPTED,
        "side": SIDE,
    }


def _graphics_field(folder: Path) -> dict[str, Any]:
    """Describe the box of the graphics processor, with the size of what it loads."""
    size = sum((folder / name).stat().st_size for name in GRAPHICS_FILES)
    box = Box(description=f"use the graphics processor (loads {size / 1e6:.0f} MB once)")
    return {"name": "graphics", "note": "graphics-note", **box.field()}


def fetched_runtime(tarball: Path = TARBALL) -> Path:
    """Return the npm package of ONNX Runtime Web, after npm has fetched it if it is absent."""
    if not tarball.exists():
        tarball.parent.mkdir(parents=True, exist_ok=True)
        command = ["npm", "pack", RUNTIME, "--pack-destination", str(tarball.parent)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError:
            raise XbdcnnError("npm is not installed; install Node.js, which includes it") from None
        except subprocess.CalledProcessError as error:
            reason = " ".join(error.stderr.split())[-200:]
            raise XbdcnnError(f"npm cannot fetch {RUNTIME} ({reason}); try again") from None
    if hashlib.sha512(tarball.read_bytes()).hexdigest() != SHA512:
        raise XbdcnnError(f"{tarball}: bytes differ from the recorded SHA-512; delete it")
    return tarball


def _save_png(path: Path, image: NDArray[np.float32]) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(np.rint(255 * image).astype(np.uint8)).save(temporary, "PNG")


def main() -> None:
    """Write the page and print the path of its index.html."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder of the page")
    print(write_page(parser.parse_args().folder))


if __name__ == "__main__":
    main()
