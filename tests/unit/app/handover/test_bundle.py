"""A bundle runs where there is nothing but onnxruntime and NumPy, and says there what `ecglfm predict` says."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ecglfm
from ecglfm.app.handover import write_bundle
from ecglfm.app.handover.bundle import _card_of, _licence
from ecglfm.app.handover.contents import BundledModel
from ecglfm.app.handover.running import run_graphs
from ecglfm.app.prediction import Predictor
from ecglfm.cli import main
from ecglfm.config import LEADS, PreprocessConfig, UserError, parse
from ecglfm.models.baseline_hazard import BaselineHazard
from ecglfm.models.bundle import save_model
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from ecglfm.provenance import read_json, write_text
from ecglfm.records import Record
from tests.unit.app.handover.conftest import LABELS, RATE, make_contracted
from tests.unit.architectures import architecture


@pytest.fixture(scope="module")
def unpacked(bundled: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hospital")
    with zipfile.ZipFile(bundled[1]) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Python of an environment that has these two packages and nothing else, not even pip."""
    folder = tmp_path_factory.mktemp("bare") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in ("numpy", "onnxruntime"):
        place = Path(importlib.util.find_spec(name).origin).parent  # type: ignore[union-attr, arg-type]
        for part in (place, place.with_name(f"{name}.libs")):
            if part.is_dir():
                (site / part.name).symlink_to(part)
    assert sorted(path.name.partition(".")[0] for path in site.iterdir() if path.suffix != ".libs") == ["numpy", "onnxruntime"]  # fmt: skip
    return folder / "bin/python"


