"""Criterion 19: clients and queue processes in every order, killed anywhere, on exclusive devices.

Each round has a seed: `LTHTUI_FAULT_SEED=n` gives other rounds. A round that fails says its own,
and leaves what happened in a file `story` in its root.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager

import pytest
from interleaving import Play, play
from world import World

from lthtui.launch import entries, limits, queue


@contextmanager
def told(playing: Play, root):
    """Leave the story of a round that failed in its folder."""
    try:
        yield
    except BaseException:
        (root / "story").write_text("\n".join(playing.story))
        raise


def round_of(root, seed: int, patch) -> Counter[str]:
    """Play one round to its end."""
    with play(root, seed, patch) as playing, told(playing, root):
        world = World(root, playing, patch)
        clients = [playing.enter(f"client {n}", world.client) for n in range(3)]
        killing = 0.004 * (seed % 2)  # every other round nobody is killed, and nobody calls again
        while any(client in playing.actors for client in clients):
            step(world, killing)
            if world.chance(killing / 8):
                victim = world.random.choice([c for c in clients if c in playing.actors] or [None])
                if victim:
                    playing.kill(victim)
                    world.counts["clients killed"] += 1
        (root / "queue").mkdir(exist_ok=True)
        limits.write(root, limits.Limits())
        with playing.quiet():
            held = [run for run in world.runs() if (e := entries.find(run)) and e.hold]
        playing.enter("client at last", lambda: queue.release(held))
        if world.kills or world.counts["clients killed"]:
            playing.enter("somebody else", lambda: queue.rouse(root))
        for _ in range(200_000):
            if not step(world, 0.0):
                break
        else:
            raise AssertionError("it never comes to rest")
        world.check_end()
        return world.counts


def step(world: World, killing: float) -> bool:
    """Let one actor or one run go on; False if nobody will ever again."""
    playing = world.play
    if killing and world.chance(killing):
        world.kill_queue_process()
        return True
    able = playing.able()
    live = [f for f in world.fakes if (f.alive and f.released) or f.lock >= 0 and f.released]
    if not able and not world.counts["clients killed"]:
        world.check_rest()
    if live and (not able or world.chance(0.03)):
        world.happen()
        return True
    if able:
        playing.go_on(world.random.choice(able))
        return True
    sleepers = [actor.until for actor in playing.actors if actor.until is not None]
    if sleepers:
        playing.clock.advance(min(sleepers))
        return True
    return False


def _rounds(count: int, tmp_path, monkeypatch, record) -> None:
    first = int(os.environ.get("LTHTUI_FAULT_SEED", "0"))
    total: Counter[str] = Counter()
    for seed in range(first, first + count):
        with monkeypatch.context() as patch:
            patch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
            root = tmp_path / str(seed) / "mlruns"
            root.mkdir(parents=True)
            try:
                total += round_of(root, seed, patch)
            except BaseException as error:
                raise AssertionError(f"LTHTUI_FAULT_SEED={seed}: {error}") from error
    record("interleavings", count)
    for name, number in total.items():
        record(name, number)


def test_a_few_interleavings(tmp_path, monkeypatch, record_property):
    _rounds(25, tmp_path, monkeypatch, record_property)


@pytest.mark.fault
def test_a_thousand_interleavings(tmp_path, monkeypatch, record_property):
    _rounds(1000, tmp_path, monkeypatch, record_property)
