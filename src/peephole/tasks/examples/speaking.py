"""`SpeakingModel`: a run whose net reads something and then says a sequence, symbol after symbol."""

from collections.abc import Callable
from typing import Any, ClassVar

from torch import Tensor, nn

from peephole import divergence
from peephole.data.sequences.batches import batch_of
from peephole.errors import InputError
from peephole.models.decoder import entering
from peephole.models.encoder_decoder import EncoderDecoder
from peephole.tasks.examples.model import EXAMINED_STEPS, ExamplesModel
from peephole.tasks.examples.objective import ExamplesObjective


class SpeakingModel(ExamplesModel):
    """A task with an `EncoderDecoder`: targets `[U, B]` are the symbols of the answers, each with the end after it.

    Its training is a `SpeakingConfig`.
    """

    has_mlp: ClassVar[bool] = False
    aligned: ClassVar[bool] = False
    reads_sequences: ClassVar[bool] = True  # whether a source is a sequence, with a length, rather than a picture
    model: EncoderDecoder

    def objective(self) -> ExamplesObjective:
        if self.task.training.sampling and (self.task.model.zoneout or self.task.model.zoneout_cell):
            raise InputError("--sampling goes step by step, and --zoneout needs all steps at once; give one of them")
        return super().objective()

    def respond(self, model: nn.Module, batch: Any, seed: Tensor | None = None) -> Any:
        """Logits `[U, B, V]` of each symbol given the right ones before it.

        While training it is given a share of its own, and logits `[N, V]` are those of the steps that count alone.
        """
        device = next(model.parameters()).device
        rows = None if batch.rows is None else batch.rows.to(device)
        lengths = batch.lengths.to(device) if self.reads_sequences else None
        sampling, counted = 0.0, None
        if model.training:
            sampling, counted = self.task.training.sampling_after(batch.passed), batch.weights.to(device) > 0
        entered = entering(batch.targets.to(device))
        return model(batch.inputs.to(device), entered, lengths, rows, seed, sampling, counted)[0]

    def divergence(self, outputs: Any, batch: Any) -> Tensor:
        targets, weights = batch.targets.to(outputs.device), batch.weights.to(outputs.device)
        if outputs.dim() == 2:  # of the steps that count
            smoothing = self.task.training.label_smoothing
            return divergence.kl(outputs[None], targets[weights > 0][None], smoothing=smoothing)
        return divergence.kl(outputs, targets, weights)

    def examined(
        self, sequences: int, steps: int | None = None, most: int | None = None
    ) -> tuple[dict[str, Any], Callable[[Any], Tensor]]:
        """Held-out sources of like length, cut to the shortest of them, and the divergence of their answers."""
        part = self.part(self.measured_part)
        asked = part.lengths
        order = asked.argsort(kind="stable")
        end = max(min(sequences, len(order)), round(0.9 * len(order)))
        numbers = order[max(0, end - sequences) : end]
        shortest = int(asked[numbers].min())
        wanted = min(shortest, EXAMINED_STEPS if steps is None else steps)
        wanted = wanted if most is None else min(wanted, most)
        if wanted < 2:
            raise InputError(f"held-out sequences have {shortest} steps; nothing flows through time in so few")
        pairs = [part.sequence(number) for number in numbers.tolist()]
        batch = batch_of([(inputs[:wanted], targets) for inputs, targets in pairs])
        given = {"inputs": batch.inputs, "entering": entering(batch.targets)}
        return given, lambda outputs: self.divergence(outputs, batch)
