use super::*;
use crate::kernels::testing::{assert_close, on_every_device, random};

fn value(values: &[f32], place: Place, row: usize, column: usize) -> f64 {
    values[place.offset + row * place.row + column * place.column].into()
}

/// The job by its definition, in f64.
fn plainly(lhs: &[f32], rhs: &[f32], out: &[f32], job: Job) -> Vec<f32> {
    let mut expected = out.to_vec();
    for row in 0..job.m {
        for column in 0..job.n {
            let sum: f64 = (0..job.k)
                .map(|i| value(lhs, job.lhs, row, i) * value(rhs, job.rhs, i, column))
                .sum();
            let at = job.out.offset + row * job.out.row + column;
            let before = if job.add { f64::from(out[at]) } else { 0.0 };
            expected[at] = (before + f64::from(job.alpha) * sum) as f32;
        }
    }
    expected
}

#[test]
fn every_layout_and_size_equals_the_definition_on_every_device() {
    for (m, k, n) in [
        (1, 4, 8),
        (5, 8, 12),
        (3, 7, 5),
        (16, 12, 4),
        (33, 64, 20),
        (8, 130, 36),
        (1, 1, 1),
    ] {
        for (turned_left, turned_right) in
            [(false, false), (false, true), (true, false), (true, true)]
        {
            for (alpha, add, offset) in [(1.0, false, 0), (0.5, true, 8), (-2.0, true, 3)] {
                let place = |rows: usize, columns: usize, turned: bool| {
                    if turned {
                        Place::rows(offset, rows + 4).turned()
                    } else {
                        Place::rows(offset, columns + 4)
                    }
                };
                let job = Job {
                    lhs: place(m, k, turned_left),
                    rhs: place(k, n, turned_right),
                    out: place(m, n, false),
                    alpha,
                    add,
                    ..Job::dense(m, k, n)
                };
                let count = |rows: usize, columns: usize| offset + (rows + 4) * (columns + 4);
                let (lhs, rhs, out) = (
                    random(count(m, k), 1),
                    random(count(k, n), 2),
                    random(count(m, n), 3),
                );
                let expected = plainly(&lhs, &rhs, &out, job);
                on_every_device(|device| {
                    let tensor = |values: &[f32]| device.tensor(values, [values.len()]);
                    let found = product_into(tensor(&lhs), tensor(&rhs), tensor(&out), job);
                    assert_close(&device.values(found), &expected, 1e-5);
                });
            }
        }
    }
}

#[cfg(feature = "gpu")]
#[test]
fn large_products_equal_the_definition_with_the_tiles_of_every_class_of_adapter() {
    use crate::kernels::tiles::{Class, as_if};
    for (m, k, n) in [(64, 64, 64), (70, 36, 132), (130, 20, 68), (8, 40, 256)] {
        for turned in [false, true] {
            for packing in [None, Some(Packing::Q8)] {
                // What is packed lies in whole blocks along a weight's row.
                let (k, n) = (k.max(32) / 32 * 32, n / 32 * 32);
                let add = packing.is_none();
                let job = Job {
                    rhs: if turned {
                        Place::rows(0, k).turned()
                    } else {
                        Place::rows(0, n)
                    },
                    alpha: 0.5,
                    add,
                    ..Job::dense(m, k, n)
                };
                let (lhs, out) = (random(m * k, 21), random(m * n, 22));
                let columns = if turned { k } else { n };
                let values = random(k * n, 23);
                let kept = kept(&values, packing);
                let expected = plainly(&lhs, &kept, &out, job);
                on_every_device(|device| {
                    for class in Class::ALL {
                        let weight = device.weight(&values, [k * n / columns, columns], packing);
                        let (lhs, out) = (device.tensor(&lhs, [m, k]), device.tensor(&out, [m, n]));
                        let found = as_if(class, || weight.run(lhs, out, job));
                        // On the CPU few rows of x are rounded to 16 bits; see `dots`.
                        let tolerance = if packing.is_some() { 1e-4 } else { 1e-5 };
                        assert_close(&device.values(found), &expected, tolerance);
                    }
                });
            }
        }
    }
}

