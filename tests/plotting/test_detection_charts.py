"""Charts of detectability are drawn from their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from xbdcnn import plotting

METHODS = {"DnCNN": 0.5, "GAT+BM3D": 1.5}


def summary() -> pd.DataFrame:
    rows = [
        {"method": method, "eta": eta, "score": score, "value": value * eta**power}
        for method, value in METHODS.items()
        for eta in (0.4, 4.0, 40.0)
        for score, power in {"gain": 0.5, "matched ratio": -0.1}.items()
    ]
    table = pd.DataFrame(rows)
    return table.assign(low=0.9 * table["value"], high=1.1 * table["value"])


def test_every_method_is_drawn_with_its_intervals_beside_the_line_of_equality():
    panels = {"gain": "PSNR", "matched ratio": "ratio of d'"}
    figure = plotting.detectability_plot(summary(), panels)
    for axes, (score, label) in zip(figure.axes, panels.items(), strict=True):
        curves = {line.get_label(): line for line in axes.lines}
        part = summary()[summary()["score"] == score].set_index(["method", "eta"])["value"]
        for method in METHODS:
            np.testing.assert_allclose(curves[method].get_ydata(), part[method])
        assert len(axes.collections) == len(METHODS) and axes.get_ylabel() == label
        equality = [line.get_ydata()[0] for line in axes.lines if len(line.get_ydata()) == 2]
        assert equality == [0.0 if score == "gain" else 1.0]
    assert figure.axes[0].get_yscale() == "linear" and figure.axes[1].get_yscale() == "log"


def test_pictures_share_the_grey_scale_of_the_first_and_differences_have_their_own():
    ramp = np.linspace(0.2, 0.6, 400).reshape(20, 20)
    rows = {"disc": [ramp, 2 * ramp], "absent": [ramp, ramp]}
    figure = plotting.signal_panel(rows, ["a", "b"], [0 * ramp, 5 * ramp])
    *pictures, first, second = figure.axes
    limits = {axes.images[0].get_clim() for axes in pictures}
    assert len(limits) == 1
    low, high = limits.pop()
    assert low == pytest.approx(0.2 - 0.3 * 0.4, abs=0.01) and high < 0.8
    assert [axes.get_title() for axes in figure.axes[:2]] == ["a", "b"]
    assert figure.axes[2].get_ylabel() == "absent"
    assert {axes.images[0].get_clim() for axes in (first, second)} == {(-8, 8)}
    np.testing.assert_allclose(second.images[0].get_array(), 5 * ramp)
    assert len(plotting.signal_panel(rows, ["a", "b"]).axes) == 4
