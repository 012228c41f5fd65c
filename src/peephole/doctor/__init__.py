"""Why a net does not learn, and what to change: findings ranked by what they cost, from a run or from any module.

`diagnose` looks at a module and its batches, `peephole doctor RUN` at a run. Measurements are in `measuring`, judgement
in `rules`, the order of findings in `ranking`; `planting` makes trainings that are ill on purpose. Nothing here trains
the net that it looks at; `treatment` trains another.
"""

from peephole.doctor.diagnose import diagnose as diagnose
from peephole.doctor.diagnosis import Diagnosis as Diagnosis
from peephole.doctor.finding import Finding as Finding
from peephole.doctor.treatment import treat as treat
