// C = A × B for A by rows [m, k] and B by rows [k, n]; k and n are multiples of 4.
//
// One thread makes a tile of 4 × 4. No workgroup memory and no barrier: a software adapter pays for each barrier
// with a pass over all threads, and the caches of a GPU serve these sizes well.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
@group(0) @binding(1) var<storage, {{ access }}> rhs: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;
// m, k, n, batch stride of A, of B, row stride of A, of B; in elements
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = info[0];
    let k = info[1] / 4u;
    let n = info[2] / 4u;
    let row = id.y * 4u;
    if (id.x >= n || row >= m) {
        return;
    }
    let step = info[6] / 4u;
    let left = id.z * (info[3] / 4u);
    var right = id.z * (info[4] / 4u) + id.x;
    // Rows past the last are read from the last and thrown away: cheaper than four branches in the loop.
    let last = m - 1u;
    let stride = info[5] / 4u;
    let left0 = left + row * stride;
    let left1 = left + min(row + 1u, last) * stride;
    let left2 = left + min(row + 2u, last) * stride;
    let left3 = left + min(row + 3u, last) * stride;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let b0 = rhs[right];
        let b1 = rhs[right + step];
        let b2 = rhs[right + 2u * step];
        let b3 = rhs[right + 3u * step];
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
    let target_index = (id.z * m + row) * n + id.x;
    result[target_index] = sum0;
    if (row + 1u < m) {
        result[target_index + n] = sum1;
    }
    if (row + 2u < m) {
        result[target_index + 2u * n] = sum2;
    }
    if (row + 3u < m) {
        result[target_index + 3u * n] = sum3;
    }
}
