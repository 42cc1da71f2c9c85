// One workgroup draws the token of one row. What depth and weight are says mod.rs; the CPU twin reckons the same.

@group(0) @binding(0) var<storage, {{ access }}> scores: array<u32>;
@group(0) @binding(1) var<storage, {{ access }}> seeds: array<u32>;
@group(0) @binding(2) var<storage, read_write> result: array<u32>;
// rows, vocabulary, slope as bits, top-k, top-p
@group(0) @binding({{ info }}) var<storage, read> info: array<u32>;

// Threads, and stretches of the row
const lanes = {{ lanes }}u;
// Of a histogram; they are summed in 16 stretches of 16 first
const bins = 256u;
const stretches = 16u;
const no_filter = 0xffffffffu;
const never = 0xffffffffu;
const step_bits = 26u;
const deepest = 2147483520.0;
const line = 32768u;

// Which tokens are left: those above a depth, and so many of the lowest ids at it.
struct Cut {
    depth: u32,
    ties: u32,
}

var<private> row: u32;
var<private> vocabulary: u32;
var<private> best: f32;
var<private> slope: f32;

var<workgroup> best_key: atomic<u32>;
var<workgroup> best_id: atomic<u32>;
// 64-bit sums: the low words and the high words
var<workgroup> lows: array<atomic<u32>, 256>;
var<workgroup> highs: array<atomic<u32>, 256>;
var<workgroup> sums: array<vec2<u32>, 16>;
var<workgroup> ties: array<u32, {{ lanes }}>;
var<workgroup> cut_found: Cut;

// 64-bit numbers are vec2: low word, high word.

fn plus(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x));
}

fn less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn product(a: u32, b: u32) -> vec2<u32> {
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let first = a1 * b0 + ((a0 * b0) >> 16u);
    let second = a0 * b1 + (first & 0xffffu);
    return vec2<u32>(a * b, a1 * b1 + (first >> 16u) + (second >> 16u));
}

// total · part / 2³², rounded down
fn share(total: vec2<u32>, part: u32) -> vec2<u32> {
    return plus(product(total.y, part), vec2<u32>(product(total.x, part).y, 0u));
}

fn mix_word(word: u32) -> u32 {
    var x = word;
    x = (x ^ (x >> 16u)) * 0x7feb352du;
    x = (x ^ (x >> 15u)) * 0x846ca68bu;
    return x ^ (x >> 16u);
}

// Numbers that are ordered as the scores are; 0 for what is never drawn
fn key_of(id: u32) -> u32 {
    // The bits are asked, for a shader may take it that floats are finite.
    var bits = scores[row * vocabulary + id];
    if ((bits & 0x7f800000u) == 0x7f800000u || !allowed_at(id)) {
        return 0u;
    }
    if (bits == 0x80000000u) {
        bits = 0u;
    }
    return select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
}

fn depth_of(id: u32) -> u32 {
    let bits = scores[row * vocabulary + id];
    if ((bits & 0x7f800000u) == 0x7f800000u || !allowed_at(id)) {
        return never;
    }
    let steps = (best - bitcast<f32>(bits)) * slope;
    return select(never, u32(min(steps, deepest)), steps < deepest);
}

// 2³¹ · 2^−depth, rounded down
fn weight(depth: u32) -> u32 {
    if (depth == never) {
        return 0u;
    }
    let f = depth << (32u - step_bits);
    var value = 2029165u;
    value = 19769301u - product(f, value).y;
    value = 118750173u - product(f, value).y;
    value = 515782929u - product(f, value).y;
    value = 1488514807u - product(f, value).y;
    value = 0x80000000u - product(f, value).y;
    return value >> (depth >> step_bits);
}

fn add(bin: u32, amount: vec2<u32>) {
    let before = atomicAdd(&lows[bin], amount.x);
    let high = amount.y + select(0u, 1u, before + amount.x < before);
    if (high > 0u) {
        atomicAdd(&highs[bin], high);
    }
}

fn bin_sum(bin: u32) -> vec2<u32> {
    return vec2<u32>(atomicLoad(&lows[bin]), atomicLoad(&highs[bin]));
}

// How many ties, each of this amount, it takes to come from `passed` to `reach`; at least one
fn ties_to(passed: vec2<u32>, reach: vec2<u32>, each: u32) -> u32 {
    var below = 0u;
    for (var bit = 1u << 24u; bit > 0u; bit >>= 1u) {
        if (less(plus(passed, product(below + bit, each)), reach)) {
            below += bit;
        }
    }
    return below + 1u;
}

