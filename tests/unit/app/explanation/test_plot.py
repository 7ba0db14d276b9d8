"""`ecglfm plot` from the command line: pictures and a page, with a model's answer, or a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ecglfm.cli import main
from tests.unit.app.prediction.test_predict import make_model, own_answer


def test_a_genuine_recording_as_page_and_picture(real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    record = real_data / "ptb-xl/records500/00000/00001_hr"
    model = make_model(tmp_path / "model")
    page = tmp_path / "ecg.html"
    assert main(["plot", str(record), "--model", str(model), "--output", str(page)]) == 0
    text = page.read_text()
    assert text.count("<svg") == 1
    (width,) = re.findall(r'<svg[^>]* width="([\d.]+)pt"', text)
    assert float(width) / 72 * 25.4 == pytest.approx(280, abs=0.01)  # prints to scale
    af, lbbb = own_answer(model, record)
    said = capsys.readouterr().out
    for label, probability, threshold in (("AF", af, 0.4), ("LBBB", lbbb, 0.6)):
        answer = f"{label} {probability:.2f} {'yes' if probability >= threshold else 'no'}"
        assert answer in text
        assert answer in said
    first = page.read_bytes()
    assert main(["plot", str(record), "--model", str(model), "--output", str(page)]) == 0
    assert page.read_bytes() == first
    assert main(["plot", str(record), "--layout", "cabrera", "--output", str(tmp_path / "ecg.png")]) == 0
    assert (tmp_path / "ecg.png").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--output", "{}/a.doc"], "unknown kind of picture; write one of .png, .pdf, .svg"),
     (["--output", "{}/a.png", "--start", "10"], "the recording lasts 10 s"),
     (["--output", "{}/a.png", "--lead", "V9"], "lead V9: not in the recording"),
     (["--output", "{}/a.png", "--model", "{}"], "model.json: no such file")],
)  # fmt: skip
def test_a_mistake_is_a_sentence(
    real_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
):
    record = real_data / "ptb-xl/records500/00000/00001_hr"
    assert main(["plot", str(record), *(a.format(tmp_path) for a in arguments)]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
