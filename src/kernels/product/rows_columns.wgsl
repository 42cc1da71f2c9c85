// C = alpha · A × B (+ C) for A by rows and B by columns (a weight's rows), k in whole fours: sums of dot products.
//
// Lines with $r stand there once for each row of a thread's tile, those with $q once for each four of its columns.

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
    let row = id.y * {{ tile_rows }}u;
    let column = id.x * {{ tile_fours }}u * 4u;
    if (column >= n || row >= m) {
        return;
    }
    // What lies past the last row or column is read from the last and thrown away.
    let last_row = m - 1u;
    let last = n - 1u;
    let left = info[3] / 4u;
    let left_step = info[6] / 4u;
    let left$r = left + min(row + $ru, last_row) * left_step;
    let right = info[4] / 4u;
    let step = info[7] / 4u;
    let right$q_0 = right + min(column + 4u * $qu, last) * step;
    let right$q_1 = right + min(column + 4u * $qu + 1u, last) * step;
    let right$q_2 = right + min(column + 4u * $qu + 2u, last) * step;
    let right$q_3 = right + min(column + 4u * $qu + 3u, last) * step;
    var sum$r_$q = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let b$q_0 = right_four(right$q_0 + i);
        let b$q_1 = right_four(right$q_1 + i);
        let b$q_2 = right_four(right$q_2 + i);
        let b$q_3 = right_four(right$q_3 + i);
        let a$r = lhs[left$r + i];
        sum$r_$q += vec4<f32>(dot(a$r, b$q_0), dot(a$r, b$q_1), dot(a$r, b$q_2), dot(a$r, b$q_3));
    }
    write(row + $ru, column + 4u * $qu, sum$r_$q);
}

fn write(row: u32, column: u32, sum: vec4<f32>) {
    if (row >= info[0] || column >= info[2]) {
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
