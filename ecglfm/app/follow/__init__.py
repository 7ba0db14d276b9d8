"""Where a project stands: what is done, what runs and how far, what would run again and why."""

from __future__ import annotations

from ecglfm.app.follow.causes import show_causes
from ecglfm.app.follow.plan import make_plan, parse_config
from ecglfm.app.follow.standing import read_workings, standings
from ecglfm.app.follow.status import show_status
from ecglfm.app.follow.trainings import Teller, holders
from ecglfm.app.follow.workings import locked

__all__ = [
    "Teller",
    "holders",
    "locked",
    "make_plan",
    "parse_config",
    "read_workings",
    "show_causes",
    "show_status",
    "standings",
]
