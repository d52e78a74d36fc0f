"""Chance that follows the seed: the same seed and the same content always draw the same number."""

from collections.abc import Sequence
from hashlib import sha256


def draw(seed: str, *content: str) -> float:
    """A number in [0, 1), evenly spread over contents."""
    return int.from_bytes(_digest(seed, content)[:6], "big") / 2**48


def number(seed: str, *content: str, digits: int = 9) -> str:
    """That many decimal digits, the first of them not 0."""
    lowest = 10 ** (digits - 1)
    return str(lowest + int.from_bytes(_digest(seed, content)[:12], "big") % (9 * lowest))


def pick(seed: str, choices: Sequence[str], *content: str) -> str:
    """One of the choices."""
    return choices[int(draw(seed, *content) * len(choices))]


def _digest(seed: str, content: Sequence[str]) -> bytes:
    return sha256("\x1f".join((seed, *content)).encode()).digest()
