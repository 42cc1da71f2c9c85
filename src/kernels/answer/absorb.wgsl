// Running log-sum-exp over a chunk of the vocabulary, one workgroup for each row
//
// Every thread walks its share of the row on its own; there is a single barrier, before the shares are joined.

{{ lane }}
@group(0) @binding(0) var<storage, {{ access }}> scores: array<Lane>;
@group(0) @binding(1) var<storage, {{ access }}> targets: array<i32>;
// of each row: maximum, sum of exponentials relative to it, score of the target, id of the maximum
@group(0) @binding(2) var<storage, read_write> state: array<vec4<f32>>;
// rows, columns, first id of the chunk
@group(0) @binding(3) var<storage, read> info: array<u32>;

const LOWEST = -3.4028234e38;

// of each thread: maximum, sum relative to it, id of the maximum
var<workgroup> shares: array<vec3<f32>, {{ threads }}>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = group.y * ({{ span }} / {{ threads }}u) + group.x;
    let columns = info[1];
    let first = info[2];
    if (row >= info[0]) {
        return;
    }
    let lanes = columns / WIDTH;
    var most = LOWEST;
    var sum = 0.0;
    var best = 0u;
    for (var i = thread; i < lanes; i += {{ threads }}u) {
        let lane = scores[row * lanes + i];
        let top = highest(lane);
        // Rare after the first few: the exponential that moves the sum to the new maximum costs little.
        if (top > most) {
            sum *= exp(most - top);
            most = top;
            best = first + i * WIDTH + place(lane, top);
        }
        sum += total(exp(lane - most));
    }
    shares[thread] = vec3<f32>(most, sum, f32(best));
    workgroupBarrier();
    if (thread != 0u) {
        return;
    }
    // Of equal maxima the lowest id, whichever thread met it.
    var top = shares[0];
    for (var i = 1u; i < {{ threads }}u; i++) {
        let share = shares[i];
        if (share.x > top.x || (share.x == top.x && share.z < top.z)) {
            top = share;
        }
    }
    var found = state[row];
    if (top.x > found.x) {
        found = vec4<f32>(top.x, found.y * exp(found.x - top.x), found.z, top.z);
    }
    for (var i = 0u; i < {{ threads }}u; i++) {
        found.y += shares[i].y * exp(shares[i].x - found.x);
    }
    // Ids below the chunk wrap round to above it.
    let target_column = u32(targets[row]) - first;
    if (target_column < columns) {
        found.z = score_at(row * columns + target_column);
    }
    state[row] = found;
}
