"""What a run's first weights are, where they are not drawn: an earlier run's, or a checkpoint's."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from engine.plugin import Frozen, impossible
from engine.sources import Source

IMAGENET = "IMAGENET1K_V1"
SUFFIXES = (".pth", ".pt", ".ckpt", ".bin", ".safetensors")
# torchvision's, by network and weights; the eight digits in a name begin the file's SHA-256
FILES = {
    "resnet18": {"IMAGENET1K_V1": "resnet18-f37072fd.pth"},
    "resnet34": {"IMAGENET1K_V1": "resnet34-b627a593.pth"},
    "resnet50": {
        "IMAGENET1K_V1": "resnet50-0676ba61.pth",
        "IMAGENET1K_V2": "resnet50-11ad3fa6.pth",
    },
    "resnet101": {
        "IMAGENET1K_V1": "resnet101-63fe2227.pth",
        "IMAGENET1K_V2": "resnet101-cd907fc2.pth",
    },
    "resnet152": {
        "IMAGENET1K_V1": "resnet152-394f9c45.pth",
        "IMAGENET1K_V2": "resnet152-f82ba261.pth",
    },
    "vgg11": {"IMAGENET1K_V1": "vgg11_bn-6002323d.pth"},
    "vgg13": {"IMAGENET1K_V1": "vgg13_bn-abd245e5.pth"},
    "vgg16": {"IMAGENET1K_V1": "vgg16_bn-6c64b313.pth"},
    "vgg19": {"IMAGENET1K_V1": "vgg19_bn-c79401a0.pth"},
    "mobilenet_v2": {
        "IMAGENET1K_V1": "mobilenet_v2-b0353104.pth",
        "IMAGENET1K_V2": "mobilenet_v2-7ebf99e0.pth",
    },
}


class Start(Frozen):
    """Where the first weights come from; nothing draws them, as `model.init` says."""

    ticket: Source = Field(
        Source(),
        description="an earlier run's trained weights, such as those of a pretraining: RUN,"
        " RUN:LEVEL (a number, best or last) or the path of a ticket file",
    )
    file: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="a checkpoint of another program: .safetensors, or a .pth of tensors alone",
    )
    sha256: str | None = Field(
        None,
        pattern="^[0-9a-f]{64}$",
        description="which file that is; filled in when a run is submitted",
    )
    torchvision: Literal["IMAGENET1K_V1", "IMAGENET1K_V2"] | None = Field(
        None, description="torchvision's weights of this network for ImageNet"
    )
    stem: Literal["keep", "fresh"] = Field(
        "keep",
        description="the first layer: taken where it has this network's shape (keep), or drawn"
        " anew (fresh, as DataEfficientLTH)",
    )
    head: Literal["fresh", "keep"] = Field(
        "fresh", description="the classifier: drawn anew, or taken (the same classes in order)"
    )

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        given = [name for name in ("ticket", "file", "torchvision") if self._given(name)]
        if len(given) > 1:
            raise ValueError(f"give one of {' and '.join(given)}: weights come from one place")
        if self.sha256 is not None and self.file is None:
            raise ValueError("sha256 belongs to file, which is not given")
        if not given and self != type(self).model_construct(ticket=Source()):
            raise ValueError("say where weights come from: ticket, file or torchvision")
        return self

    def check_model(self, model: str) -> None:
        """Refuse, while a spec is validated, weights that torchvision does not have of a network.

        Raises:
            PydanticCustomError: which it has.
        """
        if self.torchvision is None or self.torchvision in FILES.get(model, {}):
            return
        if model in FILES:
            has = f"write torchvision: {', '.join(FILES[model])}"
        else:
            has = f"take a model that it has some of ({', '.join(FILES)}), or other first weights"
        raise impossible(
            "start.torchvision", f"torchvision has no weights {self.torchvision} of {model}; {has}"
        )

    def _given(self, name: str) -> bool:
        return self.ticket.named if name == "ticket" else getattr(self, name) is not None

    @property
    def named(self) -> bool:
        """Whether weights come from anywhere."""
        return self.ticket.named or self.file is not None or self.torchvision is not None


def of_text(value: Any) -> Any:
    """`torchvision`, RUN or a path, as the block that it is short for."""
    if not isinstance(value, str):
        return value
    if value == "torchvision":
        return {"torchvision": IMAGENET}
    return {"file": value} if value.endswith(SUFFIXES) else {"ticket": value}
