"""Linear layers that keep only what enters: values and gradients of the plain ones."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ecglfm.benchmark.gpu.rules import gpu_rules
from ecglfm.benchmark.gpu.traffic import Traffic
from ecglfm.models.layers.convolution import Pointwise
from ecglfm.models.layers.fast.dropout import Dropout, drop_out, keep_mask
from ecglfm.models.layers.fast.linear import normed_linear, swish_linear


@pytest.mark.parametrize("probability", [0.0, 0.3])
def test_swish_linear_is_linear_of_the_dropped_out_swish(probability):
    torch.manual_seed(0)
    layer, dropout = nn.Linear(6, 4).double(), Dropout(probability)
    x = torch.randn(3, 5, 6, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(3, 5, 4, dtype=torch.float64)
    torch.manual_seed(7)
    y = swish_linear(x, layer, dropout)
    assert type(y.grad_fn).__name__ == "_SwishLinearBackward"
    found = torch.autograd.grad(y, (x, layer.weight, layer.bias), grad)
    torch.manual_seed(7)
    factor = keep_mask(x, probability).double() / (1 - probability) if probability else 1.0
    expected_y = functional.linear(functional.silu(x) * factor, layer.weight, layer.bias)
    expected = torch.autograd.grad(expected_y, (x, layer.weight, layer.bias), grad)
    torch.testing.assert_close(y, expected_y, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        plain = functional.linear(functional.silu(x), layer.weight, layer.bias)
    torch.testing.assert_close(swish_linear(x, layer, dropout.eval()), plain, rtol=1e-12, atol=1e-12)


def test_swish_linear_of_a_convolution_of_kernel_one():
    layer, x = Pointwise(6, 4), torch.randn(2, 3, 6)
    y = swish_linear(x, layer)
    (found,) = torch.autograd.grad(y.square().sum(), layer.weight)
    assert type(y.grad_fn).__name__ == "_SwishLinearBackward"
    expected = functional.conv1d(functional.silu(x).transpose(1, 2), layer.weight).transpose(1, 2)
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(found, torch.autograd.grad(expected.square().sum(), layer.weight)[0])


def test_dropout_acts_in_training_without_gradients_too():
    """Monte Carlo dropout: half of the swish of many ones is gone, and the rest is twice as large."""
    layer, dropout = nn.Linear(100, 1, bias=False), Dropout(0.5)
    nn.init.ones_(layer.weight)
    with torch.no_grad():
        y = swish_linear(torch.ones(20, 100), layer, dropout)
    assert y.std() > 1


def test_swish_linear_keeps_its_input_only():
    kept_bytes = []
    layer, dropout = nn.Linear(64, 8), Dropout(0.0)
    x = torch.randn(100, 64, requires_grad=True)

    def pack(tensor):
        kept_bytes.append(tensor.nbytes)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        swish_linear(x, layer, dropout)
    assert sum(kept_bytes) == x.nbytes + layer.weight.nbytes


def test_normed_linear_is_linear_layers_of_the_layer_norm():
    torch.manual_seed(0)
    norm, first, second = nn.LayerNorm(6, eps=1e-3), nn.Linear(6, 4), nn.Linear(6, 5, bias=False)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    whole = nn.ModuleList([norm, first, second]).double()
    x = torch.randn(3, 5, 6, dtype=torch.float64, requires_grad=True)
    grads = torch.randn(3, 5, 4, dtype=torch.float64), torch.randn(3, 5, 5, dtype=torch.float64)
    wanted = (x, *whole.parameters())
    ys = normed_linear(x, norm, first, second)
    assert type(ys[0].grad_fn).__name__ == "_NormedLinearBackward"
    expected = first(norm(x)), second(norm(x))
    torch.testing.assert_close(ys, expected, rtol=1e-12, atol=1e-12)
    found = torch.autograd.grad(ys, wanted, grads)
    torch.testing.assert_close(found, torch.autograd.grad(expected, wanted, grads), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "norm", [nn.LayerNorm(6, elementwise_affine=False), nn.LayerNorm(6, bias=False), nn.RMSNorm(6)]
)
def test_normed_linear_of_another_norm(norm):
    linear, x = nn.Linear(6, 4), torch.randn(3, 6)
    assert torch.equal(normed_linear(x, norm, linear)[0], linear(norm(x)))


def test_normed_linear_of_frozen_weights():
    """An encoder that is not trained, whose input wants gradients."""
    norm, linear = nn.LayerNorm(6).requires_grad_(False), nn.Linear(6, 4).requires_grad_(False)
    x = torch.randn(2, 6, requires_grad=True)
    normed_linear(x, norm, linear)[0].sum().backward()
    copy = x.detach().clone().requires_grad_()
    linear(norm(copy)).sum().backward()
    torch.testing.assert_close(x.grad, copy.grad)
    assert linear.weight.grad is None
    assert norm.weight.grad is None


def test_normed_linear_keeps_its_input_only():
    sizes: list[int] = []
    norm, linear = nn.LayerNorm(64), nn.Linear(64, 8)
    x = torch.randn(100, 64, requires_grad=True)

    def pack(tensor):
        sizes.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        normed_linear(x, norm, linear)
    assert sorted(sizes) == [64, 64, 100, 100, 512, 6400]  # scale and shift, mean and deviation, weights, x


def test_on_a_gpu_the_norm_of_three_layers_is_cast_once():
    """7 rows of 8 and weights of 8 x 8: forward x and three weights to bf16, backward the same back to float32."""
    norm, layers = nn.LayerNorm(8, device="meta"), [nn.Linear(8, 8, bias=False, device="meta") for _ in range(3)]
    x = torch.empty(7, 8, device="meta", requires_grad=True)
    with gpu_rules(), Traffic() as traffic:
        with torch.autocast("meta", dtype=torch.bfloat16):
            ys = normed_linear(x, norm, *layers)
        torch.stack(ys).sum().backward()
    assert {y.dtype for y in ys} == {torch.bfloat16}
    casts = [one.bytes // 6 for one in traffic.operations if one.name == "_to_copy"]
    assert sorted(casts) == sorted(2 * [7 * 8, 64, 64, 64])


def test_on_a_cpu_each_layer_gets_the_norm_as_it_is():
    norm, layers = nn.LayerNorm(8), [nn.Linear(8, 8) for _ in range(2)]
    found: list[torch.Tensor] = []
    for layer in layers:
        layer.register_forward_pre_hook(lambda _, inputs: found.append(inputs[0]))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        normed_linear(torch.randn(7, 8), norm, *layers)
    assert [x.dtype for x in found] == [torch.float32, torch.float32]
    assert found[0] is found[1]


def test_dropout_on_a_gpu_goes_through_memory_once():
    """6 x 8 numbers of 4 bytes: each time read and written, and the mask's byte; the swish is taken once."""
    layer, dropout = nn.Linear(8, 2, device="meta"), Dropout(0.25)
    x = torch.empty(6, 8, device="meta", requires_grad=True)
    with gpu_rules(), Traffic() as traffic:
        swish_linear(x, layer, dropout).sum().backward()
    found = [(one.name, one.bytes) for one in traffic.operations if one.bytes >= 48 * 8 and "mm" not in one.name]
    dropped = 48 * (4 + 4 + 1)
    expected = [("silu", 48 * 8), ("native_dropout", dropped), ("native_dropout_backward", dropped)]
    assert found == [*expected, ("silu_backward", 48 * 12)]


def test_dropout_of_a_gpu_is_that_of_a_cpu():
    """Bit for bit: the kernel is asked for on a CPU here."""
    torch.manual_seed(0)
    x, keep = torch.randn(100, 10), keep_mask(torch.empty(100, 10), 0.3)
    found = torch.ops.aten.native_dropout_backward(x, keep, 1 / 0.7)
    assert torch.equal(found, drop_out(x.clone(), keep, 0.3))
