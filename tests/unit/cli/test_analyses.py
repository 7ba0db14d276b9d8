"""Commands of analyses, as their rules write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml

from ecglfm.cli import main
from tests.unit.evaluation.confounders.planted import CONFIG, EVALUATION, write_site
from tests.unit.evaluation.serial.test_serial import config, write_results


def test_confounders_of_an_encoder_and_of_a_model_come_on_one_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    write_site(results, marked=True)
    (results / "config").mkdir()
    config = CONFIG.model_copy(update={"variables": ["site"]})
    (results / "config/confounders.yaml").write_text(yaml.safe_dump(config.model_dump()))
    evaluate = {"evaluate": EVALUATION.model_dump()}
    (results / "config/evaluate.yaml").write_text(yaml.safe_dump(evaluate))
    told = "confounders --config results/config/confounders.yaml --evaluation results/config/evaluate.yaml"
    told += (
        " --manifest results/manifest/records.parquet --index results/index/clinic.parquet --ingested results/ingest"
    )
    folder = "results/confounders/tiny"
    vectors = f"{told} --vectors results/embed/tiny/clinic.parquet --output {folder}/embedding.json"
    assert main(vectors.split()) == 0
    model = f"{told} --evaluated results/evaluate/tiny/af/full-s0 --output {folder}/af/full-s0/metrics.json"
    assert main(model.split()) == 1
    assert "--evaluated needs --labels" in capsys.readouterr().err
    assert main(f"{model} --labels results/labels/af.parquet".split()) == 0
    page = "confounders-page --results results --encoders tiny --include tiny/af/full-s0"
    assert main(page.split()) == 0
    table = pd.read_csv(results / "confounders/confounders.csv").set_index(["question", "variable", "metric"])
    assert table.loc[("predicted from vectors", "site", "auroc"), "value"] > 0.95
    assert table.loc[("within strata", "site", "auroc"), "value"] == pytest.approx(0.5, abs=0.1)
    assert (results / "confounders/index.html").is_file()


def test_serial_writes_numbers_picture_and_page(tmp_path: Path) -> None:
    write_results(tmp_path)
    (tmp_path / "serial.yaml").write_text(yaml.safe_dump(config(bootstrap=20).model_dump()))
    given = ["--config", str(tmp_path / "serial.yaml"), "--results", str(tmp_path)]
    assert main(["serial", *given, "--include", "e/t/full-s0", "--encoders", "e"]) == 0
    made = {path.name for path in (tmp_path / "serial").iterdir()}
    assert made == {"serial.json", "serial.csv", "serial.png", "index.html"}
