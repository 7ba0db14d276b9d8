"""First weights: their distribution, and that threads do not change them."""

import pytest
import torch

from ecglfm.models.layers.initialization import Linear, normal_


def test_first_weights_do_not_depend_on_the_number_of_threads():
    drawn = []
    before = torch.get_num_threads()
    for threads in (1, 2):
        torch.set_num_threads(threads)
        torch.manual_seed(3)
        weight = torch.empty(1500, 1500)
        normal_(weight, 0.02)
        drawn.append(weight)
    torch.set_num_threads(before)
    assert torch.equal(drawn[0], drawn[1])
    # 2.25 million draws: the standard error of the deviation is 0.02 / sqrt(4.5e6).
    assert drawn[0].std().item() == pytest.approx(0.02, rel=2e-3)
    assert abs(drawn[0].mean().item()) < 6e-5
    halves = drawn[0].flatten()[: 2 << 20].view(2, -1)  # two pieces, drawn from two seeds
    assert abs(torch.corrcoef(halves)[0, 1].item()) < 0.005


def test_a_linear_begins_as_bert_does():
    torch.manual_seed(0)
    layer = Linear(300, 200)
    assert layer.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not layer.bias.any()
    with torch.device("meta"):
        assert Linear(300, 200).weight.is_meta
