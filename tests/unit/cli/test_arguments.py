"""Arguments that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
import pytest

from ecglfm.cli import build_parser
from ecglfm.cli.arguments import add_recordings, recordings_of, say_left_out
from ecglfm.config import UserError
from tests.unit.app.prediction.test_predict import write_wfdb


def test_the_first_recordings_without_an_answer_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    reasons = pd.Series(["header_missing: none", *["amplitude: 9 mV"] * 7, ""], [f"r{k}" for k in range(9)])
    assert say_left_out(reasons, "no vector") == 1
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == "no vector for 8 of 9: amplitude 7, header_missing 1"
    assert shown[1:3] == ["  r0: header_missing: none", "  r1: amplitude: 9 mV"]
    assert len(shown) == 7
    assert say_left_out(reasons[8:], "no vector") == 0


def test_recordings_are_named_by_files_or_by_a_database(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    add_recordings(parser)
    path = str(write_wfdb(tmp_path / "ecgs", "a"))
    found, reader = recordings_of(parser.parse_args([path, "--leads", "V2=V3", "V3=V2"]))
    assert [one.name for one in found] == [path]
    assert reader.read(path).leads[:6] == ("V6", "V5", "V4", "V2", "V3", "V1")  # the files' own order is V6 to I
    (tmp_path / "lab.yaml").write_text(f"kind: wfdb_folder\nroot: {tmp_path / 'ecgs'}\n")
    found, _ = recordings_of(parser.parse_args(["--source", str(tmp_path / "lab.yaml")]))
    assert [one.name for one in found] == ["lab/a"]
    for wrong in ([], [path, "--source", "x.yaml"]):
        with pytest.raises(UserError, match="one of the two"):
            recordings_of(parser.parse_args(wrong))
    with pytest.raises(UserError, match=r"two; --leads takes all that follows it: files and folders stand before it$"):
        recordings_of(parser.parse_args(["--leads", "V2=V3", path]))


@pytest.mark.parametrize(
    ("given", "option"),
    [
        (["predict", "--model", "a", "--model", "b", "--output", "c", "d"], "--model"),
        (["predict", "--ensemble", "a", "--output", "c", "d", "--ensemble", "b"], "--ensemble"),
        (["export", "--encoder", "a", "--output", "b", "--output", "b"], "--output"),
    ],
)
def test_an_option_that_is_given_twice_is_refused(
    given: list[str], option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Else the last would count, without a word."""
    with pytest.raises(SystemExit, match="2"):
        build_parser().parse_args(given)
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"ecglfm {given[0]}: error: argument {option}: is given twice, and only the last would count: give it once"
    )


def test_a_parser_may_be_asked_twice() -> None:
    parser, given = build_parser(), ["predict", "--model", "a", "--output", "c", "d", "e"]
    assert parser.parse_args(given).recordings == parser.parse_args(given).recordings == ["d", "e"]


def test_names_do_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]):
    say_left_out(pd.Series({"a\x1b[2J\nb": "signal_missing: c\x1b[31m.dat"}), "no vector")
    assert capsys.readouterr().out.splitlines()[1:] == [r"  a\x1b[2J\nb: signal_missing: c\x1b[31m.dat"]
