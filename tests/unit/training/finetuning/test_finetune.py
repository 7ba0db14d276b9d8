"""Fine-tuning on planted truth: it is learnt, it is repeatable, and the test split cannot touch it."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ecglfm import distributed, load_model
from ecglfm.config import FinetuneConfig, FinetuneSlice, PreprocessConfig, TaskSlice, UserError
from ecglfm.config.fits import Fit
from ecglfm.data.samples.dataset import Signals
from ecglfm.models.bundle import load_encoder, save_encoder
from ecglfm.models.calibration import fit_calibration
from ecglfm.models.encoders import kinds
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.models.outputs import link_of
from ecglfm.models.seen import FILE, fingerprints, read_seen
from ecglfm.models.settings import finetuning_of
from ecglfm.provenance import read_json, write_json
from ecglfm.training.checkpoints.pieces import Piece
from ecglfm.training.checkpoints.saver import Saver
from ecglfm.training.finetuning import supervised
from ecglfm.training.finetuning.batches import Batch, EpochBatches
from ecglfm.training.finetuning.criterion import make_criterion
from ecglfm.training.finetuning.finetune import run_finetune
from ecglfm.training.finetuning.history import EarlyStopping
from ecglfm.training.finetuning.labelled import Labelled, load_labelled
from ecglfm.training.finetuning.scores import macro_auroc
from ecglfm.training.finetuning.supervised import Learner, train
from ecglfm.training.inference import predict, predict_described
from tests.unit.architectures import architecture, small
from tests.unit.hashes import hashes
from tests.unit.shard_leads import name_leads

LEADS = ["I", "II", "V1"]
RATE, LENGTH = 100, 1000  # 10 s
COUNTS = {"train": 96, "valid": 32, "test": 32}
WHOLE = Fit("full", 0)
TASK = TaskSlice.model_validate(
    {
        "task": "planted",
        "config": {"kind": "multilabel", "sources": ["s"], "labels": {"fast": {"s": {"scp": ["X"]}}, "big": {"s": {"scp": ["Y"]}}}},
        "kinds": {"s": "ptbxl"},
    }
)  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def make_data(folder: Path, seed: int = 0) -> Path:
    """160 records: label `fast` is 20 Hz instead of 4 Hz in lead I, label `big` a large lead V1."""
    rng = np.random.default_rng(seed)
    split = np.repeat(list(COUNTS), list(COUNTS.values()))
    n = len(split)
    fast, big = rng.permuted(np.arange(n) % 2), rng.permuted(np.arange(n) % 2)
    time = np.arange(LENGTH) / RATE
    phase = rng.random((3, n, 1)) * 2 * np.pi
    lead_1 = np.sin(2 * np.pi * np.where(fast, 20, 4)[:, None] * time + phase[0])
    lead_2 = np.sin(2 * np.pi * 2 * time + phase[1])
    lead_3 = np.where(big, 1.5, 0.5)[:, None] * np.sin(2 * np.pi * 3 * time + phase[2])
    samples = np.stack([lead_1, lead_2, lead_3], axis=2) + rng.normal(0, 0.1, (n, LENGTH, 3))
    (folder / "preprocess" / "s").mkdir(parents=True)
    samples = np.rint(samples * 1000).astype(np.int16)
    np.save(folder / "preprocess" / "s" / "000.npy", samples.reshape(-1, 3))
    records = pd.DataFrame(
        {
            "record_id": [f"s/{i:03d}" for i in range(n)], "source": "s", "patient_id": [f"s/{i:03d}" for i in range(n)],
            "split": split, "sampling_rate": RATE, "n_samples": LENGTH, "shard": 0, "offset": np.arange(n) * LENGTH,
            "sha256": hashes(samples),
        }
    )  # fmt: skip
    labels = records[["record_id", "patient_id", "source", "split"]].assign(
        **{"label.fast": fast.astype(np.float32), "label.big": big.astype(np.float32)}
    )
    records.to_parquet(folder / "records.parquet")
    labels.to_parquet(folder / "labels.parquet")
    return folder


def make_encoder(folder: Path, rate: int = RATE) -> Path:
    torch.manual_seed(0)
    model = architecture(layers=1, dim=16, ffn_dim=32, heads=2, kernel=7, conv_channels=16, dropout=0.1)
    encoder = ECGEncoder(model, LEADS, rate, PreprocessConfig(sampling_rate=rate, leads=LEADS), 2.5)
    save_encoder(folder, encoder, {"name": "tiny"})
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = make_data(tmp_path_factory.mktemp("finetune"))
    make_encoder(folder / "encoder")
    return folder


def fit(
    data: Path, output: Path, name: str = "full-s0", encoder: Path | None = None, vectors: Path | None = None,
    stop=None, **config,
):  # fmt: skip
    return run_finetune(
        slice_of(**config), fit=name, encoder=encoder or data / "encoder", task=TASK, labels=data / "labels.parquet",
        manifest=data / "records.parquet", signals=data / "preprocess", output=output, vectors=vectors, stop=stop,
    )  # fmt: skip


def slice_of(**config) -> FinetuneSlice:
    config = {
        "epochs": 2,
        "lr": 3e-3,
        "head_lr": 1e-2,
        "batch_size": 16,
        "patience": 4,
        "freeze_frontend": False,
    } | config
    return FinetuneSlice(finetune=FinetuneConfig(**config))


@pytest.mark.parametrize(
    ("losses", "patience", "best", "last"),
    [
        ([1.0, 0.9, 0.95, 0.91, 0.92, 0.1], 3, 2, 5),  # the 0.1 comes too late
        ([1.0, 0.9, 0.95, 0.8, 0.85, 0.81], 3, 4, 6),
        ([0.5, 0.5, 0.5], 1, 1, 2),  # as good is not better
    ],
)
def test_early_stopping_by_hand(losses: list[float], patience: int, best: int, last: int) -> None:
    stopping = EarlyStopping(patience)
    for epoch, loss in enumerate(losses, 1):
        stopping.improves(epoch, loss)
        if stopping.is_over(epoch):
            break
    assert (stopping.epoch, epoch) == (best, last)


def test_training_stops_at_the_known_epoch_and_keeps_its_weights() -> None:
    """Validation says that the third epoch is best; a running mean of ones is 1 - 0.9^3 by then."""
    distributed.init(1)
    module = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1))
    said = iter([0.6, 0.7, 0.9, 0.8, 0.85])
    seen = []

    def validate(_: object) -> np.ndarray:
        seen.append(module[1].bias.item())
        return np.full((4, 1), next(said), np.float32)

    batch = Batch((torch.ones(2, 1),), torch.ones(2, 1))
    config = FinetuneConfig(epochs=50, patience=2, lr=0.1, batch_size=2)
    criterion = make_criterion(config, link_of("binary"), np.ones((4, 1)))
    learner = Learner(module, lambda *_: iter([batch]), validate, 1)
    history = train(learner, config, criterion, seed=0, target=np.ones((4, 1)))
    assert [row["epoch"] for row in history.rows if row["split"] == "valid"] == [1, 2, 3, 4, 5]
    assert history.best.epoch == 3
    assert history.best.value == pytest.approx(-np.log(0.9), rel=1e-6)
    assert history.weights["1.bias"].item() == seen[2] != seen[4]
    assert history.weights["0.running_mean"].item() == pytest.approx(1 - 0.9**3)


class Applied:
    """What the optimizer gets in each update: the rates of its groups, and the norm of all gradients."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rates: list[list[float]] = []
        self.norms: list[float] = []
        initialize = supervised.initialize

        def watched(*args):
            engine = initialize(*args)
            optimizer, step = engine.basic_optimizer, engine.basic_optimizer.step

            def noted() -> None:
                self.rates.append([group["lr"] for group in optimizer.param_groups])
                gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
                self.norms.append(float(torch.stack([gradient.norm() for gradient in gradients]).norm()))
                step()

            optimizer.step = noted
            return engine

        monkeypatch.setattr(supervised, "initialize", watched)


