//! Decisions that ask for signatures: whose counts, for what, and that nothing else stands in for it.

use std::path::Path;
use std::process::Command;

use crate::diff::{commit_as, git};
use crate::project::{Ended, Project};

const TEXT: &str = "site home {
  host one { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool local { type = \"dir\", path = \"/srv\" }
}
tenant town {
  approvers = [\"erika@town\", \"max@town\"]
  volume archive { size = 100GiB }
  volume other { size = 10GiB }
}
tenant village {
  volume barn { size = 10GiB }
}
";
const ARCHIVE: &str = "  volume archive { size = 100GiB }\n";

/// A project that was applied, with keys for three people; `mallory@town` is nobody's approver.
fn applied(text: &str) -> Project {
    let project = Project::with(text);
    let mut signers = String::new();
    for name in ["erika", "max", "mallory"] {
        key(project.path(), name);
        let public = std::fs::read_to_string(project.path().join(format!("{name}.pub")));
        let words = public.expect("a key");
        let words: Vec<&str> = words.split(' ').take(2).collect();
        signers += &format!("{name}@town namespaces=\"consent@tcloud\" {}\n", words.join(" "));
    }
    project.write("allowed_signers", signers);
    project.run(&["apply", "--yes"], 0);
    project
}

fn key(directory: &Path, name: &str) {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name])
        .current_dir(directory)
        .output()
        .expect("ssh-keygen runs");
    assert!(made.status.success(), "{made:?}");
}

fn agree(project: &Project, decision: &str, by: &str, key: &str, out: &str) -> Ended {
    let principal = format!("{by}@town");
    let arguments = ["agree", "p", decision, "--as", &principal, "--key", key, "--out", out];
    project.ended(&arguments)
}

/// An apply that is refused, having changed nothing.
fn refused(project: &Project, arguments: &[&str], code: i32, said: &str) {
    let before = project.ours();
    let ended = project.ended(&[&["apply", "--yes"], arguments].concat());
    assert_eq!(ended.code, Some(code), "{arguments:?}: {}", ended.err);
    assert!(ended.err.contains(said), "{arguments:?}: {}", ended.err);
    assert_eq!(project.ours(), before, "{arguments:?}");
}

#[test]
fn a_loss_is_applied_with_the_signature_of_an_approver_and_by_nothing_else() {
    let project = applied(TEXT);
    project.edit("main.tcloud", ARCHIVE, "");
    let loss = "data-loss=tenant.town.volume.archive";
    let asks = "D1: tenant.town asks for the signature of one of erika@town, max@town";
    refused(&project, &[], 4, asks);
    refused(&project, &["--allow", loss], 4, asks);
    project.run(&["plan", "--out", "p", "--allow", loss], 0);
    refused(&project, &["p"], 4, asks);
    project.run(&["plan", "--out", "p"], 0);
    refused(&project, &["p"], 4, asks);

    // Whose signature it is not.
    assert_eq!(agree(&project, "D1", "mallory", "mallory", "wrong-person").code, Some(0));
    refused(&project, &["p", "--consent", "wrong-person"], 4, asks);
    assert_eq!(agree(&project, "D1", "erika", "mallory", "wrong-key").code, Some(0));
    refused(
        &project,
        &["p", "--consent", "wrong-key"],
        1,
        "the signature of erika@town is not valid",
    );

    let agreed = agree(&project, "d1", "erika", "erika", "good");
    assert_eq!(agreed.code, Some(0), "{}", agreed.err);
    assert!(agreed.out.contains("D1 volume `archive` would be deleted"), "{}", agreed.out);
    let text = std::fs::read_to_string(project.path().join("good")).expect("a consent");
    project.write("forged", text.replace("erika@town", "max@town"));
    refused(&project, &["p", "--consent", "forged"], 1, "the signature of max@town is not valid");
    project.write("torn", &text[..text.len() / 2]);
    refused(&project, &["p", "--consent", "torn"], 1, "is not a consent");
    refused(&project, &["p", "--consent", "nowhere"], 1, "cannot be read");
    refused(&project, &["--consent", "good"], 1, "a consent is for a plan file");

    // Only for that plan.
    project.edit("main.tcloud", "barn { size = 10GiB }", "barn { size = 20GiB }");
    project.run(&["plan", "--out", "later"], 0);
    refused(&project, &["later", "--consent", "good"], 1, "and not for this one");
    project.edit("main.tcloud", "barn { size = 20GiB }", "barn { size = 10GiB }");

    project.run(&["apply", "p", "--yes", "--consent", "good"], 0);
    assert_eq!(project.ours().len(), 3);
    project.run(&["plan", "--exit-code"], 0);
}

