"""Models whose architecture is known, because a library built them with its own settings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.knowledge import timm, torchvision
from freezelint.analysis.knowledge.zoo import is_built_from_configuration
from freezelint.analysis.objects import Origin
from freezelint.analysis.values import Constant, LibraryInstance, TypedValue
from freezelint.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from freezelint.analysis.interpreter.arguments import Arguments
    from freezelint.analysis.knowledge.layers import LayerKind
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace
    from freezelint.analysis.values import Value

_TIMM = "timm."

_FEATURES = timm.PLAIN_ARGUMENTS | {"features_only", "out_indices", "output_stride", "global_pool"}
"""Arguments with which a model of timm still has BatchNorm where it has it by itself."""

_ENCODERS = (
    r"(?:resnet|resnext|se_resne|senet|densenet|inception|xception|efficientnet|mobilenet|dpn"
    r"|timm-(?:res|reg|ger|skres|efficientn|mobilen)|mobileone|vgg\d+_bn)"
)
"""Encoders of segmentation_models_pytorch with BatchNorm."""

_NOTHING = (None, Constant(None), Constant(False))

_CHOSEN_BY_NAME = frozenset({"torchvision.models.Chosen", "torchvision.models.get_model"})
"""Whatever model it is: without an argument that says so, none of them loads weights."""

_WITH_BACKBONE = ("torchvision.models.detection.", "torchvision.models.segmentation.")
"""Packages whose builders load weights for the backbone unless they are told not to."""


class KnownPlace(NamedTuple):
    """A place in the architecture that a library builds; something else may sit there now."""

    builder: str
    """Dotted name of the builder: ``torchvision.models.resnet18``, ``timm.resnet18``."""
    path: str = ""
    """The dotted way down from the whole model."""

    def below(self, step: str) -> KnownPlace:
        """The place under an attribute."""
        return self._replace(path=f"{self.path}.{step}" if self.path else step)

    def named(self, attribute: str) -> KnownPlace:
        """The place under an attribute as the analysis writes it: ``[0]``, ``[-1]``, ``['a']``."""
        return self.below(self.name_of(attribute))

    def name_of(self, attribute: str) -> str:
        """The name of a submodule for an attribute as the analysis writes it."""
        name = attribute.strip("[]'\"")
        if name.startswith("-") and name[1:].isdigit():
            name = str(len(self.submodule_names or ()) + int(name))
        return name

    @property
    def title(self) -> str:
        """What the architecture is called."""
        return self.builder.rpartition(".")[2]

    @property
    def submodule_names(self) -> frozenset[str] | None:
        """The attributes that hold submodules, or may; None where these are not known."""
        if not self.builder.startswith(_TIMM):
            return torchvision.submodule_names(self.builder, self.path)
        found = None if self.path else timm.architecture(self.title)
        return None if found is None else frozenset(found.submodules)

    @property
    def order_of_submodules(self) -> tuple[str, ...]:
        """The attributes that hold submodules as ``children()`` gives them; empty if not known."""
        if self.builder.startswith(_TIMM):
            return ()
        return torchvision.order_of_submodules(self.builder, self.path)

    @property
    def own_parameters(self) -> tuple[str, ...] | None:
        """The parameters that this module owns itself; None where these are not known."""
        if not self.builder.startswith(_TIMM):
            return torchvision.own_parameters(self.builder, self.path)
        found = None if self.path else timm.architecture(self.title)
        return None if found is None else found.own_parameters

    @property
    def parameter_names(self) -> tuple[str, ...] | None:
        """The names of all parameters below here, as seen from here; None if not known."""
        names = torchvision.parameter_names(self.builder)
        if names is None or not self.path:
            return names
        within = self.path + "."
        return tuple(name.removeprefix(within) for name in names if name.startswith(within))

    @property
    def heads(self) -> tuple[str, ...]:
        """Dotted paths of the heads, from the whole model."""
        if not self.builder.startswith(_TIMM):
            return torchvision.heads_of(self.builder) or ()
        found = timm.architecture(self.title)
        return () if found is None else found.heads

    def holds(self, kind: LayerKind) -> bool | None:
        """Whether there is a layer of some kind here or below; None where it is not known.

        There is none in what is no submodule.
        """
        if not self.builder.startswith(_TIMM):
            is_submodule = self.submodule_names is not None
            return torchvision.holds(self.builder, self.path, kind) if is_submodule else False
        found = timm.architecture(self.title)
        return None if found is None else found.holds(self.path, kind)


def known_place(trace: Trace, key: int) -> KnownPlace | None:
    """Where a module was in the architecture that a library built; None for any other.

    Models that were built with other layers than the library's own (``norm_layer=``) are
    none that are known, neither are submodules that the code has put there.
    """
    root, steps = root_of(trace, trace.objects.module(key))
    builder = _builder_of(root)
    if builder is None:
        return None
    place = KnownPlace(builder)
    for step in steps:
        place = place.named(step)
    return place


def own_parameters(trace: Trace, key: int, at: int) -> tuple[str, ...] | None:
    """The parameters that a module owns itself and that nobody made frozen, at a moment.

    None where they are not known, unless a class in sight has some.
    """
    place = known_place(trace, key)
    if place is not None:
        return place.own_parameters
    module = trace.objects.module(key)
    if module.origin is not Origin.OWN_CLASS:
        return None
    trace.look_inside(key)
    names = tuple(
        each.attribute
        for held, each in trace.objects.attachments_to(key)
        if trace.objects.module(held).origin is Origin.PARAMETER
        and trace.objects.module(held).flag_at_birth is True
        and each.since <= at
        and (each.until is None or each.until > at)
    )
    return names if names or module.is_complete else None


def root_of(trace: Trace, module: ModuleObject) -> tuple[ModuleObject, list[str]]:
    """The module that was made with this one in it, and the attributes that lead down to it."""
    steps: list[str] = []
    while module.origin is Origin.CHILD and module.parent is not None:
        assert module.attribute is not None
        steps.insert(0, module.attribute)
        module = trace.objects.module(module.parent)
    return module, steps


def _builder_of(module: ModuleObject) -> str | None:
    """The builder of a model with the library's own settings."""
    given = module.arguments
    if module.origin is not Origin.BUILT or module.library is None:
        return None
    if given is None or not given.complete:
        return None
    if module.library in timm.FACTORIES:
        name = given.get(0, "model_name")
        if not isinstance(name, Constant) or not isinstance(name.value, str):
            return None
        is_plain = timm.PLAIN_ARGUMENTS.issuperset(given.keywords)
        name_alone = name.value.partition(".")[0]
        is_known = is_plain and timm.architecture(name_alone) is not None
        return _TIMM + name_alone if is_known else None
    if torchvision.heads_of(module.library) is None:
        return None
    return module.library if torchvision.PLAIN_ARGUMENTS.issuperset(given.keywords) else None


