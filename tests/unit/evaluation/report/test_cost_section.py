"""What stages took, added by hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ecglfm.config import UserError
from ecglfm.evaluation.report.cost_section import cost_section
from ecglfm.metering import current
from ecglfm.provenance import write_text
from tests.unit.evaluation.report.pages_read import page_of, words


def line(command: str, status: int, seconds: float, **more: object) -> str:
    usual = {"processor_seconds": 2 * seconds, "memory_mb": 500.0, "gpus": [], "gpu_joules": None,
             "processor_joules": None}  # fmt: skip
    return json.dumps({"command": command, "status": status, "seconds": seconds} | usual | more)


@pytest.fixture
def spent(tmp_path: Path) -> Path:
    gpu = {"gpus": ["H200"], "gpu_joules": 1.8e6, "processor_joules": 3.6e5}
    # made once, made anew after a config change, which was stopped and then went on
    attempts = [line("pretrain", 0, 9e9), line("pretrain", 75, 1800, **gpu), line("pretrain", 0, 5400, **gpu)]
    write_text(tmp_path / "logs/pretrain/tiny.log.cost", "\n".join(attempts) + "\n")
    write_text(tmp_path / "logs/pretrain/tiny.log.cost.1", line("pretrain", 0, 5400, memory_mb=900.0, **gpu) + "\n")
    write_text(tmp_path / "logs/pretrain/my.log.costly.log", "no cost")
    for shard in range(2):
        write_text(tmp_path / f"logs/ingest/alpha/00{shard}.log.cost", line("ingest", 0, 30) + "\n")
    write_text(
        tmp_path / "pretrain/tiny/history.csv", "step,split,segments_per_second\n1,train,10\n2,train,30\n2,valid,\n"
    )
    return tmp_path


def test_attempts_since_the_last_success_count(spent: Path):
    ingest, pretrain = cost_section(spent)
    assert (ingest["command"], ingest["jobs"], ingest["attempts"], ingest["seconds"]) == ("ingest", 2, 2, 60)
    assert (ingest["gpu_kwh"], ingest["processor_kwh"], ingest["gpu_hours"]) == (None, None, 0)
    assert (pretrain["jobs"], pretrain["attempts"], pretrain["seconds"]) == (1, 2, 7200)
    assert pretrain["processor_seconds"] == 2 * (1800 + 5400 + 5400)
    assert pretrain["gpu_hours"] == pytest.approx(0.5 + 1.5 + 1.5)  # of two ranks
    assert pretrain["gpu_kwh"] == pytest.approx(3 * 0.5)
    assert pretrain["processor_kwh"] == pytest.approx(2 * 0.1)  # of one machine
    assert (pretrain["memory_mb"], pretrain["segments_per_second"]) == (900.0, 20.0)
    assert current([]) == []


def test_the_report_shows_it(spent: Path):
    seen = words(page_of(spent))
    assert "ingest 2 60 s 2.0 min 0.5 GB no GPU no GPU no meter –" in seen
    assert "pretrain 1 2 attempts 2.0 h 7.0 h 0.9 GB 3.5 H200 1.5 0.2 20 segments/s" in seen
    write_text(spent / "logs/ingest/alpha/000.log.cost", "{")
    with pytest.raises(UserError, match=r"000\.log\.cost: not lines of JSON"):
        page_of(spent)
