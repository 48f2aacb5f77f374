"""Train an earlier run's ticket, or a control of it (Frankle & Carbin 2019; Su et al. 2020).

With the source run's own settings and seed, the ticket as it stands repeats the training of its
level bit for bit on the CPU: the level's random numbers (order, augmentation, dropout) are drawn
again, as long as `schedule` is `source`. So are those of a control, which is thus paired with the
ticket. Another seed gives another training. What a method did besides its mask, such as PrAC's
choice of images, is not repeated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from engine import checkpoints, densities, masks, plugin, seeds, sparsifier, tickets
from engine.durations import Duration
from engine.errors import Damaged, SpecError
from engine.lazy import torch
from engine.plan import Level, Plan
from engine.sources import FORMS, Source, check_shapes, check_usable, may_differ
from engine.sparsifiers import continuous
from engine.spec import RunSpec
from engine.tickets import State, Ticket

if TYPE_CHECKING:
    from engine.training import Training


class Settings(plugin.Settings):
    """Whose ticket it is, and what of it is kept."""

    source: Source = Field(
        Source(),
        json_schema_extra={"default": ""},
        description="the ticket, as RUN, RUN:LEVEL (a number, best or last), or the path of a"
        " ticket file; RUN is any unique part of a run's id, NAME-s0, or NAME alone for the run of"
        " that name with the same seed as this one",
    )
    mask: Literal["kept", "same_layer", "uniform", "er", "erk", "random"] = Field(
        "kept",
        description="which weights live: the ticket's (kept), as many in each layer at random"
        " places (same_layer), or as many in all at random places: in each layer alike (uniform),"
        " by the layers' sides (er, erk), or anywhere (random)",
    )
    weights: Literal["rewind", "trained", "reinit", "shuffle"] = Field(
        "rewind",
        description="what they start from: what the ticket started from (rewind), its trained"
        " weights (trained), new initial weights that no other run has (reinit), or as rewind with"
        " the values of each layer's weights exchanged at random (shuffle)",
    )
    weights_source: Annotated[Source | None, plugin.IdleWith("weights", "reinit")] = Field(
        None, description="another ticket to take weights from, written as source; the mask is not"
    )
    schedule: Literal["source", "whole"] = Field(
        "source",
        description="train from the point of the learning-rate schedule at which the ticket did"
        " and for as long (source), or the whole schedule (whole)",
    )

    @property
    def prunable(self) -> str:
        """Which weights the ticket's mask covers."""
        return self.source.prunable

    @property
    def kind(self) -> str:
        """What it is as a control of its ticket."""
        if self.mask != "kept":
            return self.mask
        return "retrain" if self.weights == "rewind" else self.weights


