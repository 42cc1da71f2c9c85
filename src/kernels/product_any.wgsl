// C = A × B for matrices of any size that lie in memory in any way: the slow path for odd shapes.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> rhs: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
// m, k, n, batch stride of A, of B, row stride of A, of B, column stride of A, of B; in elements
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = info[0];
    let k = info[1];
    let n = info[2];
    let row = id.y * 4u;
    let column = id.x * 4u;
    if (column >= n || row >= m) {
        return;
    }
    // Rows and columns past the last are read from the last and thrown away.
    let rows = min(vec4<u32>(row, row + 1u, row + 2u, row + 3u), vec4<u32>(m - 1u));
    let columns = min(vec4<u32>(column, column + 1u, column + 2u, column + 3u), vec4<u32>(n - 1u));
    let left = id.z * info[3] + rows * info[5];
    let right = id.z * info[4] + columns * info[8];
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let p = right + i * info[6];
        let b = vec4<f32>(rhs[p.x], rhs[p.y], rhs[p.z], rhs[p.w]);
        let q = left + i * info[7];
        sum0 += lhs[q.x] * b;
        sum1 += lhs[q.y] * b;
        sum2 += lhs[q.z] * b;
        sum3 += lhs[q.w] * b;
    }
    let base = (id.z * m + row) * n + column;
    for (var c = 0u; c < min(n - column, 4u); c++) {
        result[base + c] = sum0[c];
        if (row + 1u < m) {
            result[base + n + c] = sum1[c];
        }
        if (row + 2u < m) {
            result[base + 2u * n + c] = sum2[c];
        }
        if (row + 3u < m) {
            result[base + 3u * n + c] = sum3[c];
        }
    }
}
