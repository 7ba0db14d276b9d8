"""Which models of a results folder are written about, and what stands in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.methods import write_methods
from ecglfm.evaluation.methods.run import find_run
from ecglfm.provenance import write_json


def test_models_are_all_or_those_that_are_named(tmp_path: Path) -> None:
    for model in ("tiny/af/full-s0", "tiny/af/linear-s0", "base/af/full-s0", "base/mi/full-s0"):
        write_json(tmp_path / f"evaluate/{model}/metrics.json", {})
    assert [fit.path for fit in find_run(tmp_path).fits] == [
        "base/af/full-s0", "base/mi/full-s0", "tiny/af/full-s0", "tiny/af/linear-s0",
    ]  # fmt: skip
    run = find_run(tmp_path, tasks=["af"], fits=["full-s0"])
    assert [fit.path for fit in run.fits] == ["base/af/full-s0", "tiny/af/full-s0"]
    assert (run.encoders, run.tasks) == (["base", "tiny"], ["af"])
    with pytest.raises(UserError, match="^--task mi: evaluated, but not with the other options$"):
        find_run(tmp_path, encoders=["tiny"], tasks=["mi"])


def test_mistakes_are_one_line(results: Path, tmp_path: Path) -> None:
    output = tmp_path / "methods.md"
    with pytest.raises(UserError, match=r"^--results .*none: no such folder$"):
        write_methods(tmp_path / "none", output)
    with pytest.raises(UserError, match="no model was evaluated; `snakemake evaluate_all` does so"):
        write_methods(tmp_path, output)
    with pytest.raises(UserError, match="^--task sleep: not among those evaluated: super$"):
        write_methods(results, output, tasks=["sleep"])
    (results / "evaluate/tiny/super/full-s0/metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json: cannot be read"):
        write_methods(results, output)
    assert not output.exists()
