//! A weight's product with all that stands around it in a decoder layer, in one go: the norm of what comes in, the bias, an
//! adapter's side path (arXiv 2106.09685), the gate, and the sum with the residual stream.
//!
//! It is for reading few tokens at a time, as decoding does: there each kernel is short, and starting one costs as much as the
//! kernel itself. With many tokens, and in training, the parts go alone: their results are needed on the way back.

#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(all(test, feature = "desk", feature = "gpu"))]
mod tests;

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, Dispatch, backend_extension};
use burn::tensor::Tensor;

use super::product::Values;
use super::{Gate, Packing, Weight};

/// One module's share of a side path: some columns of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoraPart {
    /// First column of its result.
    pub column: usize,
    /// Columns of its result.
    pub width: usize,
    /// Where its `b [width, rank]` begins among the factors.
    pub b: usize,
}

/// Where the factors of the modules that read one input lie: `y += scale · (x·aᵀ)·bᵀ` for each.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Lora {
    /// Where the `a` factors begin, one behind the other, `[modules · rank, in]`; a multiple of 4.
    pub a: usize,
    /// Rank of each module.
    pub rank: usize,
    /// The scale of what is added.
    pub scale: f32,
    /// The modules, in the order of their columns and of their `a` factors.
    pub parts: [Option<LoraPart>; 3],
}

impl Lora {
    /// Columns of the narrow middle, the rank for each module.
    pub fn narrow(&self) -> usize {
        self.rank * self.parts.iter().flatten().count()
    }
}

/// What stands around a product `x·Wᵀ`.
#[derive(Debug, Clone, Default)]
pub struct Around<'a> {
    /// RMSNorm of x: the weight of each column and what is added under the root (see [`super::rms_norm`]).
    pub norm: Option<(&'a Tensor<1>, f32)>,
    /// Added to each row of the result.
    pub bias: Option<&'a Tensor<1>>,
    /// A side path, and the values of all factors.
    pub lora: Option<(Lora, &'a Tensor<1>)>,
    /// The weight's rows are those of the gate, then as many of what it gates: `act(gate) · up` comes out, half as wide.
    pub gate: Option<Gate>,
    /// The result is added to it where it lies; nobody else may hold it.
    pub onto: Option<Tensor<2>>,
}

/// The numbers of one product.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// Rows of x.
    m: usize,
    /// Columns of x and of the weight.
    k: usize,
    /// Rows of the weight.
    n: usize,
    norm: bool,
    eps: f32,
    bias: bool,
    lora: Option<Lora>,
    gate: Option<Gate>,
    add: bool,
}

impl Plan {
    /// Columns of the result.
    fn columns(&self) -> usize {
        if self.gate.is_some() {
            self.n / 2
        } else {
            self.n
        }
    }
}

/// The operation of a backend; see [`linear`]. Of `gain`, `bias` and `factors` only those are looked at that the plan has.
#[backend_extension(Cube: cfg(feature = "gpu"), Flex: cfg(feature = "cpu"))]
#[allow(
    clippy::too_many_arguments,
    reason = "the macro takes tensors one by one; callers see `Around`"
)]
pub trait LinearOps: Backend {
    /// Over a weight of floats.
    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        out: FloatTensor<Self>,
        plan: Plan,
    ) -> FloatTensor<Self>;
    /// Over a packed weight.
    fn linear_packed(
        x: FloatTensor<Self>,
        words: IntTensor<Self>,
        scales: IntTensor<Self>,
        gain: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        out: FloatTensor<Self>,
        plan: Plan,
        packing: Packing,
    ) -> FloatTensor<Self>;
}

/// Columns of a side path's middle that find room in the workgroup memory of any GPU, beside all else that is there.
const WIDEST: usize = 1024;

/// Whether [`linear`] can do a product: rows of whole fours, and a side path whose middle finds room.
pub fn is_linear(weight: &Weight, lora: Option<&Lora>) -> bool {
    let fits = |lora: &Lora| lora.narrow() <= WIDEST && lora.a.is_multiple_of(4);
    weight.columns().is_multiple_of(4) && lora.is_none_or(fits)
}

/// `norm(x)·Wᵀ` with a side path and a bias, then through a gate, then added to something: whatever of it `around` has.
/// `[m, columns] → [m, rows]`, or half as wide with a gate. [`is_linear`] must hold.
pub fn linear(weight: &Weight, x: Tensor<2>, around: Around<'_>) -> Tensor<2> {
    let m = x.dims()[0];
    let plan = Plan {
        m,
        k: weight.columns(),
        n: weight.rows(),
        norm: around.norm.is_some(),
        eps: around.norm.map_or(0.0, |(_, eps)| eps),
        bias: around.bias.is_some(),
        lora: around.lora.map(|(lora, _)| lora),
        gate: around.gate,
        add: around.onto.is_some(),
    };
    let out = match around.onto {
        Some(out) => out,
        None => Tensor::empty([m, plan.columns()], &x.device()),
    };
    // The macro takes no tensor for none; what the plan has not is not looked at.
    let or_x = |tensor: Option<&Tensor<1>>| match tensor {
        Some(tensor) => tensor.clone().into_dispatch(),
        None => x.clone().into_dispatch(),
    };
    let gain = or_x(around.norm.map(|(gain, _)| gain));
    let bias = or_x(around.bias);
    let factors = or_x(around.lora.map(|(_, factors)| factors));
    let out = out.into_dispatch();
    Tensor::from_dispatch(match weight.values() {
        Values::Plain(values) => Dispatch::linear(
            x.into_dispatch(),
            values.clone().into_dispatch(),
            gain,
            bias,
            factors,
            out,
            plan,
        ),
        Values::Packed {
            packing,
            words,
            scales,
        } => Dispatch::linear_packed(
            x.into_dispatch(),
            words.clone().into_dispatch(),
            scales.clone().into_dispatch(),
            gain,
            bias,
            factors,
            out,
            plan,
            *packing,
        ),
    })
}
