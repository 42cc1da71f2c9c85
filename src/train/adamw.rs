//! AdamW (arXiv 1711.05101), as PyTorch computes it, over all factors of an adapter at once.

use burn::tensor::Tensor;

use super::TrainError;
use crate::kernels::{self, AdamWStep};

/// The optimiser's numbers; PyTorch's names and defaults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamWConfig {
    /// Decay of the running mean and of the running mean square.
    pub betas: (f64, f64),
    /// Added to the root, against division by zero.
    pub eps: f64,
    /// Share of a weight that is taken away at a rate of 1.
    pub weight_decay: f64,
    /// Gradients whose norm over all factors is larger are scaled down to it.
    pub max_grad_norm: Option<f64>,
}

impl Default for AdamWConfig {
    fn default() -> Self {
        Self {
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay: 0.01,
            max_grad_norm: Some(1.0),
        }
    }
}

/// The factors being trained and their running moments.
pub struct AdamW {
    config: AdamWConfig,
    factors: Tensor<1>,
    mean: Tensor<1>,
    variance: Tensor<1>,
    step: i32,
}

impl AdamW {
    /// Starts from these factors. They are changed in place, so they must be nobody else's.
    pub fn new(config: AdamWConfig, factors: Tensor<1>) -> Self {
        Self {
            config,
            mean: factors.zeros_like(),
            variance: factors.zeros_like(),
            factors,
            step: 0,
        }
    }

    /// Goes on from what [`AdamW::state`] gave after so many steps. Without the two moments (one tensor) it can only end.
    pub fn restore(&mut self, state: Vec<Tensor<1>>, step: usize) -> Result<(), TrainError> {
        let same = |tensor: &Tensor<1>| tensor.dims() == self.factors.dims();
        if state.is_empty() || state.len() > 3 || !state.iter().all(same) {
            return Err(TrainError::Checkpoint);
        }
        let own = [&mut self.factors, &mut self.mean, &mut self.variance];
        for (own, tensor) in own.into_iter().zip(state) {
            *own = tensor;
        }
        self.step = step as i32;
        Ok(())
    }

    /// The factors and, where `whole`, their running mean and mean square.
    pub fn state(&self, whole: bool) -> Vec<Tensor<1>> {
        let all = [&self.factors, &self.mean, &self.variance];
        let parts = if whole { 3 } else { 1 };
        all.into_iter().take(parts).cloned().collect()
    }

    /// The factors as they are now.
    pub fn factors(&self) -> &Tensor<1> {
        &self.factors
    }

    /// Ends the training and gives the factors.
    pub fn finish(self) -> Tensor<1> {
        self.factors
    }

    /// Changes the factors by their gradient, and gives the sum of the gradient's squares (before clipping).
    ///
    /// Everything stays on the device and nothing is read back; a gradient that is no number changes nothing.
    pub fn step(&mut self, gradient: Tensor<1>, rate: f64) -> Tensor<1> {
        self.step += 1;
        let config = self.config;
        let correction = |beta: f64| (1.0 - beta.powi(self.step)) as f32;
        let squares = kernels::sum_squares(gradient.clone());
        let nothing = || Tensor::empty([1], &gradient.device());
        let taken = |tensor: &mut Tensor<1>| std::mem::replace(tensor, nothing());
        // Moved out, so that the device may write in place instead of copying.
        (self.factors, self.mean, self.variance) = kernels::adamw(
            taken(&mut self.factors),
            gradient.clone(),
            taken(&mut self.mean),
            taken(&mut self.variance),
            squares.clone(),
            AdamWStep {
                rate: rate as f32,
                beta1: config.betas.0 as f32,
                beta2: config.betas.1 as f32,
                eps: config.eps as f32,
                weight_decay: config.weight_decay as f32,
                correction1: correction(config.betas.0),
                correction2: correction(config.betas.1),
                max_norm: config.max_grad_norm.map(|norm| norm as f32),
            },
        );
        squares
    }
}
