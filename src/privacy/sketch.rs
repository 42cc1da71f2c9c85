//! The sketch: a noisy histogram of the seeds over the public descriptors.

use std::borrow::Cow;

use serde::Serialize;

use super::descriptor::{Family, Text, families};
use super::{BriefError, Entropy, Epsilon, Release, discrete_laplace};
use crate::task::{Example, Task, TaskKind, ner};

/// The noisy counts of one family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// What the bins sort by.
    pub name: Cow<'static, str>,
    /// What was spent on it.
    pub epsilon: Epsilon,
    /// The bins that stand out from the noise, in their fixed order, with their noisy counts of texts.
    pub bins: Vec<(Cow<'static, str>, u64)>,
}

/// What may be told of the seeds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sketch {
    /// What it costs.
    pub release: Release,
    /// About how many seeds there are.
    pub seeds: u64,
    /// The families that can be told at this ε.
    pub families: Vec<Histogram>,
}

/// So many seeds' worth of noise scales a family needs before it is worth telling: a constant, and two for each bin.
const WORTH: f64 = 8.0;
const WORTH_OF_A_BIN: f64 = 2.0;

/// The name of the family of labels.
pub(super) const LABELS: &str = "Labels";

impl Sketch {
    /// Draws a sketch of the seeds that costs `epsilon`, or a little less.
    ///
    /// # The bound
    ///
    /// Take two sets of seeds, one of which has one seed more. (1) A tenth of ε, ε₀, goes to the number of seeds,
    /// which differs by 1; with discrete Laplace noise of scale 1/ε₀ its probabilities differ by a factor of at most
    /// e^ε₀. (2) Which families are told, and how finely, is chosen from that *noisy* number, from ε and from the
    /// kind and the number of labels, all of which are public by then; given the same noisy number, both sets choose the same k
    /// families. (3) Each family sorts a seed into at most one bin, so its counts differ by 1 in one bin and by 0 in
    /// the others; with noise of scale k/(ε − ε₀) on every bin of a family, empty ones too, each family's
    /// probabilities differ by a factor of at most e^((ε − ε₀)/k). (4) The noise of all families is independent, so the
    /// factors multiply: e^ε₀ · e^(ε − ε₀) = e^ε. (5) What follows (negative counts as zero, small bins left out,
    /// shares, rounding) looks at noisy counts only, and can undo nothing. Rounding ε/k down to a thousandth only
    /// spends less.
    ///
    /// # Errors
    ///
    /// [`BriefError::NoEntropy`], and [`BriefError::Epsilon`] for an ε too small to be split.
    pub fn draw(
        task: &Task,
        epsilon: Epsilon,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, BriefError> {
        let for_number = epsilon.split(10);
        let seeds = noisy(task.seeds.len() as u64, for_number, entropy)?;
        let plan = Plan::new(
            task.kind,
            seeds,
            epsilon.minus(for_number),
            task.labels.len(),
        );
        let texts: Vec<Text<'_>> = task.seeds.iter().map(Text::of).collect();
        let mut families = Vec::new();
        for family in &plan.families {
            let mut counts = vec![0; family.bins.len()];
            for text in &texts {
                if let Some(count) = (family.bin)(text).and_then(|bin| counts.get_mut(bin)) {
                    *count += 1;
                }
            }
            let names = family
                .bins
                .iter()
                .map(|name| Cow::Borrowed(*name))
                .collect();
            families.push(Histogram::draw(
                family.name,
                names,
                &counts,
                plan.epsilon,
                entropy,
            )?);
        }
        if plan.labels {
            let mut counts = vec![0; task.labels.len()];
            for seed in &task.seeds {
                if let Some(count) = counts.get_mut(label(task, seed)) {
                    *count += 1;
                }
            }
            let names = task.labels.iter().cloned().map(Cow::Owned).collect();
            families.push(Histogram::draw(
                LABELS,
                names,
                &counts,
                plan.epsilon,
                entropy,
            )?);
        }
        Ok(Self {
            release: Release::new(epsilon, entropy)?,
            seeds,
            families,
        })
    }
}

/// The bin of a seed among the labels: one, and its own alone. The group that a run puts a text with several types of entity
/// into hangs on how rare these are in all seeds, so that one seed could move others; here it is the type of the first.
fn label(task: &Task, seed: &Example) -> usize {
    match task.kind {
        TaskKind::Ner => {
            (ner::entities(seed).first()).map_or(task.types().len(), |first| first.label)
        }
        _ => seed.label,
    }
}

/// What is told, chosen from public figures only.
struct Plan {
    families: Vec<&'static Family>,
    /// Whether the labels' counts are told too.
    labels: bool,
    /// For each family.
    epsilon: Epsilon,
}

impl Plan {
    /// As many families as the noise leaves worth telling, in their order, each as fine as it can be.
    fn new(kind: TaskKind, seeds: u64, epsilon: Epsilon, labels: usize) -> Self {
        let all = families(kind);
        for parts in (1..=all.clone().count() + 1).rev() {
            let epsilon = epsilon.split(parts);
            // How many noise scales all seeds are together.
            let scales = seeds as f64 / epsilon.scale();
            let worth = |bins: usize| scales >= WORTH + WORTH_OF_A_BIN * bins as f64;
            let mut families: Vec<&Family> = (all.clone())
                .filter_map(|fineness| fineness.iter().find(|family| worth(family.bins.len())))
                .collect();
            let with_labels = worth(labels);
            if epsilon > Epsilon::ZERO && families.len() + usize::from(with_labels) >= parts {
                families.truncate(parts);
                return Self {
                    labels: families.len() < parts,
                    families,
                    epsilon,
                };
            }
        }
        Self {
            families: Vec::new(),
            labels: false,
            epsilon: Epsilon::ZERO,
        }
    }
}

impl Histogram {
    /// Adds noise to every bin, and leaves out those that could be noise alone.
    pub(super) fn draw(
        name: &'static str,
        names: Vec<Cow<'static, str>>,
        counts: &[u64],
        epsilon: Epsilon,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, BriefError> {
        let least = least_told(epsilon, counts.len());
        let mut bins = Vec::new();
        for (name, &count) in names.into_iter().zip(counts) {
            let count = noisy(count, epsilon, entropy)?;
            if count >= least {
                bins.push((name, count));
            }
        }
        Ok(Self {
            name: Cow::Borrowed(name),
            epsilon,
            bins,
        })
    }
}

/// Below this a noisy count is not told: of so many empty bins, one in ten sets would show any.
pub(super) fn least_told(epsilon: Epsilon, bins: usize) -> u64 {
    (epsilon.scale() * (2.0 + (bins.max(1) as f64).ln()))
        .ceil()
        .max(2.0) as u64
}

/// A count with noise; negative ones become zero.
pub(super) fn noisy(
    count: u64,
    epsilon: Epsilon,
    entropy: &mut dyn Entropy,
) -> Result<u64, BriefError> {
    let noise = discrete_laplace(epsilon, entropy)?;
    Ok(u64::try_from(
        i64::try_from(count)
            .unwrap_or(i64::MAX)
            .saturating_add(noise),
    )
    .unwrap_or(0))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::descriptor::FAMILIES;
    use super::super::noise::tests::Seeded;
    use super::*;

    pub(crate) fn task(seeds: &[(&str, usize)]) -> Task {
        Task {
            name: "t".into(),
            kind: TaskKind::Classification,
            instruction: "Sort these.".into(),
            labels: vec!["a".into(), "b".into()],
            seeds: seeds
                .iter()
                .map(|&(text, label)| Example::new(text, label))
                .collect(),
            test: vec![],
            licence: None,
            source: None,
            warnings: vec![],
        }
    }

    fn epsilon(thousandths: u32) -> Epsilon {
        Epsilon::new(thousandths).unwrap()
    }

    /// Between what and what the true probability lies, by Hoeffding's inequality; either end is wrong with a
    /// probability of at most `doubt`.
    fn interval(seen: usize, draws: usize, doubt: f64) -> (f64, f64) {
        let share = seen as f64 / draws as f64;
        let margin = ((1.0 / doubt).ln() / (2.0 * draws as f64)).sqrt();
        (share - margin, share + margin)
    }

    /// Neighbouring seed sets, many draws: for no outcome may the lower bound of its probability under one set lie
    /// above e^ε times the upper bound under the other. With 60,000 draws and a doubt of 1e-9 for each of some hundred
    /// comparisons, the test finds a violation of the bound wherever an outcome that is seen in half of the draws
    /// comes up an eighth more often than e^ε allows, and it would accuse a sound mechanism for less than one in a
    /// million choices of seeds for its bits.
    #[test]
    fn neighbouring_seed_sets_give_outcomes_within_the_bound() {
        let base: Vec<(&str, usize)> = vec![("play jazz", 0); 3];
        let mut more = base.clone();
        more.push((
            "who was the third man on the moon, and what did he do there?",
            1,
        ));
        let draws = 60_000;
        for thousandths in [400, 1000] {
            let bound = (f64::from(thousandths) / 1000.0).exp();
            let outcomes = |seeds: &[(&str, usize)], salt| {
                let (task, mut entropy) = (task(seeds), Seeded::new(salt));
                let mut seen = std::collections::BTreeMap::new();
                for _ in 0..draws {
                    let sketch = Sketch::draw(&task, epsilon(thousandths), &mut entropy).unwrap();
                    // Events that look at the whole sketch: how many seeds it tells of, what it tells, and both.
                    let told = sketch
                        .families
                        .iter()
                        .map(|family| family.bins.len())
                        .sum::<usize>();
                    let first = sketch
                        .families
                        .first()
                        .map(|family| family.bins.first().map(|bin| bin.1.min(12)));
                    for event in [
                        format!("n {}", sketch.seeds.min(12)),
                        format!("families {}", sketch.families.len()),
                        format!("bins {told}"),
                        format!("first {first:?}"),
                        format!("n {} first {first:?}", sketch.seeds.min(6)),
                    ] {
                        *seen.entry(event).or_insert(0) += 1;
                    }
                }
                seen
            };
            let (one, other) = (outcomes(&base, 1), outcomes(&more, 2));
            for (event, _) in one.iter().chain(&other) {
                let count = |seen: &std::collections::BTreeMap<String, usize>| {
                    interval(seen.get(event).copied().unwrap_or(0), draws, 1e-9)
                };
                let (a, b) = (count(&one), count(&other));
                assert!(
                    a.0 <= bound * b.1 && b.0 <= bound * a.1,
                    "ε {thousandths}: {event} {a:?} {b:?}"
                );
            }
        }
    }

    /// The tight case: all of ε on one family, and every pair of noisy counts an outcome of its own.
    #[test]
    fn one_family_of_neighbouring_counts_stays_within_the_bound() {
        let draws = 100_000;
        let bound = 1.0_f64.exp();
        let outcomes = |counts: &[u64], salt| {
            let mut entropy = Seeded::new(salt);
            let mut seen = std::collections::BTreeMap::new();
            for _ in 0..draws {
                let one = noisy(counts[0], epsilon(1000), &mut entropy).unwrap();
                let other = noisy(counts[1], epsilon(1000), &mut entropy).unwrap();
                for event in [(Some(one.min(6)), other.min(4)), (None, other.min(4))] {
                    *seen.entry(event).or_insert(0) += 1;
                }
            }
            seen
        };
        let (a, b) = (outcomes(&[2, 0], 3), outcomes(&[2, 1], 4));
        let mut tight = 0;
        for event in a.keys().chain(b.keys()) {
            let chance = |seen: &std::collections::BTreeMap<_, usize>| {
                interval(seen.get(event).copied().unwrap_or(0), draws, 1e-9)
            };
            let (a, b) = (chance(&a), chance(&b));
            assert!(
                a.0 <= bound * b.1 && b.0 <= bound * a.1,
                "{event:?} {a:?} {b:?}"
            );
            tight += usize::from(a.1 > 0.8 * bound * b.0 || b.1 > 0.8 * bound * a.0);
        }
        // The bound is nearly reached, so that the comparison says something.
        assert!(tight > 0);
    }

    /// The tests above can fail: counts with too little noise are found out.
    #[test]
    fn too_little_noise_is_found_out() {
        let draws = 20_000;
        let zeros = |count: u64, salt| {
            let mut entropy = Seeded::new(salt);
            (0..draws)
                .filter(|_| noisy(count, epsilon(2000), &mut entropy).unwrap() == 0)
                .count()
        };
        let (a, b) = (
            interval(zeros(0, 1), draws, 1e-9),
            interval(zeros(1, 2), draws, 1e-9),
        );
        // Noise for ε = 2 keeps the bound of 2, and breaks that of 1.
        assert!(a.0 <= 2.0_f64.exp() * b.1);
        assert!(a.0 > 1.0_f64.exp() * b.1);
    }

    #[test]
    fn the_families_never_cost_more_than_epsilon() {
        for seeds in [0, 3, 20, 70, 200, 5000] {
            for thousandths in [10, 100, 500, 1000, 2000, 8000, 100_000] {
                let number = epsilon(thousandths).split(10);
                let rest = epsilon(thousandths).minus(number);
                let plan = Plan::new(TaskKind::Ner, seeds, rest, 7);
                let parts = plan.families.len() as u32 + u32::from(plan.labels);
                assert!(number.thousandths() + parts * plan.epsilon.thousandths() <= thousandths);
            }
        }
    }

    #[test]
    fn less_is_told_when_seeds_or_epsilon_are_few() {
        let told = |seeds, thousandths| {
            let plan = Plan::new(TaskKind::Classification, seeds, epsilon(thousandths), 7);
            plan.families
                .iter()
                .map(|family| family.bins.len())
                .sum::<usize>()
                + usize::from(plan.labels)
        };
        assert_eq!(told(3, 2000), 0);
        assert!(told(20, 2000) > 0 && told(20, 2000) < told(70, 2000));
        assert!(told(70, 2000) < told(500, 2000));
        assert!(told(70, 500) < told(70, 2000));
        assert_eq!(
            told(1_000_000, 10_000),
            FAMILIES.iter().map(|f| f[0].bins.len()).sum::<usize>() + 1
        );
    }

    #[test]
    fn bins_that_could_be_noise_are_not_told_and_large_ones_are() {
        let seeds: Vec<(&str, usize)> = vec![("play some slow jazz", 0); 400];
        let (task, mut shown) = (task(&seeds), 0);
        for salt in 0..200 {
            let sketch = Sketch::draw(&task, epsilon(2000), &mut Seeded::new(salt)).unwrap();
            let form = sketch
                .families
                .iter()
                .find(|family| family.name == "Form")
                .unwrap();
            assert!(
                form.bins
                    .iter()
                    .any(|(name, count)| name == "command" && *count > 300)
            );
            shown += form.bins.len() - 1;
        }
        assert!(shown < 40, "{shown} of 400 empty bins were told");
    }

    #[test]
    fn a_sketch_holds_no_text_of_a_seed() {
        let seeds: Vec<(&str, usize)> = vec![("zebulon plays kazoo", 0); 300];
        let sketch = Sketch::draw(&task(&seeds), epsilon(20_000), &mut Seeded::new(1)).unwrap();
        let json = serde_json::to_string(&sketch).unwrap();
        assert!(
            !json.contains("zebulon") && !json.contains("kazoo"),
            "{json}"
        );
    }

    #[test]
    fn one_seed_more_adds_one_to_one_bin_of_each_family_of_entities() {
        let rows = [
            "{\"tokens\":[\"Ann\",\"in\",\"Rome\"],\"tags\":[\"B-who\",\"O\",\"B-where\"]}\n",
            "{\"tokens\":[\"Bo\",\"in\",\"Oslo\"],\"tags\":[\"B-who\",\"O\",\"B-where\"]}\n",
            "{\"tokens\":[\"so\",\"it\",\"goes\"],\"tags\":[\"O\",\"O\",\"O\"]}\n",
        ];
        // The one that comes makes `where` the more frequent type, which puts the others into the other group.
        let more = "{\"tokens\":[\"Rome\",\"Bern\",\"Kiel\"],\"tags\":[\"B-where\",\"B-where\",\"B-where\"]}\n";
        let json = r#"{"task":"t","type":"ner","instruction":"i","labels":["where","who"]}"#;
        let read = |rows: &str| crate::task::parse(json, rows, None).unwrap();
        let (few, many) = (read(&rows.concat()), read(&(rows.concat() + more)));
        let groups = |task: &Task| {
            task.seeds[..3]
                .iter()
                .map(|seed| seed.label)
                .collect::<Vec<_>>()
        };
        assert_ne!(groups(&few), groups(&many));
        for (one, other) in few.seeds.iter().zip(&many.seeds) {
            assert_eq!(label(&few, one), label(&many, other));
            for family in families(TaskKind::Ner).flatten() {
                assert_eq!((family.bin)(&Text::of(one)), (family.bin)(&Text::of(other)));
            }
        }
    }

    #[test]
    fn an_epsilon_too_small_to_split_is_refused() {
        let task = task(&[("x", 0)]);
        assert!(Sketch::draw(&task, epsilon(9), &mut Seeded::new(1)).is_err());
    }
}
