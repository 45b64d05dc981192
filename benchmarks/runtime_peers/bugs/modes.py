"""Frozen modules that run in train mode, though no tensor of theirs moves."""

from __future__ import annotations

from cases import bug
from pieces import FEATURES, WIDTH, Net, distillation, fine_tune, freeze, normed, side_by_side
from torch import Tensor, nn
from torch.optim import SGD
from training import Training


def in_train_mode(backbone: nn.Module) -> Training:
    """Train a head on a frozen backbone that nobody put into eval mode."""
    model = Net(backbone)
    freeze(model.backbone)
    optimizer = SGD(model.head.parameters(), lr=0.1)
    return fine_tune(model, optimizer, before=model.train)


@bug("backbone*", kind="train-mode", or_kinds=("buffer-changed",))
def batchnorm_in_train_mode() -> Training:
    """The frozen backbone normalises with the statistics of each batch."""
    return in_train_mode(normed())


@bug("backbone*", kind="train-mode")
def batchnorm_without_tracking_in_train_mode() -> Training:
    """`track_running_stats = False` stops the drift only: batches are still the norm's measure."""
    backbone = normed()
    backbone[1].track_running_stats = False
    return in_train_mode(backbone)


@bug("teacher*", kind="train-mode")
def teacher_with_active_dropout() -> Training:
    """A frozen teacher is never put into eval mode: what it teaches is noisy."""
    student = Net()
    teacher = Net(nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.Tanh(), nn.Dropout(0.5)))
    freeze(teacher)
    return side_by_side(
        {"student": student, "teacher": teacher},
        {"optimizer": SGD(student.parameters(), lr=0.1)},
        distillation,
        frozen=("teacher.*",),
        trainable=("student.*",),
    )


@bug("backbone*", kind="train-mode")
def dropout_inside_a_frozen_encoder() -> Training:
    """The dropout inside a frozen transformer layer goes on after `model.train()`."""
    layer = nn.TransformerEncoderLayer(WIDTH, 2, dim_feedforward=WIDTH, batch_first=True)
    unflatten = nn.Unflatten(1, (1, WIDTH))
    return in_train_mode(nn.Sequential(nn.Linear(FEATURES, WIDTH), unflatten, layer, nn.Flatten()))


class Recurrent(nn.Module):
    """The last state of an LSTM."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(FEATURES, WIDTH, num_layers=2, dropout=0.5, batch_first=True)

    def forward(self, inputs: Tensor) -> Tensor:
        """Each sample as a sequence of one."""
        states, _ = self.lstm(inputs.unsqueeze(1))
        return states[:, -1]


@bug("backbone*", kind="train-mode")
def dropout_of_a_recurrent_net() -> Training:
    """A frozen LSTM has a dropout between its layers, and no Dropout module to look for."""
    return in_train_mode(Recurrent())
