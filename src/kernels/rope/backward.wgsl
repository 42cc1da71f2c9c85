// The way back: turns the gradient the other way round, then through the norm of its head.
// One thread for some neighbouring pairs of one head of one token.

@group(0) @binding(0) var<storage, {{ access }}> joined: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> places: array<i32>;
@group(0) @binding(2) var<storage, {{ access }}> table: array<f32>;
@group(0) @binding(3) var<storage, {{ access }}> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;
{{ norms }}
// tokens, query heads, key heads, half a head, pairs of a thread, positions of the table, bits of eps
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

fn weight(at: u32) -> f32 {
    return {{ weight }};
}

// The gradient of a pair before it was turned, times the norm's weights.
fn unturned(at: u32, turn: u32, norm: u32, half: u32) -> vec2<f32> {
    let x = gradient[at];
    let y = gradient[at + half];
    let cosine = table[turn];
    let sine = table[turn + half];
    return vec2(
        (x * cosine + y * sine) * weight(norm),
        (y * cosine - x * sine) * weight(norm + half),
    );
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let query_heads = info[1];
    let key_heads = info[2];
    let half = info[3];
    let pairs = info[4];
    let size = 2u * half;
    let heads = query_heads + 2u * key_heads;
    let parts = half / pairs;
    let index = id.y * {{ span }} + id.x;
    if (index >= info[0] * heads * parts) {
        return;
    }
    let token = index / parts / heads;
    let head = index / parts % heads;
    let first = index % parts * pairs;
    let at = (token * heads + head) * size;
    if (head >= query_heads + key_heads) {
        for (var i = first; i < first + pairs; i++) {
            result[at + i] = gradient[at + i];
            result[at + half + i] = gradient[at + half + i];
        }
        return;
    }
    let norm = select(0u, size, head >= query_heads);
    let turn = min(u32(places[token]), info[5] - 1u) * size;
    var root = 1.0;
    var along = 0.0;
    if ({{ normed }}) {
        var sum = 0.0;
        for (var i = 0u; i < half; i++) {
            let pair = vec2(joined[at + i], joined[at + half + i]);
            sum += dot(pair, pair);
            along += dot(pair, unturned(at + i, turn + i, norm + i, half));
        }
        root = inverseSqrt(sum / f32(size) + bitcast<f32>(info[6]));
        along *= root * root / f32(size);
    }
    for (var i = first; i < first + pairs; i++) {
        let pair = unturned(at + i, turn + i, norm + i, half);
        result[at + i] = root * (pair.x - along * joined[at + i]);
        result[at + half + i] = root * (pair.y - along * joined[at + half + i]);
    }
}
