// Four columns at a time, where a row's length is a multiple of four
alias Lane = vec4<f32>;
const WIDTH = 4u;

fn highest(lane: Lane) -> f32 {
    return max(max(lane.x, lane.y), max(lane.z, lane.w));
}

fn total(lane: Lane) -> f32 {
    return lane.x + lane.y + lane.z + lane.w;
}

// The first column with this score.
fn place(lane: Lane, score: f32) -> u32 {
    return select(select(select(3u, 2u, lane.z == score), 1u, lane.y == score), 0u, lane.x == score);
}

// One at this column, zero beside it and where the column lies outside.
fn one_at(column: u32) -> Lane {
    return select(Lane(0.0), Lane(1.0), vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(column));
}

fn score_at(index: u32) -> f32 {
    return scores[index / 4u][index % 4u];
}
