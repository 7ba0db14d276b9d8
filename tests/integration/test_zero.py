"""Training on two processes is training on one: losses, records, weights, at every ZeRO stage.

All trainings run in three processes, side by side: two ranks, and one process alone with the whole batch.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from ecglfm.config import MaskConfig
from ecglfm.models.pretraining.masking import hidden_frames
from tests.integration.ranks import run_one_and_two
from tests.unit.hashes import hashes

pytestmark = pytest.mark.slow

STEPS, PAIRS = 14, 4  # pairs on each of two ranks
TERMS = ("loss", "contrastive", "mlm", "diversity", "feature_penalty", "cmsc")
STAGES = [0, 1, 2, 3]


def write_recordings(folder: Path) -> None:
    """48 patients of two recordings, 3 leads at 100 Hz, some shorter than a crop; the third lead is 10 x number +- 4."""
    rng = np.random.default_rng(0)
    records, signals, offset = [], [], 0
    for number in range(96):
        patient, length = number // 2, 300 if number % 7 else 150
        time_s = np.arange(length)[:, None] / 100
        wave = np.sin(2 * np.pi * (1 + patient / 10) * time_s + rng.uniform(0, 6, (1, 3)))
        signal = (1000 * wave + rng.normal(0, 50, wave.shape)).astype(np.int16)
        signal[:, 2] = 10 * number + rng.integers(-4, 5, length)
        signals.append(signal)
        records.append(
            {
                "record_id": f"db/{number:02d}", "source": "db", "patient_id": f"db/{patient:02d}", "split": "train",
                "sampling_rate": 100, "n_samples": length, "shard": 0, "offset": offset,
                "sha256": hashes([signal])[0], "lead_mask": 0xFFF,
            }
        )  # fmt: skip
        offset += length
    (folder / "preprocess" / "db").mkdir(parents=True)
    np.save(folder / "preprocess" / "db" / "000.npy", np.concatenate(signals))
    pd.DataFrame(records).to_parquet(folder / "records.parquet")


def slice_of(*, norm: dict, pretrain: dict) -> dict:
    model = {
        "layers": 2, "dim": 16, "ffn_dim": 32, "heads": 2, "kernel": 3, "conv_channels": 8,
        "conv_layers": [[4, 4], [2, 2]], "dropout": 0.0,
    }  # fmt: skip
    objective = {"contrastive": {"negatives": 5}} | pretrain.pop("objective", {})
    options = {
        "steps": STEPS, "crop_seconds": 2.0, "min_seconds": 1.5, "lr": 5e-4, "seed": 3, "mask": {"length": 4},
        "quantizer": {"codes": 8, "code_dim": 8, "final_dim": 8}, "objective": objective,
    } | pretrain  # fmt: skip
    return {
        "encoder": "tiny",
        "config": {"model": model | norm, "pretrain": options},
        "preprocess": {"sampling_rate": 100, "leads": ["I", "II", "V1"]},
    }


GROUP, SYNCED = {"norm": "group"}, {"norm": "batch", "norm_sync": True}
PER_RECORD = {"cmsc": {"weight": 0.0}, "diversity": {"weight": 0.0}}


def plans() -> tuple[dict, dict]:
    """Trainings of the process alone and of the two ranks, by name."""

    def training(size: int, norm: dict = GROUP, **pretrain) -> dict:
        return slice_of(norm=norm, pretrain={"batch_size": size} | pretrain)

    alone = {
        "fp32": training(2 * PAIRS),
        "bf16": training(2 * PAIRS, precision="bf16"),
        "synced": training(2 * PAIRS, SYNCED),
        "doubled": training(2 * PAIRS, objective=PER_RECORD),
        "accumulated": training(PAIRS, accumulate=2, objective=PER_RECORD),
    }
    ranks = {f"fp32-zero{stage}": training(PAIRS, zero_stage=stage) for stage in STAGES}
    ranks |= {f"bf16-zero{stage}": training(PAIRS, zero_stage=stage, precision="bf16") for stage in STAGES}
    ranks |= {f"synced-zero{stage}": training(PAIRS, SYNCED, zero_stage=stage) for stage in (0, 3)}
    ranks["doubled-accumulated"] = training(PAIRS // 2, accumulate=2, objective=PER_RECORD, zero_stage=2)
    ranks["accumulated-zero1"] = training(PAIRS // 2, accumulate=2, objective=PER_RECORD, zero_stage=1)
    parts = {"zero_optimization": {"reduce_bucket_size": 2000}}
    ranks["parts-zero1"] = training(PAIRS, zero_stage=1, deepspeed=parts)
    away = {"zero_optimization": {"offload_optimizer": {"device": "cpu"}}}
    ranks |= {f"offloaded-zero{stage}": training(PAIRS, zero_stage=stage, deepspeed=away) for stage in (1, 2, 3)}
    halved = {"communication_data_type": "bf16"}
    ranks |= {f"halved-zero{stage}": training(PAIRS, zero_stage=stage, deepspeed=halved) for stage in (0, 1, 2)}
    return alone, ranks


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder with the notes of all trainings."""
    folder = tmp_path_factory.mktemp("zero")
    write_recordings(folder)
    run_one_and_two("zero_ranks.py", plans(), folder)
    return folder


