//! Plugins that die, hang or talk nonsense: it costs their own operations, and nothing else.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tcloud_model::{
    Address, Deployment, Identity, Name, ObjectId, ObservedObject, Operation, OperationKind,
};
use tcloud_plugin::{Launch, PluginProvider};
use tcloud_provider::{ConfiguredProvider, HostConfig, Provider, ProviderError, Retry};

fn launch(mode: &str) -> Launch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugin/hostile.py");
    let mut launch = Launch::new("hostile", &path);
    launch.arguments = vec![mode.into()];
    launch.filter = Arc::new(|text| text.replace("s3cret", "(secret)"));
    launch
}

fn config() -> HostConfig {
    HostConfig {
        host: Address::root("host", "a", None),
        deployment: Deployment::new("t").id,
        attributes: Arc::default(),
        directory: "here".into(),
    }
}

async fn host(mode: &str) -> Arc<dyn ConfiguredProvider> {
    let plugin = PluginProvider::start(launch(mode)).await.expect("a description");
    plugin.configure(&config()).await.expect("a host")
}

fn operation(name: &str) -> Operation {
    let address: Address = "tenant.a.network.b".parse().expect("an address");
    Operation {
        kind: address.kind().clone(),
        identity: Identity { uuid: Deployment::new(name).id, name: Name::new(name) },
        object: ObjectId { address, host: config().host, incarnation: 0 },
        action: OperationKind::Delete,
        references: Vec::new(),
    }
}

async fn apply(
    host: &dyn ConfiguredProvider,
    name: &str,
) -> Result<Option<ObservedObject>, ProviderError> {
    let operation = operation(name);
    let applied = host.apply(&operation);
    tokio::time::timeout(Duration::from_secs(60), applied).await.expect("an end")
}

