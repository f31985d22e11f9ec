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
# Two sliders, one radiograph. Take photons away and watch the ribs sink into grain; warm up the
# detector and watch the lungs fill with snow; let a network try to undo it, and look hard at what
# it took away. A minute with the sliders teaches what a page of formulas only states.
#
# ## What you'll do
#
# You call the explorer's pure functions by hand, see that the widget adds nothing to them, and then
# move η and σ yourself. A grid of rendered states below shows the same to a reader without a kernel.
#
# ## What you'll learn
#
# Where quantum noise ends and thermal noise begins, what a good residual looks like and how to put
# a number on it, and what a network does beyond the noise levels that it was trained on.
#
# ## What you need
#
# Notebook 01 for the noise model. The widget needs a running kernel (JupyterLab, Voilà or Binder);
# everything else is here to read. `make explore` opens the widget by itself, as a page in the
# browser. About one minute on 2 CPU cores, no download.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import uniform_filter

from xbdcnn import explorer, metrics, paper, plotting
from xbdcnn.data import builtin_crop, find_source
from xbdcnn.explorer import State
from xbdcnn.study.notebook import show_source
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
# The detector reports $f = p + n$ (Eq. 1), photons plus warmth, and the variance of a pixel whose
# true grey level is $g$ is the sum of the two:
#
# $$\operatorname{Var} f = \frac{g}{\eta} + \sigma^2 .$$
#
# Both terms are equal at the grey level $g^* = \eta\,\sigma^2$. Brighter pixels are limited by the
# number of photons, darker ones by the electronics. So the two sliders do not only change *how
# much* grain there is, they change *where* it is: with little σ the grain sits in the bright bone,
# with much σ it covers bone and lung alike.

# %% tags=["nbval-check-output"]
for eta, sigma in [(0.4, 5), (0.4, 15), (0.8, 15), (1.9, 20)]:
    print(f"η = {eta}, σ = {sigma:2}: photons dominate above grey level {eta * sigma**2:.0f}")

# %% [markdown]
# Where that number exceeds 255, no pixel of the image is limited by its photons: a larger η would
# hardly help, a smaller σ would. (In the paper's model they are independent. In a detector whose
# electronic noise stays what it is, more dose raises η and lowers σ, which counts grey levels.)
#
# The explorer is built from functions that know nothing of sliders. A `State` says what the
# controls say, and `simulate` turns it into the noisy image, always the same for the same state.

# %%
show_source(explorer.simulate)

# %% [markdown]
# `restore` applies a method by its name and measures the result before and after, with PSNR and SNR
# in decibels and SSIM in the convention that the widget names beside its table.

# %%
show_source(explorer.restore)

# %% [markdown]
# A good residual, noisy minus restored, is noise and nothing else. The noise of Eq. 1 is drawn for
# each pixel by itself, so neighbours have nothing in common: their correlation
#
# $$r = \sum_x e(x)\, e(x + d) \Big/ \sum_x e(x)^2$$
#
# is zero but for chance. `whiteness` looks at the eight neighbours and returns the $r$ that is
# farthest from zero. An edge that a method took away makes it positive; grain that it left behind in
# clumps makes it negative, because the clumps are missing in the residual.

# %%
show_source(explorer.whiteness)

# %% [markdown]
# ## Practical
#
# ### By hand first
#
# The methods at hand are the networks whose weights come with the package and the classical ones
# that are installed. The clean image is the built-in chest, reduced to 384 × 384 pixels.

# %%
methods = explorer.collect_methods()
clean = builtin_crop(384)
state = State(eta=0.6, sigma=10.0, method="X-BDCNN balanced")
", ".join(methods)

# %%
noisy = explorer.simulate(clean, state)
view = explorer.restore(clean, noisy, state, methods)
pd.DataFrame([view.before, view.after], index=["noisy", "restored"]).round(3)

# %% [markdown]
# One sentence says what the state means for a pixel of average brightness. It follows the sliders.

