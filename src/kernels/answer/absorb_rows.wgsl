// Running log-sum-exp over a chunk of the vocabulary, one thread for each row, without barriers

{{ lane }}
@group(0) @binding(0) var<storage, {{ access }}> scores: array<Lane>;
@group(0) @binding(1) var<storage, {{ access }}> targets: array<i32>;
// of each row: maximum, sum of exponentials relative to it, score of the target, id of the maximum
@group(0) @binding(2) var<storage, read_write> state: array<vec4<f32>>;
// rows, columns, first id of the chunk
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * {{ span }} + id.x;
    let columns = info[1];
    let first = info[2];
    if (row >= info[0]) {
        return;
    }
    let lanes = columns / WIDTH;
    var found = state[row];
    for (var i = 0u; i < lanes; i++) {
        let lane = scores[row * lanes + i];
        let top = highest(lane);
        if (top > found.x) {
            let best = first + i * WIDTH + place(lane, top);
            found = vec4<f32>(top, found.y * exp(found.x - top), found.z, f32(best));
        }
        found.y += total(exp(lane - found.x));
    }
    // Ids below the chunk wrap round to above it.
    let target_column = u32(targets[row]) - first;
    if (target_column < columns) {
        found.z = score_at(row * columns + target_column);
    }
    state[row] = found;
}