class Sparsifier(sparsifier.Sparsifier[Settings]):
    """One training under a mask that is taken, or made, from a ticket."""

    def levels(self) -> Sequence[Level]:
        source = self.settings.source
        if self.settings.schedule == "whole":
            return [Level(0, source.density)]
        lasts = source.lasts if source.lasts in ("rest", "whole") else Duration.parse(source.lasts)
        return [
            Level(
                0,
                source.density,
                at=Duration.parse(source.at),
                lasts=lasts,  # type: ignore[arg-type]
                learning_rate=source.learning_rate,
                draws=source.stream,
            )
        ]

    def check(self, spec: RunSpec, plan: Plan) -> None:
        s = self.settings
        for at, source in self._sources().items():
            _check(source, spec, at)
        if s.source.dense and (s.mask != "kept" or s.weights == "shuffle"):
            raise SpecError(
                f"{s.source} has all its weights, so there is nothing to draw anew; name a sparse"
                " level, such as RUN:last",
                "sparsifier.source",
            )
        given = s.weights_source or s.source
        whole = given.dense or (s.weights != "trained" and given.whole)
        if s.weights != "reinit" and s.mask != "kept" and not whole:
            raise _missing(given, s.weights)

    def rests_on_shapes(self, spec: RunSpec) -> bool:
        given = any(may_differ(source, spec) for source in self._sources().values())
        return given or super().rests_on_shapes(spec)

    def check_shapes(self, weights: Mapping[str, torch.Tensor]) -> None:
        for at, source in self._sources().items():
            check_shapes(source, masks.shapes(weights), at)

    def weights_before(self, level: Level, weights: State, rng: torch.Generator) -> State:
        s = self.settings
        self.check_shapes(masks.matching(weights, s.prunable))
        ticket = self._ticket(s.source)
        given = self._ticket(s.weights_source) if s.weights_source else ticket
        self._mask = self._draw(ticket, rng)
        self.scale = float(given.card.get("scale", 1.0))  # imported tickets do not say
        if s.weights == "reinit":
            return self._initial(seeds.number(int(rng.initial_seed()), "reinit"))
        start = self._start(given)
        if s.weights == "shuffle":
            start |= {name: _shuffled(start[name], m, rng) for name, m in self._mask.items()}
        return self._with_own_head(start, weights)

    def parameter_groups(self, training: Training) -> list[dict[str, Any]]:
        """Weights of a Continuous Sparsification ticket hold its scale, and go on as they did."""
        return [continuous.scaled_group(training, self.scale)] if self.scale != 1 else []

    def mask_before(self, training: Training) -> masks.Mask:
        return self._mask

    def _sources(self) -> dict[str, Source]:
        """The tickets that it takes, by the fields that name them."""
        found = {name: getattr(self.settings, name) for name in ("source", "weights_source")}
        return {f"sparsifier.{name}": each for name, each in found.items() if each is not None}

    def _ticket(self, source: Source) -> Ticket:
        try:
            return tickets.of(source)
        except Damaged as error:
            raise Damaged(f"the ticket that this run takes cannot be read: {error}") from None

    def _draw(self, ticket: Ticket, rng: torch.Generator) -> masks.Mask:
        """The mask; the numbers drawn are those of a level's start, the same after a resume."""
        mask, how = ticket.mask, self.settings.mask
        if how == "kept":
            return mask
        noise = {name: torch.rand(m.shape, generator=rng) for name, m in mask.items()}
        if how == "random":
            return masks.keep_top(noise, mask.kept)
        if how == "same_layer":
            counts = {name: int(m.sum()) for name, m in mask.items()}
        else:
            shapes = {name: tuple(m.shape) for name, m in mask.items()}
            counts = densities.counts(shapes, mask.kept / mask.total, how)
        return masks.keep_top_per_layer(noise, counts)

    def _start(self, given: Ticket) -> State:
        """A ticket's weights, in all places that the mask keeps."""
        s = self.settings
        state = given.trained if s.weights == "trained" else given.rewind
        if all(bool((given.mask[name] | ~m).all()) for name, m in self._mask.items()):
            return dict(state)
        source = s.weights_source or s.source
        if s.weights == "trained" or not source.whole:
            raise _missing(source, s.weights)
        return self._all_weights(source, given)

    def _initial(self, seed: int) -> State:
        """The weights that a run begins with under a seed, as the source's were scaled."""
        state = self.host.initial(seed)
        return {n: t * self.scale if n in self._mask else t for n, t in state.items()}

    def _all_weights(self, source: Source, ticket: Ticket) -> State:
        """What a ticket started from before its mask, which only its run still knows.

        Raises:
            Damaged: that is missing, or differs from the ticket's.
        """
        if source.rewound:
            state = checkpoints.load(source.rewound).tensors["net"]
        else:
            state = self._initial(seeds.number(source.seed, "init"))
        for name, m in ticket.mask.items():
            if not torch.equal(state[name].cpu()[m], ticket.rewind[name][m]):
                raise Damaged(
                    f"the weights that ticket {source} began with are not those of its run's start"
                    " (other images, another model.init or version of torch); take weights: reinit"
                )
        return dict(state)

    def _with_own_head(self, start: State, own: State) -> State:
        """`start`, with this run's own values of what has another shape there, such as a head."""
        other = [name for name in own if name not in start or start[name].shape != own[name].shape]
        if other:
            names = ", ".join(sorted(other))
            self.host.warn(
                f"{names}: not as in the ticket, so this run's own initial values are used"
            )
        return {name: own[name] if name in other else start[name] for name in own}


def _check(source: Source, spec: RunSpec, at: str) -> None:
    if not source.named:
        raise SpecError(f"source is missing: the ticket to train, as {FORMS}", at)
    check_usable(source, spec, at)


def _missing(source: Source, weights: str) -> SpecError:
    where = "trained" if weights == "trained" else "started from"
    return SpecError(
        f"the weights that {source} {where} are known only where its mask keeps them, and this"
        " mask keeps others; take weights: reinit, or a weights_source that has them, such as a"
        " dense level",
        "sparsifier.weights",
    )


def _shuffled(weight: torch.Tensor, alive: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """A weight whose living values have changed places among one another."""
    shuffled, values = weight.clone(), weight[alive]
    shuffled[alive] = values[torch.randperm(len(values), generator=rng)]
    return shuffled
