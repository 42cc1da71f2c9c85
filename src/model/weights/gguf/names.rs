//! llama.cpp's names of tensors, and the hub's.

/// What llama.cpp's converter has done to a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model::weights) enum Change {
    /// Nothing.
    None,
    /// The rows of each head are interleaved: the pairs that rotary positions turn lie side by side.
    Interleaved {
        /// Heads that share the rows.
        heads: usize,
    },
    /// One was added to every number (Gemma's norms).
    PlusOne,
}

/// Which tensor's rows are interleaved, as llama.cpp's converter does for the architecture `llama` alone.
pub(super) enum Rows {
    Plain,
    Query,
    Key,
}

/// The hub's name of one of llama.cpp's tensors; nothing for one that no decoder asks for by name, such as the
/// rotary factors.
pub(super) fn hub(name: &str, gemma: bool) -> Option<(String, Rows)> {
    let (stem, kind) = name.rsplit_once('.')?;
    if !matches!(kind, "weight" | "bias") {
        return None;
    }
    let whole = match stem {
        "token_embd" => Some("model.embed_tokens"),
        "output_norm" => Some("model.norm"),
        "output" => Some("lm_head"),
        _ => None,
    };
    if let Some(whole) = whole {
        return Some((format!("{whole}.{kind}"), Rows::Plain));
    }
    let (layer, part) = stem.strip_prefix("blk.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let rows = match part {
        "attn_q" => Rows::Query,
        "attn_k" => Rows::Key,
        _ => Rows::Plain,
    };
    let part = match part {
        "attn_norm" => "input_layernorm",
        "attn_q" => "self_attn.q_proj",
        "attn_k" => "self_attn.k_proj",
        "attn_v" => "self_attn.v_proj",
        "attn_output" => "self_attn.o_proj",
        "attn_q_norm" => "self_attn.q_norm",
        "attn_k_norm" => "self_attn.k_norm",
        "post_attention_norm" => "post_attention_layernorm",
        // Gemma has a norm before and one behind each block, which shifts the hub's names.
        "ffn_norm" if gemma => "pre_feedforward_layernorm",
        "ffn_norm" => "post_attention_layernorm",
        "post_ffw_norm" => "post_feedforward_layernorm",
        "ffn_gate" => "mlp.gate_proj",
        "ffn_up" => "mlp.up_proj",
        "ffn_down" => "mlp.down_proj",
        _ => return None,
    };
    Some((format!("model.layers.{layer}.{part}.{kind}"), rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_norm_before_the_feed_forward_part_has_another_name_in_gemma() {
        let name = |gemma| hub("blk.3.ffn_norm.weight", gemma).map(|(name, _)| name);
        assert_eq!(
            name(false).as_deref(),
            Some("model.layers.3.post_attention_layernorm.weight")
        );
        assert_eq!(
            name(true).as_deref(),
            Some("model.layers.3.pre_feedforward_layernorm.weight")
        );
    }

    #[test]
    fn tensors_that_no_decoder_asks_for_have_no_name() {
        for name in [
            "rope_freqs.weight",
            "blk.x.attn_q.weight",
            "blk.1.attn_q.scale",
            "mm.0",
        ] {
            assert!(hub(name, false).is_none(), "{name}");
        }
    }
}
