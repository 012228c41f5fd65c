"""Settings of language models that go together: of papers, with the source of each value, and ours for a machine.

`docs/presets.md` is made from them. They load nothing heavy: the command line reads them for its help.
"""

from peephole.errors import InputError
from peephole.tasks.text.presets import awd_lstm, karpathy, laptop, tcn, tdnn, zaremba
from peephole.tasks.text.presets.preset import TextPreset as TextPreset

PRESETS: dict[str, TextPreset] = {
    preset.name: preset for module in (laptop, tdnn, zaremba, awd_lstm, karpathy, tcn) for preset in module.PRESETS
}


def preset_named(name: str) -> TextPreset:
    """The preset of that name; `InputError` where there is none."""
    if name not in PRESETS:
        raise InputError(f"no preset is called {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
