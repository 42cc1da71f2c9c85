use super::*;
use crate::kernels::testing::{Device, assert_close, on_every_device, random};
use crate::kernels::tiles::{Class, as_if};

const EPS: f32 = 1e-5;

/// A product and what stands around it, as values.
#[derive(Clone)]
struct Case {
    /// Rows of x, columns, rows of the weight.
    shape: [usize; 3],
    packing: Option<Packing>,
    norm: bool,
    bias: bool,
    gate: Option<Gate>,
    add: bool,
    /// First column and columns of each module of the side path, and the rank.
    parts: Vec<(usize, usize)>,
    rank: usize,
}

impl Case {
    fn new(shape: [usize; 3]) -> Self {
        Self {
            shape,
            packing: None,
            norm: false,
            bias: false,
            gate: None,
            add: false,
            parts: Vec::new(),
            rank: 0,
        }
    }

    fn columns(&self) -> usize {
        self.shape[2] / if self.gate.is_some() { 2 } else { 1 }
    }

    fn lora(&self) -> Option<Lora> {
        let [_, k, _] = self.shape;
        let a = 8;
        let mut b = a + self.parts.len() * self.rank * k;
        let mut parts = [None; 3];
        for (place, (column, width)) in parts.iter_mut().zip(&self.parts) {
            // Factors of any rank begin anywhere.
            b += 1;
            *place = Some(LoraPart {
                column: *column,
                width: *width,
                b,
            });
            b += width * self.rank;
        }
        (!self.parts.is_empty()).then_some(Lora {
            a,
            rank: self.rank,
            scale: 0.5,
            parts,
        })
    }

    fn check(&self, device: &Device) {
        let [m, k, n] = self.shape;
        let values: Vec<f32> = random(n * k, 1).iter().map(|value| value * 0.1).collect();
        let kept = kept(&values, self.packing);
        let (x, gain, bias) = (random(m * k, 2), random(k, 3), random(n, 4));
        let factors: Vec<f32> = random(8 + 3 * self.rank * (k + n) + 4, 5)
            .iter()
            .map(|value| value * 0.1)
            .collect();
        let start = random(m * self.columns(), 6);
        let expected = self.plainly(&x, &kept, &gain, &bias, &factors, &start);

        let weight = device.weight(&values, [n, k], self.packing);
        let (gain, bias) = (device.tensor(&gain, [k]), device.tensor(&bias, [n]));
        let factors = device.tensor(&factors, [factors.len()]);
        let lora = self.lora();
        assert!(is_linear(&weight, lora.as_ref()));
        let around = Around {
            norm: self.norm.then_some((&gain, EPS)),
            bias: self.bias.then_some(&bias),
            lora: lora.map(|lora| (lora, &factors)),
            gate: self.gate,
            onto: self.add.then(|| device.tensor(&start, [m, self.columns()])),
        };
        let found = linear(&weight, device.tensor(&x, [m, k]), around);
        // On the CPU few rows of x are rounded to 16 bits before a packed weight.
        let tolerance = if self.packing.is_some() { 3e-4 } else { 3e-5 };
        assert_close(&device.values(found), &expected, tolerance);
    }

    /// By the formulas, in f64.
    fn plainly(
        &self,
        x: &[f32],
        weight: &[f32],
        gain: &[f32],
        bias: &[f32],
        factors: &[f32],
        start: &[f32],
    ) -> Vec<f32> {
        let [m, k, n] = self.shape;
        let dot =
            |a: &[f64], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| a * f64::from(*b)).sum() };
        let mut out = Vec::new();
        for row in 0..m {
            let mut x: Vec<f64> = x[row * k..][..k].iter().map(|x| f64::from(*x)).collect();
            if self.norm {
                let mean = x.iter().map(|x| x * x).sum::<f64>() / k as f64;
                let root = 1.0 / (mean + f64::from(EPS)).sqrt();
                for (x, gain) in x.iter_mut().zip(gain) {
                    *x *= root * f64::from(*gain);
                }
            }
            let mut y: Vec<f64> = weight.chunks(k).map(|weight| dot(&x, weight)).collect();
            if let Some(lora) = self.lora() {
                for (index, part) in lora.parts.iter().flatten().enumerate() {
                    let narrow: Vec<f64> = (0..lora.rank)
                        .map(|r| dot(&x, &factors[lora.a + (index * lora.rank + r) * k..][..k]))
                        .collect();
                    for column in 0..part.width {
                        let b = &factors[part.b + column * lora.rank..][..lora.rank];
                        y[part.column + column] += f64::from(lora.scale) * dot(&narrow, b);
                    }
                }
            }
            if self.bias {
                for (y, bias) in y.iter_mut().zip(bias) {
                    *y += f64::from(*bias);
                }
            }
            if let Some(gate) = self.gate {
                let ups = y.split_off(n / 2);
                for (y, up) in y.iter_mut().zip(ups) {
                    *y = up * activated(*y, gate);
                }
            }
            let begin = row * self.columns();
            out.extend(y.iter().enumerate().map(|(column, y)| {
                let before = if self.add { start[begin + column] } else { 0.0 };
                (f64::from(before) + y) as f32
            }));
        }
        out
    }
}

