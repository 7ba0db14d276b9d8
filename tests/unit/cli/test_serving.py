"""`register` finds the MLflow store of the results folder that a model lies in, or asks for one."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.app import serving
from ecglfm.app.serving.registry import Registered
from ecglfm.cli import main


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    seen: list[tuple] = []

    def register_model(folder: Path, tracking: object, *, name: str | None, at: list[float]) -> Registered:
        seen.append((folder, tracking.uri, name, at))
        return Registered(name or "n", "3", tracking.uri, new=name is None)

    monkeypatch.setattr(serving, "register_model", register_model)
    return seen


def test_the_nearest_results_folder(tmp_path: Path, asked: list[tuple], capsys: pytest.CaptureFixture[str]):
    for folder in (tmp_path, tmp_path / "results"):
        (folder / "config").mkdir(parents=True)
        (folder / "config/tracking.yaml").write_text(f"uri: {folder.name}\nartifacts: a\nenabled: true\n")
    model = tmp_path / "results/finetune/tiny/t/full-s0"
    assert main(["register", "--model", str(model)]) == 0
    other = tmp_path / "config/tracking.yaml"
    assert main(["register", "--model", str(model), "--name", "mine", "--tracking", str(other), "--at", "1", "5"]) == 0
    assert asked == [(model, "results", None, []), (model, tmp_path.name, "mine", [1.0, 5.0])]
    assert capsys.readouterr().out.splitlines() == [
        "models:/n/3 registered in results",
        f"models:/mine/3 was registered before in {tmp_path.name}",
    ]


def test_a_model_in_no_results_folder(tmp_path: Path, asked: list[tuple], capsys: pytest.CaptureFixture[str]):
    assert main(["register", "--model", str(tmp_path)]) == 1
    assert "lies in no results folder; say --tracking config/tracking.yaml" in capsys.readouterr().err
    assert asked == []
