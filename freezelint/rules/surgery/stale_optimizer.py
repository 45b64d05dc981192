"""A module is replaced after the optimizer was built over its parameters."""

from __future__ import annotations

from freezelint.findings import Level
from freezelint.rules.rule import Rule


class StaleOptimizer(Rule):
    """Finds parameters replaced after an optimizer was built over the old ones.

    What it does:
        Reports a change that gives a model new parameter objects after an optimizer
        was built over the old ones, when no optimizer is rebuilt and no group is
        added: a submodule assigned anew, a deep copy that takes the model's place,
        `load_state_dict(assign=True)`, `to_empty()` of a model on the meta device,
        `get_peft_model`, `fully_shard`, a wrap in FSDP without `use_orig_params=True`,
        and `parametrizations.weight_norm`.

    Why is this bad:
        An optimizer holds the parameter objects it was given, not the model. It goes
        on updating the old ones, which no longer take part in the loss, and the new
        ones never change, without a message.

    Bad:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        model.head = nn.Linear(32, 6)  # expect: FZ603

        inputs, targets = torch.randn(64, 16), torch.randint(6, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    Good:
        import torch
        from torch import nn

        torch.manual_seed(0)


        class Classifier(nn.Module):
            def __init__(self):
                super().__init__()
                self.backbone = nn.Sequential(nn.Linear(16, 32), nn.ReLU())
                self.head = nn.Linear(32, 4)

            def forward(self, x):
                return self.head(self.backbone(x))


        model = Classifier()
        model.head = nn.Linear(32, 6)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

        inputs, targets = torch.randn(64, 16), torch.randint(6, (64,))
        for epoch in range(3):
            loss = nn.functional.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    When it is silent:
        Copies made for evaluation or as moving averages, changes that keep the
        parameter objects (`.to()`, `.cuda()`, `.half()`, `torch.compile`,
        DistributedDataParallel, plain `load_state_dict`), new parameters handed over
        by `add_param_group`, an optimizer built again, and libraries that rebuild it
        themselves.

    References:
        https://docs.pytorch.org/docs/stable/optim.html
        https://docs.pytorch.org/docs/stable/generated/torch.optim.Optimizer.add_param_group.html
        https://github.com/skorch-dev/skorch/issues/317
        https://github.com/Trusted-AI/adversarial-robustness-toolbox/issues/1580
        https://github.com/openvinotoolkit/nncf/issues/327
    """

    code = "FZ603"
    name = "stale-optimizer"
    level = Level.ERROR
    consequences = ("dead",)
    triggers = (("optim", "Optim", "Adam", "SGD", "step("),)
    fixable = False
