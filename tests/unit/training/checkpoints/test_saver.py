"""A checkpoint is written beside the training: what it holds, when it gets its name, and a disk that is full."""

from __future__ import annotations

import errno
import os
import threading
from concurrent.futures import wait

import pytest
import torch

from ecglfm import distributed
from ecglfm.config import UserError
from ecglfm.training.checkpoints import pieces as shards
from ecglfm.training.checkpoints.checkpoint import Checkpoints
from ecglfm.training.checkpoints.pieces import Piece
from ecglfm.training.checkpoints.saver import Saver


def pieces(value):
    return [Piece("weight", "a", 0, torch.tensor([value, 2.0]))]


def loaded(saver, step):
    """Value and state of a checkpoint."""
    saved, state = saver.checkpoints.load(step)
    value = torch.empty(2)
    saved.read("weight", "a", 0, value)
    return value.tolist(), state


@pytest.fixture
def saver(tmp_path):
    return Saver(Checkpoints(tmp_path, config_hash="c", data_hash="d", keep_last=0))


@pytest.fixture
def gate(monkeypatch):
    """Holds every write up until it is set."""
    opened, write = threading.Event(), shards.Copy.write

    def held(copy, path):
        assert opened.wait(60)
        return write(copy, path)

    monkeypatch.setattr(shards.Copy, "write", held)
    return opened


def test_training_goes_on_while_a_checkpoint_is_written(saver, gate):
    weight = torch.tensor([1.0, 2.0])
    state = {"warnings": {"a": 1}}
    saver.save([Piece("weight", "a", 0, weight)], 10, state)
    weight.zero_()  # the next updates, which the checkpoint must not see
    state["warnings"]["a"] = 2
    for _ in range(3):
        saver.poll()
    assert saver.checkpoints.steps() == []  # nothing has a name before all of it is there
    gate.set()
    saver.finish()
    assert saver.checkpoints.newest() == 10
    assert loaded(saver, 10) == ([1.0, 2.0], {"warnings": {"a": 1}})
    assert [path.name for path in saver.checkpoints.folder.iterdir()] == ["step-00000010"]


def test_ranks_that_were_asked_already_are_not_asked_again(saver, gate, monkeypatch):
    assert not saver.busy
    saver.save(pieces(10.0), 10, {})
    assert saver.busy
    gate.set()
    wait([saver._pending.work])
    assert not saver.busy
    monkeypatch.setattr(distributed, "any_rank", lambda flag: pytest.fail("asked"))
    saver.poll(busy=True)  # another rank is
    assert saver.checkpoints.steps() == []
    saver.poll(busy=False)
    wait([saver._pending.work])
    assert saver.checkpoints.steps() == [10]


def test_updates_complete_it_without_being_waited_for(saver):
    saver.save(pieces(10.0), 10, {})
    wait([saver._pending.work])  # the file is written
    saver.poll()
    wait([saver._pending.work])  # and has its name
    assert saver.checkpoints.newest() == 10
    saver.poll()
    assert saver._pending is None


def test_a_second_save_waits_for_the_first(saver, gate):
    saver.save(pieces(10.0), 10, {"of": 10})
    second = threading.Thread(target=lambda: saver.save(pieces(20.0), 20, {"of": 20}))
    second.start()
    second.join(0.2)
    assert second.is_alive()
    gate.set()
    second.join(60)
    assert loaded(saver, 10) == ([10.0, 2.0], {"of": 10})  # the memory of the copy was not written over
    saver.finish()
    assert loaded(saver, 20) == ([20.0, 2.0], {"of": 20})


def full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "where", ["os.write", "ecglfm.training.checkpoints.checkpoint.write_json"]
)  # a rank's file, the manifest
def test_a_full_disk_is_said_at_the_next_update_and_leaves_nothing(saver, monkeypatch, where):
    saver.save(pieces(30.0), 30, {})
    saver.finish()
    with monkeypatch.context() as disk:
        disk.setattr(where, full)
        saver.save(pieces(40.0), 40, {})
        wait([saver._pending.work])
        if where != "os.write":
            saver.poll()  # the file was written
            wait([saver._pending.work])
        expected = "step-00000040: the checkpoint was not written .*No space left on device.*step-00000030 is as it was"
        with pytest.raises(UserError, match=expected):
            saver.poll()
    saver.poll()  # said once
    assert [path.name for path in saver.checkpoints.folder.iterdir()] == ["step-00000030"]
    assert saver.checkpoints.newest() == 30
    saver.save(pieces(40.0), 40, {})  # there is room again
    saver.finish()
    assert saver.checkpoints.newest() == 40


def test_without_any_before_it_says_so(saver, monkeypatch):
    monkeypatch.setattr("os.write", full)
    saver.save(pieces(40.0), 40, {})
    with pytest.raises(UserError, match="there is none before it"):
        saver.finish()
