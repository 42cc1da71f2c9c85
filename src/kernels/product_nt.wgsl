// C = A × Bᵀ for A by rows [m, k] and B by rows [n, k]; k is a multiple of 4.
//
// Both run along k, so a tile of 4 × 4 is sixteen running dot products.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
@group(0) @binding(1) var<storage, {{ access }}> rhs: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
// m, k, n, batch stride of A, of B, row stride of A, of B; in elements
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = info[0];
    let k = info[1] / 4u;
    let n = info[2];
    let row = id.y * 4u;
    let column = id.x * 4u;
    if (column >= n || row >= m) {
        return;
    }
    let left = id.z * (info[3] / 4u);
    let right = id.z * (info[4] / 4u);
    let left_step = info[5] / 4u;
    let right_step = info[6] / 4u;
    // Rows and columns past the last are read from the last and thrown away.
    let last_row = m - 1u;
    let last_column = n - 1u;
    let left0 = left + row * left_step;
    let left1 = left + min(row + 1u, last_row) * left_step;
    let left2 = left + min(row + 2u, last_row) * left_step;
    let left3 = left + min(row + 3u, last_row) * left_step;
    let right0 = right + column * right_step;
    let right1 = right + min(column + 1u, last_column) * right_step;
    let right2 = right + min(column + 2u, last_column) * right_step;
    let right3 = right + min(column + 3u, last_column) * right_step;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let b0 = rhs[right0 + i];
        let b1 = rhs[right1 + i];
        let b2 = rhs[right2 + i];
        let b3 = rhs[right3 + i];
        let a0 = lhs[left0 + i];
        sum0 += vec4<f32>(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
        let a1 = lhs[left1 + i];
        sum1 += vec4<f32>(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
        let a2 = lhs[left2 + i];
        sum2 += vec4<f32>(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
        let a3 = lhs[left3 + i];
        sum3 += vec4<f32>(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    let base = (id.z * m + row) * n + column;
    let columns = min(n - column, 4u);
    let rows = min(m - row, 4u);
    for (var c = 0u; c < columns; c++) {
        result[base + c] = sum0[c];
        if (rows > 1u) {
            result[base + n + c] = sum1[c];
        }
        if (rows > 2u) {
            result[base + 2u * n + c] = sum2[c];
        }
        if (rows > 3u) {
            result[base + 3u * n + c] = sum3[c];
        }
    }
}
