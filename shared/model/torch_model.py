"""The networks of leadsweep as plain PyTorch modules. Beside the files of `leadsweep export`:

    import model
    network, about = model.load(".")          # about: classes and their thresholds, sampling_hz, window_s, leads
    probabilities = torch.sigmoid(network(signals))

Signals are [B, L, T] in uV (unless about["normalize"] says otherwise): about["leads"] in this order, the first
about["window_s"] seconds at about["sampling_hz"] Hz. Outputs are logits [B, K] in the order of about["classes"].
Needs torch and safetensors.
"""
import json
import pathlib

import torch
from torch import nn


class Conv(nn.Conv2d):
    """1 x k convolution that keeps the length; the larger half of the padding is on the right."""

    def __init__(self, inputs, outputs, kernel):
        super().__init__(inputs, outputs, (1, kernel), padding="same", bias=False)


def norm(channels, momentum):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=momentum)


class InceptionModule(nn.Module):
    def __init__(self, inputs, filters, bottleneck, kernels, momentum):
        super().__init__()
        squeezed = bottleneck if inputs > 1 else inputs
        self.bottleneck = Conv(inputs, bottleneck, 1) if inputs > 1 else nn.Identity()
        self.convs = nn.ModuleList(Conv(squeezed, filters, kernel) for kernel in kernels)
        self.pool = nn.MaxPool2d((1, 3), stride=1, padding=(0, 1))
        self.pool_conv = Conv(inputs, filters, 1)
        self.norm = norm(filters * (len(kernels) + 1), momentum)

    def forward(self, x):
        squeezed = self.bottleneck(x)
        branches = [conv(squeezed) for conv in self.convs] + [self.pool_conv(self.pool(x))]
        return torch.relu(self.norm(torch.cat(branches, 1)))


class Shortcut(nn.Module):
    def __init__(self, inputs, outputs, momentum):
        super().__init__()
        self.conv = Conv(inputs, outputs, 1)
        self.norm = norm(outputs, momentum)

    def forward(self, x):
        return self.norm(self.conv(x))


class Inception(nn.Module):
    def __init__(self, leads=12, classes=30, depth=6, filters=32, bottleneck=32, kernels=(40, 20, 10),
                 residual_period=3, momentum=0.01):
        super().__init__()
        width = filters * (len(kernels) + 1)
        self.residual_period = residual_period
        self.blocks = nn.ModuleList(
            InceptionModule(leads if d == 0 else width, filters, bottleneck, kernels, momentum) for d in range(depth))
        self.shortcuts = nn.ModuleList(
            Shortcut(leads if d == 0 else width, width, momentum) for d in range(depth // residual_period))
        self.head = nn.Linear(width, classes)

    def forward(self, signals):
        x = source = signals.unsqueeze(2)
        for depth, block in enumerate(self.blocks):
            x = block(x)
            if depth % self.residual_period == self.residual_period - 1:
                x = source = torch.relu(x + self.shortcuts[depth // self.residual_period](source))
        return self.head(x.mean((2, 3)))


class Fcn(nn.Module):
    def __init__(self, leads=12, classes=30, momentum=0.01):
        super().__init__()
        widths, kernels = (128, 256, 128), (8, 5, 3)
        self.convs = nn.ModuleList(Conv(i, o, k) for i, o, k in zip((leads, *widths), widths, kernels))
        self.norms = nn.ModuleList(norm(width, momentum) for width in widths)
        self.head = nn.Linear(widths[-1], classes)

    def forward(self, signals):
        x = signals.unsqueeze(2)
        for conv, normalise in zip(self.convs, self.norms):
            x = torch.relu(normalise(conv(x)))
        return self.head(x.mean((2, 3)))


def load(folder):
    """The network of an exported folder with its weights, in evaluation mode, and what model.json says of it."""
    from safetensors.torch import load_file

    about = json.loads((pathlib.Path(folder) / "model.json").read_text(encoding="utf-8"))
    network = {"inception": Inception, "fcn": Fcn}[about["network"]["name"]](**about["network"]["arguments"])
    found = network.load_state_dict(load_file(pathlib.Path(folder) / "model.safetensors"), strict=False)
    missing = [name for name in found.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or found.unexpected_keys:
        raise ValueError(f"model.safetensors lacks {missing} and has unknown {found.unexpected_keys}")
    return network.eval(), about
