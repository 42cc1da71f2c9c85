// result = x / sqrt(mean(x²) + eps) · weight, row by row

@group(0) @binding(0) var<storage, {{ access }}> x: array<{{ value }}>;
@group(0) @binding(1) var<storage, {{ access }}> weight: array<{{ value }}>;
@group(0) @binding(2) var<storage, read_write> result: array<{{ value }}>;
// rows, values of a row, 1 / width, eps; the last two as bits
@group(0) @binding(3) var<storage, read> info: array<u32>;

fn across(v: {{ value }}) -> f32 {
    return {{ sum }};
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let row = row_of(id);
    let lane = thread % lanes;
    // Threads past the last row have nothing to do, but they may not miss the barrier.
    let width = select(0u, info[1], row < info[0]);
    let start = row * width;
    var squares = {{ value }}();
    for (var i = lane; i < width; i += lanes) {
        let v = x[start + i];
        squares += v * v;
    }
    let mean = total(thread, vec2<f32>(across(squares), 0.0)).x * bitcast<f32>(info[2]);
    let scale = inverseSqrt(mean + bitcast<f32>(info[3]));
    for (var i = lane; i < width; i += lanes) {
        result[start + i] = {{ before }}x[start + i] * scale * weight[i];
    }
}
