"""Sizes of a reproduction, from a smoke test to the full protocol of the paper."""

from __future__ import annotations

from dataclasses import dataclass

from xbdcnn import paper
from xbdcnn._common.errors import XbdcnnError
from xbdcnn.baselines.classical import CLASSICAL
from xbdcnn.baselines.independent import INDEPENDENT
from xbdcnn.data.source import Source
from xbdcnn.inference.precision import Precision
from xbdcnn.training.batches import TrainConfig


@dataclass(frozen=True)
class Profile:
    """Sizes of every step of a reproduction."""

    name: str
    purpose: str
    train: TrainConfig
    """Budget of each training run in notebook 05."""
    width: int
    """Channels of the X-BDCNN that notebook 05 trains; 64 in the paper."""
    shipped_weights: bool
    """Whether the tables use the weights of the package or those trained in notebook 05."""
    train_images: int | None
    """Radiographs to train on, held in memory; None for all."""
    table1_images: int
    """Radiographs from which the patches of Table I are cut."""
    table1_patches: int
    """Number of 128 x 128 patches in Table I."""
    table2_images: int
    """Radiographs in Table II; ten in the paper."""
    table2_size: int
    """Side in pixels of the central field used for Table II; 1024 in the paper."""
    classical: tuple[str, ...]
    """Classical methods, and networks trained by others, that are compared with the networks."""
    precision: Precision
    """Precision of the networks in the tables: float32 gives the same scores on every machine;
    "auto" is bfloat16, which takes half the time on whole radiographs, on devices with bfloat16
    instructions; see `load_pretrained`."""
    images: int | None = None
    """Radiographs drawn at random from the source, over all splits; None for all."""
    patches_per_image: int | None = None
    """Patches per radiograph that are stored on disk; None to cut them from images in memory."""

    @property
    def is_smoke(self) -> bool:
        """True if the results of this profile only show that the code runs."""
        return self.name == "smoke"

    def radiographs(self, source: Source) -> int:
        """Number of radiographs of a source that a training run decodes."""
        if self.images or source.index is None:
            return self.images or len(source.images("train", self.train_images))
        return len(source.paths("train", self.train_images))


PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="smoke",
            purpose="smoke test: minutes, the numbers mean nothing",
            train=TrainConfig(
                patches=48, patch_size=32, batch_size=8, validate_every=3, schedule="cosine"
            ),
            width=8,
            shipped_weights=True,
            train_images=4,
            table1_images=2,
            table1_patches=2,
            table2_images=1,
            table2_size=96,
            classical=tuple(CLASSICAL),
            precision="fp32",
        ),
        Profile(
            name="quick",
            purpose="all tables and figures from shipped weights, on a laptop CPU",
            train=TrainConfig(
                patches=1600,
                patch_size=64,
                batch_size=16,
                schedule="cosine",
                precision="bf16",
                validate_every=5,
            ),
            width=32,
            shipped_weights=True,
            train_images=40,
            table1_images=30,
            table1_patches=40,
            table2_images=4,
            table2_size=256,
            # Without I+VST+BM3D and NL-PCA, which take as long as the other four together.
            classical=("BM3D", "GAT+BM3D", "NLM", "TV"),
            precision="fp32",
        ),
        Profile(
            name="cpu",
            purpose="all networks retrained, the best for longer; "
            "most of a day on a CPU (predicted)",
            train=TrainConfig(
                patches=160_000,
                patch_size=64,
                batch_size=16,
                learning_rates=(1e-3, 1e-5),
                schedule="cosine",
                precision="bf16",
                validate_every=500,
            ),
            width=64,
            shipped_weights=False,
            train_images=None,
            table1_images=30,
            table1_patches=480,
            table2_images=10,
            table2_size=1024,
            classical=(*CLASSICAL, *INDEPENDENT),
            precision="auto",
        ),
        Profile(
            name="paper",
            purpose="the paper's protocol, 30 h per network on its GPU; not measured here",
            train=TrainConfig(),
            width=64,
            shipped_weights=False,
            train_images=None,
            table1_images=1_000,
            table1_patches=32_000,
            table2_images=10,
            table2_size=1024,
            classical=tuple(CLASSICAL),
            precision="auto",
            images=paper.IMAGES,
            patches_per_image=paper.PATCHES // paper.IMAGES,
        ),
    )
}


def get_profile(name: str) -> Profile:
    """Look up a profile by name; an unknown name raises XbdcnnError with the list of names."""
    if name not in PROFILES:
        raise XbdcnnError(f"unknown profile {name!r}; choose from {', '.join(PROFILES)}")
    return PROFILES[name]
