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
# # 07 Ablations
#
# Take one part away and see what is missed. The paper does so twice, without the SSIM loss and without
# the noise level estimation, finds a tenth of a decibel each time, and concludes that both parts
# help. Here the two are measured again, with two further readings of the recipe beside them, and the
# noise level estimator is asked directly whether it estimates anything.
#
# ## What you'll do
#
# You list which choices each variant flips, compare the variants with the full model image by image,
# and plot the estimated noise levels against the true ones.
#
# ## What you'll learn
#
# How large an ablation's effect has to be before a table can show it, what one training seed can and
# cannot tell, and why a network may restore well while its noise level estimator says little.
#
# ## What you need
#
# Notebook 06, whose tables are reused here; 04 for the loss terms; and a clone of the repository,
# which holds what was measured on ChestX-ray8. About a minute on 2 CPU cores.

# %% tags=["parameters"]
profile = "quick"
data = None
output = "../reproduction"

# %%
import json
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from xbdcnn import paper, plotting
from xbdcnn.data import find_source
from xbdcnn.inference import methods, zoo
from xbdcnn.inference.pretrained import load_pretrained
from xbdcnn.inference.weights import shipped_path
from xbdcnn.models import NLE
from xbdcnn.study import results, scoring, trials
from xbdcnn.study.notebook import show_source
from xbdcnn.study.profiles import get_profile

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
# The full model minimises four terms (Eq. 8),
#
# $$\mathcal L = \lambda_1 \mathcal L_{MSE} + \lambda_2 \mathcal L_{SSIM}
#   + \lambda_3 \mathcal L_{asymm} + \lambda_4 \mathcal L_{TV},$$
#
# and hands its own estimate of the noise level to the denoiser,
# $\hat g = f + \mathcal R\bigl(f, \hat l_{\sigma,\eta}(f)\bigr)$. The first ablation sets
# $\lambda_2 = 0$. The second removes the estimator, and with it $\mathcal L_{asymm}$ and
# $\mathcal L_{TV}$, which have nothing left to act on; the denoiser then sees the image alone.
#
# The estimator is five small layers. It sees a window of 11×11 pixels and has to tell grain from
# anatomy in there.

# %%
show_source(NLE)

# %% [markdown]
# An ablation is a *paired* experiment: both networks restore the same noisy image, so what the image
# contributes cancels in the difference. The uncertainty of the mean difference follows from how much
# the differences scatter over images. Turned around, that tells how many images are needed to see a
# difference $d$ when the scatter is $s$:
#
# $$n \approx \left(\frac{1.96\, s}{d}\right)^2 .$$

# %%
show_source(scoring.paired_differences)

# %% [markdown]
# ## Practical
#
# ### What the paper found
#
# Table I prints three rows for it. With SNR and PSNR put back in order (notebook 04), the full model
# leads both ablations in PSNR, while the SSIM of the three agrees to the fourth decimal.

# %% tags=["nbval-check-output"]
full = paper.corrected(paper.TABLE_1["X-BDCNN"])
claims = {}
for label in ("X-BDCNN w/o SSIM loss", "X-BDCNN w/o the NLE"):
    ablated = paper.corrected(paper.TABLE_1[label])
    claims[label] = full.psnr - ablated.psnr
    print(f"{label}: {-claims[label]:+.3f} dB, SSIM {ablated.ssim - full.ssim:+.4f}")

# %% [markdown]
# Two oddities. A loss made of SSIM that leaves SSIM where it was has probably done nothing at all: in
# the published code it compares residuals under a data range of 255, which makes it nearly inert
# (notebook 04). And a tenth of a decibel comes without an interval or a second seed.
#
# ### The variants
#
# Every weight file records its recipe. The full model, "X-BDCNN", follows the paper's text; for each
# other variant the cell lists the fields that differ from it.

# %% tags=["needs:05_train@cpu+paper"]
weights = None if settings.shipped_weights else Path(output) / "weights"
names = zoo.shipped_names() if weights is None else methods.trained_names(weights)
paths = {n: shipped_path(n) if weights is None else weights / f"{n}.safetensors" for n in names}
variants = {
    zoo.entry(name).label: load_pretrained(path, precision=settings.precision)
    for name, path in paths.items()
    if "xbdcnn" in name
}
REFERENCE = zoo.entry("xbdcnn-as-written").label


