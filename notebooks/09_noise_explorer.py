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
# # 09 Noise explorer
#
# This notebook shows one radiograph under interactively chosen noise of the paper's model. One
# slider sets the number of photons per grey level, η, the other the electronic noise, σ. A network
# restores the image, and the residual shows what it removed.
#
# ![A detail of a chest radiograph under noise: three values of η from left to right, three of σ from top to bottom](../figures/09_noisy.png)
#
# *Figure of this notebook: one detail under the noise of the model, with its PSNR; η increases to the
# right, σ downwards.*
#
# ## What you'll do
#
# You call the explorer's functions directly, then use the widget, which is based on them, and
# change η and σ yourself. A grid of rendered states shows the same to a reader without a kernel.
#
# ## What you'll learn
#
# At which grey levels quantum noise or electronic noise dominates in the model, where the noise of
# a real detector is strongest instead, what a good residual looks like and how to quantify it, and
# what a network does outside the noise levels of its training.
#
# ## What you need
#
# Notebook 01 for the noise model; the [glossary](../docs/glossary.md) explains the terms. The
# widget needs a running kernel (JupyterLab, Voilà or Binder); everything else can be read without.
# `make explore` opens the widget alone, as a page in the browser. The notebook needs no download;
# its last line states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.ndimage import uniform_filter

from xbdcnn import explorer, metrics, noise, paper, plotting
from xbdcnn.data import builtin_crop, find_source, load_chest
from xbdcnn.data.sample import ATTRIBUTION
from xbdcnn.detector import RADIOGRAPH, detector_noise, displayed_variance, transmission
from xbdcnn.explorer import State
from xbdcnn.inference import zoo
from xbdcnn.study.notebook import run_time, show_source
from xbdcnn.study.profiles import get_profile

settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data="built-in radiograph")
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# In the paper's model the image is $f = p + n$ (Eq. 1), a photon signal plus electronic noise, and
# the variance of a pixel whose true grey level is $g$ is the sum of the two variances:
#
# $$\operatorname{Var} f = \frac{g}{\eta} + \sigma^2 .$$
#
# Both terms are equal at the grey level $g^* = \eta\,\sigma^2$. In the model quantum noise
# dominates in brighter pixels and electronic noise in darker ones. The two sliders change how much
# noise there is and where it is: with a small σ the noise is strongest in the bright bone, with a
# large σ it is nearly the same in bone and lung. (In the model bone has strong noise because its
# high grey level stands for many photons. A detector receives *few* photons behind bone; a section
# below compares the two.)

# %% tags=["nbval-check-output"]
for eta, sigma in [(0.4, 5), (0.4, 15), (0.8, 15), (1.9, 20)]:
    grey = f"{eta * sigma**2:.0f}"
    print(f"η = {eta}, σ = {sigma:2}: quantum noise dominates above grey level {grey}")

# %% [markdown]
# Where that number exceeds 255, electronic noise dominates in every pixel: a larger η would hardly
# help, a smaller σ would. (In the paper's model they are independent. In a detector with constant
# electronic noise a higher dose raises η and lowers σ, because σ is measured in grey levels.)
#
# The explorer is built from functions that do not depend on the widget. A `State` holds the values
# of all controls, and `simulate` computes the noisy image, always the same for the same state.

# %%
show_source(explorer.simulate)

# %% [markdown]
# `denoise_state` applies a method, given by its name, and computes PSNR, SNR (in decibels) and SSIM
# before and after, in the conventions that the widget states next to its table.

# %%
show_source(explorer.denoise_state)

# %% [markdown]
# An ideal residual, noisy minus restored, contains noise only. The noise of Eq. 1 is independent
# from pixel to pixel, so the correlation of adjacent pixels
#
# $$r = \sum_x e(x)\, e(x + d) \Big/ \sum_x e(x)^2$$
#
# is zero except for statistical fluctuation. `whiteness` computes it for the eight neighbours and
# returns the $r$ that is farthest from zero. A removed edge makes it positive; correlated noise
# that remains in the restored image makes it negative, because it is missing in the residual.

# %%
show_source(explorer.whiteness)

# %% [markdown]
# ## Practical
#
# ### Direct function calls
#
# The available methods are the networks whose weights come with the package and the installed
# classical ones. The clean image is the built-in chest, reduced to 384 × 384 pixels; its display is
# known, which the comparison with a detector below needs.

# %%
methods = explorer.collect_methods()
clean = builtin_crop(384)
balanced = zoo.find_entry("xbdcnn").label
state = State(eta=0.6, sigma=10.0, method=balanced)
"; ".join(methods)

# %%
noisy = explorer.simulate(clean, state)
view = explorer.denoise_state(clean, noisy, state, methods)
table = pd.DataFrame([view.before, view.after], index=["noisy", "restored"])
table.round({"psnr": 2, "snr": 2, "ssim": 3})

