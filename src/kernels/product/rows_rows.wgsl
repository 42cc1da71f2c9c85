// C = alpha · A × B (+ C) for A and B by rows, k and n in whole fours.
//
// One thread makes a tile; lines with $r stand there once for each of its rows, those with $q once for each four of its
// columns. No workgroup memory and no barrier: a software adapter pays for each barrier with a pass over all threads, and the
// caches of a GPU serve these sizes well.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
{{ right }}
@group(0) @binding({{ result }}) var<storage, read_write> result: array<vec4<f32>>;
// m, k, n, offsets of A, B, C, row strides of A, B, C, whether to add, alpha
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = info[0];
    let k = info[1] / 4u;
    let n = info[2] / 4u;
    let row = id.y * {{ tile_rows }}u;
    let column = id.x * {{ tile_fours }}u;
    if (column >= n || row >= m) {
        return;
    }
    // What lies past the last row or column is read from the last and thrown away: cheaper than branches in the loop.
    let last = m - 1u;
    let left = info[3] / 4u;
    let stride = info[6] / 4u;
    let left$r = left + min(row + $ru, last) * stride;
    let step = info[7] / 4u;
    var right = info[4] / 4u;
    let column$q = min(column + $qu, n - 1u);
    var sum$r_$q = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let b$q_0 = right_four(right + column$q);
        let b$q_1 = right_four(right + step + column$q);
        let b$q_2 = right_four(right + 2u * step + column$q);
        let b$q_3 = right_four(right + 3u * step + column$q);
        right += 4u * step;
        let a$r = lhs[left$r + i];
        sum$r_$q += a$r.x * b$q_0 + a$r.y * b$q_1 + a$r.z * b$q_2 + a$r.w * b$q_3;
    }
    write(row + $ru, column + $qu, sum$r_$q);
}

fn write(row: u32, column: u32, sum: vec4<f32>) {
    if (row >= info[0] || column >= info[2] / 4u) {
        return;
    }
    let at = (info[5] + row * info[8]) / 4u + column;
    var value = bitcast<f32>(info[10]) * sum;
    if (info[9] == 1u) {
        value += result[at];
    }
    result[at] = value;
}
