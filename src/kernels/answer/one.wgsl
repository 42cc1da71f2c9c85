// One column at a time, where a row's length is no multiple of four
alias Lane = f32;
const WIDTH = 1u;

fn highest(lane: Lane) -> f32 {
    return lane;
}

fn total(lane: Lane) -> f32 {
    return lane;
}

fn place(lane: Lane, score: f32) -> u32 {
    return 0u;
}

fn one_at(column: u32) -> Lane {
    return select(0.0, 1.0, column == 0u);
}

fn score_at(index: u32) -> f32 {
    return scores[index];
}
