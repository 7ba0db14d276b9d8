"""The table of where everything stands, in folders made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.app.follow.plan import Reason
from ecglfm.app.follow.standing import Workings, standings
from ecglfm.app.follow.status import show_status
from ecglfm.app.follow.workings import Failure, Started
from tests.unit.app.follow.planted import (
    ENCODER,
    FIT,
    LR,
    METRICS,
    NOW,
    OUTPUT,
    SLICE,
    WAITING,
    half_way,
    make,
    missing,
    plan,
    remade,
)

pytestmark = pytest.mark.usefixtures("folder")


def _table(reasons: dict[int, Reason], known: Workings) -> str:
    whole = plan(reasons)
    return show_status(whole.results, standings(whole, known, NOW), known)


def test_a_finished_project() -> None:
    make(ENCODER, FIT, METRICS)
    assert _table({}, Workings()) == (
        "results: 4 of 4 jobs done; Snakemake does not run here\n\n"
        "manifest  done\npretrain  done\nfinetune  done\nevaluate  done"
    )


def test_a_training_that_runs() -> None:
    half_way(ago=30)
    known = Workings(started={OUTPUT[ENCODER]: Started(None, NOW - 3600)}, process=77, locked=True)
    assert _table(WAITING, known) == (
        "results: 1 of 4 jobs done; Snakemake runs here, process 77\n\n"
        "manifest  done\n"
        "pretrain  running  tiny: step 120 of 200, loss 4.310, 85 segments/s, 9 min 30 s left, until about 16:09"
        " (since 15:00)\n"
        "                     log: results/logs/pretrain/tiny.log\n"
        "finetune  waiting  tiny/af/full-s0: after pretrain tiny\n"
        "evaluate  waiting  tiny/af/full-s0: after pretrain tiny"
    )


def test_a_training_that_was_killed() -> None:
    half_way()
    known = Workings(started={OUTPUT[ENCODER]: Started(None, NOW - 3600)}, locked=True)
    table = _table(WAITING, known)
    assert "pretrain  stopped  tiny: at step 120 of 200, loss 4.310, 85 segments/s; begun 15:00; no Snakemake" in table
    assert "finetune  waiting  tiny/af/full-s0: after pretrain tiny, which was stopped" in table
    assert "snakemake --unlock" in table
    at = "at step 120 of 200, loss 4.310, 85 segments/s"
    ended = standings(plan(WAITING), Workings(), NOW)[1]  # Snakemake saw its end
    assert (ended.state, ended.detail) == ("stopped", f"{at}; a rerun begins anew: it had saved no checkpoint yet")
    (Path(OUTPUT[ENCODER]).parent / "checkpoints/step-00000100").mkdir(parents=True)
    ended = standings(plan(WAITING), Workings(), NOW)[1]
    assert (ended.state, ended.detail) == (
        "stopped", f"{at}; a rerun goes on from its newest checkpoint",
    )  # fmt: skip


def test_a_job_that_failed_says_why_and_what_waits_for_it() -> None:
    make(ENCODER)
    log = Path("results/logs/finetune/tiny/af/full-s0.log")
    log.parent.mkdir(parents=True)
    log.write_text("INFO epoch 1\necglfm finetune: error: the training loss is nan; lower `finetune.lr`\n")
    reasons = {FIT: missing(FIT), METRICS: missing(METRICS)}
    table = _table(reasons, Workings(failed={OUTPUT[FIT]: Failure(NOW, str(log))}))
    assert table == (
        "results: 2 of 4 jobs done; Snakemake does not run here\n\n"
        "manifest  done\npretrain  done\n"
        "finetune  failed   tiny/af/full-s0: ecglfm finetune: error: the training loss is nan; lower `finetune.lr`\n"
        f"                     log: {log}\n"
        "evaluate  waiting  tiny/af/full-s0: after finetune tiny/af/full-s0, which failed\n\n"
        "The same snakemake command goes on where this ended"
    )


def test_a_failure_of_before_the_files_were_made_is_over() -> None:
    make(ENCODER, FIT, METRICS)
    reasons = {SLICE: Reason(changes=LR), FIT: remade(SLICE), METRICS: remade(FIT)}
    table = _table(reasons, Workings(failed={OUTPUT[FIT]: Failure(1000.0, None)}))
    assert "finetune  stale    tiny/af/full-s0: finetune.lr 0.001 -> 0.003" in table
    assert "evaluate  stale    tiny/af/full-s0: finetune.lr 0.001 -> 0.003" in table


def test_files_that_nothing_needs_any_more_are_no_work() -> None:
    make(FIT, METRICS)
    table = _table({}, Workings())
    assert "4 of 4 jobs done" in table
    assert "pretrain  removed  not needed, its files are gone" in table
