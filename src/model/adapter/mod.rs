//! LoRA adapters (arXiv 2106.09685): low-rank side paths beside the frozen projections, read and written as PEFT does.

mod config;
mod peft;

use burn::tensor::{Device, Tensor};

use super::{Config, ModelError};
use crate::kernels::{Job, Lora, LoraPart, Place, floats, product_into};

pub use config::{LoraConfig, Module};

/// The projections that read the same input. Their `a` factors lie one behind the other, so that one product serves all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// Query, key and value.
    Attention,
    /// What the heads give.
    Output,
    /// Gate and up.
    FeedForward,
    /// Back to the stream.
    Down,
}

impl Group {
    const ALL: [Self; 4] = [Self::Attention, Self::Output, Self::FeedForward, Self::Down];

    /// The modules whose results lie side by side.
    fn modules(self) -> &'static [Module] {
        match self {
            Self::Attention => &[Module::Query, Module::Key, Module::Value],
            Self::Output => &[Module::Output],
            Self::FeedForward => &[Module::Gate, Module::Up],
            Self::Down => &[Module::Down],
        }
    }
}

/// One factor among all: PEFT's name, its shape there, and where its values begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// As in `adapter_model.safetensors`.
    pub name: String,
    /// `[r, in]` for `lora_A`, `[out, r]` for `lora_B`.
    pub shape: [usize; 2],
    /// Of its first value in [`Adapter::factors`].
    pub offset: usize,
}

/// A module's place in its group.
#[derive(Debug, Clone, Copy)]
struct Part {
    /// First column of its result among those of the group.
    column: usize,
    /// Columns of its result.
    width: usize,
    /// Where its `b` begins.
    b: usize,
}

/// The side path of one group in one layer.
#[derive(Debug, Clone)]
struct Path {
    /// Where the `a` factors begin.
    a: usize,
    parts: Vec<Part>,
}

/// The factors of an adapter: for every layer and module `a [r, in]` and `b [out, r]`, `y = x·Wᵀ + s·(x·aᵀ)·bᵀ`.
///
/// They are one tensor, laid out as PEFT stores each, so that the optimiser takes one step over all of them at once.
#[derive(Clone)]
pub struct Adapter {
    config: LoraConfig,
    scale: f32,
    entries: Vec<Factor>,
    /// For each layer, a path for each group of [`Group::ALL`] that has one.
    paths: Vec<[Option<Path>; 4]>,
    factors: Tensor<1>,
}

impl Adapter {
    /// A fresh adapter: `a` uniform in ±1/√in (PEFT's Kaiming start), `b` zero, so that it changes nothing yet.
    ///
    /// # Errors
    ///
    /// [`ModelError::Adapter`] for settings that are not supported.
    pub fn new(
        config: LoraConfig,
        model: &Config,
        seed: u64,
        device: &Device,
    ) -> Result<Self, ModelError> {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self::build(config, model, device, |name, [rows, columns]| {
            Ok(if name.ends_with("lora_A.weight") {
                let bound = 1.0 / (columns as f32).sqrt();
                (0..rows * columns)
                    .map(|_| (rng.f32() * 2.0 - 1.0) * bound)
                    .collect()
            } else {
                vec![0.0; rows * columns]
            })
        })
    }

    fn build(
        config: LoraConfig,
        model: &Config,
        device: &Device,
        mut values: impl FnMut(&str, [usize; 2]) -> Result<Vec<f32>, ModelError>,
    ) -> Result<Self, ModelError> {
        let modules = config.check()?;
        let rank = config.r;
        let (mut entries, mut all, mut paths) = (Vec::new(), Vec::<f32>::new(), Vec::new());
        for layer in 0..model.num_hidden_layers {
            let mut groups = [const { None }; 4];
            for (place, group) in groups.iter_mut().zip(Group::ALL) {
                let members: Vec<Module> = (group.modules().iter().copied())
                    .filter(|module| modules.contains(module))
                    .collect();
                if members.is_empty() {
                    continue;
                }
                let mut add = |module: Module,
                               letter: char,
                               shape: [usize; 2]|
                 -> Result<usize, ModelError> {
                    // Fours keep the products on their fast path.
                    all.resize(all.len().next_multiple_of(4), 0.0);
                    let name = format!(
                        "base_model.model.model.layers.{layer}.{}.{}.lora_{letter}.weight",
                        module.path(),
                        module.name()
                    );
                    let offset = all.len();
                    all.extend(values(&name, shape)?);
                    entries.push(Factor {
                        name,
                        shape,
                        offset,
                    });
                    Ok(offset)
                };
                let mut starts = Vec::with_capacity(members.len());
                for module in &members {
                    starts.push(add(*module, 'A', [rank, module.sizes(model).0])?);
                }
                let mut parts = Vec::with_capacity(members.len());
                for module in &members {
                    let width = module.sizes(model).1;
                    let before = group.modules().iter().take_while(|other| *other != module);
                    parts.push(Part {
                        column: before.map(|other| other.sizes(model).1).sum(),
                        width,
                        b: add(*module, 'B', [width, rank])?,
                    });
                }
                *place = Some(Path {
                    a: starts[0],
                    parts,
                });
            }
            paths.push(groups);
        }
        let count = all.len();
        Ok(Self {
            scale: (config.lora_alpha / rank as f64) as f32,
            config,
            entries,
            paths,
            factors: floats(all, [count], device),
        })
    }

    /// Every factor's name, shape and place.
    pub fn entries(&self) -> &[Factor] {
        &self.entries
    }

    /// The values of all factors, as [`Adapter::entries`] says.
    pub fn factors(&self) -> &Tensor<1> {
        &self.factors
    }

