"""The lecture's pseudocode as it stands on the slides, forward and backward, with the slides' slips put right.

What lives here is for reading: one vector at a time and no batches, one line an equation, a new copy of the cell at
each (t, l) that retains its static values, and gradients derived by hand, never by torch's machinery. What does not:
anything quick, and anything without a place in the lecture (lengths, directions, dropout); `peephole.reference.run`
is the oracle, and tests hold the two to each other. Read `lstm`, then `network`; `rnn` and `gru` follow the same plan.
"""

from peephole.reference.by_hand.activation import softmax_jacobian as softmax_jacobian
from peephole.reference.by_hand.gru import GRUCell as GRUCell
from peephole.reference.by_hand.lstm import LSTMCell as LSTMCell
from peephole.reference.by_hand.network import Cell as Cell
from peephole.reference.by_hand.network import Gradients as Gradients
from peephole.reference.by_hand.network import Network as Network
from peephole.reference.by_hand.rnn import RNNCell as RNNCell
from peephole.reference.by_hand.stacked import gradients_to_stacked as gradients_to_stacked
from peephole.reference.by_hand.stacked import parameters_from_stacked as parameters_from_stacked

__all__ = [
    "Cell",
    "GRUCell",
    "Gradients",
    "LSTMCell",
    "Network",
    "RNNCell",
    "gradients_to_stacked",
    "parameters_from_stacked",
    "softmax_jacobian",
]
