// scores = weight · (softmax − onehot), in place, one thread for each lane of columns

{{ lane }}
@group(0) @binding(0) var<storage, read_write> scores: array<Lane>;
@group(0) @binding(1) var<storage, {{ access }}> state: array<vec4<f32>>;
@group(0) @binding(2) var<storage, {{ access }}> targets: array<i32>;
@group(0) @binding(3) var<storage, {{ access }}> weights: array<f32>;
// rows, columns, first id of the chunk
@group(0) @binding(4) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let lanes = info[1] / WIDTH;
    if (index >= info[0] * lanes) {
        return;
    }
    let row = index / lanes;
    let weight = weights[row];
    if (weight == 0.0) {
        scores[index] = Lane(0.0);
        return;
    }
    let found = state[row];
    // Wraps round to far above the lane where the target lies below it.
    let column = u32(targets[row]) - info[2] - index % lanes * WIDTH;
    scores[index] = weight * (exp(scores[index] - found.x) / found.y - one_at(column));
}
