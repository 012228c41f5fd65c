"""Does it blow up, saturate or forget? Measurements of recurrences and of nets, forward in time and back.

What lives here never changes what it measures: functions in, frozen results out, each with `.verdict`, one sentence
with its numbers, and `.plot(ax)`. What does not: training, files, printing.

Recurrences, from numbers: `scalar_recurrence`, `memory_curve`, `linear_recurrence`, `linear_bound`, `transient`,
`vector_recurrence`, `largest_exponent`, `critical_gain`. Nets on a batch, of peephole's and torch.nn's modules alike:
forward `saturation`, `memory`, `timescales`, `lyapunov_spectrum`, `fixed_points`, and back `step_jacobians`,
`gradient_flow`, `gradient_bounds`, `carousel`, `decompose_gradient`; `examine` does most of it at once. Feed-forward
stacks: `depth_flow`.

Inside: `recurrences`, given as numbers; `recordings`, a net on a batch kept whole; `steps`, the derivative of a step of
every cell; `forward` and `backward`, what is measured with them.
"""

from peephole.stability.backward.bounds import GradientBounds as GradientBounds
from peephole.stability.backward.bounds import gradient_bounds as gradient_bounds
from peephole.stability.backward.carousel import Carousel as Carousel
from peephole.stability.backward.carousel import carousel as carousel
from peephole.stability.backward.decomposition import Decomposition as Decomposition
from peephole.stability.backward.decomposition import decompose_gradient as decompose_gradient
from peephole.stability.backward.depth import DepthFlow as DepthFlow
from peephole.stability.backward.depth import depth_flow as depth_flow
from peephole.stability.backward.flow import GradientFlow as GradientFlow
from peephole.stability.backward.flow import gradient_flow as gradient_flow
from peephole.stability.backward.jacobians import StepJacobians as StepJacobians
from peephole.stability.backward.jacobians import step_jacobians as step_jacobians
from peephole.stability.examination import Examination as Examination
from peephole.stability.examination import examine as examine
from peephole.stability.forward.exponents import LyapunovSpectrum as LyapunovSpectrum
from peephole.stability.forward.fixed_points import FixedPoints as FixedPoints
from peephole.stability.forward.fixed_points import fixed_points as fixed_points
from peephole.stability.forward.lyapunov import lyapunov_spectrum as lyapunov_spectrum
from peephole.stability.forward.memory import Memory as Memory
from peephole.stability.forward.memory import memory as memory
from peephole.stability.forward.saturation import Saturation as Saturation
from peephole.stability.forward.saturation import saturation as saturation
from peephole.stability.forward.saturation import state_bounds as state_bounds
from peephole.stability.forward.timescales import Timescales as Timescales
from peephole.stability.forward.timescales import timescales as timescales
from peephole.stability.recurrences.gain import CriticalGain as CriticalGain
from peephole.stability.recurrences.gain import critical_gain as critical_gain
from peephole.stability.recurrences.gain import largest_exponent as largest_exponent
from peephole.stability.recurrences.linear import LinearRecurrence as LinearRecurrence
from peephole.stability.recurrences.linear import linear_recurrence as linear_recurrence
from peephole.stability.recurrences.linear_bound import LinearBound as LinearBound
from peephole.stability.recurrences.linear_bound import linear_bound as linear_bound
from peephole.stability.recurrences.memory_curve import MemoryCurve as MemoryCurve
from peephole.stability.recurrences.memory_curve import memory_curve as memory_curve
from peephole.stability.recurrences.scalar import ScalarRecurrence as ScalarRecurrence
from peephole.stability.recurrences.scalar import scalar_recurrence as scalar_recurrence
from peephole.stability.recurrences.transient import Transient as Transient
from peephole.stability.recurrences.transient import transient as transient
from peephole.stability.recurrences.vector import VectorRecurrence as VectorRecurrence
from peephole.stability.recurrences.vector import vector_recurrence as vector_recurrence
