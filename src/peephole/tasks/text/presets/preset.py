"""`TextPreset`: settings of a language model that go together, each with where it comes from."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from peephole.data.config import TextData
from peephole.errors import InputError
from peephole.models.language.config import LanguageConfig
from peephole.train.config import TrainingConfig

Tokens = Literal["char", "word", "bpe"]
Reasoned = tuple[Any, str]  # a value, and its source or our reason


@dataclass(frozen=True)
class TextPreset:
    """Settings of one net: what is counted, the net, and its training.

    Attributes:
        source: the paper or code that it follows, in a sentence.
        tokens: what it fits.
        data: settings of the text by name, `tokens` among them.
        reasons: where each value comes from, by the name of its setting. What is not named is as usual.
    """

    name: str
    source: str
    tokens: Tokens
    data: Mapping[str, Any]
    model: LanguageConfig
    training: TrainingConfig
    reasons: Mapping[str, str]

    def check(self, data: TextData) -> None:
        """Raise `InputError` for text that is cut into other tokens."""
        self.check_tokens(data.tokens)

    def check_tokens(self, tokens: str | None) -> None:
        """The same for what `--tokens` says, None where it says nothing."""
        if tokens is not None and tokens != self.tokens:
            raise InputError(
                f"--preset {self.name} is for --tokens {self.tokens}, and got {tokens}; leave --tokens away, or choose "
                "another preset"
            )

    def settings(self) -> dict[str, Any]:
        """Every value that the preset names, by the name of its setting."""
        groups = (self.data, vars(self.model), vars(self.training))
        return {name: value for group in groups for name, value in group.items() if name in self.reasons}


def preset(name: str, source: str, tokens: Tokens, settings: Mapping[str, Reasoned]) -> TextPreset:
    """A preset of settings by name, each `(value, where it comes from)`; a name that no setting has is a `KeyError`."""
    values: dict[type, dict[str, Any]] = {kind: {} for kind in (TextData, LanguageConfig, TrainingConfig)}
    for setting, (value, _) in settings.items():
        values[_home(setting)][setting] = value
    return TextPreset(
        name=name,
        source=source,
        tokens=tokens,
        data={"tokens": tokens, **values[TextData]},
        model=LanguageConfig(**values[LanguageConfig]),
        training=TrainingConfig(**values[TrainingConfig]),
        reasons={setting: reason for setting, (_, reason) in settings.items()},
    )


def _home(setting: str) -> type:
    for kind in (LanguageConfig, TrainingConfig, TextData):
        if setting in {field.name for field in dataclasses.fields(kind)}:
            return kind
    raise KeyError(setting)