# %%
explorer.describe(state, 255 * clean.mean())

# %% [markdown]
# How white is what the network took away? Beside it stands the true noise, and for comparison the
# plain mean of 3 × 3 pixels, which leaves clumps, and of 15 × 15, which takes the ribs' edges.

# %%
residuals = {"the true noise": noisy - clean, "X-BDCNN": view.residual}
residuals |= {f"mean of {n} × {n}": noisy - uniform_filter(noisy, n) for n in (3, 15)}
correlations = {name: explorer.whiteness(e) for name, e in residuals.items()}
pd.Series(correlations, name="r").round(3)

# %% [markdown]
# **Check.** The same state gives the same pixels, another seed gives others; the table agrees with
# `xbdcnn.metrics`; the pieces add up; the network improves the image by several decibels; and a
# method that leaves clumps is told from one that takes edges by the sign of r.

# %%
assert np.array_equal(noisy, explorer.simulate(clean, state))
assert not np.array_equal(noisy, explorer.simulate(clean, State(eta=0.6, sigma=10.0, seed=1)))
assert view.after.ssim == metrics.ssim(view.restored, clean, data_range=1.0)
assert np.allclose(view.restored + view.residual, noisy, atol=1e-6)
assert view.after.psnr > view.before.psnr + 3
assert correlations["mean of 3 × 3"] < -0.1 < 0.1 < correlations["mean of 15 × 15"]

# %% [markdown]
# ### Then with sliders
#
# The noise follows every move at once; the restoration follows as soon as you pause, and a result
# that comes too late is dropped. All grey limits are fixed, ±64 grey levels for the residual, so
# that two states can be compared.
#
# Point at a picture and a lens enlarges the same spot in all four. Drag in one to lay the line along
# which the curve below reads the grey levels; drag the frame in the small picture to look elsewhere.
# Without a mouse, Tab moves from control to control and on to the pictures, the arrow keys move
# sliders, lens and frame. Your own radiograph, PNG or DICOM, can be uploaded to the kernel.

# %% tags=["nbval-ignore-output"]
widget = explorer.explore(source)
widget

# %% [markdown]
# What to try, in this order:
#
# 1. Leave σ at 0 and take η from 5 down to 0.1. Which dies first, the ribs over the lung or the
#    vertebrae behind the heart?
# 2. Set η to 5 and raise σ. The lungs suffer first now. Watch the black corners: they turn grey,
#    because a detector cannot report less than black and clips the lower half of their noise.
# 3. Look only at the residual. As long as you cannot recognise the patient in it, the method has
#    removed noise. Any edge you see there was anatomy.
# 4. Choose another seed at the same η and σ. What changes in the restored image is what the network
#    had to guess.
# 5. Watch the two small maps, where the method says which η and σ it sees: blue is too low, red too
#    high, white is right. Does the colour follow the slider, or the anatomy?
#
# A slider can be moved by code too, which is how this notebook makes sure that it works.

# %% tags=["nbval-ignore-output"]
seen = dict(widget.stage.pictures)
widget.controls["eta"].value = 0.3
widget.stage.line = (0, 192, 383, 192)
widget.wait()
assert widget.stage.texts["message"] == "", widget.stage.texts["message"]
assert np.array_equal(widget.stage.pictures["clean"], seen["clean"])
assert (widget.stage.pictures["noisy"] != seen["noisy"]).mean() > 0.9

# %% [markdown]
# ### Without a kernel
#
# The same functions, called for a few states, make a picture book. It shows one detail of the
# chest, ribs crossing over the lung: photons grow more to the right, the detector grows warmer
# downwards. First the noisy images, then their restorations by X-BDCNN, each with its PSNR.

# %%
etas, sigmas = (0.2, 0.6, 1.9), (0.0, 15.0, 40.0)
detail = builtin_crop(768)[190:310, 140:260]
levels = [(eta, sigma) for eta in etas for sigma in sigmas]
states = [State(*level, method=state.method) for level in levels]
book = [explorer.restore(detail, explorer.simulate(detail, s), s, methods) for s in states]

