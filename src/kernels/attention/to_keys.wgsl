// The gradients of a slot's keys and values from some of the tokens, one thread for each key head of each slot and
// each chunk of tokens. Neighbouring threads are neighbouring slots of one head, which mostly are seen by the same tokens.
// A line behind `@each` stands for one line per lane of a head, its number put for `#`.

@group(0) @binding(0) var<storage, {{ access }}> queries: array<{{ lane }}>;
@group(0) @binding(1) var<storage, {{ access }}> keys: array<{{ lane }}>;
@group(0) @binding(2) var<storage, {{ access }}> values: array<{{ lane }}>;
// The tokens' ranges, and behind them the first token that may see each slot and the end of those that may.
@group(0) @binding(3) var<storage, {{ access }}> spans: array<i32>;
@group(0) @binding(4) var<storage, {{ access }}> sums: array<vec2<f32>>;
@group(0) @binding(5) var<storage, {{ access }}> gradient: array<{{ lane }}>;
@group(0) @binding(6) var<storage, read_write> partial: array<{{ lane }}>;
// tokens, slots, query heads, key heads, bits of the scale, chunks
@group(0) @binding(7) var<storage, read> info: array<u32>;

const LANES = {{ lanes }}u;

fn sees(token: u32, slot: i32) -> bool {
    let at = token * 6u;
    return (slot >= spans[at] && slot < spans[at + 1u])
        || (slot >= spans[at + 2u] && slot < spans[at + 3u])
        || (slot >= spans[at + 4u] && slot < spans[at + 5u]);
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let tokens = info[0];
    let slots = info[1];
    let query_heads = info[2];
    let key_heads = info[3];
    let chunks = info[5];
    let index = id.y * {{ span }} + id.x;
    if (index >= tokens * key_heads * chunks) {
        return;
    }
    let slot = index % tokens;
    let key_head = index / tokens % key_heads;
    let chunk = index / tokens / key_heads;
    @each var key_sum# = {{ lane }}(0.0);
    @each var value_sum# = {{ lane }}(0.0);
    // A result has a row for each token, and an arena with fewer slots none to read there.
    if (slot < slots) {
        let group = query_heads / key_heads;
        let scale = bitcast<f32>(info[4]);
        let at = (slot * key_heads + key_head) * LANES;
        @each let key# = keys[at + #u] * scale;
        @each let value# = values[at + #u];
        let most = (tokens + chunks - 1u) / chunks;
        let seers = tokens * 6u + slot * 2u;
        let first = max(u32(spans[seers]), chunk * most);
        let end = min(min(u32(spans[seers + 1u]), tokens), (chunk + 1u) * most);
        for (var token = first; token < end; token++) {
            if (!sees(token, i32(slot))) {
                continue;
            }
            for (var i = 0u; i < group; i++) {
                let row = token * query_heads + key_head * group + i;
                let query = row * LANES;
                let known = sums[row];
                var products = {{ lane }}(0.0);
                @each products += queries[query + #u] * key#;
                let weight = exp(dot(products, {{ lane }}(1.0)) - known.x);
                products = {{ lane }}(0.0);
                @each products += gradient[query + #u] * value#;
                let share = weight * (dot(products, {{ lane }}(1.0)) - known.y) * scale;
                @each key_sum# += share * queries[query + #u];
                @each value_sum# += weight * gradient[query + #u];
            }
        }
    }
    let dest = ((chunk * tokens + slot) * 2u * key_heads + key_head) * LANES;
    @each partial[dest + #u] = key_sum#;
    @each partial[dest + key_heads * LANES + #u] = value_sum#;
}
