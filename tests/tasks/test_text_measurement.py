"""What is measured of a run over words or pieces: parts, units that compare, unknown words, looking back."""

import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.tasks import load_text
from peephole.tasks.config import TextTask
from peephole.tasks.text.adapting import CacheSettings, DynamicSettings
from peephole.tasks.text.baselines import fit
from peephole.tasks.text.evaluation import evaluate
from peephole.tasks.text.measurement import Measurement
from peephole.tasks.text.mixture import best_share
from peephole.tasks.text.model import TextModel
from peephole.tasks.text.passage import passage_of
from peephole.train.config import TrainingConfig

TRAIN = "the cat saw the dog .\nthe dog saw a bird .\n" * 40
TEST = "the cat saw a <unk> .\n\na zebra saw the cat\n"


def untrained(folder: Path, **data: object) -> TextModel:
    """A model with weights as they were drawn, of a text with three parts."""
    data_folder = folder / "text"
    data_folder.mkdir(parents=True)
    for name, text in (("train", TRAIN), ("valid", "the dog saw the cat .\n" * 8), ("test", TEST)):
        (data_folder / f"{name}.txt").write_text(text)
    settings = TextTask(
        TextData((data_folder,), **{"tokens": "word", **data}),  # pyright: ignore[reportArgumentType]
        LanguageConfig(hidden_size=8, embedding_size=8, layers=1),
        TrainingConfig(batch_size=1, window=4),
    )
    return TextModel.create(settings, folder / "run")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> TextModel:
    return untrained(tmp_path_factory.mktemp("words") / "a")


@pytest.fixture(scope="module")
def measured(words: TextModel) -> Measurement:
    return evaluate(words)


def test_the_test_part_is_measured_as_it_is_published(words: TextModel, measured: Measurement) -> None:
    """Words and line ends count, ends of documents do not, and what is unknown costs what its symbol costs."""
    assert (measured.text, measured.part, measured.unit) == ("test text of the run", "test", "words")
    assert measured.tokens == measured.words == len(TEST.split()) + TEST.count("\n") == 14
    assert measured.unknown == 2
    assert measured.unknown_share == pytest.approx(2 / 14)
    tokens = np.asarray(words.corpus.test.tokens)  # pyright: ignore[reportOptionalMemberAccess]
    values = words.price(tokens)
    assert len(values) == 15  # the end of the document is the last
    assert measured.nats == pytest.approx(values[:-1].sum())
    assert measured.perplexity == measured.perplexity_per_word == pytest.approx(math.exp(values[:-1].mean()))
    assert "2 of the words (14.3%) are <unk>" in measured.notes[0]


def test_characters_of_words_are_those_of_the_text(words: TextModel, tmp_path: Path) -> None:
    for text in ("the cat saw the dog .\n\na bird\n", "the dog", "\n\n", "a\nbird saw\n"):
        (tmp_path / "a.txt").write_text(text)
        found = passage_of(words, [tmp_path / "a.txt"])
        assert (found.characters, found.words) == (len(text), len(text.split()) + text.count("\n")), text
        assert found.counted == len(found.tokens) - 2


def test_parts(words: TextModel) -> None:
    held_out = evaluate(words, part="held_out", baselines=False)
    assert (held_out.text, held_out.part, held_out.tokens) == ("held-out text of the run", "held out", 56)
    assert evaluate(words, part="test", limit=5, baselines=False).tokens == 5
    assert evaluate(words, limit=5, baselines=False).part == "test"


def test_baselines_read_the_same_words(words: TextModel, measured: Measurement) -> None:
    assert measured.baselines_nats is not None
    assert list(measured.baselines_nats) == ["unigram", "bigram", "5-gram"]  # xz spells, and is left out
    training = np.asarray(words.corpus.train.tokens)
    tokens = np.asarray(words.corpus.test.tokens)  # pyright: ignore[reportOptionalMemberAccess]
    for name, order in (("unigram", 1), ("bigram", 2), ("5-gram", 5)):
        nats = fit(training, words.tokenizer, order).surprisal(tokens)[1:-1].sum()
        assert measured.baselines_nats[name] == pytest.approx(nats), name
    assert measured.against is not None
    assert measured.against.whole.tokens == 14
    assert measured.against.whole.ngram == pytest.approx(measured.baselines_nats["5-gram"] / 14)
    assert measured.against.whole.net == pytest.approx(measured.nats_per_token)
    mixture = measured.against.mixture
    assert mixture is not None
    assert mixture.chosen_on == "the first 57 tokens of the held-out text"
    assert 0 < mixture.share < 0.5  # a net that learnt nothing beside counts
    assert mixture.net == pytest.approx(measured.nats_per_token)
    trial = np.asarray(words.corpus.held_out.tokens)
    paid = words.price(trial)[:-1], fit(training, words.tokenizer, 5).surprisal(trial)[1:-1]
    assert mixture.share == pytest.approx(best_share(*paid))


