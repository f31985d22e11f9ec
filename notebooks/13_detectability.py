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
# # 13 Does it help to find something?
#
# A restored radiograph looks better, and its PSNR is many decibels higher. A radiologist, however,
# does not look for a low mean squared error but for a lesion. Does denoising make a faint lesion
# easier to find? At which dose is the noisy image as good as the restored one? This notebook asks
# both questions twice: with PSNR, and with observers that perform a task.
#
# ![Gain of PSNR, contrast-to-noise ratio and detectability of discs by dose and method](../figures/13_by_dose.png)
#
# *Figure of this notebook: gain of PSNR, contrast-to-noise ratio and detectability d' of a disc by dose,
# each relative to the noisy image.*
#
# ## What you'll do
#
# You insert discs and nodule-like blobs into radiographs, so faint that they are just detectable at
# each dose, restore the images, and let two model observers decide where there is a signal. A
# larger measurement with more methods is read from a file.
#
# ## What you'll learn
#
# What the detectability index d' is, how a matched filter and a channelised Hotelling observer
# work, why a contrast-to-noise ratio says little about detection, and how a dose follows from each
# measure.
#
# ## What you need
#
# Notebook 04 for PSNR, notebook 12 for inserted discs. The
# [glossary](../docs/glossary.md#detectability) explains the terms. The long measurement was made
# once, with `xbdcnn audit detectability`, and is read from `figures/chestxray8`. The last line
# states how long the run took.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter
from scipy.stats import norm

from xbdcnn import plotting
from xbdcnn.data import find_source
from xbdcnn.inference.methods import collect_methods
from xbdcnn.inference.zoo import find_entry
from xbdcnn.noise import noise_variance
from xbdcnn.study import equal_dose, observers, results
from xbdcnn.study.audit import detection, experiments
from xbdcnn.study.notebook import expect, run_time, show_source
from xbdcnn.study.profiles import get_profile
from xbdcnn.study.scoring import BEFORE, Case, noisy_image

# %%
settings = get_profile(profile)
source = find_source(data)
figures = Path(output) / "figures"
plotting.use_style()
facts = dict(profile=profile, data=source.name)
GENERALIST, PAPER = (find_entry(name).label for name in ("generalist", "xbdcnn"))
print(facts, "(a smoke test: the numbers mean little)" if settings.is_smoke else "")

# %% [markdown]
# ## Theory
#
# ### Image quality is defined by a task
#
# The task: a signal $s$ of known shape may be at a known place, on a background that is known
# exactly. An observer computes one number $t$ from the image and answers "present" if it is large.
# Its performance is the [detectability index](../docs/glossary.md#detectability)
#
# $$d' = \frac{\langle t \rangle_1 - \langle t \rangle_0}
# {\sqrt{\tfrac12 (\operatorname{Var}_1 t + \operatorname{Var}_0 t)}},$$
#
# where the index tells whether the signal is there. A *linear* observer has a template $w$ and
# computes $t = w^\mathsf{T} f$. The **matched filter** uses the signal itself, $w = s$. In
# independent noise of variance $v$ it has, for a signal of contrast $c$,
#
# $$d' = c \sqrt{\textstyle\sum s^2 / v} ,$$
#
# and no observer does better if the noise is normal [1].

# %%
show_source(observers.white_noise_d_prime)

# %% [markdown]
# Note that all pixels of the signal count. A *contrast-to-noise ratio*, CNR, divides the contrast
# by the noise of a single pixel and ignores how many there are, and whether their noise is
# correlated.

# %%
show_source(observers.contrast_to_noise)

# %% [markdown]
# ### No processing adds information
#
# Denoised images have correlated noise with a covariance $K$. The best linear observer first
# decorrelates it ("prewhitens"). It is the *Hotelling observer*, ideal if the noise is normal:
#
# $$w = K^{-1} s, \qquad d'^2 = s^\mathsf{T} K^{-1} s .$$

# %%
show_source(observers.hotelling_template)

# %% [markdown]
# **Check.** A linear filter $A$ that can be inverted changes the signal to $A s$ and the covariance
# to $A K A^\mathsf{T}$, and $d'^2$ remains the same. A signal of three pixels before and after a
# blur:

