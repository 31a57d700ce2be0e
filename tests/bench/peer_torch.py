"""The benchmark's networks in PyTorch, as a process that is asked for times (see serve.h).
    peer_torch.py MODEL THREADS eager|compile|export [FILE]
`export` writes FILE in ONNX for peer_ort.py and ends. Convolutions run channels-last, Adam fused."""
import os
import sys
import torch
from torch import nn
from torch.nn import functional as F
import serve


class Xor(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(2, 2), nn.Linear(2, 1)

    def forward(self, x):
        return torch.sigmoid(self.b(torch.tanh(self.a(x))))


class Mlp(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(784, 256), nn.Linear(256, 10)

    def forward(self, x):
        return self.b(torch.relu(self.a(x)))


class Lenet(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5)
        self.c, self.d, self.e = nn.Linear(256, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(torch.relu(self.a(x)), 2)
        x = F.max_pool2d(torch.relu(self.b(x)), 2).flatten(1)
        return self.e(torch.relu(self.d(torch.relu(self.c(x)))))


class Vgg(nn.Module):
    def __init__(self):
        super().__init__()
        layers, size = [], 3
        for c in (32, 32, 0, 64, 64, 0, 128, 128):
            if c:
                layers += [nn.Conv2d(size, c, 3, padding=1, bias=False), nn.BatchNorm2d(c), nn.ReLU()]
                size = c
            else:
                layers.append(nn.MaxPool2d(2))
        self.body, self.head = nn.Sequential(*layers), nn.Linear(128, 10)

    def forward(self, x):
        return self.head(self.body(x).mean((2, 3)))


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.LSTM(64, 128), nn.Linear(128, 10)

    def forward(self, x):
        return self.b(self.a(x)[0][-1])


class Block(nn.Module):
    def __init__(self, d=128, heads=4):
        super().__init__()
        self.heads = heads
        self.n1, self.n2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.qkv, self.o = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.u, self.v = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (z.view(b, t, self.heads, d // self.heads).transpose(1, 2)
                   for z in self.qkv(self.n1(x)).split(d, 2))
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.o(a.transpose(1, 2).reshape(b, t, d))
        return x + self.v(F.gelu(self.u(self.n2(x))))


class Gpt(nn.Module):
    def __init__(self, d=128):
        super().__init__()
        self.e, self.p = nn.Embedding(65, d), nn.Parameter(torch.randn(64, d) * 0.02)
        self.blocks = nn.Sequential(*(Block(d) for _ in range(4)))
        self.n, self.head = nn.LayerNorm(d), nn.Linear(d, 65, bias=False)

    def forward(self, x):
        return self.head(self.n(self.blocks(self.e(x) + self.p)))


def classes(y, t):
    return F.cross_entropy(y.flatten(0, -2), t.flatten())


def inputs(name, n):
    """x, t for a batch of n"""
    shape = {"xor": (n, 2), "mlp": (n, 784), "lenet": (n, 1, 28, 28), "vgg": (n, 3, 32, 32),
             "lstm": (64, n, 64)}.get(name)
    x = torch.randn(shape) if shape else torch.randint(0, 65, (n, 64))
    if name == "xor":
        return x, torch.rand(n, 1)
    return x, torch.randint(0, 65, (n, 64)) if name == "gpt" else torch.randint(0, 10, (n,))


def step(run, model, make, x, t, loss):
    """One training step, and what puts the weights and moments back to the start."""
    optimiser, start = make(model.parameters()), {k: v.clone() for k, v in model.state_dict().items()}

    def train():
        optimiser.zero_grad(set_to_none=True)
        loss(run(x), t).backward()
        optimiser.step()

    def reset():
        model.load_state_dict(start)
        for moments in optimiser.state.values():
            for m in moments.values():
                m.zero_()
    return serve.Task(train, reset)


def main(name, threads, mode, file=None):
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    batch = {"xor": 4, "mlp": 64, "gpt": 16}.get(name, 32)
    last = torch.channels_last if name in ("lenet", "vgg") else torch.contiguous_format
    model = globals()[name.capitalize()]().to(memory_format=last)
    x, t = inputs(name, batch)
    one = inputs(name, 1)[0]
    if mode == "export":
        model.eval()
        torch.onnx.export(model, (one,), file, dynamo=name != "lstm", verbose=False)
        return
    x, one = (z.to(memory_format=last) if z.dim() == 4 else z for z in (x, one))
    run = torch.compile(model) if mode == "compile" else model
    loss = F.binary_cross_entropy if name == "xor" else classes

    def infer():
        with torch.no_grad():
            run(one)
    tasks = {"train": step(run, model.train(), lambda p: torch.optim.Adam(p, 1e-3, fused=True), x, t, loss)}
    if name == "xor":
        tasks["sgd"] = step(run, model, lambda p: torch.optim.SGD(p, 0.05, fused=True), x, t, loss)
    tasks["infer"] = serve.Task(infer, None)
    serve.serve(tasks, enter=lambda task: model.eval() if task == "infer" else model.train())


if __name__ == "__main__":
    main(*sys.argv[1:])
