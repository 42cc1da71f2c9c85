// C = alpha · A × B (+ C) for any strides, one value at a time.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<f32>;
@group(0) @binding(1) var<storage, {{ access }}> rhs: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<f32>;
// m, k, n, offsets of A, B, C, row strides of A, B, C, whether to add, alpha, column strides of A, B
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
    let left = info[3] + rows * info[6];
    let right = info[4] + columns * info[12];
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let p = right + i * info[7];
        let b = vec4<f32>(rhs[p.x], rhs[p.y], rhs[p.z], rhs[p.w]);
        let q = left + i * info[11];
        sum0 += lhs[q.x] * b;
        sum1 += lhs[q.y] * b;
        sum2 += lhs[q.z] * b;
        sum3 += lhs[q.w] * b;
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