fn activated(x: f64, gate: Gate) -> f64 {
    match gate {
        Gate::Silu => x / (1.0 + (-x).exp()),
        Gate::GeluTanh => {
            let root = (2.0 / std::f64::consts::PI).sqrt();
            0.5 * x * (1.0 + (root * (x + 0.044715 * x * x * x)).tanh())
        }
    }
}

/// The values as a packed weight keeps them.
fn kept(values: &[f32], packing: Option<Packing>) -> Vec<f32> {
    let Some(packing) = packing else {
        return values.to_vec();
    };
    let (mut words, mut scales) = (Vec::new(), Vec::new());
    packing.pack(values, &mut words, &mut scales);
    let signed = |words: Vec<u32>| -> Vec<i32> { words.into_iter().map(|w| w as i32).collect() };
    let mut kept = vec![0.0; values.len()];
    packing.unpack(&signed(words), &signed(scales), &mut kept);
    kept
}

/// Runs a case on every device, with the tiles of every class of adapter.
fn everywhere(case: &Case) {
    on_every_device(|device| {
        // Discrete and integrated GPUs have the same tiles here.
        for class in [Class::Integrated, Class::Mobile, Class::Software] {
            as_if(class, || case.check(device));
        }
    });
}

#[test]
fn a_product_alone_equals_its_definition_for_every_number_of_rows_and_columns() {
    for shape in [
        [1, 4, 1],
        [1, 64, 20],
        [2, 36, 130],
        [5, 132, 7],
        [8, 40, 9],
        [19, 64, 33],
        [1, 1500, 6],
    ] {
        everywhere(&Case::new(shape));
    }
}

/// A norm, a bias and three modules; a norm, a gate and two; a sum and one.
fn cases(m: usize, packing: Option<Packing>) -> [Case; 3] {
    let base = |k, n| Case {
        packing,
        ..Case::new([m, k, n])
    };
    [
        Case {
            norm: true,
            bias: true,
            parts: vec![(0, 40), (40, 12), (52, 12)],
            rank: 8,
            ..base(96, 64)
        },
        Case {
            norm: true,
            gate: Some(Gate::Silu),
            parts: vec![(0, 25), (25, 25)],
            rank: 3,
            ..base(64, 50)
        },
        Case {
            add: true,
            parts: vec![(0, 30)],
            rank: 4,
            ..base(160, 30)
        },
    ]
}

#[test]
fn whatever_stands_around_a_product_equals_its_formula() {
    for m in [1, 3, 11] {
        cases(m, None).iter().for_each(everywhere);
    }
}

// One each: every kernel more is compiled for a second or so.
#[test]
fn whatever_stands_around_a_packed_product_equals_its_formula() {
    for (index, packing) in [Packing::F16, Packing::Q8, Packing::Q4]
        .into_iter()
        .enumerate()
    {
        for m in [1, 11] {
            everywhere(&cases(m, Some(packing))[index]);
        }
    }
}

#[test]
fn a_side_path_may_leave_modules_out_and_be_of_any_rank() {
    for (parts, rank) in [
        (vec![(0, 70), (100, 30)], 5),
        (vec![(70, 30)], 1),
        (vec![(100, 30)], 16),
        (vec![(0, 70), (70, 30), (100, 30)], 64),
    ] {
        everywhere(&Case {
            norm: true,
            parts,
            rank,
            ..Case::new([9, 64, 130])
        });
    }
}

#[test]
fn a_gate_may_be_gelu_and_stand_before_a_sum_and_beside_one_module() {
    everywhere(&Case {
        gate: Some(Gate::GeluTanh),
        add: true,
        parts: vec![(17, 17)],
        rank: 2,
        ..Case::new([6, 32, 34])
    });
}

#[test]
fn rows_that_are_no_whole_fours_and_side_paths_too_wide_are_told_apart() {
    on_every_device(|device| {
        let weight = |columns: usize| device.weight(&vec![0.0; 2 * columns], [2, columns], None);
        let lora = |rank| Lora {
            rank,
            parts: [Some(LoraPart {
                column: 0,
                width: 2,
                b: 0,
            }); 3],
            ..Lora::default()
        };
        assert!(is_linear(&weight(8), Some(&lora(256))));
        assert!(!is_linear(&weight(6), None));
        assert!(!is_linear(&weight(8), Some(&lora(512))));
    });
}
