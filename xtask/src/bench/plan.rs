//! What is measured of which model where nothing else is asked for: what can be done in minutes, and the aims need.

use super::Device;

/// Where it is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The command.
    Native,
    /// A page.
    Browser,
}

/// Measures in the order in which they are taken: what matters most comes first, should the time run out.
pub fn measures(model: &str, device: Device, place: Place) -> Vec<String> {
    let software = device == Device::Gpu && !has_graphics_card();
    let names: &[&str] = match (model, place, software) {
        ("tiny-llama-1m", Place::Native, false) => &[
            "load",
            "prefill",
            "decode-1",
            "decode-8",
            "decode-64",
            "instances",
            "instances-512",
            "instances-4096",
            "sft-step",
            "dpo-step",
        ],
        ("smollm2-135m", Place::Native, _) if device == Device::Gpu => &["memory"],
        (_, Place::Native, true) => &[],
        ("tiny-llama-1m", Place::Browser, true) => &["load", "sft-step", "decode-1", "prefill"],
        ("llama-11m", Place::Browser, true) => &["sft-step"],
        (_, Place::Browser, true) => &[],
        ("smollm2-135m", ..) => &["load", "decode-1", "prefill", "sft-step"],
        _ => &[
            "load",
            "prefill",
            "decode-1",
            "decode-8",
            "sft-step",
            "dpo-step",
            "instances",
            "decode-64",
        ],
    };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// How the engine is set up in a tab.
#[derive(Clone, Copy)]
pub struct Setup {
    /// What the model's matrices are kept in.
    pub dtype: &'static str,
    /// Every core, else one.
    pub threads: bool,
}

/// The set-ups that are measured in a tab. On the CPU more than one: as a visitor has it, with packed weights, and alone.
pub fn setups(model: &str, device: Device) -> Vec<Setup> {
    let setup = |dtype, threads| Setup { dtype, threads };
    match (device, model) {
        (Device::Gpu, _) => vec![setup("f32", false)],
        // As f32 it is the memory's bandwidth that is measured.
        (_, "smollm2-135m") => vec![setup("q8", true)],
        _ => vec![setup("f32", true), setup("q8", true), setup("f32", false)],
    }
}

impl Setup {
    /// Whether a measure is worth its time: alone, what tells how much threads are worth.
    pub fn takes(self, measure: &str, device: Device) -> bool {
        let alone = ["prefill", "decode-1", "sft-step"];
        device == Device::Gpu || self.threads || alone.contains(&measure)
    }
}

/// The format a model's matrices are kept in for a measure at the desk.
pub fn dtype(measure: &str) -> &'static str {
    match measure {
        // What is aimed at is a QLoRA step.
        "memory" => "q4",
        _ => "f32",
    }
}

/// Whether WebGPU has more to run on than the processor, as far as that can be told.
pub fn has_graphics_card() -> bool {
    let listed = |folder: &str, lead: &str| {
        std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.file_name().to_string_lossy().starts_with(lead))
    };
    // Elsewhere there is one as good as always.
    !cfg!(target_os = "linux") || listed("/dev/dri", "renderD") || listed("/dev", "nvidia0")
}
