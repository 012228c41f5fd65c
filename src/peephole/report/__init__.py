"""One run as one HTML file that needs nothing else: what was trained, how it went, and what is inside.

What stands in the file is measured by the packages below and by what is here for reading alone: the choice of units to
show, and shares that are counted for a figure. Nothing here trains, and nothing here is kept anywhere but in the file.
"""

from peephole.report.making import Report as Report
from peephole.report.making import make as make
from peephole.report.making import write as write
from peephole.tasks.subject import Subject as Subject
from peephole.tasks.subject import look_at as look_at
