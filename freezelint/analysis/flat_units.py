"""Which parameters FullyShardedDataParallel flattens together, as far as a policy tells."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from freezelint.analysis.events import SubmoduleReplaced
from freezelint.analysis.knowledge import transformers
from freezelint.analysis.knowledge.peft import HEADS, MODELS_WITH_HEADS
from freezelint.analysis.library_events import AdaptersAdded
from freezelint.analysis.objects import Origin
from freezelint.analysis.predicates import NameTest
from freezelint.analysis.trainability import has_parameters
from freezelint.analysis.values import (
    ClassValue,
    Constant,
    LibraryInstance,
    LibraryValue,
    Part,
    PartialValue,
    SequenceValue,
    Value,
)

if TYPE_CHECKING:
    from freezelint.analysis.events import Called, FlagWritten
    from freezelint.analysis.objects import ModuleObject
    from freezelint.analysis.trace import Trace

_LAYER_MADE = re.compile(
    r"self\.(\w+) = (?:nn\.)?(?:Sequential|Linear|Conv\dd|MultiheadAttention)\("
)

_POLICIES = ("transformer_auto_wrap_policy", "ModuleWrapPolicy")


_LAYERS = ("DecoderLayer", "EncoderLayer", "BertLayer", "RobertaLayer", "ViTLayer", "Block")
"""Ends of the names of classes of which each has an attention and a network of layers."""

_IN_A_LAYER = frozenset(
    {
        *("mlp", "self_attn", "attn", "attention", "crossattention"),
        *("q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "c_attn", "query_key_value"),
        *("gate_proj", "up_proj", "down_proj", "fc1", "fc2", "c_fc", "lora", "lora_A", "lora_B"),
        *("input_layernorm", "post_attention_layernorm", "layernorm", "LayerNorm"),
    }
)
"""What a name has in it that belongs to a piece of each layer.

