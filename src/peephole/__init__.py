"""peephole: recurrent networks you can look into.

Importing costs nothing: torch and everything above it load when a name is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from peephole._version import __version__ as __version__

if TYPE_CHECKING:
    from peephole import doctor as doctor
    from peephole import report as report
    from peephole import stability as stability
    from peephole import units as units
    from peephole.data.captioning.config import CaptioningData as CaptioningData
    from peephole.data.classification.config import ClassificationData as ClassificationData
    from peephole.data.config import TextData as TextData
    from peephole.data.forecasting.config import ForecastingData as ForecastingData
    from peephole.data.music.config import MusicData as MusicData
    from peephole.data.speech.config import SpeechData as SpeechData
    from peephole.data.tagging.config import TaggingData as TaggingData
    from peephole.data.translation.config import TranslationData as TranslationData
    from peephole.doctor.diagnose import diagnose as diagnose
    from peephole.errors import InputError as InputError
    from peephole.generate.config import Sampling as Sampling
    from peephole.inside.effect import effect as effect
    from peephole.inside.effect import effects as effects
    from peephole.inside.intervention import ablate as ablate
    from peephole.inside.intervention import clamp as clamp
    from peephole.inside.intervention import scale as scale
    from peephole.inside.intervention import swap as swap
    from peephole.inside.trace import trace as trace
    from peephole.models.attention import Attention as Attention
    from peephole.models.config import DecoderConfig as DecoderConfig
    from peephole.models.config import EncoderDecoderConfig as EncoderDecoderConfig
    from peephole.models.config import ModelConfig as ModelConfig
    from peephole.models.decoder import Decoder as Decoder
    from peephole.models.encoder_decoder import EncoderDecoder as EncoderDecoder
    from peephole.models.encoder_decoder import RecurrentEncoder as RecurrentEncoder
    from peephole.nn.cells import Cell as Cell
    from peephole.nn.cells import GRUCell as GRUCell
    from peephole.nn.cells import LSTMCell as LSTMCell
    from peephole.nn.cells import RNNCell as RNNCell
    from peephole.nn.exchange import from_torch as from_torch
    from peephole.nn.exchange import to_torch as to_torch
    from peephole.nn.explanation import explain_backend as explain_backend
    from peephole.nn.layers import GRU as GRU
    from peephole.nn.layers import LSTM as LSTM
    from peephole.nn.layers import RNN as RNN
    from peephole.nn.recurrent import Recurrent as Recurrent
    from peephole.ops.registration import register_cell as register_cell
    from peephole.spec import CellSpec as CellSpec
    from peephole.streams.snapshot import Snapshot as Snapshot
    from peephole.streams.stream import Stream as Stream
    from peephole.tasks import load as load
    from peephole.tasks.captioning.model import CaptioningModel as CaptioningModel
    from peephole.tasks.captioning.settings import CaptioningTask as CaptioningTask
    from peephole.tasks.classification.model import ClassificationModel as ClassificationModel
    from peephole.tasks.classification.settings import ClassificationTask as ClassificationTask
    from peephole.tasks.config import TextTask as TextTask
    from peephole.tasks.forecasting.model import ForecastingModel as ForecastingModel
    from peephole.tasks.forecasting.settings import ForecastingTask as ForecastingTask
    from peephole.tasks.music.model import MusicModel as MusicModel
    from peephole.tasks.music.settings import MusicTask as MusicTask
    from peephole.tasks.speech.model import SpeechModel as SpeechModel
    from peephole.tasks.speech.settings import SpeechTask as SpeechTask
    from peephole.tasks.tagging.model import TaggingModel as TaggingModel
    from peephole.tasks.tagging.settings import TaggingTask as TaggingTask
    from peephole.tasks.text.model import TextModel as TextModel
    from peephole.tasks.translation.model import TranslationModel as TranslationModel
    from peephole.tasks.translation.settings import TranslationTask as TranslationTask
    from peephole.train.config import TrainingConfig as TrainingConfig
    from peephole.train.watch.reading import read_watch as read_watch

_HOMES = {
    "InputError": "errors",
    "CellSpec": "spec",
    "RNN": "nn.layers",
    "LSTM": "nn.layers",
    "GRU": "nn.layers",
    "Recurrent": "nn.recurrent",
    "RNNCell": "nn.cells",
    "LSTMCell": "nn.cells",
    "GRUCell": "nn.cells",
    "Cell": "nn.cells",
    "Attention": "models.attention",
    "Decoder": "models.decoder",
    "DecoderConfig": "models.config",
    "EncoderDecoderConfig": "models.config",
    "RecurrentEncoder": "models.encoder_decoder",
    "EncoderDecoder": "models.encoder_decoder",
    "register_cell": "ops.registration",
    "from_torch": "nn.exchange",
    "to_torch": "nn.exchange",
    "explain_backend": "nn.explanation",
    "trace": "inside.trace",
    "clamp": "inside.intervention",
    "scale": "inside.intervention",
    "ablate": "inside.intervention",
    "swap": "inside.intervention",
    "effect": "inside.effect",
    "effects": "inside.effect",
    "diagnose": "doctor.diagnose",
    "Stream": "streams.stream",
    "Snapshot": "streams.snapshot",
    "load": "tasks",
    "read_watch": "train.watch.reading",
    "TextTask": "tasks.config",
    "TextData": "data.config",
    "ModelConfig": "models.config",
    "TrainingConfig": "train.config",
    "Sampling": "generate.config",
    "TextModel": "tasks.text.model",
    "TaggingModel": "tasks.tagging.model",
    "TaggingTask": "tasks.tagging.settings",
    "TaggingData": "data.tagging.config",
    "ClassificationModel": "tasks.classification.model",
    "ClassificationTask": "tasks.classification.settings",
    "ClassificationData": "data.classification.config",
    "ForecastingModel": "tasks.forecasting.model",
    "ForecastingTask": "tasks.forecasting.settings",
    "ForecastingData": "data.forecasting.config",
    "MusicModel": "tasks.music.model",
    "MusicTask": "tasks.music.settings",
    "MusicData": "data.music.config",
    "SpeechModel": "tasks.speech.model",
    "SpeechTask": "tasks.speech.settings",
    "SpeechData": "data.speech.config",
    "TranslationModel": "tasks.translation.model",
    "TranslationTask": "tasks.translation.settings",
    "TranslationData": "data.translation.config",
    "CaptioningModel": "tasks.captioning.model",
    "CaptioningTask": "tasks.captioning.settings",
    "CaptioningData": "data.captioning.config",
}

_PACKAGES = ("doctor", "report", "stability", "units")

__all__ = [  # noqa: RUF022
    "__version__",
    "InputError",
    "CellSpec",
    "RNN",
    "LSTM",
    "GRU",
    "Recurrent",
    "RNNCell",
    "LSTMCell",
    "GRUCell",
    "Cell",
    "Attention",
    "Decoder",
    "DecoderConfig",
    "EncoderDecoderConfig",
    "RecurrentEncoder",
    "EncoderDecoder",
    "register_cell",
    "from_torch",
    "to_torch",
    "explain_backend",
    "trace",
    "clamp",
    "scale",
    "ablate",
    "swap",
    "effect",
    "effects",
    "diagnose",
    "Stream",
    "Snapshot",
    "load",
    "read_watch",
    "TextTask",
    "TextData",
    "ModelConfig",
    "TrainingConfig",
    "Sampling",
    "TextModel",
    "TaggingModel",
    "TaggingTask",
    "TaggingData",
    "ClassificationModel",
    "ClassificationTask",
    "ClassificationData",
    "ForecastingModel",
    "ForecastingTask",
    "ForecastingData",
    "MusicModel",
    "MusicTask",
    "MusicData",
    "SpeechModel",
    "SpeechTask",
    "SpeechData",
    "TranslationModel",
    "TranslationTask",
    "TranslationData",
    "CaptioningModel",
    "CaptioningTask",
    "CaptioningData",
    "doctor",
    "report",
    "stability",
    "units",
]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"peephole.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'peephole' has no attribute {name!r}")
    value = getattr(import_module(f"peephole.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
