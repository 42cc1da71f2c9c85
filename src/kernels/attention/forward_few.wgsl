// Attention of few tokens over many slots: one workgroup for each head of each token. Its threads take the scores of
// a tile of slots, one each, and then the tile's values, each thread one lane of a head for a part of the slots.

@group(0) @binding(0) var<storage, {{ access }}> queries: array<vec4<f32>>;
@group(0) @binding(1) var<storage, {{ access }}> keys: array<vec4<f32>>;
@group(0) @binding(2) var<storage, {{ access }}> values: array<vec4<f32>>;
@group(0) @binding(3) var<storage, {{ access }}> spans: array<i32>;
@group(0) @binding(4) var<storage, read_write> result: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
// tokens, slots, query heads, key heads, bits of the scale
@group(0) @binding(6) var<storage, read> info: array<u32>;

const LANES = {{ lanes }}u;
const THREADS = {{ crew }}u;
// Threads that share a lane.
const PARTS = THREADS / LANES;

var<workgroup> seen: u32;
var<workgroup> scores: array<f32, THREADS>;
var<workgroup> weights: array<f32, THREADS>;
var<workgroup> sums: array<vec4<f32>, THREADS>;

// Where a token's ranges begin, and how many slots there are up to the end of each.
struct Ranges {
    first: vec3<u32>,
    upto: vec3<u32>,
}

fn ranges(token: u32) -> Ranges {
    var found = Ranges(vec3(0u), vec3(0u));
    var count = 0u;
    for (var range = 0u; range < 3u; range++) {
        let first = max(spans[token * 6u + range * 2u], 0);
        let end = min(spans[token * 6u + range * 2u + 1u], i32(info[1]));
        count += u32(max(end - first, 0));
        found.first[range] = u32(first);
        found.upto[range] = count;
    }
    return found;
}

// The slot that is the `number`th a token sees.
fn slot_of(view: Ranges, number: u32) -> u32 {
    if (number < view.upto.x) {
        return view.first.x + number;
    }
    if (number < view.upto.y) {
        return view.first.y + number - view.upto.x;
    }
    return view.first.z + number - view.upto.y;
}

@compute @workgroup_size({{ crew }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let query_heads = info[2];
    let key_heads = info[3];
    let row = group.x;
    let token = row / query_heads;
    let key_head = row % query_heads / (query_heads / key_heads);
    let scale = bitcast<f32>(info[4]);
    let view = ranges(token);
    if (thread == 0u) {
        seen = view.upto.z;
    }
    // The same for all threads, also in the eyes of the compiler, so that they may wait for one another below.
    let count = workgroupUniformLoad(&seen);
    let lane = thread % LANES;
    let part = thread / LANES;
    var top = {{ lowest }};
    var total = 0.0;
    var sum = vec4<f32>(0.0);
    for (var start = 0u; start < count; start += THREADS) {
        let tile = min(count - start, THREADS);
        var score = {{ lowest }};
        if (thread < tile) {
            let key = (slot_of(view, start + thread) * key_heads + key_head) * LANES;
            var products = vec4<f32>(0.0);
            for (var i = 0u; i < LANES; i++) {
                products += queries[row * LANES + i] * keys[key + i];
            }
            score = dot(products, vec4<f32>(scale));
        }
        scores[thread] = score;
        workgroupBarrier();
        let before = top;
        for (var i = 0u; i < tile; i++) {
            top = max(top, scores[i]);
        }
        weights[thread] = exp(score - top);
        workgroupBarrier();
        let shrink = exp(before - top);
        total *= shrink;
        sum *= shrink;
        if (part < PARTS) {
            for (var i = part; i < tile; i += PARTS) {
                let value = (slot_of(view, start + i) * key_heads + key_head) * LANES;
                total += weights[i];
                sum += weights[i] * values[value + lane];
            }
        }
    }
    sums[thread] = sum;
    weights[thread] = total;
    workgroupBarrier();
    if (thread >= LANES) {
        return;
    }
    for (var i = 1u; i < PARTS; i++) {
        sum += sums[i * LANES + lane];
        total += weights[i * LANES + lane];
    }
    var share = 0.0;
    if (total > 0.0) {
        share = 1.0 / total;
    }
    result[row * LANES + lane] = sum * share;
    if (thread == 0u) {
        lse[row] = select({{ lowest }}, top + log(total), total > 0.0);
    }
}
