"""Labels asked for in words: planted ones are found, exchanged words find nothing, and the model needs no text encoder."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from ecglfm import load_model
from ecglfm.config import LEADS as TWELVE
from ecglfm.config import EncoderSlice, PreprocessConfig, PromptsSlice, UserError
from ecglfm.data.samples import Signals
from ecglfm.models.bundle import load_encoder
from ecglfm.models.encoders import make_encoder as make_encoder_of
from ecglfm.models.heads import ECGModel
from ecglfm.models.outputs import link_of
from ecglfm.models.text.encoders import HashedText
from ecglfm.provenance import read_json
from ecglfm.training.finetuning.finetune import run_finetune
from ecglfm.training.finetuning.zero_shot import answer_by_words, offsets
from ecglfm.training.inference import predict
from ecglfm.training.pretraining import run_pretrain
from tests.unit.architectures import small
from tests.unit.bert import write_bert
from tests.unit.training.finetuning.test_finetune import LEADS, RATE, TASK, make_data, make_encoder, slice_of

PROMPTS = {
    "fast": ["fast rhythm; high voltage", "fast rhythm; normal voltage"],
    "big": ["fast rhythm; high voltage", "slow rhythm; high voltage"],
}


@pytest.fixture(scope="module")
def aligned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the built-in text encoder."""
    return align(make_data(tmp_path_factory.mktemp("aligned")))


def align(folder: Path, text_encoder: Path | None = None) -> Path:
    """`make_data` with reports by its labels, and an encoder that was aligned with them; no report of test is true."""
    records = pd.read_parquet(folder / "records.parquet").assign(lead_mask=0xFFF)
    labels = pd.read_parquet(folder / "labels.parquet")
    (folder / "manifest").mkdir()
    shutil.move(folder / "records.parquet", folder / "manifest")
    records.to_parquet(folder / "manifest" / "records.parquet")
    said = [
        f"{'Fast' if fast else 'Slow'} rhythm; {'high' if big else 'normal'} voltage"
        for fast, big in zip(labels["label.fast"], labels["label.big"], strict=True)
    ]
    wrong = [text.replace("Slow", "Fast") for text in said]
    texts = np.where(records["split"] == "test", wrong, said)
    (folder / "index").mkdir()
    pd.DataFrame({"record_id": records["record_id"], "report": texts}).to_parquet(folder / "index" / "s.parquet")
    model = {"layers": 1, "dim": 16, "ffn_dim": 32, "heads": 2, "kernel": 7, "conv_channels": 16, "dropout": 0.0}
    pretrain = {
        "steps": 120, "batch_size": 16, "crop_seconds": 2.5, "lr": 3e-3, "log_every": 80, "validate_every": 80,
        "lead_mask_probability": 0.0, "objective": {"kind": "report_alignment", "dim": 8, "text_encoder": text_encoder and str(text_encoder)},
    }  # fmt: skip
    content = {"encoder": "aligned", "config": {"model": model, "pretrain": pretrain},
               "preprocess": {"sampling_rate": RATE, "leads": LEADS}}  # fmt: skip
    run_pretrain(
        EncoderSlice.model_validate(content), manifest=folder / "manifest" / "records.parquet",
        signals=folder / "preprocess", output=folder / "encoder", threads=1,
    )  # fmt: skip
    return folder


def fit(
    data: Path, output: Path, prompts: dict[str, list[str]] | None = None, encoder: Path | None = None,
    **config: object,
) -> ECGModel:  # fmt: skip
    path = None
    if prompts is not None:
        path = output.with_suffix(".yaml")
        path.write_text(yaml.safe_dump({"task": "planted", "prompts": prompts}))
    return run_finetune(
        slice_of(**config), fit="zero_shot-s0", encoder=encoder or data / "encoder", task=TASK,
        labels=data / "labels.parquet", manifest=data / "manifest" / "records.parquet", signals=data / "preprocess",
        output=output, prompts=path,
    )  # fmt: skip


def outputs_of(model: ECGModel, data: Path, *splits: str) -> tuple[np.ndarray, np.ndarray]:
    """Labels and outputs of the records of some splits."""
    records = pd.read_parquet(data / "manifest" / "records.parquet")
    rows = np.flatnonzero(records["split"].isin(splits))
    signals = Signals(records, data / "preprocess")
    windows = signals.windows(model.encoder.crop_samples)
    labels = pd.read_parquet(data / "labels.parquet")[["label.fast", "label.big"]].to_numpy()
    return labels[rows], predict(model, signals, windows[windows["row"].isin(rows)])


