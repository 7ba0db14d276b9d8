"""What the console says of trainings: nothing of short ones, of long ones a line now and then."""

from __future__ import annotations

from pathlib import Path

from ecglfm.app.follow.trainings import Teller, trainings
from ecglfm.progress import Progress, write_progress


def _write(folder: Path, text: str, written: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_progress(folder, Progress(text, 70.0, at_most=False, written=written))


def test_long_trainings_have_a_line_now_and_then(tmp_path: Path) -> None:
    _write(tmp_path / "pretrain/old", "step 3 of 9", 999.0)  # killed before this run began
    teller, told = Teller(tmp_path, 1000.0), {}
    for now in range(1000, 3000, 10):
        _write(tmp_path / "pretrain/tiny", f"step {now - 1000} of 5000, loss 4.310, 85 segments/s", now)
        if now < 1020:
            _write(tmp_path / "finetune/tiny/af/full-s0", "batch 2 of 9 (epoch 1 of 3)", now)
        for line in teller.lines(float(now)):
            told[now - 1000] = line
    # 30 s after it was seen, then after as long as it has run, and never more than ten minutes later.
    assert list(told) == [30, 60, 120, 240, 480, 960, 1560]
    assert told[120] == "pretrain tiny: step 120 of 5000, loss 4.310, 85 segments/s, 1 min 10 s left"


def test_what_has_not_moved_is_not_said_again(tmp_path: Path) -> None:
    teller = Teller(tmp_path, 1000.0)
    _write(tmp_path / "finetune/tiny/af/full-s0", "batch 2 of 9", 1001.0)
    said = [teller.lines(float(now)) for now in range(1000, 2000, 10)]
    assert [lines for lines in said if lines] == [["finetune tiny/af/full-s0: batch 2 of 9, 1 min 10 s left"]]


def test_names_are_those_of_the_stages(tmp_path: Path) -> None:
    _write(tmp_path / "pretrain/tiny", "a", 1.0)
    _write(tmp_path / "finetune/tiny/af/full-s0", "b", 1.0)
    _write(tmp_path / "evaluate/tiny", "c", 1.0)
    assert [name for name, _ in trainings(tmp_path)] == ["pretrain tiny", "finetune tiny/af/full-s0"]
