// For each of n rows the first of the names that name it, and behind these n for each name the next with the same row;
// the number of names where there is none. One thread for each entry of the chain.

@group(0) @binding(0) var<storage, {{ access }}> rows: array<u32>;
@group(0) @binding(1) var<storage, read_write> chain: array<u32>;
// n, names
@group(0) @binding(2) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let n = info[0];
    let count = info[1];
    if (index >= n + count) {
        return;
    }
    var row = index;
    var name = 0u;
    if (index >= n) {
        name = index - n + 1u;
        row = rows[index - n];
    }
    while (name < count && rows[name] != row) {
        name++;
    }
    chain[index] = name;
}
