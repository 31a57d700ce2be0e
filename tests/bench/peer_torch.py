"""The benchmark's networks in PyTorch, eager, on one thread: prints the least times in microseconds,
as bench.c does. Needs the package torch; the project itself never needs it."""
import time
import torch
from torch import nn

torch.set_num_threads(1)
torch.manual_seed(1)


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(784, 256), nn.Linear(256, 10)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


class Xor(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x):
        return torch.sigmoid(self.b(torch.tanh(self.a(x))))


def least(run, seconds=3.0):
    for _ in range(20):
        run()
    best, end = 1e30, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best * 1e6


def step(model, x, t, loss, optimiser):
    def run():
        optimiser.zero_grad(set_to_none=True)
        loss(model(x), t).backward()
        optimiser.step()
    return run


def predict(model, x):
    def run():
        with torch.no_grad():
            model(x)
    return run


m, x, t = Mlp(), torch.randn(64, 784), torch.arange(64) % 10
print("mlp train %.3f" % least(step(m, x, t, nn.functional.cross_entropy, torch.optim.Adam(m.parameters(), 1e-3))))
print("mlp infer %.3f" % least(predict(m.eval(), x[:1])))
m, x = Xor(), torch.tensor([[0., 0], [0, 1], [1, 0], [1, 1]])
t = torch.tensor([[0.], [1], [1], [0]])
print("xor train %.4f" % least(step(m, x, t, nn.functional.binary_cross_entropy, torch.optim.SGD(m.parameters(), 0.05))))
print("xor infer %.4f" % least(predict(m.eval(), x[:1])))
