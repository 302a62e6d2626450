//! Commands and options of other tools: how the same is done here. Somebody types them at night.

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use tcloud_model::diagnostic::nearest;

use crate::arguments::Arguments;
use crate::escape::escape;
use crate::failure::Failure;

/// What is said instead of the parser's own message, where more is known.
pub(crate) fn explain(error: &clap::Error) -> Option<Failure> {
    let (kind, of) = match error.kind() {
        ErrorKind::InvalidSubcommand => (ContextKind::InvalidSubcommand, "command"),
        ErrorKind::UnknownArgument => (ContextKind::InvalidArg, "option"),
        _ => return None,
    };
    let Some(ContextValue::String(word)) = error.get(kind) else { return None };
    if of == "option" {
        let ours = option(word)?;
        return Some(Failure::new(format!("there is no option `{word}`")).help(ours));
    }
    let failure = Failure::new(format!("there is no command `{word}`"));
    if let Some(ours) = command(word) {
        return Some(failure.help(ours));
    }
    // The usage names the command that this was to be a part of.
    let usage = error.get(ContextKind::Usage).map(ToString::to_string).unwrap_or_default();
    let mut known = Arguments::command();
    for word in usage.split_whitespace() {
        known = known.find_subcommand(word).cloned().unwrap_or(known);
    }
    let names: Vec<&str> = known.get_subcommands().map(clap::Command::get_name).collect();
    Some(match nearest(word, names.iter().copied()) {
        Some(near) => failure.help(format!("did you mean `{near}`?")),
        None if names.len() > 12 => failure.help("`tcloud --help` lists what there is"),
        None => failure.help(format!("what there is: {}", names.join(", "))),
    })
}

/// A long option with one dash, as Go's programs have them: `-out=x` would be `-o ut=x` here.
pub(crate) fn one_dash(words: &[String]) -> Option<Failure> {
    let known = |name: &str| {
        let long = |command: &clap::Command| {
            command.get_arguments().any(|own| own.get_long().is_some_and(|long| long == name))
        };
        let root = Arguments::command();
        let found = long(&root) || root.get_subcommands().any(long);
        found || option(&format!("--{name}")).is_some()
    };
    let wrong = words.iter().take_while(|own| *own != "--").find(|own| {
        let name = own.strip_prefix('-').and_then(|rest| rest.split('=').next());
        name.is_some_and(|name| name.len() > 1 && !name.starts_with('-') && known(name))
    })?;
    let failure = Failure::new(format!("`{wrong}` has one dash"));
    let name = wrong.split('=').next().unwrap_or(wrong);
    Some(match option(&format!("-{name}")) {
        Some(ours) => failure.help(ours),
        None => failure.help(format!("options with a long name have two: `-{}`", escape(wrong))),
    })
}

/// A command of another tool.
fn command(word: &str) -> Option<&'static str> {
    Some(match word {
        "validate" | "lint" | "verify" => "`tcloud check` checks the text",
        "format" | "fmt-check" => "`tcloud fmt` brings the text into its form",
        "preview" | "status" | "dry-run" => {
            "`tcloud plan` shows what would change, `tcloud drift` what was changed by hand"
        }
        "up" | "deploy" | "update" | "upgrade" | "create" | "run" | "converge" => {
            "`tcloud apply` makes what runs be what the text says"
        }
        "down" => "`tcloud destroy` takes everything down",
        "delete" | "remove" => {
            "take it out of the text, then `tcloud apply`; `tcloud destroy` takes everything down"
        }
        "import" => "`tcloud adopt HOST` writes text for what others made, and takes it over",
        "refresh" => "`tcloud apply --refresh-only` brings the record up to date with what runs",
        "taint" | "untaint" | "recreate" => "`tcloud apply --replace ADDRESS` makes it anew",
        "unlock" | "force-unlock" | "cancel" => {
            "nothing has to be unlocked: the lease of a run that died ends by itself within a minute"
        }
        "mv" | "move" | "rename" => "write `moved OLD -> NEW` into the text; the plan shows it",
        "rm" => {
            "`tcloud state forget ADDRESS` drops the record; `forget ADDRESS` in the text lets go of \
             the object"
        }
        "ls" | "list" | "get" | "resources" => "`tcloud state list` lists what is managed",
        "pull" | "export" | "dump" => "`tcloud state export` writes all that is remembered",
        "push" | "restore" => "`tcloud state rebuild` makes the state anew from what runs",
        "log" | "logs" | "events" => "`tcloud history` shows who applied what, and when",
        "blame" => "`tcloud why ADDRESS` says why something would change",
        "rollback" | "undo" | "revert" => {
            "bring the older text back, as with `git revert`, then `tcloud plan`"
        }
        "test" => "`check NAME { assert … }` in the text is tried with every plan",
        "workspace" | "stack" | "env" => {
            "a project is a directory (`-C DIR`), and `--var` tells its environments apart"
        }
        "providers" | "plugins" => "`tcloud provider list` lists them",
        "outputs" => "`tcloud output` shows them",
        "docs" | "doc" | "man" => "`tcloud explain` describes kinds and errors",
        "help" => "`tcloud --help`, or `tcloud COMMAND --help`",
        "shell" | "repl" => "`tcloud console` evaluates expressions",
        _ => return None,
    })
}

/// An option of another tool.
fn option(word: &str) -> Option<&'static str> {
    Some(match word.split('=').next().unwrap_or(word) {
        "--auto-approve" | "--force" | "--non-interactive" => "`--yes` asks nothing",
        "--detailed-exitcode" | "--expect-no-changes" => "`--exit-code` does that",
        "--chdir" | "--cwd" => "`-C DIR` works there",
        "--lock" | "--lock-timeout" => "runs wait for each other by themselves",
        "--no-color" => "`--color never` does that",
        "--refresh" => "hosts are always asked; `--refresh-only` changes nothing but the record",
        "--diff" | "--dry-run" | "--check" => "`tcloud plan` shows what apply would do",
        "--debug" => "`-vv` says what is asked of hosts",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::terminal::Palette;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn said(line: &str) -> String {
        if let Some(failure) = one_dash(&words(line)) {
            return failure.render(Palette::PLAIN);
        }
        let error = Arguments::try_parse_from(words(line)).expect_err(line);
        explain(&error).map_or(String::new(), |failure| failure.render(Palette::PLAIN))
    }

    #[test]
    fn words_of_other_tools_lead_to_ours() {
        for (line, ours) in [
            ("tcloud validate", "tcloud check"),
            ("tcloud import", "tcloud adopt"),
            ("tcloud refresh", "--refresh-only"),
            ("tcloud taint x", "--replace"),
            ("tcloud test", "assert"),
            ("tcloud state mv a b", "moved OLD -> NEW"),
            ("tcloud state rm a", "tcloud state forget"),
            ("tcloud aplly", "did you mean `apply`?"),
            ("tcloud state lits", "did you mean `list`?"),
            ("tcloud frobnicate", "`tcloud --help` lists"),
            ("tcloud state frobnicate", "what there is: list, show"),
            ("tcloud apply --auto-approve", "--yes"),
            ("tcloud apply -auto-approve", "--yes"),
            ("tcloud plan -out=x", "`--out=x`"),
            ("tcloud plan -json", "`--json`"),
        ] {
            assert!(said(line).contains(ours), "{line}: {}", said(line));
        }
    }

    #[test]
    fn short_options_stay_as_they_are() {
        for line in
            ["tcloud plan -vv -q", "tcloud plan -o x", "tcloud fmt -- -out", "tcloud -Cout plan"]
        {
            assert!(one_dash(&words(line)).is_none(), "{line}");
        }
    }
}
