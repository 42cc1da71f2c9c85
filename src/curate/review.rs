//! The reviewer (LANCE): a mark from 0 to 10 for a question and its answer, by the model that wrote them.
//!
//! [`request`] is put before the model, several times by chance; [`mark`] reads one review and [`mean`] the marks of all.
//! A small model cannot hold such a rubric: its reviews are noise. For it the likelihood stands in: ten times the
//! probability it gives the answer among all answers that are allowed ([`likelihood`]). A likelihood does not vary from one
//! draw to the next, so it is drawn once.

/// The highest mark.
pub const MOST: f64 = 10.0;

/// Models with fewer parameters than this are asked for likelihoods, not for reviews. Of SmolLM2-135M-Instruct the marks of
/// right answers and of wrong ones were found to be alike (docs/methods.md).
pub const SMALLEST_REVIEWER: u64 = 400_000_000;

/// What the reviewer is asked: ten points, one for each thing that is right, five about the question and five about the
/// answer.
pub fn request(instruction: &str, question: &str, answer: &str) -> String {
    format!(
        "Review a question and its answer. Give one point for each of these that holds.\n\
         Question: it is clear and gives enough context; it is neither too broad nor too narrow; it is not trivial; it \
         shows what kind of answer is wanted; it is harmless.\n\
         Answer: it is relevant; it covers what was asked; its core is right; it is complete and concise; it has the form \
         that was asked for.\n\
         Take points off for repetition and for missing the point.\n\
         Task: {instruction}\nQuestion: {question}\nAnswer: {answer}\n\
         First give your reasons in at most 100 words, then write \"Score: \" and a number from 0 to 10."
    )
}

/// What a judge is asked that says good or bad and nothing else: of the two words, how probable the first is counts.
#[cfg(not(target_arch = "wasm32"))]
pub fn verdict(question: &str, answer: &str) -> String {
    format!(
        "Is the response a good one to the instruction? Say good or bad.\nInstruction: {question}\nResponse: {answer}"
    )
}

/// The mark in a review: the number behind the first `score:`, if it lies between 0 and 10.
///
/// ```
/// use seedbed::curate::review::mark;
/// assert_eq!(mark("It is clear. **Score:** 7.5/10"), Some(7.5));
/// assert_eq!(mark("Score: 11"), None);
/// assert_eq!(mark("I would give it a seven."), None);
/// ```
pub fn mark(review: &str) -> Option<f64> {
    let lower = review.to_ascii_lowercase();
    let rest = &lower[lower.find("score")? + "score".len()..];
    let rest = rest.trim_start_matches(|c: char| c.is_whitespace() || "*_:=\"[(".contains(c));
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let mark: f64 = rest[..end].trim_end_matches('.').parse().ok()?;
    (0.0..=MOST).contains(&mark).then_some(mark)
}

/// The mean of the marks that could be read; 0 where none could, so that what nobody could review is never kept.
pub fn mean(marks: &[Option<f64>]) -> f64 {
    let read: Vec<f64> = marks.iter().copied().flatten().collect();
    if read.is_empty() {
        return 0.0;
    }
    read.iter().sum::<f64>() / read.len() as f64
}

/// Ten times the probability of answer `answer` among those scored (log-likelihoods, nats).
///
/// ```
/// let mark = seedbed::curate::review::likelihood(&[-1.0, -1.0], 0);
/// assert!((mark - 5.0).abs() < 1e-6);
/// ```
pub fn likelihood(scores: &[f32], answer: usize) -> f64 {
    let highest = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = scores
        .iter()
        .map(|score| f64::from(score - highest).exp())
        .sum();
    match scores.get(answer) {
        Some(score) if total.is_finite() && total > 0.0 => {
            MOST * f64::from(score - highest).exp() / total
        }
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_score_counts_and_only_within_the_scale() {
        assert_eq!(mark("Reasons.\nScore: 8"), Some(8.0));
        assert_eq!(mark("score 3 then Score: 9"), Some(3.0));
        assert_eq!(mark("Score: 6."), Some(6.0));
        assert_eq!(mark("Score: -2"), None);
        assert_eq!(mark("Score: 1.2.3"), None);
        assert_eq!(mark("Score:"), None);
        assert_eq!(mark("Größe SCORE: 4"), Some(4.0));
    }

    #[test]
    fn reviews_without_a_mark_do_not_count_and_none_at_all_is_zero() {
        assert_eq!(mean(&[Some(6.0), None, Some(9.0)]), 7.5);
        assert_eq!(mean(&[None, None, None]), 0.0);
        assert_eq!(mean(&[]), 0.0);
    }

    #[test]
    fn likelihoods_of_all_answers_add_up_to_ten_and_a_missing_one_has_none() {
        let scores = [-3.0, 0.5, f32::NEG_INFINITY, 2.0];
        let sum: f64 = (0..4).map(|answer| likelihood(&scores, answer)).sum();
        assert!((sum - 10.0).abs() < 1e-6);
        assert_eq!(likelihood(&scores, 4), 0.0);
        assert_eq!(likelihood(&[], 0), 0.0);
    }

    #[test]
    fn the_request_holds_question_and_answer() {
        let request = request("Sort.", "play jazz", "PlayMusic");
        assert!(request.contains("Question: play jazz\nAnswer: PlayMusic"));
    }
}
