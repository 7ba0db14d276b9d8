"""Keys of analyses that are targets of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.config import LeadSetsConfig, SerialConfig, UserError, parse
from tests.unit.config.projects import project_of


@pytest.mark.parametrize("leads", [["I", "V7"], ["I", "I"], []])
def test_a_lead_set_has_known_leads_each_once(leads: list[str]) -> None:
    with pytest.raises(UserError, match=r"mine: one lead or more, each once, out of I II III"):
        parse(LeadSetsConfig, {"sets": {"mine": leads}}, "config.yaml")


@pytest.mark.parametrize("gaps", [[30, 30], [30, 1]])
def test_gaps_between_recordings_grow(gaps: list[float]) -> None:
    with pytest.raises(UserError, match=r"serial.gaps: .*days that grow|gaps: .*days that grow"):
        parse(SerialConfig, {"gaps": gaps}, "config.yaml")


def test_the_time_of_a_source_is_that_of_its_kind(repository: Path) -> None:
    own = project_of(repository, serial={"time": {"ptbxl": "recording_date"}}, sources=["demo-ptbxl", "demo-mimic"])
    assert own.serial_slice().time == {"demo-ptbxl": "recording_date"}
    assert own.serial_slice().gaps == [1, 30, 365]
