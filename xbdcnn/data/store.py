"""Patches of many radiographs, cut once and kept on disk as one memory map (Sec. III-A).

The paper's 320,000 patches of 128 x 128 take 5.2 GB as uint8. They are cut by several processes,
in blocks; an interrupted or damaged store is mended by building it again, which redoes only the
blocks whose SHA-256 is missing or wrong. NumPy alone reads the file: np.load("patches.npy").
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm.auto import tqdm

from xbdcnn._common.errors import XbdcnnError
from xbdcnn._common.files import atomic_path
from xbdcnn.data.files.radiograph import load_radiograph
from xbdcnn.data.patches import random_patches

PATCHES, RECORD = "patches.npy", "patches.json"
"""Names of the memory map and of its record in a store's folder."""

BLOCK_IMAGES = 64
"""Radiographs per block: 34 MB of the paper's patches, some seconds of work to lose."""


class PatchStore(NamedTuple):
    """A finished store.

    patches: (images x per_image, size, size) uint8, in the order of the index; a private memory
    map, so nothing written to it reaches the file. per_image: patches of one radiograph, which
    stand together. digest: SHA-256 over all pixels and where they come from.
    """

    patches: NDArray[np.uint8]
    per_image: int
    digest: str


class Block(NamedTuple):
    """A worker's job: radiographs whose patches stand together, and how to cut them."""

    first: int
    """Number of its first radiograph, which is also the name of the block in the record."""
    paths: list[str]
    target: Path
    per_image: int
    size: int
    seed: int

    @property
    def rows(self) -> slice:
        """Place of the block's patches in the store."""
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
    """Cut random patches from every radiograph of an index, or complete what `folder` holds.

    Args:
        index: columns image and path, as from `index_folder`.
        folder: where patches.npy and patches.json go.
        per_image: patches of each radiograph, at places that follow from seed and its number.
        size: side of a patch in pixels.
        seed: of the places.
        workers: processes that decode; None for one per processor, 1 for none beside this one.
        progress: show a progress bar over the blocks.

    Raises:
        XbdcnnError: `folder` holds the patches of other images or settings, the disk is full, or
            a radiograph cannot be read or is smaller than a patch.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    identity = {"images": listing(index), "per_image": per_image, "size": size, "seed": seed}
    record = _record_of(folder, identity)
    if not record["blocks"] or not _fits(folder / PATCHES, (len(index) * per_image, size, size)):
        record["blocks"] = {}
        _create(folder / PATCHES, (len(index) * per_image, size, size))
    paths, cut = [str(path) for path in index["path"]], (folder / PATCHES, per_image, size, seed)
    starts = range(0, len(paths), BLOCK_IMAGES)
    blocks = [Block(start, paths[start : start + BLOCK_IMAGES], *cut) for start in starts]
    missing = _missing(blocks, record["blocks"])
    done = len(blocks) - len(missing)
    options = {"desc": "cutting patches", "unit": "block", "disable": not progress}
    with tqdm(total=len(blocks), initial=done, **options) as bar:
        for block, digest in _cut_all(missing, workers):
            record["blocks"][str(block.first)] = digest
            _write(folder / RECORD, record)
            bar.update(1)
    digest = hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
    return PatchStore(np.load(folder / PATCHES, mmap_mode="c"), per_image, digest)


def listing(index: pd.DataFrame) -> str:
    """SHA-256 over the names and sizes of the radiographs, in order."""
    digest = hashlib.sha256()
    for row in index.itertuples():
        digest.update(f"{row.image} {os.path.getsize(row.path)}\n".encode())
    return digest.hexdigest()


def cut_block(block: Block) -> str:
    """Cut the patches of one block into the memory map; return their SHA-256."""
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
    """SHA-256 of a block's pixels as they are on disk."""
    return hashlib.sha256(np.load(block.target, mmap_mode="r")[block.rows]).hexdigest()


def _record_of(folder: Path, identity: dict[str, Any]) -> dict[str, Any]:
    """Read the record of the blocks that are done, or begin one."""
    path = folder / RECORD
    if not path.exists():
        return identity | {"blocks": {}}
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        found = {name: record[name] for name in identity}
        dict(record["blocks"])
    except (ValueError, KeyError, TypeError) as error:
        raise XbdcnnError(f"{path}: damaged ({error}); delete the folder to start anew") from None
    if found != identity:
        raise XbdcnnError(f"{folder}: patches of other images or settings; name another folder")
    return record


def _fits(path: Path, shape: tuple[int, int, int]) -> bool:
    """Tell whether there is a memory map of this shape."""
    try:
        return np.load(path, mmap_mode="r").shape == shape
    except (OSError, ValueError, EOFError):
        return False


def _create(path: Path, shape: tuple[int, int, int]) -> None:
    """Make an empty memory map, if the disk has room for all of it."""
    path.unlink(missing_ok=True)
    needed, free = int(np.prod(shape, dtype=np.int64)), shutil.disk_usage(path.parent).free
    if needed > free:
        raise XbdcnnError(
            f"{path}: needs {needed / 1e9:.1f} GB, {free / 1e9:.1f} are free; make room"
        )
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()


def _missing(blocks: list[Block], recorded: dict[str, str]) -> list[Block]:
    """Blocks that are not recorded, or whose bytes are not those on record."""
    done = [block for block in blocks if str(block.first) in recorded]
    with ThreadPoolExecutor() as pool:  # hashing lets other threads run
        digests = pool.map(block_digest, done)
        whole = {b.first for b, d in zip(done, digests, strict=True) if d == recorded[str(b.first)]}
    return [block for block in blocks if block.first not in whole]


def _cut_all(blocks: list[Block], workers: int | None) -> Iterator[tuple[Block, str]]:
    """Yield each block and its digest as it is done, in any order."""
    workers = min(workers or os.cpu_count() or 1, len(blocks))
    if workers <= 1:
        yield from ((block, cut_block(block)) for block in blocks)
        return
    with _processes(workers) as pool:
        jobs = {pool.submit(cut_block, block): block for block in blocks}
        try:
            for job in as_completed(jobs):
                yield jobs[job], job.result()
        except BrokenProcessPool:
            raise XbdcnnError("a decoding process died; run it again to resume") from None


@contextmanager
def _processes(workers: int) -> Iterator[Executor]:
    """Processes that are stopped at the first error instead of finishing what is queued.

    They are started afresh: a copy of a process that runs threads, as PyTorch does, may hang.
    """
    context = get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_leave_with_parent)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _leave_with_parent() -> None:
    """Let a worker end when whoever started it is killed; it would wait for work for ever."""
    threading.Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent_process().join()
    os._exit(1)


def _write(path: Path, record: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
