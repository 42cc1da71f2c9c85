//! Recipes at the desk: as a file that a person reads and edits, and as options. Both are read off the library's table of
//! knobs.

use std::fmt::Write;
use std::path::Path;

use clap::error::ErrorKind;
use seedbed::Error;
use seedbed::evolve::{KNOBS, Knob, Recipe, Settings, knob};
use serde_json::Value;
use toml::de::{DeTable, DeValue};

/// Print a recipe as a file to edit: every knob with its doc line, its range and its usual value.
#[derive(Debug, clap::Args)]
pub struct RecipeOf {
    /// `psi`, `lance` or `evokd`, or a recipe file to fill up with the knobs it does not name.
    recipe: String,
    /// Print all knobs as one object instead.
    #[arg(long)]
    json: bool,
}

impl RecipeOf {
    /// Does it.
    pub fn run(self) -> Result<(), Error> {
        let settings = open(&self.recipe)?;
        match self.json {
            true => super::print(&table(&settings)),
            false => {
                print!("{}", write(&settings));
                Ok(())
            }
        }
    }
}

/// The settings of a recipe by its name, or out of a file.
pub fn open(recipe: &str) -> Result<Settings, Error> {
    let known = Recipe::ALL.into_iter().find(|known| known.name() == recipe);
    if let Some(recipe) = known {
        return Ok(Settings::of(recipe));
    }
    let text = std::fs::read_to_string(Path::new(recipe)).map_err(|cause| {
        Error::Setting(format!(
            "{recipe} is neither psi, lance nor evokd, nor a file that can be read ({cause}); `seedbed recipe psi` prints one"
        ))
    })?;
    read(&text)
        .map_err(|(line, problem)| Error::Setting(format!("{recipe} line {line}: {problem}")))
}

/// Reads a recipe file; an error has its line, from 1.
fn read(text: &str) -> Result<Settings, (usize, String)> {
    let line = |at: usize| text[..at.min(text.len())].matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        (
            line(at),
            format!("{}; see `seedbed recipe psi`", error.message()),
        )
    })?;
    let mut settings = Settings::default();
    let mut given = Vec::new();
    for (key, value) in table.get_ref().iter() {
        let line = line(key.span().start);
        let value = json(value.get_ref())
            .map_err(|problem| (line, format!("{}: {problem}", key.get_ref())))?;
        if key.get_ref() == "recipe" {
            let recipe = Recipe::ALL
                .into_iter()
                .find(|recipe| value == recipe.name());
            let unknown = || {
                (
                    line,
                    format!("the recipe {value} is not known; there are psi, lance and evokd"),
                )
            };
            settings = Settings::of(recipe.ok_or_else(unknown)?);
        } else {
            given.push((line, key.get_ref().to_string(), value));
        }
    }
    // In the order of the file, so that the first mistake is the one that is told.
    given.sort_by_key(|(line, ..)| *line);
    for (line, name, value) in given {
        knob(&name)
            .and_then(|knob| knob.set(&mut settings, &value))
            .map_err(|problem| (line, problem))?;
    }
    Ok(settings)
}

fn json(value: &DeValue<'_>) -> Result<Value, String> {
    let number = |text: &str| {
        let plain = text.replace('_', "");
        serde_json::from_str(plain.trim_start_matches('+'))
            .map_err(|_| format!("{text} is no plain number"))
    };
    match value {
        DeValue::String(text) => Ok(Value::from(text.as_ref())),
        DeValue::Integer(integer) => number(&integer.to_string()),
        DeValue::Float(float) => number(float.as_str()),
        DeValue::Boolean(switch) => Ok(Value::from(*switch)),
        DeValue::Array(items) => (items.iter().map(|item| json(item.get_ref()))).collect(),
        DeValue::Datetime(_) | DeValue::Table(_) => {
            Err("a recipe holds numbers, words, switches and lists of words".into())
        }
    }
}

/// A recipe as a file.
pub fn write(settings: &Settings) -> String {
    let mut settings = settings.clone();
    let recipe = settings.recipe;
    let mut text = format!(
        "# A recipe of Seedbed: `seedbed run TASK --recipe FILE`. What is left out keeps its usual value.\n\n\
         recipe = \"{}\"\n",
        recipe.name()
    );
    for knob in KNOBS.iter().filter(|knob| knob.serves(recipe)) {
        let value = knob.get(&mut settings);
        for line in wrapped(&help(knob)) {
            let _ = write!(text, "\n# {line}");
        }
        let _ = match value {
            // TOML knows no nothing; such a knob is left to the engine unless the mark is taken away.
            Value::Null => writeln!(text, "\n# {} =", knob.name),
            value => writeln!(text, "\n{} = {value}", knob.name),
        };
    }
    text
}

/// The doc line with the range.
fn help(knob: &Knob) -> String {
    let doc = knob.doc.trim();
    match knob.range {
        Some((least, most)) => format!("{doc} From {least} to {most}."),
        None => doc.to_owned(),
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.len() - 1;
        if lines[last].len() + word.len() > 100 {
            lines.push(word.to_owned());
        } else {
            let space = if lines[last].is_empty() { "" } else { " " };
            lines[last].extend([space, word]);
        }
    }
    lines
}

