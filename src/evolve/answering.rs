//! Answers that are written, token by token: the entities of a text, and free answers to questions. As far as the task says
//! what they may look like, they are held to it: entities are copied from the text, choices chosen, numbers written as such.

use std::cell::OnceCell;
use std::rc::Rc;

use super::Monitor;
use super::journal::{Kept, Sum};
use super::reading::Reading;
use super::stages::Bench;
use crate::Error;
use crate::generate::{Sampling, Shape, Spelling};
use crate::model::{Adapter, Model};
use crate::task::{Answer, Example, Task, TaskKind, ner, qa};
use crate::train::{Pair, Row, reference_logps};

/// Of the seeds' answers, the share that must stand in their passages for all answers to have to.
const GROUNDED: f64 = 0.9;

/// What the seeds' answers look like.
#[derive(Default)]
pub(super) struct Answering {
    /// Most tokens of an answer.
    pub limit: usize,
    /// Made when it is first needed.
    pub spelling: OnceCell<Rc<Spelling>>,
    /// All are plain numbers.
    numbers: bool,
    /// They stand in the passage, or in the question where there is none.
    grounded: bool,
    /// Most tokens of an entity.
    longest: usize,
    /// Entities end where punctuation does, not only at spaces.
    marks: bool,
    /// Instructions have more than one line.
    lines: bool,
}

impl Answering {
    pub fn new(model: &Model, task: &Task) -> Result<Self, Error> {
        let mut found = Self::default();
        if !task.is_open() {
            return Ok(found);
        }
        found.numbers = task.kind == TaskKind::Qa;
        let mut grounded = 0;
        for seed in &task.seeds {
            found.lines |= task.kind == TaskKind::Instruct && seed.text.contains('\n');
            let said = task.said(seed);
            let tokens = model.vocabulary.answer(&said)?.len();
            found.limit = found.limit.max(tokens + tokens / 2 + 8);
            found.numbers &= is_plain_number(&said);
            let place = seed.context.as_deref().unwrap_or(&seed.text);
            grounded += usize::from(qa::stands_in(&said, place));
            let ends = ner::tokens(&seed.text, false);
            for entity in ner::entities(seed) {
                let words = ner::tokens(entity.of(&seed.text), true).len();
                found.longest = found.longest.max(words + 1);
                found.marks |= !ends.iter().any(|end| end.0 == entity.start)
                    || !ends.iter().any(|end| end.1 == entity.end);
            }
        }
        let least = GROUNDED * task.seeds.len() as f64;
        found.grounded = task.kind == TaskKind::Qa && grounded as f64 >= least;
        Ok(found)
    }

    /// What an answer must look like; none where it may be any line.
    fn shape(&self, task: &Task, example: &Example) -> Option<Shape> {
        match task.kind {
            TaskKind::Ner => return Some(self.entities(task, &example.text)),
            TaskKind::Instruct => return None,
            _ => {}
        }
        let choices: Vec<&str> = qa::choices(&example.text).collect();
        match choices.is_empty() {
            false => Some(Shape::choice(choices)),
            true => self.numbers.then_some(Shape::JsonNumber),
        }
    }

    /// No entity, or some, each a type and a run of the text's tokens.
    fn entities(&self, task: &Task, text: &str) -> Shape {
        let tokens = ner::tokens(text, self.marks);
        let runs = (0..tokens.len()).map(|first| run(text, &tokens[first..], self.longest));
        let types = task.types().iter().map(|name| format!("{name}: "));
        let item = Shape::Sequence(vec![Shape::choice(types), Shape::OneOf(runs.collect())]);
        let some = Shape::Repeat {
            item: Box::new(item),
            between: "; ".into(),
            least: 1,
            most: None,
        };
        Shape::OneOf(vec![Shape::Text(ner::NOTHING.into()), some])
    }
}

/// The first token, or the first few.
fn run(text: &str, tokens: &[(usize, usize)], most: usize) -> Shape {
    let Some((start, end)) = tokens.first().copied() else {
        return Shape::OneOf(Vec::new());
    };
    let word = Shape::Text(text[start..end].to_owned());
    match tokens.get(1) {
        Some(next) if most > 1 => {
            let gap = Shape::Text(text[end..next.0].to_owned());
            let more = Shape::Sequence(vec![gap, run(text, &tokens[1..], most - 1)]);
            let end = Shape::Text(String::new());
            Shape::Sequence(vec![word, Shape::OneOf(vec![end, more])])
        }
        _ => word,
    }
}

