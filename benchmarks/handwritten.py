"""The loop that one writes by hand with torch.nn.LSTM: what training is measured against."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy


class HandWritten(nn.Module):
    """Embedding, torch.nn.LSTM, linear head."""

    def __init__(self, vocabulary: int, hidden: int, layers: int, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, hidden)
        self.lstm = nn.LSTM(hidden, hidden, layers, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, vocabulary)

    def forward(self, symbols: Tensor, states: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        output, states = self.lstm(self.embedding(symbols), states)
        return self.head(self.dropout(output)), states


def train(
    tokens: Tensor, vocabulary: int, hidden: int, layers: int, batch: int, window: int, dropout: float
) -> Iterator[int]:
    """Train for ever on `tokens`; yields the characters of each step after taking it."""
    torch.manual_seed(0)
    model = HandWritten(vocabulary, hidden, layers, dropout)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, fused=True)
    lane = (len(tokens) - 1) // batch
    inputs = tokens[: lane * batch].view(batch, lane).t().contiguous()
    targets = tokens[1 : lane * batch + 1].view(batch, lane).t().contiguous()
    while True:
        states = None
        for start in range(0, lane - window + 1, window):
            logits, states = model(inputs[start : start + window], states)
            loss = cross_entropy(logits.flatten(0, 1), targets[start : start + window].flatten())
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            states = (states[0].detach(), states[1].detach())
            yield batch * window
