"""Convolution with its norm: by hand, and where padding must leave no trace."""

from __future__ import annotations

import torch

from ecglfm.models.layers.normalization import MaskedBatchNorm, frozen_statistics
from ecglfm.models.layers.normed_convolution import ChannelsFirstBatchNorm, Convolution, strided


def test_norm_with_channels_first_is_the_other_one() -> None:
    torch.manual_seed(0)
    first, last, x = ChannelsFirstBatchNorm(4), MaskedBatchNorm(4), torch.randn(3, 4, 9)
    for _ in range(2):
        torch.testing.assert_close(first(x), last(x.transpose(1, 2)).transpose(1, 2))
    for name, value in last.state_dict().items():
        torch.testing.assert_close(first.state_dict()[name], value)


def test_frozen_statistics_stay_where_no_mask_is() -> None:
    norm = ChannelsFirstBatchNorm(4)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    with frozen_statistics(norm):
        found = norm(torch.randn(3, 4, 9) + 5)
    torch.testing.assert_close(found.mean((0, 2)), torch.zeros(4))  # of the batch all the same
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    norm(torch.randn(3, 4, 9) + 5)
    assert norm.num_batches_tracked == 1


def test_a_convolution_by_hand() -> None:
    convolution = Convolution(1, 1, 3, stride=2).eval()
    convolution.conv.weight.data = torch.tensor([[[1.0, 2.0, 3.0]]])
    convolution.norm.running_mean.fill_(4.0)
    convolution.norm.weight.data.fill_(2.0)
    convolution.norm.eps = 1e-12
    x, mask = torch.tensor([[[1.0, 2.0, -1.0, 100.0, 7.0]]]), torch.tensor([[True, True, True, False, False]])
    # around samples 0, 2 and 4: 0 + 2 + 6 = 8; 2 - 2 + 300; 100 + 14 + 0; less 4, twice
    torch.testing.assert_close(convolution(x), torch.tensor([[[8.0, 592.0, 220.0]]]))
    # of what is real 2 - 2 + 0 and 0, both under 0 after the norm
    torch.testing.assert_close(convolution(x, mask), torch.tensor([[[8.0, 0.0, 0.0]]]))
    assert strided(mask, 2).tolist() == [[True, True, False]]
