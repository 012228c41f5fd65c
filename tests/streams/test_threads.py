"""Pieces of work on threads of their own, each with one thread inside."""

import pytest
import torch

from peephole.streams.threads import map_pieces, one_thread


def test_pieces_come_back_in_order_with_one_thread_each() -> None:
    for threads in (1, 2):
        torch.set_num_threads(threads)
        assert map_pieces(lambda piece: (piece, torch.get_num_threads()), range(9)) == [(each, 1) for each in range(9)]
        assert map_pieces(lambda piece: piece, []) == []
        assert torch.get_num_threads() == threads


def test_threads_are_restored_after_an_error() -> None:
    def fail(piece: int) -> None:
        raise KeyError(piece)

    for threads in (1, 2):
        torch.set_num_threads(threads)
        with pytest.raises(KeyError):
            map_pieces(fail, range(3))
        with pytest.raises(KeyError), one_thread():
            fail(1)
        assert torch.get_num_threads() == threads
