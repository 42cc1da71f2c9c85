// result[at + i] = ids[which[i]], one thread for each i

@group(0) @binding(0) var<storage, {{ access }}> ids: array<u32>;
@group(0) @binding(1) var<storage, {{ access }}> which: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
// picks, ids, at, values of the result
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let index = id.y * {{ span }} + id.x;
    let place = info[2] + index;
    if (index >= info[0] || place >= info[3]) {
        return;
    }
    let name = which[index];
    if (name < info[1]) {
        result[place] = ids[name];
    }
}