# %%
def flips(recipe, reference):
    """Fields of a recipe that differ from the reference's, with both values."""
    pairs = zip(asdict(reference).items(), asdict(recipe).values(), strict=True)
    return {name: f"{old} -> {new}" for (name, old), new in pairs if old != new}


# %% [markdown]
# Read the list as the paper's choices on the left of each arrow and the variant's on the right. What
# is not listed is the same for all.

# %%
flipped = {label: flips(v.recipe, variants[REFERENCE].recipe) for label, v in variants.items()}
for label in flipped:
    print(label, *(f"{name}: {change}" for name, change in flipped[label].items()), sep="\n    ")

# %% [markdown]
# **Check.** An ablation has to flip exactly one choice, and the trained network must really lack
# what its name says.

# %%
expected = {"X-BDCNN w/o SSIM loss": {"loss_weights"}, "X-BDCNN w/o the NLE": {"use_nle"}}
ablations = [label for label in expected if label in variants]
assert all(set(flipped[label]) == expected[label] for label in ablations)
without_nle = [label for label, v in variants.items() if v.network.nle is None]
assert without_nle == [label for label in ablations if "NLE" in label]
print("ablations at hand:", ", ".join(ablations) or "none")

# %% [markdown]
# One flipped choice is half of a fair comparison; the other half is that both networks had the same
# number of patches, of the same size, in the same order.

# %%
budgets = [v.metadata["budget"] for v in variants.values()]
print("same budget and seed for all variants:", all(budget == budgets[0] for budget in budgets))
print("width:", *{v.recipe.width for v in variants.values()}, "channels; the paper's, 64")
print("patches:", *{b["patches"] for b in budgets}, "of side", *{b["patch_size"] for b in budgets})

# %% [markdown]
# "As released" differs in many fields at once, and so does "balanced", which was trained longer, too.
# They are no ablations but other readings of the same paper; a difference there cannot be pinned on one
# choice.
#
# ### The same cases as Table I
#
# Table I has already restored the test patches with every variant: on ChestX-ray8, for the shipped
# weights (notebook 06 reads the same files), or in notebook 06 itself, for profiles that train.

# %% tags=["needs:06_tables@cpu+paper"]
folder = results.FOLDER if weights is None else Path(output) / "tables"
table_facts = json.loads((folder / "table_1.json").read_text())
results = pd.read_csv(folder / "table_1_results.csv")
results = results[results["method"].isin(variants)]
images, patches = results["image"].nunique(), results["case"].nunique()
print(
    f"{table_facts['data']}, profile {table_facts['profile']}: {patches} patches of {images} images"
)

# %% [markdown]
# **Check.** The results on file must come from the weights at hand: their SHA-256 is on record beside
# the rows.

# %%
record = json.loads((folder / "table_1_results.json").read_text())["methods"]
at_hand = methods.method_versions(variants, weights)
assert {label: record[label] for label in variants} == at_hand

# %% [markdown]
# ### Paired differences
#
# Each row is a variant minus the full model, averaged over images, with its 95 % interval. Look at
# PSNR and SSIM together: a part that serves one of them may well cost the other.

# %%
differences = scoring.paired_differences(results, REFERENCE)
columns = ["method", "psnr", "psnr_low", "psnr_high", "ssim", "ssim_low", "ssim_high", "images"]
differences[columns].set_index("method").round(4)

# %%
fig = plotting.ablation_plot(differences, REFERENCE)
caption = "Each variant minus X-BDCNN as written, 95 % over images; balanced was trained longer."
of_file = {name: table_facts[name] for name in ("profile", "data")}
plotting.save_figure(fig, figures / "07_ablations", caption, of_file)
fig

# %% [markdown]
# Difference of each variant to X-BDCNN as written on the same noisy patches, profile and data as
# printed above. Left of zero means worse than the full model.

# %% [markdown]
# ### The paper's claim against ours
#
# For each variant one sentence, put together from the numbers. It speaks of these weights on these
# images. "Open" means that the interval includes zero: these images cannot tell. An ablation that
# comes out *worse* agrees with the paper, since the part that was left out is missed; one that comes
# out *better* contradicts it.


# %%
def verdict(row):
    """What the paired interval says about a variant, against the full model."""
    return "worse" if row.psnr_high < 0 else "better" if row.psnr_low > 0 else "open"


