// The sum of the partial sums, by one workgroup, always in the same order

@group(0) @binding(0) var<storage, {{ access }}> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> result: array<f32>;
// partial sums
@group(0) @binding(2) var<storage, read> info: array<u32>;

var<workgroup> sums: array<f32, {{ total_threads }}>;

@compute @workgroup_size({{ total_threads }}, 1, 1)
fn main(@builtin(local_invocation_index) thread: u32) {
    var sum = 0.0;
    for (var i = thread; i < info[0]; i += {{ total_threads }}u) {
        sum += partial[i];
    }
    sums[thread] = sum;
    workgroupBarrier();
    for (var half = {{ total_threads }}u / 2u; half > 0u; half /= 2u) {
        if (thread < half) {
            sums[thread] += sums[thread + half];
        }
        workgroupBarrier();
    }
    if (thread == 0u) {
        result[0] = sums[0];
    }
}
