"""Figures as files. matplotlib is an extra and loads here alone; results draw themselves on axes they are given."""

import io
from typing import TYPE_CHECKING

from peephole.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_installed() -> None:
    """Raise `InputError`, with the extra's name, where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise InputError("figures need matplotlib, which is not installed; pip install 'peephole[figures]'") from None


def png(figure: "Figure") -> bytes:
    """A PNG file's content."""
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=120)
    return content.getvalue()
