"""The stage `verify` on people whose likeness is planted, and on those that must not count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import ndtr
from sklearn.metrics import roc_auc_score

from ecglfm import load_encoder
from ecglfm.config import PreprocessConfig, UserError, VerifySlice
from ecglfm.data.samples.dataset import Signals
from ecglfm.evaluation.verification import verify
from ecglfm.evaluation.verification.verify import run_verify
from ecglfm.models.bundle import save_encoder
from ecglfm.models.encoders.encoder import ECGEncoder
from ecglfm.provenance import read_json, write_json
from tests.unit.architectures import architecture
from tests.unit.hashes import hashes
from tests.unit.shard_leads import name_leads

LEADS, RATE, SAMPLES = ["I", "II", "V1"], 100, 1000
TRAIN, PATIENTS, RECORDINGS = 20, 40, 3  # of the test split


def make_people(folder: Path) -> Path:
    """Test patients with three recordings each and training patients with one: a rhythm and noise, nothing personal."""
    test = np.repeat(np.arange(PATIENTS), RECORDINGS)
    count = TRAIN + len(test)
    rng = np.random.default_rng(0)
    time = np.arange(SAMPLES) / RATE
    signals = np.sin(2 * np.pi * 1.2 * time)[:, None] + rng.normal(0, 0.3, (count, SAMPLES, len(LEADS)))
    (folder / "preprocess/s").mkdir(parents=True)
    signals = np.rint(signals * 1000).astype(np.int16)
    np.save(folder / "preprocess/s/000.npy", signals.reshape(-1, len(LEADS)))
    patients = [f"s/t{i:02d}" for i in range(TRAIN)] + [f"s/{i:02d}" for i in test]
    records = pd.DataFrame(
        {
            "record_id": [f"s/{i:03d}" for i in range(count)], "source": "s", "patient_id": patients,
            "split": ["train"] * TRAIN + ["test"] * len(test), "sampling_rate": RATE, "n_samples": SAMPLES, "shard": 0,
            "offset": np.arange(count) * SAMPLES, "sha256": hashes(signals),
        }
    )  # fmt: skip
    records.to_parquet(folder / "records.parquet")
    write_json(folder / "audit.json", {"passed": True, "patient_overlap": [], "duplicate_pairs": [], "data_hash": "d"})
    torch.manual_seed(0)
    model = architecture(layers=1, dim=16, ffn_dim=32, heads=2, kernel=7, conv_channels=16)
    encoder = ECGEncoder(model, LEADS, RATE, PreprocessConfig(sampling_rate=RATE, leads=LEADS), 2.5)
    save_encoder(folder / "encoder", encoder, {"name": "tiny", "weights": "random"})
    return folder


@pytest.fixture
def people(tmp_path: Path) -> Path:
    return make_people(tmp_path)


def run(folder: Path, output: str = "out", bootstrap: int = 20, threads: int = 1, **config: Any) -> dict[str, Any]:
    content = {"kind": "verification", "sources": ["s"]} | config
    slice_ = VerifySlice(
        task="identification", config=content, bootstrap=bootstrap, confidence=0.99, seed=0, min_patients=2
    )
    return run_verify(
        slice_, encoder=folder / "encoder", manifest=folder / "records.parquet", audit=folder / "audit.json",
        signals=folder / "preprocess", output=folder / output, threads=threads,
    )  # fmt: skip


def change(folder: Path, **columns: Any) -> None:
    """Replace columns of the manifest."""
    pd.read_parquet(folder / "records.parquet").assign(**columns).to_parquet(folder / "records.parquet")


def who(records: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Number of each record, and of its person, whatever the manifest says."""
    number = records["record_id"].str[2:].astype(int).to_numpy()
    return number, np.where(number < TRAIN, number, TRAIN + (number - TRAIN) // RECORDINGS)


def plant(monkeypatch: pytest.MonkeyPatch, likeness: float, dim: int = 64) -> None:
    """A vector is its patient's plus noise: the components of two recordings of one person correlate by `likeness`."""

    def vectors(encoder: object, records: pd.DataFrame, signals: Path) -> np.ndarray:
        rng, number, person = np.random.default_rng(1), *who(records)
        own = rng.normal(size=(TRAIN + PATIENTS, dim))[person]
        noise = rng.normal(size=(TRAIN + PATIENTS * RECORDINGS, dim))[number]
        return 5 + np.sqrt(likeness) * own + np.sqrt(1 - likeness) * noise

    monkeypatch.setattr(verify, "embed_records", vectors)


def test_planted_likeness_is_found(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cosines of 64 components scatter by (1 - rho^2) / 8 around rho (Fisher 1915): AUROC and EER follow."""
    plant(monkeypatch, likeness=0.2)
    found = run(people, bootstrap=300, center="always")["overall"]
    spread = np.array([1 - 0.2**2, 1]) / np.sqrt(64)
    truth = {"auroc": ndtr(0.2 / np.hypot(*spread)), "eer": ndtr(-0.2 / spread.sum())}
    for name, value in truth.items():
        assert found[name]["ci_low"] < value < found[name]["ci_high"], name
    assert found["auroc"]["ci_low"] > 0.7


def test_databases_are_not_told_apart_instead_of_people(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source s has all the pairs of one person and vectors around one direction, source t the most impostors; nobody
    has anything of his own. All scores together would have an AUROC above 0.7."""
    records = pd.read_parquet(people / "records.parquet")
    number = np.arange(len(records))
    other = number >= TRAIN + 15 * RECORDINGS
    change(
        people,
        source=np.where(other, "t", "s"),
        patient_id=np.where(other, [f"t/{i}" for i in number], records["patient_id"]),
    )

    def vectors(encoder: object, records: pd.DataFrame, signals: Path) -> np.ndarray:
        noise = np.random.default_rng(1).normal(size=(1000, 16))[who(records)[0]]
        return noise + 3 * np.outer(records["source"] == "s", np.eye(16)[0])

    monkeypatch.setattr(verify, "embed_records", vectors)
    found = run(people, bootstrap=300, center="never", sources=["s", "t"])
    assert found["n"]["genuine"]["scored"] == 45
    assert list(found["sources"]) == ["s"]
    assert found["overall"]["auroc"]["ci_low"] < 0.5 < found["overall"]["auroc"]["ci_high"]
    scores = pd.read_parquet(people / "out/scores.parquet")
    assert roc_auc_score(scores["same"], scores["score"]) > 0.7


def test_without_training_records_there_is_no_mean(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, likeness=0.2)
    change(people, split="test")
    assert run(people)["centring"] == {"centred": False}
    with pytest.raises(UserError, match="identification: center: always needs training records of its sources"):
        run(people, center="always")


def test_patients_at_random_are_chance(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, likeness=0.2)
    patients = pd.read_parquet(people / "records.parquet")["patient_id"].to_numpy(object)
    patients[TRAIN:] = np.random.default_rng(2).permutation(patients[TRAIN:])
    change(people, patient_id=patients)
    found = run(people, bootstrap=300, center="always")["overall"]
    for name in ("auroc", "eer"):
        assert found[name]["ci_low"] < 0.5 < found[name]["ci_high"], name


@pytest.mark.parametrize("better", ["as_it_is", "less_the_mean"])
def test_the_origin_is_chosen_on_the_validation_split(
    people: Path, monkeypatch: pytest.MonkeyPatch, better: str
) -> None:
    """Vectors far from 0 whose lengths differ need their mean as origin; a mean far from them all does harm."""
    seen: list[set[str]] = []

    def vectors(encoder: object, records: pd.DataFrame, signals: Path) -> np.ndarray:
        seen.append(set(records["split"]))
        rng, number, person = np.random.default_rng(1), *who(records)
        own = rng.normal(size=(TRAIN + PATIENTS, 16))[person]
        length = np.where(number < TRAIN, 0.01, rng.lognormal(0, 1.5, 1000)[number])[:, None]
        far = 1000 if better == "less_the_mean" else 1000 * (number < TRAIN)[:, None]
        return length * (own + rng.normal(0, 0.3, (1000, 16))[number]) + far * np.eye(16)[0]

    monkeypatch.setattr(verify, "embed_records", vectors)
    split = pd.read_parquet(people / "records.parquet")["split"].to_numpy(object)
    split[TRAIN : TRAIN + 15 * RECORDINGS] = "valid"
    change(people, split=split)
    metrics = {center: run(people, center=center) for center in ("auto", "always", "never")}
    assert metrics["auto"]["centring"]["centred"] is (better == "less_the_mean")
    good, bad = ("always", "never") if better == "less_the_mean" else ("never", "always")
    area = {center: found["overall"]["auroc"]["value"] for center, found in metrics.items()}
    assert area["auto"] == area[good] > 0.98
    assert area[bad] < 0.9
    known = metrics["auto"]["centring"]["valid_auroc"]
    assert known[better] == max(known.values()) > 0.98
    assert seen[:2] == [{"train"}, {"valid"}]  # all that the choice is made from


def test_scores_are_cosines_of_the_encoders_vectors(people: Path) -> None:
    """Mean over the windows of a recording, less the mean of the training records, by numpy alone."""
    metrics = run(people, center="always")
    encoder, records = load_encoder(people / "encoder"), pd.read_parquet(people / "records.parquet")
    signal = Signals(records, people / "preprocess").crops(
        np.arange(len(records)), np.zeros(len(records), int), SAMPLES
    )
    windows = torch.from_numpy(signal.astype(np.float32) / 1000).reshape(-1, 250, 3).transpose(1, 2)
    with torch.inference_mode():
        vectors = encoder.embed(windows).numpy().reshape(len(records), 4, -1).mean(axis=1)
    vectors -= vectors[:TRAIN].mean(axis=0)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores, row = pd.read_parquet(people / "out/scores.parquet"), pd.Series(range(len(records)), records["record_id"])
    a, b = (row[scores[name]].to_numpy() for name in ("record_a", "record_b"))
    np.testing.assert_allclose(scores["score"], (vectors[a] * vectors[b]).sum(axis=1), atol=2e-4)
    np.testing.assert_array_equal(
        records["patient_id"].to_numpy()[a] == records["patient_id"].to_numpy()[b], scores["same"]
    )
    assert (len(scores), scores["same"].sum()) == (120 * 119 / 2, 40 * 3)
    assert metrics["overall"]["auroc"]["value"] == pytest.approx(
        roc_auc_score(scores["same"], scores["score"]), abs=1e-9
    )
    assert read_json(people / "out/metrics.json") == metrics
    assert metrics["leakage"]["clean"] is True


def test_threads_change_no_digit_that_counts(people: Path) -> None:
    one, two = (run(people, f"out{threads}", threads=threads)["overall"] for threads in (1, 2))
    torch.set_num_threads(1)
    scores = [pd.read_parquet(people / f"out{threads}/scores.parquet") for threads in (1, 2)]
    pd.testing.assert_frame_equal(scores[0].drop(columns="score"), scores[1].drop(columns="score"))
    np.testing.assert_allclose(scores[0]["score"], scores[1]["score"], atol=1e-4)
    assert one["auroc"]["value"] == pytest.approx(two["auroc"]["value"], abs=1e-3)


def test_patients_of_other_splits_do_not_count(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the manifest was not split by patients: two test patients have a recording in train or valid."""
    plant(monkeypatch, likeness=0.2)
    records = pd.read_parquet(people / "records.parquet")
    split, patient = records["split"].to_numpy(object), records["patient_id"].to_numpy(object)
    patient[0] = "s/05"
    split[TRAIN] = "valid"  # the first recording of s/00
    change(people, split=split, patient_id=patient)
    metrics = run(people)
    assert metrics["n"]["left_out"]["known_patients"] == 2
    assert metrics["n"]["patients"] == PATIENTS - 2
    scores = pd.read_parquet(people / "out/scores.parquet")
    assert not {"s/00", "s/05"} & {*scores["patient_a"], *scores["patient_b"]}


def test_copies_do_not_count(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a person with himself, one under two names."""
    plant(monkeypatch, likeness=0.2)
    audit = read_json(people / "audit.json")
    pairs = [("s/021", "s/020"), ("s/020", "s/030")]
    audit["duplicate_pairs"] = [{"a": a, "b": b, "correlation": 1.0, "crosses": False} for a, b in pairs]
    write_json(people / "audit.json", audit)
    counts = run(people)["n"]
    assert (counts["left_out"]["copies"], counts["left_out"]["linked"]) == (2, 3 * 3 - 1)  # s/00 and s/03 are one
    assert (counts["genuine"]["scored"], counts["impostor"]["scored"]) == (120 - 1, 7140 - 120 - 9)


def test_a_sample_is_said(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, likeness=0.2)
    counts = run(people, max_pairs=500)["n"]
    assert counts["genuine"] == {"scored": 120, "possible": 120}
    assert counts["impostor"] == {"scored": 500, "possible": 7020}


def test_nobody_with_two_recordings(people: Path) -> None:
    change(people, patient_id=[f"s/{i}" for i in range(TRAIN + PATIENTS * RECORDINGS)])
    entry = run(people)["overall"]["eer"]
    assert (entry["value"], entry["reason"]) == (
        None,
        "no recordings of one patient of the test split, copies left out, can be compared",
    )
    assert (people / "out/curves.png").exists()


def test_an_empty_test_split(people: Path) -> None:
    change(people, split="train")
    metrics = run(people)
    assert (metrics["n"]["records"], metrics["overall"]["auroc"]["value"]) == (0, None)
    assert len(pd.read_parquet(people / "out/scores.parquet")) == 0


def test_a_broken_encoder_is_named(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ECGEncoder, "embed", lambda self, x, mask=None: torch.full((len(x), self.dim), torch.nan))
    with pytest.raises(ValueError, match="the vector of s/020 is not finite"):
        run(people, center="never")


def test_signals_must_be_those_that_the_encoder_reads(people: Path) -> None:
    change(people, sampling_rate=500)
    with pytest.raises(UserError, match="at 500 Hz, but the encoder reads I II V1 at 100 Hz"):
        run(people)
    change(people, sampling_rate=RATE)
    name_leads(people / "preprocess/s/000.npy", ["II", "I", "V1"])
    with pytest.raises(UserError, match="holds leads II I V1 at 100 Hz, but the encoder reads I II V1 at 100 Hz"):
        run(people)
