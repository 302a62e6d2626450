//! The options of `tcloud sim`, which plays the hand that changes things behind tcloud's back.

use clap::{Args, Subcommand};

/// Works on the embedded hypervisor.
#[derive(Debug, Args)]
#[command(
    after_help = "An OBJECT is an address, a name on the host, or kind/name.\n\nExamples:\n  \
    tcloud sim list\n  \
    tcloud sim drift tenant.town.vm.web memory=6GiB     as if somebody had changed it by hand\n  \
    tcloud sim break site.home.host.kvm1 --operation create --times 2\n  \
    tcloud sim latency realistic"
)]
pub(crate) struct Sim {
    #[command(subcommand)]
    pub(crate) command: SimCommand,
}

/// What can be done to the embedded hypervisor.
#[derive(Debug, Subcommand)]
pub(crate) enum SimCommand {
    /// List everything that it runs, ours and foreign.
    List {
        /// Only on this host.
        host: Option<String>,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Change attributes of an object by hand.
    Drift(SetDrift),
    /// Delete an object by hand.
    Delete(Target),
    /// Stop a guest.
    Stop(Target),
    /// Start a guest; what was waiting takes effect.
    Start(Target),
    /// Stop a guest and start it again.
    PowerCycle(Target),
    /// Make a foreign object by hand.
    Make(Make),
    /// Make a foreign guest that takes up memory.
    Fill(Fill),
    /// Let calls fail.
    Break(Break),
    /// Let calls succeed again.
    Mend {
        /// Only on this host.
        host: Option<String>,
    },
    /// Say how long calls take.
    Latency(Latency),
    /// Cut a host off, or bring it back.
    Unreachable(Unreachable),
    /// Set where everything random comes from.
    Seed {
        /// Any number.
        seed: u64,
    },
    /// List the calls that were made to a host.
    Calls {
        /// The host's address.
        host: String,
    },
    /// Empty the hosts, as if new.
    Reset {
        /// Only this host.
        host: Option<String>,
        /// Do not ask.
        #[arg(short, long)]
        yes: bool,
    },
    /// Write everything that they run as JSON.
    Dump {
        /// Only this host.
        host: Option<String>,
        /// Leave out what differs from run to run: starts, and bytes written.
        #[arg(long)]
        stable: bool,
    },
}

/// An object on a host.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// An address, a name on the host, or kind/name.
    pub(crate) object: String,
    /// The host, when there are several objects of that name.
    #[arg(long)]
    pub(crate) host: Option<String>,
}

/// Changes attributes.
#[derive(Debug, Args)]
pub(crate) struct SetDrift {
    #[command(flatten)]
    pub(crate) target: Target,
    /// An attribute and its new value, an expression of the language; without `=VALUE` it is
    /// removed.
    #[arg(required = true, value_name = "NAME=VALUE")]
    pub(crate) attributes: Vec<String>,
}

/// Makes an object.
#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The host's address.
    pub(crate) host: String,
    /// Its kind: vm, volume, network.
    pub(crate) kind: String,
    /// Its name on the host.
    pub(crate) name: String,
    /// Its attributes; values are expressions of the language.
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) attributes: Vec<String>,
}

/// Fills a host.
#[derive(Debug, Args)]
pub(crate) struct Fill {
    /// The host's address.
    pub(crate) host: String,
    /// How much memory: `200GiB`.
    pub(crate) memory: String,
    /// The name of the foreign guest.
    #[arg(long, default_value = "somebody-elses")]
    pub(crate) name: String,
}

/// Breaks a host.
#[derive(Debug, Args)]
pub(crate) struct Break {
    /// The host's address.
    pub(crate) host: String,
    /// Only this call: create, update, delete, adopt, move, forget, migrate, observe, look,
    /// configure.
    #[arg(long)]
    pub(crate) operation: Option<String>,
    /// Only this kind.
    #[arg(long)]
    pub(crate) kind: Option<String>,
    /// Only objects whose address or name is like this; `*` stands for anything.
    #[arg(long)]
    pub(crate) object: Option<String>,
    /// What happens instead: permanent, transient, unknown, lost, lie, hang, halfway.
    #[arg(long, default_value = "permanent")]
    pub(crate) how: String,
    /// How often; without it, for ever.
    #[arg(long)]
    pub(crate) times: Option<u32>,
    /// In how many of a hundred calls.
    #[arg(long, default_value_t = 100)]
    pub(crate) chance: u8,
    /// What the error says.
    #[arg(long, default_value = "the simulated host was told to fail")]
    pub(crate) message: String,
}

/// Slows down.
#[derive(Debug, Args)]
pub(crate) struct Latency {
    /// How long every call takes (`200ms`), `realistic`, or `none`.
    pub(crate) duration: String,
    /// Only on this host.
    #[arg(long)]
    pub(crate) host: Option<String>,
}

/// Cuts off.
#[derive(Debug, Args)]
pub(crate) struct Unreachable {
    /// The host's address.
    pub(crate) host: String,
    /// Why.
    #[arg(long, default_value = "the cable was pulled")]
    pub(crate) why: String,
    /// Bring it back.
    #[arg(long)]
    pub(crate) off: bool,
}
