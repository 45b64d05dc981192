"""What the parameters of published transformer models are called, whatever their depth.

Read off the models of transformers 5 and of timm 1; where transformers 4 has other names, those
are here too. A number is written ``#``, ``~`` stands for whatever lies below. Each name is that of
a layer, which may have a ``weight`` and a ``bias``, or of a parameter.
"""

from __future__ import annotations

import re
from functools import cache

from freezelint.analysis.knowledge.timm import FACTORIES, architecture
from freezelint.analysis.knowledge.transformers import facts
from freezelint.records import NamedTuple

REST = "~"
"""Ends a name of which only the beginning is known."""

NUMBER = "#"

_BERT = (
    "embeddings.{word_embeddings,position_embeddings,token_type_embeddings,LayerNorm} "
    "encoder.layer.#.{attention,crossattention}.self.{query,key,value,distance_embedding} "
    "encoder.layer.#.{attention,crossattention}.output.{dense,LayerNorm} "
    "encoder.layer.#.intermediate.dense encoder.layer.#.output.{dense,LayerNorm} pooler.dense "
)

_LLAMA = (
    "embed_tokens layers.#.self_attn.{q_proj,k_proj,v_proj,o_proj,rotary_emb.inv_freq} "
    "layers.#.mlp.{gate_proj,up_proj,down_proj} "
    "layers.#.{input_layernorm,post_attention_layernorm} norm"
)

_PROJECTIONS = "{q_proj,k_proj,v_proj,out_proj}"

_BART_LAYERS = (
    "embed_tokens",
    "embed_positions",
    "{layernorm_embedding,layer_norm}",
    f"layers.#.{{self_attn,encoder_attn}}.{_PROJECTIONS}",
    "layers.#.{self_attn_layer_norm,encoder_attn_layer_norm,fc1,fc2,final_layer_norm}",
)

_T5_LAYERS = (
    "embed_tokens",
    "final_layer_norm",
    "block.#.layer.#.{SelfAttention,EncDecAttention}.{q,k,v,o,relative_attention_bias}",
    "block.#.layer.#.layer_norm",
    "block.#.layer.#.DenseReluDense.{wi,wi_0,wi_1,wo}",
)

_CLIP_LAYERS = (
    f"encoder.layers.#.self_attn.{_PROJECTIONS}",
    "encoder.layers.#.{layer_norm1,layer_norm2,mlp.fc1,mlp.fc2}",
)


def _in_both(layers: tuple[str, ...]) -> str:
    return " ".join(f"{side}.{layer}" for side in ("encoder", "decoder") for layer in layers)


_WAV2VEC2 = (
    "masked_spec_embed feature_extractor.conv_layers.#.{conv,layer_norm} "
    "feature_projection.{layer_norm,projection} encoder.pos_conv_embed.~ encoder.layer_norm "
    f"encoder.layers.#.attention.{_PROJECTIONS} "
    "encoder.layers.#.{layer_norm,final_layer_norm,adapter_layer.~} "
    "encoder.layers.#.feed_forward.{intermediate_dense,output_dense} adapter.~"
)