// What is left of the kept tokens when those from the best down are kept until they reach the goal: so many tokens, or
// where they are weighed that share of the sum. The depth at which they do is found by its four digits of 8 bits.
fn narrowed(lane: u32, kept: Cut, weighed: bool, goal: u32) -> Cut {
    // The first thread's alone
    var reach = vec2<u32>(goal, 0u);
    var passed = vec2<u32>();
    // Everyone's
    var found = 0u;
    for (var level = 0u; level < 4u; level++) {
        let shift = 24u - 8u * level;
        for (var bin = lane; bin < bins; bin += lanes) {
            atomicStore(&lows[bin], 0u);
            atomicStore(&highs[bin], 0u);
        }
        workgroupBarrier();
        for (var id = lane; id < vocabulary; id += lanes) {
            let depth = depth_of(id);
            if (depth < kept.depth && (level == 0u || (depth >> (shift + 8u)) == found)) {
                var amount = 1u;
                if (weighed) {
                    amount = weight(depth);
                }
                add((depth >> shift) & 255u, vec2<u32>(amount, 0u));
            }
        }
        if (lane == 0u && kept.ties > 0u && (level == 0u || (kept.depth >> (shift + 8u)) == found)) {
            add((kept.depth >> shift) & 255u, product(kept.ties, weight(kept.depth)));
        }
        workgroupBarrier();
        if (lane < stretches) {
            var sum = vec2<u32>();
            for (var i = 0u; i < stretches; i++) {
                sum = plus(sum, bin_sum(lane * stretches + i));
            }
            sums[lane] = sum;
        }
        workgroupBarrier();
        if (lane == 0u) {
            if (weighed && level == 0u) {
                var total = vec2<u32>();
                for (var i = 0u; i < stretches; i++) {
                    total = plus(total, sums[i]);
                }
                reach = share(total, goal);
            }
            var stretch = 0u;
            while (stretch < stretches - 1u && less(plus(passed, sums[stretch]), reach)) {
                passed = plus(passed, sums[stretch]);
                stretch++;
            }
            var bin = stretch * stretches;
            let last = bin + stretches - 1u;
            while (bin < last && less(plus(passed, bin_sum(bin)), reach)) {
                passed = plus(passed, bin_sum(bin));
                bin++;
            }
            cut_found = Cut((found << 8u) | bin, 0u);
            if (level == 3u) {
                var each = 1u;
                if (weighed) {
                    each = weight(cut_found.depth);
                }
                cut_found.ties = ties_to(passed, reach, each);
            }
        }
        workgroupBarrier();
        found = cut_found.depth;
    }
    // Where there are fewer than the goal all stay.
    var left = kept;
    if (found != never) {
        left = cut_found;
    }
    return left;
}

@compute @workgroup_size({{ lanes }}, 1, 1)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    row = group.y * line + group.x;
    if (group.y * line + group.x >= info[0]) {
        return;
    }
    vocabulary = info[1];
    slope = bitcast<f32>(info[2]);

    // The best score, and the lowest id that has it
    if (lane == 0u) {
        atomicStore(&best_key, 0u);
        atomicStore(&best_id, never);
    }
    workgroupBarrier();
    var key = 0u;
    var first = never;
    for (var id = lane; id < vocabulary; id += lanes) {
        let other = key_of(id);
        if (other > key) {
            key = other;
            first = id;
        }
    }
    atomicMax(&best_key, key);
    workgroupBarrier();
    let highest = atomicLoad(&best_key);
    if (info[2] == 0u) {
        if (key == highest) {
            atomicMin(&best_id, first);
        }
        workgroupBarrier();
        if (lane == 0u) {
            result[row] = select(0u, atomicLoad(&best_id), highest > 0u);
        }
        return;
    }
    best = bitcast<f32>(select(~highest, highest & 0x7fffffffu, highest >= 0x80000000u));

    var cut = Cut(never, 0u);
    if (info[3] != no_filter) {
        cut = narrowed(lane, cut, false, info[3]);
    }
    if (info[4] != no_filter) {
        cut = narrowed(lane, cut, true, info[4]);
    }

    // Each thread sums a stretch of the row, and the first finds the stretch and in it the token.
    let length = (vocabulary + lanes - 1u) / lanes;
    let start = lane * length;
    var sum = vec2<u32>();
    var tied = 0u;
    for (var id = start; id < min(start + length, vocabulary); id++) {
        let depth = depth_of(id);
        if (depth < cut.depth) {
            sum = plus(sum, vec2<u32>(weight(depth), 0u));
        } else if (depth == cut.depth) {
            tied++;
        }
    }
    atomicStore(&lows[lane], sum.x);
    atomicStore(&highs[lane], sum.y);
    ties[lane] = tied;
    workgroupBarrier();
    if (lane > 0u) {
        return;
    }
    let each = weight(cut.depth);
    var total = vec2<u32>();
    var left = cut.ties;
    for (var i = 0u; i < lanes; i++) {
        let here = min(ties[i], left);
        left -= here;
        ties[i] = here;
        add(i, product(here, each));
        total = plus(total, bin_sum(i));
    }
    let mark = share(total, mix_word(mix_word(seeds[2u * row]) ^ mix_word(seeds[2u * row + 1u] + 0x9e3779b9u)));
    var passed = vec2<u32>();
    var stretch = 0u;
    while (stretch < lanes - 1u && !less(mark, plus(passed, bin_sum(stretch)))) {
        passed = plus(passed, bin_sum(stretch));
        stretch++;
    }
    left = ties[stretch];
    var drawn = 0u;
    for (var id = stretch * length; id < min((stretch + 1u) * length, vocabulary); id++) {
        let depth = depth_of(id);
        if (depth > cut.depth || (depth == cut.depth && left == 0u)) {
            continue;
        }
        if (depth == cut.depth) {
            left--;
        }
        passed = plus(passed, vec2<u32>(weight(depth), 0u));
        if (less(mark, passed)) {
            drawn = id;
            break;
        }
    }
    result[row] = drawn;
}
