
// One workgroup a row. Each thread adds up all parts by itself: more sums than in a tree, but a single barrier.

fn row_of(id: vec3<u32>, group: vec3<u32>) -> u32 {
    return group.x;
}

fn lane_of(local: vec3<u32>) -> u32 {
    return local.x;
}

const lanes = {{ threads }}u;

var<workgroup> parts: array<vec2<f32>, {{ threads }}>;

fn total(lane: u32, part: vec2<f32>) -> vec2<f32> {
    parts[lane] = part;
    workgroupBarrier();
    var sum = vec2<f32>();
    for (var i = 0u; i < lanes; i++) {
        sum += parts[i];
    }
    return sum;
}
