//! Writes the kernel out for what stands around a product, and launches it.

use burn_cubecl::CubeBackend;
use burn_cubecl::template::{KernelSource, SourceTemplate};
use burn_cubecl::tensor::CubeTensor;
use cubecl::prelude::KernelId;

use super::{Gate, LinearOps, Packing, Plan};
use crate::kernels::launch::{ACCESS, contiguous, launch};
use crate::kernels::product::gpu::{right, scaled, unrolled};
use crate::kernels::tiles::{Tiles, tiles};

/// Most rows of a thread's tile.
const ROWS: usize = 8;
/// Bytes of workgroup memory that every WebGPU device has.
const MEMORY: usize = 16_384;
/// Sums of the side path's middle that are made between two barriers, each by [`Tiles::lanes`] threads.
const BATCH: usize = 128;

/// One of the kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Linear {
    packing: Option<Packing>,
    threads: usize,
    rows: usize,
    fours: usize,
    lanes: usize,
    norm: bool,
    gate: bool,
    bias: bool,
    add: bool,
    /// Columns of the side path's middle; 0 where there is none.
    narrow: usize,
}

impl Linear {
    /// The kernel for a plan: the most rows whose sums find room in workgroup memory. One always does, for `is_linear` bounds
    /// the side path.
    fn new(plan: &Plan, packing: Option<Packing>, tiles: Tiles) -> Self {
        let rows = match plan.m {
            0..=1 => 1,
            2..=4 => 4,
            _ => ROWS,
        };
        let mut kernel = Self {
            packing,
            threads: tiles.threads as usize,
            rows,
            // Four columns of the gate, and the same four of what it gates.
            fours: if plan.gate.is_some() { 2 } else { tiles.fours },
            lanes: tiles.lanes as usize,
            norm: plan.norm,
            gate: plan.gate.is_some(),
            bias: plan.bias,
            add: plan.add,
            narrow: plan.lora.map_or(0, |lora| lora.narrow()),
        };
        while kernel.memory() > MEMORY && kernel.rows > 1 {
            kernel.rows /= 2;
        }
        kernel
    }

    /// Single sums that threads leave in workgroup memory for each other.
    fn parts(&self) -> usize {
        let shared = if self.lanes > 1 {
            self.threads * self.rows * self.fours * 4
        } else {
            0
        };
        let narrow = if self.narrow > 0 {
            BATCH * self.lanes
        } else {
            0
        };
        shared.max(narrow)
    }

    fn squares(&self) -> usize {
        if self.norm && self.lanes > 1 {
            self.threads * self.rows
        } else {
            0
        }
    }

    /// Bytes of workgroup memory.
    fn memory(&self) -> usize {
        4 * (self.parts() + self.squares() + self.rows * self.narrow)
    }

    /// Columns of the result that a thread's tile makes.
    fn width(&self) -> usize {
        if self.gate { 4 } else { 4 * self.fours }
    }

    /// The source with the lines of the parts this kernel has.
    fn text(&self) -> String {
        let has = |word: &str| match word {
            "norm" => self.norm,
            "gate" => self.gate,
            "bias" => self.bias,
            "add" => self.add,
            "lora" => self.narrow > 0,
            "shared" => self.lanes > 1,
            "memory" => self.parts() > 0,
            _ => self.squares() > 0,
        };
        let mut text = String::new();
        'lines: for line in include_str!("linear.wgsl").lines() {
            let mut rest = line;
            while let Some(marked) = rest.trim_start().strip_prefix('@') {
                let Some((word, behind)) = marked.split_once(' ') else {
                    break;
                };
                // `@group(..)` and `@compute` are WGSL's own.
                if word.contains('(') || word == "compute" {
                    break;
                }
                if has(word.trim_start_matches('!')) == word.starts_with('!') {
                    continue 'lines;
                }
                rest = behind;
            }
            text.push_str(rest);
            text.push('\n');
        }
        unrolled(&text, self.rows, self.fours)
    }
}

