"""The reference in `tests/parity` gives what the original gave, and the small set beside it is what it gives."""

import numpy as np
import pytest
import torch

from ecglfm.models.importers.checkpoint import read_checkpoint
from tests.parity import make, reference


def close(found, expected, rtol):
    """Relative to the largest entry."""
    found, expected = np.asarray(found.detach(), np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape
    finite = np.isfinite(expected)
    assert np.array_equal(found[~finite], expected[~finite])
    assert np.abs(found[finite] - expected[finite]).max() <= rtol * np.abs(expected[finite]).max()


@pytest.fixture(params=["ours", "original"])
def parity_of(request, repository):
    """Folder, and how exactly its numbers are known: the original computes in float32."""
    if request.param == "ours":
        return repository / "tests/parity", 1e-6
    return request.getfixturevalue("original_parity"), 1e-5


def test_pretraining(parity_of):
    folder, rtol = parity_of
    numbers = dict(np.load(folder / "proj_pretrain.npz", allow_pickle=False))
    weights = read_checkpoint(folder / "proj_pretrain.pt").state
    given = {name: torch.from_numpy(numbers[name]) for name in ("source", "mask_indices", "neg_randint", "gumbel")}
    checked = {"train_grad_names", "train_grad_norms", *given}
    for name, value in reference.encoder(reference.double(weights), given["source"].double()).items():
        close(value, numbers[name], rtol)
        checked.add(name)
    for mode in ("eval", "train"):
        for name, value in reference.pretraining(reference.double(weights), given, train=mode == "train").items():
            if f"{mode}_{name}" in numbers:  # the running mean moves in training alone
                close(value, numbers[f"{mode}_{name}"], rtol)
                checked.add(f"{mode}_{name}")
    norms = reference.gradient_norms(reference.double(weights, learn=True), given)
    expected = dict(zip(numbers["train_grad_names"].tolist(), numbers["train_grad_norms"].tolist(), strict=True))
    assert norms == pytest.approx(expected, rel=rtol, abs=rtol * max(expected.values()))
    # `loss_0` is the sum of two that are checked.
    assert set(numbers) - checked <= {"segment", "patient_id", "eval_loss_0", "train_loss_0"}


def test_finetuned(parity_of):
    folder, rtol = parity_of
    numbers = np.load(folder / "proj_finetune.npz", allow_pickle=False)
    weights = reference.double(read_checkpoint(folder / "proj_finetune.pt").state)
    for name, value in reference.finetuned(weights, torch.from_numpy(numbers["source"]).double()).items():
        close(value, numbers[name], rtol)


def test_the_small_set_is_what_its_command_makes(repository, tmp_path):
    make.make(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["proj_finetune.npz", "proj_finetune.pt", "proj_pretrain.npz", "proj_pretrain.pt"]
    for name in ("proj_finetune.pt", "proj_pretrain.pt"):
        made, kept = (read_checkpoint(folder / name) for folder in (tmp_path, repository / "tests/parity"))
        assert made.config == kept.config
        assert made.state.keys() == kept.state.keys()
        assert all(torch.equal(value, kept.state[key]) for key, value in made.state.items())
    assert sum((repository / "tests/parity" / name).stat().st_size for name in names) < 1_000_000
