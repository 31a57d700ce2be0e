"""make.py - what PyTorch computes for the networks in this folder. In: PyTorch, and the names of
networks (none: all). Out: NAME.weights.safetensors, the initial weights as floats in nnc's names
and layouts, and NAME.torch.safetensors, computed from them in double: the arguments of the entries
of NAME.nn and, as ENTRY.OUTPUT, what these return; agree.c says how it is read. The tests read the
recorded files and need no Python.

    python tests/agree/make.py [NAME..]
"""
import json, os, struct, sys
import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)
STEPS = 50
networks = {}


def network(make):
    networks[make.__name__] = make
    return make


# ---- files ---------------------------------------------------------------------------------------

DTYPES = {torch.float32: "F32", torch.float64: "F64", torch.int32: "I32", torch.bool: "BOOL"}


def save(name, kind, tensors):
    header, data = {}, b""
    for key, t in tensors.items():
        t = t.detach().contiguous()
        part = t.numpy().tobytes()
        header[key] = {"dtype": DTYPES[t.dtype], "shape": list(t.shape),
                       "data_offsets": [len(data), len(data) + len(part)]}
        data += part
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(os.path.dirname(__file__), f"{name}.{kind}.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


# ---- names and layouts ---------------------------------------------------------------------------
# A view is (nnc's path, PyTorch's parameter, how the layout of the one comes from that of the
# other); it serves for the weights and for their gradients.

same = lambda a: a
transposed = lambda a: a.T


def dense(path, m):
    return [(path + ".W", m.weight, transposed), (path + ".b", m.bias, same)]


def conv(path, m):
    return [(path + ".k", m.weight, same), (path + ".b", m.bias, same)]


def depthwise(path, m):
    """PyTorch has the kernels [C M, 1, P, Q], nnc [C, M, P, Q]."""
    split = lambda a: a.reshape(m.in_channels, -1, *a.shape[2:])
    return [(path + ".k", m.weight, split), (path + ".b", m.bias, same)]


def shift(*params):
    """No gain stays 1, no bias 0."""
    for p in params:
        p.data += 0.2 * torch.randn(p.shape)


def norm(path, m):
    shift(m.weight, m.bias)
    return [(path + ".g", m.weight, same), (path + ".b", m.bias, same)]


def table(path, p):
    return [(path, p, same)]


def recurrent(m, suffix):
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    return [getattr(m, name + suffix) for name in names]


def lstm(path, m, suffix="_l0"):
    """PyTorch's gates are i, f, g, o, nnc's i, f, o, g. Of PyTorch's two biases one stays 0."""
    gates = lambda a: torch.cat([a.chunk(4)[k] for k in (0, 1, 3, 2)])
    W, U, b, zero = recurrent(m, suffix)
    zero.data.zero_()
    zero.requires_grad_(False)
    return [(path + ".W", W, lambda a: gates(a).T), (path + ".U", U, lambda a: gates(a).T),
            (path + ".b", b, gates)]


def gru(path, m, suffix="_l0"):
    """Of the second biases only the one inside of r (h U + d) is nnc's, too; the others stay 0."""
    W, U, b, d = recurrent(m, suffix)
    n = len(d) // 3
    d.data[:2 * n].zero_()
    d.register_hook(lambda g: torch.cat([torch.zeros(2 * n), g[2 * n:]]))
    return [(path + ".W", W, transposed), (path + ".U", U, transposed), (path + ".b", b, same),
            (path + ".d", d, lambda a: a[2 * n:])]


def bidirectional(path, m):
    return gru(path + ".forward.cell", m) + gru(path + ".backward.cell", m, "_l0_reverse")


def multihead(path, m):
    d = m.embed_dim
    shift(m.in_proj_bias, m.out_proj.bias)
    views = []
    for k, name in enumerate(("query", "key", "value")):
        part = lambda a, k=k: a[k * d:(k + 1) * d]
        views += [(f"{path}.{name}.W", m.in_proj_weight, lambda a, part=part: part(a).T),
                  (f"{path}.{name}.b", m.in_proj_bias, part)]
    return views + dense(path + ".out", m.out_proj)


def block(path, m):
    return (norm(path + ".before", m.norm1) + multihead(path + ".head", m.self_attn) +
            norm(path + ".between", m.norm2) + dense(path + ".up", m.linear1) +
            dense(path + ".down", m.linear2))


def encoder_layer(d, heads, ff, act):
    return nn.TransformerEncoderLayer(d, heads, ff, dropout=0, activation=act, batch_first=True,
                                      norm_first=True)


# ---- recording -----------------------------------------------------------------------------------

class Recording:
    """Of one network: `model` holds the parameters, `views` name them, `loss` is a function of
    `inputs`, all of them."""

    def __init__(self, name, model, views, inputs, loss):
        self.name, self.model, self.views, self.loss = name, model, views, loss
        for p in dict.fromkeys(p for _, p, _ in views):
            p.data = p.data.float().double()
        self.inputs = {k: v.float().double() if v.is_floating_point() else v
                       for k, v in inputs.items()}
        self.tensors = {k: v.float() if v.is_floating_point() else v.int()
                        for k, v in self.inputs.items()}
        self.first = {k: v.clone() for k, v in model.state_dict().items()}
        save(name, "weights", {path: f(p).float() for path, p, f in views})

    def restart(self):
        self.model.load_state_dict(self.first)
        self.model.zero_grad()

    def value(self, **named):
        """What an entry returns; `value(forward__y=..)` stands for forward.y."""
        for key, t in named.items():
            t = t if isinstance(t, torch.Tensor) else torch.stack(t)
            self.tensors[key.replace("__", ".")] = t.int() if t.dtype == torch.int64 else t

    def gradient(self, entry="gradient", loss=None):
        self.model.zero_grad()
        L = (loss or self.loss)(**self.inputs)
        L.backward()
        self.value(**{entry + "__L": L})
        for path, p, f in self.views:
            if p.requires_grad:
                self.tensors[f"{entry}.d_params.{path}"] = f(p.grad)

    def learning(self, entry, optimiser, steps=STEPS):
        """The losses before each of the steps."""
        self.restart()
        losses = []
        opt = optimiser([p for p in self.model.parameters() if p.requires_grad])
        for _ in range(steps):
            opt.zero_grad()
            L = self.loss(**self.inputs)
            L.backward()
            opt.step()
            losses.append(L.detach())
        self.value(**{entry + "__L": losses})

    def usual(self, sgd=0.05, adam=1e-3):
        """The entries that most networks have, with these step lengths."""
        self.restart()
        self.gradient()
        self.learning("sgd", lambda p: torch.optim.SGD(p, lr=sgd))
        self.learning("adam", lambda p: torch.optim.Adam(p, lr=adam))
        self.save()

    def save(self):
        save(self.name, "torch", self.tensors)


def classes(n, *shape):
    return torch.randint(0, n, shape)


def shares(*shape):
    """Distributions whose rows add up to 1 as floats, too."""
    p = (256 * torch.randn(shape).softmax(-1)).ceil() / 256
    p[..., 0] += 1 - p.sum(-1)
    return p


def cross_entropy(z, t):
    return F.cross_entropy(z.reshape(-1, z.shape[-1]), t.reshape(-1).long())


# ---- the networks --------------------------------------------------------------------------------

@network
def mlp():
    a, b, c = nn.Linear(11, 19), nn.Linear(19, 9), nn.Linear(9, 5)
    net = nn.Sequential(a, nn.Tanh(), b, nn.ReLU(), c)
    r = Recording("mlp", net, dense("net.a", a) + dense("net.b", b) + dense("net.Dense1", c),
                  {"x": torch.randn(3, 11), "t": classes(5, 3)},
                  lambda x, t: cross_entropy(net(x), t))
    r.value(forward__out=net(r.inputs["x"]), loss__out=r.loss(**r.inputs))
    r.usual()


@network
def lenet():
    c1, c2, f1, f2 = nn.Conv2d(1, 5, 5), nn.Conv2d(5, 6, 3), nn.Linear(12, 11), nn.Linear(11, 7)
    net = nn.Sequential(c1, nn.ReLU(), nn.MaxPool2d(2), c2, nn.ReLU(), nn.MaxPool2d(2),
                        nn.Flatten(), f1, nn.ReLU(), f2)
    views = conv("net.c1", c1) + conv("net.c2", c2) + dense("net.f1", f1) + dense("net.f2", f2)
    r = Recording("lenet", net, views, {"x": torch.randn(3, 1, 16, 14), "t": classes(7, 3)},
                  lambda x, t: cross_entropy(net(x), t))
    r.value(forward__out=net(r.inputs["x"]), loss__out=r.loss(**r.inputs))
    r.usual()


class Residual(nn.Module):
    def __init__(self, C, out, stride):
        super().__init__()
        self.a = nn.Conv2d(C, out, 3, stride, padding=1)
        self.b = nn.Conv2d(out, out, 3, padding=1)
        self.na, self.nb = nn.BatchNorm2d(out), nn.BatchNorm2d(out)
        self.side = nn.Identity() if stride == 1 else nn.Conv2d(C, out, 1, stride)

    def forward(self, x):
        y = self.nb(self.b(F.relu(self.na(self.a(x)))))
        return F.relu(y + self.side(x))

    def views(self, path):
        side = [] if isinstance(self.side, nn.Identity) else conv(path + ".Conv2d1", self.side)
        return (conv(path + ".a", self.a) + norm(path + ".na", self.na) +
                conv(path + ".b", self.b) + norm(path + ".nb", self.nb) + side)


def running(entry, path, m, steps, per_channel):
    """What a BatchNorm keeps. PyTorch's running variance is that of a sample, divided by n - 1;
    nnc's is divided by n like the one that normalises, so the part that was observed is scaled."""
    rest = (1 - m.momentum) ** steps
    s2 = rest + (m.running_var - rest) * (per_channel - 1) / per_channel
    return {f"{entry}.after.{path}.mu": m.running_mean.clone(), f"{entry}.after.{path}.s2": s2}


@network
def resnet():
    a, na, out = nn.Conv2d(3, 5, 3, padding=1), nn.BatchNorm2d(5), nn.Linear(7, 4)
    keep, half = Residual(5, 5, 1), Residual(5, 7, 2)
    net = nn.Sequential(a, na, nn.ReLU(), keep, half, nn.AdaptiveAvgPool2d(1), nn.Flatten(), out)
    views = (conv("net.a", a) + norm("net.na", na) + keep.views("net.keep") +
             half.views("net.half") + dense("net.out", out))
    r = Recording("resnet", net, views, {"x": torch.randn(3, 3, 7, 6), "t": classes(4, 3)},
                  lambda x, t: cross_entropy(net(x), t))
    norms = {"net.na": (na, 126), "net.keep.na": (keep.na, 126), "net.keep.nb": (keep.nb, 126),
             "net.half.na": (half.na, 36), "net.half.nb": (half.nb, 36)}
    net.eval()
    r.value(loss__out=r.loss(**r.inputs))
    net.train()
    r.value(forward__out=[net(r.inputs["x"]) for _ in range(3)])
    for path, (m, n) in norms.items():
        kept = running("forward", path, m, 3, n)
        r.tensors.update(kept)
        m.running_var.copy_(kept[f"forward.after.{path}.s2"])
    net.eval()
    r.value(then_forward__out=net(r.inputs["x"]))
    r.gradient("then_gradient")
    net.train()
    r.usual()


@network
def depthwise_net():
    d1, p1 = nn.Conv2d(3, 6, 3, padding=1, groups=3), nn.Conv2d(6, 4, 1)
    d2 = nn.Conv2d(4, 4, 3, stride=2, padding=2, dilation=2, groups=4)
    p2, y = nn.Conv2d(4, 6, 1, groups=2), nn.Linear(36, 2)
    net = nn.Sequential(d1, p1, nn.ReLU(), d2, p2, nn.Tanh(), nn.AvgPool2d(3, 1), nn.Flatten(), y)
    views = (depthwise("net.d1", d1) + conv("net.p1", p1) + depthwise("net.d2", d2) +
             conv("net.p2", p2) + dense("net.y", y))
    r = Recording("depthwise", net, views, {"x": torch.randn(3, 3, 9, 8), "t": torch.randn(3, 2)},
                  lambda x, t: F.huber_loss(net(x), t))
    r.value(forward__out=net(r.inputs["x"]), loss__out=r.loss(**r.inputs))
    r.usual()


@network
def lstm_net():
    rnn, out = nn.LSTM(4, 7), nn.Linear(7, 5)
    r = Recording("lstm", nn.ModuleList([rnn, out]), lstm("rnn.cell", rnn) + dense("out", out),
                  {"xs": torch.randn(6, 3, 4), "t": classes(5, 3)},
                  lambda xs, t: cross_entropy(out(rnn(xs)[0][-1]), t))
    hs = rnn(r.inputs["xs"])[0]
    r.value(hidden__out=hs, forward__out=out(hs[-1]), loss__out=r.loss(**r.inputs))
    r.usual()


@network
def bigru():
    rnn, out = nn.GRU(4, 6, bidirectional=True), nn.Linear(12, 5)
    r = Recording("bigru", nn.ModuleList([rnn, out]), bidirectional("rnn", rnn) + dense("out", out),
                  {"xs": torch.randn(5, 3, 4), "t": classes(5, 5, 3)},
                  lambda xs, t: cross_entropy(out(rnn(xs)[0]), t))
    r.value(forward__out=out(rnn(r.inputs["xs"])[0]), loss__out=r.loss(**r.inputs))
    r.usual()


def later(T):
    return nn.Transformer.generate_square_subsequent_mask(T)


@network
def transformer_block():
    back, everywhere = encoder_layer(12, 3, 25, "gelu"), encoder_layer(12, 2, 17, "relu")
    net = lambda x: everywhere(back(x, src_mask=later(7)))
    r = Recording("block", nn.ModuleList([back, everywhere]),
                  block("back", back) + block("everywhere", everywhere),
                  {"x": torch.randn(3, 7, 12), "t": torch.randn(3, 7, 12)},
                  lambda x, t: F.mse_loss(net(x), t))
    r.value(forward__out=net(r.inputs["x"]), loss__out=r.loss(**r.inputs))
    r.usual()


class GPT(nn.Module):
    def __init__(self, V, d, heads, most, layers):
        super().__init__()
        self.E, self.P = nn.Embedding(V, d), nn.Parameter(0.3 * torch.randn(most, d))
        self.blocks = nn.ModuleList(encoder_layer(d, heads, 3 * d, "gelu") for _ in range(layers))
        self.norm = nn.LayerNorm(d)

    def forward(self, x):
        y = self.E(x) + self.P[:x.shape[1]]
        for b in self.blocks:
            y = b(y, src_mask=later(x.shape[1]))
        return self.norm(y) @ self.E.weight.T


@network
def gpt():
    net = GPT(13, 10, 2, 8, 2)
    views = table("E", net.E.weight) + table("position.P", net.P) + norm("norm", net.norm)
    for k, b in enumerate(net.blocks):
        views += block(f"blocks.{k}", b)
    r = Recording("gpt", net, views, {"x": classes(13, 3, 7), "t": classes(13, 3, 7)},
                  lambda x, t: cross_entropy(net(x), t))
    r.value(forward__out=net(r.inputs["x"]), loss__out=r.loss(**r.inputs))
    r.usual()


class Seq2seq(nn.Module):
    def __init__(self, Vs, Vt, d, k):
        super().__init__()
        self.Es, self.Et = nn.Embedding(Vs, d), nn.Embedding(Vt, d)
        self.rnn, self.cell = nn.GRU(d, d, bidirectional=True), nn.GRUCell(3 * d, d)
        self.W, self.U = nn.Linear(2 * d, k, bias=False), nn.Linear(d, k, bias=False)
        self.v, self.out = nn.Linear(k, 1, bias=False), nn.Linear(d, Vt)

    def forward(self, src, inp):
        keys = self.rnn(self.Es(src))[0]
        h = torch.zeros(self.cell.hidden_size)
        ys, looks = [], []
        for w in inp:
            a = self.v(torch.tanh(self.W(keys) + self.U(h)))[:, 0].softmax(0)
            h = self.cell(torch.cat([self.Et(w), (a[:, None] * keys).sum(0)]), h)
            ys.append(self.out(h))
            looks.append(a)
        return torch.stack(ys), torch.stack(looks)


@network
def seq2seq():
    net = Seq2seq(11, 9, 5, 7)
    views = (table("Es", net.Es.weight) + table("Et", net.Et.weight) +
             bidirectional("rnn", net.rnn) + gru("cell", net.cell, "") + dense("out", net.out) +
             [("attend.W", net.W.weight, transposed), ("attend.U", net.U.weight, transposed),
              ("attend.v", net.v.weight, lambda a: a[0])])
    r = Recording("seq2seq", net, views,
                  {"src": classes(11, 7), "inp": classes(9, 5), "goal": classes(9, 5)},
                  lambda src, inp, goal: cross_entropy(net(src, inp)[0], goal))
    ys, look = net(r.inputs["src"], r.inputs["inp"])
    r.value(forward__ys=ys, forward__look=look, loss__out=r.loss(**r.inputs))
    r.usual()


@network
def vae():
    h, mu, logvar = nn.Linear(23, 17), nn.Linear(17, 3), nn.Linear(17, 3)
    g, y = nn.Linear(3, 17), nn.Linear(17, 23)

    def parts(x, eps):
        q = F.relu(h(x))
        posterior = torch.distributions.Normal(mu(q), (logvar(q) / 2).exp())
        out = y(F.relu(g(posterior.loc + posterior.scale * eps)))
        rec = F.binary_cross_entropy_with_logits(out, x, reduction="sum") / len(x)
        prior = torch.distributions.Normal(0., 1.)
        return out, rec, torch.distributions.kl_divergence(posterior, prior).sum() / len(x)

    views = (dense("enc.h", h) + dense("enc.mu", mu) + dense("enc.logvar", logvar) +
             dense("dec.h", g) + dense("dec.y", y))
    r = Recording("vae", nn.ModuleList([h, mu, logvar, g, y]), views,
                  {"x": torch.rand(3, 23), "eps": torch.randn(3, 3)},
                  lambda x, eps: sum(parts(x, eps)[1:]))
    out, rec, kl = parts(**r.inputs)
    r.value(forward__y=out, forward__rec=rec, forward__kl=kl, loss__out=r.loss(**r.inputs))
    r.usual()


@network
def yolo():
    S, A, C, N = 4, 2, 3, 3
    net = nn.Conv2d(2, A * (5 + C), 3, stride=2, padding=1)
    anchors = torch.tensor([[1.3, 1.7], [0.7, 0.6]])

    def parts(x, box, obj, **target):
        raw = net(x).reshape(N, A, 5 + C, S, S).permute(0, 3, 4, 1, 2)
        i, j = torch.meshgrid(torch.arange(S), torch.arange(S), indexing="ij")
        xy = raw[..., :2].sigmoid() + torch.stack([j, i], -1)[:, :, None]
        wh = raw[..., 2:4].exp() * anchors
        corners = lambda c, s: (c - s / 2, c + s / 2)
        (a, b), (p, q) = corners(xy, wh), corners(box[..., :2], box[..., 2:])
        both = (torch.minimum(b, q) - torch.maximum(a, p)).clamp(min=0).prod(-1)
        goal = (both / (wh.prod(-1) + box[..., 2:].prod(-1) - both + 1e-9)).detach()
        conf = raw[..., 4].sigmoid()
        square = lambda u, v: ((u - v) ** 2).sum(-1)
        near = square(xy, box[..., :2]) + square(wh.sqrt(), box[..., 2:].sqrt())
        l_box = 5 * (obj * near).sum() / N
        l_obj = (obj * (conf - goal) ** 2 + 0.5 * (1 - obj) * conf ** 2).sum() / N
        ce = F.cross_entropy(raw[..., 5:].permute(0, 4, 1, 2, 3), target["class"], reduction="none")
        return l_box, l_obj, (obj * ce).sum() / N, goal

    near = torch.stack(torch.meshgrid(torch.arange(S), torch.arange(S), indexing="xy"), -1)
    box = torch.cat([near[None, :, :, None] + torch.rand(N, S, S, A, 2),
                     0.4 + 2 * torch.rand(N, S, S, A, 2)], -1)
    r = Recording("yolo", net, conv("net", net),
                  {"x": torch.randn(N, 2, 8, 8), "box": box,
                   "obj": (torch.rand(N, S, S, A) < 0.3).double(), "class": classes(C, N, S, S, A)},
                  lambda **inputs: sum(parts(**inputs)[:3]))
    l_box, l_obj, l_cls, goal = parts(**r.inputs)
    r.value(forward__l_box=l_box, forward__l_obj=l_obj, forward__l_cls=l_cls, forward__goal=goal,
            loss__out=r.loss(**r.inputs))
    r.usual(sgd=0.002)


def q_net():
    return nn.Sequential(nn.Conv2d(2, 6, 4, 2), nn.ReLU(), nn.Conv2d(6, 5, 2), nn.ReLU(),
                         nn.Flatten(), nn.Linear(30, 13), nn.ReLU(), nn.Linear(13, 5))


def q_views(path, m):
    return (conv(path + ".c1", m[0]) + conv(path + ".c2", m[2]) + dense(path + ".h", m[5]) +
            dense(path + ".q", m[7]))


@network
def dqn():
    online, target = q_net(), q_net()
    target.requires_grad_(False)

    def loss(s, a, r, s2, done):
        goal = r + 0.97 * (1 - done) * target(s2 / 255).max(1).values
        return F.smooth_l1_loss(online(s / 255)[torch.arange(3), a], goal)

    frames = lambda: torch.randint(0, 256, (3, 2, 11, 9))
    r = Recording("dqn", nn.ModuleList([online, target]),
                  q_views("online", online) + q_views("target", target),
                  {"s": frames(), "a": classes(5, 3), "r": torch.randn(3), "s2": frames(),
                   "done": torch.tensor([0., 1., 0.])}, loss)
    q = online(r.inputs["s"] / 255)
    r.value(forward__q=q, forward__best=q.argmax(1), loss__out=r.loss(**r.inputs))
    r.usual()


@network
def functions():
    z, frames = nn.Parameter(torch.randn(3, 5)), nn.Parameter(torch.randn(9, 2, 5))

    def losses(t, u, p, c, words):
        square = lambda a, b: ((a - b) ** 2).sum(-1)
        triplet = F.triplet_margin_with_distance_loss(z, t, u, distance_function=square, margin=0.5)
        ctc = F.ctc_loss(frames.log_softmax(-1), words, torch.tensor([9, 9]), torch.tensor([3, 3]),
                         reduction="none")
        return torch.stack([
            F.mse_loss(z, t), F.l1_loss(z, t), F.huber_loss(z, t, delta=0.7),
            F.binary_cross_entropy_with_logits(z, u), F.binary_cross_entropy(z.sigmoid(), u),
            F.cross_entropy(z, c), F.cross_entropy(z, p),
            F.kl_div(z.log_softmax(-1), p, reduction="batchmean"), F.relu(1 - t.sign() * z).mean(),
            triplet, ctc.mean()])

    def activations():
        return (F.leaky_relu(z) + 2 * F.elu(z) + 3 * F.gelu(z) + 4 * F.silu(z) + 5 * F.softplus(z) +
                6 * F.log_softmax(z, -1))

    r = Recording("functions", nn.ParameterList([z, frames]), table("z", z) + table("frames", frames),
                  {"t": torch.randn(3, 5), "u": torch.rand(3, 5), "p": shares(3, 5),
                   "c": classes(5, 3), "words": torch.tensor([[1, 3, 3], [4, 2, 1]])},
                  lambda **inputs: losses(**inputs).sum() + (activations() ** 2).mean() +
                  z.logsumexp(-1).mean())
    r.value(forward__each=losses(**r.inputs), forward__curves=activations(),
            forward__rows=z.logsumexp(-1))
    r.gradient()
    r.save()


@network
def optimisers():
    h, y = nn.Linear(4, 7), nn.Linear(7, 3)
    r = Recording("optimisers", nn.ModuleList([h, y]), dense("net.h", h) + dense("net.Dense1", y),
                  {"x": torch.randn(3, 4), "t": torch.randn(3, 3)},
                  lambda x, t: F.mse_loss(y(h(x).tanh()), t))
    O = torch.optim

    class Clipped(O.SGD):
        def step(self):
            parameters = self.param_groups[0]["params"]
            norm = torch.sqrt(sum((p.grad ** 2).sum() for p in parameters))
            for p in parameters:
                p.grad *= min(1, 0.5 / norm)
            super().step()

    r.learning("momentum", lambda p: O.SGD(p, lr=0.03, momentum=0.8))
    r.learning("nesterov", lambda p: O.SGD(p, lr=0.03, momentum=0.8, nesterov=True))
    r.learning("rmsprop", lambda p: O.RMSprop(p, lr=2e-3, alpha=0.95))
    r.learning("adagrad", lambda p: O.Adagrad(p, lr=0.02))
    r.learning("adamw", lambda p: O.AdamW(p, lr=2e-3, weight_decay=0.1))
    r.learning("clipped", lambda p: Clipped(p, lr=0.3))
    r.save()


@network
def layers():
    down, group, up = nn.Conv2d(4, 6, 3, 2), nn.GroupNorm(3, 6), nn.ConvTranspose2d(6, 2, 3, 2, 1)
    E, c = nn.Embedding(9, 4), nn.Conv1d(4, 6, 3, padding=2, dilation=2)
    g, rnn = nn.RMSNorm(6, eps=1e-6), nn.RNN(6, 5)
    images = lambda x: up(F.silu(group(down(x))))

    def signals(s):
        a = F.avg_pool1d(F.elu(c(E(s).transpose(1, 2))), 2)
        return rnn(g(F.max_pool1d(a, 3, 1).permute(2, 0, 1)))[0]

    W, U, b, zero = recurrent(rnn, "_l0")
    zero.data.zero_()
    zero.requires_grad_(False)
    shift(g.weight)
    views = (conv("images.down", down) + norm("images.norm", group) + conv("images.up", up) +
             table("signals.e.E", E.weight) + conv("signals.c", c) + table("signals.g.g", g.weight) +
             [("signals.r.cell.W", W, transposed), ("signals.r.cell.U", U, transposed),
              ("signals.r.cell.b", b, same)])
    r = Recording("layers", nn.ModuleList([down, group, up, E, c, g, rnn]), views,
                  {"x": torch.randn(3, 4, 7, 6), "s": classes(9, 3, 11)},
                  lambda x, s: (images(x) ** 2).mean() + (signals(s) ** 2).mean())
    r.value(forward__up=images(r.inputs["x"]), forward__r=signals(r.inputs["s"]))
    r.gradient()
    r.save()


if __name__ == "__main__":
    for name in sys.argv[1:] or networks:
        torch.manual_seed(sum(map(ord, name)))
        networks[name]()
