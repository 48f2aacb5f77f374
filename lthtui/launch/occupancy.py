"""Which of a GPU's programs and memory are those of our runs, and which are somebody else's.

The driver lists programs by pid. In a container it may list none, or by pids of outside; what it
counts as used without saying by whom is then taken for our runs' up to what they declared, and for
a stranger's above that, or where no run of ours is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.launchspec import show_size
from lthtui.launch.nvml import Load
from lthtui.text import clean_line

IDLE = 256 * 2**20  # bytes that are in use where nothing computes; a CUDA program takes more
MPS = "nvidia-cuda-mps"  # NVIDIA's own server for programs that share a GPU


@dataclass(frozen=True)
class Tenant:
    """A run of ours on a GPU.

    Attributes:
        shim: pid of the process that its others descend from; None if that is not known.
        declared: bytes that it will use at most; 0 if it did not say.
        before: bytes that others had when it was placed.
    """

    shim: int | None
    declared: int
    before: int


@dataclass(frozen=True)
class Occupancy:
    """How a GPU is taken up.

    Attributes:
        strangers: who computes there besides our runs, for people; empty if nobody does.
        foreign: bytes in use that are not our runs'.
        room: bytes for one more run: what is free, less what our runs declared and have not taken
            yet. None if the driver does not tell.
        closed: whether its compute mode allows no further program.
    """

    strangers: str
    foreign: int
    room: int | None
    closed: bool


def survey(load: Load, tenants: Sequence[Tenant]) -> Occupancy:
    """Tell our runs from others on a GPU."""
    shims = {tenant.shim: place for place, tenant in enumerate(tenants) if tenant.shim}
    taken, strangers = [0] * len(tenants), {}
    for pid, size in load.processes.items():
        place = _owner(pid, shims)
        if place is not None:
            taken[place] += size or 0
        elif not _ignored(pid, bool(tenants)):
            strangers[pid] = size
    foreign = _foreign(load, tenants, taken, sum(size or 0 for size in strangers.values()))
    claims = sum(max(one.declared, mine) for one, mine in zip(tenants, taken, strict=True))
    who = _described(strangers) if strangers else "" if tenants else _hidden(load)
    room = load.total - foreign - claims if load.total else None
    closed = load.most is not None and len(tenants) >= load.most
    return Occupancy(who, foreign, room, closed)


def _foreign(load: Load, tenants: Sequence[Tenant], taken: list[int], listed: int) -> int:
    """Bytes of others, at least; the driver's own count as such, too."""
    rest = load.total - load.free - sum(taken)
    coming = sum(max(0, one.declared - mine) for one, mine in zip(tenants, taken, strict=True))
    before = max((tenant.before for tenant in tenants), default=0)
    return max(0, listed, rest - coming, min(rest, before))


def _owner(pid: int, shims: Mapping[int, int]) -> int | None:
    """Which of the runs a process belongs to: by its session, or by what it descends from."""
    try:
        session = os.getsid(pid)
    except OSError:  # gone, or none of this container's
        return None
    return next((shims[one] for one in (session, *_ancestors(pid)) if one in shims), None)


def _ancestors(pid: int) -> Iterator[int]:
    while pid > 1:
        yield pid
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return


def _ignored(pid: int, shared: bool) -> bool:
    """Whether a listed program is nobody's: NVIDIA's server, or a run of ours under another pid."""
    if _name(pid).startswith(MPS):
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return shared
    except OSError:
        pass
    return False


def _name(pid: int) -> str:
    try:
        return clean_line(Path(f"/proc/{pid}/comm").read_text(errors="replace").strip(), 40)
    except OSError:
        return ""


def _described(strangers: Mapping[int, int | None]) -> str:
    pid, size = max(strangers.items(), key=lambda item: item[1] or 0)
    name = _name(pid) or "ending, or outside of this container"
    words = [f"pid {pid}", name, show_size(size) if size else ""]
    more = f" and {len(strangers) - 1} more" if len(strangers) > 1 else ""
    return f"({', '.join(word for word in words if word)}){more}"


def _hidden(load: Load) -> str:
    """What is in use where the driver names nobody who uses it."""
    used = load.used - load.drawing
    return f"({show_size(used)}, not seen from here)" if used > IDLE else ""