/// Makes sure that a plugin is of use (again).
async fn works(host: &dyn ConfiguredProvider, mode: &str) {
    match apply(host, "good").await {
        Ok(Some(object)) => assert_eq!(object.name, "good", "{mode}"),
        other => panic!("{mode}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_an_unknown_outcome_and_the_next_call_works() {
    for (mode, words) in [
        ("huge", "talks nonsense: a frame says that it is 2000000000 bytes long"),
        ("negative", "talks nonsense: a frame says that it is -5 bytes long"),
        ("chatty", "talks nonsense: a frame begins with \"Hello! I print"),
        ("utf8", "talks nonsense: it is not UTF-8"),
        ("duplicate", "talks nonsense: duplicate field `id`"),
        ("deep", "nonsense: "),
        ("enum", "talks nonsense: unknown variant `perhaps`"),
        ("another", "waits for no answer"),
        ("both", "either a result or an error"),
        ("notification", "there is no notification \"attack\""),
        ("crash", "it ended (signal: 6"),
        ("half", "it ended (exit status: 3)"),
        ("duplicate-inside", "answers apply with nonsense: duplicate field `kind`"),
        ("kind", "answers apply with nonsense: \"a\" is of the kind `dragon`"),
        ("attribute", "answers apply with nonsense: network \"a\" has `wings`"),
        ("field", "answers apply with nonsense: unknown field `nam`"),
    ] {
        let host = host(mode).await;
        works(&*host, mode).await;
        let error = apply(&*host, "bad").await.expect_err(mode);
        assert!(error.message.contains(words), "{mode}: {}", error.message);
        assert!(error.message.len() < 500, "{mode}: {}", error.message);
        assert_eq!(error.retry, Retry::Unknown, "{mode}: {}", error.message);
        works(&*host, mode).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_before_the_nonsense_counts() {
    let host = host("twice").await;
    assert!(apply(&*host, "bad").await.is_ok());
    // The second answer may end the process under the next call.
    let _ = apply(&*host, "good").await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    works(&*host, "twice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_words_are_kept_without_secrets_and_control_characters() {
    let host = host("crash").await;
    let error = apply(&*host, "bad").await.expect_err("a crash");
    assert!(error.message.contains("said last: I feel \\u{1b}[2K"), "{}", error.message);
    assert!(error.message.contains("unwell, (secret)"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_beside_the_crash_are_unknown_too_and_others_are_not_touched() {
    let (bad, other) = (host("crash").await, host("fine").await);
    let waiting = operation("wait");
    let call = async { tokio::join!(bad.apply(&waiting), apply(&*bad, "bad")) };
    let (beside, crash) =
        tokio::time::timeout(Duration::from_secs(60), call).await.expect("an end");
    for outcome in [beside, crash] {
        assert_eq!(outcome.expect_err("a crash").retry, Retry::Unknown);
    }
    works(&*other, "fine").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_without_end_is_given_up() {
    let mut mute = launch("mute");
    mute.patience = Duration::from_millis(700);
    let start = Instant::now();
    let error = PluginProvider::start(mute).await.err().expect("no answer");
    assert!(error.message.contains("hangs: no answer to hello within 0.7 s"), "{}", error.message);
    let mut mute = launch("mute-later");
    mute.patience = Duration::from_secs(2);
    let error = PluginProvider::start(mute).await.err().expect("no answer");
    assert!(error.message.contains("no answer to describe"), "{}", error.message);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_ignores_a_cancellation_hangs_and_is_ended() {
    let host = host("silent").await;
    let silent = operation("bad");
    let call = host.apply(&silent);
    assert!(tokio::time::timeout(Duration::from_millis(300), call).await.is_err());
    works(&*host, "silent").await;
    let waiting = operation("wait");
    let error = tokio::time::timeout(Duration::from_secs(40), host.apply(&waiting)).await;
    let error = error.expect("an end").expect_err("it hangs");
    assert!(error.message.contains("a cancelled request was not answered"), "{}", error.message);
    assert_eq!(error.retry, Retry::Unknown);
    works(&*host, "silent").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_version_or_description_is_refused_for_good() {
    let error = PluginProvider::start(launch("version")).await.err().expect("version 7");
    assert!(error.message.contains("wants to speak version 7"), "{}", error.message);
    assert_eq!(error.retry, Retry::Never);
    let error = PluginProvider::start(launch("description")).await.err().expect("nonsense");
    assert!(error.message.contains("unknown field `shoe_size`"), "{}", error.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_start_is_not_started_for_ever() {
    let description = serde_json::from_str(r#"{"name":"hostile","version":"1"}"#).expect("one");
    let plugin = PluginProvider::new(launch("dies-at-once"), description).expect("a plugin");
    for _ in 0..5 {
        let error = plugin.configure(&config()).await.err().expect("it dies");
        assert!(error.message.contains("said last: I do not even start"), "{}", error.message);
    }
    let error = plugin.configure(&config()).await.err().expect("it is given up");
    assert!(error.message.contains("lost 5 times in a row"), "{}", error.message);
    assert_eq!(error.retry, Retry::Never);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_changed_is_not_started() {
    let mut changed = launch("fine");
    changed.digest = Some("sha256:00".to_owned());
    let error = PluginProvider::start(changed).await.err().expect("another digest");
    assert!(error.message.contains("has changed: it is sha256:"), "{}", error.message);
    assert_eq!(error.retry, Retry::Never);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_little_of_the_environment_no_terminal_and_gains_no_rights() {
    let host = host("environment").await;
    let error = apply(&*host, "bad").await.expect_err("its words");
    let words: Vec<&str> = error.message.split("; ").collect();
    let [keys, terminal, rights] = words[..] else { panic!("{words:?}") };
    // Cargo sets a dozen of its own for a test; an interpreter may add some before it begins.
    assert!(std::env::vars().any(|(key, _)| key.starts_with("CARGO_")));
    assert!(keys.contains("PATH") && !keys.contains("CARGO"), "{keys}");
    assert_eq!((terminal, rights), ("no terminal", "no new rights"));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_children_end_with_it() {
    let host = host("children").await;
    let error = apply(&*host, "bad").await.expect_err("its words");
    let child = format!("/proc/{}", error.message.trim());
    assert!(Path::new(&child).exists());
    host.shutdown().await;
    let state = || std::fs::read_to_string(format!("{child}/stat")).unwrap_or_default();
    let ended = |stat: String| stat.is_empty() || stat.contains(") Z ");
    for _ in 0..50 {
        if ended(state()) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("its child lives on: {}", state());
}
