//! The command line: every command with its options and help texts.

mod address;
mod ci;
mod provider;
mod report;
mod run;
mod sim;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::ArgValueCandidates;

pub(crate) use address::Consent;
pub(crate) use ci::{Ci, CiCommand, Comment};
pub(crate) use provider::{Provider, ProviderCommand, TestProvider};
pub(crate) use report::{Reports, Wanted};
pub(crate) use run::{Agree, Apply, Destroy, Diff, Drift, Plan, Run, Scope, Watch};
pub(crate) use sim::{Break, Latency, SetDrift, Sim, SimCommand, Target};

use crate::completion;
use crate::context::Told;

/// Colours of the help text.
const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

/// The heading of the options that every command has.
const EVERYWHERE: &str = "Everywhere";

const AFTER_HELP: &str = "\
A first run:
  tcloud init && tcloud plan && tcloud apply

Exit codes:
  0  nothing to do, or done         2  there are changes (plan --exit-code)
  1  something went wrong           4  somebody has to decide      5  the plan file is stale

`tcloud explain vm` describes a kind, `tcloud explain E0101` an error.";

/// Infrastructure as code for people who run virtual machines for others.
///
/// You write what should run in `.tcloud` files; tcloud shows what would change and what that does
/// to running guests, and makes it so.
#[derive(Debug, Parser)]
#[command(
    name = "tcloud",
    version,
    styles = STYLES,
    max_term_width = 100,
    after_help = AFTER_HELP,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Work as if started in this directory.
    #[arg(short = 'C', long = "dir", global = true, help_heading = EVERYWHERE, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
    /// When to use colours: auto, always or never; NO_COLOR turns them off too.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_enum)]
    #[arg(default_value_t = Color::Auto, hide_possible_values = true, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Say nothing but results and errors.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub(crate) quiet: bool,
    /// Say more; twice for what is asked of hosts (to standard error).
    #[arg(short, long, global = true, help_heading = EVERYWHERE, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands, in the order of the help text.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a project: tcloud.toml, main.tcloud, .gitignore.
    Init(Init),
    /// Check the text without asking any host.
    Check(Check),
    /// Bring the text into its canonical form.
    Fmt(Fmt),
    /// Show what apply would do, worst first.
    Plan(Plan),
    /// Show what a change of the text would do, between two git revisions; asks no host.
    Diff(Diff),
    /// Agree to decisions of a saved plan, by a signature.
    Agree(Agree),
    /// Make what runs be what the text says.
    Apply(Apply),
    /// Take down everything that this deployment manages.
    Destroy(Destroy),
    /// Write text for what others made on a host, so that tcloud can take it over as it is.
    Adopt(Adopt),
    /// Show one resource: as written, as applied, as it runs.
    Show(Show),
    /// Say why a plan would change a resource: the lines behind it, who wrote them, what follows.
    Why(Why),
    /// Show what was changed by hand.
    Drift(Drift),
    /// Go on looking, and tell of what is changed by hand as it happens.
    Watch(Watch),
    /// Look at, rebuild and edit what tcloud remembers.
    State(State),
    /// Show who applied what, and when.
    History(History),
    /// Show the outputs of the configuration.
    Output(Output),
    /// Draw what depends on what.
    Graph(Graph),
    /// Try expressions of the language.
    Console(Console),
    /// Explain a kind or an error code.
    Explain(Explain),
    /// Print a completion script for a shell.
    Completions(Completions),
    /// Print the version.
    Version(Version),
    /// List, describe, pin and examine what talks to hosts.
    Provider(Provider),
    /// In a job of a forge: write the comment of a merge request.
    Ci(Ci),
    /// Drift, break and fill the embedded hypervisor.
    Sim(Sim),
}

impl Command {
    /// How what is wrong with the text is told. `check` tells it as its result.
    pub(crate) fn told(&self) -> Told {
        match self {
            Command::Apply(Apply { json: true, .. })
            | Command::Destroy(Destroy { json: true, .. }) => Told::Event,
            Command::Plan(Plan { json: true, .. })
            | Command::Diff(Diff { json: true, .. })
            | Command::Drift(Drift { json: true, .. })
            | Command::Show(Show { json: true, .. })
            | Command::Why(Why { json: true, .. })
            | Command::Output(Output { json: true, .. }) => Told::Object,
            _ => Told::InWords,
        }
    }
}

