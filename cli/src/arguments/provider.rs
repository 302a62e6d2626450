//! The options of `tcloud provider`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Works on providers.
#[derive(Debug, Args)]
#[command(
    after_help = "A provider is declared in tcloud.toml and looked for where `path` says, beside \
    tcloud,\nor on the path as tcloud-provider-NAME:\n\n  [providers.libvirt]\n\n\
    Examples:\n  tcloud provider list\n  tcloud provider schema libvirt\n  \
    tcloud provider lock libvirt        trust its new program\n  \
    tcloud provider test ./tcloud-provider-mine"
)]
pub(crate) struct Provider {
    #[command(subcommand)]
    pub(crate) command: ProviderCommand,
}

/// What can be done with providers.
#[derive(Debug, Subcommand)]
pub(crate) enum ProviderCommand {
    /// List the providers of this project: version, program, digest.
    List {
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Show what a provider adds to the language.
    Schema {
        /// Its name.
        name: String,
        /// JSON on standard output.
        #[arg(long)]
        json: bool,
    },
    /// Trust the program that a provider has now: pin its digest in tcloud.lock.
    Lock {
        /// Its name.
        name: String,
    },
    /// Examine anybody's provider: does it keep the contract?
    Test(TestProvider),
}

/// Examines a provider.
#[derive(Debug, Args)]
#[command(
    after_help = "The host has to be empty; what is made on it is deleted again. The plugin \
    has to know\nthe method `by_hand`, see \"Writing a provider\" in the book."
)]
pub(crate) struct TestProvider {
    /// Its program.
    pub(crate) program: PathBuf,
    /// How it reaches the host that it is examined on.
    #[arg(long)]
    pub(crate) uri: Option<String>,
    /// Only checks that failed.
    #[arg(long)]
    pub(crate) failures: bool,
    /// JSON on standard output.
    #[arg(long)]
    pub(crate) json: bool,
}
