// C = alpha · A × B (+ C) for A by rows and B by columns (a weight's rows), k in whole fours, for a GPU with many rows: a
// workgroup makes 64 × 64 values, and what its threads share of both sides goes through workgroup memory, 16 deep.
//
// Thread (x, y) has the rows y, y + 8, .. and the columns x, x + 8, .. of it, so that neighbours read and write neighbouring
// values. Lines with $r stand there once for each of its rows, those with $q once for each four of its columns.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
{{ right }}
@group(0) @binding({{ result }}) var<storage, read_write> result: array<f32>;
// m, k, n, offsets of A, B, C, row stride of A, column stride of B, row stride of C, whether to add, alpha
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

const DEPTH = 4u;
// One more than the lines, so that neighbouring fours of a line lie in different banks.
const STRIDE = 65u;
var<workgroup> lefts: array<vec4<f32>, 260>;
var<workgroup> rights: array<vec4<f32>, 260>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {
    let m = info[0];
    let k = info[1] / 4u;
    let n = info[2];
    let row = group.y * 64u;
    let column = group.x * 64u;
    var sum$r_$q = vec4<f32>(0.0);
    for (var begin = 0u; begin < k; begin += DEPTH) {
        for (var i = thread; i < 64u * DEPTH; i += 64u) {
            let line = i / DEPTH;
            let four = begin + i % DEPTH;
            var a = vec4<f32>(0.0);
            var b = vec4<f32>(0.0);
            if (four < k) {
                // What lies past the last row or column is read from the last and thrown away.
                a = lhs[info[3] / 4u + min(row + line, m - 1u) * (info[6] / 4u) + four];
                b = right_four(info[4] / 4u + min(column + line, n - 1u) * (info[7] / 4u) + four);
            }
            lefts[i % DEPTH * STRIDE + line] = a;
            rights[i % DEPTH * STRIDE + line] = b;
        }
        workgroupBarrier();
        for (var i = 0u; i < DEPTH; i++) {
            let b$q_0 = rights[i * STRIDE + local.x + 32u * $qu];
            let b$q_1 = rights[i * STRIDE + local.x + 32u * $qu + 8u];
            let b$q_2 = rights[i * STRIDE + local.x + 32u * $qu + 16u];
            let b$q_3 = rights[i * STRIDE + local.x + 32u * $qu + 24u];
            let a$r = lefts[i * STRIDE + local.y + 8u * $ru];
            sum$r_$q += vec4<f32>(dot(a$r, b$q_0), dot(a$r, b$q_1), dot(a$r, b$q_2), dot(a$r, b$q_3));
        }
        workgroupBarrier();
    }
    write(row + local.y + 8u * $ru, column + local.x + 32u * $qu, sum$r_$q);
}

fn write(row: u32, column: u32, sum: vec4<f32>) {
    let value = bitcast<f32>(info[10]) * sum;
    for (var i = 0u; i < 4u; i++) {
        if (row < info[0] && column + 8u * i < info[2]) {
            let at = info[5] + row * info[8] + column + 8u * i;
            if (info[9] == 1u) {
                result[at] += value[i];
            } else {
                result[at] = value[i];
            }
        }
    }
}
