"""Does it blow up, saturate or forget? Measurements of recurrences and of nets, forward in time and back.

What lives here never changes what it measures: functions in, frozen results out, each with `.verdict`, one sentence
with its numbers, and `.plot(ax)`. What does not: training, files, printing.
"""
