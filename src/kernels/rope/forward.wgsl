// Turns queries and keys by their rotary position; values are moved as they are.
// One thread for some neighbouring pairs of one head of one token.

@group(0) @binding(0) var<storage, {{ access }}> joined: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> places: array<i32>;
@group(0) @binding(2) var<storage, {{ access }}> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> queries: array<f32>;
@group(0) @binding(4) var<storage, read_write> keys: array<f32>;
@group(0) @binding(5) var<storage, read_write> values: array<f32>;
{{ norms }}
// tokens, query heads, key heads, half a head, pairs of a thread, positions of the table, rows of the arenas, bits of eps
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

fn weight(at: u32) -> f32 {
    return {{ weight }};
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let tokens = info[0];
    let query_heads = info[1];
    let key_heads = info[2];
    let half = info[3];
    let pairs = info[4];
    let size = 2u * half;
    let heads = query_heads + 2u * key_heads;
    let parts = half / pairs;
    let index = id.y * {{ span }} + id.x;
    if (index >= tokens * heads * parts) {
        return;
    }
    let token = index / parts / heads;
    let head = index / parts % heads;
    let first = index % parts * pairs;
    let at = (token * heads + head) * size;
    let slot = u32(places[tokens + token]);
    if (head >= query_heads && slot >= info[6]) {
        return;
    }
    if (head >= query_heads + key_heads) {
        let dest = (slot * key_heads + head - query_heads - key_heads) * size;
        for (var i = first; i < first + pairs; i++) {
            values[dest + i] = joined[at + i];
            values[dest + half + i] = joined[at + half + i];
        }
        return;
    }
    var root = 1.0;
    if ({{ normed }}) {
        var sum = 0.0;
        for (var i = 0u; i < half; i++) {
            let pair = vec2(joined[at + i], joined[at + half + i]);
            sum += dot(pair, pair);
        }
        root = inverseSqrt(sum / f32(size) + bitcast<f32>(info[7]));
    }
    let norm = select(0u, size, head >= query_heads);
    let turn = min(u32(places[token]), info[5] - 1u) * size;
    for (var i = first; i < first + pairs; i++) {
        let x = joined[at + i] * root * weight(norm + i);
        let y = joined[at + half + i] * root * weight(norm + half + i);
        let cosine = table[turn + i];
        let sine = table[turn + half + i];
        if (head < query_heads) {
            let dest = (token * query_heads + head) * size + i;
            queries[dest] = x * cosine - y * sine;
            queries[dest + half] = y * cosine + x * sine;
        } else {
            let dest = (slot * key_heads + head - query_heads) * size + i;
            keys[dest] = x * cosine - y * sine;
            keys[dest + half] = y * cosine + x * sine;
        }
    }
}
