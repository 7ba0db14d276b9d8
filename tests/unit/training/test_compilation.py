"""What `torch.compile` lacks, and which layers it gets."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from torch import nn
from torch._inductor import compile_fx
from torch._inductor.graph import GraphLowering

from ecglfm.config import UserError
from ecglfm.models.encoders.conformer import ConformerLayer
from ecglfm.models.layers import sinusoids
from ecglfm.models.layers.fast.choice import SWITCH
from ecglfm.training import compilation
from ecglfm.training.compilation import compile_layers, compile_problem
from tests.unit.architectures import small


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({"g++"}, "a C++ compiler: there is no g++"),
        ({"triton"}, "Triton, which writes the kernels of a GPU"),
        ({"gcc", "clang"}, "a C compiler for Triton: there is no gcc or clang"),
        ({"gcc"}, None),
    ],
)
def test_what_a_gpu_needs(monkeypatch, tmp_path, missing, said):
    for name in ("CC", "CXX"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(compilation.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(compilation.shutil, "which", lambda name: None if name in missing else f"/usr/bin/{name}")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (compile_problem() or "").startswith(said or "")
    assert (compile_problem() is None) is (said is None)


def test_a_processor_needs_no_triton(monkeypatch):
    monkeypatch.setattr(compilation.shutil, "which", lambda _: "/usr/bin/it")
    monkeypatch.setattr(compilation.Path, "exists", lambda _: True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert compile_problem() is None


def test_layers_are_compiled_each(monkeypatch):
    done = []
    monkeypatch.setattr(compilation, "compile_problem", lambda: None)
    monkeypatch.setattr(nn.Module, "compile", lambda module, **_: done.append(module))
    context = nn.Module()
    context.layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1)])
    compile_layers(context, asked="--compile")
    encoder = nn.Module()
    encoder.context = context
    compile_layers(encoder, asked="--compile")
    assert done == 2 * list(context.layers)
    with pytest.raises(UserError, match="--compile: this encoder has no layers that are alike"):
        compile_layers(nn.Linear(1, 1), asked="--compile")


def test_what_a_layer_keeps_is_not_laid_out_as_an_image(monkeypatch):
    """Of queries, keys, values and weights that would be a copy each, into the order of channels, and another back."""
    laid_out, inductor = [], compile_fx.compile_fx

    def ask(graph, inputs, **_):
        laid_out.append(GraphLowering.decide_layout_opt(graph, is_inference=False))
        return graph

    monkeypatch.setattr(
        compile_fx, "compile_fx", lambda *args, **more: inductor(*args, **{"inner_compile": ask} | more)
    )
    monkeypatch.setattr(compilation, "compile_problem", lambda: None)
    monkeypatch.setenv(SWITCH, "0")  # a convolution is PyTorch's, as on a GPU
    context = nn.Module()
    config = small("conformer").model_copy(update={"dropout": 0.0})  # whose seeds cannot be handed through in torch 2.6
    context.layers = nn.ModuleList([ConformerLayer(config)])
    compile_layers(context, asked="pretrain.compile: true")
    context.layers[0](torch.randn(2, 13, 16), sinusoids(13, 16), None).sum().backward()
    assert laid_out == [False, False]  # forward and backward
