// result[i] = table[ids[i]] · scale, one thread for each value

@group(0) @binding(0) var<storage, {{ access }}> table: array<{{ value }}>;
@group(0) @binding(1) var<storage, {{ access }}> ids: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<{{ value }}>;
// ids, values of a row, rows of the table, scale as bits
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let width = info[1];
    if (index >= info[0] * width) {
        return;
    }
    let row = ids[index / width];
    var value = {{ value }}();
    if (row < info[2]) {
        value = table[row * width + index % width] * bitcast<f32>(info[3]);
    }
    result[index] = value;
}
