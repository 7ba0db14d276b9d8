"""A pretraining goes on with another number of processes or ZeRO stage, and when the disk of one of them fills up.

First halves and second halves run in two processes and one alone, side by side, twice.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from tests.integration.ranks import run_one_and_two
from tests.integration.test_zero import GROUP, TERMS, slice_of, write_recordings

pytestmark = pytest.mark.slow

STEPS, HALF, PAIRS = 12, 6, 8  # pairs of an update, over all processes
#: Processes and ZeRO stage of the first half and of the second.
MOVES = {
    "one-to-two": ((1, 0), (2, 2)),
    "two-to-one": ((2, 2), (1, 1)),
    "stage-2-to-1": ((2, 2), (2, 1)),
    "stage-0-to-3": ((2, 0), (2, 3)),
    "stage-3-to-0": ((2, 3), (2, 0)),
    "unchanged": ((2, 2), (2, 2)),
}


def training(world: int, stage: int, steps: int, every: int = HALF, full_disk_of: int | None = None) -> dict:
    options = {
        "batch_size": PAIRS // world, "zero_stage": stage, "steps": steps, "log_every": 1,
        "checkpoint_every": {"steps": every},
    }  # fmt: skip
    return {"slice": slice_of(norm=GROUP, pretrain=options), "full_disk_of": full_disk_of}


def plan(phase: int, world: int) -> dict[str, dict]:
    """What so many processes do first (0) or then (1)."""
    steps = (HALF, STEPS)[phase]
    planned = {name: training(*move[phase], steps) for name, move in MOVES.items() if move[phase][0] == world}
    if world == 1 and phase == 0:
        planned["calm"] = training(1, 0, STEPS)
    if world == 2:
        planned["full"] = training(2, 2, STEPS, every=2, full_disk_of=1 if phase == 0 else None)
        planned |= {"calm-two": training(2, 2, STEPS)} if phase == 0 else {}
    return planned


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder with the outputs and notes of all trainings; what the full disk left is noted in between."""
    folder = tmp_path_factory.mktemp("spread")
    write_recordings(folder)
    run_one_and_two("spread_ranks.py", [plan(0, world) for world in (1, 2)], folder, "0")
    left = sorted(path.name for path in (folder / "full" / "checkpoints").iterdir())
    (folder / "left.json").write_text(json.dumps(left))
    run_one_and_two("spread_ranks.py", [plan(1, world) for world in (1, 2)], folder, "1")
    return folder


def note(folder: Path, name: str, phase: int, rank: int = 0) -> dict:
    return json.loads((folder / f"{name}-{phase}-{rank}.json").read_text())


def history(folder: Path, name: str) -> pd.DataFrame:
    table = pd.read_csv(folder / name / "history.csv")
    assert table["step"].tolist() == list(range(1, STEPS + 1))
    return table


@pytest.mark.parametrize("name", MOVES)
def test_loss_goes_on_as_undisturbed(trained, name):
    assert note(trained, name, 0) == {"logged": list(range(1, HALF + 1)), "said": ""}
    assert note(trained, name, 1) == {"logged": list(range(HALF + 1, STEPS + 1)), "said": ""}
    calm, moved = history(trained, "calm"), history(trained, name)
    assert calm["loss"].iloc[0] - calm["loss"].iloc[-1] > 0.2  # not the equality of two that stand still
    for term in TERMS:
        np.testing.assert_allclose(moved[term], calm[term], atol=1e-4, rtol=0, err_msg=term)
    first, second = (load_file(trained / each / "encoder.safetensors") for each in ("calm", name))
    for key, value in first.items():
        if key != "frontend.convs.0.bias":  # without gradient, as in test_zero
            np.testing.assert_allclose(second[key], value, atol=1e-5, rtol=1e-5, err_msg=key)
    assert not list((trained / name).glob("*set-aside*"))


def weights(folder: Path, name: str) -> bytes:
    return (folder / name / "encoder.safetensors").read_bytes()


def test_unchanged_processes_end_bit_for_bit(trained):
    assert weights(trained, "unchanged") == weights(trained, "calm-two")


def test_a_disk_that_is_full_for_one_process_stops_all_and_leaves_the_last_good_checkpoint(trained):
    first, second = (note(trained, "full", 0, rank)["said"] for rank in (0, 1))
    assert "step-00000006: the checkpoint was not written" in first
    assert "No space left on device" in first
    assert "step-00000004 is as it was" in first
    assert second == "SystemExit: 1"  # said once for all
    assert json.loads((trained / "left.json").read_text()) == [
        "history.csv", "run.json", "seen.safetensors", "step-00000002", "step-00000004",
    ]  # fmt: skip
    assert note(trained, "full", 1) == {"logged": list(range(5, STEPS + 1)), "said": ""}
    assert weights(trained, "full") == weights(trained, "calm-two")
