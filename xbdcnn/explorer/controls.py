"""Sliders, menus and the upload button of the explorer, and their layout."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import ipywidgets as widgets

from xbdcnn.explorer.choices import menu_text
from xbdcnn.explorer.views import ETA_LIMITS, SIGMA_LIMITS, State

ACCEPTED = ".png,.dcm,.dicom,.tif,.tiff,.jpg,.jpeg"


def state_controls(
    start: State, images: Mapping[str, object], methods: Mapping[str, object]
) -> dict[str, widgets.ValueWidget]:
    """One labelled control per field of `State` except `corner`; all are accessible by keyboard."""
    style = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
    return {
        "eta": widgets.FloatLogSlider(
            value=start.eta,
            min=math.log10(ETA_LIMITS[0]),
            max=math.log10(ETA_LIMITS[1]),
            step=0.01,
            readout_format=".2f",
            description="η (photons per grey level)",
            **style,
        ),
        "sigma": widgets.FloatSlider(
            value=start.sigma,
            min=SIGMA_LIMITS[0],
            max=SIGMA_LIMITS[1],
            step=0.5,
            readout_format=".1f",
            description="σ (grey levels)",
            **style,
        ),
        "strength": widgets.FloatSlider(
            value=start.strength,
            min=0.0,
            max=1.0,
            step=0.05,
            readout_format=".2f",
            description="strength",
            **style,
        ),
        "image": widgets.Dropdown(
            options=list(images), value=start.image, description="radiograph", **style
        ),
        "method": widgets.Dropdown(
            options=[(menu_text(method), method) for method in methods],
            value=start.method,
            description="method",
            **style,
        ),
        "seed": widgets.BoundedIntText(
            value=start.seed, min=0, max=9999, description="seed", **style
        ),
        "as_it_is": widgets.Checkbox(
            value=start.as_it_is, description="as it is: add no noise", indent=False, **style
        ),
    }


def upload_button() -> widgets.FileUpload:
    """Button that opens a file dialogue for one radiograph."""
    return widgets.FileUpload(
        accept=ACCEPTED,
        multiple=False,
        description="Upload PNG or DICOM",
        layout={"width": "auto"},
    )


def download_button() -> widgets.Button:
    """Button for the restored region; disabled until it is restored."""
    return widgets.Button(
        description="Download restored",
        tooltip="The restored region as a PNG of 16 bits; xbdcnn denoise restores whole files.",
        disabled=True,
        layout={"width": "auto"},
    )


def arrange(
    controls: Mapping[str, widgets.Widget],
    buttons: Iterable[widgets.Widget],
    canvas: widgets.Widget,
) -> widgets.VBox:
    """Sliders, menus and the canvas below each other."""
    eta, sigma, strength, image, method, *others = controls.values()
    rows = (
        _row([eta, sigma, strength], 300),
        _row([image, method], 330),
        _row([*others, *buttons], 150),
    )
    box = widgets.VBox([*rows, canvas], layout={"max_width": "1600px"})
    return box.add_class("xb-explorer")


def _row(children: list[widgets.Widget], narrowest: int) -> widgets.GridBox:
    """Equal columns of at least `narrowest` pixels, as many as fit; one on a phone."""
    columns = f"repeat(auto-fit, minmax(min(100%, {narrowest}px), 1fr))"
    return widgets.GridBox(
        children, layout={"grid_template_columns": columns, "grid_gap": "0 14px", "width": "100%"}
    )
