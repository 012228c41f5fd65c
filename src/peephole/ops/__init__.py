"""One operator pair a cell family, behind one function: schema, checks, fake, autograd, support.

`run_layer` is what modules call; `supports` and `choose` say which back end serves a call and why. Nothing here knows
modules, models or files.
"""

from peephole.operands import Call as Call
from peephole.ops.functional import run_layer as run_layer
from peephole.ops.random import dropout_mask as dropout_mask
from peephole.ops.random import random_mask as random_mask
from peephole.ops.random import random_words as random_words
from peephole.ops.registration import register_cell as register_cell
from peephole.ops.support import BACKENDS as BACKENDS
from peephole.ops.support import Choice as Choice
from peephole.ops.support import Support as Support
from peephole.ops.support import choose as choose
from peephole.ops.support import serves_symbols as serves_symbols
from peephole.ops.support import supports as supports

__all__ = [
    "BACKENDS",
    "Call",
    "Choice",
    "Support",
    "choose",
    "dropout_mask",
    "random_mask",
    "random_words",
    "register_cell",
    "run_layer",
    "serves_symbols",
    "supports",
]