Source: the names of parameters of the models in transformers 5.
"""


_IN_ATTENTION = frozenset(
    {"self_attn", "attn", "attention", "crossattention"}
    | {"q_proj", "k_proj", "v_proj", "o_proj", "out_proj", "c_attn", "query_key_value"}
)
"""Those of them that belong to the attention."""

_IN_NETWORK = frozenset({"mlp", "gate_proj", "up_proj", "down_proj", "fc1", "fc2", "c_fc"})
"""Those of them that belong to the network behind it."""


def classes_apart(policy: Value) -> frozenset[str] | None:
    """The classes of which each module becomes a unit of its own; None where they are not known."""
    if policy == Constant(None):
        return frozenset()
    classes: Value | None = None
    if isinstance(policy, PartialValue) and _is_policy(policy.function):
        classes = policy.arguments.keywords.get("transformer_layer_cls")
    elif isinstance(policy, LibraryInstance) and policy.name.endswith(_POLICIES):
        classes = policy.arguments[0] if policy.arguments else None
    if not isinstance(classes, SequenceValue) or not classes.complete:
        return None
    names = [_name_of(each) for each in classes.items]
    return frozenset(filter(None, names)) if all(names) else None


def _is_policy(function: Value) -> bool:
    return isinstance(function, LibraryValue) and function.name.endswith(_POLICIES)


def _name_of(value: Value) -> str | None:
    if isinstance(value, ClassValue):
        return value.definition.name
    return value.name.rpartition(".")[2] if isinstance(value, LibraryValue) else None


def are_mixed_in_a_unit(
    trace: Trace, wrap: Called, key: int, part: Part, apart: frozenset[str]
) -> bool:
    """Whether a frozen part shares a unit with something trainable, whatever the policy takes out.

    Args:
        trace: The run.
        wrap: The call that wraps the model.
        key: The model.
        part: What is frozen of it, and not all.
        apart: The classes that are units of their own.
    """
    if any(
        isinstance(test, NameTest) and test.negated and all("bias" in text for text in test.texts)
        for test in part.predicate
    ):
        # The weight and the bias of a layer are in one unit.
        return True
    if _cuts_through_layers(trace, key, part, apart, negated=True):
        return True
    if {True, False} <= _flags_in_the_root(trace, wrap, key, apart):
        return True
    return _is_all_but_the_head(trace, trace.objects.module(key), part, apart)


def is_beside_frozen(
    trace: Trace, wrap: Called, key: int, part: Part, apart: frozenset[str]
) -> bool:
    """Whether a part that trains shares a unit with something frozen.

    Args:
        trace: The run.
        wrap: The call that wraps the model.
        key: The model, of which all was frozen before.
        part: What was switched on again, and not all.
        apart: The classes that are units of their own.
    """
    if _cuts_through_layers(trace, key, part, apart, negated=False):
        return True
    if {True, False} <= _flags_in_the_root(trace, wrap, key, apart):
        return True
    model, piece = trace.objects.module(key), trace.objects.module(part.key)
    library = model.library or ""
    if library.startswith("transformers."):
        # Its embeddings are in one unit with what hangs beside its base.
        heads = HEADS | {"lm_head", *(transformers.facts(library) or {}).get("heads", ())}
        is_head = piece.parent == key and piece.attribute in heads
        # What lies deeper than the base is not all of it.
        return is_head or (not apart and key not in (piece.parent, piece.source))
    return not apart and library.startswith(("torchvision.", "timm."))


def has_grown(
    trace: Trace, wrap: Called, key: int, freeze: FlagWritten, apart: frozenset[str]
) -> bool:
    """Whether a model, of which all was frozen, got new layers that train beside frozen ones.

    Args:
        trace: The run.
        wrap: The call that wraps the model.
        key: The model.
        freeze: What froze all of it.
        apart: The classes that are units of their own.
    """
    is_of_library = trace.objects.module(key).origin is Origin.BUILT
    is_of_layers = bool(apart) and all(name.endswith(_LAYERS) for name in apart)
    for change in trace.between(freeze, wrap, SubmoduleReplaced):
        container = trace.objects.container_of(change.parent)
        if change.new is None or trace.objects.route(key, container, wrap.index) is None:
            continue
        flags = _flags_in_the_root(trace, wrap, change.new, frozenset()) | {
            trace.flag(Part(change.new), wrap.index, wrap.path).value
        }
        if True not in flags or not has_parameters(trace, change.new, wrap.index):
            continue
        if not apart and (is_of_library or container != key):
            return True
        if is_of_layers and container != key and change.attribute in _IN_A_LAYER:
            return True
    return False


def gets_adapters(trace: Trace, wrap: Called, key: int) -> AdaptersAdded | None:
    """The adapters of peft in a model, which train, while the model that they are in does not."""
    # Of one that got them in a branch, whoever takes it sees the error.
    keys = {key, *trace.objects.module(key).alternatives}
    return next(
        (
            each
            for each in trace.before(wrap, AdaptersAdded)
            if keys & {each.model, each.base} and each.trains is True
        ),
        None,
    )


def has_a_new_head(model: ModuleObject) -> bool:
    """Whether this is a model of transformers with a layer on top that is tied to nothing."""
    owner, _, last = (model.library or "").rpartition(".")
    name = owner if last in ("from_pretrained", "from_config") else last
    return (model.library or "").startswith("transformers.") and name.endswith(MODELS_WITH_HEADS)


def lies_deep_inside(trace: Trace, key: int, model: ModuleObject) -> bool:
    """Whether a piece of a model of transformers lies deeper than what may be all of it."""
    piece = trace.objects.module(key)
    if piece.origin is Origin.DERIVED and piece.source is not None:
        piece = trace.objects.module(piece.source)
    is_loaded = (model.library or "").startswith("transformers.")
    return is_loaded and piece.parent not in (None, model.key)


def _cuts_through_layers(
    trace: Trace, key: int, part: Part, apart: frozenset[str], *, negated: bool
) -> bool:
    """Whether names pick some of what each layer of a transformer consists of, and not all."""
    if part.key != key or len(part.predicate) != 1:
        return False
    (test,) = part.predicate
    if not isinstance(test, NameTest) or test.negated is not negated or test.kind != "contains":
        return False
    library = trace.objects.module(key).library or ""
    if _cuts_through_a_class(trace, test, apart):
        return True
    if not library.startswith("transformers.") or not apart:
        return False
    is_of_layers = all(name.endswith(_LAYERS) for name in apart)
    picked = {text.strip("._").rpartition(".")[2] for text in test.texts}
    # Of what is picked of one of the two only, the other is the rest.
    return (
        is_of_layers
        and picked <= _IN_A_LAYER
        and (len(picked) == 1 or not picked & _IN_ATTENTION or not picked & _IN_NETWORK)
    )


def _cuts_through_a_class(trace: Trace, test: NameTest, apart: frozenset[str]) -> bool:
    """Whether a text is in the names of some submodules of a class of the file, and not of all."""
    for name in apart:
        definition = trace.file.classes.get(name)
        constructor = None if definition is None else definition.methods.get("__init__")
        layers = () if constructor is None else _LAYER_MADE.findall(constructor.text)
        picked = {each: any(text.strip(".") in each for text in test.texts) for each in layers}
        if {True, False} <= set(picked.values()):
            return True
    return False


def _flags_in_the_root(
    trace: Trace, wrap: Called, key: int, apart: frozenset[str]
) -> set[bool | None]:
    """The flags of what certainly goes into the outermost unit."""
    return {
        trace.flag(Part(held), wrap.index, wrap.path).value
        for held in trace.objects.held_by(key, wrap.index)
        if (not apart or _stays_in_the_root(trace.objects.module(held), apart))
        and (_is_parameter(trace, held) or has_parameters(trace, held, wrap.index))
    }


def _is_parameter(trace: Trace, key: int) -> bool:
    return trace.objects.module(key).origin is Origin.PARAMETER


def _stays_in_the_root(module: ModuleObject, apart: frozenset[str]) -> bool:
    """Whether this is a plain layer, or a parameter, that no policy makes a unit of."""
    if module.origin is Origin.PARAMETER:
        return True
    package, _, name = (module.library or "").rpartition(".")
    is_leaf = package == "torch.nn" and name not in ("Sequential", "ModuleList", "ModuleDict")
    return module.origin is Origin.BUILT and is_leaf and name not in apart


def _is_all_but_the_head(
    trace: Trace, model: ModuleObject, part: Part, apart: frozenset[str]
) -> bool:
    """Of a model of transformers: the embeddings are in one unit with the head."""
    library = model.library or ""
    if not library.startswith("transformers.") or any("Embedding" in name for name in apart):
        return False
    known = transformers.facts(library)
    frozen = trace.objects.module(part.key)
    if frozen.parent == model.key and frozen.attribute == "base_model":
        # Of a model without a head it is the model itself.
        return has_a_new_head(model) and not part.predicate
    if known is not None and frozen.parent == model.key:
        return frozen.attribute == known.get("base") and not part.predicate
    heads = HEADS | {"lm_head", *(known or {}).get("heads", ())}
    return part.key == model.key and all(
        isinstance(test, NameTest)
        and test.negated
        and all(text.strip(".") in heads for text in test.texts)
        for test in part.predicate
    )
