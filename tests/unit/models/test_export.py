"""Exported files give PyTorch's outputs for shapes that were not those at export, and say what to feed them."""

import json

import pytest
import torch
from torch.torch_version import TorchVersion

from ecglfm.config import LEADS, InputConfig, PreprocessConfig, UserError
from ecglfm.models import export as exporting
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.models.encoders.kinds import make_encoder
from ecglfm.models.export import Exportable, export
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import Link, link_of
from tests.unit.architectures import architecture, small
from tests.unit.models.exported import MODEL_FACTS, OWN, make

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.load. is deprecated")

#: Batch and samples: 5 s, 10 s and 7.3 s at 500 Hz, and what gives two frames.
SHAPES = [(1, 2500), (8, 2500), (1, 5000), (8, 5000), (3, 3650), (2, 32)]
FACTS = {
    "unit": "mV", "sampling_rate": 500, "leads": list(LEADS), "crop_seconds": 5.0, "config_hash": "abc",
    "ecglfm": exporting.__version__,
}  # fmt: skip


def expected(module, inputs):
    if isinstance(module, ECGModel):
        return [module(*inputs), module(*inputs).sigmoid()]
    return [module(*inputs), module.embed(*inputs)]


def check(module, run, masked):
    encoder = module.encoder if isinstance(module, ECGModel) else module
    for batch, samples in SHAPES:
        if encoder.too_short(samples) or samples > (encoder.longest or samples):
            continue
        signal = torch.randn(batch, 12, samples, generator=torch.Generator().manual_seed(samples))
        mask = torch.arange(samples) < torch.linspace(samples / 2, samples, batch + 1)[1:, None]  # each its own length
        inputs = (signal, mask)[: 1 + masked]
        with torch.inference_mode():
            for found, wanted in zip(run(*inputs), expected(module, inputs), strict=True):
                torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.pinned_torch
@pytest.mark.parametrize(
    ("kind", "what", "masked"),
    [
        ("conformer", "encoder", False),
        ("conformer", "model", True),
        ("wav2vec2", "encoder", True),
        ("statistics", "model", True),
        ("resnet", "encoder", False),
        ("vit", "encoder", True),
        ("net1d", "model", True),
    ],
)
def test_torchscript(tmp_path, kind, what, masked):
    module, path = make(tmp_path / "in", kind, what), tmp_path / "out" / "a.pt"
    assert export(module, path, form="torchscript", mask=masked) < 1e-5
    assert [each.name for each in path.parent.iterdir()] == ["a.pt"]
    extra = {"ecglfm.json": ""}
    loaded = torch.jit.load(path, _extra_files=extra)
    check(module, loaded, masked)
    facts = json.loads(extra["ecglfm.json"])
    assert facts.pop("preprocess") == PreprocessConfig().model_dump(mode="json")
    assert facts == FACTS | (MODEL_FACTS if what == "model" else {"kind": "encoder"})


@pytest.mark.pinned_torch
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "what", "masked", "inline"),
    [
        ("conformer", "encoder", False, 1 << 30),
        ("conformer", "model", True, 1 << 30),
        ("wav2vec2", "encoder", True, 0),
        ("statistics", "encoder", True, 1 << 30),
        ("resnet", "encoder", True, 1 << 30),
        ("vit", "encoder", True, 1 << 30),
        ("net1d", "encoder", True, 1 << 30),
    ],
)
def test_onnx(tmp_path, monkeypatch, kind, what, masked, inline):
    import onnxruntime

    monkeypatch.setattr(exporting, "INLINE_BYTES", inline)  # above it weights lie in a file of their own
    refine = "torch.export.dynamic_shapes.refine_dynamic_shapes_from_suggested_fixes"
    monkeypatch.setattr(refine, lambda *_: pytest.fail("the lengths that are promised are not those that it reads"))
    module, path = make(tmp_path / "in", kind, what), tmp_path / "out" / "a.onnx"
    assert export(module, path, form="onnx", mask=masked) < 1e-4
    names = sorted(each.name for each in path.parent.iterdir())
    assert names == (["a.onnx"] if inline else ["a.onnx", "a.onnx.data"])
    assert str(tmp_path).encode() not in path.read_bytes()
    path.parent.rename(tmp_path / "elsewhere")
    session = onnxruntime.InferenceSession(tmp_path / "elsewhere" / "a.onnx", providers=["CPUExecutionProvider"])
    inputs = [each.name for each in session.get_inputs()]
    assert inputs == ["signal", "mask"][: 1 + masked]
    assert session.get_inputs()[0].shape == ["batch", 12, "samples"]
    outputs = [each.name for each in session.get_outputs()]
    assert outputs == (["logits", "probabilities"] if what == "model" else ["frames", "embedding"])

    def run(*values):
        feed = {name: value.numpy() for name, value in zip(inputs, values, strict=True)}
        return [torch.from_numpy(value) for value in session.run(None, feed)]

    check(module, run, masked)
    text = session.get_modelmeta().custom_metadata_map
    wanted = FACTS | (MODEL_FACTS if what == "model" else {"kind": "encoder"})
    facts = {name: text[name] if isinstance(wanted[name], str) else json.loads(text[name]) for name in wanted}
    assert facts == wanted


