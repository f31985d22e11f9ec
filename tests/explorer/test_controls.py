"""Controls, presets, dose and links of the explorer, without a browser."""

from __future__ import annotations

import re

import numpy as np
import pytest

from xbdcnn import paper
from xbdcnn.explorer import Explorer, State, dose
from xbdcnn.explorer.canvas import FOLDER, SCRIPT, VIEWER, bundle
from xbdcnn.explorer.controls import Box, Menu, Number, Slider
from xbdcnn.models import Denoised

RAMP = np.tile(np.linspace(0.1, 0.9, 64, dtype=np.float32), (48, 1))
IMAGES = {"built-in: ramp": RAMP, "built-in: large": np.tile(RAMP, (9, 7)), "mine": RAMP}
METHODS = {"none": lambda noisy, eta, sigma: Denoised(noisy)}


@pytest.fixture
def explorer() -> Explorer:
    return Explorer(IMAGES, METHODS, pause=0).wait()


def from_page(explorer: Explorer, message: dict) -> None:
    explorer.canvas._handle_custom_msg(message, [])
    explorer.wait()


def chosen(explorer: Explorer, **values) -> None:
    """Set values as the page does when the user changes a control."""
    from_page(explorer, {"edit": values})


def test_dose_is_stated_in_photons_and_percent():
    assert dose.describe_dose(0.4) == "51 photons at mid grey · 5 % of an ordinary exposure"
    assert dose.describe_dose(0.1).startswith("13 photons at mid grey · 1.3 %")
    assert dose.describe_dose(dose.ORDINARY_ETA).endswith("· 100 % of an ordinary exposure")
    assert "2.5 µGy" in dose.CONVENTION and "1000 photons" in dose.CONVENTION


def test_presets_are_table_2_and_two_doses():
    levels = list(dose.PRESETS.values())
    assert set(levels[:9]) == {(eta, sigma) for eta in paper.ETAS for sigma in paper.SIGMAS}
    assert dose.PRESETS["quarter dose"][0] == pytest.approx(dose.ORDINARY_ETA / 4, abs=0.005)
    assert dose.preset_of(*levels[3]) == list(dose.PRESETS)[3]
    assert dose.preset_of(0.41, 5.0) == ""


def test_preset_sets_the_levels_and_levels_name_their_preset(explorer):
    chosen(explorer, preset="quarter dose")
    assert (explorer.state.eta, explorer.state.sigma) == dose.PRESETS["quarter dose"]
    assert "25 %" in explorer.canvas.texts["dose"]
    chosen(explorer, sigma=3.0)
    assert explorer.canvas.values["preset"] == ""
    chosen(explorer, eta=0.8, sigma=15.0)
    assert explorer.canvas.values["preset"] == "Table II: η 0.8, σ 15"


@pytest.mark.parametrize(
    ("control", "value", "expected"),
    [
        (Slider(min=-1, max=1, log=True, value=1.0), "0.4", 0.4),
        (Slider(min=0, max=50, value=1.0), 99, 50.0),
        (Slider(min=0, max=50, value=1.0), "nan", 1.0),
        (Slider(min=0, max=50, value=1.0), "<b>", 1.0),
        (Number(min=0, max=9, value=1), "7", 7),
        (Number(min=0, max=9, value=1), "1e3", 1),
        (Menu(options=("a", "b"), value="a"), "b", "b"),
        (Menu(options=("a", "b"), value="a"), "c", "a"),
        (Box(value=False), "True", True),
    ],
)
def test_control_takes_what_is_possible(control, value, expected):
    control.accept(value)
    assert control.value == expected


def test_link_opens_the_same_state_elsewhere(explorer):
    chosen(explorer, eta=0.3, sigma=0.0, strength=0.5, seed=7, image="built-in: large")
    explorer.canvas.set_state({"corner": [3, 5]})
    link = dict(explorer.canvas.link)
    assert link["corner"] == "3,5" and link["sigma"] == "0.0"
    other = Explorer(IMAGES, METHODS, pause=0)
    from_page(other, {"address": link})
    assert other.state == explorer.state
    assert other.state.corner == (3, 5) and other.state.seed == 7


def test_link_names_a_radiograph_of_the_package():
    images = {"built-in: ramp": RAMP, "packaged chest: ramp": RAMP}
    explorer = Explorer(images, METHODS, pause=0).wait()
    chosen(explorer, image="packaged chest: ramp")
    assert explorer.canvas.link["image"] == "packaged chest: ramp"


def test_link_never_names_a_file_of_the_user(explorer):
    chosen(explorer, image="mine")
    assert not {"image", "corner", "as_it_is"} & explorer.canvas.link.keys()
    assert "mine" not in str(explorer.canvas.link)


def test_link_with_unknown_values_is_ignored(explorer):
    before = explorer.state
    from_page(explorer, {"address": {"image": "gone", "eta": "x", "corner": "a,b", "no": "1"}})
    assert explorer.state == before and explorer.canvas.texts["message"] == ""


def test_reset_returns_to_the_first_state(explorer):
    first = explorer.state
    chosen(explorer, image="built-in: large", eta=3.0, as_it_is=True, seed=5)
    explorer.canvas.set_state({"corner": [1, 1], "line": [0, 0, 5, 5]})
    from_page(explorer, {"reset": True})
    assert explorer.state == first == State(image="built-in: ramp")
    assert explorer.canvas.line is None


def test_values_that_change_together_are_one_change(explorer):
    moves = []
    explorer.panel.moved = lambda: moves.append(explorer.state)
    chosen(explorer, eta=2.0, sigma=20.0, seed=3)
    assert {(s.eta, s.sigma, s.seed) for s in moves} == {(2.0, 20.0, 3)}


def test_page_may_send_the_next_edit_after_each_even_a_wrong_one(explorer, monkeypatch):
    sent = []
    monkeypatch.setattr(type(explorer.canvas), "send", lambda self, *message: sent.append(message))
    chosen(explorer, sigma="x", unknown=1)
    assert sent == [({"handled": True},)] and explorer.state.sigma == 10.0


def test_bundle_has_every_module_after_those_that_it_imports():
    files = {path.stem for path in FOLDER.glob("*.js")}
    assert files == {*VIEWER, "widget"}
    assert not re.search(r"^(import|export) (?!default)", SCRIPT, flags=re.M)
    for place, name in enumerate(VIEWER):
        text = (FOLDER / f"{name}.js").read_text("utf-8")
        assert set(re.findall(r'from "\./(\w+)\.js"', text)) <= set(VIEWER[:place]), name
        assert text.count("\n") <= 250
    declared = re.findall(r"^(?:async )?(?:const|let|function) (\w+)", bundle(VIEWER), flags=re.M)
    assert len(declared) == len(set(declared)) > 50
