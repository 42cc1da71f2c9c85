//! A frozen matrix of a model in the format it is kept in.

use burn::backend::Dispatch;
use burn::tensor::{Device, Int, Tensor};

use super::{Job, Packing, Place, ProductOps, product_into};
use crate::kernels::{embedding, floats, words};

/// A weight `[rows, columns]` as checkpoints keep it (`[out, in]`, or one row for each token of a vocabulary).
#[derive(Debug, Clone)]
pub struct Weight {
    rows: usize,
    columns: usize,
    values: Box<Values>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "a handful for each layer, and each in a box of its own"
)]
#[derive(Debug, Clone)]
pub(in crate::kernels) enum Values {
    /// As f32.
    Plain(Tensor<2>),
    /// See [`Packing`].
    Packed {
        packing: Packing,
        words: Tensor<1, Int>,
        scales: Tensor<1, Int>,
    },
}

/// A weight that is filled a few rows at a time, so that a packed one never exists as f32.
#[derive(Debug)]
pub struct WeightRows {
    shape: [usize; 2],
    packing: Option<Packing>,
    values: Vec<f32>,
    words: Vec<u32>,
    scales: Vec<u32>,
}

impl WeightRows {
    /// None of the rows yet. They are packed where that is wished and they are whole granules, else f32.
    pub fn new(shape: [usize; 2], packing: Option<Packing>) -> Self {
        Self {
            shape,
            packing: packing.filter(|packing| shape[1].is_multiple_of(packing.granule())),
            values: Vec::new(),
            words: Vec::new(),
            scales: Vec::new(),
        }
    }

    /// How they are packed; as f32 where it is `None`.
    pub fn packing(&self) -> Option<Packing> {
        self.packing
    }

    /// What [`Packing`] says of the rows so far, for whole rows that are packed already to be put behind: words and scales.
    pub fn packed(&mut self) -> (&mut Vec<u32>, &mut Vec<u32>) {
        let [rows, columns] = self.shape;
        if let Some(packing) = self.packing
            && self.words.is_empty()
        {
            // As much as they will take: what grows as it is filled is there twice for a while.
            let blocks = rows * packing.scales_per_row(columns);
            self.scales.reserve_exact(blocks);
            self.words
                .reserve_exact(rows * columns / packing.values_per_word());
        }
        (&mut self.words, &mut self.scales)
    }

    /// The next rows, whole ones.
    pub fn push(&mut self, values: Vec<f32>) {
        let [rows, columns] = self.shape;
        match self.packing {
            Some(packing) => {
                let (words, scales) = self.packed();
                packing.pack(&values, words, scales);
            }
            // All of them at once are taken as they are.
            None if values.len() == rows * columns => self.values = values,
            None => {
                if self.values.is_empty() {
                    self.values.reserve_exact(rows * columns);
                }
                self.values.extend(values);
            }
        }
    }

    /// Puts them onto a device.
    pub fn finish(mut self, device: &Device) -> Weight {
        let [rows, columns] = self.shape;
        let values = match self.packing {
            None => Values::Plain(floats(self.values, self.shape, device)),
            Some(packing) => {
                if self.scales.is_empty() {
                    // A binding needs something to bind.
                    self.scales.push(0);
                }
                Values::Packed {
                    packing,
                    words: words(self.words, device),
                    scales: words(self.scales, device),
                }
            }
        };
        Weight {
            rows,
            columns,
            values: Box::new(values),
        }
    }
}

impl Weight {
    /// Puts values onto a device: packed where that is wished and the rows are whole granules, else as f32.
    pub fn new(
        values: Vec<f32>,
        shape: [usize; 2],
        packing: Option<Packing>,
        device: &Device,
    ) -> Self {
        let mut rows = WeightRows::new(shape, packing);
        rows.push(values);
        rows.finish(device)
    }

    /// Rows: what comes out.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns: what goes in.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How it lies on the device.
    pub(in crate::kernels) fn values(&self) -> &Values {
        &self.values
    }

    /// How it is packed; as f32 where it is `None`.
    pub fn packing(&self) -> Option<Packing> {
        match &*self.values {
            Values::Plain(_) => None,
            Values::Packed { packing, .. } => Some(*packing),
        }
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> usize {
        match &*self.values {
            Values::Plain(_) => self.rows * self.columns * 4,
            Values::Packed { words, scales, .. } => (words.dims()[0] + scales.dims()[0]) * 4,
        }
    }

    /// `x·Wᵀ`: `[n, columns] → [n, rows]`.
    pub fn apply(&self, x: Tensor<2>) -> Tensor<2> {
        self.apply_rows(x, 0, self.rows)
    }

    /// `x·Wᵀ` for `count` of the rows, from the row `first` on: `[n, columns] → [n, count]`.
    pub fn apply_rows(&self, x: Tensor<2>, first: usize, count: usize) -> Tensor<2> {
        let n = x.dims()[0];
        let out = Tensor::empty([n, count], &x.device());
        let place = Place::rows(first * self.columns, self.columns).turned();
        self.run(
            x,
            out,
            Job {
                rhs: place,
                ..Job::dense(n, self.columns, count)
            },
        )
    }

    /// `gradient·W`: the gradient of what goes in from that of what comes out, `[n, rows] → [n, columns]`.
    pub fn apply_back(&self, gradient: Tensor<2>) -> Tensor<2> {
        let n = gradient.dims()[0];
        let out = Tensor::empty([n, self.columns], &gradient.device());
        self.run(gradient, out, Job::dense(n, self.rows, self.columns))
    }

    /// As [`Weight::apply_back`] for `count` of the rows from `first` on, added to `out`.
    pub fn add_rows_back(&self, gradient: Tensor<2>, first: usize, out: Tensor<2>) -> Tensor<2> {
        let [n, count] = gradient.dims();
        self.run(
            gradient,
            out,
            Job {
                rhs: Place::rows(first * self.columns, self.columns),
                add: true,
                ..Job::dense(n, count, self.columns)
            },
        )
    }

    /// The rows with these numbers, times `scale`: `[ids, columns]`.
    pub fn select(&self, ids: Tensor<1, Int>, scale: f32) -> Tensor<2> {
        match &*self.values {
            Values::Plain(values) => embedding(values.clone(), ids, scale),
            Values::Packed {
                packing,
                words,
                scales,
            } => {
                let like = Tensor::<1>::empty([1], &words.device());
                Tensor::from_dispatch(Dispatch::unpack_rows(
                    words.clone().into_dispatch(),
                    scales.clone().into_dispatch(),
                    ids.into_dispatch(),
                    self.columns,
                    *packing,
                    scale,
                    like.into_dispatch(),
                ))
            }
        }
    }

    pub(super) fn run(&self, x: Tensor<2>, out: Tensor<2>, job: Job) -> Tensor<2> {
        match &*self.values {
            Values::Plain(values) => product_into(x, values.clone(), out, job),
            Values::Packed {
                packing,
                words,
                scales,
            } => Tensor::from_dispatch(Dispatch::product_packed(
                x.into_dispatch(),
                words.clone().into_dispatch(),
                scales.clone().into_dispatch(),
                out.into_dispatch(),
                job,
                *packing,
            )),
        }
    }
}
