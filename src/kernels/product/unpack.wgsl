// Rows of a packed weight by number, as floats; one thread for four values

@group(0) @binding(0) var<storage, {{ access }}> ids: array<u32>;
{{ right }}
@group(0) @binding({{ result }}) var<storage, read_write> result: array<vec4<f32>>;
// rows, fours in a row, scale
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let fours = info[1];
    if (index >= info[0] * fours) {
        return;
    }
    result[index] = bitcast<f32>(info[2]) * right_four(ids[index / fours] * fours + index % fours);
}