@pytest.mark.pinned_torch
@pytest.mark.parametrize("change", ["shifted", "another shape", "not finite"])
def test_a_file_that_gives_other_numbers_is_not_left(tmp_path, monkeypatch, change):
    encoder = make(tmp_path / "in", "conformer", "encoder")
    if change == "not finite":
        encoder.frontend.convs[0].bias.data[0] = float("nan")
    load = torch.jit.load

    def broken(path):
        run = load(path)
        if change == "shifted":
            return lambda *inputs: [value + 1e-3 for value in run(*inputs)]
        return run if change == "not finite" else lambda *inputs: [value[:1] for value in run(*inputs)]

    monkeypatch.setattr(torch.jit, "load", broken)
    with pytest.raises(UserError, match=r"a\.pt: not written, because its outputs differ from PyTorch's by"):
        export(encoder, tmp_path / "out" / "a.pt", form="torchscript")
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(("form", "oldest", "have"), [("onnx", "2.13", "2.9.1"), ("torchscript", "2.11", "2.6.0")])
def test_a_torch_that_is_too_old_is_one_line(tmp_path, monkeypatch, form, oldest, have):
    module = make(tmp_path / "encoder", "conformer", "encoder")
    monkeypatch.setattr(torch, "__version__", TorchVersion(f"{have}+cu130"))
    with pytest.raises(UserError) as error:
        export(module, tmp_path / "a.file", form=form)
    wanted = f"--format {form} needs torch {oldest} or newer, and this is {have}+cu130: pip install 'torch>={oldest}'"
    assert str(error.value) == wanted
    assert not (tmp_path / "a.file").exists()


@pytest.mark.pinned_torch
def test_a_kind_that_is_not_exported_is_told_why(tmp_path):
    encoder = make_encoder(small("s4"), LEADS, 500, PreprocessConfig(), 5.0)
    with pytest.raises(UserError, match="^--format torchscript: an encoder of kind s4 is not exported: its Fourier"):
        export(encoder, tmp_path / "a.pt", form="torchscript")
    assert not (tmp_path / "a.pt").exists()


@pytest.mark.parametrize(
    ("link", "name", "expected"),
    [
        (link_of("multiclass"), "probabilities", [0.25, 0.5, 0.25]),
        (link_of("regression", [60.0, 1.0, 0.0], [10.0, 2.0, 1.0]), "predictions", [60.0, 2.3862944, 0.0]),
        (link_of("survival"), "risks", [0.0, 0.6931472, 0.0]),
    ],
)
def test_outputs_of_other_kinds_are_what_they_say(link: Link, name: str, expected: list[float]) -> None:
    config = architecture(kind="conformer", dim=16, **OWN["conformer"])
    encoder = make_encoder(config, LEADS, 500, PreprocessConfig(), 5.0)
    model = ECGModel(encoder, ["a", "b", "c"], "full", link).eval()
    model.head.weight.data.zero_()
    model.head.bias.data.copy_(torch.tensor([0.0, 2.0, 1.0]).clamp(min=1).log())  # logits 0, ln 2, 0
    exported = Exportable(model)
    assert exported.outputs == ["logits", name]
    _, outputs = exported(torch.randn(2, len(LEADS), 500))
    torch.testing.assert_close(outputs, torch.tensor([expected] * 2))


def test_a_file_says_how_its_log_hazard_ratios_are_read() -> None:
    model = ECGModel(
        make_encoder(small("convnet"), LEADS, 500, PreprocessConfig(), 2.0), ["a", "b"], "full", "survival"
    )
    assert "baseline_hazards" not in exporting.describe(model)
    model.baselines = [BaselineHazard((1.0,), (0.1,), 6.0, (1.0,), 1.0, (-1.0, 0.0, 1.0), 0.5), None]
    hazard, nothing = json.loads(json.dumps(exporting.describe(model)["baseline_hazards"]))
    assert (hazard["times"], hazard["hazard"], hazard["until"], hazard["slope"], nothing) == ([1], [0.1], 6, 0.5, None)


def test_a_file_says_the_input_contract_of_its_encoder() -> None:
    input_ = InputConfig(
        leads=["V1", "II"], sampling_rate=500, window_seconds=2, unit="-", window=[{"step": "min_max"}]
    )
    encoder = make_encoder(small("convnet"), input_.leads, 500, PreprocessConfig(), 2.0, input_)
    said = exporting.describe(encoder)
    assert (said["unit"], said["leads"], said["input"]) == ("-", ["V1", "II"], input_.model_dump(mode="json"))
    encoder.input = None
    said = exporting.describe(encoder)
    assert (said["unit"], "input" in said) == ("mV", False)
