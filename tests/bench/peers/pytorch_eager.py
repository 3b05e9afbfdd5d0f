"""The study's network as PyTorch users write it (Conv1d, eager), the peer of training_bench: records a second of a training
step and of inference. python pytorch_eager.py [--threads 2] [--batch 64] [--samples 750] [--steps 8]
"""
import argparse
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


def speed(batch, steps, step):
    """Records a second, and a CPU second (which says more where other programs share the cores; with one thread alone)."""
    seconds, cpu = [], []
    for _ in range(steps + 2):
        start, cpu_start = time.perf_counter(), time.process_time()
        step()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - cpu_start)
    return "{:.1f} records/s, {:.1f} per CPU second".format(*(batch / sorted(s[2:])[steps // 2] for s in (seconds, cpu)))


arguments = argparse.ArgumentParser()
for name, default in (("threads", 2), ("batch", 64), ("samples", 750), ("steps", 8)):
    arguments.add_argument(f"--{name}", type=int, default=default)
options = arguments.parse_args()
torch.set_num_threads(options.threads)
model = Inception()
records = torch.randn(options.batch, 12, options.samples)
targets = torch.randint(0, 2, (options.batch, 30)).float()
adam = torch.optim.Adam(model.parameters(), lr=1e-3, eps=1e-7)


def train():
    adam.zero_grad()
    nn.functional.binary_cross_entropy_with_logits(model(records), targets).backward()
    adam.step()


training = speed(options.batch, options.steps, train)
model.eval()
with torch.no_grad():
    inference = speed(options.batch, options.steps, lambda: model(records))
print(f"PyTorch {torch.__version__} eager: {options.samples} samples, batch {options.batch}, {options.threads} threads: "
      f"training {training}, inference {inference}")
