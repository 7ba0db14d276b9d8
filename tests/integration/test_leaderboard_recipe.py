"""The real leaderboard is planned: every published encoder beside the controls, on ten label sets in three modes."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.integration.conftest import make_clone
from tests.unit.config.stub_encoders import stub_encoders

pytestmark = pytest.mark.slow

RECIPE = "config/recipes/leaderboard.yaml"


def test_the_real_leaderboard_is_planned(repository: Path, tmp_path: Path) -> None:
    clone = make_clone(repository, tmp_path / "clone")
    published = stub_encoders(repository / "config", clone.root)
    recipe = yaml.safe_load((repository / RECIPE).read_text())
    assert {"random-small", "statistics", "s4", "xresnet1d101", "ecgfounder", "ecg-fm"} <= set(recipe["encoders"])
    assert len(set(recipe["encoders"]) & set(published)) == 10
    roots = {source: f"data/{source}" for source in recipe["sources"]}
    for root in roots.values():
        (clone.root / root).mkdir(parents=True)  # whose tables are then to come
    given = ", ".join(f"{source}: {root}" for source, root in roots.items())
    planned = clone.planned(
        "leaderboard", "--configfile", RECIPE, "--config", f"roots={{{given}}}", "finetune={seeds: [0]}"
    )
    fits = len(recipe["tasks"]) * (3 * len(recipe["encoders"]) - 1)  # of statistics none in mode full
    assert planned["finetune_model"] == planned["evaluate_model"] == fits == 410
    assert (planned["compare_task"], planned["leaderboard_encoder"], planned["leaderboard"]) == (10, 14, 1)
    assert planned["label_task"] == 10
