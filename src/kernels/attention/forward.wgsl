// Attention with online softmax (arXiv 1805.02867), one thread for each head of each token.
// Neighbouring threads are neighbouring tokens of one head, which mostly read the same keys.
// A line behind `@each` stands for one line per lane of a head, its number put for `#`.

@group(0) @binding(0) var<storage, {{ access }}> queries: array<{{ lane }}>;
@group(0) @binding(1) var<storage, {{ access }}> keys: array<{{ lane }}>;
@group(0) @binding(2) var<storage, {{ access }}> values: array<{{ lane }}>;
@group(0) @binding(3) var<storage, {{ access }}> spans: array<i32>;
@group(0) @binding(4) var<storage, read_write> result: array<{{ lane }}>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
// tokens, slots, query heads, key heads, bits of the scale
@group(0) @binding(6) var<storage, read> info: array<u32>;

const LANES = {{ lanes }}u;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let tokens = info[0];
    let slots = i32(info[1]);
    let query_heads = info[2];
    let key_heads = info[3];
    let index = id.y * {{ span }} + id.x;
    if (index >= tokens * query_heads) {
        return;
    }
    let token = index % tokens;
    let head = index / tokens;
    let key_head = head / (query_heads / key_heads);
    let row = token * query_heads + head;
    let scale = bitcast<f32>(info[4]);
    let at = row * LANES;
    @each let query# = queries[at + #u] * scale;
    @each var sum# = {{ lane }}(0.0);
    var top = {{ lowest }};
    var total = 0.0;
    for (var range = 0u; range < 3u; range++) {
        let first = max(spans[token * 6u + range * 2u], 0);
        let end = min(spans[token * 6u + range * 2u + 1u], slots);
        for (var slot = first; slot < end; slot++) {
            let key = (u32(slot) * key_heads + key_head) * LANES;
            var products = {{ lane }}(0.0);
            @each products += query# * keys[key + #u];
            let score = dot(products, {{ lane }}(1.0));
            if (score > top) {
                let shrink = exp(top - score);
                top = score;
                total *= shrink;
                @each sum# *= shrink;
            }
            let weight = exp(score - top);
            total += weight;
            @each sum# += weight * values[key + #u];
        }
    }
    var share = 0.0;
    lse[row] = {{ lowest }};
    if (total > 0.0) {
        share = 1.0 / total;
        lse[row] = top + log(total);
    }
    @each result[at + #u] = sum# * share;
}