# %%
for row in differences.itertuples():
    interval = f"{row.psnr:+.3f} dB [{row.psnr_low:+.3f}, {row.psnr_high:+.3f}]"
    claim = f"; the paper has {-claims[row.method]:+.3f} dB" if row.method in claims else ""
    print(f"{row.method}: {interval}: {verdict(row)}{claim}")

# %% [markdown]
# How many images would it take to see an effect as small as the paper's? The scatter $s$ of our
# differences over patches gives an idea, if patches are counted as images.

# %%
wide = results.pivot(index="case", columns="method", values="psnr")
for label in ablations:
    scatter = (wide[label] - wide[REFERENCE]).std()
    needed = (1.96 * scatter / claims[label]) ** 2
    print(f"{label}: scatter {scatter:.3f} dB, {needed:.0f} patches to see {claims[label]:.3f} dB")

# %% [markdown]
# ### More than one seed
#
# The intervals so far are over images, for one training of each network. Here the full model and both
# ablations were trained anew from several seeds, at half width and a smaller budget, which is what a
# CPU can afford. What is left of the effect when the luck of the training averages out? (With equal
# budget and seeds they are the same trainings as in [notebook 11](11_audit.ipynb), not further evidence.)

# %%
retrained, known = results.table("trials_ablation"), results.facts("trials_ablation")
print(results.source_line("trials_ablation"))
print(f"{known['budget']['patches']} patches of side {known['budget']['patch_size']}", end=", ")
print(f"width {known['width']}, seeds {known['seeds']}")

# %%
retrained.pivot(index="trial", columns="seed", values="val_psnr").round(2)

# %% [markdown]
# Validation PSNR in dB, one column per seed. The rows differ by their part, the columns by luck alone.
# Paired by seed, with a 95 % interval by Student's t, which is wide for so few:

# %%
by_seed = trials.effects(retrained).set_index("trial")
for label, row in by_seed.iterrows():
    interval = f"[{row.low:+.2f}, {row.high:+.2f}] over {row.seeds:.0f} seeds"
    print(f"{label}: {row.effect:+.2f} dB {interval}")
luck = retrained.groupby("trial")["val_psnr"].std().mean()
print(f"spread of one network between seeds: {luck:.2f} dB")

# %% [markdown]
# ### Does the estimator estimate?
#
# The NLE is trained to name η and σ. So let it: each test patch carries its own levels, and the
# network's two maps, averaged over the patch, are its answer. A point on the diagonal is a perfect
# estimate. A horizontal band is an estimator that always gives the same answer. The variant without
# NLE has nothing to ask and is left out.

# %%
cases = scoring.table_1_cases(source, settings)
estimators = {label: v for label, v in variants.items() if v.network.nle is not None}
rows = []
for case in cases:
    noisy = scoring.noisy_image(case)
    for label, pretrained in estimators.items():
        guess = pretrained.estimate(noisy)
        rows.append((label, case.eta, case.sigma, guess.eta, guess.sigma))
estimates = pd.DataFrame(rows, columns=["method", "eta", "sigma", "est. eta", "est. sigma"])

# %%
fig = plotting.new_figure(7.2, 3.5, layout="constrained")
limits = {"eta": paper.ETA_RANGE, "sigma": paper.SIGMA_RANGE}
looks = plotting.method_styles(list(estimators))
for axis, (level, ends), sign in zip(fig.subplots(1, 2), limits.items(), "ησ", strict=True):
    axis.plot(ends, ends, color="0.7", lw=1)
    for label, part in estimates.groupby("method", sort=False):
        axis.plot(part[level], part[f"est. {level}"], ls="", ms=3, label=label, **looks[label])
    axis.set(xlabel=f"true {sign}", ylabel=f"estimated {sign}")

# %%
fig.legend(*axis.get_legend_handles_labels(), loc="outside upper center", ncols=2)
caption = "Noise levels estimated by the NLE of each variant against the true ones, patch by patch."
plotting.save_figure(fig, figures / "07_estimates", caption, facts, smoke=settings.is_smoke)
fig

# %% [markdown]
# Estimated against true noise level, one dot per test patch and variant; profile and data as printed
# at the top. The grey line is the truth.
#
# A number for the same thing: the root mean square error, beside that of a constant answer, the mean
# of the true levels. The correlation forgives a wrong offset and scale. The spread of the answers, as
# a share of the spread of the truth, tells whether the estimator commits itself at all.


