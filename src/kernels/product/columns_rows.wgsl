// C = alpha · A × B (+ C) for A by columns and B by rows, m and n in whole fours: sums of outer products.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
{{ right }}
@group(0) @binding({{ result }}) var<storage, read_write> result: array<vec4<f32>>;
// m, k, n, offsets of A, B, C, column stride of A, row strides of B and C, whether to add, alpha
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let k = info[1];
    if (id.x >= info[2] / 4u || id.y >= info[0] / 4u) {
        return;
    }
    var left = info[3] / 4u + id.y;
    var right = info[4] / 4u + id.x;
    let left_step = info[6] / 4u;
    let right_step = info[7] / 4u;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let a = lhs[left];
        let b = right_four(right);
        left += left_step;
        right += right_step;
        sum0 += a.x * b;
        sum1 += a.y * b;
        sum2 += a.z * b;
        sum3 += a.w * b;
    }
    write(id.y * 4u, id.x, sum0);
    write(id.y * 4u + 1u, id.x, sum1);
    write(id.y * 4u + 2u, id.x, sum2);
    write(id.y * 4u + 3u, id.x, sum3);
}

fn write(row: u32, column: u32, sum: vec4<f32>) {
    let at = (info[5] + row * info[8]) / 4u + column;
    var value = bitcast<f32>(info[10]) * sum;
    if (info[9] == 1u) {
        value += result[at];
    }
    result[at] = value;
}