def notes(folder: Path, name: str, rank: int = 0) -> dict:
    return json.loads((folder / f"{name}-{rank}.json").read_text())


def terms(folder: Path, name: str) -> dict[str, np.ndarray]:
    rows = notes(folder, name)["rows"]
    assert len(rows) == STEPS
    return {term: np.array([row[term] for row in rows]) for term in rows[0]}


def relative(one: np.ndarray, two: np.ndarray) -> float:
    return float((np.abs(one - two) / np.abs(one)).max())


def check_same(one: dict, two: dict, names=TERMS) -> None:
    for name in names:
        np.testing.assert_allclose(two[name], one[name], atol=1e-4, rtol=0, err_msg=name)


def check_encoders(folder: Path, one: str, two: str) -> None:
    """The consolidated encoders agree."""
    first, second = load_file(folder / f"{one}.safetensors"), load_file(folder / f"{two}.safetensors")
    assert first.keys() == second.keys()
    for name, value in first.items():
        if name == "frontend.convs.0.bias":  # the norm behind it takes it away: no gradient, Adam follows rounding
            continue
        np.testing.assert_allclose(second[name], value, atol=1e-5, rtol=1e-5, err_msg=name)


@pytest.mark.parametrize("stage", STAGES)
def test_every_zero_stage_trains_as_one_process(trained, stage):
    one, two = terms(trained, "fp32"), terms(trained, f"fp32-zero{stage}")
    assert one["loss"][0] - one["loss"][-1] > 0.5  # not the equality of two that stand still
    assert np.ptp(one["contrastive_accuracy"]) > 0.1  # nor of updates that are all alike
    check_same(one, two)
    assert relative(one["grad_norm"], two["grad_norm"]) < 1e-4
    for name in ("contrastive_accuracy", "mlm_accuracy", "cmsc_accuracy", "code_perplexity", "prob_perplexity"):
        np.testing.assert_allclose(two[name], one[name], atol=1e-4, err_msg=name)
    check_encoders(trained, "fp32", f"fp32-zero{stage}")


@pytest.mark.parametrize("stage", STAGES)
def test_bf16_is_within_two_percent(trained, stage):
    two = terms(trained, f"bf16-zero{stage}")["loss"]
    assert relative(terms(trained, "bf16")["loss"], two) < 0.02
    assert 1e-5 < relative(terms(trained, "fp32")["loss"], two) < 0.02  # it is bf16


@pytest.mark.parametrize("stage", [0, 3])
def test_synchronised_batch_norm_is_that_of_one_process(trained, stage):
    one, two = terms(trained, "synced"), terms(trained, f"synced-zero{stage}")
    check_same(one, two)
    check_encoders(trained, "synced", f"synced-zero{stage}")  # running statistics are among its tensors
    assert (np.abs(one["loss"] - terms(trained, "fp32")["loss"]) > 1e-2).any()  # the norm matters
    first, second = (notes(trained, f"synced-zero{stage}", rank)["buffers"] for rank in (0, 1))
    assert first == second
    assert len(set(first)) == STEPS


@pytest.mark.parametrize("name", ["accumulated", "doubled-accumulated"])
def test_accumulation_is_a_doubled_batch(trained, name):
    one, two = terms(trained, "doubled"), terms(trained, name)
    check_same(one, two, ("loss", "contrastive", "mlm", "feature_penalty", "masked_fraction"))
    assert relative(one["grad_norm"], two["grad_norm"]) < 1e-4
    check_encoders(trained, "doubled", name)
    assert (np.abs(one["cmsc"] - two["cmsc"]) > 0.1).any()  # why its weight is 0 here: it is per forward


