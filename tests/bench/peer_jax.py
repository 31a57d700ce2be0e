"""The benchmark's networks in JAX with jit, as a process that is asked for times (see serve.h).
    peer_jax.py MODEL THREADS
Images are NHWC, the step is one jitted function that gives its arguments back (donation)."""
import os
import sys
name, threads = sys.argv[1], int(sys.argv[2])
os.environ["JAX_PLATFORMS"] = "cpu"
if threads == 1:
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
import jax
from jax import lax, nn, numpy as jnp
import serve

keys = iter(jax.random.split(jax.random.key(1), 200))


def normal(*shape, scale=0.05):
    return scale * jax.random.normal(next(keys), shape)


def dense(m, n):
    return {"W": normal(m, n), "b": jnp.zeros(n)}


def apply(p, x):
    return x @ p["W"] + p["b"]


def conv(x, k, pad="VALID"):
    return lax.conv_general_dilated(x, k, (1, 1), pad, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def xor(p, x):
    return nn.sigmoid(apply(p[1], jnp.tanh(apply(p[0], x))))


def mlp(p, x):
    return apply(p[1], nn.relu(apply(p[0], x)))


def lenet(p, x):
    x = pool(nn.relu(conv(x, p["a"]) + p["d"]))
    x = pool(nn.relu(conv(x, p["c"]) + p["e"])).reshape(x.shape[0], -1)
    return apply(p["h"], nn.relu(apply(p["g"], nn.relu(apply(p["f"], x)))))


def vgg(p, x, stats, training):
    """the running means and variances are carried along, as a batch norm does"""
    new = []
    for i, (q, (mu, s2)) in enumerate(zip(p["convs"], stats)):
        x = conv(x, q["k"], "SAME")
        if training:
            m, v = x.mean((0, 1, 2)), x.var((0, 1, 2))
            new.append((mu + 0.1 * (m - mu), s2 + 0.1 * (v - s2)))
        else:
            m, v = mu, s2
        x = nn.relu(q["g"] * lax.rsqrt(v + 1e-5) * (x - m) + q["b"])
        if i in (1, 3):
            x = pool(x)
    return apply(p["head"], x.mean((1, 2))), new


def lstm(p, x):
    xw = x @ p["W"] + p["b"]

    def cell(state, xt):
        h, c = state
        i, f, o, g = jnp.split(xt + h @ p["U"], 4, axis=-1)
        c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
        return (nn.sigmoid(o) * jnp.tanh(c), c), None
    zero = jnp.zeros((x.shape[1], 128))
    (h, _), _ = lax.scan(cell, (zero, zero), xw)
    return apply(p["head"], h)


def norm(p, x):
    c = x - x.mean(-1, keepdims=True)
    return p["g"] * (c * lax.rsqrt((c * c).mean(-1, keepdims=True) + 1e-5)) + p["b"]


def gpt(p, x):
    h = p["E"][x] + p["P"]
    mask = jnp.tril(jnp.ones((64, 64), bool))
    for q in p["blocks"]:
        z = apply(q["qkv"], norm(q["n1"], h))
        Q, K, V = (y.reshape(*y.shape[:2], 4, 32).transpose(0, 2, 1, 3) for y in jnp.split(z, 3, axis=-1))
        a = nn.softmax(jnp.where(mask, Q @ K.swapaxes(2, 3) / 32 ** 0.5, -jnp.inf), axis=-1) @ V
        h = h + apply(q["o"], a.transpose(0, 2, 1, 3).reshape(h.shape))
        h = h + apply(q["v"], nn.gelu(apply(q["u"], norm(q["n2"], h)), approximate=False))
    return norm(p["n"], h) @ p["head"]


def weights():
    scales = lambda d: {"g": jnp.ones(d), "b": jnp.zeros(d)}
    if name == "xor":
        return [dense(2, 2), dense(2, 1)]
    if name == "mlp":
        return [dense(784, 256), dense(256, 10)]
    if name == "lenet":
        return {"a": normal(5, 5, 1, 6), "d": jnp.zeros(6), "c": normal(5, 5, 6, 16), "e": jnp.zeros(16),
                "f": dense(256, 120), "g": dense(120, 84), "h": dense(84, 10)}
    if name == "vgg":
        sizes = (3, 32, 32, 64, 64, 128, 128)
        return {"convs": [{"k": normal(3, 3, m, n), **scales(n)} for m, n in zip(sizes, sizes[1:])],
                "head": dense(128, 10)}
    if name == "lstm":
        return {"W": normal(64, 512), "U": normal(128, 512), "b": jnp.zeros(512), "head": dense(128, 10)}
    block = lambda: {"n1": scales(128), "n2": scales(128), "qkv": dense(128, 384), "o": dense(128, 128),
                     "u": dense(128, 512), "v": dense(512, 128)}
    return {"E": normal(65, 128), "P": normal(64, 128), "blocks": [block() for _ in range(4)],
            "n": scales(128), "head": normal(128, 65)}


def inputs(n):
    shape = {"xor": (n, 2), "mlp": (n, 784), "lenet": (n, 28, 28, 1), "vgg": (n, 32, 32, 3),
             "lstm": (64, n, 64)}.get(name)
    x = normal(*shape, scale=1) if shape else jax.random.randint(next(keys), (n, 64), 0, 65)
    if name == "xor":
        return x, jax.random.uniform(next(keys), (n, 1))
    shape, limit = ((n, 64), 65) if name == "gpt" else ((n,), 10)
    return x, jax.random.randint(next(keys), shape, 0, limit)


def forward(p, x, stats, training):
    return vgg(p, x, stats, training) if name == "vgg" else (globals()[name](p, x), stats)


def loss(p, x, t, stats):
    y, new = forward(p, x, stats, True)
    if name == "xor":
        return -(t * jnp.log(y) + (1 - t) * jnp.log(1 - y)).mean(), new
    return -jnp.take_along_axis(nn.log_softmax(y), t[..., None], -1).mean(), new


def adam(s, x, t):
    (L, stats), g = jax.value_and_grad(loss, has_aux=True)(s["p"], x, t, s["stats"])
    k, tree = s["k"] + 1, jax.tree.map
    m = tree(lambda m, g: 0.9 * m + 0.1 * g, s["m"], g)
    v = tree(lambda v, g: 0.999 * v + 0.001 * g * g, s["v"], g)
    a, b = 1e-3 / (1 - 0.9 ** k), 1 / (1 - 0.999 ** k)
    p = tree(lambda p, m, v: p - a * m / (jnp.sqrt(v * b) + 1e-8), s["p"], m, v)
    return {"p": p, "m": m, "v": v, "k": k, "stats": stats}, L


def sgd(s, x, t):
    g = jax.grad(loss, has_aux=True)(s["p"], x, t, s["stats"])[0]
    return {**s, "p": jax.tree.map(lambda p, g: p - 0.05 * g, s["p"], g)}, 0.


def task(step, x, t):
    step = jax.jit(step, donate_argnums=0)
    held = {}

    def reset():
        p = jax.tree.map(jnp.copy, start)
        zeros = lambda: jax.tree.map(jnp.zeros_like, start)
        stats = [(jnp.zeros_like(q["g"]), jnp.ones_like(q["g"])) for q in p["convs"]] if name == "vgg" else []
        held["s"] = {"p": p, "m": zeros(), "v": zeros(), "k": jnp.zeros(()), "stats": stats}

    def run():
        held["s"], L = step(held["s"], x, t)
        jax.block_until_ready((held["s"], L))
    reset()
    return serve.Task(run, reset)


start = weights()
x, t = inputs({"xor": 4, "mlp": 64, "gpt": 16}.get(name, 32))
tasks = {"train": task(adam, x, t)}
if name == "xor":
    tasks["sgd"] = task(sgd, x, t)
one = inputs(1)[0]
stats = [(jnp.zeros_like(q["g"]), jnp.ones_like(q["g"])) for q in start["convs"]] if name == "vgg" else []
predict = jax.jit(lambda p, x, stats: forward(p, x, stats, False)[0])
tasks["infer"] = serve.Task(lambda: predict(start, one, stats).block_until_ready(), None)
serve.serve(tasks)