@pytest.mark.parametrize("mode", ["full", "frozen", "lora", "linear"])
def test_a_share_has_the_updates_and_rates_of_all_patients(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """10 of 96 records, in batches of 16: 6 updates an epoch, of 4 windows each 24; in passes of its own it would be 1 or 3."""
    schedule = {"kind": "cosine", "warmup": 0.25, "final": 0.0}
    applied = Applied(monkeypatch)
    fit(data, tmp_path / "whole", f"{mode}-s0", schedule=schedule)
    rates, applied.rates = applied.rates, []
    fit(data, tmp_path / "share", f"{mode}-s0-10pct", schedule=schedule)
    assert len(rates) == (48 if mode == "linear" else 12)
    assert applied.rates == rates
    training = [read_json(tmp_path / name / "model.json")["training"] for name in ("whole", "share")]
    assert [(one["epochs"], one["train_records"]) for one in training] == [(2, 96), (2, 10)]
    assert [one.get("records_per_epoch") for one in training] == [None, 96]
    assert pd.read_csv(tmp_path / "share/history.csv")["epoch"].tolist() == [1, 1, 2, 2]


def test_schedule_moves_the_rates_of_all_groups_over_all_epochs(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied = Applied(monkeypatch)
    schedule = {"kind": "cosine", "warmup": 0.25, "final": 0.0}
    fit(data, tmp_path, epochs=4, accumulate=3, lr=1e-3, head_lr=1e-2, schedule=schedule)
    # 6 batches of 16 records, 3 an update: 8 updates; 2 of warm-up, 6 of half a cosine
    shares = [0.5, *(0.5 * (1 + np.cos(np.pi * done / 6)) for done in range(7))]
    np.testing.assert_allclose(applied.rates, [[1e-3 * share, 1e-2 * share] for share in shares], atol=1e-12)
    valid = pd.read_csv(tmp_path / "history.csv").query("split == 'valid'")
    np.testing.assert_allclose(valid["lr"], [1e-3 * share for share in shares[1::2]], atol=1e-12)
    np.testing.assert_allclose(valid["head_lr"], [1e-2 * share for share in shares[1::2]], atol=1e-12)


def test_gradients_are_clipped_to_the_norm(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    applied = Applied(monkeypatch)
    fit(data, tmp_path / "free", epochs=1)
    free = list(applied.norms)
    del applied.norms[:]
    fit(data, tmp_path / "clipped", epochs=1, clip_norm=0.01)
    assert min(free) > 0.02
    assert applied.norms == pytest.approx([0.01] * 6, rel=1e-4)


def test_lower_layers_move_less(data: Path, tmp_path: Path) -> None:
    """Adam's first step is the learning rate, whatever the gradient."""
    model = fit(data, tmp_path, epochs=1, accumulate=6, lr=1e-3, layer_decay=0.01)
    before, after = load_file(data / "encoder" / "encoder.safetensors"), model.encoder.state_dict()
    moved = {name: float((after[name] - value).abs().max()) for name, value in before.items()}
    assert moved["conformer.layers.0.ffn1.w_1.weight"] == pytest.approx(1e-3, rel=1e-3)
    assert moved["frontend.convs.1.weight"] == pytest.approx(1e-5, rel=0.02)  # rounded to the grid around the weight


@pytest.mark.parametrize("where", ["train", "valid"])
def test_training_stops_on_a_loss_that_is_not_finite(where: str) -> None:
    distributed.init(1)
    module = nn.Linear(1, 1)
    before = module.weight.item()
    batch = Batch((torch.full((2, 1), np.inf if where == "train" else 1.0),), torch.ones(2, 1))
    learner = Learner(module, lambda *_: iter([batch]), lambda _: np.full((4, 1), np.nan, np.float32), 1)
    word = {"train": "training", "valid": "validation"}[where]
    config = FinetuneConfig(batch_size=2)
    criterion = make_criterion(config, link_of("binary"), np.ones((4, 1)))
    with pytest.raises(UserError, match=rf"{word} loss is (nan|inf) in epoch 1"):
        train(learner, config, criterion, seed=0, target=np.ones((4, 1)))
    if where == "train":
        assert module.weight.item() == before  # before the update


def test_the_test_split_is_never_loaded(data: Path) -> None:
    labelled = load_labelled(
        data / "labels.parquet", data / "records.parquet", data / "preprocess", "multilabel", WHOLE
    )
    assert (len(labelled.train), len(labelled.valid), len(labelled.records)) == (96, 32, 128)
    assert set(labelled.records["split"]) == {"train", "valid"}
    assert labelled.label_names == ["fast", "big"]


def dealt(data: Path, folder: Path) -> Path:
    """The same records, the first 100 in four folds of 25, the others in train, valid and test as they were."""
    for name in ("records", "labels"):
        table = pd.read_parquet(data / f"{name}.parquet")
        fold = pd.array([i % 4 if i < 100 else None for i in range(len(table))], dtype="Int8")
        whole = pa.Table.from_pandas(table.assign(fold=fold, split=table["split"].where(fold.isna(), "test")))
        pq.write_table(
            whole.replace_schema_metadata(whole.schema.metadata | {b"folds": b'{"s": 4}'}), folder / f"{name}.parquet"
        )
    return folder


@pytest.mark.parametrize("fold", range(4))
def test_a_fit_of_a_fold_chooses_by_the_next_and_learns_from_the_others(data: Path, tmp_path: Path, fold: int) -> None:
    folder = dealt(data, tmp_path)
    paths = folder / "labels.parquet", folder / "records.parquet", data / "preprocess"
    found = load_labelled(*paths, "multilabel", Fit("full", 0, 1.0, fold, 4))
    number = found.records["record_id"].str.removeprefix("s/").astype(int)
    own = [i for i in range(100) if i % 4 == fold]
    assert not set(own) & set(number)
    assert set(number.iloc[found.valid]) == {i for i in range(100) if i % 4 == (fold + 1) % 4} | set(range(100, 128))
    assert set(number.iloc[found.train]) == {i for i in range(100) if i % 4 not in (fold, (fold + 1) % 4)}
    assert "fold" not in found.records


def test_a_fit_of_a_fold_is_of_a_cross_validated_task_and_of_as_many_folds(data: Path, tmp_path: Path) -> None:
    folder, kind = dealt(data, tmp_path), "multilabel"
    paths = folder / "labels.parquet", folder / "records.parquet", data / "preprocess"
    with pytest.raises(UserError, match=r"--fit full-s0: the records of .* are in 4 folds; .* is like full-s0-f0of4"):
        load_labelled(*paths, kind, WHOLE)
    with pytest.raises(UserError, match=r"--fit full-s0-f0of5: the records of .* are in 4 folds"):
        load_labelled(*paths, kind, Fit("full", 0, 1.0, 0, 5))
    with pytest.raises(UserError, match=r"--fit full-s0-f0of4: .* are not cross-validated; .* is like full-s0$"):
        load_labelled(
            data / "labels.parquet", data / "records.parquet", data / "preprocess", kind, Fit("full", 0, 1.0, 0, 4)
        )


def test_an_epoch_is_every_training_record_once_with_a_crop_inside(data: Path) -> None:
    labelled = load_labelled(
        data / "labels.parquet", data / "records.parquet", data / "preprocess", "multilabel", WHOLE
    )
    common = {"length": 250, "batch_size": 20, "seed": 3}
    first = EpochBatches(labelled, epoch=1, **common)
    assert [len(batch.target) for batch in first] == [20, 20, 20, 20, 16]
    assert sorted(first.rows) == sorted(labelled.train)
    assert first.starts.min() >= 0
    assert first.starts.max() <= LENGTH - 250
    again, second = EpochBatches(labelled, epoch=1, **common), EpochBatches(labelled, epoch=2, **common)
    assert torch.equal(first[2].inputs[0], again[2].inputs[0])
    assert not np.array_equal(first.rows, second.rows)
    parts = [EpochBatches(labelled, epoch=1, rank=rank, world_size=5, **common) for rank in range(5)]
    assert [len(part.rows) for part in parts] == [20] * 5  # 96 records and 4 of them again
    assert set(np.concatenate([part.rows for part in parts])) == set(labelled.train)
    row, start = first.rows[0], first.starts[0]
    stored = np.load(data / "preprocess" / "s" / "000.npy")[row * LENGTH + start :][:250]
    np.testing.assert_allclose(first[0].inputs[0][0].numpy(), stored.T / 1000, rtol=1e-6)


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora"])
def test_planted_truth_is_learnt(data: Path, tmp_path: Path, mode: str) -> None:
    epochs = {"full": 8, "frozen": 25, "linear": 30, "lora": 15}[mode]
    model = fit(data, tmp_path, f"{mode}-s1", epochs=epochs, patience=epochs, head_lr=0.1)
    records = pd.read_parquet(data / "records.parquet")
    test = records[records["split"] == "test"].reset_index(drop=True)
    labels = pd.read_parquet(data / "labels.parquet").query("split == 'test'")[["label.fast", "label.big"]].to_numpy()
    loaded = load_model(tmp_path)
    probability = predict(loaded, Signals(test, data / "preprocess"))
    assert macro_auroc(labels, probability) > 0.95
    _, numbers = predict_described(loaded, Signals(test, data / "preprocess"))
    unlike = [bool(why) for why in loaded.reference.reasons(numbers, [set()] * len(test))]
    assert np.mean(unlike) < 0.2
    assert all(loaded.reference.reasons(10 * numbers, [set()] * len(test)))
    assert loaded.reference.share == 0.03
    assert loaded.label_names == ["fast", "big"]
    assert loaded.thresholds == model.thresholds
    chosen_by = records[records["split"] == "valid"].reset_index(drop=True)
    truth = pd.read_parquet(data / "labels.parquet").query("split == 'valid'")[["label.fast", "label.big"]].to_numpy()
    said = predict(loaded, Signals(chosen_by, data / "preprocess"))
    wanted = fit_calibration(truth, said, "temperature", exclusive=False).temperatures
    np.testing.assert_allclose(loaded.calibration.temperatures, wanted, rtol=1e-4)
    for label, threshold in enumerate(loaded.thresholds):  # of calibrated probabilities: none lies close to it
        assert np.abs(loaded.calibrated(said)[:, label] - threshold).min() > 1e-6
    history = pd.read_csv(tmp_path / "history.csv")
    assert list(history.columns) == ["epoch", "split", "loss", "auroc", "lr", "head_lr"]
    assert len(history) == 2 * epochs
    content = json.loads((tmp_path / "model.json").read_text())
    told = finetuning_of(content, tmp_path)
    assert (told.epochs, told.head_lr, told.batch_size) == (epochs, 0.1, 16)
    assert content["training"]["valid_patients"] == COUNTS["valid"]
    for name, value in zip(model.label_names, model.thresholds, strict=True):
        choice = content["training"]["thresholds"][name]
        has = int(pd.read_parquet(data / "labels.parquet").query("split == 'valid'")[f"label.{name}"].sum())
        assert (choice["value"], choice["positives"]) == (value, has)
        assert choice["rule"] == ("smoothed" if has < 20 else "sweep")
        assert choice["ci_low"] <= value <= choice["ci_high"]
    assert (content["task"], content["mode"], content["seed"], content["kind"]) == ("planted", mode, 1, "multilabel")
    assert content["encoder"]["name"] == "tiny"
    assert content["training"]["train_records"] == 96
    valid = history.query("split == 'valid'")
    assert content["training"]["best_epoch"] == valid.loc[valid["loss"].idxmin(), "epoch"]
    encoder, fitted = load_file(data / "encoder" / "encoder.safetensors"), load_file(tmp_path / "model.safetensors")
    same = all(torch.equal(value, fitted[f"encoder.{name}"]) for name, value in encoder.items())
    assert same == (mode in {"frozen", "linear"})


def test_same_seed_gives_the_same_bytes_whatever_the_loaders(data: Path, tmp_path: Path) -> None:
    names = {"a": ("full-s0", 0), "b": ("full-s0", 2), "c": ("full-s1", 0)}
    for folder, (name, workers) in names.items():
        fit(data, tmp_path / folder, name, num_workers=workers)
    files = [
        [(tmp_path / f / n).read_bytes() for n in ("model.safetensors", "model.json", "history.csv", FILE)]
        for f in names
    ]
    assert files[0] == files[1]
    records = pd.read_parquet(data / "records.parquet")
    expected = fingerprints(records.loc[records["split"] != "test", "sha256"])
    of, found = read_seen(tmp_path / "a")["finetuning"]
    assert (of, found.tolist()) == (load_model(tmp_path / "a").info["data_hash"], expected.tolist())
    assert files[0][0] != files[2][0]


@pytest.mark.parametrize("mode", ["full", "linear"])
def test_test_records_cannot_change_the_model(data: Path, tmp_path: Path, mode: str) -> None:
    fit(data, tmp_path / "a", f"{mode}-s0")
    other = make_data(tmp_path / "data")
    path = other / "preprocess" / "s" / "000.npy"
    samples = np.load(path)
    samples[-COUNTS["test"] * LENGTH :] = np.random.default_rng(9).integers(-30000, 30000, (COUNTS["test"] * LENGTH, 3))
    np.save(path, samples)
    labels = pd.read_parquet(other / "labels.parquet")
    labels.loc[labels["split"] == "test", ["label.fast", "label.big"]] = np.float32(1)
    labels.to_parquet(other / "labels.parquet")
    fit(other, tmp_path / "b", f"{mode}-s0", encoder=data / "encoder")
    for name in ("model.safetensors", "model.json", "history.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("mode", ["full", "frozen", "linear"])
def test_a_random_front_end_learns_in_mode_full(data: Path, tmp_path: Path, mode: str) -> None:
    assert read_json(data / "encoder/encoder.json")["weights"] == "random"
    fit(data, tmp_path, f"{mode}-s0", freeze_frontend=True, epochs=1)
    before, after = load_file(data / "encoder" / "encoder.safetensors"), load_file(tmp_path / "model.safetensors")
    kernels = [name for name in before if name.startswith("frontend.convs") and name.endswith("weight")]
    assert len(kernels) == 4
    for name in kernels:
        assert torch.equal(before[name], after[f"encoder.{name}"]) == (mode != "full"), name


def test_frozen_frontend_and_two_learning_rates(data: Path, tmp_path: Path) -> None:
    pretrained = shutil.copytree(data / "encoder", tmp_path / "encoder")
    write_json(pretrained / "encoder.json", read_json(pretrained / "encoder.json") | {"weights": "pretrain"})
    fit(data, tmp_path, encoder=pretrained, freeze_frontend=True, epochs=1)
    before, after = load_file(data / "encoder" / "encoder.safetensors"), load_file(tmp_path / "model.safetensors")
    changed = {name for name, value in before.items() if not torch.equal(value, after[f"encoder.{name}"])}
    assert not {name for name in changed if name.startswith(("frontend.convs", "frontend.group_norm"))}
    assert any(name.startswith("conformer.") for name in changed)
    history = pd.read_csv(tmp_path / "history.csv")
    assert set(history["lr"]) == {0.003}
    assert set(history["head_lr"]) == {0.01}


def edit_labels(data: Path, folder: Path, edit) -> Path:
    """The data with other labels."""
    folder.mkdir()
    for name in ("records.parquet", "preprocess", "encoder"):
        (folder / name).symlink_to(data / name)
    labels = pd.read_parquet(data / "labels.parquet")
    edit(labels).to_parquet(folder / "labels.parquet")
    return folder


def set_label(split: str, value: float):
    return lambda labels: labels.assign(
        **{"label.big": labels["label.big"].where(labels["split"] != split, np.float32(value))}
    )


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (set_label("train", 0), "label 'big' has no positive record in the train split"),
        (set_label("train", np.nan), "label 'big' has no positive record in the train split"),
        (set_label("train", 1), "label 'big' has no negative record in the train split"),
        (lambda labels: labels[labels["split"] != "valid"], "no record in the valid split"),
        (
            lambda labels: labels.rename(columns={"label.big": "label.huge"}),
            "label 'huge', but the task lists .*: the table is older",
        ),
        (lambda labels: labels.drop(columns=["label.big", "label.fast"]), "there is no column `label.…`"),
        (lambda labels: labels.assign(**{"label.big": np.float32(3)}), "s/000, label 'big': expected 1, 0 or nothing"),
        (lambda labels: labels.drop(columns="split"), "'split' is missing"),
        (lambda labels: labels.assign(split=labels["split"].replace("test", "valid")), "has another split in"),
    ],
)
def test_labels_that_cannot_be_learnt_are_one_clear_line(data: Path, tmp_path: Path, edit, message: str) -> None:
    folder = edit_labels(data, tmp_path / "data", edit)
    with pytest.raises(UserError, match=message) as error:
        fit(folder, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


def test_label_without_a_valid_positive_gets_a_half_and_a_warning(
    data: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = edit_labels(data, tmp_path / "data", set_label("valid", 0))
    with caplog.at_level(logging.WARNING):
        model = fit(folder, tmp_path / "out", epochs=1)
    assert model.thresholds[1] == 0.5
    assert any("label big" in message for message in caplog.messages)


def test_an_encoder_of_another_rate_is_refused(data: Path, tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path / "encoder", rate=500)
    with pytest.raises(UserError, match=r"at 100 Hz, but the encoder .* reads I II V1 at 500 Hz"):
        fit(data, tmp_path / "out", encoder=encoder)


def test_leads_in_another_order_than_the_encoders_are_refused(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data / "preprocess", tmp_path / "preprocess")
    for name in ("records.parquet", "labels.parquet", "encoder"):
        (tmp_path / name).symlink_to(data / name)
    name_leads(tmp_path / "preprocess/s/000.npy", ["II", "I", "V1"])
    with pytest.raises(UserError, match=r"holds leads II I V1 at 100 Hz, but the encoder .* reads I II V1 at 100 Hz"):
        fit(tmp_path, tmp_path / "out")


def test_labelled_is_hashed_by_what_is_seen(data: Path) -> None:
    labelled = load_labelled(
        data / "labels.parquet", data / "records.parquet", data / "preprocess", "multilabel", WHOLE
    )
    flipped = labelled._replace(target=1 - labelled.target)
    assert isinstance(labelled, Labelled)
    assert labelled.hash() != flipped.hash()


@pytest.mark.slow
@pytest.mark.parametrize(("zero_stage", "precision"), [(1, "fp32"), (2, "bf16"), (3, "fp32"), (0, "bf16")])
def test_engine_options_save_a_whole_float32_model(data: Path, tmp_path: Path, zero_stage: int, precision: str) -> None:
    fit(data, tmp_path, epochs=6, zero_stage=zero_stage, precision=precision)
    weights = load_file(tmp_path / "model.safetensors")
    assert {value.dtype for name, value in weights.items() if "num_batches" not in name} == {torch.float32}
    labelled = load_labelled(
        data / "labels.parquet", data / "records.parquet", data / "preprocess", "multilabel", WHOLE
    )
    probability = predict(load_model(tmp_path), labelled.signals)
    assert macro_auroc(labelled.target[labelled.valid], probability[labelled.valid]) > 0.95
    reference = pd.read_csv(tmp_path / "history.csv").query("split == 'valid'")["loss"].min()
    criterion = make_criterion(FinetuneConfig(), link_of("multilabel"), labelled.target)
    found = criterion.validate(labelled.target[labelled.valid], probability[labelled.valid])["loss"]
    assert found == pytest.approx(reference, rel=0.02)


def test_adapters_learn_alone_and_are_merged(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is saved is the encoder itself, to the bit but for the targets, which differ by a product of rank 2."""
    written: list[list[Piece]] = []
    save = Saver.save
    monkeypatch.setattr(Saver, "save", lambda self, pieces, *rest: (written.append(pieces), save(self, pieces, *rest)))
    model = fit(data, tmp_path, "lora-s0", epochs=3, lr=1e-2, lora={"rank": 2, "targets": ["linear_q", "w_1"]})
    before, after = load_encoder(data / "encoder").state_dict(), load_model(tmp_path).encoder.state_dict()
    targets = {name for name in before if name.endswith(("linear_q.weight", "w_1.weight"))}
    assert len(targets) == 3
    for name, value in before.items():
        assert torch.equal(value, after[name]) == (name not in targets), name
    for name in targets:
        found = torch.linalg.svdvals((after[name] - before[name]).double())
        assert found[1] > 1e-4 > 1e-6 > found[2]
    assert model.mode == load_model(tmp_path).mode == "lora"
    rows = pd.read_csv(tmp_path / "history.csv").query("split == 'train'")
    assert rows["loss"].iloc[-1] < rows["loss"].iloc[0]
    adapters = {f"encoder.{name.removesuffix('weight')}{part}.weight" for name in targets for part in ("down", "up")}
    buffers = {f"encoder.{name}" for name in before if ".norm.running" in name or ".norm.num" in name}
    assert {piece.name for piece in written[-1]} == {"head.weight", "head.bias"} | adapters | buffers


def test_adapters_as_they_are_by_default_change_no_fit_of_before() -> None:
    assert "lora" not in FinetuneConfig().model_dump()
    assert FinetuneConfig(lora={"rank": 4}).model_dump()["lora"] == {"rank": 4, "alpha": 16.0, "targets": []}


def test_statistics_are_probed_and_have_no_weights_to_train(data: Path, tmp_path: Path) -> None:
    encoder = kinds.make_encoder(
        small("statistics"), LEADS, RATE, PreprocessConfig(sampling_rate=RATE, leads=LEADS), 2.5
    )
    save_encoder(tmp_path / "encoder", encoder, {"name": "statistics", "weights": "none"})
    for mode in ("full", "lora"):
        with pytest.raises(
            UserError, match=rf"^--fit {mode}-s0: .* has no weights to train in mode {mode}; take linear or frozen$"
        ):
            fit(data, tmp_path / "out", f"{mode}-s0", encoder=tmp_path / "encoder")
    for mode in ("linear", "frozen"):
        model = fit(data, tmp_path / mode, f"{mode}-s0", encoder=tmp_path / "encoder", epochs=1)
        assert load_model(tmp_path / mode).encoder.config.kind == "statistics"
        assert model.head.weight.shape[1] == 3 * 15 + 2 + 9  # of three leads


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora"])
def test_a_transformer_on_patches_learns_in_every_mode(data: Path, tmp_path: Path, mode: str) -> None:
    torch.manual_seed(0)
    preprocess = PreprocessConfig(sampling_rate=RATE, leads=LEADS)
    model = small("vit", positions="learnt", separators=True, norm="mean", dropout=0.0)
    save_encoder(tmp_path / "encoder", kinds.make_encoder(model, LEADS, RATE, preprocess, 2.5), {"name": "vit"})
    made = fit(data, tmp_path, f"{mode}-s0", encoder=tmp_path / "encoder", epochs=1, layer_decay=0.5)
    before, after = load_encoder(tmp_path / "encoder").state_dict(), made.encoder.cpu().state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    queries = {f"vit.layers.{layer}.self_attn.{name}_proj.weight" for layer in range(2) for name in "qv"}
    everything = {"full": set(before), "lora": queries}.get(mode, set())
    assert moved == everything


@pytest.mark.parametrize("mode", ["full", "frozen", "linear", "lora"])
def test_state_spaces_learn_in_every_mode(data: Path, tmp_path: Path, mode: str) -> None:
    """The front end stays with its norms' statistics, as it was pretrained; and so do the recurrences, always."""
    torch.manual_seed(0)
    preprocess = PreprocessConfig(sampling_rate=RATE, leads=LEADS)
    encoder = kinds.make_encoder(small("s4", dropout=0.0), LEADS, RATE, preprocess, 2.5)
    save_encoder(tmp_path / "encoder", encoder, {"name": "s4", "weights": "pretrain"})
    rates = {"epochs": 1, "layer_decay": 0.5, "freeze_frontend": True}
    made = fit(data, tmp_path, f"{mode}-s0", encoder=tmp_path / "encoder", **rates)
    before, after = load_encoder(tmp_path / "encoder").state_dict(), made.encoder.cpu().state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    layers = {name for name, _ in encoder.named_parameters() if name.startswith("s4.layers.")}
    linears = {name for name in layers if name.endswith("output_linear.weight")}
    assert moved == {"full": layers, "lora": linears}.get(mode, set())


def test_training_segments_are_changed_and_those_that_choose_are_not(data: Path, tmp_path: Path) -> None:
    """Noise that drowns the signal; at a rate of nothing the weights, and what is said of valid, stay."""
    quiet = {"epochs": 1, "lr": 1e-12, "head_lr": 1e-12}
    losses = {}
    for name, augment in (("plain", []), ("loud", [{"kind": "noise", "mv": [9, 9], "probability": 1.0}])):
        fit(data, tmp_path / name, **quiet, augment=augment)
        losses[name] = pd.read_csv(tmp_path / name / "history.csv").set_index("split")["loss"]
    assert losses["loud"]["train"] != pytest.approx(losses["plain"]["train"], rel=1e-3)
    told = read_json(tmp_path / "loud/model.json")["finetune"]["augment"]
    assert [one["kind"] for one in told] == ["noise"]
    with pytest.raises(UserError, match=r"finetune\.augment\.0: rotation: the heart's vector needs V1 to V6"):
        fit(data, tmp_path / "none", augment=[{"kind": "rotation"}])