# %% [markdown]
# One sentence describes the state for a pixel of average brightness. The widget updates it.

# %%
explorer.describe(state, 255 * clean.mean())

# %% [markdown]
# How white is the residual of the network? For comparison: the true noise, and the residuals of the
# mean of 3 × 3 pixels, which leaves correlated noise, and of 15 × 15, which removes the ribs'
# edges.

# %%
residuals = {"the true noise": noisy - clean, balanced: view.residual}
residuals |= {f"mean of {n} × {n}": noisy - uniform_filter(noisy, n) for n in (3, 15)}
correlations = {name: explorer.whiteness(e) for name, e in residuals.items()}
pd.Series(correlations, name="r").round(3)

# %% [markdown]
# **Check.** The same state gives the same pixels, another seed gives others; the table agrees with
# `xbdcnn.metrics`; restored image and residual add up to the noisy one; the network improves the
# image by several decibels; and the sign of r distinguishes residual noise from removed edges.

# %%
assert np.array_equal(noisy, explorer.simulate(clean, state))
assert not np.array_equal(noisy, explorer.simulate(clean, State(eta=0.6, sigma=10.0, seed=1)))
assert view.after.ssim == metrics.ssim(view.restored, clean, data_range=1.0)
assert np.allclose(view.restored + view.residual, noisy, atol=1e-6)
assert view.after.psnr > view.before.psnr + 3
assert correlations["mean of 3 × 3"] < -0.1 < 0.1 < correlations["mean of 15 × 15"]

# %% [markdown]
# ### The widget
#
# The noisy image is updated immediately; the restoration is computed when the slider rests, and
# outdated results are discarded. All grey scales are fixed, ±64 grey levels for the residual, so
# that two states can be compared.
#
# The first tab shows noisy and restored at the two sides of a divider, which can be dragged. In the
# tab "Four panels", point at a picture to enlarge the same place in all four, and drag in one to
# draw the line of the grey level profile below. "Compare" shows up to three methods side by side.
# Drag the frame in the small picture to move the region. Without a mouse, Tab moves between the
# controls and pictures, and the arrow keys move tabs, sliders, divider, lens and frame. The menu
# "radiograph" has the built-in one and six of ChestX-ray8; "preset" has the nine cells of Table II,
# an ordinary exposure and a quarter of its dose. Your own radiograph, PNG or DICOM, can be uploaded
# to the kernel. It is restored as it is, without added noise, as long as the box "as it is" is
# checked; the restored region can be downloaded.

# %% tags=["nbval-ignore-output"]
widget = explorer.explore(source)
widget

# %% [markdown]
# What to try, in this order:
#
# 1. Leave σ at 0 and lower η from 5 to 0.1. Which structures become invisible first, the ribs over
#    the lung or the vertebrae behind the heart?
# 2. Set η to 5 and raise σ. Now lung and bone have nearly the same noise. The black corners turn
#    grey, because values below black are clipped and only the positive half of their noise remains.
# 3. Look only at the residual. It may be stronger where the radiograph is bright, as the noise is.
#    A line or an edge in it, brighter or darker than its surroundings, is anatomy that was removed.
# 4. Choose another seed at the same η and σ. What changes in the restored image is not determined
#    by the anatomy.
# 5. Look at the two small maps of the estimated η and σ: blue is too low, red too high, white is
#    correct. Does the colour follow the slider, or the anatomy?
#
# These are properties of the model, which the section on a detector's noise below compares with the
# physics. A slider can also be moved by code, which tests the widget here.

# %% tags=["nbval-ignore-output"]
before = dict(widget.canvas.pictures)
widget.controls["eta"].value = 0.3
widget.canvas.line = (0, 192, 383, 192)
widget.wait()
assert widget.canvas.texts["message"] == "", widget.canvas.texts["message"]
assert np.array_equal(widget.canvas.pictures["clean"], before["clean"])
assert (widget.canvas.pictures["noisy"] != before["noisy"]).mean() > 0.9

# %% [markdown]
# ### Without a kernel
#
# The same functions, called for a few states, give static figures. They show one detail of a test
# radiograph of ChestX-ray8, ribs crossing over the lung: η increases to the right, σ increases
# downwards. First the noisy images, then their restorations by X-BDCNN (balanced), each with its
# PSNR.

# %%
etas, sigmas = (0.2, 0.6, 1.9), (0.0, 15.0, 40.0)
name = "00001368_000"
detail, detail_facts = load_chest(name)[330:480, 240:390], facts | {"data": f"ChestX-ray8 {name}"}
print(ATTRIBUTION)

# %%
levels = [(eta, sigma) for eta in etas for sigma in sigmas]
states = [State(*level, method=state.method) for level in levels]
views = [explorer.denoise_state(detail, explorer.simulate(detail, s), s, methods) for s in states]