def aurocs(model: ECGModel, data: Path, *splits: str) -> list[float]:
    """Of each label, on the test records unless other splits are named."""
    target, outputs = outputs_of(model, data, *(splits or ("test",)))
    return [roc_auc_score(y, p) for y, p in zip(target.T, outputs.T, strict=True)]


def test_planted_labels_are_found_by_their_words_and_not_by_each_others(aligned: Path, tmp_path: Path) -> None:
    """Though no label was learnt from. Of all records the two labels agree in 55 %, so the other's words find as many."""
    model = fit(aligned, tmp_path / "out", PROMPTS)
    assert min(aurocs(model, aligned)) > 0.95
    exchanged = fit(aligned, tmp_path / "exchanged", {"fast": PROMPTS["big"], "big": PROMPTS["fast"]})
    assert np.mean(aurocs(exchanged, aligned, "train", "valid", "test")) < 0.7
    opposite = fit(aligned, tmp_path / "opposite", {"fast": ["slow rhythm"], "big": ["normal voltage"]})
    assert max(aurocs(opposite, aligned)) < 0.05


@pytest.mark.pinned_torch
def test_a_text_encoder_of_hugging_faces_finds_them_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder on this machine, with its own tokenizer and code, from the reports to the prompts; then it may go."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "bert").mkdir()
    bert = write_bert(tmp_path / "bert", ["fast", "slow", "rhythm", "high", "normal", "voltage", ";"])
    data = align(make_data(tmp_path / "data"), bert)
    (vectors,) = (data / "encoder" / "reports").iterdir()
    assert np.load(vectors).shape == (4, 16)  # two labels, said or not, in the width of that encoder
    model = fit(data, tmp_path / "out", PROMPTS)
    assert min(aurocs(model, data)) > 0.95
    shutil.rmtree(bert)
    assert min(aurocs(load_model(tmp_path / "out"), data)) > 0.95


def test_logits_are_cosines_beyond_those_of_the_reports_on_average(aligned: Path, tmp_path: Path) -> None:
    """As by the file beside the encoder, text after text, in the direction that the projections give."""
    model = fit(aligned, tmp_path / "out", PROMPTS, outlier_share=None, calibration="none")
    assert not model.head.bias.any()
    encoder = load_encoder(aligned / "encoder")
    state = load_file(aligned / "encoder" / "alignment.safetensors")
    x = torch.randn(4, 3, 250, generator=torch.Generator().manual_seed(0))

    def unit(vectors: np.ndarray) -> np.ndarray:
        return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)

    with torch.no_grad():
        ecg = unit(encoder.embed(x).double().numpy() @ state["ecg.weight"].double().numpy().T)
    records = pd.read_parquet(aligned / "manifest" / "records.parquet")
    said = pd.read_parquet(aligned / "index" / "s.parquet")["report"][records["split"] == "train"]

    def texts(sentences: list[str]) -> np.ndarray:
        return unit(HashedText().encode(sentences) @ state["text.weight"].numpy().T)

    usual, scale = ecg @ texts(list(said)).mean(0), np.exp(state["log_scale"].item())
    expected = np.stack([ecg @ unit(texts(PROMPTS[name]).mean(0)) - usual for name in ("fast", "big")], 1) * scale
    with torch.no_grad():
        np.testing.assert_allclose(model(x).numpy(), expected, atol=2e-5)