# %% tags=["nbval-check-output"]
signal = (np.abs(np.arange(40) - 20) <= 1).astype(float)
blur = gaussian_filter(np.eye(40), (0.8, 0), mode="constant")
ideal, matched = {}, {}
for name, seen in {"as exposed": np.eye(40), "blurred": blur}.items():
    s, covariance = seen @ signal, seen @ seen.T
    template = observers.hotelling_template(s, covariance)
    ideal[name] = observers.template_d_prime(template, s, covariance)
    matched[name] = observers.template_d_prime(s, s, covariance)
    print(f"{name}: ideal {ideal[name]:.3f}, matched filter {matched[name]:.3f}")
assert np.isclose(ideal["as exposed"], ideal["blurred"])
assert matched["blurred"] < 0.95 * matched["as exposed"]

# %% [markdown]
# The blur reduces the noise of a pixel, and thus improves many a CNR, and the ideal observer does
# not profit at all. This holds in general: what is not in the noisy image cannot be restored to it,
# so that no method, linear or not, raises the performance of the *ideal* observer. A denoiser can
# only help an observer that is not ideal, a human reader for example, and it can destroy what even
# the ideal observer would need.
#
# ### Channels
#
# The covariance of some hundred pixels cannot be estimated from a few hundred images. The
# **channelised Hotelling observer**, CHO, sees the image through a few smooth channels, here the
# five Laguerre-Gauss functions of lowest order [2], with $a$ in proportion to the size of the
# signal:
#
# $$u_n(r) = \frac{\sqrt2}{a} \exp\!\left(-\frac{\pi r^2}{a^2}\right)
# L_n\!\left(\frac{2 \pi r^2}{a^2}\right).$$

# %%
show_source(observers.laguerre_gauss_channels)

# %% [markdown]
# Its template is estimated from noisy images. Tested on the same images, it would seem too good,
# since it also matches their noise: even without any signal d' would be above 0. Therefore the
# template for each radiograph is computed from all *other* radiographs.

# %%
show_source(observers.held_out_responses)

# %% [markdown]
# ## Practical
#
# ### Signals that are just detectable
#
# The contrast is set for each dose: so low that the ideal observer would have d' = 2 in the noisy
# image at mid grey, which means 92 % correct answers in a choice between two images. σ is 1 grey
# level. The last column is the share of the quantum noise in the variance; η is proportional to the
# dose.

# %%
levels = pd.DataFrame({"η": detection.ETAS}).set_index("η")
variance = noise_variance(0.5, levels.index, detection.SIGMA)
levels["noise, grey levels"] = variance**0.5
for name in detection.SIGNALS:
    levels[f"contrast of the {name}"] = [detection.signal_contrast(name, e) for e in levels.index]
levels["quantum noise"] = 1 - detection.SIGMA**2 / variance
levels.round(2)

# %% [markdown]
# The paper trains on η from 0.4 to 1.9. The disc has a radius of 4 pixels; the nodule has a
# Gaussian profile with a standard deviation of 4 pixels. Nine of them are inserted in each field
# *before* the noise. One field with discs (above), without (middle), and the difference of both
# (below), noise-free and at the lowest dose. The difference is that of the means over many draws of
# the noise, so that it shows what is left of the discs on average.

# %%
eta = detection.ETAS[0]
methods = {BEFORE: detection.unrestored}
methods |= collect_methods([], "fp32", only=["generalist", "xbdcnn"])
images = source.images("test", 2 if settings.is_smoke else 4)
fields = [detection.quiet_field(f, np.random.default_rng(k)) for k, f in enumerate(images)]
repeats = 2 if settings.is_smoke else 30


def exposed(clean, seed):
    """Return the field as it is, noisy, and restored by each method."""
    noisy = noisy_image(Case("", clean, eta, detection.SIGMA, seed))
    return [clean, *(method(noisy, eta, detection.SIGMA).image for method in methods.values())]