def run(python: Path, code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([python, "-I", "-c", code], cwd=folder, capture_output=True, text=True, timeout=120)


def beating(rate: float, seconds: float) -> Record:
    t = np.arange(round(seconds * rate)) / rate
    beats = np.exp(-0.5 * (((t % 0.8) - 0.4) / 0.02) ** 2)
    rng = np.random.default_rng(1)
    return Record(beats[:, None] * rng.uniform(0.5, 1.5, 12) + rng.normal(0, 0.02, (len(t), 12)), LEADS, rate)


def test_the_page_runs_with_two_packages_and_says_what_predict_says(
    unpacked: Path, bare: Path, model: Path, tmp_path: Path
):
    page = (unpacked / "README.md").read_text()
    assert len(page.splitlines()) <= 30
    code = page.split("```python\n")[1].split("```")[0]
    record = beating(RATE, 7.5)
    np.save(tmp_path / "own.npy", np.ascontiguousarray(record.signal.T))
    code += f"print(json.dumps(ask(np.load({str(tmp_path / 'own.npy')!r})).tolist()))\n"
    code += "import sys; print([name for name in ('torch', 'scipy', 'ecglfm', 'onnx') if name in sys.modules])\n"
    done = run(bare, code, unpacked)
    assert done.returncode == 0, done.stderr
    *said, own, others = done.stdout.splitlines()
    assert others == "[]"
    predictor = Predictor.load([model])
    (row,) = predictor.answer([predictor.prepare(record)])
    np.testing.assert_allclose(json.loads(own), [row[f"probability.{label}"] for label in LABELS], atol=1e-5)
    expected = read_json(unpacked / "example.json")["outputs"]
    decisions = ["yes" if value >= limit else "no" for value, limit in zip(expected, [0.4, 0.6], strict=True)]
    assert [line.split() for line in said] == [
        [label, f"{round(value, 4)}", decision]
        for label, value, decision in zip(LABELS, expected, decisions, strict=True)
    ]


def test_the_page_of_a_survival_model_says_the_risk_at_a_time_that_predict_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    torch.manual_seed(0)
    shape = architecture(kind="convnet", dim=16, kernel=5, expansion=2, blocks=[1], stem=[8], downsample=5)
    model = ECGModel(make_encoder(shape, list(LEADS), 500, PreprocessConfig(), 2.0), ["HF", "AF"], "full", "survival")
    model.baselines = [BaselineHazard((1.0, 2.5), (0.1, 0.3), 6.0, (1.0, 2.5), 1.0, (-1.0, 0.0, 1.0), 0.5), None]
    save_model(tmp_path / "model", model.eval(), {"task": "later", "fit": "full-s0"})
    write_bundle(tmp_path / "model", tmp_path / "model.zip", rate=RATE)
    with zipfile.ZipFile(tmp_path / "model.zip") as archive:
        archive.extractall(tmp_path / "hospital")
    monkeypatch.chdir(tmp_path / "hospital")
    page: dict[str, Any] = {}
    exec(compile(Path("README.md").read_text().split("```python\n")[1].split("```")[0], "README.md", "exec"), page)
    ratio, other = read_json(Path("example.json"))["outputs"]
    by_hand = {1: 1 - np.exp(-0.1 * np.exp(0.5 * ratio)), 2.5: 1 - np.exp(-0.3 * np.exp(0.5 * ratio))}
    risks = [f"    {time} {round(risk, 4)}" for time, risk in by_hand.items()]
    assert capsys.readouterr().out.splitlines() == [f"HF {round(ratio, 4)}", *risks, f"AF {round(other, 4)}"]
    signal = beating(RATE, 5.5).signal
    (row,) = ecglfm.load_model(tmp_path / "model").predict(Record(signal, LEADS, RATE)).to_dict("records")
    value, of = page["ask"](np.ascontiguousarray(signal.T))[0], page["about"]["model"]["baseline_hazards"][0]
    said = [page["within"](value, time, of) for time in (0.9, 1.7, 6)]
    assert said == pytest.approx([0.0, row["within_1.HF"], row["within_2.5.HF"]], abs=1e-5)
    with pytest.raises(AssertionError, match="nobody was followed for so long"):
        page["within"](value, 6.1, of)


def test_the_page_notices_other_numbers(unpacked: Path, bare: Path):
    code = (unpacked / "README.md").read_text().split("```python\n")[1].split("```")[0]
    done = run(bare, code.replace('example["outputs"]', "[0.1, 0.2]"), unpacked)
    assert "this is not what PyTorch gave" in done.stderr


def test_all_that_a_reader_needs_lies_in_it(unpacked: Path, model: Path):
    names = {path.name for path in unpacked.iterdir()}
    assert names == {"README.md", "LICENSE", "SHA256SUMS", "bundle.json", "card.html", "example.json", "model.onnx", "preprocess.onnx"}  # fmt: skip
    listed = dict(line.split("  ")[::-1] for line in (unpacked / "SHA256SUMS").read_text().splitlines())
    assert listed == {
        name: hashlib.sha256((unpacked / name).read_bytes()).hexdigest() for name in names - {"SHA256SUMS"}
    }
    about = read_json(unpacked / "bundle.json")
    assert about["input"] == {"unit": "mV", "sampling_rate": 500.0, "leads": list(LEADS)}
    assert about["model"] == read_json(model / "model.json")
    assert about["model"]["thresholds"] == [0.4, 0.6]
    assert (unpacked / "card.html").read_text() == "<p>The card.</p>"
    assert "Nobody has said what may be done with the weights" in (unpacked / "LICENSE").read_text()


def test_what_foreign_weights_allow_is_handed_on(tmp_path: Path):
    foreign = {"weights": "pretrain", "continues": {"weights": "import", "imported": {"licence": "CC BY-NC 4.0"}}}
    assert _licence(None, tmp_path, foreign).startswith(
        "Its encoder's weights were made elsewhere; licence: CC BY-NC 4.0.\n"
    )
    assert _licence(None, tmp_path, {"weights": "pretrain"}).startswith("Nobody has said what may be done")


def test_the_test_vector_has_a_gap_and_is_the_pipelines_own(unpacked: Path, model: Path):
    example = read_json(unpacked / "example.json")
    signal = np.array(example["signal"], float)
    assert signal.shape == (12, 5000)
    assert np.isnan(signal).sum(axis=1).tolist() == [0] * 10 + [25, 0]
    predictor = Predictor.load([model])
    prepared = predictor.prepare(Record(signal.T, LEADS, RATE))
    windows = prepared.signal.reshape(5, 500, 3).transpose(0, 2, 1) / 1000
    np.testing.assert_allclose(example["windows"], windows, atol=1e-9)
    (row,) = predictor.answer([prepared])
    np.testing.assert_allclose(example["outputs"], [row[f"probability.{label}"] for label in LABELS], atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "onnx", "--bundle", "b.zip"], "one of the two"),
        ([], "one of the two"),
        (["--format", "onnx"], "needs --output"),
        (["--format", "onnx", "--output", "o", "--rate", "400"], "--rate belongs to --bundle"),
        (["--bundle", "b.zip", "--mask"], "goes with --model"),
        (["--bundle", "b.zip", "--card", "none.html"], "--card none.html: no such file"),
        (["--bundle", "b.zip", "--licence", "none"], "--licence none: no such file"),
        (["--bundle", "b.zip", "--rate", "7"], "--rate 7: outside"),
    ],
)
def test_what_cannot_be_is_one_line(
    model: Path, tmp_path: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["export", "--model", str(model), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("ecglfm export: error: ")
    assert message in error
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_graphs_that_give_other_numbers_are_not_left(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from ecglfm.app.handover import bundle, preprocessing

    def export(_: object, path: Path, *, form: str) -> None:
        with zipfile.ZipFile(model.parents[4] / "model.zip") as archive:
            path.write_bytes(archive.read("model.onnx"))

    monkeypatch.setattr("ecglfm.models.export.export", export)  # the one that takes seconds
    filters = preprocessing._filters
    monkeypatch.setattr(preprocessing, "_filters", lambda config: filters(config)[:1])  # without the notch
    with pytest.raises(UserError, match="the graphs differ from the Python pipeline on the test vector: windows by"):
        write_bundle(model, tmp_path / "b.zip", rate=RATE)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    monkeypatch.setattr("ecglfm.models.export.export", export)
    made = bundle.write_bundle(model, tmp_path / "b.zip", rate=RATE)
    assert made.lacking == {"a licence": "--licence"}
    assert (tmp_path / "b.zip").read_bytes() == (model.parents[4] / "model.zip").read_bytes()


def test_an_input_contract_is_part_of_the_graph(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, path = make_contracted(tmp_path / "model"), tmp_path / "b.zip"
    assert main(["export", "--model", str(model), "--bundle", str(path)]) == 0
    assert "12 leads in mV at 500 Hz" in capsys.readouterr().out
    assert main(["verify-bundle", str(path)]) == 0
    assert re.search(r"on the test vector: windows \d\.\de-0[5-9] units, outputs", capsys.readouterr().out)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    about, record = read_json(tmp_path / "bundle.json"), beating(RATE, 7.3)
    windows, said = run_graphs(
        tmp_path, np.ascontiguousarray(record.signal.T), parse(BundledModel, about["model"], "b")
    )
    assert windows.shape == (3, 3, 200)
    np.testing.assert_allclose(windows, ecglfm.preprocess(record, ecglfm.load_model(model)).numpy(), atol=1e-5)
    predictor = Predictor.load([model])
    (row,) = predictor.answer([predictor.prepare(record)])
    np.testing.assert_allclose(said, [row[f"probability.{label}"] for label in LABELS], atol=1e-5)
    # One hundredth of the largest number, which is less than a lead's height and more than a microvolt.
    largest = np.abs(np.array(read_json(tmp_path / "example.json")["windows"])).max()
    assert about["tolerance"] == {"windows": pytest.approx(largest / 100), "unit": "units", "outputs": 1e-4}


def test_the_card_is_that_of_the_evaluation_or_the_copy_beside_the_model(tmp_path: Path):
    model = tmp_path / "results/finetune/tiny/af/full-s0"
    evaluated = tmp_path / "results/evaluate/tiny/af/full-s0/card.html"
    assert _card_of(model) is None
    write_text(model / "card.html", "the copy")
    assert _card_of(model) == model / "card.html"
    write_text(evaluated, "the card")
    assert _card_of(model) == evaluated
    given_away = tmp_path / "full-s0"
    shutil.copytree(model, given_away)
    assert _card_of(given_away) == given_away / "card.html"
