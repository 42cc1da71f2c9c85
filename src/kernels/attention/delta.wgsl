// What the way back needs of each head of each token: its log-sum-exp, and delta = Σ d_out · out, which is what the
// softmax takes off every slot's gradient.

@group(0) @binding(0) var<storage, {{ access }}> outputs: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(2) var<storage, {{ access }}> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> sums: array<vec2<f32>>;
// tokens × query heads, elements of a head
@group(0) @binding(4) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * {{ span }} + id.x;
    let size = info[1];
    if (row >= info[0]) {
        return;
    }
    var delta = 0.0;
    for (var i = row * size; i < (row + 1u) * size; i++) {
        delta += outputs[i] * gradient[i];
    }
    sums[row] = vec2(lse[row], delta);
}
