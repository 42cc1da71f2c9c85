//! What the twins' tests share: random values, every device there is, and how near is near.

use burn::tensor::{Int, Tensor, TensorData};

use super::{Choice, Opened, Packing, Weight, open, read};

/// A device under test.
pub(super) struct Device(Opened);

impl Device {
    pub fn tensor<const D: usize>(&self, values: &[f32], shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values.to_vec(), shape), &self.0.device)
    }

    pub fn integers(&self, values: &[u32]) -> Tensor<1, Int> {
        super::integers(values, &self.0.device)
    }

    pub fn weight(&self, values: &[f32], shape: [usize; 2], packing: Option<Packing>) -> Weight {
        Weight::new(values.to_vec(), shape, packing, &self.0.device)
    }

    pub fn values<const D: usize>(&self, tensor: Tensor<D>) -> Vec<f32> {
        pollster::block_on(read(tensor)).expect("the device answers")
    }
}

/// Runs a check on the CPU, and on the GPU where one answers.
pub(super) fn on_every_device(check: impl Fn(&Device)) {
    check(&Device(
        pollster::block_on(open(Choice::Cpu)).expect("the CPU is always there"),
    ));
    match pollster::block_on(open(Choice::Gpu)) {
        Ok(opened) => check(&Device(opened)),
        Err(error) => eprintln!("not run on a GPU: {error}"),
    }
}

/// Values between -2 and 2, the same for the same seed.
pub(super) fn random(count: usize, seed: u64) -> Vec<f32> {
    let mut rng = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| rng.f32() * 4.0 - 2.0).collect()
}

/// Every value within `tolerance` of what is expected, as a share of the largest value expected (or of 1).
#[track_caller]
pub(super) fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "number of values");
    let largest = expected
        .iter()
        .fold(1.0f32, |most, value| most.max(value.abs()));
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(
            (a - b).abs() <= tolerance * largest,
            "value {index} is {a} where {b} is right"
        );
    }
}
