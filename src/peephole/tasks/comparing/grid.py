"""Every cell with every seed, a run folder each, seed by seed through the cells."""

import dataclasses
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from peephole._version import __version__
from peephole.errors import InputError
from peephole.models.config import ModelConfig
from peephole.tasks.comparing.fields import field_named, kinds_of, read_value
from peephole.tasks.comparing.record import Task
from peephole.tasks.comparing.result import Comparison, compare
from peephole.tasks.comparing.training import check_alone, check_net, held, train_into
from peephole.tasks.config import name_of, settings_of
from peephole.train.contract import Listener, NotFinite

CELLS: tuple[str, ...] = get_args(kinds_of(ModelConfig)["cell"])


@dataclass(frozen=True)
class Entry:
    """A net that takes part: the words that named it, and its settings."""

    text: str
    model: ModelConfig

    def folder_name(self, seed: int) -> str:
        """The name of its run, `lstm-peephole-diagonal-seed-0`."""
        return f"{re.sub(r'[^A-Za-z0-9.]+', '-', self.text)}-seed-{seed}"


@dataclass(frozen=True)
class Trained:
    """One training of a grid, the `number`-th of `count`, from 1 on. `died`: what was said of its end, if it did."""

    entry: Entry
    seed: int
    folder: Path
    number: int
    count: int
    died: str | None = None

    @property
    def text(self) -> str:
        """In words, `2/6  gru, seed 0`."""
        return f"{self.number}/{self.count}  {self.entry.text}, seed {self.seed}"


def read_cells(words: str, base: ModelConfig) -> tuple[Entry, ...]:
    """The nets that `lstm,gru,lstm:peephole=diagonal:coupled=true` names: cells, and what each changes about `base`.

    `InputError` for a cell or option that there is not, a value that it cannot have, options that contradict each
    other, and a net that no back end computes.
    """
    texts = [text.strip() for text in words.split(",")]
    entries: list[Entry] = []
    for text in texts:
        cell, *changes = text.split(":")
        where, kinds = f"--cells {text or 'is empty'}", kinds_of(type(base))
        if cell not in CELLS:
            raise InputError(f"{where}: no cell {cell!r}; expected cells of {', '.join(CELLS)}, such as lstm,gru")
        values: dict[str, Any] = {"cell": cell}
        for change in changes:
            name, equals, value = change.partition("=")
            if not equals:
                raise InputError(f"{where}: {change!r}; expected OPTION=VALUE, such as {cell}:layer_norm=true")
            field = field_named(name, [known for known in kinds if known != "cell"], where)
            values[field] = read_value(value, kinds[field], f"{where}: {field}")
        try:
            model = dataclasses.replace(base, **values)
            check_net(model)
        except InputError as error:
            raise InputError(f"{where}: {error}") from None
        twin = next((entry for entry in entries if entry.model == model), None)
        if twin is not None:
            raise InputError(f"{where}: the same net as {twin.text}; name each once")
        entries.append(Entry(text, model))
    return tuple(entries)


def compare_cells(
    task: Task,
    entries: Sequence[Entry],
    seeds: int,
    folder: Path,
    listen: Callable[[Trained], Listener] = lambda training: Listener(),
    tell: Callable[[Trained], None] = lambda training: None,
) -> Comparison:
    """Train every entry with `seeds` seeds, from that of `task` on, each in a run folder within `folder`; compare them.

    All cells with one seed come before the next seed, so that groups are alike whenever it is stopped. What is done
    stays done: the same call goes on, in the middle of a training too, and takes further cells and seeds. A training
    whose numbers become infinite or NaN is left as it is, and named in the warnings.

    Args:
        listen: gives the listener of each training that is carried out now.
        tell: hears of each training once it is done, of those that were done before as well.

    Raises:
        InputError: fewer than two nets, the folder holds something else, or the text cannot be used.
    """
    if seeds < 1 or len(entries) * seeds < 2:
        raise InputError(f"cells × seeds is {len(entries)} × {seeds}; expected two trainings or more to compare")
    check_alone(task.training)
    pairs = [(entry, task.training.seed + seed) for seed in range(seeds) for entry in entries]
    done: list[Trained] = []
    with held(folder, _settings(task)) as rows:
        for number, (entry, seed) in enumerate(pairs, 1):
            name = entry.folder_name(seed)
            training = Trained(entry, seed, folder / name, number, len(pairs))
            row = rows.done(name) or rows.add(name, _train(task, training, listen))
            done.append(dataclasses.replace(training, died=row["died"]))
            tell(done[-1])
    dead = [f"{training.entry.text}, seed {training.seed} died: {training.died}" for training in done if training.died]
    found = compare([each.folder for each in done if not each.died], [each.folder for each in done if each.died])
    return dataclasses.replace(found, warnings=(*dead, *found.warnings))


def _train(task: Task, training: Trained, listen: Callable[[Trained], Listener]) -> dict[str, Any]:
    seeded = dataclasses.replace(task.training, seed=training.seed)
    whole = dataclasses.replace(task, model=training.entry.model, training=seeded)
    try:
        train_into(whole, training.folder, listen(training))
    except NotFinite as end:
        return {"died": str(end)}
    return {"died": None}


def _settings(task: Task) -> dict[str, Any]:
    """What all trainings of a folder share; the cells and seeds are the rows' own."""
    settings = settings_of(task)
    training = {name: value for name, value in settings.pop("training").items() if name != "seed"}
    model = {name: value for name, value in settings.pop("model").items() if name != "cell"}
    return {"experiment": f"compare {name_of(task)}", "peephole": __version__, **settings, **model, **training}
