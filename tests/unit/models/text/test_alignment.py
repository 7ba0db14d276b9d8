"""What lies beside an encoder that was aligned with text: it is read as written, and never as another encoder's."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from ecglfm.config import UserError
from ecglfm.models.text import Alignment, copy_alignment, write_alignment
from ecglfm.models.text.alignment import read_alignment

ABOUT = {"text_encoder": None, "identity": "hashed-1", "config_hash": "c", "data_hash": "d"}


def made(folder: Path) -> Alignment:
    torch.manual_seed(0)
    alignment = Alignment(6, 5, 3, temperature=0.5)
    write_alignment(folder, alignment.state_dict(), torch.arange(3.0), ABOUT)
    return alignment


def test_both_sides_by_hand() -> None:
    alignment = Alignment(2, 3, 2, temperature=0.25)
    with torch.no_grad():
        alignment.ecg.weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 4.0]]))
        alignment.text.weight.copy_(torch.tensor([[0.0, 0.0, 2.0], [0.0, 0.0, 0.0]]))
    ecg, text, scale = alignment(torch.tensor([[1.0, 1.0]]), torch.tensor([[5.0, 5.0, 5.0], [1.0, 1.0, -1.0]]))
    torch.testing.assert_close(ecg, torch.tensor([[0.6, 0.8]]))
    torch.testing.assert_close(text, torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    assert scale.item() == pytest.approx(4)
    with torch.no_grad():
        alignment.log_scale.fill_(10.0)
    assert alignment(torch.zeros(1, 2), torch.zeros(1, 3))[2].item() == pytest.approx(100)  # and no NaN of no length
    assert alignment(torch.zeros(1, 2), torch.zeros(1, 3))[0].tolist() == [[0.0, 0.0]]
    assert not Alignment(2, 3, 2, learnt=False).log_scale.requires_grad
    assert Alignment(2, 3, 2).log_scale.item() == pytest.approx(-math.log(0.07))


def test_it_is_read_as_written_here_and_where_it_was_brought(tmp_path: Path) -> None:
    alignment = made(tmp_path / "one")
    copy_alignment(tmp_path / "one", tmp_path / "two")
    copy_alignment(tmp_path / "none", tmp_path / "three")
    assert not (tmp_path / "three").exists()
    for name in ("one", "two"):
        found, mean, about = read_alignment(tmp_path / name, {"config_hash": "c", "data_hash": "d", "name": "x"})
        assert all(torch.equal(found.state_dict()[key], value) for key, value in alignment.state_dict().items())
        assert mean.tolist() == [0, 1, 2]
        assert about == ABOUT


@pytest.mark.parametrize("info", [{}, {"config_hash": "c", "data_hash": "other"}, {"config_hash": "c"}])
def test_what_another_training_left_is_another_encoders(tmp_path: Path, info: dict) -> None:
    made(tmp_path)
    with pytest.raises(UserError, match="this encoder was not aligned with text: pretrain it with"):
        read_alignment(tmp_path, info)
    with pytest.raises(UserError, match=r"leave zero_shot out of `finetune\.modes`"):
        read_alignment(tmp_path / "none", ABOUT)


def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    made(tmp_path)
    path = tmp_path / "alignment.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="damaged") as error:
        read_alignment(tmp_path, ABOUT)
    assert "\n" not in str(error.value)
    write_alignment(tmp_path, {"ecg.weight": torch.zeros(3, 6)}, torch.zeros(3), ABOUT)
    with pytest.raises(UserError, match="damaged"):
        read_alignment(tmp_path, ABOUT)