    /// The settings.
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// The same adapter with other values.
    pub(crate) fn with_factors(self, factors: Tensor<1>) -> Self {
        debug_assert_eq!(factors.dims(), self.factors.dims());
        Self { factors, ..self }
    }

    /// The adapter without its values, which are given apart: while they are trained in place nobody else may hold them.
    pub(crate) fn into_parts(self) -> (Self, Tensor<1>) {
        let nothing = Tensor::empty([1], &self.factors.device());
        let factors = self.factors;
        (
            Self {
                factors: nothing,
                ..self
            },
            factors,
        )
    }

    /// Numbers that are trained.
    pub fn parameters(&self) -> usize {
        self.entries
            .iter()
            .map(|factor| factor.shape[0] * factor.shape[1])
            .sum()
    }

    /// The side path of a group, with the values it takes (the adapter's own, or those being trained).
    pub(super) fn side<'a>(
        &'a self,
        layer: usize,
        group: Group,
        factors: &'a Tensor<1>,
    ) -> Option<Side<'a>> {
        self.paths[layer][group as usize].as_ref().map(|path| Side {
            path,
            rank: self.config.r,
            scale: self.scale,
            factors,
        })
    }
}

/// One group's side path in one layer.
pub(super) struct Side<'a> {
    path: &'a Path,
    rank: usize,
    scale: f32,
    factors: &'a Tensor<1>,
}

impl Side<'_> {
    /// The path as a fused product takes it, and the values of all factors.
    pub fn lora(&self) -> (Lora, &Tensor<1>) {
        let mut parts = [None; 3];
        for (place, part) in parts.iter_mut().zip(&self.path.parts) {
            *place = Some(LoraPart {
                column: part.column,
                width: part.width,
                b: part.b,
            });
        }
        let lora = Lora {
            a: self.path.a,
            rank: self.rank,
            scale: self.scale,
            parts,
        };
        (lora, self.factors)
    }

    /// Columns of the narrow middle: the rank for each module.
    fn narrow(&self) -> usize {
        self.path.parts.len() * self.rank
    }

    /// A part's columns in what comes out, `total` columns wide.
    fn out(part: &Part, total: usize) -> Place {
        Place::rows(part.column, total)
    }

    /// A module's columns in the narrow middle.
    fn middle(&self, index: usize) -> Place {
        Place::rows(index * self.rank, self.narrow())
    }

    /// Adds the side path to `y [n, total]` and gives the narrow middle `x·aᵀ [n, modules·r]` too.
    pub fn add(&self, x: Tensor<2>, mut y: Tensor<2>) -> (Tensor<2>, Tensor<2>) {
        let ([n, input], [_, total], narrow) = (x.dims(), y.dims(), self.narrow());
        let middle = Tensor::empty([n, narrow], &x.device());
        let middle = product_into(
            x,
            self.factors.clone(),
            middle,
            Job {
                rhs: Place::rows(self.path.a, input).turned(),
                ..Job::dense(n, input, narrow)
            },
        );
        for (index, part) in self.path.parts.iter().enumerate() {
            y = product_into(
                middle.clone(),
                self.factors.clone(),
                y,
                Job {
                    lhs: self.middle(index),
                    rhs: Place::rows(part.b, self.rank).turned(),
                    out: Self::out(part, total),
                    alpha: self.scale,
                    add: true,
                    ..Job::dense(n, self.rank, part.width)
                },
            );
        }
        (y, middle)
    }

    /// The way back: adds the gradients of the factors to `gradients`, and what reaches `x` by this path to `to_x`
    /// (`[n, in]`).
    pub fn add_back(
        &self,
        x: Tensor<2>,
        middle: Tensor<2>,
        gradient: Tensor<2>,
        gradients: Tensor<1>,
        to_x: Tensor<2>,
    ) -> (Tensor<1>, Tensor<2>) {
        let ([n, input], narrow) = (x.dims(), self.narrow());
        let (gradients, to_middle) = self.add_back_factors(x, middle, gradient, gradients);
        let to_x = product_into(
            to_middle,
            self.factors.clone(),
            to_x,
            Job {
                rhs: Place::rows(self.path.a, input),
                add: true,
                ..Job::dense(n, narrow, input)
            },
        );
        (gradients, to_x)
    }

    /// As [`Side::add_back`], for the factors only; gives the gradient of the narrow middle too.
    pub fn add_back_factors(
        &self,
        x: Tensor<2>,
        middle: Tensor<2>,
        gradient: Tensor<2>,
        mut gradients: Tensor<1>,
    ) -> (Tensor<1>, Tensor<2>) {
        let ([n, input], [_, total], narrow) = (x.dims(), gradient.dims(), self.narrow());
        let mut to_middle = Tensor::empty([n, narrow], &x.device());
        for (index, part) in self.path.parts.iter().enumerate() {
            to_middle = product_into(
                gradient.clone(),
                self.factors.clone(),
                to_middle,
                Job {
                    lhs: Self::out(part, total),
                    rhs: Place::rows(part.b, self.rank),
                    out: self.middle(index),
                    alpha: self.scale,
                    ..Job::dense(n, part.width, self.rank)
                },
            );
            gradients = product_into(
                gradient.clone(),
                middle.clone(),
                gradients,
                Job {
                    lhs: Self::out(part, total).turned(),
                    rhs: self.middle(index),
                    out: Place::rows(part.b, self.rank),
                    alpha: self.scale,
                    add: true,
                    ..Job::dense(part.width, n, self.rank)
                },
            );
        }
        let gradients = product_into(
            to_middle.clone(),
            x,
            gradients,
            Job {
                lhs: Place::rows(0, narrow).turned(),
                out: Place::rows(self.path.a, input),
                add: true,
                ..Job::dense(narrow, n, input)
            },
        );
        (gradients, to_middle)
    }
}
