"""From token vectors to one vector per text, for NumPy arrays and torch tensors alike."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    ArrayT = TypeVar("ArrayT", NDArray[np.floating[Any]], torch.Tensor)


class Pooling(StrEnum):
    """How token vectors become one vector.

    Example:
        Pooling("mean")(token_vectors, attention_mask)

    A row whose tokens are all masked becomes zeros.
    """

    CLS = "cls"
    """The first token (Devlin et al. 2019, https://arxiv.org/abs/1810.04805)."""
    MEAN = "mean"
    """The mean of the tokens (Reimers and Gurevych 2019, https://arxiv.org/abs/1908.10084)."""
    MAX = "max"
    """The maximum over the tokens, per dimension."""
    LAST = "last"
    """The last token, as decoder models use (https://arxiv.org/abs/2401.00368)."""

    def __call__(
        self, tokens: ArrayT, attention_mask: NDArray[Any] | torch.Tensor | None = None
    ) -> ArrayT:
        """Pool over the token axis.

        Args:
            tokens: Floats of shape (tokens, d) or (n, tokens, d).
            attention_mask: Shape (tokens,) or (n, tokens); 0 hides a token, on either side.

        Returns:
            Shape (d,) or (n, d), of the same kind and type as `tokens`.

        Raises:
            NotImplementedError: `tokens` has any other shape.
            ValueError: The mask does not fit.
        """
        if tokens.ndim not in (2, 3):
            raise NotImplementedError(
                f"Pooling takes shape (tokens, d) or (n, tokens, d), not {tuple(tokens.shape)}."
            )
        if attention_mask is not None and tuple(attention_mask.shape) != tuple(tokens.shape[:-1]):
            raise ValueError(
                f"An attention mask for {tuple(tokens.shape)} has shape "
                f"{tuple(tokens.shape[:-1])}, not {tuple(attention_mask.shape)}."
            )
        single = tokens.ndim == 2
        batch: Any = tokens[None] if single else tokens
        mask: Any = attention_mask
        if mask is not None and single:
            mask = mask[None]
        array = _torch_array(batch) if type(tokens).__module__.startswith("torch") else None
        pooled = (array or _numpy_array(batch)).pool(self, batch, mask)
        return pooled[0] if single else pooled  # type: ignore[no-any-return]


class _Operations:
    """The few functions that NumPy and torch spell differently."""

    def __init__(self, library: Any, cast: Any) -> None:
        self.library = library
        self.cast = cast

    def pool(self, pooling: Pooling, tokens: Any, mask: Any) -> Any:
        """Pool (n, tokens, d) under a mask (n, tokens) or None."""
        count = tokens.shape[1]
        if mask is None:
            seen = self.cast(self.library.ones_like(tokens[:, :, 0]), "bool")
        else:
            seen = self.cast(mask, "bool")
        if count == 0:
            return tokens.sum(1)  # no tokens: zeros of the right shape
        # Chosen, not multiplied: attention may leave NaN where a token is hidden.
        shown = self.library.where(seen[:, :, None], tokens, 0)
        if pooling is Pooling.MEAN:
            return shown.sum(1) / self.cast(seen.sum(1), "like tokens").clip(1)[:, None]
        if pooling is Pooling.MAX:
            lowest = self.library.finfo(tokens.dtype).min
            hidden = self.library.where(seen[:, :, None], tokens, lowest)
            highest = hidden.max(1)
            highest = getattr(highest, "values", highest)  # torch also returns the indices
            return self.library.where(seen.any(1)[:, None], highest, 0)
        numbers = self.cast(seen, "int")
        first = numbers.argmax(1)
        last = count - 1 - self.library.flip(numbers, (1,)).argmax(1)
        chosen = first if pooling is Pooling.CLS else last
        return shown[self.library.arange(tokens.shape[0]), chosen]


def _numpy_array(tokens: Any) -> _Operations:
    import numpy as np

    kinds = {"bool": bool, "int": np.int64, "like tokens": tokens.dtype}
    return _Operations(np, lambda value, kind: value.astype(kinds[kind]))


def _torch_array(tokens: Any) -> _Operations:
    import torch

    kinds = {"bool": torch.bool, "int": torch.int64, "like tokens": tokens.dtype}
    return _Operations(torch, lambda value, kind: value.to(kinds[kind]))