def test_ranks_see_disjoint_records_whose_union_is_the_whole_batch(trained):
    whole = notes(trained, "fp32")["seen"]
    assert len(whole) == STEPS
    for name, forwards in (("fp32-zero0", 1), ("fp32-zero3", 1), ("doubled-accumulated", 2)):
        first, second = (notes(trained, name, rank)["seen"] for rank in (0, 1))
        assert len(first) == len(second) == STEPS * forwards
        for step in range(STEPS):
            parts = [
                part
                for forward in range(forwards)
                for part in (first[step * forwards + forward], second[step * forwards + forward])
            ]
            patients = [{number // 2 for number in part} for part in parts]
            assert sum(len(part) for part in patients) == len(set().union(*patients)) == 2 * PAIRS
            assert [number for part in parts for number in part] == whole[step]


def test_parameters_agree_on_all_ranks_after_every_step(trained):
    for name in plans()[1]:
        first, second = (notes(trained, name, rank)["parameters"] for rank in (0, 1))
        assert first == second
        assert len(set(first)) == STEPS  # and every step moves them


def test_gradients_in_parts_are_the_same(trained):
    """As those of a large encoder go, while its backward pass does."""
    check_same(terms(trained, "fp32"), terms(trained, "parts-zero1"))
    check_encoders(trained, "fp32", "parts-zero1")
    assert len(notes(trained, "parts-zero1")["sent"]) > 2


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_an_offloaded_optimizer_trains_as_one_process(trained, stage):
    check_same(terms(trained, "fp32"), terms(trained, f"offloaded-zero{stage}"))
    check_encoders(trained, "fp32", f"offloaded-zero{stage}")


@pytest.mark.parametrize("stage", [0, 1, 2])
def test_gradients_are_summed_in_bfloat16_where_that_is_asked_for(trained, stage):
    """`communication_data_type` halves the bytes of each sum, and nothing else is rounded."""
    whole, halved = (notes(trained, f"{kind}-zero{stage}")["sent"] for kind in ("fp32", "halved"))
    assert [sent.replace("float32", "bfloat16") for sent in whole] == halved
    assert all("float32" in sent for sent in whole)
    loss = terms(trained, f"halved-zero{stage}")["loss"]
    assert 1e-7 < relative(terms(trained, "fp32")["loss"], loss) < 0.02


@pytest.mark.parametrize(
    ("name", "sendings"),
    [
        ("fp32-zero0", 1),
        ("fp32-zero1", 1),
        ("fp32-zero2", 1),
        ("accumulated-zero1", 1),  # of the sum, once an update
        ("doubled-accumulated", 2),  # ZeRO 2 keeps no gradients of others: one for each of two forwards
    ],
)
def test_gradients_are_sent_as_seldom_as_can_be(trained, name, sendings):
    sent = notes(trained, name)["sent"]
    assert len(sent) == sendings, sent


@pytest.mark.parametrize(
    ("name", "summed", "handed_out"),
    [
        ("fp32-zero0", [1.0], 0),
        ("fp32-zero1", [1.0], 1),
        ("accumulated-zero1", [1.0], 1),
        ("fp32-zero2", [1.0], 1),
        ("doubled-accumulated", [1.0, 1.0], 1),
        ("fp32-zero3", [0.5], 2),  # a rank's half of the sums; all weights forwards, and again backwards
    ],
)
def test_numbers_that_an_update_sends(trained, name, summed, handed_out):
    """Gradients, and then updated weights, as shares of the weights that there are: what docs/scaling.md multiplies."""
    note = notes(trained, name)
    assert [int(sent.split()[2]) / note["learning"] for sent in note["sent"]] == summed
    compared = 2 * 2 * PAIRS * 16  # vectors that CMSC has of both ranks
    assert (sum(note["gathered"]) - compared) / note["learning"] == handed_out


@pytest.mark.parametrize("stage", STAGES)
def test_ranks_agree_once_an_update_beside_the_gradients(trained, stage):
    """What they must know of each other is one all-reduce, of 3 numbers: is a loss broken, and two flags.

    The others are the norm of gradients that lie on several ranks, and the terms that compare records: 2 x 8 shares of
    the codes and their gradients, and the gradients of 2 x 8 vectors of 16 that CMSC compares.
    """
    terms = [16, 16, 2 * 2 * PAIRS * 16]
    agreement = [1, 3] if stage else [4]  # without ZeRO every rank has the norm, and reads it with the others
    assert notes(trained, f"fp32-zero{stage}")["agreed"] == sorted([*agreement, *terms])


def test_every_record_hides_the_same_share(trained):
    """25 frames of 2 s, of which it hides what the config says; a recording of 1.5 s has 18, and fewer."""
    hidden, short = hidden_frames(25, MaskConfig(length=4)), 18
    fractions = terms(trained, "fp32")["masked_fraction"] * 25
    assert fractions.max() <= hidden
    assert fractions.min() >= hidden * short // 25
