// Adds the chunks' gradients of keys and values up, behind those of the queries; one thread for each element.

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
// tokens, elements of a token's keys and values, of its queries, chunks
@group(0) @binding(2) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let width = info[1];
    let count = info[0] * width;
    if (index >= count) {
        return;
    }
    var sum = 0.0;
    for (var chunk = 0u; chunk < info[3]; chunk++) {
        sum += partial[chunk * count + index];
    }
    result[index / width * (info[2] + width) + info[2] + index % width] = sum;
}
