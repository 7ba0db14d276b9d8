"""Keys of analyses that are targets of their own."""

from __future__ import annotations

import pytest

from ecglfm.config import LeadSetsConfig, UserError, parse


@pytest.mark.parametrize("leads", [["I", "V7"], ["I", "I"], []])
def test_a_lead_set_has_known_leads_each_once(leads: list[str]) -> None:
    with pytest.raises(UserError, match=r"mine: one lead or more, each once, out of I II III"):
        parse(LeadSetsConfig, {"sets": {"mine": leads}}, "config.yaml")
