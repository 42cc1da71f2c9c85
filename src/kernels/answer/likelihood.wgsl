// log p(target) from the finished state, one thread for each row

@group(0) @binding(0) var<storage, {{ access }}> state: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
// rows
@group(0) @binding(2) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.y * {{ span }} + id.x;
    if (row >= info[0]) {
        return;
    }
    let found = state[row];
    result[row] = found.z - found.x - log(found.y);
}