# %%
caption = "A detail of a test radiograph by η and σ, with the PSNR of the noisy image."
images = {level: view.noisy for level, view in zip(levels, views, strict=True)}
fig = plotting.noise_panel(detail, images)
plotting.save_figure(fig, figures / "09_noisy", caption, detail_facts, smoke=settings.is_smoke)
fig

# %%
caption = "The same states restored by X-BDCNN (balanced), with the PSNR of the restored image."
images = {level: view.restored for level, view in zip(levels, views, strict=True)}
fig = plotting.noise_panel(detail, images)
plotting.save_figure(fig, figures / "09_restored", caption, detail_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Both panels show the radiograph named above; the profile is printed at the top. The clean detail is
# on the left. Along a row, the number of photons increases; down a column, the electronic noise.
#
# **Check.** PSNR increases with η and decreases with σ.

# %%
before = np.array([view.before.psnr for view in views]).reshape(len(etas), len(sigmas))
assert (np.diff(before, axis=0) > 0).all() and (np.diff(before, axis=1) < 0).all()

# %% [markdown]
# ### Where a detector's noise is strongest
#
# The explorer takes the grey level for a number of photons, so white has the most. In a radiograph
# white means high attenuation: few photons pass the spine, the mediastinum and the heart
# ([notebook 01](01_noise_synthesis.ipynb#where-are-the-photons)). `detector_noise` follows the
# photons from the beam through the patient to the display.
#
# We compare both at the η and σ above. The dose of the detector, in quanta per pixel without a
# patient, and its electronic noise are chosen such that quantum and electronic noise of a pixel of
# average brightness are the same as in the model.

# %%
average = torch.tensor(float(clean.mean()))
wanted = noise.noise_variance(float(average), state.eta, 0.0)
dose = float(displayed_variance(average, dose=1.0)) / wanted
one_quantum = displayed_variance(average, dose, 1.0) - displayed_variance(average, dose)
electronic = state.sigma / float(one_quantum.sqrt())
print(f"{dose:.0f} quanta per pixel, electronic noise of {electronic:.1f} quanta")

# %%
parts = {
    "lung": clean[60:110, 85:130],
    "behind the heart": clean[240:290, 225:265],
    "mediastinum and spine": clean[150:200, 180:210],
}
g = torch.tensor([part.mean() for part in parts.values()], dtype=torch.float64)
quantum = displayed_variance(g, dose)
columns = {
    ("", "grey level"): 255 * g,
    ("photons", "Eq. 1"): 255 * state.eta * g,
    ("photons", "detector"): dose * transmission(g),
    ("quantum noise", "Eq. 1"): noise.noise_variance(g, state.eta, 0.0).sqrt(),
    ("quantum noise", "detector"): quantum.sqrt(),
    ("electronic noise", "Eq. 1"): torch.full_like(g, state.sigma),
    ("electronic noise", "detector"): (displayed_variance(g, dose, electronic) - quantum).sqrt(),
}
compared = pd.DataFrame(columns, index=list(parts))
compared.round(1)

# %% [markdown]
# Noise in grey levels. The model agrees with the detector in one point: in this logarithmic display
# the quantum noise is stronger in white than in the lung. The reason is the opposite one, *few*
# photons instead of many. The logarithm also amplifies the electronic noise there, which the model
# takes for equal everywhere. In a linear display the quantum noise would fall towards white.
#
# **Check.** With the grey level the photons rise in the model and fall in the detector, both noises
# of the detector rise, and its quantum noise in a linear display falls.

# %%
by_grey = compared.sort_values(("", "grey level"))
assert by_grey["photons", "Eq. 1"].is_monotonic_increasing
assert by_grey["photons", "detector"].is_monotonic_decreasing
assert by_grey["quantum noise", "detector"].is_monotonic_increasing
assert by_grey["electronic noise", "detector"].is_monotonic_increasing
linear = displayed_variance(g.sort().values, dose, display=RADIOGRAPH._replace(logarithmic=False))
assert (linear.diff() < 0).all()

# %% [markdown]
# The pictures show the noise alone, in the middle of the chest: lung at the left and right, spine
# and heart between. The third detector has a scintillator, whose light spreads by half a pixel.
# This correlates the quantum noise of adjacent pixels, which the model takes for independent, and
# weakens it; the electronic noise is added after it.

# %%
middle = clean[130:300, 120:290]
batch = torch.from_numpy(middle)[None, None]


def seen_by_detector(blur):
    """Noise of a detector whose scintillator blurs by `blur` pixels, on the scale [0, 1]."""
    generator = torch.Generator().manual_seed(state.seed)
    f = detector_noise(batch, dose, electronic, blur, generator=generator)
    return f[0, 0].numpy() - middle


# %%
noises = {"Eq. 1": explorer.simulate(middle, state) - middle}
noises |= {"detector": seen_by_detector(0.0), "detector, blur 0.5 px": seen_by_detector(0.5)}
for name, e in noises.items():
    print(f"{name}: correlation of adjacent pixels {explorer.whiteness(e):+.2f}")

# %%
caption = "Noise alone, ±64 grey levels, in the model and of a detector with a logarithmic display."
fig = plotting.show_images(noises, limits=(-64 / 255, 64 / 255))
plotting.save_figure(fig, figures / "09_detector", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Lung and spine differ less in the model than in the detector, where the noise is weak in the lung
# and strongest in the spine and behind the heart. [Notebook 11](11_audit.ipynb) measures what this
# difference costs the networks, which were trained on Eq. 1.

# %% [markdown]
# ## Discussion
#
# The numbers of the pictures, with the gain in decibels, the levels estimated by the noise level
# estimator (NLE), and the correlation r of adjacent pixels in the residual. A row is "in range" if
# η and σ are within the training ranges of the paper, (0.4, 1.9) and (0, 20).

# %%
low, high = paper.ETA_RANGE
rows = [
    {
        "η": s.eta,
        "σ": s.sigma,
        "in range": "yes" if low <= s.eta <= high and s.sigma <= paper.SIGMA_RANGE[1] else "no",
        "noisy (dB)": view.before.psnr,
        "restored (dB)": view.after.psnr,
        "gain (dB)": view.after.psnr - view.before.psnr,
        "η estimated": view.levels.eta,
        "σ estimated": view.levels.sigma,
        "r": explorer.whiteness(view.residual),
    }
    for s, view in zip(states, views, strict=True)
]
pd.DataFrame(rows).round(2).astype({"σ": int}).set_index(["η", "σ"])

# %% [markdown]
# Compare the columns "estimated" with the true levels. X-BDCNN is based on the idea that known
# levels help the denoiser (Sec. II-B). The receptive field of the NLE is 11 × 11 pixels. Within it
# the grey level hardly varies, so that the variance there is one number, g/η + σ², for two
# unknowns: many pairs (η, σ) agree with it, and the estimate depends on the training distribution
# as much as on the image. Notebook 07 measures the effect of the NLE.
#
# Then compare the rows in range with the others. σ = 40 and η = 0.2 are valid inputs, but outside
# the training; residual noise and false streaks there are not an error of the explorer.
#
# A caution: a restored radiograph is an estimate. If a detail is not contained in the measured
# photons, no method can recover it; what looks sharp there was learned from other patients. The
# metrics compare with a clean image, which does not exist in clinical practice.
#
# ## Two questions
#
# **1.** At η = 0.4, σ could be halved from 10 to 5 grey levels. For a pixel of grey level 140, does
# that reduce the noise more or less than doubling η?
#
# <details><summary>Answer</summary>
#
# The variance is 140/0.4 + 100 = 450. Halving σ gives 350 + 25 = 375, doubling η gives 175 + 100 =
# 275. Doubling η is better, because the pixel is above η σ² = 40, where quantum noise dominates.
#
# </details>
#
# **2.** The residual panel shows a faint outline of the ribs. Give a harmless explanation and one
# that is not.
#
# <details><summary>Answer</summary>
#
# Harmless: in the model quantum noise is stronger where the image is brighter, so the *amplitude*
# of a perfect residual follows the anatomy; its mean over many seeds vanishes. Not harmless: the
# method has blurred the ribs' edges, and the residual contains them; the mean over many seeds does
# not vanish. Changing the seed distinguishes the two.
#
# </details>

# %% [markdown]
# ## Take-away
#
# - In the model quantum noise dominates above the grey level ησ², electronic noise below it.
# - In a detector with a logarithmic display both noises are strongest in white, where few photons
#   arrive, and a scintillator correlates the quantum noise.
# - The residual of a good restoration is nearly white noise. A positive correlation of adjacent
#   pixels shows removed edges, a negative one noise that was left in the image.
#
# ## References
#
# - W. Yin, B. Qi, T. Cai, J. Li, *X-Ray Image Enhancement Using Blind Denoising Neural Networks*,
#   Sec. II.
# - J. R. Janesick, *Photon Transfer*, SPIE Press 2007,
#   [doi:10.1117/3.725073](https://doi.org/10.1117/3.725073).
# - X. Wang et al., *ChestX-ray8*, CVPR 2017,
#   [doi:10.1109/CVPR.2017.369](https://doi.org/10.1109/CVPR.2017.369): the radiographs, provided by
#   the NIH Clinical Center, <https://nihcc.app.box.com/v/ChestXray-NIHCC>.

# %%
print(run_time())
