// y (+)= act(root · (W·(g ⊙ x) + s·B·A·(g ⊙ x)) + bias): a product with all that stands around it when a few tokens are read.
//
// Lines with $r stand there once for each row of a thread's tile, those with $q once for each four of its columns. A line
// behind `@word` is there only where the kernel has that part; behind `@!word` only where it has not.

@group(0) @binding(0) var<storage, {{ access }}> x: array<vec4<f32>>;
{{ right }}
@norm @group(0) @binding({{ gain }}) var<storage, {{ access }}> gain: array<vec4<f32>>;
@bias @group(0) @binding({{ bias }}) var<storage, {{ access }}> bias: array<f32>;
@lora @group(0) @binding({{ factors }}) var<storage, {{ access }}> factors: array<vec4<f32>>;
@group(0) @binding({{ result }}) var<storage, read_write> result: array<f32>;
// rows of x, fours of a row, columns of the result, 1 / width, eps, the side path's scale, where its a begins (in fours), its
// rank, whether the gate is GELU (tanh), and for three parts of the side path first and last column and where its b begins
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

const ROWS = {{ rows }}u;
const FOURS = {{ fours }}u;
const THREADS = {{ threads }}u;
// Threads that share the columns of a tile, each taking every LANESth four of a row.
const LANES = {{ lanes }}u;
// Columns of the result that a tile makes.
const WIDTH = {{ width }}u;

// Sums of single threads.
@memory var<workgroup> parts: array<f32, {{ parts }}>;
@squares var<workgroup> squares: array<f32, {{ squares }}>;
// The side path's narrow middle: for each row A·(g ⊙ x).
@lora const NARROW = {{ narrow }}u;
@lora var<workgroup> middle: array<f32, {{ middle }}>;

@compute @workgroup_size({{ threads }}, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
    let k = info[1];
    let n = info[2];
    let lane = thread % LANES;
    let row = group.y * ROWS;
    let column = (group.x * (THREADS / LANES) + thread / LANES) * WIDTH;
    @lora narrow(thread, row, group.x * (THREADS / LANES) * WIDTH);
    // Threads past the last column have nothing to do, but they may not miss a barrier.
    let end = select(0u, k, column < n);
    // What lies past the last row or column is read from the last and thrown away.
    let left$r = min(row + $ru, info[0] - 1u) * k;
    let last = n - 1u;
    @!gate let right$q_0 = min(column + 4u * $qu, last) * k;
    @!gate let right$q_1 = min(column + 4u * $qu + 1u, last) * k;
    @!gate let right$q_2 = min(column + 4u * $qu + 2u, last) * k;
    @!gate let right$q_3 = min(column + 4u * $qu + 3u, last) * k;
    @gate let right$q_0 = (min(column, last) + $qu * n) * k;
    @gate let right$q_1 = (min(column + 1u, last) + $qu * n) * k;
    @gate let right$q_2 = (min(column + 2u, last) + $qu * n) * k;
    @gate let right$q_3 = (min(column + 3u, last) + $qu * n) * k;
    var square$r = 0.0;
    var sum$r_$q = vec4<f32>(0.0);
    for (var i = lane; i < end; i += LANES) {
        let b$q_0 = right_four(right$q_0 + i);
        let b$q_1 = right_four(right$q_1 + i);
        let b$q_2 = right_four(right$q_2 + i);
        let b$q_3 = right_four(right$q_3 + i);
        @norm let g = gain[i];
        @norm let v$r = x[left$r + i];
        @norm square$r += dot(v$r, v$r);
        @norm let a$r = v$r * g;
        @!norm let a$r = x[left$r + i];
        sum$r_$q += vec4<f32>(dot(a$r, b$q_0), dot(a$r, b$q_1), dot(a$r, b$q_2), dot(a$r, b$q_3));
    }
    @!shared @!gate finish(row + $ru, $ru, column + 4u * $qu, sum$r_$q, vec4<f32>(), square$r);
    @!shared @gate finish(row + $ru, $ru, column, sum$r_0, sum$r_1, square$r);
    @shared let at = thread * ROWS * FOURS * 4u;
    @shared parts[at + ($ru * FOURS + $qu) * 4u] = sum$r_$q.x;
    @shared parts[at + ($ru * FOURS + $qu) * 4u + 1u] = sum$r_$q.y;
    @shared parts[at + ($ru * FOURS + $qu) * 4u + 2u] = sum$r_$q.z;
    @shared parts[at + ($ru * FOURS + $qu) * 4u + 3u] = sum$r_$q.w;
    @squares squares[thread * ROWS + $ru] = square$r;
    @shared workgroupBarrier();
    @shared let first = thread - lane;
    @shared @!gate for (var o = lane; o < ROWS * FOURS; o += LANES) {
    @shared @!gate     let r = o / FOURS;
    @shared @!gate     finish(row + r, r, column + 4u * (o % FOURS), total(first, o), vec4<f32>(), square_of(first, r));
    @shared @!gate }
    @shared @gate for (var r = lane; r < ROWS; r += LANES) {
    @shared @gate     finish(row + r, r, column, total(first, 2u * r), total(first, 2u * r + 1u), square_of(first, r));
    @shared @gate }
}

