// C = alpha · A × B (+ C) for A and B by rows, k and n in whole fours.
//
// One thread makes a tile of 4 × 4. No workgroup memory and no barrier: a software adapter pays for each barrier
// with a pass over all threads, and the caches of a GPU serve these sizes well.

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
    let row = id.y * 4u;
    if (id.x >= n || row >= m) {
        return;
    }
    let step = info[7] / 4u;
    let left = info[3] / 4u;
    var right = info[4] / 4u + id.x;
    // Rows past the last are read from the last and thrown away: cheaper than four branches in the loop.
    let last = m - 1u;
    let stride = info[6] / 4u;
    let left0 = left + row * stride;
    let left1 = left + min(row + 1u, last) * stride;
    let left2 = left + min(row + 2u, last) * stride;
    let left3 = left + min(row + 3u, last) * stride;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let b0 = right_four(right);
        let b1 = right_four(right + step);
        let b2 = right_four(right + 2u * step);
        let b3 = right_four(right + 3u * step);
        right += 4u * step;
        let a0 = lhs[left0 + i];
        sum0 += a0.x * b0 + a0.y * b1 + a0.z * b2 + a0.w * b3;
        let a1 = lhs[left1 + i];
        sum1 += a1.x * b0 + a1.y * b1 + a1.z * b2 + a1.w * b3;
        let a2 = lhs[left2 + i];
        sum2 += a2.x * b0 + a2.y * b1 + a2.z * b2 + a2.w * b3;
        let a3 = lhs[left3 + i];
        sum3 += a3.x * b0 + a3.y * b1 + a3.z * b2 + a3.w * b3;
    }
    write(row, id.x, sum0);
    write(row + 1u, id.x, sum1);
    write(row + 2u, id.x, sum2);
    write(row + 3u, id.x, sum3);
}

fn write(row: u32, column: u32, sum: vec4<f32>) {
    if (row >= info[0]) {
        return;
    }
    let at = (info[5] + row * info[8]) / 4u + column;
    var value = bitcast<f32>(info[10]) * sum;
    if (info[9] == 1u) {
        value += result[at];
    }
    result[at] = value;
}
