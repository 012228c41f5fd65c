"""Bad input: one line on standard error, exit code 2, nothing lost and nothing left behind."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., Any]


def tree(folder: Path) -> dict[str, str | None]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
        for path in folder.rglob("*")
        if path.name != ".lock"
    }


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, book: Path, trained: Path) -> Path:
    """A working folder with good and bad texts, and `run`, a copy of a trained run."""
    shutil.copytree(trained, tmp_path / "run")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "short.txt").write_text("too short")
    (tmp_path / "binary.bin").write_bytes(b"PK\x03\x04\0\0\0")
    (tmp_path / "latin.txt").write_bytes(("word " * 400).encode() + b"caf\xe9 " + ("word " * 400).encode())
    (tmp_path / "folder").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine.txt").write_text("mine")
    monkeypatch.chdir(tmp_path)
    return tmp_path


TEXTS = {
    "train missing.txt": "missing.txt: cannot be read (No such file or directory)",
    "train empty.txt": "empty.txt: an empty file",
    "train book.txt empty.txt": "empty.txt: an empty file",
    "train short.txt": "too few for 4 lanes of 16 steps, which need 65",
    "train binary.bin": "binary.bin: a binary file (NUL at byte 4)",
    "train latin.txt": "latin.txt: not UTF-8 at byte 2,003 (0xE9); pass --encoding",
    "train book.txt --encoding ascii --encoding nonsense": "encoding 'nonsense' is unknown",
    "train folder": "folder: a folder with nothing in it",
    "train full --suffixes .md": "full: a folder with nothing in it",
    "train book.txt --separator= ": "separator is empty",
    "train book.txt --split file": "splitting by file needs two",
    "train book.txt --bptt full --longest-document 100": "a document of 2,700 tokens",
    "train book.txt --devices 3 --accelerator cpu": "expected a multiple of the 3 processes",
}
FOLDERS = {
    "train book.txt --out run": "run: exists and is not empty; go on with it by --resume",
    "train book.txt --out full": "full: exists and is not empty; choose another --out",
    "train book.txt --out book.txt": "book.txt: is a file; expected a new folder",
    "train book.txt --out book.txt/run": "book.txt/run: cannot be written (not a directory)",
    "train book.txt --out /proc/run": "/proc/run: cannot be written (no such file or directory)",
    "train --resume folder": "folder: is not a run (no config.json)",
    "train --resume missing": "missing: no such folder",
    "eval folder": "folder: is not a run",
    "sample missing": "missing: no such folder",
    "next book.txt": "book.txt: is not a run",
    "score missing book.txt": "missing: no such folder",
    "info folder": "folder: is not a run",
    "runs folder": "folder: no runs in it",
    "runs missing": "missing: no such folder",
    "runs book.txt": "book.txt: no such folder",
}


def train_with(value: str, names: str) -> dict[str, str]:
    """Each option with this value, and what must be said of it."""
    return {f"train book.txt --{name} {value}": f"--{name} is {value}" for name in names.split()}


NUMBERS = {
    **train_with("0", "batch-size window longest-document steps devices layers hidden-size embedding-size epochs"),
    **train_with("0", "minutes learning-rate clip-norm clip-value beta2"),
    **train_with("-1", "batch-size window longest-document steps devices layers hidden-size embedding-size epochs"),
    **train_with("-1", "minutes learning-rate clip-norm clip-value beta2 warmup evaluate-every patience threads seed"),
    **train_with("-1", "weight-decay momentum final-learning-rate checkpoint-seconds dropout"),
    **train_with("nan", "learning-rate epochs minutes dropout beta2 weight-decay clip-norm"),
    **train_with("inf", "learning-rate epochs minutes dropout"),
    "train book.txt --seed 99999999999": "--seed is 99999999999",
    "train book.txt --dropout 1": "--dropout is 1",
    "train book.txt --held-out 0": "held_out is 0",
    "train book.txt --held-out 1": "held_out is 1",
    "train book.txt --min-count 0": "min_count is 0",
    "train book.txt --init chrono --longest 2": "longest=2",
    "sample run --length 0": "--length is 0",
    "sample run --length -5": "--length is -5",
    "sample run --count 0": "--count is 0",
    "sample run --temperature -1": "--temperature is -1",
    "sample run --temperature nan": "--temperature is nan",
    "sample run --temperature inf": "--temperature is inf",
    "sample run --top-p 2": "--top-p is 2",
    "sample run --top-p 0": "--top-p is 0",
    "sample run --top-k 0": "--top-k is 0",
    "sample run --seed -1": "--seed is -1",
    "sample run --stop=": "--stop is empty",
    "next run --top 0": "--top is 0",
    "eval run --limit 0": "--limit is 0",
    "eval run --limit -3": "--limit is -3",
}
CONTRADICTIONS = {
    "train book.txt --steps 3 --epochs 2": "got 2 budgets (steps, epochs)",
    "train book.txt --steps 3 --minutes 2 --epochs 1": "got 3 budgets",
    "train book.txt --init chrono": "--init chrono needs --longest",
    "train book.txt --cell rnn --init chrono --longest 9": "an RNN has no gates",
    "train book.txt --cell gru --init identity": "identity initialisation is the RNN's",
    "train book.txt --accelerator abacus": "--accelerator is 'abacus'",
    "train book.txt --strategy hope": "--strategy is 'hope'",
    "train --resume run --hidden-size 16": "leave --hidden-size away",
    "train --resume run --hidden-size 256": "leave --hidden-size away",  # the default, and still another model
    "train --resume run --hidden_size 16": "leave --hidden-size away",
    "train --resume run --batch-size=16": "leave --batch-size away",
    "train --resume run --no-carry": "leave --no-carry away",
    "train --resume run --out other": "leave --out away",
    "train --resume run book.txt": "leave FILES away",
    "train --resume run --steps 3 --minutes 2": "got 2 budgets",
}
CELLS = {
    "train book.txt --cell gru --peephole full": "peephole='full' is a switch of the lstm; a gru has none",
    "train book.txt --cell lstm --candidate-peephole": "candidate_peephole=True needs peepholes",
    "train book.txt --coupled --no-input-gate": "coupled=True makes the forget gate 1 - i, and input_gate=False leaves",
    "train book.txt --coupled --no-forget-gate": "coupled=True makes the forget gate 1 - i, and forget_gate=False",
    "train book.txt --variant CIFG --no-input-gate": "coupled=True makes the forget gate 1 - i, and input_gate=False",
    "train book.txt --cell gru --proj-size 4": "proj_size is an option of the lstm; a gru cannot project",
    "train book.txt --cell lstm --nonlinearity relu": "nonlinearity='relu' is a switch of the rnn; a lstm has none",
    "train book.txt --cell lstm --taps 2": "taps=2 is a switch of the rnn; a lstm has none",
    "train book.txt --cell rnn --reset before": "reset='before' is a switch of the gru; a rnn has none",
    "train book.txt --cell gru --variant NFG": "variant='NFG' is a preset of the lstm; a gru has none",
    "train book.txt --cell rnn --residual input --taps 2": "residual='input' has no recurrent product, so taps=2",
    "train book.txt --cell rnn --residual input --weight-drop 0.1": "weight_drop drops from the recurrent product",
    "train book.txt --cell rnn --residual input --init identity": "residual='input' has none",
    "train book.txt --cell rnn --taps 0": "taps is 0",
    "train book.txt --variant NFG --init chrono --longest 9": "sets the gate that forgets, and",
    "train book.txt --no-bias --init chrono --longest 9": "bias=False leaves none",
    "train book.txt --gate-recurrence --no-input-gate --no-forget-gate --no-output-gate": "no gate left",
    "train book.txt --proj-size 8": "--proj-size is 8; expected 0 (none) or less than 8",
    "train book.txt --proj-size -1": "--proj-size is -1",
    "train book.txt --zoneout 2": "--zoneout is 2.0; expected 0 to 1",
    "train book.txt --zoneout -0.1": "--zoneout is -0.1; expected 0 to 1",
    "train book.txt --zoneout-cell nan": "--zoneout-cell is nan",
    "train book.txt --recurrent-dropout 1": "--recurrent-dropout is 1.0; expected 0 to below 1",
    "train book.txt --weight-drop 1": "--weight-drop is 1.0; expected 0 to below 1",
    "train book.txt --cell gru --zoneout-cell 0.1": "--zoneout-cell is the lstm's; a gru has no cell state",
    "train book.txt --forget-bias nan": "forget_bias is nan",
    "train --resume run --zoneout 0.1": "leave --zoneout away",
    "train --resume run --peephole full": "leave --peephole away",
    "train --resume run --no-input-gate": "leave --no-input-gate away",
}
QUESTIONS = {
    "eval run missing.txt": "missing.txt: cannot be read",
    "eval run book.txt empty.txt": "empty.txt: an empty file",
    "eval run latin.txt": "latin.txt: not UTF-8 at byte 2,003",
    "eval run book.txt --encoding nonsense": "encoding 'nonsense' is unknown",
    "score run missing.txt": "missing.txt: cannot be read",
    "score run empty.txt": "empty.txt: an empty file",
    "score run binary.bin": "binary.bin: a binary file",
    "score run latin.txt": "latin.txt: not UTF-8 at byte 2,003",
    "score run full": "full: a folder; expected one text file",
    "score run -": "nothing to score: the text is empty",
    "score run - --encoding nonsense": "encoding 'nonsense' is unknown",
    "sample run --prime Straße": "'ß' (U+00DF); leave them out",
    "next run --prime 你好": "'你' (U+4F60), '好' (U+597D)",
    "frobnicate": "unknown command 'frobnicate'; expected one of train, eval,",
    "--frobnicate": "unknown command '--frobnicate'",
}


@pytest.mark.parametrize(("words", "message"), (TEXTS | FOLDERS | NUMBERS | CONTRADICTIONS | CELLS | QUESTIONS).items())
def test_one_line_and_nothing_left(place: Path, cli: Cli, tiny: tuple[str, ...], words: str, message: str) -> None:
    given = words.split()
    if given[0] == "train" and "--resume" not in given:
        given[1:1] = [*tiny]  # before, so that the option in question has the last word
        given += [] if "--out" in given else ["--out", "new/run"]
    before = tree(place)
    refusal = cli(*given).refusal
    assert message in refusal
    assert tree(place) == before


@pytest.mark.parametrize(
    "words",
    [
        "train book.txt --frobnicate 3",
        "train book.txt --cell transformer",
        "train book.txt --variant XYZ",
        "train book.txt --peephole most",
        "train book.txt --taps two",
        "train book.txt --zoneout some",
        "train book.txt --hidden-size many",
        "train book.txt --hidden-size 1.5",
        "train book.txt --steps",
        "sample",
        "sample run extra",
        "score run",
        "eval",
        "next run --prime",
        "runs a b",
        "info --jason",
    ],
)
def test_words_that_are_no_options(place: Path, cli: Cli, words: str) -> None:
    before = tree(place)
    outcome = cli(*words.split())
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert f"peephole {words.split()[0]} --help" in " ".join(outcome.err.replace("│", " ").split())
    assert tree(place) == before


DAMAGE: dict[str, tuple[str, Callable[[bytes], bytes | None], str]] = {
    "cut weights": ("model.safetensors", lambda whole: whole[:-100], "damaged or cut short"),
    "altered weights": (
        "model.safetensors",
        lambda whole: whole[:-50] + bytes([whole[-50] ^ 4]) + whole[-49:],
        "altered since it was written",
    ),
    "cut configuration": ("config.json", lambda whole: whole[:200], "config.json: damaged"),
    "other format": ("config.json", lambda whole: whole.replace(b'"format": 1', b'"format": 99'), "run format 99"),
    "unknown key": ("config.json", lambda whole: whole.replace(b'"layers"', b'"storeys"'), "unknown setting 'storeys'"),
    "wrong kind": ("config.json", lambda whole: whole.replace(b'"cell": "lstm"', b'"cell": 3'), "cell is 3"),
    "no tokenizer": ("tokenizer.json", lambda whole: None, "no tokenizer"),
    "cut tokenizer": ("tokenizer.json", lambda whole: whole[:99], "a damaged tokenizer"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("words", ["sample run", "eval run", "score run book.txt", "info run", "train --resume run"])
def test_damaged_runs(place: Path, cli: Cli, words: str, damage: str) -> None:
    name, how, message = DAMAGE[damage]
    whole = (place / "run" / name).read_bytes()
    content = how(whole)
    assert content != whole
    (place / "run" / name).unlink()
    if content is not None:
        (place / "run" / name).write_bytes(content)
    before = tree(place)
    assert message in cli(*words.split()).complaint
    assert tree(place) == before


def test_runs_lists_what_is_damaged(place: Path, cli: Cli) -> None:
    (place / "run/config.json").write_text("{")
    outcome = cli("runs", place)
    assert outcome.code == 0
    assert "damaged" in outcome.out


def test_bytes_that_are_no_text_on_standard_input(place: Path, cli: Cli) -> None:
    assert "standard input: not utf-8 at byte 3; pass --encoding" in cli("score", "run", "-", stdin=b"caf\xe9").refusal


def test_names_of_several_lines_stay_on_one(place: Path, cli: Cli) -> None:
    assert "of two lines.txt: cannot be read" in cli("train", "of two\nlines.txt", "--out", "new").refusal


def test_half_a_character_on_the_command_line(place: Path, cli: Cli) -> None:
    assert "is half a character" in cli("sample", "run", "--prime", "caf\udce9").refusal


def test_encoding_is_the_way_out(place: Path, cli: Cli, tiny: tuple[str, ...]) -> None:
    words = ["train", "latin.txt", *tiny, "--steps", 1, "--out", "new", "--encoding"]
    assert cli(*words, "latin-1").code == 0


def test_no_training_text_no_default_folder(place: Path, cli: Cli) -> None:
    assert "missing.txt" in cli("train", "missing.txt").refusal
    assert not (place / "runs").exists()
