// C = Aᵀ × B for A by rows [k, m] and B by rows [k, n]; m and n are multiples of 4.
//
// Each step adds the outer product of four elements of A and four of B.

@group(0) @binding(0) var<storage, {{ access }}> lhs: array<vec4<f32>>;
@group(0) @binding(1) var<storage, {{ access }}> rhs: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4<f32>>;
// m, k, n, batch stride of A, of B, row stride of A, of B; in elements
@group(0) @binding(3) var<storage, read> info: array<u32>;

@compute @workgroup_size({{ columns }}, {{ rows }}, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let m = info[0] / 4u;
    let k = info[1];
    let n = info[2] / 4u;
    if (id.x >= n || id.y >= m) {
        return;
    }
    var left = id.z * (info[3] / 4u) + id.y;
    var right = id.z * (info[4] / 4u) + id.x;
    let left_step = info[5] / 4u;
    let right_step = info[6] / 4u;
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var i = 0u; i < k; i++) {
        let a = lhs[left];
        let b = rhs[right];
        left += left_step;
        right += right_step;
        sum0 += a.x * b;
        sum1 += a.y * b;
        sum2 += a.z * b;
        sum3 += a.w * b;
    }
    let base = (id.z * m * 4u + id.y * 4u) * n + id.x;
    result[base] = sum0;
    result[base + n] = sum1;
    result[base + 2u * n] = sum2;
    result[base + 3u * n] = sum3;
}
