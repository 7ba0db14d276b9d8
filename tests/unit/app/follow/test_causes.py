"""Why a job would run: the root, key by key, and the way from there."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ecglfm.app.follow.causes import causes, show_causes
from ecglfm.app.follow.plan import Reason
from tests.unit.app.follow.planted import ENCODER, FIT, LR, MANIFEST, METRICS, SLICE, make, missing, plan, remade

EDITED = {SLICE: Reason(changes=LR), FIT: remade(SLICE), METRICS: remade(FIT)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_edited_key_is_the_root_of_all_that_follows() -> None:
    found = causes(plan(EDITED), METRICS)
    assert [(one.text, one.way) for one in found] == [("finetune.lr 0.001 -> 0.003", (SLICE, FIT, METRICS))]
    make(FIT, METRICS)
    assert show_causes(replace(plan(EDITED), asked=[METRICS])) == (
        "evaluate tiny/af/full-s0 would run again, because\n"
        "  finetune.lr 0.001 -> 0.003\n"
        "    in results/config/finetune/tiny.yaml; by way of finetune tiny/af/full-s0"
    )


def test_what_was_never_made_is_told_of_the_first_of_the_way() -> None:
    reasons = {place: missing(place) for place in (MANIFEST, ENCODER, FIT, METRICS)}
    assert [one.text for one in causes(plan(reasons), METRICS)] == ["manifest was never made, or is gone"]


def test_every_root_is_told_the_nearest_first() -> None:
    reasons = EDITED | {
        ENCODER: Reason(updated=("results/manifest/records.parquet",)),
        FIT: remade(SLICE, ENCODER),
        METRICS: Reason(remade=remade(FIT).remade, others=("another version of the workflow",)),
    }
    assert [one.text for one in causes(plan(reasons), METRICS)] == [
        "another version of the workflow",
        "finetune.lr 0.001 -> 0.003",
        "input results/manifest/records.parquet changed",
    ]


def test_a_job_that_runs_for_itself_is_no_cause_of_another() -> None:
    reasons = EDITED | {MANIFEST: Reason(others=("it is forced",))}
    assert [one.text for one in causes(plan(reasons), FIT)] == ["finetune.lr 0.001 -> 0.003"]


def test_many_jobs_are_told_by_cause() -> None:
    whole = plan(EDITED)
    many = replace(whole, jobs=[*whole.jobs, *[whole.jobs[METRICS]] * 4], asked=list(range(9)))
    assert show_causes(many) == (
        "6 jobs would run, because\n"
        "  finetune.lr 0.001 -> 0.003\n"
        "    in results/config/finetune/tiny.yaml; reruns finetune 1, evaluate 5"
    )


def test_nothing_to_do_is_said() -> None:
    assert show_causes(plan()) == "Nothing would run: all of it is up to date."
