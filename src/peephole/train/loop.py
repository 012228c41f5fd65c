"""The training loop: back-propagation through time, full or truncated, with carried state.

Reads from top to bottom: set up, then one step after another. What the sequences mean is the objective's business, how
progress is shown the listener's.
"""

import math
import statistics
import time
from collections import deque
from contextlib import nullcontext
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from peephole.errors import InputError
from peephole.runs.folder import Run
from peephole.runs.history import judged
from peephole.runs.tensors import write_tensors
from peephole.stopping import heard_signals
from peephole.train.averaging import Average, is_triggered
from peephole.train.checkpoint import find_checkpoint, read_checkpoint, sweep_checkpoints, write_checkpoint
from peephole.train.config import LoopConfig
from peephole.train.contract import Interrupted, Listener, NotFinite, Objective
from peephole.train.event_files import EVENTS, EventFiles
from peephole.train.freed_memory import freed_memory_kept
from peephole.train.gradients import Gradients
from peephole.train.optimisation import Schedule, make_optimizer
from peephole.train.processes import alone, compiled_model, make_fabric, to_device
from peephole.train.progress import NORMS_KEPT, Progress
from peephole.train.randomness import random_state, set_random_state
from peephole.train.watch.sequences import WatchedSequences
from peephole.train.watch.turning import Turns
from peephole.train.watch.watcher import Watcher

WARM_STEPS, TIMED_STEPS = 5, 20  # steps left out and steps timed, to turn minutes into steps
ROUTINE_SHARE = 0.9  # of a budget in minutes, what is left for steps besides measuring and saving
ROWS_KEPT = 5000  # rows of history in a run; longer runs leave steps out


def fit(
    model: nn.Module,
    objective: Objective,
    config: LoopConfig,
    run: Run,
    listener: Listener,
    watched: WatchedSequences | None = None,
) -> Progress:
    """Train `model` in `run` to the end of its budget, from the newest checkpoint if there is one.

    Weights best on held-out data (or the last, as `config.keep` says) end in `model.safetensors`. On Ctrl-C or a
    request to terminate a checkpoint is written and `Interrupted` raised. `watched` are the held-out sequences on which
    `config.watch` looks inside the net; without them it looks at the updates alone.

    Raises:
        InputError: the divergence or a gradient is not finite, the disk is full, or another training holds the run.
    """
    fabric = make_fabric(config)
    with alone(fabric, run), freed_memory_kept():
        return _Training(fabric, model, objective, config, run, listener, watched).run_to_end()


