"""The study's network as PyTorch users write it (Conv1d), a peer of `leadsweep-worker bench`: prints records a second of a
training step and of inference as JSON. python pytorch.py [--compile] [--threads 2] [--batch 64] [--samples 750] [--steps 6]
"""
import argparse
import json
import resource
import sys
import time

try:
    import torch
    from torch import nn
except ImportError:
    sys.exit("SKIPPED: torch is not installed (pip install torch)")


def conv(inputs, outputs, kernel):
    return nn.Conv1d(inputs, outputs, kernel, padding="same", bias=False)


class Module(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.bottleneck = conv(inputs, 32, 1)
        self.convs = nn.ModuleList(conv(32, 32, kernel) for kernel in (40, 20, 10))
        self.pool = nn.Sequential(nn.MaxPool1d(3, 1, 1), conv(inputs, 32, 1))
        self.norm = nn.BatchNorm1d(128, eps=1e-3, momentum=0.01)

    def forward(self, x):
        squeezed = self.bottleneck(x)
        return torch.relu(self.norm(torch.cat([c(squeezed) for c in self.convs] + [self.pool(x)], 1)))


class Inception(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Module(12 if d == 0 else 128) for d in range(6))
        self.shortcuts = nn.ModuleList(
            nn.Sequential(conv(c, 128, 1), nn.BatchNorm1d(128, eps=1e-3, momentum=0.01)) for c in (12, 128))
        self.head = nn.Linear(128, 30)

    def forward(self, x):
        source = x
        for depth, block in enumerate(self.blocks):
            x = block(x)
            if depth % 3 == 2:
                x = source = torch.relu(x + self.shortcuts[depth // 3](source))
        return self.head(x.mean(2))


def speed(records, steps, step):
    seconds = []
    for _ in range(steps + 2):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return records / sorted(seconds[2:])[steps // 2]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--compile", action="store_true")
    for name, default in (("threads", 2), ("batch", 64), ("samples", 750), ("steps", 6)):
        arguments.add_argument(f"--{name}", type=int, default=default)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    model = Inception()
    run = torch.compile(model) if options.compile else model
    records = torch.randn(options.batch, 12, options.samples)
    targets = torch.randint(0, 2, (options.batch, 30)).float()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)

    def train():
        adam.zero_grad()
        nn.functional.binary_cross_entropy_with_logits(run(records), targets).backward()
        adam.step()

    training = speed(options.batch, options.steps, train)
    model.eval()
    with torch.no_grad():
        inference = speed(options.batch, options.steps, lambda: run(records))
    print(json.dumps({"program": f"PyTorch {torch.__version__}", "training_records_per_s": training,
                      "inference_records_per_s": inference,
                      "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


if __name__ == "__main__":
    main()
