// sum = x + delta; result = sum / sqrt(mean(sum²) + eps) · weight, row by row

@group(0) @binding(0) var<storage, {{ access }}> x: array<{{ value }}>;
@group(0) @binding(1) var<storage, {{ access }}> delta: array<{{ value }}>;
@group(0) @binding(2) var<storage, {{ access }}> weight: array<{{ value }}>;
@group(0) @binding(3) var<storage, read_write> sum: array<{{ value }}>;
@group(0) @binding(4) var<storage, read_write> result: array<{{ value }}>;
// rows, values of a row, 1 / width, eps; the last two as bits
@group(0) @binding(5) var<storage, read> info: array<u32>;

fn across(v: {{ value }}) -> f32 {
    return {{ sum }};
}

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let row = row_of(id, group);
    if (row >= info[0]) {
        return;
    }
    let lane = lane_of(local);
    let width = info[1];
    let start = row * width;
    var squares = {{ value }}();
    for (var i = lane; i < width; i += lanes) {
        let v = x[start + i] + delta[start + i];
        sum[start + i] = v;
        squares += v * v;
    }
    let mean = total(lane, vec2<f32>(across(squares), 0.0)).x * bitcast<f32>(info[2]);
    let scale = inverseSqrt(mean + bitcast<f32>(info[3]));
    // Each thread reads back only what it has written itself.
    for (var i = lane; i < width; i += lanes) {
        result[start + i] = sum[start + i] * scale * weight[i];
    }
}
