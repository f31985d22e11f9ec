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
# # 08 Figure 2
#
# Decibels average over everything; a radiologist looks at something. The paper's Fig. 2 shows one
# radiograph under four strong noises, restored by three networks, and asks the reader to "enlarge the
# figure". Here it is drawn again with the same arrangement, a clean reference beside it, a detail
# enlarged in every panel, and the errors made visible on a scale of their own.
#
# ## What you'll do
#
# You rebuild Fig. 2, read PSNR and SSIM off each panel, map the errors, and compare what a network
# removed with the noise that was really there.
#
# ## What you'll learn
#
# What to look for in a restored radiograph (spots, lost edges, a waxy look, false texture), and how
# a few small numbers catch what the eye suspects.
#
# ## What you need
#
# Notebooks 01 and 04. Half a minute on 2 CPU cores with the built-in radiograph, two minutes with
# whole ChestX-ray8 images.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_laplace

from xbdcnn import metrics, noise, plotting
from xbdcnn.data import central_crop, find_source
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import shipped_path
from xbdcnn.study import scoring
from xbdcnn.study.notebook import show_source
from xbdcnn.study.profiles import get_profile

settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# Every panel starts from the same clean image $g$. Noise of level (η, σ) makes it $f$ (Eq. 1), a network
# makes that $\hat g$, and two differences tell what happened:
#
# $$\underbrace{f - \hat g}_{\text{removed}} = \underbrace{(f - g)}_{\text{noise}}
#   - \underbrace{(\hat g - g)}_{\text{error}} .$$
#
# If the error were zero, the removed part would be the noise itself: no anatomy in it, and a flat
# spectrum, since the noise of neighbouring pixels is independent. Anatomy in the removed part is
# detail lost. Power missing from it is noise left behind.

# %%
show_source(scoring.noisy_image)

# %% [markdown]
# PSNR weighs all errors alike. Two kinds that the paper speaks of deserve numbers of their own.
#
# *Spots*, which it finds in X-ReCNN's images, are rare, large errors. For Gaussian errors the largest
# in a thousand is 3.3 times the root mean square; spots push that ratio up.
#
# *Structure*, which it finds in X-BDCNN's, is fine detail kept. A Laplacian, smoothed over two pixels
# so that the grain of the clean image itself counts little, answers to lines and edges. We project the
# restored image's Laplacian on the clean one's,
# $\langle \Delta \hat g, \Delta g\rangle / \langle \Delta g, \Delta g\rangle$. It is one where
# detail is kept and zero where it is smoothed away; independent noise cancels in it.


# %%
def spots(restored, clean):
    """Largest error in a thousand over the root mean square error; 3.3 if Gaussian."""
    error = np.abs(restored.astype(float) - clean)
    return np.quantile(error, 0.999) / np.sqrt((error**2).mean())


def detail_kept(restored, clean):
    """Projection of the restored Laplacian on the clean one: 1 all kept, 0 all lost."""
    first, second = (gaussian_laplace(image.astype(float), 2) for image in (restored, clean))
    return (first * second).sum() / (second**2).sum()


def offset(restored, clean):
    """Mean error in grey levels: above zero too bright, below too dark."""
    return 255 * (restored.astype(float) - clean).mean()


# %% [markdown]
# ## Practical
#
# ### The image and its noisy versions
#
# The first image of the Table II set; the built-in radiograph contributes a field of 448 pixels at
# the detector's resolution, with clavicle, ribs and spine. The paper's image is not known.

# %%
side = 96 if settings.is_smoke else 1024
clean = central_crop(source.images("table2", 1)[0], side)
size = clean.shape[0] // 5
zoom = (int(0.62 * clean.shape[0]), int(0.70 * clean.shape[1]), size)
levels = plotting.FIGURE_2_LEVELS
print(
    f"{source.name}: {clean.shape[0]} x {clean.shape[1]} pixels, detail of {size}; levels {levels}"
)

# %%
cases = {level: scoring.Case("figure 2", clean, *level, seed) for seed, level in enumerate(levels)}
noisy = {level: scoring.noisy_image(case) for level, case in cases.items()}

# %% [markdown]
# **Check.** Eq. 1 predicts the PSNR of each noisy image from the mean brightness, up to clipping.

# %%
for (eta, sigma), image in noisy.items():
    variance = noise.noise_variance(clean.astype(float), eta, sigma).mean()
    expected, found = 10 * np.log10(255**2 / variance), metrics.psnr(image, clean)
    print(f"η = {eta}, σ = {sigma:g}: expected {expected:.2f} dB, found {found:.2f} dB")
    assert abs(expected - found) < 1

