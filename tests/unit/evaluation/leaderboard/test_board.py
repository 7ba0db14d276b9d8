"""Planted encoders on a board: who is better is found, over the whole board; a leak has no place; cells are `evaluate`'s."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.comparison import holm
from ecglfm.provenance import read_json
from tests.unit.evaluation.leaderboard.made import ENCODERS, board, make


def cell(content: dict[str, Any], name: str, task: str, setting: str) -> dict[str, Any]:
    (found,) = (one for one in content["cells"] if (one["name"], one["task"], one["setting"]) == (name, task, setting))
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """`peer` is the best everywhere, and has seen the records of `t`."""
    results = tmp_path_factory.mktemp("board")
    models = make(results, seen={"peer/t": ("yes", "pretrained on PTB-XL: both have recordings of PTB-XL")})
    return results, board(results, models, published={"peer": "ECGFounder", "ours": "ST-MEM"})


def test_cells_are_those_of_evaluate(made: tuple[Path, dict]) -> None:
    results, content = made
    assert len(content["cells"]) == 2 * (3 * 2 + 1)
    for one in content["cells"]:
        of = [read_json(results / f"evaluate/{one['encoder']}/{one['task']}/{one['setting']}-s{seed}/metrics.json")
              for seed in (0, 1)]  # fmt: skip
        assert one["value"] == pytest.approx(np.mean([each["macro"]["auroc"]["value"] for each in of]), abs=1e-11)
        assert (one["seeds"], one["labels"]) == (2, 2)
        assert one["ci_low"] < one["value"] < one["ci_high"]
        assert (one["fit_hours"], one["fit_gpu_hours"]) == (1.0, 1.0)


def test_a_planted_difference_is_found_and_the_control_is_the_best_of_random_weights(made: tuple[Path, dict]) -> None:
    _, content = made
    peer = cell(content, "peer", "ptbxl-all", "linear")
    assert (peer["rank"], peer["best"], peer["against_best"]) == (1.0, True, None)
    assert (peer["against_random"]["name"], peer["against_random"]["verdict"]) == ("random", "better")
    ours = cell(content, "ours", "ptbxl-all", "linear")
    assert (ours["rank"], ours["against_best"]["name"], ours["against_best"]["verdict"]) == (2.0, "peer", "worse")
    assert ours["against_best"]["value"] == pytest.approx(ours["value"] - peer["value"], abs=1e-11)
    assert ours["against_best"]["ci_low"] < ours["against_best"]["value"] < ours["against_best"]["ci_high"] < 0
    assert cell(content, "random", "ptbxl-all", "linear")["against_random"] is None
    assert cell(content, "statistics", "ptbxl-all", "linear")["against_random"]["name"] == "random"


def test_the_whole_board_is_one_family(made: tuple[Path, dict]) -> None:
    results, content = made
    raw: dict[tuple[str, ...], float] = {}
    for task in ("ptbxl-all", "t"):
        for pair in read_json(results / f"evaluate/comparison/{task}.json")["pairs"]:
            if pair["metric"] == "auroc":
                raw[task, pair["setting"], pair["first"], pair["second"]] = pair["macro"]["p"]
    assert content["test"]["family"] == len(raw) == 2 * (6 + 3)  # pairs of four encoders, and of three
    adjusted = dict(zip(raw, holm(list(raw.values())), strict=True))
    found = cell(content, "ours", "ptbxl-all", "full")["against_best"]
    assert found["p_holm"] == pytest.approx(adjusted["ptbxl-all", "full", "peer", "ours"])
    assert adjusted["ptbxl-all", "full", "peer", "ours"] > raw["ptbxl-all", "full", "peer", "ours"]


def test_who_saw_the_test_records_has_no_place(made: tuple[Path, dict]) -> None:
    _, content = made
    peer, ours = cell(content, "peer", "t", "linear"), cell(content, "ours", "t", "linear")
    assert peer["value"] > ours["value"]
    assert (peer["leak"], peer["rank"], peer["best"]) == ("yes", None, False)
    assert (ours["rank"], ours["best"]) == (1.0, True)
    assert peer["against_best"]["name"] == "ours"  # it is told against the others all the same
    ranks = {(row["name"], row["setting"]): row for row in content["ranks"]}
    assert ranks["peer", "linear"] == {
        "name": "peer", "setting": "linear", "mean_rank": 1.0, "tasks": 1, "left_out": 1
    }  # fmt: skip
    assert ranks["ours", "linear"]["mean_rank"] == 1.5  # second where the peer is counted
    assert ranks["ours", "linear"]["tasks"] == 2


def test_published_numbers_stand_where_they_belong(made: tuple[Path, dict]) -> None:
    _, content = made
    found = cell(content, "peer", "ptbxl-all", "linear")["published"]
    assert (found["model"], found["value"], found["note"]) == ("ECGFounder", 0.931344, "")
    assert cell(content, "peer", "t", "linear")["published"] is None  # of no such task is anything published
    assert "linear probe" in cell(content, "ours", "ptbxl-all", "full")["published"]["note"]


def test_the_table_has_a_row_per_cell_and_the_constant_answers(made: tuple[Path, dict]) -> None:
    results, content = made
    table = pd.read_csv(results / "leaderboard/leaderboard.csv")
    rows = table.set_index(["encoder", "task", "mode"])
    for one in content["cells"]:
        row = rows.loc[(one["name"], one["task"], one["setting"])]
        assert row["value"] == one["value"]
        assert (row["parameters"], row["gmac"], row["records_per_second"]) == (1234567, 2.61, 88.5)
        assert row["input_records_per_second"] == 13590.4
        assert (row["licence"], row["protocol"], row["leak"]) == ("MIT", "contract", one["leak"])
    constant = table[table["encoder"] == "constant answer"]
    assert constant[["task", "value"]].to_numpy().tolist() == [["ptbxl-all", 0.5], ["t", 0.5]]
    assert rows.loc[("peer", "ptbxl-all", "linear"), "published_value"] == 0.931344
    assert len(table) == len(content["cells"]) + 2


def test_one_encoder_has_nobody_beside_it_and_is_no_best(tmp_path: Path) -> None:
    content = board(tmp_path, make(tmp_path, encoders={"ours": ENCODERS["ours"]}, tasks=("t",), seeds=1))
    assert content["test"]["family"] == 0
    (linear, full) = content["cells"]
    assert [linear[key] for key in ("rank", "best", "against_best", "against_random")] == [None, False, None, None]
    assert [(row["mean_rank"], row["tasks"]) for row in content["ranks"]] == [(None, 0), (None, 0)]
    metrics = read_json(tmp_path / "evaluate/ours/t/full-s0/metrics.json")["macro"]["auroc"]
    assert [full[key] for key in ("value", "ci_low", "ci_high")] == pytest.approx(
        [metrics[key] for key in ("value", "ci_low", "ci_high")], abs=1e-11
    )


def test_variants_and_shares_of_the_patients_have_rows_and_nothing_published(tmp_path: Path) -> None:
    models = make(tmp_path, encoders={"ours": ({"full": 1.0}, "import")}, tasks=("ptbxl-all",), seeds=1,
                  suffixes=("", "-lr3", "-10pct"))  # fmt: skip
    content = board(tmp_path, models, published={"ours": "ECGFounder"})
    said = {(one["name"], one["setting"]): one["published"] is not None for one in content["cells"]}
    assert said == {("ours", "full"): True, ("ours lr3", "full"): False, ("ours", "full-10pct"): False}
    assert content["test"]["family"] == 1  # a variant is held against the fit beside it
    assert [one["encoder"] for one in content["encoders"]] == ["ours"]


def test_a_comparison_of_other_models_is_refused(tmp_path: Path) -> None:
    models = make(tmp_path, tasks=("t",), seeds=1, patients=60)
    with pytest.raises(UserError, match=r"t\.json: is not there, or of other models or an older ecglfm; run"):
        board(tmp_path, [*models, "ours/t/lora-s0"])
    with pytest.raises(
        UserError, match=r"--include other/t/full-s0: the config of the leaderboard has no such encoder"
    ):
        board(tmp_path, [*models, "other/t/full-s0"])
    (tmp_path / "evaluate/ours/t/full-s0/metrics.json").unlink()
    with pytest.raises(UserError, match=r"full-s0/metrics\.json: no such file; run `evaluate`"):
        board(tmp_path, models)


def test_a_published_number_of_an_encoder_that_saw_the_test_records_says_so(tmp_path: Path) -> None:
    models = make(tmp_path, seen={"ours/ptbxl-all": ("yes", "pretrained on PTB-XL")})
    content = board(tmp_path, models, published={"peer": "ECGFounder", "ours": "ST-MEM"})
    said = "the encoder saw the test recordings"
    assert cell(content, "ours", "ptbxl-all", "linear")["published"]["note"] == said
    assert cell(content, "ours", "ptbxl-all", "full")["published"]["note"].endswith(f"; {said}")
    assert cell(content, "peer", "ptbxl-all", "linear")["published"]["note"] == ""
