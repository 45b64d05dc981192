"""A finetuning callback of Lightning freezes a part, and leaves the BatchNorm in it trainable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from freezelint.analysis.events import Event, FlagWritten, HandedOver, OptimizerBuilt
from freezelint.analysis.frozen_statistics import keeps_statistics
from freezelint.analysis.knowledge.patterns import OPTIMIZER_WORDS
from freezelint.analysis.library_events import FrozenWithoutNorms
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import OF_CHILDREN, NameTest
from freezelint.analysis.training import is_handed_on, steps_after, without_flag_tests
from freezelint.analysis.values import Part
from freezelint.findings import About, Level
from freezelint.rules.claims import Claim
from freezelint.rules.rule import Report, Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from freezelint.analysis.trace import Trace


class LightningTrainBn(Rule):
    """Finds freezes by Lightning's finetuning callbacks that leave BatchNorm trainable.

    What it does:
        Reports `self.freeze(module)` in a `BaseFinetuning` callback (or
        `BaseFinetuning.freeze(module)` anywhere), and `BackboneFinetuning(...)`, where
        the module is known to hold BatchNorm and an optimizer that holds it steps
        afterwards: `freeze` where `train_bn` is not given, the callback where it is
        given and false.

    Why is this bad:
        `freeze` has a second argument, `train_bn=True`. With it, weight and bias of
        every BatchNorm layer are not only spared but switched on, and train with the
        head. `BackboneFinetuning(train_bn=False)` does not help: it does not pass the
        option on when it freezes, only when it unfreezes. This is so in Lightning 2.6,
        and was in the versions before.

    Bad:
        import lightning as L
        import torch
        from lightning.pytorch.callbacks import BaseFinetuning
        from torch import nn

        torch.manual_seed(0)


        class Classifier(L.LightningModule):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(
                    nn.Conv2d(3, 8, 3),
                    nn.BatchNorm2d(8),
                    nn.ReLU(),
                    nn.AdaptiveAvgPool2d(1),
                    nn.Flatten(),
                )
                self.head = nn.Linear(8, 3)

            def training_step(self, batch, batch_idx):
                images, labels = batch
                return nn.functional.cross_entropy(self.head(self.backbone(images)), labels)

            def configure_optimizers(self):
                params = [p for p in self.parameters() if p.requires_grad]
                return torch.optim.SGD(params, lr=0.1)


        class HeadFirst(BaseFinetuning):
            def freeze_before_training(self, pl_module):
                self.freeze(pl_module.backbone)  # expect: FZ811

            def finetune_function(self, pl_module, epoch, optimizer):
                if epoch == 10:
                    self.unfreeze_and_add_param_group(pl_module.backbone, optimizer)


        model = Classifier()
        data = list(zip(torch.randn(16, 3, 8, 8), torch.randint(3, (16,)), strict=True))
        trainer = L.Trainer(
            max_epochs=2,
            callbacks=[HeadFirst()],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=8))

    Good:
        import lightning as L
        import torch
        from lightning.pytorch.callbacks import BaseFinetuning
        from torch import nn

        torch.manual_seed(0)


        class Classifier(L.LightningModule):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(
                    nn.Conv2d(3, 8, 3),
                    nn.BatchNorm2d(8),
                    nn.ReLU(),
                    nn.AdaptiveAvgPool2d(1),
                    nn.Flatten(),
                )
                self.head = nn.Linear(8, 3)

            def training_step(self, batch, batch_idx):
                images, labels = batch
                return nn.functional.cross_entropy(self.head(self.backbone(images)), labels)

            def configure_optimizers(self):
                params = [p for p in self.parameters() if p.requires_grad]
                return torch.optim.SGD(params, lr=0.1)


        class HeadFirst(BaseFinetuning):
            def freeze_before_training(self, pl_module):
                self.freeze(pl_module.backbone, train_bn=False)

            def finetune_function(self, pl_module, epoch, optimizer):
                if epoch == 10:
                    self.unfreeze_and_add_param_group(pl_module.backbone, optimizer)


        model = Classifier()
        data = list(zip(torch.randn(16, 3, 8, 8), torch.randint(3, (16,)), strict=True))
        trainer = L.Trainer(
            max_epochs=2,
            callbacks=[HeadFirst()],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(model, torch.utils.data.DataLoader(data, batch_size=8))

    When it is silent:
        `train_bn` given, whatever its value; parts without BatchNorm, or of which it
        is not known; an optimizer that does not hold the part; and parts whose flags
        are set again afterwards.

    References:
        https://lightning.ai/docs/pytorch/stable/api/lightning.pytorch.callbacks.BaseFinetuning.html
        https://github.com/Lightning-AI/pytorch-lightning/issues/13902
        https://github.com/Lightning-AI/pytorch-lightning/issues/14277
        https://github.com/Lightning-AI/pytorch-lightning/issues/20629
        https://github.com/Lightning-AI/pytorch-lightning/issues/21531
    """

    code = "FZ811"
    name = "lightning-train-bn"
    level = Level.WARNING
    claims = (Claim("moves", "model.backbone.1.[wb]*"),)
    triggers = (
        ("BaseFinetuning", "BackboneFinetuning"),
        OPTIMIZER_WORDS,
    )
    trigger_patterns = ((r"\.freeze\(", r"BackboneFinetuning\("),)
    events = ("FrozenWithoutNorms",)

    def check(self, event: Event, trace: Trace) -> Iterator[Report]:
        """Report a freeze that spares the BatchNorm of a part which an optimizer holds."""
        assert isinstance(event, FrozenWithoutNorms)
        if event.is_chosen or event.repeated:
            return
        key = _spared(trace, event)
        if not keeps_statistics(trace, key, event.index, trusting=True):
            return
        built = next(
            (
                each
                for each in (
                    *trace.before(event, OptimizerBuilt),
                    *trace.after(event, OptimizerBuilt),
                )
                if _trains(trace, event, key, each)
            ),
            None,
        )
        if built is None or _is_set_again(trace, event):
            return
        optimizer = trace.objects.optimizer(built.key).label or built.name
        label = trace.objects.label(event.key)
        yield Report(
            trace.meeting_place(event, built),
            f"this leaves the BatchNorm layers in `{label}` trainable, "
            f"and `{optimizer}` trains them",
            _help(event),
            ((trace.meeting_place(built, event), f"`{optimizer}` takes them here"),),
            about=About((label,), among="batch-norm"),
        )


def _help(event: FrozenWithoutNorms) -> str:
    if event.function == "freeze":
        return "write `freeze(..., train_bn=False)`"
    return (
        f"`{event.function}` does not pass `train_bn` on: override `freeze_before_training` and "
        "call `freeze(..., train_bn=False)` there"
    )


def _spared(trace: Trace, event: FrozenWithoutNorms) -> int:
    """The module with the BatchNorm layers: what holds all the children but some, such as a head."""
    module = trace.objects.module(event.key)
    is_rest = module.origin is Origin.ELEMENT and all(
        atom == OF_CHILDREN or (isinstance(atom, NameTest) and atom.negated)
        for atom in module.predicate
    )
    return trace.objects.container_of(event.key) if is_rest else event.key


def _trains(trace: Trace, event: FrozenWithoutNorms, key: int, built: OptimizerBuilt) -> bool:
    """Whether an optimizer holds all of the part that requires gradients, and steps."""
    if not any(
        trace.part_covers(without_flag_tests(part), Part(key), built.index) for part in built.parts
    ):
        return False
    steps = any(True for _ in steps_after(trace, event, built.key))
    return steps or is_handed_on(trace, built, built.key)


def _is_set_again(trace: Trace, event: FrozenWithoutNorms) -> bool:
    """Whether the code sets flags of the part afterwards, or may, those of BatchNorm perhaps."""
    if any(
        each.activations == event.activations and trace.related(key, event.key, each.index)
        for each in trace.after(event, HandedOver)
        for key in each.keys
    ):
        return True
    return any(
        trace.parts_overlap(part, Part(event.key), write.index)
        for write in trace.after(event, FlagWritten)
        for part in write.parts
    )
