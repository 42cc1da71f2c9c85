// result = act(gate) · up, one thread for each element

@group(0) @binding(0) var<storage, {{ access }}> joined: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
// rows, inner, whether the gate is GELU (tanh) and not SiLU
@group(0) @binding(2) var<storage, read> info: array<u32>;

fn activated(x: f32) -> f32 {
    if (info[2] == 1u) {
        // tanh by its exponential overflows far from 0, where it is ±1 anyway.
        let inner = clamp(0.7978846 * (x + 0.044715 * x * x * x), -15.0, 15.0);
        return 0.5 * x * (1.0 + tanh(inner));
    }
    return x / (1.0 + exp(-x));
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let inner = info[1];
    if (index >= info[0] * inner) {
        return;
    }
    let at = index / inner * 2u * inner + index % inner;
    result[index] = activated(joined[at]) * joined[at + inner];
}
