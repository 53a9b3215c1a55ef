"""Ids whose order tells nothing: a keyed permutation of plain counters, and Salesforce's 18 characters."""

from __future__ import annotations

import random
import string

_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_CHECK = string.ascii_uppercase + "012345"


class Permutation:
    """A bijection of 0 … 2**bits − 1, drawn from the seed, so that ids are unique without being remembered."""

    def __init__(self, seed: int, name: str, bits: int) -> None:
        draw = random.Random(f"{seed}/{name}")
        self.bits, self._mask, self._shift = bits, (1 << bits) - 1, bits // 2
        self._odd = [draw.getrandbits(bits) | 1 for _ in range(3)]
        self._add = draw.getrandbits(bits)

    def __call__(self, number: int) -> int:
        mask, shift = self._mask, self._shift
        if number > mask:
            raise OverflowError(f"{number} does not fit into {self.bits} bits of ids")
        for odd in self._odd:  # each step is invertible: odd factor modulo 2**bits, then a right shift folded in
            number = (number * odd + self._add) & mask
            number ^= number >> shift
        return number


def salesforce_id(prefix: str, number: int) -> str:
    """The 18-character id of a key prefix (3 characters) and a number < 62**9, with its case-safe checksum."""
    digits = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits.append(_BASE62[digit])
    return with_checksum(f"{prefix}5g0{''.join(reversed(digits))}")


def with_checksum(fifteen: str) -> str:
    """Append the suffix: one character per block of five, whose bits say which of them are upper case."""
    suffix = "".join(
        _CHECK[sum(1 << i for i, letter in enumerate(fifteen[start : start + 5]) if "A" <= letter <= "Z")]
        for start in (0, 5, 10)
    )
    return fifteen + suffix
