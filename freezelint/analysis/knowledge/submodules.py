"""Attributes of libraries' models that are modules in each of them that has one.

Read off the classes of transformers, diffusers, open_clip and segmentation-models-pytorch.
"""

from __future__ import annotations

_LISTS = frozenset({"layer", "layers", "blocks", "h", "resblocks", "down_blocks", "up_blocks"})
"""Attributes that hold one layer after the other."""

_TRANSFORMERS = frozenset(
    {
        *("albert", "bart", "bert", "deberta", "dinov2", "distilbert", "electra", "gpt_neox"),
        *("hubert", "roberta", "transformer", "vit", "wav2vec2", "wavlm", "model", "base_model"),
        *("encoder", "decoder", "embeddings", "pooler", "embed_tokens", "shared", "wte", "wpe"),
        *("lm_head", "classifier", "score", "qa_outputs", "pre_classifier", "final_layer_norm"),
        *("attention", "self_attn", "attn", "mlp", "intermediate", "output", "norm", "ln_f"),
        *("word_embeddings", "position_embeddings", "token_type_embeddings", "LayerNorm"),
        *("vision_model", "text_model", "vision_tower", "language_model", "visual_projection"),
        *("text_projection", "multi_modal_projector", "feature_extractor", "feature_projection"),
    }
)

_OTHERS = {
    "diffusers.": frozenset(
        {"encoder", "decoder", "mid_block", "conv_in", "conv_out", "time_embedding", "quant_conv"}
    ),
    "open_clip.": frozenset({"visual", "transformer", "token_embedding", "ln_final", "trunk"}),
    "clip.": frozenset({"visual", "transformer", "token_embedding", "ln_final"}),
    "segmentation_models_pytorch.": frozenset(
        {"encoder", "decoder", "segmentation_head", "classification_head"}
    ),
}


def kind_of_submodule(library: str, attribute: str) -> str | None:
    """The class of torch that an attribute of a model has at least; None where it may be no module.

    Args:
        library: The dotted name of what made the model, such as
            ``transformers.AutoModel.from_pretrained``.
        attribute: Of the model, or of a submodule at any depth.
    """
    if library.startswith("transformers."):
        names = _TRANSFORMERS
    else:
        names = next(
            (each for package, each in _OTHERS.items() if library.startswith(package)), frozenset()
        )
    if attribute in names:
        return "torch.nn.Module"
    return "torch.nn.ModuleList" if names and attribute in _LISTS else None