/// Whether a text is a number as [`Shape::JsonNumber`] writes them.
fn is_plain_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    let sound =
        |part: &str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    sound(whole) && sound(rest) && (whole == "0" || !whole.starts_with('0'))
}

impl Bench<'_> {
    /// Whether a text that is written ends with its first line.
    pub(super) fn one_line(&self) -> bool {
        !self.answering.lines
    }

    /// Answers to examples, written by greedy decoding or drawn. A free response that does not end is none; where `cut`, it is
    /// taken as far as it goes.
    pub async fn answers_to(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        rows: &[&Example],
        (sampling, cut): (Sampling, bool),
        seed: u64,
    ) -> Result<Vec<Answer>, Error> {
        let (task, answering) = (self.task, &self.answering);
        let mut answers = Vec::with_capacity(rows.len());
        for (batch, rows) in rows.chunks(self.settings.readers).enumerate() {
            let seed = seed.wrapping_add(batch as u64);
            let mut prompts = Vec::with_capacity(rows.len());
            let mut limit = answering.limit;
            for row in rows {
                prompts.push(self.asked(row)?);
                for choice in qa::choices(&row.text) {
                    limit = limit.max(self.model.vocabulary.answer(choice)?.len());
                }
            }
            let mut shapes: Option<Vec<Shape>> =
                rows.iter().map(|row| answering.shape(task, row)).collect();
            if let Some(shapes) = &mut shapes
                && shapes.iter().all(|shape| *shape == shapes[0])
            {
                shapes.truncate(1);
            }
            let held = match &shapes {
                Some(shapes) => {
                    let held =
                        self.shaped(monitor, adapter, &prompts, limit, sampling, shapes, seed);
                    match held.await {
                        // A text of too many words to copy from, or of letters that no token spells.
                        Err(Error::Generate(_)) => None,
                        other => Some(other?),
                    }
                }
                None => None,
            };
            let texts = match held {
                Some(texts) => texts,
                None => {
                    let one_line = task.kind != TaskKind::Instruct;
                    self.texts(
                        monitor,
                        adapter,
                        &prompts.into(),
                        limit,
                        sampling,
                        one_line,
                        seed,
                    )
                    .await?
                }
            };
            answers.extend(rows.iter().zip(texts).map(|(row, text)| match task.kind {
                TaskKind::Instruct if !text.finished && !cut => Answer::Text(Vec::new()),
                _ => task.heard(row, &text.text),
            }));
        }
        Ok(answers)
    }

    /// Answers rows, those of like length together.
    pub(super) async fn read_open(
        &self,
        monitor: &mut Monitor<'_>,
        adapter: Option<&Adapter>,
        rows: &[Example],
        order: &[usize],
    ) -> Result<Reading, Error> {
        let before = self.tokens();
        let mut answers = vec![Answer::Label; rows.len()];
        let mut losses: Vec<(f64, f64)> = Vec::new();
        let mut done = 0;
        for batch in order.chunks(self.settings.readers) {
            let asked: Vec<&Example> = batch.iter().map(|row| &rows[*row]).collect();
            let found = self
                .answers_to(monitor, adapter, &asked, (Sampling::GREEDY, true), 0)
                .await?;
            for (row, answer) in batch.iter().zip(found) {
                answers[*row] = answer;
            }
            if self.task.kind == TaskKind::Instruct {
                let made = asked.iter().map(|row| self.labelling_row(row));
                let made: Vec<Row> = made.collect::<Result<_, _>>()?;
                let means = self.token_logps(monitor, adapter, &made).await?;
                for (made, mean) in made.iter().zip(means) {
                    let tokens = made.answers() as f64;
                    losses.push((-mean * tokens, tokens));
                }
            }
            done += batch.len();
            monitor.tick(done).await?;
        }
        #[cfg(not(target_arch = "wasm32"))]
        let marks = self.judged(monitor, rows, &answers).await?;
        // Measuring is no part of what writing costs.
        self.set_tokens(before);
        let (mut sum, mut tokens) = (0.0, 0.0);
        for loss in &losses {
            sum += loss.0;
            tokens += loss.1;
        }
        let predicted = rows.iter().zip(&answers).map(|(row, answer)| {
            let answered = Example {
                answer: answer.clone(),
                ..row.clone()
            };
            // An answer may have entities of several types; where it has the row's own, that is what it is taken for.
            match self.task.stands_for(&answered, row.label) {
                true => row.label,
                false => self.task.group(&answered),
            }
        });
        Ok(Reading {
            predicted: predicted.collect(),
            answers,
            log_likelihood: -sum / f64::max(tokens, 1.0),
            losses,
            #[cfg(not(target_arch = "wasm32"))]
            marks,
        })
    }

    /// The mean log-probability of a token of each row's answer, nats.
    pub(super) async fn token_logps(
        &self,
        monitor: &Monitor<'_>,
        adapter: Option<&Adapter>,
        rows: &[Row],
    ) -> Result<Vec<f64>, Error> {
        let of = Sum::new().rows(rows).end();
        if let Some(kept) = monitor.recall("logps", of)? {
            let numbers = kept.numbers.into_iter();
            return Ok(numbers.map(|bits| f32::from_bits(bits).into()).collect());
        }
        let pairs: Vec<Pair> = rows
            .chunks(2)
            .map(|two| Pair {
                chosen: two[0].clone(),
                rejected: two[two.len() - 1].clone(),
            })
            .collect();
        let found = monitor
            .whole(reference_logps(self.model, adapter, &pairs))
            .await?;
        let sums = found.iter().flat_map(|pair| [pair.chosen, pair.rejected]);
        let means: Vec<f32> = rows
            .iter()
            .zip(sums)
            .map(|(row, sum)| (sum / row.answers().max(1) as f64) as f32)
            .collect();
        monitor.keep(Kept {
            what: "logps".into(),
            of,
            numbers: means.iter().map(|mean| mean.to_bits()).collect(),
            ..Kept::default()
        });
        Ok(means.into_iter().map(f64::from).collect())
    }

    /// Whether an answer can be one: there is something in it, and it stands in the passage where the seeds' do.
    pub(super) fn is_answer(&self, example: &Example) -> bool {
        let Answer::Text(texts) = &example.answer else {
            return true;
        };
        let place = example.context.as_deref().unwrap_or(&example.text);
        texts
            .first()
            .is_some_and(|text| !self.answering.grounded || qa::stands_in(text, place))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::task::parse;

    fn people() -> Task {
        parse(
            r#"{"task":"t","type":"ner","instruction":"i","labels":["person","place"]}"#,
            "{\"tokens\":[\"Ann\",\"left\"],\"tags\":[\"B-person\",\"O\"]}\n{\"tokens\":[\"so\",\"it\"],\"tags\":[\"O\",\"O\"]}",
            None,
        )
        .unwrap()
    }

    #[test]
    fn answers_are_copied_from_the_text() {
        let task = people();
        let answering = Answering {
            longest: 2,
            ..Answering::default()
        };
        let shape = answering.entities(&task, "Bo Day met Cy .");
        for said in [
            "none",
            "person: Bo Day",
            "place: met; person: Cy",
            "person: Day met",
        ] {
            assert!(shape.fits(said), "{said}");
        }
        for said in [
            "",
            "person: Bo Day met",
            "person: Da",
            "animal: Bo",
            "none; person: Bo",
            "person: Ed",
        ] {
            assert!(!shape.fits(said), "{said}");
        }
        // Whatever fits is heard.
        let example = Example::new("Bo Day met Cy .", 0);
        match task.heard(&example, "place: met; person: Cy") {
            Answer::Entities(entities) => assert_eq!(entities.len(), 2),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn choices_and_numbers_have_their_shapes() {
        let task = parse(
            r#"{"task":"t","type":"qa","instruction":"i"}"#,
            "5\tone\n-7.5\ttwo",
            None,
        )
        .unwrap();
        let mut answering = Answering {
            numbers: true,
            ..Answering::default()
        };
        assert_eq!(
            answering.shape(&task, &task.seeds[0]),
            Some(Shape::JsonNumber)
        );
        let choice = Example::new("which Choices: a b; c", 0);
        let shape = answering.shape(&task, &choice).unwrap();
        assert!(shape.fits("a b") && shape.fits("c") && !shape.fits("b"));
        answering.numbers = false;
        assert_eq!(answering.shape(&task, &task.seeds[0]), None);
    }

    #[test]
    fn plain_numbers_are_those_of_the_shape() {
        for text in [
            "0",
            "-3",
            "12.50",
            "123456789",
            "01",
            "1,000",
            "1/2",
            "",
            "-",
            ".5",
            "5.",
            "1234567890",
            "1e5",
        ] {
            assert_eq!(
                is_plain_number(text),
                Shape::JsonNumber.fits(text),
                "{text}"
            );
        }
    }
}
