// result[r] = the sum of the gradient's rows whose name is r, in the order of the names; one thread for each value

@group(0) @binding(0) var<storage, {{ access }}> gradient: array<{{ value }}>;
@group(0) @binding(1) var<storage, {{ access }}> chain: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<{{ value }}>;
// n, names, values of a row
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let n = info[0];
    let count = info[1];
    let width = info[2];
    if (index >= n * width) {
        return;
    }
    let column = index % width;
    var sum = {{ value }}();
    for (var name = chain[index / width]; name < count; name = chain[n + name]) {
        sum += gradient[name * width + column];
    }
    result[index] = sum;
}