_FAMILIES = {
    "Bert": _BERT,
    "Roberta": _BERT,
    "XLMRoberta": _BERT,
    "Camembert": _BERT,
    "Electra": _BERT + "embeddings_project",
    "DistilBert": (
        "embeddings.{word_embeddings,position_embeddings,LayerNorm} "
        "transformer.layer.#.attention.{q_lin,k_lin,v_lin,out_lin} "
        "transformer.layer.#.{sa_layer_norm,ffn.lin1,ffn.lin2,output_layer_norm}"
    ),
    "Albert": (
        "embeddings.{word_embeddings,position_embeddings,token_type_embeddings,LayerNorm} pooler "
        "encoder.embedding_hidden_mapping_in encoder.albert_layer_groups.#.albert_layers.#."
        "{full_layer_layer_norm,ffn,ffn_output,attention.{query,key,value,dense,LayerNorm}}"
    ),
    "GPT2": (
        "wte wpe ln_f h.#.{ln_1,ln_2,ln_cross_attn} "
        "h.#.{attn,crossattention}.{c_attn,q_attn,c_proj} h.#.mlp.{c_fc,c_proj}"
    ),
    "Llama": _LLAMA,
    "Mistral": _LLAMA,
    "Qwen2": _LLAMA,
    "Gemma": _LLAMA,
    "Bart": "shared " + _in_both(_BART_LAYERS),
    "Whisper": "encoder.{conv1,conv2} " + _in_both(_BART_LAYERS),
    "T5": "shared " + _in_both(_T5_LAYERS),
    "ViT": (
        "embeddings.{cls_token,mask_token,position_embeddings,patch_embeddings.projection} "
        "encoder.layer.#.attention.{attention.{query,key,value},output.dense} "
        "encoder.layer.#.{intermediate.dense,output.dense,layernorm_before,layernorm_after} "
        "layers.#.attention.{q_proj,k_proj,v_proj,o_proj} "
        "layers.#.{layernorm_before,layernorm_after,mlp.fc1,mlp.fc2} layernorm pooler.dense"
    ),
    "CLIP": (
        "logit_scale visual_projection text_projection "
        "text_model.embeddings.{token_embedding,position_embedding} text_model.final_layer_norm "
        "vision_model.embeddings.{class_embedding,patch_embedding,position_embedding} "
        "vision_model.{pre_layrnorm,post_layernorm} "
        + " ".join(f"{side}_model.{layer}" for side in ("text", "vision") for layer in _CLIP_LAYERS)
    ),
    "Wav2Vec2": _WAV2VEC2,
    "Hubert": _WAV2VEC2,
}

_HEADS = {
    "classifier": "classifier{,.dense,.out_proj}",
    "classification_head": "classification_head.{dense,out_proj}",
    "cls": (
        "cls.predictions.bias cls.predictions.transform.{dense,LayerNorm} "
        "cls.predictions.decoder cls.seq_relationship"
    ),
    "lm_head": "lm_head{,.dense,.layer_norm,.decoder}",
    "predictions": "predictions{,.LayerNorm,.dense,.decoder}",
    **{
        name: name
        for name in (
            *("qa_outputs", "score", "pre_classifier", "projector", "proj_out"),
            *("vocab_transform", "vocab_layer_norm", "vocab_projector"),
        )
    },
}
"""What the heads consist of; of others, only the attribute is known."""

_WITHOUT_BASE = {("T5", "ForConditionalGeneration"), ("T5", "ForQuestionAnswering")}
"""Models that hold the parts of the base themselves."""

_MORE_HEADS = {"ViTForImageClassification": ("classifier",)}

_TIMM_VIT = (
    "cls_token reg_token dist_token pos_embed patch_embed.{proj,norm} norm_pre norm fc_norm "
    "head head_dist blocks.#.{norm1,norm2,attn.{qkv,q_norm,k_norm,norm,proj},mlp.{fc1,fc2,norm}} "
    "blocks.#.{ls1.gamma,ls2.gamma}"
)

_PLAIN_VIT = r"(?:vit|deit)_(?:tiny|small|base|large|huge)_patch\d+_\d+$"

_MODEL_CLASS = (
    r"transformers\.(?:[a-z]\w*\.)*([A-Z][A-Za-z0-9]+?)(Model|LMHeadModel|For\w+)"
    r"(?:\.from_pretrained|\.from_config|\._from_config)?$"
)

_AUTO = r"transformers\.Auto(Model)(For\w+)?\.from_pretrained$"

_CHECKPOINTS = (
    (r"(?:google-bert/)?bert-(?:base|large)-(?:un)?cased$", "Bert"),
    (r"(?:FacebookAI/)?roberta-(?:base|large)$", "Roberta"),
    (r"(?:FacebookAI/)?xlm-roberta-(?:base|large)$", "XLMRoberta"),
    (r"(?:distilbert/)?distilbert-base-(?:un|multilingual-)?cased$", "DistilBert"),
    (r"(?:openai-community/)?gpt2(?:-medium|-large|-xl)?$", "GPT2"),
    (r"(?:google-t5/)?t5-(?:small|base|large)$", "T5"),
    (r"google/vit-(?:base|large)-patch[\w-]+$", "ViT"),
    (r"facebook/wav2vec2-(?:base|large)[\w-]*$", "Wav2Vec2"),
)
"""Published checkpoints, and what class of model they are for."""


