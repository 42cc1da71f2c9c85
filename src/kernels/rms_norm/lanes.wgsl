
// Several threads a row. Each adds up the parts of its row by itself: more sums than in a tree, but a single barrier.

fn row_of(id: vec3<u32>) -> u32 {
    return (id.y * {{ span }} + id.x) / lanes;
}

const lanes = {{ lanes }}u;

var<workgroup> parts: array<vec2<f32>, {{ threads }}>;

fn total(thread: u32, part: vec2<f32>) -> vec2<f32> {
    parts[thread] = part;
    workgroupBarrier();
    let first = thread - thread % lanes;
    var sum = vec2<f32>();
    for (var i = 0u; i < lanes; i++) {
        sum += parts[first + i];
    }
    return sum;
}
