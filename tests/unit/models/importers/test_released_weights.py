"""docs/released-weights.md: each of its commands, on small checkpoints as the authors' code writes them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import ecglfm
from ecglfm.cli import main
from tests.pages import blocks, commands
from tests.unit.app.prediction.test_predict import write_wfdb

PATH = "path/to/ptb-xl"
RECORDS = 24


PAGE = "docs/released-weights.md"


def ours(repository: Path) -> list[list[str]]:
    """The page's commands, without `python -m ecglfm`."""
    return [command.split()[3:] for command in commands(repository / PAGE) if command.startswith("python -m ecglfm ")]


@pytest.fixture(scope="module")
def done(repository: Path, peers: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder where the page's commands were run."""
    folder = tmp_path_factory.mktemp("released")
    shutil.copy(repository / "tests/parity/proj_pretrain.pt", folder / "ecg-lfm.pt")
    for name in ("mimic_iv_ecg_physionet_pretrained.pt", "mimic_iv_ecg_finetuned.pt"):
        shutil.copy(peers / "ecg-fm" / name, folder)
    for name in (
        "ecg-jepa/multiblock_epoch100.pth",
        "st-mem/st_mem_vit_base_encoder.pth",
        "merl/vit_tiny_best_encoder.pth",
    ):
        shutil.copy(peers / name, folder)
    shutil.copy(peers / "ecg-cpc" / "last_11597276.ckpt", folder)
    shutil.copytree(peers / "hubert-ecg", folder / "hubert-ecg-small")
    (folder / "label_def.csv").write_text("name\n" + "".join(f"diagnosis {k}\n" for k in range(17)))
    (folder / PATH).mkdir(parents=True)
    for number in range(RECORDS):
        write_wfdb(folder / PATH / "records500", f"{number:05d}_hr", seconds=10, seed=number)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for command in ours(repository):
            assert main(command) == 0, command
    return folder


def test_commands_are_these(repository: Path) -> None:
    assert [command[0] for command in ours(repository)] == [
        "import-checkpoint",
        "embed",
        "import-checkpoint",
        "embed",
        "import-checkpoint",
        "predict",
        "import-checkpoint",
        "embed",
        *["import-checkpoint"] * 3,
        "embed",
        "import-checkpoint",
        "embed",
    ]


def test_another_rate_is_the_encoders(done: Path) -> None:
    table = pd.read_parquet(done / "ecg-cpc.parquet")
    encoder = ecglfm.load_encoder(done / "encoders/ecg-cpc")
    windows = ecglfm.preprocess(ecglfm.read_record(done / table["record"][3]), encoder)
    assert windows.shape == (1, 12, 2400)  # 10 s at 240 Hz
    with torch.inference_mode():
        expected = encoder.embed(windows)[0].numpy()
    found = table.filter(like="vector.").to_numpy()[3]
    np.testing.assert_allclose(found, expected, atol=1e-4 * expected.std())


def test_vectors_are_means_over_windows_of_the_standardized_recording(done: Path) -> None:
    table = pd.read_parquet(done / "ecg-fm.parquet")
    vectors = table.filter(like="vector.").to_numpy()
    assert len(table) == RECORDS
    encoder = ecglfm.load_encoder(done / "encoders/ecg-fm")
    windows = ecglfm.preprocess(ecglfm.read_record(done / table["record"][3]), encoder)
    assert windows.shape == (2, 12, 2500)
    whole = windows.transpose(0, 1).flatten(1)  # each lead over both windows
    torch.testing.assert_close(whole.mean(1), torch.zeros(12), atol=1e-5, rtol=0)
    torch.testing.assert_close(whole.std(1, correction=0), torch.ones(12), atol=1e-5, rtol=0)
    with torch.inference_mode():
        expected = encoder.embed(windows).mean(0).numpy()
    np.testing.assert_allclose(vectors[3], expected, atol=1e-4 * expected.std())
    assert vectors.std(axis=0).max() > 100 * 1e-4 * expected.std()  # others have other vectors


def test_a_finetuned_checkpoint_answers_for_each_label(done: Path) -> None:
    table = pd.read_csv(done / "predictions.csv")
    assert len(table) == RECORDS
    assert sum(column.startswith("probability.diagnosis ") for column in table) == 17
    assert set(table["threshold.diagnosis 3"]) == {0.5}


def test_the_probe_finds_what_lies_in_the_vectors(
    done: Path, repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is planted is in one of the numbers, so that a line tells it."""
    vectors = pd.read_parquet(done / "ecg-fm.parquet")
    planted = vectors["vector.0000"] > vectors["vector.0000"].median()
    pd.DataFrame(
        {
            "filename_hr": vectors["record"].str.removeprefix(f"{PATH}/"),
            "scp_codes": np.where(planted, "{'NORM': 100.0}", "{'IMI': 100.0}"),
            "strat_fold": np.where(np.arange(RECORDS) % 3 == 2, 10, 1),
        }
    ).to_csv(done / PATH / "ptbxl_database.csv", index=False)
    monkeypatch.chdir(done)
    (code,) = blocks(repository / PAGE, "python")
    exec(compile(code.text, PAGE, "exec"), {})
    area, count = re.fullmatch(r"AUROC (\S+) of (\d+) recordings\n", capsys.readouterr().out).groups()
    assert int(count) == RECORDS // 3
    assert float(area) >= 0.8