def test_the_model_needs_nothing_but_its_own_files(
    aligned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = fit(aligned, tmp_path / "out", PROMPTS)
    monkeypatch.setattr(HashedText, "encode", None)
    again = load_model(shutil.copytree(tmp_path / "out", tmp_path / "elsewhere"))
    assert (again.mode, again.thresholds) == ("zero_shot", model.thresholds)
    assert np.array_equal(outputs_of(again, aligned, "test")[1], outputs_of(model, aligned, "test")[1])
    info = read_json(tmp_path / "out" / "model.json")
    assert info["prompts"] == PROMPTS
    assert (info["training"]["train_records"], info["training"]["valid_records"]) == (0, 32)
    assert info["training"]["thresholds"].keys() == {"fast", "big"}
    assert info["temperature"][0] > 0
    course = pd.read_csv(tmp_path / "out" / "history.csv")
    assert course[["epoch", "split"]].to_numpy().tolist() == [[0, "valid"]]
    assert course["auroc"].item() > 0.95


def test_offsets_are_those_of_a_logistic_regression() -> None:
    """By scikit-learn on the smoothed targets, which it takes as weights of both classes; unknown labels have no part."""
    rng = np.random.default_rng(0)
    logits = rng.normal(3, 1, (200, 1))
    target = (rng.random((200, 1)) < 1 / (1 + np.exp(4 - 0.5 * logits))).astype(float)
    n = target.sum(), (1 - target).sum()
    likely = np.where(target == 1, (n[0] + 1) / (n[0] + 2), 1 / (n[1] + 2))[:, 0]
    x, y, weight = np.tile(logits, (2, 1)), np.repeat([1, 0], 200), np.concatenate([likely, 1 - likely])
    known = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, y, sample_weight=weight)
    expected = known.intercept_ / known.coef_[0]
    assert offsets(target, logits) == pytest.approx(expected, rel=1e-3)
    more = np.vstack([target, [[np.nan]] * 50]), np.vstack([logits, rng.normal(9, 1, (50, 1))])
    assert offsets(*more) == pytest.approx(expected, rel=1e-3)
    together = offsets(np.hstack([target, np.full((200, 1), np.nan)]), np.hstack([logits, logits]))
    assert together == pytest.approx([*expected, 0.0], rel=1e-3)
    assert np.isfinite(offsets(np.zeros((20, 1)), logits[:20])).all()


def test_probabilities_are_as_frequent_as_the_labels_and_their_order_stays(aligned: Path, tmp_path: Path) -> None:
    """Whatever the words: here of a label whose sentences lie near to every report."""
    words = PROMPTS | {"big": ["rhythm; high voltage"]}
    plain, model = (fit(aligned, tmp_path / how, words, calibration=how) for how in ("none", "temperature"))
    target, outputs = outputs_of(model, aligned, "valid")
    assert np.abs(model.calibrated(outputs).mean(0) - target.mean(0)).max() < 0.1
    x = torch.randn(6, 3, 250, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(x) - model.head.bias, plain(x))


def test_a_label_without_prompts_is_asked_for_by_its_name(aligned: Path, tmp_path: Path) -> None:
    named, asked = (
        fit(aligned, tmp_path / "named"),
        fit(aligned, tmp_path / "asked", {"fast": ["fast"], "big": ["big"]}),
    )
    assert torch.equal(named.head.weight, asked.head.weight)
    assert aurocs(named, aligned)[0] > 0.95  # the word stands in the reports; the other label's does not


def test_what_cannot_answer_is_refused(aligned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        UserError, match=r"was not aligned with text: pretrain it with `pretrain\.objective: \{kind: rep"
    ):
        fit(aligned, tmp_path / "out", PROMPTS, make_encoder(tmp_path / "other"))
    with pytest.raises(UserError, match="prompts of task planted: label 'big' has none"):
        fit(aligned, tmp_path / "out", {"fast": ["fast"]})
    monkeypatch.setattr(HashedText, "identity", "hashed-2")
    with pytest.raises(UserError, match="the built-in text encoder: is not what .*encoder was aligned with"):
        fit(aligned, tmp_path / "out", PROMPTS)


def test_a_task_without_classes_is_refused() -> None:
    encoder = make_encoder_of(small("conformer"), TWELVE, 500, PreprocessConfig(), 5.0)
    model = ECGModel(encoder, ["age"], "zero_shot", link_of("regression", [0.0], [1.0]))
    said = PromptsSlice(task="age", prompts={"age": ["old"]})
    with pytest.raises(UserError, match="a task of kind regression has no classes"):
        answer_by_words(model, None, Path(), said, None, calibrated=True)


def test_an_imported_encoder_brings_its_words_along(aligned: Path, tmp_path: Path) -> None:
    content = {
        "encoder": "brought", "preprocess": {"sampling_rate": RATE, "leads": LEADS},
        "config": {
            "model": load_encoder(aligned / "encoder").config.model_dump(), "weights": "import",
            "path": str(aligned / "encoder"),
        },
    }  # fmt: skip
    slice_ = EncoderSlice.model_validate(content)
    run_pretrain(slice_, manifest=Path(), signals=Path(), output=tmp_path / "encoder")
    one, other = (fit(aligned, tmp_path / name, PROMPTS, encoder) for name, encoder in
                  (("one", None), ("other", tmp_path / "encoder")))  # fmt: skip
    assert torch.equal(one.head.weight, other.head.weight)