# %%
kinds = {name: detection.with_signals(fields[0], name, eta) for name in ("disc", detection.ABSENT)}
seeds = {"disc": range(repeats), detection.ABSENT: range(repeats, 2 * repeats)}
exposures = {name: [exposed(clean, seed) for seed in seeds[name]] for name, clean in kinds.items()}
with_discs, without = (np.mean(exposures[name], axis=0) for name in kinds)

# %%
first = {name: of_kind[0] for name, of_kind in exposures.items()}
differences = list(255 * (with_discs - without))
fig = plotting.signal_panel(first, ["noise-free", *methods], differences)
caption = "A field with and without nine faint discs, noise-free, noisy and restored; differences."
plotting.save_figure(fig, figures / "13_signals", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Even without noise the discs are hardly visible in the window of the radiograph; the difference
# shows where they are. Can you find them in the noisy and restored pictures above, or tell which of
# the dark and bright spots are real? The differences show what is left of the discs on average,
# beside the noise that the mean still has. The observers of the theory have an easier task: they
# know the place and the background.
#
# ### A small measurement
#
# Each field is exposed several times with discs, with nodules and without, always with new noise.
# `read` returns what the observers see, and `observer_rows` evaluates it.

# %%
draws = 2 if settings.is_smoke else 4
parts = [
    detection.observer_rows(detection.read(method, fields, eta, draws), label, fields, eta)
    for label, method in methods.items()
]
live = pd.concat(parts)
small = equal_dose.summarise(live, "disc").pivot(index="score", columns="method", values="value")
small = small.rename({"psnr": "PSNR (dB)", "cnr": "CNR", "matched correct": "correct"})
small.loc[["PSNR (dB)", "CNR", "matched d'", "hotelling d'", "correct"], list(methods)].round(2)

# %% [markdown]
# The templates of the CHO are estimated from the other fields only, of which there are few here, so
# that it is not above the matched filter. *correct* is the share of correct answers of the matched
# filter if it chooses between an image with and one without the signal. It is measured
# independently of d', and is valid also if the responses are not normally distributed, which a
# network might cause.
#
# **Check.** In the noisy image the matched filter must have the d' of the theory. Forty draws of
# the noise make the test sharp: two standard errors are allowed.

# %%
many = detection.read(detection.unrestored, fields, eta, 40)
before = detection.observer_rows(many, BEFORE, fields, eta).query("signal == 'disc'")
variance = noise_variance(before["mean"].mean() / 255, eta, detection.SIGMA)
contrast = before["contrast"].iloc[0]
theory = observers.white_noise_d_prime(detection.SIGNALS["disc"], contrast, variance)
scores = equal_dose.summarise(before, "disc").set_index("score")["value"]
found, pairs = scores["matched d'"], 40 * len(fields) * len(detection.places())
error = np.sqrt((2 + theory**2 / 4) / pairs)
print(f"d' of theory {theory:.2f}, measured {found:.2f} ± {error:.2f} in {pairs} pairs")
expect(abs(found - theory) < 2 * error, "they agree within two standard errors", source)

# %% [markdown]
# ### The measurement
#
# The same with more methods, all doses, and one field of each of several radiographs. The intervals
# are over radiographs. Each network is one training run, so that they compare weight files and not
# methods of training ([notebook 07](07_ablations.ipynb#more-than-one-seed)).

# %%
stored = results.table("audit_detectability")
stored_facts = {"profile": experiments.PROFILE.name}
stored_facts["data"] = results.source_line("audit_detectability")
count, labels = stored["image"].nunique(), list(dict.fromkeys(stored["method"]))
print(f"{count} radiographs; {', '.join(labels)}; {stored_facts['data']}")
summary = {name: equal_dose.summarise(stored, name) for name in detection.SIGNALS}

# %%
panels = {"gain": "gain of PSNR (dB)", "cnr ratio": "CNR / CNR of the noisy image"}
panels |= {"matched ratio": "d' / d' of the noisy image"}
restored = summary["disc"].query("method != @BEFORE")
fig = plotting.detectability_plot(restored, panels)
caption = "Gain of PSNR, CNR and d' of the matched filter by dose, relative to the noisy image."
plotting.save_figure(fig, figures / "13_by_dose", caption, stored_facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Everything is relative to the noisy image of the same dose, with the line at equality; intervals
# are 95 % and the doses of the methods are drawn side by side. Left and middle panel show the two
# usual figures of merit, the right one the task. The nodules, as numbers, for both observers:


# %%
def with_interval(table):
    """Write value, low and high of a summary as one text."""
    ends = zip(table["value"], table["low"], table["high"], strict=True)
    return [f"{value:.2f} [{low:.2f}, {high:.2f}]" for value, low, high in ends]


scores = ["matched ratio", "hotelling ratio"]
nodules = summary["nodule"].query("method != @BEFORE and score in @scores")
nodules = nodules.assign(text=with_interval(nodules))
nodules.pivot(index=["score", "method"], columns="eta", values="text")

# %% [markdown]
# A number below 1 is a loss. An interval of 95 % below 1 makes it significant by itself; one that
# includes 1 does not prove that nothing is lost. Over both signals, all doses and both observers,
# with the number of intervals on one side that would be expected by chance, for which none was
# corrected:

# %%
ratios = pd.concat([part.query("score in @scores") for part in summary.values()])
ratios = ratios[ratios["method"] != BEFORE]
for label, of_method in ratios.groupby("method", sort=False):
    worse = int((of_method["high"] < 1).sum())
    limits = f"{of_method['value'].min():.2f} to {of_method['value'].max():.2f}"
    print(f"{label}: ratio {limits}; interval below 1 in {worse} of {len(of_method)} cases")
tail = equal_dose.INTERVAL[0] / 100
print(f"expected by chance, if nothing is lost: {tail * len(ratios):.1f} of {len(ratios)}")
highest = ratios["low"].max()
expect(
    highest < 1.02, f"no interval lies clearly above 1 (highest lower end {highest:.3f})", source
)

# %% [markdown]
# ### At which dose is the noisy image as good?
#
# The question has two meanings. The first: at which dose are the noisy image and its restoration
# equal, so that denoising has no effect? The dose is interpolated between the measured ones.

# %%
show_source(equal_dose.crossing_dose)

# %%
criteria = ["PSNR", "CNR", "matched d'", "hotelling d'"]
crossings = {name: equal_dose.equal_doses(stored, name) for name in detection.SIGNALS}
crossings = pd.concat(crossings, names=["signal"]).query("criterion in @criteria")
crossings = crossings.droplevel(1).reset_index()
crossings.loc[crossings["criterion"] == "PSNR", "signal"] = "any signal"  # PSNR has none
crossings = crossings.drop_duplicates(["signal", "criterion", "method"])
for row in crossings.dropna(subset=["eta"]).itertuples():
    dose = f"η = {row.eta:.0f} [{row.low:.0f}, {row.high:.0f}]"
    print(f"{row.criterion}, {row.signal}, {row.method}: {dose}")
print(f"no crossing in {crossings['eta'].isna().sum()} of {len(crossings)} cases")

# %%
shown = crossings[crossings["criterion"].isin(["PSNR", "matched d'"])]
shown = shown.rename(columns={"better_at": "better at η", "worse_at": "worse at η"})
shown = shown.set_index(["criterion", "signal", "method"])[["better at η", "worse at η"]]
shown.sort_index(level="criterion", sort_remaining=False)

# %% [markdown]
# The table lists the doses at which the interval excludes equality. A crossing, with its interval,
# is the dose between those at which a method is better and those at which it is worse. There is
# none if a method is only better, only worse, or not different.
#
# The second meaning: which dose would the noisy image need to be as good as a restored image of low
# dose? By Eq. 1 the noise variance is $v = \bar g / \eta + \sigma^2$, so that
#
# $$\eta' = \frac{\bar g}{v' - \sigma^2},$$
#
# where $v'$ is the mean squared error of the restored image if PSNR decides. If detectability
# decides, $v'$ is the variance that would give the noisy image the same d': $v$ divided by the
# squared ratio of d'.

# %%
show_source(equal_dose.equal_quality_dose)

# %%
by = [f"dose by {name}" for name in ("PSNR", "matched d'", "hotelling d'")]
doses = summary["nodule"].query("method != @BEFORE and score in @by")
doses = doses.assign(text=with_interval(doses))
doses.pivot(index=["score", "method"], columns="eta", values="text")

# %% [markdown]
# The numbers are factors of the dose: 1 means that denoising is worth nothing, 10 that the noisy
# image would need ten times the photons, 0.5 that half of them would do. *inf*: no dose is
# sufficient, since the restored image has less error than the electronic noise alone.

# %%
lowest = (
    summary["nodule"].query("eta == @detection.ETAS[0]").set_index(["method", "score"])["value"]
)
for label in labels[1:]:
    by_psnr, by_task = lowest[label, "dose by PSNR"], lowest[label, "dose by matched d'"]
    print(f"{label}: {by_psnr:.0f} times the dose by PSNR, {by_task:.2f} times by detectability")
    expect(by_task < by_psnr, "PSNR promises more dose than detectability", source)

# %% [markdown]
# **Check.** The unrestored image must be equal to itself at its own dose.

# %%
own = summary["nodule"].query("method == @BEFORE and score in @by")
limits = own["value"].min(), own["value"].max()
print(f"dose of the unrestored image: {limits[0]:.2f} to {limits[1]:.2f} times its own")
exact = own[own["score"] != "dose by PSNR"]["value"]
assert np.allclose(exact, 1) and own["value"].between(0.8, 1.25).all()

# %% [markdown]
# ### Is d' valid for a network?
#
# d' consists of means and variances. If a network shows a signal completely or not at all,
# responses are not normally distributed, and d' may mislead. The share of correct answers between
# two images is always valid. For normal responses it is $\Phi(d'/\sqrt2)$:

# %%
discs = summary["disc"].pivot(index=["method", "eta"], columns="score", values="value")
direct = pd.DataFrame({"correct": discs["matched correct"]})
direct["from d'"] = norm.cdf(discs["matched d'"] / np.sqrt(2))
direct.unstack("eta").loc[labels].round(2)

# %%
difference = (direct["correct"] - direct["from d'"]).abs()
label, dose = difference.idxmax()
print(f"largest difference: {difference.max():.3f}, {label} at η = {dose:g}")

# %% [markdown]
# ### Several backgrounds
#
# So far the observer knew each background exactly, and only noise disturbed it. An observer that
# knows the statistics of backgrounds only is disturbed by anatomy, too. The CHO for this task is
# trained with the covariance over all backgrounds; d' relative to the noisy image, for the nodule:

# %%
unknown = ["unknown ratio", "kept"]
varied = summary["nodule"].query("method != @BEFORE and score in @unknown")
varied = varied.assign(text=with_interval(varied))
varied.pivot(index=["score", "method"], columns="eta", values="text")

# %%
own = summary["nodule"].query("method == @BEFORE").set_index(["score", "eta"])["value"]
both = pd.DataFrame({"known": own["hotelling d'"], "unknown": own["unknown d'"]})
both.T.round(2)

# %% [markdown]
# The last table is d' in the noisy image. The higher the dose, the lower is the contrast that was
# set, while anatomy remains: a signal that is limited by noise on a known background is limited by
# anatomy on an unknown one. *kept* is the share of the contrast that remains in the region of
# interest. It explains the upper table: restoration removes noise and a part of the signal. On a
# known background both effects partly cancel in d'. Anatomy is not removed, so that against anatomy
# the lost contrast counts fully.

# %%
ratio = summary["nodule"].pivot(index=["method", "eta"], columns="score", values="value")
at_lowest = ratio.xs(detection.ETAS[0], level="eta").drop(BEFORE)
worse = at_lowest["unknown ratio"] < at_lowest["hotelling ratio"]
print(f"lower on an unknown background: {', '.join(worse.index[worse])}")
expect(worse.all(), "anatomy makes the loss larger at the lowest dose", source)

# %% [markdown]
# ## Discussion
#
# By PSNR every method is worth many times the dose where noise is strong. By detectability none is
# worth any: no ratio is clearly above 1, as the theory demands of the matched filter, which is
# ideal in the noisy image; the CHO is not ideal there, so that its ratio could exceed 1. And at the
# lowest dose some are far below it. The order of the methods differs, too: at the lowest dose those
# with the highest PSNR keep the least detectability of a disc. At high dose the networks that know
# strong noise only lose, the specialist most, and X-BDCNN (balanced), the paper's architecture with
# other loss weights and trained by us: they remove fine structure as if it were the strong noise of
# their training. The generalist, which knows weak noise, leaves such images almost as they are. Li
# et al. [3] found losses of the same kind with other networks and simulated backgrounds.
#
# The squared ratio of d' is known as *efficiency* [4]. Where quantum noise dominates it is the
# share of the photons that the observer uses, and a denoiser of efficiency one half wastes half of
# the dose in this task. With electronic noise the share is smaller, as the doses above show.
#
# At low dose CNR rises with every method, also where d' falls. It is a good measure for comparing
# images with the same correlation of the noise, such as two doses without processing, and misleads
# after smoothing.
#
# What this does not show. A model observer is no radiologist: it knows place and shape, and
# averages perfectly. A human reader averages less well, has to search, and may benefit from a
# smoother image; only a reader study can tell. The CHO is linear; an observer that is not might use
# more of what is left in a restored image. The noise is that of Eq. 1, and the signals are just
# detectable; a stronger lesion may lose less. The radiographs are few, each with one field of
# medium and bright grey levels, hence mediastinum, abdomen and chest wall and hardly any lung,
# where nodules are sought. In the brightest of them a part of the pixels is clipped at the lowest
# dose. Bootstrap intervals over so few are rather too narrow.

# %%
fields_table = stored.drop_duplicates("image")
greys = fields_table["mean"]
print(f"mean grey level of the {count} fields: {greys.min():.0f} to {greys.max():.0f}")

# %% [markdown]
# ## Two questions
#
# **1.** A Gaussian blur doubles the CNR of a nodule. Why is it not twice as easy to detect?
#
# <details><summary>Answer</summary>
#
# CNR divides by the noise of a single pixel, which a blur reduces. It also correlates the noise of
# adjacent pixels, so that averaging over the nodule, which every observer does, reduces the noise
# less than before. The blur has only done in advance a part of what the matched filter would do.
# </details>
#
# **2.** By PSNR a restored image equals a noisy one of many times the dose. May the dose be lowered
# by this factor?
#
# <details><summary>Answer</summary>
#
# No. PSNR is dominated by the noise of the many pixels without a lesion, and a network that
# replaces them by a smooth estimate gains decibels everywhere. Whether a lesion is there has to be
# decided from the photons that were detected. For the observers of this notebook a restored image
# is worth no more than the noisy image, so that the dose has to stay the same.
# </details>

# %% [markdown]
# ## Take-away
#
# - At low dose PSNR and CNR rise with every method, detectability does not: processing adds no
#   information.
# - There, the noisy image would need many times the dose to have the PSNR of the restored one, and
#   no more than its own dose to have its d'.
# - Faint signals are removed together with the noise: at low dose by every method, at high dose mainly by
#   networks that know strong noise only. It counts most where anatomy limits detection.
#
# ## References
#
# 1. H. H. Barrett and K. J. Myers, *Foundations of Image Science*, Wiley 2004, chapters 13 and 14.
# 2. B. D. Gallas and H. H. Barrett, Validating the use of channels to estimate the ideal linear
#    observer, *JOSA A* 20(9), 2003, [doi:10.1364/JOSAA.20.001725](https://doi.org/10.1364/JOSAA.20.001725).
# 3. K. Li, W. Zhou, H. Li and M. A. Anastasio, Assessing the impact of deep neural network-based
#    image denoising on binary signal detection tasks, *IEEE Transactions on Medical Imaging* 40(9),
#    2021, [doi:10.1109/TMI.2021.3076810](https://doi.org/10.1109/TMI.2021.3076810).
# 4. W. P. Tanner and T. G. Birdsall, Definitions of d' and η as psychophysical measures, *Journal
#    of the Acoustical Society of America* 30(10), 922–928, 1958. Their η is this efficiency and not
#    the η of the paper.

# %%
print(run_time())