# %%
def judged(true, guess):
    """Error of an estimate, of the best constant; correlation with and spread beside the truth."""
    error = ((guess - true) ** 2).mean() ** 0.5
    together = guess.corr(true) if guess.std() > 1e-6 else 0.0
    row = {"rms error": error, "of a constant": true.std(ddof=0)}
    return row | {"correlation": together, "spread": guess.std() / true.std()}


# %%
judgement = {}
for label, part in estimates.groupby("method", sort=False):
    for level in ("eta", "sigma"):
        judgement[label, level] = judged(part[level], part[f"est. {level}"])
pd.DataFrame(judgement).T.round(3)

# %% [markdown]
# In words: an error near that of a constant answer means that nothing was learnt about the level, and
# one above it that the constant would have been the better estimator.

# %%
for (label, level), row in judgement.items():
    share = row["rms error"] / row["of a constant"]
    stuck = ", and it hardly ever moves" if row["spread"] < 0.05 else ""
    print(f"{label}: the error of its {level} is {share:.0%} of a constant answer's{stuck}")

# %% [markdown]
# ## Discussion
#
# The sentences above are the result, and they hold for these weights, which come from the budgets
# printed with the variants, equal for all but "balanced". Three reservations belong to them.
#
# *Seeds.* An interval over images says how sure we are about **two trained networks**. Training again
# from another seed gives two other networks, which may differ by as much as the paper's whole effect.
# Our variants share seed and patches, which removes part of the luck but not all: a network without
# NLE has another first layer, hence other initial weights. A claim about the *part*, rather than about
# two weight files, needs several seeds. The paper has none; ours are those above, at a small budget.
#
# *The meaning of "without".* As written, with sums over pixels and SSIM on the image, the SSIM term
# is hundreds of times the squared error, the only other term that looks at the restored image (the
# weighted terms are printed below). Removing it hands the image over to the squared error, which is
# what PSNR measures. Under the released recipe the same term is weak, and its removal is another
# change. "Without the SSIM loss" is two experiments.
#
# *The NLE.* If a variant without estimator does as well, two explanations compete: levels do not help,
# or the estimator does not deliver them. The scatter plot speaks to the second. An estimator that
# returns nearly the same answer for every patch (in the extreme, zero: a ReLU that has died) adds two
# constant channels to the image, and a U-Net with ninety pixels in view can judge the grain by itself.
# It also bears on the paper's argument that the estimator is necessary because the network without it
# still beats DnCNN: that compares two architectures, not one with and without the part. What the
# networks do with true and with wrong levels is the matter of [notebook 11](11_audit.ipynb).

# %%
final, lambdas = variants[REFERENCE].metadata["scores"], variants[REFERENCE].recipe.loss_weights
for term, weight in zip(("mse", "ssim", "asymm", "tv"), lambdas, strict=True):
    print(f"{REFERENCE}, weighted {term} term as kept: {weight * final[f'loss_{term}']:.3g}")

# %%
for label in ablations:
    row = differences.set_index("method").loc[label]
    sure = not (row["psnr_low"] <= 0 <= row["psnr_high"]) and row["images"] > 1
    print(f"{label}: {row['psnr']:+.3f} dB, decided by these images: {'yes' if sure else 'no'}")
print("images behind each interval:", differences["images"].max())

# %% [markdown]
# ## Two questions
#
# **1.** An ablation costs 0.15 dB with a paired interval of [−0.19, −0.11] over thirty images. Your
# colleague concludes that the removed part is useful. What is missing?
#
# <details><summary>Answer</summary>
#
# Other trainings. The interval shows that one network restores better than the other; whether the
# *part* is the reason depends on how far two trainings of the same recipe lie apart. Retrain both with
# a few seeds and compare the spread between seeds with the 0.15 dB.
# </details>
#
# **2.** Suppose the NLE returns the same η and σ for every image. Can the full model still end up
# better than the one without NLE?
#
# <details><summary>Answer</summary>
#
# Yes, by luck of initialisation, by the slightly larger first layer, or because the loss on the
# estimator shaped the training early on. But not by *knowing the noise level*, since constant maps
# carry no information about the image. Hence the separate look at the estimates.
# </details>
