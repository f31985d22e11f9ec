# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 00 Start here
#
# An X-ray image taken with few photons is noisy; one taken with many is a burden for the patient. The
# paper *X-Ray Image Enhancement Using Blind Denoising Neural Networks* by W. Yin, B. Qi, T. Cai and
# J. Li trains a network, X-BDCNN, to take the first kind and return something close to the second,
# without being told how noisy its input is. This project rebuilds it so that you can read it, run it
# and doubt it.
#
# ## What you'll do
#
# You restore one real radiograph in five lines, compare what the network believes about the noise
# with the truth, and choose your way through the other notebooks.
#
# ## What you'll learn
#
# What the paper claims, how its tables and figures are made anew here, what a profile is, and which
# numbers you may trust for what.
#
# ## What you need
#
# Some Python. Less than a minute on 2 CPU cores, no GPU and no download.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import pandas as pd
import torch

from xbdcnn import metrics, noise, paper, plotting
from xbdcnn._common.provenance import provenance
from xbdcnn.data import builtin_crop, find_source
from xbdcnn.inference import zoo
from xbdcnn.inference.pretrained import Pretrained, load_pretrained
from xbdcnn.models import count_parameters
from xbdcnn.study.notebook import show_source
from xbdcnn.study.profiles import PROFILES, get_profile

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# The paper makes three claims. First, the noise of a low-dose radiograph is best modelled as two
# noises in one: the randomness of photons, whose strength follows the image, and the warmth of the
# electronics, which does not (Eq. 1).
#
# $$f = p + n, \qquad \eta\, p \sim \text{Poisson}(\eta\, g), \qquad n \sim \mathcal N(0, \sigma^2).$$
#
# Here $g$ is the image we want and $f$ the one we have; η counts photons per grey level, σ is in grey
# levels of the 8-bit scale. Small η, strong noise.

# %%
show_source(noise.add_hybrid_noise)

# %% [markdown]
# Second, a denoiser works better if a small network first estimates η and σ from the image itself and
# hands both on as maps $\hat l$. The denoiser predicts what to add to the noisy image (Sec. II-B):
#
# $$\hat g = f + \mathcal R\bigl(f, \hat l(f)\bigr).$$
#
# Third, a structural term in the loss (SSIM) preserves detail. Each claim has an experiment in the
# paper, and a notebook here.

# %%
show_source(Pretrained.denoise)

# %% [markdown]
# ## Practical
#
# ### One radiograph, five lines
#
# The image below is a real chest radiograph that comes with pip. It is not from the collection that
# the shipped network was trained on: another hospital, another detector. We give it
# about a fifth of the photons that the easiest training images had, and thermal noise on top.

# %%
eta, sigma = 0.4, 10.0
clean = builtin_crop(256 if settings.is_smoke else 768)
generator = torch.Generator().manual_seed(0)
noisy = noise.add_hybrid_noise(torch.from_numpy(clean), eta, sigma, generator).numpy()
network = load_pretrained("xbdcnn")
restored = network.denoise(noisy)

