// C = alpha · A × B (+ C) for A by rows and B by columns (a weight's rows), k in whole fours: sums of dot products.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
{{ right }}
@group(0) @binding({{ result }}) var<storage, read_write> result: array<f32>;
// m, k, n, offsets of A, B, C, row stride of A, column stride of B, row stride of C, whether to add, alpha
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

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
    let left = info[3] / 4u;
    let right = info[4] / 4u;
    let left_step = info[6] / 4u;
    let right_step = info[7] / 4u;
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
        let b0 = right_four(right0 + i);
        let b1 = right_four(right1 + i);
        let b2 = right_four(right2 + i);
        let b3 = right_four(right3 + i);
        let a0 = lhs[left0 + i];
        sum0 += vec4<f32>(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
        let a1 = lhs[left1 + i];
        sum1 += vec4<f32>(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
        let a2 = lhs[left2 + i];
        sum2 += vec4<f32>(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
        let a3 = lhs[left3 + i];
        sum3 += vec4<f32>(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    write(row, column, sum0);
    write(row + 1u, column, sum1);
    write(row + 2u, column, sum2);
    write(row + 3u, column, sum3);
}

fn write(row: u32, column: u32, sum: vec4<f32>) {
    if (row >= info[0]) {
        return;
    }
    let at = info[5] + row * info[8] + column;
    let value = bitcast<f32>(info[10]) * sum;
    for (var i = 0u; i < min(info[2] - column, 4u); i++) {
        if (info[9] == 1u) {
            result[at + i] += value[i];
        } else {
            result[at + i] = value[i];
        }
    }
}
