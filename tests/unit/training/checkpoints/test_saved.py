"""Who opens a training's folder, and who is kept out of it."""

from __future__ import annotations

import json
import os

import pytest

from ecglfm.config import UserError
from ecglfm.lock import Lock
from ecglfm.training.checkpoints.checkpoint import Checkpoints
from ecglfm.training.checkpoints.saved import SavedTraining


def open_in(folder, config="c", **options):
    checkpoints = Checkpoints(folder / "checkpoints", config_hash=config, data_hash="d", keep_last=1)
    return SavedTraining(checkpoints, **options)


def test_a_folder_that_is_set_aside_leaves_its_lock_where_it_was(tmp_path):
    with open_in(tmp_path):
        pass
    with open_in(tmp_path, "another"):
        assert (tmp_path / "checkpoints.set-aside-1").is_dir()
        with pytest.raises(UserError, match=r"checkpoints\.lock: process \d+ .* already trains here"):
            open_in(tmp_path).__enter__()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoints", "checkpoints.set-aside-1"]


def test_what_cannot_begin_and_what_fails_give_the_lock_back(tmp_path, monkeypatch):
    with pytest.raises(KeyError), open_in(tmp_path):
        raise KeyError
    assert not (tmp_path / "checkpoints.lock").exists()
    monkeypatch.setattr(Checkpoints, "newest", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError), open_in(tmp_path):
        pass
    assert not (tmp_path / "checkpoints.lock").exists()


def test_a_run_is_remembered(tmp_path):
    with open_in(tmp_path) as saved:
        assert saved.run_key is None
        saved.note(None)  # tracking is off
        saved.note("key")
    with open_in(tmp_path) as saved:
        assert saved.run_key == "key"


@pytest.mark.parametrize("held", [True, False])
def test_a_lock_that_an_earlier_version_left_in_the_folder(tmp_path, held):
    """It trains still: kept out. It was killed, or ended: the folder is opened, and that lock is gone."""
    inside = tmp_path / "checkpoints/lock"
    Lock(inside)
    if not held:
        inside.write_text(json.dumps(json.loads(inside.read_text()) | {"started": "1"}))
    if held:
        with pytest.raises(UserError, match=rf"checkpoints/lock: process {os.getpid()} .* already trains here"):
            open_in(tmp_path).__enter__()
        assert inside.exists()
        inside.write_text("")
    with open_in(tmp_path):
        assert not inside.exists()
        assert (tmp_path / "checkpoints.lock").exists()