/// All knobs of a recipe as an object: its value, doc line and range.
fn table(settings: &Settings) -> Value {
    let mut settings = settings.clone();
    let recipe = settings.recipe;
    let mut knobs = serde_json::Map::new();
    knobs.insert("recipe".into(), recipe.name().into());
    for knob in KNOBS.iter().filter(|knob| knob.serves(recipe)) {
        let value = knob.get(&mut settings);
        let range = knob.range.map(|(least, most)| [least, most]);
        let knob_as = serde_json::json!({"value": value, "doc": knob.doc.trim(), "range": range});
        knobs.insert(knob.name.into(), knob_as);
    }
    Value::Object(knobs)
}

/// The knobs that were given as options.
#[derive(Debug, Clone, Default)]
pub struct Options(Vec<(&'static str, Value)>);

impl Options {
    /// Sets them.
    pub fn apply(&self, settings: &mut Settings) -> Result<(), Error> {
        for (name, value) in &self.0 {
            knob(name)
                .and_then(|knob| knob.set(settings, value))
                .map_err(Error::Setting)?;
        }
        Ok(())
    }
}

impl clap::Args for Options {
    fn augment_args(command: clap::Command) -> clap::Command {
        let mut usual = Settings::default();
        let names = KNOBS.iter().map(|knob| knob.name);
        let group = clap::ArgGroup::new("knobs").args(names).multiple(true);
        let command = KNOBS.iter().fold(command, |command, knob| {
            let value = knob.get(&mut usual);
            let mut help = help(knob);
            if !knob.recipes.is_empty() {
                let names: Vec<&str> = knob.recipes.iter().map(|recipe| recipe.name()).collect();
                help = format!("{}: {help}", names.join(", "));
            }
            // What every recipe has in common is told; a row's usual ones are each recipe's own.
            if !value.is_null() && !value.is_array() && !value.is_boolean() {
                let _ = write!(help, " [usual: {}]", value.to_string().trim_matches('"'));
            }
            // clap wants words that live as long as the process.
            let long: &'static str = match knob.name {
                "ablations" => "ablate",
                name => name.replace('_', "-").leak(),
            };
            let argument = clap::Arg::new(knob.name).long(long).help(&*help.leak());
            command.arg(match value {
                Value::Bool(_) => argument
                    .num_args(0..=1)
                    .require_equals(true)
                    .value_name("true|false")
                    .default_missing_value("true"),
                Value::Array(_) => argument.value_delimiter(',').value_name("NAMES"),
                Value::String(_) => argument.value_name("WORD"),
                _ => argument.value_name("N"),
            })
        });
        command.group(group)
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl clap::FromArgMatches for Options {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let mut usual = Settings::default();
        let mut given = Vec::new();
        for knob in KNOBS {
            let Some(mut words) = matches.get_many::<String>(knob.name) else {
                continue;
            };
            let value = match knob.get(&mut usual) {
                Value::Array(_) => words.map(|word| Value::from(word.as_str())).collect(),
                _ => words.next_back().map_or(Value::Null, |word| value_of(word)),
            };
            knob.set(&mut usual, &value).map_err(|problem| {
                clap::Error::raw(ErrorKind::ValueValidation, format!("{problem}\n"))
            })?;
            given.push((knob.name, value));
        }
        Ok(Self(given))
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// A number or a switch where it reads as one, else a word.
fn value_of(word: &str) -> Value {
    match serde_json::from_str(word) {
        Ok(value @ (Value::Number(_) | Value::Bool(_))) => value,
        _ => Value::from(word),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_printed_recipe_reads_back_as_it_was() {
        for recipe in Recipe::ALL {
            let text = write(&Settings::of(recipe));
            assert_eq!(write(&read(&text).unwrap()), text);
        }
    }

    #[test]
    fn what_a_file_says_is_set_and_the_rest_is_usual() {
        let settings = read("recipe = \"lance\"\nseed = 7\njudge = \"rubric\"\ntemperature = 0.5\nablations = [\"sft_only\"]\n").unwrap();
        assert_eq!(settings.recipe, Recipe::Lance);
        assert_eq!((settings.seed, settings.rounds()), (7, 2));
        assert_eq!(settings.sampling.temperature, 0.5);
        assert_eq!(settings.ablations.len(), 1);
        assert!(settings.judge.is_some());
    }

    #[test]
    fn an_unknown_key_a_wrong_value_and_bad_toml_name_their_line_and_the_remedy() {
        for (text, line, words) in [
            (
                "recipe = \"psi\"\n\nsede = 3",
                3,
                "there are rows, ablations, seed,",
            ),
            (
                "seed = 1\nepochs = 0",
                2,
                "epochs is 0; it must lie between 1 and 1000",
            ),
            ("voter = \"me\"", 1, "expected one of"),
            ("recipe = \"evolve\"", 1, "there are psi, lance and evokd"),
            ("seed = 1\nseed 2", 2, "seedbed recipe psi"),
            ("seed = \"one\"", 1, "seed: invalid type"),
            ("[psi]\nseed = 1", 1, "psi"),
        ] {
            let (at, problem) = read(text).unwrap_err();
            assert_eq!(at, line, "{text}: {problem}");
            assert!(problem.contains(words), "{problem}");
        }
    }
}