impl KernelSource for Linear {
    fn source(&self) -> SourceTemplate {
        let mut source = SourceTemplate::new(self.text());
        // Behind x, the weight and its scales.
        let mut binding = if scaled(self.packing) { 3 } else { 2 };
        for (name, there) in [
            ("gain", self.norm),
            ("bias", self.bias),
            ("factors", self.narrow > 0),
            ("result", true),
            ("info", true),
        ] {
            source = source.register(name, binding.to_string());
            binding += usize::from(there);
        }
        source
            .register("access", ACCESS)
            .register("right", right(self.packing))
            .register("rows", self.rows.to_string())
            .register("fours", self.fours.to_string())
            .register("threads", self.threads.to_string())
            .register("lanes", self.lanes.to_string())
            .register("width", self.width().to_string())
            .register("parts", self.parts().to_string())
            .register("squares", self.squares().to_string())
            .register("narrow", self.narrow.to_string())
            .register("middle", (self.rows * self.narrow).to_string())
            .register("batch", BATCH.to_string())
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(*self)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

fn info(plan: &Plan) -> Vec<u32> {
    let lora = plan.lora.unwrap_or_default();
    let mut info = vec![
        plan.m as u32,
        (plan.k / 4) as u32,
        plan.columns() as u32,
        (1.0 / plan.k as f32).to_bits(),
        plan.eps.to_bits(),
        lora.scale.to_bits(),
        (lora.a / 4) as u32,
        lora.rank as u32,
        u32::from(plan.gate == Some(Gate::GeluTanh)),
    ];
    for part in lora.parts {
        info.extend(match part {
            Some(part) => [part.column, part.column + part.width, part.b].map(|n| n as u32),
            None => [u32::MAX, u32::MAX, 0],
        });
    }
    info
}

fn run(
    x: CubeTensor,
    weight: &[&CubeTensor],
    around: [CubeTensor; 3],
    out: CubeTensor,
    plan: Plan,
    packing: Option<Packing>,
) -> CubeTensor {
    let x = contiguous(x);
    let out = contiguous(out);
    let kernel = Linear::new(&plan, packing, tiles());
    let [gain, bias, factors] = around.map(contiguous);
    let mut tensors = vec![&x];
    tensors.extend(weight);
    for (tensor, there) in [
        (&gain, kernel.norm),
        (&bias, kernel.bias),
        (&factors, kernel.narrow > 0),
    ] {
        if there {
            tensors.push(tensor);
        }
    }
    tensors.push(&out);
    let threads = kernel.threads as u32;
    let tiles = kernel.threads / kernel.lanes;
    let groups = (
        plan.columns().div_ceil(tiles * kernel.width()) as u32,
        plan.m.div_ceil(kernel.rows) as u32,
        1,
    );
    launch(kernel, (threads, 1), groups, &tensors, &info(&plan));
    out
}

impl LinearOps for CubeBackend {
    fn linear(
        x: CubeTensor,
        weight: CubeTensor,
        gain: CubeTensor,
        bias: CubeTensor,
        factors: CubeTensor,
        out: CubeTensor,
        plan: Plan,
    ) -> CubeTensor {
        let weight = contiguous(weight);
        run(x, &[&weight], [gain, bias, factors], out, plan, None)
    }

    fn linear_packed(
        x: CubeTensor,
        words: CubeTensor,
        scales: CubeTensor,
        gain: CubeTensor,
        bias: CubeTensor,
        factors: CubeTensor,
        out: CubeTensor,
        plan: Plan,
        packing: Packing,
    ) -> CubeTensor {
        let weight: &[&CubeTensor] = if scaled(Some(packing)) {
            &[&words, &scales]
        } else {
            &[&words]
        };
        run(x, weight, [gain, bias, factors], out, plan, Some(packing))
    }
}