// One four of a tile, summed over the threads that share it.
@shared fn total(first: u32, o: u32) -> vec4<f32> {
@shared     var sum = vec4<f32>(0.0);
@shared     for (var l = 0u; l < LANES; l++) {
@shared         let at = ((first + l) * ROWS * FOURS + o) * 4u;
@shared         sum += vec4<f32>(parts[at], parts[at + 1u], parts[at + 2u], parts[at + 3u]);
@shared     }
@shared     return sum;
@shared }

@shared fn square_of(first: u32, r: u32) -> f32 {
@shared     var sum = 0.0;
@squares     for (var l = 0u; l < LANES; l++) {
@squares         sum += squares[(first + l) * ROWS + r];
@squares     }
@shared     return sum;
@shared }

// What the result adds to a sum, and where it goes.
fn finish(row: u32, local: u32, column: u32, sum: vec4<f32>, beside: vec4<f32>, square: f32) {
    let n = info[2];
    if (row >= info[0] || column >= n) {
        return;
    }
    var value = sum;
    @gate var up = beside;
    @lora value += side(local, column);
    @lora @gate up += side(local, column + n);
    @norm let root = inverseSqrt(square * bitcast<f32>(info[3]) + bitcast<f32>(info[4]));
    @norm value *= root;
    @norm @gate up *= root;
    @gate value = vec4(activated(value.x), activated(value.y), activated(value.z), activated(value.w)) * up;
    let at = row * n + column;
    for (var i = 0u; i < min(n - column, 4u); i++) {
        var one = value[i];
        @bias one += bias[column + i];
        @add one += result[at + i];
        result[at + i] = one;
    }
}

@gate fn activated(v: f32) -> f32 {
@gate     if (info[8] == 1u) {
@gate         let inner = clamp(0.7978846 * (v + 0.044715 * v * v * v), -15.0, 15.0);
@gate         return 0.5 * v * (1.0 + tanh(inner));
@gate     }
@gate     return v / (1.0 + exp(-v));
@gate }

// What the side path adds to four columns of a row.
@lora fn side(local: u32, column: u32) -> vec4<f32> {
@lora     return bitcast<f32>(info[5])
@lora         * vec4<f32>(one_side(local, column), one_side(local, column + 1u), one_side(local, column + 2u), one_side(local, column + 3u));
@lora }

@lora fn one_side(local: u32, column: u32) -> f32 {
@lora     let rank = info[7];
@lora     var sum = 0.0;
@lora     for (var p = 0u; p < 3u; p++) {
@lora         let part = 9u + 3u * p;
@lora         if (column >= info[part] && column < info[part + 1u]) {
@lora             let b = info[part + 2u] + (column - info[part]) * rank;
@lora             for (var q = 0u; q < rank; q++) {
@lora                 sum += middle[local * NARROW + p * rank + q] * factors[(b + q) / 4u][(b + q) % 4u];
@lora             }
@lora         }
@lora     }
@lora     return sum;
@lora }

// Fills `middle` for the parts of the side path that this workgroup's columns belong to.
@lora fn narrow(thread: u32, row: u32, column: u32) {
@lora     let k = info[1];
@lora     let rank = info[7];
@lora     var begin = 0u;
@lora     var end = NARROW;
@lora     @!gate for (var p = 0u; p < 3u; p++) {
@lora     @!gate     if (info[10u + 3u * p] <= column) {
@lora     @!gate         begin = min((p + 1u) * rank, NARROW);
@lora     @!gate     }
@lora     @!gate     if (info[9u + 3u * p] >= column + (THREADS / LANES) * WIDTH) {
@lora     @!gate         end = min(end, p * rank);
@lora     @!gate     }
@lora     @!gate }
@lora     let wanted = max(end, begin) - begin;
@lora     let lane = thread % LANES;
@lora     for (var done = 0u; done < ROWS * wanted; done += {{ batch }}u) {
@lora         let count = min(ROWS * wanted - done, {{ batch }}u);
@lora         for (var o = thread / LANES; o < count; o += THREADS / LANES) {
@lora             let left = min(row + (done + o) / wanted, info[0] - 1u) * k;
@lora             let right = info[6] + (begin + (done + o) % wanted) * k;
@lora             var sum = vec4<f32>(0.0);
@lora             for (var i = lane; i < k; i += LANES) {
@lora                 @norm sum += x[left + i] * gain[i] * factors[right + i];
@lora                 @!norm sum += x[left + i] * factors[right + i];
@lora             }
@lora             parts[o * LANES + lane] = dot(sum, vec4<f32>(1.0));
@lora         }
@lora         workgroupBarrier();
@lora         for (var o = thread; o < count; o += THREADS) {
@lora             var sum = 0.0;
@lora             for (var l = 0u; l < LANES; l++) {
@lora                 sum += parts[o * LANES + l];
@lora             }
@lora             middle[(done + o) / wanted * NARROW + begin + (done + o) % wanted] = sum;
@lora         }
@lora         workgroupBarrier();
@lora     }
@lora }