def names_of(library: str, asked: object) -> tuple[str, ...] | None:
    """How the parameters of a published model may be called; None where it is not known.

    Args:
        library: What made it, by its dotted name.
        asked: The first that it was called with, if that is known.
    """
    if library in FACTORIES:
        return _timm_names(asked.partition(".")[0]) if isinstance(asked, str) else None
    return _transformers_names(library, asked) if library.startswith("transformers.") else None


def _transformers_names(library: str, asked: object) -> tuple[str, ...] | None:
    found = _parsed(library, asked)
    if found is None:
        return None
    family, head = found
    if family not in _FAMILIES or (family == "CLIP" and head != "Model"):
        return None
    if head == "Model":
        return _expanded(_FAMILIES[family])
    return _with_head(family, head)


def class_of(library: str, asked: object) -> str | None:
    """The class of a model of transformers with a head, also where a checkpoint decides."""
    found = _parsed(library, asked)
    return None if found is None or found[1] == "Model" else "".join(found)


class Heads(NamedTuple):
    """What the heads of a published model are called."""

    title: str
    names: tuple[str, ...]
    taken: frozenset[str] = frozenset()
    """All attributes that the model has, or may have, for its parts."""


def heads_of(library: str, asked: object) -> Heads | None:
    """The heads of a model of transformers; None where they are not known, or there are none.

    Args:
        library: What made it, by its dotted name.
        asked: The first that it was called with, if that is known.
    """
    found = _parsed(library, asked)
    title = "" if found is None else "".join(found)
    known = facts(f"transformers.{title}")
    if known is None or "base" not in known:
        return None
    names = known.get("heads", ()) or _MORE_HEADS.get(title, ())
    first = {each.partition(".")[0] for each in _transformers_names(library, asked) or ()}
    taken = frozenset({*first, *known.get("heads", ()), known["base"]})
    return Heads(title, tuple(names), taken) if names else None


def _parsed(library: str, checkpoint: object) -> tuple[str, str] | None:
    """The family and the kind of a model of transformers."""
    chosen = re.match(_AUTO, library)
    found = chosen or re.match(_MODEL_CLASS, library)
    if found is None:
        return None
    family = found[1] if chosen is None else _family_of(checkpoint)
    head = found[2] or "Model"
    if head == "ForCausalLM" and family == "GPT2":
        head = "LMHeadModel"
    return None if family is None else (family, head)


def _family_of(checkpoint: object) -> str | None:
    text = checkpoint if isinstance(checkpoint, str) else ""
    return next((family for pattern, family in _CHECKPOINTS if re.match(pattern, text)), None)


@cache
def _with_head(family: str, head: str) -> tuple[str, ...] | None:
    known = facts(f"transformers.{family}{head}")
    if known is None or "base" not in known:
        return None
    base = tuple(f"{known['base']}.{each}" for each in _expanded(_FAMILIES[family]))
    if (family, head) in _WITHOUT_BASE:
        base = _expanded(_FAMILIES[family])
    known_heads = {*known.get("heads", ()), *_MORE_HEADS.get(family + head, ())}
    beside = known_heads - {each.partition(".")[0] for each in base}
    heads = (_HEADS.get(each, f"{each}.{REST} {each}") for each in sorted(beside))
    return (*base, *(name for each in heads for name in _expanded(each)))


@cache
def _timm_names(title: str) -> tuple[str, ...] | None:
    found = architecture(title)
    if found is None:
        return None
    if re.match(_PLAIN_VIT, title):
        return _expanded(_TIMM_VIT)
    return (*found.own_parameters, *(f"{each}.{REST}" for each in found.submodules))


@cache
def _expanded(text: str) -> tuple[str, ...]:
    """The names for a text with alternatives in braces, each with what a layer may own."""
    names: list[str] = []
    for word in text.split():
        for name in _alternatives(word):
            names += [name] if name.endswith(REST) else [name, f"{name}.weight", f"{name}.bias"]
    return tuple(names)


def _alternatives(word: str) -> list[str]:
    """What a word with braces in it, which may be nested, stands for."""
    inner = re.search(r"\{([^{}]*)\}", word)
    if inner is None:
        return [word]
    before, after = word[: inner.start()], word[inner.end() :]
    return [
        name for each in inner[1].split(",") for name in _alternatives(f"{before}{each}{after}")
    ]
