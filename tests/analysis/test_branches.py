"""Which paths through the code can be parts of one run."""

from __future__ import annotations

from tests.checking import check


def test_statements_run_in_order() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        late, early = resnet18(), resnet18()
        early.layer1.requires_grad_(False)
        first = torch.optim.SGD(early.parameters(), lr=0.1)
        second = torch.optim.SGD(late.parameters(), lr=0.1)  # expect: FZ301
        late.layer1.requires_grad_(False)  # evidence
    """)


def test_an_option_may_lead_to_the_bug() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
            if options.freeze:
                model.layer1.requires_grad_(False)  # evidence
            return model, optimizer
    """)


def test_both_arms_of_a_condition_do_not_happen_together() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            if options.finetune:
                optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            else:
                model.layer1.requires_grad_(False)
                optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)
            return model, optimizer
    """)


def test_a_return_ends_the_path() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            if options.finetune:
                return model, torch.optim.SGD(model.parameters(), lr=0.1)
            model.layer1.requires_grad_(False)
            return model, torch.optim.SGD(model.fc.parameters(), lr=0.1)
    """)


def test_nothing_after_a_raise_happens() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build():
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            raise NotImplementedError
            model.layer1.requires_grad_(False)
    """)


def test_an_arm_that_a_constant_rules_out_does_not_happen() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        FREEZE = False
        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        if FREEZE:
            model.layer1.requires_grad_(False)
        optimizer.step()
    """)


def test_a_name_holds_what_either_arm_gave_it() -> None:
    check("""
        import torch
        from torchvision.models import resnet18, resnet50

        def build(options):
            if options.large:
                model = resnet50()
            else:
                model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
            for p in model.layer1.parameters():
                p.requires_grad = False  # evidence
            return model, optimizer
    """)


def test_a_conditional_expression_gives_either_value() -> None:
    check("""
        import torch
        from torchvision.models import resnet18, resnet50

        def build(options):
            model = resnet50() if options.large else resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
            model.layer1.requires_grad_(False)  # evidence
            return model, optimizer
    """)


def test_a_case_of_match_is_a_branch() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
            match options.mode:
                case "probe":
                    model.layer1.requires_grad_(False)  # evidence
                case _:
                    pass
            return model, optimizer
    """)


def test_two_cases_of_match_do_not_happen_together() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        def build(options):
            model = resnet18()
            match options.mode:
                case "full":
                    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
                case "probe":
                    model.layer1.requires_grad_(False)
                    optimizer = torch.optim.SGD(model.fc.parameters(), lr=0.1)
            return model, optimizer
    """)


def test_a_finally_block_always_runs() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        try:
            model.load_state_dict(torch.load("weights.pt"))
        except OSError:
            print("no weights")
        finally:
            model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_what_a_handler_freezes_is_frozen_on_that_path() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        try:
            model.load_state_dict(torch.load("weights.pt"))
        except OSError:
            model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)


def test_the_body_of_with_runs_in_place() -> None:
    check("""
        import torch
        from torchvision.models import resnet18

        model = resnet18()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)  # expect: FZ301
        with torch.no_grad(), open("log.txt") as log:
            model.layer1.requires_grad_(False)  # evidence
        optimizer.step()
    """)
