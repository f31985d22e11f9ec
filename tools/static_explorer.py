"""Write the explorer as a static page of precomputed states, and its first picture.

Both show only the built-in radiograph, whose licence permits redistribution.
"""

from __future__ import annotations

import argparse
import base64
import html
import json
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Template
from numpy.typing import NDArray
from PIL import Image

from xbdcnn._common.files import atomic_path
from xbdcnn.data.builtin import builtin_crop
from xbdcnn.explorer import captions, drawing
from xbdcnn.explorer.canvas import STYLE, VIEWER, bundle
from xbdcnn.explorer.choices import Method, collect_methods
from xbdcnn.explorer.reading import AnatomyReading
from xbdcnn.explorer.views import (
    SIDE,
    State,
    View,
    denoise_state,
    histogram,
    middle_line,
    profile,
    simulate,
)
from xbdcnn.inference.zoo import ZOO
from xbdcnn.study.no_reference import whiteness

ETAS = (0.1, 0.2, 0.4, 0.6, 1.0, 1.9, 5.0)
SIGMAS = (0.0, 5.0, 10.0, 15.0, 20.0, 30.0, 50.0)
"""The states of the page: the paper's ranges, and levels below and above them."""

METHOD = ZOO["xbdcnn"].label
PAGE_SIDE, MAP_SIDE = 320, 64
JPEG_QUALITY, FIRST_QUALITY = 75, 70


def write_page(
    folder: Path | str,
    etas: tuple[float, ...] = ETAS,
    sigmas: tuple[float, ...] = SIGMAS,
    methods: dict[str, Method] | None = None,
    method: str = METHOD,
    book: str = "",
) -> Path:
    """Write index.html and its pictures, which require neither a server nor a network.

    Two sliders select every pair of `etas` and `sigmas`, with the scores, curves and lens of the
    explorer. book: address of the book that has this page, relative to it; "" without one. Returns
    the path of index.html. Raises XbdcnnError if the method is not available.
    """
    folder, methods = Path(folder), methods or collect_methods()
    clean = builtin_crop(PAGE_SIDE)
    _save_jpeg(folder / "clean.jpg", drawing.indices(clean))
    states = {}
    for row, eta in enumerate(etas):
        for column, sigma in enumerate(sigmas):
            state = State(eta=eta, sigma=sigma, method=method)
            view = denoise_state(clean, simulate(clean, state), state, methods)
            states[f"{row}-{column}"] = _entry(clean, state, view)
            _save_pictures(folder, f"{row}-{column}", view)
    content = {"etas": etas, "sigmas": sigmas, "states": states, "texts": captions.STATIC_PAGE}
    content["side"] = PAGE_SIDE
    with atomic_path(folder / "index.html") as temporary:
        temporary.write_text(_page(content, book), encoding="utf-8")
    return folder / "index.html"


def _save_pictures(folder: Path, key: str, view: View) -> None:
    _save_jpeg(folder / f"noisy-{key}.jpg", drawing.indices(view.noisy))
    _save_jpeg(folder / f"restored-{key}.jpg", drawing.indices(view.restored))
    _save_jpeg(folder / f"residual-{key}.jpg", drawing.residual_indices(view.residual))


def _save_jpeg(path: Path, picture: NDArray[np.uint8]) -> None:
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, "JPEG", quality=JPEG_QUALITY, optimize=True)


def _entry(clean: NDArray[np.float32], state: State, view: View) -> dict[str, Any]:
    """Texts of a state, and its reduced level maps as base64; the page applies the palette."""
    images = {"noisy": view.noisy, "clean": clean, "restored": view.restored}
    line = middle_line(clean.shape)
    texts = captions.noise_texts(state, float(clean.mean()))
    texts |= captions.restoration_texts(state, view.levels) | {
        "scores": drawing.quality_table(state, view.before, view.after, view.levels),
        "whiteness": drawing.whiteness_meter(whiteness(view.residual)),
        "anatomy": AnatomyReading().text(state, clean, view),
        "profile": drawing.profile_drawing({n: profile(i, line) for n, i in images.items()}),
        "histogram": drawing.histogram_drawing({n: histogram(i) for n, i in images.items()}),
    }
    maps = {} if view.maps is None else drawing.level_indices(view.maps, state)
    return {"texts": texts, "maps": {name: _small(picture) for name, picture in maps.items()}}


def _small(picture: NDArray[np.uint8]) -> str:
    reduced = Image.fromarray(picture).resize((MAP_SIDE, MAP_SIDE), Image.Resampling.BOX)
    return base64.b64encode(np.asarray(reduced).tobytes()).decode("ascii")


def _page(content: dict[str, Any], book: str) -> str:
    """HTML including style, script and texts, since browsers load no modules from local files."""
    template = Template((Path(__file__).with_suffix(".html")).read_text("utf-8"), autoescape=False)
    script = bundle(VIEWER)
    driver = (Path(__file__).with_suffix(".js")).read_text("utf-8")
    # Escape "<" in the data, because "</script>" would end it.
    data = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")
    parts = {"style": STYLE, "script": script + driver, "content": data, "map_side": MAP_SIDE}
    return template.render(**parts, book=html.escape(book))


def write_first(
    path: Path | str, methods: dict[str, Method] | None = None, method: str = METHOD
) -> Path:
    """Write the picture that the app shows until its kernel answers, as a JPEG.

    It is noisy at the left of the middle and restored at the right, as the explorer opens; how it
    was made is in the comment of the file.
    """
    path, state = Path(path), State(method=method)
    clean = builtin_crop(SIDE)
    view = denoise_state(clean, simulate(clean, state), state, methods or collect_methods())
    middle = SIDE // 2
    halves = np.concatenate([view.noisy[:, :middle], view.restored[:, middle:]], axis=1)
    comment = (
        f"RG1_UNCR of pydicom-data (MIT licence), reduced; eta {state.eta}, sigma {state.sigma}, "
        f"seed {state.seed}; right half restored by {method}; tools/static_explorer.py"
    )
    with atomic_path(path) as temporary:
        picture = Image.fromarray(drawing.indices(halves))
        picture.save(temporary, "JPEG", quality=FIRST_QUALITY, optimize=True, comment=comment)
    return path


def main() -> None:
    """Write the files requested and print their paths."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, metavar="DIR", help="folder of the static page")
    parser.add_argument("--first", type=Path, metavar="FILE", help="first picture of the app")
    wanted = parser.parse_args()
    if wanted.page:
        print(write_page(wanted.page))
    if wanted.first:
        print(write_first(wanted.first))


if __name__ == "__main__":
    main()