def keeps_statistics_by_name(library: str, given: Arguments, steps: Sequence[str]) -> bool:
    """Whether a model that is chosen by a name certainly holds BatchNorm throughout.

    An option of the command line counts as what it is when nobody sets it.

    Args:
        library: Dotted name of what builds the model, with ``given`` as arguments.
        given: What it is called with.
        steps: The attributes that lead down to the submodule that is asked about.
    """
    if library.startswith("segmentation_models_pytorch."):
        name = given.get(0, "encoder_name")
        is_known = list(steps) in ([], ["encoder"])
        return is_known and re.match(_ENCODERS, _text(name, "resnet34")) is not None
    if library == "torch.hub.load" and not steps:
        source = _text(given.get(0, "repo_or_dir"), "")
        built = f"torchvision.models.{_text(given.get(1, 'model'), '')}"
        return source.startswith("pytorch/vision") and torchvision.holds_statistics(built)
    if library == "torchvision.models.get_model" and not steps:
        built = f"torchvision.models.{_text(given.get(0, 'name'), '')}"
        return torchvision.holds_statistics(built)
    if library not in timm.FACTORIES or steps or not _FEATURES.issuperset(given.keywords):
        return False
    found = timm.architecture(_text(given.get(0, "model_name"), ""))
    return found is not None and found.is_full_of_batch_norms


def _text(value: Value | None, default: str) -> str:
    """A text that is known, by itself or as what an option is by default."""
    if value is None:
        return default
    known = value.default if isinstance(value, TypedValue) else value
    return str(known.value) if isinstance(known, Constant) else ""


def _has_own_measures(module: ModuleObject) -> bool:
    """Whether a configuration in sight says how large a model is: there are no weights for it."""
    given = module.arguments
    return given is not None and any(
        isinstance(each, LibraryInstance) and each.name.endswith("Config") and each.arguments
        for each in given.all
    )


def is_built_without_weights(module: ModuleObject) -> bool:
    """Whether a library built a whole model and was certainly not told to load any weights."""
    if module.origin is Origin.BUILT and is_built_from_configuration(module.library or ""):
        return not _has_own_measures(module)
    given, library = module.arguments, module.library or ""
    if module.origin is not Origin.BUILT or given is None or not given.complete:
        return False
    if library in timm.FACTORIES:
        # Whatever the name: without this argument nothing is loaded.
        others = {"checkpoint_path", "pretrained_cfg", "pretrained_cfg_overlay"}
        return given.get(1, "pretrained") in _NOTHING and others.isdisjoint(given.keywords)
    return _is_torchvision_without_weights(module, library, given)


def _is_torchvision_without_weights(module: ModuleObject, library: str, given: Arguments) -> bool:
    is_chosen = library in _CHOSEN_BY_NAME
    if not is_chosen and _builder_of(module) is None:
        return False
    first = 1 if library.endswith(".get_model") else 0
    chosen = (*given.positional[first:], given.keywords.get("weights"))
    if not all(each in _NOTHING for each in (*chosen, given.keywords.get("pretrained"))):
        return False
    if not library.startswith(_WITH_BACKBONE):
        return True
    # Where nothing is said of the backbone, its weights are loaded.
    backbone = [given.keywords.get(each) for each in ("weights_backbone", "pretrained_backbone")]
    return backbone != [None, None] and all(each in _NOTHING for each in backbone)
