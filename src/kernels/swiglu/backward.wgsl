// The gradients of gate and up, one thread for each pair

@group(0) @binding(0) var<storage, {{ access }}> joined: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
// rows, inner, whether the gate is GELU (tanh) and not SiLU
@group(0) @binding(3) var<storage, read> info: array<u32>;

// The gate's value and its derivative.
fn activated(x: f32) -> vec2<f32> {
    if (info[2] == 1u) {
        let inner = clamp(0.7978846 * (x + 0.044715 * x * x * x), -15.0, 15.0);
        let t = tanh(inner);
        let slope = 0.7978846 * (1.0 + 0.134145 * x * x);
        return vec2(0.5 * x * (1.0 + t), 0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope);
    }
    let sigmoid = 1.0 / (1.0 + exp(-x));
    return vec2(x * sigmoid, sigmoid * (1.0 + x * (1.0 - sigmoid)));
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let inner = info[1];
    if (index >= info[0] * inner) {
        return;
    }
    let at = index / inner * 2u * inner + index % inner;
    let gate = activated(joined[at]);
    let d = gradient[index];
    result[at] = d * joined[at + inner] * gate.y;
    result[at + inner] = d * gate.x;
}
