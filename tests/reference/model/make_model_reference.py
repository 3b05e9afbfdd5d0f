"""Writes inception.safetensors beside this file: weights, records, outputs and three steps of training by PyTorch in
float64; and formula.safetensors: records and outputs of larger networks whose weights follow a formula (formula_weights).
Needs torch and safetensors. Run from anywhere: python make_model_reference.py
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2] / "shared" / "model"))
from torch_model import Fcn, Inception  # noqa: E402

torch.manual_seed(7)
torch.set_num_threads(1)
torch.set_default_dtype(torch.float64)


def weights(module, prefix):
    return {f"{prefix}{name}": value.clone() for name, value in module.state_dict().items()
            if not name.endswith("num_batches_tracked")}


def write(name, module, samples):
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.dim() == 1:
                parameter.uniform_(0.5, 1.5)
        for key, buffer in module.named_buffers():
            if key.endswith("running_mean"):
                buffer.normal_()
            if key.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    x = torch.randn(6, 3, samples)
    y = (torch.rand(6, 5) < 0.4).double()
    arrays = weights(module, "before.")
    module.eval()
    arrays["records"], arrays["targets"], arrays["logits"] = x, y, module(x).detach()
    module.train()
    adam = torch.optim.Adam(module.parameters(), lr=1e-2, eps=1e-7)
    losses = []
    for _ in range(3):
        adam.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(module(x), y)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    arrays["losses"] = torch.tensor(losses)
    arrays.update(weights(module, "after."))
    save_file({k: v.contiguous() for k, v in arrays.items()}, HERE / f"{name}.safetensors")


write("inception", Inception(leads=3, classes=5, depth=4, filters=3, bottleneck=2, kernels=(8, 4, 3), momentum=0.1), 33)


def formula_weights(name, tensor):
    """0.1 sin(0.37 i + phase) for element i in row-major order, the phase from the letters of the name; BatchNorm's
    weights and variances 1 more."""
    phase = sum(name.encode()) % 100
    values = 0.1 * torch.sin(0.37 * torch.arange(tensor.numel()) + phase)
    is_about_one = name.endswith("running_var") or "norm" in name and name.endswith("weight")
    return (values + is_about_one).view(tensor.shape)


def formula(module):
    module.load_state_dict({name: tensor if name.endswith("num_batches_tracked") else formula_weights(name, tensor)
                            for name, tensor in module.state_dict().items()})
    x = torch.randn(4, 3, 33)
    return x, module.eval()(x).detach()


arrays = {}
for label, network in (("fcn", Fcn(leads=3, classes=5)),
                       ("period_2", Inception(leads=3, classes=5, depth=5, filters=3, bottleneck=2, kernels=(6, 3),
                                              residual_period=2))):
    arrays[f"{label}.records"], arrays[f"{label}.logits"] = formula(network)
save_file(arrays, HERE / "formula.safetensors")
