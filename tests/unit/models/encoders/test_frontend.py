"""The front end: how many frames there are, which of them are real, and what padding may not change."""

from __future__ import annotations

import pytest
import torch

from ecglfm.models.encoders.frontend import FrontEnd, join_leads


def front_end(layers: list[tuple[int, int]], dim: int = 6) -> FrontEnd:
    torch.manual_seed(0)
    return FrontEnd(2, channels=4, conv_layers=layers, dim=dim).double()


@pytest.mark.parametrize(
    ("layers", "samples", "frames"),
    [
        ([(2, 2)] * 4, 2500, 156),  # 5 s at 500 Hz, frames of 32 ms
        ([(2, 2)] * 4, 31, 1),
        ([(2, 2)] * 4, 15, 0),
        ([(3, 2), (2, 1)], 10, 3),  # 10 to 4 to 3
        ([(10, 5), (3, 2)], 9, 0),
    ],
)
def test_frames_of_samples(layers: list[tuple[int, int]], samples: int, frames: int) -> None:
    module = front_end(layers)
    assert module.frames(samples) == frames
    if frames:
        assert module(torch.randn(1, 2, samples)).conv_btc.shape == (1, frames, 4)


def test_a_frame_is_real_when_all_its_samples_are() -> None:
    mask = torch.arange(20) < torch.tensor([20, 11, 4, 3])[:, None]
    found = front_end([(2, 2), (2, 2)])(torch.randn(4, 2, 20), mask).mask_bt
    assert found is not None
    assert found.sum(dim=1).tolist() == [5, 2, 1, 0]  # four samples a frame
    assert front_end([(2, 2)])(torch.randn(1, 2, 20)).mask_bt is None


def test_a_padded_record_has_the_frames_that_it_has_alone() -> None:
    module, x = front_end([(2, 2), (2, 2)]), torch.randn(1, 2, 12, dtype=torch.float64)
    padded = torch.cat([x, 1e6 * torch.ones(1, 2, 8, dtype=torch.float64)], dim=2)
    alone, among = module(x), module(padded, torch.arange(20)[None] < 12)
    for ours, theirs in ((among.conv_btc, alone.conv_btc), (among.normed_btc, alone.normed_btc)):
        torch.testing.assert_close(ours[:, :3], theirs)
        assert ours.isfinite().all()
    torch.testing.assert_close(alone.normed_btc.mean(dim=2), torch.zeros(1, 3, dtype=torch.float64), atol=1e-9, rtol=0)


def test_nothing_is_projected_where_the_width_is_that_of_the_channels() -> None:
    assert isinstance(front_end([(2, 2)], dim=4).project, torch.nn.Identity)
    assert front_end([(2, 2)], dim=6).project.weight.shape == (6, 4)


def test_leads_one_after_the_other_by_hand() -> None:
    x = torch.arange(12.0).view(2, 2, 3)
    joined, real = join_leads(x)
    assert joined.tolist() == [[[0, 1, 2, 3, 4, 5]], [[6, 7, 8, 9, 10, 11]]]
    assert real is None
    joined, real = join_leads(x, torch.tensor([[True, True, False], [False, True, False]]))
    assert joined[:, 0].tolist() == [[0, 1, 3, 4, 2, 5], [7, 10, 6, 8, 9, 11]]  # padding behind what is real
    assert real.tolist() == [[True] * 4 + [False] * 2, [True] * 2 + [False] * 4]


def test_joined_leads_are_one_channel() -> None:
    torch.manual_seed(0)
    layers = [(4, 3), (2, 2)]
    module = FrontEnd(2, channels=4, conv_layers=layers, dim=4, joined=True, projected=True).double()
    alone = FrontEnd(1, channels=4, conv_layers=layers, dim=4).double()
    alone.load_state_dict({name: value for name, value in module.state_dict().items() if "project" not in name})
    x = torch.randn(3, 2, 11, dtype=torch.float64)
    torch.testing.assert_close(module(x).normed_btc, alone(x.reshape(3, 1, 22)).normed_btc)
    assert module.frames(11) == alone.frames(22) == 3
    assert module.project.weight.shape == (4, 4)
