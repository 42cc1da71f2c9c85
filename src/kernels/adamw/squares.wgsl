// Partial sums of squares, each thread walking over the values in steps as wide as there are threads

@group(0) @binding(0) var<storage, {{ access }}> values: array<{{ lane }}>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
// lanes, threads
@group(0) @binding(2) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    if (index >= info[1]) {
        return;
    }
    var sum = 0.0;
    for (var i = index; i < info[0]; i += info[1]) {
        let lane = values[i];
        sum += {{ square }};
    }
    result[index] = sum;
}
