"""Recordings, from files or through a pipe, to transcripts."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peephole.data.sound.recordings import SOUND, check_installed, read_blocks, silent
from peephole.data.sound.resampling import Resampling
from peephole.data.sound.wave_stream import Bytes, wave_blocks
from peephole.data.speech.config import SpeechData
from peephole.data.speech.encoding import Listening, SpeechEncoding, stored
from peephole.data.speech.reading import listed, sound_files
from peephole.errors import InputError
from peephole.models.following import Following
from peephole.models.sequence import SequenceModel
from peephole.tasks.speech.answer import HeardWord, Transcript, Word
from peephole.tasks.speech.words import Reading

logger = logging.getLogger(__name__)

BLOCK = 0.1  # seconds of sound that are read at a time
Blocks = Iterable[tuple[NDArray[np.float32], int]]


class Answering:
    """A net with what it needs to hear recordings.

    A net of one direction answers with every word as soon as it is sure of it, and then with the transcript; a net of
    both directions with the transcript alone.
    """

    def __init__(self, model: SequenceModel, encoding: SpeechEncoding, reading: Reading, data: SpeechData) -> None:
        self.model, self.encoding, self.reading, self.data = model.eval(), encoding, reading, data
        alike = encoding.normalise != "recording"  # which nobody knows before its end
        self.follows = alike and not model.config.bidirectional

    def of_files(self, paths: Sequence[Path]) -> Iterator[HeardWord | Transcript]:
        """Answers to recordings, those in folders, and those that tables name.

        What cannot be read in a folder is passed over with a warning, as are recordings without samples.

        Raises:
            InputError: a file that is named and is no recording, or nothing is installed that reads them.
        """
        check_installed()  # said once, not of each recording in a folder
        for path, named in list(self._recordings(paths)):  # a table is read before anything is answered
            try:
                reason = silent(path, self.data.hop_milliseconds)
                if reason is None:
                    yield from self.of_blocks(read_blocks(path, BLOCK), str(path))
            except InputError as error:
                if named:
                    raise
                reason = str(error)
            if reason is not None:
                logger.warning("%s skipped: %s", path, reason)

    def of_stream(self, stream: Bytes, name: str) -> Iterator[HeardWord | Transcript]:
        """Answers to a WAV file that comes as bytes; none without samples. `InputError` where it is no such file."""
        blocks = wave_blocks(stream, BLOCK, name)
        first = next(blocks, None)
        if first is not None:
            yield from self.of_blocks(chain([first], blocks), name)

    def of_blocks(self, blocks: Blocks, name: str) -> Iterator[HeardWord | Transcript]:
        """Answers to one recording that comes block by block, each with its rate."""
        if not self.follows:
            yield Transcript(name, tuple(self._whole(blocks)))
            return
        words: list[Word] = []
        for found in self._followed(blocks):
            words += found
            for word in found:
                yield HeardWord(name, word)
        yield Transcript(name, tuple(words))

    def _followed(self, blocks: Blocks) -> Iterator[list[Word]]:
        """The words that each block brings."""
        following, heard, listening = Following(self.model), self.reading.begin(), Listening(self.encoding)
        for samples in self._resampled(blocks):
            logs = self._outputs(following, listening.add(samples))
            if len(logs):
                yield heard.add(logs)
        logs = self._outputs(following, listening.end())
        yield [*(heard.add(logs) if len(logs) else []), *heard.end()]

    def _outputs(self, following: Following, steps: NDArray[np.float32]) -> NDArray[np.float32]:
        """Log-probabilities `[n, V]` of steps `[n, width]`."""
        rows: list[Tensor] = []
        for step in steps:
            found = following.step(torch.from_numpy(step)[None])
            if found is not None:
                rows.append(found[0])
        symbols = len(self.encoding.spelling)
        return torch.stack(rows).float().numpy() if rows else np.empty((0, symbols), np.float32)

    @torch.no_grad()
    def _whole(self, blocks: Blocks) -> list[Word]:
        samples = list(self._resampled(blocks))
        inputs = self.encoding.inputs(stored(np.concatenate(samples))) if samples else np.empty(0, np.float32)
        if not len(inputs):
            return []
        device = next(self.model.parameters()).device
        given = torch.from_numpy(inputs)[:, None].to(device)
        logits = self.model(given, lengths=torch.tensor([len(inputs)], device=device))[0][:, 0]
        return self.reading.words(logits.float().log_softmax(-1).cpu().numpy())

    def _resampled(self, blocks: Blocks) -> Iterator[NDArray[np.float32]]:
        """The blocks at the rate that the net hears."""
        resampling: Resampling | None = None
        for samples, rate in blocks:
            resampling = resampling or Resampling(rate, self.encoding.filterbank.rate)
            yield resampling.add(samples)
        if resampling is not None:
            yield resampling.end()

    def _recordings(self, paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
        """Each recording, and whether somebody named it, rather than the folder that it lies in."""
        for path in paths:
            if path.is_dir():
                yield from ((file, False) for file in sound_files([path]))
            elif path.suffix.lower() == ".tsv":
                yield from ((file, True) for file in listed(path, self.data.encoding))
            else:
                if path.suffix.lower() not in SOUND:
                    logger.warning("%s: read as a recording, though it is not called %s", path, " or ".join(SOUND))
                yield path, True
