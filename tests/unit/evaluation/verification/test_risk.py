"""The sentence that goes with vectors, from numbers that are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ecglfm.evaluation.verification import sharing_risks
from ecglfm.evaluation.verification.risk import sharing_risk


def metrics(**eer: Any) -> dict[str, Any]:
    return {
        "encoder": "tiny", "task": "who", "overall": {"eer": eer}, "n": {"patients_with_several": 112},
        "bootstrap": {"confidence": 0.9},
    }  # fmt: skip


def test_the_rate_is_told_with_its_interval() -> None:
    assert sharing_risk(metrics(value=0.25356, ci_low=0.2175, ci_high=0.2897)) == (
        "tiny's vectors tell one person's recordings from two people's with an equal error rate of 25.4%, 90 % interval 21.8% "
        "to 29.0%, 50 % being chance (who, 112 people): they are personal data; see docs/deidentify.md before sharing them"
    )
    assert "of 25.4%, 50 % being chance" in sharing_risk(
        metrics(value=0.25356, ci_low=None, ci_high=None, reason="few")
    )
    assert "is not known (no pairs); see docs" in sharing_risk(metrics(value=None, reason="no pairs"))


def test_it_is_found_beside_the_encoder(tmp_path: Path) -> None:
    encoder = tmp_path / "pretrain" / "tiny"
    encoder.mkdir(parents=True)
    assert "`snakemake verify_all` measures" in sharing_risks(encoder)[0]
    for task, value in (("a", 0.1), ("b", 0.2)):
        folder = tmp_path / "verify" / "tiny" / task
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text(json.dumps(metrics(value=value, ci_low=None, ci_high=None)))
    assert [line.split("rate of ")[1][:5] for line in sharing_risks(encoder / "encoder.json")] == ["10.0%", "20.0%"]
