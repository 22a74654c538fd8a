"""The student: a table of word pieces, a window over neighbours, attention pooling, a small MLP.

`usearch.text.network` is the same network in NumPy; a test holds the two together.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainer.text.space import NAME_DIM
from usearch.text.network import PAIR_HASH

DIM, PAIRS, WINDOW, HIDDEN, HEADS = 256, 16384, 512, 1024, 8


class Student(nn.Module):
    """Word pieces to name parts.

    Args:
        pieces: float32 [V, 256], start values of the table; row 0 is padding.
        out: float32 [437, 256], start values of the last layer.
    """

    def __init__(self, pieces: Tensor, out: Tensor) -> None:
        super().__init__()
        self.pieces = nn.Embedding(len(pieces), DIM, sparse=True)
        self.pairs = nn.Embedding(PAIRS, DIM, sparse=True)
        self.near = nn.Linear(3 * DIM, WINDOW)
        self.near_out = nn.Linear(WINDOW, DIM)
        self.gate = nn.Linear(DIM, HEADS)
        self.norm = nn.LayerNorm(DIM)
        self.hidden = nn.Linear(DIM, HIDDEN)
        self.hidden_out = nn.Linear(HIDDEN, DIM)
        self.out = nn.Linear(DIM, NAME_DIM)
        with torch.no_grad():
            for layer in (self.near_out, self.hidden_out, self.gate):
                layer.weight.mul_(0.1)
                layer.bias.zero_()
            self.pieces.weight.copy_(pieces)
            self.pairs.weight.zero_()
            self.out.weight.copy_(out)
            self.out.bias.zero_()

    def forward(self, ids: Tensor) -> Tensor:
        """Name parts float32 [n, 437], unit length, of ids int64 [n, L], 0 = padding at the end."""
        mask = (ids > 0).unsqueeze(-1)
        x = self.pieces(ids)
        pairs = torch.zeros_like(ids)
        pairs[:, 1:] = (ids[:, :-1] * PAIR_HASH + ids[:, 1:]) % PAIRS
        joined = mask.clone()
        joined[:, 0] = False
        x = (x + self.pairs(pairs) * joined) * mask
        before = functional.pad(x, (0, 0, 1, 0))[:, :-1]
        after = functional.pad(x, (0, 0, 0, 1))[:, 1:]
        window = functional.gelu(self.near(torch.cat([before, x, after], -1)), approximate="tanh")
        x = x + self.near_out(window)
        weights = self.gate(x).masked_fill(~mask, -1e4).softmax(1)  # [n, L, heads]
        n, length, _ = x.shape
        z = (x.view(n, length, HEADS, -1) * weights.unsqueeze(-1)).sum(1).reshape(n, -1)
        z = self.norm(z)
        z = z + self.hidden_out(functional.gelu(self.hidden(z), approximate="tanh"))
        return functional.normalize(self.out(z), dim=-1)