# %% [markdown]
# ### Restoring
#
# The three networks of the paper's figure, and the balanced one for the numbers further down. All are
# blind: they get the noisy image only. Their headers say what they are.

# %% tags=["needs:05_train@cpu+paper"]
weights = None if settings.shipped_weights else Path(output) / "weights"
at_hand = zoo.shipped_names() if weights is None else methods.trained_names(weights)
names = [n for n in ("dncnn", "xrecnn", "xbdcnn-as-written", "xbdcnn") if n in at_hand]
paths = [shipped_path(n) if weights is None else weights / f"{n}.safetensors" for n in names]
networks = {
    zoo.entry(name).label: load_pretrained(path, precision="fp32")
    for name, path in zip(names, paths, strict=True)
}

# %%
for label, network in networks.items():
    header, budget = network.metadata, network.metadata["budget"]
    width = f"{header['recipe']['width']} channels, " if header["architecture"] == "xbdcnn" else ""
    seen = f"{budget['patches']} patches of side {budget['patch_size']}"
    print(f"{label}: {width}{seen} of {header['provenance']['data']},", end=" ")
    print(f"validation {header['scores']['val_psnr']:.2f} dB")

# %%
restored = {
    label: {level: network.denoise(image) for level, image in noisy.items()}
    for label, network in networks.items()
}
in_paper = {label: images for label, images in restored.items() if label != "X-BDCNN balanced"}

# %% [markdown]
# ### The figure
#
# Columns are noise levels, from left to right as in the paper; rows are the noisy image and the three
# methods. Each corner enlarges the framed detail.

