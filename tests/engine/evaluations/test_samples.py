"""Which images stand for all: of each class as many as there are, whatever their order."""

from __future__ import annotations

import torch
from repeating import saying

from engine.evaluations import _samples


def test_classes_have_as_many_images_and_leave_their_places_to_others():
    y = torch.tensor([0, 0, 0, 1, 0, 0, 1, 0])
    images = saying(torch.zeros(8, 2), y)
    found = {most: _samples.positions(images, most).tolist() for most in (2, 4, 6, 7)}
    ones = {most: sum(y[at].item() for at in chosen) for most, chosen in found.items()}
    assert ones == {2: 1, 4: 2, 6: 2, 7: 2}
    assert [len(one) for one in found.values()] == [2, 4, 6, 7]
    assert set(found[2]) < set(found[4]) < set(found[6]) < set(found[7])
    assert all(chosen == sorted(chosen) for chosen in found.values())
    assert found[2] != [0, 3] or found[4] != [0, 1, 3, 6]  # drawn, not the first ones
    turned = images.subset([*range(7, -1, -1)])
    again = [turned.ids[at] for at in _samples.positions(turned, 4).tolist()]
    assert set(again) == {images.ids[at] for at in found[4]}
    for most in (None, 8, 9):
        assert _samples.positions(images, most).tolist() == [*range(8)]
