"""Other ways to compute the layers' convolution and attention give what the product's own do."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.profiler import profile

from ecglfm.benchmark.gpu import candidates
from ecglfm.cli import main
from ecglfm.config import UserError
from tests.unit.architectures import small


def test_every_way_that_runs_here_agrees(repository, monkeypatch, capsys):
    """With every gradient; what wants the compiler says so."""
    monkeypatch.chdir(repository)
    arguments = ["--encoder", "config/encoders/tiny.yaml", "--batch", "2", "--repeats", "1", "--compile", "off"]
    assert main(["benchmark", "candidates", *arguments, "--json"]) == 0
    found = [candidates.Candidate(*one) for one in json.loads(capsys.readouterr().out)["candidates"]]
    runs = {one.way: one.off for one in found if one.seconds is not None}
    assert len(runs) == 6  # "as in a training" is of both kinds
    assert max(runs.values()) < 1e-5
    assert {one.why for one in found if one.seconds is None} == {"the compiler: left out"}
    assert main(["benchmark", "candidates", *arguments]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "tiny, 2 segments, fp32, forward and backward"
    assert len(shown) == 3 + len(found)


def test_the_compiled_ways_are_the_same_formulas(monkeypatch):
    """Not compiled here; `flex_attention` has no gradient on a CPU."""
    monkeypatch.setattr(candidates, "_compiled", lambda way, _: way)
    model = small("conformer", kernel=3, heads=2, dim=16)
    for ways, inputs in (
        (candidates._depthwise(model, None), candidates._depthwise_inputs(model, 2)),
        (candidates._attention(None), candidates._attention_inputs(model, 2)),
    ):
        with torch.no_grad():
            outputs = {name: way(*inputs) for name, way in ways}
        first = outputs.pop("as in a training")
        assert len(outputs) >= 4
        for name, output in outputs.items():
            torch.testing.assert_close(output, first, rtol=1e-4, atol=1e-5, msg=name)


def test_a_way_that_fails_or_is_wrong_is_told():
    def broken(x: Tensor) -> Tensor:
        raise RuntimeError("no kernel image\nis available")

    def refused(x: Tensor) -> Tensor:
        raise UserError("the compiler: there is none")

    def ways() -> Iterator[tuple[str, object]]:
        yield "own", lambda x: 2 * x
        yield "plain", lambda x: x + x
        yield "wrong", lambda x: 2.2 * x
        yield "broken", broken
        yield "refused", refused

    found = list(candidates._measured("double", ways(), [torch.ones(4)], torch.float32, 1))
    assert [one.off for one in found[:2]] == [0, 0]
    assert found[2].off == pytest.approx(0.1)
    assert [one.why for one in found[3:]] == ["RuntimeError: no kernel image", "the compiler: there is none"]
    assert list(candidates.lines(found))[-1] == "| double | refused | the compiler: there is none |  |"


def test_what_a_gpu_is_timed_at_is_forward_and_backward_alone(monkeypatch):
    """A gradient into a leaf that has one already is added to it: of a large input a third of the time."""

    class Event:
        def __init__(self, **_: object) -> None: ...
        def record(self) -> None: ...
        def elapsed_time(self, _: object) -> float:
            return 1.0

    class Cuda(Tensor):
        device = torch.device("cuda")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    with profile() as profiler:
        candidates._timed(torch.sin, [torch.ones(4)], torch.ones(4).as_subclass(Cuda))
    calls = {event.key: event.count for event in profiler.key_averages()}
    assert (calls["aten::sin"], calls["aten::cos"]) == (candidates._CALLS, candidates._CALLS)
    assert "aten::add_" not in calls
    assert "aten::add" not in calls


def test_another_encoder_has_no_such_layers(repository, monkeypatch, capsys):
    monkeypatch.chdir(repository)
    assert main(["benchmark", "candidates", "--encoder", "config/encoders/vit-tiny.yaml"]) == 1
    assert "vit-tiny.yaml: a vit, which has no such layers; name a Conformer" in capsys.readouterr().err