/// Values for parameters of the configuration.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Inputs {
    /// Sets a parameter; the value is an expression of the language, or a plain text.
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = address::variable)]
    pub(crate) variables: Vec<(String, String)>,
    /// Reads parameters from a file of `name = value` lines; `--var` wins over it.
    #[arg(long = "var-file", value_name = "FILE")]
    pub(crate) variable_files: Vec<PathBuf>,
    /// Where to remember: `sqlite:PATH` or `postgres://USER@HOST/DATABASE` (default:
    /// `.tcloud/state.db` in the project).
    #[arg(long, value_name = "URL", env = "TCLOUD_STATE", hide_env_values = true)]
    pub(crate) state: Option<String>,
}

/// Starts a project.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tcloud init town-hall && tcloud apply town-hall")]
pub(crate) struct Init {
    /// Where; made if it does not exist. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// The name of the deployment. Default: the directory's.
    #[arg(long)]
    pub(crate) name: Option<String>,
}

/// Checks the text.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tcloud check\n  tcloud check examples/quickstart --json")]
pub(crate) struct Check {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// One JSON object with all diagnostics, on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Formats.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tcloud fmt                  every file of the project\n  \
    tcloud fmt --check          exit 1 if one is not in its canonical form\n  \
    tcloud fmt --stdin <a >b    for editors")]
pub(crate) struct Fmt {
    /// Files and directories. Default: the whole project.
    pub(crate) paths: Vec<PathBuf>,
    /// Change nothing; list the files that would change and exit 1 if there are any.
    #[arg(long)]
    pub(crate) check: bool,
    /// Read standard input, write standard output.
    #[arg(long, conflicts_with_all = ["paths", "check"])]
    pub(crate) stdin: bool,
}

/// Writes text for what others made.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tcloud adopt kvm1 --list                  what nobody manages yet\n  \
    tcloud adopt kvm1                         everything, into adopted-kvm1.tcloud\n  \
    tcloud adopt kvm1 web db --tenant town    two guests with their networks and volumes\n  \
    tcloud adopt kvm1 web --existing default  the network `default` stays somebody else's\n\n\
    Nothing on the host changes, now or when the text is applied: each object gets a stamp."
)]
pub(crate) struct Adopt {
    /// The address of the host, or its end.
    #[arg(add = ArgValueCandidates::new(completion::hosts))]
    pub(crate) host: String,
    /// Names or UUIDs on the host, or kind/name; what they use comes along. Default: everything.
    pub(crate) names: Vec<String>,
    /// The tenant that guests, volumes and networks go into; made if the text has none.
    #[arg(long, value_name = "NAME", default_value = "adopted")]
    pub(crate) tenant: String,
    /// Only refer to these, as `existing`: names, UUIDs or kind/name.
    #[arg(long, value_name = "NAME")]
    pub(crate) existing: Vec<String>,
    /// The new file, in the project. Default: adopted-HOST.tcloud, or the next that is free.
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["stdout", "list"])]
    pub(crate) out: Option<PathBuf>,
    /// Print the text and write no file.
    #[arg(long, conflicts_with = "list")]
    pub(crate) stdout: bool,
    /// Only list what could be adopted.
    #[arg(long)]
    pub(crate) list: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Shows a resource, or a saved plan.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tcloud show tenant.rhoenblick.vm.files\n  \
    tcloud show vm.files          the end of an address is enough when only one fits\n  \
    tcloud show next.tcloud-plan  a plan that was saved by `tcloud plan --out`")]
pub(crate) struct Show {
    /// The address, or its end; or a file with a plan.
    #[arg(value_name = "ADDRESS|PLANFILE", add = ArgValueCandidates::new(completion::addresses))]
    pub(crate) address: String,
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) reports: Reports,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Says why a resource changes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tcloud why vm.files\n  \
    tcloud why network.office     who newly reaches it, and by which rule\n\n\
    In a git checkout, each line is shown with its commit and author.")]