class _Training:
    def __init__(
        self,
        fabric: Fabric,
        model: nn.Module,
        objective: Objective,
        config: LoopConfig,
        run: Run,
        listener: Listener,
        watched: WatchedSequences | None,
    ) -> None:
        self.fabric, self.objective, self.config, self.run = fabric, objective, config, run
        self.listener = listener if fabric.is_global_zero else Listener()
        self.plain = model
        if config.threads:
            torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed * 1_000_003 + fabric.global_rank)
        self.batches = objective.batches(fabric.global_rank, fabric.world_size)
        optimizer = make_optimizer(model.parameters(), config)
        self.model, self.optimizer = fabric.setup(compiled_model(model) if config.compile else model, optimizer)
        self.progress = Progress(total=self._fixed_total())
        self.average = Average(model, config.average) if config.average else None
        self._restore()
        self.schedule = Schedule(
            optimizer,
            config,
            self.progress.total,
            self.progress.step,
            self.progress.plateau_share,
            self.batches.windows_per_epoch,
        )
        self.gradients = Gradients(model.parameters(), config)
        self.parameter_names = [name for name, _ in model.named_parameters()]
        self.watcher = Watcher(model, watched, self._watched_every(), fabric.device)
        self.stop_requested = False
        self.place = self.batches.state_dict()  # where the batches stood before the newest one
        self.step_seconds: list[float] = []
        history = run.read_history() if fabric.is_global_zero else []
        self.turns = Turns(config.learning_rate)
        for row in history:
            self.turns.hear(row)
        self.events = EventFiles(run.folder / EVENTS if config.tensorboard and fabric.is_global_zero else None, history)
        self.begun = time.monotonic() - self.progress.seconds
        self.saved_at, self.saved_step = time.monotonic(), self.progress.step

    def run_to_end(self) -> Progress:
        with self.events:
            return self._run()

    def _run(self) -> Progress:
        progress = self.progress
        self.listener.on_start(progress.step, progress.total)
        if self._is_done():
            return progress
        with heard_signals(self):
            while not self._is_done():
                began = time.monotonic()
                row = self._step()
                self._after_step(row, time.monotonic() - began)
                if self._any_process(self.stop_requested):
                    self._checkpoint()
                    raise Interrupted(progress.step)
            self._checkpoint()
        return progress

    def _is_done(self) -> bool:
        progress, patience = self.progress, self.config.patience
        if patience and progress.since_best >= patience:
            return True
        return progress.total is not None and progress.step >= progress.total

    def _step(self) -> dict[str, Any]:
        """One window forward, its divergence back through time, one step of the optimiser."""
        progress = self.progress
        self.model.train()
        self.place = self.batches.state_dict()
        window = to_device(self.batches.next(), self.fabric.device)
        states = progress.states if window.carry else None
        total, counted, states = self.objective.divergence(self.model, window, states)
        divergence = total / max(counted, 1)
        divisor = getattr(window, "divisor", None)
        self.fabric.backward(divergence if divisor is None else total / divisor)
        norms = self.gradients.norms()
        progress.norms.append(norms.tolist())
        value, length = divergence.item(), norms.norm().item()
        if not math.isfinite(value):
            raise self._died(f"the divergence became {value}", progress.step + 1, value, length)
        if not math.isfinite(length):
            what = f"a gradient became {length} while the divergence was {value:.3f}"
            raise self._died(what, progress.step + 1, value, length)
        progress.unwatched += 1
        progress.clipped += self.gradients.clip(length)
        rate = self.schedule.rate
        self.schedule.scale(getattr(window, "rate", 1.0))
        self.watcher.begin(progress.step + 1, progress.total)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.schedule.advance()
        if self.average is not None:
            self.average.add()
        progress.states = tuple(state.detach() for state in states)
        progress.step += 1
        progress.counted += counted * self.fabric.world_size
        return {
            "step": progress.step,
            self.objective.unit: progress.counted,
            "divergence": value,
            "gradient_norm": length,
            "learning_rate": rate,
            "counted": counted * self.fabric.world_size,
        }

    def _after_step(self, row: dict[str, Any], seconds: float) -> None:
        progress = self.progress
        self.step_seconds.append(seconds)
        row["per_second"] = row.pop("counted") / seconds
        progress.seconds = row["seconds"] = time.monotonic() - self.begun
        fixed = progress.total is None and len(self.step_seconds) == WARM_STEPS + TIMED_STEPS
        if fixed:
            self._fix_total()
        last = progress.step == progress.total
        if last or self.config.is_measured(progress.step, progress.total, self.batches.windows_per_epoch):
            row |= self._evaluate()
        if self.watcher.is_looking:
            row["watch"] = self.watcher.row(progress)
        if self.fabric.is_global_zero:
            if row.keys() & {"held_out", "watch"} or progress.step % self._record_every() == 0:
                self.run.append_history(row)
                self.events.write(row)
            self.listener.on_step(row, progress.total)
            if "watch" in row:
                self.listener.on_watch(row, self.turns.hear(row))
        due = fixed or time.monotonic() - self.saved_at > self.config.checkpoint_seconds
        if not last and self._any_process(due):
            self._checkpoint()

    def _evaluate(self) -> dict[str, float]:
        """Measure on held-out data; keep the weights if they are the best so far."""
        progress = self.progress
        self.plain.eval()
        with nullcontext() if self.average is None else self.average.in_place():
            measured = self.fabric.broadcast(self.objective.evaluate(self.plain) if self.fabric.is_global_zero else {})
        if self.average is not None and self.config.average_trigger:
            measured["averaged"] = self.average.steps
        if not math.isfinite(measured["held_out"]):
            raise self._died(f"the divergence on held-out data became {measured['held_out']}", progress.step)
        found = judged(measured)
        improved = found < (progress.best, progress.best_held_out)
        if improved:
            progress.best, progress.best_held_out = found
            progress.best_step, progress.since_best = progress.step, 0
        else:
            progress.since_best += 1
            if self.config.schedule == "plateau":
                self.schedule.halve()
                progress.plateau_share = self.schedule.plateau_share
        if self.fabric.is_global_zero:
            if improved or self.config.keep == "last":
                write_tensors(self.run.model_path, self.average.values if self.average else self.plain.state_dict())
            self.listener.on_evaluation({"step": progress.step, **measured}, improved)
        if self.config.average_trigger and self.average is None:
            progress.measured.append(found[0])
            if is_triggered(progress.measured, self.config.average_trigger):
                self.average = Average(self.plain, None)
        return measured

    def _record_every(self) -> int:
        return max(1, (self.progress.total or 0) // ROWS_KEPT)

    def _watched_every(self) -> int:
        """One process looks for all; none where weights are shared out, and no process has them whole."""
        return self.config.watch if self.fabric.is_global_zero and self.config.strategy != "fsdp" else 0

    def _fixed_total(self) -> int | None:
        return self.config.budget_steps(self.batches.windows_per_epoch)

    def _fix_total(self) -> None:
        """Turn the budget in minutes into steps, once; kept, so that a resumed run ends at the same step."""
        minutes = self.config.budget_minutes or 0.0
        each = statistics.median(self.step_seconds[WARM_STEPS:])
        left = minutes * 60 * ROUTINE_SHARE - (time.monotonic() - self.begun)
        total = self.progress.step + max(1, int(left / each))
        self.progress.total, self.progress.minutes = int(self.fabric.broadcast(total)), self.config.budget_minutes
        self.schedule.know_total(self.progress.total)
        self.listener.on_budget(self.progress.total, each)

    def _checkpoint(self) -> None:
        progress = self.progress
        if progress.step == self.saved_step:
            return
        state = {
            "model": self.plain.state_dict() if self.fabric.global_rank == 0 else {},
            "optimizer": self.optimizer.state_dict(),
            "batches": self.batches.state_dict(),
            "random": random_state(self.fabric.device),
            "average": self.average.state_dict() if self.average is not None and self.fabric.global_rank == 0 else {},
            "progress": {**vars(progress), "norms": list(progress.norms), "states": progress.states},
        }
        write_checkpoint(self.run.checkpoint_folder, progress.step, self.fabric.global_rank, state, self.fabric.barrier)
        self.saved_at, self.saved_step = time.monotonic(), progress.step

    def _restore(self) -> None:
        if self.fabric.is_global_zero:
            self.run.sweep()
            sweep_checkpoints(self.run.checkpoint_folder)
        checkpoint = find_checkpoint(self.run.checkpoint_folder)
        if checkpoint is None:
            if self.fabric.is_global_zero:
                self.run.cut_history(0)
            return
        first = read_checkpoint(checkpoint, 0, self.fabric.world_size)
        rank = self.fabric.global_rank
        state = read_checkpoint(checkpoint, rank, self.fabric.world_size) if rank else first
        try:
            self.plain.load_state_dict(first["model"])
            self.optimizer.load_state_dict(state["optimizer"])
        except (RuntimeError, ValueError, KeyError) as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"{checkpoint}: does not fit config.json ({reason}); restore both from one run") from None
        self.batches.load_state_dict(state["batches"])
        kept = first.get("average")
        if self.average is not None or (kept and self.config.average_trigger):
            self.average = Average(self.plain, self.config.average or None)  # where there was none, it begins here
            if kept:
                self.average.load_state_dict(kept)
        set_random_state(state["random"], self.fabric.device)
        saved = state["progress"]
        states = saved["states"]
        known = saved["total"] if saved["minutes"] == self.config.budget_minutes else None  # another budget was given
        self.progress = Progress(
            **{
                **saved,
                "states": None if states is None else tuple(value.to(self.fabric.device) for value in states),
                "norms": deque(saved["norms"], maxlen=NORMS_KEPT),
                "total": self._fixed_total() or known,
            }
        )
        if not self.config.threads:  # other threads, other bits
            torch.set_num_threads(self.progress.threads)
        if self.fabric.is_global_zero:
            self.run.cut_history(self.progress.step)

    def _any_process(self, wish: bool) -> bool:
        """Whether any process wishes so: signals and clocks differ between them, and all must do the same."""
        if self.fabric.world_size == 1:
            return wish
        return bool(self.fabric.all_reduce(torch.tensor(float(wish)), reduce_op="sum"))

    def _died(self, what: str, step: int, divergence: float = math.nan, norm: float = math.nan) -> NotFinite:
        """Keep in the history, as its last row, how it ended: `died` says what happened, `born` which parameter's
        gradient grew first, and `place` where the batches stood before the last one.
        """
        said = self._blame(what, step)
        first = self.progress.first_to_grow()
        row = {
            "step": step,
            self.objective.unit: self.progress.counted,
            "divergence": divergence if math.isfinite(divergence) else None,
            "gradient_norm": norm if math.isfinite(norm) else None,
            "learning_rate": self.optimizer.param_groups[0]["lr"],
            "seconds": time.monotonic() - self.begun,
            "died": said,
            "born": None if first is None else self.parameter_names[first[0]],
            "place": self.place,
        }
        if self.fabric.is_global_zero:
            self.run.append_history(row)
        return NotFinite(said)

    def _blame(self, what: str, step: int) -> str:
        """One line: where it went wrong, and whose gradient grew first; `step` has the last norms."""
        text = f"{what} at step {step:,}"
        first = self.progress.first_to_grow()
        if first is not None:
            index, steps_ago = first
            text += f"; the gradient of {self.parameter_names[index]} grew first, at step {step - steps_ago:,}"
        kept = find_checkpoint(self.run.checkpoint_folder)
        text += f"; the checkpoint of step {int(kept.name):,} is kept" if kept else "; no checkpoint yet"
        return text + "; train again with a smaller --learning-rate or --clip-norm"
