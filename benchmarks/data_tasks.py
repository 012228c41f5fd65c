"""What the presets of the data tasks reach: `python benchmarks/data_tasks.py FOLDER [NAME …]` trains and tabulates.

Data lies in the folder that `PEEPHOLE_DATA` names. Every run lives in FOLDER and goes on where it was stopped; what is
there already is not trained again. The table of `docs/results.md` is what this prints.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

PEEPHOLE = [sys.executable, "-m", "peephole"]
DATA = Path(os.environ.get("PEEPHOLE_DATA", Path(__file__).parents[2] / "shared" / "data")).absolute()
SEEDS = (0, 1, 2)
LEFT_OUT = ("MASE", "sMAPE", "pinball", "precision", "recall", "balanced accuracy")  # `peephole eval` has them
EWT, UEA, SERIES = "{data}/ud_english_ewt/en_ewt-ud-", "{data}/ucr_uea/", "{data}/time_series/"
CHORALES = "{data}/jsb_chorales/jsb-chorales-quarter.json"
PAIRS, PHOTOS = "{data}/multi30k/tok/", "{data}/flickr8k/"
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")


@dataclass(frozen=True)
class Case:
    """A training for each seed: the words of `train`, with {data} for the data, {strings} for the spoken strings that
    `spoken_strings.py` joins, and {parent} for the folder of the runs.

    `peer` is what others reach, `baseline` whether an mlp is trained beside it, `also` further words of `eval`.
    """

    name: str
    train: str
    peer: str = ""
    seeds: tuple[int, ...] = SEEDS
    baseline: bool = True
    also: tuple[str, ...] = ()

    def folder(self, parent: Path, seed: int) -> Path:
        return parent / f"{self.name}-{seed}"

    @property
    def shown(self) -> str:
        """The command without folders, as the table has it."""
        return "train " + _bare_words(self.train)


def _uea(name: str, peer: str) -> Case:
    files = f"{UEA}{name}/{name}"
    words = f"classification {files}_TRAIN.ts --test {files}_TEST.ts --held-out-share 0"
    return Case(name.lower(), words, peer)


def _spoken(name: str, folder: str, options: str = "", also: tuple[str, ...] = ()) -> Case:
    files = (
        f"{{strings}}{folder}/train.tsv --held-out {{strings}}{folder}/held-out.tsv --test {{strings}}{folder}/test.tsv"
    )
    words = rf"speech {files} --units words --speaker /([a-z]+)_\d+ {options}"
    return Case(name, words.strip(), seeds=(0,), baseline=False, also=also)


def _grammar(language: str) -> tuple[str, ...]:
    """Evaluations on strings that follow a grammar: without a language model, with an n-gram, with a net."""
    on = f"--on {{strings}}/{language}.tsv"
    with_ngram = f"{on} --language-model {{strings}}/{language}.txt"
    return on, with_ngram, f"{on} --language-model {{parent}}/language-{language}-0"


def _language(name: str) -> Case:
    """A net that learns the grammar of spoken strings from text, a string a line."""
    options = "--layers 1 --hidden-size 128 --embedding-size 16 --dropout 0 --epochs 10"
    options += " --batch-size 16 --window 48 --learning-rate 4e-3"
    return Case(f"language-{name}", f"text {{strings}}/{name}.txt {options}", seeds=(0,), baseline=False)


def _translation(name: str, options: str, peer: str) -> Case:
    test = f"{PAIRS}test_2016_flickr.lc.norm.tok."
    parts = f"{PAIRS}train.lc.norm.tok.", f"{PAIRS}val.lc.norm.tok.", test
    train, held_out, test = (f"{part}de {part}en" for part in parts)
    words = f"translation {train} --held-out {held_out} --test {test} {options}"
    return Case(name, words.strip(), peer, (0,), False)


CASES = (
    Case(
        "ewt-upos",
        f"tagging {EWT}train.conllu --held-out {EWT}dev.conllu --test {EWT}test.conllu",
        "BiLSTM with GloVe (bentrevett/pytorch-pos-tagging, an older release of the treebank): 88.3 %",
    ),
    _uea("JapaneseVowels", "1-NN beside it"),
    _uea("BasicMotions", "1-NN beside it"),
    _uea("ItalyPowerDemand", "1-NN beside it"),
    Case(
        "digits",
        r"classification {data}/free_spoken_digits/recordings --label (\d)_.* --test-match _[0-4]\.wav$",
        "1-NN beside it",
    ),
    Case(
        "etth1",
        "forecasting {data}/ett_small/ETTh1.csv --split 8640 2880 2880 --context 96 --horizon 96",
        "seasonal naive beside it",
    ),
    Case("passengers", f"forecasting {SERIES}AirPassengers.csv --test-rows 24", "seasonal naive beside it"),
    Case(
        "passengers-log",
        f"forecasting {SERIES}AirPassengers.csv --test-rows 24 --transform log --level season",
        "seasonal naive beside it",
    ),
    Case("chorales-lstm", f"music {CHORALES}", "TCN paper (Bai et al. 2018): LSTM 8.45"),
    Case("chorales-gru", f"music {CHORALES} --cell gru", "the same: GRU 8.43"),
    Case("chorales-rnn", f"music {CHORALES} --cell rnn", "the same: RNN 8.91, TCN 8.10"),
    Case("chorales-voices", f"music {CHORALES} --notes voices", "another model of the chords: no peer there", (0,)),
    _language("telephone"),
    _language("checksum"),
    _spoken("spoken-known", "", also=(*_grammar("telephone"), *_grammar("checksum"))),
    _spoken("spoken-live", "", "--directions one --normalise running"),
    *(_spoken(f"spoken-without-{speaker}", f"/leave/{speaker}") for speaker in SPEAKERS),
    _translation("translation-luong", "", "simple nets (bentrevett/pytorch-seq2seq): 28.3"),
    _translation(
        "translation-none",
        "--attention none --hidden-size 384 --learning-rate 2e-3 --epochs 6",
        "the same without attention: 13.8 to 20.6",
    ),
    Case(
        "captioning",
        f"captioning {PHOTOS}Flickr8k.token.txt --images {PHOTOS}images96 "
        f"--train-list {PHOTOS}Flickr_8k.trainImages.txt --held-out-list {PHOTOS}Flickr_8k.devImages.txt "
        f"--test-list {PHOTOS}Flickr_8k.testImages.txt",
        seeds=(0,),
        baseline=False,
    ),
)


def run(case: Case, parent: Path, seed: int) -> None:
    """Train one, or go on with it; `.done` beside the folder says that it has come to its end."""
    folder, done = case.folder(parent, seed), parent / f"{case.name}-{seed}.done"
    if done.exists():
        return
    words = _filled(case.train, parent)
    baseline = ["--baseline"] if case.baseline and seed == 0 else []
    words += ["--seed", str(seed), "--threads", "1", "--out", str(folder), *baseline]
    if (folder / "config.json").exists():
        words = ["--resume", str(folder)]
    with (parent / f"{case.name}-{seed}.log").open("a") as log:
        subprocess.run([*PEEPHOLE, "train", *words, "--no-report"], check=True, stdout=log, stderr=log)
    done.touch()


def measure(case: Case, parent: Path, seed: int) -> dict[str, Any]:
    """What `eval` finds, and how long training took."""
    last = json.loads((case.folder(parent, seed) / "history.jsonl").read_text().splitlines()[-1])
    return {**evaluated(case, parent, seed), "steps": last["step"], "seconds": last["seconds"]}


def evaluated(case: Case, parent: Path, seed: int, also: int | None = None) -> dict[str, Any]:
    """What `eval` finds, or with the words of number `also` beside it, kept so that it is done once."""
    folder = case.folder(parent, seed)
    kept = folder.with_name(f"{folder.name}{'' if also is None else f'-also-{also}'}.json")
    if not kept.exists():
        words = ["eval", str(folder), "--json", *([] if also is None else _filled(case.also[also], parent))]
        kept.write_text(subprocess.run([*PEEPHOLE, *words], check=True, capture_output=True, text=True).stdout)
    return json.loads(kept.read_text())


def _filled(words: str, parent: Path) -> list[str]:
    """Words with the folders that they name."""
    folders = {"{data}": DATA, "{strings}": parent / "strings", "{parent}": parent}
    for name, folder in folders.items():
        words = words.replace(name, str(folder))
    return words.split()


def _bare_words(words: str) -> str:
    """The same without folders, as the table has them."""
    return " ".join(word.rsplit("/", 1)[-1] if word.startswith("{") else word for word in words.split())


def join_strings(parent: Path) -> None:
    """Make the recordings of spoken strings, once."""
    if not (parent / "strings").exists():
        script = Path(__file__).with_name("spoken_strings.py")
        subprocess.run(
            [sys.executable, str(script), str(DATA / "free_spoken_digits/recordings"), str(parent / "strings")],
            check=True,
        )


def rows(case: Case, parent: Path) -> list[str]:
    """A line of the table for each net and method."""
    found = [measure(case, parent, seed) for seed in case.seeds if (parent / f"{case.name}-{seed}.done").exists()]
    if not found:
        return []
    if "metrics" not in found[0]:  # a language model, measured by what it is good for
        return []
    names = [name for name in found[0]["metrics"] if _bare(name) not in LEFT_OUT]
    scores = "; ".join(f"{_number(name, [one['metrics'][name] for one in found])} {_bare(name)}" for name in names)
    seconds = ", ".join(f"{one['seconds']:.0f}" for one in found)
    lines = [f"| `{case.shown}` | {found[0]['steps']:,} steps; {seconds} s | {scores} | {case.peer} |"]
    for other, metrics in found[0]["others"].items():
        shown = {name: value for name, value in metrics.items() if _bare(name) not in LEFT_OUT}
        scores = "; ".join(f"{_number(name, [value])} {_bare(name)}" for name, value in shown.items())
        lines.append(f"| {other} | | {scores} | |")
    for number, words in enumerate(case.also):
        metrics = evaluated(case, parent, case.seeds[0], number)["metrics"]
        scores = "; ".join(f"{_number(name, [value])} {_bare(name)}" for name, value in metrics.items())
        lines.append(f"| `eval {_bare_words(words)}` | | {scores} | |")
    return lines


def _bare(name: str) -> str:
    return name.removesuffix(" %")


def _number(name: str, values: list[float]) -> str:
    """All of them, and of several the mean."""
    one = "{:.2%}" if name.endswith("%") else "{:.4g}"
    shown = ", ".join(one.format(value) for value in values)
    return shown if len(values) == 1 else f"{shown} (mean {one.format(mean(values))})"


def main(words: list[str]) -> None:
    """Train and measure the named cases, or all; print the table of what is there."""
    if not words:
        sys.exit("expected a folder for the runs, then names of cases or nothing for all")
    parent, names = Path(words[0]), words[1:]
    unknown = [name for name in names if name not in {case.name for case in CASES}]
    if unknown:
        sys.exit(f"unknown case {unknown[0]!r}; expected one of {', '.join(case.name for case in CASES)}")
    if not DATA.is_dir():
        sys.exit(f"{DATA}: no such folder; name the folder of data in PEEPHOLE_DATA")
    parent.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    for case in CASES:
        if not names or case.name in names:
            if "{strings}" in case.train:
                join_strings(parent)
            for seed in case.seeds:
                run(case, parent, seed)
    print("| trained by | cost | on the test part | others |\n" + "| --- " * 4 + "|")
    print("\n".join(line for case in CASES for line in rows(case, parent)))


if __name__ == "__main__":
    main(sys.argv[1:])
