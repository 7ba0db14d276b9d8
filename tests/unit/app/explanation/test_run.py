"""`ecglfm explain` from the command line: a picture, a page, numbers, or a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ecglfm
from ecglfm.cli import main
from ecglfm.config import LEADS
from tests.unit.app.prediction.test_predict import make_model, own_answer, write_wfdb


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("explain")
    return make_model(folder / "model"), write_wfdb(folder / "ecgs", "a", seconds=4.5)


def explain(files: tuple[Path, Path], output: Path, *arguments: str) -> int:
    model, record = files
    return main(["explain", "--model", str(model), str(record), "--output", str(output), *arguments])


def test_numbers_are_those_of_the_model(files: tuple[Path, Path], tmp_path: Path):
    output = tmp_path / "why.json"
    assert explain(files, output, "--label", "LBBB") == 0
    content = json.loads(output.read_text())
    values = np.array([content["attribution"][lead] for lead in LEADS])
    assert values.shape == (12, 2250)
    assert np.abs(values[:, 2000:]).max() == 0  # two windows of 2 s
    difference = content["score"] - content["flat_line"]
    assert abs(values.sum() - difference) < 0.02 * max(abs(difference), 0.05)
    assert content["answer"]["probability.LBBB"] == pytest.approx(own_answer(*files)[1], abs=1e-6)
    model = ecglfm.load_model(files[0])
    windows = ecglfm.preprocess(ecglfm.read_record(files[1]), model)
    assert content["score"] == pytest.approx(float(model(windows)[:, 1].mean()), abs=1e-4)


def test_picture_and_page(files: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert explain(files, tmp_path / "why.png", "--label", "AF") == 0
    assert (tmp_path / "why.png").stat().st_size > 50_000
    assert "explained: log odds of AF" in capsys.readouterr().out
    assert explain(files, tmp_path / "why.html", "--label", "AF", "--layout", "6x2") == 0
    text = (tmp_path / "why.html").read_text()
    assert "By lead" in text
    assert "By part of the beat" in text
    assert "Why AF: a" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("--label", "MI"), "--label MI: the model has AF, LBBB"),
     (("--label", "AF", "--start", "9"), "--start 9: the prepared recording lasts 4.5 s")],
)  # fmt: skip
def test_a_mistake_is_a_sentence(
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
):
    assert explain(files, tmp_path / "why.png", *arguments) == 1
    assert message in capsys.readouterr().err
    assert explain(files, tmp_path / "why.doc", "--label", "AF") == 1
    assert "write one of .png" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
