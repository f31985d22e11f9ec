"""Write the page on which a network restores radiographs in the visitor's browser.

python tools/live_page.py DIR    DIR is then served by any web server, without a kernel

ONNX Runtime Web is fetched by npm, once, into build/npm, and verified by its SHA-512. The page
loads nothing from elsewhere, and shows only the built-in radiograph, whose licence permits
redistribution.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.builtin import builtin_crop, builtin_fields
from xbdcnn.inference.export import export_onnx

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path(__file__).with_suffix("")
NETWORK = "tiny"
SIDE = 384

RUNTIME = "onnxruntime-web@1.30.0"
TARBALL = ROOT / "build" / "npm" / "onnxruntime-web-1.30.0.tgz"
SHA512 = (
    "ab4cbe26baedba45d2cec05610c71c55fa97db92d19a8b171c5f8269126683ca"
    "590a5cdc57bb2f35ce2b298de32f4d956fb42644c0ecd528a0a91e025c07ca61"
)
RUNTIME_FILES = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")
"""The parts of the package that run a network by WebAssembly, without WebGL or WebGPU."""


def write_page(folder: Path | str) -> Path:
    """Write index.html, its scripts, pictures, the network and ONNX Runtime; return index.html.

    Raises XbdcnnError if ONNX Runtime Web is neither in build/npm nor fetched by npm.
    """
    folder, tarball = Path(folder), fetched_runtime()
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES.iterdir():
        shutil.copyfile(source, folder / source.name)
    with tarfile.open(tarball) as package:
        for name in RUNTIME_FILES:
            content = package.extractfile(f"package/dist/{name}")
            (folder / name).write_bytes(content.read())
    _save_png(folder / "chest.png", builtin_crop(SIDE))
    _save_png(folder / "detail.png", builtin_fields("test")[0][:SIDE, :SIDE])
    export_onnx(NETWORK, folder / f"{NETWORK}.onnx")
    return folder / "index.html"


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