pub(crate) struct Why {
    /// The address, or its end.
    #[arg(value_name = "ADDRESS", add = ArgValueCandidates::new(completion::addresses))]
    pub(crate) address: String,
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Works on what tcloud remembers.
#[derive(Debug, Args)]
pub(crate) struct State {
    #[command(subcommand)]
    pub(crate) command: StateCommand,
}

/// What can be done with what tcloud remembers.
#[derive(Debug, Subcommand)]
pub(crate) enum StateCommand {
    /// List every object that this deployment manages.
    List {
        /// Only addresses that match, or end with a match; a glob such as `vm.*`.
        pattern: Option<String>,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Show what was last applied to one object.
    Show {
        /// The address, or its end.
        #[arg(add = ArgValueCandidates::new(completion::addresses))]
        address: String,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Build it anew from what the hosts say.
    Rebuild {
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Drop objects from it; what runs stays, and a plan will see it again by its stamp.
    Forget {
        /// The address.
        #[arg(add = ArgValueCandidates::new(completion::addresses))]
        address: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Follow the journal from its beginning; name the first entry that was changed or lost.
    Verify {
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        inputs: Inputs,
    },
    /// Write all of it as JSON.
    Export {
        #[command(flatten)]
        inputs: Inputs,
    },
}

/// Shows past runs.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tcloud history -n 5")]
pub(crate) struct History {
    /// How many runs, newest first.
    #[arg(short = 'n', long = "number", value_name = "N", default_value = "20")]
    pub(crate) number: NonZeroUsize,
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Shows outputs.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  curl http://$(tcloud output address)/")]
pub(crate) struct Output {
    /// Only this one, its bare value.
    pub(crate) name: Option<String>,
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Draws the graph.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tcloud graph --format svg > graph.svg")]
pub(crate) struct Graph {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    /// As what.
    #[arg(long, value_enum, default_value_t = GraphFormat::Mermaid)]
    pub(crate) format: GraphFormat,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// As what a graph is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// For Graphviz.
    Dot,
    /// For Markdown on a forge.
    Mermaid,
    /// A picture.
    Svg,
}

/// Opens the console.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tcloud console\n  \
    echo 'tenant.rhoenblick.network.office.cidr.host(10)' | tcloud console")]
pub(crate) struct Console {
    /// The project. Default: the current directory.
    #[arg(value_name = "DIR")]
    pub(crate) path: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) inputs: Inputs,
}

/// Explains.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tcloud explain          what there is\n  \
    tcloud explain vm       a kind\n  tcloud explain E0101    an error")]
pub(crate) struct Explain {
    /// A kind, the code of an error or warning, or `methods`.
    #[arg(add = ArgValueCandidates::new(completion::topics))]
    pub(crate) topic: Option<String>,
}

/// Prints a completion script.
#[derive(Debug, Args)]
#[command(after_help = "Example, in ~/.bashrc:\n  source <(tcloud completions bash)\n\n\
    The script asks tcloud itself, so that it also completes addresses of the project.")]
pub(crate) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// Prints the version.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Arguments {
        Arguments::try_parse_from(line.split(' ')).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn no_help_text_is_wider_than_100_columns() {
        let mut pending = vec![Arguments::command()];
        while let Some(mut command) = pending.pop() {
            command.build();
            let help = command.clone().term_width(100).render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() <= 100, "{}: {line}", command.get_name());
            }
            pending.extend(command.get_subcommands().cloned());
        }
    }

    #[test]
    fn the_contract_for_scripts_is_understood() {
        let line = "tcloud plan dir --out p.tcloud-plan --json --exit-code --var a=1 --var-file f \
            --target tenant.a.* --exclude tenant.a.vm.b --replace tenant.a.vm.c --refresh-only \
            --allow data-loss=tenant.a.volume.x --parallelism 4 --state sqlite:s.db --color never";
        let Command::Plan(plan) = parse(line).command else { panic!("not a plan") };
        assert_eq!(plan.run.inputs.variables, [("a".to_owned(), "1".to_owned())]);
        assert!(plan.exit_code && plan.json && plan.run.scope.refresh_only);
        assert!(matches!(&plan.run.consent.allow[..], [Consent::DataLoss(a)] if a.depth() == 2));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for line in [
            "tcloud plan --allow data-loss",
            "tcloud plan --allow data-loss=nonsense",
            "tcloud plan --allow fire=tenant.a.vm.b",
            "tcloud plan --var =1",
            "tcloud plan --parallelism 0",
            "tcloud plan --destroy --refresh-only",
            "tcloud apply --color pink",
            "tcloud fmt --stdin a.tcloud",
        ] {
            assert!(Arguments::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
