"""How a network is trained, as a spec says it: optimizer, learning-rate schedule, evaluations."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from engine.durations import Duration
from engine.plugin import Frozen, IdleWith


class Named(Frozen):
    """One of several blocks, told apart by a name that is never left out, digests included."""

    @model_serializer(mode="wrap")
    def _with_name(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {"name": type(self).model_fields["name"].default, **handler(self)}


class Sgd(Named):
    """Stochastic gradient descent with momentum."""

    name: Literal["sgd"] = "sgd"
    lr: float = Field(0.1, gt=0, le=100, description="peak learning rate")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum; 0 for none")
    weight_decay: float = Field(5e-4, ge=0, le=1, description="L2 penalty added to the gradient")
    nesterov: bool = Field(False, description="Nesterov momentum")

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Self:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum above 0")
        return self


class Adam(Named):
    """Adam (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"
    lr: float = Field(1e-3, gt=0, le=100, description="peak learning rate")
    beta1: float = Field(0.9, ge=0, lt=1, description="decay of the mean of gradients")
    beta2: float = Field(0.999, ge=0, lt=1, description="decay of the mean of squared gradients")
    eps: float = Field(1e-8, gt=0, le=1, description="added to the denominator")
    weight_decay: float = Field(0.0, ge=0, le=1, description="L2 penalty added to the gradient")


class Cosine(Named):
    """Half a cosine from the peak to zero at the end of training."""

    name: Literal["cosine"] = "cosine"
    per: Literal["epoch", "step"] = Field("epoch", description="change it every epoch or step")

    def stretched(self, factor: float) -> Self:
        """The same: it spans any training."""
        return self


class MultiStep(Named):
    """The learning rate times gamma at each milestone."""

    name: Literal["multistep"] = "multistep"
    milestones: tuple[Duration, ...] = Field(
        (Duration(epochs=100), Duration(epochs=150)),
        min_length=1,
        max_length=100,
        description="when to decay, such as [100ep, 150ep]",
    )
    gamma: float = Field(0.1, gt=0, le=1, description="factor at each milestone")

    def stretched(self, factor: float) -> Self:
        """With every milestone times `factor`."""
        milestones = tuple(point.stretched(factor) for point in self.milestones)
        return self.model_copy(update={"milestones": milestones})


class Step(Named):
    """The learning rate times gamma at regular intervals."""

    name: Literal["step"] = "step"
    every: Duration = Field(Duration(epochs=30), description="interval, such as 30ep or 30000it")
    gamma: float = Field(0.1, gt=0, le=1, description="factor at each interval")

    @model_validator(mode="after")
    def _interval(self) -> Self:
        if self.every == Duration():
            raise ValueError("every: the interval must last at least one step")
        return self

    def stretched(self, factor: float) -> Self:
        """With the interval times `factor`, at least one step."""
        every = self.every.stretched(factor)
        return self.model_copy(update={"every": every if every != Duration() else Duration(0, 1)})


class Constant(Named):
    """The learning rate stays at its peak."""

    name: Literal["constant"] = "constant"

    def stretched(self, factor: float) -> Self:
        """The same."""
        return self


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


Optimizer = Annotated[Sgd | Adam, Field(discriminator="name"), BeforeValidator(_named)]
Schedule = Annotated[
    Cosine | MultiStep | Step | Constant, Field(discriminator="name"), BeforeValidator(_named)
]


class Cadence(Frozen):
    """When a network in training is evaluated. Every level's end always is."""

    every: int = Field(10, ge=0, le=10**6, description="every so many epochs; 0 for only the end")
    last: int = Field(1, ge=1, le=10**6, description="and after each of the last so many epochs")
    test: Literal["level", "epoch"] = Field(
        "level", description="score the test images once a level, or whenever validation is scored"
    )


class AdvProp(Frozen):
    """Adversarial images beside the clean ones, with normalisations of their own (Xie et al. 2020).

    Made in pixel space and kept within 0..255, whatever the data set's normalisation.
    """

    steps: int = Field(0, ge=0, le=100, description="steps of the attack; 0 trains without it")
    epsilon: Annotated[float, IdleWith("steps", 0)] = Field(
        8.0, gt=0, le=255, description="how far a pixel may be moved, in grey levels of 255"
    )
    step: Annotated[float, IdleWith("steps", 0)] = Field(
        2.0, gt=0, le=255, description="how far one step moves it, in grey levels of 255"
    )
    start: Annotated[float, IdleWith("steps", 0)] = Field(
        0.8, ge=0, le=1, description="share of images whose attack begins at a random point nearby"
    )


class TrainSpec(Frozen):
    """How each level is trained."""

    epochs: int = Field(200, ge=1, le=100_000, description="epochs of a whole training")
    batch_size: int = Field(100, ge=2, le=65_536, description="images per step")
    optimizer: Optimizer = Field(Sgd(), description="sgd or adam, with its settings")
    schedule: Schedule = Field(Cosine(), description="cosine, multistep, step or constant")
    warmup: Duration = Field(
        Duration(), description="linear warm-up from 0 to the peak learning rate, step by step"
    )
    decay: Literal["all", "weights"] = Field(
        "all", description="weight decay on every parameter, or not on biases and norms"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="arithmetic of the network; auto is bf16 on CUDA and fp32 elsewhere"
    )
    advprop: AdvProp = Field(
        AdvProp(), description="train on adversarial images too, with auxiliary normalisations"
    )
    sam: float = Field(
        0.0,
        ge=0,
        le=100,
        description="sharpness-aware minimisation (Foret 2021): radius rho, such as 0.05, in which"
        " each step looks for the worst weights; 0 for none",
    )
    ema: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="exponential moving average of the weights, which is scored, kept and pruned"
        " instead of the last ones: decay per step, such as 0.999; 0 for none",
    )
    evaluate: Cadence = Field(Cadence(), description="when to evaluate during training")
    multiplier: float = Field(
        1.0,
        gt=0,
        le=1000,
        description="factor on epochs, warm-up, schedule and mask updates, such as RigL's 5x",
    )

    def in_bf16(self, device: str) -> bool:
        """Whether networks compute in bf16 on a type of device, as torch calls it."""
        return self.precision == "bf16" or (self.precision == "auto" and device == "cuda")

    @property
    def whole(self) -> TrainSpec:
        """The training with its multiplier carried out."""
        return self.stretched(self.multiplier).model_copy(update={"multiplier": 1.0})

    def stretched(self, factor: float) -> TrainSpec:
        """The same training in `factor` times as many epochs, at least one."""
        if factor == 1:
            return self
        changed = {
            "epochs": max(1, int(self.epochs * factor + 1e-9)),
            "warmup": self.warmup.stretched(factor),
            "schedule": self.schedule.stretched(factor),
        }
        return self.model_copy(update=changed)