# %%
fig = plotting.hero(clean, noisy, restored)
caption = f"A real radiograph under (η, σ) = ({eta}, {sigma:.0f}), restored by the shipped network."
hero_facts = facts | {"data": "built-in radiograph"}
plotting.save_figure(fig, figures / "00_hero", caption, hero_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# The built-in radiograph in three thirds: as a low-dose detector would report it, as the network
# restores it, and as it was; then one detail of all three. The network was given the noisy image and
# nothing else. Look closely at the detail: the noise is gone, and so are the finest lines.
#
# **Check.** The restoration removes at least three quarters of the squared error (6 dB).

# %%
gain = metrics.psnr(restored, clean) - metrics.psnr(noisy, clean)
print(f"gained {gain:.1f} dB: the squared error is {10 ** (gain / 10):.0f} times smaller")
assert gain > 6

# %% [markdown]
# ### What the network believes about the noise
#
# We ask it at three levels, and add what both noises make together at the mean grey level of the
# image: $\sqrt{g/\eta + \sigma^2}$.


# %%
def strength(level):
    """Standard deviation of the noise at the image's mean grey level, in grey levels."""
    return noise.noise_variance(float(clean.mean()), *level) ** 0.5


rows = {}
for level in [(0.4, 10.0), (0.8, 10.0), (1.8, 2.0)]:
    generator = torch.Generator().manual_seed(0)
    f = noise.add_hybrid_noise(torch.from_numpy(clean), *level, generator).numpy()
    seen = network.estimate(f)
    rows[level] = (seen.eta, seen.sigma, strength(level), strength(seen))

# %%
names = ["estimated η", "estimated σ", "true total", "estimated total"]
believed = pd.DataFrame.from_dict(rows, orient="index", columns=names)
believed.index = [f"η = {eta:g}, σ = {sigma:g}" for eta, sigma in rows]
believed.round(2)

# %% [markdown]
# Compare the columns before you believe the names of the maps. An estimator that sees only a few
# pixels around each point can tell *how much* noise there is far better than which part of it is
# photons: a too large η (too little quantum noise) goes with a too large σ. Notebook 07 asks what the
# estimate is good for.
#
# **Check.** The total is within a third of the truth, and grows and falls with it.

# %%
ratio = believed["estimated total"] / believed["true total"]
print("estimated / true total:", ratio.round(2).to_list())
assert ratio.between(2 / 3, 4 / 3).all()
assert believed["estimated total"].is_monotonic_decreasing

# %% [markdown]
# Where that network comes from is written in the header of its weight file: what it saw, for how
# long, and how it scored on the validation images.

# %%
header = network.metadata
print(f"{count_parameters(network.network):,} parameters, from {header['provenance']['data']}")
print(f"{header['budget']['patches']:,} patches in {header['seconds'] / 60:.0f} minutes")
print(f"the paper: {224_000 * sum(paper.EPOCHS):,} patches in {paper.TRAINING_HOURS:.0f} hours")

# %% [markdown]
# ### Which notebook for what
#
# | notebook | read it to … |
# |---|---|
# | [01 Noise synthesis](01_noise_synthesis.ipynb) | understand Eq. 1–2, and see why η is a gain |
# | [02 Data](02_data.ipynb) | know the images, their splits and their own noise |
# | [03 Model tour](03_model_tour.ipynb) | take the network apart; Fig. 1 |
# | [04 Losses and metrics](04_losses_and_metrics.ipynb) | see Eq. 3–8 and where text, equations and code disagree |
# | [05 Train](05_train.ipynb) | train every network yourself, small or in full |
# | [06 Tables](06_tables.ipynb) | check Tables I and II: printed, corrected, and ours |
# | [07 Ablations](07_ablations.ipynb) | ask what the SSIM loss and the noise estimate contribute |
# | [08 Figure 2](08_figure_2.ipynb) | compare the methods by eye |
# | [09 Noise explorer](09_noise_explorer.ipynb) | move η and σ with sliders |
# | [10 Exercises](10_exercises.ipynb) | teach with it, or test yourself |
# | [11 The audit](11_audit.ipynb) | ask of every disputed point whether the paper is right |
# | [12 Your own radiograph](12_your_own_radiograph.ipynb) | denoise a DICOM file, and check what was removed |
#
# A skeptic starts at 06, goes back to 01 and 04, and on to 11. A radiographer may read 01, 08, 09 and 12. Who wants
# to build on the code reads 03 and 05.
#
# ### Two commands
#
# ```
# make reproduce      # every table and figure, from nothing
# make test           # the checks, and all notebooks in small
# ```
#
# The first makes an environment, runs these notebooks in order, and leaves their executed copies,
# `figures/`, `tables/` and `provenance.json` in the folder `reproduction/`. A second run skips what
# has not changed. No number in a table or figure was typed in: a notebook computed it, and the paper's
# own numbers come from one module, `xbdcnn.paper`, as printed.
#
# ### Profiles: how much work
#
# A profile says how many images, how large, and which weights. Choose one by
# `make reproduce PROFILE=cpu`. Its name stands under every figure and table; smoke output is stamped.

# %% tags=["nbval-check-output"]
rows = {
    name: {
        "training patches": f"{p.train.patches:,}",
        "weights": "shipped" if p.shipped_weights else "trained in 05",
        "Table I patches": p.table1_patches,
        "Table II": f"{p.table2_images} images, {p.table2_size} px",
        "purpose": p.purpose,
    }
    for name, p in PROFILES.items()
}
print(pd.DataFrame(rows).T.to_string())

# %% [markdown]
# Images are looked for in this order: the folder given by `--data`, the one that `XBDCNN_DATA` names,
# the sample that `xbdcnn fetch-sample` has downloaded, and the built-in radiograph. This run uses:

# %%
print("profile:", settings.name, "| images:", source.name)
print("shipped networks:", ", ".join(zoo.ZOO[name].label for name in zoo.shipped_names()))

# %% [markdown]
# ### How to read the paper's numbers
#
# One thing must be known before any comparison. SNR can never exceed PSNR, since the mean square of
# an image never exceeds its squared peak. Yet the paper prints it so, in every row of a neural network:

# %% tags=["nbval-check-output"]
for method, printed in paper.TABLE_1.items():
    fixed = paper.corrected(printed)
    mark = "columns swapped" if paper.columns_are_swapped(printed) else ""
    print(f"{method:24s} printed PSNR {printed.psnr:7.4f}   read as {fixed.psnr:7.4f}   {mark}")

# %% [markdown]
# So the two columns have changed places there, and every table of ours shows both readings.
#
# **Check.** All nine cells of Table II print the impossible order for all three networks, while the
# two rows of Table I that need no network do not.

# %%
cells = [scores for row in paper.TABLE_2.values() for scores in row.values()]
assert len(cells) == 27 and all(paper.columns_are_swapped(scores) for scores in cells)
assert not any(paper.columns_are_swapped(paper.TABLE_1[m]) for m in ("Before Denoising", "BM3D"))

# %% [markdown]
# ## Discussion
#
# The rules by which this project reports are short.
#
# Every number of ours is measured by code in these notebooks, on images and weights that are named
# beside it. The paper's numbers stand as printed, with the corrected reading next to them. Where text,
# equations and the first author's published code disagree, each reading has a name and can be run.
# The paper's ten test images and 10,000 training images are not known, so ours are others, and equal
# digits cannot be expected; the order of methods and the size of the steps between them can.
#
# Some things are **not** measured here. The paper's run times are for a GPU that we do not have; ours
# are for the CPU of the machine that ran the notebook. The full training of 30 GPU hours exists as
# the profile `paper` and has not been run. X-ReCNN was never published in full, so the network that
# stands for it is a reconstruction, and says so in its name. And nothing here speaks about diagnosis:
# a higher PSNR is not a better reading, and no radiologist has judged these images.

# %%
facts_of_run = provenance(**facts)
versions = facts_of_run.pop("versions")
for name, value in {**facts_of_run, **versions}.items():
    print(f"{name:14s} {value}")

# %% [markdown]
# ## Two questions
#
# **1.** Somebody shows you a table in which the SNR of a method is 41 dB and its PSNR 36 dB. Which
# question do you ask first?
#
# <details><summary>Answer</summary>
#
# Whether the columns are swapped. PSNR − SNR = 20 log₁₀(255 / rms), with rms the root mean square of
# the clean image, which is at most 255; the difference is never negative.
# </details>
#
# **2.** The built-in radiograph gives a number in the quick profile. What does it say about other
# patients?
#
# <details><summary>Answer</summary>
#
# Nothing. One image, however many patches are cut from it, is one patient and one detector. It shows
# that the code works; for statements about a population, fetch the ChestX-ray8 sample.
# </details>