#[test]
fn a_signature_is_for_its_own_decisions() {
    let project = applied(TEXT);
    project.edit("main.tcloud", ARCHIVE, "");
    project.edit("main.tcloud", "  volume other { size = 10GiB }\n", "");
    project.run(&["plan", "--out", "p"], 0);
    assert_eq!(agree(&project, "D1", "erika", "erika", "one").code, Some(0));
    refused(&project, &["p", "--consent", "one"], 4, "D2: tenant.town asks");
    let unknown = agree(&project, "D7", "erika", "erika", "none");
    assert!(unknown.err.contains("the plan has no decision `D7`"), "{}", unknown.err);
    let wrong = agree(&project, "D1", "*", "erika", "none");
    assert!(wrong.err.contains("cannot be the name of a signer"), "{}", wrong.err);
    std::fs::create_dir(project.path().join("all")).expect("made");
    assert_eq!(agree(&project, "D1", "erika", "erika", "all/one.consent").code, Some(0));
    assert_eq!(agree(&project, "D2", "max", "max", "all/two.consent").code, Some(0));
    let again = agree(&project, "D2", "max", "max", "all/two.consent");
    assert!(again.err.contains("cannot be written"), "no consent is written over: {}", again.err);
    project.run(&["apply", "p", "--yes", "--consent", "all"], 0);
    assert_eq!(project.ours().len(), 2);
}

#[test]
fn a_tenant_without_approvers_is_as_before_and_one_that_is_gone_is_not() {
    let project = applied(TEXT);
    project.edit("main.tcloud", "  volume barn { size = 10GiB }\n", "");
    project.run(&["apply", "--yes", "--allow", "data-loss=tenant.village.volume.barn"], 0);
    let start = TEXT.find("tenant town").expect("a tenant");
    project.write("main.tcloud", &TEXT[..start]);
    let loss = ["archive", "other"].map(|name| format!("data-loss=tenant.town.volume.{name}"));
    let allowed = ["--allow", &loss[0], "--allow", &loss[1]];
    let anybody = "anybody in allowed_signers, since the text no longer declares it";
    refused(&project, &allowed, 4, anybody);
    let signers = project.path().join("allowed_signers");
    let kept = std::fs::read(&signers).expect("read");
    std::fs::remove_file(&signers).expect("removed");
    std::os::unix::fs::symlink("nowhere", &signers).expect("a link");
    refused(&project, &allowed, 4, anybody);
    std::fs::remove_file(&signers).expect("removed");
    project.write("allowed_signers", kept);
    project.run(&["plan", "--out", "p"], 0);
    let agreed = project.ended(&["agree", "p", "D1", "D2", "--as", "max@town", "--key", "max"]);
    assert_eq!(agreed.code, Some(0), "{}", agreed.err);
    project.run(&["apply", "p", "--yes", "--consent", "p.max@town.consent"], 0);
    assert!(project.ours().iter().all(|object| !object.address.contains("volume")));
}

#[test]
fn nobody_agrees_to_his_own_change_where_four_eyes_are_asked_for() {
    let project = applied(&TEXT.replace("tenant town {", "tenant town {\n  four_eyes = true"));
    commit_as(&project, "before", "Erika@town");
    git(project.path(), &["checkout", "--quiet", "-b", "branch"]);
    project.edit("main.tcloud", ARCHIVE, "");
    commit_as(&project, "change", "Erika@town");
    project.run(&["plan", "--out", "p"], 0);
    assert_eq!(agree(&project, "D1", "erika", "erika", "own").code, Some(0));
    refused(&project, &["p", "--consent", "own"], 4, "and not an author of the change");
    // A merge by somebody else does not make it another's change.
    git(project.path(), &["checkout", "--quiet", "-b", "trunk", "before"]);
    let merge = ["-c", "user.email=max@town", "merge", "--no-ff", "--quiet", "-m", "m", "branch"];
    git(project.path(), &merge);
    refused(&project, &["p", "--consent", "own"], 4, "and not an author of the change");
    git(project.path(), &["reset", "--quiet", "--hard", "branch"]);
    assert_eq!(agree(&project, "D1", "max", "max", "other").code, Some(0));
    project.run(&["apply", "p", "--yes", "--consent", "own", "--consent", "other"], 0);

    std::fs::remove_dir_all(project.path().join(".git")).expect("removed");
    project.edit("main.tcloud", "  volume other { size = 10GiB }\n", "");
    project.run(&["plan", "--out", "p2"], 0);
    refused(&project, &["p2"], 1, "whose change it is cannot be told");
}

#[test]
fn both_sides_of_a_border_are_asked() {
    let text = "site home {
  host one { provider = \"sim\", capacity { vcpus = 8, memory = 32GiB } }
  pool local { type = \"dir\", path = \"/srv\" }
}
tenant town {
  approvers = [\"erika@town\"]
  network office {
    cidr = 10.1.0.0/24
    mode = \"routed\"
  }
  vm files { vcpus = 1, memory = 1GiB, nic office { network = network.office } }
}
tenant village {
  approvers = [\"max@town\"]
  network desk { cidr = 10.2.0.0/24, mode = \"routed\", expose_to = [tenant.town] }
  vm clerk { vcpus = 1, memory = 1GiB, nic desk { network = network.desk } }
}
";
    let project = applied(text);
    project.edit(
        "main.tcloud",
        "    mode = \"routed\"\n",
        "    mode = \"routed\"\n    expose_to = [tenant.village]\n    \
         allow clerks { from = tenant.village.network.desk, ports = [443/tcp] }\n",
    );
    project.run(&["plan", "--out", "p"], 0);
    assert_eq!(agree(&project, "D1", "erika", "erika", "one").code, Some(0));
    refused(&project, &["p", "--consent", "one"], 4, "D1: tenant.village asks");
    assert_eq!(agree(&project, "D1", "max", "max", "two").code, Some(0));
    project.run(&["apply", "p", "--yes", "--consent", "one", "--consent", "two"], 0);
}