# %%
caption = "A detail of the built-in radiograph by η and σ, with the PSNR of the noisy image."
images = {level: shown.noisy for level, shown in zip(levels, book, strict=True)}
fig = plotting.noise_panel(detail, images)
plotting.save_figure(fig, figures / "09_noisy", caption, facts, smoke=settings.is_smoke)
fig

# %%
caption = "The same states restored by X-BDCNN (balanced), with the PSNR of the restored image."
images = {level: shown.restored for level, shown in zip(levels, book, strict=True)}
fig = plotting.noise_panel(detail, images)
plotting.save_figure(fig, figures / "09_restored", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Both panels show the built-in radiograph; the profile is printed at the top. The clean detail
# stands at the left. Read along a row to see what photons buy, down a column for what loud
# electronics cost.
#
# **Check.** More photons never hurt, a warmer detector always does.

# %%
before = np.array([shown.before.psnr for shown in book]).reshape(len(etas), len(sigmas))
assert (np.diff(before, axis=0) > 0).all() and (np.diff(before, axis=1) < 0).all()

# %% [markdown]
# ## Discussion
#
# The numbers behind the pictures, with the gain in decibels, and with the levels that the noise
# level estimator (NLE) believes it sees, and with the correlation r of neighbours in the residual. A
# row is "at home" if η and σ lie in the ranges on which the paper trains, (0.4, 1.9) and (0, 20).

# %%
low, high = paper.ETA_RANGE
rows = [
    {
        "η": s.eta,
        "σ": s.sigma,
        "at home": low <= s.eta <= high and s.sigma <= paper.SIGMA_RANGE[1],
        "noisy (dB)": shown.before.psnr,
        "restored (dB)": shown.after.psnr,
        "gain (dB)": shown.after.psnr - shown.before.psnr,
        "η seen": shown.levels.eta,
        "σ seen": shown.levels.sigma,
        "r": explorer.whiteness(shown.residual),
    }
    for s, shown in zip(states, book, strict=True)
]
pd.DataFrame(rows).round(3)

# %% [markdown]
# Compare the columns "seen" with the truth. The paper builds X-BDCNN on the idea that known levels
# help the denoiser (Sec. II-B). The NLE sees 11 × 11 pixels at a time, too few to tell a dark pixel
# with warm electronics from a bright one short of photons, and what it reports says as much about
# the distribution it was trained on as about the image. Notebook 07 measures what the NLE is worth.
#
# Then compare the rows at home with the others. Nothing in the network forbids σ = 40, but no
# training image ever showed it; grain that survives there is not a bug of the explorer.
#
# A last caution. A restored radiograph is an estimate. Where the photons did not carry a detail, no
# method can know it; what looks sharp there has been learned from other patients. The metrics
# compare with a clean image that no clinic has.
#
# ## Two questions
#
# **1.** At η = 0.4 a detector engineer offers to halve σ from 10 to 5 grey levels. For a pixel of
# grey level 140, is that worth more or less than doubling the dose?
#
# <details><summary>Answer</summary>
#
# The variance is 140/0.4 + 100 = 450. Halving σ gives 350 + 25 = 375, doubling η gives 175 + 100 =
# 275. The dose wins by far, because this pixel lies above η σ² = 40 and is limited by its photons.
#
# </details>
#
# **2.** The residual panel shows a faint outline of the ribs. Give two explanations, one harmless and
# one not.
#
# <details><summary>Answer</summary>
#
# Harmless: quantum noise is stronger where the image is brighter, so the *amplitude* of a perfect
# residual follows the anatomy; averaged over many seeds it vanishes. Not harmless: the method has
# blurred the ribs' edges, and the residual holds what it removed; averaged over many seeds, this
# stays. The seed control tells the two apart.
#
# </details>
