"""Patches of many radiographs, cut once and stored on disk as one memory map (Sec. III-A).

The 320,000 patches of 128 x 128 of the paper take 5.2 GB as uint8. Several processes cut them in
blocks; building an interrupted or damaged store again repeats only the blocks whose SHA-256 is
missing or wrong. The file is read with np.load("patches.npy").
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn._common.processes import process_pool
from xbdcnn.data.files.radiograph import load_radiograph
from xbdcnn.data.patches import random_patches

if TYPE_CHECKING:
    import pandas as pd

PATCHES, RECORD = "patches.npy", "patches.json"
"""File names of the memory map and of the record of its blocks."""

BLOCK_IMAGES = 64
"""Radiographs per block: 34 MB of patches as in the paper, some seconds of work."""


class PatchStore(NamedTuple):
    """The patches of a completed store."""

    patches: NDArray[np.uint8]
    """(images x per_image, size, size), in the order of the index; changes do not reach the file
    (a private memory map)."""
    per_image: int
    """Number of consecutive patches of one radiograph."""
    digest: str
    """SHA-256 over all pixels, the list of radiographs and the settings."""


class Block(NamedTuple):
    """Consecutive radiographs that one process cuts, and the settings of the patches."""

    first: int
    """Number of the first radiograph; identifies the block in the record."""
    paths: list[str]
    target: Path
    per_image: int
    size: int
    seed: int

    @property
    def rows(self) -> slice:
        """Rows of the block's patches in the memory map."""
        return slice(self.first * self.per_image, (self.first + len(self.paths)) * self.per_image)


def build_store(
    index: pd.DataFrame,
    folder: Path | str,
    per_image: int = 32,
    size: int = 128,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
) -> PatchStore:
    """Cut random patches from every radiograph of an index, or complete an interrupted store.

    Args:
        index: columns image and path, as from `index_folder`.
        folder: folder of patches.npy and patches.json.
        per_image: patches per radiograph; their positions depend on seed and its number only.
        size: side of a patch in pixels.
        seed: seed of the positions.
        workers: decoding processes; None for one per processor, 1 for the current process only.
        progress: show a progress bar over the blocks.

    Raises:
        XbdcnnError: `folder` holds patches of other images or settings, the disk is full, or a
            radiograph cannot be read or is smaller than a patch.
    """
    folder, shape = Path(folder), (len(index) * per_image, size, size)
    folder.mkdir(parents=True, exist_ok=True)
    settings = {"per_image": per_image, "size": size, "seed": seed}
    record = _read_record(folder, {"images": image_list_digest(index)} | settings)
    if not record["blocks"] or not _has_shape(folder / PATCHES, shape):
        record["blocks"] = {}
        _create_memory_map(folder / PATCHES, shape)
    paths, cut = [str(path) for path in index["path"]], (folder / PATCHES, per_image, size, seed)
    starts = range(0, len(paths), BLOCK_IMAGES)
    blocks = [Block(start, paths[start : start + BLOCK_IMAGES], *cut) for start in starts]
    missing = _blocks_to_cut(blocks, record["blocks"])
    done = len(blocks) - len(missing)
    options = {"desc": "cutting patches", "unit": "block", "disable": not progress}
    with tqdm(total=len(blocks), initial=done, **options) as bar:
        for block, digest in _cut_blocks(missing, workers):
            record["blocks"][str(block.first)] = digest
            _write_record(folder / RECORD, record)
            bar.update(1)
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return PatchStore(np.load(folder / PATCHES, mmap_mode="c"), per_image, digest)


def image_list_digest(index: pd.DataFrame) -> str:
    """Return the SHA-256 over names and file sizes of the radiographs, in order."""
    digest = hashlib.sha256()
    for row in index.itertuples():
        digest.update(f"{row.image} {os.path.getsize(row.path)}\n".encode())
    return digest.hexdigest()


def cut_block(block: Block) -> str:
    """Cut the patches of one block, write them to the memory map and return their SHA-256."""
    patches = np.load(block.target, mmap_mode="r+")[block.rows]
    for position, path in enumerate(block.paths):
        rng = np.random.default_rng([block.seed, block.first + position])
        try:
            found = random_patches(load_radiograph(path), block.per_image, block.size, rng)
        except XbdcnnError as error:
            raise XbdcnnError(str(error) if path in str(error) else f"{path}: {error}") from None
        first = position * block.per_image
        patches[first : first + block.per_image] = np.round(found * 255)
    patches.flush()
    return block_digest(block)


def block_digest(block: Block) -> str:
    """Return the SHA-256 of a block's pixels on disk."""
    return hashlib.sha256(np.load(block.target, mmap_mode="r")[block.rows]).hexdigest()


def _read_record(folder: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Read the record of completed blocks, or return an empty one."""
    path = folder / RECORD
    if not path.exists():
        return identity | {"blocks": {}}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = {name: record[name] for name in identity}
        dict(record["blocks"])
    except (ValueError, KeyError, TypeError) as error:
        raise XbdcnnError(f"{path}: damaged ({error}); delete the folder to start again") from None
    if found != identity:
        raise XbdcnnError(
            f"{folder}: holds patches of other images or settings; choose another folder"
        )
    return record


def _has_shape(path: Path, shape: tuple[int, int, int]) -> bool:
    """Tell whether a file is a memory map of this shape."""
    try:
        return np.load(path, mmap_mode="r").shape == shape
    except (OSError, ValueError, EOFError):
        return False


def _create_memory_map(path: Path, shape: tuple[int, int, int]) -> None:
    """Create an empty memory map; XbdcnnError if the disk has too little space for all of it."""
    path.unlink(missing_ok=True)
    needed, free = int(np.prod(shape, dtype=np.int64)), shutil.disk_usage(path.parent).free
    if needed > free:
        raise XbdcnnError(
            f"{path}: needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; free some space"
        )
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()


def _blocks_to_cut(blocks: list[Block], recorded: dict[str, str]) -> list[Block]:
    """Return the blocks that are not recorded, or whose pixels differ from the record."""
    done = [block for block in blocks if str(block.first) in recorded]
    with ThreadPoolExecutor() as pool:  # hashing releases the GIL
        digests = zip(done, pool.map(block_digest, done), strict=True)
        intact = {block.first for block, sha in digests if sha == recorded[str(block.first)]}
    return [block for block in blocks if block.first not in intact]


def _cut_blocks(blocks: list[Block], workers: int | None) -> Iterator[tuple[Block, str]]:
    """Cut blocks; yield each with its digest when it is complete, in any order."""
    workers = min(workers or os.cpu_count() or 1, len(blocks))
    if workers <= 1:
        yield from ((block, cut_block(block)) for block in blocks)
        return
    with process_pool(workers) as pool:
        jobs = {pool.submit(cut_block, block): block for block in blocks}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BrokenProcessPool:
            raise XbdcnnError("a decoding process was terminated; run it again to resume") from None


def _write_record(path: Path, record: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
