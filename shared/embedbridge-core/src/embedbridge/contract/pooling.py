"""Pooling: from token vectors to one vector per text, for NumPy arrays and torch tensors alike."""

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
    WEIGHTED_MEAN = "weightedmean"
    """The mean, where the first token counts once, the second twice, and so on, as SGPT does
    (Muennighoff 2022, https://arxiv.org/abs/2202.08904)."""
    MEAN_SQRT_LEN = "mean_sqrt_len_tokens"
    """The sum of the tokens, divided by the square root of their number."""

    def __call__(
        self,
        tokens: ArrayT,
        attention_mask: NDArray[Any] | torch.Tensor | None = None,
        *,
        prompt_tokens: int = 0,
    ) -> ArrayT:
        """Pool over the token axis.

        Args:
            tokens: Floats of shape (tokens, d) or (n, tokens, d).
            attention_mask: Shape (tokens,) or (n, tokens); 0 hides a token, on either side.
            prompt_tokens: Tokens at the beginning of each text that are left out. They still count as
                positions for the weights of `weightedmean`.

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
        pooled = (array or _numpy_array(batch)).pool(self, batch, mask, prompt_tokens)
        return pooled[0] if single else pooled  # type: ignore[no-any-return]


class _Operations:
    """The few functions that NumPy and torch spell differently."""

    def __init__(self, library: Any, cast: Any) -> None:
        self.library = library
        self.cast = cast

    def pool(self, pooling: Pooling, tokens: Any, mask: Any, prompt_tokens: int) -> Any:
        """Pool (n, tokens, d) under a mask (n, tokens) or None."""
        count = tokens.shape[1]
        if mask is None:
            seen = self.cast(self.library.ones_like(tokens[:, :, 0]), "bool")
        else:
            seen = self.cast(mask, "bool")
        if count == 0:
            return tokens.sum(1)  # no tokens: zeros of the right shape
        # Padding may be on the left: a text begins with its first token that is seen.
        numbers = self.cast(self.library.ones_like(seen), "int").cumsum(1)
        position = numbers - self.cast(seen, "int").argmax(1)[:, None]
        counted = seen & (position > prompt_tokens) if prompt_tokens else seen
        if pooling is Pooling.CLS:
            # A text that ends within its prompt still has its first token, as in sentence-transformers.
            return self._token(tokens, seen, self.cast(counted, "int").argmax(1))
        if pooling is Pooling.LAST:
            last = count - 1 - self.library.flip(self.cast(counted, "int"), (1,)).argmax(1)
            return self._token(tokens, counted, last)
        if pooling is Pooling.MAX:
            lowest = self.library.finfo(tokens.dtype).min
            hidden = self.library.where(counted[:, :, None], tokens, lowest)
            highest = hidden.max(1)
            highest = getattr(highest, "values", highest)  # torch also returns the indices
            return self.library.where(counted.any(1)[:, None], highest, 0)
        # Chosen, not multiplied: attention may leave NaN where a token is hidden.
        shown = self.cast(self.library.where(counted[:, :, None], tokens, 0), "wide")
        weights = self.cast(counted, "wide")
        if pooling is Pooling.WEIGHTED_MEAN:
            weights = weights * self.cast(position, "wide")
            shown = shown * weights[:, :, None]
        divisor = weights.sum(1).clip(1)[:, None]
        if pooling is Pooling.MEAN_SQRT_LEN:
            divisor = divisor**0.5
        return self.cast(shown.sum(1) / divisor, "like tokens")

    def _token(self, tokens: Any, seen: Any, chosen: Any) -> Any:
        """One token of each text; zeros where it is hidden."""
        texts = self.library.arange(tokens.shape[0])
        return self.library.where(seen[texts, chosen][:, None], tokens[texts, chosen], 0)


def _numpy_array(tokens: Any) -> _Operations:
    import numpy as np

    # Sums are wider than half precision, in which the weights of a long text would overflow.
    wide = np.promote_types(tokens.dtype, np.float32)
    kinds = {"bool": bool, "int": np.int64, "like tokens": tokens.dtype, "wide": wide}
    return _Operations(np, lambda value, kind: value.astype(kinds[kind], copy=False))


def _torch_array(tokens: Any) -> _Operations:
    import torch

    wide = torch.promote_types(tokens.dtype, torch.float32)
    kinds = {"bool": torch.bool, "int": torch.int64, "like tokens": tokens.dtype, "wide": wide}
    return _Operations(torch, lambda value, kind: value.to(kinds[kind]))
