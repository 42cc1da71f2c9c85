// C = alpha · A × B (+ C) for A and B by rows, k and n in whole fours, for a GPU with many rows; see `staged_columns.wgsl`.
// Thread (x, y) has the rows y, y + 8, .. and the fours of columns x and x + 8 of the workgroup's 64 × 64 values.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
{{ right }}
@group(0) @binding({{ result }}) var<storage, read_write> result: array<vec4<f32>>;
// m, k, n, offsets of A, B, C, row strides of A, B, C, whether to add, alpha
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

const DEPTH = 4u;
const STRIDE = 65u;
// Of A fours along a row, of B fours along one: 16 rows of 16.
var<workgroup> lefts: array<vec4<f32>, 260>;
var<workgroup> rights: array<vec4<f32>, 256>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let m = info[0];
    let k = info[1] / 4u;
    let n = info[2] / 4u;
    let row = group.y * 64u;
    let column = group.x * 16u;
    var sum$r_$q = vec4<f32>(0.0);
    for (var begin = 0u; begin < k; begin += DEPTH) {
        for (var i = thread; i < 64u * DEPTH; i += 64u) {
            let line = i / DEPTH;
            let four = begin + i % DEPTH;
            var a = vec4<f32>(0.0);
            if (four < k) {
                // What lies past the last row or column is read from the last and thrown away.
                a = lhs[info[3] / 4u + min(row + line, m - 1u) * (info[6] / 4u) + four];
            }
            lefts[i % DEPTH * STRIDE + line] = a;
            var b = vec4<f32>(0.0);
            let deep = 4u * begin + i / 16u;
            if (deep < 4u * k) {
                b = right_four(info[4] / 4u + deep * (info[7] / 4u) + min(column + i % 16u, n - 1u));
            }
            rights[i] = b;
        }
        workgroupBarrier();
        for (var i = 0u; i < DEPTH; i++) {
            let b$q_0 = rights[i * 64u + local.x + 8u * $qu];
            let b$q_1 = rights[i * 64u + 16u + local.x + 8u * $qu];
            let b$q_2 = rights[i * 64u + 32u + local.x + 8u * $qu];
            let b$q_3 = rights[i * 64u + 48u + local.x + 8u * $qu];
            let a$r = lefts[i * STRIDE + local.y + 8u * $ru];
            sum$r_$q += a$r.x * b$q_0 + a$r.y * b$q_1 + a$r.z * b$q_2 + a$r.w * b$q_3;
        }
        workgroupBarrier();
    }
    write(row + local.y + 8u * $ru, column + local.x + 8u * $qu, sum$r_$q);
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
