"""Units that mean something: of a language model, those whose state or gate follows a property of the text.

What lives here: properties of text, a net's reading of held-out text, and the search with its tests. What does not:
colours and pages (`report`), measurements of a recurrence whatever it reads (`stability`).
"""

from peephole.units.found import Ablation as Ablation
from peephole.units.found import Unit as Unit
from peephole.units.found import Units as Units
from peephole.units.properties import PROPERTIES as PROPERTIES
from peephole.units.reading import Reading as Reading
from peephole.units.reading import read_held_out as read_held_out
from peephole.units.search import find_units as find_units
from peephole.units.search import units_of as units_of
from peephole.units.stretch import Stretch as Stretch
from peephole.units.stretch import stretch as stretch
