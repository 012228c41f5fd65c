"""The derivative of one step of every cell, in closed form, along a passage.

`linearise(passage)` gives a `Linearised`: `pull` takes gradients one step back, `push` takes tangents one step on,
`jacobian` is the matrix of both. A cell of one's own is differentiated by torch.
"""

from peephole.spec import BUILT_IN
from peephole.stability.recordings.passage import Passage
from peephole.stability.steps.gru import GRUSteps
from peephole.stability.steps.linearised import Linearised as Linearised
from peephole.stability.steps.linearised import Pulled as Pulled
from peephole.stability.steps.lstm import LSTMSteps
from peephole.stability.steps.own import OwnSteps
from peephole.stability.steps.rnn import RNNSteps

_KINDS: dict[str, type[Linearised]] = {"rnn": RNNSteps, "lstm": LSTMSteps, "gru": GRUSteps}


def linearise(passage: Passage) -> Linearised:
    """The steps of a passage as linear maps."""
    family = passage.spec.family
    return (_KINDS[family] if family in BUILT_IN else OwnSteps)(passage)
