"""Training labels drawn at random, to see what a network learns by heart."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

_WHOLE = 2**64


def mislabelled(
    ids: Sequence[str], labels: Sequence[int], classes: int, share: float, seed: int
) -> tuple[int, ...]:
    """Give each image, with probability `share`, the label of a class drawn uniformly.

    That class may be the image's own ("partially corrupted labels" of Zhang et al. 2017,
    https://arxiv.org/abs/1611.03530, section 2). What is drawn depends on the seed and the image's
    id alone: the same on every machine and in every subset, and a larger share changes more labels
    but none that a smaller one changed in another way.
    """
    if not share:
        return tuple(labels)
    given = []
    for name, label in zip(ids, labels, strict=True):
        digest = hashlib.sha256(f"label\x1f{seed}\x1f{name}".encode()).digest()
        chance, drawn = (int.from_bytes(digest[at : at + 8]) for at in (0, 8))
        given.append(drawn * classes // _WHOLE if chance < share * _WHOLE else label)
    return tuple(given)
