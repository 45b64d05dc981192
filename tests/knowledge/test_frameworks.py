"""The order of hooks that the analysis assumes is the one in which the frameworks call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from freezelint.analysis.knowledge.frameworks import HUGGING_FACE, LIGHTNING, Act, Order

if TYPE_CHECKING:
    from pathlib import Path

torch = pytest.importorskip("torch")


def recording(base: type, hooks: tuple[str, ...], seen: list[str]) -> type:
    """A subclass that writes down which of its hooks are called, and does what its base does."""

    def record(name: str) -> Any:
        inherited = getattr(base, name, None)

        def hook(self: object, *args: Any, **kwargs: Any) -> Any:
            seen.append(name)
            return None if inherited is None else inherited(self, *args, **kwargs)

        return hook

    return type("Recording", (base,), {name: record(name) for name in hooks})


def expected(order: Order, epochs: int) -> list[str]:
    """The hooks of a run with one batch an epoch."""
    moments = (*order.start, *order.epoch * epochs, *order.end)
    return [each for each in moments if isinstance(each, str)]


@pytest.mark.filterwarnings("ignore")
def test_lightning_calls_hooks_in_this_order() -> None:
    lightning = pytest.importorskip("lightning")
    seen: list[str] = []

    class Module(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(2, 2)

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.layer(batch[0]).sum()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), lr=0.1)

    data = torch.utils.data.TensorDataset(torch.randn(1, 2))
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    module = recording(Module, LIGHTNING.hooks, seen)()
    trainer.fit(module, torch.utils.data.DataLoader(data))
    assert seen == expected(LIGHTNING, 2)


@pytest.mark.filterwarnings("ignore")
def test_the_trainer_of_transformers_calls_hooks_in_this_order(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    seen: list[str] = []

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.nn.Linear(2, 2)
            self.head = torch.nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            assert self.training
            seen.append(Act.FORWARD.value)
            return {"loss": self.head(self.body(x)).sum()}

    model = Model()
    arguments = transformers.TrainingArguments(
        str(tmp_path),
        num_train_epochs=2,
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    callback = recording(transformers.TrainerCallback, HUGGING_FACE.hooks, seen)()
    trainer = transformers.Trainer(
        model=model,
        args=arguments,
        train_dataset=[{"x": torch.randn(2)}],
        callbacks=[callback],
    )
    model.eval()
    model.body.requires_grad_(False)
    trainer.train()
    hooks = [each for each in seen if each != Act.FORWARD.value]
    assert hooks == expected(HUGGING_FACE, 2)
    first = seen.index(Act.FORWARD.value)
    assert seen[first - 1] == "on_step_begin"
    assert seen[first + 1] == "on_pre_optimizer_step"
    held = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in model.head.parameters()}