def test_runs_over_one_text_compare_by_the_word(tmp_path: Path) -> None:
    """Whatever a token is, the words are the same; pieces and characters count the same characters."""
    found = {
        tokens: evaluate(untrained(tmp_path / tokens, tokens=tokens, **more), part="held_out", baselines=False)
        for tokens, more in (("word", {}), ("char", {}), ("bpe", {"vocabulary": 300}))
    }
    assert {one.words for one in found.values()} == {56}
    assert {one.characters for one in found.values()} == {8 * 22}
    assert [found[name].unit for name in ("char", "bpe")] == ["characters", "pieces"]
    assert found["bpe"].notes == ()
    for one in found.values():
        assert one.per_word(one.nats) == one.perplexity_per_word == pytest.approx(math.exp(one.nats / 56))
        assert one.bits_per_character == pytest.approx(one.nats / 176 / math.log(2))


def test_pieces_have_xz_beside_them(tmp_path: Path) -> None:
    pieces = evaluate(untrained(tmp_path / "a", tokens="bpe", vocabulary=300))
    assert pieces.baselines_nats is not None
    assert set(pieces.baselines_nats) == {"unigram", "bigram", "5-gram", "xz"}
    assert pieces.characters == len(TEST)
    assert pieces.unknown == 0


def test_settings_are_chosen_on_the_held_out_part(words: TextModel) -> None:
    before = {name: value.clone() for name, value in words.model.state_dict().items()}
    found = evaluate(words, baselines=False, cache=CacheSettings(20), dynamic=DynamicSettings(window=5))
    names = ["with a cache of 20", "by dynamic evaluation", "by dynamic evaluation, with a cache of 20"]
    assert [one.name for one in found.adapted] == names
    cached, dynamic, both = found.adapted
    nothing_learnt = words.price(np.asarray(words.corpus.held_out.tokens))[:-1].mean()
    assert min(dynamic.tried, key=lambda pair: pair.nats).nats < nothing_learnt
    for one, keys in ((cached, ("cache_sharpness", "cache_share")), (dynamic, ("dynamic_rate", "dynamic_decay"))):
        assert one.chosen_on == "the first 57 tokens of the held-out text"
        best = min(one.tried, key=lambda pair: pair.nats)
        assert (best.first, best.second) == tuple(one.settings[key] for key in keys)
    assert set(both.settings) == {*cached.settings, *dynamic.settings}
    assert all(value.equal(before[name]) for name, value in words.model.state_dict().items())
    given = CacheSettings(20, cached.settings["cache_sharpness"], cached.settings["cache_share"])
    again = evaluate(words, baselines=False, cache=given).adapted[0]
    assert (again.nats, again.tried, again.chosen_on) == (pytest.approx(cached.nats), (), "")
    same = evaluate(words, part="held_out", baselines=False, cache=CacheSettings(20)).adapted[0]
    assert same.chosen_on == "the first 57 tokens of what is measured"


def test_unknown_characters_are_priced_when_looking_back_too(trained: Path, tmp_path: Path) -> None:
    model = load_text(trained)
    (tmp_path / "a.txt").write_text("The ßord is out of the time")
    found = evaluate(model, [tmp_path / "a.txt"], baselines=False, cache=CacheSettings(10, 0.3, 1e-6))
    assert found.unknown_characters == 1
    assert found.adapted[0].nats == pytest.approx(found.nats, rel=1e-4)


def test_what_is_missing_is_said(words: TextModel, tmp_path: Path, trained: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/data")
    gone = load_text(tmp_path / "run")
    (tmp_path / "a.txt").write_text("the cat")
    files = [tmp_path / "a.txt"]
    with pytest.raises(InputError, match=r"its text is gone .* --dynamic measures gradients on the training part"):
        evaluate(gone, files, dynamic=DynamicSettings())
    with pytest.raises(InputError, match=r"its text is gone .* give --cache-sharpness and --cache-share"):
        evaluate(gone, files, cache=CacheSettings(5))
    assert evaluate(gone, files, cache=CacheSettings(5, 0.3, 0.1)).adapted[0].nats > 0
    with pytest.raises(InputError, match="has no test part; expected --part held-out"):
        evaluate(load_text(trained), part="test")
    with pytest.raises(InputError, match="not int8 ones; leave --weights away"):
        evaluate(words, weights="int8", cache=CacheSettings(5))
