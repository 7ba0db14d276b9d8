"""`ecglfm predict`, as a shell calls it: what it prints, and mistakes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from ecglfm.cli import main
from ecglfm.cli.prediction import _say_abstained, _say_answers
from tests.unit.app.prediction.test_predict import make_model, predict, write_wfdb


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_model(tmp_path / "model")


def test_few_recordings_are_answered_on_the_console(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_wfdb(tmp_path / "ecgs", "a")
    assert main(["predict", "--model", str(model), str(path), "--output", str(tmp_path / "p.csv")]) == 0
    (row,) = pd.read_csv(tmp_path / "p.csv").to_dict("records")
    said = [
        f"{name} {row[f'probability.{name}']:.2f} {'yes' if row[f'decision.{name}'] else 'no'}"
        for name in ("AF", "LBBB")
    ]
    assert capsys.readouterr().out.splitlines() == [f"{path}: {', '.join(said)}", f"{tmp_path / 'p.csv'}: 1 recording"]


def test_the_first_recordings_without_an_answer_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.DataFrame({"record": [f"r{k}" for k in range(9)], "abstained": True, "reason": "amplitude: 9 mV"})
    table.loc[8, ["abstained", "reason"]] = [False, ""]
    table.loc[0, "reason"] = "header_missing: none"
    assert _say_abstained(table) == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "no answer for 8 of 9: amplitude 7, header_missing 1"
    assert shown[1:3] == ["  r0: header_missing: none", "  r1: amplitude: 9 mV"]
    assert len(shown) == 7
    assert _say_abstained(table[8:]) == 0


def test_what_is_not_decided_is_told_and_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"record": "r0", "probability.AF": 0.25, "threshold.AF": 0.2, "decision.AF": None, "set.AF": None}
    table = pd.DataFrame([row | {"abstained": True, "reason": "quality: swapped_leads"}])
    _say_answers(table)
    assert _say_abstained(table) == 0
    told = "not decided: 1 of 1, unlike those of the training; the table has the `reason`"
    assert capsys.readouterr().out.splitlines() == ["r0: AF 0.25 (not decided: quality: swapped_leads)", told]


def test_a_risk_is_no_probability(capsys: pytest.CaptureFixture[str]) -> None:
    _say_answers(pd.DataFrame([{"record": "r0", "risk.HF": 1.616, "flags": "", "abstained": False, "reason": ""}]))
    assert capsys.readouterr().out == "r0: HF 1.62 (log hazard ratio)\n"
    row = {"record": "r0", "risk.HF": 1.616, "within_1.HF": 0.123, "within_5.HF": 0.4}
    _say_answers(pd.DataFrame([row | {"flags": "", "abstained": False, "reason": ""}]))
    assert capsys.readouterr().out == "r0: HF 1.62 (log hazard ratio, 12 % within 1, 40 % within 5)\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "{model}", "{none}", "--output", "p.csv"], "none: no such file or folder"),
        (["--model", "{model}", "{empty}", "--output", "p.csv"], "empty: no recording in it; looked for *.hea, *.xml"),
        (["--model", "{model}", "--output", "p.csv"], "name files or folders, or a database with --source"),
        (["--model", "{model}", "{record}", "--output", "p.xlsx"], "write one of *.csv, *.parquet, *.json"),
        (["--model", "{empty}", "{record}", "--output", "p.csv"], "model.json: no such file"),
        (["{record}", "--ensemble", "{model}", "{other}", "--output", "p.csv"], "other: its labels are not those of"),
        (["--model", "{model}", "{record}", "--leads", "C1", "--output", "p.csv"], "--leads C1: write THEIRS=OURS"),
    ],
)
def test_mistakes_are_one_sentence(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
):
    (tmp_path / "empty").mkdir()
    places = {"model": model, "none": tmp_path / "none", "empty": tmp_path / "empty",
              "record": write_wfdb(tmp_path / "ecgs", "a"),
              "other": make_model(tmp_path / "other", labels=["AF", "SB"])}  # fmt: skip
    filled = [str(tmp_path / text) if text.startswith("p.") else text.format(**places) for text in arguments]
    assert predict(*filled) == 1
    shown = capsys.readouterr().err
    assert message in shown
    assert len(shown.splitlines()) == 1
    assert not list(tmp_path.glob("p.*"))
