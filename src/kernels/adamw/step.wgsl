// One step of AdamW in place, one thread for each lane of parameters

alias Lane = {{ lane }};

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<Lane>;
@group(0) @binding(1) var<storage, {{ access }}> squares: array<f32>;
@group(0) @binding(2) var<storage, read_write> parameters: array<Lane>;
@group(0) @binding(3) var<storage, read_write> mean: array<Lane>;
@group(0) @binding(4) var<storage, read_write> variance: array<Lane>;
// lanes, whether the norm is clipped; and as bits of floats: largest norm, what a parameter keeps of itself,
// rate / correction1, β1, 1 − β1, β2, 1 − β2, root of correction2, eps
@group(0) @binding(5) var<storage, read> info: array<u32>;

fn number(i: u32) -> f32 {
    return bitcast<f32>(info[i]);
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let i = id.y * {{ span }} + id.x;
    if (i >= info[0]) {
        return;
    }
    // Infinite or no number: asked of the bits, for compilers may take every float to be finite.
    if ((bitcast<u32>(squares[0]) & 0x7f800000u) == 0x7f800000u) {
        return;
    }
    var clip = 1.0;
    if (info[1] == 1u) {
        clip = min(1.0, number(2u) / (sqrt(squares[0]) + 1e-6));
    }
    let g = gradient[i] * clip;
    let m = number(5u) * mean[i] + number(6u) * g;
    let v = number(7u) * variance[i] + number(8u) * g * g;
    mean[i] = m;
    variance[i] = v;
    parameters[i] = parameters[i] * number(3u) - number(4u) * m / (sqrt(v) / number(9u) + number(10u));
}