# %%
fig = plotting.figure_2(clean, noisy, in_paper, zoom)
caption = "Fig. 2: one radiograph under four strong noises, restored by the paper's three networks."
plotting.save_figure(fig, figures / "08_figure_2", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Figure 2 of the paper, regenerated on an image of the data source printed at the top, under the
# profile printed there; PSNR and SSIM (data range 1) stand in each panel.
#
# What to look for, best at full size in the `figures` folder. Follow a thin line, a rib's edge or a
# vessel, from the clean reference through a row: does it stay continuous? Look into the flat grey
# between the ribs: a mottled or waxy surface is noise that was smeared instead of removed. Look for
# grains in dark lung, where quantum noise is weak and thermal noise rules. And compare the rightmost
# column with the leftmost: a blind network has to notice by itself that the noise has changed.
#
# ### The numbers of the panels

# %%
everything = {"noisy": noisy, **restored}
measures = {"PSNR": metrics.psnr, "SSIM": metrics.ssim}
measures |= {"spots": spots, "detail kept": detail_kept, "offset": offset}
scores = pd.DataFrame(
    {"method": label, "(η, σ)": f"({eta:g}, {sigma:g})"}
    | {name: measure(image, clean) for name, measure in measures.items()}
    for label, images in everything.items()
    for (eta, sigma), image in images.items()
)
panels = scores.pivot(index="method", columns="(η, σ)", values=["PSNR", "SSIM"])
panels.loc[list(everything)].round(3)

# %%
of_networks = scores[scores["method"] != "noisy"]
for level, part in of_networks.groupby("(η, σ)"):
    ranked = part.sort_values("PSNR", ascending=False)
    print(level, " > ".join(f"{row.method} {row.PSNR:.2f}" for row in ranked.itertuples()))

# %% [markdown]
# One image is an illustration, not evidence; notebook 06 has the intervals.
#
# **Check.** Every network must be an improvement on every panel: a higher PSNR and a higher SSIM than
# the noisy image. (A network that returned its input would fail.)

# %%
before = scores[scores["method"] == "noisy"].set_index("(η, σ)")[["PSNR", "SSIM"]]
after = of_networks.set_index("(η, σ)")[["PSNR", "SSIM"]]
assert (after > before.reindex(after.index)).all(axis=None)

# %% [markdown]
# ### Error maps
#
# The same grid, but each panel shows its signed error, restored minus clean, on one colour scale. Grey
# pictures hide small errors from the eye; this does not. White is right, red too bright, blue too dark.

# %%
fig = plotting.error_maps(clean, noisy, in_paper, zoom)
caption = "Signed errors of Fig. 2's panels in 8-bit grey levels, one colour scale for all."
plotting.save_figure(fig, figures / "08_error_maps", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Error maps of the panels above, same profile and data. Lines that follow the anatomy are edges that
# were moved or blurred. Large pale patches are an offset in brightness. Fine grain of the old noise's
# size is noise left over; clouds of several pixels are noise smoothed, but not gone, and they are what
# the eye takes for a waxy surface.
#
# Spots, detail and brightness (in grey levels), in numbers, averaged over the four noise levels:

# %%
shape = scores.groupby("method", sort=False)[["spots", "detail kept", "offset"]].mean()
shape.round(2)

# %% [markdown]
# Read "detail kept" together with PSNR. The noisy image keeps all its detail, under all its noise, and
# a network that smooths less keeps more of both. The offset explains why a map can be pale in one
# colour: a loss led by SSIM, which compares local structure, cares little whether the whole image is
# a few grey levels too dark or too bright. PSNR does care.
#
# ### What was removed
#
# For X-BDCNN at the hardest level of the figure: the difference between noisy and restored, its
# histogram, and its spectrum, each beside the true noise.

# %%
hardest = (0.4, 15.0)
chosen = "X-BDCNN"
fig = plotting.residual_plot(noisy[hardest], restored[chosen][hardest], clean)
caption = "What X-BDCNN removed at (0.4, 15), against the noise that was there."
plotting.save_figure(fig, figures / "08_residual", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Residual of X-BDCNN, profile and data as above. The picture should be featureless, brighter grain
# where the radiograph is bright. In the spectrum the true noise is flat. The removed part follows it
# at high frequencies and falls short at low ones, where noise and anatomy look alike and a careful
# network leaves things as they are. Should it rise again in the very lowest ring, that is no noise, but
# large-scale brightness that the network has changed.

# %%
for label, images in restored.items():
    removed = noisy[hardest] - images[hardest]
    true = noisy[hardest] - clean
    alike = np.corrcoef(removed.ravel(), true.ravel())[0, 1]
    anatomy = np.corrcoef(removed.ravel(), clean.ravel())[0, 1]
    print(f"{label:18s} removed vs noise {alike:.4f}, removed vs anatomy {anatomy:+.4f}")
by_nature = np.corrcoef(true.ravel(), clean.ravel())[0, 1]
print(f"{'the true noise':18s} noise vs anatomy {by_nature:+.4f}, from clipping and chance")

# %% [markdown]
# ## Discussion
#
# The paper says about its figure that X-ReCNN leaves "some noise spot" and that X-BDCNN keeps "more
# structural information" than X-ReCNN and DnCNN. Our networks on our image:

# %%
named = shape.loc[list(in_paper)]
print(f"most spots: {named['spots'].idxmax()} ({named['spots'].max():.2f})")
print(f"most detail kept: {named['detail kept'].idxmax()} ({named['detail kept'].max():.2f})")
best = of_networks.groupby("method")["PSNR"].mean()
print(f"farthest from the right brightness: {named['offset'].abs().idxmax()}", end=" ")
print(f"({named['offset'][named['offset'].abs().idxmax()]:+.2f} grey levels)")
print(
    f"highest mean PSNR of the four panels, the balanced network included: {best.idxmax()} ({best.max():.2f} dB)"
)

# %% [markdown]
# Where these lines disagree with the paper, two things differ besides the image: our X-ReCNN-style
# network is a reconstruction from a short description, and the weights come from the budget printed
# above. Where they agree, remember that it is one radiograph.
#
# Something that no line of numbers shows: a denoiser invents. Where the noise has drowned a structure,
# a network fills in what chests usually look like. That is what makes the picture pleasant, and it is
# why a restored radiograph is no substitute for photons. These networks are for study, not for diagnosis.

# %% [markdown]
# ## Two questions
#
# **1.** Two restored images have the same PSNR. One has its error spread evenly, the other concentrated
# along the edges of the ribs. Which would you rather read, and what would show the difference?
#
# <details><summary>Answer</summary>
#
# Even error looks like faint grain and hides little; errors along edges are detail that has gone. PSNR
# cannot tell, as it adds squares wherever they are. The error map can, and so can the spectrum of the
# error, the "detail kept" above, or SSIM, which compares local structure.
# </details>
#
# **2.** The removed part correlates with the clean image by +0.02. Is that too much?
#
# <details><summary>Answer</summary>
#
# A little correlation comes for free: clipping makes the mean of the noise depend on brightness (see
# notebook 01), so the true noise correlates with the image too. Compare with that of `noisy - clean`
# before accusing the network. What exceeds it is anatomy that was removed along with the noise.
# </details>
