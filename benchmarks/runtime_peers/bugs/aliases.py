"""One tensor under two promises."""

from __future__ import annotations

from cases import bug
from pieces import (
    OLD_TOKENS,
    TOKENS,
    WIDTH,
    Net,
    distillation,
    fine_tune,
    freeze,
    sentences,
    side_by_side,
    trained_by,
)
from torch import Tensor, nn
from torch.optim import SGD
from training import Training


class LanguageModel(nn.Module):
    """An embedding and a decoder."""

    def __init__(self, classes: int = TOKENS) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.decoder = nn.Linear(WIDTH, classes, bias=False)
        freeze(self.embedding)

    def forward(self, tokens: Tensor) -> Tensor:
        """The scores of what comes next."""
        return self.decoder(self.embedding(tokens).mean(dim=1))


def decode(model: LanguageModel) -> Training:
    """Train the decoder, keep the embedding."""
    return fine_tune(
        model,
        SGD(model.decoder.parameters(), lr=0.1),
        batch=sentences(),
        frozen=("embedding.*",),
        trainable=("decoder.*",),
    )


BOTH_ENDS = ("embedding.weight", "decoder.weight")


@bug(*BOTH_ENDS, kind="alias", or_kinds=("frozen-changed",))
def decoder_tied_to_a_frozen_embedding() -> Training:
    """The decoder that trains is the frozen embedding: unfreezing the one unfreezes the other."""
    model = LanguageModel()
    model.decoder.weight = model.embedding.weight
    model.decoder.requires_grad_(True)
    return decode(model)


@bug(*BOTH_ENDS, kind="alias", or_kinds=("frozen-changed",))
def decoder_over_the_same_storage() -> Training:
    """The decoder begins as `nn.Parameter(embedding.weight.data)`: another object, no copy."""
    model = LanguageModel()
    model.decoder.weight = nn.Parameter(model.embedding.weight.data)
    return decode(model)


@bug(*BOTH_ENDS, kind="alias", or_kinds=("frozen-changed",))
def decoder_over_a_slice() -> Training:
    """The decoder begins as a slice of the frozen embedding, which is a view of it."""
    model = LanguageModel(OLD_TOKENS)
    model.decoder.weight = nn.Parameter(model.embedding.weight.data[:OLD_TOKENS])
    training = decode(model)
    tokens, _ = training.batch
    training.batch[1].copy_(tokens[:, 0] % OLD_TOKENS)
    return training


@bug("teacher.backbone.*", "student.backbone.*", kind="alias", or_kinds=("frozen-changed",))
def teacher_shares_the_backbone() -> Training:
    """The teacher is made of the student's own layers, without a copy, and then not frozen."""
    student = Net()
    teacher = Net(student.backbone)
    freeze(teacher.head)
    return side_by_side(
        {"student": student, "teacher": teacher},
        {"optimizer": SGD(student.parameters(), lr=0.1)},
        distillation,
        frozen=("teacher.*",),
        trainable=("student.*",),
    )


@bug("first.0.*", "second.0.*", kind="alias", or_kinds=("not-trained", "not-optimized"))
def branches_share_a_frozen_layer() -> Training:
    """Two branches are built with one layer; freezing it for the first freezes the second's."""
    shared = nn.Linear(6, WIDTH)

    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Sequential(shared, nn.Tanh())
            self.second = nn.Sequential(shared, nn.Linear(WIDTH, WIDTH), nn.Tanh())
            self.head = nn.Linear(WIDTH, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.head(self.first(inputs) + self.second(inputs))

    model = Branches()
    freeze(model.first)
    return fine_tune(
        model,
        SGD(trained_by(model), lr=0.1),
        frozen=("first.*",),
        trainable=("second.*", "head.*"),
    )