/// The values as a weight keeps them.
fn kept(values: &[f32], packing: Option<Packing>) -> Vec<f32> {
    let mut kept = values.to_vec();
    if let Some(packing) = packing {
        let (mut words, mut scales) = (Vec::new(), Vec::new());
        packing.pack(values, &mut words, &mut scales);
        let signed = |words: Vec<u32>| -> Vec<i32> { words.iter().map(|w| *w as i32).collect() };
        packing.unpack(&signed(words), &signed(scales), &mut kept);
    }
    kept
}

#[test]
fn packed_weights_multiply_as_their_unpacked_values_do_both_ways_on_every_device() {
    let (rows, columns, n) = (20, 64, 7);
    let values = random(rows * columns, 4);
    for packing in [
        None,
        Some(Packing::F16),
        Some(Packing::Q8),
        Some(Packing::Q4),
    ] {
        let kept = kept(&values, packing);
        let (x, gradient, start) = (
            random(n * columns, 5),
            random(n * rows, 6),
            random(n * columns, 7),
        );
        let forward = Job {
            rhs: Place::rows(0, columns).turned(),
            ..Job::dense(n, columns, rows)
        };
        let applied = plainly(&x, &kept, &vec![0.0; n * rows], forward);
        let back = plainly(
            &gradient,
            &kept,
            &vec![0.0; n * columns],
            Job::dense(n, rows, columns),
        );
        let some = gradient
            .chunks(rows)
            .flat_map(|row| &row[..8])
            .copied()
            .collect::<Vec<_>>();
        let part = Job {
            rhs: Place::rows(4 * columns, columns),
            add: true,
            ..Job::dense(n, 8, columns)
        };
        let added = plainly(&some, &kept, &start, part);
        on_every_device(|device| {
            let weight = device.weight(&values, [rows, columns], packing);
            let x = device.tensor(&x, [n, columns]);
            // On the CPU few rows of x are rounded to 16 bits; see `dots`.
            assert_close(&device.values(weight.apply(x.clone())), &applied, 1e-4);
            let four: Vec<f32> = applied
                .chunks(rows)
                .flat_map(|row| &row[4..12])
                .copied()
                .collect();
            assert_close(&device.values(weight.apply_rows(x, 4, 8)), &four, 1e-4);
            let gradient = device.tensor(&gradient, [n, rows]);
            assert_close(&device.values(weight.apply_back(gradient)), &back, 1e-5);
            let found = weight.add_rows_back(
                device.tensor(&some, [n, 8]),
                4,
                device.tensor(&start, [n, columns]),
            );
            assert_close(&device.values(found), &added, 1e-5);
            let found = weight.select(device.integers(&[3, 0, 19, 3]), 2.0);
            let expected: Vec<f32> = [3, 0, 19, 3]
                .iter()
                .flat_map(|row| &kept[row * columns..(row + 1) * columns])
                .map(|value| value * 2.0)
                .collect();
            assert_close(&device.values(found), &expected, 1e-6);
        });
    }
}

#[test]
#[should_panic(expected = "outside its tensor")]
fn a_matrix_outside_its_tensor_is_refused_before_anything_is_read() {
    on_every_device(|device| {
        let tensor = device.tensor(&[0.0; 16], [16]);
        let out = device.tensor(&[0.0; 16], [16]);
        product_into(tensor.clone(), tensor, out, Job::dense(4, 4, 5));
    });
}

#[test]
fn more_values_than_one_row_of_workgroups_takes_are_copied_and_added_whole_on_every_device() {
    // The factors of a model of 135 million parameters: 32 · 65,535 is less.
    let count = 2_442_240;
    on_every_device(|device| {
        let values: Vec<f32> = (0..count).map(|i| (i % 1013) as f32).collect();
        let tail = device.tensor(&[-1.0; 5], [5]);
        let joined = join(device.tensor(&values, [count]), tail);
        let found = device.values(copied(joined.clone()));
        assert_eq!(found[..count], values);
        assert_eq!(found[count..], [-1.0; 5]);
        let found = device.values(add(joined.clone(), copied(joined)));
        let twice: Vec<f32> = values.iter().map(|value| 2.0 * value).collect();
        assert_eq!(found[..count], twice);
        assert_eq!(found[count..], [-2.0; 5]);
    });
}
