"""What a running training brings to MLflow, and what it does where MLflow fails: one warning, and again from the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecglfm.tracking import mirror
from ecglfm.tracking.journal import Content, Journal
from tests.unit.tracking.places import tracking


class Target:
    """Keeps what it is brought; out of reach as often as is said."""

    failures = 0
    brought: list[dict[tuple[str, int], float]]

    def __init__(self, store: object, content: Content, results: Path) -> None:
        self.store = self

    def check(self) -> None:
        """The store is there."""

    def bring(self, content: Content) -> None:
        if Target.failures:
            Target.failures -= 1
            raise ConnectionError("http://user:secret@host refused\nsecond line")
        Target.brought.append({at: value for at, (value, _) in content.metrics.items()})


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setattr(mirror, "import_mlflow", lambda: None)
    monkeypatch.setattr(mirror, "Store", lambda _: None)
    monkeypatch.setattr(mirror, "Target", Target)
    monkeypatch.setattr(mirror.Mirror, "_run", lambda self: None)  # no thread looks by itself
    Target.brought, Target.failures = [], 0
    return Journal(tmp_path / "results/tracking/s/a.jsonl")


def test_each_look_brings_what_is_new(journal: Journal, tmp_path: Path) -> None:
    found = mirror.Mirror(tracking(tmp_path), journal)
    for step in (1, 2):
        journal.write({"step": step, "metrics": {"loss": step / 2}})
        assert found._update()
    assert Target.brought == [{("loss", 1): 0.5}, {("loss", 2): 1.0}]


def test_after_trouble_all_is_brought_again_and_one_warning_says_so(
    journal: Journal, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = mirror.Mirror(tracking(tmp_path, "http://user:secret@host"), journal)
    journal.write({"step": 1, "metrics": {"loss": 0.5}})
    assert found._update()
    Target.failures = 2
    for step in (2, 3):
        journal.write({"step": step, "metrics": {"loss": step / 2}})
        assert not found._update()
    assert found._update()
    assert Target.brought[1:] == [{("loss", 1): 0.5, ("loss", 2): 1.0, ("loss", 3): 1.5}]
    (line,) = caplog.messages
    assert line.startswith(
        "MLflow (http://host) is out of reach, this run goes on without it: ConnectionError: http://host refused."
    )


def test_a_sync_that_is_at_it_is_left_alone(journal: Journal, tmp_path: Path) -> None:
    journal.write({"step": 1, "metrics": {"loss": 0.5}})
    other = mirror.Reader(journal.path)
    assert other.lock()
    found = mirror.Mirror(tracking(tmp_path), journal)
    assert found._update()
    assert Target.brought == []
    other.close()
    assert found._update()
    assert Target.brought == [{("loss", 1): 0.5}]
