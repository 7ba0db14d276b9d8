"""The page of a bundle says what the sums by hand say, whatever the model is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ecglfm.app.handover.readme import readme
from ecglfm.config import LEADS, PreprocessConfig
from ecglfm.models.calibration import Calibration
from ecglfm.models.encoders import make_encoder
from ecglfm.models.heads import ECGModel
from tests.unit.app.handover.test_running import CASES, graphs
from tests.unit.architectures import architecture


@pytest.mark.parametrize(("kind", "aggregate", "temperature", "expected"), CASES)
def test_a_recording_by_its_windows(
    tmp_path: Path, kind: str, aggregate: str, temperature: list[float] | None, expected: list[float],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
):  # fmt: skip
    shape = architecture(kind="convnet", dim=16, kernel=5, expansion=2, blocks=[1], stem=[8], downsample=5)
    model = ECGModel(make_encoder(shape, list(LEADS), 500, PreprocessConfig(), 2.0), ["a", "b"], "full", kind)
    model.aggregate = aggregate
    model.calibration = temperature and Calibration(np.array(temperature), exclusive=kind == "multiclass")
    page = readme(model, title="t", rate=500.0, card=True)
    assert len(page.splitlines()) <= 30
    graphs(tmp_path, "predictions" if kind == "regression" else "probabilities")
    about = {"label_names": ["a", "b"], "temperature": temperature, "thresholds": [0.45, 0.45]}
    (tmp_path / "bundle.json").write_text(json.dumps({"model": about}))
    example = {"signal": np.arange(24.0).reshape(12, 2).tolist(), "outputs": expected}
    (tmp_path / "example.json").write_text(json.dumps(example))
    monkeypatch.chdir(tmp_path)
    exec(compile(page.split("```python\n")[1].split("```")[0], "README.md", "exec"), {})
    decisions = [f" {'yes' if value >= 0.45 else 'no'}" for value in expected] if kind != "regression" else ["", ""]
    assert capsys.readouterr().out.splitlines() == [
        f"{label} {round(value, 4)}{decision}" for label, value, decision in zip("ab", expected, decisions, strict=True)
    ]
