//! Runs that are killed at every single moment: before and after every request to a host, before
//! and after every commit. The next run settles what is open, the one after it has nothing to do.

use std::path::Path;
use std::sync::Arc;

use crate::chance::Chance;
use crate::in_simulated_time;
use crate::many;
use crate::operator::Source;
use crate::story::{self, Story};
use crate::text::{GROUND, Text};
use crate::world::World;

/// How many scenarios there are.
const SCENARIOS: usize = 200;

/// Two configurations: the second is applied over the first, and dies.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called: a file of the suites, or a number.
    pub name: String,
    /// What is there.
    pub before: String,
    /// What is to be there.
    pub after: String,
}

/// What became of a scenario.
#[derive(Clone, Debug, Default)]
pub struct Exhausted {
    /// At how many moments the run was killed.
    pub moments: u64,
    /// What was broken, with the moment.
    pub violations: Vec<String>,
}

/// The scenarios: those of the suites in which one text follows another, and random ones up to
/// the full number. All of them can be carried out in peace; a text that is refused, or wants what
/// somebody has to make by hand, is none.
///
/// # Errors
/// When the suites cannot be read.
pub fn scenarios(suites: &Path) -> Result<Vec<Scenario>, String> {
    let mut all = Vec::new();
    for file in files(suites).map_err(|error| format!("{}: {error}", suites.display()))? {
        let text = std::fs::read_to_string(&file).map_err(|error| error.to_string())?;
        let name = file.strip_prefix(suites).unwrap_or(&file).display().to_string();
        all.extend(of_suite(&name, &text));
    }
    all.extend((0..SCENARIOS as u64).map(random));
    let possible = many::each(&all, |own| in_simulated_time(told(own, None)).is_ok());
    let possible = all.into_iter().zip(possible).filter(|(_, possible)| *possible);
    Ok(possible.map(|(own, _)| own).take(SCENARIOS).collect())
}

fn random(number: u64) -> Scenario {
    let mut chance = Chance::of(1_000_000 + number);
    let mut text = Text::draw(&mut chance);
    let before = text.write();
    for _ in 0..chance.number(1, 4) {
        text.edit(&mut chance);
    }
    Scenario { name: format!("random {number}"), before, after: text.write() }
}

fn files(suites: &Path) -> std::io::Result<Vec<std::path::PathBuf>> {
    let mut all = Vec::new();
    for directory in std::fs::read_dir(suites)? {
        for file in std::fs::read_dir(directory?.path())? {
            all.push(file?.path());
        }
    }
    all.sort();
    Ok(all)
}

/// The texts of a suite that follow one another. Texts that are refused are no scenarios, nor are
/// those that wait for a value from elsewhere.
fn of_suite(name: &str, markdown: &str) -> Vec<Scenario> {
    let deployment = tcloud_model::Deployment::new("lab");
    let blocks = markdown.split("~~~tcloud\n").skip(1);
    let texts: Vec<String> = blocks
        .filter_map(|block| Some(format!("{GROUND}{}", block.split_once("~~~")?.0)))
        .filter(|text| Source::of(text, &deployment).is_ok() && !text.contains("param "))
        .collect();
    let pairs = std::iter::once(GROUND.to_owned()).chain(texts.clone()).zip(texts);
    let scenario = |(number, (before, after))| {
        let name = format!("{name} {number}");
        Scenario { name, before, after }
    };
    (1..).zip(pairs).map(scenario).collect()
}

/// Kills a run of the scenario at every moment that it has.
pub fn kill_everywhere(scenario: &Scenario) -> Exhausted {
    let mut exhausted = Exhausted::default();
    let mut kill = |moment: Option<u64>| {
        let ended = in_simulated_time(told(scenario, moment));
        let (moments, found) = ended.unwrap_or_else(|error| (0, vec![error]));
        let (name, when) = (&scenario.name, moment.unwrap_or(0));
        let found = found.into_iter().map(|what| format!("{name}, killed at {when}: {what}"));
        exhausted.violations.extend(found);
        moments
    };
    let moments = kill(None);
    for moment in 1..=moments {
        kill(Some(moment));
    }
    exhausted.moments = moments;
    exhausted
}

/// The scenario, with its second run killed at a moment. Returns how many moments that run had,
/// and what was broken.
async fn told(scenario: &Scenario, moment: Option<u64>) -> Result<(u64, Vec<String>), String> {
    let world = World::new(Chance::of(moment.unwrap_or(0)), &story::hosts(), None);
    let before = Arc::new(Source::of(&scenario.before, &world.deployment)?);
    let after = Arc::new(Source::of(&scenario.after, &world.deployment)?);
    let story = Story::about(Arc::clone(&world), before);
    story.reach().await?;
    let mut story = Story::about(Arc::clone(&world), after);
    let moments = story.run_killed_at(moment).await?;
    story.recovers().await?;
    let violations = std::mem::take(&mut world.inner().oracle.violations);
    Ok((moments, violations))
}
