//! One test for each way in which a file can be malformed.
#![allow(clippy::unwrap_used)]

use super::super::Weights;
use super::*;

fn file(header: &str, data: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + data, 0);
    bytes
}

fn tensor(name: &str, dtype: &str, shape: &str, from: u64, to: u64) -> String {
    format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{from},{to}]}}"#)
}

fn refused(bytes: &[u8]) -> SafetensorsError {
    match Weights::parse(bytes) {
        Err(ModelError::Safetensors(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What reading a file with these tensors and eight bytes of data says.
fn of_tensors(tensors: &[String]) -> SafetensorsError {
    refused(&file(&format!("{{{}}}", tensors.join(",")), 8))
}

#[test]
fn a_file_shorter_than_the_length_of_its_header_is_refused() {
    assert_eq!(refused(&[1, 0, 0]), SafetensorsError::Truncated);
}

#[test]
fn a_header_longer_than_the_file_is_refused() {
    let mut bytes = file("{}", 0);
    bytes[0] = 200;
    let error = SafetensorsError::HeaderLength {
        length: 200,
        left: 2,
    };
    assert_eq!(refused(&bytes), error);
}

#[test]
fn a_header_too_large_for_any_model_is_refused_before_anything_is_allocated() {
    let bytes = u64::MAX.to_le_bytes();
    assert_eq!(refused(&bytes), SafetensorsError::HeaderTooLarge(u64::MAX));
}

#[test]
fn a_header_that_is_no_description_of_tensors_is_refused() {
    for header in [
        "",
        "[]",
        "{\"a\":",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
        "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}",
        "{} and more",
    ] {
        let error = refused(&file(header, 8));
        assert!(
            matches!(error, SafetensorsError::Header(_)),
            "{header}: {error}"
        );
    }
    let mut bytes = file(&format!("{{{}}}", tensor("ab", "F32", "[2]", 0, 8)), 8);
    bytes[10] = 0xFF;
    assert!(matches!(refused(&bytes), SafetensorsError::Header(_)));
}

#[test]
fn a_tensor_that_occurs_twice_is_refused() {
    let error = of_tensors(&[
        tensor("a", "F32", "[1]", 0, 4),
        tensor("a", "F32", "[1]", 4, 8),
    ]);
    assert_eq!(error, SafetensorsError::TensorTwice("a".into()));
}

#[test]
fn a_type_that_does_not_exist_is_named() {
    let error = of_tensors(&[tensor("a", "F33", "[2]", 0, 8)]);
    let wanted = SafetensorsError::UnknownType {
        name: "a".into(),
        dtype: "F33".into(),
    };
    assert_eq!(error, wanted);
}

#[test]
fn a_shape_whose_bytes_overflow_is_refused() {
    for shape in [
        "[4294967296,4294967296]",
        "[2305843009213693952]",
        "[18446744073709551615]",
    ] {
        let error = of_tensors(&[tensor("a", "F32", shape, 0, 8)]);
        assert_eq!(error, SafetensorsError::Shape("a".into()), "{shape}");
    }
}

#[test]
fn a_range_of_another_length_than_shape_and_type_take_is_refused() {
    let error = of_tensors(&[tensor("a", "F16", "[2]", 0, 8)]);
    let wanted = SafetensorsError::Size {
        name: "a".into(),
        found: 8,
        expected: 4,
    };
    assert_eq!(error, wanted);
}

#[test]
fn a_range_that_ends_before_it_begins_is_refused() {
    let error = of_tensors(&[tensor("a", "F32", "[1]", 8, 4)]);
    assert_eq!(error, SafetensorsError::Range("a".into()));
}

#[test]
fn a_tensor_beyond_the_end_is_refused() {
    let error = of_tensors(&[tensor("a", "F32", "[4]", 0, 16)]);
    assert_eq!(error, SafetensorsError::Beyond("a".into()));
    let whole = u64::MAX / 4 * 4;
    let shape = format!("[{}]", whole / 8);
    let error = of_tensors(&[tensor("a", "U8", &shape, 0, whole / 8)]);
    assert_eq!(error, SafetensorsError::Beyond("a".into()));
}

#[test]
fn tensors_that_share_bytes_are_refused() {
    let error = of_tensors(&[
        tensor("a", "F32", "[2]", 0, 8),
        tensor("b", "F32", "[1]", 4, 8),
    ]);
    assert_eq!(error, SafetensorsError::Overlap("a".into(), "b".into()));
}

#[test]
fn bytes_of_no_tensor_are_refused() {
    let gap = |from, to| SafetensorsError::Gap { from, to };
    assert_eq!(of_tensors(&[tensor("a", "F32", "[1]", 4, 8)]), gap(0, 4));
    assert_eq!(of_tensors(&[tensor("a", "F32", "[1]", 0, 4)]), gap(4, 8));
}

#[test]
fn a_shape_with_a_zero_takes_nothing_however_large_its_other_sides() {
    let header = format!(
        "{{{}}}",
        tensor("a", "F32", "[1152921504606846976,0]", 0, 0)
    );
    let bytes = file(&header, 0);
    let weights = Weights::parse(&bytes).unwrap();
    let shape = weights.shape("a").unwrap();
    assert_eq!(weights.values("a", &shape), Ok(vec![]));
}

#[test]
fn what_is_written_is_read_and_begins_at_a_multiple_of_eight() {
    let tensors = [("a\"b", Kind::F16, &[2, 2][..]), ("c", Kind::F32, &[1])];
    let mut bytes = header(tensors.into_iter());
    assert!(bytes.len().is_multiple_of(8));
    bytes.extend([0; 8]);
    bytes.extend(2.5f32.to_le_bytes());
    let weights = Weights::parse(&bytes).unwrap();
    assert_eq!(weights.values("c", &[1]), Ok(vec![2.5]));
    assert_eq!(weights.shape("a\"b"), Some(vec![2, 2]));
}
