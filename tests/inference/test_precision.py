"""Bfloat16 is used on processors that support it, except for the first and the last filter."""

from __future__ import annotations

import pytest
import torch

from xbdcnn._common.errors import XbdcnnError
from xbdcnn.inference.precision import (
    Float32Layer,
    native_bfloat16,
    resolve_precision,
    to_bfloat16,
)
from xbdcnn.inference.weights import build_network
from xbdcnn.models import BALANCED

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "native"),
    [({"avx512_bf16": True}, True), ({"bf16": True}, True), ({"avx512_bf16": False}, False),
     ({"avx512_f": True}, False), ({}, False)],
)  # fmt: skip
def test_native_bfloat16_follows_the_capabilities_of_the_cpu(capabilities, native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert native_bfloat16(CPU) is native
    assert resolve_precision("auto", CPU) == ("bf16" if native else "fp32")
    assert resolve_precision("bf16", CPU) == "bf16"


def test_auto_is_float32_if_pytorch_has_no_get_capabilities(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert resolve_precision("auto", CPU) == "fp32"


def test_unknown_precision_is_refused():
    with pytest.raises(XbdcnnError, match="unknown precision 'double'; choose from auto, fp32"):
        resolve_precision("double", CPU)


def test_bfloat16_copy_rounds_all_filters_except_the_first_and_the_last():
    network = build_network("xbdcnn", BALANCED)
    copy = to_bfloat16(network)
    first, last = (m.layer for m in copy.modules() if isinstance(m, Float32Layer))
    unrounded = {id(p) for layer in (first, last) for p in layer.parameters()}
    assert first is copy.nle.first.layer and last is copy.nbd.output.layer
    for parameter in copy.parameters():
        assert parameter.dtype == (torch.float32 if id(parameter) in unrounded else torch.bfloat16)
    assert {p.dtype for p in network.parameters()} == {torch.float32}
    with torch.inference_mode():
        restored, levels = copy(torch.rand(1, 1, 16, 16).bfloat16())
    assert restored.dtype == torch.float32 and levels.dtype == torch.bfloat16
