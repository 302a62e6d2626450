//! The options of `tcloud ci`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::forge::Forge;

/// Talks to a forge.
#[derive(Debug, Args)]
#[command(
    after_help = "Example, in a job for a merge request:\n  tcloud plan --report markdown=plan.md && tcloud ci comment plan.md\n\n\
    Recipes for GitLab, GitHub, Forgejo and Gitea lie in examples/ci."
)]
pub(crate) struct Ci {
    #[command(subcommand)]
    pub(crate) command: CiCommand,
}

/// What can be done at a forge.
#[derive(Debug, Subcommand)]
pub(crate) enum CiCommand {
    /// Write a report as the one comment of a plan: the first time it is made, then updated.
    Comment(Comment),
}

/// Writes the comment.
#[derive(Debug, Args)]
#[command(
    after_help = "In a job of GitLab CI, GitHub Actions, Forgejo Actions or Gitea Actions everything but the token is\n\
    known. The token is read from TCLOUD_FORGE_TOKEN, or else from GITLAB_TOKEN, GITHUB_TOKEN,\n\
    FORGEJO_TOKEN or GITEA_TOKEN; it has to be allowed to write comments, and nothing more.\n\n\
    Only a comment of the token's own user is updated. One that fails for a moment is tried again."
)]
pub(crate) struct Comment {
    /// The report, as `tcloud plan --report markdown=FILE` writes it; `-` is standard input.
    #[arg(required_unless_present = "failed")]
    pub(crate) file: Option<PathBuf>,
    /// Say that there is no plan, since it failed; an older one would be believed.
    #[arg(long, conflicts_with = "file")]
    pub(crate) failed: bool,
    /// The forge. Default: the one whose job this is.
    #[arg(long, value_enum)]
    pub(crate) forge: Option<Forge>,
    /// The address of its API, such as `https://git.town.example/api/v1`.
    #[arg(long, value_name = "URL")]
    pub(crate) api: Option<String>,
    /// The project: `OWNER/NAME`, in GitLab also its number.
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// The number of the merge request or pull request.
    #[arg(long)]
    pub(crate) number: Option<u64>,
    /// Whose comment it is, where the token may not ask for its own name.
    #[arg(long, value_name = "LOGIN")]
    pub(crate) author: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::arguments::Arguments;

    /// The commands of a recipe, with a word for each variable.
    fn commands(text: &str) -> Vec<Vec<String>> {
        let text = text.replace("\\\n", " ");
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let commands = lines.filter_map(|line| {
            let command = &line[line.find("tcloud ").filter(|at| {
                let before = line[..*at].trim_end();
                before.is_empty() || before.ends_with(['-', ':', ')'])
            })?..];
            let end = command.find(" || ").or_else(|| command.find(';')).unwrap_or(command.len());
            let words = command[..end].split_whitespace().filter(|word| *word != "$TCLOUD_ALLOW");
            Some(words.filter(|word| *word != "\"$@\"").map(|word| word.replace('"', "")).collect())
        });
        commands.collect()
    }

    #[test]
    fn the_recipes_call_commands_that_there_are() {
        let recipes = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/ci");
        let read = |file: &str| std::fs::read_to_string(recipes.join(file)).expect(file);
        for (file, number) in [
            ("plan.sh", 3),
            ("gitlab/.gitlab-ci.yml", 5),
            ("github/tcloud.yml", 6),
            ("forgejo/tcloud.yml", 5),
        ] {
            let commands = commands(&read(file));
            assert_eq!(commands.len(), number, "{file}: {commands:?}");
            for command in commands {
                let parsed = Arguments::try_parse_from(&command);
                assert!(parsed.is_ok(), "{file}: {command:?}: {}", parsed.expect_err("wrong"));
            }
        }
    }
}
