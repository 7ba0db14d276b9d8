"""Verifications in the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.report.report import run_report
from ecglfm.evaluation.verification.rates import MEASURES
from ecglfm.provenance import write_json
from tests.unit.evaluation.report.pages_read import words


@pytest.mark.usefixtures("quick")
def test_verifications_stand_in_one_table(results: Path) -> None:
    """One encoder with its numbers, one that was not run, one that nobody asked for."""
    overall = {name: {"value": None, "ci_low": None, "ci_high": None, "reason": "few"} for name in MEASURES}
    overall |= {"eer": {"value": 0.1234, "ci_low": 0.1, "ci_high": 0.2}}
    pretraining = {"seen": 0, "patients": 0, "records": 0, "sources": [], "reason": "random weights: no pretraining"}
    metrics = {
        "weights": "random", "overall": overall, "sources": {"a": overall}, "centring": {"centred": True},
        "n": {"records": 12, "patients": 2, "patients_with_several": 1, "genuine": {"scored": 55, "possible": 55},
              "impostor": {"scored": 10, "possible": 11}},
        "leakage": {"audit": None, "clean": False, "pretraining": pretraining},
    }  # fmt: skip
    for encoder in ("random", "other"):
        write_json(results / f"verify/{encoder}/who/metrics.json", metrics)
    run_report(results, results / "report.html", verified=["random/who", "absent/who"])
    seen = words((results / "report.html").read_text())
    assert (
        "random random weights angles from the mean of training vectors 12 2 patients, 1 with several 55 10 of 11 – few "
        "0.123 0.100 – 0.200 – few – few" in seen
    )
    assert "Leakage not excluded" in seen
    assert "absent has not been verified on who." in seen
    assert "other random weights" not in seen
    with pytest.raises(UserError, match="--verified who: expected encoder/task"):
        run_report(results, results / "report.html", verified=["who"])
