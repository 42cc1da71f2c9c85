#![allow(missing_docs, clippy::all, unused, clippy::unimplemented)]
use burn::tensor::{Device, Int, Tensor};
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub queries: usize,
    pub keys: usize,
    pub size: usize,
}
pub struct Rotary {
    pub positions: Tensor<1, Int>,
    pub cosine: Tensor<2>,
    pub sine: Tensor<2>,
    pub norms: Option<(Tensor<1>, Tensor<1>)>,
    pub eps: f32,
}
pub fn rope(
    joined: Tensor<2>,
    heads: Heads,
    r: &Rotary,
    slots: Tensor<1, Int>,
    keys: Tensor<2>,
    values: Tensor<2>,
) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    unimplemented!()
}
pub fn rope_backward(
    joined: Tensor<2>,
    heads: Heads,
    r: &Rotary,
    a: Tensor<2>,
    b: Tensor<2>,
    c: Tensor<2>,
) -> Tensor<2> {
    unimplemented!()
}
pub fn attention(
    q: Tensor<2>,
    k: Tensor<2>,
    v: Tensor<2>,
    spans: Tensor<1, Int>,
    heads: Heads,
    scale: f32,
) -> (Tensor<2>, Tensor<2>) {
    unimplemented!()
}
pub fn attention_backward(
    q: Tensor<2>,
    k: Tensor<2>,
    v: Tensor<2>,
    spans: Tensor<1, Int>,
    out: Tensor<2>,
    lse: Tensor<2>,
    d: Tensor<2>,
    heads: Heads,
    scale: f32,
) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
    unimplemented!()
}
pub fn rms_norm(x: Tensor<2>, weight: Tensor<1>, eps: f32) -> Tensor<2> {
    unimplemented!()
}
pub fn add_rms_norm(
    x: Tensor<2>,
    delta: Tensor<2>,
    weight: Tensor<1>,
    eps: f32,
) -> (Tensor<2>, Tensor<2>) {
    unimplemented!()
}
pub fn rms_norm_backward(
    x: Tensor<2>,
    weight: Tensor<1>,
    eps: f32,
    gradient: Tensor<2>,
    residual: Option<Tensor<2>>,
) -> Tensor<2> {
    unimplemented!()
}
pub fn gather_rows(x: Tensor<2>, rows: Tensor<1, Int>) -> Tensor<2> {
    unimplemented!()
}
pub fn scatter_rows(g: Tensor<2>, rows: Tensor<1, Int>, n: usize) -> Tensor<2> {
    unimplemented!()
}
pub fn chunk_state(m: usize, d: &Device) -> Tensor<2> {
    unimplemented!()
}
pub fn absorb(
    state: Tensor<2>,
    scores: Tensor<2>,
    targets: Tensor<1, Int>,
    first: usize,
) -> Tensor<2> {
    unimplemented!()
}
pub fn log_likelihood(state: Tensor<2>) -> Tensor<1> {
    unimplemented!()
}
pub fn scores_gradient(
    scores: Tensor<2>,
    state: Tensor<2>,
    targets: Tensor<1, Int>,
    weights: Tensor<1>,
    first: usize,
) -> Tensor<2> {
    unimplemented!()
}
pub fn sum_squares(x: Tensor<1>) -> Tensor<1> {
    unimplemented!()
}
pub struct AdamWStep {
    pub rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub weight_decay: f32,
    pub correction1: f32,
    pub correction2: f32,
    pub max_norm: Option<f32>,
}
pub fn adamw(
    p: Tensor<1>,
    g: Tensor<1>,
    m: Tensor<1>,
    v: Tensor<1>,
    s: Tensor<1>,
    step: AdamWStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    unimplemented!()
}
pub fn sample(
    scores: Tensor<2>,
    s: crate::generate::Sampling,
    seeds: Tensor<1, Int>,
    allowed: Option<Tensor<2, Int>>,
) -> Tensor<1, Int> {
    unimplemented!()
}
