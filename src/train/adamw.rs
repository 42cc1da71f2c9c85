//! AdamW (arXiv 1711.05101), as PyTorch computes it, over the factors of an adapter.

use burn::tensor::Tensor;

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

/// The running moments of every factor.
pub struct AdamW {
    config: AdamWConfig,
    moments: Vec<Option<(Tensor<2>, Tensor<2>)>>,
    step: i32,
}

impl AdamW {
    /// For `count` factors.
    pub fn new(config: AdamWConfig, count: usize) -> Self {
        Self {
            config,
            moments: vec![None; count],
            step: 0,
        }
    }

    /// New factors from the old ones and their gradients, and the norm of all gradients together before clipping.
    ///
    /// Everything stays on the device; nothing is read back.
    pub fn step(
        &mut self,
        factors: &[Tensor<2>],
        grads: Vec<Tensor<2>>,
        rate: f64,
    ) -> (Vec<Tensor<2>>, Tensor<1>) {
        self.step += 1;
        let squares: Vec<Tensor<1>> = grads
            .iter()
            .map(|grad| grad.clone().square().sum())
            .collect();
        let norm = Tensor::cat(squares, 0).sum().sqrt();
        let clip = self
            .config
            .max_grad_norm
            // PyTorch's clip_grad_norm_ adds 1e-6 below the line.
            .map(|most| {
                ((norm.clone() + 1e-6).recip() * most)
                    .clamp_max(1.0)
                    .unsqueeze::<2>()
            });
        let (beta1, beta2) = self.config.betas;
        let (correct1, correct2) = (1.0 - beta1.powi(self.step), 1.0 - beta2.powi(self.step));
        let updated = factors
            .iter()
            .zip(grads)
            .zip(&mut self.moments)
            .map(|((factor, grad), moments)| {
                let grad = match &clip {
                    Some(clip) => grad * clip.clone(),
                    None => grad,
                };
                let square = grad.clone().square() * (1.0 - beta2);
                let grad = grad * (1.0 - beta1);
                let (mean, variance) = match moments.take() {
                    Some((mean, variance)) => (mean * beta1 + grad, variance * beta2 + square),
                    None => (grad, square),
                };
                let divisor = (variance.clone() / correct2).sqrt() + self.config.eps;
                let change = mean.clone() / divisor * (rate / correct1);
                *moments = Some((mean, variance));
                factor.clone() * (1.0 - rate * self.config.weight_decay) - change
            })
            .collect();
        (updated, norm)
    }
}
