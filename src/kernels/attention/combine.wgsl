// Puts the chunks of each head of each token together, by their log-sum-exps; one thread for each lane of a head.

@group(0) @binding(0) var<storage, {{ access }}> parts: array<{{ lane }}>;
@group(0) @binding(1) var<storage, {{ access }}> part_lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<{{ lane }}>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
// tokens × query heads, chunks
@group(0) @binding(4) var<storage, read> info: array<u32>;

const LANES = {{ lanes }}u;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let rows = info[0];
    let index = id.y * {{ span }} + id.x;
    if (index >= rows * LANES) {
        return;
    }
    let row = index / LANES;
    var top = {{ lowest }};
    for (var chunk = 0u; chunk < info[1]; chunk++) {
        top = max(top, part_lse[chunk * rows + row]);
    }
    // A chunk in which nothing is seen adds nothing; where all are such, they add up to nothing.
    var total = 0.0;
    var sum = {{ lane }}(0.0);
    for (var chunk = 0u; chunk < info[1]; chunk++) {
        let weight = exp(part_lse[chunk * rows + row] - top);
        total += weight;
        sum += weight * parts[chunk * rows * LANES + index];
    }
    result[index] = sum / total;
    if (index % LANES == 0u) {
        lse[row] = top + log(total);
    }
}
