"""`ecglfm embed`, as a shell and as Snakemake call it: what is written and printed, and mistakes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ecglfm.cli import main
from tests.unit.app.prediction.test_predict import make_model, write_wfdb
from tests.unit.training.finetuning.test_finetune import make_data


def embed(*arguments: object) -> int:
    return main(["embed", *map(str, arguments)])


def test_files_are_written_whole_and_what_has_no_vector_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, path = make_model(tmp_path / "model"), write_wfdb(tmp_path / "ecgs", "a")
    assert embed(path, "--encoder", model, "--output", tmp_path / "v.csv") == 0
    assert capsys.readouterr().out == (
        f"{tmp_path / 'v.csv'}: 1 recording, vectors of 16 numbers\n"
        "vectors may tell who somebody is, which `snakemake verify_all` measures; see docs/deidentify.md before sharing them\n"
    )
    (tmp_path / "notes.txt").write_text("not an ECG")
    assert embed(path, tmp_path / "notes.txt", "--encoder", model, "--output", tmp_path / "v.parquet") == 1
    assert "no vector for 1 of 2: format_unknown 1" in capsys.readouterr().out
    csv, parquet = pd.read_csv(tmp_path / "v.csv"), pd.read_parquet(tmp_path / "v.parquet")
    assert parquet["record"].tolist() == [str(path), str(tmp_path / "notes.txt")]
    np.testing.assert_array_equal(
        csv.filter(like="vector.").to_numpy(np.float32)[0], parquet.filter(like="vector.").to_numpy()[0]
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{record}", "--output", "v.npy"], "the ending says the format; write *.csv or *.parquet"),
        (["--output", "v.csv"], "name files or folders, or a database with --source YAML"),
        (["{record}", "--prepared", "{table}", "--output", "v.parquet"], "--prepared stands for files, folders"),
        (
            ["--prepared", "{table}", "--output", "v.parquet", "--precision", "bf16"],
            "these vectors, which are all of fp32",
        ),
        (["--prepared", "{table}", "--output", "v.parquet", "--compile"], "leave --precision and --compile out"),
        (["--prepared", "{table}", "--output", "v.csv"], "with --prepared it is a table *.parquet"),
        (
            ["--prepared", "{none}", "--output", "v.parquet"],
            "none: 0 of the shards are there; run the stage preprocess",
        ),
        (["{record}", "--shards", "2", "--output", "v.parquet"], "--shards goes with --prepared"),
        (["--prepared", "{table}", "--output", "v.parquet"], "000.npy: holds leads (3 without names) at 100 Hz"),
        (["--prepared", "{swapped}", "--output", "v.parquet"], "000.npy: the SHA-256 of s/000's samples is"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    model = make_model(tmp_path / "model")
    tables = {}
    for name in ("table", "swapped"):
        data = make_data(tmp_path / name)
        (data / "preprocess/s").rename(data / f"preprocess/{name}")
        records = pd.read_parquet(data / "records.parquet").drop(columns="split").assign(source=name)
        if name == "swapped":
            records.loc[0, "sha256"] = "0" * 64
        tables[name] = data / f"preprocess/{name}"
        records.to_parquet(tables[name] / "000.parquet")
    places = {"none": tmp_path / "preprocess/none", "record": write_wfdb(tmp_path / "ecgs", "a"), **tables}
    filled = [str(tmp_path / text) if text.startswith("v.") else text.format(**places) for text in arguments]
    assert embed("--encoder", model, *filled) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1
    assert not list(tmp_path.glob("v.*"))
