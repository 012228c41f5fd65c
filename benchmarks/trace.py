"""What looking inside costs: a training step traced and untraced, in turn in one process.

    python benchmarks/trace.py [--rounds 40] [--threads 2] [--cell lstm]

LSTM, T = 100, B = 32, H = 512: gates, c and h; with pre-activations and gradients besides; and reading all of it as
arrays. Medians, and the median of the ratios of neighbours.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import torch

import peephole

CELLS = {"rnn": peephole.RNN, "lstm": peephole.LSTM, "gru": peephole.GRU}


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cell", choices=CELLS, default="lstm")
    parser.add_argument("--sizes", type=int, nargs=4, default=(100, 32, 512, 512), metavar=("T", "B", "I", "H"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    steps, batch, inputs, hidden = options.sizes
    net = CELLS[options.cell](inputs, hidden)
    x = torch.randn(steps, batch, inputs)
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)

    def step() -> None:
        net(x)[0].square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    def gates() -> None:
        with peephole.trace(net, gradients=False):
            step()

    def everything() -> None:
        with peephole.trace(net, preactivations=True):
            step()

    def read() -> None:
        with peephole.trace(net, preactivations=True) as seen:
            step()
        for layer in seen.layers:
            for name in layer.names:
                layer[name]

    kinds: dict[str, Callable[[], None]] = {
        "untraced": step,
        "gates, c, h": gates,
        "with pre-activations and gradients": everything,
        "the same, and all of it read": read,
    }
    times: dict[str, list[float]] = {name: [] for name in kinds}
    for run in kinds.values():
        run()
    for _ in range(options.rounds):
        for name, run in kinds.items():
            begun = time.perf_counter()
            run()
            times[name].append(time.perf_counter() - begun)
    print(f"{options.cell}, T = {steps}, B = {batch}, I = {inputs}, H = {hidden}, {options.threads} threads")
    for name, found in times.items():
        ratio = statistics.median(one / other for one, other in zip(found, times["untraced"], strict=True))
        print(f"{name:36} {1e3 * statistics.median(found):8.1f} ms   {ratio:.3f} × untraced")


if __name__ == "__main__":
    main()
