"""Masked autoencoder: the loss by hand, padding, a planted collapse, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from tests.unit.models.pretraining.patch_objectives import alone, drawn, objective_of, signal


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("form", [{}, {"tokens": "leads", "normalize": "record"}])
def test_the_loss_is_that_of_its_definition(form, normalize) -> None:
    """Patch after patch in NumPy: the squared error of its samples."""
    together = "tokens" in form
    hidden = {"length": 2} if together else {"length": 2, "leads": 2}
    objective = objective_of("mae", form, normalize=normalize, hidden=hidden).double().eval()
    x, noise = signal().double() * 3 + 1, drawn(objective)
    with torch.no_grad():
        output = objective(x, step=0, noise=noise)
        seen = objective.encoder.encode_some(x, noise.seen_bv)
        filled = objective.decoder(seen, noise, (1, 10) if together else (3, 10)).numpy()
    errors = []
    for record, read in enumerate(x.numpy()):
        if together:  # what the encoder reads is at mean 0 and deviation 1 over all leads
            read = (read - read.mean()) / read.std()
        for number, place in enumerate(noise.hidden_bh[record].tolist()):
            line, time = divmod(place, 10)
            samples = (
                read[:, 20 * time : 20 * time + 20].flatten() if together else read[line, 20 * time : 20 * time + 20]
            )
            if normalize:
                samples = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-6)
            errors.append(((filled[record, number] - samples) ** 2).mean())
    assert len(errors) == 4 * (8 if together else 22)
    assert float(output["loss"]) == pytest.approx(np.mean(errors), rel=1e-9)


def test_flat_leads_have_no_form() -> None:
    objective = objective_of("mae", normalize=True).eval()
    output = objective(torch.zeros(4, 3, 200), step=0, noise=drawn(objective))
    assert all(value.isfinite() for value in output.values())


def test_a_padded_record_has_the_loss_that_it_has_alone() -> None:
    objective, lengths = objective_of("mae").double().eval(), [200, 119, 60]
    x = signal(3).double()
    mask = torch.arange(200) < torch.tensor(lengths)[:, None]
    noise = drawn(objective, 3, valid=lengths)
    with torch.no_grad():
        found = objective(x, step=0, noise=noise, mask=mask)
        losses = [
            float(objective(x[[row], :, :length], step=0, noise=alone(noise, row, length // 20, 10))["loss"])
            for row, length in enumerate(lengths)
        ]
    assert float(found["loss"]) == pytest.approx(np.mean(losses), rel=1e-9)


def test_a_planted_collapse_is_seen() -> None:
    objective = objective_of("mae").eval()
    noise = drawn(objective)
    healthy = {name: value.item() for name, value in objective(signal(), step=0, noise=noise).items()}
    assert objective.warnings(healthy) == {"embedding_collapse": None}
    nn.init.zeros_(objective.encoder.vit.norm.weight)
    nn.init.ones_(objective.encoder.vit.norm.bias)
    row = {name: value.item() for name, value in objective(signal(), step=0, noise=noise).items()}
    assert row["spread"] == 0
    assert row["explained"] < 0.01
    assert "same embedding" in objective.warnings(row)["embedding_collapse"]


def test_what_is_hidden_is_learnt() -> None:
    """Levels, one for each record: what is hidden is what is seen."""
    objective = objective_of("mae", {"dim": 32, "heads": 4}, hidden={"share": 0.5, "length": 3})
    optimizer, course, generator = (
        torch.optim.Adam(objective.parameters(), lr=3e-3),
        [],
        torch.Generator().manual_seed(0),
    )
    for step in range(60):
        x = torch.randn(16, 1, 1, generator=generator).expand(-1, 3, 200)
        output = objective(x, step=step, noise=drawn(objective, 16, seed=step))
        optimizer.zero_grad()
        output["loss"].backward()
        optimizer.step()
        course.append(output["explained"].item())
    assert course[0] < 0.1
    assert np.mean(course[-5:]) > 0.9
