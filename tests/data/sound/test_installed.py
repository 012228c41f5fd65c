"""What reads sound, where it is missing, broken, or stopped as it loads."""

import sys
from importlib.abc import MetaPathFinder

import pytest

from peephole.data.sound.recordings import check_installed
from peephole.errors import InputError


class Failing(MetaPathFinder):
    """Finds one module, and fails."""

    def __init__(self, name: str, error: BaseException) -> None:
        self.name, self.error = name, error

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> None:
        if fullname == self.name:
            raise self.error


def failing(monkeypatch: pytest.MonkeyPatch, name: str, error: BaseException) -> None:
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [Failing(name, error), *sys.meta_path])


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kaldi_native_fbank", None)
    with pytest.raises(InputError, match=r"which are not installed; pip install 'peephole\[speech\]'"):
        check_installed()


@pytest.mark.parametrize("error", [ImportError("undefined symbol"), OSError("undefined symbol")])
def test_broken(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    failing(monkeypatch, "kaldi_native_fbank", error)
    with pytest.raises(InputError, match=r"cannot be loaded \(undefined symbol\); pip install --force-reinstall"):
        check_installed()


def test_an_interrupt_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = ImportError("initialization failed")
    made.__cause__ = KeyboardInterrupt()
    for error in (made, KeyboardInterrupt()):
        failing(monkeypatch, "kaldi_native_fbank", error)
        with pytest.raises(KeyboardInterrupt):
            check_installed()
